//! A list of ops as it is shown: bursts folded into one row each. Rows are decoded when somebody
//! looks at them.

use std::sync::Arc;

use super::list::{List, Seek};
use crate::app::data::Counted;
use crate::app::folding::{Folding, Place, Shown as Is};
use crate::app::list::{Anchor, Folded, Line, Spot};
use crate::domain::burst::Burst;
use crate::domain::op::Op;
use crate::domain::progress::Meter;
use crate::domain::query::Filter;
use crate::domain::{Error, Position, Result};

/// The list.
#[derive(Clone)]
pub struct Shown {
    /// All its ops.
    pub list: List,
    /// How they are folded; `None` = not.
    pub folding: Option<Arc<Folding>>,
    /// The bursts, by number.
    pub bursts: Arc<Vec<Burst>>,
    /// The open ones.
    pub open: std::collections::BTreeSet<u32>,
}

impl Shown {
    /// How many rows it has.
    pub fn len(&self) -> u64 {
        self.folding.as_ref().map_or(self.list.len(), |folding| folding.len())
    }

    fn is(&self, row: u64) -> Option<Is> {
        match &self.folding {
            Some(folding) => folding.shown(row),
            None => (row < self.list.len()).then_some(Is::Row(row)),
        }
    }

    /// The row of the list that a row shown is; of a heading the first one of its burst.
    pub fn row_behind(&self, row: u64) -> Option<u64> {
        match self.is(row)? {
            Is::Row(row) => Some(row),
            Is::Heading(fold) => self.folding.as_ref()?.folds().get(fold).map(|fold| fold.first()),
        }
    }

    /// Decodes rows.
    pub fn lines(&self, start: u64, count: u64) -> Result<Vec<Line>> {
        let rows = (start..start.saturating_add(count)).map_while(|row| self.is(row));
        rows.map(|row| match row {
            Is::Row(at) => Ok(Line::Op { at, op: self.op(at)?, of: self.burst_of(at) }),
            Is::Heading(fold) => self.heading(fold),
        })
        .collect()
    }

    fn op(&self, at: u64) -> Result<Op> {
        self.list.op(at)?.ok_or_else(|| changed(at))
    }

    fn burst_of(&self, at: u64) -> Option<u32> {
        let folding = self.folding.as_ref()?;
        folding.folds().get(folding.fold_of(at)?).map(|fold| fold.number)
    }

    fn heading(&self, fold: usize) -> Result<Line> {
        let fold = self.folding.as_ref().and_then(|folding| folding.folds().get(fold));
        let fold = fold.ok_or_else(|| changed(0))?;
        let burst = usize::try_from(fold.number).ok().and_then(|at| self.bursts.get(at));
        let wall =
            |at: u64| -> Result<Option<i64>> { Ok(self.list.with(at, |row| row.entry.wall)?.flatten()) };
        let took = |from: i64, to: i64| u64::try_from(to.saturating_sub(from)).ok();
        let millis = match (wall(fold.first())?, wall(fold.last())?) {
            (Some(from), Some(to)) => took(from, to),
            _ => None,
        };
        Ok(Line::Burst(Box::new(Folded {
            number: fold.number,
            burst: burst.cloned().ok_or_else(|| changed(fold.first()))?,
            ops: fold.rows(),
            millis,
            open: self.open.contains(&fold.number),
            at: fold.first(),
            op: self.op(fold.first())?,
        })))
    }

    /// Where a row of the list is. The first op of a burst is where its heading is.
    fn spot(&self, op: u64) -> Spot {
        let Some(folding) = &self.folding else { return Spot { row: op, op, inside: None } };
        match folding.place(op) {
            Place::At(row) => Spot { row, op, inside: None },
            Place::Behind(row, fold) => {
                let fold = folding.folds().get(fold).filter(|fold| fold.first() != op);
                Spot { row, op, inside: fold.map(|fold| fold.number) }
            }
        }
    }

    /// The first op at or behind a position.
    pub fn locate(&self, pos: Position) -> Option<Spot> {
        let at = self.list.at_or_behind(pos);
        (at < self.list.len()).then(|| self.spot(at))
    }

    /// The row where the cursor is to be.
    pub fn anchor(&self, at: Anchor) -> u64 {
        let row = match at {
            Anchor::Op(at) => self.spot(at).row,
            Anchor::Pos(pos) => self.spot(self.list.at_or_behind(pos)).row,
            Anchor::Burst(number) => {
                let folding = self.folding.as_ref();
                let fold = |folding: &Arc<Folding>| folding.folds().iter().position(|f| f.number == number);
                folding.and_then(|folding| folding.heading(fold(folding)?)).unwrap_or(0)
            }
        };
        row.min(self.len().saturating_sub(1))
    }

    /// The next op that a filter matches, or the one before; goes round at the end. A folded burst
    /// whose first op matches is one match; of any other the op itself is.
    ///
    /// `seek` is about rows as they are shown.
    pub fn search(&self, filter: &Filter, seek: Seek, meter: &Meter) -> Result<Option<Spot>> {
        let Some(here) = self.row_behind(seek.from) else { return Ok(None) };
        let folds = self.folding.as_ref().map_or(&[][..], |folding| folding.folds());
        let closed = |fold: &usize| folds.get(*fold).is_some_and(|fold| !self.open.contains(&fold.number));
        let own = match self.is(seek.from) {
            Some(Is::Heading(fold)) if closed(&fold) => folds.get(fold),
            _ => None,
        };
        let skip = |row: u64| own.is_some_and(|own| own.holds(row));
        let matches =
            |row: u64| -> Result<bool> { Ok(self.list.with(row, |op| op.matches(filter))?.unwrap_or(false)) };
        let Some(found) = self.list.search(filter, Seek { from: here, ..seek }, &skip, meter)? else {
            // Nothing but the burst one is on.
            return Ok(match own {
                Some(own) if self.list.counted == Counted::All && matches(own.first())? => {
                    Some(self.spot(own.first()))
                }
                _ => None,
            });
        };
        let spot = self.spot(found);
        let of = spot.inside.and_then(|number| folds.iter().find(|fold| fold.number == number));
        Ok(Some(match of {
            Some(fold) if matches(fold.first())? => self.spot(fold.first()),
            _ => spot,
        }))
    }
}

fn changed(at: u64) -> Box<Error> {
    Box::new(
        Error::failed("reading the op", format!("number {at}"), "the list has changed meanwhile")
            .hint("show every op by itself, and then fold the bursts again."),
    )
}
