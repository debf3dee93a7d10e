//! The engine's updates, keys and order against a real server, on random input that is valid but
//! not derived from the documents: blind application, as in a dump's fuzzy window.
//!
//! `PITSTOP_PAIRS` sets how many pairs of document and update are compared (10,000), and
//! `PITSTOP_SEED` repeats a run; both are printed.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;
mod random;

use std::cmp::Ordering;
use std::collections::HashSet;

use bson::{Bson, Document, RawDocumentBuf, doc};
use common::server::{Server, block_on, cursor_on};
use futures_util::TryStreamExt;
use mongodb::Client;
use pitstop::engine::bson::Doc;
use pitstop::engine::key::DocKey;
use pitstop::engine::order::compare_values;
use pitstop::engine::update::{NewFieldOrder, apply, classify, upsert_base};
use random::Random;

const NS: &str = "test.pairs";

/// A document, what is done to it, and how often it came to that.
struct Pair {
    /// `None`: the update finds no document.
    old: Option<Document>,
    o: Document,
}

fn raw(document: &Document) -> Vec<u8> {
    bson::serialize_to_vec(document).unwrap()
}

/// What the engine makes of it.
fn ours(id: i32, pair: &Pair) -> Vec<u8> {
    let key = raw(&doc! { "_id": id });
    let old = match &pair.old {
        Some(old) => raw(old),
        None => upsert_base(Doc::new(&key).unwrap().first_elem().unwrap()),
    };
    let o = raw(&pair.o);
    let update = classify(Doc::new(&o).unwrap()).unwrap_or_else(|e| panic!("{}: {e}", pair.o));
    apply(Doc::new(&old).unwrap(), &update, NewFieldOrder::Numeric, Vec::new())
        .unwrap_or_else(|e| panic!("{} with {}: {e}", Bson::from(pair.old.clone()), pair.o))
}

/// Sends operations as one batch; all of them must succeed.
fn apply_ops(client: &Client, ops: Vec<Document>) {
    let command = doc! { "applyOps": ops, "bypassDocumentValidation": true };
    let command = RawDocumentBuf::try_from(&command).unwrap();
    let admin = client.database("admin");
    let reply = block_on(admin.run_raw_command(command).into_future());
    let reply = reply.unwrap_or_else(|e| panic!("applyOps: {e}"));
    let results = reply.get_array("results").unwrap();
    assert!(results.iter().all(|r| r.as_bool() == Some(true)), "{reply}");
}

/// What the server stores after the updates, in `_id` order.
fn theirs(client: &Client, pairs: &[Pair]) -> Vec<Vec<u8>> {
    let collection = client.database("test").collection::<RawDocumentBuf>("pairs");
    block_on(collection.drop().into_future()).unwrap();
    block_on(client.database("test").create_collection("pairs").into_future()).unwrap();
    let inserts = pairs.iter().filter_map(|p| p.old.as_ref());
    apply_ops(client, inserts.map(|old| doc! { "op": "i", "ns": NS, "o": old }).collect());
    let updates = pairs.iter().enumerate();
    let update = |(id, p): (usize, &Pair)| {
        doc! { "op": "u", "ns": NS, "o2": { "_id": id as i32 }, "o": &p.o, "b": true }
    };
    apply_ops(client, updates.map(update).collect());
    let stored =
        block_on(async { collection.find(doc! {}).sort(doc! { "_id": 1 }).await?.try_collect().await });
    let stored: Vec<RawDocumentBuf> = stored.unwrap();
    stored.into_iter().map(RawDocumentBuf::into_bytes).collect()
}

fn readable(bytes: &[u8]) -> String {
    bson::deserialize_from_slice::<Document>(bytes).map_or_else(|e| e.to_string(), |d| d.to_string())
}

/// Compares the pairs and lists the differences.
fn differences(client: &Client, pairs: &[Pair]) -> Vec<String> {
    let stored = theirs(client, pairs);
    assert_eq!(stored.len(), pairs.len());
    let compared = stored.iter().zip(pairs).enumerate();
    let unequal = compared.filter_map(|(id, (stored, pair))| {
        let ours = ours(id as i32, pair);
        (ours != *stored).then(|| {
            let old = pair.old.as_ref().map_or("nothing".into(), Document::to_string);
            let (ours, theirs) = (readable(&ours), readable(stored));
            format!("{old}\nwith {}\nours   {ours}\nserver {theirs}", pair.o)
        })
    });
    unequal.collect()
}

#[test]
fn fuzzy_updates_give_the_servers_bytes() {
    let wanted = std::env::var("PITSTOP_PAIRS").map_or(10_000, |n| n.parse().unwrap());
    let mut random = Random::seeded();
    println!("seed {} pairs {wanted}", random.seed());
    let server = Server::standalone();
    let client = server.client();
    let mut left = wanted;
    while left > 0 {
        let batch = left.min(2000);
        left -= batch;
        let pairs: Vec<_> = (0..batch)
            .map(|id| {
                let absent = random.one_in(20);
                let old = random.document(id);
                Pair { old: (!absent).then_some(old), o: random.update(id) }
            })
            .collect();
        let found = differences(&client, &pairs);
        let shown: Vec<_> = found.iter().take(5).cloned().collect();
        assert!(found.is_empty(), "{} differ, seed {}:\n{}", found.len(), random.seed(), shown.join("\n\n"));
    }
}

