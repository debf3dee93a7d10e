#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
//! Expected values are written down from the tables of the reference, which were measured on
//! servers; the comparison with a living one is `tests/update_semantics.rs`.

use bson::{Bson, Document, doc};

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

mod modifiers {
    use super::*;

    fn set(fields: Document) -> Document {
        doc! { "$v": 1, "$set": fields }
    }
    fn unset(fields: Document) -> Document {
        doc! { "$v": 1, "$unset": fields }
    }

    #[test]
    fn set_keeps_the_place_or_appends() {
        becomes(
            doc! { "_id": 1, "a": 1, "b": 2 },
            set(doc! { "a": "x" }),
            doc! { "_id": 1, "a": "x", "b": 2 },
        );
        becomes(
            doc! { "_id": 1, "d": { "x": 1 }, "e": 1 },
            set(doc! { "d.y": 2, "z": 3 }),
            doc! { "_id": 1, "d": { "x": 1, "y": 2 }, "e": 1, "z": 3 },
        );
    }

    #[test]
    fn new_fields_come_in_the_order_asked_for() {
        let (old, o) =
            (doc! { "_id": 1 }, set(doc! { "b": 1, "n.9": 1, "n.10": 1, "9": 1, "10": 1, "a": 1 }));
        for (order, new) in [
            (
                NewFieldOrder::AsListed,
                doc! { "_id": 1, "b": 1, "n": { "9": 1, "10": 1 }, "9": 1, "10": 1, "a": 1 },
            ),
            (
                NewFieldOrder::Bytewise,
                doc! { "_id": 1, "10": 1, "9": 1, "a": 1, "b": 1, "n": { "10": 1, "9": 1 } },
            ),
            (
                NewFieldOrder::Numeric,
                doc! { "_id": 1, "9": 1, "10": 1, "a": 1, "b": 1, "n": { "9": 1, "10": 1 } },
            ),
        ] {
            let got = run_in(order, &old, &o).unwrap();
            assert_eq!(raw(&got), raw(&new), "{order:?}: {got}");
        }
    }

    #[test]
    fn a_new_parent_is_made_once() {
        becomes(
            doc! { "_id": 1 },
            set(doc! { "a.b.c": 1, "x": 2, "a.b.d": 3, "a.e": 4 }),
            doc! { "_id": 1, "a": { "b": { "c": 1, "d": 3 }, "e": 4 }, "x": 2 },
        );
        // What is only unset below it makes no parent, and does not decide its place.
        becomes(
            doc! { "_id": 1 },
            doc! { "$v": 1, "$unset": { "n.x": true, "m.y": true }, "$set": { "b": 1, "n.y": 2 } },
            doc! { "_id": 1, "b": 1, "n": { "y": 2 } },
        );
    }

    #[test]
    fn a_scalar_in_the_way_is_left_alone() {
        for scalar in [Bson::Null, Bson::Int32(7), Bson::String("s".into())] {
            becomes(
                doc! { "_id": 1, "a": scalar.clone() },
                doc! { "$v": 1, "$set": { "a.b": 1, "c": 2 }, "$unset": { "a.d": true } },
                doc! { "_id": 1, "a": scalar, "c": 2 },
            );
        }
    }

    #[test]
    fn numeric_components_make_documents_unless_an_array_is_there() {
        becomes(doc! { "_id": 1 }, set(doc! { "x.0": 5 }), doc! { "_id": 1, "x": { "0": 5 } });
        becomes(doc! { "_id": 1, "x": {} }, set(doc! { "x.0": 5 }), doc! { "_id": 1, "x": { "0": 5 } });
        becomes(doc! { "_id": 1, "x": [1, 2] }, set(doc! { "x.1": 5 }), doc! { "_id": 1, "x": [1, 5] });
    }

    #[test]
    fn arrays_are_padded_with_null() {
        let null = Bson::Null;
        becomes(
            doc! { "_id": 1, "a": [1] },
            set(doc! { "a.3": 4 }),
            doc! { "_id": 1, "a": [1, &null, &null, 4] },
        );
        becomes(
            doc! { "_id": 1, "a": [] },
            set(doc! { "a.1.b.c": 4 }),
            doc! { "_id": 1, "a": [&null, { "b": { "c": 4 } }] },
        );
        // Element 10 comes first and pads; the null at 9 then stops the path below it.
        let padded: Vec<Bson> = vec![null.clone(); 10].into_iter().chain([Bson::Int32(1)]).collect();
        becomes(
            doc! { "_id": 1, "a": [] },
            set(doc! { "a.10": 1, "a.9.x": 1 }),
            doc! { "_id": 1, "a": padded },
        );
        becomes(
            doc! { "_id": 1, "a": [] },
            set(doc! { "a.0.x": 1, "a.1": 1 }),
            doc! { "_id": 1, "a": [{ "x": 1 }, 1] },
        );
    }

