//! Questions of the application, answered over `ops`. Runs on threads of its own; every answer
//! can be cancelled by its meter.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use super::desk::{Desk, filter};
use super::list::Seek;
use super::shown::Shown;
use super::{keeping, past, preview};
use crate::app::data::{Bars, Base, Counted, Indexed, Opened, StopFacts, Target, Text};
use crate::app::effect::{Direction, RestoreRequest};
use crate::app::list::{Anchor, Listed, Page, Spot, View};
use crate::app::{Answer, Work, values};
use crate::domain::progress::Meter;
use crate::domain::stop::other_tools;
use crate::domain::{Position, Result};
use crate::index::OpIndex;
use crate::ops::plan::{PlanRequest, plan, stop_at};
use crate::ops::preflight::look;
use crate::ops::rows::{Row, document_json};
use crate::ops::walk::WalkOptions;
use crate::ops::{Workspace, after, findings, marks, suspects};
use crate::target::find_mongod;

/// How often it is told how much of the oplog can be looked at.
const LOOK: Duration = Duration::from_millis(250);
/// How soon for the first time; and how often is looked for what somebody waits for.
const SOON: Duration = Duration::from_millis(50);

/// Answers one question; parts of the answer that are there before it go to `tell`.
pub fn answer(desk: &Desk, work: &Work, meter: &Meter, tell: &dyn Fn(Answer)) -> Result<Answer> {
    match work {
        Work::Open => {
            let workspace = desk.put_workspace(Workspace::open(&desk.open, meter)?);
            Ok(Answer::Opened(Box::new(opened(desk, &workspace)?)))
        }
        Work::Grow => {
            let grown = desk.workspace()?.grown(meter)?;
            // The one before serves all others until this one is ready.
            let ops = grown.index(meter)?.len();
            let opened = opened(desk, &desk.put_workspace(grown))?;
            Ok(Answer::Grown(Box::new(opened), Indexed { ops, counted: Counted::All }))
        }
        Work::Index => {
            let index = desk.workspace()?.index_so_far(meter)?;
            read(&index, meter, tell)?;
            Ok(Answer::Indexed(Indexed { ops: index.len(), counted: Counted::All }))
        }
        Work::Suspects => {
            let workspace = desk.workspace()?;
            let mut bursts = suspects::bursts(&workspace, desk.memory, meter)?;
            if desk.are_new_suspects(&bursts) {
                findings::suspects(&workspace, &bursts)?;
            }
            desk.put_bursts(bursts.clone());
            bursts.retain(|burst| burst.ordinary.is_none());
            Ok(Answer::Suspects(bursts))
        }
        Work::List { view, at } => {
            let shown = listed(desk, view, *at, meter, tell)?;
            // What is noted is the whole number.
            let query = view.filter.as_deref().filter(|_| shown.counted == Counted::All);
            if let Some(query) = query.filter(|text| desk.is_new_filter(text)) {
                findings::search(&*desk.workspace()?, query, shown.ops, false)?;
            }
            Ok(Answer::Listed(shown))
        }
        Work::Search { query, view, from, direction } => {
            let spot =
                search(desk, query, view, Seek { from: *from, direction: *direction, looked: 0 }, meter)?;
            Ok(Answer::Found(spot, view.clone()))
        }
        Work::Locate { view, pos } => {
            let shown = desk.shown(view, meter)?;
            Ok(Answer::Located(shown.locate(*pos), shown.list.counted))
        }
        Work::Rows { view, start, count } => {
            let lines = desk.shown(view, meter)?.lines(*start, *count)?;
            Ok(Answer::Rows(Page { start: *start, lines }))
        }
        Work::Bars { filter, axis } => {
            let list = desk.list(filter.as_deref(), meter)?;
            let until = list.until();
            Ok(Answer::Bars(Bars { axis: *axis, counts: list.bars(axis), until }))
        }
        Work::Detail { view, row } => {
            let shown = desk.shown(view, meter)?;
            let row = shown.row_behind(*row);
            let text = row.map(|row| shown.list.with(row, detail)).transpose()?.flatten();
            Ok(Answer::Detail(text.unwrap_or_default()))
        }
        Work::Change { view, row } => {
            past::change(desk, view, *row, meter).map(|change| Answer::Change(Box::new(change)))
        }
        Work::History { of } => {
            past::versions(desk, of, meter).map(|versions| Answer::History(Box::new(versions)))
        }
        Work::Version { of, number } => {
            past::version(desk, of, *number, meter).map(|change| Answer::Version(Box::new(change)))
        }
        Work::After { bound, snapshot } => {
            let workspace = desk.workspace()?;
            let until = until(&workspace, snapshot.as_deref(), *bound)?;
            let found = after::after(&workspace, *bound, until, desk.memory, meter)?;
            Ok(Answer::After(Box::new(found)))
        }
        Work::Decide { bound, snapshot } => {
            findings::stop(&*desk.workspace()?, *bound, snapshot.as_deref())?;
            Ok(Answer::Decided)
        }
        Work::Stop { bound } => stop(desk, *bound, meter),
        Work::Diff { of } => preview::numbers(desk, of, meter),
        Work::Documents { of, ns, filter, skip } => {
            preview::documents(desk, of, ns, filter.as_deref(), *skip, meter, tell)
        }
        Work::SetMark { name, pos, note } => keeping::set_mark(desk, name, *pos, note.as_deref()),
        Work::RemoveMark { name } => keeping::remove_mark(desk, name),
        Work::Note { text } => keeping::note(desk, text),
        Work::Journal => keeping::journal(desk),
        Work::States(question) => keeping::states_at(desk, question, meter),
        Work::Plan(request) => planned(desk, request, meter),
    }
}

