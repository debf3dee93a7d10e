//! Raw BSON, read in place: a document is a slice whose outer frame has been checked, and every
//! step through it checks the next element before it is handed out. No panic and no allocation
//! on any input. Format: bsonspec.org, version 1.1.

mod elem;

use std::fmt;

/// Element types by their byte in the format.
pub mod kind {
    #![allow(missing_docs)]
    pub const DOUBLE: u8 = 0x01;
    pub const STRING: u8 = 0x02;
    pub const DOCUMENT: u8 = 0x03;
    pub const ARRAY: u8 = 0x04;
    pub const BINARY: u8 = 0x05;
    pub const UNDEFINED: u8 = 0x06;
    pub const OBJECT_ID: u8 = 0x07;
    pub const BOOL: u8 = 0x08;
    pub const DATE: u8 = 0x09;
    pub const NULL: u8 = 0x0a;
    pub const REGEX: u8 = 0x0b;
    pub const DB_POINTER: u8 = 0x0c;
    pub const CODE: u8 = 0x0d;
    pub const SYMBOL: u8 = 0x0e;
    pub const CODE_WITH_SCOPE: u8 = 0x0f;
    pub const INT32: u8 = 0x10;
    pub const TIMESTAMP: u8 = 0x11;
    pub const INT64: u8 = 0x12;
    pub const DECIMAL: u8 = 0x13;
    pub const MAX_KEY: u8 = 0x7f;
    pub const MIN_KEY: u8 = 0xff;
}

/// The largest single BSON object anything here accepts: an oplog entry may exceed the 16 MiB of
/// a document by its envelope, and readers elsewhere trust lengths only below this bound.
pub const MAX_BYTES: usize = 48 * 1024 * 1024;

/// How deep documents may nest; the server allows 180 by default, 250 at most.
pub const MAX_DEPTH: usize = 260;

/// What is wrong with some bytes, and how far into the outermost document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Bytes from the start of the slice that was looked at.
    pub offset: usize,
    /// A phrase: "the length 7 is smaller than 5".
    pub what: String,
}

impl Fault {
    /// Makes one.
    pub fn new(offset: usize, what: impl Into<String>) -> Self {
        Fault { offset, what: what.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (at byte {} of the document)", self.what, self.offset)
    }
}

/// A document (or array): length prefix and terminator have been checked, the inside not yet.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Doc<'a>(&'a [u8]);

/// One element of a document; its value has the right length for its kind.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Elem<'a> {
    /// The type byte, see [`kind`].
    pub kind: u8,
    /// The field name without its NUL; may be any bytes.
    pub name: &'a [u8],
    /// The value, as in the format.
    pub value: &'a [u8],
    /// Type byte, name, NUL and value together: what a copy of the field needs.
    pub whole: &'a [u8],
}

/// The empty document.
pub const EMPTY: Doc<'static> = Doc(&[5, 0, 0, 0, 0]);

/// Reads a little-endian int32 at `at`; `None` past the end.
pub fn int32_at(bytes: &[u8], at: usize) -> Option<i32> {
    let part = bytes.get(at..at.checked_add(4)?)?;
    Some(i32::from_le_bytes(part.try_into().ok()?))
}

fn int64_at(bytes: &[u8], at: usize) -> Option<i64> {
    let part = bytes.get(at..at.checked_add(8)?)?;
    Some(i64::from_le_bytes(part.try_into().ok()?))
}

impl<'a> Doc<'a> {
    /// Takes exactly one document: `bytes` must be neither shorter nor longer than it says.
    pub fn new(bytes: &'a [u8]) -> Result<Self, Fault> {
        let doc = Self::first(bytes)?;
        if doc.0.len() != bytes.len() {
            return Err(Fault::new(
                doc.0.len(),
                format!("{} bytes follow the document", bytes.len() - doc.0.len()),
            ));
        }
        Ok(doc)
    }

