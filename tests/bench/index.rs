//! Measures opening, indexing, searching and folding an oplog of any size, next to a plain read of
//! the same file in the same run, and the anonymous memory that each takes.
//!
//!     cargo bench --bench index -- --ops 10000000 [--dir DIR]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod oplog;

use std::fs::{self, File};
use std::io::Read;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use pitstop::domain::Position;
use pitstop::domain::diff_filter::DocumentFilter;
use pitstop::domain::position::Place;
use pitstop::domain::progress::Meter;
use pitstop::domain::query::parse;
use pitstop::domain::stop::{Side, StopRequest};
use pitstop::engine::output::{Digest, State};
use pitstop::index::OpIndex;
use pitstop::ops::diff::{DiffRequest, diff};
use pitstop::ops::memory::Memory;
use pitstop::ops::walk::{WalkOptions, walk};
use pitstop::ops::{OpenOptions, Workspace, suspects::suspects};

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
    let table = measure(&file);
    fold(&table, &file, &dump);
}

/// The fold with all the memory it wants, and with little; the states must be the same.
fn fold(table: &Table, file: &Path, dump: &Path) {
    let case = tempfile::tempdir_in(dump.parent().unwrap()).unwrap();
    let options = OpenOptions {
        sources: vec![dump.to_owned().into(), file.to_owned().into()],
        case: Some(case.path().to_owned()),
        accept_unproven: vec![],
    };
    let meter = Meter::default();
    let workspace = Workspace::open(&options, &meter).unwrap();
    let bound = workspace.last().next();
    let mut states = Vec::new();
    for (number, megabytes) in [1 << 20, 1 << 20, 512, 128].into_iter().enumerate() {
        let options = WalkOptions { memory: Memory::new(megabytes << 20), ..WalkOptions::default() };
        let before = anonymous();
        let ((digest, folding, streaming, spilled), peak) = with_peak(|| {
            let (walked, folding) =
                timed(|| walk(&workspace, &workspace.snapshots[0], bound, &options, &meter).unwrap());
            let (digest, streaming) = timed(|| stream(&walked.state));
            (digest, folding, streaming, walked.state.is_spilled())
        });
        let name = match (number, megabytes) {
            (0, _) => "building the index".into(),
            (_, 0..1_048_576) => format!("--memory {megabytes}M"),
            _ => "no bound".into(),
        };
        let how = if spilled { "spilled" } else { "in memory" };
        let taken = peak.saturating_sub(before) >> 20;
        table.row(&format!("fold, {name}"), folding, &format!("{how}, at most {taken} MB anonymous"));
        table.row(&format!("streaming the state, {name}"), streaming, &format!("{} documents", digest.count));
        states.push(digest);
    }
    assert!(states.iter().all(|state| *state == states[0]), "{states:?}");
    let request = DiffRequest {
        stop: StopRequest { side: Side::Before, place: Place::At(Position::new(bound.secs, 0)) },
        against: None,
        snapshot: None,
        ns: Vec::new(),
        limit: 0,
        walk: WalkOptions::default(),
    };
    let (_, cost) = timed(|| diff(&workspace, &request, &DocumentFilter::default(), &meter).unwrap());
    table.row("diff of the last second", cost, "");
}

/// All documents of a state, by all cores.
fn stream(state: &dyn State) -> Digest {
    let jobs: Vec<(usize, usize)> = (0..state.collections().len())
        .flat_map(|at| (0..state.chunks(at)).map(move |chunk| (at, chunk)))
        .collect();
    let next = AtomicUsize::new(0);
    let all = Mutex::new(Digest::default());
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().unwrap().get() {
            scope.spawn(|| {
                while let Some(&(at, chunk)) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let mut digest = Digest::default();
                    let mut sink = |document: &[u8]| {
                        digest.add(document);
                        Ok(())
                    };
                    state.emit(at, chunk, &mut sink).unwrap();
                    all.lock().unwrap().merge(&digest);
                }
            });
        }
    });
    all.into_inner().unwrap()
}

/// What something took, in seconds.
#[derive(Clone, Copy)]
struct Cost {
    time: f64,
    /// Of all cores together: what it would take alone on one core.
    processor: f64,
}

impl std::ops::Add for Cost {
    type Output = Cost;

    fn add(self, other: Cost) -> Cost {
        Cost { time: self.time + other.time, processor: self.processor + other.processor }
    }
}

struct Table {
    bytes: u64,
    plain: Cost,
}

impl Table {
    fn row(&self, what: &str, cost: Cost, more: &str) {
        let speed = self.bytes as f64 / 1e9 / cost.time;
        let ratio = cost.time / self.plain.time;
        let (wall, cpu) = (time(cost.time), time(cost.processor));
        println!("| {what:<40} | {wall:>9} | {cpu:>9} | {speed:>9.2} | {ratio:>7.2} | {more}");
    }
}

fn time(seconds: f64) -> String {
    if seconds < 1.0 { format!("{:.1} ms", seconds * 1e3) } else { format!("{seconds:.2} s") }
}

