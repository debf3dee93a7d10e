//! The tests' own tools: without these checks, a comparison that always says "same" would pass.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::path::Path;

use bson::{Bson, Document, doc};
use common::server::{Server, block_on, cursor_on};
use common::truth::{Checkpoint, Truth, compare_dump, compare_server};
use common::{dump, fixtures};

#[test]
fn every_fixture_unpacks_and_its_truth_parses() {
    for name in fixtures::ALL {
        let truth = Truth::read(&fixtures::fixture(name));
        assert_eq!(truth.checkpoints.len(), 23, "{name}");
        assert!(truth.checkpoints.windows(2).all(|w| w[0].ts <= w[1].ts), "{name}");
        assert_eq!(truth.points.len(), 12, "{name}");
        assert_eq!(truth.slices.len(), 5, "{name}");
        assert!(truth.slices.windows(2).all(|w| w[0].through == w[1].from), "{name}");
        let delete = &truth.incidents["bulk delete"];
        assert!(delete.before < delete.first && delete.first < delete.last, "{name}");
        assert!(truth.points.iter().all(|p| delete.first <= p.ts && p.ts <= delete.last), "{name}");
        assert!(truth.checkpoints[0].dbs["shop"]["orders"].content.as_ref().unwrap().count > 0);
    }
}

/// `zoo.ids` holds every kind of `_id` and is the same in the dump and at some checkpoint.
#[test]
fn the_offline_hash_is_the_servers() {
    for name in fixtures::ALL {
        let dir = fixtures::fixture(name);
        let truth = Truth::read(&dir);
        for kind in ["dump-dir", "dump-gz"] {
            let dumped = dump::observe(&dir.join(kind));
            let ids = |state: &Checkpoint| state.dbs["zoo"]["ids"].content.clone().unwrap();
            assert!(truth.checkpoints.iter().any(|c| ids(c) == ids(&dumped)), "{name} {kind}");
        }
    }
}

/// One document of every kind of `_id`, and the shapes that dumps describe in metadata.
fn fill(server: &Server) {
    let client = server.client();
    let db = client.database("shop");
    let ids = vec![
        Bson::Int32(7),
        Bson::Int64(7_000_000_000),
        Bson::Double(-1.5),
        Bson::Double(f64::NAN),
        Bson::Decimal128("9.99".parse().unwrap()),
        Bson::String("é".into()),
        Bson::String("e".into()),
        Bson::Boolean(true),
        Bson::Null,
        Bson::MinKey,
        Bson::MaxKey,
        Bson::Document(doc! { "a": 1, "b": "x" }),
        Bson::Document(doc! { "a": 1 }),
        Bson::Document(doc! { "a": "1" }),
        Bson::ObjectId("6b0121b4036f2de18d5dea36".parse().unwrap()),
        Bson::DateTime(bson::DateTime::from_millis(-5)),
        Bson::Timestamp(bson::Timestamp { time: 9, increment: 9 }),
        Bson::Binary(bson::Binary { subtype: 0.into(), bytes: vec![1, 2] }),
        Bson::Binary(bson::Binary { subtype: 4.into(), bytes: vec![9; 16] }),
    ];
    let documents: Vec<Document> = ids.into_iter().rev().map(|id| doc! { "_id": id, "n": 1 }).collect();
    block_on(db.collection::<Document>("ids").insert_many(documents).into_future()).unwrap();
    let key = doc! { "b": 1, "a": -1 };
    server.run("shop", doc! { "createIndexes": "ids", "indexes": [{ "key": key, "name": "b_a" }] });
    server.run("shop", doc! { "create": "log", "capped": true, "size": 4096 });
    let pipeline = vec![doc! { "$sort": { "b": 1, "a": 1 } }];
    server.run("shop", doc! { "create": "seen", "viewOn": "ids", "pipeline": pipeline });
    server.run("shop", doc! { "create": "heat", "timeseries": { "timeField": "t" } });
    let heat = doc! { "t": bson::DateTime::from_millis(1), "c": 20 };
    block_on(db.collection::<Document>("heat").insert_one(heat).into_future()).unwrap();
}

