//! What these tests share: a set with something in it, its oplog, and a dump of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bson::{Document, RawDocumentBuf, doc};
use futures_util::TryStreamExt;
use mongodb::Client;
use pitstop::domain::progress::Meter;
use pitstop::domain::source::Source;
use pitstop::domain::{Position, Result};
use pitstop::ops::{OpenOptions, Workspace};

use crate::common::server::{Kind, Server, block_on, command_on};

pub struct Home {
    dir: tempfile::TempDir,
}

impl Home {
    pub fn new() -> Home {
        Home { dir: tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}

/// Opens sources in the case `home/case`.
pub fn open(home: &Home, sources: &[&str]) -> Result<Workspace> {
    let options = OpenOptions {
        sources: sources.iter().map(|s| s.parse::<Source>().unwrap()).collect(),
        case: Some(home.path("case")),
        accept_unproven: vec![],
    };
    Workspace::open(&options, &Meter::default())
}

/// Waits until this holds.
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(120), "not within two minutes: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Everything in the server's oplog, as bytes.
pub fn oplog_of(client: &Client) -> Vec<RawDocumentBuf> {
    let oplog = client.database("local").collection::<RawDocumentBuf>("oplog.rs");
    block_on(async { oplog.find(doc! {}).await.unwrap().try_collect().await.unwrap() })
}

/// Everything in the opened oplog, as bytes.
pub fn entries_of(workspace: &Workspace) -> Vec<Vec<u8>> {
    let all = workspace.oplog.entries(Position::MIN, Position::MAX);
    all.map(|e| e.unwrap().raw.bytes().to_vec()).collect()
}

pub fn position(entry: &RawDocumentBuf) -> Position {
    let ts = entry.get_timestamp("ts").unwrap();
    Position::new(ts.time, ts.increment)
}

pub fn newest(client: &Client) -> Position {
    position(oplog_of(client).last().unwrap())
}

pub fn insert(client: &Client, from: i32, to: i32, padding: usize) {
    let orders = client.database("shop").collection::<Document>("orders");
    let text = "x".repeat(padding);
    let docs: Vec<Document> = (from..to).map(|n| doc! { "_id": n, "total": n * 10, "text": &text }).collect();
    for chunk in docs.chunks(1000) {
        block_on(orders.insert_many(chunk).into_future()).unwrap();
    }
}

/// The orders, sorted, as bytes.
pub fn orders(client: &Client) -> Vec<Vec<u8>> {
    let orders = client.database("shop").collection::<RawDocumentBuf>("orders");
    let all: Vec<RawDocumentBuf> = block_on(async {
        orders.find(doc! {}).sort(doc! { "_id": 1 }).await.unwrap().try_collect().await.unwrap()
    });
    all.into_iter().map(|d| d.as_bytes().to_vec()).collect()
}

/// A dump of `shop.orders` with the newest entry as its own oplog: nobody writes meanwhile.
pub fn dump(client: &Client, dir: &Path) {
    let listed = command_on(client, "shop", doc! { "listCollections": 1, "filter": { "name": "orders" } });
    let first =
        listed.get_document("cursor").unwrap().get_array("firstBatch").unwrap()[0].as_document().unwrap();
    let uuid = match first.get_document("info").unwrap().get("uuid").unwrap() {
        bson::Bson::Binary(b) => crate::common::dump::hex(&b.bytes),
        other => panic!("{other:?}"),
    };
    let metadata = serde_json::json!({
        "options": {}, "uuid": uuid, "collectionName": "orders", "type": "collection",
        "indexes": [{ "v": { "$numberInt": "2" }, "key": { "_id": { "$numberInt": "1" } }, "name": "_id_" }],
    });
    fs::create_dir_all(dir.join("shop")).unwrap();
    fs::write(dir.join("shop/orders.metadata.json"), metadata.to_string()).unwrap();
    fs::write(dir.join("shop/orders.bson"), orders(client).concat()).unwrap();
    fs::write(dir.join("oplog.bson"), oplog_of(client).last().unwrap().as_bytes()).unwrap();
}

/// A set with 100 orders.
pub fn shop(more: &[&str]) -> (Server, Client) {
    let server = Server::start(Kind::ReplicaSet, more);
    let client = server.client();
    insert(&client, 0, 100, 10);
    (server, client)
}

/// Documents that stand back to back.
pub fn split(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut out = Vec::new();
    while bytes.len() > 4 {
        let length = i32::from_le_bytes(bytes[..4].try_into().unwrap()) as usize;
        out.push(bytes[..length].to_vec());
        bytes = &bytes[length..];
    }
    out
}
