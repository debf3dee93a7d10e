//! The snapshots: which bases there are, which stops each allows, and what the oplog covers.

use crate::app::data::{Base, Opened};
use crate::app::effect::{Effect, Work};
use crate::app::model::{Model, Screen};
use crate::app::screens::{stop, timeline};
use crate::app::{actions, jobs::Slot, update, view};
use crate::domain::plan::choose_base;
use crate::domain::snapshot::SnapshotInfo;
use crate::domain::{Position, Result};
use crate::keys::Action;

/// How many rows the list has: the first one is "whichever is newest before the stop".
pub fn len(opened: &Opened) -> u64 {
    opened.bases.len() as u64 + 1
}

/// The snapshot in a row; `None` = the row that leaves the choice to the stop.
pub fn in_row(opened: &Opened, row: u64) -> Option<&Base> {
    opened.bases.get(usize::try_from(row.checked_sub(1)?).ok()?)
}

/// The base for a stop, or why there is none.
pub fn base<'o>(opened: &'o Opened, named: Option<&str>, bound: Position) -> Result<&'o SnapshotInfo> {
    let infos: Vec<SnapshotInfo> = opened.bases.iter().map(|b| b.info.clone()).collect();
    let id = choose_base(&infos, named, bound, &opened.segments, &opened.gaps)?.id.clone();
    let found = opened.bases.iter().find(|b| b.info.id == id).map(|b| &b.info);
    found.ok_or_else(|| {
        Box::new(crate::domain::Error::failed("choosing the snapshot for", bound, "it is gone"))
    })
}

/// Asks for the sources.
pub fn open(model: &mut Model, out: &mut Vec<Effect>) {
    model.opened.ask(model.now);
    update::ask(model, Slot::Open, Work::Open, out);
}

/// The sources are there: read the oplog, and meanwhile look for damage.
pub fn opened(model: &mut Model, answer: Result<Opened>, out: &mut Vec<Effect>) {
    model.opened.fill(answer);
    if let Some(opened) = model.opened.ready() {
        model.marks.list = opened.marks.clone();
    }
    stop::resume(model);
    if model.opened.ready().is_some_and(|o| o.entries > 0) {
        timeline::index(model, out);
    }
}

/// Carries an action out; `false` = it is none of this screen.
pub fn perform(model: &mut Model, action: Action, out: &mut Vec<Effect>) -> bool {
    let Some(opened) = model.opened.value() else {
        // Typing ahead: the timeline says what is awaited.
        if action == Action::Open {
            model.show(Screen::Timeline);
        }
        return action == Action::Open;
    };
    if let Some(motion) = actions::motion(action) {
        let rows = view::list_rows(Screen::Snapshots, model.size);
        model.snapshots.go(motion, len(opened), rows);
        return true;
    }
    if action != Action::Open {
        return false;
    }
    let named = in_row(opened, model.snapshots.cursor).map(|b| (b.info.id.clone(), b.valid));
    if model.choice.snapshot != named.as_ref().map(|(id, _)| id.clone()) {
        model.choice.snapshot = named.as_ref().map(|(id, _)| id.clone());
    }
    if let Some((_, Some(valid))) = named {
        timeline::go_to(model, valid.first, out);
    }
    model.show(Screen::Timeline);
    true
}
