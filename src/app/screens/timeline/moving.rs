//! Moving through time: row by row, bar by bar, to suspects, gaps and snapshots, closer and
//! farther away.

use super::growing;
use crate::app::axis::Axis;
use crate::app::data::Counted;
use crate::app::effect::{Effect, Work};
use crate::app::model::Model;
use crate::app::window::Motion;
use crate::app::{actions, jobs::Slot, update, values, view};
use crate::domain::Position;
use crate::domain::text::{count, counted};
use crate::keys::Action;

/// Goes to the first op at or behind a position.
pub fn go_to(model: &mut Model, pos: Position, out: &mut Vec<Effect>) {
    model.timeline.at = pos;
    model.timeline.goal = Some(pos);
    if model.timeline.index.ready().is_some() {
        let work = Work::Locate { view: model.timeline.view.clone(), pos };
        update::ask(model, Slot::Locate, work, out);
    }
}

/// Goes to a row.
pub fn jump(model: &mut Model, row: u64) {
    let rows = u64::from(view::timeline(model.size).list.h);
    let len = model.timeline.rows;
    model.timeline.list.jump(row, len, rows);
}

/// Carries an action out; `false` = it does not move.
pub fn perform(model: &mut Model, action: Action, out: &mut Vec<Effect>) -> bool {
    if let Some(motion) = actions::motion(action) {
        go(model, motion);
        return true;
    }
    match action {
        Action::NextSuspect | Action::PreviousSuspect => to_suspect(model, action, out),
        Action::NextEdge | Action::PreviousEdge => to_edge(model, action, out),
        Action::BarLeft | Action::BarRight => to_bar(model, action, out),
        Action::ZoomIn | Action::ZoomOut | Action::ZoomFit => zoom(model, action),
        _ => return false,
    }
    true
}

fn go(model: &mut Model, motion: Motion) {
    let rows = u64::from(view::timeline(model.size).list.h);
    let len = model.timeline.rows;
    model.timeline.goal = None;
    model.timeline.list.go(motion, len, rows);
}

fn to_suspect(model: &mut Model, action: Action, out: &mut Vec<Effect>) {
    let at = model.timeline.at;
    let found = match action {
        Action::NextSuspect => model.suspects.next(at),
        _ => model.suspects.previous(at),
    };
    let Some(burst) = found else { return };
    let place = model.suspects.bursts().iter().position(|b| b == burst).unwrap_or_default();
    let text = format!(
        "suspect {} of {}: {} in {}, {}",
        place + 1,
        model.suspects.bursts().len(),
        burst.what,
        burst.ns,
        values::touched(burst, "")
    );
    let pos = burst.first;
    model.say(text);
    go_to(model, pos, out);
}

/// To the next or previous place where a gap begins or ends, or a snapshot becomes usable.
fn to_edge(model: &mut Model, action: Action, out: &mut Vec<Effect>) {
    let at = model.timeline.at;
    let Some(opened) = model.opened.value() else { return };
    let mut edges: Vec<(Position, String)> = Vec::new();
    for gap in &opened.gaps {
        edges.push((
            gap.after,
            format!("the last op before a gap, {} to {}", gap.after.time(), gap.before.time()),
        ));
        edges.push((
            gap.before,
            format!("the first op behind a gap, {} to {}", gap.after.time(), gap.before.time()),
        ));
    }
    for base in &opened.bases {
        let edge = base.valid.map(|v| (v.first, format!("the first stop of snapshot {}", base.info.id)));
        edges.extend(edge);
    }
    let found = match action {
        Action::NextEdge => edges.into_iter().filter(|(pos, _)| *pos > at).min_by_key(|(pos, _)| *pos),
        _ => edges.into_iter().filter(|(pos, _)| *pos < at).max_by_key(|(pos, _)| *pos),
    };
    match found {
        Some((pos, text)) => {
            model.say(text);
            go_to(model, pos, out);
        }
        None => model.say("there is no gap or snapshot in that direction"),
    }
}

/// To the ops of the nearest bar that has any; row by row where none is in view.
fn to_bar(model: &mut Model, action: Action, out: &mut Vec<Effect>) {
    let to_the_right = action == Action::BarRight;
    let target = model.timeline.axis.and_then(|axis| {
        let here = axis.bar_of(model.timeline.at)?;
        let bars = model.timeline.bars.ready().filter(|bars| bars.axis == axis)?;
        let full = |bar: &u16| bars.counts.get(usize::from(*bar)).is_some_and(|c| c.iter().any(|n| *n > 0));
        let bar = match to_the_right {
            true => (here + 1..axis.bars).find(full),
            false => (0..here).rev().find(full),
        };
        bar.map(|bar| axis.edge(bar))
    });
    match (target, model.timeline.axis) {
        (Some(pos), _) => go_to(model, pos, out),
        (None, Some(axis)) if to_the_right => go_to(model, axis.end(), out),
        _ => go(model, Motion::Rows(if to_the_right { 1 } else { -1 })),
    }
}

fn zoom(model: &mut Model, action: Action) {
    let Some(axis) = model.timeline.axis else { return };
    let at = model.timeline.at;
    let wanted = match action {
        Action::ZoomIn => axis.zoom_in(at, ops_in_bar(model, axis, at)),
        Action::ZoomOut => axis.zoom_out(at),
        _ => {
            let range = model.opened.value().and_then(|o| Some((o.first?, o.last?)));
            range.map_or(axis, |(first, last)| Axis::fit(first, last, axis.bars))
        }
    };
    if wanted == axis {
        model.say("that is as far as it goes");
    }
    model.timeline.axis = Some(wanted);
}

fn ops_in_bar(model: &Model, axis: Axis, at: Position) -> u32 {
    let bar = axis.bar_of(at).map(usize::from);
    let bars = model.timeline.bars.ready();
    bar.zip(bars).and_then(|(bar, bars)| bars.counts.get(bar)).map_or(0, |counts| counts.iter().sum())
}

/// Where one is in the list, in words: `op 1,234 of 21,935`. `at_least` stands before a count of
/// what has been read so far.
pub fn place(model: &Model, at_least: &str) -> String {
    let so_far = growing::so_far(model.timeline.counted);
    let mark = match model.timeline.counted {
        Counted::All => String::new(),
        Counted::SoFar => format!("{at_least} "),
    };
    let place = match (model.timeline.ops, model.timeline.here()) {
        (0, _) => format!("no ops{so_far}"),
        (ops, None) => format!("{mark}{}", counted(ops, "op")),
        (ops, Some(line)) => format!("op {} of {mark}{}", count(line.at() + 1), count(ops)),
    };
    let goal = model.timeline.goal.filter(|_| model.timeline.counted == Counted::SoFar);
    goal.map_or(place.clone(), |goal| format!("{place}  goes to {goal} once it is read"))
}
