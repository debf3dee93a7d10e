//! A set of keys that takes no more memory than it may: what exceeds it is spilled, sorted.

use std::collections::HashSet;
use std::hash::BuildHasherDefault;
use std::sync::Arc;

use super::record::{Record, What};
use super::runs::{Runs, Writer};
use super::{Scratch, Set};
use crate::domain::Result;
use crate::engine::effects::KeyHasher;
use crate::engine::key::DocKey;

/// About the most memory that one key takes, while the table grows.
const KEY_COST: usize = 120;

/// Keys of documents, each in one of several numbered groups (collections).
#[derive(Debug)]
pub struct KeySet {
    held: HashSet<(u32, DocKey), BuildHasherDefault<KeyHasher>>,
    most: usize,
    writer: Writer,
    runs: Option<Runs>,
}

impl KeySet {
    /// Empty; it takes about so many bytes of memory at most.
    pub fn new(bytes: usize, scratch: Arc<dyn Scratch>) -> KeySet {
        let most = (bytes / KEY_COST).max(1);
        KeySet { held: HashSet::default(), most, writer: Writer::new(scratch), runs: None }
    }

    /// Whether it is in there.
    pub fn contains(&self, group: u32, key: DocKey) -> Result<bool> {
        if self.held.contains(&(group, key)) {
            return Ok(true);
        }
        self.runs.as_ref().map_or(Ok(false), |runs| runs.holds(Set(group), key.bits()))
    }

    /// Puts it in; true when it was not there.
    pub fn insert(&mut self, group: u32, key: DocKey) -> Result<bool> {
        if self.contains(group, key)? {
            return Ok(false);
        }
        self.held.insert((group, key));
        if self.held.len() > self.most {
            let record = |(group, key): (u32, DocKey)| Record {
                set: Set(group),
                key: key.bits(),
                what: What::Listed,
                place: 0,
                number: 0,
            };
            let mut records: Vec<Record> = std::mem::take(&mut self.held).into_iter().map(record).collect();
            self.writer.run_of(&mut records)?;
            self.runs = Some(self.writer.read()?);
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::engine::spill::tests::Held;

    #[test]
    fn it_holds_what_was_put_in_whatever_memory_it_has() {
        for bytes in [0, 1_000, usize::MAX] {
            let mut keys = KeySet::new(bytes, Arc::new(Held::default()));
            let mut known = HashSet::new();
            for n in 0u64..3_000 {
                let pick = n.wrapping_mul(n) % 1_000;
                let key = DocKey::from_bits(xxhash_rust::xxh3::xxh3_128(&pick.to_le_bytes()));
                let group = (n % 2) as u32;
                assert_eq!(keys.contains(group, key).unwrap(), known.contains(&(group, key)));
                assert_eq!(keys.insert(group, key).unwrap(), known.insert((group, key)), "{bytes} {n}");
            }
            assert_eq!(keys.runs.is_some(), bytes < 100_000);
        }
    }
}
