//! The server's own word for a moment that is over: dbHash at a cluster time. It answers for as
//! long as the catalog has not changed since, and it shows a prepared transaction from its
//! prepare entry on, where a replica set shows it from its commit entry on: such moments are not
//! asked for.

use std::collections::BTreeMap;

use bson::{RawDocument, Timestamp, doc};
use md5::{Digest, Md5};
use mongodb::Client;
use pitstop::domain::{Namespace, Position};
use pitstop::engine::bson::{Doc, Elem};
use pitstop::engine::input::CollectionKind;
use pitstop::engine::order::compare_values;
use pitstop::engine::output::State;

use crate::common::dump::hex;
use crate::common::server::block_on;
use crate::live::databases;
use crate::play::{command, entry, position};
use crate::random::Random;

/// The content of every collection right after the entry at a position.
pub struct Past {
    pub ts: Position,
    pub hashes: BTreeMap<Namespace, String>,
}

/// Asks for a random one of these newest entries; `None` where the server cannot say.
pub fn ask(client: &Client, entries: &[Vec<u8>], random: &mut Random) -> Option<Past> {
    let last_change = entries.iter().rposition(|e| changes_the_catalog(e)).unwrap_or(0);
    let prepared = |e: &&Vec<u8>| command(e, "prepare");
    let decided = |e: &&Vec<u8>| command(e, "commitTransaction") || command(e, "abortTransaction");
    let mut open = false;
    let mut moments = Vec::new();
    for (at, one) in entries.iter().enumerate() {
        open = (open || prepared(&one)) && !decided(&one);
        if at >= last_change && !open {
            moments.push(position(one));
        }
    }
    let ts = (!moments.is_empty()).then(|| random.pick(&moments))?;
    let mut hashes = BTreeMap::new();
    for db in databases(client) {
        let at = Timestamp { time: ts.secs, increment: ts.inc };
        let hash = doc! { "dbHash": 1, "$_internalReadAtClusterTime": at };
        let reply = block_on(client.database(&db).run_command(hash).into_future()).ok()?;
        for (name, md5) in reply.get_document("collections").unwrap() {
            let ns = Namespace::new(&*db, name);
            if !ns.is_views() {
                hashes.insert(ns, md5.as_str().unwrap().to_owned());
            }
        }
    }
    Some(Past { ts, hashes })
}

fn changes_the_catalog(bytes: &[u8]) -> bool {
    let is_command = |entry: &RawDocument| entry.get_str("op").is_ok_and(|op| op == "c");
    let written = entry(bytes).get_str("ns").unwrap();
    if !is_command(entry(bytes)) {
        return Namespace::parse(written).is_views();
    }
    match entry(bytes).get_document("o").unwrap().get_array("applyOps") {
        Ok(ops) => ops.into_iter().any(|op| is_command(op.unwrap().as_document().unwrap())),
        Err(_) => !command(bytes, "abortTransaction") && !command(bytes, "commitTransaction"),
    }
}

/// In what a state is not that moment, a line each.
pub fn differences(past: &Past, state: &dyn State) -> pitstop::domain::Result<Vec<String>> {
    let mut found = Vec::new();
    let mut left = past.hashes.clone();
    for (at, spec) in state.collections().iter().enumerate() {
        if spec.kind == CollectionKind::View {
            continue;
        }
        let ns = spec.data_ns();
        let got = hash(state, at)?;
        // The hash goes by the `_id` index, which a collation sorts in a way of its own.
        let collated = Doc::new(&spec.options).unwrap().get("collation").is_some();
        match left.remove(&ns) {
            Some(want) if want == got || collated => {}
            want => found.push(format!("{ns}: dbHash {got} for {want:?}")),
        }
    }
    found.extend(left.into_keys().map(|ns| format!("{ns}: missing")));
    Ok(found)
}

/// MD5 over the documents in the order of their `_id`s.
fn hash(state: &dyn State, at: usize) -> pitstop::domain::Result<String> {
    let mut all: Vec<Vec<u8>> = Vec::new();
    for chunk in 0..state.chunks(at) {
        state.emit(at, chunk, &mut |document| {
            all.push(document.to_vec());
            Ok(())
        })?;
    }
    all.sort_by(|a, b| compare_values(id(a), id(b)));
    let mut md5 = Md5::new();
    all.iter().for_each(|one| md5.update(one));
    Ok(hex(&md5.finalize()))
}

fn id(document: &[u8]) -> Elem<'_> {
    Doc::new(document).unwrap().get("_id").unwrap()
}
