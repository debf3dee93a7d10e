//! Slices merged into one oplog: joined where they share an entry, compared byte by byte where
//! they overlap, with gaps named where nothing proves that there is none (rule 2 of the design).

use super::frames::Frames;
use super::slice::{Slice, optime};
use crate::domain::coverage::{self, Gap, Segment, Uncovered, Unproven};
use crate::domain::{Error, OpTime, Position, Result};
use crate::engine::bson::{Doc, Fault};
use crate::engine::entry::Entry;
use crate::engine::input::Region;

/// All slices as one ordered sequence of entries without duplicates.
#[derive(Debug, Clone, Default)]
pub struct Oplog {
    pieces: Vec<Piece>,
    segments: Vec<Segment>,
    gaps: Vec<Gap>,
    unproven: Vec<Unproven>,
}

/// What a slice contributes: its entries from `start` on.
#[derive(Debug, Clone)]
struct Piece {
    slice: Slice,
    /// Byte offset in the slice's region.
    start: usize,
    region: Region,
    first: OpTime,
}

impl Oplog {
    /// Joins slices given in any order. Two are joined iff they share an entry; a joint without
    /// one is a gap, unless a position beside it is in `accept_unproven`.
    ///
    /// Fails with `Class::Inexact` when two slices tell different histories.
    pub fn join(mut slices: Vec<Slice>, accept_unproven: &[Position]) -> Result<Oplog> {
        // The longer of two that begin together first: the other one is then contained in it.
        slices.sort_by(|a, b| (a.first.pos, b.last.pos, &a.name).cmp(&(b.first.pos, a.last.pos, &b.name)));
        let mut oplog = Oplog::default();
        for slice in slices {
            oplog.take(slice, accept_unproven)?;
        }
        Ok(oplog)
    }

    /// Adds a slice that begins at or after the first entry of the last piece.
    fn take(&mut self, slice: Slice, accept_unproven: &[Position]) -> Result<()> {
        let Some(end) = self.segments.last().map(|s| s.last.pos) else {
            self.segments.push(Segment { first: slice.first, last: slice.last, entries: slice.entries });
            self.pieces.push(Piece::new(slice, 0)?);
            return Ok(());
        };
        let (after, before) = (end, slice.first.pos);
        if before > after {
            if accept_unproven.contains(&before) || accept_unproven.contains(&after) {
                self.unproven.push(Unproven { after, before });
                self.extend(slice.last, slice.entries);
            } else {
                self.gaps.push(Gap { after, before });
                self.segments.push(Segment { first: slice.first, last: slice.last, entries: slice.entries });
            }
            self.pieces.push(Piece::new(slice, 0)?);
            return Ok(());
        }
        let shared = self.compare(&slice)?;
        if shared < slice.region.len() {
            let known = slice.spot(shared)?.ordinal;
            self.extend(slice.last, slice.entries - known);
            self.pieces.push(Piece::new(slice, shared)?);
        }
        Ok(())
    }

    fn extend(&mut self, last: OpTime, entries: u64) {
        if let Some(segment) = self.segments.last_mut() {
            segment.last = last;
            segment.entries += entries;
        }
    }

    /// Compares the slice with what is known from its first entry on, and gives the number of
    /// its bytes that are known already.
    fn compare(&self, slice: &Slice) -> Result<usize> {
        let from = slice.first.pos;
        let begin = self.pieces.partition_point(|p| p.first.pos <= from).saturating_sub(1);
        let mut done = 0;
        for (index, piece) in self.pieces.iter().enumerate().skip(begin) {
            let at = if index == begin { piece.seek(from)? } else { 0 };
            let known = piece.region.bytes().get(at..).unwrap_or_default();
            let new = slice.region.bytes().get(done..).unwrap_or_default();
            let length = known.len().min(new.len());
            if known[..length] != new[..length] {
                return Err(other_history(piece, known, slice, done));
            }
            done += length;
            if done == slice.region.len() {
                break;
            }
        }
        Ok(done)
    }

    /// Stretches without gap, in order.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// The gaps between the segments.
    pub fn gaps(&self) -> &[Gap] {
        &self.gaps
    }

    /// Joints that were accepted without proof; they lie inside segments.
    pub fn unproven(&self) -> &[Unproven] {
        &self.unproven
    }

    /// The first entry known.
    pub fn first(&self) -> Option<OpTime> {
        self.segments.first().map(|s| s.first)
    }

    /// The last entry known.
    pub fn last(&self) -> Option<OpTime> {
        self.segments.last().map(|s| s.last)
    }

    /// How many different entries there are.
    pub fn len(&self) -> u64 {
        self.segments.iter().map(|s| s.entries).sum()
    }

    /// Whether there is no entry at all.
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// The deduplicated byte ranges, in order: walked one after the other they are the oplog.
    pub fn pieces(&self) -> impl Iterator<Item = &Region> {
        self.pieces.iter().map(|p| &p.region)
    }

    /// One of the [`Oplog::pieces`], by its number.
    pub fn piece(&self, piece: usize) -> Option<&Region> {
        self.pieces.get(piece).map(|p| &p.region)
    }

