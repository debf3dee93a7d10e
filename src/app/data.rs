//! What the screens are about, as the runtime hands it in: only words of the trade.

use std::collections::BTreeMap;

use crate::domain::burst::Burst;
use crate::domain::coverage::{Gap, Segment};
use crate::domain::diff::{DocumentDiff, NamespaceDiff};
use crate::domain::marks::Mark;
use crate::domain::op::OpKind;
use crate::domain::progress::Phase;
use crate::domain::snapshot::SnapshotInfo;
use crate::domain::stop::{OtherTools, Stop, ValidStops};
use crate::domain::{Error, Position};

use super::axis::Axis;

/// The sources, opened.
#[derive(Debug, Clone, Default)]
pub struct Opened {
    /// The case's folder, for humans.
    pub case: String,
    /// The snapshots, in the order of their edges.
    pub bases: Vec<Base>,
    /// Stretches of oplog without gap.
    pub segments: Vec<Segment>,
    /// The gaps between them.
    pub gaps: Vec<Gap>,
    /// Things to know.
    pub notes: Vec<String>,
    /// Oplog entries in all.
    pub entries: u64,
    /// The first position known.
    pub first: Option<Position>,
    /// The last position known.
    pub last: Option<Position>,
    /// Where a restore can go; never empty.
    pub targets: Vec<Target>,
    /// The marks of the case.
    pub marks: Vec<Mark>,
    /// What answered for the live sources: the name of each set and the member.
    pub live: Vec<String>,
    /// The stop chosen the last time, and the base if one was named.
    pub chosen: Option<(Position, Option<String>)>,
}

/// A snapshot and the stops it allows.
#[derive(Debug, Clone)]
pub struct Base {
    /// What it is.
    pub info: SnapshotInfo,
    /// The stops; `None` = it is no point in time.
    pub valid: Option<ValidStops>,
}

/// A place a restore can go to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// As on the command line: `isolated`, `dump:DIR`.
    pub spec: String,
    /// What it is, a sentence.
    pub what: String,
    /// The name to type before anything is written there; `None` = the place is ours.
    pub theirs: Option<String>,
}

impl Target {
    /// In one or two words.
    pub fn name(&self) -> &str {
        if self.spec.starts_with("dump:") { "dump directory" } else { &self.spec }
    }
}

/// The oplog as columns, ready to be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Indexed {
    /// How many ops there are (a transaction counts as many as it holds).
    pub ops: u64,
    /// Of what: the oplog can be looked at while it is being read.
    pub counted: Counted,
}

/// What a count is of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Counted {
    /// Everything there is.
    #[default]
    All,
    /// What has been read so far: it will be as many or more.
    SoFar,
}

/// Ops counted by bar and kind (in the order of [`OpKind::ALL`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bars {
    /// The axis they belong to.
    pub axis: Axis,
    /// One row a bar.
    pub counts: Vec<[u32; OpKind::ALL.len()]>,
    /// Every op before this position is counted: what lies behind may not be read yet.
    pub until: Position,
}

impl Bars {
    /// Of what the bars are: what is in view may have been read long before all is.
    pub fn counted(&self) -> Counted {
        if self.axis.end() <= self.until { Counted::All } else { Counted::SoFar }
    }
}

/// A text to read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Text {
    /// Its lines; foreign text, to be made visible before it is shown.
    pub lines: Vec<String>,
}

/// The stop, looked at.
#[derive(Debug, Clone)]
pub struct StopFacts {
    /// With both its neighbours.
    pub stop: Stop,
    /// The same for other tools.
    pub tools: OtherTools,
    /// Ops behind it that would be left out.
    pub left_out: u64,
    /// What these were counted among.
    pub counted: Counted,
}

/// What going back changes, in numbers.
#[derive(Debug, Clone)]
pub struct Diff {
    /// The stop it was made for.
    pub stop: Position,
    /// What it is compared with.
    pub against: Stop,
    /// The namespaces that differ.
    pub namespaces: Vec<NamespaceDiff>,
    /// The act that begins at the stop.
    pub incident: Option<Burst>,
    /// The first documents of each namespace, by its name.
    pub first: BTreeMap<String, Documents>,
}

/// What going back changes in one namespace.
#[derive(Debug, Clone, Default)]
pub struct Documents {
    /// The documents, as many as were asked for, in the order they were found.
    pub documents: Vec<DocumentDiff>,
    /// Whether there are more.
    pub limited: bool,
}

/// What became of a restore.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// What went wrong; `None` = complete and verified.
    pub error: Option<Error>,
    /// What is there now.
    pub restored: Option<Restored>,
    /// What was compared.
    pub checks: Vec<Check>,
    /// Things to know.
    pub notes: Vec<String>,
    /// How long each phase took, in seconds.
    pub phases: Vec<(Phase, f64)>,
    /// How long it took in all, in seconds.
    pub seconds: f64,
    /// The folder of the restore, with its log.
    pub folder: String,
}

/// What a restore left behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// A word: `isolated mongod`, `dump directory`, `server`.
    pub kind: String,
    /// How to get at it, without secrets.
    pub place: String,
    /// How to go on, a sentence.
    pub next: String,
}

/// One collection, compared with what it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// Its name.
    pub ns: String,
    /// Documents sent.
    pub expected: u64,
    /// Documents read back.
    pub found: u64,
    /// Whether the documents are equal.
    pub documents_ok: bool,
    /// Whether the indexes are.
    pub indexes_ok: bool,
    /// Whether type and options are.
    pub options_ok: bool,
    /// Each difference, for a human.
    pub differences: Vec<String>,
}

impl Check {
    /// Whether nothing differs.
    pub fn ok(&self) -> bool {
        self.documents_ok && self.indexes_ok && self.options_ok && self.differences.is_empty()
    }
}
