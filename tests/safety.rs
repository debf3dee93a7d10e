//! Attempts to make a restore do damage: production under other names, hostile names of
//! databases and collections, passwords that want out, processes that are somebody else's.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use bson::{Document, Timestamp, doc};
use common::cli::{Machine, Ran};
use common::dump::metadata;
use common::server::{Kind, Server, cursor_on};

const MARK: &str = "pitstop_incomplete";

fn bytes(documents: &[Document]) -> Vec<u8> {
    documents.iter().flat_map(|d| bson::serialize_to_vec(d).unwrap()).collect()
}

/// A dump and a slice, as sources on the command line.
struct Backup {
    dir: tempfile::TempDir,
}

impl Backup {
    /// The collection `shop.a` as it is, else an empty `base.a`; the entry at the edge, and the log from there on.
    fn of(a: Option<(&[Document], bson::Uuid)>, log: &[Document]) -> Backup {
        let dir = tempfile::tempdir().unwrap();
        let dump = dir.path().join("dump");
        let (db, documents, uuid) = match a {
            Some((documents, uuid)) => ("shop", documents, uuid),
            None => ("base", &[] as &[Document], bson::Uuid::from_bytes([0xee; 16])),
        };
        fs::create_dir_all(dump.join(db)).unwrap();
        fs::write(dump.join(db).join("a.bson"), bytes(documents)).unwrap();
        let index = doc! { "v": 2, "key": { "_id": 1 }, "name": "_id_" };
        let text = metadata("a", "collection", &doc! {}, &[index], Some(uuid));
        fs::write(dump.join(db).join("a.metadata.json"), text).unwrap();
        fs::write(dump.join("oplog.bson"), bytes(&log[..1])).unwrap();
        fs::write(dir.path().join("slice.bson"), bytes(log)).unwrap();
        Backup { dir }
    }

    fn restore(&self, machine: &Machine, target: &str) -> Ran {
        machine.run(&self.args(target).iter().map(String::as_str).collect::<Vec<_>>())
    }

    fn args(&self, target: &str) -> Vec<String> {
        let path = |name: &str| self.dir.path().join(name).display().to_string();
        let mut args = vec!["restore".to_owned(), path("dump"), path("slice.bson")];
        args.extend(["--after", "end", "--yes", "--json", "--target", target].map(str::to_owned));
        args.extend(["--case".to_owned(), path("case")]);
        args
    }
}

#[test]
fn production_is_recognised_under_every_name_also_when_it_is_empty() {
    let production = Server::replica_set();
    production.run("shop", doc! { "insert": "a", "documents": [{ "_id": 1 }, { "_id": 2 }] });
    let log = |production: &Server| cursor_on(&production.client(), "local", doc! { "find": "oplog.rs" });
    let edge = log(&production).last().unwrap().get_timestamp("ts").unwrap();
    let documents = cursor_on(&production.client(), "shop", doc! { "find": "a" });
    let listed = cursor_on(&production.client(), "shop", doc! { "listCollections": 1 });
    let bson::Bson::Binary(uuid) = listed[0].get_document("info").unwrap().get("uuid").unwrap() else {
        panic!("{listed:?}")
    };
    production.run("shop", doc! { "delete": "a", "deletes": [{ "q": { "_id": 1 }, "limit": 1 }] });
    let mut later = log(&production);
    later.retain(|e| e.get_timestamp("ts").unwrap() >= edge);
    let backup = Backup::of(Some((&documents, uuid.to_uuid().unwrap())), &later);
    production.run("shop", doc! { "dropDatabase": 1 });

    // What another member has: the same log, in another process, also started without its set.
    let member = Server::standalone();
    member.run("local", doc! { "create": "oplog.rs", "capped": true, "size": 1 << 20 });
    member.run("local", doc! { "insert": "oplog.rs", "documents": log(&production) });

    let machine = Machine::new();
    let port = production.port();
    for target in [
        production.uri().to_owned(),
        format!("mongodb://127.0.0.1:{port}/?directConnection=true"),
        format!("mongodb://localhost:{port}/"),
        format!("mongodb://127.1:{port}/?directConnection=true"),
        format!("mongodb://2130706433:{port}/?directConnection=true"),
        format!("mongodb://LOCALHOST:{port}/other?directConnection=true"),
        member.uri().to_owned(),
    ] {
        let ran = backup.restore(&machine, &target);
        // Odd ways to write an address may also not be understood; then nothing is reached.
        assert!([1, 5].contains(&ran.code), "{target}: {} {}", ran.code, ran.out);
        if ran.code == 5 {
            assert!(ran.err.contains("it is the source, or a member of its set"), "{target}: {}", ran.err);
        } else {
            assert!(target.contains("127.1") || target.contains("2130706433"), "{target}: {}", ran.err);
        }
    }
    for server in [&production, &member] {
        let client = server.client();
        let names = common::server::block_on(client.list_database_names().into_future()).unwrap();
        assert!(!names.iter().any(|n| n == "shop" || n == MARK), "{names:?}");
    }
}