/// Cases too rare for chance.
#[test]
fn chosen_updates_give_the_servers_bytes() {
    let server = Server::standalone();
    let client = server.client();
    let zero = bson::Timestamp { time: 0, increment: 0 };
    let updates = vec![
        doc! { "$v": 1, "$set": { "_id": 0.0 } },
        doc! { "$v": 2, "diff": { "u": { "_id": bson::Decimal128::from_bytes(decimal_bytes("1.0")) } } },
        doc! { "$v": 2, "diff": { "i": { "a": 3, "_id": 2i64, "b": 4 } } },
        doc! { "$v": 2, "diff": { "d": { "_id": false }, "u": { "a": 1 } } },
        doc! { "$v": 1, "$set": { "a.1200": 1, "d.9": 1, "d.10": 2, "d.1x": 3, "d.01": 4, "d.x": 5, "d.-": 6 } },
        doc! { "$v": 1, "$set": { "a.02": "two", "a.+1": "none", "a.4294967296": "none", "a.x.y": 1 } },
        doc! { "$v": 2, "diff": { "sa": { "a": true, "l": 3000 } } },
        doc! { "$v": 2, "diff": { "sa": { "a": true, "u3000": 1 } } },
        doc! { "$v": 2, "diff": { "u": { "t": zero }, "sd": { "u": { "t": zero } } } },
        doc! { "$v": 1, "$set": { "d.t": zero, "a.0": zero } },
        doc! { "$set": { "x": 1 } },
        doc! { "$unset": { "a": 1, "d.q": "" } },
        doc! { "$v": 1, "$set": {}, "$unset": {} },
        doc! { "$v": 2, "diff": { "d": {} } },
    ];
    let old =
        |id| doc! { "_id": id, "a": [1, [2], { "x": 3 }], "d": { "q": 1, "r": { "s": 2 } }, "s": "text" };
    let pairs = updates.into_iter().enumerate();
    let pairs: Vec<_> = pairs.map(|(id, o)| Pair { old: Some(old(id as i32)), o }).collect();
    let found = differences(&client, &pairs);
    assert!(found.is_empty(), "{}", found.join("\n\n"));
}

fn decimal_bytes(text: &str) -> [u8; 16] {
    text.parse::<bson::Decimal128>().unwrap().bytes()
}

/// What the engine refuses, the server refuses; never the other way round on valid input, which
/// the random pairs prove. Left out are diffs that bring a server down.
#[test]
fn what_is_refused_here_is_refused_there() {
    let server = Server::standalone();
    let client = server.client();
    let old = doc! { "_id": 0, "a": [1, 2], "d": { "x": 1 } };
    let long = 1i64;
    for o in [
        doc! { "a": 1 },
        doc! { "$v": 3, "diff": { "u": { "a": 1 } } },
        doc! { "$v": 2 },
        doc! { "$v": 2, "diff": 1 },
        doc! { "$v": 2, "diff": {} },
        doc! { "$v": 2, "diff": { "x": {} } },
        doc! { "$v": 2, "diff": { "a": true, "u0": 1 } },
        doc! { "$v": 2, "diff": { "u": { "a": 1 }, "d": { "b": false } } },
        doc! { "$v": 2, "diff": { "u": 1 } },
        doc! { "$v": 2, "diff": { "sa": 1 } },
        doc! { "$v": 2, "diff": { "sa": {} } },
        doc! { "$v": 2, "diff": { "u": { "a": 1 }, "sa": { "a": true, "u0": 1 } } },
        doc! { "$v": 2, "diff": { "d": { "a": false }, "i": { "a": 1 } } },
        doc! { "$v": 2, "diff": { "sa": { "a": false, "u0": 1 } } },
        doc! { "$v": 2, "diff": { "sa": { "a": 1, "u0": 1 } } },
        doc! { "$v": 2, "diff": { "sa": { "a": true, "l": long } } },
        doc! { "$v": 2, "diff": { "sa": { "a": true, "x0": 1 } } },
        doc! { "$v": 2, "diff": { "sa": { "a": true, "u": 1 } } },
        doc! { "$v": 2, "diff": { "sa": { "a": true, "u-1": 1 } } },
        doc! { "$v": 2, "diff": { "sa": { "a": true, "s0": 1 } } },
        doc! { "$v": 2, "diff": { "u": { "_id": 5 } } },
        doc! { "$v": 2, "diff": { "s_id": { "u": { "x": 1 } } } },
        doc! { "$v": 1, "$set": { "_id": 5 } },
        doc! { "$v": 1, "$unset": { "_id": true } },
        doc! { "$v": 1, "$set": { "": 1 } },
        doc! { "$v": 1, "$set": { "d..x": 1 } },
        doc! { "$v": 1, "$set": { "d.x": 1, "d.x.y": 2 } },
        doc! { "$v": 1, "$set": { "d.x": 1 }, "$unset": { "d": true } },
        doc! { "$v": 1, "$set": { "a.$": 1 } },
        doc! { "$v": 1, "$set": { "a.1500003": 1 } },
        doc! { "$v": 1, "$set": 1 },
        doc! { "$v": 1, "$nonsense": { "a": 1 } },
        doc! { "$v": 1, "$set": { "a": 1 }, "b": 1 },
    ] {
        let bytes = raw(&o);
        let here = classify(Doc::new(&bytes).unwrap()).and_then(|update| {
            apply(Doc::new(&raw(&old)).unwrap(), &update, NewFieldOrder::Numeric, Vec::new())
        });
        let there = theirs_alone(&client, &old, &o);
        assert!(here.is_err(), "{o} is accepted here: {}", readable(&here.unwrap()));
        assert!(there.is_none(), "{o} is accepted there: {}", readable(&there.unwrap()));
    }
}

