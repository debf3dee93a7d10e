//! A quick hash for tables whose keys are numbers and short names: one multiplication for eight
//! bytes. Not for tables that an attacker may choose the keys of to slow down a server: nothing
//! here is one.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// A table with such keys.
pub type Map<K, V> = HashMap<K, V, BuildHasherDefault<Mix>>;

const ODD: u64 = 0x9e37_79b9_7f4a_7c15;

/// The hash.
#[derive(Debug, Default, Clone, Copy)]
pub struct Mix(u64);

/// Spreads a number over all bits; different numbers stay different.
pub fn spread(number: u64) -> u64 {
    let mixed = (number ^ (number >> 32)).wrapping_mul(ODD);
    (mixed ^ (mixed >> 29)).wrapping_mul(ODD)
}

impl Hasher for Mix {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        words.iter().for_each(|word| self.write_u64(u64::from_le_bytes(*word)));
        if !rest.is_empty() {
            let mut last = [0; 8];
            last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
            self.write_u64(u64::from_le_bytes(last));
        }
        self.write_u64(bytes.len() as u64);
    }

    fn write_u8(&mut self, number: u8) {
        self.write_u64(number.into());
    }

    fn write_u32(&mut self, number: u32) {
        self.write_u64(number.into());
    }

    fn write_u64(&mut self, number: u64) {
        let product = u128::from(self.0 ^ number ^ ODD) * u128::from(ODD);
        self.0 = (product as u64) ^ (product >> 64) as u64;
    }

    fn write_usize(&mut self, number: usize) {
        self.write_u64(number as u64);
    }

    fn write_isize(&mut self, number: isize) {
        self.write_u64(number as u64);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::hash::{BuildHasher, BuildHasherDefault};

    use super::*;

    /// Keys that differ in few bits fall into different halves and different buckets of a table.
    #[test]
    fn neighbours_are_spread() {
        let build = BuildHasherDefault::<Mix>::default();
        let tables: [Vec<u64>; 3] = [
            (0..4096u64).map(|n| build.hash_one(n)).collect(),
            (0..4096u64).map(|n| build.hash_one((n << 32, Some(n)))).collect(),
            (0..4096u64).map(|n| build.hash_one(format!("shop.orders{n}"))).collect(),
        ];
        for hashes in tables {
            // At random 4096 of 65536 places are 3972 different ones, and 128 tags are all taken.
            let low: HashSet<u64> = hashes.iter().map(|hash| hash & 0xffff).collect();
            let high: HashSet<u64> = hashes.iter().map(|hash| hash >> 57).collect();
            assert!(low.len() > 3800, "{}", low.len());
            assert_eq!(high.len(), 128);
        }
        let spread: HashSet<u64> = (0..4096u64).map(|n| spread(n << 32 | n) >> 48).collect();
        assert!(spread.len() > 3800, "{}", spread.len());
    }
}
