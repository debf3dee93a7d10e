//! The state at the stop: catalog and net effects, streamed over the snapshot's documents.
//!
//! Untouched documents pass through as bytes, patched ones get their chain applied, deleted and
//! replaced ones are dropped from the stream, and what the oplog put whole follows. Chunks are
//! independent of each other, so any number of threads may pull them.
//!
//! The effects may lie in memory or be spilled. Spilled, a chunk is a range of keys: the puts in
//! it, and those documents of the snapshot that something touched, of which the filter knew.

mod body;
mod order;

use std::ops::{Range, RangeInclusive};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::bson::Doc;
use super::catalog::{Catalog, Collection};
use super::effects::NONE;
use super::effects::Origin as From;
use super::input::{CollectionKind, Region};
use super::key::DocKey;
use super::output::{CollectionSpec, Sink, State};
use super::spill::{Facts, Living, Spilled, Touched, Touches, Written};
use crate::domain::{Error, Namespace, Position, Result};
use body::build;
use order::{Item, in_order};

/// About how many bytes of the snapshot, or of put documents, make a chunk.
const CHUNK_BYTES: usize = 1 << 20;

/// About how many spilled records make a chunk.
const CHUNK_RECORDS: u64 = 1 << 14;

/// The newest server that evicts from capped collections without logging it.
const SILENT_EVICTION_BELOW: (u32, u32) = (5, 0);

/// Where a state comes from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Origin {
    /// Major and minor version of the server.
    pub server: Option<(u32, u32)>,
    /// The end of the snapshot's own window.
    pub edge: Position,
}

/// A folded state.
pub struct Folded<'a> {
    specs: Vec<CollectionSpec>,
    stored: Vec<Stored<'a>>,
    spilled: Option<Spilled<'a>>,
}

/// A collection, or a view, which stores nothing.
struct Stored<'a> {
    coll: Option<Collection<'a>>,
    chunks: Vec<Chunk<'a>>,
    /// Which patched documents the snapshot turned out to have. With effects in memory.
    seen: Vec<AtomicBool>,
    /// The first update of a document that the snapshot turned out not to have. With effects
    /// that were spilled.
    missing: AtomicU64,
    /// Whether a patched document may be missing: evicted without a log entry.
    may_be_evicted: bool,
    /// Of a capped collection: the numbers of what was inserted, in that order. With effects in
    /// memory.
    inserted: Vec<u32>,
    /// What is known of the effects that were spilled.
    facts: Facts,
}

enum Chunk<'a> {
    Base {
        region: &'a Region,
        range: Range<usize>,
    },
    Puts(Vec<u32>),
    /// Everything that was spilled about these keys.
    Keys(RangeInclusive<u128>),
    /// All documents in their order, without the first so many.
    Ordered {
        skip: u64,
    },
}

impl<'a> Stored<'a> {
    fn new(coll: Option<Collection<'a>>, facts: Facts, may_be_evicted: bool) -> Self {
        Stored {
            coll,
            chunks: Vec::new(),
            seen: Vec::new(),
            missing: AtomicU64::new(u64::MAX),
            may_be_evicted,
            inserted: Vec::new(),
            facts,
        }
    }
}

