//! Reading ahead: one thread reads and parses the entries of the oplog, this one takes them.

use std::sync::mpsc::{Receiver, sync_channel};

use crate::domain::{Position, Result};
use crate::engine::entry::Entry;
use crate::source::oplog::Oplog;

/// Entries that are read in one go, and how many such batches wait at most.
const BATCH: usize = 1024;
const AHEAD: usize = 4;

/// Hands the entries with `from <= ts < to` to `take`, in order, each as what `read` makes of it
/// on the other thread.
pub(super) fn ahead<'w, T: Send>(
    oplog: &'w Oplog,
    from: Position,
    to: Position,
    read: impl Fn(Entry<'w>) -> T + Send,
    mut take: impl FnMut(T) -> Result<()>,
) -> Result<()> {
    std::thread::scope(|scope| {
        let (send, parsed) = sync_channel(AHEAD);
        scope.spawn(move || {
            let mut entries = oplog.entries(from, to).map(|entry| entry.map(&read));
            loop {
                let batch: Vec<_> = entries.by_ref().take(BATCH).collect();
                // Whoever takes may have given up.
                if batch.is_empty() || send.send(batch).is_err() {
                    return;
                }
            }
        });
        let parsed: Receiver<Vec<Result<T>>> = parsed;
        parsed.into_iter().flatten().try_for_each(|entry| take(entry?))
    })
}
