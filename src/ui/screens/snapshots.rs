//! The snapshots: a list, what the highlighted one holds, and what the oplog covers.
//!
//! ```text
//! Snapshots ------------------------------
//!   newest before the stop
//! > 2026-10-14T12-00-00Z   edge 12:00:54   stops to 23:59   3,812 documents   1.2 MB
//! Oplog ----------------------------------
//!   ====v=====xxx======v=======
//! Collections of 2026-… ------------------
//!   shop.orders   1,501 documents
//! ```

use super::below;
use crate::app::axis::Axis;
use crate::app::data::{Base, Opened};
use crate::app::screens::snapshots::in_row;
use crate::app::view::{Area, list_rows};
use crate::app::{Hit, Model, Screen, Slot};
use crate::domain::text::{bytes, count, counted};
use crate::ui::canvas::{Align, Canvas};
use crate::ui::chart;
use crate::ui::glyphs::Glyph;
use crate::ui::states;
use crate::ui::theme::Role;

/// Draws it.
pub fn draw(c: &mut Canvas, model: &Model, body: Area) {
    c.heading(body, body.y, "Snapshots", "the base of a restore");
    let area = below(body, 1);
    if states::absent(c, model, area, Slot::Open, &model.opened) {
        return;
    }
    let Some(opened) = model.opened.value() else { return };
    let rows = list_rows(Screen::Snapshots, (c.area().w, c.area().h));
    let visible = model.snapshots.visible(opened.bases.len() as u64 + 1, rows);
    let mut y = area.y;
    for row in visible {
        draw_row(c, model, opened, row, Area { y, h: 1, ..area });
        y += 1;
    }
    let area = Area { y: y + 1, h: (body.y + body.h).saturating_sub(y + 1), ..area };
    let used = oplog(c, model, opened, area);
    collections(c, model, opened, below(area, used + 1));
}

fn draw_row(c: &mut Canvas, model: &Model, opened: &Opened, row: u64, area: Area) {
    let y = area.y;
    let here = row == model.snapshots.cursor;
    let mark = if here { c.glyph(Glyph::Here) } else { " " };
    c.text(area.x, y, 1, mark, Role::Key);
    match in_row(opened, row) {
        None => {
            let (text, more) = match opened.bases.is_empty() {
                true => {
                    ("no snapshot among the sources", "the timeline can be looked at, a restore needs one")
                }
                false => ("newest before the stop", "recommended: chosen by itself"),
            };
            let x = c.text(2, y, area.w.saturating_sub(2), text, Role::Text);
            c.text(x + 2, y, area.w.saturating_sub(x + 2), more, Role::Dim);
        }
        Some(base) => one(c, base, area),
    }
    let whole = Area { h: 1, ..area };
    if here {
        c.paint(whole, Role::Selected);
    }
    c.hit(whole, Hit::Row(row));
}

fn one(c: &mut Canvas, base: &Base, area: Area) {
    let (y, info) = (area.y, &base.info);
    let wide = area.w >= 100;
    let id = if wide { 34 } else { 22 };
    let x = c.cell(2, y, id, &info.id, Role::Text, Align::Left) + 1;
    let x = match base.valid {
        Some(valid) => {
            let time = valid.first.time();
            let text = match wide {
                true => format!("stops {} to {}", time, valid.last.time()),
                false => format!("from {time}"),
            };
            c.cell(x, y, if wide { 50 } else { 26 }, &text, Role::Comes, Align::Left)
        }
        None => {
            c.cell(x, y, if wide { 50 } else { 26 }, "no point in time: no oplog", Role::Bad, Align::Left)
        }
    };
    let x = c.cell(x, y, 12, &format!("{} docs", count(info.documents)), Role::Text, Align::Right);
    if area.w < 72 {
        return;
    }
    let x = c.cell(x, y, 10, &bytes(info.bytes), Role::Text, Align::Right);
    if !wide {
        return;
    }
    let version = info.server_version.as_deref().unwrap_or("?");
    let form = format!("{}{}  MongoDB {version}", info.format, if info.compressed { " gz" } else { "" });
    c.text(x + 2, y, area.w.saturating_sub(x + 2), &form, Role::Dim);
}

/// What is known of the oplog; gives the rows used.
fn oplog(c: &mut Canvas, model: &Model, opened: &Opened, area: Area) -> u16 {
    let entries = counted(opened.entries, "op").replace("ops", "entries").replace(" op", " entry");
    c.heading(area, area.y, "Oplog", &entries);
    let (Some(first), Some(last)) = (opened.first, opened.last) else {
        c.text(1, area.y + 1, area.w, "there is no oplog among the sources", Role::Text);
        return 2;
    };
    let axis = Axis::fit(first, last, area.w.saturating_sub(2).max(1));
    let strip = Area { x: 1, y: area.y + 1, w: axis.bars, h: 1 };
    for segment in &opened.segments {
        for n in axis.bars_of(segment.first.pos, segment.last.pos).into_iter().flatten() {
            let text = c.glyph(Glyph::Covered);
            c.text(strip.x + n, strip.y, 1, text, Role::Dim);
        }
    }
    chart::marks(c, model, opened, axis, strip);
    for (n, text) in axis.labels() {
        if n + crate::ui::canvas::width(&text) <= axis.bars {
            c.text(strip.x + n, strip.y + 1, area.w, &text, Role::Dim);
        }
    }
    let x = c.text(
        1,
        area.y + 3,
        area.w.saturating_sub(1),
        &format!("{} to {}", first.time(), last.time()),
        Role::Text,
    );
    chart::legend(c, x + 3, area.y + 3, area.w.saturating_sub(x + 3));
    let mut y = area.y + 4;
    for gap in &opened.gaps {
        let text = format!("gap from {} to {}", gap.after.time(), gap.before.time());
        c.text(1, y, area.w.saturating_sub(1), &text, Role::Bad);
        y += 1;
    }
    for note in &opened.notes {
        c.text(1, y, area.w.saturating_sub(1), note, Role::Dim);
        y += 1;
    }
    y - area.y
}

/// What the highlighted snapshot holds.
fn collections(c: &mut Canvas, model: &Model, opened: &Opened, area: Area) {
    let Some(base) = in_row(opened, model.snapshots.cursor).or(opened.bases.last()) else { return };
    if area.h < 2 {
        return;
    }
    let title = format!("Collections of {}", base.info.id);
    c.heading(area, area.y, &title, &counted(base.info.collections.len() as u64, "collection"));
    let rows = usize::from(area.h - 1);
    // In two columns where there is room.
    let columns = if area.w >= 120 { 2 } else { 1 };
    let wide = area.w / columns;
    let all = &base.info.collections;
    for (at, coll) in all.iter().take(rows * usize::from(columns)).enumerate() {
        let (column, row) = (u16::try_from(at / rows).unwrap_or(0), u16::try_from(at % rows).unwrap_or(0));
        let (x, y) = (1 + column * wide, area.y + 1 + row);
        if at + 1 == rows * usize::from(columns) && all.len() > at + 1 {
            c.text(x, y, wide, &format!("and {} more", all.len() - at), Role::Dim);
            break;
        }
        let x = c.cell(x, y, wide.saturating_sub(36), &coll.ns.to_string(), Role::Text, Align::Left);
        let x = match coll.kind.as_str() {
            "collection" => c.cell(x, y, 22, &counted(coll.documents, "document"), Role::Text, Align::Right),
            kind => c.cell(x, y, 22, kind, Role::Dim, Align::Right),
        };
        c.cell(x, y, 10, &bytes(coll.bytes), Role::Dim, Align::Right);
    }
}
