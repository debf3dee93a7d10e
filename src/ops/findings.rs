//! What is worth a line in the journal of a case: what was looked for, with what outcome. The
//! post-mortem is made of these lines. None holds a secret.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::Workspace;
use super::diff::Diff;
use crate::case::Case;
use crate::domain::after::After;
use crate::domain::burst::Burst;
use crate::domain::plan::Plan;
use crate::domain::states::{Asked, StateAt};
use crate::domain::{Position, Result};
use crate::target::uri::without_secrets;

/// The journal's word for a stop that was chosen.
const STOP: &str = "stop";

/// How many suspects are kept.
const WORST: usize = 8;

/// The sources; said again only where they are others than before.
pub fn opened(case: &Case, sources: &[PathBuf]) -> Result<()> {
    let journal = case.journal();
    let shown = sources.iter().map(|source| {
        let text = source.to_string_lossy();
        if text.contains("://") { without_secrets(&text) } else { text.into_owned() }
    });
    let shown: Value = shown.collect();
    let events = journal.events()?;
    let last = events.iter().rev().find(|e| e.get("event").is_some_and(|name| name == "opened"));
    if last.and_then(|e| e.get("sources")) == Some(&shown) {
        return Ok(());
    }
    journal.record("opened", json!({ "sources": shown }))
}

/// The search for damage.
pub fn suspects(workspace: &Workspace, bursts: &[Burst]) -> Result<()> {
    let suspects: Vec<&Burst> = bursts.iter().filter(|burst| burst.ordinary.is_none()).collect();
    let worst = suspects.get(..WORST).unwrap_or(&suspects);
    workspace.case.journal().record("suspects", json!({ "found": suspects.len(), "worst": worst }))
}

/// A search for operations.
pub fn search(workspace: &Workspace, query: &str, matched: u64, limited: bool) -> Result<()> {
    let mut fields = json!({ "query": query, "matched": matched });
    if limited {
        // There are more: only so many were asked for.
        fields["limited"] = true.into();
    }
    workspace.case.journal().record("search", fields)
}

/// A plan, with what follows its stop.
pub fn plan(workspace: &Workspace, plan: &Plan, after: &After) -> Result<()> {
    let fields = json!({
        "pos": plan.stop.bound, "snapshot": plan.snapshot.id, "target": plan.target,
        "incident": after.incident, "left_out": after.total, "other_tools": plan.other_tools,
    });
    workspace.case.journal().record("plan", fields)
}

/// A comparison of two states.
pub fn diff(workspace: &Workspace, diff: &Diff) -> Result<()> {
    let sum =
        |of: fn(&crate::domain::diff::NamespaceDiff) -> u64| diff.namespaces.iter().map(of).sum::<u64>();
    let fields = json!({
        "pos": diff.stop.bound, "against": diff.against.bound,
        "comes_back": sum(|ns| ns.comes_back), "changes_back": sum(|ns| ns.changes_back),
        "goes_away": sum(|ns| ns.goes_away), "conflicts": sum(|ns| ns.conflicts),
    });
    workspace.case.journal().record("diff", fields)
}

/// A look at the states at several times.
pub fn states(workspace: &Workspace, states: &[StateAt], asked: &Asked) -> Result<()> {
    let at: Vec<Value> =
        states.iter().map(|s| json!({ "pos": s.stop.bound, "name": s.moment.name })).collect();
    let fields = json!({ "at": at, "ns": asked.ns, "where": asked.condition, "id": asked.id });
    workspace.case.journal().record("states", fields)
}

/// Something was written to a file of somebody's choice.
pub fn exported(workspace: &Workspace, what: &str, file: &Path, lines: u64) -> Result<()> {
    let fields = json!({ "what": what, "file": file.to_string_lossy(), "lines": lines });
    workspace.case.journal().record("export", fields)
}

/// A stop that was chosen, and the base if one was named.
pub fn stop(workspace: &Workspace, bound: Position, snapshot: Option<&str>) -> Result<()> {
    let mut fields = json!({ "pos": bound });
    if let (Some(fields), Some(id)) = (fields.as_object_mut(), snapshot) {
        fields.insert("snapshot".into(), id.into());
    }
    workspace.case.journal().record(STOP, fields)
}

/// The stop that was chosen last, and the base if one was named.
pub fn chosen_stop(workspace: &Workspace) -> Result<Option<(Position, Option<String>)>> {
    let events = workspace.case.journal().events()?;
    let text = |e: &Value, name: &str| e.get(name).and_then(Value::as_str).map(str::to_owned);
    let last = events.iter().rev().find(|e| text(e, "event").as_deref() == Some(STOP));
    let bound = last.and_then(|e| text(e, "pos")).and_then(|pos| pos.parse().ok());
    Ok(bound.map(|bound| (bound, last.and_then(|e| text(e, "snapshot")))))
}

/// The history of a document.
pub fn history(workspace: &Workspace, ns: &str, id: &str, versions: usize) -> Result<()> {
    workspace.case.journal().record("history", json!({ "ns": ns, "id": id, "versions": versions }))
}
