//! Checks besides the documents, by the real binary: the user's queries, the server's own hashes
//! and its `validate`; what fails, what is refused, and what is said before a target is touched.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::fs;
use std::path::Path;

use common::cli::{Machine, Ran};
use common::fixtures::fixture;
use common::server::{Server, block_on, command_on};
use common::truth::{Truth, compare_server};
use serde_json::Value;

struct Incident {
    machine: Machine,
    truth: Truth,
    place: tempfile::TempDir,
}

impl Incident {
    fn new() -> Incident {
        let machine = Machine::new();
        Incident { machine, truth: Truth::read(&fixture("v60")), place: tempfile::tempdir().unwrap() }
    }

    fn stop(&self) -> String {
        self.truth.incidents["bulk delete"].first.to_string()
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.place.path().join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    fn run(&self, command: &str, stop: &str, more: &[&str]) -> Ran {
        let root = fixture("v60");
        let (dump, slices) = (root.join("dump-dir"), root.join("oplog"));
        let mut args =
            vec![command, dump.to_str().unwrap(), slices.to_str().unwrap(), "--before", stop, "--json"];
        if command == "restore" {
            args.push("--yes");
        }
        self.machine.run(&[&args[..], more].concat())
    }
}

fn json(ran: &Ran) -> Value {
    serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{} {}", ran.out, ran.err))
}

/// A server's own count.
fn count(client: &mongodb::Client, coll: &str, query: bson::Document) -> u64 {
    let counted = command_on(client, "shop", bson::doc! { "count": coll, "query": query });
    u64::try_from(counted.get_i32("n").unwrap()).unwrap()
}

#[test]
fn checks_of_the_users_are_carried_out_on_the_isolated_server() {
    let incident = Incident::new();
    let stop = incident.stop();
    let orders = incident.truth.checkpoint("crud 2").dbs["shop"]["orders"].content.as_ref().unwrap().count;
    let good = format!(
        r#"
[[check]]
name = "no free products"
ns = "shop.products"
filter = '{{ "price": {{ "$lte": 0 }} }}'
expect = "none"
[[check]]
name = "all orders"
ns = "shop.orders"
filter = "{{}}"
expect = {orders}
[[check]]
name = "nothing after the stop"
ns = "shop.orders"
filter = '{{ "created": {{ "$gt": {{ "$date": "stop" }} }} }}'
expect = "none"
"#
    );
    let file = incident.file("good.toml", &good);
    let plan = json(&incident.run("plan", &stop, &["--check", &file, "--check", "dbhash"]));
    assert_eq!(plan["how"]["checks"]["queries"].as_array().unwrap().len(), 3);

    let ran = incident.run("restore", &stop, &["--check", &file, "--check", "dbhash", "--check", "validate"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let outcome = json(&ran);
    let answers = outcome["verification"]["queries"].as_array().unwrap();
    let of = |name: &str| answers.iter().find(|a| a["name"] == name).unwrap();
    assert_eq!((&of("all orders")["found"], &of("all orders")["ok"]), (&orders.into(), &true.into()));
    let uri = incident.machine.uri_of(&outcome["restored"]);
    assert_eq!(compare_server(&uri, incident.truth.checkpoint("crud 2")), Vec::<String>::new());
    // The hash on record is the one the recorded server gave.
    let listed = outcome["verification"]["collections"].as_array().unwrap();
    let products = listed.iter().find(|c| c["ns"] == "shop.products").unwrap();
    let truth = &incident.truth.checkpoint("crud 2").dbs["shop"]["products"];
    assert_eq!(products["db_hash"], truth.content.as_ref().unwrap().md5);
    let certificate = fs::read_to_string(outcome["certificate"].as_str().unwrap()).unwrap();
    for part in ["all orders", "nothing after the stop", "as it must be", "check: validate"] {
        assert!(certificate.contains(part), "no {part} in: {certificate}");
    }
    assert!(certificate.contains("**Verified**") && !certificate.contains("FAILED"));
    let journal = fs::read_to_string(
        Path::new(outcome["certificate"].as_str().unwrap())
            .ancestors()
            .nth(3)
            .unwrap()
            .join("journal.ndjson"),
    );
    assert!(journal.unwrap().contains("no free products"), "what was asked for is journalled");
}

#[test]
fn a_check_that_fails_leaves_the_target_marked_and_is_named() {
    let incident = Incident::new();
    // Behind the bad deploy: the prices are 0, and the state is exact all the same.
    let deploy = &incident.truth.incidents["bad deploy"];
    let stop = deploy.last.next().to_string();
    let text = r#"{ "check": [
        { "name": "no free products", "ns": "shop.products", "filter": { "price": { "$lte": 0 } }, "expect": "none" },
        { "name": "enough customers", "ns": "shop.customers", "filter": {}, "expect": { "min": 1 } },
        { "name": "few customers", "ns": "shop.customers", "filter": {}, "expect": { "max": 1 } } ] }"#;
    let file = incident.file("strict.json", text);
    let peer = Server::standalone();
    for target in ["isolated", peer.uri()] {
        let ran = incident.run("restore", &stop, &["--check", &file, "--target", target, "--ttl", "defer"]);
        assert_eq!(ran.code, 3, "{target}: {} {}", ran.err, ran.out);
        let outcome = json(&ran);
        for part in ["no free products", "few customers", "it must be none", "it must be at most 1"] {
            assert!(ran.err.contains(part), "no {part} in: {}", ran.err);
        }
        assert!(
            !ran.err.contains("enough customers") && !ran.err.contains("not what was written"),
            "{}",
            ran.err
        );
        let listed = outcome["verification"]["collections"].as_array().unwrap();
        assert!(listed.iter().all(|c| c["differences"].as_array().unwrap().is_empty()));
        let uri = match target {
            "isolated" => incident.machine.uri_of(&outcome["restored"]),
            uri => uri.to_owned(),
        };
        let client = common::server::connect(&uri);
        let names = block_on(client.list_database_names().into_future()).unwrap();
        assert!(names.contains(&"pitstop_incomplete".to_owned()), "{target}: {names:?}");
        // What it says it found is what the server counts.
        let free = outcome["verification"]["queries"][0]["found"].as_u64().unwrap();
        assert_eq!(free, count(&client, "products", bson::doc! { "price": { "$lte": 0 } }));
        assert!(free > 0);
        let certificate = fs::read_to_string(outcome["certificate"].as_str().unwrap()).unwrap();
        assert!(certificate.contains("**NOT VERIFIED**") && certificate.matches("**FAILED**").count() == 2);
    }
    let targets = incident.machine.json(&["targets", "--json"]);
    assert!(targets.len() == 1 && targets[0]["incomplete"] == true, "{targets:?}");
}

#[test]
fn wrong_checks_are_told_before_a_target_is_touched() {
    let incident = Incident::new();
    let stop = incident.stop();
    let dump = format!("dump:{}", incident.place.path().join("d").display());
    let archive = format!("archive:{}", incident.place.path().join("a").display());
    let peer = Server::standalone();
    let good = "[[check]]\nname='a'\nns='shop.orders'\nfilter='{}'\nexpect=1\n";
    let good = incident.file("good.toml", good);
    let wrong = incident.file("wrong.toml", "[[check]]\nname='a'\nnss='shop.orders'\nexpect='some'\n");
    let typo = "[[check]]\nname='a'\nns='shop.order'\nfilter='{}'\nexpect='none'\n";
    let typo = incident.file("typo.toml", typo);
    let strange = "[[check]]\nname='a'\nns='shop.orders'\nfilter='{\"x\":{\"$grater\":1}}'\nexpect='none'\n\
        [[check]]\nname='b'\nns='shop.orders'\nfilter='{\"$huh\":1}'\nexpect='none'\n";
    let strange = incident.file("strange.toml", strange);
    for (more, says) in [
        (
            vec!["--check", &wrong],
            vec!["unknown key \"nss\"", "no ns like", "filter of \"a\" is missing", "expect of \"a\""],
        ),
        (vec!["--check", "/nonexistent"], vec!["/nonexistent"]),
        (vec!["--check", &typo], vec!["shop.order", "no collection"]),
        (vec!["--check", &typo, "--target", peer.uri()], vec!["shop.order", "no collection"]),
        (vec!["--check", &strange, "--target", peer.uri()], vec!["$grater", "$huh"]),
        (vec!["--check", &strange], vec!["$grater", "$huh"]),
        (vec!["--check", &good, "--target", &dump], vec!["--check is for a server"]),
        (vec!["--check", "dbhash", "--target", &archive], vec!["--check is for a server"]),
        (
            vec!["--rate", "1M", "--write-concern", "majority"],
            vec!["--rate is for a mongodb://", "--write-concern is for"],
        ),
        (
            vec!["--dbpath", "/x", "--replset", "r", "--target", &dump],
            vec!["--dbpath is for an isolated", "--replset is for"],
        ),
        (vec!["--parallel", "2", "--target", &archive], vec!["--parallel is for a server"]),
        (vec!["--replset", "a b"], vec!["no name of a replica set"]),
        (vec!["--replset=--keyFile"], vec!["no name of a replica set"]),
        (vec!["--parallel", "0"], vec!["--parallel"]),
        (vec!["--rate", "0"], vec!["--rate"]),
        (vec!["--write-concern", "most", "--target", peer.uri()], vec!["--write-concern"]),
    ] {
        let ran = incident.run("restore", &stop, &more);
        assert_eq!(ran.code, 2, "{more:?}: {} {}", ran.err, ran.out);
        for part in says {
            assert!(
                format!("{}{}", ran.err, ran.out).contains(part),
                "{more:?}: no {part:?} in: {}",
                ran.err
            );
        }
        let names = block_on(peer.client().list_database_names().into_future()).unwrap();
        assert!(
            names.iter().all(|n| ["admin", "config", "local"].contains(&n.as_str())),
            "{more:?}: {names:?}"
        );
        assert_eq!(incident.machine.json(&["targets", "--json"]), Vec::<Value>::new(), "{more:?}");
        let left = fs::read_dir(incident.place.path()).unwrap().map(|e| e.unwrap().file_name());
        assert!(left.map(|n| n.into_string().unwrap()).all(|n| n.contains('.') && !n.contains("partial")));
    }
}
