//! The real binary in a pseudo-terminal: how it starts, how it ends, and a whole recovery by keys.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;
#[path = "tui/leaving.rs"]
mod leaving;
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

/// However many keys there are, a frame takes its time; none of the keys is lost.
#[test]
fn a_storm_of_keys_draws_a_frame_in_sixteen_milliseconds_at_most() {
    let state = tempfile::tempdir().unwrap();
    let mut term = Term::spawn(demo(state.path()), 80, 24);
    term.send(ENTER);
    term.until("op 1 of");
    let (begin, before) = (Instant::now(), term.frames().len());
    for n in 0..60 {
        term.send(&"j".repeat(10));
        // No more than the program lets wait while rows are on their way.
        if n % 5 == 4 {
            term.until(&format!("op {} of", (n + 1) * 10 + 1));
        }
    }
    let most = begin.elapsed().as_millis() / 16 + 2;
    let drawn = term.frames().len() - before;
    assert!(drawn >= 12 && drawn as u128 <= most, "{drawn} frames, {most} at most");
    term.send("q");
    assert_eq!(term.ended(SOON), 0);
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

/// Says what the terminal's background is when it is asked, and waits for what follows from it.
fn says_its_ground(colour: &str, end: &str, expected: &str) {
    let state = tempfile::tempdir().unwrap();
    let mut command = demo(state.path());
    command.env("COLORTERM", "truecolor");
    let mut term = Term::spawn(command, 80, 24);
    term.until("newest before the stop");
    let raw = |term: &Term| String::from_utf8_lossy(&term.raw()).into_owned();
    assert!(raw(&term).contains("\x1b]11;?\x1b\\"), "it asks");
    term.send(&format!("\x1b]11;rgb:{colour}{end}"));
    term.until_raw(expected);
    // None of the answer was taken for keys.
    term.until("newest before the stop");
    assert!(!term.text().contains("Timeline"), "{}", term.text());
    term.send("q");
    assert_eq!(term.ended(SOON), 0);
    assert!(term.is_as_before());
}

#[test]
fn the_colours_fit_the_ground_of_the_terminal() {
    // The ink of the name of this program, as the palettes have it.
    says_its_ground("ffff/ffff/ffff", "\x1b\\", "48;2;11;92;171");
    says_its_ground("1e1e/1e1e/1e1e", "\x07", "48;2;108;184;246");
}

#[test]
fn without_many_colours_the_sixteen_fit_the_ground_too() {
    let state = tempfile::tempdir().unwrap();
    let mut term = Term::spawn(demo(state.path()), 80, 24);
    term.until("newest before the stop");
    term.send("\x1b]11;rgb:ffff/ffff/ffff\x1b\\");
    // Blue, bold: a key.
    term.until_that("a blue key", |_| false_until_blue(&term));
    term.send("q");
    assert_eq!(term.ended(SOON), 0);
}

fn false_until_blue(term: &Term) -> bool {
    term.with(|s| (0..80).any(|x| s.cell(23, x).is_some_and(|c| c.fgcolor() == vt100::Color::Idx(4))))
}

#[test]
fn a_theme_of_ones_own_is_not_asked_for() {
    let state = tempfile::tempdir().unwrap();
    for (name, value) in [("PITSTOP_THEME", "light"), ("NO_COLOR", "1"), ("TERM", "linux")] {
        let mut command = demo(state.path());
        command.env(name, value);
        let mut term = Term::spawn(command, 80, 24);
        term.until("newest before the stop");
        assert!(!String::from_utf8_lossy(&term.raw()).contains("]11;?"), "{name}");
        term.send("q");
        assert_eq!(term.ended(SOON), 0);
    }
}

/// Whether the mouse is asked for, with these settings.
fn listens_to_the_mouse(env: &[(&str, &str)], args: &[&str]) -> bool {
    let state = tempfile::tempdir().unwrap();
    let mut command = demo(state.path());
    command.args(args);
    env.iter().for_each(|(name, value)| command.env(name, value));
    let mut term = Term::spawn(command, 80, 24);
    term.until("newest before the stop");
    term.send("q");
    assert_eq!(term.ended(SOON), 0);
    // What was written last may still be on its way.
    assert!(term.is_as_before());
    let raw = String::from_utf8_lossy(&term.raw()).into_owned();
    assert_eq!(raw.contains("\x1b[?1000h"), raw.contains("\x1b[?1000l"), "it is given back");
    raw.contains("\x1b[?1000h")
}

#[test]
fn the_mouse_is_left_alone_far_away_unless_it_is_asked_for() {
    let far = [("SSH_TTY", "/dev/pts/9")];
    assert!(listens_to_the_mouse(&[], &[]));
    assert!(!listens_to_the_mouse(&[], &["--no-mouse"]));
    assert!(!listens_to_the_mouse(&far, &[]));
    assert!(listens_to_the_mouse(&far, &["--mouse"]));
}

#[test]
fn a_click_and_the_wheel_move_the_cursor() {
    let state = tempfile::tempdir().unwrap();
    let mut term = Term::spawn(demo(state.path()), 80, 24);
    term.send(ENTER);
    term.until("op 1 of");
    let row = term.text().lines().position(|line| line.contains("op 1 of")).unwrap();
    // Rows and columns are counted from one; the third op is clicked on.
    term.send(&format!("\x1b[<0;20;{}M", row + 4));
    term.until("op 3 of");
    term.send("\x1b[<65;20;15M");
    term.until("op 6 of");
    term.send("\x1b[<64;20;15M");
    term.until("op 3 of");
    term.send("q");
    assert_eq!(term.ended(SOON), 0);
}

#[test]
fn a_mark_and_a_note_are_there_the_next_time_and_findings_go_to_files() {
    let state = tempfile::tempdir().unwrap();
    let diff = state.path().join("diff.ndjson");
    let mut term = Term::spawn(demo(state.path()), 80, 24);
    choose_suspect(&mut term, ["documents deleted", "1,906"]);
    term.send("m");
    term.until("a name for the state");
    term.send("good\r");
    term.until("what to remember");
    term.send("all orders\r");
    term.until("marked the state before 1791988867:1");
    term.send("#");
    term.until("goes into the journal");
    term.send("told the on-call\r");
    term.until("noted");
    term.send("6");
    term.until("all orders");
    term.send(" ");
    term.send("s");
    term.until("last applied");
    term.send(ENTER);
    term.until("come back");
    term.send("e");
    term.until("into a new file");
    term.send(&format!("\x15{}\r", diff.display()));
    term.until("lines written to");
    let text = std::fs::read_to_string(&diff).unwrap();
    // As many orders as the generator of the incident has deleted.
    let back =
        |line: &&str| line.contains("\"ns\":\"shop.orders\"") && line.contains("\"fate\":\"comes-back\"");
    assert_eq!(text.lines().filter(back).count(), 1906);
    term.send("e");
    term.until("into a new file");
    term.send(&format!("\x15{}\r", diff.display()));
    term.until("something of that name");
    assert_eq!(std::fs::read_to_string(&diff).unwrap(), text);
    term.send("q");
    assert_eq!(term.ended(SOON), 0);
    let mut term = Term::spawn(demo(state.path()), 100, 30);
    term.until("newest before the stop");
    term.send("6");
    term.until("all orders");
    term.send("C");
    let text = term.until("told the on-call");
    assert!(text.contains("marked 1791988867:1"), "{text}");
    term.send("q");
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

/// The one folder or file of this name below another.
fn find(below: &Path, name: &str) -> std::path::PathBuf {
    search(below, name).unwrap_or_else(|| panic!("there is no {name} below {}", below.display()))
}

fn search(below: &Path, name: &str) -> Option<std::path::PathBuf> {
    let mut todo = vec![below.to_owned()];
    while let Some(dir) = todo.pop() {
        for entry in std::fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            if path.file_name().is_some_and(|n| n == name) {
                return Some(path);
            }
            if path.is_dir() {
                todo.push(path);
            }
        }
    }
    None
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

/// From the demo's first screen to a restore that has begun: its job is on disk.
fn begin_restore(machine: &Machine, term: &mut Term) {
    choose_suspect(term, ["documents deleted", "1,906"]);
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
    let begin = Instant::now();
    while search(machine.state(), "job.json").is_none() {
        assert!(begin.elapsed() < SOON, "the restore never began");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_restore_outlives_the_terminal_it_was_started_from() {
    let machine = Machine::new();
    let mut command = pitstop(machine.state(), &["demo"]);
    command.env("PITSTOP_MONGOD", mongod());
    let mut term = Term::spawn(command, 80, 24);
    begin_restore(&machine, &mut term);
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

/// What the timeline says of the bulk delete is what the fixture's record says; and the case keeps
/// what was found and decided.
#[test]
fn a_burst_is_opened_and_a_document_is_followed_to_its_end() {
    let root = fixture("v60");
    let truth = Truth::read(&root);
    let incident = &truth.incidents["bulk delete"];
    let (first, second) = (incident.first, incident.first.next());
    let machine = Machine::new();
    let text = |part: &str| root.join(part).display().to_string();
    let open = || Term::spawn(pitstop(machine.state(), &[&text("dump-dir"), &text("oplog")]), 80, 24);
    let mut term = open();
    term.until("newest before the stop");
    choose_suspect(&mut term, ["documents deleted", "shop.orders"]);
    term.send(ENTER);
    let shown = term.until(&format!("{} deletes  shop.orders", incident.entries));
    assert!(shown.contains(&format!("{first} ")) && !shown.contains(&format!("{second} ")), "{shown}");
    term.send(" ");
    term.until(&format!("{second} "));
    term.send("j");
    term.send(ENTER);
    let shown = term.until("It was there before; now it is gone");
    assert!(shown.contains(&format!("delete shop.orders at {first}")), "{shown}");
    term.send("v");
    let shown = term.until("History  shop.orders");
    let ends = |row: &str| row.contains(&format!("{first} ")) && row.contains("- delete");
    term.until_that("the delete as a version", |text| text.lines().any(ends));
    assert!(!shown.contains(&format!("{second} ")), "{shown}");
    term.send("s");
    term.until(&format!("The stop: before {first}"));
    let shown = term.until("good writes on");
    assert!(shown.contains(&format!("{} of them the incident", incident.entries)), "{shown}");
    term.send(ESC);
    term.until_that("the history again", |text| !text.contains("The stop:"));
    term.send("q");
    assert_eq!(term.ended(SOON), 0);
    let journal = std::fs::read_to_string(find(machine.state(), "journal.ndjson")).unwrap();
    let events: Vec<serde_json::Value> =
        journal.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let event = |name: &str| events.iter().find(|e| e["event"] == name);
    assert_eq!(event("stop").expect("the stop is noted")["pos"], first.to_string());
    assert!(event("suspects").is_some() && event("history").is_some(), "{journal}");
    let mut term = open();
    term.until(&format!("stop before {first}"));
    term.send("q");
    assert_eq!(term.ended(SOON), 0);
}
