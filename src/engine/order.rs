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

#[cfg(test)]
mod tests {
    use bson::{Bson, doc};

    use super::*;

    fn compare(a: &Bson, b: &Bson) -> Ordering {
        let elem = |value: &Bson| bson::serialize_to_vec(&doc! { "": value }).unwrap();
        let (a, b) = (elem(a), elem(b));
        compare_values(
            Doc::new(&a).unwrap().first_elem().unwrap(),
            Doc::new(&b).unwrap().first_elem().unwrap(),
        )
    }

    fn binary(subtype: u8, bytes: &[u8]) -> Bson {
        bson::Binary { subtype: subtype.into(), bytes: bytes.to_vec() }.into()
    }

    fn regex(pattern: &str, options: &str) -> Bson {
        let (pattern, options) = (pattern.try_into().unwrap(), options.try_into().unwrap());
        bson::Regex { pattern, options }.into()
    }

    fn scope(code: &str, scope: bson::Document) -> Bson {
        bson::JavaScriptCodeWithScope { code: code.into(), scope }.into()
    }

    /// The list is the manual's "BSON comparison order", with the rules inside each type.
    #[test]
    fn every_pair_is_ordered() {
        let sorted: Vec<Bson> = vec![
            Bson::MinKey,
            Bson::Undefined,
            Bson::Null,
            f64::NAN.into(),
            (-5i64).into(),
            0.into(),
            0.5.into(),
            1.into(),
            "".into(),
            "a".into(),
            Bson::Symbol("a\0".into()),
            "aa".into(),
            "b".into(),
            doc! {}.into(),
            doc! { "z": 1 }.into(),
            doc! { "z": 1, "a": 0 }.into(),
            doc! { "z": 2 }.into(),
            doc! { "a": "text" }.into(),
            doc! { "b": "a" }.into(),
            doc! { "a": { "a": 9 } }.into(),
            Bson::Array(vec![]),
            Bson::Array(vec![1.into()]),
            Bson::Array(vec![1.into(), 2.into()]),
            Bson::Array(vec!["a".into()]),
            binary(0, b""),
            binary(0, b"z"),
            binary(5, b"a"),
            binary(0, b"aa"),
            bson::oid::ObjectId::from_bytes([1; 12]).into(),
            bson::oid::ObjectId::from_bytes([200; 12]).into(),
            false.into(),
            true.into(),
            bson::DateTime::from_millis(-1).into(),
            bson::DateTime::from_millis(1).into(),
            bson::Timestamp { time: 1, increment: 9 }.into(),
            bson::Timestamp { time: u32::MAX, increment: 0 }.into(),
            regex("a", "i"),
            regex("a", "x"),
            regex("ab", ""),
            Bson::JavaScriptCode("a".into()),
            Bson::JavaScriptCode("b".into()),
            scope("a", doc! { "x": 2 }),
            scope("b", doc! { "x": 1 }),
            scope("b", doc! { "y": 1 }),
            Bson::MaxKey,
        ];
        for (i, a) in sorted.iter().enumerate() {
            for (j, b) in sorted.iter().enumerate() {
                assert_eq!(compare(a, b), i.cmp(&j), "{a} against {b}");
            }
        }
    }

    #[test]
    fn nesting_without_end_is_survived() {
        let nested = |depth: usize, innermost: i32| {
            Bson::from((0..depth).fold(doc! { "x": innermost }, |inner, _| doc! { "a": inner }))
        };
        assert_eq!(compare(&nested(200, 1), &nested(200, 2)), Ordering::Less);
        assert_eq!(compare(&nested(600, 1), &nested(600, 1)), Ordering::Equal);
    }
}
