//! Progress as counters that anyone may read at any time, and cancellation as one atomic read.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};

use super::{Error, Result};

/// What a long piece of work is doing right now, in the order a restore goes through them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
pub enum Phase {
    /// Opening sources: finding, unpacking, mapping files.
    Open,
    /// Walking the oplog up to the stop.
    Fold,
    /// Starting the server that will hold the state.
    Start,
    /// Streaming documents into the target.
    Load,
    /// Building secondary indexes.
    Index,
    /// Reading the target back and comparing.
    Verify,
    /// Everything is done.
    Done,
}

impl Phase {
    /// All phases, in order.
    pub const ALL: [Phase; 7] =
        [Phase::Open, Phase::Fold, Phase::Start, Phase::Load, Phase::Index, Phase::Verify, Phase::Done];
}

/// Counters of one piece of work. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Meter(Arc<Counters>);

#[derive(Debug, Default)]
struct Counters {
    phase: AtomicU8,
    done: AtomicU64,
    total: AtomicU64,
    bytes: AtomicU64,
    cancelled: AtomicBool,
}

/// What a [`Meter`] says at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Reading {
    /// The phase that runs.
    pub phase: Phase,
    /// Items done in this phase (documents, entries, indexes: whatever the phase counts).
    pub done: u64,
    /// Items expected in this phase; 0 = unknown.
    pub total: u64,
    /// Bytes moved in this phase.
    pub bytes: u64,
}

impl Meter {
    /// Enters a phase: counters start again at zero; `total` 0 means unknown.
    pub fn enter(&self, phase: Phase, total: u64) {
        self.0.done.store(0, Ordering::Relaxed);
        self.0.bytes.store(0, Ordering::Relaxed);
        self.0.total.store(total, Ordering::Relaxed);
        self.0.phase.store(phase as u8, Ordering::Release);
    }

    /// Counts work done in the current phase.
    pub fn add(&self, items: u64, bytes: u64) {
        self.0.done.fetch_add(items, Ordering::Relaxed);
        self.0.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// The counters now.
    pub fn read(&self) -> Reading {
        let phase = usize::from(self.0.phase.load(Ordering::Acquire));
        Reading {
            phase: *Phase::ALL.get(phase).unwrap_or(&Phase::Open),
            done: self.0.done.load(Ordering::Relaxed),
            total: self.0.total.load(Ordering::Relaxed),
            bytes: self.0.bytes.load(Ordering::Relaxed),
        }
    }

    /// Asks the work to stop at its next check.
    pub fn cancel(&self) {
        self.0.cancelled.store(true, Ordering::Relaxed);
    }

    /// Whether somebody asked to stop.
    pub fn is_cancelled(&self) -> bool {
        self.0.cancelled.load(Ordering::Relaxed)
    }

    /// An [`Error::interrupted`] if somebody asked to stop; call it in every loop.
    pub fn check(&self, doing: &str) -> Result<()> {
        if self.is_cancelled() {
            return Error::interrupted(doing).err();
        }
        Ok(())
    }
}
