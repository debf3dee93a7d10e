//! What bad input gets: the right exit code, a sentence that names the place and the next step,
//! and nothing left behind that looks finished.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::fs;
use std::path::Path;

use common::cli::{Machine, Ran};
use common::fixtures::fixture;
use common::truth::Truth;

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// The error has this code, says all of these, and has a next step.
#[track_caller]
fn refused(ran: &Ran, code: i32, says: &[&str]) {
    assert_eq!(ran.code, code, "{}", ran.err);
    for text in says {
        assert!(ran.err.contains(text), "no {text:?} in: {}", ran.err);
    }
    assert!(ran.err.contains("hint: "), "no next step in: {}", ran.err);
    assert!(!ran.err.contains("panicked"), "{}", ran.err);
    assert!(ran.out.is_empty(), "{}", ran.out);
}

#[test]
fn sources_that_are_none() {
    let machine = Machine::new();
    let place = tempfile::tempdir().unwrap();
    let path = |name: &str| place.path().join(name);
    let run = |path: &Path| machine.run(&["snapshots", path.to_str().unwrap()]);

    refused(&run(&path("nowhere")), 1, &["nowhere"]);
    fs::write(path("text"), "this is no backup").unwrap();
    refused(&run(&path("text")), 2, &["text", "dump directory"]);
    fs::create_dir(path("empty")).unwrap();
    refused(&run(&path("empty")), 2, &["empty"]);
    // Not readable, for root either: a part of the path is no folder.
    refused(&run(&path("text/inside")), 1, &["text/inside"]);
}

#[test]
fn damaged_files_are_named_with_their_offset() {
    let machine = Machine::new();
    let fixture = fixture("v60");
    let place = tempfile::tempdir().unwrap();

    let dump = place.path().join("dump");
    copy(&fixture.join("dump-dir"), &dump);
    let orders = dump.join("shop/orders.bson");
    let bytes = fs::read(&orders).unwrap();
    fs::write(&orders, &bytes[..bytes.len() - 10]).unwrap();
    let ran = machine.run(&["snapshots", dump.to_str().unwrap()]);
    refused(&ran, 1, &["orders.bson", "byte"]);

    let slices = place.path().join("oplog");
    copy(&fixture.join("oplog"), &slices);
    let slice = slices.join("0003/local/oplog.rs.bson");
    let bytes = fs::read(&slice).unwrap();
    fs::write(&slice, &bytes[..bytes.len() - 10]).unwrap();
    let ran = machine.run(&["snapshots", slices.to_str().unwrap()]);
    refused(&ran, 1, &["oplog.rs.bson", "byte"]);
}

#[test]
fn another_history_is_refused() {
    let machine = Machine::new();
    let place = tempfile::tempdir().unwrap();
    let slice = fixture("v60").join("oplog/0004/local/oplog.rs.bson");
    let mut bytes = fs::read(&slice).unwrap();
    // Flip one bit in the body of the middle of the slice: same positions, other bytes.
    let half = bytes.len() / 2;
    let at = half + bytes[half..].windows(5).position(|w| w == b"wall\0").unwrap() + 5;
    bytes[at] ^= 1;
    let other = place.path().join("other.bson");
    fs::write(&other, bytes).unwrap();
    let ran = machine.run(&["snapshots", slice.to_str().unwrap(), other.to_str().unwrap()]);
    refused(&ran, 4, &["other.bson", "179523"]);
}

#[test]
fn stops_that_are_none() {
    let machine = Machine::new();
    let fixture = fixture("v60");
    let (dump, slices) =
        (fixture.join("dump-dir").display().to_string(), fixture.join("oplog").display().to_string());
    let plan = |stop: &[&str]| machine.run(&[&["plan", &dump, &slices], stop].concat());
    let truth = Truth::read(&fixture);

    refused(&plan(&["--before", "1795236277:600"]), 4, &["1795236277:600", "--before 1795236277:648"]);
    let end = truth.slices.last().unwrap().through;
    refused(&plan(&["--before", "1795236299:1"]), 4, &[&format!("--before {}", end.next())]);
    refused(&plan(&["--before", "2026-11-21T04:44:30Z"]), 4, &["valid stop"]);
    for wrong in ["yesterday", "12:30", "17952362777:1", "1795236277"] {
        assert_eq!(plan(&["--before", wrong]).code, 2, "{wrong}");
    }
    assert_eq!(plan(&[]).code, 2, "no stop at all");
    // Half a second says nothing about the order of operations.
    assert_eq!(plan(&["--before", "2026-11-21T04:44:40.5Z"]).code, 2);
    let unknown = plan(&["--before", "end", "--snapshot", "nothing"]);
    refused(&unknown, 2, &["nothing", "dump-dir"]);
}

