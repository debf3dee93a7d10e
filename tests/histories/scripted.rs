//! Histories that chance does not make: the largest documents and transactions.

use bson::{Document, doc};

use crate::common::server::{block_on, command_on};
use crate::dump::{Dumper, oplog, slices};
use crate::live::{newest, observe};
use crate::play::{Outcome, check};
use crate::random::Random;

const LARGEST: usize = 16 * 1024 * 1024;

/// A document of exactly that many bytes.
fn document(id: i32, size: usize, letter: &str) -> Document {
    let empty = bson::serialize_to_vec(&doc! { "_id": id, "text": "" }).unwrap().len();
    doc! { "_id": id, "text": letter.repeat(size - empty) }
}

#[test]
fn the_largest_documents_and_transactions() {
    let server = crate::server();
    let client = server.client();
    let cache = doc! { "setParameter": 1, "wiredTigerEngineRuntimeConfig": "cache_size=1GB" };
    command_on(&client, "admin", cache);
    let home = tempfile::tempdir().unwrap();
    let begin = newest(&client);
    command_on(&client, "big", doc! { "create": "docs" });
    let mut dumper = Dumper::start(&client, home.path().join("dump"));
    let mut random = Random::from(1);
    while dumper.step(&client, &mut random).is_some() {}
    let dump = dumper.finish(&client, "6.0.5").unwrap();
    let mut truths = vec![observe(&client, "empty".into())];

    // An entry of the oplog that holds the largest document is larger than a document may be.
    let coll = client.database("big").collection::<Document>("docs");
    block_on(coll.insert_one(document(1, LARGEST, "a")).into_future()).unwrap();
    truths.push(observe(&client, "the largest document".into()));
    block_on(coll.replace_one(doc! { "_id": 1 }, document(1, LARGEST, "b")).into_future()).unwrap();
    truths.push(observe(&client, "replaced".into()));
    let cut = doc! { "$set": { "text": "short" }, "$inc": { "n": 1 } };
    block_on(coll.update_one(doc! { "_id": 1 }, cut).into_future()).unwrap();
    truths.push(observe(&client, "cut".into()));

    let before = truths.last().unwrap().clone();
    let third = LARGEST / 3;
    block_on(async {
        let mut session = client.start_session().await.unwrap();
        session.start_transaction().await.unwrap();
        for id in 2..8 {
            coll.insert_one(document(id, 2 * third, "c")).session(&mut session).await.unwrap();
        }
        session.commit_transaction().await.unwrap();
    });
    let entries = oplog(&client, begin, newest(&client));
    let parts: Vec<_> = entries.iter().rev().take_while(|e| e.len() > third).collect();
    assert!(parts.len() > 3, "the transaction is in {} parts", parts.len());
    assert!(entries.iter().any(|e| e.len() > LARGEST), "no entry is larger than a document");
    let inside = crate::play::position(parts[1]);
    truths.push(crate::common::truth::Checkpoint {
        ts: inside,
        label: "inside the transaction".into(),
        ..before
    });
    truths.push(observe(&client, "the large transaction".into()));

    let folder = home.path().join("slices");
    slices(&folder, &entries, &mut random);
    let mut outcome = Outcome::default();
    check(&dump, &folder, &entries, &truths, &mut outcome);
    assert!(outcome.wrong.is_empty(), "{}", outcome.wrong.join("\n"));
    assert_eq!(outcome.exact, truths.len());
}
