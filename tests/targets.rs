//! Targets against a real server. A zoo is made by plain driver calls on a server of its own; a
//! state read off that server goes to a target, and both servers' own dbHash, options and
//! indexes are compared.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use bson::spec::BinarySubtype;
use bson::{Binary, Bson, DateTime, Document, RawDocumentBuf, Timestamp, doc};
use common::server::{Server as Peer, block_on, command_on, cursor_on};
use common::truth::{Checkpoint, compare_dump, compare_server};
use pitstop::domain::progress::{Meter, Phase};
use pitstop::domain::{Class, Error, Namespace, OpTime, Position, Result};
use pitstop::engine::input::CollectionKind;
use pitstop::engine::output::{CollectionSpec, Sink, State};
use pitstop::target::registry::RunState;
use pitstop::target::{
    Isolated, IsolatedOptions, LoadOptions, Loaded, MARK, Registry, Server, Ttl, Verification, find_mongod,
    write_dump,
};

/// A state in memory. Unordered collections come in several chunks.
#[derive(Default)]
struct Memory {
    specs: Vec<CollectionSpec>,
    documents: Vec<Vec<Vec<u8>>>,
    /// Called before each document.
    hook: Option<Box<dyn Fn(usize) -> Result<()> + Sync + Send>>,
}

const CHUNKS: usize = 3;

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

fn bytes(d: &Document) -> Vec<u8> {
    bson::serialize_to_vec(d).unwrap()
}

