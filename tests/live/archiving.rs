//! `pitstop archive`, as a process: what it reported as written is there, whatever kills it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::kit::*;
use crate::common::server::Server;

fn archiver(uri: &str, dir: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pitstop"));
    command.arg("archive").arg(uri).arg(dir).args(more);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn once(server: &Server, dir: &Path, more: &[&str]) -> (i32, String) {
    let output = archiver(server.uri(), dir, more).arg("--once").output().unwrap();
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.code().unwrap(), said)
}

/// Starts one; its JSON lines are collected as they come.
fn start(server: &Server, dir: &Path, more: &[&str]) -> (Child, Arc<Mutex<Vec<Value>>>) {
    let mut child = archiver(server.uri(), dir, &["--json"]).args(more).spawn().unwrap();
    let lines = Arc::new(Mutex::new(Vec::new()));
    let (into, out) = (Arc::clone(&lines), child.stdout.take().unwrap());
    std::thread::spawn(move || {
        for line in BufReader::new(out).lines() {
            // The last line of a process that is killed may be cut off: then it was not reported.
            let Ok(Ok(value)) = line.map(|l| serde_json::from_str::<Value>(&l)) else { return };
            into.lock().unwrap().push(value);
        }
    });
    (child, lines)
}

fn slices(lines: &[Value]) -> Vec<Value> {
    lines.iter().filter(|v| v["kind"] == "slice").cloned().collect()
}

fn manifest(dir: &Path) -> Vec<Value> {
    let text = fs::read_to_string(dir.join("manifest.ndjson")).unwrap();
    text.lines().map(|l| serde_json::from_str(l).unwrap()).collect()
}

fn as_source(home: &Home, dir: &Path) -> (Vec<Vec<u8>>, usize, Vec<String>) {
    let workspace = open(home, &[dir.to_str().unwrap()]).unwrap();
    (entries_of(&workspace), workspace.gaps().len(), workspace.notes.clone())
}

fn bytes_of(server: &Server) -> Vec<Vec<u8>> {
    oplog_of(&server.client()).iter().map(|d| d.as_bytes().to_vec()).collect()
}

#[test]
fn once_and_once_more_give_slices_that_join() {
    let (server, client) = shop(&[]);
    let home = Home::new();
    let dir = home.path("archive");
    assert_eq!(once(&server, &dir, &["--slice-bytes", "5000"]).0, 0);
    insert(&client, 200, 300, 10);
    let (code, said) = once(&server, &dir, &["--json"]);
    assert_eq!(code, 0, "{said}");
    let last: Value = serde_json::from_str(said.lines().last().unwrap()).unwrap();
    assert_eq!((last["kind"].as_str(), last["gaps"].as_u64()), (Some("archived"), Some(0)));
    assert!(last["entries"].as_u64().unwrap() > 100);

    let (there, gaps, notes) = as_source(&home, &dir);
    let here = bytes_of(&server);
    assert_eq!((gaps, notes), (0, vec![]));
    assert!(there.len() > 200 && there == here[..there.len()]);
    let written = manifest(&dir);
    assert!(written.len() > 4, "{written:?}");
    for pair in written.windows(2) {
        assert_eq!(pair[0]["last"], pair[1]["first"], "they share an entry");
    }
    for slice in &written {
        let bytes = fs::read(dir.join(slice["file"].as_str().unwrap())).unwrap();
        assert_eq!(slice["checksum"], format!("{:032x}", xxhash_rust::xxh3::xxh3_128(&bytes)));
        let plain = zstd::decode_all(bytes.as_slice()).unwrap();
        assert_eq!(slice["bytes"].as_u64().unwrap(), plain.len() as u64);
    }

    // Bounded on request: the oldest go, the rest still joins.
    let (code, said) = once(&server, &dir, &["--keep-bytes", "3000"]);
    assert_eq!(code, 0, "{said}");
    let kept = manifest(&dir);
    assert!(!kept.is_empty() && kept.len() < written.len());
    let (shorter, gaps, _) = as_source(&Home::new(), &dir);
    assert_eq!(gaps, 0);
    assert!(shorter.len() < there.len() && here.ends_with(&shorter) || bytes_of(&server).ends_with(&shorter));
}

#[test]
fn old_slices_go_on_request_and_never_the_newest() {
    let (server, client) = shop(&[]);
    let home = Home::new();
    let dir = home.path("archive");
    assert_eq!(once(&server, &dir, &["--slice-bytes", "3000"]).0, 0);
    let before = manifest(&dir);
    assert!(before.len() > 3, "{before:?}");
    // A day is not over yet.
    assert_eq!(once(&server, &dir, &["--keep-days", "1"]).0, 0);
    assert!(manifest(&dir).len() >= before.len());
    // None of today either: all that ended a second ago goes, but the newest.
    std::thread::sleep(Duration::from_millis(1500));
    insert(&client, 500, 510, 10);
    let (code, said) = once(&server, &dir, &["--keep-days", "0"]);
    assert_eq!(code, 0, "{said}");
    let kept = manifest(&dir);
    assert!(kept.len() < 3 && !kept.is_empty(), "{kept:?}");
    let files = fs::read_dir(&dir)
        .unwrap()
        .filter(|e| e.as_ref().unwrap().file_name().to_string_lossy().ends_with(".bson.zst"));
    assert_eq!(files.count(), kept.len());
    assert_eq!(as_source(&home, &dir).1, 0);
    assert_eq!(once(&server, &dir, &[]).0, 0, "it goes on from the newest");
}

