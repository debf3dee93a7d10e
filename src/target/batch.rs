//! Documents as raw write commands: their bytes go in as they are.
//!
//! A server replaces a top-level `Timestamp(0,0)` by the time of the insert, except in `_id`.
//! Such documents go by an update that matches nothing and inserts what its pipeline gives:
//! `$replaceWith` a `$literal`. Tried on 6.0.5: the bytes arrive as they are, and a second
//! document with that `_id` is a duplicate-key error, as with an insert.

use std::time::Duration;

use bson::{Bson, Document, RawDocument};

use crate::domain::how::WriteConcern;
use crate::domain::text::visible;
use crate::domain::{Error, Namespace, Result};
use crate::engine::bson::{Doc, kind};
use crate::engine::build::Builder;

/// A command is sent when it has reached this many bytes, where nothing asks for less.
pub(super) const BATCH_BYTES: usize = 6 << 20;
/// A command never holds more documents than this; the server's own limit is 100,000.
const BATCH_COUNT: usize = 50_000;

/// How long a server may take until other members have what it has; then the write is an error.
const PATIENCE: Duration = Duration::from_secs(600);

/// Adds the write concern to a command.
pub(super) fn put_concern(command: &mut Builder, concern: WriteConcern) {
    command.open(b"writeConcern", kind::DOCUMENT);
    match concern {
        WriteConcern::Members(n) => command.int32("w", i32::try_from(n.get()).unwrap_or(i32::MAX)),
        WriteConcern::Majority => command.string("w", "majority"),
    }
    if concern != WriteConcern::default() {
        command.int32("wtimeout", i32::try_from(PATIENCE.as_millis()).unwrap_or(i32::MAX));
    }
    command.close();
}

/// How documents are written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manner {
    /// In order, one after the other.
    pub ordered: bool,
    /// Whose acknowledgement is waited for.
    pub concern: WriteConcern,
    /// A command is sent when it has reached this many bytes.
    pub bytes: usize,
}

/// Which command takes a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// `insert`
    Insert,
    /// `update` with a pipeline and `upsert`, for what an insert would rewrite.
    Literal,
}

impl Way {
    /// The way that keeps these bytes as they are.
    pub fn of(document: &[u8]) -> Way {
        let Ok(doc) = Doc::new(document) else { return Way::Insert };
        let rewritten = doc
            .iter()
            .map_while(std::result::Result::ok)
            .any(|e| e.kind == kind::TIMESTAMP && e.value.iter().all(|&b| b == 0) && e.name != b"_id");
        if rewritten { Way::Literal } else { Way::Insert }
    }
}

/// A write command under construction.
pub(super) struct Batch {
    way: Way,
    coll: String,
    manner: Manner,
    command: Builder,
    count: usize,
}

impl Batch {
    /// An empty one. The collection's name is without its database.
    pub fn new(way: Way, coll: &str, manner: Manner) -> Self {
        let mut batch = Batch { way, coll: coll.to_owned(), manner, command: Builder::new(), count: 0 };
        batch.begin();
        batch
    }

    fn begin(&mut self) {
        let (name, list) = match self.way {
            Way::Insert => ("insert", "documents"),
            Way::Literal => ("update", "updates"),
        };
        self.command.string(name, &self.coll);
        self.command.bool("ordered", self.manner.ordered);
        self.command.bool("bypassDocumentValidation", true);
        put_concern(&mut self.command, self.manner.concern);
        self.command.open(list.as_bytes(), kind::ARRAY);
        self.count = 0;
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Whether a document of this size must wait for the next one.
    pub fn is_full_for(&self, size: usize) -> bool {
        self.count > 0 && (self.count >= BATCH_COUNT || self.command.len() + size + 256 > self.manner.bytes)
    }

    /// Puts a document in.
    pub fn push(&mut self, document: &[u8]) {
        let key = self.count.to_string();
        match self.way {
            Way::Insert => self.command.document(key.as_bytes(), kind::DOCUMENT, document),
            Way::Literal => {
                let b = &mut self.command;
                b.open(key.as_bytes(), kind::DOCUMENT);
                b.open(b"q", kind::DOCUMENT);
                b.open(b"_id", kind::DOCUMENT);
                b.open(b"$in", kind::ARRAY);
                b.close();
                b.close();
                b.close();
                b.open(b"u", kind::ARRAY);
                b.open(b"0", kind::DOCUMENT);
                b.open(b"$replaceWith", kind::DOCUMENT);
                b.document(b"$literal", kind::DOCUMENT, document);
                b.close();
                b.close();
                b.close();
                b.bool("upsert", true);
                b.close();
            }
        }
        self.count += 1;
    }

    /// Takes the finished command and begins the next.
    pub fn take(&mut self) -> Vec<u8> {
        let command = std::mem::take(&mut self.command).finish();
        self.begin();
        command
    }
}

/// Turns the server's answer to such a command into an error when any document was refused; it
/// names the first with its `_id`.
pub(super) fn check_reply(ns: &Namespace, command: &[u8], reply: &Document) -> Result<()> {
    let doing = "writing a document of";
    let errors = reply.get_array("writeErrors").map(Vec::as_slice).unwrap_or_default();
    if let Some(Bson::Document(first)) = errors.first() {
        let index = first.get_i32("index").unwrap_or_default();
        let id = usize::try_from(index).ok().and_then(|i| document_at(command, i)).map(id_text);
        let more = match errors.len() {
            1 => String::new(),
            n => format!(" (and {} more documents of the same batch)", n - 1),
        };
        let message = visible(first.get_str("errmsg").unwrap_or("no reason given"));
        return Error::failed(
            doing,
            format_args!("{:?}, _id {}", ns.to_string(), id.unwrap_or_else(|| "unknown".to_owned())),
            format_args!("{message}{more}"),
        )
        .hint("the target stays marked as unfinished.")
        .err();
    }
    if let Ok(concern) = reply.get_document("writeConcernError") {
        let message = visible(concern.get_str("errmsg").unwrap_or("no reason given"));
        return Error::failed(doing, format_args!("{:?}", ns.to_string()), message).err();
    }
    Ok(())
}

/// The document at a position of a command's list.
fn document_at(command: &[u8], index: usize) -> Option<Doc<'_>> {
    let command = Doc::new(command).ok()?;
    let list = command.get("documents").or_else(|| command.get("updates"))?.as_doc()?;
    let elem = list.iter().nth(index)?.ok()?.as_doc()?;
    if command.get("documents").is_some() {
        return Some(elem);
    }
    elem.get("u")?.as_doc()?.get("0")?.as_doc()?.get("$replaceWith")?.as_doc()?.get("$literal")?.as_doc()
}

