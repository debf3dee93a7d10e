//! What is known of each namespace while the oplog is walked: how many documents it holds, its
//! TTL indexes, whether it is capped or temporary. Out of that and an operation it makes an act.

mod coll;
mod commands;
mod fresh;

use std::hash::BuildHasher;

use foldhash::fast::FixedState;

use super::Workspace;
use super::deeds::{Deed, deeds};
use super::expiry::Expired;
use crate::domain::burst::{Act, Author, Shape};
use crate::domain::names::{Names, NsId};
use crate::domain::op::OpKind;
use crate::domain::{Namespace, Position, Result};
use crate::engine::indexes::Indexes;
use crate::engine::input::CollectionKind;
use crate::engine::state::documents;
use crate::source::Snapshot;
use coll::{Coll, Place};
use fresh::Fresh;

/// Whether the dates of documents that expire are followed: for a look at the whole log, not at a
/// part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dates {
    /// They are; that takes memory for each document of a collection with a TTL index.
    Followed,
    /// They are not.
    Ignored,
}

/// All of them.
pub struct Known<'w> {
    workspace: &'w Workspace,
    names: Names,
    /// By the number of the name.
    places: Vec<Place>,
    fresh: Fresh,
    /// Snapshots whose counts are still to come into force, by edge.
    edges: Coming<'w>,
    /// The first snapshots of stretches that are still to come, by their beginning.
    begins: Coming<'w>,
    /// The snapshot of this stretch, and where its own oplog begins.
    base: Option<(&'w Snapshot, Position)>,
    dates: Dates,
}

/// Snapshots by the position where they begin to matter.
type Coming<'w> = std::iter::Peekable<std::vec::IntoIter<(Position, &'w Snapshot)>>;

