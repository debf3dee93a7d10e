//! How a collection is cut into chunks, and how many documents it has.

use std::sync::atomic::AtomicBool;

use super::{Chunk, Origin, Stored, documents, order};
use crate::domain::{Namespace, Result};
use crate::engine::catalog::Collection;
use crate::engine::effects::Origin as From;
use crate::engine::input::CollectionKind;
use crate::engine::output::CollectionSpec;
use crate::engine::spill::{Facts, Spilled};

/// About how many bytes of the snapshot, or of put documents, make a chunk.
const CHUNK_BYTES: usize = 1 << 20;

/// About how many spilled records make a chunk.
const CHUNK_RECORDS: u64 = 1 << 14;

/// The newest server that evicts from capped collections without logging it.
const SILENT_EVICTION_BELOW: (u32, u32) = (5, 0);

pub(super) fn lay_out<'a>(
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
