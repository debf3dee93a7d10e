//! Local time beside UTC: when the zone of the machine changed its offset, and to what. The
//! runtime asks the system once; what follows is arithmetic.

use crate::domain::position::time_of;

/// Offsets from UTC over time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Zone {
    /// From this second on the offset is so many seconds, in order. Nothing = UTC.
    pub offsets: Vec<(i64, i32)>,
}

impl Zone {
    /// Seconds to add to UTC at this second.
    pub fn offset(&self, secs: i64) -> i32 {
        let behind = self.offsets.partition_point(|(from, _)| *from <= secs);
        let known = behind.checked_sub(1).and_then(|at| self.offsets.get(at)).or(self.offsets.first());
        known.map_or(0, |(_, offset)| *offset)
    }

    /// The same second in local time: date and time, `2026-10-14T16:41:07`.
    pub fn local(&self, secs: u32) -> String {
        let moved = i64::from(secs) + i64::from(self.offset(i64::from(secs)));
        let text = time_of(u32::try_from(moved.max(0)).unwrap_or(u32::MAX));
        text.trim_end_matches('Z').to_owned()
    }

    /// The offset in words: `+02:00`.
    pub fn name(&self, secs: i64) -> String {
        let offset = self.offset(secs);
        let sign = if offset < 0 { '-' } else { '+' };
        let minutes = offset.unsigned_abs() / 60;
        format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_offset_is_that_of_the_moment() {
        // Berlin: summer time ends on 2026-10-25T01:00:00Z.
        let ends = 1_792_890_000;
        let zone = Zone { offsets: vec![(i64::MIN, 3600), (1_774_746_000, 7200), (i64::from(ends), 3600)] };
        assert_eq!(zone.local(ends - 1), "2026-10-25T02:59:59");
        assert_eq!(zone.local(ends), "2026-10-25T02:00:00");
        assert_eq!(
            (zone.name(i64::from(ends) - 1), zone.name(i64::from(ends))),
            ("+02:00".into(), "+01:00".into())
        );
        assert_eq!(Zone::default().local(ends), "2026-10-25T01:00:00");
        let west = Zone { offsets: vec![(i64::MIN, -12_600)] };
        assert_eq!((west.name(0), west.local(ends)), ("-03:30".into(), "2026-10-24T21:30:00".into()));
    }
}
