//! Room for what grouping has to keep and memory has none for: records of one size, written one
//! behind the other, read back by their number. Where that room is, whoever groups has to say.

use std::fmt;

use crate::domain::{Error, Result};

/// A place outside of memory.
pub trait Overflow: fmt::Debug {
    /// Writes behind what is there; an error when there is no room.
    fn append(&mut self, bytes: &[u8]) -> Result<()>;

    /// All that has been written so far.
    fn read(&mut self) -> Result<&[u8]>;
}

/// Numbers in a record.
pub(super) const WORDS: usize = 5;
const SIZE: usize = WORDS * 8;

/// Bytes that are written in one go.
const BUFFER: usize = 256 << 10;

/// A record, as it is written.
pub(super) type Raw = [u8; SIZE];

/// The numbers in a record.
pub(super) fn words(raw: &Raw) -> [u64; WORDS] {
    let (words, _) = raw.as_chunks::<8>();
    std::array::from_fn(|at| words.get(at).map_or(0, |word| u64::from_le_bytes(*word)))
}

/// Some records that follow each other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Chunk {
    /// The number of the first.
    pub at: u64,
    /// How many.
    pub count: u64,
}

/// What has been written.
#[derive(Debug)]
pub(super) struct Records {
    overflow: Box<dyn Overflow>,
    buffer: Vec<u8>,
    written: u64,
}

impl Records {
    pub fn new(overflow: Box<dyn Overflow>) -> Self {
        Records { overflow, buffer: Vec::new(), written: 0 }
    }

    /// How many there are: the number of the next.
    pub fn len(&self) -> u64 {
        self.written
    }

    /// Writes one.
    pub fn push(&mut self, record: [u64; WORDS]) -> Result<()> {
        record.iter().for_each(|word| self.buffer.extend_from_slice(&word.to_le_bytes()));
        self.written += 1;
        if self.buffer.len() >= BUFFER { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<()> {
        if !self.buffer.is_empty() {
            self.overflow.append(&self.buffer)?;
            self.buffer.clear();
        }
        Ok(())
    }

    /// What has been written, to be read.
    pub fn read(&mut self) -> Result<Written<'_>> {
        self.flush()?;
        Ok(Written(self.overflow.read()?.as_chunks().0))
    }
}

/// Records to be read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Written<'w>(&'w [Raw]);

impl<'w> Written<'w> {
    /// Some of them.
    pub fn chunk(self, chunk: Chunk) -> Result<&'w [Raw]> {
        let place = |number: u64| usize::try_from(number).ok();
        let range = || Some(place(chunk.at)?..place(chunk.at.checked_add(chunk.count)?)?);
        range().and_then(|range| self.0.get(range)).ok_or_else(|| missing(chunk))
    }
}

/// What was written is not what is there.
pub(super) fn missing(chunk: Chunk) -> Box<Error> {
    let place = format!("{} records from number {}", chunk.count, chunk.at);
    Box::new(
        Error::failed("reading spilled operations", place, "they are not there")
            .hint("the disk of the case folder is damaged: choose another with --case."),
    )
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Room in memory that ends after so many bytes.
    #[derive(Debug)]
    pub struct Held {
        bytes: Vec<u8>,
        most: usize,
    }

    impl Held {
        pub fn new(most: usize) -> Box<Held> {
            Box::new(Held { bytes: Vec::new(), most })
        }
    }

    impl Overflow for Held {
        fn append(&mut self, bytes: &[u8]) -> Result<()> {
            self.bytes.extend_from_slice(bytes);
            if self.bytes.len() > self.most { Error::failed("spilling", "", "full").err() } else { Ok(()) }
        }

        fn read(&mut self) -> Result<&[u8]> {
            Ok(&self.bytes)
        }
    }

    #[test]
    fn what_is_written_is_read_by_its_number() {
        let mut records = Records::new(Held::new(usize::MAX));
        let record = |n: u64| [n, n << 40, !n, 0, u64::MAX];
        (0..20_000).for_each(|n| records.push(record(n)).unwrap());
        let written = records.read().unwrap();
        for at in [0, 1, 6_553, 19_997] {
            let chunk = written.chunk(Chunk { at, count: 3 }).unwrap();
            assert_eq!(chunk.iter().map(words).collect::<Vec<_>>(), [at, at + 1, at + 2].map(record));
        }
        assert_eq!(records.len(), 20_000);
    }

    #[test]
    fn what_is_not_there_is_an_error_and_so_is_a_place_that_is_full() {
        let mut records = Records::new(Held::new(BUFFER));
        records.push([0; WORDS]).unwrap();
        let written = records.read().unwrap();
        for (at, count) in [(0, 2), (1, 1), (u64::MAX, 2)] {
            assert!(written.chunk(Chunk { at, count }).unwrap_err().hint.contains("--case"));
        }
        let full = (0..20_000).find_map(|_| records.push([0; WORDS]).err());
        assert_eq!(full.unwrap().cause, "full");
    }
}
