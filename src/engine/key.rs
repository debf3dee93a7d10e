//! Which document an operation is about: the identity of an `_id` as the server's `_id` index
//! sees it (simple collation). Knows nothing of what is stored under a key.

use xxhash_rust::xxh3::xxh3_128_with_seed;

use super::bson::{Doc, Elem, MAX_DEPTH, kind};
use super::number::Number;
use super::order::{Class, class, code_parts, text};

/// The identity of a document within its collection. Two `_id`s have the same key iff the server
/// calls them duplicates: numbers are equal by value whatever their type, also inside documents
/// and arrays; a symbol equals a string; everything else is equal by type and bytes.
///
/// A 128-bit hash: among 10^12 documents two share a key by chance with probability 10^-15.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DocKey(u128);

impl DocKey {
    /// The key of an `_id`; its name does not matter. Allocates only for documents, arrays and
    /// code with scope.
    pub fn of(id: Elem<'_>) -> DocKey {
        match id.kind {
            kind::OBJECT_ID => hash(Class::ObjectId, id.value),
            kind::STRING | kind::SYMBOL => hash(Class::Text, text(id.value)),
            kind::DOCUMENT | kind::ARRAY | kind::CODE_WITH_SCOPE => {
                let mut canonical = Vec::with_capacity(id.value.len() + 32);
                write_value(id, 0, &mut canonical);
                hash(class(id.kind), &canonical)
            }
            _ => match Number::of(&id) {
                Some(number) => {
                    let (bytes, length) = number_bytes(number);
                    hash(Class::Number, bytes.get(..length).unwrap_or(&bytes))
                }
                None => hash(class(id.kind), id.value),
            },
        }
    }

    /// The hash itself, evenly distributed in all bits.
    pub fn bits(self) -> u128 {
        self.0
    }

    /// The inverse of [`DocKey::bits`].
    pub fn from_bits(bits: u128) -> DocKey {
        DocKey(bits)
    }
}

/// The class is the seed, so equal bytes of different types are different keys.
fn hash(class: Class, bytes: &[u8]) -> DocKey {
    DocKey(xxh3_128_with_seed(bytes, class as u64 + 1))
}

/// The canonical bytes of a number; no number's are a prefix of another's.
fn number_bytes(number: Number) -> ([u8; 22], usize) {
    let mut bytes = [0; 22];
    let (tag, payload): (u8, usize) = match number {
        Number::Nan => (0, 0),
        Number::NegativeInfinity => (1, 0),
        Number::PositiveInfinity => (2, 0),
        Number::Int(value) => {
            bytes[1..9].copy_from_slice(&value.to_le_bytes());
            (3, 8)
        }
        Number::Double(value) => {
            bytes[1..9].copy_from_slice(&value.to_le_bytes());
            (4, 8)
        }
        Number::Decimal(value) => {
            bytes[1..17].copy_from_slice(&value.coefficient.to_le_bytes());
            bytes[17..21].copy_from_slice(&value.exponent.to_le_bytes());
            bytes[21] = value.negative.into();
            (5, 21)
        }
    };
    bytes[0] = tag;
    (bytes, payload + 1)
}

/// Appends a form that equal values share and no two different values do: lengths come before
/// what has no fixed length.
fn write_value(elem: Elem<'_>, depth: usize, out: &mut Vec<u8>) {
    let class = class(elem.kind);
    out.push(class as u8);
    match class {
        Class::Number => match Number::of(&elem) {
            Some(number) => {
                let (bytes, length) = number_bytes(number);
                out.extend(bytes.iter().take(length));
            }
            None => write_bytes(elem.value, out),
        },
        Class::Text => write_bytes(text(elem.value), out),
        Class::Document | Class::Array => write_document(elem.value, class, depth, out),
        Class::CodeWithScope => {
            let (code, scope) = code_parts(elem.value);
            write_bytes(code, out);
            write_document(scope, Class::Document, depth, out);
        }
        _ => write_bytes(elem.value, out),
    }
}

fn write_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    out.extend_from_slice(bytes);
}

/// Marks inside a document: another field, the end, or bytes that cannot be read as fields.
const FIELD: u8 = 1;
const END: u8 = 0;
const BROKEN: u8 = 2;

