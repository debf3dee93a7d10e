//! The time axis: bars of equal length from days down to single increments inside one second.
//!
//! Positions are not evenly spread in time, so an axis is either made of seconds, or lies inside
//! one second and is made of its increments.

use crate::domain::Position;
use crate::domain::position::time_of;

/// How much one bar covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// So many seconds.
    Seconds(u32),
    /// So many increments; all bars lie inside one second.
    Increments(u32),
}

/// Bars side by side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Axis {
    /// Where the first bar begins.
    pub from: Position,
    /// How much each covers.
    pub scale: Scale,
    /// How many there are.
    pub bars: u16,
}

const MINUTE: u32 = 60;
const HOUR: u32 = 3600;
const DAY: u32 = 86_400;

/// Steps that stand on round times: each divides an hour, a day or a few of them. No step is more
/// than twice the one before up to a day, and mostly much less: that is how much of its width an
/// axis may leave empty.
const SECONDS: [u32; 43] = [
    1,
    2,
    3,
    4,
    5,
    6,
    10,
    12,
    15,
    20,
    30,
    40,
    MINUTE,
    90,
    2 * MINUTE,
    3 * MINUTE,
    4 * MINUTE,
    5 * MINUTE,
    6 * MINUTE,
    10 * MINUTE,
    12 * MINUTE,
    15 * MINUTE,
    20 * MINUTE,
    30 * MINUTE,
    40 * MINUTE,
    HOUR,
    90 * MINUTE,
    2 * HOUR,
    3 * HOUR,
    4 * HOUR,
    6 * HOUR,
    8 * HOUR,
    12 * HOUR,
    DAY,
    2 * DAY,
    3 * DAY,
    4 * DAY,
    7 * DAY,
    14 * DAY,
    30 * DAY,
    60 * DAY,
    180 * DAY,
    365 * DAY,
];
const INCREMENTS: [u32; 13] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000];

impl Axis {
    /// All of the time from `first` to `last` in so many bars.
    pub fn fit(first: Position, last: Position, bars: u16) -> Axis {
        let n = u32::from(bars.max(1));
        let step = SECONDS
            .into_iter()
            .find(|s| last.secs / s - (first.secs / s).min(last.secs / s) < n)
            .unwrap_or(u32::MAX / n);
        Axis { from: aligned(first.secs, step), scale: Scale::Seconds(step), bars: bars.max(1) }
    }

    /// Where bar `n` begins; `n` may be the number of bars, for the end.
    pub fn edge(&self, n: u16) -> Position {
        let n = u64::from(n);
        match self.scale {
            Scale::Seconds(step) => {
                let secs = u64::from(self.from.secs) + n * u64::from(step);
                u32::try_from(secs).map_or(Position::MAX, |secs| Position::new(secs, 0))
            }
            Scale::Increments(step) => {
                let inc = u64::from(self.from.inc) + n * u64::from(step);
                let next = || Position::new(self.from.secs.saturating_add(1), 0);
                u32::try_from(inc).map_or_else(|_| next(), |inc| Position::new(self.from.secs, inc))
            }
        }
    }

    /// Where the last bar ends.
    pub fn end(&self) -> Position {
        self.edge(self.bars)
    }

    /// The bar that holds this position.
    pub fn bar_of(&self, pos: Position) -> Option<u16> {
        if pos < self.from || pos >= self.end() {
            return None;
        }
        let bar = match self.scale {
            Scale::Seconds(step) => (pos.secs - self.from.secs) / step,
            Scale::Increments(step) => (pos.inc - self.from.inc) / step,
        };
        u16::try_from(bar).ok().filter(|b| *b < self.bars)
    }

    /// The bars that a range touches; positions beyond either end are cut off.
    pub fn bars_of(&self, from: Position, through: Position) -> Option<std::ops::RangeInclusive<u16>> {
        if through < self.from || from >= self.end() || from > through {
            return None;
        }
        let first = self.bar_of(from).unwrap_or(0);
        Some(first..=self.bar_of(through).unwrap_or(self.bars.saturating_sub(1)))
    }

    /// Closer, at least twice as close, keeping `at` in view. `ops` is how many there are in its bar.
    pub fn zoom_in(&self, at: Position, ops: u32) -> Axis {
        let scale = match self.scale {
            Scale::Seconds(1) => {
                let wanted = ops.div_ceil(u32::from(self.bars.max(1)));
                let step = INCREMENTS.into_iter().find(|s| *s >= wanted);
                Scale::Increments(step.unwrap_or(10_000))
            }
            Scale::Seconds(step) => Scale::Seconds(below(&SECONDS, step)),
            Scale::Increments(step) => Scale::Increments(below(&INCREMENTS, step)),
        };
        Axis { scale, ..*self }.around(at)
    }

