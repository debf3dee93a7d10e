//! Operations as people look at them, out of oplog entries: an `applyOps` (a transaction, a group)
//! is as many operations as it holds.

use std::borrow::Cow;

use crate::domain::Namespace;
use crate::domain::op::OpKind;
use crate::domain::query::{Body, Filter, RowView};
use crate::engine::bson::{Doc, Elem};
use crate::engine::entry::{Entry, EntryKind};
use crate::engine::update::{Update, classify};

/// How deep `applyOps` may nest; deeper ones are one command.
const MAX_NESTING: usize = 8;

/// One operation, still raw.
#[derive(Debug, Clone)]
pub struct Row<'a> {
    /// The operation: an entry, or one inside an `applyOps`.
    pub entry: Entry<'a>,
    /// What it does.
    pub kind: OpKind,
    /// On which namespace.
    pub ns: Cow<'a, str>,
    /// Its transaction: session and number.
    pub txn: Option<String>,
}

impl<'a> Row<'a> {
    /// The operation `leaf` of the oplog's entry `whole`.
    pub fn new(whole: &Entry<'a>, leaf: &Entry<'a>) -> Self {
        Row { entry: *leaf, kind: kind_of(leaf), ns: ns_of(leaf), txn: txn_of(whole).map(|txn| txn.name()) }
    }

    /// Whether a filter matches it.
    pub fn matches(&self, filter: &Filter) -> bool {
        let view = RowView {
            pos: self.entry.at.pos,
            kind: self.kind,
            ns: &self.ns,
            size: self.entry.raw.bytes().len() as u64,
            txn: self.txn.as_deref(),
        };
        filter.matches_columns(&view) && (!filter.needs_body() || filter.matches_body(&body(&self.entry)))
    }
}

/// The operations of one entry. Broken inner operations count as one command.
pub fn rows<'a>(entry: &Entry<'a>) -> Vec<Row<'a>> {
    let mut out = Vec::with_capacity(1);
    leaves(entry, &mut |leaf| out.push(Row::new(entry, leaf)));
    out
}

/// Hands over the operations of one entry, at least one, in their order.
pub(super) fn leaves<'a>(entry: &Entry<'a>, each: &mut dyn FnMut(&Entry<'a>)) {
    split(entry, 0, each);
}

fn split<'a>(entry: &Entry<'a>, depth: usize, each: &mut dyn FnMut(&Entry<'a>)) {
    let list = entry.command().filter(|c| c.name == b"applyOps" && depth < MAX_NESTING);
    let mut any = false;
    for elem in list.and_then(|c| c.as_doc()).iter().flat_map(|l| l.iter().map_while(Result::ok)) {
        if let Some(Ok(inner)) = elem.as_doc().map(|d| entry.parse_inner(d)) {
            any = true;
            split(&inner, depth + 1, each);
        }
    }
    if !any {
        each(entry);
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

/// The namespace an operation is on; of a command the one it names.
pub(super) fn ns_of<'a>(entry: &Entry<'a>) -> Cow<'a, str> {
    let Some(command) = entry.command() else { return entry.ns.into() };
    match (command.name, command.as_str()) {
        (b"renameCollection", Some(from)) => from.into(),
        (b"dropDatabase", _) => entry.db().into(),
        (_, Some(coll)) => Namespace::new(entry.db(), coll).to_string().into(),
        _ => entry.ns.into(),
    }
}

/// A transaction, by its session and number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Txn<'a> {
    pub session: &'a [u8],
    pub number: i64,
}

impl Txn<'_> {
    /// As it is shown, and as `txn:` finds it.
    pub fn name(&self) -> String {
        format!("{}:{}", hex(self.session), self.number)
    }
}

/// The transaction that an entry of the oplog is part of.
pub(super) fn txn_of<'a>(entry: &Entry<'a>) -> Option<Txn<'a>> {
    let number = entry.txn_number?;
    let first = entry.command()?;
    if entry.grouped || !matches!(first.name, b"applyOps" | b"commitTransaction" | b"abortTransaction") {
        return None;
    }
    Some(Txn { session: session_id(entry.lsid?)?, number })
}

/// The session's UUID in hex, from the raw `lsid`.
pub fn session(lsid: &[u8]) -> Option<String> {
    session_id(lsid).map(hex)
}

fn session_id(lsid: &[u8]) -> Option<&[u8]> {
    Some(Doc::new(lsid).ok()?.get("id")?.as_binary()?.1)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// The document that has the `_id` of what an operation is about: `o2` of an update, else `o`.
fn keyed<'a>(entry: &Entry<'a>) -> Doc<'a> {
    entry.o2.filter(|o2| o2.get("_id").is_some()).unwrap_or(entry.o)
}

/// The `_id` that `id:` looks at, whatever the operation.
pub(super) fn searched_id<'a>(entry: &Entry<'a>) -> Option<Elem<'a>> {
    keyed(entry).get("_id")
}

/// The documents that words are looked for in.
pub(super) fn body<'a>(entry: &Entry<'a>) -> Body<'a> {
    Body { key: keyed(entry).bytes(), operation: entry.o.bytes() }
}
