//! The timeline: the chart, the ops below, and where there is room the highlighted op in full.

use crate::app::list::{Folded, Line};
use crate::app::screens::history::of_op;
use crate::app::screens::timeline::{place, so_far};
use crate::app::view::{Area, timeline};
use crate::app::{Hit, Model, Slot, actions, values};
use crate::domain::Position;
use crate::domain::op::Op;
use crate::domain::text::{bytes, count, counted};
use crate::keys::Action;
use crate::ui::canvas::{Align, Canvas};
use crate::ui::chart::{self, look};
use crate::ui::glyphs::{Glyph, at_least};
use crate::ui::states;
use crate::ui::theme::Role;

/// Draws it.
pub fn draw(c: &mut Canvas, model: &Model, body: Area) {
    if model.opened.value().is_some_and(|o| o.entries == 0) {
        let next = "name a dump made with --oplog, and the oplog slices taken since";
        states::empty(c, body, "there is no oplog among the sources", next);
        return;
    }
    if model.opened.value().is_none() {
        states::absent(c, model, body, Slot::Open, &model.opened);
        return;
    }
    if states::absent(c, model, body, Slot::Index, &model.timeline.index) {
        return;
    }
    let view = timeline((c.area().w, c.area().h));
    chart::draw(c, model, view.chart, view.lane);
    list(c, model, view.list);
    if let Some(area) = view.detail {
        detail(c, model, area);
    }
}

fn list(c: &mut Canvas, model: &Model, area: Area) {
    let head = Area { y: area.y - 1, h: 1, ..area };
    let mut more = place(model, at_least(c.charset));
    if let Some(op) = model.timeline.selected() {
        more = format!("{}  {more}", op.time.get(..10).unwrap_or_default());
    }
    if let Some(filter) = model.timeline.filter() {
        more = format!("{more}  filter {filter}");
    }
    if let Some(search) = &model.timeline.search {
        more = format!("{more}  search {search}");
    }
    c.heading(head, head.y, "Ops", &more);
    if model.timeline.rows == 0 {
        let filter = model.timeline.filter().unwrap_or_default();
        let what = format!("no op{} matches the filter {filter}", so_far(model.timeline.counted));
        states::empty(c, area, &what, &states::filter_keys(model));
        return;
    }
    let rows = model.timeline.list.visible(model.timeline.rows, u64::from(area.h));
    for (y, row) in (area.y..area.y + area.h).zip(rows) {
        let line = Area { y, h: 1, ..area };
        match model.timeline.line(row) {
            Some(Line::Op { op, of, .. }) => {
                if of.is_some() {
                    let member = c.glyph(Glyph::Member);
                    c.text(line.x + 2, y, 1, member, look(op.kind).1);
                }
                draw_op(c, model, op, line);
            }
            Some(Line::Burst(folded)) => draw_burst(c, model, folded, line),
            None => {}
        }
        if row == model.timeline.list.cursor {
            let here = c.glyph(Glyph::Here);
            c.text(line.x, y, 1, here, Role::Key);
            c.paint(line, Role::Selected);
        }
        c.hit(line, Hit::Row(row));
    }
}

fn draw_op(c: &mut Canvas, model: &Model, op: &Op, area: Area) {
    let (y, end) = (area.y, area.x + area.w);
    let (sign, role) = look(op.kind);
    side(c, model, op.pos, area.x + 1, y);
    let suspect =
        model.suspects.around(op.pos).is_some_and(|b| b.ns.to_string() == op.ns && b.kind == op.kind);
    let x = place_of(c, model, op, area);
    c.text(x, y, 1, sign, role);
    let name = op.command.as_deref().filter(|name| *name != "applyOps").unwrap_or(op.kind.name());
    let x = c.cell(x + 2, y, 8, name, role, Align::Left);
    let x = x + 1;
    let wide = area.w >= 100;
    let ns = if wide { 28 } else { 16 };
    let x = c.cell(x, y, ns, &op.ns, Role::Text, Align::Left) + 1;
    let tail = if wide { 19 } else { 2 };
    let room = end.saturating_sub(x + tail);
    let id = op.id.as_ref().map(values::id).unwrap_or_default();
    c.end_of(x, y, room, &id, Role::Text);
    let x = x + room + 1;
    if wide {
        let x = c.cell(x, y, 9, &bytes(op.bytes), Role::Dim, Align::Right) + 1;
        let txn = if op.txn.is_some() { "txn" } else { "" };
        c.cell(x, y, 4, txn, Role::Dim, Align::Left);
    }
    if suspect {
        let text = c.glyph(Glyph::Suspect);
        c.text(end.saturating_sub(1), y, 1, text, Role::Goes);
    }
}

/// When and where; gives the column behind it.
fn place_of(c: &mut Canvas, model: &Model, op: &Op, area: Area) -> u16 {
    let y = area.y;
    let x = c.cell(area.x + 3, y, 9, op.time.get(11..19).unwrap_or("?"), Role::Text, Align::Left);
    let x = match model.local_time(op.pos) {
        Some(local) => c.cell(x, y, 9, local.get(11..19).unwrap_or("?"), Role::Dim, Align::Left),
        None => x,
    };
    c.cell(x, y, 17, &op.pos.to_string(), Role::Dim, Align::Left)
}

