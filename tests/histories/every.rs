//! Everything that a log can say, once each and by name: every update operator and every result of
//! a pipeline, every kind of index and what becomes of it, every command on collections, every way
//! a transaction can go. Chance meets most of it too; this does not leave it to chance.

use std::collections::BTreeSet;

use bson::{Bson, Document, doc};
use mongodb::Client;

use crate::common::server::{block_on, command_on};
use crate::dump::{Dumper, oplog, slices};
use crate::live::{newest, observe};
use crate::play::{Outcome, Rolled, check, entry, position};
use crate::random::Random;
use crate::steps::find_and_modify;
use crate::told::Told;

fn start(id: i32) -> Document {
    doc! {
        "_id": id, "n": 5, "b": 6, "s": "text", "l": [3, 1, 2, { "k": 1, "v": 2 }], "d": { "x": 1, "y": { "z": [1, 2] } },
        "m": [{ "k": 1, "q": [1, 2, 3] }, { "k": 2, "q": [] }], "long": (0..30).collect::<Vec<i32>>(), "old": true,
    }
}

/// An update, with the options that stand beside it.
fn updates() -> Vec<(Bson, Document)> {
    let operators = [
        doc! { "$set": { "n": 6, "new": 1, "d.new": { "a": 1 }, "d.y.z.1": 9, "l.3.k": 7 } },
        doc! { "$unset": { "s": "", "d.x": "", "l.0": "", "missing": "" } },
        doc! { "$inc": { "n": 1, "d.x": -2i64, "fresh": 0.5 } },
        doc! { "$mul": { "n": 3, "absent": 7 } },
        doc! { "$min": { "n": 1, "d.x": 99 } },
        doc! { "$max": { "n": 99, "d.x": 0 } },
        doc! { "$rename": { "s": "t", "d.x": "moved.x", "nothing": "else" } },
        doc! { "$currentDate": { "at": true, "ts": { "$type": "timestamp" } } },
        doc! { "$bit": { "b": { "and": 3 } } },
        doc! { "$bit": { "b": { "or": 8 } } },
        doc! { "$bit": { "b": { "xor": 5 } } },
        doc! { "$push": { "l": "last" } },
        doc! { "$push": { "l": { "$each": [8, 9], "$position": 1 } } },
        doc! { "$push": { "long": { "$each": [100, 50], "$slice": -10, "$sort": -1 } } },
        doc! { "$push": { "m": { "$each": [{ "k": 0 }], "$sort": { "k": 1 } } } },
        doc! { "$addToSet": { "l": "new" } },
        doc! { "$addToSet": { "l": { "$each": [1, 11, 12] } } },
        doc! { "$pop": { "l": 1 } },
        doc! { "$pop": { "long": -1 } },
        doc! { "$pull": { "long": { "$gt": 5 }, "m": { "k": 2 } } },
        doc! { "$pullAll": { "l": [1, 2] } },
        doc! { "$set": { "m.$[].seen": true } },
        doc! { "$set": { "long": [] } },
        doc! { "$set": { "long.2": "far", "l.9": "padded" } },
        doc! { "$inc": { "m.0.k": 10, "m.1.k": 20 }, "$push": { "m.0.q": 4 }, "$unset": { "m.1.q": "" } },
    ];
    let mut all: Vec<(Bson, Document)> = operators.into_iter().map(|u| (u.into(), doc! {})).collect();
    let filters = doc! { "arrayFilters": [{ "e.k": 1 }, { "f": { "$gt": 1 } }] };
    all.push((doc! { "$set": { "m.$[e].q.$[f]": 0 } }.into(), filters));
    let pipelines = [
        vec![doc! { "$set": { "n": { "$add": ["$n", 1] }, "d.sum": { "$sum": "$long" } } }],
        vec![doc! { "$addFields": { "l": { "$reverseArray": "$l" } } }, doc! { "$unset": ["s", "d.y"] }],
        vec![doc! { "$project": { "n": 1, "d": 1 } }],
        vec![doc! { "$replaceWith": { "$mergeObjects": [{ "first": 1 }, "$$ROOT"] } }],
        vec![doc! { "$replaceRoot": { "newRoot": { "_id": "$_id", "whole": "$d" } } }],
        vec![doc! { "$set": { "long": { "$slice": ["$long", 4] } } }],
        vec![doc! { "$set": { "zero": { "$literal": bson::Timestamp { time: 0, increment: 0 } } } }],
        vec![doc! { "$set": { "d": { "$literal": { "y": { "z": [2, 1] }, "x": 1 } } } }],
    ];
    all.extend(pipelines.into_iter().map(|p| (p.into(), doc! {})));
    all.push((doc! { "whole": "replacement", "n": 1 }.into(), doc! { "multi": false }));
    all
}