    /// Takes the document at the start of `bytes` and ignores what follows.
    pub fn first(bytes: &'a [u8]) -> Result<Self, Fault> {
        let length = int32_at(bytes, 0)
            .ok_or_else(|| Fault::new(0, format!("cut off: {} of the 4 bytes of a length", bytes.len())))?;
        let length = usize::try_from(length)
            .ok()
            .filter(|l| (5..=MAX_BYTES).contains(l))
            .ok_or_else(|| Fault::new(0, format!("{length} is no length of a document")))?;
        let Some(body) = bytes.get(..length) else {
            return Err(Fault::new(bytes.len(), format!("cut off: {} of {length} bytes", bytes.len())));
        };
        if body[length - 1] != 0 {
            return Err(Fault::new(length - 1, "the document does not end with a zero byte"));
        }
        Ok(Doc(body))
    }

    /// Its bytes, length prefix and terminator included.
    pub fn bytes(self) -> &'a [u8] {
        self.0
    }

    /// Whether it has no elements.
    pub fn is_empty(self) -> bool {
        self.0.len() == 5
    }

    /// Its elements in order. After a fault the iteration ends.
    pub fn iter(self) -> Iter<'a> {
        Iter { bytes: self.0, at: 4 }
    }

    /// The first element of that name; `None` also when the document is broken before it.
    pub fn get(self, name: &str) -> Option<Elem<'a>> {
        self.iter().map_while(Result::ok).find(|e| e.name == name.as_bytes())
    }

    /// The first element.
    pub fn first_elem(self) -> Option<Elem<'a>> {
        self.iter().next().and_then(Result::ok)
    }

    /// Whether `_id` comes first, as servers put it where they make a document.
    pub fn starts_with_id(self) -> bool {
        self.first_elem().is_some_and(|e| e.name == b"_id")
    }

    /// Whether a field at the top, other than `_id`, is `Timestamp(0,0)`: servers take that in an
    /// insert or a replacement as a request for their clock.
    pub fn has_zero_timestamp(self) -> bool {
        let zero = |e: &Elem<'_>| e.kind == kind::TIMESTAMP && e.value.iter().all(|&b| b == 0);
        self.iter().map_while(Result::ok).any(|e| zero(&e) && e.name != b"_id")
    }

    /// Walks everything, nested documents too; UTF-8 is not required (servers store what they get).
    pub fn validate(self) -> Result<(), Fault> {
        self.validate_at(0)
    }

    fn validate_at(self, depth: usize) -> Result<(), Fault> {
        if depth > MAX_DEPTH {
            return Err(Fault::new(0, format!("nested deeper than {MAX_DEPTH}")));
        }
        for elem in self.iter() {
            let elem = elem?;
            let inner = match elem.kind {
                kind::DOCUMENT | kind::ARRAY => elem.value,
                kind::CODE_WITH_SCOPE => {
                    elem.scope().ok_or_else(|| Fault::new(0, "broken code with scope"))?
                }
                _ => continue,
            };
            let base = inner.as_ptr() as usize - self.0.as_ptr() as usize;
            let within = |f: Fault| Fault::new(f.offset + base, f.what);
            Doc::new(inner).and_then(|d| d.validate_at(depth + 1)).map_err(within)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Doc<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter().map_while(Result::ok).map(|e| (e.name_lossy(), e))).finish()
    }
}

impl fmt::Debug for Elem<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.as_doc() {
            Some(doc) => doc.fmt(f),
            None => write!(f, "{:#04x}:{:02x?}", self.kind, self.value),
        }
    }
}

/// The elements of one document.
#[derive(Debug, Clone)]
pub struct Iter<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Iterator for Iter<'a> {
    type Item = Result<Elem<'a>, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        let end = self.bytes.len() - 1;
        if self.at >= end {
            return None;
        }
        let step = self.step(end);
        if step.is_err() {
            self.at = end;
        }
        Some(step)
    }
}

impl<'a> Iter<'a> {
    fn step(&mut self, end: usize) -> Result<Elem<'a>, Fault> {
        let start = self.at;
        let kind = self.bytes[start];
        if kind == 0 {
            return Err(Fault::new(start, "the document ends before its length says"));
        }
        let rest = &self.bytes[start + 1..end];
        let name_len =
            rest.iter().position(|&c| c == 0).ok_or_else(|| Fault::new(start, "a field name has no end"))?;
        let name = &rest[..name_len];
        let value = &rest[name_len + 1..];
        let size = value_size(kind, value).ok_or_else(|| {
            Fault::new(
                start,
                format!(
                    "the value of field {:?} (type {kind:#04x}) is broken or cut off",
                    String::from_utf8_lossy(name)
                ),
            )
        })?;
        let stop = start + 1 + name_len + 1 + size;
        self.at = stop;
        Ok(Elem { kind, name, value: &value[..size], whole: &self.bytes[start..stop] })
    }
}

