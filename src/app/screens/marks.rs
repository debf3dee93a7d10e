//! The marks: named places in the oplog, with the chosen stop and the end beside them. Some are
//! chosen to look at their states side by side; a restore from any of them is one key away.

use std::collections::BTreeSet;

use crate::app::effect::{Effect, Work};
use crate::app::model::{Model, Screen};
use crate::app::overlay::{Confirm, Overlay, Then};
use crate::app::prompts::{self, Purpose};
use crate::app::screens::{plan, states, stop, timeline};
use crate::app::window::Window;
use crate::app::{actions, jobs::Slot, update, view};
use crate::domain::Position;
use crate::domain::marks::{Mark, check_name};
use crate::domain::states::Moment;
use crate::keys::Action;

/// Their state.
#[derive(Debug, Clone, Default)]
pub struct Marks {
    /// They, by position.
    pub list: Vec<Mark>,
    /// Which row is highlighted.
    pub window: Window,
    /// The rows chosen, by their positions.
    pub chosen: BTreeSet<Position>,
    /// The mark that is being set: where, and its name as soon as it has one.
    naming: Option<(Position, String)>,
    /// The mark that is to be taken away.
    removing: Option<String>,
}

/// A row of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Row<'m> {
    /// The chosen stop.
    Stop(Position),
    /// A mark.
    Mark(&'m Mark),
    /// The end of the oplog.
    End(Position),
}

impl Row<'_> {
    /// Operations below this count.
    pub fn bound(&self) -> Position {
        match self {
            Row::Stop(bound) | Row::End(bound) => *bound,
            Row::Mark(mark) => mark.pos,
        }
    }

    /// As a time to look at.
    fn moment(&self) -> Moment {
        let (name, note) = match self {
            Row::Stop(_) => (Some("the stop".to_owned()), None),
            Row::End(_) => (Some("the end".to_owned()), None),
            Row::Mark(mark) => (Some(mark.name.clone()), mark.note.clone()),
        };
        Moment { name, note, bound: self.bound() }
    }
}

/// All rows in the order of time: the stop, the marks, the end.
pub fn rows(model: &Model) -> Vec<Row<'_>> {
    let stop = model.choice.stop.map(Row::Stop);
    let end = model.opened.value().and_then(|o| o.last).map(|last| Row::End(last.next()));
    let marks = model.marks.list.iter().map(Row::Mark);
    let mut rows: Vec<Row<'_>> = stop.into_iter().chain(marks).chain(end).collect();
    rows.sort_by_key(Row::bound);
    rows
}

/// The highlighted row.
pub fn selected(model: &Model) -> Option<Row<'_>> {
    rows(model).into_iter().nth(usize::try_from(model.marks.window.cursor).ok()?)
}

/// The times whose states are to be shown: those chosen, else all.
pub fn moments(model: &Model) -> Vec<Moment> {
    let rows = rows(model);
    let chosen: Vec<&Row<'_>> = rows.iter().filter(|row| model.marks.chosen.contains(&row.bound())).collect();
    let wanted = if chosen.is_empty() { rows.iter().collect() } else { chosen };
    let mut moments: Vec<Moment> = wanted.into_iter().map(Row::moment).collect();
    // A mark at the stop says more than "the stop" does.
    let unnamed = |moment: &Moment| matches!(moment.name.as_deref(), Some("the stop" | "the end"));
    moments.sort_by_key(|moment| (moment.bound, unnamed(moment)));
    moments.dedup_by_key(|moment| moment.bound);
    moments
}

/// The place that a mark set now would name.
pub fn here(model: &Model) -> Option<Position> {
    if matches!(model.overlays.last(), Some(Overlay::Stop)) {
        return model.choice.stop;
    }
    match model.screen() {
        Screen::Timeline => model.timeline.selected().map(|op| op.pos),
        Screen::Suspects => model.suspects.selected().map(|burst| burst.first),
        _ => model.choice.stop,
    }
}

/// Asks for the name of a mark here.
pub fn name(model: &mut Model) {
    if let Some(pos) = here(model) {
        model.marks.naming = Some((pos, String::new()));
        prompts::ask(model, Purpose::MarkName, "");
    }
}

/// The marks have come.
pub fn arrived(model: &mut Model, list: Vec<Mark>) {
    model.marks.list = list;
    let len = rows(model).len() as u64;
    model.marks.window.settle(len, view::list_rows(Screen::Marks, model.size));
}

/// Something was typed and accepted; the error is a sentence for the prompt.
pub fn typed(model: &mut Model, purpose: Purpose, text: &str, out: &mut Vec<Effect>) -> Result<(), String> {
    let Some((pos, name)) = model.marks.naming.clone() else { return Ok(()) };
    if purpose == Purpose::MarkName {
        check_name(text).map_err(str::to_owned)?;
        let known = model.marks.list.iter().find(|mark| mark.name == text);
        let note = known.and_then(|mark| mark.note.clone()).unwrap_or_default();
        model.marks.naming = Some((pos, text.to_owned()));
        prompts::ask(model, Purpose::MarkNote, &note);
        return Ok(());
    }
    model.marks.naming = None;
    let note = (!text.is_empty()).then(|| text.to_owned());
    model.say(format!("marked the state before {pos} as {name}"));
    update::ask(model, Slot::Marks, Work::SetMark { name, pos, note }, out);
    Ok(())
}

/// Takes away the mark that was highlighted. Only ever called behind a Yes.
pub fn remove(model: &mut Model, out: &mut Vec<Effect>) {
    if let Some(name) = model.marks.removing.take() {
        update::ask(model, Slot::Marks, Work::RemoveMark { name }, out);
    }
}

/// Carries an action out; `false` = it is none of this screen.
pub fn perform(model: &mut Model, action: Action, out: &mut Vec<Effect>) -> bool {
    if let Some(motion) = actions::motion(action) {
        let len = rows(model).len() as u64;
        model.marks.window.go(motion, len, view::list_rows(Screen::Marks, model.size));
        return true;
    }
    let Some(row) = selected(model) else { return false };
    let bound = row.bound();
    match (action, row) {
        (Action::Choose, _) => {
            if !model.marks.chosen.remove(&bound) {
                model.marks.chosen.insert(bound);
            }
        }
        (Action::Open, _) => states::show(model, out),
        (Action::ShowThere, _) => {
            timeline::go_to(model, bound, out);
            model.show(Screen::Timeline);
        }
        (Action::StopBefore, _) => stop::choose(model, bound, out),
        (Action::Plan, _) => {
            stop::choose(model, bound, out);
            plan::show(model, out);
        }
        (Action::EditMark, Row::Mark(mark)) => {
            let (name, note) = (mark.name.clone(), mark.note.clone().unwrap_or_default());
            model.marks.naming = Some((bound, name));
            prompts::ask(model, Purpose::MarkNote, &note);
        }
        (Action::RemoveMark, Row::Mark(mark)) => {
            let name = mark.name.clone();
            let question = format!("Take the mark {name} away?");
            let facts = vec![
                format!("It names the state before {bound} ({}).", bound.time()),
                "The journal of the case remembers that it was there. Nothing else changes.".into(),
            ];
            let yes = ("Yes, take it away", Then::RemoveMark);
            model.overlays.push(Overlay::Confirm(Confirm::no_or_yes(question, facts, "No", yes)));
            model.marks.removing = Some(name);
        }
        _ => return false,
    }
    true
}
