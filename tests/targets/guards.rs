//! What a server that somebody runs is asked before anything is written to it.

use crate::common::server::{Server as Peer, block_on, cursor_on};
use crate::zoo::{Memory, zoo};
use crate::{connect, databases, load, verify};
use bson::doc;
use pitstop::domain::{Class, OpTime, Position};
use pitstop::engine::output::CollectionSpec;
use pitstop::target::{MARK, Server, Ttl};

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
