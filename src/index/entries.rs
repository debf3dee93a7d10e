//! Entries of the oplog in their order, as the columns say where they are: read and parsed by all
//! cores, taken by one.

use std::ops::{ControlFlow, Range};

use super::follow::EntryPlace;
use super::parallel::{Cut, in_order};
use super::{OpIndex, Place};
use crate::domain::Result;
use crate::domain::progress::Meter;
use crate::engine::entry::Entry;
use crate::source::Oplog;

/// Parsed entries are large: few of them wait.
const CUT: Cut = Cut { block: 1024, ahead: 4 };

impl OpIndex {
    /// Hands the entries that these rows are part of to `take`, each once and in order, as what
    /// `read` makes of it on any core. They are borrowed from `oplog`, which must be the one that
    /// is indexed; an entry is handed over with the range that holds its first row.
    pub fn read_rows<'o, T: Send>(
        &self,
        oplog: &'o Oplog,
        rows: Range<u64>,
        meter: &Meter,
        read: impl Fn(Entry<'o>) -> T + Sync,
        take: impl FnMut(T) -> Result<()>,
    ) -> Result<()> {
        let place = |row: u64| self.columns.place(row as usize);
        let places = |rows: Range<u64>| {
            let before = rows.start.checked_sub(1).map(place);
            let mut last = before;
            rows.map(place).filter(move |&now| last.replace(now) != Some(now)).map(|bits| {
                let place = Place(bits);
                (place.piece(), place.at())
            })
        };
        handed(oplog, rows.start..rows.end.min(self.len()), meter, places, read, take)
    }
}

/// The same for the entries at some places.
pub fn read_places<'o, T: Send>(
    oplog: &'o Oplog,
    places: &[EntryPlace],
    meter: &Meter,
    read: impl Fn(Entry<'o>) -> T + Sync,
    take: impl FnMut(T) -> Result<()>,
) -> Result<()> {
    let part = |numbers: Range<u64>| {
        let (start, end) = (numbers.start as usize, numbers.end as usize);
        places.get(start..end).unwrap_or_default().iter().copied()
    };
    handed(oplog, 0..places.len() as u64, meter, part, read, take)
}

fn handed<'o, T: Send, I: Iterator<Item = EntryPlace>>(
    oplog: &'o Oplog,
    numbers: Range<u64>,
    meter: &Meter,
    places: impl Fn(Range<u64>) -> I + Sync,
    read: impl Fn(Entry<'o>) -> T + Sync,
    mut take: impl FnMut(T) -> Result<()>,
) -> Result<()> {
    let block = |numbers: Range<u64>| {
        if meter.is_cancelled() {
            return None;
        }
        let entry = |(piece, at)| oplog.entry_at(piece, at).map(|(entry, _)| read(entry));
        Some(places(numbers).map(entry).collect::<Vec<Result<T>>>())
    };
    in_order(numbers, CUT, meter, "reading the oplog", block, |entries| {
        entries.into_iter().try_for_each(|entry| take(entry?))?;
        Ok(ControlFlow::Continue(()))
    })
    .map(|_| ())
}
