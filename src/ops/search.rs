//! Search: operations that a query matches, in the order of the oplog.

use std::ops::ControlFlow;

use super::Workspace;
use crate::domain::op::Op;
use crate::domain::query::Query;
use crate::domain::{Result, progress::Meter, progress::Phase};

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
    let index = workspace.index(meter)?;
    meter.enter(Phase::Fold, index.len());
    index.search(&filter, 0, meter, &mut |row| {
        if limit.is_some_and(|limit| found.matched >= limit) {
            found.limited = true;
            return Ok(ControlFlow::Break(()));
        }
        let op = index.op(row)?;
        found.matched += 1;
        sink(op.to_op())?;
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(found)
}
