//! What the application asks for. Effects are data: they can be compared in tests, and the one
//! place that carries them out is the one place where something can be written.

use super::axis::Axis;
use super::document::DocumentRef;
use super::jobs::{JobId, Slot};
use super::list::{Anchor, View};
use super::screens::preview::Comparison;
use super::screens::states::Question;
use crate::domain::Position;

/// Something to be done outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Answer this question, and end with exactly one [`super::JobEvent::Ended`].
    Start {
        /// Under this name; the job before it in the same slot is of no interest any more.
        job: JobId,
        /// The question.
        work: Work,
    },
    /// The job in this slot is of no interest any more.
    Cancel(Slot),
    /// Restore. Writes; only ever behind a confirmation.
    Restore {
        /// Under this name.
        job: JobId,
        /// What.
        request: RestoreRequest,
    },
    /// Write something to a new file. Only ever behind its typed name.
    Export {
        /// Under this name.
        job: JobId,
        /// What.
        what: Export,
        /// The file, as typed.
        path: String,
    },
    /// Ask the restore that runs to stop. Only ever behind a confirmation.
    CancelRestore,
    /// Put something into the clipboard.
    Copy(Copy),
    /// Hand the terminal back to the shell until resumed.
    Suspend,
    /// Draw everything anew.
    Redraw,
    /// Leave.
    Quit,
}

impl Effect {
    /// Whether it changes anything beyond this program and its screen.
    pub fn writes(&self) -> bool {
        matches!(self, Effect::Restore { .. } | Effect::CancelRestore | Effect::Export { .. })
    }
}

/// What to write to a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Export {
    /// Every document that differs and that a filter leaves, as NDJSON.
    Diff {
        /// Which two states.
        of: Comparison,
        /// The filter.
        filter: Option<String>,
    },
    /// States side by side, as Markdown.
    States(Question),
    /// The post-mortem of the case, as Markdown.
    Report,
}

/// What a restore is asked to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoreRequest {
    /// The exclusive bound.
    pub bound: Position,
    /// The base, if one was named.
    pub snapshot: Option<String>,
    /// Where to, as on the command line.
    pub target: String,
}

/// What to put into the clipboard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Copy {
    /// This text.
    Text(String),
    /// How to connect to what was restored, with its password, which is not known here.
    Connection,
}

/// A question. Rows are counted in the list of ops as `view` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Work {
    /// Open the sources.
    Open,
    /// Take in what has come from the sources that are followed.
    Grow,
    /// Read the oplog into columns.
    Index,
    /// Find the bursts that look like damage.
    Suspects,
    /// How long is this list, and which row of it is this?
    List {
        /// The list.
        view: View,
        /// What the row is asked of.
        at: Anchor,
    },
    /// Which is the next op from row `from` on (itself excluded) that the query matches? Goes
    /// round at the end.
    Search {
        /// The query.
        query: String,
        /// The list to search.
        view: View,
        /// Where to begin.
        from: u64,
        /// Which way.
        direction: Direction,
    },
    /// Which is the first op at or behind this position?
    Locate {
        /// The list.
        view: View,
        /// The position.
        pos: Position,
    },
    /// Decode these rows.
    Rows {
        /// The list.
        view: View,
        /// The first.
        start: u64,
        /// How many.
        count: u64,
    },
    /// Count ops in each bar.
    Bars {
        /// The query that narrows the list.
        filter: Option<String>,
        /// The bars.
        axis: Axis,
    },
    /// Decode all of one op.
    Detail {
        /// The list.
        view: View,
        /// Its row.
        row: u64,
    },
    /// What was its document before this op, and after it?
    Change {
        /// The list.
        view: View,
        /// Its row.
        row: u64,
    },
    /// Which versions did this document have?
    History {
        /// Which.
        of: DocumentRef,
    },
    /// What is this version of it, and what was the one before?
    Version {
        /// Of which document.
        of: DocumentRef,
        /// Its number among the versions.
        number: u64,
    },
    /// Which are the neighbours of this stop, and what follows it?
    Stop {
        /// The exclusive bound.
        bound: Position,
    },
    /// What follows this stop: the incident, and the good writes that would be lost with it?
    After {
        /// The exclusive bound.
        bound: Position,
        /// The base, if one was named.
        snapshot: Option<String>,
    },
    /// Note in the case that this stop was chosen.
    Decide {
        /// The exclusive bound.
        bound: Position,
        /// The base, if one was named.
        snapshot: Option<String>,
    },
    /// What does going back to this stop change?
    Diff {
        /// Which two states.
        of: Comparison,
    },
    /// And which documents in this namespace?
    Documents {
        /// Which two states.
        of: Comparison,
        /// The namespace.
        ns: String,
        /// Which of its documents.
        filter: Option<String>,
        /// How many of these are known already.
        skip: u64,
    },
    /// Set a mark; answers all marks.
    SetMark {
        /// Its name.
        name: String,
        /// Operations below this are before it.
        pos: Position,
        /// What to remember about it.
        note: Option<String>,
    },
    /// Take a mark away; answers all marks.
    RemoveMark {
        /// Its name.
        name: String,
    },
    /// Note something in the case.
    Note {
        /// What.
        text: String,
    },
    /// What was done in this case so far?
    Journal,
    /// What do these states hold?
    States(Question),
    /// What would a restore do?
    Plan(RestoreRequest),
}

/// Which way to search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// To later ops.
    Forward,
    /// To earlier ops.
    Backward,
}
