//! Grouping: takes operations in order and keeps what may still be one act.
//!
//! What is held is bounded: operations of open acts, and what is normal, are written down when
//! there are too many. What always stays is a little for each different change of the last
//! seconds, which may still go on, and the acts that are worth a look: they are the result.

use super::normal::{Normal, SEEN_COST};
use super::open::{Key, Member, Open, PAUSE_SECS};
use super::overflow::{Overflow, Records};
use super::{Act, Burst, Closed, FEW, Shape, judge};
use crate::domain::Result;
use crate::domain::names::{Names, NsId};
use crate::domain::position::Position;
use foldhash::HashMap as Map;

/// How often groups that nothing can join any more are closed.
const SWEEP_EVERY: u64 = 1 << 14;

/// About the most memory that one open act takes, and each of its operations, while they grow.
const OPEN_COST: usize = 512;
const MEMBER_COST: usize = 80;

/// Groups operations, taken in order, into bursts.
#[derive(Debug)]
pub struct Grouper {
    numbered: u64,
    /// The number at which is swept.
    sweep_at: u64,
    /// What open acts may take, in bytes, and what they take now.
    bytes: usize,
    held: usize,
    /// At how much something is done about it.
    limit: usize,
    /// How many documents are told apart at once when an act ends.
    room: usize,
    open: Map<Key, Open>,
    done: Vec<(NsId, Closed)>,
    drops: Vec<(NsId, Closed)>,
    /// By the number of the namespace.
    inserts: Vec<u64>,
    normal: Normal,
    records: Records,
}

impl Grouper {
    /// Takes about so many bytes of memory; what exceeds them goes to `overflow`.
    pub fn new(bytes: usize, overflow: Box<dyn Overflow>) -> Self {
        Grouper {
            numbered: 0,
            sweep_at: SWEEP_EVERY,
            bytes: bytes / 2,
            held: 0,
            limit: bytes / 2,
            room: bytes / 8 / size_of::<u64>(),
            open: Map::default(),
            done: Vec::new(),
            drops: Vec::new(),
            inserts: Vec::new(),
            normal: Normal::new(bytes / 4 / SEEN_COST),
            records: Records::new(overflow),
        }
    }

    /// Counts an operation that is part of no act, so that acts are told apart by what lies
    /// between their operations.
    pub fn skip(&mut self) {
        self.numbered += 1;
    }

    /// Takes the next operation. `names` are those that its namespace is counted in.
    pub fn add(&mut self, act: &Act, names: &Names) -> Result<()> {
        self.numbered += 1;
        match act.shape {
            Shape::Insert => {
                *self.inserts_of(act.ns) += 1;
                return Ok(());
            }
            Shape::Drop => {
                self.add_drop(act, names);
                return Ok(());
            }
            _ => {}
        }
        if self.numbered >= self.sweep_at {
            self.sweep_at = self.numbered + SWEEP_EVERY;
            self.sweep(act.pos)?;
        }
        if self.held > self.limit {
            self.relieve(act.pos)?;
        }
        self.normal.count(act.ns, act.shape, act.pos.secs, &mut self.records)?;
        let inserts = *self.inserts_of(act.ns);
        let member = Member::new(act, self.numbered, inserts);
        let key = Key {
            ns: act.ns,
            shape: act.shape,
            transaction: act.transaction,
            single: act.session.is_some(),
            author: act.author,
        };
        if let Some(open) = self.open.get_mut(&key) {
            if !open.is_over(act.pos.secs) {
                open.push(member);
                self.held += MEMBER_COST;
                return Ok(());
            }
            let ended = std::mem::replace(open, Open::new(act, member));
            self.held += OPEN_COST;
            return self.close(&key, &ended);
        }
        self.open.insert(key, Open::new(act, member));
        self.held += OPEN_COST;
        Ok(())
    }

