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

/// A server that somebody runs, that can be killed and started again on its data.
struct Peer {
    place: tempfile::TempDir,
    port: u16,
    child: Child,
}

impl Peer {
    fn start() -> Peer {
        let place = tempfile::tempdir().unwrap();
        fs::create_dir(place.path().join("data")).unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = Peer::run(place.path(), port);
        Peer { place, port, child }
    }

    fn run(place: &Path, port: u16) -> Child {
        let child = Command::new(common::mongod::mongod())
            .args(["--bind_ip", "127.0.0.1", "--nounixsocket", "--port", &port.to_string(), "--dbpath"])
            .arg(place.join("data"))
            .args(["--wiredTigerCacheSizeGB", "0.25"])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let begun = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(120), "mongod does not start");
            std::thread::sleep(Duration::from_millis(20));
        }
        child
    }

    fn uri(&self) -> String {
        format!("mongodb://127.0.0.1:{}/?directConnection=true", self.port)
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn again(&mut self) {
        self.child = Peer::run(self.place.path(), self.port);
    }

    fn wipe(&self) {
        let client = common::server::connect(&self.uri());
        for name in databases(&self.uri()) {
            common::server::command_on(&client, &name, bson::doc! { "dropDatabase": 1 });
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The worker's own folder, once it is at work.
fn worker(machine: &Machine) -> Option<(i32, PathBuf)> {
    let here = machine.state().to_str().unwrap();
    let pid = *processes(&["restore-worker", here]).first()?;
    let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let folder = line.split(|c| *c == 0).rfind(|word| !word.is_empty())?.to_vec();
    Some((pid, PathBuf::from(String::from_utf8(folder).ok()?)))
}

/// Lets a restore run until the worker says of itself that it has come so far; `None` when it
/// ended before.
fn run_until(machine: &Machine, front: &mut Child, far: impl Fn(i32, &Path) -> bool) -> Option<i32> {
    let mut at_work = None;
    loop {
        if front.try_wait().unwrap().is_some() {
            return None;
        }
        at_work = at_work.or_else(|| worker(machine));
        if let Some((pid, folder)) = &at_work
            && far(*pid, folder)
        {
            return Some(*pid);
        }
        std::thread::yield_now();
    }
}

#[test]
fn a_killed_restore_is_visibly_unfinished_and_ends_exact_when_run_again() {
    let rounds: u64 = std::env::var("PITSTOP_KILLS").map_or(7, |n| n.parse().unwrap());
    let seed = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as u64;
    println!("seed {seed}");
    let mut random = Random(seed | 1);
    let truth = Truth::read(&fixture("v60"));
    let want = truth.checkpoint("crud 2");
    let mut peer = Peer::start();
    let place = tempfile::tempdir().unwrap();
    let dump = place.path().join("dump");
    let machine = Machine::new();
    let here = machine.state().to_str().unwrap().to_owned();
    let (mut late, mut marked, mut nothing, mut went_on, mut unsaid) = (0, 0, 0, 0, 0);
    let targets = ["isolated".to_owned(), format!("dump:{}", dump.display()), peer.uri()];
    let clean = |peer: &Peer| {
        let _ = machine.run(&["targets", "stop", "--all", "--delete"]);
        let _ = fs::remove_dir_all(&dump);
        peer.wipe();
    };
    // How long each takes undisturbed, from the worker's first moment on, bounds the moments.
    let lasts: Vec<u64> = targets
        .iter()
        .map(|target| {
            let outcome = Restore::of(&machine, &truth, target).again();
            clean(&peer);
            (outcome["seconds"].as_f64().unwrap() * 1e6) as u64
        })
        .collect();

    for round in 0..rounds {
        let kind = (round % 3) as usize;
        // Every second time the server goes, not the worker; a dump has none.
        let victim = if kind != 1 && round / 3 % 2 == 1 { Victim::Mongod } else { Victim::Worker };
        let restore = Restore::of(&machine, &truth, &targets[kind]);
        let mut share = random.below(1000);
        // A kill that comes too late is tried again, earlier.
        let (ran, context) = loop {
            let mut front = restore.start();
            let moment = Duration::from_micros(lasts[kind] * share / 1000);
            let begun = std::cell::Cell::new(None);
            let far = |_: i32, _: &Path| {
                let first = begun.get().unwrap_or_else(Instant::now);
                begun.set(Some(first));
                first.elapsed() >= moment
            };
            let context =
                format!("round {round}, seed {seed}: {victim:?} of {} after {moment:?}", targets[kind]);
            if let Some(pid) = run_until(&machine, &mut front, far) {
                match victim {
                    Victim::Worker => kill(pid),
                    Victim::Mongod if kind == 0 => processes(&["--dbpath", &here]).into_iter().for_each(kill),
                    Victim::Mongod => peer.kill(),
                }
            }
            let ran = Ran::of(front.wait_with_output().unwrap());
            if kind == 2 && matches!(peer.child.try_wait(), Ok(Some(_))) {
                peer.again();
            }
            if ran.code != 0 {
                break (ran, context);
            }
            late += 1;
            share = share * 3 / 4;
            clean(&peer);
        };

        assert!(!ran.err.contains("panicked"), "{context}: {}", ran.err);
        let listed = machine.json(&["targets", "--json"]);
        // Past its last check, and killed before it could say so: then it is what it should be.
        let (proven, differences) = match kind {
            0 => match &listed[..] {
                [one] if one["incomplete"] == false && one["state"] == "running" => {
                    (true, compare_server(&machine.uri_of(one), want))
                }
                _ => (false, Vec::new()),
            },
            1 if dump.exists() => (true, compare_dump(&dump, want)),
            1 => (false, Vec::new()),
            _ => match databases(&peer.uri()) {
                all if all.is_empty() || all.contains(&"pitstop_incomplete".to_owned()) => {
                    (false, Vec::new())
                }
                _ => (true, compare_server(&peer.uri(), want)),
            },
        };
        assert_eq!(differences, Vec::<String>::new(), "{context}: {}", ran.err);
        if proven {
            unsaid += 1;
            clean(&peer);
            continue;
        }
        let left = match kind {
            0 => {
                assert!(listed.iter().all(|t| t["incomplete"] == true), "{context}: {listed:?}");
                !listed.is_empty()
            }
            1 => {
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
            _ => !databases(&peer.uri()).is_empty(),
        };
        if left {
            marked += 1;
        } else {
            nothing += 1;
        }
        // The same again.
        let outcome = restore.again();
        let notes = outcome["notes"].as_array().unwrap().iter().filter_map(Value::as_str);
        let said = notes.clone().filter(|n| n.contains("was not finished")).count();
        assert_eq!(said, usize::from(left), "{context}: {outcome}");
        went_on += notes.filter(|n| n.contains("and kept")).count();
        let differences = match kind {
            0 => compare_server(&machine.uri_of(&outcome["restored"]), want),
            1 => compare_dump(&dump, want),
            _ => compare_server(&peer.uri(), want),
        };
        assert_eq!(differences, Vec::<String>::new(), "{context}");
        let listed = machine.json(&["targets", "--json"]);
        assert_eq!(listed.len(), usize::from(kind == 0), "{context}: {listed:?}");
        assert!(listed.iter().all(|t| t["incomplete"] == false && t["state"] == "running"), "{context}");
        assert_eq!(partials(&dump), Vec::<PathBuf>::new(), "{context}");
        assert!(!databases(&peer.uri()).contains(&"pitstop_incomplete".to_owned()), "{context}");
        clean(&peer);
        assert_eq!(processes(&["--dbpath", &here]), Vec::<i32>::new(), "{context}: servers are left");
    }
    println!(
        "{rounds} kills within a restore ({late} more came too late): {nothing} before anything was made, {marked} left something marked, of which {went_on} were gone on with, {unsaid} proven and not said; all exact then or after the same command again"
    );
}

/// Whether a restore has noted that something is complete.
fn has_checkpoint(folder: &Path) -> bool {
    fs::read_to_string(folder.join("checkpoints.ndjson")).is_ok_and(|t| t.lines().count() > 1)
}

/// What was complete when it was cut off is not written again; for each kind of target, and each
/// kind of death.
#[test]
fn what_was_complete_is_kept() {
    let truth = Truth::read(&fixture("v60"));
    let want = truth.checkpoint("crud 2");
    let machine = Machine::new();
    let here = machine.state().to_str().unwrap().to_owned();
    let place = tempfile::tempdir().unwrap();
    let dump = place.path().join("dump");
    let mut peer = Peer::start();
    let rounds = [
        ("isolated".to_owned(), Victim::Worker),
        ("isolated".to_owned(), Victim::Mongod),
        (format!("dump:{}", dump.display()), Victim::Worker),
        (peer.uri(), Victim::Worker),
        (peer.uri(), Victim::Mongod),
    ];
    for (target, victim) in rounds {
        let context = format!("{victim:?} of {target}");
        let mut restore = Restore::of(&machine, &truth, &target);
        if target.starts_with("mongodb") {
            // Slow enough to be met on the way.
            restore.args.extend([
                "--rate".to_owned(),
                "400K".to_owned(),
                "--parallel".to_owned(),
                "1".to_owned(),
            ]);
        }
        let mut attempts = 0;
        let folder = loop {
            attempts += 1;
            assert!(attempts < 40, "{context}: no kill came in time");
            let mut front = restore.start();
            let folder = std::cell::RefCell::new(PathBuf::new());
            let far = |pid: i32, at: &Path| {
                folder.replace(at.to_owned());
                let there = has_checkpoint(at);
                if there {
                    // Nothing goes on while the victim is looked for.
                    let pid = rustix::process::Pid::from_raw(pid).unwrap();
                    let _ = rustix::process::kill_process(pid, rustix::process::Signal::STOP);
                }
                there
            };
            let met = run_until(&machine, &mut front, far);
            if let Some(pid) = met {
                match victim {
                    Victim::Worker => kill(pid),
                    Victim::Mongod if target == "isolated" => {
                        processes(&["--dbpath", &here]).into_iter().for_each(kill)
                    }
                    Victim::Mongod => peer.kill(),
                }
                let pid = rustix::process::Pid::from_raw(pid).unwrap();
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::CONT);
            }
            let ran = Ran::of(front.wait_with_output().unwrap());
            if matches!(peer.child.try_wait(), Ok(Some(_))) {
                peer.again();
            }
            if met.is_some() && ran.code != 0 {
                println!("{context}: {}", ran.err.lines().next().unwrap_or_default());
                break folder.into_inner();
            }
            let _ = machine.run(&["targets", "stop", "--all", "--delete"]);
            let _ = fs::remove_dir_all(&dump);
            peer.wipe();
        };
        assert!(has_checkpoint(&folder));
        if target.starts_with("mongodb") {
            restore.args.truncate(restore.args.len() - 4);
        }
        let outcome = restore.again();
        let notes = outcome["notes"].to_string();
        assert!(notes.contains("was not finished"), "{context}: {notes}");
        // A server that was killed may have lost what it had not yet put into its journal.
        if matches!(victim, Victim::Worker) {
            assert!(notes.contains("found to be right, and kept"), "{context}: {notes}");
        }
        println!("{context}: {notes}");
        let differences = match &target {
            isolated if isolated == "isolated" => compare_server(&machine.uri_of(&outcome["restored"]), want),
            server if server.starts_with("mongodb") => compare_server(server, want),
            _ => compare_dump(&dump, want),
        };
        assert_eq!(differences, Vec::<String>::new(), "{context}");
        let _ = machine.run(&["targets", "stop", "--all", "--delete"]);
        let _ = fs::remove_dir_all(&dump);
        peer.wipe();
        assert_eq!(processes(&["--dbpath", &here]), Vec::<i32>::new(), "{context}: servers are left");
    }
}

/// Stopped on request, in the middle: either nothing is left, or what is left can be gone on with;
/// the message says which.
#[test]
fn a_cancelled_restore_says_what_it_leaves() {
    use rustix::process::Signal;
    let truth = Truth::read(&fixture("v60"));
    let want = truth.checkpoint("crud 2");
    let machine = Machine::new();
    let place = tempfile::tempdir().unwrap();
    let (dump, archive) = (place.path().join("dump"), place.path().join("state.archive"));
    let peer = Peer::start();
    let targets = [
        "isolated".to_owned(),
        format!("dump:{}", dump.display()),
        format!("archive:{}", archive.display()),
        peer.uri(),
    ];
    for target in targets {
        let restore = Restore::of(&machine, &truth, &target);
        let mut attempts = 0;
        let ran = loop {
            attempts += 1;
            assert!(attempts < 40, "{target}: it was never met on its way");
            let mut front = restore.start();
            let signal = |pid: i32, signal| {
                let _ = rustix::process::kill_process(rustix::process::Pid::from_raw(pid).unwrap(), signal);
            };
            let far = |pid: i32, at: &Path| {
                let begun = match target.starts_with("archive:") {
                    true => fs::read_dir(place.path()).unwrap().next().is_some(),
                    false => has_checkpoint(at),
                };
                if begun {
                    signal(pid, Signal::STOP);
                }
                begun
            };
            if let Some(pid) = run_until(&machine, &mut front, far) {
                signal(pid, Signal::TERM);
                signal(pid, Signal::CONT);
            }
            let ran = Ran::of(front.wait_with_output().unwrap());
            if ran.code != 0 {
                break ran;
            }
            let _ = machine.run(&["targets", "stop", "--all", "--delete"]);
            let _ = (fs::remove_dir_all(&dump), fs::remove_file(&archive));
            peer.wipe();
        };
        assert_eq!(ran.code, 130, "{target}: {}", ran.err);
        let clean = ran.err.contains("nothing is left of it");
        assert!(clean != ran.err.contains("the same command goes on from there"), "{target}: {}", ran.err);
        let left = match &target {
            isolated if isolated == "isolated" => machine.json(&["targets", "--json"]).len(),
            server if server.starts_with("mongodb") => {
                usize::from(databases(server).contains(&"pitstop_incomplete".to_owned()))
            }
            _ => fs::read_dir(place.path()).unwrap().count(),
        };
        assert_eq!(left, usize::from(!clean), "{target}: {}", ran.err);
        assert_eq!(clean, target == "isolated" || target.starts_with("archive:"), "{target}: {}", ran.err);
        let outcome = restore.again();
        let differences = match &target {
            isolated if isolated == "isolated" => compare_server(&machine.uri_of(&outcome["restored"]), want),
            server if server.starts_with("mongodb") => compare_server(server, want),
            dir if dir.starts_with("dump:") => compare_dump(&dump, want),
            _ => {
                let apart = tempfile::tempdir().unwrap();
                common::archive::take_apart(&archive, apart.path());
                compare_dump(apart.path(), want)
            }
        };
        assert_eq!(differences, Vec::<String>::new(), "{target}");
        let _ = machine.run(&["targets", "stop", "--all", "--delete"]);
        let _ = (fs::remove_dir_all(&dump), fs::remove_file(&archive));
    }
}

/// Between the two tries a source has changed: nothing that was made from it is kept.
#[test]
fn what_was_made_from_other_sources_is_not_kept() {
    let truth = Truth::read(&fixture("v60"));
    let machine = Machine::new();
    let place = tempfile::tempdir().unwrap();
    let (source, dump) = (place.path().join("source"), place.path().join("dump"));
    let copied = Command::new("cp").arg("-r").arg(fixture("v60").join("dump-dir")).arg(&source).status();
    assert!(copied.unwrap().success());
    let case = machine.state().join("case").display().to_string();
    let mut restore = Restore::of(&machine, &truth, &format!("dump:{}", dump.display()));
    restore.args[1] = source.display().to_string();
    restore.args.extend(["--case".to_owned(), case]);
    let mut attempts = 0;
    loop {
        attempts += 1;
        assert!(attempts < 40, "no kill came in time");
        let mut front = restore.start();
        let far = |pid: i32, at: &Path| {
            let there = has_checkpoint(at);
            if there {
                kill(pid);
            }
            there
        };
        let met = run_until(&machine, &mut front, far);
        let ran = Ran::of(front.wait_with_output().unwrap());
        if met.is_some() && ran.code != 0 {
            break;
        }
        fs::remove_dir_all(&dump).unwrap();
    }
    // Another document in a collection that no operation touches.
    let file = source.join("shop/customers.bson");
    let mut bytes = fs::read(&file).unwrap();
    let extra = bson::doc! { "_id": "came later" };
    bytes.extend(bson::serialize_to_vec(&extra).unwrap());
    fs::write(&file, bytes).unwrap();
    let outcome = restore.again();
    let notes = outcome["notes"].to_string();
    assert!(notes.contains("nothing it left was complete, and this one started over"), "{notes}");
    let found = fs::read(dump.join("shop/customers.bson")).unwrap();
    let extra = bson::serialize_to_vec(&extra).unwrap();
    assert!(found.windows(extra.len()).any(|w| w == extra), "the new document is part of the state");
}

/// A file system of its own that can be made too small, which takes root; `None` otherwise.
struct Disk(tempfile::TempDir);

impl Disk {
    fn mount() -> Option<Disk> {
        let at = tempfile::tempdir().unwrap();
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=3g", "tmpfs"]).arg(at.path()).output();
        mounted.is_ok_and(|m| m.status.success()).then(|| Disk(at))
    }

    fn resize(&self, bytes: u64) -> bool {
        let size = format!("remount,size={bytes}");
        let done = Command::new("mount").args(["-o", &size]).arg(self.0.path()).output();
        done.is_ok_and(|d| d.status.success())
    }

    /// From now on nothing more fits.
    fn fill(&self) {
        // A server goes on writing between the look and the cut.
        let cut = (0..1000).any(|_| {
            let stat = rustix::fs::statvfs(self.0.path()).unwrap();
            let used = (stat.f_blocks - stat.f_bfree) * stat.f_frsize;
            self.resize(used.max(4096))
        });
        assert!(cut, "the file system does not become smaller");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).output();
    }
}

/// The disk is full in the middle of the restore; with room again, the same command ends exact.
#[test]
fn a_disk_that_is_really_full() {
    let Some(disk) = Disk::mount() else {
        println!("no file system can be mounted here: the test with a limit on files stands for this one");
        return;
    };
    let truth = Truth::read(&fixture("v60"));
    let want = truth.checkpoint("crud 2");
    let machine = Machine::new();
    let here = machine.state().to_str().unwrap().to_owned();
    let dump = disk.0.path().join("dump");
    let archive = disk.0.path().join("state.archive");
    for kind in ["dump", "archive", "isolated"] {
        let (target, more) = match kind {
            "dump" => (format!("dump:{}", dump.display()), vec![]),
            "archive" => (format!("archive:{}", archive.display()), vec![]),
            _ => {
                let dbpath = disk.0.path().join("data").display().to_string();
                ("isolated".to_owned(), vec!["--dbpath".to_owned(), dbpath])
            }
        };
        let mut restore = Restore::of(&machine, &truth, &target);
        restore.args.extend(more);
        let mut attempts = 0;
        let ran = loop {
            attempts += 1;
            assert!(attempts < 40, "{kind}: the disk was never full in time");
            let mut front = restore.start();
            let signal = |pid: i32, signal| {
                let pid = rustix::process::Pid::from_raw(pid).unwrap();
                let _ = rustix::process::kill_process(pid, signal);
            };
            let far = |pid: i32, at: &Path| {
                let begun = match kind {
                    "isolated" => has_checkpoint(at),
                    _ => fs::read_dir(disk.0.path()).unwrap().next().is_some(),
                };
                if begun {
                    signal(pid, rustix::process::Signal::STOP);
                }
                begun
            };
            if let Some(pid) = run_until(&machine, &mut front, far) {
                disk.fill();
                signal(pid, rustix::process::Signal::CONT);
            }
            let ran = Ran::of(front.wait_with_output().unwrap());
            if ran.code != 0 {
                break ran;
            }
            assert!(disk.resize(3 << 30));
            let _ = machine.run(&["targets", "stop", "--all", "--delete"]);
            let _ = (fs::remove_dir_all(&dump), fs::remove_file(&archive));
        };
        assert_eq!(ran.code, 1, "{kind}: {}", ran.err);
        println!("{kind}: {}", ran.err.chars().take(600).collect::<String>());
        assert!(ran.err.contains("No space left") || kind == "isolated", "{kind}: {}", ran.err);
        assert!(!dump.exists() && !archive.exists());
        match kind {
            "dump" => assert_eq!(partials(&dump).len(), 1),
            "archive" => assert_eq!(fs::read_dir(disk.0.path()).unwrap().count(), 0, "nothing is left of it"),
            _ => {
                let listed = machine.json(&["targets", "--json"]);
                assert!(listed.iter().all(|t| t["incomplete"] == true), "{listed:?}");
            }
        }
        // Still full: refused, and what is there stays.
        let before = machine.json(&["targets", "--json"]);
        let still = Ran::of(restore.command().output().unwrap());
        assert!([4, 5].contains(&still.code), "{kind}: {} {}", still.code, still.err);
        assert!(still.err.contains("are free"), "{kind}: {}", still.err);
        assert_eq!(machine.json(&["targets", "--json"]).len(), before.len());
        assert!(disk.resize(3 << 30));
        let outcome = restore.again();
        println!("{kind}: {}", outcome["notes"]);
        let differences = match kind {
            "dump" => compare_dump(&dump, want),
            "isolated" => compare_server(&machine.uri_of(&outcome["restored"]), want),
            _ => Vec::new(),
        };
        assert_eq!(differences, Vec::<String>::new(), "{kind}");
        let _ = machine.run(&["targets", "stop", "--all", "--delete"]);
        let _ = (fs::remove_dir_all(&dump), fs::remove_file(&archive));
        assert_eq!(processes(&["--dbpath", &here]), Vec::<i32>::new(), "{kind}: servers are left");
        assert_eq!(fs::read_dir(disk.0.path()).unwrap().count(), 0, "{kind}: the disk is empty again");
    }
}

/// As a full disk: no file may grow beyond a limit, and writing more is an error.
#[test]
fn a_full_disk_ends_in_an_error_that_names_the_file_and_the_same_command_starts_over() {
    let truth = Truth::read(&fixture("v60"));
    let place = tempfile::tempdir().unwrap();
    let dump = place.path().join("dump");
    let machine = Machine::new();
    let restore = Restore::of(&machine, &truth, &format!("dump:{}", dump.display()));
    // What the case needs of the disk is there before.
    let indexed = machine.run(&["suspects", &restore.args[1], &restore.args[2]]);
    assert_eq!(indexed.code, 0, "{}", indexed.err);
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
