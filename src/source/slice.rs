//! One file (or archive member) of oplog entries, checked from end to end when it is opened:
//! every frame, and that positions only grow.

use std::sync::Arc;

use super::frames::{self, Frames};
use crate::domain::progress::Meter;
use crate::domain::{Error, OpTime, Position, Result};
use crate::engine::bson::{Doc, Fault};
use crate::engine::entry::looks_like_entry;
use crate::engine::input::Region;

/// Every how many entries the sparse index holds one: a search walks at most this many frames.
const EVERY: u64 = 128;

/// A run of oplog entries as one source has it; never empty.
#[derive(Debug, Clone)]
pub struct Slice {
    /// The path as given, for humans.
    pub name: String,
    /// The entries, back to back.
    pub region: Region,
    /// The first entry.
    pub first: OpTime,
    /// The last entry.
    pub last: OpTime,
    /// How many there are.
    pub entries: u64,
    /// Every [`EVERY`]th entry: where it is, and what it is.
    pub(super) marks: Arc<[Mark]>,
}

/// Where an entry is: its position, and its byte in the region.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    pub pos: Position,
    pub offset: usize,
}

/// A place in a slice between two entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spot {
    /// Byte offset of the first entry at or after the position; the length of the region when
    /// there is none.
    pub at: usize,
    /// Byte offset of the entry before it.
    pub before: Option<usize>,
    /// How many entries lie before it.
    pub ordinal: u64,
}

const READING: &str = "reading the oplog";

/// An entry's position and term, without parsing the rest.
pub(super) fn optime(doc: Doc<'_>) -> Option<OpTime> {
    let (mut pos, mut term) = (None, None);
    for elem in doc.iter() {
        let elem = elem.ok()?;
        match elem.name {
            b"ts" => pos = elem.as_position(),
            b"t" => term = elem.as_i64(),
            _ => continue,
        }
        if pos.is_some() && term.is_some() {
            break;
        }
    }
    Some(OpTime { pos: pos?, term: term.unwrap_or(-1) })
}

impl Slice {
    /// Walks the region and makes a slice of it; `None` when it is empty.
    pub fn read(name: String, region: Region, meter: &Meter) -> Result<Option<Slice>> {
        let mut ends: Option<(OpTime, OpTime)> = None;
        let mut marks = Vec::new();
        let mut count = 0u64;
        frames::walk(READING, &region, meter, |offset, doc| {
            let at = optime(doc).filter(|at| at.pos != Position::MIN);
            let Some(at) = at.filter(|_| count > 0 || looks_like_entry(doc)) else {
                return Error::failed(READING, frames::place(&region, offset), "this is no oplog entry")
                    .hint("the file is damaged, or holds something else behind its first entries.")
                    .err();
            };
            if let Some((_, last)) = ends.filter(|(_, last)| last.pos >= at.pos) {
                let cause = format!("entry {} stands behind {}: positions must grow", at.pos, last.pos);
                return Error::failed(READING, frames::place(&region, offset), cause)
                    .hint("the file was put together in the wrong order: give the parts one by one instead.")
                    .err();
            }
            if count.is_multiple_of(EVERY) {
                marks.push(Mark { pos: at.pos, offset });
            }
            count += 1;
            ends = Some((ends.map_or(at, |(first, _)| first), at));
            Ok(())
        })?;
        let marks = marks.into();
        Ok(ends.map(|(first, last)| Slice { name, region, first, last, entries: count, marks }))
    }

    /// The bytes at which the entries of the sparse index begin.
    pub(super) fn mark_offsets(&self) -> impl Iterator<Item = usize> + '_ {
        self.marks.iter().map(|mark| mark.offset)
    }

    /// Where entries at or after `pos` begin.
    pub(super) fn seek(&self, pos: Position) -> Result<Spot> {
        self.walk_to(self.marks.partition_point(|m| m.pos < pos), |at, _| at.pos >= pos)
    }

    /// The place of the entry that begins at this byte.
    pub(super) fn spot(&self, offset: usize) -> Result<Spot> {
        self.walk_to(self.marks.partition_point(|m| m.offset < offset), |_, at| at >= offset)
    }

    /// Walks from the mark before `mark` until `there`.
    fn walk_to(&self, mark: usize, there: impl Fn(OpTime, usize) -> bool) -> Result<Spot> {
        let index = mark.saturating_sub(1);
        let start = self.marks.get(index).map_or(0, |m| m.offset);
        let mut spot = Spot { at: self.region.len(), before: None, ordinal: index as u64 * EVERY };
        for frame in Frames::from(self.region.bytes(), start) {
            let (offset, doc) = frame.map_err(|(at, fault)| self.broken(at, &fault))?;
            let at =
                optime(doc).ok_or_else(|| self.broken(offset, &Fault::new(0, "this is no oplog entry")))?;
            if there(at, offset) {
                spot.at = offset;
                return Ok(spot);
            }
            spot.before = Some(offset);
            spot.ordinal += 1;
        }
        Ok(spot)
    }

    /// The error for a broken entry at this byte of the region. Slices are checked when they are
    /// read: this happens to files that change underneath.
    pub(super) fn broken(&self, at: usize, fault: &Fault) -> Box<Error> {
        frames::broken(READING, &self.region, at, fault)
    }
}
