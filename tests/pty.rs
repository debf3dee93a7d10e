//! The real binary in a pseudo-terminal: how it starts, how it ends, and a whole recovery by keys.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;
#[path = "tui/term.rs"]
mod term;

use std::path::Path;
use std::time::{Duration, Instant};

use common::cli::Machine;
use common::fixtures::fixture;
use common::mongod::mongod;
use common::truth::{Truth, compare_dump, compare_server};
use portable_pty::CommandBuilder;
use rustix::process::{Pid, Signal, kill_process};
use term::{Term, pitstop};

const SOON: Duration = Duration::from_secs(10);
const ESC: &str = "\x1b";
const ENTER: &str = "\r";

fn demo(state: &Path) -> CommandBuilder {
    let mut command = pitstop(state, &["demo"]);
    // Without a mongod anywhere.
    command.env("PATH", "/usr/bin:/bin");
    command.env_remove("PITSTOP_MONGOD");
    command
}

fn signal(term: &Term, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(term.pid()).unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}

/// Letter of the process's state, and its processor time in ticks.
fn process(pid: u32) -> Option<(char, u64)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    Some((fields[0].chars().next()?, fields[11].parse::<u64>().ok()? + fields[12].parse::<u64>().ok()?))
}

#[test]
fn it_starts_and_quits_and_leaves_the_terminal_as_it_was() {
    let state = tempfile::tempdir().unwrap();
    let mut term = Term::spawn(demo(state.path()), 80, 24);
    let text = term.until("newest before the stop");
    assert!(text.contains("READ-ONLY") && text.contains("DEMO"), "{text}");
    assert!(term.with(|s| s.alternate_screen() && s.hide_cursor()));
    term.send("q");
    assert_eq!(term.ended(SOON), 0);
    assert!(term.is_as_before(), "{:?}", term.text());
}

#[test]
fn the_harness_can_fail() {
    let state = tempfile::tempdir().unwrap();
    let term = Term::spawn(demo(state.path()), 80, 24);
    term.until("newest before the stop");
    assert!(!term.is_as_before(), "a program that runs has the terminal");
}