    #[test]
    fn a_name_on_an_array_is_ignored() {
        let o = doc! { "$v": 1, "$set": { "a.foo": 1, "a.x.y": 1, "a.-1": 1, "a.99999999999": 1 },
        "$unset": { "a.bar": true } };
        becomes(doc! { "_id": 1, "a": [1, 2] }, o, doc! { "_id": 1, "a": [1, 2] });
    }

    #[test]
    fn unset_removes_fields_and_nulls_elements() {
        becomes(
            doc! { "_id": 1, "a": 1, "b": 2, "c": 3 },
            unset(doc! { "b": true }),
            doc! { "_id": 1, "a": 1, "c": 3 },
        );
        becomes(doc! { "_id": 1, "d": { "x": 1 } }, unset(doc! { "d.x": true }), doc! { "_id": 1, "d": {} });
        becomes(
            doc! { "_id": 1, "a": [1, 2, 3] },
            unset(doc! { "a.1": true, "a.7": true }),
            doc! { "_id": 1, "a": [1, Bson::Null, 3] },
        );
        becomes(
            doc! { "_id": 1, "a": [{ "x": 1, "y": 2 }] },
            unset(doc! { "a.0.x": true, "gone": true, "gone2.x": true }),
            doc! { "_id": 1, "a": [{ "y": 2 }] },
        );
    }

    #[test]
    fn of_several_fields_of_a_name_the_first_is_meant() {
        let mut old = crate::engine::build::Builder::new();
        for (name, value) in [("_id", 1), ("a", 1), ("a", 2)] {
            old.int32(name, value);
        }
        let old = old.finish();
        let o = raw(&set(doc! { "a": 9 }));
        let update = classify(Doc::new(&o).unwrap()).unwrap();
        let new = apply(Doc::new(&old).unwrap(), &update, NewFieldOrder::AsListed, Vec::new()).unwrap();
        let values: Vec<_> = Doc::new(&new).unwrap().iter().map(|e| e.unwrap().as_i64().unwrap()).collect();
        assert_eq!(values, [1, 9, 2]);
    }

    #[test]
    fn what_no_server_writes_is_refused() {
        refused(set(doc! { "": 1 }), "no path");
        refused(set(doc! { "a..b": 1 }), "no path");
        refused(set(doc! { "a.": 1 }), "no path");
        refused(set(doc! { "a.$": 1 }), "no path");
        refused(set(doc! { "a.$[].x": 1 }), "no path");
        refused(set(doc! { vec!["a"; 300].join("."): 1 }), "no path");
        refused(doc! { "$set": { "b": 1 }, "$unset": { "b": true } }, "\"b\" twice");
        refused(set(doc! { "b.c.d": 1, "b-": 1, "b.c": 1 }), "\"b.c\" twice");
        refused(set(doc! { "a.5": 1, "a.05": 1 }), "element twice");
        refused(set(doc! { "a.1500003": 1 }), "1500000 nulls");
        refused(set(doc! { "_id": 2 }), "_id");
        refused(unset(doc! { "_id": true }), "_id");
    }

    #[test]
    fn the_number_type_of_an_id_may_change() {
        becomes(doc! { "_id": 1 }, set(doc! { "_id": 1.0 }), doc! { "_id": 1.0 });
    }
}

mod diff {
    use super::*;

    #[test]
    fn document_sections() {
        diffs(
            doc! { "_id": 1, "a": 1, "b": 2, "c": 3, "d": 4 },
            doc! { "d": { "a": false, "none": false }, "u": { "b": "B", "new": 1 }, "i": { "c": "C", "last": 2 } },
            doc! { "_id": 1, "b": "B", "d": 4, "new": 1, "c": "C", "last": 2 },
        );
        diffs(doc! { "_id": 1, "a": 1 }, doc! { "u": {} }, doc! { "_id": 1, "a": 1 });
        diffs(doc! { "_id": 1, "a": 1 }, doc! { "d": { "a": { "any": 1 } } }, doc! { "_id": 1 });
    }

    #[test]
    fn descends_where_it_can() {
        diffs(
            doc! { "_id": 1, "a": { "b": { "c": 1 }, "x": 1 } },
            doc! { "sa": { "d": { "x": false }, "sb": { "u": { "c": 2 } } } },
            doc! { "_id": 1, "a": { "b": { "c": 2 } } },
        );
        diffs(doc! { "_id": 1 }, doc! { "sa": { "u": { "c": 2 } } }, doc! { "_id": 1 });
    }

