//! A restore: phases with rate and remaining time while it runs; what was verified and how to get
//! at it when it has ended.

use super::below;
use crate::app::data::{Check, Outcome};
use crate::app::screens::restore::{Restore, Seen};
use crate::app::view::{Area, RESULT_HEAD};
use crate::app::{Loadable, Model};
use crate::domain::progress::Phase;
use crate::domain::text::{bytes, count, counted};
use crate::keys::Action;
use crate::ui::canvas::{Align, Canvas};
use crate::ui::glyphs::{Glyph, spinner};
use crate::ui::states;
use crate::ui::theme::Role;

/// Draws it.
pub fn draw(c: &mut Canvas, model: &Model, body: Area) {
    let Some(restore) = &model.restore else {
        states::empty(
            c,
            body,
            "nothing was restored yet",
            &states::on_timeline(model, Action::StopBefore, "chooses a stop"),
        );
        return;
    };
    let title = format!("Restore to {}", restore.request.target);
    c.heading(body, body.y, &title, &format!("as of the stop before {}", restore.request.bound));
    let area = below(body, 1);
    match &restore.outcome {
        Loadable::Ready(outcome) => result(c, model, restore, outcome, area),
        Loadable::Failed(error) => states::failed(c, model, area, error),
        _ => running(c, model, restore, area),
    }
}

fn name(phase: Phase) -> &'static str {
    match phase {
        Phase::Open => "open the sources",
        Phase::Fold => "walk the oplog",
        Phase::Start => "start mongod",
        Phase::Load => "load documents",
        Phase::Index => "build indexes",
        Phase::Verify => "verify",
        Phase::Done => "done",
    }
}

fn running(c: &mut Canvas, model: &Model, restore: &Restore, area: Area) {
    let mut y = area.y;
    for phase in Phase::ALL.into_iter().filter(|p| *p != Phase::Done) {
        let seen = restore.phases.iter().rfind(|s| s.phase == phase);
        let now = restore.phases.last().is_some_and(|s| s.phase == phase);
        match (seen, now) {
            (Some(seen), true) => current(c, model, seen, Area { y, h: 1, ..area }),
            (Some(seen), false) => {
                let sign = c.glyph(Glyph::Done);
                c.text(1, y, 1, sign, Role::Good);
                c.text(3, y, 18, name(phase), Role::Text);
                c.text(22, y, area.w.saturating_sub(22), &amount(seen), Role::Dim);
            }
            (None, _) => {
                c.text(3, y, 18, name(phase), Role::Dim);
            }
        }
        y += 1;
    }
    let secs = model.now.saturating_sub(restore.since) as f64 / 1000.0;
    let text = match restore.cancelling {
        true => format!("{secs:.1} s so far; it was asked to stop and will at its next check"),
        false => format!("{secs:.1} s so far"),
    };
    c.text(3, y + 1, area.w.saturating_sub(3), &text, Role::Text);
    let note = "It is a process of its own: leaving this screen, or pitstop, does not end it.";
    for (at, line) in states::wrap(note, area.w.saturating_sub(4)).iter().enumerate() {
        c.text(3, y + 3 + u16::try_from(at).unwrap_or(0), area.w.saturating_sub(3), line, Role::Dim);
    }
}

/// What was done in a phase.
fn amount(seen: &Seen) -> String {
    match (seen.reading.done, seen.reading.bytes) {
        (0, _) => String::new(),
        (done, 0) => count(done),
        (done, size) => format!("{}  {}", count(done), bytes(size)),
    }
}

fn current(c: &mut Canvas, model: &Model, seen: &Seen, area: Area) {
    let y = area.y;
    let turning = spinner(c.charset, model.now);
    c.text(1, y, 1, turning, Role::Key);
    c.text(3, y, 18, name(seen.phase), Role::Title);
    let mut x = 22;
    if let Some(share) = seen.share() {
        let wide = if area.w >= 100 { 30 } else { 12 };
        let full = (share * f64::from(wide)).floor() as u16;
        let text = c.glyph(Glyph::Full).repeat(usize::from(full));
        let rest = c.glyph(Glyph::Empty).repeat(usize::from(wide - full));
        x = c.pieces(x, y, wide, &[(&text, Role::Good), (&rest, Role::Dim)]) + 1;
        x = c.text(x, y, 6, &format!("{:>3.0} %", (share * 100.0).floor()), Role::Text) + 1;
    }
    let mut parts = Vec::new();
    if seen.reading.done > 0 || seen.reading.total > 0 {
        parts.push(match seen.reading.total {
            0 => count(seen.reading.done),
            total => format!("{} of {}", count(seen.reading.done), count(total)),
        });
    }
    parts.extend(seen.rate().map(|rate| format!("{}/s", count(rate as u64))));
    parts.extend(seen.remaining().map(|secs| format!("about {} left", duration(secs))));
    c.text(x, y, area.w.saturating_sub(x), &parts.join("  "), Role::Text);
}

