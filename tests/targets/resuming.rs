//! What an earlier try has left: kept where reading proves it, made anew elsewhere, and never
//! touched where it is somebody else's. And the options of a load, each seen at the server.
use std::collections::BTreeMap;
use std::fs;
use std::num::{NonZeroU32, NonZeroU64};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use crate::common::server::{Kind, Server as Peer, block_on, command_on, cursor_on};
use crate::zoo::Memory;
use crate::{Home, connect, databases, with};
use bson::{Document, doc};
use pitstop::domain::how::WriteConcern;
use pitstop::domain::progress::Meter;
use pitstop::domain::{Class, Error, Namespace, Result};
use pitstop::engine::input::CollectionKind;
use pitstop::engine::output::{CollectionSpec, Sink, State};
use pitstop::target::{DumpOptions, Ledger, LoadOptions, MARK, Seen, Ttl, any_partial, write_dump};

/// A ledger in memory.
#[derive(Default)]
struct Notes {
    known: BTreeMap<Namespace, Seen>,
    noted: Mutex<BTreeMap<Namespace, Seen>>,
}

impl Notes {
    fn after(earlier: &Notes) -> Arc<Notes> {
        Arc::new(Notes { known: earlier.noted.lock().unwrap().clone(), noted: Mutex::default() })
    }

    fn names(&self) -> Vec<String> {
        self.noted.lock().unwrap().keys().map(ToString::to_string).collect()
    }
}

impl Ledger for Notes {
    fn noted(&self, ns: &Namespace) -> Option<Seen> {
        self.known.get(ns).copied()
    }

    fn note(&self, ns: &Namespace, seen: &Seen) -> Result<()> {
        self.noted.lock().unwrap().insert(ns.clone(), *seen);
        Ok(())
    }
}

/// Three collections of falling size, in this order of loading, and a view.
fn three() -> Memory {
    let mut state = Memory::default();
    for (name, count) in [("a", 3000), ("b", 2000), ("c", 1000)] {
        let documents: Vec<Document> = (0..count).map(|n| doc! { "_id": n, "in": name }).collect();
        let one = Memory::one(&format!("shop.{name}"), &documents);
        state.specs.extend(one.specs);
        state.documents.extend(one.documents);
    }
    let options = bson::serialize_to_vec(&doc! { "viewOn": "a", "pipeline": [] }).unwrap();
    let ns = Namespace::parse("shop.view");
    let view = CollectionSpec {
        ns,
        kind: CollectionKind::View,
        options,
        indexes: vec![],
        ordered: false,
        documents: 0,
        bytes: 0,
    };
    state.specs.push(view);
    state.documents.push(vec![]);
    state
}

/// Fails in the smallest collection once the others have arrived.
struct FailsLast<'n>(Memory, &'n Notes);

impl State for FailsLast<'_> {
    fn collections(&self) -> &[CollectionSpec] {
        self.0.collections()
    }

    fn chunks(&self, at: usize) -> usize {
        self.0.chunks(at)
    }

    fn emit(&self, at: usize, chunk: usize, sink: &mut Sink<'_>) -> Result<()> {
        if at != 2 {
            return self.0.emit(at, chunk, sink);
        }
        while self.1.noted.lock().unwrap().len() < 2 {
            std::thread::yield_now();
        }
        Error::failed("emitting", "", "for the test").err()
    }

    fn finish(&self, at: usize) -> Result<()> {
        self.0.finish(at)
    }
}

/// Counts what is emitted.
fn counted(mut state: Memory) -> (Memory, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let emitted = Arc::clone(&count);
    state.hook = Some(Box::new(move |_| {
        emitted.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }));
    (state, count)
}

fn options(id: &str, earlier: &[&str], ledger: Arc<Notes>) -> LoadOptions {
    let earlier = earlier.iter().map(|e| (*e).to_owned()).collect();
    LoadOptions { restore_id: id.to_owned(), earlier, ledger, workers: 1, ..with(Ttl::Keep) }
}

