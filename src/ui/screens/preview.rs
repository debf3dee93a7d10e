//! The preview: namespaces with what comes back, changes back and goes away; beside or below them
//! the documents of the highlighted one, and where there is room one of them in full.

use crate::app::screens::preview::Row;
use crate::app::view::{Area, preview};
use crate::app::{Hit, Model, Slot, actions, values};
use crate::domain::Position;
use crate::domain::diff::{CollectionDiff, DocumentDiff, Fate, NamespaceDiff};
use crate::domain::text::{count, counted};
use crate::keys::Action;
use crate::ui::canvas::{Align, Canvas};
use crate::ui::glyphs::Glyph;
use crate::ui::overlays::line_role;
use crate::ui::states;
use crate::ui::theme::Role;

/// Draws it.
pub fn draw(c: &mut Canvas, model: &Model, body: Area) {
    let Some(of) = &model.preview.made_for else {
        states::empty(
            c,
            body,
            "no stop is chosen yet",
            &states::on_timeline(model, Action::StopBefore, "chooses a stop"),
        );
        return;
    };
    let title = format!("Going back to before {} ({})", of.bound, of.bound.time());
    let end = match (&model.preview.against, model.preview.diff.value()) {
        (_, None) => String::new(),
        (Some((_, name)), Some(diff)) => {
            format!("compared with {name}, {}", when(&of.bound, &diff.against.time))
        }
        (None, Some(diff)) => format!("compared with the end, {}", when(&of.bound, &diff.against.time)),
    };
    c.heading(body, body.y, &title, &end);
    let below = Area { y: body.y + 1, h: body.h.saturating_sub(1), ..body };
    if states::absent(c, model, below, Slot::Diff, &model.preview.diff) {
        return;
    }
    let Some(diff) = model.preview.diff.value() else { return };
    if diff.namespaces.is_empty() {
        let other = actions::key_of(model, Action::Against);
        let next = format!(
            "choose an earlier stop, or look at the ops behind it; {other} compares with another time"
        );
        states::empty(c, below, "nothing differs: both are the same state", &next);
        return;
    }
    totals(c, diff.namespaces.as_slice(), body);
    let view = preview((c.area().w, c.area().h));
    namespaces(c, model, view.list);
    side(c, model, view.side);
    if let Some(area) = view.beside {
        beside(c, model, area);
    }
}

/// A time, without its day where that is the same as of the stop.
fn when<'t>(stop: &Position, time: &'t str) -> &'t str {
    let same = stop.time().get(..10) == time.get(..10);
    if same { time.get(11..).unwrap_or(time) } else { time }
}

fn totals(c: &mut Canvas, all: &[NamespaceDiff], body: Area) {
    let sum = |of: fn(&NamespaceDiff) -> u64| all.iter().map(of).sum::<u64>();
    let conflicts = sum(|n| n.conflicts);
    let parts = [
        (format!("+ {} come back", count(sum(|n| n.comes_back))), Role::Comes),
        (format!("~ {} change back", count(sum(|n| n.changes_back))), Role::Changes),
        (format!("- {} go away", count(sum(|n| n.goes_away))), Role::Goes),
        (
            if conflicts > 0 { format!("! {}", counted(conflicts, "conflict")) } else { String::new() },
            Role::Bad,
        ),
    ];
    let mut x = body.x + 1;
    for (text, role) in parts.iter().filter(|(text, _)| !text.is_empty()) {
        x = c.text(x, body.y + 1, (body.x + body.w).saturating_sub(x), text, *role) + 3;
    }
}

fn namespaces(c: &mut Canvas, model: &Model, area: Area) {
    let all = model.preview.namespaces();
    let differ =
        if all.len() == 1 { "1 differs".to_owned() } else { format!("{} differ", count(all.len() as u64)) };
    c.heading(area, area.y - 1, "Namespaces", &differ);
    let rows = model.preview.list.visible(all.len() as u64, u64::from(area.h));
    for (y, row) in (area.y..area.y + area.h).zip(rows) {
        let Some(found) = usize::try_from(row).ok().and_then(|at| all.get(at)) else { continue };
        let line = Area { y, h: 1, ..area };
        namespace(c, found, line);
        if row == model.preview.list.cursor {
            let here = c.glyph(Glyph::Here);
            c.text(area.x, y, 1, here, Role::Key);
            c.paint(line, if model.preview.on_side { Role::Resting } else { Role::Selected });
        }
        c.hit(line, Hit::Row(row));
    }
}

