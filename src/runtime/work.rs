//! Questions of the application, answered over `ops`. Runs on threads of its own; every answer
//! can be cancelled by its meter.

use super::desk::{Desk, filter};
use super::list::behind;
use crate::app::data::{Bars, Base, Diff, Documents, Indexed, Opened, Page, StopFacts, Target, Text};
use crate::app::effect::{Direction, RestoreRequest};
use crate::app::{Answer, Work, values};
use crate::domain::namespace::Glob;
use crate::domain::position::Place;
use crate::domain::progress::Meter;
use crate::domain::stop::{Side, StopRequest, other_tools};
use crate::domain::{Position, Result};
use crate::ops::diff::{DiffRequest, diff};
use crate::ops::plan::{PlanRequest, plan, stop_at};
use crate::ops::preflight::look;
use crate::ops::rows::{Row, document_json};
use crate::ops::walk::WalkOptions;
use crate::ops::{Workspace, suspects};
use crate::target::find_mongod;

/// How many documents of a namespace are shown.
const DOCUMENTS: usize = 500;

/// Answers one question.
pub fn answer(desk: &Desk, work: &Work, meter: &Meter) -> Result<Answer> {
    match work {
        Work::Open => {
            let workspace = desk.put_workspace(Workspace::open(&desk.open, meter)?);
            Ok(Answer::Opened(Box::new(opened(desk, &workspace))))
        }
        Work::Grow => {
            let grown = desk.workspace()?.grown(meter)?;
            // The one before serves all others until this one is ready.
            let ops = grown.index(meter)?.len();
            let opened = opened(desk, &desk.put_workspace(grown));
            Ok(Answer::Grown(Box::new(opened), Indexed { ops }))
        }
        Work::Index => {
            let index = desk.workspace()?.index(meter)?;
            Ok(Answer::Indexed(Indexed { ops: index.len() }))
        }
        Work::Suspects => Ok(Answer::Suspects(suspects::suspects(&*desk.workspace()?, meter)?)),
        Work::Filter { query } => Ok(Answer::Filtered(desk.list(Some(query), meter)?.len())),
        Work::Search { query, filter: list, from, direction } => {
            let wanted = filter(&*desk.workspace()?, query)?;
            let list = desk.list(list.as_deref(), meter)?;
            Ok(Answer::Found(list.search(&wanted, *from, *direction == Direction::Forward, meter)?))
        }
        Work::Locate { filter, pos } => {
            Ok(Answer::Located(desk.list(filter.as_deref(), meter)?.locate(*pos)))
        }
        Work::Rows { filter, start, count } => {
            let ops = desk.list(filter.as_deref(), meter)?.ops(*start, *count)?;
            Ok(Answer::Rows(Page { start: *start, ops }))
        }
        Work::Bars { filter, axis } => {
            let counts = desk.list(filter.as_deref(), meter)?.bars(axis);
            Ok(Answer::Bars(Bars { axis: *axis, counts }))
        }
        Work::Detail { filter, row } => {
            let text = desk.list(filter.as_deref(), meter)?.with(*row, detail)?;
            Ok(Answer::Detail(text.unwrap_or_default()))
        }
        Work::Stop { bound } => stop(desk, *bound, meter),
        Work::Diff { bound, snapshot } => {
            let mut found = diff(&*desk.workspace()?, &diff_request(desk, *bound, snapshot, &[], 0), meter)?;
            // What changes most comes first; a collection that comes or goes before all others.
            found.namespaces.sort_by_key(|n| {
                let documents = n.comes_back + n.changes_back + n.goes_away;
                (n.collection.is_empty(), std::cmp::Reverse(documents), n.ns.clone())
            });
            let answer = Diff { stop: *bound, against: found.against, namespaces: found.namespaces };
            Ok(Answer::Diff(Box::new(answer)))
        }
        Work::Documents { bound, snapshot, ns } => {
            let request = diff_request(desk, *bound, snapshot, std::slice::from_ref(ns), DOCUMENTS);
            let mut found = diff(&*desk.workspace()?, &request, meter)?;
            // A name may hold an asterisk, which a glob takes for more than itself.
            found.documents.retain(|document| document.ns.to_string() == *ns);
            Ok(Answer::Documents(Documents { documents: found.documents, limited: found.limited }))
        }
        Work::Plan(request) => planned(desk, request, meter),
    }
}

