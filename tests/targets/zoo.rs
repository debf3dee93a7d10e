//! A state in memory, and a zoo of everything odd that a server can hold.

use std::sync::OnceLock;

use crate::common::server::{Server as Peer, block_on, command_on, cursor_on};
use crate::common::truth::Checkpoint;
use bson::spec::BinarySubtype;
use bson::{Binary, Bson, DateTime, Document, RawDocumentBuf, Timestamp, doc};
use pitstop::domain::{Namespace, Result};
use pitstop::engine::input::CollectionKind;
use pitstop::engine::output::{CollectionSpec, Sink, State};
use pitstop::target::MARK;

/// A state in memory. Unordered collections come in several chunks.
#[derive(Default)]
pub struct Memory {
    pub specs: Vec<CollectionSpec>,
    pub documents: Vec<Vec<Vec<u8>>>,
    /// Called before each document.
    pub hook: Option<Box<dyn Fn(usize) -> Result<()> + Sync + Send>>,
}

pub const CHUNKS: usize = 3;

impl State for Memory {
    fn collections(&self) -> &[CollectionSpec] {
        &self.specs
    }

    fn chunks(&self, at: usize) -> usize {
        match (self.specs[at].kind, self.specs[at].ordered) {
            (CollectionKind::View, _) => 0,
            (_, true) => 1,
            _ => CHUNKS,
        }
    }

    fn emit(&self, at: usize, chunk: usize, sink: &mut Sink<'_>) -> Result<()> {
        let chunks = self.chunks(at);
        for (n, document) in self.documents[at].iter().enumerate() {
            if n % chunks == chunk {
                self.hook.as_ref().map_or(Ok(()), |hook| hook(n))?;
                sink(document)?;
            }
        }
        Ok(())
    }

    fn finish(&self, _: usize) -> Result<()> {
        Ok(())
    }
}

pub fn bytes(d: &Document) -> Vec<u8> {
    bson::serialize_to_vec(d).unwrap()
}

impl Memory {
    /// Everything a server holds, read by plain driver calls.
    pub fn of(peer: &Peer) -> Memory {
        let client = peer.client();
        let mut all = Vec::new();
        let names = block_on(client.list_database_names().into_future()).unwrap();
        for db in names.iter().filter(|n| !["admin", "config", "local", MARK].contains(&n.as_str())) {
            for listed in cursor_on(&client, db, doc! { "listCollections": 1 }) {
                let name = listed.get_str("name").unwrap();
                if name == "system.views" || name.starts_with("system.buckets.") {
                    continue;
                }
                let kind = match listed.get_str("type").unwrap() {
                    "view" => CollectionKind::View,
                    "timeseries" => CollectionKind::Timeseries,
                    _ => CollectionKind::Collection,
                };
                let options = listed.get_document("options").unwrap();
                let indexes = match kind {
                    CollectionKind::View => vec![],
                    _ => cursor_on(&client, db, doc! { "listIndexes": name }).iter().map(bytes).collect(),
                };
                let mut spec = CollectionSpec {
                    ns: Namespace::new(db.clone(), name),
                    kind,
                    options: bytes(options),
                    indexes,
                    ordered: options.get_bool("capped").unwrap_or(false),
                    documents: 0,
                    bytes: 0,
                };
                let documents = match kind {
                    CollectionKind::View => vec![],
                    _ => raw(peer, &spec.data_ns()),
                };
                spec.documents = documents.len() as u64;
                all.push((spec, documents));
            }
        }
        all.sort_by(|a, b| a.0.ns.cmp(&b.0.ns));
        let (specs, documents) = all.into_iter().unzip();
        Memory { specs, documents, hook: None }
    }

    pub fn one(ns: &str, documents: &[Document]) -> Memory {
        let spec = CollectionSpec {
            ns: Namespace::parse(ns),
            kind: CollectionKind::Collection,
            options: bytes(&doc! {}),
            indexes: vec![bytes(&doc! { "v": 2, "key": { "_id": 1 }, "name": "_id_" })],
            ordered: false,
            documents: documents.len() as u64,
            bytes: 0,
        };
        Memory { specs: vec![spec], documents: vec![documents.iter().map(bytes).collect()], hook: None }
    }
}

pub fn raw(peer: &Peer, ns: &Namespace) -> Vec<Vec<u8>> {
    use futures_util::TryStreamExt;
    let collection = peer.client().database(&ns.db).collection::<RawDocumentBuf>(&ns.coll);
    let all: Vec<RawDocumentBuf> =
        block_on(async { collection.find(doc! {}).await.unwrap().try_collect().await }).unwrap();
    all.into_iter().map(RawDocumentBuf::into_bytes).collect()
}

pub const ZERO: Timestamp = Timestamp { time: 0, increment: 0 };