fn duration(secs: f64) -> String {
    let secs = secs.ceil() as u64;
    match secs {
        0..=89 => format!("{secs} s"),
        90..=5399 => format!("{} min", secs.div_ceil(60)),
        _ => format!("{} h {} min", secs / 3600, secs % 3600 / 60),
    }
}

fn result(c: &mut Canvas, model: &Model, restore: &Restore, outcome: &Outcome, area: Area) {
    let mut y = area.y;
    match &outcome.error {
        None => {
            let sign = c.glyph(Glyph::Done);
            let text = format!(
                "Verified and complete: {} in {:.1} s",
                counted(outcome.checks.len() as u64, "collection"),
                outcome.seconds
            );
            c.pieces(1, y, area.w, &[(sign, Role::Good), (" ", Role::Good), (&text, Role::Title)]);
            y += 1;
        }
        Some(error) => {
            let rows = area.h.min(6);
            states::failed(c, model, Area { h: rows, ..area }, error);
            y += rows;
        }
    }
    if let Some(restored) = &outcome.restored {
        let kind = format!("{}  ", restored.kind);
        c.pieces(3, y, area.w.saturating_sub(3), &[(&kind, Role::Dim), (&restored.place, Role::Title)]);
        c.text(3, y + 1, area.w.saturating_sub(3), &restored.next, Role::Text);
        c.pieces(
            3,
            y + 2,
            area.w.saturating_sub(3),
            &[("y", Role::Key), (" copies how to get at it", Role::Text)],
        );
        y += 3;
    }
    for note in outcome.notes.iter().take(2) {
        c.text(3, y, area.w.saturating_sub(3), note, Role::Dim);
        y += 1;
    }
    let table = Area { y: y + 1, h: (area.y + area.h).saturating_sub(y + 1), ..area };
    checks(c, restore, &outcome.checks, table);
}

fn checks(c: &mut Canvas, restore: &Restore, checks: &[Check], area: Area) {
    if checks.is_empty() || area.h < 2 {
        return;
    }
    let name = if area.w >= 100 { 44 } else { 24 };
    let y = area.y;
    let x = c.cell(3, y, name, "namespace", Role::Dim, Align::Left);
    let x = c.cell(x, y, 12, "expected", Role::Dim, Align::Right);
    let x = c.cell(x, y, 12, "read back", Role::Dim, Align::Right) + 2;
    c.text(x, y, area.w.saturating_sub(x), "documents indexes options", Role::Dim);
    let rows = u64::from(area.h - 1).max(RESULT_HEAD.min(1));
    let visible = restore.list.visible(checks.len() as u64, rows);
    for (y, row) in (area.y + 1..area.y + area.h).zip(visible) {
        let Some(check) = usize::try_from(row).ok().and_then(|at| checks.get(at)) else { continue };
        one(c, check, Area { y, h: 1, ..area }, name);
        if row == restore.list.cursor {
            c.paint(Area { y, h: 1, ..area }, Role::Selected);
        }
    }
}

fn one(c: &mut Canvas, check: &Check, area: Area, name: u16) {
    let y = area.y;
    let (sign, role) = match check.ok() {
        true => (c.glyph(Glyph::Done), Role::Good),
        false => (c.glyph(Glyph::Wrong), Role::Bad),
    };
    c.text(1, y, 1, sign, role);
    let x = c.cell(3, y, name, &check.ns, Role::Text, Align::Left);
    let x = c.cell(x, y, 12, &count(check.expected), Role::Text, Align::Right);
    let x = c.cell(x, y, 12, &count(check.found), Role::Text, Align::Right) + 2;
    let word = |fine: bool| if fine { ("equal", Role::Good) } else { ("DIFFER", Role::Bad) };
    let (documents, indexes, options) =
        (word(check.documents_ok), word(check.indexes_ok), word(check.options_ok));
    let x = c.cell(x, y, 10, documents.0, documents.1, Align::Left);
    let x = c.cell(x, y, 8, indexes.0, indexes.1, Align::Left);
    let x = c.cell(x, y, 8, options.0, options.1, Align::Left);
    c.text(x, y, area.w.saturating_sub(x), &check.differences.join("; "), Role::Bad);
}