/// Writes the server's state as a dump directory.
fn write_dump(server: &Server, dir: &Path) {
    let client = server.client();
    let dir = dir.join("shop");
    std::fs::create_dir_all(&dir).unwrap();
    for listed in cursor_on(&client, "shop", doc! { "listCollections": 1 }) {
        let (name, kind) = (listed.get_str("name").unwrap(), listed.get_str("type").unwrap());
        if kind == "collection" && name != "system.views" {
            let documents = cursor_on(&client, "shop", doc! { "find": name });
            let bytes: Vec<u8> = documents.iter().flat_map(|d| bson::serialize_to_vec(d).unwrap()).collect();
            std::fs::write(dir.join(format!("{name}.bson")), bytes).unwrap();
        }
        if !name.starts_with("system.") {
            let indexes = if kind == "view" {
                vec![]
            } else {
                cursor_on(&client, "shop", doc! { "listIndexes": name })
            };
            let text = dump::metadata(name, kind, listed.get_document("options").unwrap(), &indexes, None);
            std::fs::write(dir.join(format!("{name}.metadata.json")), text).unwrap();
        }
    }
}

#[test]
fn both_comparisons_say_same_and_report_every_planted_difference() {
    let server = Server::standalone();
    fill(&server);
    let truth = Checkpoint::observe(server.uri());
    assert_eq!(truth.dbs["shop"]["ids"].content.as_ref().unwrap().count, 19);
    let dir = tempfile::tempdir().unwrap();
    write_dump(&server, dir.path());
    assert_eq!(compare_server(server.uri(), &truth), [""; 0]);
    assert_eq!(compare_dump(dir.path(), &truth), [""; 0]);

    let planted: [(&str, Document); 8] = [
        (
            "shop.ids: content",
            doc! { "update": "ids", "updates": [{ "q": { "_id": 7 }, "u": { "$set": { "n": 1.0 } } }] },
        ),
        ("shop.ids: index \"b_a\"", doc! { "dropIndexes": "ids", "index": "b_a" }),
        (
            "shop.ids: index \"c\"",
            doc! { "createIndexes": "ids", "indexes": [{ "key": { "c": 1 }, "name": "c" }] },
        ),
        ("shop.ids: options", doc! { "collMod": "ids", "validator": { "n": 1 } }),
        ("shop.new: should not exist", doc! { "create": "new" }),
        ("shop.log: missing", doc! { "drop": "log" }),
        (
            "shop.seen: options",
            doc! { "collMod": "seen", "viewOn": "ids", "pipeline": [{ "$sort": { "a": 1, "b": 1 } }] },
        ),
        (
            "shop.system.buckets.heat: content",
            doc! { "insert": "heat", "documents": [{ "t": bson::DateTime::from_millis(2) }] },
        ),
    ];
    for (count, (expected, change)) in planted.into_iter().enumerate() {
        server.run("shop", change);
        let dir = tempfile::tempdir().unwrap();
        write_dump(&server, dir.path());
        for found in [compare_server(server.uri(), &truth), compare_dump(dir.path(), &truth)] {
            assert!(found.iter().any(|d| d.starts_with(expected)), "{expected} is not in {found:#?}");
            assert!(found.len() > count, "an earlier difference is gone: {found:#?}");
        }
    }
}

#[test]
fn an_index_with_its_key_fields_swapped_is_another_index() {
    let index = |key: Document| {
        let collection = common::truth::Collection {
            indexes: vec![doc! { "name": "i", "key": key, "v": 2 }],
            ..Default::default()
        };
        Checkpoint {
            label: String::new(),
            ts: Default::default(),
            dbs: [("d".into(), [("c".into(), collection)].into())].into(),
        }
    };
    let want = index(doc! { "a": 1, "b": 1 });
    assert_eq!(want.differences(&index(doc! { "a": 1.0, "b": 1_i64 })), [""; 0]);
    assert_eq!(want.differences(&index(doc! { "b": 1, "a": 1 })).len(), 1);
}

#[test]
fn a_replica_set_writes_an_oplog_and_goes_when_dropped() {
    let server = Server::replica_set();
    server.run("shop", doc! { "insert": "orders", "documents": [{ "_id": 1 }] });
    let find = doc! { "find": "oplog.rs", "filter": { "ns": "shop.orders", "op": "i" } };
    assert_eq!(cursor_on(&server.client(), "local", find).len(), 1);
    let enabled = server.run("admin", doc! { "getParameter": 1, "enableTestCommands": 1 });
    assert!(enabled.get_bool("enableTestCommands").unwrap());
    server.wipe();
    assert_eq!(Checkpoint::observe(server.uri()).dbs.len(), 0);
    let (port, dbpath) = (server.port(), server.dbpath());
    drop(server);
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err());
    assert!(!dbpath.exists());
}
