//! Checks of the user's: a file of named queries with what each must find, as TOML or JSON, read
//! and judged whole before a target is touched.

use std::path::Path;

use serde_json::{Map, Value};

use crate::domain::how::{Checks, Expect, Query};
use crate::domain::text::visible;
use crate::domain::{Error, Namespace, Position, Result};
use crate::engine::extjson;
use crate::engine::output::CollectionSpec;

const READING: &str = "reading the checks in";

/// How such a file looks.
const EXAMPLE: &str = "a check is [[check]] with name = \"no free products\", ns = \"shop.products\", \
    filter = '{\"price\": {\"$lte\": 0}}', expect = \"none\" (or a number, or {min = 1, max = 9}).";

/// Reads a file of checks. Everything that is wrong with it is in one error.
pub fn read(path: &Path) -> Result<Vec<Query>> {
    let place = || format!("{:?}", path.display().to_string());
    let text = std::fs::read_to_string(path).map_err(|e| {
        Error::usage(READING, place(), e).hint("--check takes dbhash, validate, or such a file.")
    })?;
    parse(&text)
        .map_err(|problems| Box::new(Error::usage(READING, place(), problems.join("; ")).hint(EXAMPLE)))
}

/// The checks in a text, or all its problems.
fn parse(text: &str) -> std::result::Result<Vec<Query>, Vec<String>> {
    let whole: Value = if text.trim_start().starts_with('{') {
        serde_json::from_str(text).map_err(|e| vec![e.to_string()])?
    } else {
        let table: toml::Table = text.parse().map_err(|e: toml::de::Error| vec![e.to_string()])?;
        serde_json::to_value(table).map_err(|e| vec![e.to_string()])?
    };
    let Value::Object(whole) = whole else { return Err(vec!["it holds no checks".to_owned()]) };
    let mut problems = unknown(&whole, &["check"], "the file");
    let list = match whole.get("check") {
        Some(Value::Array(list)) if !list.is_empty() => list.as_slice(),
        _ => {
            problems.push("it holds no checks".to_owned());
            &[]
        }
    };
    let mut queries: Vec<Query> = Vec::new();
    for (at, check) in list.iter().enumerate() {
        match query(check, at + 1) {
            Ok(query) if queries.iter().any(|q| q.name == query.name) => {
                problems.push(format!("two checks are named {:?}", query.name));
            }
            Ok(query) => queries.push(query),
            Err(wrong) => problems.extend(wrong),
        }
    }
    if problems.is_empty() { Ok(queries) } else { Err(problems) }
}

fn unknown(map: &Map<String, Value>, known: &[&str], of: &str) -> Vec<String> {
    let strange = map.keys().filter(|key| !known.contains(&key.as_str()));
    strange.map(|key| format!("{of} has the unknown key {key:?}")).collect()
}

fn query(check: &Value, number: usize) -> std::result::Result<Query, Vec<String>> {
    let Value::Object(check) = check else { return Err(vec![format!("check {number} is no table")]) };
    let text = |key: &str| check.get(key).and_then(Value::as_str).filter(|t| !t.trim().is_empty());
    let name = text("name").map_or_else(|| format!("check {number}"), str::to_owned);
    let of = if check.contains_key("name") { format!("{name:?}") } else { name.clone() };
    let mut problems = unknown(check, &["name", "ns", "filter", "expect"], &of);
    if text("name").is_none() {
        problems.push(format!("{of} has no name"));
    }
    let ns = Namespace::parse(text("ns").unwrap_or_default());
    if ns.db.is_empty() || ns.coll.is_empty() {
        problems.push(format!("{of} has no ns like shop.orders"));
    }
    let filter = filter(check.get("filter")).unwrap_or_else(|why| {
        problems.push(format!("the filter of {of} {why}"));
        Map::new()
    });
    let expect = expect(check.get("expect")).unwrap_or_else(|why| {
        problems.push(format!("the expect of {of} {why}"));
        Expect { min: 0, max: None }
    });
    let query = Query { name, ns, filter, expect };
    if let Err(why) = extjson::document(&query.filter_at(Position::MIN)) {
        problems.push(format!("the filter of {of} is no Extended JSON: {why}"));
    }
    if problems.is_empty() { Ok(query) } else { Err(problems) }
}

fn filter(value: Option<&Value>) -> std::result::Result<Map<String, Value>, String> {
    match value {
        None => Err("is missing; {} finds everything".to_owned()),
        Some(Value::Object(map)) if has_toml_date(map.values()) => {
            Err("has a date of TOML: write the filter as a text, with {\"$date\": …} in it".to_owned())
        }
        Some(Value::Object(map)) => Ok(map.clone()),
        Some(Value::String(text)) => match serde_json::from_str(text) {
            Ok(Value::Object(map)) => Ok(map),
            Ok(_) => Err("is no object".to_owned()),
            Err(e) => Err(format!("is no JSON: {e}")),
        },
        Some(_) => Err("is no object".to_owned()),
    }
}

