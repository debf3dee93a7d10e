//! The shape of everything that is printed as JSON, and printing itself. Documents are canonical
//! Extended JSON; every position is `"pos":"T:I"`, every time `"time":"…Z"`, every namespace `"ns"`.

use std::io::{BufWriter, StdoutLock, Write, stdout};

use serde::Serialize;
use serde_json::{Value, json};

use crate::domain::after::After;
use crate::domain::coverage::Gap;
use crate::domain::diff::FieldDiff;
use crate::domain::plan::Plan;
use crate::domain::snapshot::SnapshotInfo;
use crate::domain::states::StateAt;
use crate::domain::stop::ValidStops;
use crate::domain::{Error, Position, Result};
use crate::engine::bson::Doc;
use crate::ops::history::{Change, Version};
use crate::ops::rows::document_json;

pub use crate::ops::lines::{diff_document, diff_namespace, diff_sides, with_kind};

/// What an error while printing says it was doing.
pub const PRINTING: &str = "printing";

/// Standard output, buffered; errors (a closed pipe) come back instead of a panic.
pub struct Out(BufWriter<StdoutLock<'static>>);

impl Out {
    /// Takes standard output.
    pub fn new() -> Self {
        Out(BufWriter::new(stdout().lock()))
    }

    /// Prints a line of text. Foreign parts must have been made visible.
    pub fn line(&mut self, text: impl std::fmt::Display) -> Result<()> {
        writeln!(self.0, "{text}").map_err(failed)
    }

    /// Prints one JSON object on one line.
    pub fn json(&mut self, value: &impl Serialize) -> Result<()> {
        let text = serde_json::to_string(value).map_err(|e| Error::failed(PRINTING, "", e))?;
        self.line(text)
    }

    /// Sees to it that everything is out.
    pub fn flush(&mut self) -> Result<()> {
        self.0.flush().map_err(failed)
    }
}

fn failed(e: std::io::Error) -> Box<Error> {
    Box::new(Error::failed(PRINTING, "", e))
}

fn place(pos: Position) -> Value {
    json!({ "pos": pos, "time": pos.time() })
}

/// A line of `snapshots`: `kind` is `snapshot`, `segment` or `gap`.
pub fn snapshot(info: &SnapshotInfo, valid: Option<ValidStops>) -> Value {
    let mut value = serde_json::to_value(info).unwrap_or_default();
    if let Value::Object(map) = &mut value {
        map.insert("kind".into(), "snapshot".into());
        for name in ["window_start", "edge"] {
            if let Some(pos) = map.get(name).and_then(Value::as_str).and_then(|t| t.parse().ok()) {
                map.insert(name.into(), place(pos));
            }
        }
        let valid = valid.map(|v| json!({ "first": place(v.first), "last": place(v.last) }));
        map.insert("valid_stops".into(), valid.unwrap_or(Value::Null));
    }
    value
}

/// A line of `snapshots`: a stretch of oplog without gap.
pub fn segment(first: Position, last: Position, entries: u64) -> Value {
    json!({ "kind": "segment", "first": place(first), "last": place(last), "entries": entries })
}

/// A line of `snapshots`: what is missing between two stretches.
pub fn gap(gap: &Gap) -> Value {
    json!({ "kind": "gap", "after": place(gap.after), "before": place(gap.before) })
}

/// The object of `plan`; `refusal` is why a restore would be refused.
pub fn plan(plan: &Plan, after: Option<&After>, refusal: Option<&Error>) -> Value {
    let mut value = serde_json::to_value(plan).unwrap_or_default();
    if let Value::Object(map) = &mut value {
        map.insert("from".into(), place(plan.from));
        map.insert("snapshot".into(), plan.snapshot.id.clone().into());
        map.insert("edge".into(), plan.snapshot.edge.map_or(Value::Null, place));
        if let Some(after) = after {
            let mut value = serde_json::to_value(after).unwrap_or_default();
            value["until"] = place(after.until);
            map.insert("after".into(), value);
        }
        let refused = refusal.map(|e| json!({ "place": e.place, "cause": e.cause, "hint": e.hint }));
        map.insert("refused".into(), refused.unwrap_or(Value::Null));
    }
    value
}

/// A line of `history`: one version of a document. `op` is `read` for what a snapshot holds, a
/// kind of operation, or `command` with its name.
pub fn version(version: &Version) -> Value {
    let (op, command, other) = match &version.change {
        Change::Read { snapshot } => ("read", None, Some(("snapshot", Value::from(snapshot.as_str())))),
        Change::Op(kind) => (kind.name(), None, None),
        Change::Renamed { from } => ("command", Some("renameCollection"), Some(("from", json!(from)))),
        Change::Overwritten { by } => {
            ("command", Some("renameCollection"), Some(("overwritten_by", json!(by))))
        }
        Change::Dropped => ("command", Some("drop"), None),
        Change::Emptied => ("command", Some("emptycapped"), None),
    };
    let fields: Vec<Value> = version.fields.iter().map(changed_field).collect();
    let document = version.document.as_deref().and_then(|b| Doc::new(b).ok()).map(document_json);
    let mut object = json!({
        "kind": "version", "pos": version.pos, "time": version.pos.time(), "op": op, "ns": version.ns,
        "_id": version.id, "exact": version.exact, "fields": fields, "document": document,
    });
    let more = [
        ("command", command.map(Value::from)),
        ("session", version.session.clone().map(Value::from)),
        ("txn", version.txn.map(Value::from)),
        ("remark", version.remark.clone().map(Value::from)),
    ];
    if let Value::Object(map) = &mut object {
        map.extend(more.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
        map.extend(other.map(|(name, value)| (name.to_owned(), value)));
    }
    object
}

/// The lines of `states` for one time: the time, then a line a namespace.
pub fn state(state: &StateAt) -> Vec<Value> {
    let (name, note, pos) = (&state.moment.name, &state.moment.note, state.stop.bound);
    let mut lines = vec![json!({
        "kind": "moment", "name": name, "note": note, "pos": pos, "time": state.stop.time,
        "snapshot": state.snapshot, "stop": state.stop,
    })];
    for found in &state.namespaces {
        let mut line = with_kind(found, "state");
        line["pos"] = json!(pos);
        line["name"] = json!(name);
        lines.push(line);
    }
    lines
}

/// A field that changed from one version to the next.
fn changed_field(field: &FieldDiff) -> Value {
    let mut map = serde_json::Map::new();
    map.insert("path".into(), field.path.as_str().into());
    map.extend(field.at_stop.clone().map(|value| ("before".to_owned(), value)));
    map.extend(field.against.clone().map(|value| ("after".to_owned(), value)));
    if field.order_only {
        map.insert("order_only".into(), true.into());
    }
    Value::Object(map)
}
