//! The preview: the state at the stop against the end of the oplog, or against another stop,
//! without a restore and without a server. Where both sides have the same snapshot under them,
//! only that is folded, and only those documents are read, that operations in between touched.
//!
//! What does not fit into the memory that [`WalkOptions`] allow is spilled; the numbers are the
//! same then, and of documents that are shown only up to a limit others may be.

mod between;
mod pair;
mod show;

pub(super) use pair::each;
pub use show::{changed_fields, show};

use super::Workspace;
use super::after::{Documents, incident_at, written_again};
use super::memory::Memory;
use super::plan::{base, stop_at};
use super::select::fits;
use super::walk::{Walk, WalkOptions, walk, walk_about};
use crate::domain::burst::Burst;
use crate::domain::diff::{DocumentDiff, NamespaceDiff};
use crate::domain::diff_filter::{Differing, DocumentFilter};
use crate::domain::namespace::Glob;
use crate::domain::stop::{Stop, StopRequest};
use crate::domain::{Namespace, Position, Result, progress::Meter};
use crate::engine::output::State;
use between::between;
use pair::Pair;

/// What to compare.
#[derive(Debug, Clone)]
pub struct DiffRequest {
    /// The state to go back to.
    pub stop: StopRequest,
    /// The other side; `None` = the end of the oplog that joins on without gap.
    pub against: Option<StopRequest>,
    /// The base, if not the newest possible.
    pub snapshot: Option<String>,
    /// The namespaces to look at; none = all.
    pub ns: Vec<Glob>,
    /// How many documents to show field by field; 0 = numbers only.
    pub limit: usize,
    /// What to leave out or take in.
    pub walk: WalkOptions,
}

/// What going back would change.
#[derive(Debug, Clone)]
pub struct Diff {
    /// The state to go back to.
    pub stop: Stop,
    /// The other side.
    pub against: Stop,
    /// The act that begins at the stop.
    pub incident: Option<Burst>,
    /// Namespaces that differ, by name.
    pub namespaces: Vec<NamespaceDiff>,
    /// The first documents that differ, up to the limit.
    pub documents: Vec<DocumentDiff>,
    /// Whether more documents differ than are shown.
    pub limited: bool,
}

/// Who takes the documents that differ, one after the other, namespace by namespace.
pub trait Sink {
    /// Takes one, as bytes; [`show`] makes something to look at of it.
    fn document(&mut self, ns: &Namespace, document: &Differing<'_>) -> Result<()>;

    /// Whether more documents of this namespace make no difference to it any more; once true it
    /// stays true.
    fn is_full(&self, ns: &Namespace) -> bool;

    /// Some documents of a namespace that it is full of were counted only.
    fn passed_over(&mut self, ns: &Namespace);
}

/// The first so many of those that a filter leaves.
struct First<'f> {
    filter: &'f DocumentFilter,
    limit: usize,
    documents: Vec<DocumentDiff>,
    limited: bool,
}

impl Sink for First<'_> {
    fn document(&mut self, ns: &Namespace, document: &Differing<'_>) -> Result<()> {
        if self.documents.len() < self.limit {
            if self.filter.matches(document) {
                self.documents.push(show(ns, document));
            }
        } else if !self.limited {
            self.limited = self.filter.matches(document);
        }
        Ok(())
    }

    fn is_full(&self, _: &Namespace) -> bool {
        self.documents.len() >= self.limit && (self.limited || self.filter.is_empty())
    }

    fn passed_over(&mut self, _: &Namespace) {
        self.limited = true;
    }
}

/// Compares two states, and keeps the first documents that differ and that the filter leaves.
pub fn diff(
    workspace: &Workspace,
    request: &DiffRequest,
    filter: &DocumentFilter,
    meter: &Meter,
) -> Result<Diff> {
    let mut first = First { filter, limit: request.limit, documents: Vec::new(), limited: false };
    let found = diff_into(workspace, request, meter, &mut first)?;
    Ok(Diff { documents: first.documents, limited: first.limited, ..found })
}

/// Compares two states; the documents that differ go to `sink`, and none is kept.
pub fn diff_into(
    workspace: &Workspace,
    request: &DiffRequest,
    meter: &Meter,
    sink: &mut dyn Sink,
) -> Result<Diff> {
    let bound = request.stop.bound(workspace.last());
    let snapshot = base(workspace, request.snapshot.as_deref(), bound)?;
    let info = workspace.infos.iter().find(|i| i.id == snapshot.id);
    let end = info.and_then(|i| workspace.valid_stops(i)).map_or(workspace.last().next(), |v| v.last);
    let against = request.against.map_or(end, |r| r.bound(workspace.last()));
    // Where the same base serves both sides, most documents need not be looked at.
    let other = match base(workspace, Some(&snapshot.id), against) {
        Ok(same) => same,
        Err(_) => base(workspace, request.snapshot.as_deref(), against)?,
    };
    // One part for either side, one for the rest.
    let memory = request.walk.memory.part(3);
    let from = snapshot.window().map_or(Position::MIN, |(first, _)| first.pos);
    let range = bound.min(against)..bound.max(against);
    let about = match other.id == snapshot.id {
        true => between(workspace, from, range, memory, meter)?,
        false => None,
    };
    let fold = |base, bound, memory| {
        let options = WalkOptions { memory, ..request.walk.clone() };
        match &about {
            Some(about) => walk_about(workspace, base, bound, &options, about, meter),
            None => walk(workspace, base, bound, &options, meter),
        }
    };
    let mut now = fold(other, against, memory)?;
    let mut then = fold(snapshot, bound, memory)?;
    // Both sides must be of one kind to be compared.
    match (then.state.is_spilled(), now.state.is_spilled()) {
        (true, false) => now = fold(other, against, memory.spilling())?,
        (false, true) => then = fold(snapshot, bound, memory.spilling())?,
        _ => {}
    }
    let incident = incident_at(workspace, bound, memory, meter)?.filter(|burst| burst.first < against);
    let conflicts = match &incident {
        Some(incident) => Some(written_again(workspace, incident, against, memory.part(2), meter)?),
        None => None,
    };
    let mut out = Out { sink, conflicts, memory: memory.part(2) };
    let mut namespaces = Vec::new();
    for ns in names(&then, &now) {
        if !fits(&request.ns, &ns.to_string()) {
            continue;
        }
        meter.check("comparing")?;
        let found = Pair { ns: &ns, then: &then.state, now: &now.state }.compare(&mut out)?;
        if !found.is_empty() {
            namespaces.push(found);
        }
    }
    Ok(Diff {
        stop: stop_at(workspace, bound)?,
        against: stop_at(workspace, against)?,
        incident,
        namespaces,
        documents: Vec::new(),
        limited: false,
    })
}

fn names(a: &Walk<'_>, b: &Walk<'_>) -> Vec<Namespace> {
    let mut names: Vec<Namespace> =
        a.state.collections().iter().chain(b.state.collections()).map(|s| s.ns.clone()).collect();
    names.sort();
    names.dedup();
    names
}

/// Where differences go, and what is known of all of them.
pub struct Out<'s> {
    sink: &'s mut dyn Sink,
    /// Documents of the incident that were written again.
    conflicts: Option<Documents>,
    /// For the documents of collections that are compared whole.
    memory: Memory,
}