    #[test]
    fn the_wrong_kind_becomes_null() {
        let null = doc! { "_id": 1, "a": null, "b": 1 };
        for (value, inner) in [
            (Bson::Int32(1), doc! { "u": { "c": 2 } }),
            (Bson::Array(vec![]), doc! { "u": { "c": 2 } }),
            (Bson::Document(doc! {}), doc! { "a": true, "u0": 2 }),
            (Bson::Null, doc! { "a": true, "l": 2 }),
        ] {
            diffs(doc! { "_id": 1, "a": value, "b": 1 }, doc! { "sa": inner }, null.clone());
        }
    }

    #[test]
    fn names_are_literal() {
        diffs(
            doc! { "_id": 1, "a.b": 1, "$c": 2, "": 3, "a": { "b": 1 } },
            doc! { "d": { "a.b": false }, "u": { "$c": 4, "x.y": 5 }, "i": { "": 6 } },
            doc! { "_id": 1, "$c": 4, "a": { "b": 1 }, "x.y": 5, "": 6 },
        );
        diffs(
            doc! { "_id": 1, "": { "x": 1 } },
            doc! { "s": { "u": { "x": 2 } } },
            doc! { "_id": 1, "": { "x": 2 } },
        );
    }

    #[test]
    fn every_field_of_a_name_is_meant() {
        let mut old = crate::engine::build::Builder::new();
        for (name, value) in [("_id", 1), ("a", 1), ("a", 2)] {
            old.int32(name, value);
        }
        let old = old.finish();
        let o = raw(&doc! { "$v": 2, "diff": { "u": { "a": 9 } } });
        let update = classify(Doc::new(&o).unwrap()).unwrap();
        let new = apply(Doc::new(&old).unwrap(), &update, NewFieldOrder::AsListed, Vec::new()).unwrap();
        let values: Vec<_> = Doc::new(&new).unwrap().iter().map(|e| e.unwrap().as_i64().unwrap()).collect();
        assert_eq!(values, [1, 9, 9]);
    }

    #[test]
    fn arrays() {
        let null = Bson::Null;
        let arrays = [
            (doc! { "a": true, "u1": 9 }, vec![Bson::Int32(1), 9.into(), 3.into()]),
            (doc! { "a": true, "l": 2 }, vec![1.into(), 2.into()]),
            (doc! { "a": true, "l": 0 }, vec![]),
            (doc! { "a": true, "l": 5 }, vec![1.into(), 2.into(), 3.into(), null.clone(), null.clone()]),
            (doc! { "a": true, "l": 2, "u0": 7 }, vec![7.into(), 2.into()]),
            (doc! { "a": true, "l": 5, "u4": 7 }, vec![1.into(), 2.into(), 3.into(), null.clone(), 7.into()]),
            (doc! { "a": true, "u4": 7 }, vec![1.into(), 2.into(), 3.into(), null.clone(), 7.into()]),
            (doc! { "a": true, "s1": { "u": { "x": 1 } } }, vec![1.into(), null.clone(), 3.into()]),
            (
                doc! { "a": true, "s4": { "u": { "x": 1 } } },
                vec![1.into(), 2.into(), 3.into(), null.clone(), null.clone()],
            ),
            (doc! { "a": true }, vec![1.into(), 2.into(), 3.into()]),
        ];
        for (diff, new) in arrays {
            diffs(doc! { "_id": 1, "l": [1, 2, 3] }, doc! { "sl": diff }, doc! { "_id": 1, "l": new });
        }
        diffs(
            doc! { "_id": 1, "l": [{ "x": 1 }, [1, 2]] },
            doc! { "sl": { "a": true, "s0": { "d": { "x": false } }, "s1": { "a": true, "u2": 3, "u10": 4 } } },
            doc! { "_id": 1, "l": [{}, [1, 2, 3, &null, &null, &null, &null, &null, &null, &null, 4]] },
        );
    }

    fn binary(bytes: &[u8]) -> Bson {
        bson::Binary { subtype: bson::spec::BinarySubtype::Column, bytes: bytes.to_vec() }.into()
    }

    #[test]
    fn binary_sections() {
        let patch = |o: i32, d: &[u8]| {
            let d = bson::Binary { subtype: bson::spec::BinarySubtype::Generic, bytes: d.to_vec() };
            doc! { "sdata": { "b": { "t": { "o": o, "d": d } } } }
        };
        let old = |b: &[u8]| doc! { "_id": 1, "data": { "t": binary(b), "v": 1 } };
        diffs(old(b"hello"), patch(5, b" you"), old(b"hello you"));
        diffs(old(b"hello"), patch(1, b"i"), old(b"hi"));
        diffs(old(b"hello"), patch(0, b""), old(b""));
        diffs(doc! { "_id": 1, "data": {} }, patch(0, b"x"), doc! { "_id": 1, "data": {} });
        let null = doc! { "_id": 1, "data": { "t": null, "v": 1 } };
        diffs(old(b"short"), patch(6, b"x"), null.clone());
        diffs(doc! { "_id": 1, "data": { "t": 3, "v": 1 } }, patch(0, b"x"), null);
    }