#[test]
fn every_update_operator_and_pipeline_result() {
    let server = crate::server();
    let client = server.client();
    let all = updates();
    let documents: Vec<Document> = (0..2 * all.len() as i32).map(start).collect();
    command_on(&client, "every", doc! { "insert": "docs", "documents": documents });
    let mut told = Told::behind_a_dump(&client);
    for (number, (u, options)) in all.iter().enumerate() {
        let ids = [2 * number as i32, 2 * number as i32 + 1];
        let mut one = doc! { "q": { "_id": { "$in": ids.to_vec() } }, "u": u, "multi": true };
        one.extend(options.clone());
        told.doing(u.to_string(), |client| {
            let reply = command_on(client, "every", doc! { "update": "docs", "updates": [one] });
            assert!(reply.get_i32("nModified").unwrap() > 0, "{u}: {reply}");
        });
    }
    let updating = |one: Document| doc! { "update": "docs", "updates": [one] };
    let born = |n: i32| doc! { "$setOnInsert": { "born": n }, "$inc": { "n": 1 } };
    let beside = [
        ("the positional operator", updating(doc! { "q": { "l": 2 }, "u": { "$set": { "l.$": "here" } } })),
        ("$setOnInsert", updating(doc! { "q": { "_id": 900, "eq": 1 }, "u": born(1), "upsert": true })),
        ("over what is there", updating(doc! { "q": { "_id": 900 }, "u": born(2), "upsert": true })),
        (
            "an upsert of a replacement",
            updating(doc! { "q": { "_id": 901 }, "u": { "x": 1 }, "upsert": true }),
        ),
        (
            "an upsert of a pipeline",
            updating(doc! { "q": { "_id": 902 }, "u": [{ "$set": { "x": "$$NOW" } }], "upsert": true }),
        ),
        (
            "deletes of many",
            doc! { "delete": "docs", "deletes": [{ "q": { "old": true, "_id": { "$mod": [3, 0] } }, "limit": 0 }] },
        ),
    ];
    for (name, command) in beside {
        told.doing(name.to_owned(), |client| {
            let reply = command_on(client, "every", command);
            assert!(!reply.contains_key("writeErrors"), "{reply}");
        });
    }
    let set = |n: i32| Some(doc! { "$set": { "found": n } }.into());
    for (name, id, update, after) in [
        ("the image before", 900, set(1), false),
        ("the image after", 900, set(2), true),
        ("found and replaced", 902, Some(doc! { "whole": 1 }.into()), false),
        ("found and removed", 901, None, false),
    ] {
        told.doing(name.to_owned(), |client| {
            let coll = client.database("every").collection("docs");
            let found = find_and_modify(&coll, doc! { "_id": id }, update, None, false, after).unwrap();
            assert!(found.is_some(), "{name}");
        });
    }
    let entries = told.check();
    let said: BTreeSet<String> = entries.iter().flat_map(|e| sections(e)).collect();
    for section in ["diff.u", "diff.i", "diff.d", "diff.s", "diff.sa", "diff.l", "replacement", "image"] {
        assert!(said.contains(section), "{section} is not in the log: {said:?}");
    }
}

/// What kinds of update an entry holds.
fn sections(bytes: &[u8]) -> Vec<String> {
    let raw = entry(bytes);
    let mut found = Vec::new();
    if raw.get("needsRetryImage").unwrap().is_some() {
        found.push("image".to_owned());
    }
    if raw.get_str("op").is_ok_and(|op| op != "u") {
        return found;
    }
    let o = raw.get_document("o").unwrap();
    match o.get_document("diff") {
        Ok(diff) => {
            for field in diff {
                let (name, value) = field.unwrap();
                found.push(format!("diff.{}", &name.as_str()[..1]));
                let inner = value.as_document().filter(|_| name.as_str().starts_with('s'));
                if let Some(inner) = inner.filter(|inner| inner.get_bool("a").is_ok()) {
                    found.push("diff.sa".to_owned());
                    found.extend(inner.get("l").unwrap().map(|_| "diff.l".to_owned()));
                }
            }
        }
        Err(_) => found.push("replacement".to_owned()),
    }
    found
}

