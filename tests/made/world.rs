//! A snapshot of one collection, and an oplog to write.

use std::collections::BTreeSet;

use bson::spec::BinarySubtype;
use bson::{Bson, Document, doc};
use pitstop::domain::progress::Meter;
use pitstop::domain::{Namespace, Result};
use pitstop::engine::fold::Walked;
use pitstop::engine::output::State;
use pitstop::ops::memory::Memory;
use pitstop::ops::walk::{WalkOptions, walk};
use pitstop::ops::{OpenOptions, Workspace};

use crate::kit::{Folder, SECOND, bytes, metadata, pos};

/// The collection `shop.orders` with the documents `{_id: 1, n: 1}` to `{_id: 3, n: 3}`.
pub const NS: &str = "shop.orders";
/// The snapshot's own oplog is the one entry at increment 1.
const EDGE: u32 = 1;

pub fn uuid(byte: u8) -> Bson {
    bson::Binary { subtype: BinarySubtype::Uuid, bytes: vec![byte; 16] }.into()
}

/// An entry of the oplog: kind, namespace, operation, and fields that replace or join the others.
pub fn entry(inc: u32, op: &str, ns: &str, o: Document, more: Document) -> Document {
    let mut entry = doc! { "op": op, "ns": ns, "ui": uuid(7), "o": o };
    entry.extend(doc! { "ts": stamp(inc), "t": 1i64, "v": 2i64, "wall": bson::DateTime::from_millis(0) });
    entry.extend(more);
    entry
}

pub fn stamp(inc: u32) -> bson::Timestamp {
    bson::Timestamp { time: SECOND, increment: inc }
}

/// `prevOpTime` of the entry at an increment; 0 is the beginning of a chain.
pub fn previous(inc: u32) -> Document {
    match inc {
        0 => doc! { "ts": bson::Timestamp { time: 0, increment: 0 }, "t": -1i64 },
        inc => doc! { "ts": stamp(inc), "t": 1i64 },
    }
}

/// An operation inside a group.
pub fn inner(op: &str, o: Document) -> Document {
    doc! { "op": op, "ns": NS, "ui": uuid(7), "o": o }
}

/// Fields of a session's entry.
pub fn session(previous_inc: u32) -> Document {
    let id = bson::Binary { subtype: BinarySubtype::Uuid, bytes: vec![9; 16] };
    doc! { "lsid": { "id": id }, "txnNumber": 4i64, "prevOpTime": previous(previous_inc) }
}

/// What came out.
#[derive(Debug)]
pub struct Came {
    /// The documents of every collection, by namespace.
    pub documents: Vec<(String, Vec<Document>)>,
    /// Collections in which the order of documents counts.
    pub ordered: Vec<String>,
    pub walked: Walked,
}

impl Came {
    /// The `_id`s of `shop.orders`.
    pub fn ids(&self) -> Vec<i32> {
        let mut ids: Vec<i32> = self.of(NS).iter().map(|d| d.get_i32("_id").unwrap()).collect();
        ids.sort_unstable();
        ids
    }

    pub fn of(&self, ns: &str) -> &[Document] {
        &self.documents.iter().find(|(name, _)| name == ns).unwrap_or_else(|| panic!("no {ns}")).1
    }
}

/// The state before the entry at increment `bound`.
pub fn before(bound: u32, entries: &[Document]) -> Result<Came> {
    skipping(&[], bound, entries)
}

/// The state with everything in it.
pub fn whole(entries: &[Document]) -> Result<Came> {
    before(u32::MAX, entries)
}

/// The snapshot and these entries, opened; it is there as long as what it lies in.
pub fn open(entries: &[Document]) -> Result<((Folder, tempfile::TempDir), Workspace)> {
    let folder = Folder::new();
    let first = entry(EDGE, "n", "", doc! { "msg": "the window" }, doc! {});
    let base: Vec<u8> = (1..=3).flat_map(|n| bytes(&doc! { "_id": n, "n": n })).collect();
    folder.write("dump/shop/orders.bson", base);
    folder.write("dump/shop/orders.metadata.json", metadata("orders", 7));
    folder.write("dump/oplog.bson", bytes(&first));
    let later: Vec<u8> = std::iter::once(&first).chain(entries).flat_map(bytes).collect();
    folder.write("oplog.rs.bson", later);
    let case = tempfile::tempdir().unwrap();
    let options = OpenOptions {
        sources: vec![folder.at("dump").into(), folder.at("oplog.rs.bson").into()],
        case: Some(case.path().to_owned()),
        accept_unproven: vec![],
    };
    let workspace = Workspace::open(&options, &Meter::default())?;
    Ok(((folder, case), workspace))
}

/// The same, with some entries passed over.
pub fn skipping(skip: &[u32], bound: u32, entries: &[Document]) -> Result<Came> {
    let (_place, workspace) = open(entries)?;
    let skip: BTreeSet<_> = skip.iter().map(|&inc| pos(inc)).collect();
    let options = WalkOptions { skip, ..WalkOptions::default() };
    let held = come(&workspace, bound, &options);
    // The same with no memory at all: every operation is spilled for itself.
    let options = WalkOptions { memory: Memory::new(0).spilling(), ..options };
    match (&held, come(&workspace, bound, &options)) {
        (Ok(held), Ok(mut spilled)) => {
            // Only in capped collections the order of documents counts.
            let by_id = |d: &Document| d.get("_id").map(ToString::to_string);
            for (ns, documents) in &mut spilled.documents {
                let order: Vec<_> = held.of(ns).iter().map(by_id).collect();
                if !held.ordered.contains(ns) {
                    documents.sort_by_key(|d| order.iter().position(|id| *id == by_id(d)));
                }
            }
            assert_eq!(spilled.documents, held.documents);
            assert_eq!(spilled.walked, held.walked);
        }
        (Err(held), Err(spilled)) => assert_eq!((spilled.class, &spilled.cause), (held.class, &held.cause)),
        (held, spilled) => panic!("in memory {held:?}, spilled {spilled:?}"),
    }
    held
}

fn come(workspace: &Workspace, bound: u32, options: &WalkOptions) -> Result<Came> {
    let walk = walk(workspace, &workspace.snapshots[0], pos(bound), options, &Meter::default())?;
    let mut documents = Vec::new();
    let mut ordered = Vec::new();
    for (at, spec) in walk.state.collections().iter().enumerate() {
        let mut all = Vec::new();
        for chunk in 0..walk.state.chunks(at) {
            walk.state.emit(at, chunk, &mut |d| {
                all.push(bson::deserialize_from_slice(d).unwrap());
                Ok(())
            })?;
        }
        walk.state.finish(at)?;
        ordered.extend(spec.ordered.then(|| spec.ns.to_string()));
        documents.push((Namespace::to_string(&spec.ns), all));
    }
    Ok(Came { documents, ordered, walked: walk.walked })
}
