//! The log, read through the op index: all cores parse, one takes in order. An index that is not
//! finished is built meanwhile, and what is there of it is followed.

use std::ops::Range;
use std::time::Duration;

use super::Workspace;
use crate::domain::progress::Meter;
use crate::domain::{Position, Result};
use crate::engine::entry::Entry;

/// How long more of an index is waited for before somebody looks whether to go on waiting.
const LOOK: Duration = Duration::from_millis(50);

/// Hands the entries with `from <= ts < to` to `take`, in order, each as what `read` makes of it
/// on any core. `meter` is asked whether to go on, and not counted on.
pub(super) fn ahead<'w, T: Send>(
    workspace: &'w Workspace,
    range: Range<Position>,
    meter: &Meter,
    read: impl Fn(Entry<'w>) -> T + Sync,
    mut take: impl FnMut(T) -> Result<()>,
) -> Result<()> {
    let index = workspace.index_so_far(meter)?;
    let quiet = Meter::default();
    std::thread::scope(|scope| {
        let builder = (!index.is_complete()).then(|| scope.spawn(|| index.complete(&quiet)));
        let mut next = 0;
        let mut step = || {
            // One look at how many there are: more may come at any time.
            let all = index.len();
            let end = index.lower_bound(range.end).min(all);
            let start = index.lower_bound(range.start).max(next).min(end);
            next = end;
            index.read_rows(&workspace.oplog, start..end, meter, &read, &mut take)?;
            // Whether there is an operation behind the range: nothing in it can come any more.
            Ok(end < all)
        };
        let Some(builder) = builder else { return step().map(|_| ()) };
        let walked = loop {
            let (was, grows) = (index.len(), !builder.is_finished());
            match step().and_then(|enough| meter.check("reading the oplog").map(|()| enough)) {
                Ok(false) if grows => index.wait_beyond(was, LOOK),
                other => break other,
            }
        };
        // What is indexed by now is kept; the next command goes on from there.
        quiet.cancel();
        let built = builder.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        if walked? { Ok(()) } else { built }
    })
}
