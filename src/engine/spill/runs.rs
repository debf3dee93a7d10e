//! Sorted runs of records, written one after the other and merged by key.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::{Range, RangeInclusive};
use std::sync::Arc;

use super::record::{Record, SIZE};
use super::{Scratch, Set};
use crate::domain::{Error, Result};
use crate::engine::input::Region;

/// Bytes that are written in one go.
const BUFFER: usize = 256 << 10;

/// Writes runs.
#[derive(Debug)]
pub struct Writer {
    scratch: Arc<dyn Scratch>,
    buffer: Vec<u8>,
    written: usize,
    /// Where each ends, in records.
    ends: Vec<usize>,
}

impl Writer {
    pub fn new(scratch: Arc<dyn Scratch>) -> Self {
        Writer { scratch, buffer: Vec::new(), written: 0, ends: Vec::new() }
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.written == 0
    }

    /// The next record of this run; they must come sorted.
    pub(super) fn push(&mut self, record: &Record) -> Result<()> {
        record.write(&mut self.buffer);
        self.written += 1;
        if self.buffer.len() >= BUFFER { self.flush() } else { Ok(()) }
    }

    /// Ends this run; what comes next begins another one, which counts as newer.
    pub fn end_run(&mut self) -> Result<()> {
        if self.ends.last().copied().unwrap_or(0) < self.written {
            self.ends.push(self.written);
        }
        Ok(())
    }

    /// Sorts records and writes them as a run of their own; none are left.
    pub(super) fn run_of(&mut self, records: &mut Vec<Record>) -> Result<()> {
        records.sort_unstable_by_key(|record| (record.order(), record.what, record.place));
        records.iter().try_for_each(|record| self.push(record))?;
        records.clear();
        self.end_run()
    }

    fn flush(&mut self) -> Result<()> {
        if !self.buffer.is_empty() {
            self.scratch.append(&self.buffer)?;
            self.buffer.clear();
        }
        Ok(())
    }

    /// What has been written so far.
    pub fn read(&mut self) -> Result<Runs> {
        self.end_run()?;
        self.flush()?;
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        let runs = starts.zip(&self.ends).map(|(start, &end)| start..end).collect();
        Ok(Runs { bytes: self.scratch.read()?, runs })
    }
}

/// Runs, to be read.
#[derive(Debug)]
pub(super) struct Runs {
    bytes: Region,
    /// The records of each.
    runs: Vec<Range<usize>>,
}

/// All records of one key: some of each run that has any, the older runs first.
#[derive(Debug, Default)]
pub(super) struct Group {
    pub parts: Vec<Range<usize>>,
}

impl Runs {
    /// How many records there are.
    pub fn len(&self) -> usize {
        self.runs.last().map_or(0, |run| run.end)
    }

    /// One record.
    pub fn record(&self, at: usize) -> Result<Record> {
        let bytes = self.bytes.bytes().get(at * SIZE..(at + 1) * SIZE);
        bytes.and_then(Record::read).ok_or_else(|| {
            Box::new(
                Error::failed("reading spilled effects", format!("record {at}"), "it cannot be read")
                    .hint("the disk of the case folder is damaged: choose another with --case."),
            )
        })
    }

    /// The first record in a range of a run whose order is not below.
    fn lower_bound(&self, run: &Range<usize>, order: (Set, u128)) -> Result<usize> {
        let (mut low, mut high) = (run.start, run.end);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.record(middle)?.order() < order {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }

    /// Whether there is a record of this key.
    pub fn holds(&self, set: Set, key: u128) -> Result<bool> {
        for run in &self.runs {
            let at = self.lower_bound(run, (set, key))?;
            if at < run.end && self.record(at)?.order() == (set, key) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The records of a range of keys of one set, key by key.
    pub fn merge(&self, set: Set, keys: RangeInclusive<u128>) -> Result<Merge<'_>> {
        self.merge_to((set, *keys.start()), (set, *keys.end()))
    }

    /// All records, key by key, set by set.
    pub fn merge_all(&self) -> Result<Merge<'_>> {
        self.merge_to((Set(0), 0), (Set(u32::MAX), u128::MAX))
    }

    fn merge_to(&self, first: (Set, u128), last: (Set, u128)) -> Result<Merge<'_>> {
        let mut merge = Merge { runs: self, heap: BinaryHeap::new(), last };
        for (number, run) in self.runs.iter().enumerate() {
            merge.take(number, self.lower_bound(run, first)?)?;
        }
        Ok(merge)
    }
}

/// The next record of a run: its order, the number of the run, the record.
type Next = ((Set, u128), usize, usize);

/// Goes through several runs at once.
pub(super) struct Merge<'r> {
    runs: &'r Runs,
    /// The next record of every run that has one.
    heap: BinaryHeap<Reverse<Next>>,
    last: (Set, u128),
}

impl Merge<'_> {
    /// The next record of a run is the one at `at`.
    fn take(&mut self, number: usize, at: usize) -> Result<()> {
        if self.runs.runs.get(number).is_some_and(|run| at < run.end) {
            let order = self.runs.record(at)?.order();
            if order <= self.last {
                self.heap.push(Reverse((order, number, at)));
            }
        }
        Ok(())
    }

    /// The records of the next key; the vector in `group` is used again.
    pub fn next(&mut self, group: &mut Group) -> Result<Option<(Set, u128)>> {
        group.parts.clear();
        let Some(Reverse((order, ..))) = self.heap.peek() else { return Ok(None) };
        let order = *order;
        while let Some(Reverse((next, number, at))) = self.heap.peek().copied() {
            if next != order {
                break;
            }
            self.heap.pop();
            let end = self.runs.runs.get(number).map_or(at, |run| run.end);
            let mut behind = at + 1;
            while behind < end && self.runs.record(behind)?.order() == order {
                behind += 1;
            }
            group.parts.push(at..behind);
            self.take(number, behind)?;
        }
        Ok(Some(order))
    }
}
