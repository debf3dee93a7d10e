//! The ops as columns in memory: where each is and of what kind, 17 bytes an op. Everything else
//! is decoded from the oplog when somebody looks at it.

use std::collections::HashMap;

use crate::app::axis::Axis;
use crate::domain::op::{Op, OpKind};
use crate::domain::progress::{Meter, Phase};
use crate::domain::query::Filter;
use crate::domain::{Position, Result};
use crate::ops::Workspace;
use crate::ops::rows::rows;
use crate::ops::search::matches;

/// The columns.
#[derive(Debug, Default)]
pub struct OpTable {
    positions: Vec<u64>,
    kinds: Vec<u8>,
    namespaces: Vec<u32>,
    /// Which operation of its entry.
    inner: Vec<u32>,
    names: Vec<String>,
}

/// Rows that a filter leaves, in order; `None` = all of them.
pub type Selection = Option<std::sync::Arc<Vec<u32>>>;

impl OpTable {
    /// Reads the whole oplog once.
    pub fn read(workspace: &Workspace, meter: &Meter) -> Result<OpTable> {
        meter.enter(Phase::Fold, workspace.oplog.len());
        let mut table = OpTable::default();
        let mut known: HashMap<String, u32> = HashMap::new();
        for entry in workspace.oplog.entries(Position::MIN, Position::MAX) {
            let entry = entry?;
            for (inner, row) in rows(&entry).into_iter().enumerate() {
                let name = match known.get(&row.ns) {
                    Some(name) => *name,
                    None => {
                        let name = u32::try_from(table.names.len()).unwrap_or(u32::MAX);
                        table.names.push(row.ns.clone());
                        known.insert(row.ns, name);
                        name
                    }
                };
                table.positions.push(entry.at.pos.to_u64());
                table.kinds.push(index_of(row.kind));
                table.namespaces.push(name);
                table.inner.push(u32::try_from(inner).unwrap_or(u32::MAX));
            }
            meter.add(1, entry.raw.bytes().len() as u64);
            meter.check("reading the oplog")?;
        }
        Ok(table)
    }

    /// How many ops there are.
    pub fn len(&self) -> u64 {
        self.positions.len() as u64
    }

    /// The first row at or behind a position.
    fn at(&self, pos: Position) -> usize {
        let wanted = pos.to_u64();
        self.positions.partition_point(|p| *p < wanted)
    }

    fn pos(&self, row: usize) -> Option<Position> {
        self.positions.get(row).map(|p| Position::from_u64(*p))
    }

    /// The first row of a list at or behind a position.
    pub fn locate(&self, list: &Selection, pos: Position) -> Option<u64> {
        let row = self.at(pos);
        let (found, len) = match list {
            None => (row, self.positions.len()),
            Some(list) => (list.partition_point(|r| (*r as usize) < row), list.len()),
        };
        (found < len).then_some(found as u64)
    }

    /// Where a row of a list is in the table.
    pub fn row(&self, list: &Selection, row: u64) -> Option<usize> {
        let row = usize::try_from(row).ok()?;
        match list {
            None => (row < self.positions.len()).then_some(row),
            Some(list) => list.get(row).map(|r| *r as usize),
        }
    }

    /// Ops of a list counted by bar and kind.
    pub fn bars(&self, list: &Selection, axis: &Axis) -> Vec<[u32; OpKind::ALL.len()]> {
        let mut counts = vec![[0u32; OpKind::ALL.len()]; usize::from(axis.bars)];
        let range = self.at(axis.from)..self.at(axis.end());
        let mut count = |row: usize| {
            let bar = self.pos(row).and_then(|pos| axis.bar_of(pos));
            let kind = self.kinds.get(row).copied().unwrap_or(0);
            let cell = bar.and_then(|b| counts.get_mut(usize::from(b)));
            if let Some(n) = cell.and_then(|kinds| kinds.get_mut(usize::from(kind))) {
                *n = n.saturating_add(1);
            }
        };
        match list {
            None => range.for_each(&mut count),
            Some(list) => {
                list.iter().map(|r| *r as usize).filter(|r| range.contains(r)).for_each(&mut count);
            }
        }
        counts
    }

