//! The few entries that matter for some documents, out of the columns: nothing else is read, and
//! what is no operation on documents is never left out.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use super::build::key_of;
use super::{BROKEN, IN_TXN, INNER, OpIndex, Place, kind};
use crate::domain::op::OpKind;
use crate::domain::progress::Meter;
use crate::domain::{Namespace, Position, Result};
use crate::engine::key::DocKey;

/// How many rows are looked at between two looks at the meter.
const STEP: u64 = 1 << 16;

/// An entry of the oplog: piece and byte, as [`crate::source::Oplog::entry_at`] takes them.
pub type EntryPlace = (usize, usize);

/// Which operations somebody is interested in.
#[derive(Debug, Clone, Default)]
pub struct About {
    /// Those on these documents, in whatever collection.
    pub keys: HashSet<DocKey>,
    /// Those in these namespaces.
    pub namespaces: HashSet<String>,
}

impl OpIndex {
    /// The entries in a range of positions that hold such operations (or one on a document with
    /// the same part of a hash), and those that matter to all documents: commands, what writes the
    /// definitions of views, what cannot be read. Of a transaction that holds any of these all
    /// entries. In order; of an incomplete index, of what is there by now. `None` = they are more
    /// than `most`.
    pub fn entries_about(
        &self,
        range: Range<Position>,
        about: &About,
        most: usize,
        meter: &Meter,
    ) -> Result<Option<Vec<EntryPlace>>> {
        const DOING: &str = "looking for what matters";
        let rows = self.lower_bound(range.start)..self.lower_bound(range.end);
        let wanted = Wanted::new(self, about);
        let mut groups: HashSet<u32> = HashSet::new();
        // A commit has no document of its own: whether it matters the parts before it say, which
        // may lie before the range.
        for row in 0..rows.end {
            let at = row as usize;
            let what = self.columns.what(at);
            if what & IN_TXN != 0 && what & INNER != 0 && wanted.holds(self, at, what) {
                groups.insert(self.columns.group(at));
            }
            if row.is_multiple_of(STEP) {
                meter.check(DOING)?;
            }
        }
        let mut found: Vec<EntryPlace> = Vec::new();
        for row in rows {
            let at = row as usize;
            let what = self.columns.what(at);
            let matters = match what & IN_TXN != 0 {
                true => groups.contains(&self.columns.group(at)),
                false => wanted.holds(self, at, what),
            };
            if matters {
                let place = Place(self.columns.place(at));
                let place = (place.piece(), place.at());
                if found.last() != Some(&place) {
                    if found.len() == most {
                        return Ok(None);
                    }
                    found.push(place);
                }
            }
            if row.is_multiple_of(STEP) {
                meter.check(DOING)?;
            }
        }
        Ok(Some(found))
    }

    /// Those of some rows that are operations of these transactions, by [`super::RowRef::group`].
    pub fn rows_of<'s>(
        &'s self,
        groups: &'s HashSet<u32>,
        rows: Range<u64>,
    ) -> impl Iterator<Item = u64> + 's {
        self.clipped(rows).filter(|&row| {
            let at = row as usize;
            self.columns.what(at) & IN_TXN != 0 && groups.contains(&self.columns.group(at))
        })
    }

    /// Those of some rows that are commands, or of a kind that is not known.
    pub fn commands(&self, rows: Range<u64>) -> impl Iterator<Item = u64> + '_ {
        self.clipped(rows).filter(|&row| kind(self.columns.what(row as usize)) == OpKind::Command)
    }

    fn clipped(&self, rows: Range<u64>) -> Range<u64> {
        rows.start..rows.end.min(self.len())
    }

    /// All namespaces that operations are on, as far as they are indexed.
    pub fn namespaces(&self) -> Vec<Arc<str>> {
        self.names.read().unwrap_or_else(|e| e.into_inner()).list().to_vec()
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

/// [`About`] in the terms of the columns.
struct Wanted {
    keys: Vec<u32>,
    /// One bit for every so many keys: most rows are told by it.
    sieve: Vec<u64>,
    /// By the number of the namespace.
    namespaces: Vec<bool>,
}

impl Wanted {
    fn new(index: &OpIndex, about: &About) -> Wanted {
        let mut keys: Vec<u32> = about.keys.iter().copied().map(key_of).collect();
        keys.sort_unstable();
        keys.dedup();
        // Sixteen bits a key let one row in sixteen pass for nothing, at most.
        let mut sieve = vec![0u64; (keys.len() / 4 + 1).next_power_of_two()];
        for &key in &keys {
            let (word, bit) = spot(key, sieve.len());
            sieve[word] |= bit;
        }
        let names = index.names.read().unwrap_or_else(|e| e.into_inner());
        let wanted = |name: &str| about.namespaces.contains(name) || Namespace::parse(name).is_views();
        let namespaces = names.list().iter().map(|name| wanted(name)).collect();
        Wanted { keys, sieve, namespaces }
    }

    fn holds(&self, index: &OpIndex, row: usize, what: u8) -> bool {
        if what & BROKEN != 0 || kind(what) == OpKind::Command {
            return true;
        }
        if self.namespaces.get(index.columns.ns(row) as usize).copied().unwrap_or(true) {
            return true;
        }
        let key = index.columns.key(row);
        let (word, bit) = spot(key, self.sieve.len());
        self.sieve.get(word).is_some_and(|bits| bits & bit != 0) && self.keys.binary_search(&key).is_ok()
    }
}

/// The word of a sieve of so many, a power of two, and the bit in it that stand for a key.
fn spot(key: u32, words: usize) -> (usize, u64) {
    ((key >> 6) as usize & (words - 1), 1 << (key & 63))
}
