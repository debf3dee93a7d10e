//! What is secured is what the server has, and what is missing is told.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use bson::{Document, doc};
use pitstop::domain::Class;
use pitstop::domain::progress::Meter;
use pitstop::domain::{Namespace, Position};
use pitstop::engine::output::State;
use pitstop::ops::Workspace;
use pitstop::ops::walk::{WalkOptions, walk};

use super::kit::*;
use crate::common::server::{Server, block_on, connect};

/// The orders in the state before this position.
fn orders_before(workspace: &Workspace, bound: Position) -> Vec<Vec<u8>> {
    let walked =
        walk(workspace, &workspace.snapshots[0], bound, &WalkOptions::default(), &Meter::default()).unwrap();
    let at = walked.state.position(&Namespace::new("shop", "orders")).unwrap();
    let mut found = Vec::new();
    for chunk in 0..walked.state.chunks(at) {
        let mut sink = |doc: &[u8]| {
            found.push(doc.to_vec());
            Ok(())
        };
        walked.state.emit(at, chunk, &mut sink).unwrap();
    }
    found.sort_by_key(|d| bson::deserialize_from_slice::<Document>(d).unwrap().get_i32("_id").unwrap());
    found
}

fn delete_all(client: &mongodb::Client) {
    let orders = client.database("shop").collection::<Document>("orders");
    block_on(orders.delete_many(doc! {}).into_future()).unwrap();
}

#[test]
fn a_dump_and_a_live_set_give_the_state_before_the_damage_also_when_the_set_is_gone() {
    let (server, client) = shop(&[]);
    let home = Home::new();
    dump(&client, &home.path("dump"));
    insert(&client, 100, 150, 10);
    let (good, before) = (orders(&client), newest(&client));
    assert_eq!(good.len(), 150);
    delete_all(&client);

    let dumped = home.path("dump").display().to_string();
    let uri = server.uri().to_owned();
    let first = open(&home, &[&dumped, &uri]).unwrap();
    assert_eq!(first.gaps(), [], "{:?}", first.notes);
    let here: Vec<Vec<u8>> = oplog_of(&client).iter().map(|d| d.as_bytes().to_vec()).collect();
    let there = entries_of(&first);
    // The server goes on writing no-ops of its own.
    assert!(there.len() >= 250 && there == here[..there.len()], "{} of {}", there.len(), here.len());
    assert_eq!(orders_before(&first, before.next()), good);
    assert_eq!(orders_before(&first, first.last().next()).len(), 0);
    assert_eq!(first.windows.len(), 1);
    assert!(first.windows[0].ring.is_some_and(|r| r.limit == 200 << 20 && r.bytes > 0));
    drop(first);

    // Again: only what is new comes, and joins.
    insert(&client, 200, 230, 10);
    let second = open(&home, &[&dumped, &uri]).unwrap();
    assert_eq!((second.segments().len(), second.gaps().len()), (1, 0));
    assert_eq!(orders_before(&second, second.last().next()).len(), 30);
    let (folder, last) = (second.paths[1].clone(), second.last());
    drop(second);

    drop((client, server));
    let offline = format!("{uri}&serverSelectionTimeoutMS=300");
    let gone = open(&home, &[&dumped, &offline]).unwrap();
    assert!(gone.notes.iter().any(|n| n.contains("cannot be reached")), "{:?}", gone.notes);
    assert_eq!(gone.last(), last);
    assert_eq!(orders_before(&gone, before.next()), good);
    // A worker gets the folder in the place of the address.
    let by_path = open(&home, &[&dumped, folder.to_str().unwrap()]).unwrap();
    assert_eq!(entries_of(&by_path), entries_of(&gone));
    // Where nothing was secured, the set that is gone is an error.
    let error = open(&Home::new(), &[&offline]).err().unwrap();
    assert_eq!(error.class, Class::Failed);
    assert!(error.hint.contains("directConnection"), "{error}");
}