/// The `_id` of a document for a human: Extended JSON, at most 200 characters.
fn id_text(document: Doc<'_>) -> String {
    let id = RawDocument::from_bytes(document.bytes()).ok().and_then(|d| d.get("_id").ok().flatten());
    let Some(id) = id.and_then(|id| Bson::try_from(id).ok()) else { return "unreadable".to_owned() };
    visible(&id.into_relaxed_extjson().to_string().chars().take(200).collect::<String>()).into_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use bson::{Timestamp, doc};

    const PLAIN: Manner = Manner { ordered: true, concern: WriteConcern::Majority, bytes: BATCH_BYTES };

    fn bytes(d: &Document) -> Vec<u8> {
        bson::serialize_to_vec(d).unwrap()
    }

    #[test]
    fn only_a_top_level_zero_timestamp_takes_the_other_way() {
        let zero = Timestamp { time: 0, increment: 0 };
        for (document, way) in [
            (doc! { "_id": 1, "a": zero }, Way::Literal),
            (doc! { "_id": zero }, Way::Insert),
            (doc! { "_id": 1, "a": { "b": zero } }, Way::Insert),
            (doc! { "_id": 1, "a": [zero] }, Way::Insert),
            (doc! { "_id": 1, "a": Timestamp { time: 0, increment: 1 } }, Way::Insert),
            (doc! { "_id": 1, "a": 0_i64 }, Way::Insert),
        ] {
            assert_eq!(Way::of(&bytes(&document)), way, "{document}");
        }
    }

    #[test]
    fn commands_are_what_the_server_documents() {
        let document = doc! { "_id": 7, "x": "y" };
        for (way, want) in [
            (Way::Insert, doc! { "documents": [document.clone()] }),
            (
                Way::Literal,
                doc! { "updates": [{
                    "q": { "_id": { "$in": [] } },
                    "u": [{ "$replaceWith": { "$literal": document.clone() } }],
                    "upsert": true,
                }] },
            ),
        ] {
            let mut batch = Batch::new(way, "c.d", PLAIN);
            assert!(batch.is_empty() && !batch.is_full_for(16 << 20));
            batch.push(&bytes(&document));
            assert!(batch.is_full_for(16 << 20));
            let command = batch.take();
            let name = if way == Way::Insert { "insert" } else { "update" };
            let concern = doc! { "w": "majority", "wtimeout": 600_000 };
            let mut all = doc! { name: "c.d", "ordered": true, "bypassDocumentValidation": true, "writeConcern": concern };
            all.extend(want);
            assert_eq!(bson::deserialize_from_slice::<Document>(&command).unwrap(), all);
            assert_eq!(document_at(&command, 0).unwrap().bytes(), bytes(&document));
            assert!(batch.is_empty());
        }
    }

    #[test]
    fn a_refused_document_is_named() {
        let mut batch = Batch::new(Way::Insert, "c", Manner { ordered: false, ..PLAIN });
        batch.push(&bytes(&doc! { "_id": 1 }));
        batch.push(&bytes(&doc! { "_id": "x\u{1b}" }));
        let reply =
            doc! { "ok": 1, "writeErrors": [{ "index": 1, "code": 11000, "errmsg": "E11000 duplicate" }] };
        let error = check_reply(&Namespace::parse("a.c"), &batch.take(), &reply).unwrap_err();
        assert!(error.place.contains("a.c") && error.place.contains("\\u001b"), "{error}");
        assert!(error.cause.contains("E11000"));
    }
}
