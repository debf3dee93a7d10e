//! Marks: named places in the oplog, with a note; and notes without a place. They are events of a
//! case's journal; the last word about a name counts.

use serde_json::Value;

use super::position::{Place, Position};

/// The journal's word for a mark that is set.
pub const SET: &str = "mark";

/// The journal's word for a mark that is taken away.
pub const REMOVED: &str = "mark-removed";

/// The journal's word for a note.
pub const NOTE: &str = "note";

/// Something somebody noted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// When, RFC 3339 in UTC.
    pub time: String,
    /// What.
    pub text: String,
}

/// The notes among a journal's events, in order.
pub fn notes(events: &[Value]) -> Vec<Note> {
    let of = |event: &Value| {
        let text = |name: &str| event.get(name).and_then(Value::as_str).map(str::to_owned);
        (text("event")? == NOTE).then_some(())?;
        Some(Note { time: text("time")?, text: text("text")? })
    };
    events.iter().filter_map(of).collect()
}

/// Whether a mark may be called so. A name that reads as a position or a time would be ambiguous
/// wherever either is taken; the error is a sentence.
pub fn check_name(name: &str) -> Result<(), &'static str> {
    match name {
        "" => Err("a mark needs a name"),
        _ if name.trim() != name => Err("a name neither begins nor ends with a blank"),
        _ if name.parse::<Place>().is_ok() => Err("this is a position or time, no name"),
        _ => Ok(()),
    }
}

/// A mark.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Mark {
    /// Its name, unique in a case.
    pub name: String,
    /// Operations below this are before it.
    pub pos: Position,
    /// Its second, RFC 3339 in UTC.
    pub time: String,
    /// What somebody noted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl Mark {
    /// Makes one.
    pub fn new(name: impl Into<String>, pos: Position, note: Option<String>) -> Self {
        Mark { name: name.into(), pos, time: pos.time(), note }
    }
}

/// The marks that a journal's events leave, by position.
pub fn marks(events: &[Value]) -> Vec<Mark> {
    let mut marks: Vec<Mark> = Vec::new();
    for event in events {
        let text = |name: &str| event.get(name).and_then(Value::as_str);
        let (Some(kind), Some(name)) = (text("event"), text("name")) else { continue };
        if kind != SET && kind != REMOVED {
            continue;
        }
        marks.retain(|mark| mark.name != name);
        if let (SET, Some(pos)) = (kind, text("pos").and_then(|pos| pos.parse().ok())) {
            marks.push(Mark::new(name, pos, text("note").map(str::to_owned)));
        }
    }
    marks.sort_by(|a, b| (a.pos, &a.name).cmp(&(b.pos, &b.name)));
    marks
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_last_word_counts() {
        let event = |event: &str, name: &str, pos: &str| json!({ "event": event, "name": name, "pos": pos });
        let events = [
            event(SET, "b", "1795236280:9"),
            event(SET, "a", "1795236280:7"),
            json!({ "event": "plan", "pos": "1795236280:1" }),
            event(SET, "b", "1795236280:3"),
            event(SET, "gone", "1795236280:1"),
            event(REMOVED, "gone", ""),
        ];
        let found = marks(&events);
        let want = [("b", Position::new(1_795_236_280, 3)), ("a", Position::new(1_795_236_280, 7))];
        assert_eq!(found.iter().map(|m| (m.name.as_str(), m.pos)).collect::<Vec<_>>(), want);
    }
}