/// Commands on collections and indexes, in order. A name that begins with `!` is of one that the
/// server gives up, after it has begun to log it.
fn commands() -> Vec<(&'static str, &'static str, Document)> {
    let documents = |from: i32| {
        (from..from + 4)
            .map(|n| doc! { "_id": n, "n": n, "same": 1, "t": "some text", "geo": [1, 2] })
            .collect::<Vec<_>>()
    };
    let indexes = |list: Vec<Document>| list;
    let mut all = vec![
        ("create", "every", doc! { "create": "made" }),
        (
            "create with a collation",
            "every",
            doc! { "create": "collated", "collation": { "locale": "de", "strength": 1 } },
        ),
        ("create capped", "every", doc! { "create": "ring", "capped": true, "size": 4096, "max": 3 }),
        ("capped eviction", "every", doc! { "insert": "ring", "documents": documents(0) }),
        (
            "create clustered",
            "every",
            doc! { "create": "clustered", "clusteredIndex": { "key": { "_id": 1 }, "unique": true } },
        ),
        ("insert clustered", "every", doc! { "insert": "clustered", "documents": documents(0) }),
        (
            "create validated",
            "every",
            doc! { "create": "strict", "validator": { "n": { "$gt": 0 } }, "validationAction": "warn" },
        ),
        (
            "create with images",
            "every",
            doc! { "create": "images", "changeStreamPreAndPostImages": { "enabled": true } },
        ),
        ("update with images", "every", doc! { "insert": "images", "documents": documents(0) }),
        (
            "create a view",
            "every",
            doc! { "create": "view", "viewOn": "made", "pipeline": [{ "$match": { "n": 1 } }] },
        ),
        ("change a view", "every", doc! { "collMod": "view", "viewOn": "ring", "pipeline": [] }),
        ("drop the last view", "every", doc! { "drop": "view" }),
        (
            "create a time series",
            "every",
            doc! { "create": "series", "timeseries": { "timeField": "at", "metaField": "place" } },
        ),
        (
            "measure",
            "every",
            doc! { "insert": "series", "documents": (0..30).map(|n| doc! { "at": bson::DateTime::from_millis(n * 60_000), "place": n % 3, "v": n }).collect::<Vec<_>>() },
        ),
        (
            "index a time series",
            "every",
            doc! { "createIndexes": "series", "indexes": [{ "key": { "place": 1, "at": 1 }, "name": "p" }, { "key": { "v": 1 }, "name": "v" }] },
        ),
        (
            "change a time series",
            "every",
            doc! { "collMod": "series", "timeseries": { "granularity": "minutes" }, "expireAfterSeconds": 99_999_999i64 },
        ),
        ("hide its index", "every", doc! { "collMod": "series", "index": { "name": "p", "hidden": true } }),
        (
            "a stored file",
            "every",
            doc! { "insert": "fs.files", "documents": [{ "_id": 1, "length": 2i64, "chunkSize": 2 }] },
        ),
        (
            "its chunks",
            "every",
            doc! { "insert": "fs.chunks", "documents": [{ "_id": 1, "files_id": 1, "n": 0, "data": bson::Binary { subtype: bson::spec::BinarySubtype::Generic, bytes: vec![1, 2] } }] },
        ),
        (
            "indexes while it is empty",
            "every",
            doc! { "createIndexes": "made", "indexes": indexes(vec![doc! { "key": { "n": 1, "t": 1 }, "name": "early", "unique": true }]) },
        ),
        ("insert", "every", doc! { "insert": "made", "documents": documents(0) }),
        ("collated documents", "every", doc! { "insert": "collated", "documents": documents(0) }),
        (
            "collated indexes",
            "every",
            doc! { "createIndexes": "collated", "indexes": [{ "key": { "n": 1 }, "name": "own" }, { "key": { "n": 1 }, "name": "simple", "collation": { "locale": "simple" } }] },
        ),
    ];
    for (name, index) in [
        ("a plain index", doc! { "key": { "n": 1 }, "name": "n" }),
        ("a unique index", doc! { "key": { "n": -1 }, "name": "unique", "unique": true }),
        (
            "a partial index",
            doc! { "key": { "p": 1 }, "name": "partial", "partialFilterExpression": { "n": { "$gt": 1 } } },
        ),
        ("a TTL index", doc! { "key": { "ttl": 1 }, "name": "ttl", "expireAfterSeconds": 3600 }),
        ("a text index", doc! { "key": { "t": "text" }, "name": "text", "default_language": "german" }),
        ("a 2dsphere index", doc! { "key": { "geo": "2dsphere" }, "name": "sphere" }),
        ("a 2d index", doc! { "key": { "geo": "2d" }, "name": "flat" }),
        ("a wildcard index", doc! { "key": { "$**": 1 }, "name": "wild", "wildcardProjection": { "n": 0 } }),
        ("a hashed index", doc! { "key": { "n": "hashed" }, "name": "hashed" }),
        ("a hidden index", doc! { "key": { "h": 1 }, "name": "hidden", "hidden": true }),
        ("a sparse index", doc! { "key": { "q": 1 }, "name": "sparse", "sparse": true }),
        (
            "an index with a collation",
            doc! { "key": { "t": 1 }, "name": "french", "collation": { "locale": "fr" } },
        ),
        ("an index to become unique", doc! { "key": { "u": 1, "n": 1 }, "name": "prepared" }),
        ("an index to be dropped", doc! { "key": { "gone": 1 }, "name": "gone" }),
        ("!an index that cannot be", doc! { "key": { "same": 1 }, "name": "same", "unique": true }),
    ] {
        all.push((name, "every", doc! { "createIndexes": "made", "indexes": [index] }));
    }
    all.extend([
        ("prepareUnique", "every", doc! { "collMod": "made", "index": { "name": "prepared", "prepareUnique": true } }),
        ("made unique", "every", doc! { "collMod": "made", "index": { "name": "prepared", "unique": true } }),
        ("shown again", "every", doc! { "collMod": "made", "index": { "name": "hidden", "hidden": false } }),
        ("another TTL", "every", doc! { "collMod": "made", "index": { "keyPattern": { "ttl": 1 }, "expireAfterSeconds": 60 } }),
        ("an index dropped", "every", doc! { "dropIndexes": "made", "index": "gone" }),
        ("by its key", "every", doc! { "dropIndexes": "made", "index": { "q": 1 } }),
        ("a validator", "every", doc! { "collMod": "made", "validator": { "n": { "$gte": 0 } } }),
        ("its level", "every", doc! { "collMod": "strict", "validationLevel": "moderate" }),
        ("images off", "every", doc! { "collMod": "images", "changeStreamPreAndPostImages": { "enabled": false } }),
        ("a larger ring", "every", doc! { "collMod": "ring", "cappedSize": 9999, "cappedMax": 5 }),
        ("renamed", "admin", doc! { "renameCollection": "every.collated", "to": "every.renamed" }),
        ("renamed over another", "admin", doc! { "renameCollection": "every.renamed", "to": "every.strict", "dropTarget": true }),
        ("renamed into another database", "admin", doc! { "renameCollection": "every.strict", "to": "other.strict" }),
        ("$out to a new one", "every", doc! { "aggregate": "made", "pipeline": [{ "$out": "out" }], "cursor": {} }),
        ("$out over that", "every", doc! { "aggregate": "made", "pipeline": [{ "$match": { "n": 1 } }, { "$out": "out" }], "cursor": {} }),
        ("$merge", "every", doc! { "aggregate": "made", "pipeline": [{ "$merge": { "into": "out" } }], "cursor": {} }),
        ("converted to capped", "every", doc! { "convertToCapped": "out", "size": 5000 }),
        ("all indexes dropped", "every", doc! { "dropIndexes": "made", "index": "*" }),
        ("dropped", "every", doc! { "drop": "clustered" }),
        ("a time series dropped", "every", doc! { "drop": "series" }),
        ("made again", "every", doc! { "create": "clustered", "capped": true, "size": 4096 }),
        ("a database dropped", "other", doc! { "dropDatabase": 1 }),
        ("made again, too", "other", doc! { "insert": "strict", "documents": [{ "_id": 1 }] }),
    ]);
    all
}

