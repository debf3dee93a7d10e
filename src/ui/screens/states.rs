//! The states at several times: namespaces down, times across; below them the documents asked
//! for, side by side where there is room.

use crate::app::screens::states::documents;
use crate::app::view::{Area, states as layout};
use crate::app::{Hit, Model, Slot, actions, values};
use crate::domain::states::{NamespaceState, StateAt, namespaces};
use crate::keys::{Action, Context};
use crate::ui::canvas::{Align, Canvas};
use crate::ui::glyphs::Glyph;
use crate::ui::states;
use crate::ui::theme::Role;

/// Columns of a time.
const COLUMN: u16 = 20;

/// As narrow as documents may stand side by side.
const NARROWEST: u16 = 34;

/// Draws them.
pub fn draw(c: &mut Canvas, model: &Model, body: Area) {
    let question = &model.states.question;
    if model.opened.value().is_none() {
        states::absent(c, model, body, Slot::Open, &model.opened);
        return;
    }
    let mut asked = Vec::new();
    asked.extend(question.condition.iter().map(|c| format!("count {c}")));
    asked.extend(question.id.iter().map(|id| format!("_id {id}")));
    if !question.ns.is_empty() {
        asked.push(format!("in {}", question.ns.join(" ")));
    }
    c.heading(body, body.y, "States", &asked.join("   "));
    let below = Area { y: body.y + 1, h: body.h.saturating_sub(1), ..body };
    if question.moments.is_empty() {
        states::empty(
            c,
            below,
            "there is no time to look at",
            &format!("{} on the timeline marks one", actions::key_in(model, Context::Timeline, Action::Mark)),
        );
        return;
    }
    if states::absent(c, model, below, Slot::States, &model.states.found) {
        return;
    }
    let all = model.states.all();
    let (table_area, below) = layout((c.area().w, c.area().h));
    let shown = columns(all.len(), model.states.column, table_area.w);
    heads(c, model, all, &shown, table_area);
    table(c, model, all, &shown, table_area);
    side_by_side(c, model, all, &shown, below);
}

/// Room for the names of namespaces.
fn names(wide: u16) -> u16 {
    (wide / 3).clamp(16, 40)
}

/// The times that fit, with the highlighted one among them.
fn columns(len: usize, at: usize, wide: u16) -> std::ops::Range<usize> {
    let fit = usize::from((wide.saturating_sub(names(wide) + 2) / COLUMN).max(1)).min(len);
    let from = (at + 1).saturating_sub(fit).min(len - fit);
    from..from + fit
}

fn heads(c: &mut Canvas, model: &Model, all: &[StateAt], shown: &std::ops::Range<usize>, area: Area) {
    let first = area.x + 2 + names(area.w);
    let left = if shown.start > 0 { format!("{} earlier", shown.start) } else { String::new() };
    let right =
        if shown.end < all.len() { format!("{} later", all.len() - shown.end) } else { String::new() };
    let hidden = [left, right].join("  ");
    c.text(area.x + 2, area.y - 2, names(area.w) - 1, hidden.trim(), Role::Dim);
    for (n, at) in shown.clone().enumerate() {
        let Some(state) = all.get(at) else { continue };
        let x = first + u16::try_from(n).unwrap_or(0) * COLUMN;
        let role = if at == model.states.column { Role::Title } else { Role::Text };
        c.cell(x, area.y - 2, COLUMN - 1, &state.moment.title(), role, Align::Right);
        let time = state.stop.time.get(5..19).unwrap_or(&state.stop.time).replace('T', " ");
        c.cell(x, area.y - 1, COLUMN - 1, &time, Role::Dim, Align::Right);
    }
}

