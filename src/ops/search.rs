//! Search: operations that a query matches, in the order of the oplog.

use super::Workspace;
use super::rows::{Row, rows};
use crate::domain::op::Op;
use crate::domain::query::{Body, Query, RowView};
use crate::domain::{Position, Result, progress::Meter, progress::Phase};

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
    meter.enter(Phase::Fold, workspace.oplog.len());
    let mut found = Found::default();
    let (Some(first), Some(last)) = (workspace.oplog.first(), workspace.oplog.last()) else {
        return Ok(found);
    };
    let filter = query.resolve(first.pos, last.pos)?;
    let range = filter.range();
    let end = range.end.min(Position::MAX);
    for entry in workspace.oplog.entries(range.start, end) {
        let entry = entry?;
        meter.add(1, entry.raw.bytes().len() as u64);
        meter.check("searching")?;
        for row in rows(&entry) {
            if !matches(&filter, &row) {
                continue;
            }
            if limit.is_some_and(|limit| found.matched >= limit) {
                found.limited = true;
                return Ok(found);
            }
            found.matched += 1;
            sink(row.to_op())?;
        }
    }
    Ok(found)
}

/// Whether a filter matches an operation.
pub fn matches(filter: &crate::domain::query::Filter, row: &Row<'_>) -> bool {
    let view = RowView {
        pos: row.entry.at.pos,
        kind: row.kind,
        ns: &row.ns,
        size: row.entry.raw.bytes().len() as u64,
        txn: row.txn.as_deref(),
    };
    if !filter.matches_columns(&view) {
        return false;
    }
    if !filter.needs_body() {
        return true;
    }
    let operation = row.entry.o.bytes();
    let key = row.entry.o2.filter(|o2| o2.get("_id").is_some()).map_or(operation, |o2| o2.bytes());
    filter.matches_body(&Body { key, operation })
}
