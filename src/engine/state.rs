//! The state at the stop: catalog and net effects, streamed over the snapshot's documents.
//!
//! Untouched documents pass through as bytes, patched ones get their chain applied, deleted and
//! replaced ones are dropped from the stream, and what the oplog put whole follows. Chunks are
//! independent of each other, so any number of threads may pull them.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

use super::bson::{Doc, EMPTY};
use super::catalog::{Catalog, Collection};
use super::effects::{NONE, Net, Origin};
use super::input::{CollectionKind, Region};
use super::key::DocKey;
use super::output::{CollectionSpec, Sink, State};
use super::update::{NewFieldOrder, Update, apply, classify};
use crate::domain::{Error, Namespace, Position, Result};

/// About how many bytes of the snapshot, or of put documents, make a chunk.
const CHUNK_BYTES: usize = 1 << 20;

/// The newest server that evicts from capped collections without logging it.
const SILENT_EVICTION_BELOW: (u32, u32) = (5, 0);

/// A folded state.
pub struct Folded<'a> {
    specs: Vec<CollectionSpec>,
    stored: Vec<Stored<'a>>,
}

struct Stored<'a> {
    coll: Option<Collection<'a>>,
    chunks: Vec<Chunk<'a>>,
    /// Which patched documents the snapshot turned out to have.
    seen: Vec<AtomicBool>,
    /// Whether a patched document may be missing: evicted without a log entry.
    may_be_evicted: bool,
}

enum Chunk<'a> {
    Base { region: &'a Region, range: Range<usize> },
    Puts(Vec<u32>),
    Ordered(Vec<Item<'a>>),
}

/// A document in a fixed order: the snapshot's, or what became of it, or one from the oplog.
#[derive(Clone, Copy)]
struct Item<'a> {
    base: Option<Doc<'a>>,
    net: Option<u32>,
}

impl<'a> Folded<'a> {
    /// Lays out the state of a catalog whose names are unique.
    pub(super) fn new(
        catalog: Catalog<'a>,
        server: Option<(u32, u32)>,
        edge: Position,
        notes: &mut Vec<String>,
    ) -> Result<Self> {
        let mut parts: Vec<(CollectionSpec, Stored<'a>)> = Vec::new();
        let (living, views) = catalog.into_parts();
        for coll in living {
            if coll.option("temp").is_some_and(|e| e.is_truthy()) {
                notes.push(format!(
                    "{} is temporary and left out, as a server drops it when it starts",
                    coll.ns
                ));
                continue;
            }
            if let Some(pos) = coll.effects.untold() {
                return Error::inexact(
                    "replaying",
                    format!("{pos} {}", coll.ns),
                    "somebody's applyOps wrote a document with Timestamp(0,0) at the top, for which the server \
                     stored its clock; the log does not tell which time that was",
                )
                .hint("stop before it, or use a snapshot taken after it.")
                .err();
            }
            let timeseries = coll.ns.timeseries_of_buckets();
            if let Some(ns) = timeseries.as_ref().filter(|ns| !views.contains_key(ns)) {
                return Error::inexact(
                    "giving the state of",
                    ns,
                    "the stop lies inside the making or dropping of this time series: its buckets are there and it \
                     is not, which no server can be told to hold",
                )
                .hint("stop before the first entry of that command, or after its last.")
                .err();
            }
            parts.push(Self::lay_out(coll, timeseries, server, edge)?);
        }
        for (ns, options) in &views {
            let over = Doc::new(options).ok().and_then(|d| d.get("viewOn")).and_then(|e| e.as_str());
            if over.is_some_and(|name| name.starts_with("system.buckets.")) {
                continue;
            }
            let spec = CollectionSpec {
                ns: ns.clone(),
                kind: CollectionKind::View,
                options: options.clone(),
                indexes: Vec::new(),
                ordered: false,
                documents: 0,
                bytes: 0,
            };
            parts.push((
                spec,
                Stored { coll: None, chunks: Vec::new(), seen: Vec::new(), may_be_evicted: false },
            ));
        }
        parts.sort_by(|a, b| a.0.ns.cmp(&b.0.ns));
        let (specs, stored) = parts.into_iter().unzip();
        Ok(Folded { specs, stored })
    }

    /// The namespace's place among [`State::collections`].
    pub fn position(&self, ns: &Namespace) -> Option<usize> {
        self.specs.binary_search_by(|spec| spec.ns.cmp(ns)).ok()
    }

    /// The collection behind a place; `None` for a view.
    pub fn collection(&self, at: usize) -> Option<&Collection<'a>> {
        self.stored.get(at)?.coll.as_ref()
    }

