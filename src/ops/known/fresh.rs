//! Documents that were inserted not long ago, as many of them as there is room for.

use foldhash::HashMap as Map;

/// A document inserted less than this many seconds ago has not been there for long.
const FRESH_SECS: u32 = 600;

/// More than this many are not remembered, however much room there is.
const MOST: usize = 2_000_000;

/// About the most memory that one of them takes, while the table grows.
const COST: usize = 60;

/// The seconds in which documents were inserted. Where there are too many of them the oldest are
/// forgotten first.
#[derive(Debug)]
pub struct Fresh {
    born: Map<u64, u32>,
    most: usize,
}

impl Fresh {
    /// None; they take so many bytes at most.
    pub fn new(bytes: usize) -> Fresh {
        Fresh { born: Map::default(), most: (bytes / COST).clamp(1, MOST) }
    }

    /// A document, by a hash, is inserted.
    pub fn insert(&mut self, document: u64, now: u32) {
        if self.born.len() >= self.most {
            self.forget(now);
        }
        self.born.insert(document, now);
    }

    /// A document is deleted. True when it was inserted not long ago, as far as remembered.
    pub fn remove(&mut self, document: u64, now: u32) -> bool {
        self.born.remove(&document).is_some_and(|born| is_within(born, now, FRESH_SECS))
    }

    fn forget(&mut self, now: u32) {
        let mut secs = FRESH_SECS;
        self.born.retain(|_, born| is_within(*born, now, secs));
        // Less would be too many again at once.
        while self.born.len() > self.most / 4 * 3 {
            secs /= 2;
            match secs {
                0 => self.born.clear(),
                _ => self.born.retain(|_, born| is_within(*born, now, secs)),
            }
        }
    }
}

fn is_within(born: u32, now: u32, secs: u32) -> bool {
    now <= born.saturating_add(secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_within_ten_minutes_is_fresh_once() {
        let mut fresh = Fresh::new(usize::MAX);
        fresh.insert(1, 1000);
        fresh.insert(2, 1000);
        assert!(fresh.remove(1, 1600) && !fresh.remove(1, 1600));
        assert!(!fresh.remove(2, 1601));
    }

    #[test]
    fn the_oldest_are_forgotten_first_when_there_are_too_many() {
        let mut fresh = Fresh::new(100 * COST);
        for n in 0..10_000u32 {
            fresh.insert(u64::from(n), 1000 + n);
            // Of a hundred that are one second apart those of the last 37 stay.
            assert!(fresh.born.len() <= 100 && fresh.born.len() >= 38.min(n as usize + 1));
        }
        let kept = (0..10_000).filter(|n| fresh.born.contains_key(&u64::from(*n)));
        let kept: Vec<u32> = kept.collect();
        assert_eq!(kept, (10_000 - kept.len() as u32..10_000).collect::<Vec<_>>());
        (0..1000).for_each(|n| fresh.insert(n, 20_000));
        assert!(fresh.born.len() <= 100 && fresh.remove(999, 20_000), "all in one second");
    }
}
