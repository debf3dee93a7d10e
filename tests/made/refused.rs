//! What cannot be replayed exactly is refused by name and position; what changes no documents can
//! be passed over on request.

use bson::{Document, doc};
use pitstop::domain::Class;

use crate::kit::pos;
use crate::world::{NS, entry, inner, skipping, uuid, whole};

fn command(inc: u32, o: Document) -> Document {
    entry(inc, "c", "shop.$cmd", o, doc! {})
}

#[test]
fn entries_that_cannot_be_replayed_are_named() {
    let deep = (0..12).fold(inner("i", doc! { "_id": 5 }), |op, _| {
        doc! { "op": "c", "ns": "admin.$cmd", "o": { "applyOps": [op] } }
    });
    let refused = [
        (command(5, doc! { "importCollection": "orders" }), "importCollection"),
        (command(5, doc! { "sharpenPencils": 1 }), "sharpenPencils"),
        (entry(5, "xi", NS, doc! { "_id": 1 }, doc! {}), "\"xi\""),
        (entry(5, "i", NS, doc! { "_id": 4 }, doc! { "tid": bson::oid::ObjectId::new() }), "tenant"),
        (entry(5, "i", NS, doc! { "n": 4 }, doc! {}), "_id"),
        (entry(5, "u", NS, doc! { "$v": 2, "diff": {} }, doc! { "o2": { "_id": 1 } }), "diff"),
        (entry(5, "u", NS, doc! { "$v": 1, "$inc": { "n": 1 } }, doc! { "o2": { "_id": 1 } }), "$inc"),
        (
            entry(5, "u", NS, doc! { "$v": 2, "diff": { "u": { "n": 1 } } }, doc! { "o2": { "_id": 77 } }),
            "does not have",
        ),
        (entry(5, "i", "shop.nowhere", doc! { "_id": 4 }, doc! { "ui": uuid(8) }), "nowhere"),
        (command(5, doc! { "create": "orders" }), "already there"),
        (entry(5, "c", "shop.$cmd", doc! { "collMod": "nowhere" }, doc! { "ui": uuid(8) }), "nowhere"),
        (entry(5, "c", "admin.$cmd", deep.get_document("o").unwrap().clone(), doc! {}), "deep"),
    ];
    for (entry, word) in refused {
        let error =
            whole(std::slice::from_ref(&entry)).err().unwrap_or_else(|| panic!("{entry} is replayed"));
        assert_eq!(error.class, Class::Inexact, "{error}");
        let text = error.to_string();
        assert!(text.contains(&pos(5).to_string()) && text.contains(word), "{word}: {text}");
    }
}

#[test]
fn an_update_after_a_delete_and_a_write_after_a_drop_are_refused() {
    let update =
        entry(6, "u", NS, doc! { "$v": 2, "diff": { "u": { "n": 1 } } }, doc! { "o2": { "_id": 1 } });
    for first in [entry(5, "d", NS, doc! { "_id": 1 }, doc! {}), command(5, doc! { "drop": "orders" })] {
        let error = whole(&[first, update.clone()]).unwrap_err();
        assert!(error.class == Class::Inexact && error.to_string().contains(&pos(6).to_string()), "{error}");
    }
}

#[test]
fn bookkeeping_of_the_server_is_passed_over_and_reported() {
    let check = command(5, doc! { "dbCheck": "shop.orders" });
    let came = whole(&[check]).unwrap();
    assert_eq!(came.ids(), [1, 2, 3]);
    assert!(came.walked.notes.iter().any(|n| n.contains("dbCheck")), "{:?}", came.walked.notes);
}

#[test]
fn a_server_that_was_upgraded_is_mentioned() {
    let o = doc! { "$v": 2, "diff": { "u": { "version": "6.0" } } };
    let o2 = doc! { "o2": { "_id": "featureCompatibilityVersion" } };
    let came = whole(&[entry(5, "u", "admin.system.version", o, o2)]).unwrap();
    assert_eq!(came.ids(), [1, 2, 3]);
    let at = pos(5).to_string();
    assert!(came.walked.notes.iter().any(|n| n.contains("compatibility") && n.contains(&at)));
}

#[test]
fn only_what_changes_no_documents_can_be_passed_over() {
    let unknown = command(5, doc! { "sharpenPencils": 1 });
    let came = skipping(&[5], 9, std::slice::from_ref(&unknown)).unwrap();
    assert_eq!((came.ids(), &came.walked.skipped[..]), (vec![1, 2, 3], &[pos(5)][..]));

    for entry in [
        entry(5, "i", NS, doc! { "_id": 4 }, doc! {}),
        entry(5, "d", NS, doc! { "_id": 1 }, doc! {}),
        command(5, doc! { "drop": "orders" }),
        command(5, doc! { "importCollection": "orders" }),
        command(5, doc! { "applyOps": [inner("i", doc! { "_id": 4 })] }),
    ] {
        let error = skipping(&[5], 9, &[entry]).err().unwrap();
        assert!(error.class == Class::Inexact && error.to_string().contains("changes documents"), "{error}");
    }

    let error = skipping(&[6], 9, &[unknown]).err().unwrap();
    assert!(error.to_string().contains("sharpenPencils"), "what is there is refused first: {error}");
    let error = skipping(&[6], 9, &[]).err().unwrap();
    assert!(error.class == Class::Usage && error.to_string().contains(&pos(6).to_string()), "{error}");
}
