//! What an update entry does to a document: raw bytes in, raw bytes out, as a server applies it.
//! Knows nothing of collections, of positions, or of which document is meant.
//!
//! Application is blind, as the server's own replay: a path that does not fit the document never
//! fails, because inside a dump's fuzzy window documents may be newer than the update. Only an
//! update that no server writes is a [`Fault`].

mod diff;
mod fields;
mod modifiers;
mod sink;

#[cfg(test)]
mod tests;

use std::cmp::Ordering;

use super::bson::{Doc, Elem, Fault, kind};
use super::order::compare_values;
use sink::Sink;

/// The `o` of an update entry, by what it is.
#[derive(Debug, Clone, Copy)]
pub enum Update<'a> {
    /// The whole new document.
    Replace(Doc<'a>),
    /// `$v: 2`: the document under `diff`.
    Diff(Doc<'a>),
    /// `$v: 1`: the whole `o`, with `$set` and `$unset`.
    Modifiers(Doc<'a>),
}

/// How several new fields of one `$v: 1` update are sorted before they are appended to their
/// parent. Entries are written in the order of the server that wrote them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NewFieldOrder {
    /// As the entry lists them: right for the log of one server version.
    AsListed,
    /// As 4.2 and 4.4 apply: by bytes, "10" before "9".
    Bytewise,
    /// As 5.0 and later apply: "9" before "10".
    Numeric,
}

/// Tells what an update is, and refuses a malformed one: what `classify` lets pass, [`apply`]
/// refuses only for its effect (a changed `_id`, a result that is too large).
pub fn classify(o: Doc<'_>) -> Result<Update<'_>, Fault> {
    let (mut version, mut diff, mut operators) = (None, None, false);
    for elem in o.iter() {
        let elem = elem?;
        match elem.name {
            // A user's document may hold fields named `$v` or `$set`, but always an `_id`.
            b"_id" => return Ok(Update::Replace(o)),
            b"$v" if version.is_none() => version = Some(elem),
            b"diff" if diff.is_none() => diff = Some(elem),
            b"$set" | b"$unset" => operators = true,
            // Whether it is a fault depends on whether an `_id` follows.
            _ => {}
        }
    }
    let number = |v: Elem<'_>| {
        v.as_i64().ok_or_else(|| Fault::new(at(o, v.whole), "the update's $v is not a whole number"))
    };
    match version.map(number).transpose()? {
        Some(2) => {
            if let Some(other) = o.iter().flatten().find(|e| !matches!(e.name, b"$v" | b"diff")) {
                return Err(unknown_field(o, &other));
            }
            let diff = diff.filter(|e| e.kind == kind::DOCUMENT).and_then(|e| e.as_doc());
            let diff = diff.ok_or_else(|| Fault::new(0, "an update with $v 2 has no document `diff`"))?;
            diff::check(diff).map_err(|f| Fault::new(f.offset + at(o, diff.bytes()), f.what))?;
            Ok(Update::Diff(diff))
        }
        Some(1) => modifiers::check(o).map(|()| Update::Modifiers(o)),
        None if operators => modifiers::check(o).map(|()| Update::Modifiers(o)),
        None => Err(Fault::new(
            0,
            "the update has neither an _id nor operators; servers before 5.0 read it as a replacement, \
             later ones refuse it",
        )),
        Some(other) => Err(Fault::new(0, format!("the update has the unknown version $v {other}"))),
    }
}

/// The document after the update. For a replacement `old` is not looked at and the result begins
/// with `_id`. `order` matters only for [`Update::Modifiers`]. `out` is cleared and reused.
///
/// An absent document is updated by applying to [`upsert_base`].
pub fn apply(
    old: Doc<'_>,
    update: &Update<'_>,
    order: NewFieldOrder,
    out: Vec<u8>,
) -> Result<Vec<u8>, Fault> {
    let mut sink = Sink::reuse(out);
    let new = match update {
        Update::Replace(new) => {
            let id = new.get("_id").ok_or_else(|| Fault::new(0, "a replacement has no _id"))?;
            id_first(&id, *new, &mut sink)?;
            return Ok(sink.finish());
        }
        Update::Diff(diff) => {
            diff::apply(old, *diff, &mut sink)?;
            kept_id(old, sink.finish())?
        }
        Update::Modifiers(o) => {
            modifiers::apply(old, *o, order, &mut sink)?;
            sink.finish()
        }
    };
    if same_id(old, Doc::new(&new)?) {
        Ok(new)
    } else {
        Err(Fault::new(0, "the update changes or removes the document's _id"))
    }
}

/// What an update of an absent document starts from: `{_id}`, with the `_id` of the entry's `o2`.
pub fn upsert_base(id: Elem<'_>) -> Vec<u8> {
    let mut builder = super::build::Builder::new();
    builder.put(b"_id", id.kind, id.value);
    builder.finish()
}

/// After a diff servers have `_id` in front, and keep the old one where the diff removes it.
fn kept_id(old: Doc<'_>, new: Vec<u8>) -> Result<Vec<u8>, Fault> {
    let doc = Doc::new(&new)?;
    if doc.first_elem().is_some_and(|first| first.name == b"_id") {
        return Ok(new);
    }
    let Some(id) = doc.get("_id").or_else(|| old.get("_id")) else {
        return Ok(new);
    };
    let mut sink = Sink::reuse(Vec::new());
    id_first(&id, doc, &mut sink)?;
    Ok(sink.finish())
}

/// Writes the document with this `_id` in front.
fn id_first(id: &Elem<'_>, doc: Doc<'_>, sink: &mut Sink) -> Result<(), Fault> {
    sink.copy(id)?;
    for elem in doc.iter() {
        let elem = elem?;
        if elem.whole.as_ptr() != id.whole.as_ptr() {
            sink.copy(&elem)?;
        }
    }
    Ok(())
}

/// As a server checks it (its error 13596): equal by value, so the type of a number may change.
fn same_id(old: Doc<'_>, new: Doc<'_>) -> bool {
    match (old.get("_id"), new.get("_id")) {
        (Some(old), Some(new)) => old.whole == new.whole || compare_values(old, new) == Ordering::Equal,
        (None, _) => true,
        (Some(_), None) => false,
    }
}

/// How far into `outer` its part `inner` begins.
fn at(outer: Doc<'_>, inner: &[u8]) -> usize {
    (inner.as_ptr() as usize).saturating_sub(outer.bytes().as_ptr() as usize)
}

fn unknown_field(o: Doc<'_>, elem: &Elem<'_>) -> Fault {
    Fault::new(at(o, elem.whole), format!("the update has the unknown field {:?}", elem.name_lossy()))
}
