//! Operations as people look at them, out of oplog entries: an `applyOps` (a transaction, a group)
//! is as many operations as it holds.

use crate::domain::op::{Op, OpKind};
use crate::domain::{Namespace, Result};
use crate::engine::bson::{Doc, Elem};
use crate::engine::entry::{Entry, EntryKind};
use crate::engine::update::{Update, classify};

/// One operation, still raw.
#[derive(Debug, Clone)]
pub struct Row<'a> {
    /// The operation: an entry, or one inside an `applyOps`.
    pub entry: Entry<'a>,
    /// What it does.
    pub kind: OpKind,
    /// On which namespace.
    pub ns: String,
    /// Its transaction: session and number.
    pub txn: Option<String>,
}

/// The operations of one entry. Broken inner operations count as one command.
pub fn rows<'a>(entry: &Entry<'a>) -> Vec<Row<'a>> {
    let mut out = Vec::with_capacity(1);
    collect(entry, &txn_of(entry), 0, &mut out);
    out
}

fn collect<'a>(entry: &Entry<'a>, txn: &Option<String>, depth: usize, out: &mut Vec<Row<'a>>) {
    let before = out.len();
    let list = entry.command().filter(|c| c.name == b"applyOps" && depth < 8).and_then(|c| c.as_doc());
    for elem in list.iter().flat_map(|l| l.iter().map_while(Result::ok)) {
        if let Some(Ok(inner)) = elem.as_doc().map(|d| entry.parse_inner(d)) {
            collect(&inner, txn, depth + 1, out);
        }
    }
    if out.len() == before {
        out.push(Row { entry: *entry, kind: kind_of(entry), ns: ns_of(entry), txn: txn.clone() });
    }
}

/// What an entry does, in the words of queries.
pub fn kind_of(entry: &Entry<'_>) -> OpKind {
    match entry.kind {
        EntryKind::Insert => OpKind::Insert,
        EntryKind::Delete => OpKind::Delete,
        EntryKind::Update => match classify(entry.o) {
            Ok(Update::Replace(_)) => OpKind::Replace,
            _ => OpKind::Update,
        },
        EntryKind::Noop => OpKind::Noop,
        EntryKind::Command | EntryKind::Other => OpKind::Command,
    }
}

fn ns_of(entry: &Entry<'_>) -> String {
    let Some(command) = entry.command() else { return entry.ns.to_owned() };
    match (command.name, command.as_str()) {
        (b"renameCollection", Some(from)) => from.to_owned(),
        (b"dropDatabase", _) => entry.db().to_owned(),
        (_, Some(coll)) => Namespace::new(entry.db(), coll).to_string(),
        _ => entry.ns.to_owned(),
    }
}

/// Session and number, where the entry is part of a transaction.
fn txn_of(entry: &Entry<'_>) -> Option<String> {
    let number = entry.txn_number?;
    let first = entry.command()?;
    if entry.grouped || !matches!(first.name, b"applyOps" | b"commitTransaction" | b"abortTransaction") {
        return None;
    }
    Some(format!("{}:{number}", session(entry.lsid?)?))
}

/// The session's UUID in hex, from the raw `lsid`.
pub fn session(lsid: &[u8]) -> Option<String> {
    let (_, id) = Doc::new(lsid).ok()?.get("id")?.as_binary()?;
    Some(id.iter().map(|b| format!("{b:02x}")).collect())
}

impl Row<'_> {
    /// Decodes it for output.
    pub fn to_op(&self) -> Op {
        Op {
            pos: self.entry.at.pos,
            time: self.entry.at.pos.time(),
            kind: self.kind,
            ns: self.ns.clone(),
            id: self.entry.id().map(|id| json(&id)),
            command: self.entry.command().map(|c| c.name_lossy().into_owned()),
            bytes: self.entry.raw.bytes().len() as u64,
            txn: self.txn.clone(),
        }
    }
}

/// A value as canonical Extended JSON. What the library cannot decode (text that is not UTF-8)
/// becomes a string that shows the bytes.
pub fn json(elem: &Elem<'_>) -> serde_json::Value {
    let mut wrapped = crate::engine::build::Builder::new();
    wrapped.put(b"v", elem.kind, elem.value);
    let bytes = wrapped.finish();
    match bson::deserialize_from_slice::<bson::Document>(&bytes) {
        Ok(mut doc) => doc.remove("v").map_or(serde_json::Value::Null, bson::Bson::into_canonical_extjson),
        Err(_) => format!("undecodable: {}", elem.value.escape_ascii()).into(),
    }
}

/// A whole document as canonical Extended JSON.
pub fn document_json(doc: Doc<'_>) -> serde_json::Value {
    match bson::deserialize_from_slice::<bson::Document>(doc.bytes()) {
        Ok(doc) => bson::Bson::Document(doc).into_canonical_extjson(),
        Err(_) => format!("undecodable: {}", doc.bytes().escape_ascii()).into(),
    }
}
