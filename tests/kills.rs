//! Restores that are cut off: the worker or its mongod killed at random moments, a disk that is
//! full. Whatever is left is visibly unfinished, and the same command again ends exact.
//!
//! `PITSTOP_KILLS` = how many random kills (7).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::cli::{Machine, Ran};
use common::fixtures::fixture;
use common::server::{Server, block_on};
use common::truth::{Truth, compare_dump, compare_server};
use serde_json::Value;

struct Restore<'m> {
    machine: &'m Machine,
    args: Vec<String>,
}

impl<'m> Restore<'m> {
    fn of(machine: &'m Machine, truth: &Truth, target: &str) -> Restore<'m> {
        let root = fixture("v60");
        let path = |part: &str| root.join(part).display().to_string();
        let stop = truth.incidents["bulk delete"].first.to_string();
        let mut args = vec!["restore".to_owned(), path("dump-dir"), path("oplog")];
        args.extend(["--before", &stop, "--yes", "--json", "--target", target].map(str::to_owned));
        Restore { machine, args }
    }

    fn command(&self) -> Command {
        self.machine.command(&self.args.iter().map(String::as_str).collect::<Vec<_>>())
    }

    fn start(&self) -> Child {
        self.command().stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    fn again(&self) -> Value {
        let ran = Ran::of(self.command().output().unwrap());
        assert_eq!(ran.code, 0, "{} {}", ran.err, ran.out);
        serde_json::from_str(&ran.out).unwrap()
    }
}

/// The processes on whose command line all of these stand.
fn processes(words: &[&str]) -> Vec<i32> {
    let fits = |pid: &i32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).into_owned();
        words.iter().all(|word| line.contains(word))
    };
    let all = fs::read_dir("/proc").unwrap().flatten();
    all.filter_map(|e| e.file_name().to_str()?.parse().ok()).filter(fits).collect()
}

fn kill(pid: i32) {
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    // It may have ended this moment.
    let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
}

/// Marsaglia's xorshift, begun differently at every run and printed.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

#[derive(Debug, Clone, Copy)]
enum Victim {
    Worker,
    Mongod,
}

fn partials(dir: &Path) -> Vec<PathBuf> {
    let all = fs::read_dir(dir.parent().unwrap()).unwrap().map(|e| e.unwrap().path());
    all.filter(|p| p.to_string_lossy().contains(".partial-")).collect()
}

fn databases(uri: &str) -> Vec<String> {
    let client = common::server::connect(uri);
    let mut names = block_on(client.list_database_names().into_future()).unwrap();
    names.retain(|n| !["admin", "config", "local"].contains(&n.as_str()));
    names
}

#[test]
fn a_killed_restore_is_visibly_unfinished_and_ends_exact_when_run_again() {
    let rounds: u64 = std::env::var("PITSTOP_KILLS").map_or(7, |n| n.parse().unwrap());
    let seed = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as u64;
    println!("seed {seed}");
    let mut random = Random(seed | 1);
    let truth = Truth::read(&fixture("v60"));
    let want = truth.checkpoint("crud 2");
    let peer = Server::standalone();
    let place = tempfile::tempdir().unwrap();
    let dump = place.path().join("dump");
    let machine = Machine::new();
    let here = machine.state().to_str().unwrap().to_owned();
    let (mut late, mut marked, mut nothing) = (0, 0, 0);

    // How long each takes undisturbed bounds the moments.
    let targets = ["isolated".to_owned(), format!("dump:{}", dump.display()), peer.uri().to_owned()];
    let clean = |peer: &Server| {
        let _ = machine.run(&["targets", "stop", "--all", "--delete"]);
        let _ = fs::remove_dir_all(&dump);
        peer.wipe();
    };
    let lasts: Vec<u64> = targets
        .iter()
        .map(|target| {
            let begun = Instant::now();
            Restore::of(&machine, &truth, target).again();
            let lasted = begun.elapsed().as_millis() as u64;
            clean(&peer);
            lasted
        })
        .collect();

    for round in 0..rounds {
        let kind = (round % 3) as usize;
        let victim = if kind == 0 && round % 2 == 1 { Victim::Mongod } else { Victim::Worker };
        let restore = Restore::of(&machine, &truth, &targets[kind]);
        let front = restore.start();
        let moment = Duration::from_millis(random.below(lasts[kind]));
        std::thread::sleep(moment);
        let victims = match victim {
            Victim::Worker => processes(&["restore-worker", &here]),
            Victim::Mongod => processes(&["--dbpath", &here]),
        };
        victims.iter().copied().for_each(kill);
        let ran = Ran::of(front.wait_with_output().unwrap());
        let context = format!("round {round}, seed {seed}: {victim:?} of {} after {moment:?}", targets[kind]);

        let listed = machine.json(&["targets", "--json"]);
        if ran.code == 0 {
            late += 1;
        } else {
            assert!(!ran.err.contains("panicked"), "{context}: {}", ran.err);
            let left = match kind {
                0 => {
                    assert!(listed.iter().all(|t| t["incomplete"] == true), "{context}: {listed:?}");
                    !listed.is_empty()
                }
                1 => {
                    assert!(!dump.exists(), "{context}: {}", ran.err);
                    let left = partials(&dump);
                    for partial in &left {
                        let empty = fs::read_dir(partial).unwrap().next().is_none();
                        if !empty && !partial.join("pitstop_incomplete").exists() {
                            // Past its last check, and not yet under its name.
                            assert_eq!(compare_dump(partial, want), Vec::<String>::new(), "{context}");
                        }
                    }
                    !left.is_empty()
                }
                _ => {
                    let left = databases(peer.uri());
                    assert!(left.is_empty() || left.contains(&"pitstop_incomplete".to_owned()), "{context}");
                    !left.is_empty()
                }
            };
            if left {
                marked += 1;
            } else {
                nothing += 1;
            }
            // The same again.
            let outcome = restore.again();
            let notes = outcome["notes"].as_array().unwrap().iter().filter_map(Value::as_str);
            let said = notes.filter(|n| n.contains("was not finished")).count();
            assert_eq!(said, usize::from(left), "{context}: {outcome}");
            let differences = match kind {
                0 => compare_server(&machine.uri_of(&outcome["restored"]), want),
                1 => compare_dump(&dump, want),
                _ => compare_server(peer.uri(), want),
            };
            assert_eq!(differences, Vec::<String>::new(), "{context}");
            let listed = machine.json(&["targets", "--json"]);
            assert_eq!(listed.len(), usize::from(kind == 0), "{context}: {listed:?}");
            assert!(listed.iter().all(|t| t["incomplete"] == false && t["state"] == "running"), "{context}");
            assert_eq!(partials(&dump), Vec::<PathBuf>::new(), "{context}");
            assert!(!databases(peer.uri()).contains(&"pitstop_incomplete".to_owned()), "{context}");
        }
        clean(&peer);
        assert_eq!(processes(&["--dbpath", &here]), Vec::<i32>::new(), "{context}: servers are left");
    }
    println!(
        "{rounds} kills: {late} came too late, {nothing} before anything was made, {marked} left something marked; all exact after the same command again"
    );
}

