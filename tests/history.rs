//! The history of a document against the server that wrote it: a find after every write, and the
//! history must give exactly those bytes at those positions.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;
#[allow(dead_code)]
mod demo;

use std::path::Path;

use bson::{Bson, Document, RawDocumentBuf, doc};
use common::cli::Machine;
use common::record::{Dump, last_entry, slice};
use common::server::{Server, block_on, command_on};
use demo::Dice;
use mongodb::Client;
use pitstop::domain::query::IdPattern;
use pitstop::domain::{Namespace, Position, progress::Meter};
use pitstop::ops::history::{Change, History, HistoryRequest, history};
use pitstop::ops::{OpenOptions, Workspace};

/// Writes to one document, at random, and remembers what the server says after each write.
struct Writer {
    client: Client,
    dice: Dice,
    coll: String,
    id: Bson,
    truth: Vec<(Position, Option<Vec<u8>>)>,
}

impl Writer {
    fn now(&self) -> Option<Vec<u8>> {
        let coll = self.client.database("shop").collection::<RawDocumentBuf>(&self.coll);
        let found = block_on(coll.find_one(doc! { "_id": &self.id }).into_future()).unwrap();
        found.map(|d| d.as_bytes().to_vec())
    }

    fn note(&mut self) {
        let pos = last_entry(&self.client);
        if self.truth.last().is_none_or(|(last, _)| *last < pos) {
            self.truth.push((pos, self.now()));
        }
    }

    fn value(&mut self) -> Bson {
        match self.dice.below(6) {
            0 => Bson::Int32(self.dice.below(5) as i32),
            1 => Bson::Double(self.dice.below(5) as f64),
            2 => Bson::Int64(self.dice.below(5) as i64),
            3 => Bson::String("x".repeat(self.dice.below(9) as usize)),
            4 => bson::bson!([1, { "a": 2 }, self.dice.below(3) as i32]),
            _ => doc! { "a": self.dice.below(3) as i32, "b": { "c": true } }.into(),
        }
    }

    fn path(&mut self) -> String {
        let paths = ["a", "b", "c", "d.a", "d.b", "e.0", "f", "a.x", "g"];
        (*self.dice.pick(&paths)).to_owned()
    }

    fn update(&mut self) -> Bson {
        let path = self.path();
        let value = self.value();
        match self.dice.below(8) {
            0 => doc! { "$unset": { path: 1 } }.into(),
            1 => doc! { "$push": { "list": { "$each": [value], "$position": 0 } } }.into(),
            2 => doc! { "$pop": { "list": 1 } }.into(),
            3 => {
                bson::bson!([{ "$set": { "g": { "$concat": ["y", { "$toString": "$_id" }] }, "z": value } }])
            }
            4 => doc! { "$rename": { "a": "f" } }.into(),
            5 => doc! { "new": value, "list": [1] }.into(),
            _ => doc! { "$set": { path: value } }.into(),
        }
    }

    /// One write of the document, which the server may refuse.
    fn write(&mut self) {
        let db = self.client.database("shop");
        let there = self.now().is_some();
        let coll = self.coll.clone();
        let update = self.update();
        let id = self.id.clone();
        let command = match self.dice.below(12) {
            0 if there => doc! { "delete": coll, "deletes": [{ "q": { "_id": id }, "limit": 1 }] },
            1 if there => {
                return self.transaction(update);
            }
            _ if there => doc! { "update": coll, "updates": [{ "q": { "_id": id }, "u": update }] },
            _ => doc! { "insert": coll, "documents": [{ "_id": id, "d": { "a": 1 }, "e": [1, 2] }] },
        };
        let _ = block_on(db.run_command(command).into_future()).unwrap();
        self.note();
    }

    /// Two updates of it and a write of another document, in one transaction.
    fn transaction(&mut self, update: Bson) {
        let db = self.client.database("shop");
        let done = block_on(async {
            let mut session = self.client.start_session().await.unwrap();
            session.start_transaction().await.unwrap();
            let updates = |u: Bson| {
                doc! { "update": &self.coll, "updates": [{ "q": { "_id": &self.id }, "u": u }] }
            };
            let first = updates(doc! { "$set": { "t": self.dice.0 as i64 } }.into());
            for command in [first, doc! { "insert": &self.coll, "documents": [{}] }, updates(update)] {
                let reply = db.run_command(command).session(&mut session).await;
                if !reply.is_ok_and(|r| r.get("writeErrors").is_none()) {
                    let _ = session.abort_transaction().await;
                    return false;
                }
            }
            session.commit_transaction().await.is_ok()
        });
        if done {
            self.note();
        }
    }
}

fn look(root: &Path, case: &Path, ns: &str, id: &str) -> History {
    let options = OpenOptions {
        sources: vec![root.join("dump").into(), root.join("oplog").into()],
        case: Some(case.to_owned()),
        ..OpenOptions::default()
    };
    let workspace = Workspace::open(&options, &Meter::default()).unwrap();
    let request =
        HistoryRequest { ns: Namespace::parse(ns), id: IdPattern::parse(id).unwrap(), snapshot: None };
    history(&workspace, &request, &Meter::default()).unwrap()
}

