//! The time zone of this machine, asked once: when its offset from UTC changes, and to what.

use chrono::{DateTime, Local, Offset};

use crate::app::zone::Zone;

/// Offsets are looked at so many seconds apart; where one differs from the one before, the change
/// is looked for in between. No zone changes twice in a week and back.
const STEP: i64 = 7 * 86_400;

/// Oplog positions are seconds of 32 bits.
const END: i64 = u32::MAX as i64;

/// The zone.
pub fn of_this_machine() -> Zone {
    sampled(|secs| {
        let at = DateTime::from_timestamp(secs, 0).unwrap_or_default();
        at.with_timezone(&Local).offset().fix().local_minus_utc()
    })
}

fn sampled(offset: impl Fn(i64) -> i32) -> Zone {
    // Nothing before 2009: MongoDB is younger.
    let begin = 1_230_768_000;
    let mut offsets = vec![(begin, offset(begin))];
    let mut before = begin;
    while before < END {
        let here = (before + STEP).min(END);
        let (old, new) = (offset(before), offset(here));
        if old != new {
            let (mut low, mut high) = (before, here);
            while high - low > 1 {
                let middle = low + (high - low) / 2;
                if offset(middle) == old { low = middle } else { high = middle }
            }
            offsets.push((high, new));
        }
        before = here;
    }
    Zone { offsets }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_found_to_the_second() {
        let ends = 1_792_890_000;
        let zone = sampled(|secs| if secs < ends { 7200 } else { 3600 });
        assert_eq!((zone.offset(ends - 1), zone.offset(ends)), (7200, 3600));
        assert_eq!(zone.offsets.len(), 2);
    }
}
