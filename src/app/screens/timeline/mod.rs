//! The timeline: activity by kind over time, and the ops below as a window over a list that may
//! hold millions. What is visible is asked for; nothing else is ever held.

mod demand;
mod moving;

pub use demand::{demand, forget};
pub use moving::{go_to, place};

use crate::app::axis::Axis;
use crate::app::data::{Bars, Indexed, Page, Text};
use crate::app::effect::{Direction, Effect, Work};
use crate::app::model::Model;
use crate::app::overlay::{Detail, Overlay};
use crate::app::prompts::{self, Purpose};
use crate::app::screens::{goto, stop, suspects};
use crate::app::window::Window;
use crate::app::{Loadable, jobs::Slot, update};
use crate::domain::op::Op;
use crate::domain::query;
use crate::domain::{Position, Result};
use crate::keys::Action;

/// Its state.
#[derive(Debug, Clone, Default)]
pub struct Timeline {
    /// Whether the ops can be looked at.
    pub index: Loadable<Indexed>,
    /// The query that narrows the list.
    pub filter: Option<String>,
    /// How many ops it leaves.
    pub filtered: u64,
    /// The query that is being tried as filter.
    pub trying: Option<String>,
    /// Where one is in the list.
    pub list: Window,
    /// The rows around the visible ones.
    pub page: Option<Page>,
    /// The position of the highlighted op, the last one known.
    pub at: Position,
    /// The bars.
    pub axis: Option<Axis>,
    /// What is counted in them.
    pub bars: Loadable<Bars>,
    /// The query that is searched for.
    pub search: Option<String>,
    /// The highlighted op in full, and the row it belongs to.
    pub detail: (u64, Loadable<Text>),
    /// What was asked for last: rows and bars.
    asked: (Option<std::ops::Range<u64>>, Option<Axis>),
}

impl Timeline {
    /// How many ops the list has.
    pub fn len(&self) -> u64 {
        match self.filter {
            Some(_) => self.filtered,
            None => self.index.value().map_or(0, |index| index.ops),
        }
    }

    /// Whether the list has no op.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The op in a row, if it is known.
    pub fn op(&self, row: u64) -> Option<&Op> {
        self.page.as_ref()?.get(row)
    }

    /// The highlighted op, if it is known.
    pub fn selected(&self) -> Option<&Op> {
        self.op(self.list.cursor)
    }
}

/// Starts reading the oplog.
pub fn index(model: &mut Model, out: &mut Vec<Effect>) {
    model.timeline.index.ask(model.now);
    update::ask(model, Slot::Index, Work::Index, out);
}

/// The oplog is read.
pub fn indexed(model: &mut Model, answer: Result<Indexed>, out: &mut Vec<Effect>) {
    model.timeline.index.fill(answer);
    if model.timeline.index.ready().is_none() {
        return;
    }
    forget(model);
    suspects::look(model, out);
    if model.timeline.at != Position::MIN {
        let at = model.timeline.at;
        go_to(model, at, out);
    }
}

/// The filter that was tried has been counted.
pub fn filtered(model: &mut Model, answer: Result<u64>, out: &mut Vec<Effect>) {
    let trying = model.timeline.trying.take();
    if let (Ok(left), Some(query)) = (answer, trying) {
        model.timeline.filter = Some(query);
        model.timeline.filtered = left;
        forget(model);
        let at = model.timeline.at;
        go_to(model, at, out);
    }
}

/// A search has come to an end.
pub fn found(model: &mut Model, row: Option<u64>) {
    match row {
        Some(row) => moving::jump(model, row),
        None => {
            let text = model.timeline.search.clone().unwrap_or_default();
            let within = if model.timeline.filter.is_some() { " within the filter" } else { "" };
            model.say(format!("no op matches {text}{within}"));
        }
    }
}

/// The row at or behind a position; behind the last one it is the last.
pub fn located(model: &mut Model, row: Option<u64>) {
    moving::jump(model, row.unwrap_or(u64::MAX));
}

