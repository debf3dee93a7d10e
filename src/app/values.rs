//! Values as people read them: Extended JSON in the shorter spelling of the shell. Types stay
//! visible: `1`, `1.0` and `NumberLong(1)` are three different things.

use serde_json::{Map, Value};

use super::data::Text;
use crate::domain::burst::Burst;
use crate::domain::diff::{CollectionDiff, DocumentDiff, Fate, FieldDiff};
use crate::domain::text::counted;

/// A value on one line.
pub fn short(value: &Value) -> String {
    short_up_to(value, usize::MAX).0
}

/// The beginning of a value on one line, of about so many bytes, and whether that is all of it.
/// Takes no longer for a large document than for a small one.
pub fn short_up_to(value: &Value, most: usize) -> (String, bool) {
    let mut out = String::new();
    let whole = write(value, most, &mut out);
    (out, whole)
}

/// Writes a value until `out` is too long; `false` = it was.
fn write(value: &Value, most: usize, out: &mut String) -> bool {
    if out.len() > most {
        return false;
    }
    if let Some(text) = typed(value) {
        out.push_str(&text);
        return out.len() <= most;
    }
    match value {
        Value::Object(map) if map.is_empty() => out.push_str("{}"),
        Value::Object(map) => {
            out.push_str("{ ");
            for (at, (key, inner)) in map.iter().enumerate() {
                out.push_str(if at > 0 { ", " } else { "" });
                out.push_str(&name(key));
                out.push_str(": ");
                if !write(inner, most, out) {
                    return false;
                }
            }
            out.push_str(" }");
        }
        Value::Array(list) => {
            out.push('[');
            for (at, inner) in list.iter().enumerate() {
                out.push_str(if at > 0 { ", " } else { "" });
                if !write(inner, most, out) {
                    return false;
                }
            }
            out.push(']');
        }
        Value::String(text) if text.len() > most => {
            let end = (0..=most).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
            out.push_str(&Value::from(text.get(..end).unwrap_or_default()).to_string());
            return false;
        }
        other => out.push_str(&other.to_string()),
    }
    out.len() <= most
}

/// A value on as many lines as it takes, indented. What is very long stands on several.
pub fn lines(value: &Value) -> Vec<String> {
    lines_up_to(value, usize::MAX)
}

/// The first lines of a value, about so many.
pub fn lines_up_to(value: &Value, most: usize) -> Vec<String> {
    let mut out = Vec::new();
    block("", value, "", 0, most, &mut out);
    out
}

/// An `_id` as short as can be without mixing anything up in a list: an ObjectId is its digits.
pub fn id(value: &Value) -> String {
    match value {
        Value::Object(map) if map.len() == 1 => match map.get("$oid").and_then(Value::as_str) {
            Some(hex) => hex.to_owned(),
            None => short(value),
        },
        _ => short(value),
    }
}

const WIDE: usize = 60;

/// A line is cut into pieces of so many characters: each fits into the smallest box.
const LONGEST: usize = 400;

fn block(before: &str, value: &Value, after: &str, depth: usize, most: usize, out: &mut Vec<String>) {
    if out.len() > most {
        return;
    }
    let indent = "  ".repeat(depth);
    let nested = match value {
        Value::Object(map) => typed(value).is_none() && !map.is_empty(),
        Value::Array(list) => !list.is_empty(),
        _ => false,
    };
    let room = WIDE.saturating_sub(before.len());
    let (line, whole) = short_up_to(value, if nested { room } else { usize::MAX });
    if !nested || depth > 0 && whole && line.chars().count() <= room {
        cut(&indent, &format!("{before}{line}{after}"), out);
        return;
    }
    let comma = |at: usize, len: usize| if at + 1 < len { "," } else { "" };
    match value {
        Value::Object(map) => {
            out.push(format!("{indent}{before}{{"));
            for (at, (key, inner)) in map.iter().enumerate() {
                block(&format!("{}: ", name(key)), inner, comma(at, map.len()), depth + 1, most, out);
            }
            out.push(format!("{indent}}}{after}"));
        }
        Value::Array(list) => {
            out.push(format!("{indent}{before}["));
            for (at, inner) in list.iter().enumerate() {
                block("", inner, comma(at, list.len()), depth + 1, most, out);
            }
            out.push(format!("{indent}]{after}"));
        }
        _ => {}
    }
}

