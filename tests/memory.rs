//! A fold, its state and a preview stay within their budget of memory, measured as the system
//! measures it. One test in a process of its own: what is measured is the whole process.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bson::{Document, doc};
use pitstop::domain::position::Place;
use pitstop::domain::stop::{Side, StopRequest};
use pitstop::domain::{Position, progress::Meter};
use pitstop::engine::output::{Digest, State};
use pitstop::ops::diff::{DiffRequest, diff};
use pitstop::ops::memory::Memory;
use pitstop::ops::walk::{WalkOptions, walk};
use pitstop::ops::{OpenOptions, Workspace};

const SECOND: u32 = 1_795_236_280;
const BASE: i64 = 60_000;
const OPS: u32 = 240_000;
/// What the fold may take. The effects of all operations take more than three times as much.
const BUDGET: u64 = 12 << 20;

fn uuid() -> bson::Binary {
    bson::Binary { subtype: bson::spec::BinarySubtype::Uuid, bytes: vec![7; 16] }
}

fn entry(number: u32, op: &str, o: Document, more: Document) -> Vec<u8> {
    // The first second is an act of its own: how many operations one act has is another matter.
    let pause = if number < 1000 { 0 } else { 100 };
    let ts = bson::Timestamp { time: SECOND + pause + number / 1000, increment: number % 1000 + 1 };
    let mut entry =
        doc! { "op": op, "ns": "shop.orders", "ui": uuid(), "o": o, "ts": ts, "t": 1i64, "v": 2i64 };
    entry.extend(more);
    bson::serialize_to_vec(&entry).unwrap()
}

/// A snapshot of many small documents; then updates of all of them, again and again, and inserts.
fn make(dir: &Path) {
    fs::create_dir_all(dir.join("dump/shop")).unwrap();
    let mut base = std::io::BufWriter::new(fs::File::create(dir.join("dump/shop/orders.bson")).unwrap());
    for id in 0..BASE {
        base.write_all(&bson::serialize_to_vec(&doc! { "_id": id, "n": 0, "text": "x".repeat(40) }).unwrap())
            .unwrap();
    }
    base.into_inner().unwrap();
    let metadata = serde_json::json!({
        "options": {}, "collectionName": "orders", "type": "collection", "uuid": "07".repeat(16),
        "indexes": [{ "v": { "$numberInt": "2" }, "key": { "_id": { "$numberInt": "1" } }, "name": "_id_" }],
    });
    fs::write(dir.join("dump/shop/orders.metadata.json"), metadata.to_string()).unwrap();
    let first = entry(0, "n", doc! { "msg": "the window" }, doc! { "ns": "" });
    fs::write(dir.join("dump/oplog.bson"), &first).unwrap();
    let mut oplog = std::io::BufWriter::new(fs::File::create(dir.join("oplog.bson")).unwrap());
    oplog.write_all(&first).unwrap();
    for number in 1..OPS {
        let id = i64::from(number / 2) * 7919 % BASE;
        let bytes = if number % 2 == 0 {
            entry(number, "i", doc! { "_id": BASE + i64::from(number), "n": number }, doc! {})
        } else {
            let diff = doc! { "$v": 2, "diff": { "u": { "n": number } } };
            entry(number, "u", diff, doc! { "o2": { "_id": id } })
        };
        oplog.write_all(&bytes).unwrap();
    }
    oplog.into_inner().unwrap();
}

fn anonymous() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.trim().trim_end_matches("kB").trim().parse::<u64>().unwrap() << 10
}

/// How much memory something took more than was taken before.
fn peak<T>(work: impl FnOnce() -> T) -> (T, u64) {
    let before = anonymous();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let mut most = 0;
            while !stop.load(Ordering::Relaxed) {
                most = most.max(anonymous());
                std::thread::sleep(Duration::from_millis(1));
            }
            most
        });
        let result = work();
        stop.store(true, Ordering::Relaxed);
        (result, watch.join().unwrap().saturating_sub(before))
    })
}

fn digest(workspace: &Workspace, memory: Memory) -> Digest {
    let options = WalkOptions { memory, ..WalkOptions::default() };
    let bound = workspace.last().next();
    let state = walk(workspace, &workspace.snapshots[0], bound, &options, &Meter::default()).unwrap().state;
    let mut digest = Digest::default();
    for at in 0..state.collections().len() {
        for chunk in 0..state.chunks(at) {
            let mut sink = |document: &[u8]| {
                digest.add(document);
                Ok(())
            };
            state.emit(at, chunk, &mut sink).unwrap();
        }
        state.finish(at).unwrap();
    }
    digest
}

fn preview(workspace: &Workspace, memory: Memory) -> (u64, u64, u64) {
    let stop = Position::new(SECOND, 500);
    let request = DiffRequest {
        stop: StopRequest { side: Side::Before, place: Place::At(stop) },
        against: None,
        snapshot: None,
        ns: Vec::new(),
        limit: 0,
        walk: WalkOptions { memory, ..WalkOptions::default() },
    };
    let found = diff(
        workspace,
        &request,
        &pitstop::domain::diff_filter::DocumentFilter::default(),
        &Meter::default(),
    )
    .unwrap();
    let ns = &found.namespaces[0];
    (ns.comes_back, ns.changes_back, ns.goes_away)
}

#[test]
fn memory_stays_within_its_budget() {
    let dir = tempfile::tempdir().unwrap();
    make(dir.path());
    let options = OpenOptions {
        sources: vec![dir.path().join("dump").into(), dir.path().join("oplog.bson").into()],
        case: Some(dir.path().join("case")),
        accept_unproven: vec![],
    };
    let workspace = Workspace::open(&options, &Meter::default()).unwrap();
    let (_, with_index) = peak(|| workspace.index(&Meter::default()).unwrap());
    let (little, with_little) = peak(|| digest(&workspace, Memory::new(BUDGET)));
    let (of_little, diff_with_little) = peak(|| preview(&workspace, Memory::new(BUDGET)));
    let (much, with_much) = peak(|| digest(&workspace, Memory::new(1 << 40)));
    let (of_much, diff_with_much) = peak(|| preview(&workspace, Memory::new(1 << 40)));
    println!(
        "index: {with_index} bytes; state: {with_little} with a budget, {with_much} without; preview: {diff_with_little}, {diff_with_much}"
    );
    assert_eq!(little, much);
    assert_eq!(little.count, BASE as u64 + u64::from((OPS - 1) / 2));
    assert_eq!(of_little, of_much);
    // Before the stop operations 1 to 498 count; nothing is ever deleted.
    assert_eq!(of_little, (0, BASE as u64, u64::from((OPS - 1) / 2) - 249));
    assert!(with_index <= BUDGET, "{with_index} bytes");
    assert!(with_little <= BUDGET, "{with_little} bytes");
    assert!(diff_with_little <= BUDGET, "{diff_with_little} bytes");
    assert!(with_much > BUDGET * 3 / 2, "without a budget it takes more: {with_much} bytes");
}
