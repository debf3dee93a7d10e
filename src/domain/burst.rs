//! Bursts: operations that are one act. Suspects: bursts that look like damage, ranked.
//!
//! An act is recognised by what its operations share: namespace, kind, shape of the change, and
//! session and transaction where the oplog has them; and by coming without a pause. The oplog
//! knows no user: a session is all there is.

use std::collections::HashMap;

use super::namespace::Namespace;
use super::op::OpKind;
use super::position::Position;

/// Operations further apart than this many seconds are different acts.
const PAUSE_SECS: u32 = 2;

/// Traffic between two operations that is this many times the usual separates acts,
const UNUSUAL: u64 = 8;

/// but never less than this many operations.
const MIN_GAP: u64 = 8;

/// How often groups that nothing can join any more are closed.
const SWEEP_EVERY: u64 = 1 << 16;

/// An act on documents smaller than this, and on less than [`SMALL_SHARE`], is ordinary.
const SMALL_COUNT: u64 = 1000;

/// The share of a collection that makes a small act a suspect.
const SMALL_SHARE: f64 = 0.1;

/// Fewer documents than this are never a suspect, unless a collection goes with them.
const FEW: u64 = 5;

/// What the change does, coarsely; operations of one act have the same shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shape {
    /// A document comes.
    Insert,
    /// A document goes.
    Delete,
    /// Fields are set; the number is a hash of names and values, equal for the same change.
    Set(u64),
    /// Fields are removed, whatever else happens; the number is a hash of the change.
    Unset(u64),
    /// A whole new body.
    Replace,
    /// A collection or a database goes.
    Drop,
    /// A collection is renamed over another.
    Overwrite,
}

/// One operation as the grouping sees it.
#[derive(Debug, Clone)]
pub struct Act {
    /// Where.
    pub pos: Position,
    /// What.
    pub kind: OpKind,
    /// On what.
    pub ns: Namespace,
    /// How.
    pub shape: Shape,
    /// Session, transaction: equal for operations of one act, `None` where the oplog has none.
    pub group: Option<u64>,
    /// Written by a chunk migration.
    pub migration: bool,
    /// Documents the namespace held before this operation, as far as known.
    pub documents_before: u64,
}

/// Operations that are one act.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Burst {
    /// What its operations do.
    pub kind: OpKind,
    /// On what.
    pub ns: Namespace,
    /// What happened, in words.
    pub what: String,
    /// Its first operation.
    pub first: Position,
    /// Its last operation.
    pub last: Position,
    /// Its first second, RFC 3339 in UTC.
    pub time: String,
    /// Documents it touched.
    pub documents: u64,
    /// Share of the collection it touched, 0 to 1, as far as known.
    pub share: f64,
    /// The stop that leaves it out: before its first operation.
    pub stop: Position,
}

/// Operations of one kind and shape on one namespace that came without a long pause. Inside it
/// may be several acts: [`Open::split`] tells them apart by their density.
#[derive(Debug)]
struct Open {
    kind: OpKind,
    shape: Shape,
    migration: bool,
    /// Documents before the first operation.
    before: u64,
    /// Each operation: its number in the whole log, and its position.
    ops: Vec<(u64, Position)>,
}

/// One act found in an [`Open`].
#[derive(Debug)]
struct Closed {
    kind: OpKind,
    shape: Shape,
    migration: bool,
    before: u64,
    first: Position,
    last: Position,
    count: u64,
}

impl Open {
    fn new(act: &Act, number: u64) -> Self {
        Open {
            kind: act.kind,
            shape: act.shape,
            migration: act.migration,
            before: act.documents_before,
            ops: vec![(number, act.pos)],
        }
    }

    fn last(&self) -> Position {
        self.ops.last().map_or(Position::MIN, |(_, pos)| *pos)
    }