    /// Farther away, at least twice as far, keeping `at` in view.
    pub fn zoom_out(&self, at: Position) -> Axis {
        let above = |ladder: &[u32], step: u32| ladder.iter().copied().find(|s| *s / 2 >= step);
        let scale = match self.scale {
            Scale::Seconds(step) => Scale::Seconds(above(&SECONDS, step).unwrap_or(step)),
            Scale::Increments(step) => above(&INCREMENTS, step)
                .filter(|s| u64::from(*s) * u64::from(self.bars) <= 20_000)
                .map_or(Scale::Seconds(1), Scale::Increments),
        };
        Axis { scale, ..*self }.around(at)
    }

    /// The same scale with `at` in the middle.
    pub fn around(&self, at: Position) -> Axis {
        let half = u64::from(self.bars / 2);
        let from = match self.scale {
            Scale::Seconds(step) => {
                let back = u32::try_from(half * u64::from(step)).unwrap_or(u32::MAX);
                aligned(at.secs.saturating_sub(back), step)
            }
            Scale::Increments(step) => {
                let back = u32::try_from(half * u64::from(step)).unwrap_or(u32::MAX);
                Position::new(at.secs, at.inc.saturating_sub(back) / step * step)
            }
        };
        Axis { from, ..*self }
    }

    /// How much a bar covers, in words as short as can be.
    pub fn step_text(&self) -> String {
        match self.scale {
            Scale::Increments(1) => "1 op".into(),
            Scale::Increments(n) => format!("{n} incs"),
            Scale::Seconds(n) if n.is_multiple_of(DAY) => format!("{} d", n / DAY),
            Scale::Seconds(n) if n.is_multiple_of(HOUR) => format!("{} h", n / HOUR),
            Scale::Seconds(n) if n.is_multiple_of(MINUTE) => format!("{} min", n / MINUTE),
            Scale::Seconds(n) => format!("{n} s"),
        }
    }

    /// Labels below bars, with a distance that leaves room for them.
    pub fn labels(&self) -> Vec<(u16, String)> {
        let every = self.label_distance();
        let mut out = Vec::new();
        let mut bar = 0;
        while bar < self.bars {
            let edge = self.edge(bar);
            let on_grid = match self.scale {
                Scale::Seconds(step) => {
                    let grid = u64::from(step) * u64::from(every);
                    u64::from(edge.secs) % grid < u64::from(step)
                }
                Scale::Increments(step) => (edge.inc / step).is_multiple_of(u32::from(every)),
            };
            if on_grid {
                out.push((bar, self.label(edge)));
                bar = bar.saturating_add(every);
            } else {
                bar += 1;
            }
        }
        out
    }

    fn label(&self, edge: Position) -> String {
        let time = time_of(edge.secs);
        let part = |range: std::ops::Range<usize>| time.get(range).unwrap_or("?").to_owned();
        match self.scale {
            Scale::Increments(_) => format!(":{}", edge.inc),
            Scale::Seconds(step) if step >= 86_400 => part(0..10),
            Scale::Seconds(step) if step >= 60 && edge.secs.is_multiple_of(86_400) => part(5..10),
            Scale::Seconds(step) if step * u32::from(self.label_distance()) >= 60 => part(11..16),
            Scale::Seconds(_) => part(11..19),
        }
    }

    /// Bars between two labels: a round amount of time.
    fn label_distance(&self) -> u16 {
        let room: u16 = match self.scale {
            Scale::Seconds(step) if step >= 86_400 => 12,
            _ => 10,
        };
        let Scale::Seconds(step) = self.scale else { return 10 };
        let wanted = u64::from(step) * u64::from(room);
        let grid = SECONDS
            .into_iter()
            .find(|s| u64::from(*s) >= wanted && s.is_multiple_of(step))
            .map_or(wanted, u64::from);
        u16::try_from(grid / u64::from(step)).unwrap_or(room).max(1)
    }
}

fn aligned(secs: u32, step: u32) -> Position {
    Position::new(secs / step * step, 0)
}

