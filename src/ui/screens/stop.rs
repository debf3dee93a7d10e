//! The stop: a panel with both its neighbours, the base it would use, and what lies behind it.

use super::plan::op_line;
use crate::app::view::{self, Area};
use crate::app::{Model, Slot};
use crate::domain::text::{count, counted};
use crate::ui::canvas::Canvas;
use crate::ui::overlays::boxed;
use crate::ui::states;
use crate::ui::theme::Role;

/// Draws it.
pub fn draw(c: &mut Canvas, model: &Model) {
    let Some(bound) = model.choice.stop else { return };
    let size = (c.area().w, c.area().h);
    let area = view::overlay(size, (size.0.saturating_sub(4).min(110), 14));
    let inside = boxed(c, area, &format!("The stop: before {bound}, {}", bound.time()));
    if states::absent(c, model, inside, Slot::Stop, &model.choice.facts) {
        return;
    }
    let Some(facts) = model.choice.facts.value() else { return };
    let mut y = inside.y;
    let line = |c: &mut Canvas, y: u16, name: &str, pieces: &[(String, Role)]| {
        c.text(inside.x, y, 12, name, Role::Dim);
        let pieces: Vec<(&str, Role)> = pieces.iter().map(|(t, r)| (t.as_str(), *r)).collect();
        c.pieces(inside.x + 13, y, inside.w.saturating_sub(13), &pieces);
    };
    line(c, y, "last applied", &op_line(facts.stop.last_applied.as_ref(), "nothing"));
    c.rule(inside.x + 13, y + 1, inside.w.saturating_sub(13));
    c.text(inside.x, y + 1, 12, "stop", Role::Stop);
    line(c, y + 2, "left out", &op_line(facts.stop.first_left_out.as_ref(), "nothing: this is the end"));
    y += 4;
    let base = match model.base() {
        Some(Ok(info)) => vec![(info.id.clone(), Role::Title)],
        Some(Err(error)) => vec![(error.cause.clone(), Role::Bad)],
        None => Vec::new(),
    };
    line(c, y, "base", &base);
    y += 1;
    if let Some(Err(error)) = model.base() {
        for text in states::wrap(&error.hint, inside.w.saturating_sub(13)) {
            line(c, y, "", &[(text, Role::Text)]);
            y += 1;
        }
    }
    let behind = format!("{} behind the stop", counted(facts.left_out, "op"));
    line(c, y, "left out", &[(behind, Role::Text)]);
    let by: Vec<String> =
        facts.by_namespace.iter().take(4).map(|(ns, n)| format!("{ns} {}", count(*n))).collect();
    line(c, y + 1, "", &[(by.join("   "), Role::Dim)]);
    keys(c, Area { y: (inside.y + inside.h).saturating_sub(1), h: 1, ..inside });
}

fn keys(c: &mut Canvas, area: Area) {
    let pieces = [
        ("Enter", Role::Key),
        (" preview  ", Role::Text),
        ("r", Role::Key),
        (" restore  ", Role::Text),
        ("< >", Role::Key),
        (" one op earlier, later  ", Role::Text),
        ("y", Role::Key),
        (" copy  ", Role::Text),
        ("Esc", Role::Key),
        (" keep it and go on looking", Role::Text),
    ];
    c.pieces(area.x, area.y, area.w, &pieces);
}
