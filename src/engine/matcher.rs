//! Conditions on documents as a find has them: equality, `$gt`, `$gte`, `$lt`, `$lte`, `$in` and
//! `$exists` on dotted paths, through arrays. What is outside of this is refused, never guessed.
//!
//! Semantics of the server's query language (simple collation), held against a server by
//! `tests/states.rs`.

use std::cmp::Ordering;

use serde_json::{Map, Value};

use super::bson::{Doc, Elem, kind};
use super::extjson;
use super::number::Number;
use super::order::{class, compare_values};
use crate::domain::{Error, Result};

/// All of its conditions must hold.
#[derive(Debug, Clone)]
pub struct Matcher {
    conditions: Vec<Condition>,
}

#[derive(Debug, Clone)]
struct Condition {
    path: Vec<String>,
    test: Test,
}

#[derive(Debug, Clone)]
enum Test {
    /// Equal to one of these values: the elements of a document.
    In(Vec<u8>),
    /// In this relation to the first element of a document.
    Than(Relation, Vec<u8>),
    Exists(bool),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Relation {
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

impl Matcher {
    /// Reads a condition written as an object in Extended JSON.
    pub fn parse(text: &str) -> Result<Matcher> {
        let wrong = |cause: String| {
            Error::usage("reading the condition", format!("{text:?}"), cause).hint(
                r#"write an object such as {"status": "paid", "total": {"$gte": 10}}; it may use $gt $gte $lt $lte $in $exists."#,
            )
        };
        let object: Map<String, Value> =
            serde_json::from_str(text).map_err(|e| wrong(format!("this is no JSON object: {e}")))?;
        let mut conditions = Vec::new();
        for (path, value) in &object {
            if path.starts_with('$') || path.is_empty() {
                return wrong(format!("{path:?} is no path of a field")).err();
            }
            let path: Vec<String> = path.split('.').map(str::to_owned).collect();
            for test in tests(value).map_err(wrong)? {
                conditions.push(Condition { path: path.clone(), test });
            }
        }
        Ok(Matcher { conditions })
    }

    /// Whether a document fulfils all conditions.
    pub fn matches(&self, doc: Doc<'_>) -> bool {
        self.conditions.iter().all(|condition| condition.holds(doc))
    }
}

fn tests(value: &Value) -> std::result::Result<Vec<Test>, String> {
    let operators = value.as_object().filter(|object| {
        let known = ["$gt", "$gte", "$lt", "$lte", "$in", "$exists", "$eq"];
        object.keys().next().is_some_and(|name| known.contains(&name.as_str()))
    });
    let Some(operators) = operators else { return Ok(vec![Test::In(one(value)?)]) };
    operators
        .iter()
        .map(|(name, value)| {
            Ok(match name.as_str() {
                "$eq" => Test::In(one(value)?),
                "$gt" => Test::Than(Relation::Greater, ranged(value)?),
                "$gte" => Test::Than(Relation::GreaterOrEqual, ranged(value)?),
                "$lt" => Test::Than(Relation::Less, ranged(value)?),
                "$lte" => Test::Than(Relation::LessOrEqual, ranged(value)?),
                "$in" => {
                    let list = value.as_array().ok_or("$in needs a list")?;
                    let fields = list.iter().enumerate().map(|(at, v)| (at.to_string(), v.clone()));
                    checked(extjson::document(&fields.collect())?)?
                }
                "$exists" => Test::Exists(value.as_bool().ok_or("$exists needs true or false")?),
                other => return Err(format!("{other:?} is not supported here")),
            })
        })
        .collect()
}

fn checked(bytes: Vec<u8>) -> std::result::Result<Test, String> {
    Ok(Test::In(supported(bytes)?))
}

/// The value as the only element of a document.
fn one(value: &Value) -> std::result::Result<Vec<u8>, String> {
    supported(extjson::document(&Map::from_iter([("v".to_owned(), value.clone())]))?)
}

fn ranged(value: &Value) -> std::result::Result<Vec<u8>, String> {
    let bytes = one(value)?;
    match Doc::new(&bytes).ok().and_then(|doc| doc.first_elem()).map(|e| e.kind) {
        Some(kind::MIN_KEY | kind::MAX_KEY) => Err("a range up to MinKey or MaxKey is not supported".into()),
        _ => Ok(bytes),
    }
}

fn supported(bytes: Vec<u8>) -> std::result::Result<Vec<u8>, String> {
    let doc = Doc::new(&bytes).map_err(|fault| fault.to_string())?;
    for elem in doc.iter().map_while(std::result::Result::ok) {
        match elem.kind {
            kind::REGEX | kind::UNDEFINED => {
                return Err("a regular expression or undefined is not supported here".into());
            }
            kind::DOCUMENT
                if elem.as_doc().and_then(|d| d.first_elem()).is_some_and(|e| e.name.starts_with(b"$")) =>
            {
                return Err("an operator is not supported here".into());
            }
            _ => {}
        }
    }
    Ok(bytes)
}

impl Condition {
    fn holds(&self, doc: Doc<'_>) -> bool {
        let mut found = Found::default();
        collect(doc, &self.path, &mut found);
        match &self.test {
            Test::Exists(wanted) => (found.values.is_empty() && found.places.is_empty()) != *wanted,
            Test::In(values) => elements(values).any(|want| {
                let null = want.kind == kind::NULL;
                found.each().any(|got| equal(got, want)) || null && found.is_null()
            }),
            Test::Than(relation, value) => elements(value).any(|want| {
                let with_equal = matches!(relation, Relation::GreaterOrEqual | Relation::LessOrEqual);
                let null = want.kind == kind::NULL && with_equal;
                found.each().any(|got| related(got, want, *relation)) || null && found.is_null()
            }),
        }
    }
}

fn elements(bytes: &[u8]) -> impl Iterator<Item = Elem<'_>> {
    Doc::new(bytes).into_iter().flat_map(Doc::iter).map_while(std::result::Result::ok)
}

/// Null and undefined are one to a query.
fn equal(got: Elem<'_>, want: Elem<'_>) -> bool {
    (want.kind == kind::NULL && got.kind == kind::UNDEFINED) || compare_values(got, want) == Ordering::Equal
}

/// Ranges compare values of one class only, and NaN with NaN only.
fn related(got: Elem<'_>, want: Elem<'_>, relation: Relation) -> bool {
    if want.kind == kind::NULL && got.kind == kind::UNDEFINED {
        return matches!(relation, Relation::GreaterOrEqual | Relation::LessOrEqual);
    }
    let nan = |elem: &Elem<'_>| matches!(Number::of(elem), Some(Number::Nan));
    if class(got.kind) != class(want.kind) || nan(&got) != nan(&want) {
        return false;
    }
    let order = compare_values(got, want);
    match relation {
        Relation::Greater => order.is_gt(),
        Relation::GreaterOrEqual => order.is_ge(),
        Relation::Less => order.is_lt(),
        Relation::LessOrEqual => order.is_le(),
    }
}

/// What lies at a path.
#[derive(Debug, Default)]
struct Found<'a> {
    values: Vec<Elem<'a>>,
    /// Those that are a place in an array: where they are arrays, their elements do not count.
    places: Vec<Elem<'a>>,
    /// Whether some way to the path ends early.
    missing: bool,
}

