//! What is known of each namespace while the oplog is walked: how many documents it holds, its
//! TTL indexes, whether it is capped or temporary. Out of that and an operation it makes an act.

use std::collections::HashMap;

use xxhash_rust::xxh3::xxh3_64;

use super::Workspace;
use super::expiry::{Expired, Ttl, by_id};
use super::rows::{Row, rows, session};
use super::shape::shape_of;
use crate::domain::burst::{Act, Author, Shape};
use crate::domain::namespace::Treatment;
use crate::domain::op::OpKind;
use crate::domain::{Namespace, Position, Result};
use crate::engine::bson::{Doc, EMPTY};
use crate::engine::catalog::{modified_options, options_of};
use crate::engine::indexes::Indexes;
use crate::engine::input::CollectionKind;
use crate::engine::key::DocKey;
use crate::engine::state::documents;
use crate::source::Snapshot;

/// A document inserted less than this many seconds ago has not been there for long.
const FRESH_SECS: u32 = 600;

/// How many fresh documents are remembered, over all namespaces.
const FRESH_MOST: usize = 2_000_000;

/// So many deletes in a row without an insert are no eviction from a capped collection.
const EVICTED_MOST: u32 = 32;

/// One namespace.
#[derive(Debug, Default)]
struct Coll {
    documents: u64,
    options: Vec<u8>,
    indexes: Indexes,
    ttl: Vec<Ttl>,
    temporary: bool,
    /// Deletes since the last insert.
    deletes: u32,
}

impl Coll {
    fn options(&self) -> Doc<'_> {
        Doc::new(&self.options).unwrap_or(EMPTY)
    }

    fn flag(&self, name: &str) -> bool {
        self.options().get(name).is_some_and(|e| e.is_truthy())
    }

    /// Brings the TTL indexes in line with the indexes. True when there is a new one.
    fn sync(&mut self) -> bool {
        let specs = self.indexes.specs().iter().filter_map(|spec| Ttl::of(Doc::new(spec).ok()?));
        let mut now: Vec<Ttl> = Vec::new();
        let mut fresh = false;
        for ttl in specs {
            match self.ttl.iter().position(|old| old.is(&ttl)) {
                Some(at) => {
                    let mut old = self.ttl.swap_remove(at);
                    old.adopt(&ttl);
                    now.push(old);
                }
                None => {
                    fresh = true;
                    now.push(ttl);
                }
            }
        }
        self.ttl = now;
        fresh
    }
}

/// All of them.
pub struct Known<'w> {
    workspace: &'w Workspace,
    colls: HashMap<Namespace, Coll>,
    /// Seconds in which documents were inserted.
    fresh: HashMap<u64, u32>,
    sessions: HashMap<u64, String>,
    /// Snapshots whose counts are still to come into force, by edge.
    edges: std::vec::IntoIter<&'w Snapshot>,
    /// The first snapshots of stretches that are still to come, by their beginning.
    begins: std::vec::IntoIter<&'w Snapshot>,
    /// The snapshot of this stretch, and where its own oplog begins.
    base: Option<(&'w Snapshot, Position)>,
    /// Whether dates are followed.
    expiry: bool,
}

impl<'w> Known<'w> {
    /// Before the first edge its counts are the best guess: better than none.
    pub fn new(workspace: &'w Workspace) -> Result<Self> {
        Self::start(workspace, true)
    }

    /// The same for a look at a part of the log: without the dates of documents that expire.
    pub fn without_expiry(workspace: &'w Workspace) -> Result<Self> {
        Self::start(workspace, false)
    }