/// A burst, folded or open: how many ops of what, on what, in how much time.
fn draw_burst(c: &mut Canvas, model: &Model, folded: &Folded, area: Area) {
    let (y, end, burst) = (area.y, area.x + area.w, &folded.burst);
    let (sign, role) = look(burst.kind);
    side(c, model, burst.first, area.x + 1, y);
    let glyph = c.glyph(if folded.open { Glyph::Opened } else { Glyph::Folded });
    c.text(area.x + 2, y, 1, glyph, role);
    let x = place_of(c, model, &folded.op, area);
    let ops = counted(folded.ops, burst.kind.name());
    let ns = format!("  {}", burst.ns);
    let took = format!("  {}", took(folded));
    let what = format!("  {}", burst.ordinary.as_deref().unwrap_or(&burst.what));
    let pieces = [
        (sign, role),
        (" ", role),
        (ops.as_str(), role),
        (ns.as_str(), Role::Text),
        (took.as_str(), Role::Dim),
        (what.as_str(), Role::Dim),
    ];
    c.pieces(x, y, end.saturating_sub(x + 2), &pieces);
    if burst.ordinary.is_none() {
        let text = c.glyph(Glyph::Suspect);
        c.text(end.saturating_sub(1), y, 1, text, Role::Goes);
    }
}

/// From the first op of a burst to its last one.
fn took(folded: &Folded) -> String {
    match folded.millis {
        Some(0) => "in under 1 ms".to_owned(),
        Some(ms) if ms < 1000 => format!("{ms} ms"),
        Some(ms) => format!("{:.1} s", ms as f64 / 1000.0),
        None => match folded.burst.seconds {
            0 => "within a second".to_owned(),
            secs => format!("{secs} s"),
        },
    }
}

/// What the stop means for this op: applied, or left out; the first one left out carries its sign.
fn side(c: &mut Canvas, model: &Model, pos: Position, x: u16, y: u16) {
    if model.marks.list.iter().any(|mark| mark.pos == pos) {
        let text = c.glyph(Glyph::Mark);
        c.text(x + 1, y, 1, text, Role::Mark);
    }
    let Some(stop) = model.choice.stop.filter(|stop| pos >= *stop) else { return };
    let known = model.choice.facts.value().filter(|f| f.stop.bound == stop);
    let first = known.and_then(|f| f.stop.first_left_out.as_ref()).map_or(stop, |op| op.pos);
    let (glyph, role) = if pos == first { (Glyph::Stop, Role::Mark) } else { (Glyph::Side, Role::Mark) };
    let text = c.glyph(glyph);
    c.text(x, y, 1, text, role);
}

fn detail(c: &mut Canvas, model: &Model, area: Area) {
    let head = Area { y: area.y.saturating_sub(1), h: 1, ..area };
    let open = actions::key_of(model, Action::Open);
    if let Some(folded) = model.timeline.here().and_then(Line::burst) {
        let does = if folded.open { "folds it" } else { "opens it" };
        c.heading(head, head.y, "The burst", &format!("{open} {does}"));
        burst_facts(c, model, folded, area);
        return;
    }
    let (row, text) = &model.timeline.detail;
    if *row != model.timeline.list.cursor && !text.is_loading() {
        c.heading(head, head.y, "The op", "");
        return;
    }
    let Some(text) = text.value() else {
        c.heading(head, head.y, "The op", "");
        states::absent(c, model, area, Slot::Detail, text);
        return;
    };
    let has_document = model.timeline.selected().and_then(of_op).is_some();
    let hidden = text.lines.len().saturating_sub(usize::from(area.h));
    let more = match hidden {
        0 if has_document => format!("{open} shows its document before and after"),
        0 => format!("{open} shows it alone"),
        n => format!("{}: {open}", counted(n as u64, "more line")),
    };
    c.heading(head, head.y, "The op", &more);
    for (y, line) in (area.y..area.y + area.h).zip(&text.lines) {
        c.text(area.x, y, area.w, line, Role::Text);
    }
}

/// What is known of a burst.
fn burst_facts(c: &mut Canvas, model: &Model, folded: &Folded, area: Area) {
    let burst = &folded.burst;
    let (_, role) = look(burst.kind);
    let local = |pos| {
        model.local_time(pos).map_or(String::new(), |local| format!("  local {}", local.replace('T', " ")))
    };
    let mut lines = vec![
        ("", burst.what.clone(), role),
        ("on", burst.ns.to_string(), Role::Text),
        ("about", values::touched(burst, " of the collection"), Role::Text),
        ("ops", format!("{}, {}", count(folded.ops), took(folded)), Role::Text),
        ("from", format!("{}  {}{}", burst.first, burst.first.time(), local(burst.first)), Role::Text),
        ("to", format!("{}  {}{}", burst.last, burst.last.time(), local(burst.last)), Role::Text),
    ];
    let session = burst.session.clone().unwrap_or_else(|| "none in the oplog".into());
    lines.push(("session", session, Role::Text));
    match &burst.ordinary {
        Some(reason) => lines.push(("ordinary", reason.clone(), Role::Text)),
        None => lines.push(("stop", format!("s stops before it: {}", burst.stop), Role::Mark)),
    }
    let mut y = area.y;
    for (name, text, role) in lines {
        for (at, line) in states::wrap(&text, area.w.saturating_sub(10)).into_iter().enumerate() {
            if y < area.y + area.h {
                c.text(area.x, y, 9, if at == 0 { name } else { "" }, Role::Dim);
                c.text(area.x + 10, y, area.w.saturating_sub(10), &line, role);
                y += 1;
            }
        }
    }
}
