//! Marks: named places in the oplog, with a note. They are events of a case's journal; the last
//! word about a name counts.

use serde_json::Value;

use super::position::Position;

/// The journal's word for a mark that is set.
pub const SET: &str = "mark";

/// The journal's word for a mark that is taken away.
pub const REMOVED: &str = "mark-removed";

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
