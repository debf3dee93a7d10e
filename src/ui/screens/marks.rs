//! The marks: the chosen stop, named places in the oplog, the end; with what is noted of each.

use crate::app::screens::marks::{Row, rows, selected};
use crate::app::screens::snapshots;
use crate::app::view::Area;
use crate::app::{Hit, Model, Slot, actions};
use crate::domain::text::counted;
use crate::keys::{Action, Context};
use crate::ui::canvas::{Align, Canvas};
use crate::ui::glyphs::Glyph;
use crate::ui::states;
use crate::ui::theme::Role;

/// Draws them.
pub fn draw(c: &mut Canvas, model: &Model, body: Area) {
    let Some(opened) = model.opened.value() else {
        states::absent(c, model, body, Slot::Open, &model.opened);
        return;
    };
    let all = rows(model);
    let chosen = all.iter().filter(|row| model.marks.chosen.contains(&row.bound())).count();
    let more = match (model.marks.list.len(), chosen) {
        (0, _) => format!(
            "none yet: {} on the timeline sets one",
            actions::key_in(model, Context::Timeline, Action::Mark)
        ),
        (n, 0) => counted(n as u64, "mark"),
        (n, chosen) => format!("{}, {chosen} chosen", counted(n as u64, "mark")),
    };
    c.heading(body, body.y, "Marks", &more);
    if all.is_empty() {
        let area = Area { y: body.y + 1, ..body };
        states::empty(c, area, "there is no oplog, and so no time to mark", "name oplog slices, too");
        return;
    }
    let wide = body.w >= 100;
    let name = if wide { 28 } else { 18 };
    columns(c, Area { y: body.y + 1, h: 1, ..body }, name);
    let mut area = Area { y: body.y + 2, h: body.h.saturating_sub(2), ..body };
    if !wide {
        // The note of the highlighted one has a line of its own where columns are scarce.
        area.h = area.h.saturating_sub(1);
        if let Some(Row::Mark(mark)) = selected(model) {
            let note = mark.note.as_deref().unwrap_or_default();
            c.text(body.x + 1, area.y + area.h, body.w.saturating_sub(1), note, Role::Dim);
        }
    }
    let visible = model.marks.window.visible(all.len() as u64, u64::from(area.h));
    for (y, n) in (area.y..area.y + area.h).zip(visible) {
        let Some(row) = usize::try_from(n).ok().and_then(|at| all.get(at)) else { continue };
        let line = Area { y, h: 1, ..area };
        let is_chosen = model.marks.chosen.contains(&row.bound());
        let fits = snapshots::base(opened, model.choice.snapshot.as_deref(), row.bound());
        one(c, row, is_chosen, fits.err().map(|e| e.cause.clone()), line, name);
        if n == model.marks.window.cursor {
            let here = c.glyph(Glyph::Here);
            c.text(line.x, y, 1, here, Role::Key);
            c.paint(line, Role::Selected);
        }
        c.hit(line, Hit::Row(n));
    }
}

fn columns(c: &mut Canvas, area: Area, name: u16) {
    let x = c.cell(area.x + 6, area.y, name, "name", Role::Dim, Align::Left) + 1;
    let x = c.cell(x, area.y, 21, "time (UTC)", Role::Dim, Align::Left);
    let x = c.cell(x, area.y, 18, "before", Role::Dim, Align::Left);
    c.text(x, area.y, (area.x + area.w).saturating_sub(x), "note", Role::Dim);
}

fn one(c: &mut Canvas, row: &Row<'_>, is_chosen: bool, problem: Option<String>, area: Area, name: u16) {
    let y = area.y;
    let (glyph, title, role) = match row {
        Row::Stop(_) => (Glyph::Stop, "the stop", Role::Mark),
        Row::Mark(mark) => (Glyph::Mark, mark.name.as_str(), Role::Title),
        Row::End(_) => (Glyph::Covered, "the end", Role::Text),
    };
    let done = c.glyph(Glyph::Done);
    c.text(area.x + 2, y, 1, if is_chosen { done } else { " " }, Role::Key);
    let text = c.glyph(glyph);
    c.text(area.x + 4, y, 1, text, Role::Mark);
    let x = c.cell(area.x + 6, y, name, title, role, Align::Left) + 1;
    let x = c.cell(x, y, 21, &row.bound().time(), Role::Text, Align::Left);
    let x = c.cell(x, y, 18, &row.bound().to_string(), Role::Dim, Align::Left);
    let room = (area.x + area.w).saturating_sub(x);
    let note = match row {
        Row::Mark(mark) => mark.note.as_deref().unwrap_or_default(),
        _ => "",
    };
    match problem {
        Some(problem) => c.text(x, y, room, &format!("not possible: {problem}"), Role::Bad),
        None => c.text(x, y, room, note, Role::Text),
    };
}