/// A line in pieces; those behind the first are indented more.
fn cut(indent: &str, line: &str, out: &mut Vec<String>) {
    let mut rest = line;
    let mut more = "";
    loop {
        let end = rest.char_indices().nth(LONGEST).map_or(rest.len(), |(at, _)| at);
        let (piece, after) = rest.split_at(end);
        out.push(format!("{indent}{more}{piece}"));
        if after.is_empty() {
            return;
        }
        (rest, more) = (after, "    ");
    }
}

/// A field's name, quoted where it has to be.
fn name(key: &str) -> String {
    let plain = !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '$');
    if plain { key.to_owned() } else { Value::from(key).to_string() }
}

/// The typed values of Extended JSON; `None` = it is none of them.
fn typed(value: &Value) -> Option<String> {
    let Value::Object(map) = value else { return None };
    let (key, inner) = map.iter().next()?;
    let text = inner.as_str();
    if map.len() == 1 {
        return match (key.as_str(), text) {
            ("$oid", Some(hex)) => Some(format!("ObjectId({hex:?})")),
            ("$numberInt", Some(n)) => Some(n.to_owned()),
            ("$numberLong", Some(n)) => Some(format!("NumberLong({n})")),
            ("$numberDouble", Some(n)) => Some(n.to_owned()),
            ("$numberDecimal", Some(n)) => Some(format!("NumberDecimal({n:?})")),
            ("$date", _) => Some(format!("ISODate({:?})", date(inner)?)),
            ("$timestamp", _) => {
                let part = |field| inner.get(field).and_then(Value::as_u64);
                Some(format!("Timestamp({}, {})", part("t")?, part("i")?))
            }
            ("$binary", _) => binary(inner),
            ("$uuid", Some(id)) => Some(format!("UUID({id:?})")),
            ("$undefined", _) => Some("undefined".into()),
            ("$minKey", _) => Some("MinKey".into()),
            ("$maxKey", _) => Some("MaxKey".into()),
            ("$symbol", Some(s)) => Some(format!("Symbol({s:?})")),
            ("$code", Some(s)) => Some(format!("Code({s:?})")),
            ("$regularExpression", _) => regex(inner),
            _ => None,
        };
    }
    None
}

fn regex(inner: &Value) -> Option<String> {
    let Value::Object(map) = inner else { return None };
    let text = |m: &Map<String, Value>, key| m.get(key).and_then(Value::as_str).map(str::to_owned);
    Some(format!("/{}/{}", text(map, "pattern")?, text(map, "options")?))
}

fn binary(inner: &Value) -> Option<String> {
    let text = |key| inner.get(key).and_then(Value::as_str);
    Some(format!("Binary({:?}, {:?})", text("subType")?, text("base64")?))
}

fn date(inner: &Value) -> Option<String> {
    if let Some(text) = inner.as_str() {
        return Some(text.to_owned());
    }
    let millis: i64 = inner.get("$numberLong")?.as_str()?.parse().ok()?;
    let time = chrono::DateTime::from_timestamp_millis(millis)?;
    Some(time.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true))
}

/// A document that differs, as text: what is there now, what comes back.
pub fn difference(document: &DocumentDiff) -> Text {
    difference_up_to(document, usize::MAX)
}

/// The same, of each part about so many lines.
pub fn difference_up_to(document: &DocumentDiff, most: usize) -> Text {
    let lines = |value: &Value| lines_up_to(value, most);
    let mut out = Vec::new();
    if document.conflict {
        out.push("! A conflict: somebody wrote it again after the incident.".into());
        out.push("  Going back takes that write along.".into());
        out.push(String::new());
    }
    let whole = |title: &str, sign: char, value: &Option<Value>, out: &mut Vec<String>| {
        out.push(title.to_owned());
        out.extend(value.iter().flat_map(&lines).map(|line| format!("{sign} {line}")));
    };
    match document.fate {
        Fate::ComesBack => whole("It is gone now, and comes back:", '+', &document.at_stop, &mut out),
        Fate::GoesAway => whole("It is there now, and goes away:", '-', &document.against, &mut out),
        Fate::ChangesBack => {
            out.push("It changes back (- now, + at the stop):".into());
            for field in document.fields.iter().take(most) {
                let (path, note) = named(field);
                out.push(String::new());
                out.push(format!("  {path}{note}"));
                let mut side = |sign, value: &Option<Value>| match value {
                    Some(value) => {
                        out.extend(lines(value).into_iter().map(|line| format!("{sign}   {line}")))
                    }
                    None => out.push(format!("{sign}   (not there)")),
                };
                side('-', &field.against);
                side('+', &field.at_stop);
            }
            out.push(String::new());
            out.push("The document at the stop:".into());
            out.extend(document.at_stop.iter().flat_map(&lines).map(|line| format!("  {line}")));
        }
    }
    Text { lines: out }
}