fn below(ladder: &[u32], step: u32) -> u32 {
    ladder.iter().copied().rev().find(|s| *s <= step / 2).unwrap_or(step)
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: u32 = 1_791_936_000; // midnight UTC

    #[test]
    fn all_of_a_day_fits_and_every_position_has_one_bar() {
        let (first, last) = (Position::new(T + 14, 1), Position::new(T + 86_394, 1));
        for bars in [1, 7, 60, 61, 120] {
            let axis = Axis::fit(first, last, bars);
            assert!(axis.bar_of(first).is_some() && axis.bar_of(last).is_some(), "{axis:?}");
            for n in 0..bars {
                assert_eq!(axis.bar_of(axis.edge(n)), Some(n));
            }
            assert_eq!(axis.bar_of(axis.end()), None);
        }
        assert_eq!(Axis::fit(first, last, 61).scale, Scale::Seconds(1800));
    }

    /// Whatever the range and the width, most of the bars are within the range, and every label
    /// tells its own bar.
    #[test]
    fn most_of_the_width_is_filled() {
        let first = Position::new(T, 1);
        for bars in [58, 78, 100, 138, 200] {
            for minutes in (bars / 2 / 3..3 * 24 * 60).step_by(7).chain([60, 24 * 60, 7 * 24 * 60]) {
                let last = Position::new(T + u32::from(minutes) * MINUTE - 1, 9);
                let axis = Axis::fit(first, last, bars);
                let used = axis.bar_of(last).expect("all of it fits") + 1;
                assert!(used > bars / 2, "{minutes} minutes in {bars} bars: {used}, {axis:?}");
                for (bar, label) in axis.labels() {
                    let time = axis.edge(bar).time();
                    assert!(
                        time.contains(&label) && (label.len() > 5 || time.ends_with(":00Z")),
                        "{time} {label}"
                    );
                }
            }
        }
        let day = |bars| Axis::fit(first, Position::new(T + DAY - 1, 1), bars).step_text();
        assert_eq!([day(58), day(78), day(138)], ["30 min", "20 min", "12 min"]);
    }

    #[test]
    fn steps_ascend_and_are_named_exactly() {
        assert!(SECONDS.windows(2).all(|w| w[0] < w[1]));
        let name = |n| Axis { from: Position::new(T, 0), scale: Scale::Seconds(n), bars: 9 }.step_text();
        let names = [1, 90, 120, 2400, 3600, 5400, 28_800, 86_400, 31_536_000].map(name);
        assert_eq!(names, ["1 s", "90 s", "2 min", "40 min", "1 h", "90 min", "8 h", "1 d", "365 d"]);
    }

    #[test]
    fn zooming_is_at_least_twofold() {
        let at = Position::new(T + 7_000, 5);
        for step in SECONDS.into_iter().filter(|s| *s > 1) {
            let axis = Axis { from: Position::new(T, 0), scale: Scale::Seconds(step), bars: 60 };
            let Scale::Seconds(closer) = axis.zoom_in(at, 9).scale else { panic!("seconds") };
            assert!(closer * 2 <= step, "{step} {closer}");
            let Scale::Seconds(farther) = axis.zoom_out(at).scale else { panic!("seconds") };
            assert!(farther >= step * 2 || step == 365 * DAY || step == 180 * DAY && farther == 365 * DAY);
        }
    }

    #[test]
    fn zooming_keeps_the_place_and_ends_at_single_increments() {
        let at = Position::new(T + 52_868, 500);
        let mut axis = Axis::fit(Position::new(T, 1), Position::new(T + 86_399, 1), 60);
        let mut seen = vec![axis];
        for _ in 0..40 {
            axis = axis.zoom_in(at, 944);
            assert!(axis.bar_of(at).is_some(), "{axis:?}");
            seen.push(axis);
        }
        assert_eq!(axis.scale, Scale::Increments(1));
        assert!(seen.iter().any(|a| a.scale == Scale::Increments(20)));
        for _ in 0..60 {
            axis = axis.zoom_out(at);
            assert!(axis.bar_of(at).is_some(), "{axis:?}");
        }
        assert_eq!(axis.scale, Scale::Seconds(31_536_000));
    }

    #[test]
    fn labels_stand_on_round_times_and_apart() {
        let axis = Axis::fit(Position::new(T, 1), Position::new(T + 86_399, 1), 61);
        let labels = axis.labels();
        assert_eq!(labels[0], (0, "10-14".into()));
        assert_eq!(labels[1], (12, "06:00".into()));
        let inside = Axis { from: Position::new(T, 0), scale: Scale::Increments(20), bars: 30 };
        assert_eq!(inside.labels()[1], (10, ":200".into()));
        let fine = Axis { from: Position::new(T + 3, 0), scale: Scale::Seconds(1), bars: 40 };
        // Seven seconds in, the clock stands on a round time.
        assert_eq!(fine.labels()[0], (7, "00:00:10".into()));
    }

    #[test]
    fn the_edges_of_time_do_not_overflow() {
        let axis = Axis::fit(Position::MIN, Position::MAX, 3);
        assert!(axis.bar_of(Position::MIN).is_some());
        let _ = (axis.end(), axis.labels(), axis.zoom_out(Position::MAX).labels());
        let _ = Axis::fit(Position::MAX, Position::MIN, 0).zoom_in(Position::MAX, u32::MAX).labels();
    }
}