impl<'w> Known<'w> {
    /// Before the first edge its counts are the best guess: better than none. Takes so many bytes
    /// for documents that came not long ago: with fewer, fewer are recognised when they go.
    pub fn new(workspace: &'w Workspace, dates: Dates, bytes: usize) -> Known<'w> {
        let with_edge = |s: &'w Snapshot| Some((s.edge()?, s));
        let mut edges: Vec<(Position, &Snapshot)> =
            workspace.snapshots.iter().filter_map(with_edge).collect();
        edges.sort_by_key(|(edge, _)| *edge);
        let segment = |edge| workspace.segments().iter().position(|segment| segment.last.pos >= edge);
        let mut begins = edges.clone();
        begins.dedup_by_key(|(edge, _)| segment(*edge));
        let begun = |s: &Snapshot| s.window().map_or(Position::MAX, |(first, _)| first.pos);
        begins.iter_mut().for_each(|(at, s)| *at = begun(s));
        let first = edges.first().map(|(_, first)| *first);
        let mut known = Known {
            workspace,
            names: Names::default(),
            places: Vec::new(),
            fresh: Fresh::new(bytes),
            edges: edges.into_iter().peekable(),
            begins: begins.into_iter().peekable(),
            base: None,
            dates,
        };
        if let Some(first) = first {
            known.describe(first);
            known.recount(first);
        }
        known
    }

    /// The names that acts are on.
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// Takes in the snapshots that lie before this position.
    pub fn advance(&mut self, pos: Position) -> Result<()> {
        while let Some((begun, base)) = self.begins.next_if(|(begun, _)| *begun <= pos) {
            if self.base.is_some() {
                // Behind a gap: what was known is not any more.
                self.places.iter_mut().for_each(|place| place.coll = Coll::default());
                self.describe(base);
            }
            self.base = Some((base, begun));
            for at in 0..self.places.len() {
                self.read_dates(at)?;
            }
        }
        while let Some((_, next)) = self.edges.next_if(|(edge, _)| *edge < pos) {
            self.recount(next);
        }
        Ok(())
    }

    fn describe(&mut self, base: &Snapshot) {
        let dates = self.dates;
        for coll in &base.base.collections {
            let series = coll.kind == CollectionKind::Timeseries;
            let ns = if series { coll.ns.buckets() } else { coll.ns.clone() };
            let known = self.coll_of(&ns);
            known.set_options(coll.options.clone());
            known.indexes = Indexes::new(&coll.indexes);
            if !series && dates == Dates::Followed {
                known.sync();
            }
        }
    }

    fn recount(&mut self, base: &Snapshot) {
        self.places.iter_mut().for_each(|place| place.coll.documents = 0);
        for (ns, documents, _) in &base.counts {
            self.coll_of(ns).documents = *documents;
        }
    }

    fn place(&mut self, id: NsId) -> &mut Place {
        let unknown = self.names.all().get(self.places.len()..).unwrap_or_default();
        self.places.extend(unknown.iter().map(Place::new));
        &mut self.places[id.index()]
    }

    fn coll(&mut self, id: NsId) -> &mut Coll {
        &mut self.place(id).coll
    }

    fn coll_of(&mut self, ns: &Namespace) -> &mut Coll {
        let id = self.names.of(ns);
        self.coll(id)
    }

    /// The dates of what the snapshot of this stretch has.
    fn read_dates(&mut self, at: usize) -> Result<()> {
        let (Some((base, _)), Some(ns)) = (self.base, self.names.all().get(at)) else { return Ok(()) };
        let Some(Place { coll, .. }) = self.places.get_mut(at) else { return Ok(()) };
        if coll.ttl.is_empty() {
            return Ok(());
        }
        let regions = base.base.collections.iter().filter(|c| c.ns == *ns).flat_map(|c| &c.data);
        for doc in regions.flat_map(documents) {
            let doc = doc?;
            coll.ttl.iter_mut().for_each(|ttl| ttl.read(doc));
        }
        Ok(())
    }

    /// A TTL index that was made just now: the dates of all that is there, from the snapshot and
    /// from what was written since.
    fn catch_up(&mut self, ns: NsId, until: Position) -> Result<()> {
        let Some(name) = self.names.get(ns).map(Namespace::to_string) else { return Ok(()) };
        let from = self.base.map_or(Position::MIN, |(_, from)| from);
        for entry in self.workspace.oplog.entries(from, until) {
            for deed in deeds(entry?).iter().filter(|deed| deed.ns == name) {
                let Some(key) = deed.key else { continue };
                self.coll(ns).ttl.iter_mut().for_each(|ttl| {
                    ttl.write(deed.logged, key, deed.o, deed.pos.secs);
                });
            }
        }
        self.read_dates(ns.index())
    }

    /// Follows an operation. The act it is, if it is one.
    pub fn act(&mut self, deed: &Deed<'_>) -> Result<Option<Act>> {
        if deed.kind == OpKind::Noop {
            return Ok(None);
        }
        let ns = self.names.id(&deed.ns);
        if !self.place(ns).counts {
            return Ok(None);
        }
        if deed.kind == OpKind::Command {
            return self.command(deed, ns);
        }
        let Some(key) = deed.key else { return Ok(None) };
        let secs = deed.pos.secs;
        let document = key.bits() as u64;
        let fresh_key = document ^ FixedState::default().hash_one(ns.index());
        let dates = self.dates;
        let coll = self.coll(ns);
        let documents_before = coll.documents;
        let mut expired = Expired::No;
        for ttl in &mut coll.ttl {
            expired = either(expired, ttl.write(deed.logged, key, deed.o, secs));
        }
        let mut marked = false;
        let shape = match deed.kind {
            OpKind::Insert => {
                coll.insert();
                self.fresh.insert(fresh_key, secs);
                Shape::Insert
            }
            OpKind::Delete => {
                let evicted = coll.delete();
                if dates == Dates::Followed {
                    expired = either(expired, coll.expired_by_id(deed.o, secs));
                }
                let fresh = self.fresh.remove(fresh_key, secs);
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
            _ => deed.shape,
        };
        Ok(Some(Act { documents_before, key: document, marked, ..self.base_act(deed, ns, shape) }))
    }

    fn author(&mut self, deed: &Deed<'_>, ns: NsId) -> Author {
        let place = self.place(ns);
        if deed.from_migrate {
            Author::Migration
        } else if place.temporary_name || place.coll.temporary {
            Author::Temporary
        } else {
            Author::Client
        }
    }

    fn base_act(&mut self, deed: &Deed<'_>, ns: NsId, shape: Shape) -> Act {
        Act {
            pos: deed.pos,
            kind: deed.kind,
            author: self.author(deed, ns),
            ns,
            shape,
            session: deed.session,
            transaction: deed.transaction,
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
