//! Search: operations that a query matches, in the order of the oplog. While the index is being
//! built, what is there is searched: the first hits come at once, however long the log.

use std::ops::ControlFlow;
use std::time::Duration;

use super::Workspace;
use crate::domain::op::Op;
use crate::domain::query::Query;
use crate::domain::{Result, progress::Meter, progress::Phase};

/// How long to wait for more of the index before looking whether somebody asked to stop.
const LOOK: Duration = Duration::from_millis(50);

/// What a search came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Found {
    /// Operations that match, up to the limit.
    pub matched: u64,
    /// Whether the search ended at the limit: more may match.
    pub limited: bool,
}

/// Hands every operation that matches to `sink`, at most `limit` of them.
pub fn search(
    workspace: &Workspace,
    query: &Query,
    limit: Option<u64>,
    meter: &Meter,
    sink: &mut dyn FnMut(Op) -> Result<()>,
) -> Result<Found> {
    let mut found = Found::default();
    let (Some(first), Some(last)) = (workspace.oplog.first(), workspace.oplog.last()) else {
        return Ok(found);
    };
    let filter = query.resolve(first.pos, last.pos)?;
    let index = workspace.index_so_far(meter)?;
    // What is built goes on beside what is searched, and ends with it.
    let building = Meter::default();
    let mut take = |found: &mut Found, row| {
        if limit.is_some_and(|limit| found.matched >= limit) {
            found.limited = true;
            return Ok(ControlFlow::Break(()));
        }
        let op = index.op(row)?;
        found.matched += 1;
        sink(op.to_op())?;
        Ok(ControlFlow::Continue(()))
    };
    std::thread::scope(|scope| {
        let built = (!index.is_complete()).then(|| scope.spawn(|| index.complete(&building)));
        meter.enter(Phase::Fold, workspace.oplog.len());
        let mut next = 0;
        let searched = loop {
            // In this order: when the building had ended before, there is nothing left to wait for.
            let ended = built.as_ref().is_none_or(|built| built.is_finished());
            match index.search(&filter, next, meter, &mut |row| take(&mut found, row)) {
                Ok(now) if now.finished || found.limited || ended => break Ok(found),
                Ok(now) => next = now.next,
                Err(error) => break Err(error),
            }
            index.wait_beyond(next, LOOK);
        };
        if found.limited || searched.is_err() {
            building.cancel();
        }
        let built = built.map_or(Ok(()), |built| built.join().unwrap_or(Ok(())));
        match built {
            Err(error) if !building.is_cancelled() => Err(error),
            _ => searched,
        }
    })
}