    #[test]
    fn malformed_diffs_are_refused_wherever_they_are() {
        let number: Bson = 1i64.into();
        for (diff, because) in [
            (doc! {}, "empty diff"),
            (doc! { "x": {} }, "unknown section"),
            (doc! { "": {} }, "unknown section"),
            (doc! { "du": {} }, "unknown section"),
            (doc! { "u": {}, "d": {} }, "out of its order"),
            (doc! { "i": {}, "u": {} }, "out of its order"),
            (doc! { "b": {}, "i": {} }, "out of its order"),
            (doc! { "sa": { "u": {} }, "u": {} }, "out of its order"),
            (doc! { "u": 1 }, "is no document"),
            (doc! { "u": [1] }, "is no document"),
            (doc! { "sa": 1 }, "is no document"),
            (doc! { "sa": {} }, "empty diff"),
            (doc! { "d": { "x": false }, "u": { "x": 1 } }, "\"x\" twice"),
            (doc! { "u": { "x": 1 }, "sx": { "u": { "x": 1 } } }, "\"x\" twice"),
            (doc! { "b": { "x": 1 } }, "binary change"),
            (doc! { "b": { "x": { "o": -1, "d": binary(b"") } } }, "binary change"),
            (doc! { "b": { "x": { "o": 1 } } }, "binary change"),
            (doc! { "sa": { "a": false } }, "not true"),
            (doc! { "sa": { "a": 1 } }, "not true"),
            (doc! { "sa": { "a": true, "l": number } }, "no length"),
            (doc! { "sa": { "a": true, "l": -1 } }, "no length"),
            (doc! { "sa": { "a": true, "u0": 1, "l": 1 } }, "unknown field"),
            (doc! { "sa": { "a": true, "x0": 1 } }, "unknown field"),
            (doc! { "sa": { "a": true, "u": 1 } }, "no index"),
            (doc! { "sa": { "a": true, "u-1": 1 } }, "no index"),
            (doc! { "sa": { "a": true, "u01": 1 } }, "no index"),
            (doc! { "sa": { "a": true, "u2147483648": 1 } }, "no index"),
            (doc! { "sa": { "a": true, "u1": 1, "u0": 1 } }, "out of order"),
            (doc! { "sa": { "a": true, "u1": 1, "s1": { "u": {} } } }, "out of order"),
            (doc! { "sa": { "a": true, "l": 1, "u1": 1 } }, "out of order or range"),
            (doc! { "sa": { "a": true, "s0": 1 } }, "is no document"),
            (doc! { "u": { "_id": 2 } }, "_id"),
            (doc! { "d": { "_id": false } }, "_id"),
            (doc! { "sa": { "a": true, "u2147483647": 1 } }, "exceeds"),
            (doc! { "sa": { "a": true, "l": i32::MAX } }, "exceeds"),
        ] {
            refused(doc! { "$v": 2, "diff": diff.clone() }, because);
            if !because.contains("exceeds") && because != "_id" {
                // Below a field the document does not have, application would not look.
                let nested = doc! { "snone": { "sb": { "a": true, "s0": diff } } };
                refused(doc! { "$v": 2, "diff": nested }, because);
            }
        }
        refused(doc! { "$v": 2, "diff": { "a": true, "u0": 1 } }, "unknown section");
    }

    #[test]
    fn nesting_is_bounded() {
        let deep = (0..300).fold(doc! { "u": { "x": 1 } }, |inner, _| doc! { "sa": inner });
        refused(doc! { "$v": 2, "diff": deep }, "nested deeper");
    }

    #[test]
    fn a_fault_names_its_offset() {
        let o = raw(&doc! { "$v": 2, "diff": { "d": { "x": false }, "zz": {} } });
        let fault = classify(Doc::new(&o).unwrap()).unwrap_err();
        assert_eq!(&o[fault.offset..fault.offset + 4], b"\x03zz\0");
    }

    #[test]
    fn fields_with_one_name_do_not_multiply_a_value_without_bound() {
        let mut old = crate::engine::build::Builder::new();
        for _ in 0..100 {
            old.int32("a", 1);
        }
        let old = old.finish();
        let o = raw(&doc! { "$v": 2, "diff": { "u": { "a": "x".repeat(1 << 20) } } });
        let update = classify(Doc::new(&o).unwrap()).unwrap();
        let fault = apply(Doc::new(&old).unwrap(), &update, NewFieldOrder::AsListed, Vec::new()).unwrap_err();
        assert!(fault.what.contains("exceeds"), "{fault}");
    }
}
