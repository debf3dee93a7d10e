//! What a target cannot hold is refused by name before anything is touched, and `plan` says so.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use bson::doc;
use common::cli::{Machine, Ran};
use common::fixtures::fixture;
use common::server::{Server, block_on};
use common::truth::Truth;

/// A mongod that calls itself another version.
fn posing_as(version: &str, dir: &Path) -> String {
    let path = dir.join(format!("mongod-{version}"));
    let real = common::mongod::mongod().display();
    let script = format!(
        "#!/bin/sh\ncase \"$*\" in --version) echo 'db version v{version}';; *) exec '{real}' \"$@\";; esac\n"
    );
    std::fs::write(&path, script).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path.display().to_string()
}

fn refused(ran: &Ran, words: &[&str]) {
    assert_eq!(ran.code, 4, "{}{}", ran.out, ran.err);
    for word in words {
        assert!(ran.err.contains(word), "{word} is not in {}", ran.err);
    }
}

#[test]
fn a_mongod_that_is_too_old_is_refused_by_the_feature_it_lacks() {
    let (machine, place) = (Machine::new(), tempfile::tempdir().unwrap());
    let fixture = fixture("v60");
    let (dump, slices) =
        (fixture.join("dump-dir").display().to_string(), fixture.join("oplog").display().to_string());
    let old = posing_as("5.0.9", place.path());
    // The recorded server held a clustered collection.
    let want = Truth::read(&fixture).checkpoints.last().unwrap().clone();
    let (db, name) = want
        .dbs
        .iter()
        .flat_map(|(db, all)| all.iter().map(move |(name, is)| (db, name, is)))
        .find(|(.., is)| is.kind == "collection" && is.options.get_document("clusteredIndex").is_ok())
        .map(|(db, name, _)| (db.clone(), name.clone()))
        .unwrap();
    let ns = format!("{db}.{name}");
    let plan = machine.run(&["plan", &dump, &slices, "--before", "end", "--mongod", &old]);
    refused(&plan, &["5.0.9", "clusteredIndex", &ns, "--ns-exclude"]);
    assert!(plan.out.contains("base "), "the plan is shown all the same: {}", plan.out);
    let json = machine.run(&["plan", &dump, &slices, "--before", "end", "--mongod", &old, "--json"]);
    let value: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(json.code, 4);
    assert!(value["refused"]["cause"].as_str().unwrap().contains("clusteredIndex"), "{value}");

    let restore = machine.run(&["restore", &dump, &slices, "--before", "end", "--yes", "--mongod", &old]);
    refused(&restore, &["5.0.9", "clusteredIndex", &ns]);
    assert!(machine.json(&["targets", "--json"]).is_empty(), "nothing is left running");

    // A part of the state that it can hold it may have.
    let part =
        machine.run(&["plan", &dump, &slices, "--before", "end", "--mongod", &old, "--ns", "shop.orders"]);
    assert_eq!(part.code, 0, "{}", part.err);
    assert!(part.out.contains("older 5.0.9"), "{}", part.out);
    let able = machine.run(&["plan", &dump, &slices, "--before", "end", "--json"]);
    let value: serde_json::Value = serde_json::from_str(&able.out).unwrap();
    assert!(able.code == 0 && value["refused"].is_null(), "{}", able.err);
}

#[test]
fn a_server_that_is_kept_back_is_refused_and_left_alone() {
    let machine = Machine::new();
    let fixture = fixture("v60");
    let (dump, slices) =
        (fixture.join("dump-dir").display().to_string(), fixture.join("oplog").display().to_string());
    let target = Server::standalone();
    target.run("admin", doc! { "setFeatureCompatibilityVersion": "5.0" });
    for command in [&["plan"][..], &["restore", "--yes"]] {
        let args = [&dump, &slices, "--before", "end", "--target", target.uri()];
        let ran = machine.run(&[command, &args].concat());
        refused(&ran, &["clusteredIndex", "compatibility version is 5.0"]);
    }
    let names = block_on(target.client().list_database_names().into_future()).unwrap();
    assert_eq!(names, ["admin", "config", "local"]);
}