#[test]
fn every_version_is_what_the_server_held() {
    let server = Server::replica_set();
    let seed = std::env::var("PITSTOP_SEED").map_or_else(
        |_| std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64,
        |s| s.parse().unwrap(),
    );
    println!("PITSTOP_SEED={seed}");
    let place = tempfile::tempdir().unwrap();
    let (dump, case) = (place.path().join("dump"), place.path().join("case"));
    let mut writer = Writer {
        client: server.client(),
        dice: Dice(seed),
        coll: "orders".into(),
        id: Bson::Int32(42),
        truth: Vec::new(),
    };
    for _ in 0..10 {
        writer.write();
    }
    // Other documents, and one with the same number as text.
    server.run("shop", doc! { "insert": "orders", "documents": [{ "_id": "42" }, { "_id": 43 }] });
    // What was written before is the snapshot's; an update that changes nothing is no entry, so
    // the first write after this may leave the newest entry as it is.
    let start = last_entry(&writer.client);
    let begun = Dump::begin(&server);
    (0..8).for_each(|_| writer.write());
    begun.read(&dump);
    (0..8).for_each(|_| writer.write());
    let edge = begun.end(&dump);
    (0..40).for_each(|_| writer.write());
    // Renamed while it is there, and written under the other name.
    while writer.now().is_none() {
        writer.write();
    }
    let rename = doc! { "renameCollection": "shop.orders", "to": "shop.archive" };
    command_on(&writer.client, "admin", rename);
    writer.coll = "archive".into();
    writer.note();
    (0..20).for_each(|_| writer.write());
    while writer.now().is_none() {
        writer.write();
    }
    server.run("shop", doc! { "drop": "archive" });
    writer.note();
    // Another collection of the old name.
    writer.coll = "orders".into();
    (0..10).for_each(|_| writer.write());
    let from = Position::new(1, 0);
    slice(&writer.client, from, &place.path().join("oplog/all.bson"));

    writer.truth.retain(|(pos, _)| *pos > start);
    let found = look(place.path(), &case, "shop.orders", "42");
    let mut versions = found.versions.iter().peekable();
    versions.next_if(|v| matches!(v.change, Change::Read { .. }));
    // Of a transaction the last version counts: the others were never to be seen.
    let mut got: Vec<_> = Vec::new();
    for version in versions {
        if got.last().is_some_and(|v: &&pitstop::ops::history::Version| v.pos == version.pos) {
            got.pop();
        }
        got.push(version);
    }
    assert_eq!(got.len(), writer.truth.len(), "versions and writes");
    let (mut exact, mut unsure) = (0, 0);
    for (version, (pos, want)) in got.iter().zip(&writer.truth) {
        assert_eq!(version.pos, *pos);
        if version.pos > edge {
            assert!(version.exact, "{pos}");
        }
        if version.exact {
            exact += 1;
            let show = |b: &Vec<u8>| bson::deserialize_from_slice::<Document>(b).unwrap();
            let (got, want) = (&version.document, want);
            assert_eq!(got, want, "{pos}: {:?} {:?}", got.as_ref().map(show), want.as_ref().map(show));
        } else {
            unsure += 1;
            assert!(version.remark.is_some() && version.pos <= edge);
        }
    }
    println!("{exact} exact, {unsure} inside the window");
    assert!(exact >= 40);
    // The number as text is another document, and under the other name it is the same history.
    let text = look(place.path(), &case, "shop.orders", "\"42\"");
    assert!(text.versions.iter().any(|v| matches!(v.change, Change::Renamed { .. })));
    assert_eq!(text.versions.last().unwrap().change, Change::Dropped);
    assert_eq!(text.versions.last().unwrap().document, None);
    let other = look(place.path(), &case, "shop.archive", "{\"$numberLong\":\"42\"}");
    assert!(other.versions.len() > 40 && other.versions.last().unwrap().change == Change::Dropped);
}

#[test]
fn the_command_shows_a_document_that_was_deleted_with_many() {
    let root = common::fixtures::fixture("v60");
    let truth = common::truth::Truth::read(&root);
    let machine = Machine::new();
    let (dump, oplog) =
        (root.join("dump-dir").display().to_string(), root.join("oplog").display().to_string());
    let bulk = &truth.incidents["bulk delete"];
    let query = format!("op:delete ns:shop.orders after:{} before:{}", bulk.first, bulk.first.next());
    let ops = machine.json(&["ops", &dump, &oplog, "--json", "-q", &query]);
    let id = ops[0]["_id"].to_string();
    let lines = machine.json(&["history", &dump, &oplog, "--ns", "shop.orders", "--id", &id, "--json"]);
    assert_eq!(lines[0]["kind"], "version");
    assert_eq!(lines[0]["op"], "read");
    let gone = lines.iter().find(|line| line["op"] == "delete").unwrap();
    assert_eq!(gone["pos"], bulk.first.to_string());
    assert!(gone["document"].is_null());
    let id: serde_json::Value = serde_json::from_str(&id).unwrap();
    assert!(lines.iter().all(|line| line["_id"] == id));

    let none = machine.run(&["history", &dump, &oplog, "--ns", "shop.orders", "--id", "nobody"]);
    assert_eq!((none.code, none.out.as_str()), (0, ""));
    let wrong = machine.run(&["history", &dump, &oplog, "--ns", "shop.nothing", "--id", "1"]);
    assert_eq!(wrong.code, 2, "{}", wrong.err);
}
