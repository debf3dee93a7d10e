//! A list of ops: all of them, or those that a filter leaves, over the op index. Rows are counted
//! in the list; what a row holds is decoded when somebody looks at it.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::app::axis::Axis;
use crate::app::data::Counted;
use crate::app::effect::Direction;
use crate::domain::op::{Op, OpKind};
use crate::domain::progress::{Meter, Phase};
use crate::domain::query::Filter;
use crate::domain::{Position, Result};
use crate::index::OpIndex;
use crate::index::rows::Row;

/// Telling what was found takes one part in so many of the time, and is put off for that to so many
/// times the usual at most.
const TELLING: u32 = 8;
const RARELY: u32 = 20;

/// Ops counted by kind, in the order of [`OpKind::ALL`].
type Kinds = [u32; OpKind::ALL.len()];

/// The list.
#[derive(Clone)]
pub struct List {
    /// All ops.
    pub index: Arc<OpIndex>,
    /// The rows of the index that are in the list, in order; `None` = all of them.
    pub rows: Option<Arc<Vec<u64>>>,
    /// How many rows of the index were looked at for it: what lies behind is not in it yet.
    pub looked: u64,
    /// Whether that is all there is.
    pub counted: Counted,
}

impl List {
    /// How many ops it has.
    pub fn len(&self) -> u64 {
        self.rows.as_ref().map_or(self.looked, |rows| rows.len() as u64)
    }

    /// Every op before this position that belongs into the list is in it.
    pub fn until(&self) -> Position {
        match (self.counted, self.looked.checked_sub(1).and_then(|last| self.index.row(last))) {
            (Counted::All, _) => Position::MAX,
            (Counted::SoFar, last) => last.map_or(Position::MIN, |last| last.pos),
        }
    }

    /// The first row at or behind a position; the length where there is none.
    pub fn at_or_behind(&self, pos: Position) -> u64 {
        let row = self.index.lower_bound(pos);
        match &self.rows {
            None => row,
            Some(rows) => rows.partition_point(|r| *r < row) as u64,
        }
    }

    /// The row of the index that a row of the list is.
    pub fn global(&self, row: u64) -> Option<u64> {
        match &self.rows {
            None => (row < self.index.len()).then_some(row),
            Some(rows) => rows.get(usize::try_from(row).ok()?).copied(),
        }
    }

    /// The row of the list that a row of the index is, if it is in it.
    fn local(&self, row: u64) -> Option<u64> {
        match &self.rows {
            None => Some(row),
            Some(rows) => rows.binary_search(&row).ok().map(|at| at as u64),
        }
    }

    /// Ops counted by bar and kind.
    pub fn bars(&self, axis: &Axis) -> Vec<Kinds> {
        let Some(rows) = &self.rows else {
            let all = self.index.histogram(axis.from..axis.end(), usize::from(axis.bars));
            return all.iter().map(|kinds| kinds.map(|n| u32::try_from(n).unwrap_or(u32::MAX))).collect();
        };
        let mut counts: Vec<Kinds> = vec![Kinds::default(); usize::from(axis.bars)];
        let (from, to) = (self.index.lower_bound(axis.from), self.index.lower_bound(axis.end()));
        let begin = rows.partition_point(|r| *r < from);
        let shown = rows.iter().skip(begin).take_while(|row| **row < to);
        for (pos, kind) in shown.flat_map(|row| self.index.places(*row..*row + 1)) {
            let bar = axis.bar_of(pos).and_then(|bar| counts.get_mut(usize::from(bar)));
            if let Some(n) = bar.and_then(|kinds| kinds.get_mut(kind as usize)) {
                *n = n.saturating_add(1);
            }
        }
        counts
    }

    /// Decodes a row.
    pub fn op(&self, row: u64) -> Result<Option<Op>> {
        self.with(row, |op| op.to_op())
    }