/// Everything odd that a server can hold.
pub fn fill(peer: &Peer) {
    let run = |db: &str, command: Document| {
        let reply = command_on(&peer.client(), db, command);
        assert!(!reply.contains_key("writeErrors"), "{reply}");
    };
    let insert = |db: &str, coll: &str, documents: Vec<Document>| {
        run(db, doc! { "insert": coll, "documents": documents, "bypassDocumentValidation": true });
    };
    // Every type of _id.
    let every_type = [
        Bson::Int32(1),
        Bson::Int64(1 << 40),
        Bson::Double(2.5),
        Bson::Double(f64::NAN),
        "text".into(),
        "".into(),
        Bson::Document(doc! { "a": 1, "b": [1, 2] }),
        Bson::ObjectId(bson::oid::ObjectId::from_bytes([7; 12])),
        Bson::Boolean(true),
        Bson::DateTime(DateTime::from_millis(-5)),
        Bson::Null,
        Bson::MinKey,
        Bson::MaxKey,
        Bson::Timestamp(ZERO),
        Bson::Timestamp(Timestamp { time: 1, increment: 2 }),
        Bson::Binary(Binary { subtype: BinarySubtype::Uuid, bytes: vec![1; 16] }),
        Bson::Binary(Binary { subtype: BinarySubtype::Generic, bytes: vec![] }),
        Bson::Decimal128("1.50".parse().unwrap()),
        Bson::JavaScriptCode("f()".into()),
        Bson::Symbol("s".into()),
        Bson::JavaScriptCodeWithScope(bson::JavaScriptCodeWithScope {
            code: "g".into(),
            scope: doc! { "x": 1 },
        }),
    ];
    let ids: Vec<Document> = every_type.into_iter().map(|id| doc! { "_id": id, "x": 1 }).collect();
    insert("zoo", "ids", ids.clone());
    insert("zoo", "many", (0..5000).map(|n| doc! { "_id": n, "a": n % 7, "t": "word".repeat(50) }).collect());
    // Top-level Timestamp(0,0): $set does not rewrite it.
    insert("zoo", "zeros", ids);
    run(
        "zoo",
        doc! { "update": "zeros", "updates": [{ "q": {}, "u": { "$set": { "z": ZERO, "deep": { "z": ZERO } } }, "multi": true }] },
    );
    // What a log can hold and an insert cannot make: `_id` behind other fields.
    run("zoo", doc! { "create": "late" });
    run("zoo", doc! { "create": "late ring", "capped": true, "size": 8192 });
    for n in 0..6 {
        for name in ["zoo.late", "zoo.late ring"] {
            let operation = |o: Document| doc! { "op": "i", "ns": name, "o": o };
            let late = [doc! { "n": 6 - n, "_id": 10 * n }, doc! { "z": ZERO, "_id": 10 * n + 1, "y": ZERO }];
            let all: Vec<Document> = late.into_iter().map(operation).collect();
            run("admin", doc! { "applyOps": all, "allowAtomic": false });
        }
        insert("zoo", "late ring", vec![doc! { "_id": 10 * n + 2 }]);
    }
    let stored = raw(peer, &Namespace::parse("zoo.late"));
    let ends = |one: &Vec<u8>| one.starts_with(&bytes(&doc! { "z": ZERO, "_id": 1, "y": ZERO })[..10]);
    assert!(stored.iter().any(ends), "the server stores what it is told to");
    insert("zoo", "zeros", (100..120).map(|n| doc! { "_id": n, "plain": true }).collect());

    run("zoo", doc! { "create": "ring", "capped": true, "size": 8192, "max": 20 });
    insert("zoo", "ring", (0..33).map(|n| doc! { "_id": (n * 7) % 100, "n": n }).collect());
    run(
        "zoo",
        doc! { "update": "ring", "updates": [{ "q": { "n": { "$mod": [3, 0] } }, "u": { "$set": { "n": ZERO } }, "multi": true }] },
    );
    run("zoo", doc! { "create": "line", "capped": true, "size": 8192 });
    insert("zoo", "line", (0..20).map(|n| doc! { "_id": (n * 7) % 100 }).collect());
    run(
        "zoo",
        doc! { "create": "clustered", "clusteredIndex": { "key": { "_id": 1 }, "unique": true, "name": "own name" }, "expireAfterSeconds": 1 },
    );
    insert("zoo", "clustered", (0..10).map(|n| doc! { "_id": DateTime::from_millis(n * 1000) }).collect());
    run(
        "zoo",
        doc! { "create": "strict", "validator": { "n": { "$type": "int", "$gt": 5 } }, "validationLevel": "moderate" },
    );
    insert("zoo", "strict", vec![doc! { "_id": 1, "n": "breaks the rule" }]);
    run("zoo", doc! { "create": "deutsch", "collation": { "locale": "de", "strength": 1 } });
    insert("zoo", "deutsch", vec![doc! { "_id": "a" }, doc! { "_id": "b", "x": "Ü" }]);
    run(
        "zoo",
        doc! { "createIndexes": "deutsch", "indexes": [
            { "key": { "x": 1 }, "name": "inherits" },
            { "key": { "x": 1 }, "name": "simple", "collation": { "locale": "simple" } },
            { "key": { "x": 1 }, "name": "french", "collation": { "locale": "fr" } },
        ] },
    );
    run(
        "zoo",
        doc! { "create": "stored", "storageEngine": { "wiredTiger": { "configString": "block_compressor=zlib" } } },
    );
    run("zoo", doc! { "create": "images", "changeStreamPreAndPostImages": { "enabled": true } });
    run("zoo", doc! { "create": "old_id", "idIndex": { "v": 1, "key": { "_id": 1 }, "name": "_id_" } });
    run("zoo", doc! { "create": "empty" });
    run(
        "zoo",
        doc! { "create": "seen", "viewOn": "many", "pipeline": [{ "$sort": { "b": 1, "a": -1 } }], "collation": { "locale": "en" } },
    );
    run(
        "zoo",
        doc! { "create": "seen.again", "viewOn": "seen", "pipeline": [], "collation": { "locale": "en" } },
    );
    run(
        "zoo",
        doc! { "create": "weather", "timeseries": { "timeField": "at", "metaField": "place", "granularity": "minutes" }, "expireAfterSeconds": 60 },
    );
    insert(
        "zoo",
        "weather",
        (0..300).map(|n| doc! { "at": DateTime::from_millis(n * 60_000), "place": n % 3, "c": n }).collect(),
    );
    run(
        "zoo",
        doc! { "createIndexes": "weather", "indexes": [{ "key": { "place": 1, "at": -1 }, "name": "by place" }] },
    );
    insert("zoo", "system.js", vec![doc! { "_id": "f", "value": Bson::JavaScriptCode("1".into()) }]);
    for name in [
        "with space",
        "dots.and.dots",
        "ü",
        "a%b+c",
        "line\nbreak",
        "\u{1b}[2J",
        "slash/../..",
        &"long".repeat(50),
    ] {
        insert("zoo", name, vec![doc! { "_id": name }]);
    }
    insert("Zoo-2_ü", "c", vec![doc! { "_id": 1, "$dollar": 1, "dotted.name": ZERO, "": 1 }]);
    // The largest document there is: 16 MiB to the byte.
    let frame = bytes(&doc! { "_id": 1, "s": "" }).len();
    insert("zoo", "big", vec![doc! { "_id": 1, "s": "x".repeat((16 << 20) - frame) }]);
    let frame = bytes(&doc! { "_id": 2, "z": 0_i64, "s": "" }).len();
    insert("zoo", "big", vec![doc! { "_id": 2, "z": 0_i64, "s": "y".repeat((16 << 20) - frame) }]);
    run("zoo", doc! { "update": "big", "updates": [{ "q": { "_id": 2 }, "u": { "$set": { "z": ZERO } } }] });
    insert(
        "zoo",
        "indexed",
        vec![doc! { "_id": 1, "a": 1, "g": [1.0, 2.0], "t": "words", "d": DateTime::from_millis(0) }],
    );
    run(
        "zoo",
        doc! { "createIndexes": "indexed", "indexes": [
            { "key": { "b": 1, "a": -1 }, "name": "compound" }, { "key": { "a": "hashed" }, "name": "hashed" },
            { "key": { "t": "text", "u": "text" }, "name": "text", "weights": { "t": 3 }, "default_language": "german" },
            { "key": { "g": "2d" }, "name": "2d", "min": -10, "max": 10 }, { "key": { "s": "2dsphere" }, "name": "sphere" },
            { "key": { "$**": 1 }, "name": "wild", "wildcardProjection": { "a": 1, "_id": 0 } },
            { "key": { "d": 1 }, "name": "ttl", "expireAfterSeconds": 1 },
            { "key": { "a": 1 }, "name": "partial", "partialFilterExpression": { "a": { "$gt": 5 } }, "unique": true },
            { "key": { "p": 1 }, "name": "sparse hidden", "sparse": true, "hidden": true },
            { "key": { "q": 1 }, "name": "prepared", "prepareUnique": true }, { "key": { "o": 1 }, "name": "v1", "v": 1 },
            { "key": { "r": 1 }, "name": "bg", "background": true }, { "key": { "_id": "hashed" }, "name": "_id_hashed" },
        ] },
    );
}

/// The zoo as a state, and as the server that made it describes it.
pub fn zoo() -> &'static (Memory, Checkpoint) {
    static ZOO: OnceLock<(Memory, Checkpoint)> = OnceLock::new();
    ZOO.get_or_init(|| {
        let peer = Peer::start(
            crate::common::server::Kind::Standalone,
            &["--setParameter", "ttlMonitorEnabled=false"],
        );
        fill(&peer);
        (Memory::of(&peer), Checkpoint::observe(peer.uri()))
    })
}
