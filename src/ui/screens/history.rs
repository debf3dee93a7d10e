//! The history of a document: its versions, and the highlighted one in full.

use super::change;
use crate::app::document::VersionLine;
use crate::app::view::{Area, history};
use crate::app::{Hit, Model, Slot, actions, compare, values};
use crate::domain::op::OpKind;
use crate::domain::text::{count, counted};
use crate::keys::Action;
use crate::ui::canvas::{Align, Canvas, width};
use crate::ui::chart::look;
use crate::ui::glyphs::Glyph;
use crate::ui::states;
use crate::ui::theme::Role;

/// Draws it.
pub fn draw(c: &mut Canvas, model: &Model, body: Area) {
    let Some(of) = &model.history.of else {
        states::empty(
            c,
            body,
            "no document is chosen yet",
            &states::on_timeline(model, Action::History, "follows a document"),
        );
        return;
    };
    let (list, pane) = history((c.area().w, c.area().h));
    let versions = model.history.versions();
    let what = format!("{}  {}", of.ns, values::id(&of.id));
    let more = match versions.len() {
        0 => what,
        n => format!("{what}  {}", counted(n as u64, "version")),
    };
    c.heading(Area { h: 1, ..list }, list.y - 1, "History", &more);
    let whole = Area { h: pane.y + pane.h - list.y, w: body.w, ..list };
    if states::absent(c, model, whole, Slot::History, &model.history.found) {
        return;
    }
    if versions.is_empty() {
        let what = "no version: the document is neither in the snapshots nor in the oplog behind them";
        states::empty(c, whole, what, &format!("{} goes back", actions::key_of(model, Action::Back)));
        return;
    }
    rows(c, model, list);
    detail(c, model, pane);
}

fn rows(c: &mut Canvas, model: &Model, area: Area) {
    let versions = model.history.versions();
    let visible = model.history.list.visible(versions.len() as u64, u64::from(area.h));
    for (y, row) in (area.y..area.y + area.h).zip(visible) {
        let Some(version) = usize::try_from(row).ok().and_then(|at| versions.get(at)) else { continue };
        let line = Area { y, h: 1, ..area };
        one(c, model, version, line);
        if row == model.history.list.cursor {
            let here = c.glyph(Glyph::Here);
            c.text(line.x, y, 1, here, Role::Key);
            c.paint(line, Role::Selected);
        }
        c.hit(line, Hit::Row(row));
    }
}

fn one(c: &mut Canvas, model: &Model, version: &VersionLine, area: Area) {
    let (y, end) = (area.y, area.x + area.w);
    if let Some(stop) = model.choice.stop.filter(|stop| version.pos >= *stop) {
        let glyph = if version.pos == stop { Glyph::Stop } else { Glyph::Side };
        let text = c.glyph(glyph);
        c.text(area.x + 1, y, 1, text, Role::Mark);
    }
    let time = version.pos.time();
    let wide = area.w >= 100;
    let from = if wide { 0 } else { 11 };
    let time = time.get(from..19).unwrap_or("?").replace('T', " ");
    let x = c.cell(area.x + 3, y, width(&time) + 1, &time, Role::Text, Align::Left);
    let x = match model.local_time(version.pos) {
        Some(local) => c.cell(x, y, 9, local.get(11..19).unwrap_or("?"), Role::Dim, Align::Left),
        None => x,
    };
    let x = c.cell(x, y, 17, &version.pos.to_string(), Role::Dim, Align::Left);
    let (sign, role) = version.kind.map_or((" ", Role::Dim), look);
    let x = c.pieces(x, y, end.saturating_sub(x), &[(sign, role), (" ", role), (&version.what, role)]);
    let gone = if version.there { "" } else { "gone" };
    let fields = if version.kind == Some(OpKind::Delete) || version.there { "" } else { gone };
    let room = end.saturating_sub(x + 2);
    let (text, role) = match (version.exact, fields) {
        (false, _) => ("not exact", Role::Bad),
        (true, "") => (version.fields.as_str(), Role::Text),
        (true, gone) => (gone, Role::Goes),
    };
    c.text(x + 2, y, room, text, role);
}

fn detail(c: &mut Canvas, model: &Model, area: Area) {
    let (number, version) = &model.history.version;
    let head = Area { y: area.y - 1, h: 1, ..area };
    if states::absent(c, model, area, Slot::Version, version) {
        c.heading(head, head.y, "The version", "");
        return;
    }
    let Some(found) = version.value() else { return };
    let mut lines = compare::facts(found);
    lines.pop();
    if found.fields.is_empty() {
        let (sign, tone) = match &found.after {
            Some(_) => ('+', compare::Tone::After),
            None => ('-', compare::Tone::Before),
        };
        let document = found.after.as_ref().or(found.before.as_ref());
        let text = document.map(values::lines).unwrap_or_default();
        let text = text.into_iter().map(|line| format!("{sign} {line}"));
        lines.extend(text.map(|text| vec![compare::Piece { text, tone }]));
    }
    lines.extend(found.fields.iter().flat_map(compare::field_lines));
    let hidden = lines.len().saturating_sub(usize::from(area.h));
    let place = format!("{} of {}", count(number + 1), count(model.history.versions().len() as u64));
    let more = match hidden {
        0 => format!("{place}  Space shows all of it"),
        n => format!("{place}  {}: Space", counted(n as u64, "more line")),
    };
    c.heading(head, head.y, "The version", &more);
    change::text(c, &lines, 0, area);
}