/// Entries of a log: `create` and one insert for each namespace.
fn log_of(namespaces: &[(&str, &str)]) -> Vec<Document> {
    let mut inc = 0;
    let mut entry = |rest: Document| {
        inc += 1;
        let mut entry = doc! {
            "ts": Timestamp { time: 1_700_000_000, increment: inc }, "t": 1_i64, "v": 2_i64,
            "wall": bson::DateTime::from_millis(1_700_000_000_000),
        };
        entry.extend(rest);
        entry
    };
    let mut log = vec![entry(doc! { "op": "n", "ns": "", "o": { "msg": "here" } })];
    for (at, (db, coll)) in namespaces.iter().enumerate() {
        let ui = bson::Uuid::from_bytes([at as u8 + 1; 16]);
        let create = doc! { "create": *coll, "idIndex": { "v": 2, "key": { "_id": 1 }, "name": "_id_" } };
        log.push(entry(doc! { "op": "c", "ns": format!("{db}.$cmd"), "ui": ui, "o": create }));
        let body = doc! { "_id": at as i32 };
        log.push(entry(doc! { "op": "i", "ns": format!("{db}.{coll}"), "ui": ui, "o": body }));
    }
    log
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()) {
        if entry.is_dir() {
            found.extend(files(&entry));
        } else {
            found.push(entry);
        }
    }
    found
}

#[test]
fn names_of_collections_never_lead_out_of_the_dump() {
    let long = "x".repeat(255);
    let names = ["..", ".", "../../evil", "/tmp/evil", "a/../../b", "a\\b", "\u{1b}[2Jred", "%2e%2e", &long];
    let namespaces: Vec<(&str, &str)> = names.iter().map(|name| ("shop", *name)).collect();
    let backup = Backup::of(None, &log_of(&namespaces));
    let machine = Machine::new();
    let place = tempfile::tempdir().unwrap();
    let dump = place.path().join("deep/er/dump");
    let ran = backup.restore(&machine, &format!("dump:{}", dump.display()));
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(!ran.out.contains('\u{1b}') && !ran.err.contains('\u{1b}'));
    let all = files(place.path());
    let inside = dump.join("shop");
    let data =
        all.iter().filter(|f| f.extension().is_some_and(|e| e == "bson") && **f != dump.join("base/a.bson"));
    assert_eq!(data.clone().count(), names.len(), "{all:?}");
    assert!(data.clone().all(|f| f.parent() == Some(&inside)), "{all:?}");
    assert!(all.iter().all(|f| f.starts_with(&dump) && f.file_name().unwrap().len() <= 255), "{all:?}");
    assert!(!Path::new("/tmp/evil.bson").exists() && !place.path().join("evil.bson").exists());
    // Every document is in the file whose metadata name its collection.
    for (at, name) in names.iter().enumerate() {
        let text = serde_json::to_string(name).unwrap();
        let about = all.iter().filter(|f| f.to_string_lossy().ends_with(".metadata.json"));
        let about: Vec<_> = about
            .filter(|f| fs::read_to_string(f).unwrap().contains(&format!("\"collectionName\":{text}")))
            .collect();
        assert_eq!(about.len(), 1, "{name:?}");
        let data = about[0].to_string_lossy().replace(".metadata.json", ".bson");
        assert_eq!(fs::read(data).unwrap(), bytes(&[doc! { "_id": at as i32 }]), "{name:?}");
    }
}

#[test]
fn names_of_databases_that_are_paths_are_refused() {
    let machine = Machine::new();
    for db in ["..", ".", "a/b", "/abs", "", "sh\u{0}op"] {
        let backup = Backup::of(None, &log_of(&[(db, "a")]));
        let place = tempfile::tempdir().unwrap();
        let ran = backup.restore(&machine, &format!("dump:{}", place.path().join("dump").display()));
        assert!([1, 4, 5].contains(&ran.code), "{db:?}: {} {}", ran.code, ran.out);
        assert!(!ran.err.contains("no snapshot"), "{db:?}: {}", ran.err);
        println!("{db:?}: {}", ran.err);
        assert!(ran.err.contains("hint: ") && !ran.err.contains("panicked"), "{db:?}: {}", ran.err);
        assert_eq!(files(place.path()), Vec::<PathBuf>::new(), "{db:?}");
    }
}