fn write_document(bytes: &[u8], class: Class, depth: usize, out: &mut Vec<u8>) {
    let start = out.len();
    let mut fields = || {
        let doc = Doc::new(bytes).ok().filter(|_| depth <= MAX_DEPTH)?;
        for elem in doc.iter() {
            let elem = elem.ok()?;
            out.push(FIELD);
            if class == Class::Document {
                out.extend_from_slice(elem.name);
                out.push(0);
            }
            write_value(elem, depth + 1, out);
        }
        out.push(END);
        Some(())
    };
    if fields().is_none() {
        out.truncate(start);
        out.push(BROKEN);
        write_bytes(bytes, out);
    }
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use bson::{Bson, doc};

    use super::*;

    fn key(value: impl Into<Bson>) -> DocKey {
        let bytes = bson::serialize_to_vec(&doc! { "_id": value.into() }).unwrap();
        DocKey::of(Doc::new(&bytes).unwrap().first_elem().unwrap())
    }

    fn decimal(text: &str) -> Bson {
        bson::Decimal128::from_str(text).unwrap().into()
    }

    #[test]
    fn numbers_are_the_same_by_value() {
        for same in [decimal("1.00"), Bson::Int64(1), Bson::Double(1.0)] {
            assert_eq!(key(1), key(same.clone()), "{same}");
            assert_eq!(key(doc! { "a": [1] }), key(doc! { "a": [&same] }), "nested {same}");
        }
        assert_eq!(key(0), key(-0.0));
        assert_eq!(key(decimal("-0E+9")), key(0i64));
        assert_eq!(key(f64::NAN), key(-f64::NAN));
        assert_eq!(key(f64::NAN), key(decimal("NaN")));
        assert_eq!(key(f64::INFINITY), key(decimal("Infinity")));
        assert_eq!(key(0.5), key(decimal("0.50")));
        assert_ne!(key(0.1), key(decimal("0.1")));
        assert_ne!(key(9_007_199_254_740_993i64), key(9_007_199_254_740_992.0));
    }

    #[test]
    fn text_is_the_same_as_symbol_and_nothing_else() {
        assert_eq!(key("a"), key(Bson::Symbol("a".into())));
        assert_ne!(key("a"), key(Bson::JavaScriptCode("a".into())));
        assert_ne!(key("1"), key(1));
    }

    /// Pairs that an encoding without lengths or marks would confuse.
    #[test]
    fn different_values_have_different_keys() {
        let scope = |code: &str, scope| {
            Bson::JavaScriptCodeWithScope(bson::JavaScriptCodeWithScope { code: code.into(), scope })
        };
        let values: Vec<Bson> = vec![
            Bson::Null,
            Bson::MinKey,
            Bson::MaxKey,
            Bson::Undefined,
            false.into(),
            true.into(),
            0.into(),
            1.into(),
            "".into(),
            "a\0b".into(),
            "a".into(),
            bson::DateTime::from_millis(0).into(),
            bson::Timestamp { time: 0, increment: 0 }.into(),
            bson::oid::ObjectId::from_bytes([0; 12]).into(),
            bson::oid::ObjectId::from_bytes([1; 12]).into(),
            doc! {}.into(),
            doc! { "a": 1 }.into(),
            doc! { "b": 1 }.into(),
            doc! { "a": 1, "b": 1 }.into(),
            doc! { "b": 1, "a": 1 }.into(),
            doc! { "a": { "b": 1 } }.into(),
            doc! { "a": {}, "b": 1 }.into(),
            doc! { "a": "b" }.into(),
            doc! { "a": ["b"] }.into(),
            doc! { "a": [["b"], []] }.into(),
            doc! { "a": [["b", []]] }.into(),
            doc! { "a": { "0": "b" } }.into(),
            scope("c", doc! {}),
            scope("c", doc! { "x": 1 }),
            scope("cx", doc! {}),
            Bson::JavaScriptCode("c".into()),
            bson::Binary { subtype: 0.into(), bytes: vec![1] }.into(),
            bson::Binary { subtype: 4.into(), bytes: vec![1] }.into(),
            bson::Binary { subtype: 0.into(), bytes: vec![] }.into(),
        ];
        for (i, a) in values.iter().enumerate() {
            for (j, b) in values.iter().enumerate() {
                assert_eq!(key(a.clone()) == key(b.clone()), i == j, "{a} and {b}");
            }
        }
        assert_eq!(key(scope("c", doc! { "x": 1 })), key(scope("c", doc! { "x": 1.0 })));
    }

    /// Some drivers number arrays wrongly; a server finds the same key.
    #[test]
    fn the_names_of_array_elements_do_not_matter() {
        let array = |name: &[u8]| {
            let mut b = crate::engine::build::Builder::new();
            b.open(b"_id", kind::DOCUMENT);
            b.open(b"a", kind::ARRAY);
            b.put(name, kind::BOOL, &[1]);
            let bytes = b.finish();
            DocKey::of(Doc::new(&bytes).unwrap().first_elem().unwrap())
        };
        assert_eq!(array(b"0"), array(b"x"));
    }

    #[test]
    fn broken_and_endlessly_nested_documents_have_keys() {
        let nested = |depth: usize, innermost: Bson| {
            let document = (0..depth).fold(doc! { "x": innermost }, |inner, _| doc! { "a": inner });
            key(document)
        };
        assert_eq!(nested(200, 1.into()), nested(200, 1.0.into()));
        assert_ne!(nested(200, 1.into()), nested(200, 2.into()));
        assert_ne!(nested(400, 1.into()), nested(400, 2.into()));
        let mut bytes = bson::serialize_to_vec(&doc! { "_id": { "a": 1, "b": 2 } }).unwrap();
        let whole = DocKey::of(Doc::new(&bytes).unwrap().first_elem().unwrap());
        let at = bytes.len() - 9;
        assert_eq!(bytes[at], kind::INT32);
        bytes[at] = 0x66;
        let broken = DocKey::of(Doc::new(&bytes).unwrap().first_elem().unwrap());
        assert_ne!(whole, broken);
    }
}
