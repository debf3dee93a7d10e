//! Expected values are written down from the tables of the reference, which were measured on
//! servers; the comparison with a living one is `tests/update_semantics.rs`.

mod diff;
mod modifiers;
mod properties;

use bson::{Document, doc};

use super::*;

fn raw(doc: &Document) -> Vec<u8> {
    bson::serialize_to_vec(doc).unwrap()
}

fn run_in(order: NewFieldOrder, old: &Document, o: &Document) -> Result<Document, Fault> {
    let (old, o) = (raw(old), raw(o));
    let update = classify(Doc::new(&o).unwrap())?;
    let new = apply(Doc::new(&old).unwrap(), &update, order, vec![9; 99])?;
    Doc::new(&new).unwrap().validate().unwrap();
    Ok(bson::deserialize_from_slice(&new).unwrap())
}

fn run(old: &Document, o: &Document) -> Result<Document, Fault> {
    run_in(NewFieldOrder::AsListed, old, o)
}

/// Compares as bytes: order of fields and types of numbers count.
#[track_caller]
fn becomes(old: Document, o: Document, new: Document) {
    let got = run(&old, &o).unwrap();
    assert_eq!(raw(&got), raw(&new), "{old} with {o} gave {got} instead of {new}");
}

#[track_caller]
fn diffs(old: Document, diff: Document, new: Document) {
    becomes(old, doc! { "$v": 2, "diff": diff }, new);
}

#[track_caller]
fn refused(o: Document, because: &str) {
    let fault = run(&doc! { "_id": 1, "a": [1, 2, 3], "d": { "x": 1 } }, &o).unwrap_err();
    assert!(fault.what.contains(because), "{o}: {fault}");
}

mod classes {
    use super::*;

    fn kind_of(o: Document) -> &'static str {
        match classify(Doc::new(&raw(&o)).unwrap()).unwrap() {
            Update::Replace(_) => "replace",
            Update::Diff(_) => "diff",
            Update::Modifiers(_) => "modifiers",
        }
    }

    #[test]
    fn an_id_anywhere_makes_a_replacement() {
        assert_eq!(kind_of(doc! { "_id": 1 }), "replace");
        assert_eq!(kind_of(doc! { "$v": 2, "diff": { "u": { "a": 1 } }, "_id": 1 }), "replace");
        assert_eq!(kind_of(doc! { "$set": { "a": 1 }, "$v": "x", "odd": 1, "_id": 1 }), "replace");
    }

    #[test]
    fn the_version_tells_diffs_from_modifiers() {
        assert_eq!(kind_of(doc! { "$v": 2, "diff": { "u": { "a": 1 } } }), "diff");
        assert_eq!(kind_of(doc! { "diff": { "u": { "a": 1 } }, "$v": 2i64 }), "diff");
        assert_eq!(kind_of(doc! { "$v": 1, "$set": { "a": 1 } }), "modifiers");
        assert_eq!(kind_of(doc! { "$unset": { "a": true } }), "modifiers");
        assert_eq!(kind_of(doc! { "$v": 1 }), "modifiers");
    }

    #[test]
    fn anything_else_is_refused() {
        refused(doc! {}, "neither an _id nor operators");
        refused(doc! { "a": 1 }, "neither an _id nor operators");
        refused(doc! { "$v": 3, "diff": {} }, "unknown version $v 3");
        refused(doc! { "$v": "2", "diff": {} }, "not a whole number");
        refused(doc! { "$v": 2 }, "no document `diff`");
        refused(doc! { "$v": 2, "diff": [1] }, "no document `diff`");
        refused(doc! { "$v": 2, "diff": { "u": { "a": 1 } }, "new": 1 }, "unknown field \"new\"");
        refused(doc! { "$v": 1, "$inc": { "a": 1 } }, "unknown field \"$inc\"");
        refused(doc! { "$set": { "a": 1 }, "b": 1 }, "unknown field \"b\"");
        refused(doc! { "$set": 1 }, "$set is no document");
        refused(doc! { "$unset": [1] }, "$unset is no document");
    }
}

mod replacement {
    use super::*;

    #[test]
    fn replaces_everything_and_begins_with_the_id() {
        becomes(doc! { "_id": 1, "old": 1 }, doc! { "_id": 1, "new": 2 }, doc! { "_id": 1, "new": 2 });
        becomes(
            doc! { "_id": 1 },
            doc! { "a": 1, "$set": 2, "_id": 1, "b": 3 },
            doc! { "_id": 1, "a": 1, "$set": 2, "b": 3 },
        );
    }

    #[test]
    fn an_upsert_starts_from_the_id() {
        let o2 = raw(&doc! { "_id": { "x": 1 }, "shard": 2 });
        let base = upsert_base(Doc::new(&o2).unwrap().get("_id").unwrap());
        assert_eq!(base, raw(&doc! { "_id": { "x": 1 } }));
        becomes(
            bson::deserialize_from_slice(&base).unwrap(),
            doc! { "$v": 2, "diff": { "u": { "a": 1 }, "sgone": { "u": { "b": 1 } } } },
            doc! { "_id": { "x": 1 }, "a": 1 },
        );
    }
}
