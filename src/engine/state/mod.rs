//! The state at the stop: catalog and net effects, streamed over the snapshot's documents.
//!
//! Untouched documents pass through as bytes, patched ones get their chain applied, deleted and
//! replaced ones are dropped from the stream, and what the oplog put whole follows. Chunks are
//! independent of each other, so any number of threads may pull them.
//!
//! The effects may lie in memory or be spilled. Spilled, a chunk is a range of keys: the puts in
//! it, and those documents of the snapshot that something touched, of which the filter knew.

mod body;
mod emit;
mod lay_out;
mod order;

use std::ops::{Range, RangeInclusive};
use std::sync::atomic::{AtomicBool, AtomicU64};

use super::bson::Doc;
use super::catalog::{Catalog, Collection};
use super::effects::Origin as From;
use super::input::{CollectionKind, Region};
use super::key::DocKey;
use super::output::{CollectionSpec, Sink, State};
use super::spill::{Facts, Living, Spilled, Touched, Touches, Written};
use crate::domain::{Error, Namespace, Position, Result};
use body::build;
use emit::emit_put;
use lay_out::lay_out;

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
