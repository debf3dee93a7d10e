//! A fold, its state, a preview and the search for damage stay within their budget of memory,
//! measured as the system measures it, also where one act is most of the log. One test in a process of its own: what is measured is the whole process.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bson::{Document, doc};
use pitstop::domain::burst::Burst;
use pitstop::domain::diff_filter::DocumentFilter;
use pitstop::domain::position::Place;
use pitstop::domain::stop::{Side, StopRequest};
use pitstop::domain::{Position, progress::Meter};
use pitstop::engine::output::{Digest, State};
use pitstop::ops::after::after;
use pitstop::ops::diff::{DiffRequest, diff};
use pitstop::ops::memory::Memory;
use pitstop::ops::suspects::bursts;
use pitstop::ops::walk::{WalkOptions, walk};
use pitstop::ops::{OpenOptions, Workspace};

const SECOND: u32 = 1_795_236_280;
const BASE: i64 = 60_000;
const OPS: u32 = 240_000;
/// What the fold may take. The effects of all operations take more than three times as much.
const BUDGET: u64 = 12 << 20;
/// Documents that a deleteMany removes. Without a bound they take twice the budget.
const DELETED: u32 = 300_000;

fn uuid() -> bson::Binary {
    bson::Binary { subtype: bson::spec::BinarySubtype::Uuid, bytes: vec![7; 16] }
}

fn entry(number: u32, op: &str, o: Document, more: Document) -> Vec<u8> {
    let ts = bson::Timestamp { time: SECOND + number / 1000, increment: number % 1000 + 1 };
    let mut entry =
        doc! { "op": op, "ns": "shop.orders", "ui": uuid(), "o": o, "ts": ts, "t": 1i64, "v": 2i64 };
    entry.extend(more);
    bson::serialize_to_vec(&entry).unwrap()
}

/// A snapshot of so many small documents, and what was written since.
fn make(dir: &Path, documents: i64, text: &str, writes: impl Iterator<Item = Vec<u8>>) -> Workspace {
    fs::create_dir_all(dir.join("dump/shop")).unwrap();
    let mut base = std::io::BufWriter::new(fs::File::create(dir.join("dump/shop/orders.bson")).unwrap());
    for id in 0..documents {
        base.write_all(&bson::serialize_to_vec(&doc! { "_id": id, "n": 0, "text": text }).unwrap()).unwrap();
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
    writes.for_each(|bytes| oplog.write_all(&bytes).unwrap());
    oplog.into_inner().unwrap();
    let options = OpenOptions {
        sources: vec![dir.join("dump").into(), dir.join("oplog.bson").into()],
        case: Some(dir.join("case")),
        accept_unproven: vec![],
    };
    Workspace::open(&options, &Meter::default()).unwrap()
}

/// Updates of all documents, again and again, and inserts.
fn traffic() -> impl Iterator<Item = Vec<u8>> {
    (1..OPS).map(|number| {
        if number % 2 == 0 {
            entry(number, "i", doc! { "_id": BASE + i64::from(number), "n": number }, doc! {})
        } else {
            let id = i64::from(number / 2) * 7919 % BASE;
            let diff = doc! { "$v": 2, "diff": { "u": { "n": number } } };
            entry(number, "u", diff, doc! { "o2": { "_id": id } })
        }
    })
}

/// A few updates, and then a deleteMany of all documents.
fn damage() -> impl Iterator<Item = Vec<u8>> {
    let updates = (1..1000).map(|number| {
        let diff = doc! { "$v": 2, "diff": { "u": { "n": number } } };
        entry(number, "u", diff, doc! { "o2": { "_id": i64::from(number) } })
    });
    let deletes =
        (0..DELETED).map(|number| entry(1000 + number, "d", doc! { "_id": i64::from(number) }, doc! {}));
    updates.chain(deletes)
}

fn anonymous() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.trim().trim_end_matches("kB").trim().parse::<u64>().unwrap() << 10
}

/// How much memory was taken at most, beyond what was taken in the beginning, while something went
/// on. What the allocator has kept from before counts too.
fn peak<T>(beginning: u64, work: impl FnOnce() -> T) -> (T, u64) {
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
        (result, watch.join().unwrap().saturating_sub(beginning))
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

/// What going back to a stop would change, and the incident there.
fn preview(workspace: &Workspace, stop: Position, memory: Memory) -> (Option<Burst>, [u64; 3]) {
    let request = DiffRequest {
        stop: StopRequest { side: Side::Before, place: Place::At(stop) },
        against: None,
        snapshot: None,
        ns: Vec::new(),
        limit: 0,
        walk: WalkOptions { memory, ..WalkOptions::default() },
    };
    let found = diff(workspace, &request, &DocumentFilter::default(), &Meter::default()).unwrap();
    let ns = &found.namespaces[0];
    (found.incident, [ns.comes_back, ns.changes_back, ns.goes_away])
}

#[test]
fn memory_stays_within_its_budget() {
    let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let busy = make(dirs[0].path(), BASE, &"x".repeat(40), traffic());
    let damaged = make(dirs[1].path(), i64::from(DELETED), "", damage());
    let early = Position::new(SECOND, 500);
    let incident = Position::new(SECOND + 1, 1);
    let found = |memory| bursts(&damaged, memory, &Meter::default()).unwrap();
    let end = damaged.last().next();
    let following = |memory| after(&damaged, incident, end, memory, &Meter::default()).unwrap();
    let beginning = anonymous();
    let take = |what: &str, work: &mut dyn FnMut()| {
        let begun = std::time::Instant::now();
        let ((), bytes) = peak(beginning, work);
        println!("{what}: {} KiB, {:?}", bytes >> 10, begun.elapsed());
        bytes
    };
    // Those without a bound come last: the allocator need not give back what it has got.
    let all = [Memory::new(BUDGET), Memory::new(1 << 40)].map(|memory| {
        let mut state = Digest::default();
        let (mut change, mut acts, mut damage, mut lost) = (None, Vec::new(), None, None);
        let bytes = [
            take("index", &mut || drop([&busy, &damaged].map(|w| w.index(&Meter::default()).unwrap()))),
            take("state", &mut || state = digest(&busy, memory)),
            take("preview", &mut || change = Some(preview(&busy, early, memory))),
            take("acts", &mut || acts = found(memory)),
            take("what follows", &mut || lost = Some(following(memory))),
            take("preview of one act", &mut || damage = Some(preview(&damaged, incident, memory))),
        ];
        ((state, change.unwrap(), acts, damage.unwrap(), lost.unwrap()), bytes)
    });
    let [(little, with_little), (much, with_much)] = all;
    assert_eq!(little, much);
    let (state, change, acts, damage, lost) = little;
    assert_eq!(state.count, BASE as u64 + u64::from((OPS - 1) / 2));
    // Before the stop operations 1 to 498 count; nothing is ever deleted.
    assert_eq!(change.1, [0, BASE as u64, u64::from((OPS - 1) / 2) - 249]);
    assert_eq!(damage.1, [u64::from(DELETED), 0, 0]);
    let (first, documents) = damage.0.as_ref().map(|act| (act.first, act.documents)).unwrap();
    assert_eq!((first, documents), (incident, u64::from(DELETED)));
    assert_eq!((lost.total.incident_documents, lost.total.good_operations), (u64::from(DELETED), 0));
    assert_eq!(lost.incident, damage.0);
    assert_eq!(acts, Vec::from_iter(damage.0));
    assert!(with_little.iter().all(|bytes| *bytes <= BUDGET), "{with_little:?} bytes");
    assert!(with_much[1] > BUDGET * 3 / 2, "without a budget it takes more: {with_much:?} bytes");
}