fn measure(file: &Path) -> Table {
    let bytes = fs::metadata(file).unwrap().len();
    // Once to have it in memory, then for the time.
    read_plainly(file);
    let (_, plain) = timed(|| read_plainly(file));
    let table = Table { bytes, plain };
    let case = tempfile::tempdir_in(file.parent().unwrap()).unwrap();
    println!("{} bytes, {} cores", bytes, std::thread::available_parallelism().unwrap());
    println!("| {:<40} | {:>9} | {:>9} | {:>9} | {:>7} |", "what", "time", "processor", "GB/s", "x plain");
    table.row("plain sequential read", plain, "");

    let meter = Meter::default();
    let before = anonymous();
    let ((workspace, opening, index, building), peak) = with_peak(|| {
        let (workspace, opening) = timed(|| open(file, case.path()));
        let (index, building) = timed(|| workspace.index(&meter).unwrap());
        (workspace, opening, index, building)
    });
    let rows = index.len();
    table.row("opening the source, everything checked", opening, "");
    table.row("building the index", building, &format!("{rows} ops"));
    table.row("both", opening + building, "");
    let disk: u64 = files(&workspace.case.index_dir()).iter().map(|f| f.metadata().unwrap().len()).sum();
    println!("index on disk: {:.1} bytes an op", disk as f64 / rows as f64);
    println!(
        "anonymous memory: {} MB at most while opening and building, {} MB before",
        peak >> 20,
        before >> 20
    );
    drop((index, workspace));

    let (workspace, again) = timed(|| open(file, case.path()));
    table.row("opening the source again", again, "");
    let dir = workspace.case.index_dir();
    let (index, reopening) = timed(|| OpIndex::open(&dir, &workspace.oplog, &meter).unwrap());
    assert!(index.is_complete(), "the index is used again");
    table.row("reopening the index", reopening, "");
    drop(index);
    let index = workspace.index(&meter).unwrap();

    for query in [
        oplog::NEEDLE.to_owned(),
        format!("id:{}", oplog::CUSTOMER),
        "op:delete".into(),
        "ns:shop.ledger op:insert".into(),
        "SKU-77".into(),
        "4999.17".into(),
        "42".into(),
        "/qu.tz.l/".into(),
    ] {
        let (first, last) = (workspace.oplog.first().unwrap(), workspace.oplog.last().unwrap());
        let filter = parse(&query).unwrap().resolve(first.pos, last.pos).unwrap();
        let (mut found, mut first_hit) = (0u64, None);
        let start = Instant::now();
        let (searched, cost) = timed(|| {
            index.search(&filter, 0, &meter, &mut |_| {
                first_hit.get_or_insert_with(|| start.elapsed());
                found += 1;
                Ok(ControlFlow::Continue(()))
            })
        });
        assert!(searched.unwrap().finished);
        let first_hit = first_hit.map_or("none".into(), |t| time(t.as_secs_f64()));
        let per_gb = cost.time / (bytes as f64 / 1e9);
        table.row(
            &format!("search {query}"),
            cost,
            &format!("{found} found, first after {first_hit}, {} a GB", time(per_gb)),
        );
    }
    let (first, last) = (workspace.oplog.first().unwrap(), workspace.oplog.last().unwrap());
    let (buckets, histogram) = timed(|| index.histogram(first.pos..last.pos.next(), 200));
    assert_eq!(buckets.iter().flatten().sum::<u64>(), rows);
    table.row("histogram of everything, 200 buckets", histogram, "");
    let (_, bound) = timed(|| index.lower_bound(Position::new(first.pos.secs + 60, 1)));
    table.row("lower bound", bound, "");
    let (found, cost) = timed(|| suspects(&workspace, &meter).unwrap());
    table.row("suspects", cost, &format!("{} found", found.len()));
    table
}

fn open(file: &Path, case: &Path) -> Workspace {
    let options = OpenOptions {
        sources: vec![file.to_owned().into()],
        case: Some(case.to_owned()),
        accept_unproven: vec![],
    };
    Workspace::open(&options, &Meter::default()).unwrap()
}

fn files(dir: &Path) -> Vec<fs::DirEntry> {
    fs::read_dir(dir).unwrap().map(|e| e.unwrap()).collect()
}

fn read_plainly(file: &Path) {
    let mut file = File::open(file).unwrap();
    let mut buffer = vec![0; 1 << 20];
    while file.read(&mut buffer).unwrap() > 0 {
        std::hint::black_box(&buffer);
    }
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Cost) {
    let (start, before) = (Instant::now(), processor());
    let result = work();
    (result, Cost { time: start.elapsed().as_secs_f64(), processor: processor() - before })
}

/// Seconds of processor time that this process has had.
fn processor() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: u64 = fields.skip(11).take(2).filter_map(|n| n.parse::<u64>().ok()).sum();
    ticks as f64 / 100.0
}

/// Anonymous memory of this process, in bytes.
fn anonymous() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap_or("0 kB");
    line.split_whitespace().next().and_then(|n| n.parse::<u64>().ok()).unwrap_or(0) << 10
}

/// Runs something and gives the most anonymous memory that was seen meanwhile.
fn with_peak<T>(work: impl FnOnce() -> T) -> (T, u64) {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let mut most = 0;
            while !stop.load(Ordering::Relaxed) {
                most = most.max(anonymous());
                std::thread::sleep(Duration::from_millis(5));
            }
            most
        });
        let result = work();
        stop.store(true, Ordering::Relaxed);
        (result, watch.join().unwrap())
    })
}
