//! `$v: 2` diffs (servers 5.0 and later): grammar and application, reference 2.2.
//! Field names are literal here: dots, dollars and emptiness have no meaning.

use super::at;
use super::fields::{Field, Fields};
use super::sink::{IndexName, Sink};
use crate::engine::bson::{Doc, Elem, Fault, MAX_DEPTH, kind};

/// What happens to one field, or to one array element.
#[derive(Debug, Clone, Copy)]
enum Change<'a> {
    /// `d`
    Delete,
    /// `u`: in place, or appended when missing.
    Update(Elem<'a>),
    /// `i`: leaves its old place and goes to the end.
    Insert(Elem<'a>),
    /// `b` (8.0): the old bytes up to an offset, then these.
    Binary { keep: usize, data: &'a [u8] },
    /// `s` of a document.
    Document(Doc<'a>),
    /// `s` of an array.
    Array(Doc<'a>),
}

/// Refuses what a server's parser refuses, all the way down, also where application would not
/// look; and arrays that would crash it.
pub(super) fn check(diff: Doc<'_>) -> Result<(), Fault> {
    check_document(diff, diff, 0)
}

fn check_document(root: Doc<'_>, diff: Doc<'_>, depth: usize) -> Result<(), Fault> {
    let parser = Parser { root };
    for field in parser.document(diff, depth)?.ranked() {
        check_change(root, field.change, depth)?;
    }
    Ok(())
}

fn check_change(root: Doc<'_>, change: Change<'_>, depth: usize) -> Result<(), Fault> {
    match change {
        Change::Document(diff) => check_document(root, diff, depth + 1),
        Change::Array(diff) => {
            let mut changes = Parser { root }.array(diff, depth + 1)?;
            while let Some((_, change)) = changes.next()? {
                check_change(root, change, depth + 1)?;
            }
            Ok(())
        }
        Change::Delete | Change::Update(_) | Change::Insert(_) | Change::Binary { .. } => Ok(()),
    }
}

/// Writes the changed document into `sink`.
pub(super) fn apply(old: Doc<'_>, diff: Doc<'_>, sink: &mut Sink) -> Result<(), Fault> {
    apply_document(old, diff, 0, sink)
}

fn apply_document(old: Doc<'_>, diff: Doc<'_>, depth: usize, sink: &mut Sink) -> Result<(), Fault> {
    let mut fields = Parser { root: diff }.document(diff, depth)?;
    for elem in old.iter() {
        let elem = elem?;
        match fields.find(elem.name) {
            None => sink.copy(&elem)?,
            Some(field) => {
                field.met = true;
                apply_change(elem.name, Some(elem), field.change, depth, sink)?;
            }
        }
    }
    for field in fields.ranked() {
        match field.change {
            Change::Update(new) if !field.met => sink.copy(&new)?,
            Change::Insert(new) => sink.copy(&new)?,
            _ => {}
        }
    }
    Ok(())
}

/// Writes what becomes of an existing field or element, or of an element the array lacks.
fn apply_change(
    name: &[u8],
    old: Option<Elem<'_>>,
    change: Change<'_>,
    depth: usize,
    sink: &mut Sink,
) -> Result<(), Fault> {
    let container = |kind: u8| old.filter(|e| e.kind == kind).and_then(|e| e.as_doc());
    match change {
        Change::Delete | Change::Insert(_) => Ok(()),
        Change::Update(new) => sink.put(name, new.kind, new.value),
        Change::Document(diff) => match container(kind::DOCUMENT) {
            Some(old) => {
                sink.open(name, kind::DOCUMENT)?;
                apply_document(old, diff, depth + 1, sink)?;
                sink.close();
                Ok(())
            }
            // The diff is older than the document: an entry to come gives the field its value.
            None => sink.null(name),
        },
        Change::Array(diff) => match container(kind::ARRAY) {
            Some(old) => {
                sink.open(name, kind::ARRAY)?;
                apply_array(old, diff, depth + 1, sink)?;
                sink.close();
                Ok(())
            }
            None => sink.null(name),
        },
        Change::Binary { keep, data } => {
            let kept = old.and_then(|e| e.as_binary()).and_then(|(sub, b)| Some((sub, b.get(..keep)?)));
            match kept {
                Some((subtype, kept)) => {
                    let length = (kept.len() + data.len()) as u32;
                    let value = [&length.to_le_bytes(), &[subtype][..], kept, data].concat();
                    sink.put(name, kind::BINARY, &value)
                }
                None => sink.null(name),
            }
        }
    }
}

fn apply_array(old: Doc<'_>, diff: Doc<'_>, depth: usize, sink: &mut Sink) -> Result<(), Fault> {
    let mut changes = Parser { root: diff }.array(diff, depth)?;
    let limit = changes.limit;
    let mut next = changes.next()?;
    let mut elements = old.iter();
    for index in 0.. {
        let within = limit.is_none_or(|limit| index < limit);
        let elem = if within { elements.next().transpose()? } else { None };
        // Past the old elements, nulls lead up to the last change and to the new length.
        if elem.is_none() && next.is_none() && limit.is_none_or(|limit| index >= limit) {
            break;
        }
        let name = IndexName::of(index);
        match next {
            Some((place, change)) if place == index => {
                apply_change(name.bytes(), elem, change, depth, sink)?;
                next = changes.next()?;
            }
            _ => match elem {
                Some(elem) => sink.put(name.bytes(), elem.kind, elem.value)?,
                None => sink.null(name.bytes())?,
            },
        }
    }
    Ok(())
}

/// Reads diffs; faults are placed within `root`.
#[derive(Clone, Copy)]
struct Parser<'a> {
    root: Doc<'a>,
}

impl<'a> Parser<'a> {
    fn fault(self, elem: &Elem<'_>, what: &str) -> Fault {
        Fault::new(at(self.root, elem.whole), format!("{what}: {:?}", elem.name_lossy()))
    }

    /// A document diff: sections `d`, `u`, `i`, `b`, then any number of `s<name>`.
    fn document(self, diff: Doc<'a>, depth: usize) -> Result<Fields<'a, Change<'a>>, Fault> {
        if depth > MAX_DEPTH {
            return Err(Fault::new(0, format!("a diff is nested deeper than {MAX_DEPTH}")));
        }
        if diff.is_empty() {
            return Err(Fault::new(at(self.root, diff.bytes()), "an empty diff"));
        }
        let mut fields = Vec::new();
        let mut add = |name, change| {
            fields.push(Field { name, change, rank: fields.len(), met: false });
        };
        let mut last = 0;
        for section in diff.iter() {
            let section = section?;
            let place = match section.name {
                b"d" => 1,
                b"u" => 2,
                b"i" => 3,
                b"b" => 4,
                [b's', ..] => 5,
                _ => return Err(self.fault(&section, "an unknown section of a diff")),
            };
            if place < last || (place == last && place != 5) {
                return Err(self.fault(&section, "a section of a diff out of its order"));
            }
            last = place;
            let body = section.as_doc().filter(|_| section.kind == kind::DOCUMENT);
            let body = body.ok_or_else(|| self.fault(&section, "a section of a diff is no document"))?;
            if let [b's', name @ ..] = section.name {
                add(name, self.inner(&section, body)?);
                continue;
            }
            for elem in body.iter() {
                let elem = elem?;
                let change = match place {
                    1 => Change::Delete,
                    2 => Change::Update(elem),
                    3 => Change::Insert(elem),
                    _ => self.binary(&elem)?,
                };
                add(elem.name, change);
            }
        }
        Fields::new(fields).map_err(|name| {
            let name = String::from_utf8_lossy(name);
            Fault::new(at(self.root, diff.bytes()), format!("a diff changes the field {name:?} twice"))
        })
    }

    /// What an `s` holds: its first field tells an array's diff from a document's.
    fn inner(self, section: &Elem<'a>, body: Doc<'a>) -> Result<Change<'a>, Fault> {
        match body.iter().next().transpose()? {
            None => Err(self.fault(section, "an empty diff")),
            Some(first) if first.name == b"a" => Ok(Change::Array(body)),
            Some(_) => Ok(Change::Document(body)),
        }
    }

    fn binary(self, elem: &Elem<'a>) -> Result<Change<'a>, Fault> {
        let parts = || {
            let doc = elem.as_doc().filter(|_| elem.kind == kind::DOCUMENT)?;
            let keep = doc.get("o").filter(|e| matches!(e.kind, kind::INT32 | kind::INT64))?;
            let (_, data) = doc.get("d")?.as_binary()?;
            Some(Change::Binary { keep: usize::try_from(keep.as_i64()?).ok()?, data })
        };
        parts().ok_or_else(|| self.fault(elem, "a binary change without offset `o` and bytes `d`"))
    }

    /// An array diff: the header `a: true`, perhaps the length `l`, then `u<index>` and
    /// `s<index>` by rising index.
    fn array(self, diff: Doc<'a>, depth: usize) -> Result<ArrayChanges<'a>, Fault> {
        if depth > MAX_DEPTH {
            return Err(Fault::new(0, format!("a diff is nested deeper than {MAX_DEPTH}")));
        }
        let mut rest = diff.iter();
        if let Some(header) = rest.next().transpose()?
            && header.as_bool() != Some(true)
        {
            return Err(self.fault(&header, "the header of an array's diff is not true"));
        }
        let mut limit = None;
        let mut peek = rest.clone();
        if let Some(length) = peek.next().transpose()?
            && length.name == b"l"
        {
            let value = length.as_i64().filter(|_| length.kind == kind::INT32);
            let value = value.and_then(|l| usize::try_from(l).ok());
            limit = Some(value.ok_or_else(|| self.fault(&length, "no length of an array"))?);
            rest = peek;
        }
        Ok(ArrayChanges { parser: self, rest, limit, least: 0 })
    }
}

/// The changes to the elements of one array.
struct ArrayChanges<'a> {
    parser: Parser<'a>,
    rest: crate::engine::bson::Iter<'a>,
    limit: Option<usize>,
    /// The lowest index the next change may have.
    least: usize,
}

impl<'a> ArrayChanges<'a> {
    fn next(&mut self) -> Result<Option<(usize, Change<'a>)>, Fault> {
        let Some(elem) = self.rest.next().transpose()? else {
            return Ok(None);
        };
        let (section, digits) = match elem.name {
            [section @ (b'u' | b's'), digits @ ..] => (*section, digits),
            _ => return Err(self.parser.fault(&elem, "an unknown field in an array's diff")),
        };
        let index = array_index(digits)
            .ok_or_else(|| self.parser.fault(&elem, "no index of an array element in a diff"))?;
        if index < self.least || self.limit.is_some_and(|limit| index >= limit) {
            return Err(self.parser.fault(&elem, "an index of an array's diff out of order or range"));
        }
        self.least = index + 1;
        if section == b'u' {
            return Ok(Some((index, Change::Update(elem))));
        }
        let body = elem.as_doc().filter(|_| elem.kind == kind::DOCUMENT);
        let body = body.ok_or_else(|| self.parser.fault(&elem, "a section of a diff is no document"))?;
        Ok(Some((index, self.parser.inner(&elem, body)?)))
    }
}

/// An index as servers write it: digits without leading zeros, below 2^31.
fn array_index(digits: &[u8]) -> Option<usize> {
    let canonical = match digits {
        [b'0'] => true,
        [b'1'..=b'9', rest @ ..] => rest.len() < 10 && rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    let text = std::str::from_utf8(digits).ok().filter(|_| canonical)?;
    text.parse::<i32>().ok().and_then(|index| usize::try_from(index).ok())
}
