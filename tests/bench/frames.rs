//! Measures how soon the screens answer, as a terminal sees it: from a key to the frame that
//! follows it, idle and while every op is being read; processor time without keys; and the start.
//!
//!     cargo bench --bench frames -- --ops 10000000 [--dir DIR]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[allow(dead_code)]
mod oplog;
#[path = "../tui/term.rs"]
#[allow(dead_code)]
mod term;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use term::{Term, pitstop};

const COLUMNS: u16 = 140;
const ROWS: u16 = 45;

/// Keys of a series.
const ENOUGH: usize = 300;

/// How often something is begun anew to have enough keys while it runs.
const ROUNDS: usize = 12;

/// A frame that does not come within this does not come.
const PATIENCE: Duration = Duration::from_secs(20);

/// Up and down, pages, ends, bars, zoom.
const KEYS: [&str; 16] =
    ["j", "j", "k", "\x04", "\x15", "j", "G", "k", "gg", "j", "l", "l", "h", "+", "-", "0"];

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let value = |name: &str| args.iter().position(|a| a == name).and_then(|at| args.get(at + 1));
    let ops: u64 = value("--ops").map_or(1_000_000, |n| n.replace('_', "").parse().expect("--ops: a number"));
    let dir =
        value("--dir").map_or_else(|| Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench"), PathBuf::from);
    fs::create_dir_all(&dir).unwrap();
    let file = dir.join(format!("oplog-{ops}.bson"));
    if !file.exists() {
        eprintln!("writing {} …", file.display());
        oplog::write(&file, ops).unwrap();
    }
    let dump = dir.join(format!("dump-{ops}"));
    oplog::write_dump(&dump, &file).unwrap();
    // Its time has to be a proof.
    std::thread::sleep(Duration::from_secs(3));
    Bench { dir, sources: [dump, file].map(|path| path.display().to_string()) }.run();
}

/// What is shown, and where state may be kept.
struct Bench {
    dir: PathBuf,
    sources: [String; 2],
}

impl Bench {
    fn run(&self) {
        println!("{COLUMNS}x{ROWS}, {} cores", std::thread::available_parallelism().unwrap());
        let heads = ["keys", "median", "p99", "max"];
        println!("| {:<44} | {} |", "what", heads.map(|head| format!("{head:>9}")).join(" | "));
        self.cold();
        let (mut building, mut suspects) = (Samples::default(), Samples::default());
        let mut state = self.state();
        let mut term = self.timeline(&state);
        for _ in 0..ROUNDS {
            let mut series = Series::begin(&term);
            series.press_while(&mut term, "reading the oplog");
            building.take(&term, series);
            // What runs is shown when it has run for a moment.
            let soon = Instant::now();
            term.until_that("damage is looked for", |text| {
                text.contains("looking for damage") || soon.elapsed() > Duration::from_millis(400)
            });
            let mut series = Series::begin(&term);
            series.press_while(&mut term, "looking for damage");
            suspects.take(&term, series);
            settle(&mut term);
            if building.frame.len() >= ENOUGH {
                break;
            }
            // A case of its own: the index is built anew.
            state = self.state();
            term = self.timeline(&state);
        }
        settle(&mut term);
        building.print("while the index is built");
        suspects.print("while suspects are looked for");

        let mut idle = Samples::default();
        let mut series = Series::begin(&term);
        for key in KEYS.iter().cycle().take(ENOUGH) {
            series.press(&mut term, key);
        }
        idle.take(&term, series);
        idle.print("idle");

        // None of them is in any op, and of every op all fields must be looked at.
        let number = |round: usize| format!("4999.17{round:03}1");
        let regex = |round: usize| format!("/^[xyz]{{9}}[{round}a]/");
        scanning(&mut term, "filter for a number", &number);
        scanning(&mut term, "filter for a /regex/", &regex);
        giving_way(&mut term, "a search gives way to a key", &regex);

        settle(&mut term);
        let before = (ticks(term.pid()), term.frames().len());
        std::thread::sleep(Duration::from_secs(10));
        let (busy, frames) = (ticks(term.pid()) - before.0, term.frames().len() - before.1);
        println!("without keys, 10 s: {busy} ticks of processor time (100 are a second), {frames} frames");
        term.send("q");
        assert_eq!(term.ended(PATIENCE), 0);
        drop(state);
    }

