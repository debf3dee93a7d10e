//! A list with folds: runs of rows that stand behind one heading each. Numbers only: whoever has
//! the rows says which belong together. Nothing grows with the list, only with its folds.
//!
//! A heading is a row of its own in front of the first row of its fold, whether that is open or
//! not; the rows of a closed fold are not shown, and rows of others between them are.

use std::collections::BTreeSet;
use std::ops::Range;

/// Rows that belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fold {
    /// Its name.
    pub number: u32,
    /// Its rows in the list without folds: in order, apart, none empty; never without any.
    pub runs: Vec<Range<u64>>,
}

impl Fold {
    /// Its first row in the list without folds.
    pub fn first(&self) -> u64 {
        self.runs.first().map_or(0, |run| run.start)
    }

    /// Its last row in the list without folds.
    pub fn last(&self) -> u64 {
        self.runs.last().map_or(0, |run| run.end.saturating_sub(1))
    }

    /// How many rows it has.
    pub fn rows(&self) -> u64 {
        self.runs.iter().map(|run| run.end - run.start).sum()
    }

    /// Whether a row of the list without folds is one of its.
    pub fn holds(&self, row: u64) -> bool {
        let behind = self.runs.partition_point(|run| run.end <= row);
        self.runs.get(behind).is_some_and(|run| run.start <= row)
    }
}

/// What a row of the list with folds is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// The heading of a fold, by its place among the folds.
    Heading(usize),
    /// This row of the list without folds.
    Row(u64),
}

/// Where a row of the list without folds went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// It is shown as this row.
    At(u64),
    /// It is hidden in a fold, whose heading is this row; by its place among the folds.
    Behind(u64, usize),
}

/// Rows in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Piece {
    /// The first of them in the list with folds.
    shown: u64,
    /// The first of them in the list without folds; of a heading that of its fold.
    row: u64,
    /// The fold whose heading it is.
    heading: Option<usize>,
}

/// A list with folds, some of them open.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Folding {
    folds: Vec<Fold>,
    pieces: Vec<Piece>,
    len: u64,
}

impl Folding {
    /// The list of `len` rows with these folds, of which those named in `open` are open. No row
    /// may belong to two folds.
    pub fn new(mut folds: Vec<Fold>, open: &BTreeSet<u32>, len: u64) -> Folding {
        folds.retain(|fold| !fold.runs.is_empty());
        folds.sort_by_key(Fold::first);
        let closed = folds.iter().filter(|fold| !open.contains(&fold.number));
        let mut hidden: Vec<Range<u64>> = closed.flat_map(|fold| fold.runs.iter().cloned()).collect();
        hidden.sort_by_key(|run| run.start);
        let mut pieces = Vec::with_capacity(folds.len() + hidden.len() + 1);
        let (mut shown, mut row) = (0, 0);
        fn plain(pieces: &mut Vec<Piece>, shown: &mut u64, row: &mut u64, until: u64) {
            if *row < until {
                pieces.push(Piece { shown: *shown, row: *row, heading: None });
                *shown += until - *row;
                *row = until;
            }
        }
        let mut hidden = hidden.into_iter().peekable();
        for (at, fold) in folds.iter().enumerate() {
            let first = fold.first();
            while let Some(run) = hidden.next_if(|run| run.start < first) {
                plain(&mut pieces, &mut shown, &mut row, run.start);
                row = row.max(run.end);
            }
            plain(&mut pieces, &mut shown, &mut row, first);
            pieces.push(Piece { shown, row: first, heading: Some(at) });
            shown += 1;
        }
        for run in hidden {
            plain(&mut pieces, &mut shown, &mut row, run.start);
            row = row.max(run.end);
        }
        plain(&mut pieces, &mut shown, &mut row, len);
        Folding { folds, pieces, len: shown }
    }

    /// How many rows it shows.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether it shows none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The folds, in the order of their first rows.
    pub fn folds(&self) -> &[Fold] {
        &self.folds
    }

    /// What a row of it is.
    pub fn shown(&self, row: u64) -> Option<Shown> {
        let at = self.pieces.partition_point(|piece| piece.shown <= row).checked_sub(1)?;
        let piece = self.pieces.get(at).filter(|_| row < self.len)?;
        Some(match piece.heading {
            Some(fold) => Shown::Heading(fold),
            None => Shown::Row(piece.row + (row - piece.shown)),
        })
    }

