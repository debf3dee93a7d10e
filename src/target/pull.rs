//! Pulls the chunks of a state with several threads and counts what comes: the one loop behind
//! loading a server and writing a dump.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use xxhash_rust::xxh3::xxh3_128;

use super::ledger::Ledger;
use crate::domain::progress::Meter;
use crate::domain::{Error, Result};
use crate::engine::output::{Digest, State};

/// What passed by of one collection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Seen {
    /// Count, bytes, sum of hashes.
    pub digest: Digest,
    /// A hash of the documents' hashes in their order; stays 0 where order means nothing.
    #[serde(with = "hex")]
    pub order: u128,
}

mod hex {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(value: &u128, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(&format_args!("{value:032x}"))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<u128, D::Error> {
        u128::from_str_radix(&String::deserialize(d)?, 16).map_err(D::Error::custom)
    }
}

impl Seen {
    /// Takes one document in.
    pub(super) fn add(&mut self, document: &[u8], ordered: bool) {
        self.digest.add(document);
        if ordered {
            let mut both = [0; 32];
            both[..16].copy_from_slice(&self.order.to_le_bytes());
            both[16..].copy_from_slice(&xxh3_128(document).to_le_bytes());
            self.order = xxh3_128(&both);
        }
    }

    /// Takes in another chunk. An ordered collection has one chunk only.
    fn merge(&mut self, other: &Seen) {
        self.digest.merge(&other.digest);
        self.order ^= other.order;
    }
}

/// Where the documents of one chunk go.
pub(super) trait Drain {
    /// Takes one document.
    fn take(&mut self, document: &[u8]) -> Result<()>;
    /// The chunk is complete: everything must have arrived when this returns.
    fn finish(self) -> Result<()>;
}

/// How many threads there are for.
pub(super) fn threads() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from)
}

/// A state on its way.
pub(super) struct Pull<'a> {
    pub state: &'a dyn State,
    /// At a time.
    pub threads: usize,
    /// For errors.
    pub doing: &'static str,
    pub meter: &'a Meter,
    /// Per collection what is there already, proven: it is not pulled again.
    pub kept: &'a [Option<Seen>],
    /// Told of every collection that has arrived.
    pub ledger: &'a dyn Ledger,
}

