//! The lines of a difference as JSON, printed by `diff --json` and written by its export: both
//! sides, then a line a namespace, then a line a document.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::diff::Diff;
use crate::domain::diff::{DocumentDiff, NamespaceDiff};

/// The first line: both sides, and the incident that begins at the stop.
pub fn diff_sides(diff: &Diff) -> Value {
    json!({ "kind": "sides", "stop": diff.stop, "against": diff.against, "incident": diff.incident })
}

/// A line: one namespace in numbers.
pub fn diff_namespace(diff: &NamespaceDiff) -> Value {
    with_kind(diff, "namespace")
}

/// A line: one document.
pub fn diff_document(diff: &DocumentDiff) -> Value {
    with_kind(diff, "document")
}

/// A value with a first field `kind`.
pub fn with_kind(value: &impl Serialize, kind: &str) -> Value {
    let mut object = Map::new();
    object.insert("kind".into(), kind.into());
    if let Ok(Value::Object(map)) = serde_json::to_value(value) {
        object.extend(map);
    }
    Value::Object(object)
}
