//! Keys that wait: the cursor or the stop is on its way, and they are meant for where it arrives. A
//! search, which may take long, makes only those wait that are about what it finds.

use super::actions::{self, contexts};
use super::effect::Effect;
use super::jobs::Slot;
use super::model::{Model, Screen};
use super::update;
use crate::keys::{Code, Key, Resolution};

/// So many keys wait at most.
const HELD: usize = 64;

const SEARCH_STOPPED: &str = "the search was stopped";

/// Whether the cursor or the stop is being moved by a job. A key pressed now is meant for where
/// it arrives: acting on where it was could choose the wrong stop.
pub fn is_on_its_way(model: &Model) -> bool {
    let runs = |slot| model.jobs.get(slot).is_some();
    let unseen = model.screen() == Screen::Timeline && model.timeline.selected().is_none();
    let placed = [Slot::Locate, Slot::Search, Slot::Stop];
    let folds = runs(Slot::Fold) && model.timeline.aside.is_none();
    placed.into_iter().any(runs) || folds || runs(Slot::Rows) && unseen
}

/// Takes a key, or lets it wait. Esc and Ctrl-c never wait: they end the waiting. A search, which
/// may take long, gives way to every key that is not meant for what it finds, and Esc ends only it.
pub fn arrive(model: &mut Model, pressed: Key, out: &mut Vec<Effect>) {
    let escapes = pressed == Key::plain(Code::Esc);
    if escapes || pressed == Key::ctrl('c') {
        model.held.clear();
        if escapes && stop_search(model, out) {
            model.say(SEARCH_STOPPED);
        } else {
            update::key(model, pressed, out);
        }
        return;
    }
    let searches = model.jobs.get(Slot::Search).is_some() && model.held.is_empty();
    let gives_way = searches
        && match meant(model, pressed) {
            // Nothing is done yet, whatever it becomes.
            Resolution::Begun | Resolution::Nothing => return update::key(model, pressed, out),
            Resolution::Action(action) => !actions::is_about_the_op(action),
        };
    if gives_way {
        stop_search(model, out);
    }
    if !is_on_its_way(model) {
        update::key(model, pressed, out);
        if gives_way && model.status.is_none() {
            model.say(SEARCH_STOPPED);
        }
    } else if model.held.len() < HELD {
        model.held.push(pressed);
    }
}

/// What a key would do now, at the end of those before it or by itself.
fn meant(model: &Model, pressed: Key) -> Resolution {
    let contexts = contexts(model);
    let keys: Vec<Key> = model.pressed.iter().copied().chain([pressed]).collect();
    match model.keymap.resolve(&contexts, &keys) {
        Resolution::Nothing => model.keymap.resolve(&contexts, &[pressed]),
        resolution => resolution,
    }
}

/// Nobody wants to know any more what is being searched for, nor waits for it; `false` = nothing
/// is.
pub fn stop_search(model: &mut Model, out: &mut Vec<Effect>) -> bool {
    let searched = model.jobs.forget(Slot::Search);
    if searched {
        model.held.clear();
        out.push(Effect::Cancel(Slot::Search));
    }
    searched
}
