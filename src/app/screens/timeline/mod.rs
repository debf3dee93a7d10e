//! The timeline: activity by kind over time, and the ops below as a window over a list that may
//! hold millions. What is visible is asked for; nothing else is ever held.

mod demand;
mod folds;
mod growing;
mod moving;

pub use demand::{demand, detail, forget, grown, shows_all, stale};
pub use folds::{fold, listed, listed_so_far, resume};
pub use growing::so_far;
pub use moving::{go_to, place};

use crate::app::axis::Axis;
use crate::app::data::{Bars, Counted, Indexed, Text};
use crate::app::effect::{Direction, Effect, Work};
use crate::app::list::{Anchor, Line, Page, Spot, View};
use crate::app::model::Model;
use crate::app::overlay::Overlay;
use crate::app::prompts::{self, Purpose};
use crate::app::screens::{change, goto, stop, suspects};
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
    /// What the list shows.
    pub view: View,
    /// How many rows it has.
    pub rows: u64,
    /// How many ops, folded or not.
    pub ops: u64,
    /// Of what these are counted.
    pub counted: Counted,
    /// Where one wants to go, until one is there: it may not be read yet.
    pub goal: Option<Position>,
    /// Whether somebody wants to see every op by itself.
    pub unfolded: bool,
    /// Where one was when the list began to be worked out anew without a key for it.
    pub aside: Option<Anchor>,
    /// Where one is in the list.
    pub list: Window,
    /// The rows around the visible ones.
    pub page: Option<Page>,
    /// Whether the list has changed since they came.
    pub stale: bool,
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
    /// The query that narrows the list.
    pub fn filter(&self) -> Option<&str> {
        self.view.filter.as_deref()
    }

    /// A row of the list, if it is known.
    pub fn line(&self, row: u64) -> Option<&Line> {
        self.page.as_ref()?.get(row)
    }

    /// The highlighted row, if it is known.
    pub fn here(&self) -> Option<&Line> {
        self.line(self.list.cursor)
    }

    /// The highlighted op, or the first one of the highlighted burst, if it is known.
    pub fn selected(&self) -> Option<&Op> {
        self.here().map(Line::op)
    }
}

/// Starts reading the oplog.
pub fn index(model: &mut Model, out: &mut Vec<Effect>) {
    model.timeline.index.ask(model.now);
    update::ask(model, Slot::Index, Work::Index, out);
}

/// The oplog is read, or as much of it as there is to look at.
pub fn indexed(model: &mut Model, answer: Result<Indexed>, out: &mut Vec<Effect>) {
    let is_first = model.timeline.index.ready().is_none();
    model.timeline.index.fill(answer);
    let Some(indexed) = model.timeline.index.ready().copied() else { return };
    if is_first {
        model.timeline.view = View::default();
        growing::show(model, indexed);
        forget(model);
    } else {
        growing::read_on(model, indexed, out);
    }
    if indexed.counted == Counted::All {
        suspects::look(model, out);
        let too_few = model.choice.facts.value().is_some_and(|facts| facts.counted == Counted::SoFar);
        if model.choice.stop.is_some() && (model.overlays.is_empty() || too_few) {
            stop::look(model, out);
        }
    }
    if is_first && model.timeline.at != Position::MIN {
        let at = model.timeline.at;
        go_to(model, at, out);
    }
}

/// Rows have come.
pub fn paged(model: &mut Model, page: Page) {
    model.timeline.page = Some(page);
    model.timeline.stale = false;
}

/// A search in this list has come to an end.
pub fn found(model: &mut Model, spot: Option<Spot>, view: &View, out: &mut Vec<Effect>) {
    match spot {
        Some(_) if model.timeline.filter() != view.filter.as_deref() => {}
        Some(spot) => {
            model.timeline.goal = None;
            if model.timeline.view == *view {
                folds::show(model, spot, out);
            } else {
                // Its bursts have been folded meanwhile: rows are others now.
                folds::at(model, spot.op, out);
            }
        }
        None => {
            let text = model.timeline.search.clone().unwrap_or_default();
            let within = if model.timeline.filter().is_some() { " within the filter" } else { "" };
            model.say(format!("no op matches {text}{within}"));
        }
    }
}

/// The op at or behind a position; behind the last one it is the last. What is not read yet is gone
/// to when it is.
pub fn located(model: &mut Model, spot: Option<Spot>, among: Counted, out: &mut Vec<Effect>) {
    if spot.is_none() && among == Counted::SoFar {
        return;
    }
    model.timeline.goal = None;
    match spot {
        Some(spot) => folds::show(model, spot, out),
        None => moving::jump(model, u64::MAX),
    }
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
            go_to(model, pos.min(last), out);
            let there = match model.timeline.counted {
                Counted::All => "at",
                Counted::SoFar => "to",
            };
            model.say(match pos > last {
                true => format!("the oplog ends before that: {there} {} ({last})", last.time()),
                false => format!("{there} {} ({pos})", pos.time()),
            });
        }
        Purpose::Filter if text.is_empty() => clear_filter(model, out),
        Purpose::Filter => {
            check(model, text)?;
            let view = View {
                filter: Some(text.to_owned()),
                open: Default::default(),
                ..model.timeline.view.clone()
            };
            let at = Anchor::Pos(model.timeline.at);
            folds::drop_aside(model, out);
            update::ask(model, Slot::Filter, Work::List { view, at }, out);
        }
        Purpose::StopAt => {
            let bound = stop::typed(model, text)?;
            stop::choose(model, bound, out);
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
        view: model.timeline.view.clone(),
        from: model.timeline.list.cursor,
        direction,
    };
    update::ask(model, Slot::Search, work, out);
}

fn clear_filter(model: &mut Model, out: &mut Vec<Effect>) {
    let view = View { filter: None, open: Default::default(), ..model.timeline.view.clone() };
    let at = Anchor::Pos(model.timeline.at);
    // In place of whatever is still being filtered.
    folds::drop_aside(model, out);
    update::ask(model, Slot::Filter, Work::List { view, at }, out);
}

/// Asks for a line to be typed.
pub fn prompt(model: &mut Model, purpose: Purpose) {
    let before = match purpose {
        Purpose::Search => model.timeline.search.as_deref(),
        Purpose::Filter => model.timeline.filter(),
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
            let last = |line: &Line| line.burst().map_or(line.op().pos, |folded| folded.burst.last);
            if let Some(pos) = model.timeline.here().map(last) {
                stop::choose(model, pos.next(), out);
            }
        }
        Action::ShowStop => model.overlays.push(Overlay::Stop),
        Action::Open => match model.timeline.here() {
            Some(Line::Burst(_)) => folds::toggle(model, out),
            Some(Line::Op { .. }) => change::of_op(model, out),
            None => {}
        },
        Action::Fold => folds::toggle(model, out),
        Action::FoldAll => folds::toggle_all(model, out),
        _ => return moving::perform(model, action, out),
    }
    true
}

/// One op has been decoded: for the pane beside the list, and for the text lying over it.
pub fn detailed(model: &mut Model, answer: Result<Text>) {
    if let Some(Overlay::Change(change)) = model.overlays.last_mut()
        && change.op.is_loading()
    {
        change.op.fill(answer.clone());
    }
    model.timeline.detail.1.fill(answer);
}
