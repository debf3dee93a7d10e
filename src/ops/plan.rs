//! Planning: choose the base, find both neighbours of the stop, walk the whole range once, and
//! say what a restore would do, before anything is touched.

use super::Workspace;
use super::rows::rows;
use super::select::{Selected, Selection};
use super::walk::{Walk, WalkOptions, walk};
use crate::domain::how::How;
use crate::domain::op::Op;
use crate::domain::plan::{Cost, Plan, choose_base};
use crate::domain::stop::{Stop, StopRequest, other_tools};
use crate::domain::{Error, Position, Result, progress::Meter};
use crate::engine::output::State;
use crate::source::Snapshot;

/// What somebody wants restored.
#[derive(Debug, Clone)]
pub struct PlanRequest {
    /// Where to stop.
    pub stop: StopRequest,
    /// The base, if not the newest possible.
    pub snapshot: Option<String>,
    /// What to leave out or take in.
    pub walk: WalkOptions,
    /// The target, for humans, without secrets.
    pub target: String,
    /// How it goes there.
    pub how: How,
    /// Which part of the state, under which names.
    pub selection: Selection,
}

/// A plan together with the state it would give.
pub struct Planned<'w> {
    /// The plan.
    pub plan: Plan,
    /// The state, folded but not yet streamed.
    pub walk: Walk<'w>,
    /// The base.
    pub snapshot: &'w Snapshot,
}

/// The stop with both its neighbours: the entry right below the bound and the first at or above.
pub fn stop_at(workspace: &Workspace, bound: Position) -> Result<Stop> {
    let last_op = |entry: Option<_>| -> Option<Op> { entry.and_then(|e| rows(&e).last().map(|r| r.to_op())) };
    let first_op =
        |entry: Option<_>| -> Option<Op> { entry.and_then(|e| rows(&e).first().map(|r| r.to_op())) };
    Ok(Stop {
        bound,
        time: bound.time(),
        last_applied: last_op(workspace.oplog.last_before(bound)?),
        first_left_out: first_op(workspace.oplog.first_at_or_after(bound)?),
    })
}

/// The base for a bound, as [`choose_base`] chooses it.
pub fn base<'w>(workspace: &'w Workspace, named: Option<&str>, bound: Position) -> Result<&'w Snapshot> {
    let info = choose_base(&workspace.infos, named, bound, workspace.segments(), workspace.gaps())?;
    workspace.snapshot(&info.id)
}

/// Plans a restore. The fold has run when this returns: what cannot be replayed has been refused.
pub fn plan<'w>(workspace: &'w Workspace, request: &PlanRequest, meter: &Meter) -> Result<Planned<'w>> {
    if workspace.oplog.is_empty() {
        return Error::inexact("choosing the stop", "", "there is no oplog among the sources")
            .hint("name a dump made with --oplog, and the oplog slices taken since.")
            .err();
    }
    let bound = request.stop.bound(workspace.last());
    let snapshot = base(workspace, request.snapshot.as_deref(), bound)?;
    let info = workspace.infos.iter().find(|i| i.id == snapshot.id);
    let stop = stop_at(workspace, bound)?;
    let walk = walk(workspace, snapshot, bound, &request.walk, meter)?;
    let selected = Selected::new(&walk.state, &request.selection)?;
    let specs = selected.collections();
    super::restore::require_namespaces(&request.how.checks, specs)?;
    let cost = Cost {
        snapshot_documents: info.map_or(0, |i| i.documents),
        snapshot_bytes: info.map_or(0, |i| i.bytes),
        oplog_entries: walk.walked.entries,
        oplog_bytes: walk.bytes,
        documents: specs.iter().map(|s| s.documents).sum(),
        collections: specs.len() as u64,
        indexes: specs.iter().map(|s| s.indexes.len().saturating_sub(1) as u64).sum(),
    };
    let plan = Plan {
        snapshot: info
            .cloned()
            .ok_or_else(|| Error::failed("planning", &snapshot.id, "the snapshot is gone"))?,
        from: snapshot.window().map(|(first, _)| first.pos).unwrap_or(Position::MIN),
        other_tools: other_tools(bound, stop.last_applied.as_ref().map(|op| op.pos)),
        stop,
        target: request.target.clone(),
        how: request.how.clone(),
        cost,
        notes: notes(workspace, snapshot, &walk, request.walk.with_auth)
            .into_iter()
            .chain(request.selection.torn(&walk.walked.together))
            .collect(),
    };
    Ok(Planned { plan, walk, snapshot })
}

fn notes(workspace: &Workspace, snapshot: &Snapshot, walk: &Walk<'_>, with_auth: bool) -> Vec<String> {
    let mut notes = walk.walked.notes.clone();
    for open in &walk.walked.unfinished {
        let kind = if open.prepared { "prepared transaction" } else { "transaction" };
        notes.push(format!(
            "a {kind} of {} operations, last written at {}, is not committed before the stop and left out",
            open.operations, open.last
        ));
    }
    for pos in &walk.walked.skipped {
        notes.push(format!("the entry at {pos} is passed over on request"));
    }
    for joint in workspace.oplog.unproven() {
        notes.push(format!(
            "the joint between {} and {} is not proven by a shared entry and accepted on request",
            joint.after, joint.before
        ));
    }
    if !snapshot.auth.is_empty() && !with_auth {
        notes.push("users and roles are kept aside; --with-users restores them".into());
    }
    notes
}
