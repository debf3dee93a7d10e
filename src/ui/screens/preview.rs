//! The preview: namespaces with what comes back, changes back and goes away; beside or below them
//! the documents of the highlighted one.

use crate::app::view::{Area, preview};
use crate::app::{Hit, Model, Slot, values};
use crate::domain::diff::{DocumentDiff, Fate, NamespaceDiff};
use crate::domain::text::{count, counted};
use crate::ui::canvas::{Align, Canvas};
use crate::ui::glyphs::Glyph;
use crate::ui::states;
use crate::ui::theme::Role;

/// Draws it.
pub fn draw(c: &mut Canvas, model: &Model, body: Area) {
    let Some((bound, _)) = &model.preview.made_for else {
        states::empty(c, body, "no stop is chosen yet", "2 shows the timeline, s there chooses a stop");
        return;
    };
    let title = format!("Going back to before {bound} ({})", bound.time());
    c.heading(body, body.y, &title, "");
    if states::absent(
        c,
        model,
        Area { y: body.y + 1, h: body.h - 1, ..body },
        Slot::Diff,
        &model.preview.diff,
    ) {
        return;
    }
    let Some(diff) = model.preview.diff.value() else { return };
    if diff.namespaces.is_empty() {
        let area = Area { y: body.y + 1, ..body };
        let next = "choose an earlier stop, or look at the ops behind it";
        states::empty(c, area, "nothing differs: the stop and the end are the same state", next);
        return;
    }
    totals(c, diff.namespaces.as_slice(), &diff.against.time, body);
    let (left, right) = preview((c.area().w, c.area().h));
    namespaces(c, model, left);
    documents(c, model, right);
}

fn totals(c: &mut Canvas, all: &[NamespaceDiff], end: &str, body: Area) {
    let sum = |of: fn(&NamespaceDiff) -> u64| all.iter().map(of).sum::<u64>();
    let comes = format!("+ {} come back", count(sum(|n| n.comes_back)));
    let changes = format!("~ {} change back", count(sum(|n| n.changes_back)));
    let goes = format!("- {} go away", count(sum(|n| n.goes_away)));
    let against = format!("against the end, {end}");
    let gap = ("   ", Role::Text);
    let pieces = [
        (comes.as_str(), Role::Comes),
        gap,
        (&changes, Role::Changes),
        gap,
        (&goes, Role::Goes),
        gap,
        (&against, Role::Dim),
    ];
    c.pieces(1, body.y + 1, body.w.saturating_sub(1), &pieces);
}

fn namespaces(c: &mut Canvas, model: &Model, area: Area) {
    let all = model.preview.namespaces();
    c.heading(
        area,
        area.y - 1,
        "Namespaces",
        &counted(all.len() as u64, "differs").replace("differss", "differ"),
    );
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
    let numbers = 3 * 10;
    let name = area.w.saturating_sub(numbers + 3).min(32);
    let mut x = c.cell(area.x + 2, y, name, &found.ns.to_string(), Role::Text, Align::Left);
    for (sign, n, role) in [
        ("+", found.comes_back, Role::Comes),
        ("~", found.changes_back, Role::Changes),
        ("-", found.goes_away, Role::Goes),
    ] {
        let text = if n == 0 { String::new() } else { format!("{sign} {}", count(n)) };
        x = c.cell(x, y, 10, &text, role, Align::Right);
    }
    let text = found.collection.join(", ");
    c.text(x + 2, y, (area.x + area.w).saturating_sub(x + 2), &text, Role::Command);
}

fn documents(c: &mut Canvas, model: &Model, area: Area) {
    let Some(found) = model.preview.selected() else { return };
    let shown = model.preview.shown().and_then(|d| d.value());
    let more = match shown {
        Some(documents) if documents.limited => {
            format!("{}  the first {}", found.ns, count(documents.documents.len() as u64))
        }
        Some(documents) => format!("{}  {}", found.ns, count(documents.documents.len() as u64)),
        None => found.ns.to_string(),
    };
    c.heading(area, area.y - 1, "Documents", &more);
    let Some(loadable) = model.preview.shown() else { return };
    if states::absent(c, model, area, Slot::Documents, loadable) {
        return;
    }
    let Some(documents) = loadable.value() else { return };
    if documents.documents.is_empty() {
        let what = found.collection.join(", ");
        states::empty(c, area, "no document differs", &what);
        return;
    }
    let len = documents.documents.len() as u64;
    let rows = model.preview.side.visible(len, u64::from(area.h));
    for (y, row) in (area.y..area.y + area.h).zip(rows) {
        let Some(document) = usize::try_from(row).ok().and_then(|at| documents.documents.get(at)) else {
            continue;
        };
        let line = Area { y, h: 1, ..area };
        one(c, document, line);
        if row == model.preview.side.cursor && model.preview.on_side {
            let here = c.glyph(Glyph::Here);
            c.text(area.x, y, 1, here, Role::Key);
            c.paint(line, Role::Selected);
        }
        c.hit(line, Hit::SideRow(row));
    }
}

fn one(c: &mut Canvas, document: &DocumentDiff, area: Area) {
    let (sign, role) = match document.fate {
        Fate::ComesBack => ("+", Role::Comes),
        Fate::ChangesBack => ("~", Role::Changes),
        Fate::GoesAway => ("-", Role::Goes),
    };
    let y = area.y;
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