    /// What becomes of one document of a collection, given what the snapshot has under that key;
    /// `None` = there is no such document.
    pub fn document(&self, at: usize, key: DocKey, base: Option<Doc<'_>>) -> Result<Option<Vec<u8>>> {
        let Some(coll) = self.collection(at) else { return Ok(None) };
        let Some((_, net)) = coll.effects.get(key) else { return Ok(base.map(|d| d.bytes().to_vec())) };
        match (net.origin, base) {
            (Origin::Gone, _) | (Origin::Snapshot, None) => Ok(None),
            (Origin::Put(body), _) | (Origin::Snapshot, Some(body)) => {
                build(coll, net, body, matches!(net.origin, Origin::Put(_))).map(Some)
            }
        }
    }

    fn lay_out(
        coll: Collection<'a>,
        timeseries: Option<Namespace>,
        server: Option<(u32, u32)>,
        edge: Position,
    ) -> Result<(CollectionSpec, Stored<'a>)> {
        let ordered = coll.is_capped();
        let silent = ordered && server.is_none_or(|v| v < SILENT_EVICTION_BELOW);
        let bytes = coll.base.iter().map(|region| region.len() as u64).sum::<u64>() + coll.effects.bytes();
        let (chunks, documents) = if ordered {
            let items = in_order(&coll, silent, edge)?;
            let count = items.len() as u64;
            (vec![Chunk::Ordered(items)], count)
        } else {
            chunks_of(&coll)?
        };
        let spec = CollectionSpec {
            kind: if timeseries.is_some() { CollectionKind::Timeseries } else { CollectionKind::Collection },
            ns: timeseries.unwrap_or_else(|| coll.ns.clone()),
            options: coll.options.clone(),
            indexes: coll.indexes.specs().to_vec(),
            ordered,
            documents,
            bytes,
        };
        let seen = coll.effects.nets().iter().map(|_| AtomicBool::new(false)).collect();
        Ok((spec, Stored { coll: Some(coll), chunks, seen, may_be_evicted: silent }))
    }
}