    /// Where a row of the list without folds went; one behind the last is behind the last.
    pub fn place(&self, row: u64) -> Place {
        let at = self.pieces.partition_point(|piece| piece.row <= row);
        let next = self.pieces.get(at).map_or(self.len, |piece| piece.shown);
        if let Some(piece) = at.checked_sub(1).and_then(|at| self.pieces.get(at))
            && piece.heading.is_none()
            && row - piece.row < next - piece.shown
        {
            return Place::At(piece.shown + (row - piece.row));
        }
        match self.folds.iter().position(|fold| fold.holds(row)) {
            Some(fold) => Place::Behind(self.heading(fold).unwrap_or(next), fold),
            None => Place::At(next),
        }
    }

    /// The row of a fold's heading.
    pub fn heading(&self, fold: usize) -> Option<u64> {
        let first = self.folds.get(fold)?.first();
        let from = self.pieces.partition_point(|piece| piece.row < first);
        let here = self.pieces.iter().skip(from).take_while(|piece| piece.row == first);
        here.filter(|piece| piece.heading == Some(fold)).map(|piece| piece.shown).next()
    }

    /// The fold that a row of the list without folds belongs to, by its place among the folds.
    pub fn fold_of(&self, row: u64) -> Option<usize> {
        self.folds.iter().position(|fold| fold.first() <= row && fold.holds(row))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The same list, row by row: `None` = a heading.
    fn naive(of: &[Option<u32>], open: &BTreeSet<u32>) -> Vec<(u32, Option<u64>)> {
        let mut out = Vec::new();
        let mut seen = BTreeSet::new();
        for (row, fold) in of.iter().enumerate() {
            let row = row as u64;
            match fold {
                None => out.push((0, Some(row))),
                Some(fold) => {
                    if seen.insert(*fold) {
                        out.push((*fold, None));
                    }
                    if open.contains(fold) {
                        out.push((*fold, Some(row)));
                    }
                }
            }
        }
        out
    }

    fn folds(of: &[Option<u32>]) -> Vec<Fold> {
        let numbers: BTreeSet<u32> = of.iter().flatten().copied().collect();
        let runs = |number: u32| {
            let mut runs: Vec<Range<u64>> = Vec::new();
            for (row, _) in of.iter().enumerate().filter(|(_, fold)| **fold == Some(number)) {
                let row = row as u64;
                match runs.last_mut().filter(|run| run.end == row) {
                    Some(run) => run.end += 1,
                    None => runs.push(row..row + 1),
                }
            }
            runs
        };
        numbers.into_iter().map(|number| Fold { number, runs: runs(number) }).collect()
    }

    proptest! {
        /// Interleaved as they may be, every row is where the slow way has it, and back.
        #[test]
        fn every_row_is_found_both_ways(
            of in proptest::collection::vec(proptest::option::weighted(0.7, 1u32..5), 0..40),
            open in proptest::collection::btree_set(1u32..5, 0..4),
        ) {
            let want = naive(&of, &open);
            let folding = Folding::new(folds(&of), &open, of.len() as u64);
            prop_assert_eq!(folding.len(), want.len() as u64);
            for (at, (number, row)) in want.iter().enumerate() {
                let got = folding.shown(at as u64).unwrap();
                match (got, row) {
                    (Shown::Heading(fold), None) => {
                        prop_assert_eq!(folding.folds()[fold].number, *number);
                        prop_assert_eq!(folding.heading(fold), Some(at as u64));
                    }
                    (Shown::Row(got), Some(row)) => {
                        prop_assert_eq!(got, *row);
                        prop_assert_eq!(folding.place(got), Place::At(at as u64));
                    }
                    other => prop_assert!(false, "{:?} at {}", other, at),
                }
            }
            prop_assert_eq!(folding.shown(want.len() as u64), None);
            for (row, fold) in of.iter().enumerate() {
                let hidden = fold.filter(|fold| !open.contains(fold));
                match (folding.place(row as u64), hidden) {
                    (Place::Behind(heading, at), Some(fold)) => {
                        prop_assert_eq!(folding.folds()[at].number, fold);
                        prop_assert_eq!(folding.shown(heading), Some(Shown::Heading(at)));
                    }
                    (Place::At(_), None) => {}
                    other => prop_assert!(false, "{:?} for row {}", other, row),
                }
                prop_assert_eq!(folding.fold_of(row as u64).map(|at| folding.folds()[at].number), *fold);
            }
            prop_assert_eq!(folding.place(of.len() as u64), Place::At(want.len() as u64));
        }
    }
}
