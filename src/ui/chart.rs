//! The chart of the timeline: a lane of bars for each kind of op, marks, and the axis.
//!
//! ```text
//! + insert   ....::..#...     1,234
//! ~ update   ............        12
//! - delete           #        1,906
//! ! command
//! marks         v     !  xx
//! 30 min     00:00     06:00
//! ```
//!
//! Heights grow with the square root, so that a single op can be seen beside a thousand and a
//! burst still stands out. A quiet lane is magnified, but ten times at most: one command must not
//! look like a mass delete.

use super::canvas::{Align, Canvas, width};
use super::glyphs::{Glyph, at_least, bar};
use super::theme::Role;
use crate::app::axis::Axis;
use crate::app::data::{Bars, Counted, Opened};
use crate::app::view::{Area, GUTTER, LANES};
use crate::app::{Hit, Model};
use crate::domain::op::OpKind;
use crate::domain::text::count_within;

/// The sign and the look of a kind.
pub fn look(kind: OpKind) -> (&'static str, Role) {
    match kind {
        OpKind::Insert => ("+", Role::Comes),
        OpKind::Update | OpKind::Replace => ("~", Role::Changes),
        OpKind::Delete => ("-", Role::Goes),
        OpKind::Command => ("!", Role::Command),
        OpKind::Noop => (" ", Role::Dim),
    }
}

/// The kinds of a lane.
const KINDS: [&[OpKind]; LANES as usize] =
    [&[OpKind::Insert], &[OpKind::Update, OpKind::Replace], &[OpKind::Delete], &[OpKind::Command]];

/// Draws it into `area`; a lane has `lane` rows.
pub fn draw(c: &mut Canvas, model: &Model, area: Area, lane: u16) {
    let Some(axis) = model.timeline.axis else { return };
    let bars = model.timeline.bars.value().filter(|bars| bars.axis == axis);
    let lanes: Vec<Vec<u32>> = KINDS.iter().map(|kinds| counts(bars, kinds, axis.bars)).collect();
    let most = lanes.iter().flatten().copied().max().unwrap_or(0);
    let mut y = area.y;
    for (kinds, counts) in KINDS.iter().zip(&lanes) {
        let Some(kind) = kinds.first() else { continue };
        let (sign, role) = look(*kind);
        let label = y + lane - 1;
        c.pieces(area.x, label, GUTTER.0, &[(sign, role), (" ", role), (kind.name(), role)]);
        draw_lane(
            c,
            Area { x: area.x + GUTTER.0, y, w: axis.bars, h: lane },
            counts,
            scale(counts, most),
            role,
        );
        let total: u64 = counts.iter().map(|n| u64::from(*n)).sum();
        let room = GUTTER.1 - 1;
        let text = match bars.map(Bars::counted) {
            None => String::new(),
            Some(Counted::All) => count_within(total, usize::from(room)),
            Some(Counted::SoFar) => {
                let mark = at_least(c.charset);
                format!("{mark}{}", count_within(total, usize::from(room - width(mark))))
            }
        };
        c.cell(area.x + GUTTER.0 + axis.bars, label, room, &text, Role::Dim, Align::Right);
        y += lane;
    }
    if let Some(bars) = bars {
        unread(c, bars, Area { x: area.x + GUTTER.0, y: area.y, w: axis.bars, h: lane * LANES }, lane);
    }
    let strip = Area { x: area.x + GUTTER.0, y, w: axis.bars, h: 1 };
    c.text(area.x, y, GUTTER.0, "marks", Role::Dim);
    if let Some(opened) = model.opened.value() {
        marks(c, model, opened, axis, strip);
    }
    labels(c, axis, Area { y: y + 1, ..strip });
    c.text(area.x, y + 1, GUTTER.0 - 1, &format!("{}/bar", axis.step_text()), Role::Dim);
    let height = lane * LANES + 1;
    if let Some(here) = axis.bar_of(model.timeline.at) {
        c.paint(Area { x: strip.x + here, y: area.y, w: 1, h: height }, Role::Selected);
    }
    for n in 0..axis.bars {
        c.hit(Area { x: strip.x + n, y: area.y, w: 1, h: height + 1 }, Hit::Bar(n));
    }
}

fn counts(bars: Option<&Bars>, kinds: &[OpKind], len: u16) -> Vec<u32> {
    let Some(bars) = bars else { return vec![0; usize::from(len)] };
    let of = |row: &[u32; OpKind::ALL.len()]| {
        let kinds = OpKind::ALL.iter().zip(row).filter(|(kind, _)| kinds.contains(kind));
        kinds.fold(0u32, |sum, (_, n)| sum.saturating_add(*n))
    };
    bars.counts.iter().map(of).collect()
}

