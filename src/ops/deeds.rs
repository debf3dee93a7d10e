//! Operations with all that they alone tell: made where entries are read, on whatever thread, so
//! that who takes them in order has the less to do.

use std::borrow::Cow;
use std::ops::Deref;

use xxhash_rust::xxh3::xxh3_64;

use super::rows::{Row, kind_of, rows};
use super::shape::shape_of;
use crate::domain::Position;
use crate::domain::burst::Shape;
use crate::domain::op::OpKind;
use crate::engine::bson::Doc;
use crate::engine::entry::{Entry, EntryKind};
use crate::engine::key::DocKey;

/// One operation.
#[derive(Debug, Clone)]
pub struct Deed<'a> {
    /// Where.
    pub pos: Position,
    /// What it does.
    pub kind: OpKind,
    /// The same as the oplog has it.
    pub logged: EntryKind,
    /// The operation itself.
    pub o: Doc<'a>,
    /// On which namespace.
    pub ns: Cow<'a, str>,
    /// The change it makes, as far as that does not depend on what is there.
    pub shape: Shape,
    /// The document.
    pub key: Option<DocKey>,
    /// The session, as a hash.
    pub session: Option<u64>,
    /// The transaction, as a hash.
    pub transaction: Option<u64>,
    /// Whether a chunk migration wrote it.
    pub from_migrate: bool,
    /// How many documents went with a collection: the server notes it (`o2.numRecords`).
    pub records: Option<u64>,
}

impl<'a> Deed<'a> {
    fn new(entry: &Entry<'a>, kind: OpKind, ns: Cow<'a, str>, txn: Option<&str>) -> Self {
        let shape = match kind {
            OpKind::Insert => Shape::Insert,
            OpKind::Delete => Shape::Delete,
            OpKind::Replace => Shape::Replace,
            OpKind::Update => shape_of(entry.o),
            OpKind::Command | OpKind::Noop => Shape::Drop,
        };
        Deed {
            pos: entry.at.pos,
            kind,
            logged: entry.kind,
            o: entry.o,
            ns,
            shape,
            key: entry.id().map(DocKey::of),
            session: entry.lsid.map(session_hash),
            transaction: txn.map(|txn| xxh3_64(txn.as_bytes())),
            from_migrate: entry.from_migrate,
            records: entry
                .o2
                .filter(|_| kind == OpKind::Command)
                .and_then(|o2| u64::try_from(o2.get("numRecords")?.as_i64()?).ok()),
        }
    }

    fn of_row(row: Row<'a>) -> Self {
        Deed::new(&row.entry, row.kind, row.ns, row.txn.as_deref())
    }
}

/// The session of a raw `lsid`.
pub fn session_hash(lsid: &[u8]) -> u64 {
    xxh3_64(lsid)
}

/// The operations of one entry: nearly always there is one.
#[derive(Debug)]
pub enum Deeds<'a> {
    /// An entry that is one operation.
    One(Deed<'a>),
    /// As many as an `applyOps` holds.
    Many(Vec<Deed<'a>>),
}

impl<'a> Deref for Deeds<'a> {
    type Target = [Deed<'a>];

    fn deref(&self) -> &[Deed<'a>] {
        match self {
            Deeds::One(deed) => std::slice::from_ref(deed),
            Deeds::Many(deeds) => deeds,
        }
    }
}

/// An entry with its operations.
#[derive(Debug)]
pub struct Placed<'a> {
    /// Where it is.
    pub pos: Position,
    /// Its length in bytes.
    pub bytes: u64,
    /// What it does.
    pub deeds: Deeds<'a>,
}

/// An entry with its operations.
pub fn placed(entry: Entry<'_>) -> Placed<'_> {
    Placed { pos: entry.at.pos, bytes: entry.raw.bytes().len() as u64, deeds: deeds(entry) }
}

/// The operations of an entry.
pub fn deeds(entry: Entry<'_>) -> Deeds<'_> {
    match entry.kind {
        // An `applyOps`, or part of a transaction.
        EntryKind::Command => Deeds::Many(rows(&entry).into_iter().map(Deed::of_row).collect()),
        _ => Deeds::One(Deed::new(&entry, kind_of(&entry), entry.ns.into(), None)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use bson::{Document, doc};

    use super::*;

    /// What [`deeds`] makes of entries is what the rows of all of them are.
    #[test]
    fn they_are_the_rows() {
        let ts = bson::Timestamp { time: 10, increment: 1 };
        let entry = |op: &str, ns: &str, o: Document| {
            doc! { "ts": ts, "op": op, "ns": ns, "o": o, "o2": { "_id": 1 }, "lsid": { "id": 1 }, "txnNumber": 1i64 }
        };
        let insert = || entry("i", "a.b", doc! { "_id": 1 });
        let several = doc! { "applyOps": [insert(), entry("d", "a.c", doc! { "_id": 2i64 })] };
        let entries = [
            insert(),
            entry("u", "a.b", doc! { "$v": 2, "diff": { "u": { "x": 1 } } }),
            entry("u", "a.b", doc! { "_id": 1, "x": 1 }),
            entry("d", "a.b", doc! { "_id": 1 }),
            entry("n", "", doc! { "msg": "nothing" }),
            entry("c", "a.$cmd", doc! { "drop": "b" }),
            entry("c", "a.$cmd", doc! { "dropDatabase": 1 }),
            entry("c", "admin.$cmd", several),
        ];
        for document in entries {
            let bytes = bson::serialize_to_vec(&document).unwrap();
            let entry = Entry::parse(Doc::new(&bytes).unwrap()).unwrap();
            let (found, rows) = (deeds(entry), rows(&entry));
            assert_eq!(found.len(), rows.len(), "{document}");
            for (deed, row) in found.iter().zip(rows) {
                assert_eq!((deed.kind, &deed.ns), (row.kind, &row.ns), "{document}");
                assert_eq!((deed.pos, deed.o, deed.logged), (row.entry.at.pos, row.entry.o, row.entry.kind));
                assert_eq!(deed.transaction.is_some(), row.txn.is_some(), "{document}");
                assert_eq!(deed.key.is_some(), row.entry.id().is_some(), "{document}");
                assert_eq!(deed.session, row.entry.lsid.map(session_hash));
            }
        }
    }
}