    fn start(workspace: &'w Workspace, expiry: bool) -> Result<Self> {
        let mut edges: Vec<&Snapshot> = workspace.snapshots.iter().filter(|s| s.edge().is_some()).collect();
        edges.sort_by_key(|s| s.edge());
        let segment =
            |s: &Snapshot| workspace.segments().iter().position(|seg| Some(seg.last.pos) >= s.edge());
        let mut begins = edges.clone();
        begins.dedup_by_key(|s| segment(s));
        let mut known = Known {
            workspace,
            colls: HashMap::new(),
            fresh: HashMap::new(),
            sessions: HashMap::new(),
            edges: edges.clone().into_iter(),
            begins: begins.into_iter(),
            base: None,
            expiry,
        };
        if let Some(first) = edges.first() {
            known.describe(first);
            known.recount(first);
        }
        Ok(known)
    }

    /// Takes in the snapshots that lie before this position.
    pub fn advance(&mut self, pos: Position) -> Result<()> {
        let begun = |s: &Snapshot| s.window().map_or(Position::MAX, |(first, _)| first.pos);
        while let Some(base) = self.begins.as_slice().first().copied().filter(|s| begun(s) <= pos) {
            self.begins.next();
            if self.base.is_some() {
                // Behind a gap: what was known is not any more.
                self.colls.clear();
                self.describe(base);
            }
            self.base = Some((base, begun(base)));
            let expiring: Vec<Namespace> =
                self.colls.iter().filter(|(_, c)| !c.ttl.is_empty()).map(|(ns, _)| ns.clone()).collect();
            for ns in expiring {
                self.read_dates(&ns)?;
            }
        }
        while let Some(next) = self.edges.as_slice().first().copied().filter(|s| s.edge() < Some(pos)) {
            self.edges.next();
            self.recount(next);
        }
        Ok(())
    }

    /// The session behind a hash, in hex.
    pub fn session(&self, hash: u64) -> Option<String> {
        self.sessions.get(&hash).cloned()
    }

    fn describe(&mut self, base: &Snapshot) {
        let expiry = self.expiry;
        for coll in &base.base.collections {
            let series = coll.kind == CollectionKind::Timeseries;
            let ns = if series { coll.ns.buckets() } else { coll.ns.clone() };
            let known = self.coll(&ns);
            known.options.clone_from(&coll.options);
            known.indexes = Indexes::new(&coll.indexes);
            if !series && expiry {
                known.sync();
            }
        }
    }

    fn recount(&mut self, base: &Snapshot) {
        self.colls.values_mut().for_each(|coll| coll.documents = 0);
        for (ns, documents, _) in &base.counts {
            self.coll(ns).documents = *documents;
        }
    }

    fn coll(&mut self, ns: &Namespace) -> &mut Coll {
        if !self.colls.contains_key(ns) {
            self.colls.insert(ns.clone(), Coll::default());
        }
        self.colls.entry(ns.clone()).or_default()
    }

    /// The dates of what the snapshot of this stretch has.
    fn read_dates(&mut self, ns: &Namespace) -> Result<()> {
        let Some((base, _)) = self.base else { return Ok(()) };
        let Some(coll) = self.colls.get_mut(ns) else { return Ok(()) };
        let regions = base.base.collections.iter().filter(|c| c.ns == *ns).flat_map(|c| &c.data);
        for doc in regions.flat_map(documents) {
            let doc = doc?;
            coll.ttl.iter_mut().for_each(|ttl| ttl.read(doc));
        }
        Ok(())
    }

    /// A TTL index that was made just now: the dates of all that is there, from the snapshot and
    /// from what was written since.
    fn catch_up(&mut self, ns: &Namespace, until: Position) -> Result<()> {
        let name = ns.to_string();
        let from = self.base.map_or(Position::MIN, |(_, from)| from);
        for entry in self.workspace.oplog.entries(from, until) {
            for row in rows(&entry?).iter().filter(|row| row.ns == name) {
                let secs = row.entry.at.pos.secs;
                self.coll(ns).ttl.iter_mut().for_each(|ttl| {
                    ttl.write(&row.entry, secs);
                });
            }
        }
        self.read_dates(ns)
    }

