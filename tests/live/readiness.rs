//! `pitstop doctor`: fine is 0, and whatever is wrong is said and is 1.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use bson::doc;
use serde_json::Value;

use super::kit::*;

fn doctor(home: &Home, arguments: &[&str]) -> (i32, Vec<Value>) {
    let output = Command::new(env!("CARGO_BIN_EXE_pitstop"))
        .args(["doctor", "--json"])
        .args(arguments)
        .env("PITSTOP_MONGOD", crate::common::mongod::mongod())
        .env("XDG_STATE_HOME", home.path("state"))
        .env("XDG_CONFIG_HOME", home.path("config"))
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    (output.status.code().unwrap(), text.lines().map(|l| serde_json::from_str(l).unwrap()).collect())
}

fn wrong(checks: &[Value]) -> Vec<&str> {
    checks.iter().filter(|c| c["verdict"] == "wrong").map(|c| c["check"].as_str().unwrap()).collect()
}

#[test]
fn a_set_with_a_fresh_snapshot_is_fine_and_each_thing_that_is_not_is_named() {
    let (server, client) = shop(&[]);
    let home = Home::new();
    dump(&client, &home.path("dump"));
    let dumped = home.path("dump").display().to_string();
    let case = home.path("case").display().to_string();
    let uri = server.uri();
    let (code, checks) = doctor(&home, &[&dumped, uri, "--case", &case, "--criticality", "development"]);
    let names: Vec<&str> = checks.iter().map(|c| c["check"].as_str().unwrap()).collect();
    for name in [
        "configuration",
        "setting",
        "role",
        "clock",
        "snapshot",
        "chain",
        "restore",
        "mongod",
        "disk",
        "permissions",
    ] {
        assert!(names.contains(&name), "{name} of {names:?}");
    }
    // A set of a few seconds that has just loaded its data is told to be young, not wrong.
    assert_eq!((code, wrong(&checks)), (0, vec![]), "{checks:?}");
    let window = checks.iter().find(|c| c["check"] == "oplog window").unwrap();
    assert!(window["found"].as_str().unwrap().contains("filled to"), "{window}");

    // Without the set, nothing but the backup is judged, and that is fine.
    let (code, checks) = doctor(&home, &[&dumped, "--case", &case]);
    assert_eq!((code, wrong(&checks)), (0, vec![]), "{checks:?}");

    let (code, checks) = doctor(&home, &[uri]);
    assert_eq!(code, 1);
    assert!(wrong(&checks).contains(&"snapshot"), "{checks:?}");

    fs::set_permissions(home.path("case"), fs::Permissions::from_mode(0o755)).unwrap();
    let (code, checks) = doctor(&home, &[&dumped, "--case", &case]);
    assert_eq!(code, 1);
    assert!(wrong(&checks).contains(&"permissions"), "{checks:?}");
    fs::set_permissions(home.path("case"), fs::Permissions::from_mode(0o700)).unwrap();

    // A snapshot of long ago: of 2020.
    dump(&client, &home.path("old"));
    let entry = doc! {
        "ts": bson::Timestamp { time: 1_600_000_000, increment: 1 }, "t": 1i64, "v": 2,
        "op": "n", "ns": "", "o": { "msg": "periodic noop" },
    };
    fs::write(home.path("old/oplog.bson"), bson::serialize_to_vec(&entry).unwrap()).unwrap();
    let old = home.path("old").display().to_string();
    let (code, checks) = doctor(&home, &[&old]);
    assert_eq!((code, wrong(&checks)), (1, vec!["snapshot"]), "{checks:?}");
    // And nothing of what was written since is on disk or at the source.
    let (code, checks) = doctor(&home, &[&old, uri]);
    assert_eq!(code, 1);
    assert!(wrong(&checks).contains(&"chain"), "{checks:?}");

    let (code, checks) =
        doctor(&home, &["mongodb://u:s3cret@127.0.0.1:1/?serverSelectionTimeoutMS=200", &dumped]);
    assert_eq!(code, 1);
    assert!(wrong(&checks).contains(&"source"), "{checks:?}");
    assert!(!format!("{checks:?}").contains("s3cret"));
}