/// How many bytes the value of this kind at the start of `bytes` takes; `None` = broken.
fn value_size(kind: u8, bytes: &[u8]) -> Option<usize> {
    let prefixed = |extra: usize, min: usize| {
        let n = usize::try_from(int32_at(bytes, 0)?).ok()?;
        if n < min { None } else { n.checked_add(extra) }
    };
    let cstring = |from: usize| {
        let n = bytes.get(from..)?.iter().position(|&c| c == 0)?;
        Some(from + n + 1)
    };
    let size = match kind {
        kind::DOUBLE | kind::DATE | kind::TIMESTAMP | kind::INT64 => 8,
        kind::STRING | kind::CODE | kind::SYMBOL => prefixed(4, 1)?,
        kind::DOCUMENT | kind::ARRAY => prefixed(0, 5)?,
        kind::BINARY => prefixed(5, 0)?,
        kind::UNDEFINED | kind::NULL | kind::MIN_KEY | kind::MAX_KEY => 0,
        kind::OBJECT_ID => 12,
        kind::BOOL => 1,
        kind::REGEX => cstring(cstring(0)?)?,
        kind::DB_POINTER => prefixed(4 + 12, 1)?,
        kind::CODE_WITH_SCOPE => prefixed(0, 14)?,
        kind::INT32 => 4,
        kind::DECIMAL => 16,
        _ => return None,
    };
    let value = bytes.get(..size)?;
    let sound = match kind {
        kind::STRING | kind::CODE | kind::SYMBOL | kind::DOCUMENT | kind::ARRAY | kind::CODE_WITH_SCOPE => {
            value[size - 1] == 0
        }
        kind::BOOL => value[0] < 2,
        _ => true,
    };
    sound.then_some(size)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Position;

    fn doc() -> Vec<u8> {
        bson::serialize_to_vec(&bson::doc! {
            "a": 1, "b": "x", "c": { "d": [1, 2.5, bson::oid::ObjectId::new()] },
            "e": bson::Regex { pattern: "p".try_into().unwrap(), options: "i".try_into().unwrap() },
            "f": bson::JavaScriptCodeWithScope { code: "c".into(), scope: bson::doc! { "s": 1 } },
            "g": bson::Timestamp { time: 7, increment: 9 }, "h": bson::Bson::MinKey,
        })
        .unwrap()
    }

    #[test]
    fn walks_every_kind() {
        let bytes = doc();
        let doc = Doc::new(&bytes).unwrap();
        doc.validate().unwrap();
        let names: Vec<_> = doc.iter().map(|e| e.unwrap().name_lossy().into_owned()).collect();
        assert_eq!(names, ["a", "b", "c", "e", "f", "g", "h"]);
        assert_eq!(doc.get("a").unwrap().as_i64(), Some(1));
        assert_eq!(doc.get("b").unwrap().as_str(), Some("x"));
        assert_eq!(doc.get("g").unwrap().as_position(), Some(Position::new(7, 9)));
        let whole: usize = doc.iter().map(|e| e.unwrap().whole.len()).sum();
        assert_eq!(whole + 5, bytes.len());
    }

    #[test]
    fn every_truncation_and_every_flipped_byte_is_survived() {
        let bytes = doc();
        for end in 0..bytes.len() {
            assert!(Doc::first(&bytes[..end]).is_err(), "cut at {end}");
        }
        for at in 0..bytes.len() {
            for value in [0, 1, 3, 0x7f, 0x80, 0xff] {
                let mut broken = bytes.clone();
                broken[at] = value;
                // The result may be a fault or another valid document; it must be one of them.
                if let Ok(doc) = Doc::new(&broken) {
                    let _ = doc.validate();
                    let _ = format!("{doc:?}");
                }
            }
        }
    }

    #[test]
    fn a_fault_names_its_offset() {
        let mut bytes = doc();
        let at = 4; // the type byte of the first element
        bytes[at] = 0x66;
        let fault = Doc::new(&bytes).unwrap().validate().unwrap_err();
        assert_eq!(fault.offset, at);
    }
}
