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
    let wide = view::overlay(size, (104, 1)).w;
    let lines = lines(model, wide.saturating_sub(4 + LABEL));
    let rows = u16::try_from(lines.len()).unwrap_or(0) + 4;
    let area = view::overlay(size, (104, rows.max(8)));
    let inside = boxed(c, area, &format!("The stop: before {bound}, {}", bound.time()));
    if states::absent(c, model, inside, Slot::Stop, &model.choice.facts) {
        return;
    }
    // The keys have the last row.
    let bottom = (inside.y + inside.h).saturating_sub(2);
    for (y, (name, pieces)) in (inside.y..bottom).zip(&lines) {
        if *name == STOP {
            c.text(inside.x, y, LABEL, "    stop    ", Role::Stop);
            c.rule(inside.x + LABEL, y, inside.w.saturating_sub(LABEL));
            continue;
        }
        c.text(inside.x, y, LABEL, name, Role::Dim);
        let pieces: Vec<(&str, Role)> = pieces.iter().map(|(t, r)| (t.as_str(), *r)).collect();
        c.pieces(inside.x + LABEL, y, inside.w.saturating_sub(LABEL), &pieces);
    }
    keys(c, Area { y: bottom + 1, h: 1, ..inside });
}

/// Room for the names of lines.
const LABEL: u16 = 15;

/// The line between the two neighbours.
const STOP: &str = "stop";

type Line = (&'static str, Vec<(String, Role)>);

fn lines(model: &Model, room: u16) -> Vec<Line> {
    let Some(facts) = model.choice.facts.value() else { return Vec::new() };
    let mut out: Vec<Line> = vec![
        ("last applied", op_line(facts.stop.last_applied.as_ref(), "nothing")),
        (STOP, Vec::new()),
        ("first left out", op_line(facts.stop.first_left_out.as_ref(), "nothing: this is the end")),
        ("", Vec::new()),
    ];
    match model.base() {
        Some(Ok(info)) => out.push(("base", vec![(info.id.clone(), Role::Title)])),
        Some(Err(error)) => {
            let cause = states::wrap(&error.cause, room).into_iter().map(|t| (t, Role::Bad));
            let hint = states::wrap(&error.hint, room).into_iter().map(|t| (t, Role::Text));
            for (at, piece) in cause.chain(hint).enumerate() {
                out.push((if at == 0 { "not possible" } else { "" }, vec![piece]));
            }
        }
        None => {}
    }
    out.push(("left out", vec![(format!("{} behind the stop", counted(facts.left_out, "op")), Role::Text)]));
    let by: Vec<String> =
        facts.by_namespace.iter().take(4).map(|(ns, n)| format!("{ns} {}", count(*n))).collect();
    out.push(("", vec![(by.join("   "), Role::Dim)]));
    out
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
        (" go on looking", Role::Text),
    ];
    c.pieces(area.x, area.y, area.w, &pieces);
}