impl Pull<'_> {
    fn kept(&self, collection: usize) -> Option<Seen> {
        self.kept.get(collection).copied().flatten()
    }

    /// Gives every chunk of every collection to a drain of its own, several at a time, and lets
    /// the state say whether a collection was complete. The result is per collection. The first
    /// error ends all of it.
    pub fn run<D: Drain>(&self, open: impl Fn(usize, usize) -> Result<D> + Sync) -> Result<Vec<Seen>> {
        let Pull { state, threads, doing, meter, .. } = *self;
        let specs = state.collections();
        let mut jobs: Vec<(usize, usize)> = (0..specs.len())
            .filter(|&c| self.kept(c).is_none())
            .flat_map(|c| (0..state.chunks(c)).map(move |k| (c, k)))
            .collect();
        // What cannot be shared among threads and is large comes first, else it comes last alone.
        jobs.sort_by_key(|&(c, k)| {
            let size = specs.get(c).map_or(0, |s| s.documents) / state.chunks(c).max(1) as u64;
            (std::cmp::Reverse(size), c, k)
        });
        let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
        let totals =
            Mutex::new((0..specs.len()).map(|c| self.kept(c).unwrap_or_default()).collect::<Vec<_>>());
        let left: Vec<AtomicUsize> = (0..specs.len()).map(|c| AtomicUsize::new(state.chunks(c))).collect();
        let complete = |c: usize| -> Result<()> {
            state.finish(c)?;
            let seen = totals.lock().unwrap_or_else(PoisonError::into_inner).get(c).copied();
            match (specs.get(c), seen) {
                (Some(spec), Some(seen)) => self.ledger.note(&spec.ns, &seen),
                _ => Ok(()),
            }
        };
        let one = |(c, k): (usize, usize)| -> Result<()> {
            let ordered = specs.get(c).is_some_and(|s| s.ordered);
            let mut drain = open(c, k)?;
            let (mut seen, mut told) = (Seen::default(), Digest::default());
            state.emit(c, k, &mut |document| {
                seen.add(document, ordered);
                if seen.digest.count - told.count >= 256 {
                    meter.add(seen.digest.count - told.count, seen.digest.bytes - told.bytes);
                    told = seen.digest;
                    meter.check(doing)?;
                    if stop.load(Ordering::Relaxed) {
                        return Error::interrupted(doing).err();
                    }
                }
                drain.take(document)
            })?;
            drain.finish()?;
            meter.add(seen.digest.count - told.count, seen.digest.bytes - told.bytes);
            if let Some(total) = totals.lock().unwrap_or_else(PoisonError::into_inner).get_mut(c) {
                total.merge(&seen);
            }
            let last = left.get(c).is_some_and(|left| left.fetch_sub(1, Ordering::AcqRel) == 1);
            if last { complete(c) } else { Ok(()) }
        };
        each(threads, jobs.len(), &next, &stop, |at| {
            meter.check(doing)?;
            jobs.get(at).map_or(Ok(()), |&job| one(job))
        })?;
        let empty = (0..specs.len()).filter(|&c| state.chunks(c) == 0 && self.kept(c).is_none());
        empty.into_iter().try_for_each(complete)?;
        Ok(totals.into_inner().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Does `work(0)` to `work(count - 1)` on several threads; the first error ends it.
pub(super) fn for_each(
    threads: usize,
    count: usize,
    work: impl Fn(usize) -> Result<()> + Sync,
) -> Result<()> {
    each(threads, count, &AtomicUsize::new(0), &AtomicBool::new(false), work)
}

fn each(
    threads: usize,
    count: usize,
    next: &AtomicUsize,
    stop: &AtomicBool,
    work: impl Fn(usize) -> Result<()> + Sync,
) -> Result<()> {
    let first = Mutex::new(None);
    let fail = |error| {
        stop.store(true, Ordering::Relaxed);
        // Errors that follow from stopping come later and are not the cause.
        first.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    };
    let turn = || {
        while !stop.load(Ordering::Relaxed) {
            let at = next.fetch_add(1, Ordering::Relaxed);
            if at >= count {
                break;
            }
            if let Err(error) = work(at) {
                fail(error);
            }
        }
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads.clamp(1, count.max(1))).map(|_| scope.spawn(turn)).collect();
        for thread in threads {
            if thread.join().is_err() {
                fail(Box::new(Error::failed("working on the state", "", "a worker thread panicked")));
            }
        }
    });
    first.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn order_matters_only_where_it_is_asked_for() {
        let seen = |documents: [&[u8]; 2], ordered| {
            let mut seen = Seen::default();
            documents.iter().for_each(|d| seen.add(d, ordered));
            seen
        };
        assert_eq!(seen([b"a", b"b"], false), seen([b"b", b"a"], false));
        assert_ne!(seen([b"a", b"b"], true), seen([b"b", b"a"], true));
        assert_eq!(seen([b"a", b"b"], true).digest, seen([b"b", b"a"], true).digest);
    }

    #[test]
    fn the_first_error_is_the_one_that_is_told() {
        let error =
            for_each(
                3,
                100,
                |at| {
                    if at == 7 { Error::failed("doing", "7", "it is odd").err() } else { Ok(()) }
                },
            )
            .unwrap_err();
        assert_eq!(error.place, "7");
        let count = AtomicUsize::new(0);
        for_each(3, 100, |_| {
            count.fetch_add(1, Ordering::Relaxed);
            Ok(())
        })
        .unwrap();
        assert_eq!(count.into_inner(), 100);
    }

    #[test]
    fn a_panic_is_an_error_not_a_hang() {
        let error = for_each(2, 4, |at| if at == 1 { panic!("for the test") } else { Ok(()) }).unwrap_err();
        assert!(error.cause.contains("panicked"));
    }
}
