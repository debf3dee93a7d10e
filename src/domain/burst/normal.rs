//! What is normal: how often each namespace sees each change, over the whole log. Most updates of
//! a log are changes of their own, so this grows with it: what exceeds the room for it is written
//! down, and taken in again at the end for the few changes that are asked for.

use super::overflow::{Chunk, Records, WORDS, words};
use super::{Closed, Shape};
use crate::domain::Result;
use crate::domain::names::NsId;
use foldhash::HashMap as Map;

/// Traffic beside an act is known where it was seen in at least this many other seconds.
const KNOWN_SECONDS: u64 = 60;

/// About the most memory that one of them takes, while the table grows.
pub(super) const SEEN_COST: usize = 160;

/// Operations a second, in an act and beside it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rate {
    pub inside: f64,
    /// `None` = too little is known.
    pub beside: Option<f64>,
}

/// A change of a namespace, as two numbers.
type Change = [u64; 2];

fn change(ns: NsId, shape: Shape) -> Change {
    let (kind, number) = shape.code();
    [(ns.index() as u64) << 8 | u64::from(kind), number]
}

/// Its operations, and the different seconds in which there were any.
#[derive(Debug, Clone, Copy)]
struct Seen {
    operations: u64,
    seconds: u64,
    first: u32,
    last: u32,
}

impl Seen {
    fn record(self, [ns, shape]: Change) -> [u64; WORDS] {
        let span = u64::from(self.first) << 32 | u64::from(self.last);
        [ns, shape, self.operations, self.seconds, span]
    }

    fn read([ns, shape, operations, seconds, span]: [u64; WORDS]) -> (Change, Seen) {
        ([ns, shape], Seen { operations, seconds, first: (span >> 32) as u32, last: span as u32 })
    }

    /// Adds what was seen later.
    fn add(&mut self, later: Seen) {
        self.operations += later.operations;
        self.seconds += later.seconds - u64::from(later.first == self.last);
        self.last = later.last;
    }
}

/// How often each namespace sees each change.
#[derive(Debug)]
pub(super) struct Normal {
    seen: Map<Change, Seen>,
    room: usize,
    written: Vec<Chunk>,
}

impl Normal {
    /// Nothing seen; so many changes are held at most.
    pub fn new(room: usize) -> Self {
        Normal { seen: Map::default(), room: room.max(1), written: Vec::new() }
    }

    /// Counts one operation; they come in order.
    pub fn count(&mut self, ns: NsId, shape: Shape, second: u32, records: &mut Records) -> Result<()> {
        let one = Seen { operations: 1, seconds: 1, first: second, last: second };
        self.seen.entry(change(ns, shape)).and_modify(|seen| seen.add(one)).or_insert(one);
        if self.seen.len() > self.room {
            let at = records.len();
            self.written.push(Chunk { at, count: self.seen.len() as u64 });
            self.seen.drain().try_for_each(|(change, seen)| records.push(seen.record(change)))?;
        }
        Ok(())
    }

    /// Takes in what was written about these changes, and only that.
    pub fn settle(
        &mut self,
        wanted: impl Iterator<Item = (NsId, Shape)>,
        records: &mut Records,
    ) -> Result<()> {
        if self.written.is_empty() {
            return Ok(());
        }
        let mut all: Map<Change, Option<Seen>> =
            wanted.map(|(ns, shape)| (change(ns, shape), None)).collect();
        let mut add = |change: Change, later: Seen| match all.get_mut(&change) {
            Some(Some(seen)) => seen.add(later),
            Some(none) => *none = Some(later),
            None => {}
        };
        let written = records.read()?;
        for chunk in self.written.drain(..) {
            written.chunk(chunk)?.iter().map(|raw| Seen::read(words(raw))).for_each(|(c, seen)| add(c, seen));
        }
        self.seen.drain().for_each(|(change, seen)| add(change, seen));
        self.seen = all.into_iter().filter_map(|(change, seen)| Some((change, seen?))).collect();
        Ok(())
    }

    /// How dense an act is, and how dense the same traffic is at other times.
    pub fn beside(&self, ns: NsId, act: &Closed) -> Rate {
        let took = u64::from(act.last.secs - act.first.secs) + 1;
        let inside = act.count as f64 / took as f64;
        let beside = self.seen.get(&change(ns, act.shape)).and_then(|seen| {
            let seconds = seen.seconds.saturating_sub(took);
            let operations = seen.operations.saturating_sub(act.count);
            (seconds >= KNOWN_SECONDS).then(|| operations as f64 / seconds as f64)
        });
        Rate { inside, beside }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::super::overflow::tests::Held;
    use super::*;
    use crate::domain::names::Names;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// In any room each change that is asked for has as many operations and seconds as the log.
        #[test]
        fn it_counts_in_any_room(
            log in prop::collection::vec((0usize..2, 0u64..4, 0u32..3), 1..200), room in 0usize..10
        ) {
            let mut names = Names::default();
            let ids = [names.id("shop.a"), names.id("shop.b")];
            let mut second = 100;
            let log: Vec<_> = log.into_iter().map(|(ns, set, later)| {
                second += later;
                (ids[ns], Shape::Set(set), second)
            }).collect();
            let (mut normal, mut records) = (Normal::new(room), Records::new(Held::new(usize::MAX)));
            for (ns, shape, second) in &log {
                normal.count(*ns, *shape, *second, &mut records).unwrap();
                prop_assert!(normal.seen.len() <= room.max(1));
            }
            let wanted = [(ids[0], Shape::Set(1)), (ids[1], Shape::Set(2))];
            normal.settle(wanted.into_iter(), &mut records).unwrap();
            for (ns, shape) in wanted {
                let all = || log.iter().filter(|(of, is, _)| *of == ns && *is == shape).map(|(.., second)| second);
                let found = normal.seen.get(&change(ns, shape)).map(|seen| (seen.operations, seen.seconds));
                let want = (all().count() as u64, all().collect::<BTreeSet<_>>().len() as u64);
                prop_assert_eq!(found.unwrap_or((0, 0)), want);
            }
        }
    }
}
