//! The stop: choosing it, moving it by one op, and the panel that shows both its neighbours.

use crate::app::effect::{Copy, Effect, Work};
use crate::app::model::Model;
use crate::app::overlay::{Menu, Overlay};
use crate::app::{jobs::Slot, update};
use crate::domain::Position;
use crate::domain::stop::other_tools;
use crate::keys::Action;

/// Chooses this exclusive bound and shows it.
pub fn choose(model: &mut Model, bound: Position, out: &mut Vec<Effect>) {
    model.choice.stop = Some(bound);
    model.choice.facts.ask(model.now);
    update::ask(model, Slot::Stop, Work::Stop { bound }, out);
    if !matches!(model.overlays.last(), Some(Overlay::Stop)) {
        model.overlays.push(Overlay::Stop);
    }
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
        _ => return false,
    }
    true
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