impl<'a> Folded<'a> {
    /// Lays out the state of a catalog whose names are unique, and of which effects have been
    /// spilled or not. That may take so much `memory`.
    pub(super) fn new(
        catalog: Catalog<'a>,
        origin: Origin,
        written: Option<Written<'a>>,
        memory: usize,
        notes: &mut Vec<String>,
    ) -> Result<Self> {
        let (mut living, views) = catalog.into_parts();
        living.retain(|coll| {
            let temporary = coll.option("temp").is_some_and(|e| e.is_truthy());
            if temporary {
                notes.push(format!(
                    "{} is temporary and left out, as a server drops it when it starts",
                    coll.ns
                ));
            }
            !temporary
        });
        let (spilled, facts) = spilled_of(&living, written, memory)?;
        let mut parts: Vec<(CollectionSpec, Stored<'a>)> = Vec::new();
        for (coll, facts) in living.into_iter().zip(facts) {
            if let Some(pos) = coll.effects.untold().or(facts.untold) {
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
            parts.push(lay_out(coll, facts, timeseries, origin, spilled.as_ref())?);
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
            parts.push((spec, Stored::new(None, Facts::default(), false)));
        }
        parts.sort_by(|a, b| a.0.ns.cmp(&b.0.ns));
        let (specs, stored) = parts.into_iter().unzip();
        Ok(Folded { specs, stored, spilled })
    }

    /// The namespace's place among [`State::collections`].
    pub fn position(&self, ns: &Namespace) -> Option<usize> {
        self.specs.binary_search_by(|spec| spec.ns.cmp(ns)).ok()
    }

    /// The collection behind a place; `None` for a view.
    pub fn collection(&self, at: usize) -> Option<&Collection<'a>> {
        self.stored.get(at)?.coll.as_ref()
    }

    /// Whether the effects had to be spilled.
    pub fn is_spilled(&self) -> bool {
        self.spilled.is_some()
    }

    /// What happened to the documents of a collection, in the order of their keys, together with
    /// what the snapshot has of them. `None` where effects are in memory.
    pub fn touches(&self, at: usize) -> Result<Option<Touches<'_, 'a>>> {
        let Some(spilled) = &self.spilled else { return Ok(None) };
        match self.collection(at).and_then(|coll| coll.effects.set) {
            Some(set) => spilled.touches(set, 0..=u128::MAX).map(Some),
            None => Ok(Some(spilled.nothing())),
        }
    }

    /// What becomes of one document of a collection, given what the snapshot has under that key;
    /// `None` = there is no such document.
    pub fn document(&self, at: usize, key: DocKey, base: Option<Doc<'_>>) -> Result<Option<Vec<u8>>> {
        let Some(coll) = self.collection(at) else { return Ok(None) };
        match touched(coll, self.spilled.as_ref(), key)? {
            None => Ok(base.map(|d| d.bytes().to_vec())),
            Some(touched) => self.after(at, &touched, base),
        }
    }

    /// What becomes of a document, given what happened to it and what the snapshot has.
    pub fn after(
        &self,
        at: usize,
        touched: &Touched<'_, 'a>,
        base: Option<Doc<'_>>,
    ) -> Result<Option<Vec<u8>>> {
        let Some(coll) = self.collection(at) else { return Ok(None) };
        match (touched.origin, base) {
            (From::Gone, _) | (From::Snapshot, None) => Ok(None),
            (From::Put(body), _) => build(coll, touched, body).map(Some),
            (From::Snapshot, Some(body)) => build(coll, touched, body).map(Some),
        }
    }
}

/// What happened to one document, wherever that is kept.
fn touched<'s, 'a>(
    coll: &'s Collection<'a>,
    spilled: Option<&'s Spilled<'a>>,
    key: DocKey,
) -> Result<Option<Touched<'s, 'a>>> {
    match (spilled, coll.effects.set) {
        (Some(spilled), Some(set)) => spilled.get(set, key),
        _ => Ok(coll.effects.get(key).map(|found| Touched::held(key, &coll.effects, found))),
    }
}

/// Reads what was spilled; the facts are in the order of the collections.
fn spilled_of<'a>(
    living: &[Collection<'a>],
    written: Option<Written<'a>>,
    memory: usize,
) -> Result<(Option<Spilled<'a>>, Vec<Facts>)> {
    let mut facts = vec![Facts::default(); living.len()];
    let Some(written) = written else { return Ok((None, facts)) };
    let (places, sets): (Vec<usize>, Vec<Living<'_, 'a>>) = living
        .iter()
        .enumerate()
        .filter_map(|(at, coll)| {
            let set = coll.effects.set?;
            Some((at, Living { set, ordered: coll.is_capped(), base: &coll.base }))
        })
        .unzip();
    let (spilled, found) = Spilled::new(written, &sets, memory)?;
    for (at, found) in places.into_iter().zip(found) {
        if let Some(facts) = facts.get_mut(at) {
            *facts = found;
        }
    }
    Ok((Some(spilled), facts))
}

fn lay_out<'a>(
    coll: Collection<'a>,
    facts: Facts,
    timeseries: Option<Namespace>,
    Origin { server, edge }: Origin,
    spilled: Option<&Spilled<'a>>,
) -> Result<(CollectionSpec, Stored<'a>)> {
    let ordered = coll.is_capped();
    let silent = ordered && server.is_none_or(|v| v < SILENT_EVICTION_BELOW);
    let mut spec = CollectionSpec {
        kind: if timeseries.is_some() { CollectionKind::Timeseries } else { CollectionKind::Collection },
        ns: timeseries.unwrap_or_else(|| coll.ns.clone()),
        options: coll.options.clone(),
        indexes: coll.indexes.specs().to_vec(),
        ordered,
        documents: 0,
        bytes: coll.base.iter().map(|region| region.len() as u64).sum::<u64>() + coll.effects.bytes(),
    };
    let mut stored = Stored::new(None, facts, silent);
    if spilled.is_none() {
        stored.seen = coll.effects.nets().iter().map(|_| AtomicBool::new(false)).collect();
    }
    if ordered {
        stored.inserted = order::inserted(&coll)?;
        stored.coll = Some(coll);
        let (skip, count) = order::evicted(&stored, spilled, silent, edge)?;
        stored.chunks = vec![Chunk::Ordered { skip }];
        spec.documents = count;
        return Ok((spec, stored));
    }
    let (mut chunks, base) = base_chunks(&coll)?;
    spec.documents = base;
    if coll.effects.set.is_some() {
        spec.documents += facts.inserted;
        chunks.extend(key_chunks(facts.records));
    } else {
        let (puts, inserted) = put_chunks(&coll);
        spec.documents += inserted;
        chunks.extend(puts);
    }
    stored.chunks = chunks;
    stored.coll = Some(coll);
    Ok((spec, stored))
}

