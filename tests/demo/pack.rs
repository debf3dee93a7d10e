//! The day as files: two mongodump directories, the oplog in slices of an hour, and the truth.

use std::collections::BTreeMap;
use std::io::{Read, Write};

use bson::{Document, doc};
use flate2::Compression;
use serde_json::{Value, json};

use super::DAY;
use super::log::Entry;
use super::shop::{Day, Snapshot};
use super::store::Collection;
use crate::common::dump;

/// The slice that was never made, so that the early hours have a gap.
const LOST_HOUR: u32 = 5;

/// Contents by path.
pub type Files = BTreeMap<String, Vec<u8>>;

/// Every file of the demo.
pub fn files(day: &Day) -> Files {
    let mut files = Files::new();
    for snapshot in &day.snapshots {
        write_snapshot(day, snapshot, &mut files);
    }
    for (hour, slice) in slices(&day.entries) {
        if hour != LOST_HOUR {
            let dir = format!("oplog/2026-10-14T{hour:02}/local");
            files.insert(format!("{dir}/oplog.rs.bson"), joined(slice));
            let options = doc! { "capped": true, "size": 536_870_912, "autoIndexId": false };
            let metadata = dump::metadata("oplog.rs", "collection", &options, &[], None);
            files.insert(format!("{dir}/oplog.rs.metadata.json"), metadata.into());
            files.insert(format!("{dir}/prelude.json"), prelude());
        }
    }
    files
}

fn write_snapshot(day: &Day, snapshot: &Snapshot, files: &mut Files) {
    let dir = format!("snapshots/{}", snapshot.name);
    let mut put = |name: String, bytes: Vec<u8>| match snapshot.gzip {
        // The oplog keeps its name even when it is compressed.
        true if name == "oplog.bson" => drop(files.insert(format!("{dir}/{name}"), gzip(&bytes))),
        true => drop(files.insert(format!("{dir}/{name}.gz"), gzip(&bytes))),
        false => drop(files.insert(format!("{dir}/{name}"), bytes)),
    };
    put("prelude.json".to_owned(), prelude());
    let window = day.entries.iter().filter(|e| snapshot.from <= e.pos && e.pos <= snapshot.through);
    put("oplog.bson".to_owned(), window.flat_map(|e| e.bytes.clone()).collect());
    let version = doc! { "_id": "featureCompatibilityVersion", "version": "6.0" };
    put("admin/system.version.bson".to_owned(), bson::serialize_to_vec(&version).unwrap());
    let id = [doc! { "v": 2, "key": { "_id": 1 }, "name": "_id_" }];
    let metadata = dump::metadata("system.version", "collection", &Document::new(), &id, None);
    put("admin/system.version.metadata.json".to_owned(), metadata.into());
    for collection in &snapshot.collections {
        let Collection { name, uuid, indexes, .. } = collection;
        let metadata = dump::metadata(name, "collection", &Document::new(), indexes, Some(*uuid));
        put(format!("shop/{name}.bson"), collection.bytes());
        put(format!("shop/{name}.metadata.json"), metadata.into());
    }
}

/// One slice an hour; each begins with the entry that the one before ends with.
fn slices(entries: &[Entry]) -> Vec<(u32, &[Entry])> {
    let begin = |hour: u32| entries.partition_point(|e| e.pos.secs < DAY + hour * 3600);
    let slice = |hour| {
        let end = (begin(hour + 1) + 1).min(entries.len());
        (hour, &entries[begin(hour)..end])
    };
    (0..24).map(slice).collect()
}

fn joined(entries: &[Entry]) -> Vec<u8> {
    entries.iter().flat_map(|e| e.bytes.clone()).collect()
}

fn prelude() -> Vec<u8> {
    br#"{"ServerVersion":"6.0.5","ToolVersion":"100.13.0"}"#.to_vec()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = flate2::GzBuilder::new().mtime(0).write(Vec::new(), Compression::best());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

/// A file's own content: what is inside when it is compressed.
pub fn plain(bytes: &[u8]) -> Vec<u8> {
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return bytes.to_vec();
    }
    let mut out = Vec::new();
    flate2::read::GzDecoder::new(bytes).read_to_end(&mut out).unwrap();
    out
}

/// All files as a tar, compressed; the same bytes for the same files.
pub fn archive(files: &Files) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (path, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_mtime(u64::from(DAY));
        tar.append_data(&mut header, path, bytes.as_slice()).unwrap();
    }
    gzip(&tar.into_inner().unwrap())
}

/// What is in such an archive.
pub fn unpack(archive: &[u8]) -> Files {
    let mut files = Files::new();
    let tar = plain(archive);
    for entry in tar::Archive::new(tar.as_slice()).entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().to_str().unwrap().to_owned();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        assert!(files.insert(path, bytes).is_none(), "a file that is there twice");
    }
    files
}

/// What a replay of the demo must find, from the simulation's own documents.
pub fn truth(day: &Day) -> Value {
    let state = |collections: &[Collection]| -> Value {
        let of = |c: &Collection| {
            let content = dump::content(&c.bytes());
            (c.name.to_owned(), json!({ "count": content.count, "md5": content.md5 }))
        };
        Value::Object(collections.iter().map(of).collect())
    };
    let before = |pos| {
        let at = day.entries.partition_point(|e| e.pos < pos);
        day.entries[at - 1].pos
    };
    let bursts = day.bursts.iter().map(|(name, own)| {
        let (first, last) = (own[0], own[own.len() - 1]);
        let burst = json!({ "before": before(first), "first": first, "last": last, "entries": own.len() });
        ((*name).to_owned(), burst)
    });
    let snapshots =
        day.snapshots.iter().map(|s| json!({ "name": s.name, "from": s.from, "through": s.through }));
    let states = day.states.iter().map(
        |(label, pos, collections)| json!({ "label": label, "through": pos, "shop": state(collections) }),
    );
    let all = slices(&day.entries);
    let lost = all[LOST_HOUR as usize].1;
    json!({
        "entries": day.entries.len(),
        "first": day.entries[0].pos,
        "last": day.entries[day.entries.len() - 1].pos,
        "snapshots": snapshots.collect::<Vec<_>>(),
        "gap": { "after": lost[0].pos, "before": lost[lost.len() - 1].pos },
        "bursts": Value::Object(bursts.collect()),
        "states": states.collect::<Vec<_>>(),
    })
}
