//! The grammar of `$v: 2` and what its parts do, row by row.

use bson::Bson;

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
fn the_id_stays_and_leads() {
    diffs(doc! { "_id": 1, "a": 1 }, doc! { "d": { "_id": false, "a": false } }, doc! { "_id": 1 });
    diffs(
        doc! { "_id": 1, "a": 1 },
        doc! { "i": { "b": 2, "_id": 1i64, "c": 3 } },
        doc! { "_id": 1i64, "a": 1, "b": 2, "c": 3 },
    );
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
        (doc! { "s_id": { "u": { "x": 1 } } }, "_id"),
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
