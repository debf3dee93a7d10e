//! Every row of the reference's table of `$v: 1`.

use bson::Bson;

use super::*;

fn set(fields: Document) -> Document {
    doc! { "$v": 1, "$set": fields }
}
fn unset(fields: Document) -> Document {
    doc! { "$v": 1, "$unset": fields }
}

#[test]
fn set_keeps_the_place_or_appends() {
    becomes(doc! { "_id": 1, "a": 1, "b": 2 }, set(doc! { "a": "x" }), doc! { "_id": 1, "a": "x", "b": 2 });
    becomes(
        doc! { "_id": 1, "d": { "x": 1 }, "e": 1 },
        set(doc! { "d.y": 2, "z": 3 }),
        doc! { "_id": 1, "d": { "x": 1, "y": 2 }, "e": 1, "z": 3 },
    );
}

#[test]
fn new_fields_come_in_the_order_asked_for() {
    let (old, o) = (doc! { "_id": 1 }, set(doc! { "b": 1, "n.9": 1, "n.10": 1, "9": 1, "10": 1, "a": 1 }));
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
    becomes(doc! { "_id": 1, "a": [] }, set(doc! { "a.10": 1, "a.9.x": 1 }), doc! { "_id": 1, "a": padded });
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