    /// All acts worth a look: those that look like damage first, the worst first; then the
    /// ordinary ones, in order.
    pub fn bursts(mut self, names: &Names) -> Result<Vec<Burst>> {
        self.sweep(Position::MAX)?;
        let mut acts = self.done;
        acts.append(&mut self.drops);
        acts.sort_unstable_by_key(|(_, act)| act.number);
        self.normal.settle(acts.iter().map(|(ns, act)| (*ns, act.shape)), &mut self.records)?;
        let judged = acts
            .iter()
            .filter_map(|(ns, act)| judge::judge(names.get(*ns)?, act, self.normal.beside(*ns, act)));
        let mut bursts: Vec<Burst> = judged.collect();
        bursts.sort_by(|a, b| {
            let damage = |s: &Burst| match s.ordinary {
                Some(_) => -1.0,
                None => s.documents as f64 * (0.1 + s.share),
            };
            damage(b).total_cmp(&damage(a)).then(a.first.cmp(&b.first))
        });
        Ok(bursts)
    }

    /// What open acts take, how many there are, and how many records have been written.
    #[cfg(test)]
    pub(super) fn load(&self) -> (usize, usize, u64) {
        (self.held, self.open.len(), self.records.len())
    }

    fn inserts_of(&mut self, ns: NsId) -> &mut u64 {
        let at = ns.index();
        if at >= self.inserts.len() {
            self.inserts.resize(at + 1, 0);
        }
        &mut self.inserts[at]
    }

    /// Closes what nothing can join any more: most operations of an oplog are acts of their own.
    fn sweep(&mut self, now: Position) -> Result<()> {
        let mut open = std::mem::take(&mut self.open);
        let mut ended = open.extract_if(|_, open| now == Position::MAX || open.is_over(now.secs));
        ended.try_for_each(|(key, open)| self.close(&key, &open))?;
        self.open = open;
        Ok(())
    }

    /// Makes room: ends what can be ended, and writes down what the rest holds.
    fn relieve(&mut self, now: Position) -> Result<()> {
        self.sweep(now)?;
        if self.held > self.bytes / 2 {
            for open in self.open.values_mut() {
                self.held -= open.held() * MEMBER_COST;
                open.spill(&mut self.records)?;
            }
        }
        // Where there are too many different changes at once, looking again soon would not help.
        self.limit = self.bytes.max(2 * self.held);
        Ok(())
    }

    /// A dropDatabase is logged behind a drop of each of its collections: one act.
    fn add_drop(&mut self, act: &Act, names: &Names) {
        let mut drop = Closed {
            kind: act.kind,
            shape: act.shape,
            author: act.author,
            session: act.session,
            sessions: u64::from(act.session.is_some()),
            before: act.documents_before,
            number: self.numbered,
            first: act.pos,
            last: act.pos,
            count: 1,
            documents: act.documents_before,
            marked: 0,
            inserts: 0,
        };
        let Some(dropped) = names.get(act.ns) else { return };
        while dropped.coll.is_empty() {
            let joins = |(ns, last): &(NsId, Closed)| {
                names.get(*ns).is_some_and(|ns| ns.db == dropped.db && !ns.coll.is_empty())
                    && act.pos.secs <= last.last.secs.saturating_add(PAUSE_SECS)
            };
            let Some((_, earlier)) = self.drops.pop_if(|last| joins(last)) else { break };
            drop.number = earlier.number;
            drop.first = earlier.first;
            drop.before += earlier.before;
            drop.documents += earlier.before;
            drop.count += 1;
        }
        self.drops.push((act.ns, drop));
    }

    fn close(&mut self, key: &Key, open: &Open) -> Result<()> {
        self.held -= OPEN_COST + open.held() * MEMBER_COST;
        let whole = key.shape == Shape::Overwrite;
        if open.len() < FEW && !whole {
            return Ok(());
        }
        let done = &mut self.done;
        open.split(key, &mut self.records, self.room, &mut |act| {
            if (whole || act.documents >= FEW) && judge::may_count(&act) {
                done.push((key.ns, act));
            }
        })
    }
}