#[test]
fn killed_twenty_times_it_has_lost_nothing_that_it_reported() {
    let (server, client) = shop(&[]);
    let home = Home::new();
    dump(&client, &home.path("dump"));
    let dir = home.path("archive");
    let stop = AtomicBool::new(false);
    let mut reported: Vec<Value> = Vec::new();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let client = server.client();
            let mut next = 1000;
            while !stop.load(Ordering::Relaxed) {
                insert(&client, next, next + 50, 200);
                next += 50;
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        let mut seed = 0x9e37_79b9_u64;
        for round in 0..20 {
            let (mut child, lines) =
                start(&server, &dir, &["--slice-seconds", "0", "--slice-bytes", "20000"]);
            // In the middle of whatever it does, once it has begun.
            let begun = Instant::now();
            while lines.lock().unwrap().is_empty() {
                assert!(begun.elapsed() < Duration::from_secs(60), "round {round}: it does not begin");
                std::thread::sleep(Duration::from_millis(2));
            }
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            std::thread::sleep(Duration::from_millis((seed >> 33) % 250));
            child.kill().unwrap();
            child.wait().unwrap();
            reported.extend(slices(&lines.lock().unwrap()));
            for slice in &reported {
                assert!(dir.join(slice["file"].as_str().unwrap()).is_file(), "round {round}: {slice}");
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert!(reported.len() > 20, "only {} slices were written in twenty rounds", reported.len());
    // What a majority has lags a little behind what was written.
    let last = newest(&client);
    until("everything is archived", || {
        let (code, said) = once(&server, &dir, &[]);
        assert_eq!(code, 0, "{said}");
        let written = manifest(&dir);
        let at = written.last().unwrap()["last"]["pos"].as_str().unwrap();
        at.parse::<pitstop::domain::Position>().unwrap() >= last
    });
    let (there, gaps, notes) = as_source(&home, &dir);
    let here = bytes_of(&server);
    assert_eq!((gaps, notes), (0, vec![]));
    assert!(there == here[..there.len()], "the archive is not the server's oplog");
    assert!(here.len() - there.len() < 20, "{} of {}", there.len(), here.len());
    let known = manifest(&dir);
    for slice in reported {
        assert!(known.iter().any(|k| k["file"] == slice["file"] && k["checksum"] == slice["checksum"]));
    }
    // And they restore to what the server has: nothing was written since but its own noops.
    let (dumped, kept) = (home.path("dump"), dir.display().to_string());
    let target = format!("dump:{}", home.path("out").display());
    let machine = crate::common::cli::Machine::new();
    let arguments =
        ["restore", dumped.to_str().unwrap(), &kept, "--after", "end", "--yes", "--target", &target];
    let ran = machine.run(&arguments);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let (restored, there) = (super::securing::restored_orders(&home.path("out")), orders(&client));
    assert!(restored == there, "{} of {} orders, or others", restored.len(), there.len());
}

#[test]
fn terminated_it_closes_its_slice_and_two_do_not_write_into_one_folder() {
    let (server, client) = shop(&[]);
    let home = Home::new();
    let dir = home.path("archive");
    let (mut child, lines) = start(&server, &dir, &["--slice-seconds", "3600"]);
    let begun = Instant::now();
    while !dir.join(".pitstop-part-archive").exists() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", lines.lock().unwrap());
        std::thread::sleep(Duration::from_millis(10));
    }
    let (code, said) = once(&server, &dir, &[]);
    assert_eq!(code, 5, "{said}");
    insert(&client, 500, 600, 10);
    let last = newest(&client);
    // What was written has to be seen before it is told to end: it looks twice a second.
    std::thread::sleep(Duration::from_millis(2500));
    let pid = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let (there, gaps, _) = as_source(&home, &dir);
    assert_eq!(gaps, 0);
    assert!(there.contains(&bytes_at(&client, last)), "the newest entry was lost");
}

fn bytes_at(client: &mongodb::Client, pos: pitstop::domain::Position) -> Vec<u8> {
    let all = oplog_of(client);
    all.iter().find(|d| position(d) == pos).unwrap().as_bytes().to_vec()
}

#[test]
fn what_it_missed_is_recorded_and_the_exit_code_says_so() {
    let (server, client) = shop(&["--oplogSize", "16", "--syncdelay", "1"]);
    let home = Home::new();
    let dir = home.path("archive");
    assert_eq!(once(&server, &dir, &[]).0, 0);
    let after = manifest(&dir).last().unwrap()["last"]["pos"].as_str().unwrap().to_owned();
    let (mut next, begun) = (1000, Instant::now());
    while position(&oplog_of(&client)[0]).to_string() <= after {
        assert!(begun.elapsed() < Duration::from_secs(120), "the oplog does not roll over");
        insert(&client, next, next + 2000, 1000);
        next += 2000;
        std::thread::sleep(Duration::from_millis(300));
    }
    let (code, said) = once(&server, &dir, &[]);
    assert_eq!(code, 4, "{said}");
    assert!(said.contains(&after) && said.contains("rolled over"), "{said}");
    let gaps: Vec<Value> = manifest(&dir).into_iter().filter(|l| l["kind"] == "gap").collect();
    assert_eq!(gaps.len(), 1);
    assert_eq!(gaps[0]["after"]["pos"], after);
    let (_, found, _) = as_source(&home, &dir);
    assert_eq!(found, 1);
    // The next run is whole again.
    assert_eq!(once(&server, &dir, &[]).0, 0);
}