    /// A place for its state that nothing was kept in before.
    fn state(&self) -> tempfile::TempDir {
        tempfile::tempdir_in(&self.dir).unwrap()
    }

    fn spawn(&self, state: &tempfile::TempDir) -> Term {
        let [dump, file] = &self.sources;
        Term::spawn(pitstop(state.path(), &[dump, file]), COLUMNS, ROWS)
    }

    /// The timeline, as soon as the oplog is open.
    fn timeline(&self, state: &tempfile::TempDir) -> Term {
        let mut term = self.spawn(state);
        term.until("newest before the stop");
        term.send("\r");
        term.until_that("the timeline", |text| text.contains("reading the oplog") || at(text).is_some());
        term
    }

    fn cold(&self) {
        let state = self.state();
        let mut starts = Vec::new();
        for _ in 0..10 {
            let begin = Instant::now();
            let term = self.spawn(&state);
            starts.push(first_frame(&term, begin, "the start") - begin);
        }
        print("start to first frame", &mut starts, "");
    }
}

/// Presses one key while the timeline searches for something that is nowhere: the search ends.
fn giving_way(term: &mut Term, name: &str, query: &dyn Fn(usize) -> String) {
    let mut samples = Samples::default();
    for round in 0..ROUNDS {
        term.send("/");
        term.until("Enter");
        term.send(&format!("\x15\x1b[200~{}\x1b[201~\r", query(round)));
        term.until("searching");
        let mut series = Series::begin(term);
        series.press(term, "j");
        samples.take(term, series);
        settle(term);
    }
    samples.print(name);
}

/// Presses keys while the timeline is filtered for something that is nowhere, as often as it takes.
fn scanning(term: &mut Term, name: &str, query: &dyn Fn(usize) -> String) {
    let (runs, nothing) = ("filtering", "no ops");
    let mut samples = Samples::default();
    for round in 0..ROUNDS {
        term.send("f");
        term.until("Enter");
        term.send(&format!("\x1b[200~{}\x1b[201~\r", query(round)));
        term.until_that(nothing, |text| text.contains(runs) || text.contains(nothing));
        let mut series = Series::begin(term);
        series.press_while(term, runs);
        samples.take(term, series);
        settle(term);
        term.send("F");
        term.until_that("an op", |text| at(text).is_some());
        settle(term);
        if samples.frame.len() >= ENOUGH {
            break;
        }
    }
    samples.print(name);
}

/// Keys and when they were written.
struct Series {
    presses: Vec<(&'static str, Instant)>,
    /// How many frames there were before.
    begin: usize,
    text: String,
}

impl Series {
    fn begin(term: &Term) -> Series {
        let begin = term.frames().len();
        Series { presses: Vec::new(), begin, text: term.text() }
    }

    /// Presses a key and waits for the frame that follows it, and a moment more: no two keys come
    /// at the same time after the frames that show how far something is.
    fn press(&mut self, term: &mut Term, key: &'static str) {
        let sent = Instant::now();
        term.send(key);
        first_frame(term, sent, key);
        std::thread::sleep(Duration::from_millis(25 + self.presses.len() as u64 * 7 % 25));
        self.presses.push((key, sent));
    }

