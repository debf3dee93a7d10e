//! Bursts in the list: folded into one row each, opened and closed. The cursor stays on the op it
//! is on, or goes to the heading that hides it.

use super::demand::recount;
use super::{forget, moving, stale};
use crate::app::data::Counted;
use crate::app::effect::{Effect, Work};
use crate::app::list::{Anchor, Line, Listed, Spot, View};
use crate::app::model::Model;
use crate::app::{jobs::Slot, update};

/// Folds bursts, once they are known.
pub fn fold(model: &mut Model, out: &mut Vec<Effect>) {
    if !model.timeline.unfolded && model.timeline.index.ready().is_some() {
        let view = View { folded: true, ..model.timeline.view.clone() };
        aside(model, view, out);
    }
}

/// Works the list out anew as it is shown: it may have grown.
pub fn again(model: &mut Model, out: &mut Vec<Effect>) {
    let view = model.timeline.view.clone();
    aside(model, view, out);
}

/// The list is about to become another one: what is being folded is of no use.
pub fn drop_aside(model: &mut Model, out: &mut Vec<Effect>) {
    if model.timeline.aside.take().is_some() && model.jobs.forget(Slot::Fold) {
        out.push(Effect::Cancel(Slot::Fold));
    }
}

/// Folds a whole list that is not: it came op by op, or another was to come in its place.
pub fn resume(model: &mut Model, out: &mut Vec<Effect>) {
    let is_read = model.timeline.index.ready().is_some_and(|indexed| indexed.counted == Counted::All);
    let is_whole = is_read && model.timeline.counted == Counted::All;
    if is_whole && !model.timeline.view.folded && model.suspects.found.ready().is_some() {
        fold(model, out);
    }
}

/// Nobody has asked for it and it may take long: one goes on in the list that is there.
fn aside(model: &mut Model, view: View, out: &mut Vec<Effect>) {
    let at = here(model);
    list(model, view, at, out);
    model.timeline.aside = Some(at);
}

/// Goes on filtering where more has been read, in place of whatever is being filtered.
pub fn further(model: &mut Model, out: &mut Vec<Effect>) {
    let (view, at) = (model.timeline.view.clone(), here(model));
    update::ask(model, Slot::Filter, Work::List { view, at }, out);
}

/// The list has changed.
pub fn listed(model: &mut Model, listed: Listed, out: &mut Vec<Effect>) {
    let was_aside = model.jobs.get(Slot::Fold).is_none().then(|| model.timeline.aside.take()).flatten();
    if was_aside.is_some_and(|at| at != here(model)) {
        // One has gone on meanwhile. It is worked out: all that is to be found is the row.
        list(model, listed.view, here(model), out);
        return;
    }
    let counted = listed.counted;
    listed_so_far(model, listed, out);
    // All has been read meanwhile.
    let is_read = model.timeline.index.ready().is_some_and(|indexed| indexed.counted == Counted::All);
    if is_read && counted == Counted::SoFar {
        further(model, out);
    } else {
        resume(model, out);
    }
}

/// Some of the list is there; it is still being worked out.
pub fn listed_so_far(model: &mut Model, listed: Listed, out: &mut Vec<Effect>) {
    let same = model.timeline.view == listed.view;
    let only_longer = same && !listed.view.folded;
    model.timeline.view = listed.view;
    model.timeline.rows = listed.len;
    model.timeline.ops = listed.ops;
    model.timeline.counted = listed.counted;
    match same {
        // The rows there were are where they were.
        true if only_longer => recount(model),
        // It has grown, or bursts have: what is shown stays until what follows it is there.
        true => stale(model),
        false => forget(model),
    }
    if !only_longer {
        moving::jump(model, listed.row);
    }
    if let Some(pos) = model.timeline.goal {
        moving::go_to(model, pos, out);
    }
}

/// Goes to an op, and opens the burst it is hidden in.
pub fn show(model: &mut Model, spot: Spot, out: &mut Vec<Effect>) {
    match spot.inside {
        None => {
            let timeline = &mut model.timeline;
            if timeline.counted == Counted::SoFar && !timeline.view.folded {
                // It was read after the rows were counted.
                timeline.rows = timeline.rows.max(spot.row + 1);
                timeline.ops = timeline.rows;
            }
            moving::jump(model, spot.row);
        }
        Some(burst) => {
            let mut view = model.timeline.view.clone();
            view.open.insert(burst);
            list(model, view, Anchor::Op(spot.op), out);
        }
    }
}

/// Goes to an op of the list without folds, or to the heading that hides it.
pub fn at(model: &mut Model, op: u64, out: &mut Vec<Effect>) {
    let view = model.timeline.view.clone();
    list(model, view, Anchor::Op(op), out);
}

/// Opens or closes the burst one is on or in.
pub fn toggle(model: &mut Model, out: &mut Vec<Effect>) {
    let number = match model.timeline.here() {
        Some(Line::Burst(folded)) => Some(folded.number),
        Some(Line::Op { of, .. }) => *of,
        None => return,
    };
    let Some(number) = number else {
        model.say("this op belongs to no burst");
        return;
    };
    let mut view = model.timeline.view.clone();
    if !view.open.remove(&number) {
        view.open.insert(number);
    }
    list(model, view, Anchor::Burst(number), out);
}

/// Folds all bursts, or shows every op by itself.
pub fn toggle_all(model: &mut Model, out: &mut Vec<Effect>) {
    let folded = !model.timeline.view.folded;
    model.timeline.unfolded = !folded;
    let view = View { folded, open: Default::default(), ..model.timeline.view.clone() };
    list(model, view, here(model), out);
    model.say(if folded { "bursts are folded into one row each" } else { "every op has a row of its own" });
}

fn list(model: &mut Model, view: View, at: Anchor, out: &mut Vec<Effect>) {
    model.timeline.aside = None;
    update::ask(model, Slot::Fold, Work::List { view, at }, out);
}

fn here(model: &Model) -> Anchor {
    let timeline = &model.timeline;
    match timeline.here() {
        Some(line) => Anchor::Op(line.at()),
        // Its row is on its way, and without folds its number is known.
        None if !timeline.view.folded && timeline.goal.is_none() && timeline.rows > 0 => {
            Anchor::Op(timeline.list.cursor)
        }
        None => Anchor::Pos(timeline.at),
    }
}
