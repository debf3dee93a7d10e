//! Reads a mongodump directory as a state, without the product's own readers.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::Path;

use bson::{Bson, Document, RawDocument};
use md5::{Digest, Md5};
use pitstop::domain::Position;

use super::id_order;
use super::truth::{Checkpoint, Collection, Content, IGNORED, json};

/// Everything in the directory: collections by their metadata, documents by their files.
pub fn observe(dir: &Path) -> Checkpoint {
    let mut dbs = BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display())) {
        let path = entry.unwrap().path();
        let db = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !IGNORED.contains(&db.as_str()) {
            let collections = database(&path);
            if !collections.is_empty() {
                dbs.insert(db, collections);
            }
        }
    }
    Checkpoint { label: dir.display().to_string(), ts: Position::MIN, dbs }
}

fn database(dir: &Path) -> BTreeMap<String, Collection> {
    let mut metadata = BTreeMap::new();
    let mut contents = BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let plain = name.strip_suffix(".gz").unwrap_or(&name);
        if let Some(stem) = plain.strip_suffix(".metadata.json") {
            metadata.insert(stem.to_owned(), json(&String::from_utf8(unpacked(&path)).unwrap()));
        } else if let Some(stem) = plain.strip_suffix(".bson") {
            contents.insert(stem.to_owned(), content(&unpacked(&path)));
        }
    }
    let mut collections = BTreeMap::new();
    for (stem, meta) in &metadata {
        let kind = meta.get_str("type").unwrap_or("collection").to_owned();
        let indexes = meta.get_array("indexes").unwrap().iter().map(|i| i.as_document().unwrap().clone());
        let collection = Collection {
            content: if kind == "collection" { contents.remove(stem) } else { None },
            options: meta.get_document("options").cloned().unwrap_or_default(),
            indexes: indexes.collect(),
            kind,
        };
        collections.insert(meta.get_str("collectionName").unwrap().to_owned(), collection);
    }
    // What is left has no metadata of its own: the buckets of a time series, or a mistake.
    for (stem, content) in contents {
        let kind = "collection".to_owned();
        collections.insert(stem, Collection { kind, content: Some(content), ..Collection::default() });
    }
    collections
}

/// Count and MD5 of documents back to back.
pub fn content(mut bytes: &[u8]) -> Content {
    let mut documents: Vec<(Bson, &[u8])> = Vec::new();
    while !bytes.is_empty() {
        let length = i32::from_le_bytes(bytes[..4].try_into().unwrap()) as usize;
        let (one, rest) = bytes.split_at(length);
        documents.push((id_of(one), one));
        bytes = rest;
    }
    // Equal keys do not occur: the `_id` index is unique.
    documents.sort_by(|a, b| id_order::compare(&a.0, &b.0));
    let mut md5 = Md5::new();
    documents.iter().for_each(|(_, one)| md5.update(one));
    Content { count: documents.len() as u64, md5: hex(&md5.finalize()) }
}

fn id_of(document: &[u8]) -> Bson {
    let raw = RawDocument::from_bytes(document).unwrap();
    let id = raw.get("_id").unwrap();
    id.and_then(|id| Bson::try_from(id).ok()).expect("a document without a readable _id")
}

fn unpacked(path: &Path) -> Vec<u8> {
    let bytes = fs::read(path).unwrap();
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return bytes;
    }
    let mut plain = Vec::new();
    flate2::read::MultiGzDecoder::new(bytes.as_slice()).read_to_end(&mut plain).unwrap();
    plain
}

/// Lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// A collection's metadata, as mongodump writes it.
pub fn metadata(
    name: &str,
    kind: &str,
    options: &Document,
    indexes: &[Document],
    uuid: Option<bson::Uuid>,
) -> String {
    let extended = |document: &Document| Bson::from(document.clone()).into_canonical_extjson();
    let mut out = serde_json::Map::new();
    if !options.is_empty() {
        out.insert("options".into(), extended(options));
    }
    out.insert("indexes".into(), indexes.iter().map(extended).collect());
    out.extend(uuid.map(|uuid| ("uuid".into(), uuid.to_string().replace('-', "").into())));
    out.insert("collectionName".into(), name.into());
    out.insert("type".into(), kind.into());
    serde_json::Value::Object(out).to_string()
}
