//! The collections that have borne a name, followed by their UUID through renames and drops, and
//! what happened in each of them to the few documents somebody looks for, in the order in which
//! operations count: those of a transaction at its commit. The op index tells which entries
//! matter; only those are read.

use std::collections::{HashMap, HashSet};

use super::Workspace;
use super::walk::Older;
use crate::domain::{Namespace, Position, Result, progress::Meter};
use crate::engine::bson::Doc;
use crate::engine::entry::{Entry, EntryKind};
use crate::engine::fold::broken_transaction;
use crate::engine::input::{Base, BaseCollection, CollectionKind};
use crate::engine::key::DocKey;
use crate::engine::transactions::{Step, Transactions};
use crate::index::About;

/// How deep `applyOps` may nest, as in the fold.
const MAX_NESTING: usize = 8;

/// What happened to the documents, or to their collection.
#[derive(Debug, Clone)]
pub enum What<'a> {
    /// An insert, update, replacement or delete of the document with this key.
    Document(DocKey, Entry<'a>),
    /// The collection got its present name; it had this one before.
    Renamed(Namespace),
    /// The collection was dropped.
    Dropped,
    /// Another collection, which had this name, was renamed over it.
    Overwritten(Namespace),
    /// All documents of a capped collection were removed.
    Emptied,
}

/// One thing that happened.
#[derive(Debug, Clone)]
pub struct Event<'a> {
    /// The entry of the oplog that makes it count.
    pub entry: Entry<'a>,
    /// Which of all events this is.
    pub number: u64,
    /// The name of the collection from here on.
    pub ns: Namespace,
    /// What happened.
    pub what: What<'a>,
}

/// One collection.
#[derive(Debug, Clone)]
pub struct Lineage<'a> {
    /// Its identity, where it is known.
    pub uuid: Option<[u8; 16]>,
    /// All names it had, the newest last.
    pub names: Vec<Namespace>,
    /// The snapshot's copy of it.
    pub base: Option<&'a BaseCollection>,
    /// What happened, in order.
    pub events: Vec<Event<'a>>,
    alive: bool,
}

/// All collections that matter for some documents, over one stretch of oplog.
#[derive(Debug, Default)]
pub struct Lineages<'a> {
    all: Vec<Lineage<'a>>,
    by_uuid: HashMap<[u8; 16], usize>,
    events: u64,
    /// Whether the name somebody asked for was seen at all.
    pub seen: bool,
}

/// Follows the documents with these keys from the beginning of a snapshot's own oplog to `to`.
pub fn trace<'a>(
    workspace: &'a Workspace,
    base: &'a Base,
    range: (Position, Position),
    ns: &Namespace,
    keys: &HashSet<DocKey>,
    meter: &Meter,
) -> Result<Lineages<'a>> {
    let mut lineages = Lineages::of(base);
    lineages.seen = lineages.all.iter().any(|l| l.names.contains(ns));
    let name = ns.to_string();
    let history = Older(&workspace.oplog);
    let mut transactions = Transactions::default();
    let index = workspace.index(meter)?;
    lineages.seen |= index.has_written(range.0..range.1, &name);
    let about = About { keys: keys.clone(), ..About::default() };
    for (piece, at) in index.entries_about(range.0..range.1, &about, usize::MAX, meter)?.unwrap_or_default() {
        let (entry, _) = workspace.oplog.entry_at(piece, at)?;
        meter.add(1, entry.raw.bytes().len() as u64);
        meter.check("following the document")?;
        if entry.kind != EntryKind::Command {
            lineages.take(&entry, &entry, keys, 0);
            continue;
        }
        match transactions.step(&entry, &history).map_err(|broken| broken_transaction(&entry, broken))? {
            Step::Plain => lineages.take(&entry, &entry, keys, 0),
            Step::Nothing => {}
            Step::Commit(ops) => {
                for inner in ops.iter().filter_map(|op| entry.parse_inner(op).ok()) {
                    lineages.take(&entry, &inner, keys, 1);
                }
            }
        }
    }
    Ok(lineages)
}

impl<'a> Lineages<'a> {
    fn of(base: &'a Base) -> Self {
        let mut lineages = Lineages::default();
        for coll in &base.collections {
            let ns = match coll.kind {
                CollectionKind::Collection => coll.ns.clone(),
                CollectionKind::Timeseries => coll.ns.buckets(),
                CollectionKind::View => continue,
            };
            lineages.add(coll.uuid, ns, Some(coll));
        }
        lineages
    }