#[test]
fn a_restore_works_from_what_was_secured_and_its_job_knows_no_address() {
    let (server, client) = shop(&[]);
    let home = Home::new();
    dump(&client, &home.path("dump"));
    insert(&client, 100, 150, 10);
    let (good, before) = (orders(&client), newest(&client));
    delete_all(&client);
    let output = Command::new(env!("CARGO_BIN_EXE_pitstop"))
        .arg("restore")
        .args([home.path("dump").as_os_str(), server.uri().as_ref()])
        .args(["--after", &before.to_string(), "--yes", "--target"])
        .arg(format!("dump:{}", home.path("out").display()))
        .args(["--case".as_ref(), home.path("case").as_os_str()])
        .env("XDG_STATE_HOME", home.path("state"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(restored_orders(&home.path("out")), good);
    let restores: Vec<_> = fs::read_dir(home.path("case/restores")).unwrap().collect();
    let job = fs::read_to_string(restores[0].as_ref().unwrap().path().join("job.json")).unwrap();
    assert!(!job.contains("mongodb://") && job.contains("/live/pit0"), "{job}");
}

#[test]
fn a_diff_and_a_restore_work_when_the_set_is_gone() {
    let (server, client) = shop(&[]);
    let home = Home::new();
    dump(&client, &home.path("dump"));
    insert(&client, 100, 150, 10);
    let (good, before) = (orders(&client), newest(&client).to_string());
    delete_all(&client);
    let machine = crate::common::cli::Machine::new();
    let dumped = home.path("dump").display().to_string();
    let uri = format!("{}&serverSelectionTimeoutMS=500", server.uri());
    assert_eq!(machine.run(&["snapshots", &dumped, &uri]).code, 0);
    drop((client, server));

    let lines = machine.json(&["diff", &dumped, &uri, "--after", &before, "--json"]);
    let orders = lines.iter().find(|l| l["kind"] == "namespace" && l["ns"] == "shop.orders").unwrap();
    assert_eq!(orders["comes_back"], 150, "{orders}");
    let suspects = machine.json(&["suspects", &dumped, &uri, "--json"]);
    assert!(suspects.iter().any(|s| s["documents"] == 150), "{suspects:?}");
    let out = home.path("out").display().to_string();
    let ran = machine.run(&[
        "restore",
        &dumped,
        &uri,
        "--after",
        &before,
        "--yes",
        "--target",
        &format!("dump:{out}"),
    ]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.err.contains("cannot be reached"), "{}", ran.err);
    assert_eq!(restored_orders(&home.path("out")), good);
}

/// The orders of a dump, sorted, as bytes.
pub fn restored_orders(dump: &Path) -> Vec<Vec<u8>> {
    let mut found = split(&fs::read(dump.join("shop/orders.bson")).unwrap());
    found.sort_by_key(|d| bson::deserialize_from_slice::<Document>(d).unwrap().get_i32("_id").unwrap());
    found
}

#[test]
fn the_source_sees_reads_only() {
    let (server, client) = shop(&[]);
    let before: BTreeSet<Vec<u8>> = oplog_of(&client).iter().map(|d| d.as_bytes().to_vec()).collect();
    let names = block_on(client.list_database_names().into_future()).unwrap();
    let home = Home::new();
    for _ in 0..3 {
        open(&home, &[server.uri()]).unwrap();
    }
    // Following, archiving and looking too.
    let workspace = open(&home, &[server.uri()]).unwrap();
    let follower = super::following::Follower::of(&workspace);
    insert(&client, 900, 901, 10);
    let written = oplog_of(&client).last().unwrap().as_bytes().to_vec();
    let last = newest(&client);
    until("it is followed", || follower.reached(last));
    follower.end().unwrap();
    let machine = crate::common::cli::Machine::new();
    let archive = home.path("archive").display().to_string();
    assert_eq!(machine.run(&["archive", server.uri(), &archive, "--once"]).code, 0);
    assert!(machine.run(&["doctor", server.uri()]).out.contains("oplog window"));
    // Sessions are written out on a timer; here at once.
    server.run("admin", doc! { "refreshLogicalSessionCacheNow": 1 });
    let ours: Vec<String> = oplog_of(&client)
        .iter()
        .filter(|d| !before.contains(d.as_bytes()) && d.as_bytes() != written)
        .filter(|d| d.get_str("op").unwrap() != "n" && !d.get_str("ns").unwrap().starts_with("config."))
        .map(|d| format!("{d:?}"))
        .collect();
    assert_eq!(ours, Vec::<String>::new());
    assert_eq!(block_on(client.list_database_names().into_future()).unwrap(), names);
}

#[test]
fn what_was_overwritten_before_it_was_secured_is_a_gap_with_both_edges() {
    let (server, client) = shop(&["--oplogSize", "16", "--syncdelay", "1"]);
    let home = Home::new();
    let first = open(&home, &[server.uri()]).unwrap();
    let after = first.last();
    let kept = entries_of(&first);
    drop(first);
    let oldest = || position(&oplog_of(&client)[0]);
    let (mut next, begun) = (1000, Instant::now());
    while oldest() <= after {
        assert!(begun.elapsed() < Duration::from_secs(120), "the oplog does not roll over");
        insert(&client, next, next + 2000, 1000);
        next += 2000;
        // Overwriting waits for a checkpoint.
        std::thread::sleep(Duration::from_millis(300));
    }
    let second = open(&home, &[server.uri()]).unwrap();
    let [gap] = second.gaps() else { panic!("{:?} {:?}", second.gaps(), second.notes) };
    assert_eq!(gap.after, after);
    assert!(gap.before > after);
    assert!(second.notes.iter().any(|n| n.contains("rolled over") && n.contains(&after.to_string())));
    // What was secured before it is still there, and what is behind it is what the server has.
    let all = entries_of(&second);
    assert_eq!(all[..kept.len()], kept);
    let here: Vec<Vec<u8>> = oplog_of(&client).iter().map(|d| d.as_bytes().to_vec()).collect();
    assert!(here.ends_with(&all[all.len() - 1000..]), "the newest are not the server's");
    drop(second);
    // The gap stays the only one.
    assert_eq!(open(&home, &[server.uri()]).unwrap().gaps().len(), 1);
}

#[test]
fn another_history_at_the_same_place_is_refused() {
    let (server, client) = shop(&[]);
    let home = Home::new();
    let folder = open(&home, &[server.uri()]).unwrap().paths[0].clone();
    // As after a rollback: the newest entry on disk is not the one the set has now.
    let slice = fs::read_dir(&folder).unwrap().map(|e| e.unwrap().path()).max().unwrap();
    let mut entries = split(&fs::read(&slice).unwrap());
    // Whatever the newest is, its term and its position still read: only its date is another.
    let newest = entries.last_mut().unwrap();
    let mut entry: Document = bson::deserialize_from_slice(newest).unwrap();
    let wall = entry.get_datetime("wall").unwrap().timestamp_millis();
    entry.insert("wall", bson::DateTime::from_millis(wall + 1));
    *newest = bson::serialize_to_vec(&entry).unwrap();
    fs::write(&slice, entries.concat()).unwrap();
    insert(&client, 500, 510, 10);
    let error = open(&home, &[server.uri()]).err().unwrap();
    assert_eq!(error.class, Class::Inexact, "{error}");
    assert!(error.hint.contains("rollback"), "{error}");

    // An entry that the set does not have at all.
    let home = Home::new();
    let opened = open(&home, &[server.uri()]).unwrap();
    let (folder, last) = (opened.paths[0].clone(), opened.last());
    drop(opened);
    let stray = doc! {
        "op": "n", "ns": "", "o": { "msg": "lost" }, "ts": bson::Timestamp { time: last.secs, increment: last.inc + 1 },
        "t": 1i64, "v": 2i64,
    };
    let slice = fs::read_dir(&folder).unwrap().map(|e| e.unwrap().path()).max().unwrap();
    let mut bytes = fs::read(&slice).unwrap();
    bytes.extend(bson::serialize_to_vec(&stray).unwrap());
    fs::write(&slice, &bytes).unwrap();
    std::thread::sleep(Duration::from_millis(1100));
    insert(&client, 600, 610, 10);
    let error = open(&home, &[server.uri()]).err().unwrap();
    assert_eq!(error.class, Class::Inexact, "{error}");
    assert!(error.cause.contains("is not in it"), "{error}");
}

#[test]
fn what_a_killed_writer_left_is_used_up_to_its_last_whole_entry() {
    let (server, client) = shop(&[]);
    let home = Home::new();
    let folder = open(&home, &[server.uri()]).unwrap().paths[0].clone();
    insert(&client, 500, 600, 10);
    let slice = fs::read_dir(&folder).unwrap().map(|e| e.unwrap().path()).max().unwrap();
    let last = bson::RawDocument::from_bytes(fs::read(&slice).unwrap().as_slice()).err().is_some();
    assert!(last, "a slice holds more than one entry");
    let newer: Vec<u8> =
        oplog_of(&client).iter().rev().take(20).rev().flat_map(|d| d.as_bytes().to_vec()).collect();
    fs::write(folder.join(".pitstop-part-newest"), &newer[..newer.len() - 7]).unwrap();
    fs::write(folder.join(".pitstop-part-oldest"), b"\x07\x00").unwrap();
    let again = open(&home, &[server.uri()]).unwrap();
    assert_eq!(again.segments().len(), 1);
    let here: Vec<Vec<u8>> = oplog_of(&client).iter().map(|d| d.as_bytes().to_vec()).collect();
    let there = entries_of(&again);
    assert_eq!(there, here[..there.len()]);
    let parts = fs::read_dir(&folder)
        .unwrap()
        .filter(|e| e.as_ref().unwrap().file_name().to_string_lossy().starts_with(".pitstop-part-"));
    assert_eq!(parts.count(), 0);
}

/// Starts the server of this directory again, on its port.
pub fn restart(server: &Server) -> std::process::Child {
    Command::new(crate::common::mongod::mongod())
        .args(["--bind_ip", "127.0.0.1", "--nounixsocket", "--replSet", "pit0"])
        .args(["--port", &server.port().to_string(), "--dbpath"])
        .arg(server.dbpath())
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

pub fn kill(pid: u32) {
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}

#[test]
fn a_server_that_was_killed_and_one_that_stepped_down_are_gone_on_from() {
    let (server, client) = shop(&[]);
    let home = Home::new();
    let first = entries_of(&open(&home, &[server.uri()]).unwrap());

    // A one-node set without a primary is still read, and a new term joins.
    let direct = connect(&format!("mongodb://127.0.0.1:{}/?directConnection=true", server.port()));
    let admin = direct.database("admin");
    let down = admin.run_command(doc! { "replSetStepDown": 2, "force": true });
    block_on(down.into_future()).unwrap();
    let without_primary = open(&home, &[server.uri()]).unwrap();
    assert_eq!(without_primary.gaps(), []);
    drop(without_primary);
    writable(&direct);
    insert(&client, 300, 310, 10);
    let second = open(&home, &[server.uri()]).unwrap();
    assert_eq!(second.segments().len(), 1);
    let segment = second.segments()[0];
    assert!(segment.last.term > segment.first.term, "{segment:?}");
    drop(second);

    kill(server.pid());
    let mut again = restart(&server);
    let begun = Instant::now();
    while std::net::TcpStream::connect(("127.0.0.1", server.port())).is_err() {
        assert!(begun.elapsed() < Duration::from_secs(60), "it does not start again");
        std::thread::sleep(Duration::from_millis(50));
    }
    // It is opened while it elects itself, and a member without a primary is read.
    let third = open(&home, &[server.uri()]).unwrap();
    assert!(!third.notes.iter().any(|n| n.contains("cannot be reached")), "{:?}", third.notes);
    assert_eq!(third.segments().len(), 1);
    assert!(entries_of(&third).starts_with(&first));
    kill(again.id());
    again.wait().unwrap();
}

pub fn writable(client: &mongodb::Client) {
    let begun = Instant::now();
    loop {
        let hello = block_on(client.database("admin").run_command(doc! { "hello": 1 }).into_future());
        if hello.is_ok_and(|h| h.get_bool("isWritablePrimary").unwrap_or(false)) {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn a_standalone_has_no_oplog_and_says_so() {
    let server = Server::standalone();
    let error = open(&Home::new(), &[server.uri()]).err().unwrap();
    assert_eq!(error.class, Class::Usage);
    assert!(error.cause.contains("no member of a replica set"), "{error}");
    assert!(Path::new(env!("CARGO_TARGET_TMPDIR")).is_dir());
}
