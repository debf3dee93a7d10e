//! States at several times, side by side and without a restore: counts, documents that fulfil a
//! condition, one document. Each is folded anew from its own base.

use std::collections::HashSet;

use super::Workspace;
use super::diff::each;
use super::memory::Memory;
use super::plan::{base, stop_at};
use super::rows::document_json;
use super::select::fits;
use super::walk::{WalkOptions, walk};
use crate::domain::namespace::Glob;
use crate::domain::query::IdPattern;
use crate::domain::stop::Stop;
use crate::domain::{Namespace, Position, Result, progress::Meter};
use crate::engine::bson::Doc;
use crate::engine::input::CollectionKind;
use crate::engine::key::DocKey;
use crate::engine::matcher::Matcher;
use crate::engine::output::State;

/// A time somebody wants to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// Its name, if it is a mark.
    pub name: Option<String>,
    /// What somebody noted about it.
    pub note: Option<String>,
    /// Operations below this count.
    pub bound: Position,
}

/// What to look at.
#[derive(Debug, Clone)]
pub struct StatesRequest {
    /// The times.
    pub moments: Vec<Moment>,
    /// The base, if not the newest possible for each.
    pub snapshot: Option<String>,
    /// The namespaces; none = all.
    pub ns: Vec<Glob>,
    /// Documents to count and show.
    pub matcher: Option<Matcher>,
    /// One document to show.
    pub id: Option<IdPattern>,
    /// How many documents that fulfil the condition are shown for each namespace.
    pub limit: usize,
    /// How much memory it may take.
    pub memory: Memory,
}

/// One state.
#[derive(Debug, Clone)]
pub struct StateAt {
    /// Which time.
    pub moment: Moment,
    /// The same, between its neighbours.
    pub stop: Stop,
    /// The snapshot it was folded from.
    pub snapshot: String,
    /// What it holds, by name.
    pub namespaces: Vec<NamespaceState>,
}

/// A namespace of a state.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct NamespaceState {
    /// Its name.
    pub ns: Namespace,
    /// Its documents (of a time series: its buckets).
    pub documents: u64,
    /// Documents that fulfil the condition.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub matching: Option<u64>,
    /// The first of them, canonical Extended JSON.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub samples: Vec<serde_json::Value>,
    /// The documents with the `_id` asked for, canonical Extended JSON.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub found: Vec<serde_json::Value>,
}

/// Looks at all of them.
pub fn states(workspace: &Workspace, request: &StatesRequest, meter: &Meter) -> Result<Vec<StateAt>> {
    let keys: Option<HashSet<DocKey>> =
        request.id.as_ref().map(|id| id.values().iter().filter_map(super::history::key_of).collect());
    request.moments.iter().map(|moment| state(workspace, request, moment, keys.as_ref(), meter)).collect()
}

fn state(
    workspace: &Workspace,
    request: &StatesRequest,
    moment: &Moment,
    keys: Option<&HashSet<DocKey>>,
    meter: &Meter,
) -> Result<StateAt> {
    let snapshot = base(workspace, request.snapshot.as_deref(), moment.bound)?;
    let options = WalkOptions { memory: request.memory, ..WalkOptions::default() };
    let walked = walk(workspace, snapshot, moment.bound, &options, meter)?;
    let mut namespaces = Vec::new();
    for (at, spec) in walked.state.collections().iter().enumerate() {
        if spec.kind == CollectionKind::View || !fits(&request.ns, &spec.ns.to_string()) {
            continue;
        }
        let mut found = NamespaceState {
            ns: spec.ns.clone(),
            documents: 0,
            matching: request.matcher.as_ref().map(|_| 0),
            samples: Vec::new(),
            found: Vec::new(),
        };
        each(&walked.state, at, &mut |bytes| {
            found.documents += 1;
            if found.documents.is_multiple_of(1024) {
                meter.check("looking at the state")?;
            }
            let Ok(doc) = Doc::new(bytes) else { return Ok(()) };
            if let (Some(matcher), Some(count)) = (&request.matcher, &mut found.matching)
                && matcher.matches(doc)
            {
                *count += 1;
                if found.samples.len() < request.limit {
                    found.samples.push(document_json(doc));
                }
            }
            if keys.is_some_and(|keys| doc.get("_id").is_some_and(|id| keys.contains(&DocKey::of(id)))) {
                found.found.push(document_json(doc));
            }
            Ok(())
        })?;
        namespaces.push(found);
    }
    let stop = stop_at(workspace, moment.bound)?;
    Ok(StateAt { moment: moment.clone(), stop, snapshot: snapshot.id.clone(), namespaces })
}