#[test]
fn a_load_goes_on_from_what_is_proven_on_a_server() {
    let peer = Peer::standalone();
    let server = connect(&peer);
    let first = Arc::new(Notes::default());
    let meter = Meter::default();
    let failed =
        block_on(server.load(&FailsLast(three(), &first), &options("r1", &[], first.clone()), &meter));
    assert_eq!(failed.unwrap_err().cause, "for the test");
    let done = first.names();
    assert!(
        done.starts_with(&["shop.a".to_owned(), "shop.b".to_owned()]) && !done.contains(&"shop.c".to_owned())
    );

    // Without the ids nobody may touch it.
    let strange = block_on(server.load(&three(), &options("r9", &["r8"], Notes::after(&first)), &meter));
    assert_eq!(strange.unwrap_err().class, Class::Refused);
    // Somebody else's collection is in the way: nothing is removed.
    peer.run("shop", doc! { "insert": "guest", "documents": [{ "_id": 1 }] });
    let guest = block_on(server.load(&three(), &options("r9", &["r1"], Notes::after(&first)), &meter));
    let error = guest.unwrap_err();
    assert!(error.class == Class::Refused && error.cause.contains("shop.guest"), "{error}");
    assert_eq!(cursor_on(&peer.client(), "shop", doc! { "find": "b" , "batchSize": 5000 }).len(), 2000);
    peer.run("shop", doc! { "drop": "guest" });

    // One of those that claim to be complete was changed behind our back: the claim is looked up.
    peer.run("shop", doc! { "delete": "b", "deletes": [{ "q": { "_id": 7 }, "limit": 1 }] });
    let (state, emitted) = counted(three());
    let second = Notes::after(&first);
    let loaded =
        block_on(server.load_and_compare(&state, &options("r2", &["r0", "r1"], second.clone()), &meter));
    let (loaded, found) = loaded.unwrap();
    assert!(found.ok(), "{found:?}");
    assert_eq!(loaded.kept, (1, 3000));
    assert_eq!(emitted.load(Ordering::SeqCst), 2000 + 1000, "what was kept is not sent again");
    assert_eq!(loaded.digests.iter().map(|d| d.count).collect::<Vec<_>>(), [3000, 2000, 1000, 0]);
    assert_eq!(second.names(), ["shop.a", "shop.b", "shop.c", "shop.view"]);
    let marks = cursor_on(&peer.client(), MARK, doc! { "find": "restore" });
    assert_eq!(marks.iter().map(|m| m.get_str("_id").unwrap()).collect::<Vec<_>>(), ["r2"]);
    for (name, count) in [("a", 3000), ("b", 2000), ("c", 1000)] {
        let found = cursor_on(&peer.client(), "shop", doc! { "find": name, "batchSize": 5000 });
        assert!(found.len() == count && found.iter().all(|d| d.get_str("in").unwrap() == name), "{name}");
    }
    // Both of a chain that was cut off between two marks are known.
    peer.run(MARK, doc! { "insert": "restore", "documents": [{ "_id": "r3" }] });
    assert_eq!(block_on(server.unfinished(&["r2".into()])).unwrap(), None);
    assert!(block_on(server.unfinished(&["r2".into(), "r3".into()])).unwrap().is_some());
    assert!(block_on(server.remove_unfinished(&["r2".into(), "r3".into()])).unwrap().is_some());
    assert!(!databases(peer.uri()).iter().any(|d| d == MARK));
    block_on(server.require_empty()).unwrap();
}

#[test]
fn a_dump_goes_on_from_what_is_proven() {
    let home = Home::make();
    let dir = home.path("dump");
    let first = Notes::default();
    let meter = Meter::default();
    let write = |state: &dyn State, id: &str, earlier: &[String], ledger: &Notes| {
        let options = DumpOptions { server_version: None, restore_id: id, earlier, ledger };
        write_dump(&dir, state, &options, &meter)
    };
    let error = write(&FailsLast(three(), &first), "r1", &[], &first).unwrap_err();
    assert!(error.hint.contains("goes on from there"), "{error}");
    let ids = ["r0".to_owned(), "r1".to_owned()];
    assert_eq!(any_partial(&dir, &ids).as_deref(), Some("r1"));
    let partial = home.path("dump.partial-r1");
    // A flipped bit in one of those that claim to be complete.
    let b = partial.join("shop/b.bson");
    let mut bytes = fs::read(&b).unwrap();
    let last = bytes.len() - 3;
    bytes[last] ^= 1;
    fs::write(&b, bytes).unwrap();
    let kept = fs::metadata(partial.join("shop/a.bson")).unwrap().modified().unwrap();
    fs::write(partial.join("shop/stray.bson"), "x").unwrap();

    let (state, emitted) = counted(three());
    let written = write(&state, "r2", &ids, &Notes::after(&first)).unwrap();
    assert!(written.verification.ok() && written.dir == dir);
    assert_eq!((written.kept, emitted.load(Ordering::SeqCst)), ((1, 3000), 3000));
    assert_eq!(fs::metadata(dir.join("shop/a.bson")).unwrap().modified().unwrap(), kept);
    let mut names: Vec<_> = fs::read_dir(dir.join("shop"))
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let want = [
        "a.bson",
        "a.metadata.json",
        "b.bson",
        "b.metadata.json",
        "c.bson",
        "c.metadata.json",
        "view.metadata.json",
    ];
    assert_eq!(names, want);
    for (name, count) in [("a", 3000), ("b", 2000), ("c", 1000)] {
        let content = crate::common::dump::content(&fs::read(dir.join(format!("shop/{name}.bson"))).unwrap());
        assert_eq!(content.count, count, "{name}");
    }
    assert_eq!(any_partial(&dir, &ids), None);
    // A directory of that name without the mark is not taken for ours: it is not gone on with.
    fs::remove_dir_all(&dir).unwrap();
    fs::create_dir_all(home.path("dump.partial-r1/shop")).unwrap();
    fs::write(home.path("dump.partial-r1/shop/a.bson"), "half").unwrap();
    let (state, emitted) = counted(three());
    assert_eq!(write(&state, "r3", &ids, &Notes::after(&first)).unwrap().kept, (0, 0));
    assert_eq!(emitted.load(Ordering::SeqCst), 6000);
}

