//! What is kept of an incident: marks and notes in its case, states at several times, and
//! findings written to files.

use std::path::PathBuf;

use super::desk::Desk;
use super::preview::request;
use crate::app::data::Text;
use crate::app::screens::states::Question;
use crate::app::{Answer, Export};
use crate::domain::diff_filter::DocumentFilter;
use crate::domain::namespace::Glob;
use crate::domain::progress::Meter;
use crate::domain::query::IdPattern;
use crate::domain::report::markdown;
use crate::domain::states::{Asked, Form, StateAt, lines};
use crate::domain::{Error, Position, Result};
use crate::engine::matcher::Matcher;
use crate::ops::report::report;
use crate::ops::states::{StatesRequest, states};
use crate::ops::{Workspace, export, findings, marks};

/// How many documents that fulfil a condition are shown of each state and namespace.
const SAMPLES: usize = 20;

/// Sets a mark.
pub fn set_mark(desk: &Desk, name: &str, pos: Position, note: Option<&str>) -> Result<Answer> {
    let workspace = desk.workspace()?;
    marks::set(&workspace.case, name, pos, note)?;
    Ok(Answer::Marks(marks::all(&workspace.case)?))
}

/// Takes a mark away.
pub fn remove_mark(desk: &Desk, name: &str) -> Result<Answer> {
    let workspace = desk.workspace()?;
    marks::remove(&workspace.case, name)?;
    Ok(Answer::Marks(marks::all(&workspace.case)?))
}

/// Notes something.
pub fn note(desk: &Desk, text: &str) -> Result<Answer> {
    marks::note(&desk.workspace()?.case, text)?;
    Ok(Answer::Noted)
}

/// The journal in words, the newest line first.
pub fn journal(desk: &Desk) -> Result<Answer> {
    let case = &desk.workspace()?.case;
    let report = report(case)?;
    let mut out = vec![format!("kept in {}", case.root().display())];
    out.extend(report.sources.iter().map(|source| format!("source  {source}")));
    if !report.marks.is_empty() {
        out.push(String::new());
        out.push("Marks".into());
    }
    for mark in &report.marks {
        let note = mark.note.as_ref().map_or(String::new(), |note| format!(": {note}"));
        out.push(format!("  {}  {}  {}{note}", mark.time, mark.pos, mark.name));
    }
    out.push(String::new());
    out.push("Journal, the newest line first".into());
    out.extend(report.timeline.iter().rev().map(|step| format!("  {}  {}", seconds(&step.time), step.text)));
    Ok(Answer::Journal(Text { lines: out }))
}

/// A time without its fraction.
fn seconds(time: &str) -> String {
    time.split_once('.').map_or(time.to_owned(), |(front, _)| format!("{front}Z"))
}

fn asked(desk: &Desk, question: &Question) -> Asked {
    Asked {
        sources: desk.open.sources.iter().map(ToString::to_string).collect(),
        ns: question.ns.clone(),
        condition: question.condition.clone(),
        id: question.id.clone(),
        snapshot: None,
        limit: question.condition.as_ref().map(|_| SAMPLES),
    }
}

fn look(desk: &Desk, workspace: &Workspace, question: &Question, meter: &Meter) -> Result<Vec<StateAt>> {
    let request = StatesRequest {
        moments: question.moments.clone(),
        snapshot: None,
        ns: question.ns.iter().map(Glob::new).collect(),
        matcher: question.condition.as_deref().map(Matcher::parse).transpose()?,
        id: question.id.as_deref().map(IdPattern::parse).transpose()?,
        limit: SAMPLES,
        memory: desk.memory,
    };
    states(workspace, &request, meter)
}

/// The states at several times.
pub fn states_at(desk: &Desk, question: &Question, meter: &Meter) -> Result<Answer> {
    let workspace = desk.workspace()?;
    let found = look(desk, &workspace, question, meter)?;
    findings::states(&workspace, &found, &asked(desk, question))?;
    Ok(Answer::States(found))
}

/// Writes something to a file.
pub fn write(desk: &Desk, what: &Export, path: &str, meter: &Meter) -> Result<Answer> {
    let workspace = desk.workspace()?;
    let path = place(path)?;
    let lines = match what {
        Export::Diff { of, filter } => {
            let filter = DocumentFilter::parse(filter.as_deref().unwrap_or_default())?;
            export::diff(&workspace, &request(of, &[], desk.memory), &filter, &path, meter)?.1
        }
        Export::States(question) => {
            let found = look(desk, &workspace, question, meter)?;
            let text = lines(&found, &asked(desk, question), Form::Markdown).join("\n");
            export::text(&workspace, "the states", &text, &path)?
        }
        Export::Report => {
            export::text(&workspace, "the post-mortem", &markdown(&report(&workspace.case)?), &path)?
        }
    };
    Ok(Answer::Exported { path: path.display().to_string(), lines })
}

/// A file as it was typed; `~/` is the home folder.
fn place(typed: &str) -> Result<PathBuf> {
    let home = || directories::BaseDirs::new().map(|dirs| dirs.home_dir().to_owned());
    let path = match typed.strip_prefix("~/").and_then(|rest| Some(home()?.join(rest))) {
        Some(path) => path,
        None => PathBuf::from(typed),
    };
    std::path::absolute(&path).map_err(|e| Box::new(Error::failed("resolving", path.display(), e)))
}