/// The list as it is to be shown. While somebody waits for all of it, what is found is told, every
/// op by itself: bursts are folded where the whole is known.
fn listed(desk: &Desk, view: &View, at: Anchor, meter: &Meter, tell: &dyn Fn(Answer)) -> Result<Listed> {
    let plain = View { folded: false, open: Default::default(), ..view.clone() };
    let mut told = false;
    desk.further(view.filter.as_deref(), meter, &mut |list| {
        told = true;
        let shown = Shown { list, folding: None, bursts: Default::default(), open: Default::default() };
        tell(Answer::Listed(of(&shown, &plain, at)));
    })?;
    let view = if told { &plain } else { view };
    desk.shown(view, meter).map(|shown| of(&shown, view, at))
}

fn of(shown: &Shown, view: &View, at: Anchor) -> Listed {
    let counted = shown.list.counted;
    Listed { view: view.clone(), len: shown.len(), ops: shown.list.len(), counted, row: shown.anchor(at) }
}

/// The next op that a query matches. What lies ahead may not be read yet: then it is waited for,
/// and nothing is gone round to before. Whoever does not want to wait cancels.
fn search(desk: &Desk, query: &str, view: &View, mut seek: Seek, meter: &Meter) -> Result<Option<Spot>> {
    let wanted = filter(&*desk.workspace()?, query)?;
    loop {
        let shown = desk.shown_further(view, meter)?;
        let list = &shown.list;
        let spot = shown.search(&wanted, seek, meter)?;
        if spot.is_some() || list.counted == Counted::All {
            return Ok(spot);
        }
        seek.looked = list.looked;
        loop {
            list.index.wait_beyond(u64::MAX, SOON);
            meter.check("searching")?;
            // Backwards there is nothing to look at before the end is there.
            if list.index.is_complete() || seek.direction == Direction::Forward {
                break;
            }
        }
    }
}

