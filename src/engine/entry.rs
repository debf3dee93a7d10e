//! One oplog entry: its envelope, borrowed from the bytes, never by field position (servers
//! order the fields differently). Reference 1.1.

use super::bson::{Doc, Elem, Fault, kind};
use crate::domain::{OpTime, Position};

/// An entry of the oplog, or an operation inside an `applyOps`.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// The whole entry.
    pub raw: Doc<'a>,
    /// Where and in which term. An inner operation has none of its own: its entry's.
    pub at: OpTime,
    /// What it does.
    pub kind: EntryKind,
    /// `db.collection` or `db.$cmd`.
    pub ns: &'a str,
    /// The collection's UUID.
    pub ui: Option<[u8; 16]>,
    /// The operation.
    pub o: Doc<'a>,
    /// For updates the document's key; for some commands the old state.
    pub o2: Option<Doc<'a>>,
    /// The session, as its raw bytes: they are its identity.
    pub lsid: Option<&'a [u8]>,
    /// The transaction or retryable write within the session.
    pub txn_number: Option<i64>,
    /// The previous entry of the same transaction; position 0:0 = this is the first.
    pub prev: Option<OpTime>,
    /// Written by a chunk migration.
    pub from_migrate: bool,
    /// `multiOpType: 1`: an `applyOps` that is a group of independent operations (8.0).
    pub grouped: bool,
    /// The server's clock, milliseconds since 1970.
    pub wall: Option<i64>,
    /// A multi-tenant entry: this oplog is none that a replica set of the public server writes.
    pub tenant: bool,
}

/// The kinds of entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind {
    /// `i`
    Insert,
    /// `u`
    Update,
    /// `d`
    Delete,
    /// `c`
    Command,
    /// `n`
    Noop,
    /// Anything else; `xi`, `xd`, `ci`, `cd`, `km` are known to exist.
    Other,
}

/// Whether these bytes look like an oplog entry: `ts` a timestamp, `op` a string, `ns`, `o`.
pub fn looks_like_entry(doc: Doc<'_>) -> bool {
    doc.get("ts").is_some_and(|e| e.kind == kind::TIMESTAMP)
        && doc.get("op").is_some_and(|e| e.kind == kind::STRING)
        && doc.get("ns").is_some_and(|e| e.kind == kind::STRING)
        && doc.get("o").is_some_and(|e| e.kind == kind::DOCUMENT)
}

impl<'a> Entry<'a> {
    /// Parses an entry of the oplog itself.
    pub fn parse(raw: Doc<'a>) -> Result<Self, Fault> {
        let entry = Self::parse_with(raw, None)?;
        if entry.at.pos == Position::MIN {
            return Err(Fault::new(0, "the entry has no ts"));
        }
        Ok(entry)
    }

    /// Parses an operation inside this entry's `applyOps`.
    pub fn parse_inner(&self, raw: Doc<'a>) -> Result<Self, Fault> {
        Self::parse_with(raw, Some(self.at))
    }

    fn parse_with(raw: Doc<'a>, at: Option<OpTime>) -> Result<Self, Fault> {
        let mut entry = Entry {
            raw,
            at: at.unwrap_or(OpTime { pos: Position::MIN, term: -1 }),
            kind: EntryKind::Other,
            ns: "",
            ui: None,
            o: super::bson::EMPTY,
            o2: None,
            lsid: None,
            txn_number: None,
            prev: None,
            from_migrate: false,
            grouped: false,
            wall: None,
            tenant: false,
        };
        let (mut has_op, mut has_o) = (false, false);
        for elem in raw.iter() {
            let elem = elem?;
            let wrong =
                || Fault::new(0, format!("the entry's field {:?} has the wrong type", elem.name_lossy()));
            match elem.name {
                b"ts" if at.is_none() => entry.at.pos = elem.as_position().ok_or_else(wrong)?,
                b"t" if at.is_none() => entry.at.term = elem.as_i64().unwrap_or(-1),
                b"op" => {
                    entry.kind = match elem.as_str().ok_or_else(wrong)? {
                        "i" => EntryKind::Insert,
                        "u" => EntryKind::Update,
                        "d" => EntryKind::Delete,
                        "c" => EntryKind::Command,
                        "n" | "db" => EntryKind::Noop,
                        _ => EntryKind::Other,
                    };
                    has_op = true;
                }
                b"ns" => entry.ns = elem.as_str().ok_or_else(wrong)?,
                b"ui" => entry.ui = elem.as_uuid(),
                b"o" => {
                    entry.o = elem.as_doc().ok_or_else(wrong)?;
                    has_o = true;
                }
                b"o2" => entry.o2 = elem.as_doc(),
                b"lsid" => entry.lsid = Some(elem.value),
                b"txnNumber" => entry.txn_number = elem.as_i64(),
                b"prevOpTime" => entry.prev = elem.as_doc().map(optime_of),
                b"fromMigrate" => entry.from_migrate = elem.is_truthy(),
                b"multiOpType" => entry.grouped = elem.as_i64() == Some(1),
                b"wall" => entry.wall = elem.as_date(),
                b"tid" => entry.tenant = true,
                _ => {}
            }
        }
        if !has_op || !has_o {
            return Err(Fault::new(0, "this is no oplog entry: `op` or `o` is missing"));
        }
        Ok(entry)
    }

    /// The first element of `o`: for a command its name and first argument.
    pub fn command(&self) -> Option<Elem<'a>> {
        if self.kind == EntryKind::Command { self.o.first_elem() } else { None }
    }

    /// The database part of `ns`.
    pub fn db(&self) -> &'a str {
        self.ns.split_once('.').map_or(self.ns, |(db, _)| db)
    }

    /// The `_id` element this insert, update or delete is about.
    pub fn id(&self) -> Option<Elem<'a>> {
        match self.kind {
            EntryKind::Insert | EntryKind::Delete => self.o.get("_id"),
            EntryKind::Update => self.o2.and_then(|o2| o2.get("_id")).or_else(|| self.o.get("_id")),
            _ => None,
        }
    }
}

/// `{ts, t}` as an [`OpTime`]; missing parts read as 0:0 and -1.
pub fn optime_of(doc: Doc<'_>) -> OpTime {
    OpTime {
        pos: doc.get("ts").and_then(|e| e.as_position()).unwrap_or(Position::MIN),
        term: doc.get("t").and_then(|e| e.as_i64()).unwrap_or(-1),
    }
}
