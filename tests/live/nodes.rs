//! A set of three: which member is read, and an election while it is read. One test, because three
//! servers are a lot for a small machine.

use bson::{Document, doc};
use pitstop::domain::Class;
use pitstop::domain::progress::Meter;
use pitstop::ops::Workspace;

use super::following::{Follower, bytes_of, primary};
use super::kit::*;
use crate::common::server::{Kind, Server, block_on, command_on, connect};

const SMALL: [&str; 4] =
    ["--setParameter", "initialSyncTransientErrorRetryPeriodSeconds=60", "--oplogSize", "50"];

fn direct(port: u16) -> String {
    format!("mongodb://127.0.0.1:{port}/?directConnection=true")
}

/// Three members; the first is primary.
fn three() -> [Server; 3] {
    let nodes = [
        Server::start(Kind::ReplicaSet, &SMALL),
        Server::start(Kind::Member, &SMALL),
        Server::start(Kind::Member, &SMALL),
    ];
    let admin = connect(&direct(nodes[0].port()));
    let answer = command_on(&admin, "admin", doc! { "replSetGetConfig": 1 });
    let mut config = answer.get_document("config").unwrap().clone();
    let members: Vec<Document> = nodes
        .iter()
        .enumerate()
        .map(|(n, node)| doc! { "_id": n as i32, "host": format!("127.0.0.1:{}", node.port()) })
        .collect();
    config.insert("members", members);
    config.insert("version", config.get_i32("version").unwrap() + 1);
    command_on(&admin, "admin", doc! { "replSetReconfig": config, "force": true });
    until("all three are members", || {
        let status = command_on(&admin, "admin", doc! { "replSetGetStatus": 1 });
        let states = status.get_array("members").unwrap().iter();
        let state = |m: &bson::Bson| m.as_document().unwrap().get_i32("state").unwrap();
        let mut states: Vec<i32> = states.map(state).collect();
        states.sort_unstable();
        states == [1, 2, 2]
    });
    nodes
}

/// Written to a majority: no election takes it back.
fn insert_for_good(port: u16, from: i32, to: i32) {
    let client = connect(&direct(port));
    let docs: Vec<Document> = (from..to).map(|n| doc! { "_id": n, "text": "x" }).collect();
    let insert = doc! { "insert": "orders", "documents": docs, "writeConcern": { "w": "majority", "wtimeout": 60_000 } };
    let done = command_on(&client, "shop", insert);
    assert_eq!(done.get("writeErrors"), None, "{done}");
}

#[test]
fn a_secondary_is_read_and_elections_and_a_rollback_are_what_they_are() {
    let nodes = three();
    let all: Vec<&Server> = nodes.iter().collect();
    let hosts: Vec<String> = nodes.iter().map(|n| format!("127.0.0.1:{}", n.port())).collect();
    let by_set = format!("mongodb://{}/?replicaSet=pit0&serverSelectionTimeoutMS=5000", hosts.join(","));
    let first = primary(&all, None);
    insert_for_good(first, 0, 100);

    // A secondary, if it may be one; the member named, if only that one is.
    let identity = |uri: &str| pitstop::source::live::look::identify(uri).unwrap();
    assert_ne!(identity(&by_set).member, format!("127.0.0.1:{first}"));
    assert_eq!(identity(&direct(first)).member, format!("127.0.0.1:{first}"));
    let named = format!("{by_set}&readPreference=primary");
    assert_eq!(identity(&named).member, format!("127.0.0.1:{first}"));
    assert!(nodes.iter().all(|n| identity(&direct(n.port())).id == identity(&by_set).id));

    // An election while it is followed.
    let home = Home::new();
    let opened = open(&home, &[&by_set]).unwrap();
    let follower = Follower::of(&opened);
    let down = connect(&direct(first));
    let down = down.database("admin");
    let down = down.run_command(doc! { "replSetStepDown": 30, "secondaryCatchUpPeriodSecs": 10 });
    // The connection may be closed by it.
    let _ = block_on(down.into_future());
    let second = primary(&all, Some(first));
    insert_for_good(second, 1000, 1100);
    let last = newest(&connect(&direct(second)));
    until("what the new primary wrote is here", || follower.reached(last));
    assert!(!follower.is_over(), "{:?}", follower.news.lock().unwrap());
    let grown = opened.grown(&Meter::default()).unwrap();
    assert_eq!((grown.segments().len(), grown.gaps().len()), (1, 0));
    let segment = grown.segments()[0];
    assert!(segment.last.term > segment.first.term, "{segment:?}");
    let (there, here) = (entries_of(&grown), bytes_of(&connect(&direct(second))));
    let begin = here.iter().position(|entry| *entry == there[0]).unwrap();
    assert!(there == here[begin..begin + there.len()], "not the oplog of the set");
    follower.end().unwrap();

    rollback(&all, &home, second);
}

/// The primary is cut off with writes that nobody else has, these are secured, and the others go
/// on without it.
fn rollback(all: &[&Server], home: &Home, cut_off: u16) {
    let others: Vec<&Server> = all.iter().copied().filter(|n| n.port() != cut_off).collect();
    let lonely = connect(&direct(cut_off));
    for node in &others {
        fetching(node, "alwaysOn");
    }
    let stray = doc! {
        "insert": "orders", "documents": [{ "_id": "nobody else has this" }], "writeConcern": { "w": 1 },
    };
    command_on(&lonely, "shop", stray);
    let taken_back = newest(&lonely);
    let opened: Workspace = open(home, &[&direct(cut_off)]).unwrap();
    assert!(opened.last() >= taken_back);
    let alone = all.iter().find(|n| n.port() == cut_off).unwrap();
    super::securing::kill(alone.pid());
    for node in &others {
        fetching(node, "off");
    }
    let third = primary(&others, None);
    insert_for_good(third, 2000, 2010);
    let error = open(home, &[&format!("{}&serverSelectionTimeoutMS=5000", direct(third))]).err();
    let error = error.expect("what was taken back is on disk and not in the set");
    assert_eq!(error.class, Class::Inexact, "{error}");
    assert!(error.hint.contains("rollback"), "{error}");
}

/// Holds a member back from fetching what the primary writes, or lets it go on.
fn fetching(node: &Server, mode: &str) {
    let client = connect(&direct(node.port()));
    let set = doc! { "configureFailPoint": "stopReplProducer", "mode": mode };
    let before = command_on(&client, "admin", set);
    if mode != "off" {
        let entered =
            before.get("count").map_or(0, |n| n.as_i32().map_or_else(|| n.as_i64().unwrap(), i64::from));
        let wait = doc! {
            "waitForFailPoint": "stopReplProducer", "timesEntered": entered + 1, "maxTimeMS": 60_000,
        };
        command_on(&client, "admin", wait);
    }
}
