//! Following: what is written comes, others can read along, and what becomes of the source is told.

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use bson::doc;
use pitstop::domain::progress::Meter;
use pitstop::domain::{Class, Error, Position};
use pitstop::ops::Workspace;
use pitstop::source::live::follow::{News, follow};

use super::kit::*;
use crate::common::server::{Server, block_on, connect};

/// A follower on a thread of its own, until it is dropped.
pub struct Follower {
    meter: Meter,
    pub news: Arc<Mutex<Vec<News>>>,
    thread: Option<std::thread::JoinHandle<Result<(), Box<Error>>>>,
}

impl Follower {
    pub fn of(workspace: &Workspace) -> Follower {
        let live = workspace.live[0].clone();
        let (meter, news) = (Meter::default(), Arc::new(Mutex::new(Vec::new())));
        let (own, into) = (meter.clone(), Arc::clone(&news));
        let run = move || {
            follow(&live.uri, &live.folder, &live.last, &own, &mut |news| into.lock().unwrap().push(news))
        };
        Follower { meter, news, thread: Some(std::thread::spawn(run)) }
    }

    pub fn reached(&self, pos: Position) -> bool {
        self.has(|news| matches!(news, News::Here(at) if *at >= pos))
    }

    pub fn has(&self, wanted: impl Fn(&News) -> bool) -> bool {
        self.news.lock().unwrap().iter().any(wanted)
    }

    pub fn is_over(&self) -> bool {
        self.thread.as_ref().is_none_or(|thread| thread.is_finished())
    }

    pub fn end(mut self) -> Result<(), Box<Error>> {
        self.meter.cancel();
        self.thread.take().unwrap().join().unwrap()
    }
}

pub fn bytes_of(client: &mongodb::Client) -> Vec<Vec<u8>> {
    oplog_of(client).iter().map(|d| d.as_bytes().to_vec()).collect()
}

fn folder(workspace: &Workspace) -> PathBuf {
    workspace.live[0].folder.clone()
}

#[test]
fn what_is_written_comes_and_the_workspace_grows_by_it() {
    let (server, client) = shop(&[]);
    let home = Home::new();
    let first = open(&home, &[server.uri()]).unwrap();
    let rows = first.index(&Meter::default()).unwrap().len();
    let follower = Follower::of(&first);
    let mut workspace = first;
    for round in 1..=3i32 {
        insert(&client, round * 1000, round * 1000 + 100, 10);
        let last = newest(&client);
        until("what was written is here", || follower.reached(last));
        workspace = workspace.grown(&Meter::default()).unwrap();
        assert!(workspace.last() >= last);
        let (there, here) = (entries_of(&workspace), bytes_of(&client));
        assert_eq!((there.len() > 200, workspace.gaps().len()), (true, 0));
        assert!(there == here[..there.len()], "round {round}");
        let index = workspace.index(&Meter::default()).unwrap();
        assert!(index.is_complete() && index.len() >= rows + 100 * round as u64);
    }
    // One slice that grows, not one for each look.
    let parts = fs::read_dir(folder(&workspace)).unwrap().count();
    assert!(parts <= 6, "{parts} files");

    // Another process sees the same, without waiting for the end of this one.
    let beside = open(&home, &[server.uri()]).unwrap();
    assert!(entries_of(&beside).starts_with(&entries_of(&workspace)));
    // So does one that reads the folder by its path, as a restore does.
    workspace.seal().unwrap();
    let by_path = open(&Home::new(), &[folder(&workspace).to_str().unwrap()]).unwrap();
    assert!(entries_of(&by_path).starts_with(&entries_of(&workspace)));

    follower.end().unwrap();
    let again = open(&home, &[server.uri()]).unwrap();
    assert_eq!((again.segments().len(), again.gaps().len()), (1, 0));
    assert!(entries_of(&again).starts_with(&entries_of(&workspace)));
    drop((client, server));
    let offline = format!("{}&serverSelectionTimeoutMS=300", beside.live[0].uri);
    assert!(entries_of(&open(&home, &[&offline]).unwrap()).starts_with(&entries_of(&workspace)));
}

