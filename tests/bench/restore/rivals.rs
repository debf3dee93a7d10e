//! How others reach the same state: the dump is loaded and the log replayed one operation per
//! `applyOps`, as the vendor's tools do; the same in batches; and the server's own recovery over
//! a copy of the node's files.

use std::path::Path;
use std::time::Instant;

use bson::{RawArrayBuf, RawDocumentBuf, doc, rawdoc};
use mongodb::Collection;

use crate::common::server::block_on;
use crate::data::{Data, documents};
use crate::node::{Node, copy};

/// What a rival needed, and its result.
pub struct Run {
    pub name: &'static str,
    pub seconds: f64,
    pub detail: String,
    pub hash: String,
}

/// Loads the dump into an empty standalone, with indexes; then replays `batch` entries at a time.
pub fn replay(name: &'static str, data: &Data, work: &Path, batch: usize) -> Run {
    let node = Node::start(&work.join("replay"), &[]);
    let oplog: Vec<RawDocumentBuf> = data.oplog().iter().filter_map(replayable).collect();
    let begun = Instant::now();
    let bytes = std::fs::read(data.dump().join("shop/orders.bson")).unwrap();
    let orders: Vec<RawDocumentBuf> = documents(&bytes).collect();
    let collection: Collection<RawDocumentBuf> = node.client().database("shop").collection("orders");
    for part in orders.chunks(1000) {
        block_on(collection.insert_many(part).into_future()).unwrap();
    }
    node.run(
        "shop",
        doc! { "createIndexes": "orders", "indexes": [
            { "key": { "customer": 1, "created": -1 }, "name": "customer_1_created_-1" },
            { "key": { "status": 1 }, "name": "status_1" },
        ] },
    );
    let loaded = begun.elapsed().as_secs_f64();
    let admin = node.client().database("admin");
    block_on(async {
        for part in oplog.chunks(batch) {
            let mut ops = RawArrayBuf::new();
            part.iter().for_each(|op| ops.push(op.clone()));
            admin.run_raw_command(rawdoc! { "applyOps": ops }).await.unwrap();
        }
    });
    let seconds = begun.elapsed().as_secs_f64();
    let hash = node.hash();
    drop(node);
    std::fs::remove_dir_all(work.join("replay")).unwrap();
    let detail = format!("dump loaded and indexed in {loaded:.1} s, {} operations replayed", oplog.len());
    Run { name, seconds, detail, hash }
}

/// An entry as mongorestore sends it: without its place and the collection's identity.
fn replayable(entry: &RawDocumentBuf) -> Option<RawDocumentBuf> {
    if entry.get_str("op").unwrap() == "n" {
        return None;
    }
    let mut op = RawDocumentBuf::new();
    for field in entry.iter() {
        let (name, value) = field.unwrap();
        if ["op", "ns", "o", "o2"].contains(&name.as_str()) {
            op.append(name, value);
        }
    }
    Some(op)
}

/// The entries go into the oplog of the node's files; a standalone then recovers from it.
pub fn recovery(data: &Data, work: &Path) -> Run {
    let dir = work.join("recovery");
    copy(&data.node(), &dir);
    let oplog = data.oplog();
    let begun = Instant::now();
    let node = Node::start(&dir, &[]);
    let collection: Collection<RawDocumentBuf> = node.client().database("local").collection("oplog.rs");
    for part in oplog.chunks(5000) {
        block_on(collection.insert_many(part).into_future()).unwrap();
    }
    node.shut_down();
    let inserted = begun.elapsed().as_secs_f64();
    let parameters = [
        "--setParameter",
        "recoverFromOplogAsStandalone=true",
        "--setParameter",
        "takeUnstableCheckpointOnShutdown=true",
    ];
    let node = Node::start(&dir, &parameters);
    let seconds = begun.elapsed().as_secs_f64();
    let hash = node.hash();
    drop(node);
    std::fs::remove_dir_all(&dir).unwrap();
    let detail = format!("files copied before; entries written to its oplog in {inserted:.1} s");
    Run { name: "the server's own recovery", seconds, detail, hash }
}
