//! The few entries that matter for some documents, out of the columns: nothing else is read.

use std::collections::HashSet;
use std::ops::Range;

use super::build::key_of;
use super::{BROKEN, IN_TXN, INNER, OpIndex, Place, kind};
use crate::domain::op::OpKind;
use crate::domain::progress::Meter;
use crate::domain::{Position, Result};
use crate::engine::key::DocKey;

/// How many rows are looked at between two looks at the meter.
const STEP: u64 = 1 << 16;

/// An entry of the oplog: piece and byte, as [`crate::source::Oplog::entry_at`] takes them.
pub type EntryPlace = (usize, usize);

impl OpIndex {
    /// The entries in a range of positions that may change these documents, or their collections:
    /// those on documents with such a key (or another with the same part of a hash), commands, and
    /// all of a transaction that holds one of either. Those that cannot be read too. In order; of
    /// an incomplete index, of what is there by now.
    pub fn entries_about(
        &self,
        range: Range<Position>,
        keys: &HashSet<DocKey>,
        meter: &Meter,
    ) -> Result<Vec<EntryPlace>> {
        let rows = self.lower_bound(range.start)..self.lower_bound(range.end);
        let mut wanted: Vec<u32> = keys.iter().copied().map(key_of).collect();
        wanted.sort_unstable();
        let mut groups: HashSet<u32> = HashSet::new();
        let about = |row: usize, what: u8| {
            let command = kind(what) == OpKind::Command;
            command || wanted.binary_search(&self.columns.key(row)).is_ok() || what & BROKEN != 0
        };
        // A commit has no document of its own: whether it matters the parts before it say, which
        // may lie before the range.
        for row in 0..rows.end {
            let at = row as usize;
            let what = self.columns.what(at);
            if what & IN_TXN != 0 && what & INNER != 0 && about(at, what) {
                groups.insert(self.columns.group(at));
            }
            if row.is_multiple_of(STEP) {
                meter.check("following the document")?;
            }
        }
        let mut found: Vec<EntryPlace> = Vec::new();
        for row in rows {
            let at = row as usize;
            let what = self.columns.what(at);
            let matters = match what & IN_TXN != 0 {
                true => groups.contains(&self.columns.group(at)),
                false => about(at, what),
            };
            if matters {
                let place = Place(self.columns.place(at));
                let place = (place.piece(), place.at());
                if found.last() != Some(&place) {
                    found.push(place);
                }
            }
            if row.is_multiple_of(STEP) {
                meter.check("following the document")?;
            }
        }
        Ok(found)
    }

    /// Whether an operation on documents of this namespace is among what is indexed.
    pub fn has_written(&self, range: Range<Position>, ns: &str) -> bool {
        let names = self.names.read().unwrap_or_else(|e| e.into_inner());
        let Some(number) = names.list().iter().position(|name| &**name == ns) else { return false };
        drop(names);
        let rows = self.lower_bound(range.start)..self.lower_bound(range.end);
        rows.into_iter().any(|row| {
            self.columns.ns(row as usize) == number as u32
                && !matches!(kind(self.columns.what(row as usize)), OpKind::Command)
        })
    }
}