    /// Follows an operation. The act it is, if it is one.
    pub fn act(&mut self, row: &Row<'_>) -> Result<Option<Act>> {
        let ns = Namespace::parse(&row.ns);
        if ns.treatment() != Treatment::User || ns.is_views() || row.kind == OpKind::Noop {
            return Ok(None);
        }
        if row.kind == OpKind::Command {
            return self.command(row, ns);
        }
        let entry = &row.entry;
        let pos = entry.at.pos;
        let Some(id) = entry.id() else { return Ok(None) };
        let key = DocKey::of(id).bits() as u64;
        let fresh_key = key ^ xxh3_64(row.ns.as_bytes());
        let expiry = self.expiry;
        let coll = self.coll(&ns);
        let documents_before = coll.documents;
        let mut expired = Expired::No;
        for ttl in &mut coll.ttl {
            expired = either(expired, ttl.write(entry, pos.secs));
        }
        let mut marked = false;
        let shape = match row.kind {
            OpKind::Insert => {
                coll.documents += 1;
                coll.deletes = 0;
                if self.fresh.len() < FRESH_MOST {
                    self.fresh.insert(fresh_key, pos.secs);
                }
                Shape::Insert
            }
            OpKind::Delete => {
                coll.documents = coll.documents.saturating_sub(1);
                coll.deletes += 1;
                if expiry && !coll.options.is_empty() {
                    expired = either(expired, by_id(&id, coll.options(), pos.secs));
                }
                let evicted = coll.flag("capped") && coll.deletes <= EVICTED_MOST;
                let born = self.fresh.remove(&fresh_key);
                let fresh = born.is_some_and(|born| pos.secs <= born.saturating_add(FRESH_SECS));
                match expired {
                    _ if evicted => Shape::Evict,
                    Expired::Yes | Expired::Unknown => {
                        marked = expired == Expired::Yes;
                        Shape::Expire
                    }
                    Expired::No => {
                        marked = fresh;
                        Shape::Delete
                    }
                }
            }
            OpKind::Replace => Shape::Replace,
            _ => shape_of(entry.o),
        };
        if self.fresh.len() >= FRESH_MOST {
            self.fresh.retain(|_, born| pos.secs <= born.saturating_add(FRESH_SECS));
            if self.fresh.len() >= FRESH_MOST {
                self.fresh.clear();
            }
        }
        Ok(Some(Act { documents_before, key, marked, ..self.base_act(row, ns, shape) }))
    }

    fn command(&mut self, row: &Row<'_>, ns: Namespace) -> Result<Option<Act>> {
        let entry = &row.entry;
        let Some(command) = entry.command() else { return Ok(None) };
        let expiry = self.expiry;
        match command.name {
            b"create" => {
                let options = options_of(entry.o, &Namespace::new("", ""));
                let temporary = entry.o.get("temp").is_some_and(|e| e.is_truthy());
                self.colls.insert(ns, Coll { options, temporary, ..Coll::default() });
            }
            b"createIndexes" | b"commitIndexBuild" => {
                let coll = self.coll(&ns);
                match entry.o.get("indexes").and_then(|e| e.as_doc()) {
                    Some(specs) => {
                        let specs = specs.iter().map_while(Result::ok).filter_map(|s| s.as_doc());
                        specs.for_each(|spec| coll.indexes.add(spec));
                    }
                    None => coll.indexes.add(entry.o),
                }
                if expiry && coll.sync() {
                    self.catch_up(&ns, entry.at.pos)?;
                }
            }
            b"dropIndexes" | b"deleteIndexes" | b"deleteIndex" | b"dropIndex" => {
                let coll = self.coll(&ns);
                if let Some(index) = entry.o.get("index") {
                    coll.indexes.remove(&index);
                    coll.sync();
                }
            }
            b"collMod" => {
                let coll = self.coll(&ns);
                coll.options = modified_options(&coll.options, entry.o);
                if let Some(index) = entry.o.get("index").and_then(|e| e.as_doc()) {
                    coll.indexes.modify(index);
                    if expiry && coll.sync() {
                        self.catch_up(&ns, entry.at.pos)?;
                    }
                }
            }
            b"drop" | b"dropDatabase" => {
                let act = self.base_act(row, ns.clone(), Shape::Drop);
                let gone = self.colls.remove(&ns);
                if command.name == b"dropDatabase" {
                    self.colls.retain(|other, _| other.db != ns.db);
                }
                return Ok(Some(Act { documents_before: gone.map_or(0, |c| c.documents), ..act }));
            }
            b"renameCollection" => return Ok(self.rename(row, ns)),
            _ => {}
        }
        Ok(None)
    }

