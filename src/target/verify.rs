//! Reads a target back and holds it against the state: documents by count, bytes and hashes,
//! their order where it counts, options, indexes, and no collection more or less. A difference
//! is a result, not an error.

use std::collections::BTreeMap;
use std::sync::Arc;

use bson::{Document, doc};
use futures_util::{StreamExt, TryStreamExt, stream};

use super::ask::Answer;
use super::limit::Limiter;
use super::load::Loaded;
use super::pull::Seen;
use super::server::{Listed, Server};
use super::shape::{Shape, compare_indexes, compare_options, shape};
use crate::domain::progress::{Meter, Phase};
use crate::domain::{Error, Namespace, Result};
use crate::engine::bson::Doc;
use crate::engine::input::CollectionKind;
use crate::engine::output::{CollectionSpec, Digest, State};

/// What a verification found, per collection.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Verification {
    /// Every collection of the state, then those that are there and should not be.
    pub collections: Vec<CollectionCheck>,
    /// The answers to the checks of the user's.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub queries: Vec<Answer>,
}

/// What was found of one collection.
#[derive(Debug, Clone, serde::Serialize)]
pub struct CollectionCheck {
    /// Its name; for a time series the user's.
    pub ns: Namespace,
    /// What was sent.
    pub expected: Digest,
    /// What was read back.
    pub found: Digest,
    /// Whether it has the indexes of the state.
    pub indexes_ok: bool,
    /// Whether it is of the right type, with the options of the state.
    pub options_ok: bool,
    /// Each difference, for a human; empty = equal.
    pub differences: Vec<String>,
    /// The server's own hash of it, where it was asked for (of the buckets, for a time series).
    pub db_hash: Option<String>,
}

impl Verification {
    /// Of collections only.
    pub(super) fn of(collections: Vec<CollectionCheck>) -> Self {
        Verification { collections, queries: Vec::new() }
    }

    /// Whether the target is what the state says, and every check has found what it should.
    pub fn ok(&self) -> bool {
        self.collections.iter().all(CollectionCheck::ok) && self.queries.iter().all(|q| q.ok)
    }
}

impl CollectionCheck {
    /// Whether nothing differs.
    pub fn ok(&self) -> bool {
        self.differences.is_empty() && self.indexes_ok && self.options_ok && self.expected == self.found
    }

    /// One that should not be there.
    pub(super) fn stray(ns: Namespace) -> Self {
        CollectionCheck {
            ns,
            expected: Digest::default(),
            found: Digest::default(),
            indexes_ok: true,
            options_ok: false,
            differences: vec!["it is not part of the state".to_owned()],
            db_hash: None,
        }
    }

    /// One that should be there.
    pub(super) fn missing(ns: Namespace, expected: Digest) -> Self {
        CollectionCheck { expected, differences: vec!["it is missing".to_owned()], ..Self::stray(ns) }
    }

    /// One that was read back.
    pub(super) fn compared(
        spec: &CollectionSpec,
        want: &Seen,
        found: &Seen,
        mut options: Vec<String>,
        mut indexes: Vec<String>,
    ) -> Self {
        let mut differences = Vec::new();
        let (e, f) = (want.digest, found.digest);
        if e.count != f.count {
            differences.push(format!("{} documents were read back, {} were sent", f.count, e.count));
        } else if e != f {
            differences.push(format!("{} documents as sent, but not with the same content", e.count));
        } else if want.order != found.order {
            differences.push("the documents are not in the order they were sent in".to_owned());
        }
        let (options_ok, indexes_ok) = (options.is_empty(), indexes.is_empty());
        differences.append(&mut options);
        differences.append(&mut indexes);
        CollectionCheck {
            ns: spec.ns.clone(),
            expected: e,
            found: f,
            indexes_ok,
            options_ok,
            differences,
            db_hash: None,
        }
    }
}

/// The type of a collection as servers and dumps call it.
pub(super) fn kind_name(kind: CollectionKind) -> &'static str {
    match kind {
        CollectionKind::Collection => "collection",
        CollectionKind::View => "view",
        CollectionKind::Timeseries => "timeseries",
    }
}

const DOING: &str = "verifying the target";
/// Collections that are read at a time.
const READERS: usize = 4;

impl Server {
    /// Reads everything back and compares it with what was sent. The mark stays.
    pub async fn verify(&self, state: &dyn State, loaded: &Loaded, meter: &Meter) -> Result<Verification> {
        meter.enter(Phase::Verify, loaded.digests.iter().map(|d| d.count).sum());
        let found = self.read_all(state.collections(), &[], None, meter).await?;
        self.compare(state.collections(), loaded, &found, meter).await
    }

