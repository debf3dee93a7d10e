//! What the timeline needs to be drawn, worked out anew after every message: nothing has to
//! remember to ask.

use super::Timeline;
use crate::app::axis::Axis;
use crate::app::data::Opened;
use crate::app::effect::{Effect, Work};
use crate::app::list::Line;
use crate::app::model::{Model, Screen};
use crate::app::{Loadable, jobs::Slot, update, view};
use crate::domain::Position;

/// Asks for whatever is visible and not there.
pub fn demand(model: &mut Model, out: &mut Vec<Effect>) {
    if model.screen() != Screen::Timeline || model.timeline.index.ready().is_none() {
        return;
    }
    let view = view::timeline(model.size);
    let (len, height) = (model.timeline.rows, u64::from(view.list.h));
    model.timeline.list.settle(len, height);
    if let Some(pos) = model.timeline.selected().map(|op| op.pos) {
        model.timeline.at = pos;
    }
    rows(model, len, height, out);
    bars(model, out);
    let wanted = view.detail.is_some() && matches!(model.timeline.here(), Some(Line::Op { .. }));
    if wanted && (model.timeline.detail.0 != model.timeline.list.cursor || model.timeline.detail.1.is_idle())
    {
        detail(model, out);
    }
}

/// Forgets what belongs to another list: the filter has changed, or the oplog was read anew.
pub fn forget(model: &mut Model) {
    let timeline = &mut model.timeline;
    timeline.page = None;
    timeline.bars = Loadable::Idle;
    timeline.detail = (0, Loadable::Idle);
    timeline.asked = (None, None);
}

/// Whether the axis shows all of the oplog that was opened.
pub fn shows_all(model: &Model, opened: &Opened) -> bool {
    let shown = |axis: &Axis, pos: Position| axis.bar_of(pos).is_some();
    let both = |axis: &Axis| {
        opened.first.is_some_and(|p| shown(axis, p)) && opened.last.is_some_and(|p| shown(axis, p))
    };
    model.timeline.axis.as_ref().is_none_or(both)
}

/// The oplog has grown at its end. What is shown stays until what follows it is there.
pub fn grown(model: &mut Model, shown_whole: bool, out: &mut Vec<Effect>) {
    if shown_whole {
        model.timeline.axis = None;
    }
    stale(model);
    super::folds::again(model, out);
}

/// Rows and bars may have changed; they stay visible until the new ones have come.
pub fn stale(model: &mut Model) {
    let timeline = &mut model.timeline;
    timeline.stale = true;
    timeline.asked.0 = None;
    recount(model);
}

/// There are more rows: those that are there stay as they are, and bars are counted anew.
pub fn recount(model: &mut Model) {
    let timeline = &mut model.timeline;
    timeline.asked.1 = None;
    timeline.bars = match std::mem::take(&mut timeline.bars) {
        Loadable::Ready(bars) => Loadable::Loading { since: model.now, before: Some(bars) },
        other => other,
    };
}

fn rows(model: &mut Model, len: u64, height: u64, out: &mut Vec<Effect>) {
    let visible = model.timeline.list.visible(len, height);
    let holds = model.timeline.page.as_ref().is_some_and(|page| page.holds(&visible));
    let there = holds && !model.timeline.stale;
    let coming = model.timeline.asked.0.as_ref();
    let is_coming = coming.is_some_and(|r| r.start <= visible.start && visible.end <= r.end);
    if there || is_coming || visible.is_empty() {
        return;
    }
    let start = visible.start.saturating_sub(2 * height);
    let count = (5 * height).min(len - start);
    model.timeline.asked.0 = Some(start..start + count);
    let work = Work::Rows { view: model.timeline.view.clone(), start, count };
    update::ask(model, Slot::Rows, work, out);
}

fn bars(model: &mut Model, out: &mut Vec<Effect>) {
    let Some(axis) = axis(model) else { return };
    model.timeline.axis = Some(axis);
    let there = model.timeline.bars.ready().is_some_and(|bars| bars.axis == axis);
    if there || model.timeline.asked.1 == Some(axis) {
        return;
    }
    model.timeline.asked.1 = Some(axis);
    model.timeline.bars.ask(model.now);
    let work = Work::Bars { filter: model.timeline.view.filter.clone(), axis };
    update::ask(model, Slot::Bars, work, out);
}

/// The axis to show: the one there is, as wide as the screen and with the cursor on it.
fn axis(model: &Model) -> Option<Axis> {
    let timeline: &Timeline = &model.timeline;
    let bars = view::bars(model.size);
    let axis = match timeline.axis {
        Some(axis) => Axis { bars, ..axis },
        None => {
            let opened = model.opened.value()?;
            Axis::fit(opened.first?, opened.last?, bars)
        }
    };
    let hidden = timeline.at != Position::MIN && axis.bar_of(timeline.at).is_none();
    Some(if hidden { axis.around(timeline.at) } else { axis })
}

/// Asks for all of the highlighted op.
pub fn detail(model: &mut Model, out: &mut Vec<Effect>) {
    let row = model.timeline.list.cursor;
    model.timeline.detail.0 = row;
    model.timeline.detail.1.ask(model.now);
    let work = Work::Detail { view: model.timeline.view.clone(), row };
    update::ask(model, Slot::Detail, work, out);
}