    /// Cuts where much more of other traffic lies between two operations than usually does: the
    /// single deletes of every day before a `deleteMany` are not part of it.
    fn split(&self) -> impl Iterator<Item = Closed> + '_ {
        let mut gaps: Vec<u64> = self.ops.windows(2).map(|w| w[1].0 - w[0].0).collect();
        gaps.sort_unstable();
        let usual = gaps.get(gaps.len() / 2).copied().unwrap_or(1);
        let limit = (usual * UNUSUAL).max(MIN_GAP);
        let mut done = 0;
        let runs = self.ops.chunk_by(move |a, b| b.0 - a.0 <= limit);
        runs.map(move |run| {
            let before = match self.shape {
                Shape::Delete => self.before.saturating_sub(done),
                _ => self.before,
            };
            done += run.len() as u64;
            Closed {
                kind: self.kind,
                shape: self.shape,
                migration: self.migration,
                before,
                first: run.first().map_or(Position::MIN, |(_, pos)| *pos),
                last: run.last().map_or(Position::MIN, |(_, pos)| *pos),
                count: run.len() as u64,
            }
        })
    }
}

/// Groups operations, taken in order, into bursts.
#[derive(Debug, Default)]
pub struct Grouper {
    numbered: u64,
    open: HashMap<(Namespace, Shape, Option<u64>), Open>,
    done: Vec<(Namespace, Closed)>,
}

impl Grouper {
    /// Counts an operation that is part of no act, so that acts are told apart by what lies
    /// between their operations.
    pub fn skip(&mut self) {
        self.numbered += 1;
    }

    /// Takes the next operation.
    pub fn add(&mut self, act: Act) {
        self.numbered += 1;
        match act.shape {
            Shape::Insert => return,
            Shape::Drop => return self.add_drop(act),
            _ => {}
        }
        if self.numbered.is_multiple_of(SWEEP_EVERY) {
            self.sweep(act.pos);
        }
        let key = (act.ns.clone(), act.shape, act.group);
        if let Some(open) = self.open.get_mut(&key) {
            if act.pos.secs <= open.last().secs.saturating_add(PAUSE_SECS) {
                open.ops.push((self.numbered, act.pos));
                return;
            }
            if let Some(open) = self.open.remove(&key) {
                self.close(&act.ns, &open);
            }
        }
        self.open.insert(key, Open::new(&act, self.numbered));
    }

    /// The bursts that look like damage, the worst first.
    pub fn suspects(mut self) -> Vec<Burst> {
        self.sweep(Position::MAX);
        let mut suspects: Vec<Burst> = self.done.iter().filter_map(|(ns, act)| suspect(ns, act)).collect();
        suspects.sort_by(|a, b| {
            let damage = |s: &Burst| s.documents as f64 * (0.1 + s.share);
            damage(b).total_cmp(&damage(a)).then(a.first.cmp(&b.first))
        });
        suspects
    }

    /// Closes what nothing can join any more: most operations of an oplog are acts of their own.
    fn sweep(&mut self, now: Position) {
        let stale = |open: &Open| open.last().secs.saturating_add(PAUSE_SECS) < now.secs;
        let keys: Vec<_> =
            self.open.iter().filter(|(_, open)| stale(open)).map(|(key, _)| key.clone()).collect();
        for key in keys {
            if let Some(open) = self.open.remove(&key) {
                self.close(&key.0, &open);
            }
        }
    }

    /// A dropDatabase is logged behind a drop of each of its collections: one act.
    fn add_drop(&mut self, act: Act) {
        let mut drop = Closed {
            kind: act.kind,
            shape: act.shape,
            migration: act.migration,
            before: act.documents_before,
            first: act.pos,
            last: act.pos,
            count: 1,
        };
        while act.ns.coll.is_empty() {
            let joins = |(ns, last): &(Namespace, Closed)| {
                last.shape == Shape::Drop
                    && ns.db == act.ns.db
                    && !ns.coll.is_empty()
                    && act.pos.secs <= last.last.secs.saturating_add(PAUSE_SECS)
            };
            let Some((_, earlier)) = self.done.pop_if(|last| joins(last)) else { break };
            drop.first = earlier.first;
            drop.before += earlier.before;
            drop.count += 1;
        }
        self.done.push((act.ns, drop));
    }

    fn close(&mut self, ns: &Namespace, open: &Open) {
        let whole = matches!(open.shape, Shape::Overwrite);
        for act in open.split().filter(|act| whole || act.count >= FEW) {
            self.done.push((ns.clone(), act));
        }
    }
}