    /// Reads the documents of all collections, in tasks of their own, so that several are read
    /// and hashed at a time; those that have been read already stay as they were found. What is
    /// not there has no documents; [`Server::compare`] misses it.
    pub(super) async fn read_all(
        &self,
        specs: &[CollectionSpec],
        known: &[Option<Seen>],
        limiter: Option<&Arc<Limiter>>,
        meter: &Meter,
    ) -> Result<Vec<Seen>> {
        let read = specs.iter().enumerate().map(|(at, spec)| async move {
            if spec.kind == CollectionKind::View {
                return Ok(Seen::default());
            }
            if let Some(seen) = known.get(at).copied().flatten() {
                meter.add(seen.digest.count, 0);
                return Ok(seen);
            }
            let (server, meter, limiter) = (self.clone(), meter.clone(), limiter.cloned());
            let (ns, ordered) = (spec.data_ns(), spec.ordered);
            tokio::spawn(async move { server.read_back(&ns, ordered, limiter.as_ref(), &meter).await })
                .await
                .unwrap_or_else(|e| Error::failed(DOING, format_args!("in {}", spec.ns), e).err())
        });
        stream::iter(read).buffered(READERS).try_collect().await
    }

    /// Compares what was found with what was sent, and the catalog with the state.
    pub(super) async fn compare(
        &self,
        specs: &[CollectionSpec],
        loaded: &Loaded,
        found: &[Seen],
        meter: &Meter,
    ) -> Result<Verification> {
        let version = self.version().await?;
        let mut there = BTreeMap::new();
        for db in self.databases().await? {
            there.extend(self.collections(&db).await?.into_iter().map(|c| (c.ns.clone(), c)));
        }
        let mut checks = Vec::with_capacity(specs.len());
        for (at, spec) in specs.iter().enumerate() {
            meter.check(DOING)?;
            let want = loaded.seen.get(at).copied().unwrap_or_default();
            checks.push(match there.remove(&spec.ns) {
                None => CollectionCheck::missing(spec.ns.clone(), want.digest),
                Some(listed) => {
                    let shape = shape(spec, version, loaded.ttl)?;
                    self.check(spec, &shape, &listed, &want, &found.get(at).copied().unwrap_or_default())
                        .await?
                }
            });
        }
        checks.extend(there.into_keys().map(CollectionCheck::stray));
        Ok(Verification::of(checks))
    }

    async fn check(
        &self,
        spec: &CollectionSpec,
        shape: &Shape,
        listed: &Listed,
        want: &Seen,
        found: &Seen,
    ) -> Result<CollectionCheck> {
        let failed = |e: String| Error::failed(DOING, format_args!("in {:?}", spec.ns.to_string()), e);
        let mut options = compare_options(&shape.options, &listed.options);
        if listed.kind != kind_name(spec.kind) {
            options.push(format!("it is a {}, it must be a {}", listed.kind, kind_name(spec.kind)));
        }
        let indexes = match spec.kind {
            CollectionKind::View => Vec::new(),
            _ => compare_indexes(&shape.indexes, &self.indexes(&spec.ns).await.map_err(failed)?),
        };
        Ok(CollectionCheck::compared(spec, want, found, options, indexes))
    }

    /// Everything in a collection, in natural order.
    pub(super) async fn read_back(
        &self,
        ns: &Namespace,
        ordered: bool,
        limiter: Option<&Arc<Limiter>>,
        meter: &Meter,
    ) -> Result<Seen> {
        let place = || format!("in {:?}", ns.to_string());
        let failed = |e: mongodb::error::Error| self.failed(DOING, place(), &e);
        let broken = || Error::failed(DOING, place(), "the server's answer cannot be read");
        let find = doc! { "find": &ns.coll, "batchSize": 1_000_000, "hint": { "$natural": 1 } };
        let database = self.client().database(&ns.db);
        let mut batches =
            database.run_cursor_command(find).batch_size(1_000_000).batch().await.map_err(failed)?;
        let mut seen = Seen::default();
        while let Some(batch) = batches.next().await {
            meter.check(DOING)?;
            let batch = batch.map_err(failed)?;
            let before = seen.digest;
            let reply = Doc::new(batch.as_raw_document().as_bytes()).map_err(|_| broken())?;
            let cursor = reply.get("cursor").and_then(|c| c.as_doc()).ok_or_else(broken)?;
            let list = cursor.get("firstBatch").or_else(|| cursor.get("nextBatch"));
            for elem in list.and_then(|l| l.as_doc()).ok_or_else(broken)?.iter() {
                seen.add(elem.map_err(|_| broken())?.value, ordered);
            }
            meter.add(seen.digest.count - before.count, seen.digest.bytes - before.bytes);
            if let Some(limiter) = limiter {
                limiter.pass(reply.bytes().len() as u64, DOING, meter).await?;
            }
        }
        Ok(seen)
    }

    /// The indexes of a collection as it lists them.
    pub(super) async fn indexes(&self, ns: &Namespace) -> std::result::Result<Vec<Document>, String> {
        let database = self.client().database(&ns.db);
        let cursor = database
            .run_cursor_command(doc! { "listIndexes": &ns.coll, "cursor": {} })
            .await
            .map_err(|e| self.said(&e))?;
        cursor.try_collect().await.map_err(|e| self.said(&e))
    }
}
