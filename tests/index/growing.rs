//! The log as folds and counts read it: through an index that is being built meanwhile, and through
//! the finished one, every entry is handed over once.

use std::path::Path;

use bson::{Document, doc};
use pitstop::domain::{Class, Position, progress::Meter};
use pitstop::ops::after::after;
use pitstop::ops::memory::Memory;
use pitstop::ops::{OpenOptions, Workspace};

const SECOND: u32 = 1_791_936_000;
/// Some parts of an index are read while others are built.
const ENTRIES: u32 = 120_000;
/// An `applyOps` holds more operations than are read in one go.
const GROUPED: u32 = 5_000;
/// Every so many entries there is one.
const EVERY: u32 = 40_000;

fn position(n: u32) -> Position {
    Position::new(SECOND + n / 100, n % 100 + 1)
}

fn entry(n: u32) -> Document {
    let insert = |id: i64| doc! { "op": "i", "ns": "shop.orders", "o": { "_id": id, "text": "lorem ipsum ".repeat(20) } };
    let mut entry = match n % EVERY {
        7 => {
            let ops: Vec<Document> =
                (0..GROUPED).map(|k| insert(i64::from(n) << 32 | i64::from(k))).collect();
            doc! { "op": "c", "ns": "admin.$cmd", "o": { "applyOps": ops } }
        }
        _ => insert(n.into()),
    };
    let pos = position(n);
    entry.extend(doc! { "ts": bson::Timestamp { time: pos.secs, increment: pos.inc }, "t": 1i64, "v": 2i64 });
    entry
}

/// How many operations there are from one entry to another.
fn operations(from: u32, to: u32) -> u64 {
    (from..to).map(|n| if n % EVERY == 7 { u64::from(GROUPED) } else { 1 }).sum()
}

fn open(file: &Path, case: &Path) -> Workspace {
    let options = OpenOptions {
        sources: vec![file.to_owned().into()],
        case: Some(case.to_owned()),
        accept_unproven: vec![],
    };
    Workspace::open(&options, &Meter::default()).unwrap()
}

fn count(workspace: &Workspace, from: u32, to: u32) -> u64 {
    let found = after(workspace, position(from), position(to), Memory::default(), &Meter::default()).unwrap();
    assert_eq!(found.total.documents, found.total.operations, "no document comes twice");
    found.total.operations
}

#[test]
fn every_entry_comes_once_whether_the_index_is_there_or_not() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("oplog.bson");
    let bytes: Vec<u8> = (0..ENTRIES).flat_map(|n| bson::serialize_to_vec(&entry(n)).unwrap()).collect();
    std::fs::write(&file, bytes).unwrap();
    for (number, (from, to)) in
        [(0, ENTRIES), (0, 8), (8, ENTRIES), (40_000, 80_010), (60_000, 60_001), (119_000, ENTRIES)]
            .into_iter()
            .enumerate()
    {
        let workspace = open(&file, &dir.path().join(format!("case{number}")));
        assert!(!workspace.index_so_far(&Meter::default()).unwrap().is_complete());
        assert_eq!(count(&workspace, from, to), operations(from, to), "{from} to {to}, being built");
        assert_eq!(count(&workspace, from, to), operations(from, to), "{from} to {to}, what there is");
        workspace.index(&Meter::default()).unwrap();
        assert_eq!(count(&workspace, from, to), operations(from, to), "{from} to {to}, finished");
    }
    let workspace = open(&file, &dir.path().join("stopped"));
    let stopped = Meter::default();
    stopped.cancel();
    let error = after(&workspace, position(0), position(ENTRIES), Memory::default(), &stopped).unwrap_err();
    assert_eq!(error.class, Class::Interrupted, "{error}");
    assert_eq!(count(&workspace, 0, ENTRIES), operations(0, ENTRIES));
}
