//! The fold over an opened workspace: the first pass of every plan, diff and restore. It reads the
//! log through the op index: all of it, or the few entries that matter for some documents.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Workspace;
use super::ahead::ahead;
use super::memory::Memory;
use crate::domain::{Error, OpTime, Position, Result, progress::Meter, progress::Phase};
use crate::engine::entry::Entry;
use crate::engine::fold::{Fold, FoldOptions, Walked};
use crate::engine::spill::Bound;
use crate::engine::state::Folded;
use crate::engine::transactions::History;
use crate::index::{About, EntryPlace, read_places};
use crate::source::Snapshot;
use crate::source::oplog::Oplog;

/// What to leave out of a fold, and what to take in.
#[derive(Debug, Clone, Default)]
pub struct WalkOptions {
    /// Entries passed over on request.
    pub skip: BTreeSet<Position>,
    /// Whether users and roles are part of the state.
    pub with_auth: bool,
    /// How much memory it may take.
    pub memory: Memory,
}

/// A folded state and how it came about.
pub struct Walk<'w> {
    /// The state.
    pub state: Folded<'w>,
    /// What was walked.
    pub walked: Walked,
    /// Bytes of oplog walked.
    pub bytes: u64,
    /// A sample of the entries walked: enough to recognise a server that has them too.
    pub sample: Vec<OpTime>,
}

/// Looks up the heads of transactions in all of the oplog.
pub struct Older<'a>(pub &'a Oplog);

impl<'a> History<'a> for Older<'a> {
    fn entry(&self, pos: Position) -> Option<Entry<'a>> {
        self.0.find(pos).ok().flatten()
    }
}

/// Every so many entries one is kept as a sample; the newest are kept all.
const SAMPLE_EVERY: u64 = 256;
const SAMPLE_TAIL: usize = 64;

/// Folds the oplog below `bound` over a snapshot. The caller has checked that the range has no
/// gap (see [`crate::domain::plan::choose_base`]).
pub fn walk<'w>(
    workspace: &'w Workspace,
    snapshot: &'w Snapshot,
    bound: Position,
    options: &WalkOptions,
    meter: &Meter,
) -> Result<Walk<'w>> {
    folded(workspace, snapshot, bound, options, None, meter)
}

/// The same for some documents and namespaces only. Of these the state is exact; others are in it
/// as the snapshot has them, or not at all, and what is wrong with their operations is not found.
pub fn walk_about<'w>(
    workspace: &'w Workspace,
    snapshot: &'w Snapshot,
    bound: Position,
    options: &WalkOptions,
    about: &About,
    meter: &Meter,
) -> Result<Walk<'w>> {
    folded(workspace, snapshot, bound, options, Some(about), meter)
}

fn folded<'w>(
    workspace: &'w Workspace,
    snapshot: &'w Snapshot,
    bound: Position,
    options: &WalkOptions,
    about: Option<&About>,
    meter: &Meter,
) -> Result<Walk<'w>> {
    let (from, edge) = snapshot.window().map_or((Position::MIN, Position::MIN), |(a, b)| (a.pos, b.pos));
    meter.enter(Phase::Fold, 0);
    let fold_options = FoldOptions { edge, skip: options.skip.clone(), with_auth: options.with_auth };
    let bound_memory = Bound {
        bytes: options.memory.for_documents(),
        always: options.memory.always_spills(),
        scratch: Arc::new(workspace.case.scratch()),
        oplog: workspace.oplog.pieces().collect(),
    };
    let mut fold = Fold::new(&snapshot.base, &snapshot.auth, fold_options).bounded(bound_memory);
    let history = Older(&workspace.oplog);
    let (mut count, mut bytes, mut unreported) = (0u64, 0u64, (0u64, 0u64));
    let mut sample = Vec::new();
    let mut tail = std::collections::VecDeque::with_capacity(SAMPLE_TAIL);
    let mut take = |entry: Entry<'w>| -> Result<()> {
        fold.apply(&entry, &history)?;
        let size = entry.raw.bytes().len() as u64;
        if count.is_multiple_of(SAMPLE_EVERY) {
            sample.push(entry.at);
        }
        if tail.len() == SAMPLE_TAIL {
            tail.pop_front();
        }
        tail.push_back(entry.at);
        count += 1;
        bytes += size;
        unreported = (unreported.0 + 1, unreported.1 + size);
        if unreported.0 == 1024 {
            meter.add(unreported.0, unreported.1);
            meter.check("walking the oplog")?;
            unreported = (0, 0);
        }
        Ok(())
    };
    let most = options.memory.for_documents() / size_of::<EntryPlace>();
    let few = match about {
        Some(about) => workspace.index(meter)?.entries_about(from..bound, about, most, meter)?,
        None => None,
    };
    match few {
        Some(places) => read_places(&workspace.oplog, &places, meter, |entry| entry, &mut take)?,
        None => ahead(workspace, from..bound, meter, |entry| entry, &mut take)?,
    }
    meter.add(unreported.0, unreported.1);
    sample.extend(tail);
    let (state, walked) = fold.finish()?;
    for &pos in &options.skip {
        if pos < from || pos >= bound || workspace.oplog.find(pos)?.is_none() {
            return Error::usage("passing over", pos, "there is no entry at this position before the stop")
                .hint("`pitstop ops` lists entries with their positions.")
                .err();
        }
    }
    Ok(Walk { state, walked, bytes, sample })
}