fn plain(peer: &Peer, options: &LoadOptions) -> Result<()> {
    let documents: Vec<Document> = (0..500).map(|n| doc! { "_id": n, "s": "x".repeat(1000) }).collect();
    let mut state = Memory::one("shop.a", &documents);
    let index = doc! { "v": 2, "key": { "s": 1 }, "name": "s_1" };
    state.specs[0].indexes.push(bson::serialize_to_vec(&index).unwrap());
    let (_, found) = block_on(connect(peer).load_and_compare(&state, options, &Meter::default()))?;
    assert!(found.ok());
    Ok(())
}

#[test]
fn a_replica_set_sees_the_write_concern() {
    let peer =
        Peer::start(Kind::ReplicaSet, &["--setParameter", "reportOpWriteConcernCountersInServerStatus=true"]);
    let counters = || {
        let status = command_on(&peer.client(), "admin", doc! { "serverStatus": 1 });
        let inserts = status.get_document("opWriteConcernCounters").unwrap().get_document("insert").unwrap();
        let one = inserts.get_document("wnum").ok().and_then(|w| w.get_i64("1").ok()).unwrap_or(0);
        (one, inserts.get_i64("wmajority").unwrap())
    };
    let before = counters();
    plain(&peer, &with(Ttl::Keep)).unwrap();
    let one = counters();
    assert!(one.0 - before.0 >= 500 && one.1 - before.1 < 50, "{before:?} {one:?}");
    peer.wipe();
    plain(&peer, &LoadOptions { write_concern: WriteConcern::Majority, ..with(Ttl::Keep) }).unwrap();
    let majority = counters();
    assert!(majority.1 - one.1 >= 500, "{one:?} {majority:?}");
    peer.wipe();
    // More members than there are: told, and marked or untouched.
    let two = WriteConcern::Members(NonZeroU32::new(2).unwrap());
    let error = plain(&peer, &LoadOptions { write_concern: two, ..with(Ttl::Keep) }).unwrap_err();
    assert!(
        error.cause.contains("write concern") || error.cause.contains("Not enough data-bearing"),
        "{error}"
    );
    let there = databases(peer.uri());
    assert!(there.contains(&MARK.to_owned()) || !there.contains(&"shop".to_owned()), "{there:?}");
}

#[test]
fn no_more_write_at_a_time_than_asked_for_and_a_limited_load_is_exact() {
    let peer = Peer::standalone();
    for workers in [1, 3] {
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let mut state = Memory::one("shop.a", &(0..300).map(|n| doc! { "_id": n }).collect::<Vec<_>>());
        let (inside, highest) = (now.clone(), most.clone());
        state.hook = Some(Box::new(move |_| {
            highest.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            std::thread::yield_now();
            inside.fetch_sub(1, Ordering::SeqCst);
            Ok(())
        }));
        let options = LoadOptions { workers, ..with(Ttl::Keep) };
        block_on(connect(&peer).load(&state, &options, &Meter::default())).unwrap();
        assert!(most.load(Ordering::SeqCst) <= workers, "{most:?}");
        peer.wipe();
    }
    // Half a megabyte at a few megabytes a second: smaller commands, waits, and nothing lost.
    let rate = NonZeroU64::new(4 << 20);
    plain(&peer, &LoadOptions { rate, ..with(Ttl::Keep) }).unwrap();
    // A wait can be ended.
    peer.wipe();
    let meter = Meter::default();
    let cancel = meter.clone();
    let mut state = Memory::one(
        "shop.a",
        &(0..3000).map(|n| doc! { "_id": n, "s": "x".repeat(1000) }).collect::<Vec<_>>(),
    );
    let emitted = AtomicUsize::new(0);
    state.hook = Some(Box::new(move |_| {
        if emitted.fetch_add(1, Ordering::SeqCst) == 100 {
            cancel.cancel();
        }
        Ok(())
    }));
    // At a byte a second the second command would wait for hours.
    let options = LoadOptions { rate: NonZeroU64::new(1), workers: 1, ..with(Ttl::Keep) };
    let error = block_on(connect(&peer).load(&state, &options, &meter)).unwrap_err();
    assert_eq!(error.class, Class::Interrupted, "{error}");
}