#[test]
fn every_command_on_collections_and_every_kind_of_index() {
    let server = crate::server();
    let client = server.client();
    let mut told = Told::behind_a_dump(&client);
    for (name, db, command) in commands() {
        told.doing(name.to_owned(), |client| {
            let ran = block_on(client.database(db).run_command(command.clone()).into_future());
            assert_eq!(ran.is_err(), name.starts_with('!'), "{name}: {ran:?}");
            assert!(ran.is_err() || !ran.unwrap().contains_key("writeErrors"), "{name}");
        });
    }
    let entries = told.check();
    // Between the entries that make a time series, or drop it, there is something that no server
    // can be told to hold.
    let (folder, _) = told.log();
    let rolled = Rolled::new(&told.dump, &folder, &entries);
    let buckets = entries.iter().filter(|e| {
        let o = entry(e).get_document("o").unwrap();
        o.get_str("create").is_ok_and(|name| name == "system.buckets.series")
    });
    let made: Vec<_> = buckets.map(|e| position(e)).collect();
    assert_eq!(made.len(), 1);
    let error = rolled.state(made[0].next()).err().unwrap();
    assert_eq!(error.class, pitstop::domain::Class::Inexact);
    assert!(error.to_string().contains("every.series"), "{error}");
    assert!(rolled.state(made[0]).is_ok());
    // An index build that is under way has no index yet.
    let begun = entries.iter().find(|e| command_name(e).as_deref() == Some("startIndexBuild")).unwrap();
    let notes = rolled.state(position(begun).next()).unwrap().walked.notes;
    assert!(notes.iter().any(|n| n.contains(&position(begun).to_string())), "{notes:?}");
    assert!(rolled.state(newest(&client).next()).unwrap().walked.notes.is_empty());
    let said: BTreeSet<String> = entries.iter().filter_map(|e| command_name(e)).collect();
    for command in [
        "create",
        "drop",
        "dropDatabase",
        "renameCollection",
        "collMod",
        "createIndexes",
        "dropIndexes",
        "startIndexBuild",
        "commitIndexBuild",
        "abortIndexBuild",
    ] {
        assert!(said.contains(command), "{command} is not in the log: {said:?}");
    }
}