    /// The collections that fit.
    pub fn into_those(self, fits: impl Fn(&Lineage<'a>) -> bool) -> Vec<Lineage<'a>> {
        self.all.into_iter().filter(|lineage| fits(lineage)).collect()
    }

    fn add(&mut self, uuid: Option<[u8; 16]>, ns: Namespace, base: Option<&'a BaseCollection>) -> usize {
        let at = self.all.len();
        self.all.push(Lineage { uuid, names: vec![ns], base, events: Vec::new(), alive: true });
        if let Some(uuid) = uuid {
            self.by_uuid.insert(uuid, at);
        }
        at
    }

    /// The living collection an entry is about, as the fold finds it.
    fn find(&mut self, ui: Option<[u8; 16]>, ns: &Namespace) -> Option<usize> {
        let named = |l: &Lineage<'_>| l.alive && l.names.last() == Some(ns);
        let Some(uuid) = ui else { return self.all.iter().rposition(named) };
        if let Some(&at) = self.by_uuid.get(&uuid) {
            return self.all.get(at).filter(|l| l.alive).map(|_| at);
        }
        let at = self.all.iter().position(|l| l.uuid.is_none() && named(l))?;
        self.all.get_mut(at)?.uuid = Some(uuid);
        self.by_uuid.insert(uuid, at);
        Some(at)
    }

    fn push(&mut self, at: usize, outer: &Entry<'a>, what: What<'a>) {
        self.events += 1;
        let number = self.events;
        let Some(lineage) = self.all.get_mut(at) else { return };
        let Some(ns) = lineage.names.last().cloned() else { return };
        if matches!(what, What::Dropped | What::Overwritten(_)) {
            lineage.alive = false;
        }
        lineage.events.push(Event { entry: *outer, number, ns, what });
    }

    fn take(&mut self, outer: &Entry<'a>, entry: &Entry<'a>, keys: &HashSet<DocKey>, depth: usize) {
        match entry.kind {
            EntryKind::Insert | EntryKind::Update | EntryKind::Delete => {
                let Some(key) = entry.id().map(DocKey::of).filter(|key| keys.contains(key)) else { return };
                let ns = Namespace::parse(entry.ns);
                let at = match self.find(entry.ui, &ns) {
                    Some(at) => at,
                    None if entry.ui.is_some_and(|ui| self.by_uuid.contains_key(&ui)) => return,
                    None => self.add(entry.ui, ns, None),
                };
                self.push(at, outer, What::Document(key, *entry));
            }
            EntryKind::Command => self.command(outer, entry, keys, depth),
            EntryKind::Noop | EntryKind::Other => {}
        }
    }

    fn command(&mut self, outer: &Entry<'a>, entry: &Entry<'a>, keys: &HashSet<DocKey>, depth: usize) {
        let Some(first) = entry.command() else { return };
        let ns = Namespace::new(entry.db(), first.as_str().unwrap_or(""));
        match first.name {
            b"applyOps" if depth < MAX_NESTING => {
                let list = first.as_doc().into_iter().flat_map(Doc::iter).map_while(Result::ok);
                for inner in list.filter_map(|e| e.as_doc()).filter_map(|op| entry.parse_inner(op).ok()) {
                    self.take(outer, &inner, keys, depth + 1);
                }
            }
            b"drop" => {
                if let Some(at) = self.find(entry.ui, &ns) {
                    self.push(at, outer, What::Dropped);
                }
            }
            b"emptycapped" => {
                if let Some(at) = self.find(entry.ui, &ns) {
                    self.push(at, outer, What::Emptied);
                }
            }
            b"dropDatabase" => {
                for at in 0..self.all.len() {
                    let lives =
                        |l: &Lineage<'_>| l.alive && l.names.last().is_some_and(|name| name.db == entry.db());
                    if self.all.get(at).is_some_and(lives) {
                        self.push(at, outer, What::Dropped);
                    }
                }
            }
            b"renameCollection" => self.rename(outer, entry),
            _ => {}
        }
    }

    fn rename(&mut self, outer: &Entry<'a>, entry: &Entry<'a>) {
        let text = |name: &str| entry.o.get(name).and_then(|e| e.as_str()).map(Namespace::parse);
        let (Some(from), Some(to)) = (text("renameCollection"), text("to")) else { return };
        let source = self.find(entry.ui, &from);
        let over = entry.o.get("dropTarget");
        let uuid = over.and_then(|e| e.as_uuid());
        if (uuid.is_some() || over.is_some_and(|e| e.as_bool() == Some(true)))
            && let Some(target) = self.find(uuid, &to)
            && Some(target) != source
        {
            self.push(target, outer, What::Overwritten(from.clone()));
        }
        if let Some(at) = source {
            if let Some(lineage) = self.all.get_mut(at) {
                lineage.names.push(to);
            }
            self.push(at, outer, What::Renamed(from));
        }
    }
}
