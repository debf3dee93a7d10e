//! What `id:` and `--id` mean: Extended JSON, or plain text that stands for every value somebody
//! may have meant by it.

use std::fmt;

use bson::{Bson, RawBsonRef};

use super::number::Decimal;
use crate::domain::{Error, Result};

/// The `_id`s that one text stands for.
#[derive(Debug, Clone)]
pub struct IdPattern {
    /// As it prints; two patterns are equal when this is.
    text: String,
    values: Vec<Bson>,
    number: Option<Decimal>,
}

impl IdPattern {
    /// Reads what was typed. Text that begins with `{`, `[` or `"` is Extended JSON (canonical or
    /// relaxed). Otherwise a number is that number of any numeric type, 24 hex digits are an
    /// ObjectId or a string, 32 with dashes a UUID or a string, and all else is a string.
    pub fn parse(text: &str) -> Result<IdPattern> {
        let text = text.trim();
        if !text.starts_with(['{', '[', '"']) {
            return Ok(Self::bare(text));
        }
        let wrong = |cause: String| {
            Error::usage("reading the _id", format!("{text:?}"), cause)
                .hint(r#"write Extended JSON such as {"$oid": "…"}, a number, or the text itself."#)
        };
        let json: serde_json::Value =
            serde_json::from_str(text).map_err(|e| wrong(format!("this is no JSON: {e}")))?;
        let text = json.to_string();
        let value = Bson::try_from(json).map_err(|e| wrong(format!("this is no Extended JSON: {e}")))?;
        let number =
            bson::raw::RawBson::try_from(value.clone()).ok().and_then(|v| Decimal::of(v.as_raw_bson_ref()));
        let values = number.as_ref().map_or_else(|| vec![value], numbers);
        Ok(IdPattern { text, values, number })
    }

    fn bare(text: &str) -> IdPattern {
        let number = Decimal::parse(text);
        let mut values = Vec::new();
        values.extend(number.iter().flat_map(numbers));
        values.extend(bson::oid::ObjectId::parse_str(text).map(Bson::ObjectId));
        // Other spellings of a UUID, with braces or without dashes, are taken for text.
        if text.len() == 36 {
            values.extend(bson::Uuid::parse_str(text).map(Bson::from));
        }
        match text {
            "true" | "false" => values.push(Bson::Boolean(text == "true")),
            "null" => values.push(Bson::Null),
            _ => {}
        }
        if number.is_none() {
            values.push(Bson::String(text.to_owned()));
        }
        // Text that would not come back as one bare term is printed as the JSON string it is.
        let bare = !text.is_empty() && !text.contains(char::is_whitespace);
        let text = if bare { text.to_owned() } else { serde_json::Value::from(text).to_string() };
        IdPattern { text, values, number }
    }

    /// The values it stands for, for a search by key. A number appears once for each type that
    /// can hold it; the server holds numbers of equal value to be one key.
    pub fn values(&self) -> &[Bson] {
        &self.values
    }

    /// Whether this is one of them: numbers by value, everything else by type and value.
    pub fn matches(&self, id: RawBsonRef<'_>) -> bool {
        match Decimal::of(id) {
            Some(number) => self.number.as_ref() == Some(&number),
            None => self.values.iter().any(|value| same(value, id)),
        }
    }
}

/// A number in every type that can hold it.
fn numbers(number: &Decimal) -> Vec<Bson> {
    let whole = number.as_i64();
    let text = number.to_string();
    let mut values = Vec::new();
    values.extend(whole.and_then(|n| i32::try_from(n).ok()).map(Bson::Int32));
    values.extend(whole.map(Bson::Int64));
    values.extend(text.parse().ok().filter(|n: &f64| n.is_finite()).map(Bson::Double));
    values.extend(text.parse().map(Bson::Decimal128));
    values
}

/// Equality that goes no deeper than `want` does, however deep `got` may be.
fn same(want: &Bson, got: RawBsonRef<'_>) -> bool {
    match (want, got) {
        (Bson::Document(want), RawBsonRef::Document(got)) => {
            let mut got = got.iter();
            let alike = want.iter().all(|(name, value)| {
                got.next().is_some_and(|e| e.is_ok_and(|(n, v)| n.as_str() == name && same(value, v)))
            });
            alike && got.next().is_none()
        }
        (Bson::Array(want), RawBsonRef::Array(got)) => {
            let mut got = got.into_iter();
            let alike = want.iter().all(|value| got.next().is_some_and(|e| e.is_ok_and(|v| same(value, v))));
            alike && got.next().is_none()
        }
        (Bson::Document(_) | Bson::Array(_), _) | (_, RawBsonRef::Document(_) | RawBsonRef::Array(_)) => {
            false
        }
        (Bson::Double(want), RawBsonRef::Double(got)) if want.is_nan() => got.is_nan(),
        (want, got) => match bson::raw::RawBson::try_from(want.clone()) {
            Ok(want) => match (Decimal::of(want.as_raw_bson_ref()), Decimal::of(got)) {
                (Some(want), Some(got)) => want == got,
                _ => want.as_raw_bson_ref() == got,
            },
            Err(_) => false,
        },
    }
}

impl PartialEq for IdPattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for IdPattern {}

impl fmt::Display for IdPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
