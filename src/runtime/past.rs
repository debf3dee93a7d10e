//! One document over time, for the screens: its versions, and what an op or a version changed.

use std::sync::Arc;

use super::desk::Desk;
use super::shown::Shown;
use crate::app::compare::fields_line;
use crate::app::document::{Change, DocumentRef, VersionLine, Versions};
use crate::app::list::View;
use crate::app::values;
use crate::domain::progress::Meter;
use crate::domain::query::IdPattern;
use crate::domain::text::visible;
use crate::domain::{Error, Namespace, Result};
use crate::engine::bson::Doc;
use crate::ops::findings;
use crate::ops::history::{Change as Made, History, HistoryRequest, Version, history};
use crate::ops::rows::document_json;

/// How many characters of what changed are kept for a list.
const LINE: usize = 300;

/// So many ops before one of a transaction are looked at, to tell its writes to one document
/// apart.
const BACK: u64 = 100_000;

/// All versions of a document.
pub fn versions(desk: &Desk, of: &DocumentRef, meter: &Meter) -> Result<Versions> {
    let found = follow(desk, of, meter)?;
    findings::history(&*desk.workspace()?, &of.ns, &of.id.to_string(), found.versions.len())?;
    let list = found.versions.iter().map(line).collect();
    Ok(Versions { of: of.clone(), list, gaps: found.gaps.clone() })
}

/// One of its versions.
pub fn version(desk: &Desk, of: &DocumentRef, number: u64, meter: &Meter) -> Result<Change> {
    let found = follow(desk, of, meter)?;
    let at = usize::try_from(number).unwrap_or(usize::MAX);
    let missing = || Error::failed("reading the version", format!("number {number}"), "it is gone");
    Ok(made(&found, at).ok_or_else(missing)?)
}

/// What an op changed.
pub fn change(desk: &Desk, view: &View, row: u64, meter: &Meter) -> Result<Change> {
    let shown = desk.shown(view, meter)?;
    let global = shown.row_behind(row).and_then(|row| shown.list.global(row));
    let missing = || Error::failed("reading the op", format!("row {row}"), "the list has changed meanwhile");
    let global = global.ok_or_else(missing)?;
    let op = shown.list.index.op(global)?.to_op();
    let about_none = || Error::failed("reading the document of", op.pos, "the op is about no document");
    let of = DocumentRef { ns: op.ns.clone(), id: op.id.clone().ok_or_else(about_none)? };
    let nth = before_it(&shown, global)?;
    let found = follow(desk, &of, meter)?;
    let is_it = |version: &Version| {
        let in_txn = || {
            let name = version.session.as_deref().zip(version.txn);
            name.map(|(session, number)| format!("{session}:{number}")) == op.txn && op.txn.is_some()
        };
        matches!(version.change, Made::Op(_)) && version.id == of.id && (version.pos == op.pos || in_txn())
    };
    let all: Vec<usize> = (0..).zip(&found.versions).filter(|(_, v)| is_it(v)).map(|(at, _)| at).collect();
    match all.get(nth).or(all.last()).and_then(|at| made(&found, *at)) {
        Some(change) => Ok(change),
        None => Error::inexact("rebuilding the document", op.pos, "no version of it was made by this op")
            .hint(match op.txn {
                Some(_) => "its transaction was not committed, or lies before every snapshot.",
                None => {
                    "the op lies before every snapshot, or in a collection that a snapshot has without it."
                }
            })
            .err(),
    }
}

/// How many ops before this one, of its entry or transaction, are about the same document.
fn before_it(shown: &Shown, global: u64) -> Result<usize> {
    let index = &shown.list.index;
    let Some(here) = index.row(global) else { return Ok(0) };
    let mut found = 0;
    for row in (global.saturating_sub(BACK)..global).rev() {
        let Some(other) = index.row(row) else { break };
        let together = other.pos == here.pos || here.group.is_some() && other.group == here.group;
        if !together {
            break;
        }
        found += usize::from(other.key == here.key && other.ns == here.ns);
    }
    Ok(found)
}

fn follow(desk: &Desk, of: &DocumentRef, meter: &Meter) -> Result<Arc<History>> {
    let workspace = desk.workspace()?;
    desk.history(of, || {
        let id = IdPattern::parse(&of.id.to_string())?;
        let request = HistoryRequest { ns: Namespace::parse(&of.ns), id, snapshot: None };
        let mut found = history(&workspace, &request, meter)?;
        // `true` and `null` stand for the strings of that spelling too; here they do not.
        found.versions.retain(|version| version.id.is_string() == of.id.is_string());
        Ok(found)
    })
}

/// What a version differs in from the one before it.
fn made(found: &History, at: usize) -> Option<Change> {
    let version = found.versions.get(at)?;
    let json = |version: &Version| {
        let doc = version.document.as_deref().and_then(|bytes| Doc::new(bytes).ok());
        doc.map(document_json)
    };
    let before = found.versions.iter().take(at).rev().find(|other| other.id == version.id);
    Some(Change {
        version: line(version),
        before: before.and_then(json),
        after: json(version),
        fields: match before.is_some_and(|b| b.document.is_some()) && version.document.is_some() {
            true => version.fields.clone(),
            false => Vec::new(),
        },
    })
}

fn line(version: &Version) -> VersionLine {
    let (what, kind) = match &version.change {
        Made::Read { snapshot } => (format!("in snapshot {snapshot}"), None),
        Made::Op(kind) => (kind.name().to_owned(), Some(*kind)),
        Made::Renamed { from } => (format!("collection renamed, was {from}"), None),
        Made::Dropped => ("collection dropped".to_owned(), None),
        Made::Overwritten { by } => (format!("collection overwritten by {by}"), None),
        Made::Emptied => ("collection emptied".to_owned(), None),
    };
    let doc = version.document.as_deref().and_then(|bytes| Doc::new(bytes).ok());
    let whole = || doc.map(|doc| values::short(&document_json(doc))).unwrap_or_default();
    let fields = if version.fields.is_empty() { whole() } else { fields_line(&version.fields) };
    VersionLine {
        pos: version.pos,
        what,
        kind,
        ns: version.ns.to_string(),
        session: version.session.clone(),
        txn: version.txn,
        exact: version.exact,
        remark: version.remark.clone(),
        there: version.document.is_some(),
        fields: visible(&fields).chars().take(LINE).collect(),
    }
}
