//! Differences as data: between two states of a namespace in numbers, between two versions of a
//! document field by field. Aware of type (`1` is not `1.0`) and of order.

use bson::{Bson, Document};
use serde_json::Value;

use super::namespace::Namespace;

/// What going back to the stop does to a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fate {
    /// It is there at the stop and not now.
    ComesBack,
    /// It is there both times, with another content.
    ChangesBack,
    /// It is there now and not at the stop.
    GoesAway,
}

/// What going back does to one namespace.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct NamespaceDiff {
    /// Its name.
    pub ns: Namespace,
    /// Documents that come back.
    pub comes_back: u64,
    /// Documents that change back.
    pub changes_back: u64,
    /// Documents that go away.
    pub goes_away: u64,
    /// How many of all these the incident touched and somebody wrote again afterwards.
    pub conflicts: u64,
    /// What happens to the collection itself: made, dropped, other options, other indexes.
    pub collection: Vec<CollectionDiff>,
}

impl NamespaceDiff {
    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.comes_back + self.changes_back + self.goes_away == 0 && self.collection.is_empty()
    }
}

/// Something about a collection itself that differs.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct CollectionDiff {
    /// What happens, in words; names in it are foreign text.
    pub what: String,
    /// The options or the index at the stop, canonical Extended JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_stop: Option<Value>,
    /// The same on the other side.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub against: Option<Value>,
}

impl CollectionDiff {
    /// Something that words say completely.
    pub fn of(what: impl Into<String>) -> Self {
        CollectionDiff { what: what.into(), at_stop: None, against: None }
    }
}

/// One document that differs.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct DocumentDiff {
    /// Where.
    pub ns: Namespace,
    /// Its `_id`, canonical Extended JSON.
    #[serde(rename = "_id")]
    pub id: Value,
    /// What happens to it.
    pub fate: Fate,
    /// Whether the incident touched it and somebody wrote it again afterwards: going back takes
    /// that write along.
    pub conflict: bool,
    /// The fields that change back; empty for documents that come or go.
    pub fields: Vec<FieldDiff>,
    /// The document at the stop, canonical Extended JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_stop: Option<Value>,
    /// The document on the other side, canonical Extended JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub against: Option<Value>,
}

/// One field that differs.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct FieldDiff {
    /// Names and array indexes joined by dots; empty for the order of the whole document.
    pub path: String,
    /// Its value at the stop; `None` = not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_stop: Option<Value>,
    /// Its value on the other side; `None` = not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub against: Option<Value>,
    /// True where only the order of the fields below differs.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub order_only: bool,
}

/// The fields in which two versions of a document differ, in the order of the version at the
/// stop. Empty exactly when the documents are equal in value, type and order.
pub fn fields(at_stop: &Document, against: &Document) -> Vec<FieldDiff> {
    let mut out = Vec::new();
    walk("", at_stop, against, &mut out);
    out
}

fn walk(path: &str, at_stop: &Document, against: &Document, out: &mut Vec<FieldDiff>) {
    let before = out.len();
    for (name, value) in at_stop {
        let path = join(path, name);
        match against.get(name) {
            Some(other) => values(path, value, other, out),
            None => {
                out.push(FieldDiff { path, at_stop: Some(json(value)), against: None, order_only: false })
            }
        }
    }
    for (name, value) in against {
        if !at_stop.contains_key(name) {
            let path = join(path, name);
            out.push(FieldDiff { path, at_stop: None, against: Some(json(value)), order_only: false });
        }
    }
    if out.len() == before && !at_stop.keys().eq(against.keys()) {
        let order = |doc: &Document| Some(Value::from(doc.keys().map(String::as_str).collect::<Vec<_>>()));
        out.push(FieldDiff {
            path: path.to_owned(),
            at_stop: order(at_stop),
            against: order(against),
            order_only: true,
        });
    }
}

fn values(path: String, at_stop: &Bson, against: &Bson, out: &mut Vec<FieldDiff>) {
    match (at_stop, against) {
        (Bson::Document(a), Bson::Document(b)) => walk(&path, a, b, out),
        (Bson::Array(a), Bson::Array(b)) => {
            for at in 0..a.len().max(b.len()) {
                let path = join(&path, &at.to_string());
                match (a.get(at), b.get(at)) {
                    (Some(x), Some(y)) => values(path, x, y, out),
                    (x, y) => out.push(FieldDiff {
                        path,
                        at_stop: x.map(json),
                        against: y.map(json),
                        order_only: false,
                    }),
                }
            }
        }
        _ if same(at_stop, against) => {}
        _ => out.push(FieldDiff {
            path,
            at_stop: Some(json(at_stop)),
            against: Some(json(against)),
            order_only: false,
        }),
    }
}

/// Equality by bytes: NaN equals NaN, 0.0 does not equal -0.0.
fn same(a: &Bson, b: &Bson) -> bool {
    match (a, b) {
        (Bson::Double(x), Bson::Double(y)) => x.to_bits() == y.to_bits(),
        _ => a == b,
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

fn json(value: &Bson) -> Value {
    value.clone().into_canonical_extjson()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bson::doc;

    fn paths(a: &Document, b: &Document) -> Vec<String> {
        fields(a, b).into_iter().map(|f| f.path).collect()
    }

    #[test]
    fn finds_what_differs_and_nothing_else() {
        let a = doc! { "_id": 1, "price": 5, "tags": ["x", "y"], "address": { "city": "A", "zip": 1 } };
        assert!(fields(&a, &a).is_empty());
        let b =
            doc! { "_id": 1, "price": 0, "tags": ["x"], "address": { "city": "A", "zip": 2 }, "new": true };
        assert_eq!(paths(&a, &b), ["price", "tags.1", "address.zip", "new"]);
    }

    #[test]
    fn type_and_order_count() {
        assert_eq!(paths(&doc! { "a": 1 }, &doc! { "a": 1.0 }), ["a"]);
        assert_eq!(paths(&doc! { "a": 1 }, &doc! { "a": 1_i64 }), ["a"]);
        assert_eq!(paths(&doc! { "a": f64::NAN }, &doc! { "a": f64::NAN }), Vec::<String>::new());
        let order = fields(&doc! { "o": { "a": 1, "b": 2 } }, &doc! { "o": { "b": 2, "a": 1 } });
        assert_eq!(order.len(), 1);
        assert!(order[0].order_only && order[0].path == "o");
    }
}
