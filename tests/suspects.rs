//! Suspects against truth: the built-in incident, and a real server on an ordinary day with TTL
//! expiry, `$out`, a conversion, capped eviction, a queue and a chunk migration.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use bson::{Document, doc};
use common::cli::Machine;
use common::record::{Dump, last_entry, oplog, slice};
use common::server::{Kind, Server, block_on, command_on};
use pitstop::domain::Position;
use serde_json::Value;

fn of<'l>(lines: &'l [Value], ns: &str) -> Vec<&'l Value> {
    lines.iter().filter(|line| line["ns"] == ns).collect()
}

#[test]
fn the_demo_has_two_suspects_and_its_sessions_have_expired() {
    let place = tempfile::tempdir().unwrap();
    let packed = fs::File::open(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/demo.tar.gz")).unwrap();
    tar::Archive::new(flate2::read::GzDecoder::new(packed)).unpack(place.path()).unwrap();
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/demo.json")).unwrap();
    let truth: Value = serde_json::from_str(&text).unwrap();
    let machine = Machine::new();
    let source = place.path().display().to_string();

    let found = machine.json(&["suspects", &source, "--json"]);
    let bounds = |line: &Value| (line["first"].clone(), line["last"].clone());
    let want = ["bulk delete", "bad deploy"].map(|name| bounds(&truth["bursts"][name]));
    assert_eq!(found.iter().map(bounds).collect::<Vec<_>>(), want, "{found:#?}");
    assert!(found.iter().all(|line| line["ordinary"].is_null()));
    let before = truth["states"].as_array().unwrap().iter().find(|s| s["label"] == "before the bulk delete");
    let orders = before.unwrap()["shop"]["orders"]["count"].as_f64().unwrap();
    let entries = truth["bursts"]["bulk delete"]["entries"].as_f64().unwrap();
    assert_eq!(found[0]["documents"].as_f64(), Some(entries));
    assert!((found[0]["share"].as_f64().unwrap() - entries / orders).abs() < 0.02, "{}", found[0]);

    let all = machine.json(&["suspects", &source, "--json", "--all"]);
    let expired = bounds(&truth["bursts"]["expired sessions"]);
    let expired = all.iter().find(|line| bounds(line) == expired).unwrap();
    let reason = expired["ordinary"].as_str().unwrap();
    assert!(reason.contains("TTL") && reason.contains("proven for 410 of 410"), "{reason}");
    assert_eq!(&all[..2], &found[..]);
}

struct Day {
    server: Server,
    begun: Position,
}

impl Day {
    fn insert(&self, coll: &str, documents: Vec<Document>) {
        for part in documents.chunks(1000) {
            self.server.run("shop", doc! { "insert": coll, "documents": part.to_vec() });
        }
    }

    /// Waits until the server has removed what expired.
    fn wait_for(&self, coll: &str, left: i32) {
        let begun = Instant::now();
        loop {
            let reply = self.server.run("shop", doc! { "count": coll });
            if reply.get_i32("n").unwrap() == left {
                return;
            }
            assert!(begun.elapsed() < Duration::from_secs(60), "{reply}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn dump(&self, dir: &Path) {
        let dump = Dump::begin(&self.server);
        dump.read(dir);
        dump.end(dir);
    }

    /// The oplog, with the deletes of one collection marked as a chunk migration's.
    fn slice(&self, path: &Path, migrated: &str) {
        slice(&self.server.client(), self.begun, path);
        let bytes = oplog(&self.server.client(), self.begun);
        let (mut rest, mut out) = (bytes.as_slice(), Vec::new());
        while !rest.is_empty() {
            let length = i32::from_le_bytes(rest[..4].try_into().unwrap()) as usize;
            let mut entry: Document = bson::deserialize_from_slice(&rest[..length]).unwrap();
            if entry.get_str("ns").unwrap() == migrated && entry.get_str("op").unwrap() == "d" {
                entry.insert("fromMigrate", true);
                out.extend(bson::serialize_to_vec(&entry).unwrap());
            } else {
                out.extend_from_slice(&rest[..length]);
            }
            rest = &rest[length..];
        }
        fs::write(path, out).unwrap();
    }
}

#[test]
fn an_ordinary_day_has_no_suspect_and_damage_in_its_midst_is_one() {
    let options = ["--setParameter", "ttlMonitorSleepSecs=1", "--setParameter", "ttlMonitorEnabled=false"];
    let server = Server::start(Kind::ReplicaSet, &options);
    let client = server.client();
    server.run("shop", doc! { "create": "start" });
    let day = Day { begun: last_entry(&client), server };
    let now = bson::DateTime::now().timestamp_millis();
    let date = |secs: i64| bson::DateTime::from_millis(now + 1000 * secs);
    let index = |coll: &str| {
        let index = doc! { "key": { "seen": 1 }, "name": "seen", "expireAfterSeconds": 3600 };
        day.server.run("shop", doc! { "createIndexes": coll, "indexes": [index] });
    };
    let sessions = |from: i32, n: i32, secs: i64| -> Vec<Document> {
        (from..from + n).map(|i| doc! { "_id": i, "seen": date(secs) }).collect()
    };

    // In the snapshot: sessions that expire later, and some that are seen again. The second
    // collection gets its TTL index only behind the snapshot.
    index("sessions");
    day.insert("sessions", sessions(0, 1500, -4000));
    day.insert("sessions", sessions(5000, 300, 0));
    day.insert("tokens", sessions(0, 400, -4000));
    day.insert("orders", (0..3000).map(|i| doc! { "_id": i, "n": i % 7 }).collect());
    day.insert("moved", (0..2000).map(|i| doc! { "_id": i }).collect());
    day.server.run("shop", doc! { "create": "log", "capped": true, "size": 1 << 20, "max": 50 });
    let place = tempfile::tempdir().unwrap();
    day.dump(&place.path().join("dump"));

    index("tokens");
    day.insert("sessions", sessions(2000, 700, -5000));
    let seen = doc! { "q": { "_id": { "$lt": 100 } }, "u": { "$set": { "seen": date(0) } }, "multi": true };
    day.server.run("shop", doc! { "update": "sessions", "updates": [seen] });
    // $out over a collection that is there, a capped log that is full, a conversion, a migration.
    for _ in 0..2 {
        let pipeline = [doc! { "$match": { "n": 3 } }, doc! { "$out": "report" }];
        day.server.run("shop", doc! { "aggregate": "orders", "pipeline": pipeline.to_vec(), "cursor": {} });
    }
    for i in 0..30 {
        day.insert("log", (0..10).map(|j| doc! { "_id": 10 * i + j }).collect());
    }
    day.server.run("shop", doc! { "convertToCapped": "report", "size": 1 << 20 });
    day.server.run("shop", doc! { "delete": "moved", "deletes": [{ "q": {}, "limit": 0 }] });
    // A queue: what comes goes at once.
    for i in 0..200 {
        day.insert("queue", vec![doc! { "_id": i }]);
        day.server.run("shop", doc! { "delete": "queue", "deletes": [{ "q": { "_id": i }, "limit": 1 }] });
    }
    // The orders of the day, each by itself.
    let orders = client.database("shop").collection::<Document>("orders");
    for i in 0..200 {
        let update = doc! { "$set": { "state": format!("s{}", i % 3), "at": date(i) } };
        block_on(orders.update_one(doc! { "_id": (i * 37) % 3000 }, update).into_future()).unwrap();
    }
    let admin = |enabled: bool| {
        let set = doc! { "setParameter": 1, "ttlMonitorEnabled": enabled };
        command_on(&client, "admin", set);
    };
    admin(true);
    day.wait_for("sessions", 400);
    day.wait_for("tokens", 0);
    admin(false);
    let slice_path = place.path().join("oplog/all.bson");
    day.slice(&slice_path, "shop.moved");

    let (dump, oplog) = (place.path().join("dump").display().to_string(), slice_path.display().to_string());
    let machine = Machine::new();
    let found = machine.json(&["suspects", &dump, &oplog, "--json"]);
    assert_eq!(found, Vec::<Value>::new(), "an ordinary day");
    let all = machine.json(&["suspects", &dump, &oplog, "--json", "--all"]);
    let reasons = |ns: &str| -> Vec<String> {
        of(&all, ns).iter().map(|line| line["ordinary"].as_str().unwrap().to_owned()).collect()
    };
    // Every one of the 2100 that the server removed had expired, and we know of each.
    for (ns, gone) in [("shop.sessions", 2100), ("shop.tokens", 400)] {
        let documents: u64 = of(&all, ns).iter().map(|line| line["documents"].as_u64().unwrap()).sum();
        assert_eq!(documents, gone, "{ns}");
        for line in of(&all, ns) {
            let n = pitstop::domain::text::count(line["documents"].as_u64().unwrap());
            let reason = line["ordinary"].as_str().unwrap();
            assert!(reason.contains(&format!("proven for {n} of {n}")), "{reason}");
        }
    }
    assert!(reasons("shop.moved").iter().all(|r| r.contains("fromMigrate")));
    assert!(reasons("shop.report").iter().all(|r| r.contains("temporary")));
    assert!(!reasons("shop.report").is_empty());
    assert!(reasons("shop.log").iter().all(|r| r.contains("capped")));
    let evicted: u64 = of(&all, "shop.log").iter().map(|line| line["documents"].as_u64().unwrap()).sum();
    assert!(evicted >= 200, "{evicted} of 250 evictions");

    // The same day with damage: sessions that had not expired, arrays cut off, a storm of
    // replacements, an import that vanishes, a capped log that is deleted.
    let wide: Vec<Document> = (0..60)
        .map(|i| doc! { "_id": i, "tags": (0..9).map(|t| format!("{i} {t}")).collect::<Vec<_>>() })
        .collect();
    day.insert("posts", wide);
    day.insert("users", (0..60).map(|i| doc! { "_id": i, "name": format!("n{i}") }).collect());
    std::thread::sleep(Duration::from_secs(3));
    day.insert("import", (0..500).map(|i| doc! { "_id": i }).collect());
    let damage = [
        (
            "sessions",
            doc! { "delete": "sessions", "deletes": [{ "q": { "_id": { "$gte": 5000 } }, "limit": 0 }] },
        ),
        (
            "posts",
            doc! { "update": "posts", "updates": [{ "q": {}, "u": [
            { "$set": { "tags": { "$slice": ["$tags", 3] } } }], "multi": true }] },
        ),
        ("users", doc! {}),
        ("import", doc! { "delete": "import", "deletes": [{ "q": {}, "limit": 0 }] }),
        ("log", doc! { "delete": "log", "deletes": [{ "q": {}, "limit": 0 }] }),
    ];
    let mut firsts = Vec::new();
    for (coll, command) in damage {
        let before = last_entry(&client);
        if command.is_empty() {
            // One by one, as an application does.
            let users = client.database("shop").collection::<Document>(coll);
            for i in 0..60 {
                // Through however many sessions the driver has in its pool.
                let body = doc! { "name": format!("other {i}") };
                block_on(users.replace_one(doc! { "_id": i }, body).into_future()).unwrap();
            }
        } else {
            day.server.run("shop", command);
        }
        firsts.push((coll, before, last_entry(&client)));
    }
    day.slice(&slice_path, "shop.moved");
    let found = machine.json(&["suspects", &dump, &oplog, "--json"]);
    assert_eq!(found.len(), 5, "{found:#?}");
    for (coll, before, last) in firsts {
        let ns = format!("shop.{coll}");
        let lines = of(&found, &ns);
        assert_eq!(lines.len(), 1, "{ns}: {found:#?}");
        let stop: Position = lines[0]["stop"].as_str().unwrap().parse().unwrap();
        assert!(stop > before && lines[0]["last"] == last.to_string(), "{}", lines[0]);
    }
    assert_eq!(of(&found, "shop.sessions")[0]["documents"], 300);
    assert_eq!(of(&found, "shop.posts")[0]["what"], "arrays cut off in every document");
    assert_eq!(of(&found, "shop.users")[0]["what"], "documents replaced");
    assert!(of(&found, "shop.import")[0]["what"].as_str().unwrap().contains("inserted not long before"));
}

/// A drop says itself how much went: no snapshot is needed for that. Nothing dropped is no damage.
#[test]
fn a_drop_is_ranked_by_what_it_took() {
    let server = Server::replica_set();
    let client = server.client();
    let fill = |coll: &str, n: i32| {
        let documents: Vec<Document> = (0..n).map(|n| doc! { "_id": n }).collect();
        server.run("shop", doc! { "insert": coll, "documents": documents });
    };
    fill("large", 700);
    fill("small", 7);
    fill("target", 30);
    fill("moved", 1);
    server.run("shop", doc! { "create": "empty" });
    let begun = last_entry(&client);
    for coll in ["empty", "small", "large"] {
        server.run("shop", doc! { "drop": coll });
        // Drops of one moment are acts of their own all the same.
        fill("other", 64);
        server.run("shop", doc! { "delete": "other", "deletes": [{ "q": {}, "limit": 0 }] });
    }
    let rename = doc! { "renameCollection": "shop.moved", "to": "shop.target", "dropTarget": true };
    server.run("admin", rename);
    let machine = Machine::new();
    let file = machine.state().join("oplog.bson");
    slice(&client, begun, &file);
    let file = file.display().to_string();
    let found = machine.json(&["suspects", &file, "--json"]);
    let gone: Vec<(&str, u64, f64)> = found
        .iter()
        .filter(|line| line["kind"] == "command")
        .map(|line| {
            let (documents, share) = (line["documents"].as_u64().unwrap(), line["share"].as_f64().unwrap());
            (line["ns"].as_str().unwrap(), documents, share)
        })
        .collect();
    let want =
        [("shop.large", 700, 1.0), ("shop.target", 30, 1.0), ("shop.small", 7, 1.0), ("shop.empty", 0, 0.0)];
    assert_eq!(gone, want);
    assert_eq!(found.last().unwrap()["ns"], "shop.empty");
    let text = machine.run(&["suspects", &file]).out;
    let line = text.lines().find(|line| line.contains("shop.empty")).unwrap();
    assert!(!line.contains('%') && !line.contains("document"), "{line}");
}
