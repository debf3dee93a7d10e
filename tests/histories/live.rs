//! What a server holds, and what a folded state holds, in one shape. Contents are compared as raw
//! documents: in natural order where it is part of the state, else as a set.

use std::collections::BTreeMap;

use bson::{Bson, Document, RawDocumentBuf, doc};
use futures_util::TryStreamExt;
use md5::{Digest, Md5};
use mongodb::Client;
use pitstop::domain::Position;
use pitstop::engine::input::CollectionKind;
use pitstop::engine::output::State;

use crate::common::dump::hex;
use crate::common::server::{block_on, command_on, cursor_on};
use crate::common::truth::{Checkpoint, Collection, Content, IGNORED};

/// The last entry of the oplog.
pub fn newest(client: &Client) -> Position {
    let command = doc! { "find": "oplog.rs", "sort": { "$natural": -1 }, "limit": 1, "projection": { "ts": 1 }, "singleBatch": true };
    let reply = command_on(client, "local", command);
    let batch = reply.get_document("cursor").unwrap().get_array("firstBatch").unwrap();
    let ts = batch[0].as_document().unwrap().get_timestamp("ts").unwrap();
    Position::new(ts.time, ts.increment)
}

pub fn databases(client: &Client) -> Vec<String> {
    let names = block_on(client.list_database_names().into_future()).unwrap();
    names.into_iter().filter(|name| !IGNORED.contains(&name.as_str())).collect()
}

/// Documents in natural order.
pub fn documents(client: &Client, db: &str, coll: &str) -> Vec<Vec<u8>> {
    let found = client.database(db).collection::<RawDocumentBuf>(coll);
    let all = block_on(async { found.find(doc! {}).sort(doc! { "$natural": 1 }).await?.try_collect().await });
    let all: Vec<RawDocumentBuf> = all.unwrap_or_else(|e: mongodb::error::Error| panic!("{db}.{coll}: {e}"));
    all.into_iter().map(RawDocumentBuf::into_bytes).collect()
}

/// What listCollections says, without the server's own collections.
pub fn listed(client: &Client, db: &str) -> Vec<Document> {
    let mut all = cursor_on(client, db, doc! { "listCollections": 1 });
    all.retain(|c| !c.get_str("name").unwrap().starts_with("system."));
    all
}

/// The indexes of a collection, without those that are still being built.
fn indexes(client: &Client, db: &str, name: &str) -> Vec<Document> {
    let list = doc! { "listIndexes": name, "includeBuildUUIDs": true };
    let all = cursor_on(client, db, list).into_iter();
    all.filter(|index| !index.contains_key("buildUUID"))
        .map(|mut index| match index.remove("spec") {
            Some(Bson::Document(spec)) => spec,
            _ => index,
        })
        .collect()
}

/// Everything there is right now.
pub fn observe(client: &Client, label: String) -> Checkpoint {
    let mut dbs = BTreeMap::new();
    let ts = newest(client);
    for db in databases(client) {
        let mut collections = BTreeMap::new();
        for one in listed(client, &db) {
            let name = one.get_str("name").unwrap().to_owned();
            let kind = one.get_str("type").unwrap().to_owned();
            let options = one.get_document("options").unwrap().clone();
            let mut found = Collection { kind, options, ..Collection::default() };
            if found.kind != "view" {
                found.indexes = indexes(client, &db, &name);
                let buckets = format!("system.buckets.{name}");
                let holder = if found.kind == "timeseries" { &buckets } else { &name };
                let ordered = found.options.get_bool("capped").unwrap_or(false);
                found.content = Some(content(documents(client, &db, holder), ordered));
            }
            collections.insert(name, found);
        }
        if !collections.is_empty() {
            dbs.insert(db, collections);
        }
    }
    Checkpoint { label, ts, dbs }
}

/// What a state holds.
pub fn observe_state(state: &dyn State) -> pitstop::domain::Result<Checkpoint> {
    let mut dbs: BTreeMap<String, BTreeMap<String, Collection>> = BTreeMap::new();
    for (at, spec) in state.collections().iter().enumerate() {
        let mut all = Vec::new();
        for chunk in 0..state.chunks(at) {
            state.emit(at, chunk, &mut |document| {
                all.push(document.to_vec());
                Ok(())
            })?;
        }
        state.finish(at)?;
        let view = spec.kind == CollectionKind::View;
        let found = Collection {
            kind: format!("{:?}", spec.kind).to_lowercase(),
            options: bson::deserialize_from_slice(&spec.options).unwrap(),
            indexes: spec.indexes.iter().map(|i| bson::deserialize_from_slice(i).unwrap()).collect(),
            content: (!view).then(|| content(all, spec.ordered)),
        };
        dbs.entry(spec.ns.db.clone()).or_default().insert(spec.ns.coll.clone(), found);
    }
    Ok(Checkpoint { label: "state".into(), ts: Position::MIN, dbs })
}

fn content(mut documents: Vec<Vec<u8>>, ordered: bool) -> Content {
    if !ordered {
        documents.sort();
    }
    let mut md5 = Md5::new();
    documents.iter().for_each(|one| md5.update(one));
    let content = Content { count: documents.len() as u64, md5: hex(&md5.finalize()) };
    if let Some(dir) = std::env::var_os("PITSTOP_KEEP") {
        std::fs::write(std::path::Path::new(&dir).join(&content.md5), documents.concat()).unwrap();
    }
    content
}