impl Memory {
    /// Everything a server holds, read by plain driver calls.
    fn of(peer: &Peer) -> Memory {
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

    fn one(ns: &str, documents: &[Document]) -> Memory {
        let spec = CollectionSpec {
            ns: Namespace::parse(ns),
            kind: CollectionKind::Collection,
            options: bytes(&doc! {}),
            indexes: vec![bytes(&doc! { "v": 2, "key": { "_id": 1 }, "name": "_id_" })],
            ordered: false,
            documents: documents.len() as u64,
        };
        Memory { specs: vec![spec], documents: vec![documents.iter().map(bytes).collect()], hook: None }
    }
}

fn raw(peer: &Peer, ns: &Namespace) -> Vec<Vec<u8>> {
    use futures_util::TryStreamExt;
    let collection = peer.client().database(&ns.db).collection::<RawDocumentBuf>(&ns.coll);
    let all: Vec<RawDocumentBuf> =
        block_on(async { collection.find(doc! {}).await.unwrap().try_collect().await }).unwrap();
    all.into_iter().map(RawDocumentBuf::into_bytes).collect()
}

const ZERO: Timestamp = Timestamp { time: 0, increment: 0 };

/// Everything odd that a server can hold.
fn fill(peer: &Peer) {
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
fn zoo() -> &'static (Memory, Checkpoint) {
    static ZOO: OnceLock<(Memory, Checkpoint)> = OnceLock::new();
    ZOO.get_or_init(|| {
        let peer =
            Peer::start(common::server::Kind::Standalone, &["--setParameter", "ttlMonitorEnabled=false"]);
        fill(&peer);
        (Memory::of(&peer), Checkpoint::observe(peer.uri()))
    })
}

struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Home {
        Home(tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

/// An isolated server that ends with its test.
struct Running(Isolated);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = block_on(self.0.stop());
    }
}

fn options(dir: PathBuf) -> IsolatedOptions {
    let mongod = find_mongod(Some(common::mongod::mongod()), None).unwrap();
    IsolatedOptions { cache_gb: 0.25, ..IsolatedOptions::new(dir, mongod) }
}

fn start(home: &Home) -> Running {
    Running(block_on(Isolated::start(options(home.path("server")), &Meter::default())).unwrap())
}

fn with(ttl: Ttl) -> LoadOptions {
    LoadOptions { workers: 3, ttl, restore_id: "r1".to_owned() }
}

fn connect(peer: &Peer) -> Server {
    block_on(Server::connect(peer.uri())).unwrap()
}

fn load(server: &Server, state: &dyn State, ttl: Ttl) -> Result<Loaded> {
    block_on(server.load(state, &with(ttl), &Meter::default()))
}

fn verify(server: &Server, state: &dyn State, loaded: &Loaded) -> Verification {
    block_on(server.verify(state, loaded, &Meter::default())).unwrap()
}

fn databases(uri: &str) -> Vec<String> {
    block_on(common::server::connect(uri).list_database_names().into_future()).unwrap()
}

#[test]
fn a_zoo_arrives_exactly_on_an_isolated_server() {
    let home = Home::new();
    let running = start(&home);
    let (state, truth) = zoo();
    let server = block_on(running.0.connect()).unwrap();
    let meter = Meter::default();
    let loaded = block_on(server.load(state, &with(Ttl::Keep), &meter)).unwrap();
    let uri = running.0.uri_with_password().unwrap();
    assert!(databases(&uri).contains(&MARK.to_owned()), "marked until it is verified");
    let verification = block_on(server.verify(state, &loaded, &meter)).unwrap();
    let wrong: Vec<_> = verification.collections.iter().filter(|c| !c.ok()).collect();
    assert!(verification.ok(), "{wrong:?}");
    assert_eq!(meter.read().phase, Phase::Verify);
    assert_eq!(meter.read().done, state.documents.iter().map(|d| d.len() as u64).sum::<u64>());
    assert!(!databases(&uri).contains(&MARK.to_owned()));
    assert_eq!(compare_server(&uri, truth), Vec::<String>::new());
    // The hashes on record are the server's.
    let many = verification.collections.iter().find(|c| c.ns == Namespace::parse("zoo.many")).unwrap();
    assert_eq!(many.db_hash.as_ref(), truth.dbs["zoo"]["many"].content.as_ref().map(|c| &c.md5));
    let weather = verification.collections.iter().find(|c| c.ns == Namespace::parse("zoo.weather")).unwrap();
    assert!(weather.db_hash.is_some() && weather.found.count > 0);
    // Ring: natural order, seen by a plain find.
    let ring = |all: &[Document]| all.iter().map(|d| d.get_i32("_id").unwrap()).collect::<Vec<_>>();
    let at = state.specs.iter().position(|s| s.ns.coll == "ring").unwrap();
    let want: Vec<Document> =
        state.documents[at].iter().map(|d| bson::deserialize_from_slice(d).unwrap()).collect();
    let found = cursor_on(&common::server::connect(&uri), "zoo", doc! { "find": "ring" });
    assert_eq!(ring(&found), ring(&want));
    assert_eq!(found.len(), 20);
}

#[test]
fn a_zoo_arrives_exactly_in_a_dump_directory() {
    let home = Home::new();
    let (state, truth) = zoo();
    let dir = home.path("dump");
    let written = write_dump(&dir, state, Some("6.0.5"), &Meter::default()).unwrap();
    let wrong: Vec<_> = written.verification.collections.iter().filter(|c| !c.ok()).collect();
    assert!(written.verification.ok(), "{wrong:?}");
    assert_eq!(written.dir, dir);
    assert_eq!(compare_dump(&dir, truth), Vec::<String>::new());
    let prelude = fs::read_to_string(dir.join("prelude.json")).unwrap();
    assert!(prelude.starts_with(r#"{"ServerVersion":"6.0.5""#), "{prelude}");
    let names: Vec<_> = fs::read_dir(home.0.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names, ["dump"], "nothing is left beside it");
    let mut files = 0;
    for entry in walk(&dir) {
        let meta = fs::symlink_metadata(&entry).unwrap();
        let mode = meta.permissions().mode() & 0o777;
        assert_eq!(mode, if meta.is_dir() { 0o700 } else { 0o600 }, "{}", entry.display());
        files += usize::from(meta.is_file());
    }
    let views = state.specs.iter().filter(|s| s.kind == CollectionKind::View).count();
    assert_eq!(files, 2 * state.specs.len() - views + 1);
    // Names as the format has them.
    assert!(
        dir.join("zoo/slash%2F..%2F...bson").exists() && dir.join("zoo/with+space.metadata.json").exists()
    );
    assert!(
        dir.join("zoo/system.buckets.weather.bson").exists()
            && dir.join("zoo/weather.metadata.json").exists()
    );
}

fn walk(dir: &Path) -> Vec<PathBuf> {
    let mut all = vec![dir.to_owned()];
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { all.extend(walk(&path)) } else { all.push(path) }
    }
    all
}

#[test]
fn verification_notices_every_change_behind_our_back() {
    let peer = Peer::start(common::server::Kind::Standalone, &["--setParameter", "ttlMonitorEnabled=false"]);
    fill(&peer);
    let mut state = Memory::of(&peer);
    // Without the two largest: this one is about many short rounds.
    let big = state.specs.iter().position(|s| s.ns.coll == "big").unwrap();
    state.specs.remove(big);
    state.documents.remove(big);
    let server = connect(&peer);
    let zoo = |command: Document| vec![("zoo", command)];
    let delete = |coll: &str, q: Document| zoo(doc! { "delete": coll, "deletes": [{ "q": q, "limit": 1 }] });
    let change = |coll: &str, q: Document, u: Document| {
        zoo(doc! { "update": coll, "updates": [{ "q": q, "u": { "$set": u } }] })
    };
    // Each round changes several collections, one change to each.
    let rounds: Vec<Vec<(&str, Vec<(&str, Document)>)>> = vec![
        vec![
            ("empty", zoo(doc! { "drop": "empty" })),
            ("extra", zoo(doc! { "create": "extra" })),
            ("indexed", zoo(doc! { "dropIndexes": "indexed", "index": "hashed" })),
            // The same documents in another order.
            (
                "line",
                vec![
                    (
                        "zoo",
                        doc! { "aggregate": "line", "pipeline": [{ "$sort": { "_id": 1 } }, { "$out": "sorted" }], "cursor": {} },
                    ),
                    ("zoo", doc! { "drop": "line" }),
                    ("zoo", doc! { "create": "line", "capped": true, "size": 8192 }),
                    (
                        "zoo",
                        doc! { "aggregate": "sorted", "pipeline": [{ "$merge": { "into": "line" } }], "cursor": {} },
                    ),
                    ("zoo", doc! { "drop": "sorted" }),
                ],
            ),
            ("many", delete("many", doc! { "_id": 17 })),
            ("new", vec![("other", doc! { "create": "new" })]),
            ("seen", zoo(doc! { "collMod": "seen", "viewOn": "many", "pipeline": [] })),
            ("strict", zoo(doc! { "collMod": "strict", "validationLevel": "strict" })),
            ("weather", delete("system.buckets.weather", doc! {})),
            ("zeros", change("zeros", doc! { "_id": 1 }, doc! { "z": Timestamp { time: 0, increment: 1 } })),
        ],
        vec![
            (
                "indexed",
                zoo(doc! { "createIndexes": "indexed", "indexes": [{ "key": { "new": 1 }, "name": "new" }] }),
            ),
            ("many", zoo(doc! { "insert": "many", "documents": [{ "_id": -1 }] })),
            ("seen", zoo(doc! { "drop": "seen" })),
            ("weather", zoo(doc! { "collMod": "weather", "expireAfterSeconds": 61 })),
        ],
        vec![
            ("indexed", zoo(doc! { "collMod": "indexed", "index": { "name": "compound", "hidden": true } })),
            ("many", change("many", doc! { "_id": 17 }, doc! { "a": 1000 })),
            ("weather", zoo(doc! { "dropIndexes": "weather", "index": "by place" })),
        ],
        vec![(
            "indexed",
            zoo(doc! { "collMod": "indexed", "index": { "name": "ttl", "expireAfterSeconds": 2 } }),
        )],
    ];
    peer.wipe();
    for round in rounds {
        let loaded = load(&server, &state, Ttl::Keep).unwrap();
        for (db, command) in round.iter().flat_map(|(_, commands)| commands) {
            command_on(&peer.client(), db, command.clone());
        }
        let verification = verify(&server, &state, &loaded);
        let wrong: Vec<_> = verification.collections.iter().filter(|c| !c.ok()).collect();
        let mut names: Vec<&str> = wrong.iter().map(|c| c.ns.coll.as_str()).collect();
        names.sort_unstable();
        assert_eq!(names, round.iter().map(|(name, _)| *name).collect::<Vec<_>>(), "{wrong:?}");
        assert!(!verification.ok() && wrong.iter().all(|c| !c.differences.is_empty()), "{wrong:?}");
        let line = wrong.iter().filter(|c| c.ns.coll == "line");
        assert!(line.clone().all(|c| c.differences[0].contains("order") && c.expected == c.found));
        assert!(databases(peer.uri()).contains(&MARK.to_owned()), "the mark stays");
        peer.wipe();
    }
    let loaded = load(&server, &state, Ttl::Keep).unwrap();
    assert!(verify(&server, &state, &loaded).ok(), "untouched it is fine");
}

#[test]
fn the_isolated_server_is_isolated() {
    let home = Home::new();
    let running = start(&home);
    let isolated = &running.0;
    let password = fs::read_to_string(&isolated.password_file).unwrap();
    assert!(password.len() >= 32);
    // Nobody gets in without the password, on no interface but the loopback.
    let client =
        common::server::connect(&format!("mongodb://127.0.0.1:{}/?directConnection=true", isolated.port));
    let tried = block_on(client.database("admin").run_command(doc! { "listDatabases": 1 }).into_future());
    assert!(tried.unwrap_err().to_string().contains("requires authentication"));
    // Nor can anybody make a first user any more.
    let create = doc! { "createUser": "x", "pwd": "x", "roles": ["root"] };
    assert!(block_on(client.database("admin").run_command(create).into_future()).is_err());
    let listening = listening(isolated.pid);
    assert_eq!(listening, [format!("0100007F:{:04X}", isolated.port)]);
    // The password is in its file and nowhere else.
    let line = fs::read(format!("/proc/{}/cmdline", isolated.pid)).unwrap();
    let environment = fs::read(format!("/proc/{}/environ", isolated.pid)).unwrap();
    let contains = |text: &[u8]| text.windows(password.len()).any(|w| w == password.as_bytes());
    assert!(!contains(&line) && !contains(&environment));
    assert!(!contains(isolated.uri().as_bytes()) && !contains(format!("{isolated:?}").as_bytes()));
    for path in walk(&isolated.dir) {
        let mode = fs::symlink_metadata(&path).unwrap().permissions().mode();
        let outside =
            path.starts_with(isolated.dbpath()) || path.extension().is_some_and(|e| e == "log" || e == "pid");
        assert!(mode & 0o077 == 0 || outside, "{}: {mode:o}", path.display());
        if path.is_file() && path != isolated.password_file {
            assert!(!contains(&fs::read(&path).unwrap()), "{}", path.display());
        }
    }
    assert_eq!(fs::metadata(&isolated.dir).unwrap().permissions().mode() & 0o777, 0o700);
    // TTL monitor off, no replica set, its own session.
    let uri = isolated.uri_with_password().unwrap();
    let admin = common::server::connect(&uri);
    let ttl = command_on(&admin, "admin", doc! { "getParameter": 1, "ttlMonitorEnabled": 1 });
    assert!(!ttl.get_bool("ttlMonitorEnabled").unwrap());
    assert!(!command_on(&admin, "admin", doc! { "hello": 1 }).contains_key("setName"));
    let session = |pid: u32| rustix::process::getsid(rustix::process::Pid::from_raw(pid as i32)).unwrap();
    assert_ne!(session(isolated.pid), session(std::process::id()));
}

/// The addresses a process listens on, as /proc/net/tcp and tcp6 write them.
fn listening(pid: u32) -> Vec<String> {
    let sockets: Vec<String> = fs::read_dir(format!("/proc/{pid}/fd"))
        .unwrap()
        .filter_map(|e| fs::read_link(e.unwrap().path()).ok())
        .filter_map(|l| Some(l.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .collect();
    let mut found = Vec::new();
    for table in ["tcp", "tcp6"] {
        for line in fs::read_to_string(format!("/proc/net/{table}")).unwrap_or_default().lines().skip(1) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            if fields[3] == "0A" && sockets.iter().any(|s| s == fields[9]) {
                found.push(fields[1].to_owned());
            }
        }
    }
    found
}

#[test]
fn an_isolated_server_starts_where_sockets_cannot_go() {
    let home = Home::new();
    // Too long for a socket's path, and with a comma, which separates addresses.
    let dir = home.path(&format!("{},x", "long".repeat(40)));
    let begun = Instant::now();
    let running = Running(block_on(Isolated::start(options(dir.clone()), &Meter::default())).unwrap());
    println!("started in {:?}", begun.elapsed());
    assert!(block_on(running.0.connect()).is_ok());
    assert!(running.0.obituary().is_none());
    block_on(running.0.stop()).unwrap();
    assert!(!running.0.process().is_alive());
    assert!(running.0.obituary().is_some());
}

#[test]
fn what_keeps_a_server_from_starting_is_said() {
    let home = Home::new();
    let start = |o: IsolatedOptions| block_on(Isolated::start(o, &Meter::default())).unwrap_err();
    // A taken port.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let error = start(IsolatedOptions { port: Some(port), ..options(home.path("a")) });
    assert!(error.place.contains(&port.to_string()) && error.hint.contains("port"), "{error}");
    // A directory that is not ours.
    fs::create_dir(home.path("full")).unwrap();
    fs::write(home.path("full/file"), "x").unwrap();
    fs::create_dir(home.path("empty")).unwrap();
    std::os::unix::fs::symlink(home.path("empty"), home.path("link")).unwrap();
    for name in ["full", "link", "full/file"] {
        assert_eq!(start(options(home.path(name))).class, Class::Refused, "{name}");
    }
    assert_eq!(fs::read_to_string(home.path("full/file")).unwrap(), "x");
    // A server that gives up: what it logged last is in the message.
    let fake = home.path("mongod");
    let script = "#!/bin/sh\nif [ \"$1\" = --version ]; then echo 'db version v6.0.5'; exit; fi\n\
        while [ \"$1\" != --logpath ]; do shift; done\n\
        echo '{\"s\":\"I\",\"msg\":\"hello\"}' >>\"$2\"; echo '{\"s\":\"E\",\"msg\":\"no more discs\"}' >>\"$2\"; exit 48\n";
    fs::write(&fake, script).unwrap();
    fs::set_permissions(&fake, fs::Permissions::from_mode(0o755)).unwrap();
    let mongod = find_mongod(Some(&fake), None).unwrap();
    let error = start(IsolatedOptions::new(home.path("b"), mongod));
    assert!(error.cause.contains("no more discs") && !error.cause.contains("hello"), "{error}");
}

#[test]
fn a_target_with_anything_in_it_is_refused() {
    let peer = Peer::standalone();
    let server = connect(&peer);
    let state = Memory::one("shop.a", &[doc! { "_id": 1 }]);
    block_on(server.require_empty()).unwrap();
    for (db, command) in [
        ("shop", doc! { "create": "there" }),
        ("admin", doc! { "create": "there" }),
        ("shop", doc! { "create": "there", "viewOn": "x", "pipeline": [] }),
        ("shop", doc! { "create": "there", "timeseries": { "timeField": "t" } }),
    ] {
        peer.run(db, command);
        let error = block_on(server.require_empty()).unwrap_err();
        assert_eq!(error.class, Class::Refused);
        assert!(error.cause.contains(&format!("{db}.there")), "{error}");
        // Also when it came between the check and the load; and nothing was written then.
        assert_eq!(load(&server, &state, Ttl::Keep).unwrap_err().class, Class::Refused);
        assert!(!databases(peer.uri()).contains(&MARK.to_owned()));
        peer.run(db, doc! { "drop": "there" });
        peer.wipe();
    }
    // What an unfinished restore left.
    load(&server, &state, Ttl::Keep).unwrap();
    let error = block_on(server.require_empty()).unwrap_err();
    assert!(error.class == Class::Refused && error.cause.contains("unfinished"), "{error}");
}

#[test]
fn what_expires_is_deferred_or_refused_on_other_servers() {
    let peer = Peer::standalone();
    let server = connect(&peer);
    let (state, _) = zoo();
    let keep = |s: &&CollectionSpec| ["indexed", "weather", "clustered"].contains(&s.ns.coll.as_str());
    let expiring = Memory {
        documents: state
            .specs
            .iter()
            .zip(&state.documents)
            .filter(|(s, _)| keep(s))
            .map(|(_, d)| d.clone())
            .collect(),
        specs: state.specs.iter().filter(keep).cloned().collect(),
        hook: None,
    };
    let error = load(&server, &expiring, Ttl::Refuse).unwrap_err();
    assert!(error.class == Class::Refused && error.hint.contains("defer"), "{error}");
    assert!(!databases(peer.uri()).contains(&MARK.to_owned()), "refused before the first write");
    let loaded = load(&server, &expiring, Ttl::Defer).unwrap();
    assert_eq!(loaded.deferred_ttl.len(), 3, "{:?}", loaded.deferred_ttl);
    assert!(verify(&server, &expiring, &loaded).ok());
    let indexes = cursor_on(&peer.client(), "zoo", doc! { "listIndexes": "indexed" });
    assert!(!indexes.iter().any(|i| i.contains_key("expireAfterSeconds")));
}

#[test]
fn a_refused_document_is_named_and_the_mark_stays() {
    let peer = Peer::standalone();
    let server = connect(&peer);
    let mut documents: Vec<Document> = (0..1000).map(|n| doc! { "_id": n }).collect();
    documents.push(doc! { "_id": 500, "again": true });
    let error = load(&server, &Memory::one("shop.a", &documents), Ttl::Keep).unwrap_err();
    assert!(error.place.contains("shop.a") && error.place.contains("500"), "{error}");
    assert!(error.cause.contains("E11000"), "{error}");
    assert!(databases(peer.uri()).contains(&MARK.to_owned()));
    // The same where documents go by the other way.
    peer.wipe();
    let twice =
        [doc! { "_id": 7, "z": ZERO }, doc! { "_id": 8 }, doc! { "_id": 9 }, doc! { "_id": 7, "z": ZERO }];
    let error = load(&server, &Memory::one("shop.a", &twice), Ttl::Keep).unwrap_err();
    assert!(error.place.contains('7') && error.cause.contains("E11000"), "{error}");
    // An index that cannot be built.
    peer.wipe();
    let mut state = Memory::one("shop.a", &[doc! { "_id": 1, "a": 1 }, doc! { "_id": 2, "a": 1 }]);
    state.specs[0].indexes.push(bytes(&doc! { "v": 2, "key": { "a": 1 }, "name": "a_1", "unique": true }));
    let error = load(&server, &state, Ttl::Keep).unwrap_err();
    assert!(error.doing.contains("index") && error.cause.contains("E11000"), "{error}");
}

#[test]
fn a_dying_server_and_a_cancelled_load_end_in_errors() {
    let home = Home::new();
    let running = start(&home);
    let server = block_on(running.0.connect()).unwrap();
    let documents: Vec<Document> = (0..20_000).map(|n| doc! { "_id": n, "s": "x".repeat(1000) }).collect();
    let meter = Meter::default();
    let cancel = meter.clone();
    let mut state = Memory::one("shop.a", &documents);
    state.hook = Some(Box::new(move |n| {
        if n == 5000 {
            cancel.cancel();
        }
        Ok(())
    }));
    let error = block_on(server.load(&state, &with(Ttl::Keep), &meter)).unwrap_err();
    assert_eq!(error.class, Class::Interrupted);
    let uri = running.0.uri_with_password().unwrap();
    assert!(databases(&uri).contains(&MARK.to_owned()));
    for db in ["shop", MARK] {
        command_on(&common::server::connect(&uri), db, doc! { "dropDatabase": 1 });
    }
    let pid = rustix::process::Pid::from_raw(running.0.pid as i32).unwrap();
    state.hook = Some(Box::new(move |n| {
        if n == 9000 {
            rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
        }
        Ok(())
    }));
    let begun = Instant::now();
    let error = load(&server, &state, Ttl::Keep).unwrap_err();
    assert_eq!(error.class, Class::Failed);
    assert!(begun.elapsed() < Duration::from_secs(60));
    assert!(running.0.obituary().is_some());
    let password = fs::read_to_string(&running.0.password_file).unwrap();
    assert!(!error.to_string().contains(&password));
}

#[test]
fn a_member_of_the_source_is_recognised_by_its_oplog() {
    let peer = Peer::replica_set();
    let server = connect(&peer);
    peer.run("shop", doc! { "insert": "a", "documents": [{ "_id": 1 }] });
    peer.run("shop", doc! { "dropDatabase": 1 });
    let entries = cursor_on(&peer.client(), "local", doc! { "find": "oplog.rs" });
    let at: Vec<OpTime> = entries
        .iter()
        .map(|e| {
            let ts = e.get_timestamp("ts").unwrap();
            OpTime { pos: Position::new(ts.time, ts.increment), term: e.get_i64("t").unwrap_or(-1) }
        })
        .collect();
    // Emptied, as after a dropDatabase: nothing but its oplog tells.
    block_on(server.require_empty()).unwrap();
    for entry in [at[0], at[at.len() / 2], *at.last().unwrap()] {
        assert_eq!(block_on(server.oplog_holds(&[entry])).unwrap(), Some(entry));
    }
    let other_term = OpTime { term: at[1].term + 1, ..at[1] };
    let between = OpTime { pos: Position::new(at[1].pos.secs, 999_999), ..at[1] };
    assert_eq!(block_on(server.oplog_holds(&[other_term, between])).unwrap(), None);
    let before = OpTime { pos: Position::new(1, 1), term: 1 };
    assert_eq!(block_on(server.oplog_holds(&[before, at[2]])).unwrap(), Some(at[2]));
    let identity = block_on(server.identity()).unwrap();
    assert_eq!(identity.set_name.as_deref(), Some("pit0"));
    assert_eq!(identity.hosts, [format!("127.0.0.1:{}", peer.port())]);
    assert_eq!(identity.me.as_ref(), identity.hosts.first());
    assert!(identity.has_oplog && identity.set_id.is_some_and(|id| id.len() == 24));
    // A server without an oplog, and the same process under another name.
    let alone = Peer::standalone();
    let standalone = connect(&alone);
    assert_eq!(block_on(standalone.oplog_holds(&at)).unwrap(), None);
    let alias =
        block_on(Server::connect(&format!("mongodb://localhost:{}/?directConnection=true", alone.port())))
            .unwrap();
    let (one, other) = (block_on(standalone.identity()).unwrap(), block_on(alias.identity()).unwrap());
    assert_eq!(one.process_id, other.process_id);
    assert!(one.process_id.is_some() && one.process_id != identity.process_id);
}

#[test]
fn the_registry_stops_and_removes_its_own_and_nothing_else() {
    let home = Home::new();
    let running = start(&home);
    let registry = Registry::open(&home.path("registry")).unwrap();
    let record = registry.add(&running.0, Some("case")).unwrap();
    let file = home.path("registry").join(format!("{}.json", record.id));
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let password = fs::read_to_string(&running.0.password_file).unwrap();
    let text = fs::read_to_string(&file).unwrap();
    assert!(!text.contains(&password));
    let grace = Duration::from_secs(30);
    // It runs: it is listed, and cannot be removed.
    let listing = registry.list().unwrap();
    assert_eq!(listing.records, [record.clone()]);
    assert_eq!(listing.records[0].state, RunState::Running);
    assert_eq!(registry.delete(&record.id).unwrap_err().class, Class::Refused);
    // As after a reboot, when the id means another process: a stranger is neither listed as
    // ours nor stopped, and data that any server runs on are not removed.
    let mut stranger = std::process::Command::new("sleep").arg("60").spawn().unwrap();
    let foreign = text.replace(&record.pid.to_string(), &stranger.id().to_string());
    assert_ne!(foreign, text);
    fs::write(&file, &foreign).unwrap();
    assert_eq!(registry.list().unwrap().records[0].state, RunState::Stopped);
    block_on(registry.stop(&record.id, grace)).unwrap();
    let error = registry.delete(&record.id).unwrap_err();
    assert!(error.class == Class::Refused && error.cause.contains("another server"), "{error}");
    assert!(stranger.try_wait().unwrap().is_none() && running.0.process().is_alive());
    stranger.kill().unwrap();
    stranger.wait().unwrap();
    // The truth again: stopped, then removed.
    fs::write(&file, &text).unwrap();
    assert_eq!(block_on(registry.stop(&record.id, grace)).unwrap().state, RunState::Stopped);
    assert!(!running.0.process().is_alive());
    // Not without our marker.
    let marker = running.0.dir.join("pitstop-target.json");
    let kept = fs::read(&marker).unwrap();
    for wrong in [&b"{\"id\":\"00000000\"}"[..], b"", b"[]"] {
        fs::write(&marker, wrong).unwrap();
        assert_eq!(registry.delete(&record.id).unwrap_err().class, Class::Refused);
    }
    fs::write(&marker, kept).unwrap();
    assert!(running.0.dir.join("data").exists());
    registry.delete(&record.id).unwrap();
    assert!(!running.0.dir.exists() && registry.list().unwrap().records.is_empty());
    // Broken records are told, and do not hide the others; ids are never paths.
    fs::write(home.path("registry/worse.json"), "{").unwrap();
    assert_eq!(registry.list().unwrap().unreadable.len(), 1);
    for id in ["", "../x", "zz", "worse"] {
        assert_eq!(registry.get(id).unwrap_err().class, Class::Usage, "{id}");
    }
}

#[test]
fn a_dump_is_never_written_over_anything() {
    let home = Home::new();
    let state = Memory::one("shop.a", &[doc! { "_id": 1 }]);
    let write = |dir: &Path, state: &Memory| write_dump(dir, state, None, &Meter::default());
    fs::create_dir(home.path("full")).unwrap();
    fs::write(home.path("full/file"), "x").unwrap();
    fs::create_dir(home.path("empty")).unwrap();
    std::os::unix::fs::symlink(home.path("empty"), home.path("link")).unwrap();
    for name in ["full", "link", "full/file"] {
        assert_eq!(write(&home.path(name), &state).unwrap_err().class, Class::Refused, "{name}");
    }
    let before: Vec<PathBuf> = walk(home.0.path());
    // A database that would be a path.
    for db in ["..", "a/b", "/tmp"] {
        let mut hostile = Memory::one("shop.a", &[doc! { "_id": 1 }]);
        hostile.specs[0].ns.db = db.to_owned();
        let error = write(&home.path("new"), &hostile).unwrap_err();
        assert!(error.class == Class::Refused && error.place.contains(&format!("{db:?}")), "{error}");
    }
    assert_eq!(walk(home.0.path()), before, "nothing was created");
    assert!(write(&home.path("empty"), &state).unwrap().verification.ok());
    assert!(home.path("empty/shop/a.bson").exists() && !home.path("empty").join(MARK).exists());
    // What fails half way stays visibly unfinished.
    let mut failing = Memory::one("shop.a", &(0..100).map(|n| doc! { "_id": n }).collect::<Vec<_>>());
    failing.hook =
        Some(Box::new(
            |n| if n == 50 { Error::failed("emitting", "", "for the test").err() } else { Ok(()) },
        ));
    let error = write(&home.path("half"), &failing).unwrap_err();
    assert!(error.cause == "for the test" && error.hint.contains("half.partial-"), "{error}");
    assert!(!home.path("half").exists());
    let left = fs::read_dir(home.0.path()).unwrap().map(|e| e.unwrap().path());
    let left: Vec<PathBuf> = left.filter(|p| p.to_string_lossy().contains("half.partial-")).collect();
    assert_eq!(left.len(), 1);
    assert!(left[0].join(MARK).exists());
}

#[test]
fn connection_errors_show_no_credentials() {
    let peer = Peer::standalone();
    for uri in [
        format!("mongodb://joe:s3cr%2Fet@127.0.0.1:{}/?serverSelectionTimeoutMS=500", peer.port()),
        "mongodb://joe:s3cr%2Fet@127.0.0.1:1/?serverSelectionTimeoutMS=300".to_owned(),
        "mongodb://joe:s3cr/et@127.0.0.1:1/".to_owned(),
        "mongodb://joe:s3cr%ZZet@127.0.0.1:1/".to_owned(),
    ] {
        let error = block_on(Server::connect(&uri)).unwrap_err();
        let said = format!("{error} {error:?}");
        assert!(!said.contains("s3cr") && !said.contains("joe:"), "{said}");
    }
}

#[test]
fn states_of_old_servers_arrive_exactly() {
    use pitstop::ops::walk::{WalkOptions, walk};
    use pitstop::ops::{OpenOptions, Workspace};
    let peer = Peer::start(common::server::Kind::Standalone, &["--setParameter", "ttlMonitorEnabled=false"]);
    let server = connect(&peer);
    for name in ["v42", "v44", "v50", "v60"] {
        let home = Home::new();
        let fixture = common::fixtures::fixture(name);
        let truth = common::truth::Truth::read(&fixture);
        let options = OpenOptions {
            sources: vec![fixture.join("dump-dir"), fixture.join("oplog")],
            case: Some(home.path("case")),
            accept_unproven: vec![],
        };
        let meter = Meter::default();
        let workspace = Workspace::open(&options, &meter).unwrap();
        let want = truth.checkpoints.last().unwrap();
        let walked =
            walk(&workspace, &workspace.snapshots[0], want.ts.next(), &WalkOptions::default(), &meter)
                .unwrap();
        peer.wipe();
        let loaded = load(&server, &walked.state, Ttl::Keep).unwrap();
        let verification = verify(&server, &walked.state, &loaded);
        let wrong: Vec<_> = verification.collections.iter().filter(|c| !c.ok()).collect();
        assert!(verification.ok(), "{name}: {wrong:?}");
        assert_eq!(compare_server(peer.uri(), want), Vec::<String>::new(), "{name}");
        assert!(loaded.notes.is_empty(), "{name}: {:?}", loaded.notes);
        let written = write_dump(&home.path("dump"), &walked.state, None, &meter).unwrap();
        assert!(written.verification.ok());
        assert_eq!(compare_dump(&home.path("dump"), want), Vec::<String>::new(), "{name}");
        // The product reads its own dump back as the same collections.
        let again = Workspace::open(
            &OpenOptions {
                sources: vec![home.path("dump")],
                case: Some(home.path("again")),
                accept_unproven: vec![],
            },
            &meter,
        );
        assert_eq!(again.unwrap().snapshots[0].base.collections.len(), walked.state.collections().len());
    }
}