#[test]
fn a_source_that_goes_and_comes_back_is_followed_on() {
    let (server, client) = shop(&[]);
    let home = Home::new();
    let uri = format!("{}&serverSelectionTimeoutMS=500", server.uri());
    let workspace = open(&home, &[&uri]).unwrap();
    let follower = Follower::of(&workspace);
    super::securing::kill(server.pid());
    until("the loss is told", || follower.has(|news| matches!(news, News::Lost(_))));
    let mut again = super::securing::restart(&server);
    until("it is back", || follower.has(|news| *news == News::Back));
    let direct = connect(&format!("mongodb://127.0.0.1:{}/?directConnection=true", server.port()));
    super::securing::writable(&direct);
    insert(&client, 5000, 5100, 10);
    let last = newest(&client);
    until("what was written since is here", || follower.reached(last));
    assert!(!follower.is_over());
    follower.end().unwrap();
    let after = open(&home, &[&uri]).unwrap();
    assert_eq!((after.segments().len(), after.gaps().len()), (1, 0));
    super::securing::kill(again.id());
    again.wait().unwrap();
}

#[test]
fn a_history_taken_back_ends_the_following_and_what_was_rolled_over_is_told() {
    // What is on disk is not in the oplog, which reaches back that far: a rollback.
    let (server, client) = shop(&[]);
    let home = Home::new();
    let workspace = open(&home, &[server.uri()]).unwrap();
    let last = workspace.last();
    let stray = doc! {
        "op": "n", "ns": "", "o": { "msg": "lost" }, "ts": bson::Timestamp { time: last.secs, increment: last.inc + 1 },
        "t": 1i64, "v": 2i64,
    };
    let mut live = workspace.live[0].clone();
    live.last = bson::serialize_to_vec(&stray).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(1100));
    insert(&client, 600, 610, 10);
    let told = follow(&live.uri, &live.folder, &live.last, &Meter::default(), &mut |_| {});
    let error = told.unwrap_err();
    assert_eq!(error.class, Class::Inexact);
    assert!(error.cause.contains("is not in it") && error.hint.contains("rollback"), "{error}");

    // One of 2020 is followed by a gap up to the oldest there is.
    let old = doc! {
        "op": "n", "ns": "", "o": { "msg": "old" }, "ts": bson::Timestamp { time: 1_600_000_000, increment: 1 },
        "t": 1i64, "v": 2i64,
    };
    live.last = bson::serialize_to_vec(&old).unwrap();
    let home = Home::new();
    live.folder = home.path("live");
    fs::create_dir(&live.folder).unwrap();
    let meter = Meter::default();
    let mut missed = Vec::new();
    let done = follow(&live.uri, &live.folder, &live.last, &meter, &mut |news| match news {
        News::Missed(said) => missed.push(said),
        News::Here(_) => meter.cancel(),
        _ => {}
    });
    assert!(done.is_ok());
    assert!(missed.len() == 1 && missed[0].contains("1600000000:1"), "{missed:?}");
}

#[test]
fn a_set_is_one_case_by_any_address_and_also_when_it_is_gone() {
    let (server, client) = shop(&[]);
    let machine = crate::common::cli::Machine::new();
    let by_set = format!("{}&serverSelectionTimeoutMS=1000", server.uri());
    let direct =
        format!("mongodb://localhost:{}/?directConnection=true&serverSelectionTimeoutMS=1000", server.port());
    let entries = |uri: &str| -> u64 {
        let lines = machine.json(&["snapshots", uri, "--json"]);
        lines.iter().filter(|l| l["kind"] == "segment").map(|l| l["entries"].as_u64().unwrap()).sum()
    };
    assert!(entries(&by_set) > 100);
    insert(&client, 500, 600, 10);
    let both = entries(&direct);
    assert!(both > 200);
    let cases = || fs::read_dir(machine.state().join("pitstop/cases")).unwrap().count();
    assert_eq!(cases(), 1, "one set, one case");
    let name =
        fs::read_dir(machine.state().join("pitstop/cases")).unwrap().next().unwrap().unwrap().file_name();
    assert!(name.to_string_lossy().starts_with("pit0-"), "{name:?}");
    drop((client, server));
    assert_eq!((entries(&by_set), entries(&direct)), (both, both), "both find what was secured");
    assert_eq!(cases(), 1);
}

/// Waits for a primary among these, and gives its address.
pub fn primary(nodes: &[&Server], but: Option<u16>) -> u16 {
    let mut found = None;
    until("a primary", || {
        found = nodes.iter().map(|n| n.port()).filter(|p| Some(*p) != but).find(|port| {
            let uri =
                format!("mongodb://127.0.0.1:{port}/?directConnection=true&serverSelectionTimeoutMS=500");
            let client = connect(&uri);
            let hello = client.database("admin");
            let hello = block_on(hello.run_command(doc! { "hello": 1 }).into_future());
            hello.is_ok_and(|h| h.get_bool("isWritablePrimary").unwrap_or(false))
        });
        found.is_some()
    });
    found.unwrap()
}
