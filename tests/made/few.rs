//! A preview folds no more than what was touched between its two sides. What it says is what a fold
//! of everything says, also where an operation counts for documents that it does not name.

use bson::{Document, doc};
use pitstop::domain::diff::{DocumentDiff, NamespaceDiff};
use pitstop::domain::diff_filter::DocumentFilter;
use pitstop::domain::position::Place;
use pitstop::domain::progress::Meter;
use pitstop::domain::stop::{Side, StopRequest};
use pitstop::ops::diff::{DiffRequest, diff};
use pitstop::ops::memory::Memory;
use pitstop::ops::walk::WalkOptions;

use crate::kit::pos;
use crate::shapes::{apply_ops, with};
use crate::world::{NS, entry, inner, open, session, uuid};

/// Everyday writes, so that the last few entries are few.
const BEFORE: u32 = 100;

fn everyday() -> Vec<Document> {
    (2..BEFORE).map(|inc| entry(inc, "i", NS, doc! { "_id": inc, "n": 0 }, doc! {})).collect()
}

fn command(inc: u32, db: &str, o: Document, more: Document) -> Document {
    let mut entry = entry(inc, "c", &format!("{db}.$cmd"), o, more);
    if entry.get("ui").is_some_and(|ui| *ui == uuid(0)) {
        entry.remove("ui");
    }
    entry
}

/// The namespaces and documents that differ between the state before an increment and the end, and
/// how many entries were read for the former.
fn found(
    entries: &[Document],
    stop: u32,
    memory: Memory,
) -> Result<(Vec<NamespaceDiff>, Vec<DocumentDiff>, u64), String> {
    let (_place, workspace) = open(entries).unwrap();
    let request = DiffRequest {
        stop: StopRequest { side: Side::Before, place: Place::At(pos(stop)) },
        against: None,
        snapshot: None,
        ns: Vec::new(),
        limit: 1000,
        walk: WalkOptions { memory, ..WalkOptions::default() },
    };
    let meter = Meter::default();
    let found = diff(&workspace, &request, &DocumentFilter::default(), &meter).map_err(|e| e.to_string())?;
    let mut documents = found.documents;
    documents.sort_by_key(|d| format!("{} {}", d.ns, d.id));
    Ok((found.namespaces, documents, meter.read().done))
}

enum Read {
    /// What matters only, and that is little.
    Few,
    /// What matters only, and that is nearly everything.
    Most,
    /// Everything: what is asked for cannot be told apart.
    All,
}

/// With all the memory there is, and with none: then what was touched is not even looked for.
fn check(what: &str, tail: &[Document], stop: u32, read: Read, documents: usize) {
    let entries: Vec<Document> = everyday().into_iter().chain(tail.iter().cloned()).collect();
    let few = found(&entries, stop, Memory::default()).unwrap();
    let all = found(&entries, stop, Memory::new(100)).unwrap();
    assert_eq!((&few.0, &few.1), (&all.0, &all.1), "{what}");
    assert_eq!(few.1.len(), documents, "{what}: {:?}", few.1);
    match read {
        Read::Few => assert!(few.2 < all.2 / 2, "{what}: {} of {} entries", few.2, all.2),
        Read::Most => assert!(few.2 < all.2 && few.2 > all.2 / 2, "{what}: {} of {}", few.2, all.2),
        Read::All => assert_eq!(few.2, all.2, "{what}"),
    }
}