fn suspect(ns: &Namespace, open: &Closed) -> Option<Burst> {
    if open.migration {
        return None;
    }
    let goes = matches!(open.shape, Shape::Drop | Shape::Overwrite);
    let documents = if goes { open.before } else { open.count };
    let share = if goes { 1.0 } else { open.count as f64 / open.before.max(open.count).max(1) as f64 };
    let large = documents >= SMALL_COUNT || share >= SMALL_SHARE;
    let what = match open.shape {
        Shape::Insert => return None,
        Shape::Delete => "documents deleted",
        Shape::Set(_) => "the same change to every document",
        Shape::Unset(_) => "fields removed from every document",
        Shape::Replace => "documents replaced",
        Shape::Drop if ns.coll.is_empty() => "database dropped",
        Shape::Drop => "collection dropped",
        Shape::Overwrite => "collection overwritten by a rename",
    };
    (goes || large).then(|| Burst {
        kind: open.kind,
        ns: ns.clone(),
        what: what.to_owned(),
        first: open.first,
        last: open.last,
        time: open.first.time(),
        documents,
        share,
        stop: open.first,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn act(at: (u32, u32), coll: &str, shape: Shape) -> Act {
        Act {
            pos: Position::new(at.0, at.1),
            kind: OpKind::Delete,
            ns: Namespace::new("shop", coll),
            shape,
            group: None,
            migration: false,
            documents_before: 100,
        }
    }

    #[test]
    fn a_mass_delete_is_one_suspect_in_spite_of_traffic_between() {
        let mut grouper = Grouper::default();
        for i in 1..=60 {
            grouper.add(act((50, 2 * i), "orders", Shape::Delete));
            grouper.add(act((50, 2 * i + 1), "other", Shape::Insert));
        }
        let suspects = grouper.suspects();
        assert_eq!(suspects.len(), 1);
        assert_eq!((suspects[0].first, suspects[0].last), (Position::new(50, 2), Position::new(50, 120)));
        assert_eq!(suspects[0].documents, 60);
        assert_eq!(suspects[0].stop, suspects[0].first);
    }

    #[test]
    fn everyday_deletes_before_a_mass_delete_are_not_part_of_it() {
        let mut grouper = Grouper::default();
        for i in 0..10 {
            grouper.add(act((50, 20 * i), "orders", Shape::Delete));
            (1..20).for_each(|_| grouper.skip());
        }
        for i in 0..200 {
            grouper.add(act((50, 1000 + i), "orders", Shape::Delete));
        }
        let suspects = grouper.suspects();
        assert_eq!(suspects.len(), 1, "{suspects:?}");
        assert_eq!((suspects[0].first, suspects[0].last), (Position::new(50, 1000), Position::new(50, 1199)));
    }

    #[test]
    fn scattered_deletes_are_none_and_a_pause_separates() {
        let mut grouper = Grouper::default();
        for i in 0..60 {
            grouper.add(act((100 + 10 * i, 1), "orders", Shape::Delete));
        }
        assert!(grouper.suspects().is_empty());
    }

    #[test]
    fn a_dropped_database_is_one_act_from_its_first_collection_on() {
        let mut grouper = Grouper::default();
        grouper.add(act((50, 1), "a", Shape::Drop));
        grouper.add(act((50, 2), "b", Shape::Drop));
        grouper.add(Act { documents_before: 0, ..act((50, 3), "", Shape::Drop) });
        let suspects = grouper.suspects();
        assert_eq!(suspects.len(), 1);
        assert_eq!((suspects[0].first, suspects[0].last), (Position::new(50, 1), Position::new(50, 3)));
        assert_eq!((suspects[0].documents, suspects[0].what.as_str()), (200, "database dropped"));
    }

    #[test]
    fn a_drop_is_always_one_and_a_migration_never() {
        let mut grouper = Grouper::default();
        grouper.add(act((50, 1), "orders", Shape::Drop));
        for i in 0..90 {
            grouper.add(Act { migration: true, ..act((60, i), "orders", Shape::Delete) });
        }
        let suspects = grouper.suspects();
        assert_eq!(suspects.len(), 1);
        assert_eq!(suspects[0].what, "collection dropped");
        assert_eq!(suspects[0].documents, 100);
    }
}