/// Something was typed and accepted; the error is a sentence for the prompt.
pub fn typed(
    model: &mut Model,
    purpose: Purpose,
    text: &str,
    out: &mut Vec<Effect>,
) -> std::result::Result<(), String> {
    match purpose {
        Purpose::GoTo => {
            let last = model.opened.value().and_then(|o| o.last).unwrap_or(Position::MIN);
            let pos = goto::parse(text, model.timeline.at, last)?;
            go_to(model, pos, out);
            model.say(format!("at {} ({pos})", pos.time()));
        }
        Purpose::Filter if text.is_empty() => clear_filter(model, out),
        Purpose::Filter => {
            check(model, text)?;
            model.timeline.trying = Some(text.to_owned());
            update::ask(model, Slot::Filter, Work::Filter { query: text.to_owned() }, out);
        }
        Purpose::Search if text.is_empty() => model.timeline.search = None,
        Purpose::Search => {
            check(model, text)?;
            model.timeline.search = Some(text.to_owned());
            search(model, Direction::Forward, out);
        }
        _ => {}
    }
    Ok(())
}

/// Whether a query can be understood, said in one line.
fn check(model: &Model, text: &str) -> std::result::Result<(), String> {
    let (first, last) = model
        .opened
        .value()
        .and_then(|o| Some((o.first?, o.last?)))
        .unwrap_or((Position::MIN, Position::MAX));
    let checked = query::parse(text).and_then(|q| q.resolve(first, last));
    checked.map(|_| ()).map_err(|e| format!("{} {}: {}", e.doing, e.place, e.cause))
}

fn search(model: &mut Model, direction: Direction, out: &mut Vec<Effect>) {
    let Some(query) = model.timeline.search.clone() else { return };
    let work = Work::Search {
        query,
        filter: model.timeline.filter.clone(),
        from: model.timeline.list.cursor,
        direction,
    };
    update::ask(model, Slot::Search, work, out);
}

fn clear_filter(model: &mut Model, out: &mut Vec<Effect>) {
    model.timeline.filter = None;
    forget(model);
    let at = model.timeline.at;
    go_to(model, at, out);
}

fn prompt(model: &mut Model, purpose: Purpose) {
    let before = match purpose {
        Purpose::Search => model.timeline.search.as_deref(),
        Purpose::Filter => model.timeline.filter.as_deref(),
        _ => None,
    };
    let before = before.unwrap_or_default().to_owned();
    prompts::ask(model, purpose, &before);
}

/// Carries an action out; `false` = it is none of this screen.
pub fn perform(model: &mut Model, action: Action, out: &mut Vec<Effect>) -> bool {
    match action {
        Action::Search => prompt(model, Purpose::Search),
        Action::Filter => prompt(model, Purpose::Filter),
        Action::GoTo => prompt(model, Purpose::GoTo),
        Action::SearchNext => search(model, Direction::Forward, out),
        Action::SearchPrevious => search(model, Direction::Backward, out),
        Action::ClearFilter => clear_filter(model, out),
        Action::StopBefore => {
            if let Some(pos) = model.timeline.selected().map(|op| op.pos) {
                stop::choose(model, pos, out);
            }
        }
        Action::StopAfter => {
            if let Some(pos) = model.timeline.selected().map(|op| op.pos.next()) {
                stop::choose(model, pos, out);
            }
        }
        Action::ShowStop => model.overlays.push(Overlay::Stop),
        Action::Open => open(model, out),
        _ => return moving::perform(model, action, out),
    }
    true
}

/// Shows the highlighted op in full.
fn open(model: &mut Model, out: &mut Vec<Effect>) {
    let Some(op) = model.timeline.selected() else { return };
    let title = format!("{} {} at {}", op.kind.name(), op.ns, op.pos);
    let (row, text) = &model.timeline.detail;
    let known = text.ready().filter(|_| *row == model.timeline.list.cursor).cloned();
    let text = match known {
        Some(text) => Loadable::Ready(text),
        None => {
            demand::detail(model, out);
            Loadable::Loading { since: model.now, before: None }
        }
    };
    let copy = text.ready().map(|t| t.lines.join("\n")).unwrap_or_default();
    let detail = Detail::new(title, Text::default(), copy);
    model.overlays.push(Overlay::Detail(Detail { text, ..detail }));
}

/// One op has been decoded: for the pane beside the list, and for the text lying over it.
pub fn detailed(model: &mut Model, answer: Result<Text>) {
    if let Some(Overlay::Detail(detail)) = model.overlays.last_mut()
        && detail.text.is_loading()
        && detail.slot == Slot::Detail
    {
        detail.copy = answer.as_ref().map(|t| t.lines.join("\n")).unwrap_or_default();
        detail.text.fill(answer.clone());
    }
    model.timeline.detail.1.fill(answer);
}
