//! Makes the built-in demo: one day of an invented shop, with its backups and two incidents.
//!
//! Nothing here was recorded. A seeded simulation keeps the shop's documents itself and writes
//! the oplog entries that a 6.0 server would have written for each change; the snapshots and the
//! truth come from its documents, never from replaying its entries.

pub mod log;
pub mod pack;
pub mod shop;
pub mod store;

/// 2026-10-14T00:00:00Z.
pub const DAY: u32 = 1_791_936_000;

/// Seconds of that day.
pub fn at(hours: u32, minutes: u32, secs: u32) -> u64 {
    u64::from(hours * 3600 + minutes * 60 + secs) * 1000
}

/// The same numbers in every run (splitmix64).
pub struct Dice(pub u64);

impl Dice {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `n`.
    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len() as u64) as usize]
    }

    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| self.next() as u8)
    }

    /// A random (version 4) UUID.
    pub fn uuid(&mut self) -> bson::Uuid {
        let mut bytes: [u8; 16] = self.bytes();
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        bson::Uuid::from_bytes(bytes)
    }
}