impl<'a> Found<'a> {
    /// The values, and the elements of those that are arrays.
    fn each(&self) -> impl Iterator<Item = Elem<'a>> + '_ {
        let expanded = self.values.iter().flat_map(|value| {
            let inner = (value.kind == kind::ARRAY).then(|| value.as_doc()).flatten();
            let inside = inner.into_iter().flat_map(Doc::iter).map_while(std::result::Result::ok);
            std::iter::once(*value).chain(inside)
        });
        expanded.chain(self.places.iter().copied())
    }

    /// Whether a query for null finds it without a value.
    fn is_null(&self) -> bool {
        self.missing
    }
}

fn collect<'a>(doc: Doc<'a>, path: &[String], found: &mut Found<'a>) {
    let Some((name, rest)) = path.split_first() else { return };
    match doc.get(name) {
        None => found.missing = true,
        Some(elem) => below(elem, rest, found),
    }
}

fn below<'a>(elem: Elem<'a>, rest: &[String], found: &mut Found<'a>) {
    let Some(name) = rest.first() else {
        found.values.push(elem);
        return;
    };
    match elem.as_doc() {
        Some(doc) if elem.kind == kind::DOCUMENT => collect(doc, rest, found),
        Some(array) if elem.kind == kind::ARRAY => {
            let inside = array.iter().map_while(std::result::Result::ok);
            for inner in inside.filter(|e| e.kind == kind::DOCUMENT).filter_map(|e| e.as_doc()) {
                collect(inner, rest, found);
            }
            // A number is a place in the array, too.
            if name.bytes().all(|c| c.is_ascii_digit())
                && let Some(inner) = array.get(name)
            {
                match rest.get(1..) {
                    None | Some([]) => found.places.push(inner),
                    Some(rest) => below(inner, rest, found),
                }
            }
        }
        _ => found.missing = true,
    }
}
