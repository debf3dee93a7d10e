//! Documents as raw write commands: their bytes go in as they are.
//!
//! A server replaces a top-level `Timestamp(0,0)` by the time of the insert, except in `_id`.
//! Such documents go by an update that matches nothing and inserts what its pipeline gives:
//! `$replaceWith` a `$literal`. Tried on 6.0.5: the bytes arrive as they are, and a second
//! document with that `_id` is a duplicate-key error, as with an insert.
//!
//! Both put `_id` in front. A document that has it elsewhere (the log of a server can make one)
//! goes by `applyOps`, each operation for itself; that keeps zero timestamps too. Tried on 6.0.5.

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
    /// `applyOps`, for what both would rewrite.
    Operation,
}

impl Way {
    /// The way that keeps these bytes as they are.
    pub fn of(document: &[u8]) -> Way {
        let Ok(doc) = Doc::new(document) else { return Way::Insert };
        match (doc.starts_with_id(), doc.has_zero_timestamp()) {
            (true, false) => Way::Insert,
            (true, true) => Way::Literal,
            (false, _) => Way::Operation,
        }
    }

    /// The database that takes the command.
    pub fn db(self, ns: &Namespace) -> &str {
        if self == Way::Operation { "admin" } else { &ns.db }
    }
}

/// A write command under construction.
pub(super) struct Batch {
    way: Way,
    ns: Namespace,
    manner: Manner,
    command: Builder,
    count: usize,
}

impl Batch {
    /// An empty one.
    pub fn new(way: Way, ns: &Namespace, manner: Manner) -> Self {
        let mut batch = Batch { way, ns: ns.clone(), manner, command: Builder::new(), count: 0 };
        batch.begin();
        batch
    }

    fn begin(&mut self) {
        self.count = 0;
        let list = match self.way {
            Way::Insert => {
                self.command.string("insert", &self.ns.coll);
                "documents"
            }
            Way::Literal => {
                self.command.string("update", &self.ns.coll);
                "updates"
            }
            // The list is the command; what else it says comes behind.
            Way::Operation => return self.command.open(b"applyOps", kind::ARRAY),
        };
        self.command.bool("ordered", self.manner.ordered);
        self.modes();
        self.command.open(list.as_bytes(), kind::ARRAY);
    }

    fn modes(&mut self) {
        self.command.bool("bypassDocumentValidation", true);
        put_concern(&mut self.command, self.manner.concern);
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
            Way::Operation => {
                let b = &mut self.command;
                b.open(key.as_bytes(), kind::DOCUMENT);
                b.string("op", "i");
                b.string("ns", &self.ns.to_string());
                b.document(b"o", kind::DOCUMENT, document);
                b.close();
            }
        }
        self.count += 1;
    }

    /// Takes the finished command and begins the next.
    pub fn take(&mut self) -> Vec<u8> {
        if self.way == Way::Operation {
            self.command.close();
            self.command.bool("allowAtomic", false);
            self.modes();
        }
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
    let results = reply.get_array("results").map(Vec::as_slice).unwrap_or_default();
    if let Some(at) = results.iter().position(|r| r.as_bool() != Some(true)) {
        let id = document_at(command, at).map(id_text).unwrap_or_else(|| "unknown".to_owned());
        return Error::failed(
            doing,
            format_args!("{:?}, _id {id}", ns.to_string()),
            "the server did not carry the operation out",
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
    let list = ["documents", "updates", "applyOps"].iter().find_map(|name| command.get(name))?;
    let elem = list.as_doc()?.iter().nth(index)?.ok()?.as_doc()?;
    match list.name {
        b"documents" => return Some(elem),
        b"applyOps" => return elem.get("o")?.as_doc(),
        _ => {}
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
    fn only_what_an_insert_would_rewrite_takes_another_way() {
        let zero = Timestamp { time: 0, increment: 0 };
        for (document, way) in [
            (doc! { "_id": 1, "a": zero }, Way::Literal),
            (doc! { "_id": zero }, Way::Insert),
            (doc! { "_id": 1, "a": { "b": zero } }, Way::Insert),
            (doc! { "_id": 1, "a": [zero] }, Way::Insert),
            (doc! { "_id": 1, "a": Timestamp { time: 0, increment: 1 } }, Way::Insert),
            (doc! { "_id": 1, "a": 0_i64 }, Way::Insert),
            (doc! { "a": 1, "_id": 1 }, Way::Operation),
            (doc! { "a": zero, "_id": 1 }, Way::Operation),
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
            let mut batch = Batch::new(way, &Namespace::parse("b.c.d"), PLAIN);
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
    fn operations_are_sent_one_by_one() {
        let document = doc! { "x": "y", "_id": 7 };
        let mut batch = Batch::new(Way::Operation, &Namespace::parse("b.c.d"), PLAIN);
        for _ in 0..2 {
            batch.push(&bytes(&document));
            let command = batch.take();
            let want = doc! {
                "applyOps": [{ "op": "i", "ns": "b.c.d", "o": document.clone() }], "allowAtomic": false,
                "bypassDocumentValidation": true, "writeConcern": { "w": "majority", "wtimeout": 600_000 },
            };
            assert_eq!(bson::deserialize_from_slice::<Document>(&command).unwrap(), want);
            let ns = Namespace::parse("b.c.d");
            check_reply(&ns, &command, &doc! { "ok": 1, "applied": 1, "results": [true] }).unwrap();
            let reply = doc! { "ok": 1, "applied": 1, "results": [false] };
            let error = check_reply(&ns, &command, &reply).unwrap_err();
            assert!(error.place.contains("_id 7"), "{error}");
        }
    }

    #[test]
    fn a_refused_document_is_named() {
        let mut batch = Batch::new(Way::Insert, &Namespace::parse("b.c"), Manner { ordered: false, ..PLAIN });
        batch.push(&bytes(&doc! { "_id": 1 }));
        batch.push(&bytes(&doc! { "_id": "x\u{1b}" }));
        let reply =
            doc! { "ok": 1, "writeErrors": [{ "index": 1, "code": 11000, "errmsg": "E11000 duplicate" }] };
        let error = check_reply(&Namespace::parse("a.c"), &batch.take(), &reply).unwrap_err();
        assert!(error.place.contains("a.c") && error.place.contains("\\u001b"), "{error}");
        assert!(error.cause.contains("E11000"));
    }
}
