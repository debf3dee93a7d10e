//! Bursts: operations that are one act.
//!
//! An act is recognised by what its operations share: transaction, or namespace, kind and shape
//! of the change; and by coming without a pause. The oplog knows no user: a session is all there
//! is. Whether an act is damage is judged elsewhere.

use std::collections::{HashMap, HashSet};

use super::judge::{Normal, Rate, judge};
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

/// Acts on fewer documents than this are not looked at, unless a collection goes with them.
pub const FEW: u64 = 5;

/// What the change does, coarsely; operations of one act have the same shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shape {
    /// A document comes.
    Insert,
    /// A document goes.
    Delete,
    /// A document goes from a collection with a TTL index, and nothing says it had not expired.
    Expire,
    /// A document goes from a capped collection to make room.
    Evict,
    /// Fields are set; the number is a hash of names and values, equal for the same change.
    Set(u64),
    /// Fields are removed, whatever else happens; the number is a hash of their names.
    Unset(u64),
    /// Arrays are cut off; the number is a hash of their names.
    Shrink(u64),
    /// A whole new body.
    Replace,
    /// A collection or a database goes.
    Drop,
    /// A collection is renamed over another.
    Overwrite,
}

/// Who writes like this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Author {
    /// Somebody.
    Client,
    /// A chunk migration.
    Migration,
    /// The server's work with a temporary collection: `$out`, a conversion, a rename between
    /// databases.
    Temporary,
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
    /// The session, as a hash; `None` where the oplog has none. One act may come through several:
    /// drivers take them from a pool.
    pub session: Option<u64>,
    /// The transaction, as a hash: its operations are acts of their own.
    pub transaction: Option<u64>,
    /// By whom.
    pub author: Author,
    /// The document, as a hash.
    pub key: u64,
    /// Whether something special is known of the document: that it had expired, for
    /// [`Shape::Expire`]; that it was inserted not long before, for [`Shape::Delete`].
    pub marked: bool,
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
    /// Seconds from its first to its last operation.
    pub seconds: u32,
    /// Documents it touched.
    pub documents: u64,
    /// Share of the collection it touched, 0 to 1, as far as known.
    pub share: f64,
    /// The stop that leaves it out: before its first operation.
    pub stop: Position,
    /// The session that wrote it, in hex, where the oplog has one. It never has a user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// Why it is no damage but the everyday work of the server or of the application.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ordinary: Option<String>,
    /// The session as [`Act::session`] has it.
    #[serde(skip)]
    pub by: Option<u64>,
}

/// What belongs together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    ns: Namespace,
    shape: Shape,
    transaction: Option<u64>,
    /// Whether they have sessions: single writes have, a deleteMany or updateMany has none.
    single: bool,
    author: Author,
}

/// Operations of one key that came without a long pause. Inside it may be several acts:
/// [`Open::split`] tells them apart by their density.
#[derive(Debug)]
struct Open {
    kind: OpKind,
    /// Documents before the first operation.
    before: u64,
    /// Inserts into the namespace before the first operation.
    inserts: u64,
    ops: Vec<Member>,
}

/// An operation of an [`Open`].
#[derive(Debug, Clone, Copy)]
struct Member {
    /// Its number in the whole log.
    number: u64,
    pos: Position,
    key: u64,
    session: Option<u64>,
    marked: bool,
    /// Inserts into the namespace until here.
    inserts: u64,
}

/// One act.
#[derive(Debug)]
pub(super) struct Closed {
    pub kind: OpKind,
    pub shape: Shape,
    pub author: Author,
    /// The session of all its operations.
    pub session: Option<u64>,
    /// How many different sessions it has.
    pub sessions: u64,
    /// Documents of the namespace before it.
    pub before: u64,
    pub first: Position,
    pub last: Position,
    /// Its operations.
    pub count: u64,
    /// The documents they are about.
    pub documents: u64,
    /// Those of its operations that were marked.
    pub marked: u64,
    /// Documents that came into the namespace meanwhile.
    pub inserts: u64,
}

impl Open {
    /// Cuts where much more of other traffic lies between two operations than usually does: the
    /// single deletes of every day before a `deleteMany` are not part of it.
    fn split<'o>(&'o self, key: &'o Key) -> impl Iterator<Item = Closed> + 'o {
        let numbers = self.ops.iter().map(|m| m.number);
        let mut gaps: Vec<u64> = numbers.clone().skip(1).zip(numbers).map(|(b, a)| b - a).collect();
        gaps.sort_unstable();
        let usual = gaps.get(gaps.len() / 2).copied().unwrap_or(1);
        let limit = (usual * UNUSUAL).max(MIN_GAP);
        let mut done = 0;
        let mut inserts = self.inserts;
        let runs = self.ops.chunk_by(move |a, b| b.number - a.number <= limit);
        runs.map(move |run| {
            let goes = matches!(key.shape, Shape::Delete | Shape::Expire | Shape::Evict);
            let before = if goes { self.before.saturating_sub(done) } else { self.before };
            done += run.len() as u64;
            let until = run.last().map_or(inserts, |m| m.inserts);
            let came = until - std::mem::replace(&mut inserts, until);
            let sessions = run.iter().filter_map(|m| m.session).collect::<HashSet<_>>().len() as u64;
            Closed {
                kind: self.kind,
                shape: key.shape,
                author: key.author,
                session: run.first().and_then(|m| m.session).filter(|_| sessions == 1),
                sessions,
                before,
                first: run.first().map_or(Position::MIN, |m| m.pos),
                last: run.last().map_or(Position::MIN, |m| m.pos),
                count: run.len() as u64,
                documents: run.iter().map(|m| m.key).collect::<HashSet<_>>().len() as u64,
                marked: run.iter().filter(|m| m.marked).count() as u64,
                inserts: came,
            }
        })
    }
}

