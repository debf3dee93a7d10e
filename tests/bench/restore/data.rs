//! The data set: 200,000 orders with two secondary indexes, then 563,000 operations on them, all
//! through a real one-node replica set. Made once and kept: a dump, slices, the node's own files.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use bson::{DateTime, Document, RawDocumentBuf, Timestamp, doc};
use futures_util::TryStreamExt;
use pitstop::domain::Position;

use crate::common::server::block_on;
use crate::common::{once, target_dir};
use crate::node::{Node, copy};

const ORDERS: i32 = 200_000;
const ROUNDS: usize = 563;
/// Entries in a slice; consecutive ones share one.
const SLICE: usize = 150_000;

/// Where everything is, and what the recorded server said about its last state.
pub struct Data {
    pub dir: PathBuf,
    pub last: Position,
    pub entries: usize,
    pub hash: String,
}

impl Data {
    pub fn dump(&self) -> PathBuf {
        self.dir.join("dump")
    }

    pub fn slices(&self) -> PathBuf {
        self.dir.join("slices")
    }

    /// The node's files as they were when the dump was taken.
    pub fn node(&self) -> PathBuf {
        self.dir.join("node")
    }

    /// All entries after the snapshot.
    pub fn oplog(&self) -> Vec<RawDocumentBuf> {
        let mut names: Vec<_> =
            std::fs::read_dir(self.slices()).unwrap().map(|e| e.unwrap().path()).collect();
        names.sort();
        let mut entries = Vec::with_capacity(self.entries);
        for name in names {
            let bytes = std::fs::read(name).unwrap();
            // The first entry is the last of what came before.
            entries.extend(documents(&bytes).skip(1));
        }
        entries
    }
}

/// Documents back to back.
pub fn documents(mut bytes: &[u8]) -> impl Iterator<Item = RawDocumentBuf> {
    std::iter::from_fn(move || {
        let length = i32::from_le_bytes(bytes.get(..4)?.try_into().unwrap()) as usize;
        let (one, rest) = bytes.split_at(length);
        bytes = rest;
        Some(RawDocumentBuf::from_bytes(one.to_vec()).unwrap())
    })
}

/// Makes the data set, or finds it.
pub fn data() -> Data {
    let dir = target_dir().join("bench-restore");
    let ready = dir.join("1");
    once(&ready, || {
        let work = dir.join("making");
        let _ = std::fs::remove_dir_all(&work);
        make(&work);
        std::fs::rename(&work, &ready).unwrap();
    });
    let meta: serde_json::Value =
        serde_json::from_slice(&std::fs::read(ready.join("meta.json")).unwrap()).unwrap();
    Data {
        last: meta["last"].as_str().unwrap().parse().unwrap(),
        entries: meta["entries"].as_u64().unwrap() as usize,
        hash: meta["hash"].as_str().unwrap().to_owned(),
        dir: ready,
    }
}

const SET: [&str; 4] = ["--replSet", "bench", "--oplogSize", "2000"];

fn make(dir: &Path) {
    eprintln!("making the data set (once) …");
    let (live, dump) = (dir.join("live"), dir.join("dump"));
    std::fs::create_dir_all(dump.join("shop")).unwrap();
    let node = Node::start(&live, &SET);
    node.initiate();
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    for first in (0..ORDERS).step_by(2000) {
        let orders: Vec<Document> = (first..first + 2000).map(|id| order(id, &mut random)).collect();
        node.run("shop", doc! { "insert": "orders", "documents": orders });
    }
    node.run(
        "shop",
        doc! { "createIndexes": "orders", "indexes": [
            { "key": { "customer": 1, "created": -1 }, "name": "customer_1_created_-1" },
            { "key": { "status": 1 }, "name": "status_1" },
        ] },
    );
    // The files are copied at rest: the snapshot of the one who has no dump.
    let port = node.port();
    node.shut_down();
    copy(&live, &dir.join("node"));

    let node = Node::start_at(port, &live, &SET);
    node.initiate();
    let edge = newest(&node);
    write(&dump.join("shop/orders.bson"), &node, "shop", doc! { "find": "orders" });
    write(&dump.join("oplog.bson"), &node, "local", doc! { "find": "oplog.rs", "filter": { "ts": edge } });
    let listed = node.run("shop", doc! { "listCollections": 1 });
    let uuid = listed.get_document("cursor").unwrap().get_array("firstBatch").unwrap()[0].as_document();
    let uuid = uuid.unwrap().get_document("info").unwrap().get("uuid").unwrap();
    let bson::Bson::Binary(uuid) = uuid else { panic!("{uuid} is no uuid") };
    let indexes = node.run("shop", doc! { "listIndexes": "orders" });
    let indexes = indexes.get_document("cursor").unwrap().get_array("firstBatch").unwrap().clone();
    let indexes: Vec<Document> = indexes.into_iter().map(|i| i.as_document().unwrap().clone()).collect();
    let metadata = crate::common::dump::metadata(
        "orders",
        "collection",
        &doc! {},
        &indexes,
        Some(uuid.to_uuid().unwrap()),
    );
    std::fs::write(dump.join("shop/orders.metadata.json"), metadata).unwrap();
    let prelude = serde_json::json!({ "ServerVersion": "6.0.5", "ToolVersion": "bench" });
    std::fs::write(dump.join("prelude.json"), prelude.to_string()).unwrap();

    work(&node, &mut random);
    let (entries, last) = slices(&dir.join("slices"), &node, edge);
    let meta = serde_json::json!({
        "last": format!("{}:{}", last.time, last.increment), "entries": entries, "hash": node.hash(),
    });
    std::fs::write(dir.join("meta.json"), meta.to_string()).unwrap();
    drop(node);
    std::fs::remove_dir_all(&live).unwrap();
}