    /// Bytes of one of the [`Oplog::pieces`] at which an entry begins, more or less evenly spread
    /// and growing: where work on it can be split.
    pub fn boundaries(&self, piece: usize) -> impl Iterator<Item = usize> + '_ {
        let piece = self.pieces.get(piece);
        piece.into_iter().flat_map(|p| {
            p.slice.mark_offsets().filter_map(|at| at.checked_sub(p.start)).filter(|at| *at > 0)
        })
    }

    /// The entry that begins at this byte of a piece, and where the next one does.
    pub fn entry_at(&self, piece: usize, at: usize) -> Result<(Entry<'_>, usize)> {
        match self.pieces.get(piece) {
            Some(piece) => piece.entry(at),
            None => Error::failed("reading the oplog", format!("piece {piece}"), "there is no such piece")
                .hint("open the sources again.")
                .err(),
        }
    }

    /// Whether all entries with `from <= ts < to` are known, and if not, why.
    pub fn covers(&self, from: Position, to: Position) -> std::result::Result<(), Uncovered> {
        coverage::covers(&self.segments, from, to)
    }

    /// The entries with `from <= ts < to`, in order. Walks over gaps: the caller checks them.
    pub fn entries(&self, from: Position, to: Position) -> Entries<'_> {
        let begin = self.pieces.partition_point(|p| p.first.pos <= from).saturating_sub(1);
        Entries { pieces: self.pieces.get(begin..).unwrap_or_default(), at: None, from, to }
    }

    /// The entry at exactly this position.
    pub fn find(&self, pos: Position) -> Result<Option<Entry<'_>>> {
        Ok(self.first_at_or_after(pos)?.filter(|e| e.at.pos == pos))
    }

    /// The first entry at or after this position.
    pub fn first_at_or_after(&self, pos: Position) -> Result<Option<Entry<'_>>> {
        self.entries(pos, Position::MAX).next().transpose()
    }

    /// The last entry before this position.
    pub fn last_before(&self, pos: Position) -> Result<Option<Entry<'_>>> {
        let behind = self.pieces.partition_point(|p| p.first.pos < pos);
        let Some(piece) = behind.checked_sub(1).and_then(|i| self.pieces.get(i)) else {
            return Ok(None);
        };
        let Some(before) = piece.slice.seek(pos)?.before.and_then(|b| b.checked_sub(piece.start)) else {
            return Ok(None);
        };
        piece.entry(before).map(|(entry, _)| Some(entry))
    }
}

impl Piece {
    fn new(slice: Slice, start: usize) -> Result<Self> {
        let region = slice.region.slice(start..slice.region.len());
        let first = Doc::first(region.bytes())
            .map_err(|fault| slice.broken(start, &fault))
            .map(optime)?
            .ok_or_else(|| slice.broken(start, &Fault::new(0, "this is no oplog entry")))?;
        Ok(Piece { slice, start, region, first })
    }

    /// Byte offset in the piece of its first entry at or after the position.
    fn seek(&self, pos: Position) -> Result<usize> {
        Ok(self.slice.seek(pos)?.at.saturating_sub(self.start))
    }

    /// The entry that begins at this byte of the piece, and where the next one does.
    fn entry(&self, at: usize) -> Result<(Entry<'_>, usize)> {
        let broken = |fault: Fault| self.slice.broken(self.start + at, &fault);
        let doc = Doc::first(self.region.bytes().get(at..).unwrap_or_default()).map_err(broken)?;
        let entry = Entry::parse(doc).map_err(broken)?;
        Ok((entry, at + doc.bytes().len()))
    }
}

/// Entries of an [`Oplog`] in order. After an error the iteration ends.
#[derive(Debug, Clone)]
pub struct Entries<'a> {
    pieces: &'a [Piece],
    /// Byte offset in the first of the pieces; `None` = not looked for yet.
    at: Option<usize>,
    from: Position,
    to: Position,
}

impl<'a> Iterator for Entries<'a> {
    type Item = Result<Entry<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let pieces: &'a [Piece] = self.pieces;
            let (piece, rest) = pieces.split_first()?;
            let step = match self.at {
                Some(at) => Ok(at),
                None => piece.seek(self.from),
            };
            let step = step
                .and_then(|at| if at >= piece.region.len() { Ok(None) } else { piece.entry(at).map(Some) });
            match step {
                Ok(Some((entry, next))) => {
                    self.at = Some(next);
                    if entry.at.pos >= self.to {
                        self.pieces = &[];
                        return None;
                    }
                    return Some(Ok(entry));
                }
                Ok(None) => {
                    self.pieces = rest;
                    self.at = None;
                }
                Err(error) => {
                    self.pieces = &[];
                    return Some(Err(error));
                }
            }
        }
    }
}

/// Finds the entry in which two runs of entries differ and says so. `known` are the bytes of a
/// piece, to be compared with the slice from byte `done` on.
fn other_history(piece: &Piece, known: &[u8], slice: &Slice, done: usize) -> Box<Error> {
    let (mut ours, mut theirs) = (Frames::from(known, 0), Frames::from(slice.region.bytes(), done));
    let at = loop {
        let (a, b) = (ours.next(), theirs.next());
        let optime = |frame| match frame {
            Some(Ok((_, doc))) => optime(doc),
            _ => None,
        };
        let same = matches!((&a, &b), (Some(Ok((_, a))), Some(Ok((_, b)))) if a == b);
        if !same {
            break (optime(a), optime(b));
        }
    };
    let cause = match at {
        (Some(a), Some(b)) if a.pos == b.pos => {
            format!("the entry {} is not the same in both (terms {} and {})", a.pos, a.term, b.term)
        }
        (Some(a), Some(b)) if a.pos < b.pos => {
            format!("the entry {} is only in {:?}", a.pos, piece.slice.name)
        }
        (_, Some(b)) => format!("the entry {} is only in {:?}", b.pos, slice.name),
        (Some(a), None) => format!("the entry {} is only in {:?}", a.pos, piece.slice.name),
        (None, None) => "they differ".to_owned(),
    };
    Box::new(
        Error::inexact("joining", format!("{:?} and {:?}", piece.slice.name, slice.name), cause).hint(
            "they are different histories (a rollback, or another replica set): leave out the one that is not the set's.",
        ),
    )
}