fn namespace(c: &mut Canvas, found: &NamespaceDiff, area: Area) {
    let y = area.y;
    let numbers = 4 * 9;
    let name = area.w.saturating_sub(numbers + 3).min(32);
    let mut x = c.cell(area.x + 2, y, name, &found.ns.to_string(), Role::Text, Align::Left);
    for (sign, n, role) in [
        ("+", found.comes_back, Role::Comes),
        ("~", found.changes_back, Role::Changes),
        ("-", found.goes_away, Role::Goes),
        ("!", found.conflicts, Role::Bad),
    ] {
        let text = if n == 0 { String::new() } else { format!("{sign} {}", count(n)) };
        x = c.cell(x, y, 9, &text, role, Align::Right);
    }
    let text = match found.collection.as_slice() {
        [] => String::new(),
        [one] => one.what.clone(),
        [one, rest @ ..] => format!("{} and {} more", one.what, rest.len()),
    };
    c.text(x + 2, y, (area.x + area.w).saturating_sub(x + 2), &text, Role::Command);
}

fn side(c: &mut Canvas, model: &Model, area: Area) {
    let preview = &model.preview;
    let Some(found) = preview.selected() else { return };
    let loadable = preview.shown();
    let shown = loadable.and_then(|d| d.value());
    let all = found.comes_back + found.changes_back + found.goes_away;
    let mut more = found.ns.to_string();
    if let Some(documents) = shown {
        let here = documents.documents.len() as u64;
        more = match (&preview.filter, documents.limited) {
            (None, true) => format!("{more}  {} of {}", count(here), count(all)),
            (Some(_), true) => format!("{more}  the first {}", count(here)),
            (_, false) => format!("{more}  {}", count(here)),
        };
    }
    if let Some(filter) = &preview.filter {
        more = format!("{more}  filter {filter}");
    }
    if let Some(find) = &preview.find {
        more = format!("{more}  find {find}");
    }
    c.heading(area, area.y - 1, "Documents", &more);
    let len = preview.rows();
    if len == 0 {
        match (loadable, &preview.filter) {
            (Some(loadable), _) if states::absent(c, model, area, Slot::Documents, loadable) => {}
            (Some(loadable), Some(filter)) if !loadable.is_loading() => {
                let what = format!("no document that differs here matches {filter}");
                states::empty(c, area, &what, &states::filter_keys(model));
            }
            _ => {}
        }
        return;
    }
    let rows = preview.side.visible(len, u64::from(area.h));
    for (y, row) in (area.y..area.y + area.h).zip(rows) {
        let line = Area { y, h: 1, ..area };
        match preview.row(row) {
            Some(Row::Document(found)) => document(c, found, line),
            Some(Row::Collection(change)) => collection(c, change, line),
            None => continue,
        }
        if row == preview.side.cursor && preview.on_side {
            let here = c.glyph(Glyph::Here);
            c.text(area.x, y, 1, here, Role::Key);
            c.paint(line, Role::Selected);
        }
        c.hit(line, Hit::SideRow(row));
    }
}

fn collection(c: &mut Canvas, change: &CollectionDiff, area: Area) {
    let (y, end) = (area.y, area.x + area.w);
    let x = c.text(area.x + 2, y, area.w.saturating_sub(2), &change.what, Role::Command) + 2;
    let side = |v: &Option<serde_json::Value>| {
        v.as_ref().map_or_else(|| "(not there)".to_owned(), |v| values::short_up_to(v, 200).0)
    };
    if change.at_stop.is_some() || change.against.is_some() {
        let text = format!("{} -> {}", side(&change.against), side(&change.at_stop));
        c.text(x, y, end.saturating_sub(x), &text, Role::Dim);
    }
}

fn document(c: &mut Canvas, document: &DocumentDiff, area: Area) {
    let (sign, role) = match document.fate {
        Fate::ComesBack => ("+", Role::Comes),
        Fate::ChangesBack => ("~", Role::Changes),
        Fate::GoesAway => ("-", Role::Goes),
    };
    let y = area.y;
    if document.conflict {
        c.text(area.x + 1, y, 1, "!", Role::Bad);
    }
    c.text(area.x + 2, y, 1, sign, role);
    let end = area.x + area.w;
    // A document that comes or goes is shown whole, and begins with its _id anyway.
    let x = match document.fate {
        Fate::ChangesBack => {
            let id = values::id(&document.id);
            c.end_of(area.x + 4, y, area.w / 3, &id, role) + 2
        }
        Fate::ComesBack | Fate::GoesAway => area.x + 4,
    };
    c.text(x, y, end.saturating_sub(x), &values::fields_line(document), Role::Text);
}

/// The highlighted document in full.
fn beside(c: &mut Canvas, model: &Model, area: Area) {
    let Some((_, text)) = &model.preview.beside else { return };
    let all = format!("{} shows all of it", actions::key_of(model, Action::Open));
    let more = if text.lines.len() > usize::from(area.h) { all } else { String::new() };
    let head = match model.preview.document() {
        Some(document) => format!("{}  {more}", values::short_up_to(&document.id, 60).0),
        None => more,
    };
    c.heading(area, area.y - 1, "The difference", head.trim_end());
    for (y, line) in (area.y..area.y + area.h).zip(&text.lines) {
        let room = area.w.saturating_sub(1);
        c.text(area.x + 1, y, room, line, line_role(line));
    }
}
