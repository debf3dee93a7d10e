//! Loading a server and verifying it: exact, or told.
use std::fs;
use std::time::{Duration, Instant};

use crate::common::server::{Server as Peer, block_on, command_on, cursor_on};
use crate::common::truth::{compare_dump, compare_server};
use crate::zoo::{Memory, ZERO, bytes, fill, zoo};
use crate::{Home, connect, databases, load, start, verify, with};
use bson::{Document, Timestamp, doc};
use pitstop::domain::how::{Checks, WriteConcern};
use pitstop::domain::progress::{Meter, Phase};
use pitstop::domain::{Class, Namespace, Position};
use pitstop::engine::output::State;
use pitstop::target::{DumpOptions, MARK, Ttl, write_dump};

#[test]
fn a_zoo_arrives_exactly_on_an_isolated_server() {
    let home = Home::make();
    let running = start(&home);
    let (state, truth) = zoo();
    let server = block_on(running.0.connect()).unwrap();
    let meter = Meter::default();
    let loaded = block_on(server.load(state, &with(Ttl::Keep), &meter)).unwrap();
    let uri = running.0.uri_with_password().unwrap();
    assert!(databases(&uri).contains(&MARK.to_owned()), "marked until it is verified");
    let mut verification = block_on(server.verify(state, &loaded, &meter)).unwrap();
    let wrong: Vec<_> = verification.collections.iter().filter(|c| !c.ok()).collect();
    assert!(verification.ok(), "{wrong:?}");
    assert_eq!(meter.read().phase, Phase::Verify);
    assert_eq!(meter.read().done, state.documents.iter().map(|d| d.len() as u64).sum::<u64>());
    assert!(databases(&uri).contains(&MARK.to_owned()), "reading does not take the mark away");
    block_on(server.unmark(WriteConcern::default())).unwrap();
    assert!(!databases(&uri).contains(&MARK.to_owned()));
    assert_eq!(compare_server(&uri, truth), Vec::<String>::new());
    // The hashes that were asked for are the server's, and it finds its structures sound.
    assert!(verification.collections.iter().all(|c| c.db_hash.is_none()));
    let checks = Checks { db_hash: true, validate: true, ..Checks::default() };
    let bound = Position::new(1, 1);
    block_on(server.ask(&state.specs, &checks, bound, &mut verification, &meter)).unwrap();
    let said: Vec<_> =
        verification.collections.iter().filter(|c| !c.ok()).map(|c| (&c.ns, &c.differences)).collect();
    assert!(verification.ok(), "{said:?}");
    let many = verification.collections.iter().find(|c| c.ns == Namespace::parse("zoo.many")).unwrap();
    assert_eq!(many.db_hash.as_ref(), truth.dbs["zoo"]["many"].content.as_ref().map(|c| &c.md5));
    let weather = verification.collections.iter().find(|c| c.ns == Namespace::parse("zoo.weather")).unwrap();
    assert!(weather.db_hash.is_some() && weather.found.count > 0);
    // Ring: natural order, seen by a plain find.
    let ring = |all: &[Document]| all.iter().map(|d| d.get_i32("_id").unwrap()).collect::<Vec<_>>();
    let at = state.specs.iter().position(|s| s.ns.coll == "ring").unwrap();
    let want: Vec<Document> =
        state.documents[at].iter().map(|d| bson::deserialize_from_slice(d).unwrap()).collect();
    let found = cursor_on(&crate::common::server::connect(&uri), "zoo", doc! { "find": "ring" });
    assert_eq!(ring(&found), ring(&want));
    assert_eq!(found.len(), 20);
}

/// The collection that is found to differ, and commands with their databases.
type Tampering = (&'static str, Vec<(&'static str, Document)>);

#[test]
fn verification_notices_every_change_behind_our_back() {
    let peer =
        Peer::start(crate::common::server::Kind::Standalone, &["--setParameter", "ttlMonitorEnabled=false"]);
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
    let rounds: Vec<Vec<Tampering>> = vec![
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

/// So many that a load takes a while.
fn many() -> Memory {
    let documents: Vec<Document> = (0..20_000).map(|n| doc! { "_id": n, "s": "x".repeat(1000) }).collect();
    Memory::one("shop.a", &documents)
}

#[test]
fn a_cancelled_load_leaves_its_mark() {
    let home = Home::make();
    let running = start(&home);
    let server = block_on(running.0.connect()).unwrap();
    let meter = Meter::default();
    let cancel = meter.clone();
    let mut state = many();
    state.hook = Some(Box::new(move |n| {
        if n == 5000 {
            cancel.cancel();
        }
        Ok(())
    }));
    let error = block_on(server.load(&state, &with(Ttl::Keep), &meter)).unwrap_err();
    assert_eq!(error.class, Class::Interrupted);
    assert!(databases(&running.0.uri_with_password().unwrap()).contains(&MARK.to_owned()));
}

#[test]
fn a_dying_server_ends_a_load_with_its_last_words() {
    let home = Home::make();
    let running = start(&home);
    let server = block_on(running.0.connect()).unwrap();
    let pid = rustix::process::Pid::from_raw(running.0.pid as i32).unwrap();
    let mut state = many();
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
    assert!(running.0.obituary().is_some(), "{error}");
    let password = fs::read_to_string(&running.0.password_file).unwrap();
    assert!(!error.to_string().contains(&password));
}

#[test]
fn states_of_old_servers_arrive_exactly() {
    use pitstop::ops::walk::{WalkOptions, walk};
    use pitstop::ops::{OpenOptions, Workspace};
    let peer =
        Peer::start(crate::common::server::Kind::Standalone, &["--setParameter", "ttlMonitorEnabled=false"]);
    let server = connect(&peer);
    for name in ["v42", "v44", "v50", "v60"] {
        let home = Home::make();
        let fixture = crate::common::fixtures::fixture(name);
        let truth = crate::common::truth::Truth::read(&fixture);
        let options = OpenOptions {
            sources: vec![fixture.join("dump-dir").into(), fixture.join("oplog").into()],
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
        let written =
            write_dump(&home.path("dump"), &walked.state, &DumpOptions::new("r1", None), &meter).unwrap();
        assert!(written.verification.ok());
        assert_eq!(compare_dump(&home.path("dump"), want), Vec::<String>::new(), "{name}");
        // The product reads its own dump back as the same collections.
        let again = Workspace::open(
            &OpenOptions {
                sources: vec![home.path("dump").into()],
                case: Some(home.path("again")),
                accept_unproven: vec![],
            },
            &meter,
        );
        assert_eq!(again.unwrap().snapshots[0].base.collections.len(), walked.state.collections().len());
    }
}
