//! What the list of ops shows: which of them, and bursts folded into one row each.

use std::collections::BTreeSet;
use std::ops::Range;

use super::data::Counted;
use crate::domain::Position;
use crate::domain::burst::Burst;
use crate::domain::op::Op;

/// Which ops the list has, and how they are shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct View {
    /// The query that narrows it.
    pub filter: Option<String>,
    /// Whether bursts are folded.
    pub folded: bool,
    /// The bursts that are open, by number.
    pub open: BTreeSet<u32>,
}

/// A row of the list.
#[derive(Debug, Clone, PartialEq)]
pub enum Line {
    /// An op.
    Op {
        /// Its number in the list without folds.
        at: u64,
        /// It.
        op: Op,
        /// The open burst it belongs to.
        of: Option<u32>,
    },
    /// The heading of a burst.
    Burst(Box<Folded>),
}

/// A burst in the list.
#[derive(Debug, Clone, PartialEq)]
pub struct Folded {
    /// Which.
    pub number: u32,
    /// What is known of it.
    pub burst: Burst,
    /// How many ops of the list it stands for.
    pub ops: u64,
    /// Milliseconds from the first to the last of them by the server's clock, where the oplog
    /// has it.
    pub millis: Option<u64>,
    /// Whether they are shown below it.
    pub open: bool,
    /// The number of its first op in the list without folds.
    pub at: u64,
    /// Its first op.
    pub op: Op,
}

impl Line {
    /// The op, or the first one of the burst.
    pub fn op(&self) -> &Op {
        match self {
            Line::Op { op, .. } => op,
            Line::Burst(folded) => &folded.op,
        }
    }

    /// Its number in the list without folds; of a burst that of its first op.
    pub fn at(&self) -> u64 {
        match self {
            Line::Op { at, .. } => *at,
            Line::Burst(folded) => folded.at,
        }
    }

    /// The burst, if it is one.
    pub fn burst(&self) -> Option<&Folded> {
        match self {
            Line::Op { .. } => None,
            Line::Burst(folded) => Some(folded),
        }
    }
}

/// Some rows of the list.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Page {
    /// The number of the first one in the list.
    pub start: u64,
    /// They.
    pub lines: Vec<Line>,
}

impl Page {
    /// A row of the list.
    pub fn get(&self, row: u64) -> Option<&Line> {
        self.lines.get(usize::try_from(row.checked_sub(self.start)?).ok()?)
    }

    /// Whether it holds all these rows.
    pub fn holds(&self, rows: &Range<u64>) -> bool {
        rows.is_empty() || (self.start <= rows.start && rows.end <= self.start + self.lines.len() as u64)
    }
}

/// Where the cursor is to be in a list that changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    /// On this op, by its number in the list without folds.
    Op(u64),
    /// On the heading of this burst.
    Burst(u32),
    /// On the first op at or behind this position.
    Pos(Position),
}

/// The list, ready to be looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// What it shows.
    pub view: View,
    /// How many rows it has.
    pub len: u64,
    /// How many ops it has without folds.
    pub ops: u64,
    /// Of what.
    pub counted: Counted,
    /// The row of the anchor.
    pub row: u64,
}

/// An op that was looked for, and where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spot {
    /// Its row, or that of the heading of the burst it is folded into.
    pub row: u64,
    /// Its number in the list without folds.
    pub op: u64,
    /// The burst to be opened before it can be seen; `None` = its row is right.
    pub inside: Option<u32>,
}
