//! What somebody sends with `applyOps`: a server carries it out, and logs it, as one where it is
//! all documents, else one by one; the two store other things.

use bson::{Document, doc};
use pitstop::domain::Class;

use crate::common::server::command_on;
use crate::dump::{Dumper, oplog, slices};
use crate::live::{documents, newest};
use crate::play::Rolled;
use crate::random::Random;
use crate::told::Told;

const ZERO: bson::Timestamp = bson::Timestamp { time: 0, increment: 0 };

fn insert(ns: &str, document: Document) -> Document {
    doc! { "op": "i", "ns": ns, "o": document }
}

#[test]
fn over_documents_of_a_capped_collection_and_with_an_id_that_is_not_first() {
    let server = crate::server();
    let client = server.client();
    command_on(&client, "sent", doc! { "create": "ring", "capped": true, "size": 100_000 });
    for name in ["ring", "plain"] {
        let all: Vec<Document> = (0..6).map(|id| doc! { "_id": id, "n": "base" }).collect();
        command_on(&client, "sent", doc! { "insert": name, "documents": all });
    }
    let mut told = Told::behind_a_dump(&client);
    for ns in ["sent.ring", "sent.plain"] {
        let one = |id: i32, n: i32| insert(ns, doc! { "n": n, "_id": id });
        let gone = |id: i32| doc! { "op": "d", "ns": ns, "o": { "_id": id } };
        for atomic in [true, false] {
            // Over a document of the snapshot; a new one; over that; over one that was deleted.
            told.send(atomic, &[one(2, 1)]);
            told.send(atomic, &[one(10 + i32::from(atomic), 2), one(3, 2), one(30 + i32::from(atomic), 2)]);
            told.send(atomic, &[one(10 + i32::from(atomic), 3), one(20 + i32::from(atomic), 3)]);
            told.send(atomic, &[gone(4)]);
            told.send(atomic, &[one(4, 4)]);
            told.send(atomic, &[gone(2), one(2, 5)]);
            let update = doc! { "op": "u", "ns": ns, "o2": { "_id": 5 }, "o": { "$v": 2, "diff": { "u": { "n": 6 } } } };
            told.send(atomic, &[update, one(5, 7)]);
        }
    }
    // The server does both: in place, and at the end; `_id` in front, and where it was sent.
    let ring = documents(&client, "sent", "ring");
    assert!(
        ring.iter().any(|d| !d[5..].starts_with(b"_id")) && ring.iter().any(|d| d[5..].starts_with(b"_id"))
    );
    told.check();
    let (folder, entries) = told.log();
    let walked = Rolled::new(&told.dump, &folder, &entries).state(newest(&client).next()).unwrap().walked;
    assert!(walked.notes.iter().any(|n| n.contains("its first field")), "{:?}", walked.notes);
}

#[test]
fn a_clock_that_the_log_does_not_tell_is_refused_until_it_is_gone() {
    let server = crate::server();
    let client = server.client();
    command_on(&client, "sent", doc! { "insert": "docs", "documents": [{ "_id": 1 }, { "_id": 2 }] });
    let mut told = Told::behind_a_dump(&client);
    let ns = "sent.docs";
    let (zero, no_more) = (|id: i32| doc! { "_id": id, "at": ZERO }, |id: i32| doc! { "_id": id });
    // One by one they are stored as they are logged; and inside a document zero means zero.
    told.send(false, &[insert(ns, zero(3)), insert(ns, zero(4))]);
    told.send(true, &[insert(ns, doc! { "_id": 5, "in": { "at": ZERO } })]);
    told.send(true, &[doc! { "op": "u", "ns": ns, "o2": { "_id": 1 }, "o": { "$v": 2, "diff": { "i": { "at": ZERO } } } }]);
    let exact_before = told.truths.len();
    let whole = doc! { "op": "u", "ns": ns, "o2": { "_id": 2 }, "o": zero(2) };
    let cases: [(Document, Document); 3] = [
        (insert(ns, zero(6)), doc! { "op": "d", "ns": ns, "o": { "_id": 6 } }),
        (insert(ns, zero(7)), insert(ns, no_more(7))),
        (whole, doc! { "op": "u", "ns": ns, "o2": { "_id": 2 }, "o": no_more(2) }),
    ];
    let mut unknown = Vec::new();
    for (clock, gone) in cases {
        let id = clock.get_document("o").unwrap().get("_id").unwrap().clone();
        unknown.push(told.send(true, &[clock]));
        told.truths.pop();
        let stored = documents(&client, "sent", "docs");
        let stored = stored.iter().map(|d| bson::deserialize_from_slice::<Document>(d).unwrap());
        let stored = stored.into_iter().find(|d| d.get("_id") == Some(&id)).unwrap();
        assert_ne!(stored.get_timestamp("at").unwrap(), ZERO, "the server stores its clock");
        told.send(true, &[gone]);
    }
    assert_eq!(exact_before, 3);
    told.check();
    let (folder, entries) = told.log();
    let rolled = Rolled::new(&told.dump, &folder, &entries);
    for at in unknown {
        let error = rolled.state(at.next()).err().unwrap();
        assert_eq!(error.class, Class::Inexact);
        assert!(error.place.contains(&at.to_string()) && error.place.contains(ns), "{error}");
        assert!(error.cause.contains("Timestamp(0,0)"), "{error}");
    }
}

#[test]
fn a_place_that_neither_snapshot_nor_log_tells_is_refused() {
    let server = crate::server();
    let client = server.client();
    command_on(&client, "sent", doc! { "create": "ring", "capped": true, "size": 100_000 });
    command_on(&client, "sent", doc! { "insert": "plain", "documents": [{ "_id": 0 }] });
    let begin = newest(&client);
    // Inside the window: did the snapshot's document come of this, or was it there before?
    let send = |ns: &str, id: i32| {
        let one = insert(ns, doc! { "_id": id });
        command_on(&client, "admin", doc! { "applyOps": [one] });
        newest(&client)
    };
    send("sent.plain", 1);
    let home = tempfile::tempdir().unwrap();
    let at = send("sent.ring", 1);
    let mut dumper = Dumper::since(&client, home.path().join("dump"), begin);
    while dumper.step(&client, &mut Random::from(1)).is_some() {}
    let dump = dumper.finish(&client, "6.0.5").unwrap();
    let entries = oplog(&client, begin, newest(&client));
    let folder = home.path().join("slices");
    slices(&folder, &entries, &mut Random::from(2));
    let error = Rolled::new(&dump, &folder, &entries).state(newest(&client).next()).err().unwrap();
    assert_eq!(error.class, Class::Inexact);
    assert!(error.place.contains("sent.ring") && error.place.contains(&at.to_string()), "{error}");
    assert!(error.hint.contains("--snapshot"), "{error}");
}
