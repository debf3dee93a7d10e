//! The text of a document, piece by piece: every field name, and every value as a human would
//! type it. Words and regular expressions are looked for in the pieces.

use std::borrow::Cow;

use bson::{RawBsonRef, RawDocument, spec::BinarySubtype};

use super::filter::BodyView;
use super::word::Word;
use crate::domain::Position;

/// Deeper than any server lets documents nest.
pub(super) const MAX_DEPTH: usize = 260;

/// The documents of one operation, as bytes.
#[derive(Debug, Clone, Copy)]
pub struct Body<'a> {
    /// The document that has the `_id`: `o2` of an update, else `o`.
    pub key: &'a [u8],
    /// The operation: `o`.
    pub operation: &'a [u8],
}

impl BodyView for Body<'_> {
    fn id(&self) -> Option<RawBsonRef<'_>> {
        RawDocument::from_bytes(self.key).ok()?.get("_id").ok()?
    }

    fn any_text(&self, found: &mut dyn FnMut(&str) -> bool) -> bool {
        document_text(self.key, found) || self.operation != self.key && document_text(self.operation, found)
    }

    fn has_word(&self, word: &Word) -> bool {
        word.is_in_document(self.key) || self.operation != self.key && word.is_in_document(self.operation)
    }
}

/// Hands the pieces of one document to `found` until that says yes. Where the bytes cannot be
/// read (names that are no UTF-8, damage), they are handed over as one piece: nothing is missed.
pub fn document_text(document: &[u8], found: &mut dyn FnMut(&str) -> bool) -> bool {
    let hit = RawDocument::from_bytes(document).ok().and_then(|doc| walk(doc, MAX_DEPTH, found).ok());
    hit.unwrap_or_else(|| found(&String::from_utf8_lossy(document)))
}

pub(super) struct Unreadable;

fn walk(doc: &RawDocument, depth: usize, found: &mut dyn FnMut(&str) -> bool) -> Result<bool, Unreadable> {
    for element in doc {
        let (name, value) = element.map_err(|_| Unreadable)?;
        if found(name.as_str()) || walk_value(value, depth, found)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn walk_value(
    value: RawBsonRef<'_>,
    depth: usize,
    found: &mut dyn FnMut(&str) -> bool,
) -> Result<bool, Unreadable> {
    let depth = depth.checked_sub(1).ok_or(Unreadable)?;
    match value {
        RawBsonRef::Document(doc) => walk(doc, depth, found),
        RawBsonRef::Array(array) => {
            for item in array {
                if walk_value(item.map_err(|_| Unreadable)?, depth, found)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        RawBsonRef::JavaScriptCodeWithScope(code) => Ok(found(code.code) || walk(code.scope, depth, found)?),
        RawBsonRef::RegularExpression(regex) => {
            Ok(found(regex.pattern.as_str()) || found(regex.options.as_str()))
        }
        scalar => Ok(found(&text_of(scalar))),
    }
}

pub(super) fn text_of<'a>(value: RawBsonRef<'a>) -> Cow<'a, str> {
    let text = match value {
        RawBsonRef::String(text) | RawBsonRef::Symbol(text) | RawBsonRef::JavaScriptCode(text) => {
            return Cow::Borrowed(text);
        }
        RawBsonRef::Boolean(true) => return Cow::Borrowed("true"),
        RawBsonRef::Boolean(false) => return Cow::Borrowed("false"),
        RawBsonRef::Null => return Cow::Borrowed("null"),
        RawBsonRef::Undefined => return Cow::Borrowed("undefined"),
        RawBsonRef::MinKey => return Cow::Borrowed("MinKey"),
        RawBsonRef::MaxKey => return Cow::Borrowed("MaxKey"),
        RawBsonRef::Double(n) => n.to_string(),
        RawBsonRef::Int32(n) => n.to_string(),
        RawBsonRef::Int64(n) => n.to_string(),
        RawBsonRef::Decimal128(n) => n.to_string(),
        RawBsonRef::ObjectId(id) => id.to_hex(),
        RawBsonRef::DateTime(date) => {
            date.try_to_rfc3339_string().unwrap_or_else(|_| date.timestamp_millis().to_string())
        }
        RawBsonRef::Timestamp(ts) => Position::new(ts.time, ts.increment).to_string(),
        RawBsonRef::Binary(binary) => match (binary.subtype, <[u8; 16]>::try_from(binary.bytes)) {
            (BinarySubtype::Uuid, Ok(bytes)) => bson::Uuid::from_bytes(bytes).to_string(),
            _ => binary.bytes.iter().map(|b| format!("{b:02x}")).collect(),
        },
        other => format!("{other:?}"),
    };
    Cow::Owned(text)
}
