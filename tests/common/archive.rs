//! Reads a mongodump archive by reference 3.6, and nothing but that; knows nothing of the
//! product's reader and writer.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::Path;

use bson::Document;
use pitstop::domain::Namespace;

/// CRC-64/XZ by its definition, a bit at a time: the reflected ECMA-182 polynomial, all ones
/// before and after.
pub fn crc64(bytes: &[u8]) -> u64 {
    let mut crc = u64::MAX;
    for byte in bytes {
        crc ^= u64::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xC96C_5795_D787_0F42 } else { crc >> 1 };
        }
    }
    !crc
}

struct Cut<'a>(&'a [u8]);

impl<'a> Cut<'a> {
    /// The next document, or `None` for the four bytes that end a list.
    fn next(&mut self) -> Option<&'a [u8]> {
        let length = i32::from_le_bytes(self.0[..4].try_into().unwrap());
        let size = if length == -1 { 4 } else { usize::try_from(length).unwrap() };
        let (one, rest) = self.0.split_at(size);
        self.0 = rest;
        (length != -1).then_some(one)
    }
}

pub fn decoded(bytes: &[u8]) -> Document {
    bson::deserialize_from_slice(bytes).unwrap()
}

pub struct Parsed {
    pub head: Document,
    pub listed: Vec<Document>,
    /// By namespace of the blocks: the documents in order, and how often another's block came between.
    pub documents: BTreeMap<Namespace, Vec<Vec<u8>>>,
    pub switches: usize,
}

/// Reads an archive by reference 3.6, and nothing but that.
pub fn parse(bytes: &[u8]) -> Parsed {
    assert_eq!(bytes[..4], [0x6d, 0xe2, 0x99, 0x81], "the magic number 0x8199e26d, little endian");
    let mut cut = Cut(&bytes[4..]);
    let head = decoded(cut.next().unwrap());
    let listed: Vec<Document> = std::iter::from_fn(|| cut.next()).map(decoded).collect();
    let mut documents: BTreeMap<Namespace, Vec<Vec<u8>>> = BTreeMap::new();
    let (mut ended, mut last, mut switches) = (Vec::new(), None, 0);
    while !cut.0.is_empty() {
        let block = decoded(cut.next().expect("a block begins with its head, not with an end"));
        let names: Vec<&str> = block.keys().map(String::as_str).collect();
        assert_eq!(names, ["db", "collection", "EOF", "CRC"]);
        let ns = Namespace::new(block.get_str("db").unwrap(), block.get_str("collection").unwrap());
        assert!(!ended.contains(&ns), "{ns} goes on behind its end");
        let all = documents.entry(ns.clone());
        let of: Vec<Vec<u8>> = std::iter::from_fn(|| cut.next()).map(<[u8]>::to_vec).collect();
        let crc = block.get_i64("CRC").unwrap() as u64;
        if block.get_bool("EOF").unwrap() {
            assert!(of.is_empty());
            let std::collections::btree_map::Entry::Occupied(all) = all else {
                panic!("{ns} ends before it begins")
            };
            assert_eq!(crc, if all.get().is_empty() { 0 } else { crc64(&all.get().concat()) }, "{ns}");
            ended.push(ns);
        } else {
            assert_eq!(crc, 0);
            all.or_default().extend(of);
            switches += usize::from(last.as_ref() != Some(&ns));
            last = Some(ns);
        }
    }
    assert_eq!(ended.len(), documents.len(), "every namespace ends");
    Parsed { head, listed, documents, switches }
}

/// What a file holds: as it is, or the one gzip member that it is from the first byte to the last.
pub fn unpacked(bytes: Vec<u8>) -> Vec<u8> {
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return bytes;
    }
    let mut one = flate2::bufread::GzDecoder::new(&bytes[..]);
    let mut out = Vec::new();
    one.read_to_end(&mut out).unwrap();
    assert!(one.into_inner().is_empty(), "something follows the first gzip member");
    out
}

/// Takes an archive apart into a dump directory.
pub fn take_apart(file: &Path, dir: &Path) {
    let parsed = parse(&unpacked(fs::read(file).unwrap()));
    let put = |db: &str, coll: &str, ending: &str, bytes: &[u8]| {
        fs::create_dir_all(dir.join(db)).unwrap();
        let name = format!("{}.{ending}", coll.replace('/', "%2F"));
        fs::write(dir.join(db).join(name), bytes).unwrap();
    };
    for listed in &parsed.listed {
        let text = |key: &str| listed.get_str(key).unwrap();
        put(text("db"), text("collection"), "metadata.json", text("metadata").as_bytes());
    }
    for (ns, documents) in &parsed.documents {
        let view = parsed.listed.iter().any(|l| {
            let text = |key: &str| l.get_str(key).unwrap();
            (text("db"), text("collection"), text("type")) == (&ns.db, &ns.coll, "view")
        });
        if view {
            assert!(documents.is_empty(), "a view has documents");
        } else {
            put(&ns.db, &ns.coll, "bson", &documents.concat());
        }
    }
}