    /// Does something with one row, decoded as far as needed.
    pub fn with<T>(&self, row: u64, then: impl FnOnce(&Row<'_>) -> T) -> Result<Option<T>> {
        self.global(row).map(|row| self.index.op(row).map(|op| then(&op))).transpose()
    }

    /// The next row that a filter matches, or the one before, but for those to skip; goes round
    /// at the end, once that is known to be the end.
    pub fn search(
        &self,
        filter: &Filter,
        seek: Seek,
        skip: &dyn Fn(u64) -> bool,
        meter: &Meter,
    ) -> Result<Option<u64>> {
        meter.enter(Phase::Fold, self.index.len());
        let Some(here) = self.global(seek.from) else { return Ok(None) };
        if seek.direction == Direction::Forward {
            let from = seek.looked.max(here + 1);
            meter.add(from, 0);
            let ahead = self.first(filter, from, skip, meter)?;
            if ahead.is_some() || self.counted == Counted::SoFar {
                return Ok(ahead);
            }
            meter.enter(Phase::Fold, self.index.len());
            return self.first(filter, 0, skip, meter);
        }
        let (mut before, mut last) = (None, None);
        self.index.search(filter, 0, meter, &mut |row| {
            if let Some(found) = self.local(row).filter(|found| !skip(*found)) {
                last = Some(found);
                if row < here {
                    before = last;
                }
            }
            // One before the cursor is enough once the cursor has been passed.
            let enough = row >= here && before.is_some();
            Ok(if enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        Ok(match self.counted {
            Counted::All => before.or(last),
            Counted::SoFar => before,
        })
    }

    /// The first row of the list that a filter matches, from a row of the index on.
    fn first(
        &self,
        filter: &Filter,
        from: u64,
        skip: &dyn Fn(u64) -> bool,
        meter: &Meter,
    ) -> Result<Option<u64>> {
        let mut found = None;
        self.index.search(filter, from, meter, &mut |row| {
            found = self.local(row).filter(|found| !skip(*found));
            Ok(if found.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        Ok(found)
    }
}

/// Where to search from.
#[derive(Debug, Clone, Copy)]
pub struct Seek {
    /// The row one is on.
    pub from: u64,
    /// Which way.
    pub direction: Direction,
    /// Searching forward, the rows of the index below were looked at before.
    pub looked: u64,
}

/// The rows of the index that a filter leaves, as far as they are known.
#[derive(Clone, Default)]
pub struct Filtered {
    /// What was typed.
    pub text: String,
    rows: Arc<Vec<u64>>,
    /// Everything below has been looked at.
    next: u64,
    is_all: bool,
}

impl Filtered {
    /// Nothing is known yet.
    pub fn new(text: &str) -> Filtered {
        Filtered { text: text.to_owned(), ..Filtered::default() }
    }

    /// Looks at what has been indexed since. What is found until then is told every now and then,
    /// in its order; the more there is to tell, the less often.
    pub fn go_on(
        &mut self,
        index: &OpIndex,
        filter: &Filter,
        meter: &Meter,
        every: Duration,
        tell: &mut dyn FnMut(&Filtered),
    ) -> Result<()> {
        if self.is_all {
            return Ok(());
        }
        meter.enter(Phase::Fold, index.len());
        meter.add(self.next, 0);
        let mut found = Vec::new();
        let (mut told, mut wait) = (Instant::now(), every);
        let searched = index.search(filter, self.next, meter, &mut |row| {
            found.push(row);
            if told.elapsed() >= wait {
                meter.check("filtering")?;
                let begun = Instant::now();
                Arc::make_mut(&mut self.rows).append(&mut found);
                self.next = row + 1;
                tell(self);
                told = Instant::now();
                wait = ((told - begun) * TELLING).clamp(every, every * RARELY);
            }
            Ok(ControlFlow::Continue(()))
        })?;
        if !found.is_empty() {
            Arc::make_mut(&mut self.rows).extend(found);
        }
        (self.next, self.is_all) = (searched.next, searched.finished);
        Ok(())
    }

    /// Whether it knows at least as much as another one of the same.
    pub fn knows_as_much_as(&self, other: &Filtered) -> bool {
        self.is_all || !other.is_all && self.next >= other.next
    }

    /// The list of them.
    pub fn list(&self, index: Arc<OpIndex>) -> List {
        let counted = if self.is_all { Counted::All } else { Counted::SoFar };
        List { index, rows: Some(Arc::clone(&self.rows)), looked: self.next, counted }
    }
}