impl<'a> Folded<'a> {
    fn emit_base(
        &self,
        stored: &Stored<'a>,
        coll: &Collection<'a>,
        region: &Region,
        sink: &mut Sink<'_>,
    ) -> Result<()> {
        let spilled = self.spilled.as_ref().zip(coll.effects.set);
        for doc in documents(region) {
            let doc = doc?;
            if let Some((spilled, set)) = spilled {
                // The others come with their keys.
                if !doc.get("_id").is_some_and(|id| spilled.may_touch(set, DocKey::of(id))) {
                    sink(doc.bytes())?;
                }
                continue;
            }
            if coll.effects.is_empty() {
                sink(doc.bytes())?;
                continue;
            }
            let key = doc.get("_id").map(DocKey::of);
            match key.and_then(|key| Some((key, coll.effects.get(key)?))) {
                None => sink(doc.bytes())?,
                Some((key, (number, net))) if net.origin == From::Snapshot => {
                    stored.saw(number);
                    sink(&build(coll, &Touched::held(key, &coll.effects, (number, net)), doc)?)?;
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    fn emit_keys(
        &self,
        stored: &Stored<'a>,
        coll: &Collection<'a>,
        keys: &RangeInclusive<u128>,
        sink: &mut Sink<'_>,
    ) -> Result<()> {
        let Some((spilled, set)) = self.spilled.as_ref().zip(coll.effects.set) else { return Ok(()) };
        let mut touches = spilled.touches(set, keys.clone())?;
        while let Some(touched) = touches.next()? {
            match touched.origin {
                From::Gone => {}
                From::Put(body) => emit_put(coll, &touched, body, sink)?,
                From::Snapshot => {
                    stored.look_for(&touched)?;
                    for &doc in &touched.base {
                        sink(&build(coll, &touched, doc)?)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn emit_in_order(
        &self,
        stored: &Stored<'a>,
        coll: &Collection<'a>,
        skip: u64,
        sink: &mut Sink<'_>,
    ) -> Result<()> {
        let mut at = 0;
        in_order(stored, self.spilled.as_ref(), &mut |item| {
            at += 1;
            if at <= skip {
                return Ok(());
            }
            match item {
                Item::Untouched(doc) => sink(doc.bytes()),
                Item::Changed(doc, touched) => {
                    if let Some((number, _)) = coll.effects.get(touched.key) {
                        stored.saw(number);
                    }
                    sink(&build(coll, &touched, doc)?)
                }
                Item::Inserted(body, touched) => emit_put(coll, &touched, body, sink),
            }
        })
    }
}

fn emit_put<'a>(
    coll: &Collection<'a>,
    touched: &Touched<'_, 'a>,
    body: Doc<'a>,
    sink: &mut Sink<'_>,
) -> Result<()> {
    if touched.first_update()?.is_none() && (touched.as_logged || body.starts_with_id()) {
        return sink(body.bytes());
    }
    sink(&build(coll, touched, body)?)
}

impl<'a> Stored<'a> {
    /// The snapshot has a document that is patched.
    fn saw(&self, number: usize) {
        if let Some(seen) = self.seen.get(number) {
            seen.store(true, Ordering::Relaxed);
        }
    }

    /// Takes note if a document that is patched is not in the snapshot.
    fn look_for(&self, touched: &Touched<'_, 'a>) -> Result<()> {
        if touched.base.is_empty()
            && touched.origin == From::Snapshot
            && let Some(pos) = touched.first_update()?
        {
            self.missing.fetch_min(pos.to_u64(), Ordering::Relaxed);
        }
        Ok(())
    }

    /// The first update of a document that must have been in the snapshot and was not.
    fn first_missing(
        &self,
        coll: &Collection<'a>,
        spilled: Option<&Spilled<'a>>,
    ) -> Result<Option<Position>> {
        if let Some((spilled, set)) = spilled.zip(coll.effects.set) {
            if self.facts.list.is_some() {
                let mut touches = spilled.touches(set, 0..=u128::MAX)?;
                while let Some(touched) = touches.next()? {
                    self.look_for(&touched)?;
                }
            }
            let missing = self.missing.load(Ordering::Relaxed);
            return Ok((missing != u64::MAX).then(|| Position::from_u64(missing)));
        }
        let missing = coll.effects.nets().iter().zip(&self.seen).find(|(net, seen)| {
            net.origin == From::Snapshot && net.chain != NONE && !seen.load(Ordering::Relaxed)
        });
        Ok(missing.map(|(net, _)| coll.effects.chain(net).next().map(|p| p.pos).unwrap_or_default()))
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
            Chunk::Base { region, range } => self.emit_base(stored, coll, &region.slice(range.clone()), sink),
            Chunk::Puts(numbers) => {
                for &number in numbers {
                    let number = number as usize;
                    let Some(net) = coll.effects.nets().get(number) else { continue };
                    let From::Put(body) = net.origin else { continue };
                    // The key of a document that is put whole is of no interest any more.
                    let key = DocKey::from_bits(0);
                    emit_put(coll, &Touched::held(key, &coll.effects, (number, net)), body, sink)?;
                }
                Ok(())
            }
            Chunk::Keys(keys) => self.emit_keys(stored, coll, keys, sink),
            Chunk::Ordered { skip } => self.emit_in_order(stored, coll, *skip, sink),
        }
    }

    fn finish(&self, collection: usize) -> Result<()> {
        let (Some(spec), Some(stored)) = (self.specs.get(collection), self.stored.get(collection)) else {
            return Ok(());
        };
        let Some(coll) = stored.coll.as_ref().filter(|_| !stored.may_be_evicted) else { return Ok(()) };
        let Some(first) = stored.first_missing(coll, self.spilled.as_ref())? else { return Ok(()) };
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

/// The snapshot's documents in chunks, and how many there are.
fn base_chunks<'a>(coll: &Collection<'a>) -> Result<(Vec<Chunk<'a>>, u64)> {
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
    Ok((chunks, count))
}

/// What was put whole, in chunks, and how many documents were inserted.
fn put_chunks<'a>(coll: &Collection<'a>) -> (Vec<Chunk<'a>>, u64) {
    let mut puts: Vec<(u64, u32, usize)> = (0u32..)
        .zip(coll.effects.nets())
        .filter_map(|(number, net)| match net.origin {
            From::Put(body) => Some((net.inserted, number, body.bytes().len())),
            _ => None,
        })
        .collect();
    puts.sort_unstable();
    let inserted = puts.iter().filter(|(inserted, ..)| *inserted > 0).count() as u64;
    let mut chunks = Vec::new();
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
    (chunks, inserted)
}

/// All keys in ranges of about as many records each: keys are hashes.
fn key_chunks<'a>(records: u64) -> impl Iterator<Item = Chunk<'a>> {
    let count = u128::from(records.div_ceil(CHUNK_RECORDS));
    let width = (u128::MAX / count.max(1)).saturating_add(1);
    (0..count).map(move |n| {
        let start = n.saturating_mul(width);
        let end = if n + 1 == count { u128::MAX } else { start + (width - 1) };
        Chunk::Keys(start..=end)
    })
}
