//! A folded state in the shape of the truth, without a target.

use pitstop::domain::Position;
use pitstop::engine::input::CollectionKind;
use pitstop::engine::output::{CollectionSpec, State};

use super::dump::content;
use super::truth::{Checkpoint, Collection};

/// All documents of a collection, back to back.
pub fn documents(state: &dyn State, at: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for chunk in 0..state.chunks(at) {
        let mut sink = |doc: &[u8]| {
            bytes.extend_from_slice(doc);
            Ok(())
        };
        state.emit(at, chunk, &mut sink).unwrap();
    }
    state.finish(at).unwrap();
    bytes
}

fn indexes(spec: &CollectionSpec) -> Vec<bson::Document> {
    spec.indexes.iter().map(|i| bson::deserialize_from_slice(i).unwrap()).collect()
}

/// The state in the shape of the truth. Of the buckets of a time series only the documents are
/// compared: their options and indexes follow from the series.
pub fn observe(state: &dyn State, want: &Checkpoint) -> Checkpoint {
    let mut got = Checkpoint { label: "state".into(), ts: Position::MIN, dbs: Default::default() };
    for (at, spec) in state.collections().iter().enumerate().filter(|(_, s)| s.ns.db != "admin") {
        let db = got.dbs.entry(spec.ns.db.clone()).or_default();
        let found = Collection {
            kind: format!("{:?}", spec.kind).to_lowercase(),
            options: bson::deserialize_from_slice(&spec.options).unwrap(),
            indexes: if spec.kind == CollectionKind::Collection { indexes(spec) } else { vec![] },
            content: (spec.kind == CollectionKind::Collection).then(|| content(&documents(state, at))),
        };
        db.insert(spec.ns.coll.clone(), found);
        if spec.kind == CollectionKind::Timeseries {
            let name = spec.ns.buckets().coll;
            let truth = want.dbs.get(&spec.ns.db).and_then(|db| db.get(&name)).cloned().unwrap_or_default();
            let buckets = Collection { content: Some(content(&documents(state, at))), ..truth };
            db.insert(name, buckets);
        }
    }
    got
}