fn command_name(bytes: &[u8]) -> Option<String> {
    let raw = entry(bytes);
    if raw.get_str("op").is_ok_and(|op| op != "c") {
        return None;
    }
    let first = raw.get_document("o").unwrap().into_iter().next().unwrap().unwrap();
    Some(first.0.to_string())
}

/// The same commands inside the window of a dump that reads after them: all that is replayed is
/// older than what it read.
#[test]
fn all_of_it_inside_the_window_of_a_dump() {
    let server = crate::server();
    let client = server.client();
    let home = tempfile::tempdir().unwrap();
    // These are older than the window and gone when the dump reads.
    let doomed = |db: &str, command: Document| drop(command_on(&client, db, command));
    for (db, name) in [("every", "doomed"), ("doomed", "docs")] {
        doomed(db, doc! { "insert": name, "documents": [{ "_id": 1 }, { "_id": 2 }] });
        doomed(db, doc! { "createIndexes": name, "indexes": [{ "key": { "n": 1 }, "name": "n" }] });
    }
    let begin = newest(&client);
    let mut random = Random::from(3);
    for (db, name) in [("every", "doomed"), ("doomed", "docs")] {
        doomed(db, doc! { "update": name, "updates": [{ "q": { "_id": 1 }, "u": { "$set": { "n": 1 } } }] });
        doomed(db, doc! { "insert": name, "documents": [{ "_id": 3 }] });
        doomed(db, doc! { "delete": name, "deletes": [{ "q": { "_id": 2 }, "limit": 1 }] });
        doomed(db, doc! { "collMod": name, "index": { "name": "n", "hidden": true } });
        doomed(db, doc! { "createIndexes": name, "indexes": [{ "key": { "m": 1 }, "name": "m" }] });
    }
    doomed("every", doc! { "drop": "doomed" });
    doomed("doomed", doc! { "dropDatabase": 1 });
    for (_, db, command) in commands() {
        let _ = block_on(client.database(db).run_command(command).into_future());
    }
    let (all, documents) = (updates(), 40);
    let documents: Vec<Document> = (0..documents).map(start).collect();
    command_on(&client, "every", doc! { "insert": "docs", "documents": documents });
    for (u, options) in all {
        let mut one = doc! { "q": { "_id": { "$lt": 20 } }, "u": u, "multi": true };
        one.extend(options);
        // Some meet documents that earlier ones left unfit for them.
        let _ = block_on(
            client.database("every").run_command(doc! { "update": "docs", "updates": [one] }).into_future(),
        );
    }
    // Its oplog began before all that; what there is it lists only now.
    let mut dumper = Dumper::since(&client, home.path().join("dump"), begin);
    while dumper.step(&client, &mut random).is_some() {}
    let dump = dumper.finish(&client, "6.0.5").unwrap();
    let truths = [observe(&client, "at the edge".into())];
    let entries = oplog(&client, begin, newest(&client));
    let folder = home.path().join("slices");
    slices(&folder, &entries, &mut random);
    let mut outcome = Outcome::default();
    check(&dump, &folder, &entries, &truths, &mut outcome);
    assert!(outcome.wrong.is_empty(), "{}", outcome.wrong.join("\n"));
    assert_eq!(outcome.exact, 1);
}

