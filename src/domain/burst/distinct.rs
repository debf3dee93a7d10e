//! How many different numbers there are among many, in as much memory as there is: with too
//! little of it they are gone through several times, each time for a part of them.

use std::hash::BuildHasher;

use foldhash::fast::FixedState;

/// The least room that makes sense.
const LEAST: usize = 4;

/// Numbers of which the different ones are kept.
#[derive(Debug)]
pub(super) struct Distinct {
    numbers: Vec<u64>,
    room: usize,
    full: bool,
}

impl Distinct {
    /// None yet; so many are held at most.
    pub fn new(room: usize) -> Self {
        Distinct { numbers: Vec::new(), room: room.max(LEAST), full: false }
    }

    /// Takes one more. False when there are too many different ones: then it has forgotten all.
    pub fn take(&mut self, number: u64) -> bool {
        if self.full {
            return false;
        }
        if self.numbers.len() == self.room {
            self.settle();
            // Room for a few more would only be filled again at once.
            if self.numbers.len() > self.room / 2 {
                self.full = true;
                self.numbers.clear();
                return false;
            }
        }
        self.numbers.push(number);
        true
    }

    fn settle(&mut self) {
        self.numbers.sort_unstable();
        self.numbers.dedup();
    }

    /// How many different ones there were, `None` = too many. It is empty again.
    pub fn end(&mut self) -> Option<u64> {
        self.settle();
        let count = self.numbers.len() as u64;
        self.numbers.clear();
        (!std::mem::take(&mut self.full)).then_some(count)
    }

    /// How many different ones there are, however many that is: goes through them until each part
    /// of them has room.
    pub fn count<I: Iterator<Item = u64>>(&mut self, numbers: impl Fn() -> I) -> u64 {
        // As many parts as two to the power of this. At the end of it each has one number or two.
        (0..u64::BITS).find_map(|bits| self.count_in_parts(&numbers, bits)).unwrap_or(0)
    }

    fn count_in_parts<I: Iterator<Item = u64>>(
        &mut self,
        numbers: &impl Fn() -> I,
        bits: u32,
    ) -> Option<u64> {
        let part_of =
            |number: u64| FixedState::default().hash_one(number).checked_shr(u64::BITS - bits).unwrap_or(0);
        let mut sum = 0;
        for part in 0..1u64 << bits {
            // Stops at the first that is too many.
            let _ = numbers().filter(|&number| part_of(number) == part).all(|number| self.take(number));
            sum += self.end()?;
        }
        Some(sum)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn it_counts_in_any_room(
            numbers in prop::collection::vec(prop_oneof![0u64..40, any::<u64>()], 0..200), room in 0usize..30
        ) {
            let want = numbers.iter().collect::<HashSet<_>>().len() as u64;
            let mut distinct = Distinct::new(room);
            for _ in 0..2 {
                prop_assert_eq!(distinct.count(|| numbers.iter().copied()), want);
                prop_assert!(distinct.numbers.capacity() <= room.max(LEAST).next_power_of_two());
                let all = numbers.iter().all(|&number| distinct.take(number));
                prop_assert_eq!(distinct.end(), all.then_some(want));
            }
        }
    }
}