/// Groups operations, taken in order, into bursts.
#[derive(Debug, Default)]
pub struct Grouper {
    numbered: u64,
    open: HashMap<Key, Open>,
    done: Vec<(Namespace, Closed)>,
    inserts: HashMap<Namespace, u64>,
    normal: Normal,
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
            Shape::Insert => {
                match self.inserts.get_mut(&act.ns) {
                    Some(count) => *count += 1,
                    None => {
                        self.inserts.insert(act.ns, 1);
                    }
                }
                return;
            }
            Shape::Drop => return self.add_drop(act),
            _ => {}
        }
        if self.numbered.is_multiple_of(SWEEP_EVERY) {
            self.sweep(act.pos);
        }
        self.normal.count(&act.ns, act.shape, act.pos.secs);
        let inserts = self.inserts.get(&act.ns).copied().unwrap_or(0);
        let member = Member {
            number: self.numbered,
            pos: act.pos,
            key: act.key,
            session: act.session,
            marked: act.marked,
            inserts,
        };
        let key = Key {
            ns: act.ns,
            shape: act.shape,
            transaction: act.transaction,
            single: act.session.is_some(),
            author: act.author,
        };
        if let Some(open) = self.open.get_mut(&key) {
            let last = open.ops.last().map_or(0, |m| m.pos.secs);
            if act.pos.secs <= last.saturating_add(PAUSE_SECS) {
                open.ops.push(member);
                return;
            }
            if let Some(open) = self.open.remove(&key) {
                self.close(&key, &open);
            }
        }
        let open = Open { kind: act.kind, before: act.documents_before, inserts, ops: vec![member] };
        self.open.insert(key, open);
    }

    /// All acts worth a look: those that look like damage first, the worst first; then the
    /// ordinary ones, in order.
    pub fn bursts(mut self) -> Vec<Burst> {
        self.sweep(Position::MAX);
        let rate = |ns: &Namespace, act: &Closed| -> Rate { self.normal.beside(ns, act) };
        let mut bursts: Vec<Burst> =
            self.done.iter().filter_map(|(ns, act)| judge(ns, act, rate(ns, act))).collect();
        bursts.sort_by(|a, b| {
            let damage = |s: &Burst| match s.ordinary {
                Some(_) => -1.0,
                None => s.documents as f64 * (0.1 + s.share),
            };
            damage(b).total_cmp(&damage(a)).then(a.first.cmp(&b.first))
        });
        bursts
    }

    /// Closes what nothing can join any more: most operations of an oplog are acts of their own.
    fn sweep(&mut self, now: Position) {
        let stale =
            |open: &Open| open.ops.last().is_none_or(|m| m.pos.secs.saturating_add(PAUSE_SECS) < now.secs);
        let mut keys: Vec<_> =
            self.open.iter().filter(|(_, open)| stale(open)).map(|(key, _)| key.clone()).collect();
        keys.sort_by_cached_key(|key| self.open.get(key).and_then(|o| o.ops.first()).map(|m| m.number));
        for key in keys {
            if let Some(open) = self.open.remove(&key) {
                self.close(&key, &open);
            }
        }
    }

    /// A dropDatabase is logged behind a drop of each of its collections: one act.
    fn add_drop(&mut self, act: Act) {
        let mut drop = Closed {
            kind: act.kind,
            shape: act.shape,
            author: act.author,
            session: act.session,
            sessions: u64::from(act.session.is_some()),
            before: act.documents_before,
            first: act.pos,
            last: act.pos,
            count: 1,
            documents: act.documents_before,
            marked: 0,
            inserts: 0,
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
            drop.documents += earlier.before;
            drop.count += 1;
        }
        self.done.push((act.ns, drop));
    }

    fn close(&mut self, key: &Key, open: &Open) {
        let whole = key.shape == Shape::Overwrite;
        for act in open.split(key).filter(|act| whole || act.documents >= FEW) {
            self.done.push((key.ns.clone(), act));
        }
    }
}

#[cfg(test)]
#[path = "burst_tests.rs"]
mod tests;