/// The stored document after one update, `None` if the server refuses it.
fn theirs_alone(client: &Client, old: &Document, o: &Document) -> Option<Vec<u8>> {
    let collection = client.database("test").collection::<RawDocumentBuf>("pairs");
    block_on(async {
        collection.drop().await.unwrap();
        client.database("test").create_collection("pairs").await.unwrap();
    });
    apply_ops(client, vec![doc! { "op": "i", "ns": NS, "o": old }]);
    let op = doc! { "op": "u", "ns": NS, "o2": { "_id": &old["_id"] }, "o": o, "b": true };
    let admin = client.database("admin");
    let reply = block_on(admin.run_command(doc! { "applyOps": [op] }).into_future());
    let stored = block_on(collection.find_one(doc! {}).into_future()).unwrap().unwrap();
    if reply.is_err() {
        assert_eq!(stored.as_bytes(), raw(old), "a refused update changed the document");
        return None;
    }
    Some(stored.into_bytes())
}

#[test]
fn ids_collide_and_sort_as_in_the_servers_index() {
    let mut random = Random::seeded();
    println!("seed {}", random.seed());
    let server = Server::standalone();
    let client = server.client();
    let ids: Vec<Bson> = (0..8000).map(|_| random.id()).collect();
    let documents: Vec<Vec<u8>> = ids.iter().map(|id| raw(&doc! { "_id": id })).collect();
    let id_of = |bytes: &'_ [u8]| DocKey::of(Doc::new(bytes).unwrap().first_elem().unwrap());

    let (mut keys, mut kept) = (HashSet::new(), Vec::new());
    for (from, chunk) in (0..).step_by(500).zip(ids.chunks(500)) {
        let documents: Vec<_> = chunk.iter().map(|id| doc! { "_id": id }).collect();
        let command = doc! { "insert": "ids", "documents": documents, "ordered": false };
        let command = RawDocumentBuf::try_from(&command).unwrap();
        let reply = block_on(client.database("test").run_raw_command(command).into_future()).unwrap();
        let errors = reply.get_array("writeErrors").cloned().unwrap_or_default();
        let mut refused = HashSet::new();
        for error in &errors {
            let error = error.as_document().unwrap();
            assert_eq!(error.get_i32("code").unwrap(), 11000, "{error}");
            refused.insert(error.get_i32("index").unwrap() as usize + from);
        }
        for index in from..from + chunk.len() {
            let new = keys.insert(id_of(&raw(&doc! { "_id": &ids[index] })));
            let id = &ids[index];
            assert_eq!(new, !refused.contains(&index), "seed {}: is {id} new?", random.seed());
            if new {
                kept.push(documents_at(&ids, index));
            }
        }
    }
    assert!(kept.len() > 2000 && kept.len() < documents.len() - 500, "{} of {} kept", kept.len(), ids.len());

    let find = doc! { "find": "ids", "sort": { "_id": 1 }, "hint": { "_id": 1 }, "batchSize": 10_000 };
    let stored: Vec<Vec<u8>> = cursor_on(&client, "test", find).iter().map(raw).collect();
    kept.sort_by(|a, b| compare(a, b));
    for (ours, theirs) in kept.iter().zip(&stored) {
        assert_eq!(readable(ours), readable(theirs), "seed {}", random.seed());
    }
    assert_eq!(kept, stored);
    for pair in stored.windows(2) {
        assert_eq!(compare(&pair[0], &pair[1]), Ordering::Less);
        assert_eq!(compare(&pair[1], &pair[0]), Ordering::Greater);
    }
    for (a, b) in documents.iter().zip(documents.iter().rev()) {
        assert_eq!(id_of(a) == id_of(b), compare(a, b).is_eq(), "{} {}", readable(a), readable(b));
    }
}

fn documents_at(ids: &[Bson], index: usize) -> Vec<u8> {
    raw(&doc! { "_id": &ids[index] })
}

fn compare(a: &[u8], b: &[u8]) -> Ordering {
    let elem = |bytes| Doc::new(bytes).unwrap().first_elem().unwrap();
    compare_values(elem(a), elem(b))
}
