//! Shapes that must be understood.

use bson::spec::BinarySubtype;
use bson::{Binary, Bson, Document, doc};

use crate::world::{Came, NS, before, entry, inner, session, whole};

pub fn apply_ops(inc: u32, ops: Vec<Document>, more: Document) -> Document {
    let mut o = doc! { "applyOps": ops };
    let mut outside = doc! {};
    for (name, value) in more {
        match name.as_str() {
            "partialTxn" | "prepare" | "count" => o.insert(name, value),
            _ => outside.insert(name, value),
        };
    }
    let mut entry = entry(inc, "c", "admin.$cmd", o, outside);
    entry.remove("ui");
    entry
}

pub fn with(mut a: Document, b: Document) -> Document {
    a.extend(b);
    a
}

#[test]
fn vectored_inserts_count_each_for_itself_however_they_are_chained() {
    let group = |inc, from: i32, previous| {
        let ops = (from..from + 2).map(|id| inner("i", doc! { "_id": id }));
        apply_ops(inc, ops.collect(), with(session(previous), doc! { "multiOpType": 1 }))
    };
    let entries = [group(2, 10, 0), group(3, 12, 2), group(4, 14, 3)];
    assert_eq!(whole(&entries).unwrap().ids(), [1, 2, 3, 10, 11, 12, 13, 14, 15]);
    assert_eq!(before(4, &entries).unwrap().ids(), [1, 2, 3, 10, 11, 12, 13]);
    // What the chain begins with may be lost: the groups do not depend on each other.
    assert_eq!(whole(&entries[1..]).unwrap().ids(), [1, 2, 3, 12, 13, 14, 15]);
}

#[test]
fn an_id_that_is_not_first_stays_where_the_server_leaves_it() {
    // Tried on 6.0.5 with `applyOps`: alone in the log as given, inside a group with `_id` in front.
    let alone = entry(2, "i", NS, doc! { "x": 1, "_id": 20 }, doc! {});
    let group = apply_ops(3, vec![inner("i", doc! { "x": 1, "_id": 21 })], doc! {});
    let came = whole(&[alone, group]).unwrap();
    let names = |id: i32| {
        let found = came.of(NS).iter().find(|d| d.get_i32("_id").is_ok_and(|i| i == id)).unwrap();
        found.keys().cloned().collect::<Vec<_>>()
    };
    assert_eq!((names(20), names(21)), (vec!["x".into(), "_id".into()], vec!["_id".into(), "x".into()]));
}

#[test]
fn inserts_over_what_is_there_and_deletes_of_what_is_not() {
    let entries = [
        entry(2, "i", NS, doc! { "_id": 1, "over": "the snapshot's" }, doc! {}),
        entry(3, "d", NS, doc! { "_id": 77 }, doc! {}),
        entry(4, "i", NS, doc! { "_id": 77, "n": 1 }, doc! {}),
        entry(5, "i", NS, doc! { "_id": 77, "n": 2 }, doc! {}),
        entry(6, "d", NS, doc! { "_id": 2 }, doc! {}),
        entry(7, "d", NS, doc! { "_id": 2 }, doc! {}),
    ];
    let came = whole(&entries).unwrap();
    assert_eq!(came.ids(), [1, 3, 77]);
    let find = |id: i32| came.of(NS).iter().find(|d| d.get_i32("_id").is_ok_and(|i| i == id)).unwrap();
    assert_eq!(find(1), &doc! { "_id": 1, "over": "the snapshot's" });
    assert_eq!(find(77), &doc! { "_id": 77, "n": 2 });
}

#[test]
fn batched_deletes_need_no_session() {
    let ops = [1, 3].map(|id| inner("d", doc! { "_id": id }));
    assert_eq!(whole(&[apply_ops(2, ops.into(), doc! {})]).unwrap().ids(), [2]);
}

#[test]
fn groups_may_hold_groups() {
    let innermost =
        doc! { "op": "c", "ns": "admin.$cmd", "o": { "applyOps": [inner("i", doc! { "_id": 20 })] } };
    assert_eq!(whole(&[apply_ops(2, vec![innermost], doc! {})]).unwrap().ids(), [1, 2, 3, 20]);
}