fn draw_lane(c: &mut Canvas, area: Area, counts: &[u32], most: u32, role: Role) {
    let quarters = usize::from(area.h) * 4;
    for (x, n) in (area.x..area.x.saturating_add(area.w)).zip(counts) {
        let filled = filled(*n, most, quarters);
        for row in 0..area.h {
            let below = usize::from(area.h - 1 - row) * 4;
            if let Some(glyph) = bar(filled.saturating_sub(below)) {
                let text = c.glyph(glyph);
                c.text(x, area.y + row, 1, text, role);
            }
        }
    }
}

/// What is not read yet: no bar there does not mean no op.
fn unread(c: &mut Canvas, bars: &Bars, area: Area, lane: u16) {
    const WORDS: &str = " not read yet ";
    let Some(from) = (0..area.w).find(|n| bars.axis.edge(*n) >= bars.until) else { return };
    let rule = c.glyph(Glyph::Rule);
    let (x, wide) = (area.x + from, area.w - from);
    for y in (area.y..area.y + area.h).skip(usize::from(lane - 1)).step_by(usize::from(lane.max(1))) {
        c.text(x, y, wide, &rule.repeat(usize::from(wide)), Role::Dim);
    }
    if wide > width(WORDS) + 2 {
        c.text(x + 2, area.y + lane - 1, width(WORDS), WORDS, Role::Dim);
    }
}

/// The count that fills a lane.
fn scale(counts: &[u32], most: u32) -> u32 {
    counts.iter().copied().max().unwrap_or(0).max(most / 10)
}

/// How many of the quarters a count fills: none only for nothing.
fn filled(n: u32, most: u32, quarters: usize) -> usize {
    if n == 0 || quarters == 0 {
        return 0;
    }
    let share = (f64::from(n) / f64::from(most.max(n))).sqrt();
    1 + (share * (quarters - 1) as f64).round() as usize
}

/// Gaps, snapshots, suspects, marks and the stop, the more important ones over the others.
pub fn marks(c: &mut Canvas, model: &Model, opened: &Opened, axis: Axis, strip: Area) {
    let put = |c: &mut Canvas, n: u16, glyph: Glyph, role: Role| {
        let text = c.glyph(glyph);
        c.text(strip.x + n, strip.y, 1, text, role);
    };
    for gap in &opened.gaps {
        for n in axis.bars_of(gap.after, gap.before).into_iter().flatten() {
            put(c, n, Glyph::Gap, Role::Bad);
        }
    }
    for base in &opened.bases {
        if let Some(n) = base.info.edge.and_then(|edge| axis.bar_of(edge)) {
            put(c, n, Glyph::Snapshot, Role::Comes);
        }
    }
    for burst in model.suspects.bursts() {
        if let Some(n) = axis.bar_of(burst.first) {
            put(c, n, Glyph::Suspect, Role::Goes);
        }
    }
    for mark in &model.marks.list {
        if let Some(n) = axis.bar_of(mark.pos) {
            put(c, n, Glyph::Mark, Role::Mark);
        }
    }
    if let Some(n) = model.choice.stop.and_then(|stop| axis.bar_of(stop)) {
        put(c, n, Glyph::Stop, Role::Mark);
    }
}

fn labels(c: &mut Canvas, axis: Axis, strip: Area) {
    let mut free = 0;
    for (n, text) in axis.labels() {
        let wide = width(&text);
        if n >= free && n + wide <= strip.w {
            c.text(strip.x + n, strip.y, wide, &text, Role::Dim);
            free = n + wide + 1;
        }
    }
}

/// What the marks mean, in one line.
pub fn legend(c: &mut Canvas, x: u16, y: u16, room: u16) {
    let mut at = x;
    for (glyph, role, name) in [
        (Glyph::Snapshot, Role::Comes, "snapshot"),
        (Glyph::Suspect, Role::Goes, "suspect"),
        (Glyph::Stop, Role::Mark, "stop"),
        (Glyph::Gap, Role::Bad, "gap"),
    ] {
        let text = c.glyph(glyph);
        at = c.pieces(at, y, (x + room).saturating_sub(at), &[(text, role), (" ", role), (name, Role::Dim)])
            + 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_op_is_seen_beside_a_thousand() {
        assert_eq!(filled(0, 1000, 4), 0);
        assert_eq!(filled(1, 1000, 4), 1);
        assert_eq!(filled(1000, 1000, 4), 4);
        assert_eq!(filled(1, 1, 8), 8);
        let levels: Vec<usize> = [1, 100, 1000, 10_000].iter().map(|n| filled(*n, 10_000, 12)).collect();
        assert!(levels.windows(2).all(|w| w[0] < w[1]), "{levels:?}");
    }

    #[test]
    fn one_command_does_not_look_like_a_mass_delete() {
        assert_eq!(filled(1, scale(&[1], 2000), 4), 1);
        assert_eq!(filled(60, scale(&[60, 3], 100), 4), 4);
    }
}