/// As much as a line of a list can show.
const LINE: usize = 400;

/// The fields that change back, on one line.
pub fn fields_line(document: &DocumentDiff) -> String {
    let line = |value: &Value| short_up_to(value, LINE).0;
    let side = |value: &Option<Value>| value.as_ref().map_or_else(|| "(not there)".to_owned(), line);
    let field = |f: &FieldDiff| {
        let (path, order) = named(f);
        format!("{path}: {} -> {}{order}", side(&f.against), side(&f.at_stop))
    };
    match document.fate {
        Fate::ComesBack => document.at_stop.as_ref().map(line).unwrap_or_default(),
        Fate::GoesAway => document.against.as_ref().map(line).unwrap_or_default(),
        Fate::ChangesBack => document.fields.iter().take(20).map(field).collect::<Vec<_>>().join("   "),
    }
}

/// What a field is called, and what to say where only the order differs.
fn named(field: &FieldDiff) -> (&str, &'static str) {
    let path = if field.path.is_empty() { "the whole document" } else { &field.path };
    (path, if field.order_only { " (only the order of fields)" } else { "" })
}

/// What differs of a collection itself, as text.
pub fn collection(change: &CollectionDiff) -> Text {
    let mut out = vec![format!("{} (- now, + at the stop)", change.what)];
    for (sign, value) in [('-', &change.against), ('+', &change.at_stop)] {
        out.push(String::new());
        match value {
            Some(value) => out.extend(lines(value).into_iter().map(|line| format!("{sign} {line}"))),
            None => out.push(format!("{sign} (not there)")),
        }
    }
    Text { lines: out }
}

/// How many documents a burst touched, and how much of its collection that is; `of` says it where
/// there is room. A collection that goes may have been empty, or have held what nothing known
/// tells of.
pub fn touched(burst: &Burst, of: &str) -> String {
    match burst.documents {
        0 => "no document known of".to_owned(),
        n => format!("{} ({:.0} %{of})", counted(n, "document"), burst.share * 100.0),
    }
}

/// The whole difference as canonical Extended JSON.
pub fn copy_of(document: &DocumentDiff) -> String {
    serde_json::to_string_pretty(document).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn types_stay_visible() {
        for (value, want) in [
            (json!({"$numberInt": "1"}), "1"),
            (json!({"$numberDouble": "1.0"}), "1.0"),
            (json!({"$numberLong": "1"}), "NumberLong(1)"),
            (json!({"$oid": "65f0a1b2c3d4e5f6a7b8c9d0"}), "ObjectId(\"65f0a1b2c3d4e5f6a7b8c9d0\")"),
            (json!({"$date": {"$numberLong": "1791988867000"}}), "ISODate(\"2026-10-14T14:41:07Z\")"),
            (json!({"$timestamp": {"t": 5, "i": 7}}), "Timestamp(5, 7)"),
            (json!({"a": {"$numberInt": "1"}, "b.c": [true, null]}), "{ a: 1, \"b.c\": [true, null] }"),
            (json!({"$numberInt": "1", "x": 1}), "{ $numberInt: \"1\", x: 1 }"),
            (json!({}), "{}"),
        ] {
            assert_eq!(short(&value), want);
        }
    }

    #[test]
    fn a_large_document_costs_no_more_than_what_is_shown_of_it() {
        let value = json!({"a": "x".repeat(5000), "b": vec![1; 100_000]});
        let (text, whole) = short_up_to(&value, 100);
        assert!(!whole && text.len() < 250 && text.starts_with("{ a: \"xxx"), "{text}");
        assert!(lines_up_to(&value, 50).len() < 60);
        let all = lines(&value);
        assert!(all.iter().all(|line| line.chars().count() <= LONGEST + 20));
        let x: usize = all.iter().map(|line| line.matches('x').count()).sum();
        assert_eq!(x, 5000, "no character is lost");
    }

    #[test]
    fn a_document_takes_the_lines_it_needs() {
        let value = json!({"_id": 1, "items": ["a".repeat(40), "b".repeat(40)], "small": {"x": 1}});
        let text = lines(&value);
        assert_eq!(text[0], "{");
        assert_eq!(text[1], "  _id: 1,");
        assert_eq!(text[2], "  items: [");
        assert_eq!(text[6], "  small: { x: 1 }");
        assert_eq!(text[7], "}");
    }
}