/// As a full disk: no file may grow beyond a limit, and writing more is an error.
#[test]
fn a_full_disk_ends_in_an_error_that_names_the_file_and_the_same_command_starts_over() {
    let truth = Truth::read(&fixture("v60"));
    let place = tempfile::tempdir().unwrap();
    let dump = place.path().join("dump");
    let machine = Machine::new();
    let restore = Restore::of(&machine, &truth, &format!("dump:{}", dump.display()));
    let whole = restore.command();
    let mut limited = Command::new("sh");
    // In units of 512 bytes; the signal is ignored, so that writing fails as on a full disk.
    limited.args(["-c", "trap '' XFSZ; ulimit -f 64; exec \"$0\" \"$@\""]);
    limited.arg(whole.get_program()).args(whole.get_args());
    limited.envs(whole.get_envs().filter_map(|(k, v)| Some((k, v?)))).stdin(Stdio::null());
    let ran = Ran::of(limited.output().unwrap());
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert!(ran.err.contains("writing the dump") && ran.err.contains(".bson"), "{}", ran.err);
    assert!(ran.err.contains("incomplete"), "{}", ran.err);
    assert!(!dump.exists());
    let left = partials(&dump);
    assert!(left.len() == 1 && left[0].join("pitstop_incomplete").exists(), "{left:?}");

    let outcome = restore.again();
    assert!(outcome["notes"].to_string().contains("was not finished"), "{outcome}");
    assert_eq!(compare_dump(&dump, truth.checkpoint("crud 2")), Vec::<String>::new());
    assert_eq!(partials(&dump), Vec::<PathBuf>::new());
}

/// Between the kill and the second run somebody else has written to the target.
#[test]
fn starting_over_on_a_server_removes_only_what_the_restore_made() {
    let truth = Truth::read(&fixture("v60"));
    let machine = Machine::new();
    let peer = Server::standalone();
    let restore = Restore::of(&machine, &truth, peer.uri());
    let here = machine.state().to_str().unwrap().to_owned();
    let mut left = Vec::new();
    for _ in 0..20 {
        let mut front = restore.start();
        // As soon as the mark stands, and collections with it.
        while left.len() < 2 && front.try_wait().unwrap().is_none() {
            left = databases(peer.uri());
        }
        processes(&["restore-worker", &here]).into_iter().for_each(kill);
        let ran = Ran::of(front.wait_with_output().unwrap());
        if ran.code != 0 && left.contains(&"pitstop_incomplete".to_owned()) {
            break;
        }
        peer.wipe();
        left.clear();
    }
    assert!(left.contains(&"pitstop_incomplete".to_owned()), "no kill came in time: {left:?}");

    peer.run("precious", bson::doc! { "insert": "things", "documents": [{ "_id": 1 }] });
    let ran = Ran::of(restore.command().output().unwrap());
    assert_eq!(ran.code, 5, "{}", ran.err);
    assert!(ran.err.contains("precious.things"), "{}", ran.err);
    let there = databases(peer.uri());
    assert!(there.contains(&"precious".to_owned()) && there.contains(&"pitstop_incomplete".to_owned()));

    peer.run("precious", bson::doc! { "dropDatabase": 1 });
    restore.again();
    assert_eq!(compare_server(peer.uri(), truth.checkpoint("crud 2")), Vec::<String>::new());
}