fn table(c: &mut Canvas, model: &Model, all: &[StateAt], shown: &std::ops::Range<usize>, area: Area) {
    let names_of = namespaces(all);
    if names_of.is_empty() {
        states::empty(
            c,
            area,
            "no collection is there at any of these times",
            &format!("{} chooses other namespaces", actions::key_of(model, Action::Namespaces)),
        );
        return;
    }
    let rows = model.states.list.visible(names_of.len() as u64, u64::from(area.h));
    for (y, row) in (area.y..area.y + area.h).zip(rows) {
        let Some(ns) = usize::try_from(row).ok().and_then(|at| names_of.get(at)) else { continue };
        let line = Area { y, h: 1, ..area };
        let mut x = c.cell(area.x + 2, y, names(area.w), &ns.to_string(), Role::Text, Align::Left);
        let mut before: Option<&StateAt> = shown.start.checked_sub(1).and_then(|at| all.get(at));
        for at in shown.clone() {
            let Some(state) = all.get(at) else { continue };
            let found = state.namespace(ns);
            let text = found.map_or_else(|| "-".to_owned(), NamespaceState::numbers);
            let role = change(before.map(|b| b.namespace(ns)), found);
            x = c.cell(x, y, COLUMN - 1, &text, role, Align::Right) + 1;
            before = Some(state);
        }
        if row == model.states.list.cursor {
            let here = c.glyph(Glyph::Here);
            c.text(area.x, y, 1, here, Role::Key);
            c.paint(line, Role::Resting);
            let n = u16::try_from(model.states.column.saturating_sub(shown.start)).unwrap_or(0);
            let x = area.x + 2 + names(area.w) + n * COLUMN;
            c.paint(Area { x, y, w: COLUMN - 1, h: 1 }, Role::Selected);
        }
        c.hit(line, Hit::Row(row));
    }
}

/// Fewer than at the time before, more, or neither.
fn change(before: Option<Option<&NamespaceState>>, now: Option<&NamespaceState>) -> Role {
    let number = |found: Option<&NamespaceState>| found.map_or(0, |f| f.matching.unwrap_or(f.documents));
    match before {
        Some(before) if number(before) > number(now) => Role::Goes,
        Some(before) if number(before) < number(now) => Role::Comes,
        _ => Role::Text,
    }
}

/// The documents of the highlighted namespace: one column for each time, or for the highlighted
/// one only.
fn side_by_side(c: &mut Canvas, model: &Model, all: &[StateAt], shown: &std::ops::Range<usize>, area: Area) {
    let Some(ns) = model.states.namespace() else { return };
    let question = &model.states.question;
    if question.id.is_none() && question.condition.is_none() {
        c.heading(area, area.y.saturating_sub(1), &ns.to_string(), "");
        states::empty(
            c,
            area,
            &format!("{} counts documents that fulfil a condition", actions::key_of(model, Action::Where)),
            &format!("{} shows one document at each time", actions::key_of(model, Action::OneDocument)),
        );
        return;
    }
    let fit = usize::from((area.w / NARROWEST).max(1)).min(shown.len());
    let from = (model.states.column + 1).saturating_sub(fit).max(shown.start).min(shown.end - fit);
    let wide = area.w / u16::try_from(fit.max(1)).unwrap_or(1);
    let mut before: Option<Vec<String>> = None;
    for (n, state) in all.iter().enumerate().skip(from).take(fit) {
        let x = area.x + u16::try_from(n - from).unwrap_or(0) * wide;
        let column = Area { x, w: wide.saturating_sub(2), ..area };
        let title = format!("{ns} at {}", state.moment.title());
        let (head, more) = if n == model.states.column { (title.as_str(), "") } else { ("", title.as_str()) };
        c.heading(column, area.y.saturating_sub(1), head, more);
        before = one_state(c, state.namespace(ns), before.as_deref(), column);
    }
}

/// Draws the documents of one state; a line that the state before it has not is marked. Gives the
/// lines.
fn one_state(
    c: &mut Canvas,
    found: Option<&NamespaceState>,
    before: Option<&[String]>,
    area: Area,
) -> Option<Vec<String>> {
    let Some(found) = found else {
        c.text(area.x + 1, area.y, area.w, "the collection is not there", Role::Dim);
        return None;
    };
    let mut lines: Vec<String> = Vec::new();
    for document in documents(found) {
        if lines.len() >= usize::from(area.h) {
            break;
        }
        lines.extend(values::lines_up_to(document, usize::from(area.h)));
    }
    if lines.is_empty() {
        c.text(area.x + 1, area.y, area.w, "no such document", Role::Dim);
    }
    for (y, line) in (area.y..area.y + area.h).zip(&lines) {
        let is_new = before.is_some_and(|before| !before.contains(line));
        let (sign, role) = if is_new { ("~", Role::Changes) } else { (" ", Role::Text) };
        c.pieces(area.x, y, area.w, &[(sign, role), (line, role)]);
    }
    Some(lines)
}
