//! Net effects: what the operations so far amount to, for each document of one collection.
//!
//! A document is either still the snapshot's, or put whole, or gone; on top of that lies a chain
//! of updates. Nothing is applied here and nothing is copied: bodies stay where they are in the
//! oplog until the state is streamed out.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasherDefault, Hasher};

use super::bson::Doc;
use super::key::DocKey;
use super::spill::Set;
use crate::domain::Position;

/// A document key is already a hash; hashing it again would only cost.
#[derive(Debug, Default, Clone)]
pub struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for &b in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(b);
        }
    }
    fn write_u128(&mut self, key: u128) {
        self.0 ^= key as u64;
    }
    fn write_u32(&mut self, group: u32) {
        self.0 ^= u64::from(group).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

/// Where the document under the updates comes from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Origin<'a> {
    /// From the snapshot, if it has it.
    Snapshot,
    /// From the oplog, whole.
    Put(Doc<'a>),
    /// There is none.
    Gone,
}

/// What happened to one document.
#[derive(Debug, Clone, Copy)]
pub struct Net<'a> {
    /// What lies under the updates.
    pub origin: Origin<'a>,
    /// The newest update of the chain, an index into [`Effects::patches`]; [`NONE`] = no update.
    pub chain: u32,
    /// Whether the body put whole is stored as it is logged, wherever its `_id` stands; see [`Way`].
    pub as_logged: bool,
    /// Number of the last insert of this document, counted over the collection; 0 = none seen.
    /// Natural order is insertion order.
    pub inserted: u64,
}

/// One update in a chain.
#[derive(Debug, Clone, Copy)]
pub struct Patch<'a> {
    /// The `o` of the entry.
    pub o: Doc<'a>,
    /// The update before this one on the same document, or [`NONE`].
    before: u32,
    /// Where it stands in the oplog.
    pub pos: Position,
}

impl<'a> Patch<'a> {
    /// One that is in no chain in memory.
    pub(super) fn new(o: Doc<'a>, pos: Position) -> Self {
        Patch { o, before: NONE, pos }
    }
}

/// The end of a chain.
pub const NONE: u32 = u32::MAX;

/// How a document came into the log whole, which decides what the server stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// As an operation of its own, of a transaction, or of a group of the server's: an insert is
    /// stored as it is logged.
    Plain,
    /// In an `applyOps` that somebody sent and that was carried out, and logged, as one. Measured
    /// on 6.0: the primary puts the `_id` of an insert in front; over a document that is there it
    /// takes that one's place; and in any whole document a zero timestamp at the top becomes the
    /// primary's clock. (Secondaries and recovery leave `_id` and zero as they are logged.)
    Sent,
}

/// The net effects on one collection.
#[derive(Debug, Clone, Default)]
pub struct Effects<'a> {
    by_key: HashMap<DocKey, u32, BuildHasherDefault<KeyHasher>>,
    nets: Vec<Net<'a>>,
    patches: Vec<Patch<'a>>,
    inserts: u64,
    /// Documents whose content the log does not tell, and where they were written.
    untold: BTreeMap<u32, Position>,
    /// Documents that keep their place if the snapshot has them, and where that was decided.
    placed: BTreeMap<u32, Position>,
    /// The number under which a part of the effects has been spilled.
    pub(super) set: Option<Set>,
    /// Bytes of what has been spilled, as [`Effects::bytes`] counts them.
    spilled_bytes: u64,
}

/// About the most memory that one touched document takes: its place in the table of keys, just
/// grown while the old one is still there, its net effect, and its place among the sorted keys.
const DOCUMENT_COST: usize = 160;
/// The same of one update.
const UPDATE_COST: usize = 40;

/// An update of a document that a delete has removed before: impossible in a sound oplog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UpdateOfGone;

impl<'a> Effects<'a> {
    /// Whether nothing has touched the collection.
    pub fn is_empty(&self) -> bool {
        self.nets.is_empty()
    }

    /// All documents touched, in the order of their first operation.
    pub fn nets(&self) -> &[Net<'a>] {
        &self.nets
    }

    /// The net effect on one document, and its number in [`Effects::nets`].
    pub fn get(&self, key: DocKey) -> Option<(usize, &Net<'a>)> {
        let number = *self.by_key.get(&key)? as usize;
        Some((number, self.nets.get(number)?))
    }

    /// How many bytes documents may gain by this, at most about: whole bodies, and updates.
    pub fn bytes(&self) -> u64 {
        let puts = self.nets.iter().map(|net| match net.origin {
            Origin::Put(body) => body.bytes().len() as u64,
            _ => 0,
        });
        self.spilled_bytes
            + puts.sum::<u64>()
            + self.patches.iter().map(|p| p.o.bytes().len() as u64).sum::<u64>()
    }