const PASSWORD: &str = "p@ss:w/r?d#%25'ü \"&";

#[test]
fn a_password_that_needs_escaping_works_and_is_written_nowhere() {
    let server = Server::start(Kind::Standalone, &["--auth"]);
    server.run("admin", doc! { "createUser": "joe@x", "pwd": PASSWORD, "roles": ["root"] });
    let escaped: String = PASSWORD.bytes().map(|b| format!("%{b:02X}")).collect();
    let uri = |password: &str| {
        format!("mongodb://joe%40x:{password}@127.0.0.1:{}/?authSource=admin", server.port())
    };
    let secrets = [PASSWORD, &escaped, "joe%40x:"];
    let machine = Machine::new();
    let backup = Backup::of(None, &log_of(&[("shop", "a")]));
    let written = || {
        let mut places = files(machine.state());
        places.extend(files(backup.dir.path()));
        for path in places {
            let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
            for secret in secrets {
                assert!(!text.contains(secret), "{} holds {secret:?}", path.display());
            }
        }
    };

    // Wrong, with the right one as its front: nothing of it may be in the message.
    let wrong = backup.restore(&machine, &uri(&format!("{escaped}x")));
    assert_eq!(wrong.code, 1, "{}", wrong.out);
    for secret in secrets {
        assert!(!wrong.err.contains(secret) && !wrong.out.contains(secret), "{} {}", wrong.err, wrong.out);
    }
    written();

    // Right; meanwhile the worker's command line is read.
    let right = uri(&escaped);
    let args = backup.args(&right);
    let child = machine.command(&args.iter().map(String::as_str).collect::<Vec<_>>());
    let mut child = { child }.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let case = backup.dir.path().join("case").display().to_string();
    let mut seen = 0;
    while child.try_wait().unwrap().is_none() {
        let all =
            fs::read_dir("/proc").unwrap().flatten().filter_map(|e| fs::read(e.path().join("cmdline")).ok());
        for line in all.map(|l| String::from_utf8_lossy(&l).into_owned()) {
            if line.contains("restore-worker") && line.contains(&case) {
                seen += 1;
                assert!(secrets.iter().all(|secret| !line.contains(secret)), "{line}");
            }
        }
    }
    let ran = Ran::of(child.wait_with_output().unwrap());
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(seen > 0, "the worker was never seen");
    for secret in secrets {
        assert!(!ran.err.contains(secret) && !ran.out.contains(secret));
    }
    written();
}

/// The registry names a process; by now its id belongs to somebody else.
#[test]
fn a_reused_process_id_and_a_foreign_folder_are_left_alone() {
    let machine = Machine::new();
    let targets = machine.state().join("pitstop/targets");
    fs::create_dir_all(&targets).unwrap();
    let place = tempfile::tempdir().unwrap();
    let dir = place.path().join("photos");
    fs::create_dir_all(dir.join("data")).unwrap();
    fs::write(dir.join("data/holiday.jpg"), "precious").unwrap();
    let mut stranger = Command::new("sleep").arg("600").spawn().unwrap();
    let record = serde_json::json!({
        "id": "0123abcd", "pid": stranger.id(), "start_time": 1, "dir": dir, "dbpath": dir.join("data"),
        "port": 27017, "created": "2026-01-01T00:00:00Z", "case": null, "state": "running",
    });
    fs::write(targets.join("0123abcd.json"), record.to_string()).unwrap();
    for mark in [false, true] {
        if mark {
            fs::write(dir.join(MARK), "").unwrap();
        }
        let listed = machine.json(&["targets", "--json"]);
        assert_eq!((&listed[0]["state"], &listed[0]["incomplete"]), (&"stopped".into(), &mark.into()));
        let ran = machine.run(&["targets", "stop", "0123abcd", "--delete"]);
        assert_eq!(ran.code, 5, "{} {}", ran.out, ran.err);
        assert!(stranger.try_wait().unwrap().is_none(), "a stranger was killed");
        assert!(dir.join("data/holiday.jpg").exists());
    }
    stranger.kill().unwrap();
    stranger.wait().unwrap();
}
