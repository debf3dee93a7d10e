//! Marks and notes of a case: named places in the oplog, and what somebody wants remembered.
//! Both are lines of the case's journal.

use serde_json::json;

use crate::case::Case;
use crate::domain::marks::{Mark, NOTE, Note, REMOVED, SET, check_name, marks, notes as notes_of};
use crate::domain::{Error, Position, Result};

/// All marks, by position.
pub fn all(case: &Case) -> Result<Vec<Mark>> {
    Ok(marks(&case.journal().events()?))
}

/// Sets a mark; one of that name is moved.
pub fn set(case: &Case, name: &str, pos: Position, note: Option<&str>) -> Result<Mark> {
    if let Err(cause) = check_name(name) {
        return Error::usage("marking", format!("{name:?}"), cause).hint("give it another name.").err();
    }
    let note = note.map(str::trim).filter(|note| !note.is_empty());
    let mark = Mark::new(name, pos, note.map(str::to_owned));
    case.journal().record(SET, json!({ "name": mark.name, "pos": mark.pos, "note": mark.note }))?;
    Ok(mark)
}

/// Takes a mark away.
pub fn remove(case: &Case, name: &str) -> Result<()> {
    if !all(case)?.iter().any(|mark| mark.name == name) {
        return Error::usage("taking a mark away", format!("{name:?}"), "there is no such mark")
            .hint("`pitstop mark SOURCE…` lists the marks.")
            .err();
    }
    case.journal().record(REMOVED, json!({ "name": name }))
}

/// Notes something.
pub fn note(case: &Case, text: &str) -> Result<()> {
    let text = text.trim();
    if text.is_empty() {
        return Error::usage("noting", "", "there is nothing to note").hint("give it some words.").err();
    }
    case.journal().record(NOTE, json!({ "text": text }))
}

/// All notes, in order.
pub fn notes(case: &Case) -> Result<Vec<Note>> {
    Ok(notes_of(&case.journal().events()?))
}