    /// Ops at or behind a position, in all and by namespace, the largest first.
    pub fn behind(&self, pos: Position) -> (u64, Vec<(String, u64)>) {
        let from = self.at(pos);
        let mut counts = vec![0u64; self.names.len()];
        for name in self.namespaces.iter().skip(from) {
            if let Some(n) = counts.get_mut(*name as usize) {
                *n += 1;
            }
        }
        let mut by: Vec<(String, u64)> =
            self.names.iter().cloned().zip(counts).filter(|(_, n)| *n > 0).collect();
        by.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        ((self.positions.len() - from) as u64, by)
    }

    /// The rows that a filter leaves.
    pub fn select(&self, workspace: &Workspace, filter: &Filter, meter: &Meter) -> Result<Vec<u32>> {
        meter.enter(Phase::Fold, self.len());
        let mut out = Vec::new();
        self.each(
            workspace,
            0,
            meter,
            &mut |row, fits| {
                if fits {
                    out.extend(u32::try_from(row));
                }
                true
            },
            filter,
        )?;
        Ok(out)
    }

    /// The first row behind `from`, or the last one before it, that a filter matches and that is
    /// in the list; goes round at the end. In rows of the list.
    pub fn search(
        &self,
        workspace: &Workspace,
        (list, filter): (&Selection, &Filter),
        from: u64,
        forward: bool,
        meter: &Meter,
    ) -> Result<Option<u64>> {
        meter.enter(Phase::Fold, self.len());
        let Some(here) = self.row(list, from) else { return Ok(None) };
        let place = |row: usize| match list {
            None => Some(row as u64),
            Some(list) => list.binary_search(&u32::try_from(row).ok()?).ok().map(|at| at as u64),
        };
        let (mut before, mut behind) = (None, None);
        // Forward the walk begins at the cursor and may end at the first match; going round, and
        // backward, it takes all of the oplog.
        if forward {
            self.each(
                workspace,
                here,
                meter,
                &mut |row, fits| {
                    if fits && row > here {
                        behind = place(row);
                    }
                    behind.is_none()
                },
                filter,
            )?;
            if behind.is_some() {
                return Ok(behind);
            }
        }
        self.each(
            workspace,
            0,
            meter,
            &mut |row, fits| {
                if fits && let Some(place) = place(row) {
                    match (forward, row < here) {
                        (true, _) => before = before.or(Some(place)),
                        (false, true) => before = Some(place),
                        (false, false) => behind = Some(place),
                    }
                }
                !(forward && before.is_some())
            },
            filter,
        )?;
        Ok(before.or(behind))
    }

    /// Walks the oplog from a row on, and says of each row whether the filter matches it, until
    /// told to stop.
    fn each(
        &self,
        workspace: &Workspace,
        from: usize,
        meter: &Meter,
        sink: &mut dyn FnMut(usize, bool) -> bool,
        filter: &Filter,
    ) -> Result<()> {
        let Some(start) = self.pos(from) else { return Ok(()) };
        let mut at = self.at(start);
        for entry in workspace.oplog.entries(start, Position::MAX) {
            let entry = entry?;
            for row in rows(&entry) {
                if !sink(at, matches(filter, &row)) {
                    return Ok(());
                }
                at += 1;
            }
            meter.add(1, entry.raw.bytes().len() as u64);
            meter.check("searching")?;
        }
        Ok(())
    }

    /// Decodes rows of a list.
    pub fn ops(&self, workspace: &Workspace, list: &Selection, start: u64, count: u64) -> Result<Vec<Op>> {
        let mut out = Vec::new();
        for n in start..start.saturating_add(count) {
            let Some(row) = self.row(list, n) else { break };
            if let Some(op) = self.with(workspace, row, |row| row.to_op())? {
                out.push(op);
            }
        }
        Ok(out)
    }

    /// Does something with one row, decoded as far as needed.
    pub fn with<T>(
        &self,
        workspace: &Workspace,
        row: usize,
        then: impl FnOnce(&crate::ops::rows::Row<'_>) -> T,
    ) -> Result<Option<T>> {
        let (Some(pos), Some(inner)) = (self.pos(row), self.inner.get(row)) else { return Ok(None) };
        let Some(entry) = workspace.oplog.find(pos)? else { return Ok(None) };
        Ok(rows(&entry).get(*inner as usize).map(then))
    }
}

fn index_of(kind: OpKind) -> u8 {
    let at = OpKind::ALL.iter().position(|k| *k == kind).unwrap_or(0);
    u8::try_from(at).unwrap_or(0)
}