    fn rename(&mut self, row: &Row<'_>, from: Namespace) -> Option<Act> {
        let entry = &row.entry;
        let to = Namespace::parse(entry.o.get("to")?.as_str()?);
        let author = self.author(row, &from);
        let mut moved = self.colls.remove(&from).unwrap_or_default();
        moved.temporary &= entry.o.get("stayTemp").is_some_and(|e| e.is_truthy());
        let over = self.colls.insert(to.clone(), moved);
        entry.o.get("dropTarget").filter(|e| e.as_bool() != Some(false))?;
        let documents_before = over.map_or(0, |c| c.documents);
        Some(Act { documents_before, author, ..self.base_act(row, to, Shape::Overwrite) })
    }

    fn author(&self, row: &Row<'_>, ns: &Namespace) -> Author {
        if row.entry.from_migrate {
            Author::Migration
        } else if is_temporary(&ns.coll) || self.colls.get(ns).is_some_and(|c| c.temporary) {
            Author::Temporary
        } else {
            Author::Client
        }
    }

    fn base_act(&mut self, row: &Row<'_>, ns: Namespace, shape: Shape) -> Act {
        let session_hash = row.entry.lsid.map(xxh3_64);
        if let (Some(hash), Some(lsid)) = (session_hash, row.entry.lsid) {
            self.sessions.entry(hash).or_insert_with(|| session(lsid).unwrap_or_default());
        }
        Act {
            pos: row.entry.at.pos,
            kind: row.kind,
            author: self.author(row, &ns),
            ns,
            shape,
            session: session_hash,
            transaction: row.txn.as_ref().map(|txn| xxh3_64(txn.as_bytes())),
            key: 0,
            marked: false,
            documents_before: 0,
        }
    }
}

/// A document expired when any of the indexes says so; it had not when all of them do.
fn either(a: Expired, b: Expired) -> Expired {
    match (a, b) {
        (Expired::Yes, _) | (_, Expired::Yes) => Expired::Yes,
        (Expired::Unknown, _) | (_, Expired::Unknown) => Expired::Unknown,
        (Expired::No, Expired::No) => Expired::No,
    }
}

/// Names that servers give to collections they make for themselves: `tmp.agg_out.UUID` of `$out`,
/// `tmp.mr.X` of mapReduce, `tmpAbCdE.convertToCapped`, `tmpAbCdE.renameCollection`,
/// `tmpAbCdE.create`.
fn is_temporary(coll: &str) -> bool {
    if coll.starts_with("tmp.agg_out.") || coll.starts_with("tmp.mr.") {
        return true;
    }
    let made = coll.strip_prefix("tmp").and_then(|rest| rest.split_once('.'));
    made.is_some_and(|(random, purpose)| {
        random.len() == 5 && matches!(purpose, "convertToCapped" | "renameCollection" | "create" | "rename")
    })
}

#[cfg(test)]
mod tests {
    use super::is_temporary;

    #[test]
    fn temporary_names() {
        for name in ["tmp.agg_out.0d9b", "tmp.mr.orders_0", "tmpX1y2z.convertToCapped", "tmpabcde.create"] {
            assert!(is_temporary(name), "{name}");
        }
        for name in ["tmp", "tmp.orders", "tmpabc.create", "tmpabcde.orders", "template.create"] {
            assert!(!is_temporary(name), "{name}");
        }
    }
}
