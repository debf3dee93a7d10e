//! The preview: the state at the stop against the end of the oplog, or against another stop,
//! without a restore and without a server. Of a collection that is the same on both sides only
//! the documents are read that operations in between have touched.
//!
//! What does not fit into the memory that [`WalkOptions`] allow is spilled; the numbers are the
//! same then, and of documents that are shown only up to a limit others may be.

mod pair;

use super::Workspace;
use super::after::{Documents, incident_at, written_again};
use super::memory::Memory;
use super::plan::{base, stop_at};
use super::rows::{document_json, json};
use super::select::fits;
use super::walk::{Walk, WalkOptions, walk};
use crate::domain::burst::Burst;
use crate::domain::diff::{DocumentDiff, Fate, FieldDiff, NamespaceDiff, fields};
use crate::domain::namespace::Glob;
use crate::domain::stop::{Stop, StopRequest};
use crate::domain::{Namespace, Result, progress::Meter};
use crate::engine::bson::Doc;
use crate::engine::output::State;
use crate::engine::state::Folded;
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

/// Compares two states.
pub fn diff(workspace: &Workspace, request: &DiffRequest, meter: &Meter) -> Result<Diff> {
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
    let fold = |base, bound, memory| {
        let options = WalkOptions { memory, ..request.walk.clone() };
        walk(workspace, base, bound, &options, meter)
    };
    let mut now = fold(other, against, memory)?;
    let mut then = fold(snapshot, bound, memory)?;
    // Both sides must be of one kind to be compared.
    match (then.state.is_spilled(), now.state.is_spilled()) {
        (true, false) => now = fold(other, against, memory.spilling())?,
        (false, true) => then = fold(snapshot, bound, memory.spilling())?,
        _ => {}
    }
    let incident = incident_at(workspace, bound, meter)?.filter(|burst| burst.first < against);
    let conflicts = match &incident {
        Some(incident) => Some(written_again(workspace, incident, against, memory.part(2), meter)?),
        None => None,
    };
    let mut collector = Collector {
        limit: request.limit,
        documents: Vec::new(),
        limited: false,
        conflicts,
        memory: memory.part(2),
    };
    let mut namespaces = Vec::new();
    for ns in names(&then, &now) {
        if !fits(&request.ns, &ns.to_string()) {
            continue;
        }
        meter.check("comparing")?;
        let found = Pair { ns: &ns, then: &then.state, now: &now.state }.compare(&mut collector)?;
        if !found.is_empty() {
            namespaces.push(found);
        }
    }
    Ok(Diff {
        stop: stop_at(workspace, bound)?,
        against: stop_at(workspace, against)?,
        incident,
        namespaces,
        documents: collector.documents,
        limited: collector.limited,
    })
}

fn names(a: &Walk<'_>, b: &Walk<'_>) -> Vec<Namespace> {
    let mut names: Vec<Namespace> =
        a.state.collections().iter().chain(b.state.collections()).map(|s| s.ns.clone()).collect();
    names.sort();
    names.dedup();
    names
}

struct Collector {
    limit: usize,
    documents: Vec<DocumentDiff>,
    limited: bool,
    /// Documents of the incident that were written again.
    conflicts: Option<Documents>,
    /// For the documents of collections that are compared whole.
    memory: Memory,
}

/// Streams all documents of one collection of a state.
pub(super) fn each(state: &Folded<'_>, at: usize, sink: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
    for chunk in 0..state.chunks(at) {
        state.emit(at, chunk, sink)?;
    }
    state.finish(at)
}

/// One document for output, field by field where it is there on both sides.
fn show(ns: &Namespace, fate: Fate, then: Option<&[u8]>, now: Option<&[u8]>) -> DocumentDiff {
    let raw_json = |bytes: Option<&[u8]>| bytes.and_then(|b| Doc::new(b).ok()).map(document_json);
    let id = then
        .or(now)
        .and_then(|b| Doc::new(b).ok())
        .and_then(|d| d.get("_id"))
        .map_or(serde_json::Value::Null, |e| json(&e));
    let fields = changed_fields(then, now);
    DocumentDiff {
        ns: ns.clone(),
        id,
        fate,
        conflict: false,
        fields,
        at_stop: raw_json(then),
        against: raw_json(now),
    }
}

/// The fields in which two versions differ; none where one of them is missing.
pub fn changed_fields(then: Option<&[u8]>, now: Option<&[u8]>) -> Vec<FieldDiff> {
    let (Some(then), Some(now)) = (then, now) else { return Vec::new() };
    let doc = |bytes: &[u8]| bson::deserialize_from_slice::<bson::Document>(bytes).ok();
    if let (Some(a), Some(b)) = (doc(then), doc(now)) {
        return fields(&a, &b);
    }
    if then == now {
        return Vec::new();
    }
    // Not decodable (text that is not UTF-8): shown whole.
    let raw_json = |bytes: &[u8]| Doc::new(bytes).ok().map(document_json);
    vec![FieldDiff {
        path: String::new(),
        at_stop: raw_json(then),
        against: raw_json(now),
        order_only: false,
    }]
}
