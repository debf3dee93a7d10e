//! The order of BSON values on a server (simple collation), as its `_id` index and its range
//! queries have it. Knows nothing of collections.
//!
//! Source: the manual's "BSON comparison order" with the classes of the server's
//! `canonicalizeBSONType`; held against a server by `tests/update_semantics.rs`.

use std::cmp::Ordering;

use super::bson::{Doc, Elem, MAX_DEPTH, kind};
use super::number::Number;

/// The classes of values that compare with each other; they are ordered as declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Class {
    MinKey,
    Undefined,
    Null,
    Number,
    Text,
    Document,
    Array,
    Binary,
    ObjectId,
    Bool,
    Date,
    Timestamp,
    Regex,
    DbPointer,
    Code,
    CodeWithScope,
    MaxKey,
}

/// The class of a type byte; unknown bytes, which no [`Elem`] has, count as the highest.
pub(super) fn class(byte: u8) -> Class {
    match byte {
        kind::MIN_KEY => Class::MinKey,
        kind::UNDEFINED => Class::Undefined,
        kind::NULL => Class::Null,
        kind::DOUBLE | kind::INT32 | kind::INT64 | kind::DECIMAL => Class::Number,
        kind::STRING | kind::SYMBOL => Class::Text,
        kind::DOCUMENT => Class::Document,
        kind::ARRAY => Class::Array,
        kind::BINARY => Class::Binary,
        kind::OBJECT_ID => Class::ObjectId,
        kind::BOOL => Class::Bool,
        kind::DATE => Class::Date,
        kind::TIMESTAMP => Class::Timestamp,
        kind::REGEX => Class::Regex,
        kind::DB_POINTER => Class::DbPointer,
        kind::CODE => Class::Code,
        kind::CODE_WITH_SCOPE => Class::CodeWithScope,
        _ => Class::MaxKey,
    }
}

/// Compares two values; the names of the two elements do not matter, those inside documents do.
/// `Equal` means the same key of a unique index. Broken inner documents compare by their bytes.
pub fn compare_values(a: Elem<'_>, b: Elem<'_>) -> Ordering {
    values(a, b, 0)
}

fn values(a: Elem<'_>, b: Elem<'_>, depth: usize) -> Ordering {
    let class_a = class(a.kind);
    class_a.cmp(&class(b.kind)).then_with(|| match class_a {
        Class::MinKey | Class::Undefined | Class::Null | Class::MaxKey => Ordering::Equal,
        Class::Number => match (Number::of(&a), Number::of(&b)) {
            (Some(a), Some(b)) => a.compare(b),
            _ => a.value.cmp(b.value),
        },
        Class::Text | Class::Code => text(a.value).cmp(text(b.value)),
        Class::Document => documents(a.value, b.value, Names::Count, depth),
        Class::Array => documents(a.value, b.value, Names::Ignored, depth),
        // Length first; the prefix of a DB pointer is the length of its name.
        Class::Binary | Class::DbPointer => {
            a.value.len().cmp(&b.value.len()).then_with(|| tail(a.value).cmp(tail(b.value)))
        }
        Class::Date => signed(a.value).cmp(&signed(b.value)),
        Class::Timestamp => (signed(a.value) as u64).cmp(&(signed(b.value) as u64)),
        Class::ObjectId | Class::Bool | Class::Regex => a.value.cmp(b.value),
        Class::CodeWithScope => {
            let ((code_a, scope_a), (code_b, scope_b)) = (code_parts(a.value), code_parts(b.value));
            code_a.cmp(code_b).then_with(|| documents(scope_a, scope_b, Names::Count, depth))
        }
    })
}

/// Whether field names take part: in arrays they do not.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Names {
    Count,
    Ignored,
}

fn documents(a: &[u8], b: &[u8], names: Names, depth: usize) -> Ordering {
    let (Ok(doc_a), Ok(doc_b)) = (Doc::new(a), Doc::new(b)) else {
        return a.cmp(b);
    };
    if depth > MAX_DEPTH {
        return a.cmp(b);
    }
    let (mut fields_a, mut fields_b) = (doc_a.iter(), doc_b.iter());
    loop {
        let (a, b) = match (fields_a.next(), fields_b.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(Ok(a)), Some(Ok(b))) => (a, b),
            _ => return a.cmp(b),
        };
        let by_class = class(a.kind).cmp(&class(b.kind));
        let by_name = if names == Names::Count { a.name.cmp(b.name) } else { Ordering::Equal };
        let order = by_class.then(by_name).then_with(|| values(a, b, depth + 1));
        if order.is_ne() {
            return order;
        }
    }
}

/// The bytes of a string value, which may hold zero bytes.
pub(super) fn text(value: &[u8]) -> &[u8] {
    value.len().checked_sub(1).and_then(|end| value.get(4..end)).unwrap_or(value)
}

/// What follows a length prefix.
fn tail(value: &[u8]) -> &[u8] {
    value.get(4..).unwrap_or(value)
}

fn signed(value: &[u8]) -> i64 {
    value.try_into().map_or(0, i64::from_le_bytes)
}

/// The code and the scope document of code with scope; a broken one is all code.
pub(super) fn code_parts(value: &[u8]) -> (&[u8], &[u8]) {
    let split = || {
        let length = usize::try_from(super::bson::int32_at(value, 4)?).ok()?;
        let (code, scope) = value.get(8..)?.split_at_checked(length)?;
        Some((code.strip_suffix(&[0])?, scope))
    };
    split().unwrap_or((value, &[]))
}
