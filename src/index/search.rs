//! Search over the index: columns first, bytes second, by all cores, in the order of the oplog.

use std::ops::{ControlFlow, Range};

use bson::Bson;
use memchr::memmem::Finder;

use super::build::key_of;
use super::columns::Cells;
use super::parallel::{Cut, in_order};
use super::rows::{body, txn_of};
use super::{BROKEN, IN_TXN, OpIndex, kind};
use crate::domain::progress::Meter;
use crate::domain::query::{Filter, RowView};
use crate::domain::{Position, Result};
use crate::engine::bson::Doc;
use crate::engine::key::DocKey;

/// How many operations are looked at between two looks at the meter.
const STEP: u64 = 512;

/// What is found is only a number for each row.
const CUT: Cut = Cut { block: 8192, ahead: 16 };

/// What a search came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Searched {
    /// The row to go on from: everything below has been looked at.
    pub next: u64,
    /// Whether that is all there will ever be: the index is complete, and nobody said stop.
    pub finished: bool,
}

impl OpIndex {
    /// Hands the rows that match, from number `from` on and in order, to `sink` until it breaks.
    /// Of an incomplete index what is there by now is searched; go on from [`Searched::next`].
    ///
    /// A row whose entry cannot be read counts as a match: reading it gives the error.
    pub fn search(
        &self,
        filter: &Filter,
        from: u64,
        meter: &Meter,
        sink: &mut dyn FnMut(u64) -> Result<ControlFlow<()>>,
    ) -> Result<Searched> {
        // In this order: when it was complete before, nothing comes after.
        let complete = self.is_complete();
        let all = self.len();
        let range = filter.range();
        let begin = self.lower_bound(range.start).max(from);
        let end = if range.end == Position::MAX { all } else { self.lower_bound(range.end).min(all) };
        let plan = Plan::new(self, filter);
        let mut next = begin;
        let flow = in_order(
            begin..end,
            CUT,
            meter,
            "searching",
            |rows| plan.block(rows, meter),
            |found| {
                for row in found {
                    next = row + 1;
                    if sink(row)?.is_break() {
                        return Ok(ControlFlow::Break(()));
                    }
                }
                Ok(ControlFlow::Continue(()))
            },
        )?;
        if flow.is_break() {
            return Ok(Searched { next, finished: false });
        }
        Ok(Searched { next: all, finished: complete })
    }
}

/// A filter, prepared.
struct Plan<'a> {
    index: &'a OpIndex,
    filter: &'a Filter,
    /// By the number of the namespace.
    namespaces: Vec<bool>,
    /// What the key column must have one of, for each `id:` that can be looked up so.
    keys: Vec<Vec<u32>>,
    needles: Vec<Finder<'a>>,
}

impl<'a> Plan<'a> {
    fn new(index: &'a OpIndex, filter: &'a Filter) -> Self {
        let names = index.names.read().unwrap_or_else(|e| e.into_inner());
        let namespaces = names.list().iter().map(|name| filter.matches_ns(name)).collect();
        Plan {
            index,
            filter,
            namespaces,
            keys: filter.ids().filter_map(|id| keys(id.values())).collect(),
            needles: filter.needles().map(Finder::new).collect(),
        }
    }

    /// The rows of a block that match; `None` when somebody asked to stop.
    fn block(&self, rows: Range<u64>, meter: &Meter) -> Option<Vec<u64>> {
        let mut found = Vec::new();
        let count = rows.end - rows.start;
        for row in rows {
            if row % STEP == 0 && meter.is_cancelled() {
                return None;
            }
            if self.matches(row, &self.index.columns.cells(row as usize)) {
                found.push(row);
            }
        }
        meter.add(count, 0);
        Some(found)
    }

    fn matches(&self, row: u64, cells: &Cells) -> bool {
        if cells.what & BROKEN != 0 {
            return true;
        }
        if !self.namespaces.get(cells.ns as usize).copied().unwrap_or(true) {
            return false;
        }
        if !self.keys.iter().all(|keys| keys.contains(&cells.key)) {
            return false;
        }
        let in_txn = cells.what & IN_TXN != 0;
        let txn = if in_txn && self.filter.needs_txn() {
            self.index.entry(row).ok().and_then(|e| txn_of(&e).map(|txn| txn.name()))
        } else {
            None
        };
        let view = RowView {
            pos: Position::from_u64(cells.pos),
            kind: kind(cells.what),
            ns: "",
            size: u64::from(cells.length),
            txn: txn.as_deref(),
        };
        self.filter.matches_other_columns(&view)
            && (!self.filter.needs_body() || self.body_matches(row, cells))
    }

    fn body_matches(&self, row: u64, cells: &Cells) -> bool {
        if !self.needles.is_empty() {
            let bytes = self.index.bytes(cells).unwrap_or_default();
            if !self.needles.iter().all(|needle| needle.find(bytes).is_some()) {
                return false;
            }
        }
        let leaf = self.index.entry(row).and_then(|whole| self.index.leaf(row, &whole));
        // One that has changed underneath is a match: whoever reads it gets the error.
        leaf.map_or(true, |leaf| self.filter.matches_body(&body(&leaf)))
    }
}

/// What the key column holds for any of these `_id`s; `None` where that cannot be told: numbers
/// inside of documents are compared in another way than keys are.
fn keys(values: &[Bson]) -> Option<Vec<u32>> {
    values
        .iter()
        .map(|value| {
            if matches!(value, Bson::Document(_) | Bson::Array(_) | Bson::JavaScriptCodeWithScope(_)) {
                return None;
            }
            let bytes = bson::serialize_to_vec(&bson::doc! { "_id": value }).ok()?;
            let id = Doc::new(&bytes).ok()?.first_elem()?;
            Some(key_of(DocKey::of(id)))
        })
        .collect()
}