fn opened(desk: &Desk, workspace: &Workspace) -> Opened {
    let bases = workspace
        .infos
        .iter()
        .map(|info| Base { valid: workspace.valid_stops(info), info: info.clone() })
        .collect();
    Opened {
        case: workspace.case.root().display().to_string(),
        bases,
        segments: workspace.segments().to_vec(),
        gaps: workspace.gaps().to_vec(),
        notes: workspace.notes.clone(),
        entries: workspace.oplog.len(),
        first: workspace.oplog.first().map(|at| at.pos),
        last: workspace.oplog.last().map(|at| at.pos),
        targets: targets(desk, workspace),
    }
}

/// Where a restore can go: a server of our own where there is a mongod, a dump directory always.
fn targets(desk: &Desk, workspace: &Workspace) -> Vec<Target> {
    let mut out = Vec::new();
    let mongod = find_mongod(desk.mongod.as_deref(), None);
    if let Ok(mongod) = &mongod {
        let (a, b, c) = mongod.version;
        let what = format!("a mongod {a}.{b}.{c} of its own on 127.0.0.1, with a password");
        out.push(Target { spec: "isolated".into(), what });
    }
    let what = match &mongod {
        Ok(_) => "a mongodump directory, made new; no server is needed".to_owned(),
        Err(_) => "a mongodump directory, made new: there is no mongod on this machine".to_owned(),
    };
    out.push(Target { spec: format!("dump:{}", workspace.case.root().join("dumps").display()), what });
    out
}

fn stop(desk: &Desk, bound: Position, meter: &Meter) -> Result<Answer> {
    let workspace = desk.workspace()?;
    let found = stop_at(&workspace, bound)?;
    let (left_out, by_namespace) = behind(&*workspace.index(meter)?, bound);
    let tools = other_tools(bound, found.last_applied.as_ref().map(|op| op.pos));
    Ok(Answer::Stop(Box::new(StopFacts { stop: found, tools, left_out, by_namespace })))
}

fn before(bound: Position) -> StopRequest {
    StopRequest { side: Side::Before, place: Place::At(bound) }
}

fn diff_request(
    desk: &Desk,
    bound: Position,
    snapshot: &Option<String>,
    ns: &[String],
    limit: usize,
) -> DiffRequest {
    DiffRequest {
        stop: before(bound),
        against: None,
        snapshot: snapshot.clone(),
        ns: ns.iter().map(Glob::new).collect(),
        limit,
        walk: WalkOptions { memory: desk.memory, ..WalkOptions::default() },
    }
}

/// The plan. A dump directory is named here, and is one that does not exist yet.
fn planned(desk: &Desk, request: &RestoreRequest, meter: &Meter) -> Result<Answer> {
    let target = match request.target.strip_prefix("dump:") {
        Some(folder) => format!("dump:{}", fresh(std::path::Path::new(folder), request.bound).display()),
        None => request.target.clone(),
    };
    let wanted = PlanRequest {
        stop: before(request.bound),
        snapshot: request.snapshot.clone(),
        walk: WalkOptions { memory: desk.memory, ..WalkOptions::default() },
        target,
        how: Default::default(),
        selection: Default::default(),
    };
    let workspace = desk.workspace()?;
    let mut planned = plan(&workspace, &wanted, meter)?;
    let refusal = look(&mut planned, &wanted.selection, &wanted.target.parse()?, desk.mongod.as_deref())?;
    if let Some(refusal) = refusal {
        return Err(refusal);
    }
    Ok(Answer::Plan(Box::new(planned.plan)))
}

fn fresh(folder: &std::path::Path, bound: Position) -> std::path::PathBuf {
    let name = format!("before-{}-{}", bound.secs, bound.inc);
    let mut path = folder.join(&name);
    let mut n = 2;
    while path.exists() {
        path = folder.join(format!("{name}.{n}"));
        n += 1;
    }
    path
}

/// All of one op.
fn detail(row: &Row<'_>) -> Text {
    let op = row.to_op();
    let mut lines = vec![
        format!("{}  {}", op.time, op.pos),
        format!("{} {}  {} bytes", op.command.as_deref().unwrap_or(op.kind.name()), op.ns, op.bytes),
    ];
    lines.extend(op.txn.iter().map(|txn| format!("transaction {txn}")));
    if let Some(o2) = row.entry.o2 {
        lines.push(format!("on {}", values::short(&document_json(o2))));
    }
    lines.push(String::new());
    lines.extend(values::lines(&document_json(row.entry.o)));
    Text { lines }
}