impl State for Folded<'_> {
    fn collections(&self) -> &[CollectionSpec] {
        &self.specs
    }

    fn chunks(&self, collection: usize) -> usize {
        self.stored.get(collection).map_or(0, |s| s.chunks.len())
    }

    fn emit(&self, collection: usize, chunk: usize, sink: &mut Sink<'_>) -> Result<()> {
        let Some(stored) = self.stored.get(collection) else { return Ok(()) };
        let (Some(coll), Some(chunk)) = (&stored.coll, stored.chunks.get(chunk)) else { return Ok(()) };
        match chunk {
            Chunk::Base { region, range } => {
                let region_part = region.slice(range.clone());
                for doc in documents(&region_part) {
                    let doc = doc?;
                    if coll.effects.is_empty() {
                        sink(doc.bytes())?;
                        continue;
                    }
                    let net = doc.get("_id").and_then(|id| coll.effects.get(DocKey::of(id)));
                    match net {
                        None => sink(doc.bytes())?,
                        Some((number, net)) if net.origin == Origin::Snapshot => {
                            if let Some(seen) = stored.seen.get(number) {
                                seen.store(true, Ordering::Relaxed);
                            }
                            sink(&build(coll, net, doc, false)?)?;
                        }
                        Some(_) => {}
                    }
                }
            }
            Chunk::Puts(numbers) => {
                for &number in numbers {
                    let Some(net) = coll.effects.nets().get(number as usize) else { continue };
                    let Origin::Put(body) = net.origin else { continue };
                    if net.chain == NONE && (net.as_logged || body.starts_with_id()) {
                        sink(body.bytes())?;
                    } else {
                        sink(&build(coll, net, body, true)?)?;
                    }
                }
            }
            Chunk::Ordered(items) => {
                for item in items {
                    let net = item.net.and_then(|n| Some((n as usize, coll.effects.nets().get(n as usize)?)));
                    match (net, item.base) {
                        (None, Some(base)) => sink(base.bytes())?,
                        (Some((number, net)), base) => {
                            if let Some(seen) = stored.seen.get(number) {
                                seen.store(true, Ordering::Relaxed);
                            }
                            match (net.origin, base) {
                                (Origin::Put(body), _) => sink(&build(coll, net, body, true)?)?,
                                (Origin::Snapshot, Some(body)) => sink(&build(coll, net, body, false)?)?,
                                _ => {}
                            }
                        }
                        (None, None) => {}
                    }
                }
            }
        }
        Ok(())
    }

    fn finish(&self, collection: usize) -> Result<()> {
        let (Some(spec), Some(stored)) = (self.specs.get(collection), self.stored.get(collection)) else {
            return Ok(());
        };
        let Some(coll) = stored.coll.as_ref().filter(|_| !stored.may_be_evicted) else { return Ok(()) };
        let missing = coll.effects.nets().iter().zip(&stored.seen).find(|(net, seen)| {
            net.origin == Origin::Snapshot && net.chain != NONE && !seen.load(Ordering::Relaxed)
        });
        let Some((net, _)) = missing else { return Ok(()) };
        let first = coll.effects.chain(net).first().map(|p| p.pos).unwrap_or_default();
        Error::inexact(
            "joining snapshot and oplog at",
            format!("{first} {}", spec.ns),
            "an operation updates a document that the snapshot does not have",
        )
        .hint("the snapshot is incomplete or not of this server; choose another with --snapshot.")
        .err()
    }
}

/// The documents of a region, back to back.
pub fn documents(region: &Region) -> impl Iterator<Item = Result<Doc<'_>>> {
    let bytes = region.bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        if at >= bytes.len() {
            return None;
        }
        match Doc::first(&bytes[at..]) {
            Ok(doc) => {
                at += doc.bytes().len();
                Some(Ok(doc))
            }
            Err(fault) => {
                let place =
                    format!("{}, byte {}", region.origin().display(), region.offset() + at + fault.offset);
                at = bytes.len();
                Some(
                    Error::failed("reading documents of", place, fault.what)
                        .hint("the file is damaged here; use another copy of this snapshot.")
                        .err(),
                )
            }
        }
    })
}

/// Applies a chain to a body. A body from the oplog gets its `_id` first where the server does that.
fn build(coll: &Collection<'_>, net: &Net<'_>, body: Doc<'_>, put: bool) -> Result<Vec<u8>> {
    let wrong = |pos: String, fault: super::bson::Fault| {
        Error::inexact("applying the update at", format!("{pos} {}", coll.ns), fault)
            .hint("the oplog is damaged here; get it again from the source, or stop before this entry.")
    };
    let mut doc = if put && !net.as_logged && !body.starts_with_id() {
        apply(EMPTY, &Update::Replace(body), NewFieldOrder::AsListed, Vec::new())
            .map_err(|fault| wrong("an insert".into(), fault))?
    } else {
        body.bytes().to_vec()
    };
    let mut spare = Vec::new();
    for patch in coll.effects.chain(net) {
        let applied = classify(patch.o)
            .and_then(|update| {
                apply(Doc::new(&doc)?, &update, NewFieldOrder::AsListed, std::mem::take(&mut spare))
            })
            .map_err(|fault| wrong(patch.pos.to_string(), fault))?;
        spare = std::mem::replace(&mut doc, applied);
    }
    Ok(doc)
}

