//! The stop: choosing it, moving it by one op, by one burst, to a time; the panel that shows both
//! its neighbours and what follows; and that the case remembers it.

use crate::app::effect::{Copy, Effect, Work};
use crate::app::model::Model;
use crate::app::overlay::{Menu, Overlay};
use crate::app::prompts::Purpose;
use crate::app::screens::{goto, timeline};
use crate::app::{jobs::Slot, update};
use crate::domain::Position;
use crate::domain::stop::{ValidStops, other_tools};
use crate::domain::text::counted;
use crate::keys::Action;

/// Chooses this exclusive bound and shows it.
pub fn choose(model: &mut Model, bound: Position, out: &mut Vec<Effect>) {
    model.choice.stop = Some(bound);
    look(model, out);
    if !matches!(model.overlays.last(), Some(Overlay::Stop)) {
        model.overlays.push(Overlay::Stop);
    }
}

/// Asks what the chosen stop is: its neighbours, and what follows.
pub fn look(model: &mut Model, out: &mut Vec<Effect>) {
    let Some(bound) = model.choice.stop else { return };
    model.choice.facts.ask(model.now);
    update::ask(model, Slot::Stop, Work::Stop { bound }, out);
    model.choice.after = Default::default();
    if matches!(model.base(), Some(Ok(_))) {
        model.choice.after.ask(model.now);
        let snapshot = model.choice.snapshot.clone();
        update::ask(model, Slot::After, Work::After { bound, snapshot }, out);
    } else if model.jobs.get(Slot::After).is_some() {
        out.push(Effect::Cancel(Slot::After));
    }
}

/// The stop chosen the last time this case was open.
pub fn resume(model: &mut Model) {
    let Some(opened) = model.opened.ready() else { return };
    let Some((bound, snapshot)) = opened.chosen.clone() else { return };
    if model.choice.stop.is_some() {
        return;
    }
    model.choice.stop = Some(bound);
    model.choice.snapshot = snapshot.filter(|id| opened.bases.iter().any(|base| base.info.id == *id));
    model.choice.noted = Some((bound, model.choice.snapshot.clone()));
    model.say(format!("the stop of the last time: before {bound} ({})", bound.time()));
}

/// Notes the stop in the case, once it is possible and nobody moves it any more.
pub fn demand(model: &mut Model, out: &mut Vec<Effect>) {
    let moving = matches!(model.overlays.last(), Some(Overlay::Stop | Overlay::Prompt(_)));
    let Some(bound) = model.choice.stop.filter(|_| !moving) else { return };
    let chosen = (bound, model.choice.snapshot.clone());
    let settled = model.choice.facts.ready().is_some_and(|facts| facts.stop.bound == bound);
    if !settled || model.choice.noted.as_ref() == Some(&chosen) || !matches!(model.base(), Some(Ok(_))) {
        return;
    }
    model.choice.noted = Some(chosen.clone());
    let (bound, snapshot) = chosen;
    update::ask(model, Slot::Decide, Work::Decide { bound, snapshot }, out);
}

/// Carries an action out on the panel; `false` = it is not for it.
pub fn perform(model: &mut Model, action: Action, out: &mut Vec<Effect>) -> bool {
    let facts = model.choice.facts.ready();
    match action {
        Action::StopEarlier => match facts.and_then(|f| f.stop.last_applied.as_ref()).map(|op| op.pos) {
            Some(bound) => choose(model, bound, out),
            None => model.say("this is the first op there is"),
        },
        Action::StopLater => match facts.and_then(|f| f.stop.first_left_out.as_ref()).map(|op| op.pos.next())
        {
            Some(bound) => choose(model, bound, out),
            None => model.say("this is the end of the oplog"),
        },
        Action::BurstEarlier | Action::BurstLater => by_burst(model, action, out),
        Action::StopAt => timeline::prompt(model, Purpose::StopAt),
        Action::NearestStop => match nearest(model) {
            Some(bound) => choose(model, bound, out),
            None => model.say("no snapshot allows any stop"),
        },
        _ => return false,
    }
    true
}

/// To the next place in that direction where a suspect begins or has ended.
fn by_burst(model: &mut Model, action: Action, out: &mut Vec<Effect>) {
    let Some(bound) = model.choice.stop else { return };
    let bursts = model.suspects.bursts().iter();
    let edges =
        bursts.flat_map(|burst| [(burst.first, "before", burst), (burst.last.next(), "after", burst)]);
    let found = match action {
        Action::BurstLater => edges.filter(|(pos, ..)| *pos > bound).min_by_key(|(pos, ..)| *pos),
        _ => edges.filter(|(pos, ..)| *pos < bound).max_by_key(|(pos, ..)| *pos),
    };
    match found.map(|(pos, side, burst)| (pos, side, burst.clone())) {
        Some((pos, side, burst)) => {
            choose(model, pos, out);
            let documents = counted(burst.documents, "document");
            model.say(format!("{side}: {} in {}, {documents}", burst.what, burst.ns));
        }
        None => model.say("there is no suspect in that direction"),
    }
}

/// The valid stop that is nearest to the chosen one, over the base named or any.
pub fn nearest(model: &Model) -> Option<Position> {
    let bound = model.choice.stop?;
    let named = model.choice.snapshot.as_deref();
    let bases = model.opened.value()?.bases.iter();
    let valid = bases.filter(|base| named.is_none_or(|id| base.info.id == id)).filter_map(|base| base.valid);
    let clamped = valid.map(|ValidStops { first, last }| bound.max(first).min(last));
    clamped.min_by_key(|pos| pos.to_u64().abs_diff(bound.to_u64()))
}

/// The stop somebody has typed: a place as in jumps, with or without `before` or `after` in front.
/// The error is a sentence for the prompt.
pub fn typed(model: &Model, text: &str) -> Result<Position, String> {
    let (after, place) = match (text.strip_prefix("after "), text.strip_prefix("before ")) {
        (Some(rest), _) => (true, rest),
        (None, Some(rest)) => (false, rest),
        (None, None) => (false, text),
    };
    let last = model.opened.value().and_then(|o| o.last).unwrap_or(Position::MIN);
    let pos = goto::parse(place.trim(), model.choice.stop.unwrap_or(model.timeline.at), last)?;
    Ok(match (after, pos.inc) {
        (false, _) => pos,
        // A time means its whole second.
        (true, 0) => Position::new(pos.secs.saturating_add(1), 0),
        (true, _) => pos.next(),
    })
}

/// What can be copied of a stop: for this program and for others.
pub fn menu(model: &Model) -> Option<Menu> {
    let bound = model.choice.stop?;
    let ours = format!("--before {bound}");
    let mut items = vec![("this stop".to_owned(), ours.clone(), Copy::Text(ours))];
    let known = model.choice.facts.ready().filter(|f| f.stop.bound == bound);
    let last = known.and_then(|f| f.stop.last_applied.as_ref()).map(|op| op.pos);
    if known.is_some() {
        let tools = other_tools(bound, last);
        for (name, text) in [("mongorestore", tools.mongorestore), ("pbm", tools.pbm), ("Atlas", tools.atlas)]
        {
            items.push((format!("for {name}"), text.clone(), Copy::Text(text)));
        }
    }
    Some(Menu { title: "Copy the stop".into(), items, list: Default::default() })
}
