//! The suspects: bursts that look like damage, the worst first.

use crate::app::effect::{Effect, Work};
use crate::app::model::{Model, Screen};
use crate::app::screens::{stop, timeline};
use crate::app::window::Window;
use crate::app::{Loadable, actions, jobs::Slot, update, view};
use crate::domain::Position;
use crate::domain::burst::Burst;
use crate::keys::Action;

/// Its state.
#[derive(Debug, Clone, Default)]
pub struct Suspects {
    /// What was found, the worst first.
    pub found: Loadable<Vec<Burst>>,
    /// Which is highlighted.
    pub list: Window,
}

impl Suspects {
    /// What was found so far.
    pub fn bursts(&self) -> &[Burst] {
        self.found.value().map_or(&[], Vec::as_slice)
    }

    /// The highlighted one.
    pub fn selected(&self) -> Option<&Burst> {
        self.bursts().get(usize::try_from(self.list.cursor).ok()?)
    }

    /// The next one behind a position, in the order of time; round at the end.
    pub fn next(&self, at: Position) -> Option<&Burst> {
        let later = self.bursts().iter().filter(|b| b.first > at).min_by_key(|b| b.first);
        later.or_else(|| self.bursts().iter().min_by_key(|b| b.first))
    }

    /// The one before a position, in the order of time; round at the beginning.
    pub fn previous(&self, at: Position) -> Option<&Burst> {
        let earlier = self.bursts().iter().filter(|b| b.first < at).max_by_key(|b| b.first);
        earlier.or_else(|| self.bursts().iter().max_by_key(|b| b.first))
    }

    /// The one that an op belongs to, by its position.
    pub fn around(&self, at: Position) -> Option<&Burst> {
        self.bursts().iter().find(|b| b.first <= at && at <= b.last)
    }
}

/// Starts looking.
pub fn look(model: &mut Model, out: &mut Vec<Effect>) {
    model.suspects.found.ask(model.now);
    update::ask(model, Slot::Suspects, Work::Suspects, out);
}

/// Carries an action out; `false` = it is none of this screen.
pub fn perform(model: &mut Model, action: Action, out: &mut Vec<Effect>) -> bool {
    if let Some(motion) = actions::motion(action) {
        let rows = view::list_rows(Screen::Suspects, model.size);
        let len = model.suspects.bursts().len() as u64;
        model.suspects.list.go(motion, len, rows);
        return true;
    }
    let Some((first, bound)) = model.suspects.selected().map(|b| (b.first, b.stop)) else { return false };
    match action {
        Action::Open => {
            timeline::go_to(model, first, out);
            model.show(Screen::Timeline);
        }
        Action::StopBefore => {
            timeline::go_to(model, first, out);
            stop::choose(model, bound, out);
        }
        _ => return false,
    }
    true
}
