//! How many operations of each kind fall into each of some equal stretches of the oplog.

use std::ops::Range;
use std::sync::Arc;

use super::{OpIndex, kind};
use crate::domain::Position;
use crate::domain::op::OpKind;

/// Operations by kind, in the order of [`OpKind::ALL`].
pub type Counts = [u64; OpKind::ALL.len()];

impl OpIndex {
    /// Cuts a range of positions into `buckets` equal stretches and counts the operations of each
    /// kind in every one. Of an incomplete index, what is there by now.
    pub fn histogram(&self, range: Range<Position>, buckets: usize) -> Vec<Counts> {
        let mut from = self.lower_bound(range.start);
        (1..=buckets)
            .map(|bucket| {
                let to = self.lower_bound(edge(&range, bucket, buckets));
                let counts = self.count_kinds(from..to);
                from = to;
                counts
            })
            .collect()
    }

    /// The operations of each kind among some rows.
    pub fn count_kinds(&self, rows: Range<u64>) -> Counts {
        let end = rows.end.min(self.len());
        let mut counts = [0; OpKind::ALL.len()];
        for &what in self.columns.whats(rows.start.min(end) as usize, end as usize) {
            if let Some(count) = counts.get_mut(kind(what) as usize) {
                *count += 1;
            }
        }
        counts
    }
}

impl OpIndex {
    /// The positions and kinds of some rows: as much as drawing bars needs.
    pub fn places(&self, rows: Range<u64>) -> impl Iterator<Item = (Position, OpKind)> + '_ {
        (rows.start..rows.end.min(self.len())).map(|row| {
            let row = row as usize;
            (Position::from_u64(self.columns.pos(row)), kind(self.columns.what(row)))
        })
    }

    /// The operations of each namespace among some rows, the largest number first.
    pub fn count_namespaces(&self, rows: Range<u64>) -> Vec<(Arc<str>, u64)> {
        let names = self.names.read().unwrap_or_else(|e| e.into_inner());
        let mut counts = vec![0u64; names.list().len()];
        for row in rows.start..rows.end.min(self.len()) {
            if let Some(count) = counts.get_mut(self.columns.ns(row as usize) as usize) {
                *count += 1;
            }
        }
        let named = names.list().iter().map(Arc::clone).zip(counts);
        let mut found: Vec<(Arc<str>, u64)> = named.filter(|(_, count)| *count > 0).collect();
        found.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        found
    }
}

/// Where bucket number `bucket`, counted from 1, ends: the first position behind it.
pub(super) fn edge(range: &Range<Position>, bucket: usize, buckets: usize) -> Position {
    let (start, end) = (range.start.to_u64(), range.end.to_u64().max(range.start.to_u64()));
    let part = u128::from(end - start) * bucket as u128 / buckets.max(1) as u128;
    Position::from_u64(start + part as u64)
}