fn chunks_of<'a>(coll: &Collection<'a>) -> Result<(Vec<Chunk<'a>>, u64)> {
    let mut chunks = Vec::new();
    let mut count = 0;
    for &region in &coll.base {
        let (mut start, mut end) = (0, 0);
        for doc in documents(region) {
            end += doc?.bytes().len();
            count += 1;
            if end - start >= CHUNK_BYTES {
                chunks.push(Chunk::Base { region, range: start..end });
                start = end;
            }
        }
        if end > start {
            chunks.push(Chunk::Base { region, range: start..end });
        }
    }
    let mut puts: Vec<(u64, u32, usize)> = (0u32..)
        .zip(coll.effects.nets())
        .filter_map(|(number, net)| match net.origin {
            Origin::Put(body) => Some((net.inserted, number, body.bytes().len())),
            _ => None,
        })
        .collect();
    puts.sort_unstable();
    count += puts.iter().filter(|(inserted, ..)| *inserted > 0).count() as u64;
    let mut part = Vec::new();
    let mut size = 0;
    for (_, number, bytes) in puts {
        part.push(number);
        size += bytes;
        if size >= CHUNK_BYTES {
            chunks.push(Chunk::Puts(std::mem::take(&mut part)));
            size = 0;
        }
    }
    if !part.is_empty() {
        chunks.push(Chunk::Puts(part));
    }
    Ok((chunks, count))
}

/// The documents of a capped collection in natural order: what the snapshot has and nothing
/// inserted again, then every insert of the oplog in its order (an insert inside the window may
/// be in the snapshot already; its order is that of the log). With silent eviction the longest
/// run of newest documents that fits is kept, as the server keeps it.
fn in_order<'a>(coll: &Collection<'a>, silent: bool, edge: Position) -> Result<Vec<Item<'a>>> {
    let mut items = Vec::new();
    let mut in_place = BTreeSet::new();
    for &region in &coll.base {
        for doc in documents(region) {
            let doc = doc?;
            let net = doc.get("_id").and_then(|id| coll.effects.get(DocKey::of(id)));
            match net {
                None => items.push(Item { base: Some(doc), net: None }),
                Some((_, net)) if net.origin == Origin::Gone => {}
                Some((number, net)) if net.inserted > 0 => match coll.effects.placed(number) {
                    None => {}
                    Some(pos) if pos <= edge => {
                        return Error::inexact(
                            "joining snapshot and oplog at",
                            format!("{pos} {}", coll.ns),
                            "somebody's applyOps wrote a document of this capped collection while the snapshot \
                             was taken; whether it was there before, and where, is not known",
                        )
                        .hint("choose another snapshot with --snapshot.")
                        .err();
                    }
                    Some(_) => {
                        in_place.insert(number as u32);
                        items.push(Item { base: Some(doc), net: Some(number as u32) });
                    }
                },
                Some((number, _)) => items.push(Item { base: Some(doc), net: Some(number as u32) }),
            }
        }
    }
    let mut inserted: Vec<(u64, u32)> = (0u32..)
        .zip(coll.effects.nets())
        .filter(|(number, net)| net.inserted > 0 && net.origin != Origin::Gone && !in_place.contains(number))
        .map(|(number, net)| (net.inserted, number))
        .collect();
    inserted.sort_unstable();
    items.extend(inserted.into_iter().map(|(_, number)| Item { base: None, net: Some(number) }));
    if silent {
        let limit = |name: &str| coll.option(name).and_then(|e| e.as_i64()).filter(|&n| n > 0);
        let (size, max) = (limit("size").unwrap_or(i64::MAX), limit("max").unwrap_or(i64::MAX));
        let (mut bytes, mut keep) = (0i64, 0i64);
        for item in items.iter().rev() {
            let body = match item.net.and_then(|n| coll.effects.nets().get(n as usize)).map(|n| n.origin) {
                Some(Origin::Put(body)) => Some(body),
                _ => item.base,
            };
            bytes += body.map_or(0, |b| b.bytes().len() as i64);
            if bytes > size || keep == max {
                break;
            }
            keep += 1;
        }
        items.drain(..items.len() - keep as usize);
    }
    Ok(items)
}