#[test]
fn a_gap_is_named_with_both_edges_and_nothing_is_restored_across_it() {
    let machine = Machine::new();
    let fixture = fixture("v60");
    let truth = Truth::read(&fixture);
    let place = tempfile::tempdir().unwrap();
    let slices = place.path().join("oplog");
    copy(&fixture.join("oplog"), &slices);
    fs::remove_dir_all(slices.join("0003")).unwrap();
    let (dump, slices) = (fixture.join("dump-dir").display().to_string(), slices.display().to_string());
    let (after, before) = (truth.slices[1].through.to_string(), truth.slices[3].from.to_string());

    let lines = machine.json(&["snapshots", &dump, &slices, "--json"]);
    let gaps: Vec<_> = lines.iter().filter(|l| l["kind"] == "gap").collect();
    assert_eq!(gaps.len(), 1);
    assert_eq!(
        (gaps[0]["after"]["pos"].as_str(), gaps[0]["before"]["pos"].as_str()),
        (Some(&*after), Some(&*before))
    );

    let target = place.path().join("state");
    let first = truth.incidents["bulk delete"].first.to_string();
    let to = format!("dump:{}", target.display());
    let ran = machine.run(&["restore", &dump, &slices, "--before", &first, "--yes", "--target", &to]);
    refused(&ran, 4, &[&after, &before]);
    let left: Vec<_> = fs::read_dir(place.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["oplog"], "nothing is left behind");

    // Before the gap everything is exact as ever.
    let near = format!("--before={}", truth.slices[1].through.next());
    assert_eq!(machine.run(&["plan", &dump, &slices, &near]).code, 0);
}

#[test]
fn targets_that_cannot_be() {
    let machine = Machine::new();
    let fixture = fixture("v60");
    let (dump, slices) =
        (fixture.join("dump-dir").display().to_string(), fixture.join("oplog").display().to_string());
    let restore = |more: &[&str]| {
        machine.run(&[&["restore", &dump, &slices, "--before", "end", "--yes"], more].concat())
    };

    refused(&restore(&["--target", "somewhere"]), 2, &["somewhere", "isolated"]);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    refused(&restore(&["--port", &port]), 1, &[&port]);
    refused(&restore(&["--mongod", "/nowhere/mongod"]), 1, &["/nowhere/mongod"]);
    let mut without = machine.command(&["restore", &dump, &slices, "--before", "end", "--yes"]);
    without.env_remove("PITSTOP_MONGOD").env("PATH", "/nowhere");
    refused(&Ran::of(without.output().unwrap()), 1, &["mongod", "dump:DIR"]);
    // A password never comes back out.
    let secret =
        restore(&["--target", "mongodb://user:s3cr3tword@127.0.0.1:1/?serverSelectionTimeoutMS=300"]);
    refused(&secret, 1, &["127.0.0.1:1"]);
    assert!(!secret.err.contains("s3cr3tword"));
    assert!(machine.json(&["targets", "--json"]).is_empty(), "nothing was left running");
}

#[test]
fn without_a_yes_nothing_starts() {
    let machine = Machine::new();
    let fixture = fixture("v60");
    let (dump, slices) =
        (fixture.join("dump-dir").display().to_string(), fixture.join("oplog").display().to_string());
    let ran = machine.run(&["restore", &dump, &slices, "--before", "end"]);
    refused(&ran, 5, &["--yes"]);
    assert!(machine.json(&["targets", "--json"]).is_empty());
}
