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
use crate::domain::states::{Moment, NamespaceState, StateAt};
use crate::domain::{Result, progress::Meter};
use crate::engine::bson::Doc;
use crate::engine::input::CollectionKind;
use crate::engine::key::DocKey;
use crate::engine::matcher::Matcher;
use crate::engine::output::State;

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