/// Dates of TOML come as objects with one field of this name.
fn has_toml_date<'v>(values: impl IntoIterator<Item = &'v Value>) -> bool {
    values.into_iter().any(|value| match value {
        Value::Object(map) => map.contains_key("$__toml_private_datetime") || has_toml_date(map.values()),
        Value::Array(list) => has_toml_date(list),
        _ => false,
    })
}

fn expect(value: Option<&Value>) -> std::result::Result<Expect, String> {
    let number = |value: &Value| value.as_u64().ok_or_else(|| format!("is {value}, which is no count"));
    match value {
        None => Err("is missing".to_owned()),
        Some(Value::String(word)) if word == "none" => Ok(Expect { min: 0, max: Some(0) }),
        Some(Value::Object(range)) => {
            if let Some(strange) = unknown(range, &["min", "max"], "it").into_iter().next() {
                return Err(format!("is wrong: {strange}"));
            }
            let (min, max) = (range.get("min").map(number), range.get("max").map(number));
            let expect = Expect { min: min.clone().transpose()?.unwrap_or(0), max: max.clone().transpose()? };
            match (min, max) {
                (None, None) => Err("has neither min nor max".to_owned()),
                _ if expect.max.is_some_and(|max| max < expect.min) => Err("has min above max".to_owned()),
                _ => Ok(expect),
            }
        }
        Some(other) => number(other).map(|n| Expect { min: n, max: Some(n) }),
    }
}

/// Refuses checks of collections that the state does not have: they would find nothing, and a
/// misspelt name would pass for a good result.
pub(in crate::ops) fn require_namespaces(checks: &Checks, specs: &[CollectionSpec]) -> Result<()> {
    let missing = checks.queries.iter().filter(|q| !specs.iter().any(|s| s.ns == q.ns));
    let names: Vec<String> = missing.map(|q| format!("{:?} of {:?}", q.ns.to_string(), q.name)).collect();
    if names.is_empty() {
        return Ok(());
    }
    Error::usage(
        "planning the checks",
        "",
        format_args!("the state has no collection {}", visible(&names.join(", "))),
    )
    .hint("name collections as they will be called on the target.")
    .err()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOML: &str = r#"
[[check]]
name = "no free products"
ns = "shop.products"
filter = '{ "price": { "$lte": 0 } }'
expect = "none"

[[check]]
name = "orders"
ns = "shop.orders.2026"
filter = { status = "new" }
expect = { min = 1, max = 9 }
"#;

    #[test]
    fn both_notations_say_the_same() {
        let json = r#" { "check": [
            { "name": "no free products", "ns": "shop.products", "filter": { "price": { "$lte": 0 } }, "expect": 0 },
            { "name": "orders", "ns": "shop.orders.2026", "filter": "{\"status\":\"new\"}", "expect": { "min": 1, "max": 9 } } ] }"#;
        let checks = parse(TOML).unwrap();
        assert_eq!(checks, parse(json).unwrap());
        assert_eq!(checks[0].expect, Expect { min: 0, max: Some(0) });
        assert_eq!((checks[1].ns.db.as_str(), checks[1].ns.coll.as_str()), ("shop", "orders.2026"));
        assert_eq!(checks[1].expect, Expect { min: 1, max: Some(9) });
    }

    #[test]
    fn every_problem_is_told_at_once() {
        let wrong = r#"
colour = "blue"
[[check]]
name = "a"
ns = "shop"
filter = "{"
expect = -1
[[check]]
ns = "shop.b"
filtre = "{}"
expect = { min = 5, max = 4 }
[[check]]
name = "c"
ns = "shop.c"
filter = '{ "x": { "$oid": "zz" } }'
expect = "none"
[[check]]
name = "d"
ns = "shop.d"
filter = "{}"
expect = { min = 1, least = 3 }
"#;
        let told = parse(wrong).unwrap_err().join("\n");
        for part in [
            "unknown key \"colour\"",
            "\"a\" has no ns like",
            "the filter of \"a\" is no JSON",
            "the expect of \"a\" is -1",
            "check 2 has no name",
            "unknown key \"filtre\"",
            "the filter of check 2 is missing",
            "min above max",
            "the filter of \"c\" is no Extended JSON",
            "unknown key \"least\"",
        ] {
            assert!(told.contains(part), "no {part:?} in:\n{told}");
        }
        for (text, says) in [
            ("", "no checks"),
            ("{}", "no checks"),
            ("x = ", "TOML parse error"),
            ("[[check]]\nname='a'\nns='a.b'\nexpect=0\nfilter={ at = 2026-01-01T00:00:00Z }", "date of TOML"),
            (&format!("{TOML}{TOML}"), "two checks are named"),
        ] {
            let told = parse(text).unwrap_err().join("\n");
            assert!(told.contains(says), "{text}: {told}");
        }
    }

    #[test]
    fn a_check_of_nothing_is_refused() {
        let queries = parse(TOML).unwrap();
        let checks = Checks { queries, ..Checks::default() };
        let error = require_namespaces(&checks, &[]).unwrap_err();
        assert!(error.cause.contains("shop.products") && error.cause.contains("shop.orders.2026"), "{error}");
    }
}