/// 70 % updates, 10 % pushes, 15 % inserts, 5 % deletes.
fn work(node: &Node, random: &mut Random) {
    let mut living: Vec<i32> = (0..ORDERS).collect();
    let mut next = ORDERS;
    for _ in 0..ROUNDS {
        let updates: Vec<Document> = (0..800)
            .map(|n| {
                let id = living[random.below(living.len())];
                let change = if n % 8 == 7 {
                    doc! { "$push": { "items": item(random) } }
                } else {
                    doc! {
                        "$set": {
                            "status": STATUS[random.below(STATUS.len())],
                            "address.zip": random.below(100_000) as i32,
                            "updated": DateTime::from_millis(1_700_000_000_000 + random.below(1 << 30) as i64),
                        },
                        "$inc": { "revision": 1 },
                    }
                };
                doc! { "q": { "_id": id }, "u": change }
            })
            .collect();
        node.run("shop", doc! { "update": "orders", "updates": updates });
        let orders: Vec<Document> = (next..next + 150).map(|id| order(id, random)).collect();
        node.run("shop", doc! { "insert": "orders", "documents": orders });
        living.extend(next..next + 150);
        next += 150;
        let gone: Vec<Document> = (0..50)
            .map(|_| {
                let id = living.swap_remove(random.below(living.len()));
                doc! { "q": { "_id": id }, "limit": 1 }
            })
            .collect();
        node.run("shop", doc! { "delete": "orders", "deletes": gone });
    }
}

const STATUS: [&str; 5] = ["new", "paid", "packed", "shipped", "returned"];

fn order(id: i32, random: &mut Random) -> Document {
    doc! {
        "_id": id,
        "customer": random.below(20_000) as i32,
        "status": STATUS[random.below(STATUS.len())],
        "created": DateTime::from_millis(1_690_000_000_000 + i64::from(id) * 1000),
        "total": random.below(100_000) as f64 / 100.0,
        "items": [item(random), item(random), item(random)],
        "address": { "street": format!("{} Harbour Road", random.below(999)), "city": "Rotterdam", "zip": 30_000 },
        "revision": 0,
    }
}

fn item(random: &mut Random) -> Document {
    doc! {
        "sku": format!("SKU-{:06}", random.below(1_000_000)),
        "qty": random.below(9) as i32 + 1,
        "price": random.below(10_000) as f64 / 100.0,
    }
}

fn newest(node: &Node) -> Timestamp {
    let find = doc! { "find": "oplog.rs", "sort": { "$natural": -1 }, "limit": 1 };
    let found = node.run("local", find);
    let first = &found.get_document("cursor").unwrap().get_array("firstBatch").unwrap()[0];
    first.as_document().unwrap().get_timestamp("ts").unwrap()
}

fn write(path: &Path, node: &Node, db: &str, find: Document) {
    let mut out = BufWriter::new(File::create(path).unwrap());
    each(node, db, find, |bytes| out.write_all(bytes).unwrap());
    out.flush().unwrap();
}

fn slices(dir: &Path, node: &Node, edge: Timestamp) -> (usize, Timestamp) {
    std::fs::create_dir_all(dir).unwrap();
    let last = newest(node);
    let open = |n: usize| BufWriter::new(File::create(dir.join(format!("{n:03}.bson"))).unwrap());
    let (mut out, mut count, mut files) = (open(0), 0, 1);
    let find = doc! { "find": "oplog.rs", "filter": { "ts": { "$gte": edge, "$lte": last } } };
    each(node, "local", find, |bytes| {
        out.write_all(bytes).unwrap();
        count += 1;
        if count % SLICE == 0 {
            out.flush().unwrap();
            out = open(files);
            files += 1;
            out.write_all(bytes).unwrap();
        }
    });
    out.flush().unwrap();
    // Without the one that the dump has too.
    (count - 1, last)
}

fn each(node: &Node, db: &str, find: Document, mut take: impl FnMut(&[u8])) {
    block_on(async {
        let database = node.client().database(db);
        let cursor = database.run_raw_cursor_command(RawDocumentBuf::try_from(&find).unwrap()).await.unwrap();
        let mut cursor = cursor.with_type::<RawDocumentBuf>();
        while let Some(document) = cursor.try_next().await.unwrap() {
            take(document.as_bytes());
        }
    });
}

/// Marsaglia's xorshift: the same data set every time.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }
}