/// Completes the index, and tells how much there is to look at: at once what is left from before,
/// and every now and then.
fn read(index: &OpIndex, meter: &Meter, tell: &dyn Fn(Answer)) -> Result<()> {
    let mut told = 0;
    let mut say = || {
        let (all, ops) = (index.is_complete(), index.len());
        if !all && ops > told {
            told = ops;
            tell(Answer::Indexed(Indexed { ops, counted: Counted::SoFar }));
        }
    };
    say();
    std::thread::scope(|scope| {
        let (building, ended) = mpsc::channel::<()>();
        let built = scope.spawn(move || {
            let _ends_with_it = building;
            index.complete(meter)
        });
        let mut wait = SOON;
        while ended.recv_timeout(wait) == Err(RecvTimeoutError::Timeout) {
            say();
            wait = LOOK;
        }
        built.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn opened(desk: &Desk, workspace: &Workspace) -> Result<Opened> {
    let bases = workspace
        .infos
        .iter()
        .map(|info| Base { valid: workspace.valid_stops(info), info: info.clone() })
        .collect();
    Ok(Opened {
        case: workspace.case.root().display().to_string(),
        bases,
        segments: workspace.segments().to_vec(),
        gaps: workspace.gaps().to_vec(),
        notes: workspace.notes.clone(),
        entries: workspace.oplog.len(),
        first: workspace.oplog.first().map(|at| at.pos),
        last: workspace.oplog.last().map(|at| at.pos),
        targets: targets(desk, workspace),
        marks: marks::all(&workspace.case)?,
        live: workspace.members.clone(),
        chosen: chosen(workspace)?,
    })
}

/// The stop that the case remembers, where it is one of this oplog.
fn chosen(workspace: &Workspace) -> Result<Option<(Position, Option<String>)>> {
    let (Some(first), Some(last)) = (workspace.oplog.first(), workspace.oplog.last()) else {
        return Ok(None);
    };
    let known = findings::chosen_stop(workspace)?;
    Ok(known.filter(|(bound, _)| (first.pos..=last.pos.next()).contains(bound)))
}

/// Just past the last operation that joins on to the base of a stop without a gap.
fn until(workspace: &Workspace, snapshot: Option<&str>, bound: Position) -> Result<Position> {
    let base = crate::ops::plan::base(workspace, snapshot, bound)?;
    let info = workspace.infos.iter().find(|info| info.id == base.id);
    let valid = info.and_then(|info| workspace.valid_stops(info));
    Ok(valid.map_or_else(|| workspace.last().next(), |valid| valid.last))
}

/// Where a restore can go: a server of our own where there is a mongod, a dump directory always.
fn targets(desk: &Desk, workspace: &Workspace) -> Vec<Target> {
    let mut out = Vec::new();
    let mongod = find_mongod(desk.mongod.as_deref(), None);
    if let Ok(mongod) = &mongod {
        let (a, b, c) = mongod.version;
        let what = format!("a mongod {a}.{b}.{c} of its own on 127.0.0.1, with a password");
        out.push(Target { spec: "isolated".into(), what, theirs: None });
    }
    let what = match &mongod {
        Ok(_) => "a mongodump directory, made new; no server is needed".to_owned(),
        Err(_) => "a mongodump directory, made new: there is no mongod on this machine".to_owned(),
    };
    let spec = format!("dump:{}", workspace.case.root().join("dumps").display());
    out.push(Target { spec, what, theirs: None });
    out
}

fn stop(desk: &Desk, bound: Position, meter: &Meter) -> Result<Answer> {
    let workspace = desk.workspace()?;
    let found = stop_at(&workspace, bound)?;
    let index = workspace.index_so_far(meter)?;
    let counted = if index.is_complete() { Counted::All } else { Counted::SoFar };
    let left_out = index.len() - index.lower_bound(bound);
    let tools = other_tools(bound, found.last_applied.as_ref().map(|op| op.pos));
    Ok(Answer::Stop(Box::new(StopFacts { stop: found, tools, left_out, counted })))
}

/// The plan. A dump directory is named here, and is one that does not exist yet.
fn planned(desk: &Desk, request: &RestoreRequest, meter: &Meter) -> Result<Answer> {
    let target = match request.target.strip_prefix("dump:") {
        Some(folder) => format!("dump:{}", fresh(std::path::Path::new(folder), request.bound).display()),
        None => request.target.clone(),
    };
    let wanted = PlanRequest {
        stop: preview::before(request.bound),
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
    let until = until(&workspace, Some(&planned.plan.snapshot.id), request.bound)?;
    let after = after::after(&workspace, request.bound, until, desk.memory, meter)?;
    findings::plan(&workspace, &planned.plan, &after)?;
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