#[test]
fn without_a_terminal_it_says_what_to_do_instead() {
    let machine = Machine::new();
    let ran = machine.run(&["demo"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("pitstop snapshots") && ran.out.is_empty(), "{}", ran.err);
}

#[test]
fn what_cannot_be_opened_is_said_on_the_screen() {
    let state = tempfile::tempdir().unwrap();
    let mut term = Term::spawn(pitstop(state.path(), &["/nowhere/at/all"]), 80, 24);
    let text = term.until("did not work");
    assert!(text.contains("/nowhere/at/all") && text.contains("R tries again"), "{text}");
    term.send("q");
    assert_eq!(term.ended(SOON), 0);
}

#[test]
fn signals_end_it_and_give_the_terminal_back() {
    for kind in [Signal::TERM, Signal::INT] {
        let state = tempfile::tempdir().unwrap();
        let mut term = Term::spawn(demo(state.path()), 80, 24);
        term.until("newest before the stop");
        signal(&term, kind);
        assert_eq!(term.ended(SOON), 130, "{kind:?}");
        assert!(term.is_as_before(), "{kind:?}");
    }
}

/// Run by the test below in a pseudo-terminal: takes it, and panics.
#[test]
#[ignore = "a helper"]
fn helper_that_panics() {
    let _guard = pitstop::runtime::terminal::Guard::take(true).unwrap();
    panic!("a bad day");
}

#[test]
fn a_panic_gives_the_terminal_back_and_is_told() {
    let mut command = CommandBuilder::new(std::env::current_exe().unwrap());
    command.args(["--ignored", "--exact", "helper_that_panics", "--nocapture", "--test-threads=1"]);
    command.env("RUST_BACKTRACE", "0");
    let mut term = Term::spawn(command, 80, 24);
    assert_ne!(term.ended(SOON), 0);
    term.until("a bad day");
    let raw = term.raw();
    let at = |needle: &[u8]| raw.windows(needle.len()).position(|w| w == needle);
    let (left, told) = (at(b"\x1b[?1049l").unwrap(), at(b"a bad day").unwrap());
    assert!(at(b"\x1b[?1049h").unwrap() < left && left < told, "the screen is left before it is told");
    assert!(term.is_as_before());
}

#[test]
fn a_closed_terminal_ends_it_at_once() {
    let state = tempfile::tempdir().unwrap();
    let mut term = Term::spawn(demo(state.path()), 80, 24);
    term.until("newest before the stop");
    term.hang_up();
    let begin = Instant::now();
    assert_ne!(term.ended(SOON), 0);
    assert!(begin.elapsed() < Duration::from_secs(3));
}

#[test]
fn it_stops_for_the_shell_and_comes_back() {
    let state = tempfile::tempdir().unwrap();
    let mut term = Term::spawn(demo(state.path()), 80, 24);
    term.until("newest before the stop");
    term.send("\x1a");
    let begin = Instant::now();
    while process(term.pid()).unwrap().0 != 'T' {
        assert!(begin.elapsed() < SOON, "it does not stop");
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(term.is_as_before());
    signal(&term, Signal::CONT);
    term.until("newest before the stop");
    term.send(ENTER);
    term.until("Ops");
    term.send("q");
    assert_eq!(term.ended(SOON), 0);
}

#[test]
fn it_sleeps_when_nothing_happens() {
    let state = tempfile::tempdir().unwrap();
    let mut term = Term::spawn(demo(state.path()), 80, 24);
    term.send(ENTER);
    term.until("Ops");
    term.send("3");
    term.until("worst first");
    std::thread::sleep(Duration::from_millis(500));
    let before = (process(term.pid()).unwrap().1, term.raw().len());
    std::thread::sleep(Duration::from_secs(2));
    let after = (process(term.pid()).unwrap().1, term.raw().len());
    assert!(after.0 - before.0 <= 1, "{} ticks of processor time", after.0 - before.0);
    // At most the minute of the clock has changed.
    assert!(after.1 - before.1 < 200, "{} bytes were written", after.1 - before.1);
    term.send("q");
    term.ended(SOON);
}

#[test]
fn a_storm_of_sizes_loses_no_key() {
    let state = tempfile::tempdir().unwrap();
    let mut term = Term::spawn(demo(state.path()), 80, 24);
    term.until("newest before the stop");
    for n in 0..40u16 {
        term.resize(20 + n * 7 % 180, 5 + n * 5 % 60);
        if n == 20 {
            term.send("3");
        }
    }
    term.resize(40, 10);
    term.until("is too small");
    term.resize(100, 30);
    term.until("worst first");
    term.send("q");
    assert_eq!(term.ended(SOON), 0);
}

#[test]
fn no_color_keeps_the_highlight() {
    let state = tempfile::tempdir().unwrap();
    let mut command = demo(state.path());
    command.env("NO_COLOR", "1");
    let mut term = Term::spawn(command, 80, 24);
    term.until("newest before the stop");
    let (rows, highlighted) = term.with(|s| {
        let rows: Vec<String> = s.rows(0, 80).collect();
        let at = rows.iter().position(|row| row.contains("newest before the stop")).unwrap();
        (rows, s.cell(u16::try_from(at).unwrap(), 10).unwrap().inverse())
    });
    assert!(highlighted, "{rows:?}");
    let raw = String::from_utf8_lossy(&term.raw()).into_owned();
    for part in raw.split("\x1b[").skip(1) {
        if let Some((codes, _)) =
            part.split_once('m').filter(|(c, _)| c.bytes().all(|b| b.is_ascii_digit() || b == b';'))
        {
            let coloured =
                codes.split(';').any(|c| matches!(c.parse::<u8>(), Ok(30..=38 | 40..=48 | 90..=107)));
            assert!(!coloured, "a colour: {codes}");
        }
    }
    term.send("q");
    assert_eq!(term.ended(SOON), 0);
}

#[test]
fn copying_goes_to_the_terminal() {
    let state = tempfile::tempdir().unwrap();
    let mut term = Term::spawn(demo(state.path()), 80, 24);
    term.until("newest before the stop");
    term.send("3");
    term.until("1,906");
    term.send("y");
    term.until("the first position");
    term.send(ENTER);
    term.until("sent to the terminal's clipboard");
    // The position of the first op of the bulk delete, base64.
    let raw = String::from_utf8_lossy(&term.raw()).into_owned();
    assert!(raw.contains("\x1b]52;c;MTc5MTk4ODg2Nzox\x07"));
}

/// Moves to the suspect whose row holds these words.
fn choose_suspect(term: &mut Term, words: [&str; 2]) {
    term.send("3");
    let fits = |row: &str| words.iter().all(|word| row.contains(word));
    let text = term.until_that(&format!("{words:?}"), |text| text.lines().any(fits));
    let rows: Vec<&str> = text.lines().collect();
    let first = rows.iter().position(|row| row.contains("when (UTC)")).unwrap() + 1;
    let at = rows.iter().position(|row| fits(row)).unwrap();
    term.send(&"j".repeat(at - first));
}

#[test]
fn the_demo_is_recovered_without_a_server() {
    let state = tempfile::tempdir().unwrap();
    let mut term = Term::spawn(demo(state.path()), 80, 24);
    choose_suspect(&mut term, ["documents deleted", "1,906"]);
    term.send("s");
    term.until("last applied");
    term.send(ENTER);
    term.until("1,906");
    term.send("r");
    let text = term.until("5 write");
    assert!(text.contains("no mongod on this machine"), "{text}");
    term.send(ENTER);
    term.until("[ No ]");
    term.send("y");
    term.until("[ Yes, restore ]");
    term.send(ENTER);
    term.until("Verified and complete");
    let dumps = find(state.path(), "before-1791988867-1");
    // As the generator of the incident has it.
    assert!(dumps.join("shop/orders.bson").is_file(), "{dumps:?}");
    term.send(ESC);
    term.until("Plan");
    term.send("q");
    assert_eq!(term.ended(SOON), 0);
}

/// The one folder of this name below another.
fn find(below: &Path, name: &str) -> std::path::PathBuf {
    let mut todo = vec![below.to_owned()];
    while let Some(dir) = todo.pop() {
        for entry in std::fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            if path.file_name().is_some_and(|n| n == name) {
                return path;
            }
            if path.is_dir() {
                todo.push(path);
            }
        }
    }
    panic!("there is no {name} below {}", below.display());
}

/// From start to a verified restore by keys, held against the recorded truth.
fn recover_v60(target: &str) -> (Machine, serde_json::Value, Truth) {
    let root = fixture("v60");
    let truth = Truth::read(&root);
    let machine = Machine::new();
    let text = |part: &str| root.join(part).display().to_string();
    let mut command = pitstop(machine.state(), &[&text("dump-dir"), &text("oplog")]);
    command.env("PITSTOP_MONGOD", mongod());
    let mut term = Term::spawn(command, 140, 45);
    term.until("newest before the stop");
    term.send(ENTER);
    term.until("Ops");
    choose_suspect(&mut term, ["documents deleted", "shop.orders"]);
    term.send("s");
    let first = truth.incidents["bulk delete"].first;
    term.until(&format!("before {first}"));
    term.until("last applied");
    term.send("d");
    term.until("come back");
    term.send("r");
    term.until("6 verify");
    if target == "dump" {
        term.send("t");
        term.until("dump:");
    }
    term.send(ENTER);
    term.until("[ No ]");
    term.send("y");
    term.until("[ Yes, restore ]");
    term.send(ENTER);
    term.until("Verified and complete");
    term.send("q");
    assert_eq!(term.ended(SOON), 0);
    assert!(term.is_as_before());
    let result = std::fs::read(find(machine.state(), "result.json")).unwrap();
    let result: serde_json::Value = serde_json::from_slice(&result).unwrap();
    (machine, result["restored"].clone(), truth)
}

#[test]
fn a_restore_outlives_the_terminal_it_was_started_from() {
    let machine = Machine::new();
    let mut command = pitstop(machine.state(), &["demo"]);
    command.env("PITSTOP_MONGOD", mongod());
    let mut term = Term::spawn(command, 80, 24);
    choose_suspect(&mut term, ["documents deleted", "1,906"]);
    term.send("s");
    term.until("last applied");
    term.send("r");
    term.until("6 verify");
    term.send(ENTER);
    term.until("[ No ]");
    term.send("y");
    term.until("[ Yes, restore ]");
    term.send(ENTER);
    term.until("so far");
    term.hang_up();
    assert_ne!(term.ended(SOON), 0);
    let begin = Instant::now();
    let result = loop {
        let job = find(machine.state(), "job.json");
        if let Ok(bytes) = std::fs::read(job.with_file_name("result.json")) {
            break serde_json::from_slice::<serde_json::Value>(&bytes).unwrap();
        }
        assert!(begin.elapsed() < Duration::from_secs(60), "the restore never ended");
        std::thread::sleep(Duration::from_millis(50));
    };
    assert_eq!(result["exit"], 0, "{result}");
    assert!(machine.run(&["targets"]).out.contains("running"));
}

#[test]
fn v60_is_recovered_by_keys_into_a_real_server() {
    let (machine, restored, truth) = recover_v60("isolated");
    let differences = compare_server(&machine.uri_of(&restored), truth.checkpoint("crud 2"));
    assert_eq!(differences, Vec::<String>::new());
}

#[test]
fn v60_is_recovered_by_keys_into_a_dump_directory() {
    let (_machine, restored, truth) = recover_v60("dump");
    let dir = restored["dir"].as_str().unwrap();
    assert_eq!(compare_dump(Path::new(dir), truth.checkpoint("crud 2")), Vec::<String>::new());
}
