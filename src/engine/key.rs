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
