//! The built-in demo is what its generator makes, and a real server agrees with its truth.
//!
//! To make it anew: `cargo test --test demo_asset -- --ignored regenerate`.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;
mod demo;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use bson::{Bson, Document, doc};
use common::server::{Kind, Server, block_on, command_on};
use common::truth::Checkpoint;
use demo::pack::{self, Files};
use demo::shop::{Day, simulate};
use pitstop::domain::Position;

fn day() -> &'static Day {
    static DAY: OnceLock<Day> = OnceLock::new();
    DAY.get_or_init(simulate)
}

fn asset(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("assets").join(name)
}

fn truth_text() -> String {
    serde_json::to_string_pretty(&pack::truth(day())).unwrap() + "\n"
}

#[test]
#[ignore = "writes into assets/"]
fn regenerate() {
    let archive = pack::archive(&pack::files(day()));
    assert!(archive.len() < 1_000_000, "{} bytes are too many to commit", archive.len());
    std::fs::write(asset("demo.tar.gz"), archive).unwrap();
    std::fs::write(asset("demo.json"), truth_text()).unwrap();
}

/// Compared by content: how well something is compressed may change with a library.
#[test]
fn the_asset_is_what_the_generator_makes() {
    let committed = pack::unpack(&std::fs::read(asset("demo.tar.gz")).unwrap());
    let made = pack::unpack(&pack::archive(&pack::files(day())));
    assert_eq!(committed.keys().collect::<Vec<_>>(), made.keys().collect::<Vec<_>>());
    for (path, bytes) in &made {
        assert!(pack::plain(&committed[path]) == pack::plain(bytes), "{path} differs: regenerate the demo");
    }
    assert_eq!(std::fs::read_to_string(asset("demo.json")).unwrap(), truth_text());
}

#[test]
fn the_day_is_as_told() {
    let day = day();
    assert!(day.entries.windows(2).all(|w| w[0].pos < w[1].pos));
    assert!(day.entries.iter().all(|e| e.pos.time().starts_with("2026-10-14T")));
    let time = |burst: &str, at: usize| day.bursts[burst][at].time();
    let delete = &day.bursts["bulk delete"];
    assert_eq!(time("bulk delete", 0), "2026-10-14T14:41:07Z");
    assert_eq!(time("bulk delete", delete.len() - 1), "2026-10-14T14:41:08Z");
    assert!((1850..1950).contains(&delete.len()), "{}", delete.len());
    let within = day.entries.iter().filter(|e| delete[0] <= e.pos && e.pos <= delete[delete.len() - 1]);
    let others = within.count() - delete.len();
    assert!(others > 10, "only {others} ordinary writes in the midst of it");
    assert_eq!(time("bad deploy", 0), "2026-10-14T16:20:00Z");
    assert_eq!(day.bursts["bad deploy"].len(), 240);
    assert!(day.bursts["expired sessions"].len() > 350, "{}", day.bursts["expired sessions"].len());
    let written = day.entries.iter().filter(|e| e.pos > delete[delete.len() - 1]).count();
    assert!(written > 2000, "good writes after the incident: {written}");
    for snapshot in &day.snapshots {
        assert!(snapshot.from < snapshot.through, "{}: nothing happened meanwhile", snapshot.name);
    }
}

/// From either snapshot, the server's own `applyOps` reaches every state that the simulation says
/// there was, by dbHash: entries and truth agree without any code of ours between them.
#[test]
fn a_real_server_agrees() {
    let files = pack::unpack(&std::fs::read(asset("demo.tar.gz")).unwrap());
    let mut oplog: Vec<(Position, Document)> = Vec::new();
    let mut joints = 0;
    for (_, bytes) in files.iter().filter(|(path, _)| path.ends_with("/oplog.rs.bson")) {
        for entry in documents(bytes) {
            let ts = entry.get_timestamp("ts").unwrap();
            let pos = Position::new(ts.time, ts.increment);
            match oplog.last() {
                Some((last, known)) if *last == pos && *known == entry => joints += 1,
                _ => oplog.push((pos, entry)),
            }
        }
    }
    assert_eq!(joints, 21, "23 slices, of which the fifth and the seventh do not meet");
    let (first, second) = (&day().snapshots[0], &day().snapshots[1]);
    let (early, late): (Vec<_>, Vec<_>) = day().states.iter().partition(|state| state.1 < second.from);
    assert_eq!((early.len(), late.len()), (1, 5));
    for (snapshot, states) in [(first, early), (second, late)] {
        // Without expiry: to the server of this test, that day is long ago.
        let server = Server::start(Kind::Standalone, &["--setParameter", "ttlMonitorEnabled=false"]);
        load(&server, &files, snapshot.name);
        let mut rest = oplog.iter().filter(|(pos, _)| *pos >= snapshot.from).peekable();
        for (label, through, collections) in states {
            let mut batch = Vec::new();
            while let Some((_, entry)) = rest.next_if(|(pos, _)| pos <= through) {
                batch.extend(operations(entry));
            }
            for part in batch.chunks(5000) {
                server.run("admin", doc! { "applyOps": part, "allowAtomic": false });
            }
            let got = Checkpoint::observe(server.uri());
            for collection in collections {
                let want = common::dump::content(&collection.bytes());
                let got = got.dbs["shop"][collection.name].content.as_ref();
                assert_eq!(got, Some(&want), "{label}: {}", collection.name);
            }
        }
    }
}

/// The single writes of an entry, without what only the server may set.
fn operations(entry: &Document) -> Vec<Document> {
    let single = |entry: &Document| -> Document {
        let wanted = ["op", "ns", "o", "o2"];
        entry
            .iter()
            .filter(|(k, _)| wanted.contains(&k.as_str()))
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect()
    };
    let o = entry.get_document("o").unwrap();
    match entry.get_str("op").unwrap() {
        "n" => vec![],
        "c" if o.contains_key("applyOps") => {
            o.get_array("applyOps").unwrap().iter().map(|op| single(op.as_document().unwrap())).collect()
        }
        "c" => panic!("a command that applyOps does not take: {entry}"),
        _ => vec![single(entry)],
    }
}

fn load(server: &Server, files: &Files, snapshot: &str) {
    let client = server.client();
    let prefix = format!("snapshots/{snapshot}/shop/");
    for (path, bytes) in files {
        let Some(name) = path.strip_prefix(&prefix) else { continue };
        let (name, bytes) = (name.strip_suffix(".gz").unwrap_or(name), pack::plain(bytes));
        if let Some(name) = name.strip_suffix(".metadata.json") {
            let metadata = common::truth::json(&String::from_utf8(bytes).unwrap());
            let indexes: Vec<Bson> = metadata.get_array("indexes").unwrap()[1..].to_vec();
            command_on(&client, "shop", doc! { "createIndexes": name, "indexes": indexes });
        } else if let Some(name) = name.strip_suffix(".bson") {
            let collection = client.database("shop").collection::<Document>(name);
            block_on(collection.insert_many(documents(&bytes)).into_future()).unwrap();
        }
    }
}

fn documents(mut bytes: &[u8]) -> Vec<Document> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let length = i32::from_le_bytes(bytes[..4].try_into().unwrap()) as usize;
        found.push(bson::deserialize_from_slice(&bytes[..length]).unwrap());
        bytes = &bytes[length..];
    }
    found
}
