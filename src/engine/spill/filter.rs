//! Which documents of a snapshot may be touched: a Bloom filter over the keys that are. It never
//! says no of one that is; how often it says yes of one that is not depends on the memory it has.

use super::Set;
use crate::engine::key::DocKey;

/// Bits a key at which one in a hundred others looks like one.
const BITS_PER_KEY: u64 = 10;
/// Bits set for each key.
const PROBES: u64 = 7;

#[derive(Debug)]
pub(super) struct Filter {
    words: Vec<u64>,
}

impl Filter {
    /// For so many keys, in at most so many bytes (but never none).
    pub fn new(keys: u64, most_bytes: usize) -> Filter {
        let wanted = keys.saturating_mul(BITS_PER_KEY).div_ceil(64);
        let words = wanted.min(most_bytes as u64 / 8).max(1);
        Filter { words: vec![0; words as usize] }
    }

    pub fn add(&mut self, set: Set, key: DocKey) {
        for bit in self.bits(set, key) {
            if let Some(word) = self.words.get_mut((bit / 64) as usize) {
                *word |= 1 << (bit % 64);
            }
        }
    }

    pub fn may_have(&self, set: Set, key: DocKey) -> bool {
        self.bits(set, key)
            .all(|bit| self.words.get((bit / 64) as usize).is_some_and(|word| (word >> (bit % 64)) & 1 == 1))
    }

    /// The bits of a key. Its two halves are hashes already; the set turns one of them.
    fn bits(&self, set: Set, key: DocKey) -> impl Iterator<Item = u64> + use<> {
        let bits = self.words.len() as u64 * 64;
        let key = key.bits();
        let first = (key as u64) ^ u64::from(set.0).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let step = (key >> 64) as u64 | 1;
        (0..PROBES).map(move |n| {
            let hash = first.wrapping_add(step.wrapping_mul(n));
            // The high half of the product is spread over all bits, whatever their number.
            ((u128::from(hash) * u128::from(bits)) >> 64) as u64
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u64) -> DocKey {
        DocKey::from_bits(xxhash_rust::xxh3::xxh3_128(&n.to_le_bytes()))
    }

    #[test]
    fn what_was_added_is_there_and_little_else() {
        let mut filter = Filter::new(10_000, 1 << 20);
        (0..10_000).for_each(|n| filter.add(Set(n as u32 % 3), key(n)));
        assert!((0..10_000).all(|n| filter.may_have(Set(n as u32 % 3), key(n))));
        let wrong = (10_000..20_000).filter(|&n| filter.may_have(Set(0), key(n))).count();
        assert!(wrong < 300, "{wrong} of 10000");
        let other_set = (0..9_999).step_by(3).filter(|&n| filter.may_have(Set(1), key(n))).count();
        assert!(other_set < 100, "{other_set} of 3333");
    }

    #[test]
    fn without_memory_it_says_yes() {
        let mut filter = Filter::new(1_000_000, 0);
        (0..1000).for_each(|n| filter.add(Set(0), key(n)));
        assert_eq!(filter.words.len(), 1);
        assert!((0..1000).all(|n| filter.may_have(Set(0), key(n))));
    }
}