    /// Presses keys as long as the screen shows that something runs. The last one may have come
    /// too late and does not count.
    fn press_while(&mut self, term: &mut Term, runs: &str) {
        for key in KEYS.iter().cycle().take(ENOUGH) {
            self.press(term, key);
            if !term.text().contains(runs) {
                self.presses.pop();
                return;
            }
        }
    }
}

/// What keys took, longest last when printed.
#[derive(Default)]
struct Samples {
    /// To the first frame that follows.
    frame: Vec<Duration>,
    /// To the frame that shows another op as the highlighted one, where there is one before the
    /// next key.
    moved: Vec<Duration>,
    /// The one that took longest.
    slowest: Option<(Duration, &'static str)>,
}

impl Samples {
    /// Shows all frames of a series again, one by one, and looks at what each key came to.
    fn take(&mut self, term: &Term, series: Series) {
        let (raw, frames) = (term.raw(), term.frames());
        let mut screen = vt100::Parser::new(ROWS, COLUMNS, 0);
        let mut shown = frames.get(..series.begin).and_then(|f| f.last()).map_or(0, |(end, _)| *end);
        screen.process(&raw[..shown]);
        let mut here = at(&series.text);
        let mut frames = frames[series.begin..].iter().peekable();
        let mut presses = series.presses.iter().peekable();
        while let Some((key, sent)) = presses.next() {
            let next = presses.peek().map(|(_, sent)| *sent);
            let (mut first, mut moved, was) = (None, None, here);
            while let Some((end, read)) = frames.next_if(|(_, read)| next.is_none_or(|next| *read < next)) {
                screen.process(&raw[shown..*end]);
                shown = *end;
                here = at(&screen.screen().contents()).or(here);
                if read > sent {
                    first = first.or(Some(*read - *sent));
                    moved = moved.or((here != was).then_some(*read - *sent));
                }
            }
            let first = first.expect("every key was followed by a frame");
            self.frame.push(first);
            self.moved.extend(moved);
            self.slowest = self.slowest.max(Some((first, *key)));
        }
    }

    fn print(mut self, name: &str) {
        let slowest = self.slowest.map_or(String::new(), |(_, key)| format!("slowest: {key:?}"));
        print(name, &mut self.frame, &slowest);
        // Where keys wait, or there is no list yet, they move nothing.
        if self.moved.len() * 2 > self.frame.len() {
            print(&format!("{name}: the op"), &mut self.moved, "");
        }
    }
}

fn print(name: &str, times: &mut [Duration], more: &str) {
    times.sort_unstable();
    let of = |share: f64| {
        // The smallest that so many are not above.
        let at = (times.len() as f64 * share).ceil() as usize;
        let time = times.get(at.saturating_sub(1)).or(times.last());
        time.map_or("-".into(), |time| format!("{:.1} ms", time.as_secs_f64() * 1e3))
    };
    let (median, p99, max) = (of(0.5), of(0.99), of(1.0));
    println!("| {name:<44} | {:>9} | {median:>9} | {p99:>9} | {max:>9} | {more}", times.len());
}

/// When the first frame came that ended after something.
fn first_frame(term: &Term, after: Instant, what: &str) -> Instant {
    loop {
        if let Some((_, read)) = term.frames().into_iter().find(|(_, read)| *read > after) {
            return read;
        }
        assert!(after.elapsed() < PATIENCE, "no frame answered {what:?}; the screen:\n{}", term.text());
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Waits until nothing is drawn any more.
fn settle(term: &mut Term) {
    let mut last = (term.frames().len(), Instant::now());
    while last.1.elapsed() < Duration::from_millis(700) {
        let frames = term.frames().len();
        if frames != last.0 {
            last = (frames, Instant::now());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Which op is highlighted: `op 1,234 of 21,935`.
fn at(text: &str) -> Option<u64> {
    let after = text.match_indices("op ").map(|(at, word)| &text[at + word.len()..]);
    let number = |text: &str| text.split_once(" of ")?.0.replace(',', "").parse().ok();
    after.filter_map(number).next()
}

/// Ticks of processor time that a process has had.
fn ticks(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields = stat.rsplit(')').next().unwrap().split_whitespace();
    fields.skip(11).take(2).map(|n| n.parse::<u64>().unwrap()).sum()
}