/// Every way a transaction can go, with stops inside.
#[test]
fn every_kind_of_transaction() {
    let server = crate::server();
    let client = server.client();
    command_on(&client, "every", doc! { "insert": "docs", "documents": [start(0), start(1)] });
    let mut told = Told::behind_a_dump(&client);
    for prepare in [false, true] {
        for commit in [true, false] {
            // Three operations are one entry at this server, ten are a chain.
            for size in [2, 10] {
                for create in [false, true] {
                    if create && prepare {
                        continue;
                    }
                    let label =
                        format!("prepare {prepare}, commit {commit}, {size} operations, create {create}");
                    let before =
                        told.truths.last().cloned().unwrap_or_else(|| observe(&client, "before".into()));
                    let from = newest(&client);
                    transaction(&client, prepare, commit, size, create.then_some(&label));
                    let now = observe(&client, label);
                    let inside = oplog(&client, from, now.ts);
                    told.truths.extend(crate::play::undecided(&inside[1..], &before, &now));
                    told.truths.push(now);
                }
            }
        }
    }
    told.truths.dedup_by_key(|t| t.ts);
    let entries = told.check();
    let said: BTreeSet<&str> = ["partialTxn", "prepare", "commitTransaction", "abortTransaction", "count"]
        .into_iter()
        .filter(|field| entries.iter().any(|e| crate::play::command(e, field)))
        .collect();
    assert_eq!(said.len(), 5, "only {said:?} are in the log");
}

fn transaction(client: &Client, prepare: bool, commit: bool, size: i32, create: Option<&String>) {
    let admin = client.database("admin");
    block_on(async {
        let mut session = client.start_session().await.unwrap();
        session.start_transaction().await.unwrap();
        let db = client.database("every");
        if let Some(name) = create {
            db.run_command(doc! { "create": name }).session(&mut session).await.unwrap();
            let index = doc! { "key": { "n": 1 }, "name": "n_1" };
            db.run_command(doc! { "createIndexes": name, "indexes": [index] })
                .session(&mut session)
                .await
                .unwrap();
        }
        for n in 0..size {
            let command = match n % 3 {
                0 => doc! { "insert": "docs", "documents": [{ "_id": bson::oid::ObjectId::new() }] },
                1 => {
                    doc! { "update": "docs", "updates": [{ "q": { "_id": 1 }, "u": { "$inc": { "n": 1 }, "$push": { "l": n } } }] }
                }
                _ => {
                    doc! { "delete": "docs", "deletes": [{ "q": { "_id": { "$type": "objectId" } }, "limit": 1 }] }
                }
            };
            db.run_command(command).session(&mut session).await.unwrap();
        }
        match (prepare, commit) {
            (false, true) => session.commit_transaction().await.unwrap(),
            (_, false) if !prepare => session.abort_transaction().await.unwrap(),
            _ => {
                let prepared =
                    admin.run_command(doc! { "prepareTransaction": 1 }).session(&mut session).await.unwrap();
                let noise = doc! { "insert": "noise", "documents": [{ "_id": bson::oid::ObjectId::new() }] };
                client.database("noise").run_command(noise).await.unwrap();
                if commit {
                    let at = prepared.get_timestamp("prepareTimestamp").unwrap();
                    let commit = doc! { "commitTransaction": 1, "commitTimestamp": at };
                    admin.run_command(commit).session(&mut session).await.unwrap();
                } else {
                    session.abort_transaction().await.unwrap();
                }
            }
        }
    });
}