    /// The keys of the documents touched, with their numbers.
    pub fn keys(&self) -> impl Iterator<Item = (DocKey, usize)> + '_ {
        self.by_key.iter().map(|(key, &number)| (*key, number as usize))
    }

    /// The updates of a chain, oldest first.
    pub fn chain(&self, net: &Net<'a>) -> impl Iterator<Item = &Patch<'a>> + use<'_, 'a> {
        let mut numbers = Vec::new();
        let mut at = net.chain;
        while let Some(patch) = self.patches.get(at as usize) {
            numbers.push(at);
            at = patch.before;
        }
        numbers.into_iter().rev().filter_map(|at| self.patches.get(at as usize))
    }

    /// About how many bytes of memory all of this takes.
    pub(super) fn cost(&self) -> usize {
        self.nets.len() * DOCUMENT_COST + self.patches.len() * UPDATE_COST
    }

    /// Frees what has been written down. Inserts are counted on.
    pub(super) fn forget(&mut self) {
        let spilled_bytes = self.bytes();
        *self = Effects { inserts: self.inserts, set: self.set, spilled_bytes, ..Effects::default() };
    }

    /// The newest update of a chain.
    pub fn last_update(&self, net: &Net<'a>) -> Option<&Patch<'a>> {
        self.patches.get(net.chain as usize)
    }

    /// An insert: replaces whatever is there.
    pub fn insert(&mut self, key: DocKey, body: Doc<'a>, way: Way, pos: Position) {
        let (number, net) = self.net(key);
        let (was, had_place) = (net.origin, net.inserted);
        let as_logged = way == Way::Plain;
        *net = Net { origin: Origin::Put(body), chain: NONE, as_logged, inserted: had_place };
        let stays = way == Way::Sent && matches!(was, Origin::Put(_));
        if !stays {
            self.inserts += 1;
            self.nets[number as usize].inserted = self.inserts;
            self.placed.remove(&number);
            if way == Way::Sent && was == Origin::Snapshot {
                self.placed.insert(number, pos);
            }
        }
        self.told(number, body, way, pos);
    }

    /// A whole new body for a document that keeps its place.
    pub fn replace(&mut self, key: DocKey, body: Doc<'a>, way: Way, pos: Position) {
        let (number, net) = self.net(key);
        net.origin = Origin::Put(body);
        net.chain = NONE;
        net.as_logged = false;
        self.told(number, body, way, pos);
    }

    /// Notes whether the log tells what was stored.
    fn told(&mut self, number: u32, body: Doc<'a>, way: Way, pos: Position) {
        if way == Way::Sent && body.has_zero_timestamp() {
            self.untold.insert(number, pos);
        } else if !self.untold.is_empty() {
            self.untold.remove(&number);
        }
    }

    /// The first document whose content the log does not tell: where it was written.
    pub fn untold(&self) -> Option<Position> {
        self.untold.values().min().copied()
    }

    /// Where a document was written of which the log does not tell the content.
    pub(super) fn untold_at(&self, number: usize) -> Option<Position> {
        if self.untold.is_empty() { None } else { self.untold.get(&(number as u32)).copied() }
    }

    /// Whether no document may keep its place in the snapshot after an insert.
    pub(super) fn none_placed(&self) -> bool {
        self.placed.is_empty()
    }

    /// Whether a document that was inserted keeps its place if the snapshot has it, and since when.
    pub fn placed(&self, number: usize) -> Option<Position> {
        if self.placed.is_empty() { None } else { self.placed.get(&(number as u32)).copied() }
    }

    /// An update that needs the document under it.
    pub fn update(&mut self, key: DocKey, o: Doc<'a>, pos: Position) -> Result<(), UpdateOfGone> {
        let next = self.patches.len() as u32;
        let (_, net) = self.net(key);
        if net.origin == Origin::Gone {
            return Err(UpdateOfGone);
        }
        let before = std::mem::replace(&mut net.chain, next);
        self.patches.push(Patch { o, before, pos });
        Ok(())
    }

    /// A delete.
    pub fn delete(&mut self, key: DocKey) {
        let (number, net) = self.net(key);
        net.origin = Origin::Gone;
        net.chain = NONE;
        if !self.untold.is_empty() {
            self.untold.remove(&number);
        }
    }

    fn net(&mut self, key: DocKey) -> (u32, &mut Net<'a>) {
        let next = self.nets.len() as u32;
        let number = *self.by_key.entry(key).or_insert(next);
        if number == next {
            self.nets.push(Net { origin: Origin::Snapshot, chain: NONE, as_logged: false, inserted: 0 });
        }
        (number, &mut self.nets[number as usize])
    }
}