#[test]
fn binary_diffs_keep_the_head_and_replace_the_rest() {
    let binary =
        |bytes: &[u8]| Bson::Binary(Binary { subtype: BinarySubtype::Generic, bytes: bytes.to_vec() });
    let insert = entry(2, "i", NS, doc! { "_id": 9, "x": { "data": binary(b"abcdef") } }, doc! {});
    let diff = doc! { "b": { "data": { "o": 4, "d": binary(b"XYZ") } } };
    let update = doc! { "$v": 2, "diff": { "sx": diff } };
    let update = entry(3, "u", NS, update, doc! { "o2": { "_id": 9 } });
    let came = whole(&[insert, update]).unwrap();
    let found = came.of(NS).iter().find(|d| d.get_i32("_id").is_ok_and(|i| i == 9)).unwrap();
    assert_eq!(found.get_document("x").unwrap(), &doc! { "data": binary(b"abcdXYZ") });
}

#[test]
fn modifiers_replacements_and_diffs_in_one_log() {
    let update = |inc, id: i32, o| entry(inc, "u", NS, o, doc! { "o2": { "_id": id } });
    let entries = [
        update(2, 1, doc! { "$v": 1, "$set": { "a.b": 1 }, "$unset": { "n": true } }),
        update(3, 2, doc! { "_id": 2, "whole": true }),
        update(4, 3, doc! { "$v": 2, "diff": { "u": { "n": 30 }, "i": { "new": 1 } } }),
        update(5, 3, doc! { "$set": { "late": true } }),
    ];
    let came = whole(&entries).unwrap();
    let find = |id: i32| came.of(NS).iter().find(|d| d.get_i32("_id").is_ok_and(|i| i == id)).unwrap();
    assert_eq!(find(1), &doc! { "_id": 1, "a": { "b": 1 } });
    assert_eq!(find(2), &doc! { "_id": 2, "whole": true });
    assert_eq!(find(3), &doc! { "_id": 3, "n": 30, "new": 1, "late": true });
}

/// A chain of three entries: two parts, then the commit with the count of all.
fn chain(count: i32) -> [Document; 3] {
    let insert = |id: i32| vec![inner("i", doc! { "_id": id })];
    [
        apply_ops(2, insert(10), with(session(0), doc! { "partialTxn": true })),
        apply_ops(3, insert(11), with(session(2), doc! { "partialTxn": true })),
        apply_ops(4, insert(12), with(session(3), doc! { "count": count })),
    ]
}

#[test]
fn a_chain_counts_from_its_commit_on() {
    let entries = chain(3);
    for bound in [3, 4] {
        let came = before(bound, &entries).unwrap();
        assert_eq!(came.ids(), [1, 2, 3]);
        let [open] = came.walked.unfinished[..] else { panic!("{:?}", came.walked.unfinished) };
        assert_eq!((open.operations, open.prepared), (u64::from(bound) - 2, false));
    }
    let came = before(5, &entries).unwrap();
    assert_eq!(came.ids(), [1, 2, 3, 10, 11, 12]);
    assert!(came.walked.unfinished.is_empty());
}

fn decided(command: &str) -> Vec<Document> {
    let prepare = with(session(0), doc! { "prepare": true });
    let first = apply_ops(2, vec![inner("d", doc! { "_id": 1 })], prepare);
    let between = entry(3, "i", NS, doc! { "_id": 30 }, doc! {});
    let mut o = doc! { command: 1 };
    if command == "commitTransaction" {
        o.insert("commitTimestamp", crate::world::stamp(2));
    }
    let mut last = entry(4, "c", "admin.$cmd", o, session(2));
    last.remove("ui");
    vec![first, between, last]
}

#[test]
fn a_prepared_transaction_counts_from_the_entry_of_its_decision() {
    let committed = decided("commitTransaction");
    let open = before(4, &committed).unwrap();
    assert_eq!(open.ids(), [1, 2, 3, 30]);
    assert!(open.walked.unfinished[0].prepared);
    assert_eq!(whole(&committed).unwrap().ids(), [2, 3, 30]);
    let aborted: Came = whole(&decided("abortTransaction")).unwrap();
    assert_eq!(aborted.ids(), [1, 2, 3, 30]);
    assert!(aborted.walked.unfinished.is_empty());
}

#[test]
fn a_chain_without_its_head_or_with_a_wrong_count_is_refused() {
    let cut = whole(&chain(3)[1..]).unwrap_err();
    assert_eq!(cut.class, pitstop::domain::Class::Inexact);
    assert!(cut.to_string().contains(&crate::kit::pos(2).to_string()), "{cut}");
    // A stop before its commit needs no head.
    assert_eq!(before(4, &chain(3)[1..]).unwrap().ids(), [1, 2, 3]);
    let miscounted = whole(&chain(4)).unwrap_err();
    assert!(miscounted.to_string().contains("says 4 operations but its parts hold 3"), "{miscounted}");
    let headless = decided("commitTransaction")[1..].to_vec();
    assert_eq!(whole(&headless).err().map(|e| e.class), Some(pitstop::domain::Class::Inexact));
}
