//! How many operations of each kind fall into each of some equal stretches of the oplog.

use std::ops::Range;

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

/// Where bucket number `bucket`, counted from 1, ends: the first position behind it.
pub(super) fn edge(range: &Range<Position>, bucket: usize, buckets: usize) -> Position {
    let (start, end) = (range.start.to_u64(), range.end.to_u64().max(range.start.to_u64()));
    let part = u128::from(end - start) * bucket as u128 / buckets.max(1) as u128;
    Position::from_u64(start + part as u64)
}