#[test]
fn documents_of_a_transaction_that_was_begun_before() {
    let insert = |id: i32| vec![inner("i", doc! { "_id": id })];
    let update = vec![doc! {
        "op": "u", "ns": NS, "ui": uuid(7), "o": { "$v": 2, "diff": { "u": { "n": 9 } } }, "o2": { "_id": 50 },
    }];
    let chain = [
        apply_ops(BEFORE, insert(1000), with(session(0), doc! { "partialTxn": true })),
        apply_ops(BEFORE + 1, update, with(session(BEFORE), doc! { "partialTxn": true })),
        entry(BEFORE + 2, "i", NS, doc! { "_id": 2000 }, doc! {}),
        apply_ops(BEFORE + 3, insert(1001), with(session(BEFORE + 1), doc! { "count": 3 })),
    ];
    for (stop, documents) in [(BEFORE, 4), (BEFORE + 1, 4), (BEFORE + 2, 4), (BEFORE + 3, 3)] {
        check("a chain", &chain, stop, Read::Few, documents);
    }
    let prepared = [
        apply_ops(BEFORE, insert(1000), with(session(0), doc! { "prepare": true })),
        entry(BEFORE + 1, "i", NS, doc! { "_id": 2000 }, doc! {}),
        with(
            command(BEFORE + 2, "admin", doc! { "commitTransaction": 1 }, session(BEFORE)),
            doc! { "ui": uuid(0) },
        ),
    ];
    for (stop, documents) in [(BEFORE, 2), (BEFORE + 1, 2), (BEFORE + 2, 1)] {
        check("a prepared one", &prepared, stop, Read::Few, documents);
    }
}

#[test]
fn all_documents_of_what_was_dropped_or_emptied() {
    let drop = [
        command(BEFORE, "shop", doc! { "drop": "orders" }, doc! {}),
        command(BEFORE + 1, "shop", doc! { "create": "orders" }, doc! { "ui": uuid(8) }),
        entry(BEFORE + 2, "i", NS, doc! { "_id": 5, "n": "new" }, doc! { "ui": uuid(8) }),
    ];
    // 1 to 3 are the snapshot's, and 3 is written over.
    let all = BEFORE as usize - 1;
    check("a drop", &drop, BEFORE, Read::Most, all);
    check("behind it", &drop, BEFORE + 2, Read::Few, 1);
    // The documents that go came under another name.
    let renamed = [
        command(
            BEFORE,
            "shop",
            doc! { "renameCollection": "shop.orders", "to": "shop.done", "stayTemp": false },
            doc! {},
        ),
        command(BEFORE + 1, "shop", doc! { "drop": "done" }, doc! {}),
    ];
    check("a drop behind a rename", &renamed, BEFORE + 1, Read::All, all);
    check("a rename", &renamed[..1], BEFORE, Read::All, 2 * all);
    let other = [
        command(BEFORE, "shop", doc! { "create": "other" }, doc! { "ui": uuid(8) }),
        entry(BEFORE + 1, "i", "shop.other", doc! { "_id": 5 }, doc! { "ui": uuid(8) }),
        command(BEFORE + 2, "shop", doc! { "drop": "other" }, doc! { "ui": uuid(8) }),
        command(BEFORE + 3, "shop", doc! { "dropDatabase": 1 }, doc! { "ui": uuid(0) }),
    ];
    check("a small one", &other[..3], BEFORE + 2, Read::Few, 1);
}

#[test]
fn an_operation_that_names_no_document_is_refused_either_way() {
    let nameless = entry(BEFORE, "u", NS, doc! { "$v": 2, "diff": { "u": { "n": 1 } } }, doc! { "o2": {} });
    let entries: Vec<Document> = everyday().into_iter().chain([nameless]).collect();
    for memory in [Memory::default(), Memory::new(100)] {
        let error = found(&entries, BEFORE, memory).unwrap_err();
        assert!(error.contains(&pos(BEFORE).to_string()) && error.contains("no _id"), "{error}");
    }
}

#[test]
fn a_time_series_that_was_made_in_the_log() {
    let views = |inc| {
        let view = doc! { "_id": "shop.temps", "viewOn": "system.buckets.temps", "pipeline": [] };
        entry(inc, "i", "shop.system.views", view, doc! { "ui": uuid(6) })
    };
    let bucket = |inc, id: i32| {
        let body = doc! { "_id": id, "control": { "version": 1 }, "data": {} };
        entry(inc, "i", "shop.system.buckets.temps", body, doc! { "ui": uuid(9) })
    };
    let options = doc! { "create": "system.buckets.temps", "timeseries": { "timeField": "t" } };
    let tail = [
        views(BEFORE),
        command(BEFORE + 1, "shop", options, doc! { "ui": uuid(9) }),
        bucket(BEFORE + 2, 1),
        bucket(BEFORE + 3, 2),
    ];
    check("a bucket", &tail, BEFORE + 3, Read::Few, 1);
    check("two", &tail, BEFORE + 2, Read::Few, 2);
}
