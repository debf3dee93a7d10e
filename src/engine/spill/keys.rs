//! A set of keys that takes no more memory than it may: what exceeds it is spilled, sorted.

use std::collections::{BTreeMap, HashSet};
use std::hash::BuildHasherDefault;
use std::sync::Arc;

use super::filter::Filter;
use super::record::{Record, What};
use super::runs::{Group, Runs, Writer};
use super::{Scratch, Set};
use crate::domain::Result;
use crate::engine::effects::KeyHasher;
use crate::engine::key::DocKey;

/// About the most memory that one key takes, while the table grows.
const KEY_COST: usize = 120;

/// The filter over what was spilled takes this part of the memory.
const FILTER_PART: usize = 8;

/// Keys of documents, each in one of several numbered groups (collections).
#[derive(Debug)]
pub struct KeySet {
    held: HashSet<(u32, DocKey), BuildHasherDefault<KeyHasher>>,
    most: usize,
    writer: Writer,
    spilled: Option<Spilled>,
    /// What the filter takes when there is one.
    filter_bytes: usize,
}

#[derive(Debug)]
struct Spilled {
    runs: Runs,
    /// Most keys that are asked for are not there.
    filter: Filter,
}

impl KeySet {
    /// Empty; it takes about so many bytes of memory at most.
    pub fn new(bytes: usize, scratch: Arc<dyn Scratch>) -> KeySet {
        let filter_bytes = bytes / FILTER_PART;
        let most = ((bytes - filter_bytes) / KEY_COST).max(1);
        KeySet { held: HashSet::default(), most, writer: Writer::new(scratch), spilled: None, filter_bytes }
    }

    /// Whether it is in there.
    pub fn contains(&self, group: u32, key: DocKey) -> Result<bool> {
        if self.held.contains(&(group, key)) {
            return Ok(true);
        }
        match &self.spilled {
            Some(Spilled { runs, filter }) if filter.may_have(Set(group), key) => {
                runs.holds(Set(group), key.bits())
            }
            _ => Ok(false),
        }
    }

    /// Puts it in, if it is not there.
    pub fn insert(&mut self, group: u32, key: DocKey) -> Result<()> {
        self.held.insert((group, key));
        if self.held.len() > self.most { self.spill() } else { Ok(()) }
    }

    /// How many there are in each group that has any.
    pub fn counts(mut self) -> Result<BTreeMap<u32, u64>> {
        let mut counts = BTreeMap::new();
        if self.spilled.is_none() {
            self.held.iter().for_each(|(group, _)| *counts.entry(*group).or_default() += 1);
            return Ok(counts);
        }
        self.spill()?;
        if let Some(Spilled { runs, .. }) = &self.spilled {
            let (mut merge, mut records) = (runs.merge_all()?, Group::default());
            while let Some((Set(group), _)) = merge.next(&mut records)? {
                *counts.entry(group).or_default() += 1;
            }
        }
        Ok(counts)
    }

    fn spill(&mut self) -> Result<()> {
        let mut filter = match self.spilled.take() {
            Some(Spilled { filter, .. }) => filter,
            None => Filter::new(u64::MAX, self.filter_bytes),
        };
        let mut records = Vec::with_capacity(self.held.len());
        for (group, key) in self.held.drain() {
            let set = Set(group);
            filter.add(set, key);
            records.push(Record { set, key: key.bits(), what: What::Listed, place: 0, number: 0 });
        }
        self.writer.run_of(&mut records)?;
        self.spilled = Some(Spilled { runs: self.writer.read()?, filter });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::engine::spill::tests::Held;

    #[test]
    fn it_holds_what_was_put_in_whatever_memory_it_has() {
        for bytes in [0, 1_000, 10_000, usize::MAX] {
            let mut keys = KeySet::new(bytes, Arc::new(Held::default()));
            let mut known = HashSet::new();
            for n in 0u64..3_000 {
                let pick = n.wrapping_mul(n) % 1_000;
                let key = DocKey::from_bits(xxhash_rust::xxh3::xxh3_128(&pick.to_le_bytes()));
                let group = (n % 2) as u32;
                assert_eq!(keys.contains(group, key).unwrap(), known.contains(&(group, key)));
                keys.insert(group, key).unwrap();
                known.insert((group, key));
                assert!(keys.contains(group, key).unwrap(), "{bytes} {n}");
                assert!(keys.held.len() <= keys.most);
            }
            assert_eq!(keys.spilled.is_some(), bytes < 100_000);
            // One that was not spilled, where there is room for one.
            let last = DocKey::from_bits(7);
            keys.insert(0, last).unwrap();
            known.insert((0, last));
            let count = |group| known.iter().filter(|(of, _)| *of == group).count() as u64;
            assert_eq!(keys.counts().unwrap(), [(0, count(0)), (1, count(1))].into());
        }
    }
}
