//! The suspects: what looks like damage, the worst first.

use super::below;
use crate::app::view::{Area, list_rows};
use crate::app::{Hit, Model, Screen, Slot, actions};
use crate::domain::burst::Burst;
use crate::domain::text::{count, counted};
use crate::keys::Action;
use crate::ui::canvas::{Align, Canvas};
use crate::ui::chart::look;
use crate::ui::glyphs::Glyph;
use crate::ui::states;
use crate::ui::theme::Role;

/// Draws it.
pub fn draw(c: &mut Canvas, model: &Model, body: Area) {
    let more = match model.suspects.found.value() {
        Some(found) => format!("{}, the worst first", counted(found.len() as u64, "burst")),
        None => String::new(),
    };
    c.heading(body, body.y, "Suspects", &more);
    let area = below(body, 1);
    if model.opened.value().is_none() {
        states::absent(c, model, area, Slot::Open, &model.opened);
        return;
    }
    if model.opened.value().is_some_and(|o| o.entries == 0) {
        states::empty(
            c,
            area,
            "there is no oplog among the sources",
            &format!("{} shows what was found", actions::key_of(model, Action::ScreenSnapshots)),
        );
        return;
    }
    let index_failed = model.timeline.index.error().is_some();
    if index_failed && states::absent(c, model, area, Slot::Index, &model.timeline.index) {
        return;
    }
    if states::absent(c, model, area, Slot::Suspects, &model.suspects.found) {
        return;
    }
    let found = model.suspects.bursts();
    if found.is_empty() {
        states::empty(
            c,
            area,
            "nothing in the oplog looks like damage: no mass delete, no drop, no mass update",
            &states::on_timeline(model, Action::Search, "searches"),
        );
        return;
    }
    columns(c, area);
    let rows = list_rows(Screen::Suspects, (c.area().w, c.area().h));
    let visible = model.suspects.list.visible(found.len() as u64, rows);
    for (y, row) in (area.y + 1..area.y + area.h).zip(visible) {
        let Some(burst) = usize::try_from(row).ok().and_then(|at| found.get(at)) else { continue };
        let line = Area { y, h: 1, ..area };
        one(c, burst, line);
        if row == model.suspects.list.cursor {
            let here = c.glyph(Glyph::Here);
            c.text(0, y, 1, here, Role::Key);
            c.paint(line, Role::Selected);
        }
        c.hit(line, Hit::Row(row));
    }
}

fn columns(c: &mut Canvas, area: Area) {
    let y = area.y;
    let x = c.cell(2, y, 20, "when (UTC)", Role::Dim, Align::Left);
    let x = c.cell(x, y, 9, "documents", Role::Dim, Align::Right);
    let x = c.cell(x, y, 7, "share", Role::Dim, Align::Right) + 2;
    let x = c.cell(x, y, namespace(area), "namespace", Role::Dim, Align::Left) + 1;
    c.text(x, y, area.w.saturating_sub(x), "what happened", Role::Dim);
}

fn namespace(area: Area) -> u16 {
    if area.w >= 100 { 32 } else { 16 }
}

fn one(c: &mut Canvas, burst: &Burst, area: Area) {
    let y = area.y;
    let (sign, role) = look(burst.kind);
    let x = c.cell(2, y, 20, &burst.time.replace('T', " "), Role::Text, Align::Left);
    let x = c.cell(x, y, 9, &count(burst.documents), role, Align::Right);
    let share = match burst.documents {
        // All of nothing: its number does not say how bad it is.
        0 => "-".to_owned(),
        _ => format!("{:.0} %", burst.share * 100.0),
    };
    let x = c.cell(x, y, 7, &share, Role::Text, Align::Right) + 2;
    let x = c.cell(x, y, namespace(area), &burst.ns.to_string(), Role::Text, Align::Left) + 1;
    let x = c.pieces(x, y, area.w.saturating_sub(x), &[(sign, role), (" ", role), (&burst.what, role)]);
    let secs = burst.last.secs.saturating_sub(burst.first.secs);
    let took = if secs == 0 { "within a second".to_owned() } else { format!("in {secs} s") };
    let text = format!("{took}, {} to {}", burst.first, burst.last);
    c.text(x + 2, y, area.w.saturating_sub(x + 2), &text, Role::Dim);
}
