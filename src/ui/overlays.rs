//! What lies over a screen: boxes with a heading, a dashed rule below, and room to breathe.

use super::canvas::{Align, Canvas, width};
use super::glyphs::Glyph;
use super::screens;
use super::states;
use super::theme::Role;
use crate::app::actions::{self, HelpLine, Offer};
use crate::app::overlay::{Choice, Confirm, Detail, Help, Menu, Overlay, Palette};
use crate::app::prompts::Prompt;
use crate::app::view::{self, Area};
use crate::app::window::Window;
use crate::app::{Hit, Model};
use crate::domain::position::time_of;
use crate::domain::text::{count, visible};
use crate::keys::{Action, Context};

/// Draws the uppermost of them, if there is one.
pub fn draw(c: &mut Canvas, model: &Model) {
    match model.overlays.last() {
        None => {}
        Some(Overlay::Help(text)) => help(c, model, text),
        Some(Overlay::Palette(palette)) => draw_palette(c, model, palette),
        Some(Overlay::Confirm(confirm)) => draw_confirm(c, model, confirm),
        Some(Overlay::Prompt(prompt)) => draw_prompt(c, prompt),
        Some(Overlay::Menu(menu)) => draw_menu(c, model, menu),
        Some(Overlay::Detail(detail)) => draw_detail(c, model, detail),
        Some(Overlay::Change(reading)) => screens::change(c, model, reading),
        Some(Overlay::Stop) => screens::stop(c, model),
        Some(Overlay::Errors(list)) => errors(c, model, list),
    }
}

/// A blank box with a heading; gives the room inside.
pub fn boxed(c: &mut Canvas, area: Area, title: &str) -> Area {
    c.clear(area);
    c.paint(area, Role::OverBody);
    c.paint(Area { h: 1, ..area }, Role::Over);
    c.text(area.x + 1, area.y, area.w.saturating_sub(2), title, Role::Over);
    let side = c.glyph(Glyph::Side);
    for y in area.y + 1..(area.y + area.h).saturating_sub(1) {
        c.text(area.x, y, 1, side, Role::Dim);
        c.text(area.x + area.w - 1, y, 1, side, Role::Dim);
    }
    c.rule(area.x, area.y + area.h - 1, area.w);
    Area { x: area.x + 2, y: area.y + 1, w: area.w.saturating_sub(4), h: area.h.saturating_sub(2) }
}

fn size(c: &Canvas) -> (u16, u16) {
    (c.area().w, c.area().h)
}

fn help(c: &mut Canvas, model: &Model, text: &Help) {
    let area = view::reader(size(c));
    let list = |action| actions::key_in(model, Context::List, action);
    let (down, up) = (list(Action::Down), list(Action::Up));
    let find = actions::key_in(model, Context::Detail, Action::Search);
    let close = actions::key_in(model, Context::Detail, Action::Back);
    let title = format!("Help   {down} {up} scroll   {find} finds   {close} closes");
    let inside = boxed(c, area, &title);
    let lines = actions::help(model);
    let rows = text.list.top..lines.len() as u64;
    for (y, row) in (inside.y..inside.y + inside.h).zip(rows) {
        let Some(line) = usize::try_from(row).ok().and_then(|at| lines.get(at)) else { continue };
        match line {
            HelpLine::Heading(text) => {
                c.text(inside.x, y, inside.w, text, Role::Title);
            }
            HelpLine::Action(offer) => action_line(c, offer, Area { y, h: 1, ..inside }),
            HelpLine::Text(text) => {
                c.text(inside.x + 2, y, inside.w.saturating_sub(2), text, Role::Text);
            }
            HelpLine::Blank => {}
        }
        if text.found.as_ref().is_some_and(|(_, at)| *at == Some(row)) {
            c.paint(Area { y, h: 1, ..inside }, Role::Selected);
        }
    }
}

/// Keys, name, and what it does or why it cannot be used.
fn action_line(c: &mut Canvas, offer: &Offer, area: Area) {
    let (y, end) = (area.y, area.x + area.w);
    let role = if offer.disabled.is_some() { Role::Dim } else { Role::Key };
    let x = c.cell(area.x + 2, y, 16, &offer.keys, role, Align::Left) + 1;
    let name = if area.w >= 90 { 26 } else { 22 };
    let role = if offer.disabled.is_some() { Role::Dim } else { Role::Text };
    let x = c.cell(x, y, name, offer.row.title, role, Align::Left) + 1;
    let text = match &offer.disabled {
        Some(reason) => format!("not now: {reason}"),
        None => offer.row.doc.to_owned(),
    };
    c.text(x, y, end.saturating_sub(x), &text, Role::Dim);
}

fn draw_palette(c: &mut Canvas, model: &Model, palette: &Palette) {
    let area = view::reader(size(c));
    let key = |action| actions::key_in(model, Context::Palette, action);
    let (does, close) = (key(Action::Accept), key(Action::Back));
    let title = format!("All actions   type to find   {does} does it   {close} closes");
    let inside = boxed(c, area, &title);
    field(c, inside, "> ", palette.field.split());
    let found = actions::palette(model, palette.field.text());
    let list = Area { y: inside.y + 2, h: inside.h.saturating_sub(2), ..inside };
    if found.is_empty() {
        states::empty(c, list, "no action fits what you typed", "Ctrl-u clears it");
        return;
    }
    let rows = palette.list.visible(found.len() as u64, u64::from(list.h));
    for (y, row) in (list.y..list.y + list.h).zip(rows) {
        let Some(offer) = usize::try_from(row).ok().and_then(|at| found.get(at)) else { continue };
        let line = Area { y, h: 1, ..list };
        action_line(c, offer, line);
        if row == palette.list.cursor {
            c.paint(line, Role::Selected);
        }
        c.hit(line, Hit::OverlayRow(row));
    }
}

/// A line being typed, with its cursor.
fn field(c: &mut Canvas, area: Area, before: &str, (left, right): (&str, &str)) {
    let x = c.text(area.x, area.y, area.w, before, Role::Key);
    // What does not fit is cut at the left: the cursor stays visible.
    let room = (area.x + area.w).saturating_sub(x + 2);
    let mut left = left;
    while width(left) > room && !left.is_empty() {
        left = left.split_at(left.chars().next().map_or(0, char::len_utf8)).1;
    }
    let x = c.text(x, area.y, room, left, Role::Text);
    let mut rest = right.chars();
    let under = rest.next().map_or_else(|| " ".to_owned(), |ch| ch.to_string());
    let after = c.text(x, area.y, 2, &under, Role::Text);
    c.paint(Area { x, y: area.y, w: after.saturating_sub(x).max(1), h: 1 }, Role::Selected);
    c.text(after, area.y, (area.x + area.w).saturating_sub(after), rest.as_str(), Role::Text);
}

fn draw_confirm(c: &mut Canvas, model: &Model, confirm: &Confirm) {
    let wide = view::overlay(size(c), (76, 1)).w;
    let inner = wide.saturating_sub(4);
    let facts: Vec<String> = confirm.facts.iter().flat_map(|fact| states::wrap(fact, inner)).collect();
    let question = states::wrap(&confirm.question, inner);
    let typed = if confirm.typed.is_some() { 2 } else { 0 };
    let rows = u16::try_from(question.len() + facts.len() + 6 + typed).unwrap_or(u16::MAX);
    let area = view::overlay(size(c), (76, rows));
    let inside = boxed(c, area, "Sure?");
    let mut y = inside.y;
    for line in &question {
        c.text(inside.x, y, inside.w, line, Role::Title);
        y += 1;
    }
    // Where there is little room the answers matter more than the last fact.
    let bottom = inside.y + inside.h;
    for line in &facts {
        if usize::from(y) + 3 + typed < usize::from(bottom) {
            c.text(inside.x, y + 1, inside.w, line, Role::Text);
            y += 1;
        }
    }
    let y = bottom.saturating_sub(2);
    if let Some((wanted, given)) = &confirm.typed {
        let line = Area { y: y.saturating_sub(2), h: 1, ..inside };
        field(c, line, &format!("type {wanted} to allow it: "), given.split());
    }
    let mut x = inside.x;
    for (at, Choice { name, .. }) in confirm.answers.iter().enumerate() {
        let chosen = confirm.chosen == at;
        let label = if chosen { format!("[ {name} ]") } else { format!("  {name}  ") };
        let room = (inside.x + inside.w).saturating_sub(x);
        let end = c.text(x, y, room, &label, Role::Text);
        let button = Area { x, y, w: end.saturating_sub(x), h: 1 };
        if chosen {
            c.paint(button, Role::Selected);
        }
        c.hit(button, Hit::Answer(at));
        x = end + 2;
    }
    let key = |action| actions::key_in(model, Context::Confirm, action);
    let arrows = format!("{} {}", key(Action::SwitchBack), key(Action::Switch));
    let letters = format!("{} {}", key(Action::PickNo), key(Action::PickYes));
    let (or, letters) = if confirm.typed.is_some() { ("", "") } else { (" or ", letters.as_str()) };
    let does = key(Action::Accept);
    let keys = [
        (arrows.as_str(), Role::Key),
        (or, Role::Dim),
        (letters, Role::Key),
        (" choose, ", Role::Dim),
        (does.as_str(), Role::Key),
        (" does what is chosen", Role::Dim),
    ];
    c.pieces(inside.x, y + 1, inside.w, &keys);
}

fn draw_prompt(c: &mut Canvas, prompt: &Prompt) {
    let (w, h) = size(c);
    let area = Area { x: 0, y: h.saturating_sub(6), w, h: 4 };
    let (title, hint) = prompt.purpose.title();
    let inside = boxed(c, area, &format!("{title}   {hint}"));
    field(c, inside, "> ", prompt.field.split());
    let below = Area { y: inside.y + 1, ..inside };
    match &prompt.problem {
        Some(problem) => c.text(below.x, below.y, below.w, problem, Role::Bad),
        None => c.text(below.x, below.y, below.w, prompt.purpose.example(), Role::Dim),
    };
}

fn draw_menu(c: &mut Canvas, model: &Model, menu: &Menu) {
    let rows = u16::try_from(menu.items.len() + 2).unwrap_or(u16::MAX);
    let area = view::overlay(size(c), (90, rows));
    let key = |action| actions::key_in(model, Context::Menu, action);
    let (takes, close) = (key(Action::Accept), key(Action::Back));
    let inside = boxed(c, area, &format!("{}   {takes} takes it   {close} closes", menu.title));
    let visible = menu.list.visible(menu.items.len() as u64, u64::from(inside.h));
    for (y, row) in (inside.y..inside.y + inside.h).zip(visible) {
        let Some((name, shown, _)) = usize::try_from(row).ok().and_then(|at| menu.items.get(at)) else {
            continue;
        };
        let line = Area { y, h: 1, ..inside };
        let x = c.cell(inside.x, y, 20, name, Role::Title, Align::Left) + 1;
        let first = shown.lines().next().unwrap_or_default();
        c.text(x, y, (inside.x + inside.w).saturating_sub(x), first, Role::Text);
        if row == menu.list.cursor {
            c.paint(line, Role::Selected);
        }
        c.hit(line, Hit::OverlayRow(row));
    }
}

fn draw_detail(c: &mut Canvas, model: &Model, detail: &Detail) {
    let mut area = view::reader(size(c));
    let most = u64::from(area.h.saturating_sub(2));
    if let Some(text) = detail.text.value().filter(|text| (text.lines.len() as u64) < most) {
        // A short text gets a small box; where lines are cut into pieces it may need all of it.
        let rows =
            text.lines.iter().map(|line| pieces_of(line, area.w.saturating_sub(4)).len() as u64).sum::<u64>();
        let rows = u16::try_from(rows.min(most)).unwrap_or(u16::MAX).saturating_add(2);
        area = view::overlay(size(c), (area.w, rows));
    }
    let inside = boxed(c, area, &detail.title);
    if states::absent(c, model, inside, detail.slot, &detail.text) {
        return;
    }
    let Some(text) = detail.text.value() else { return };
    let mut y = inside.y;
    let first = usize::try_from(detail.list.top).unwrap_or(usize::MAX);
    let found = detail.found.as_ref().and_then(|(_, at)| usize::try_from((*at)?).ok());
    for (at, line) in text.lines.iter().enumerate().skip(first) {
        // What is longer than the box goes on below, so that nothing is out of reach.
        for part in pieces_of(line, inside.w) {
            if y == inside.y + inside.h {
                break;
            }
            c.text(inside.x, y, inside.w, &part, line_role(line));
            if found == Some(at) {
                c.paint(Area { y, h: 1, ..inside }, Role::Selected);
            }
            y += 1;
        }
        if y == inside.y + inside.h {
            break;
        }
    }
    if let Some((words, _)) = &detail.found {
        let text = format!(" find {words} ");
        c.text(area.x + 1, area.y + area.h - 1, (area.w / 2).saturating_sub(1), &text, Role::Dim);
    }
    let last = (detail.list.top + u64::from(inside.h)).min(text.lines.len() as u64);
    let place = format!(" {} of {} lines ", count(last), count(text.lines.len() as u64));
    let x = (area.x + area.w).saturating_sub(width(&place) + 1);
    c.text(x, area.y + area.h - 1, width(&place), &place, Role::Dim);
}

/// How a line of a difference looks, by its sign.
pub fn line_role(line: &str) -> Role {
    match line.chars().next() {
        Some('+') => Role::Comes,
        Some('-') => Role::Goes,
        Some('!') => Role::Bad,
        _ => Role::Text,
    }
}

/// A line cut into pieces that fit, every character of it; the pieces behind the first are
/// indented.
pub fn pieces_of(line: &str, room: u16) -> Vec<String> {
    let text = visible(line);
    if width(&text) <= room || room < 12 {
        return vec![text.into_owned()];
    }
    let mut out = Vec::new();
    let (mut rest, mut indent) = (text.as_ref(), "");
    while !rest.is_empty() {
        let room = room - width(indent);
        // At the last blank that fits, if there is one not too far from the edge.
        let fits = rest.char_indices().map(|(at, c)| at + c.len_utf8());
        let end = fits
            .take_while(|end| width(rest.get(..*end).unwrap_or_default()) <= room)
            .last()
            .unwrap_or(rest.len());
        let front = rest.get(..end).unwrap_or_default();
        let blank = front.rfind(' ').map(|at| at + 1);
        let at = blank.filter(|at| {
            end < rest.len() && end - at < 20 && !front.get(..*at).unwrap_or_default().trim().is_empty()
        });
        let (piece, after) = rest.split_at(at.unwrap_or(end));
        out.push(format!("{indent}{piece}"));
        (rest, indent) = (after, "    ");
    }
    out
}

fn errors(c: &mut Canvas, model: &Model, list: &Window) {
    let area = view::reader(size(c));
    let key = |action| actions::key_in(model, Context::Detail, action);
    let (copy, close) = (key(Action::Copy), key(Action::Back));
    let title = format!("What went wrong, the newest first   {copy} copies   {close} closes");
    let inside = boxed(c, area, &title);
    let mut y = inside.y;
    let skip = usize::try_from(list.cursor).unwrap_or(0);
    for (at, mishap) in model.mishaps.iter().rev().enumerate().skip(skip) {
        let time = u32::try_from(mishap.utc).map(time_of).unwrap_or_default();
        for (n, line) in mishap
            .error
            .to_string()
            .lines()
            .flat_map(|l| states::wrap(l, inside.w.saturating_sub(10)))
            .enumerate()
        {
            if y >= inside.y + inside.h {
                return;
            }
            if n == 0 {
                c.text(inside.x, y, 9, time.get(11..19).unwrap_or("?"), Role::Dim);
            }
            c.text(
                inside.x + 10,
                y,
                inside.w.saturating_sub(10),
                &line,
                if n == 0 { Role::Bad } else { Role::Text },
            );
            if at == skip {
                c.paint(Area { y, h: 1, ..inside }, Role::Resting);
            }
            y += 1;
        }
        y += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_a_line_fit_and_lose_nothing() {
        let line =
            "  2026-10-14  compared the stop with another: 2130 documents 日本語日本語 and more of them";
        for room in [12, 20, 33, 80] {
            let pieces = pieces_of(line, room);
            assert!(pieces.iter().all(|piece| width(piece) <= room), "{room}: {pieces:?}");
            let squeeze = |s: &str| s.replace(' ', "");
            assert_eq!(squeeze(&pieces.concat()), squeeze(line));
        }
        assert_eq!(
            pieces_of(&"x".repeat(30), 12),
            ["xxxxxxxxxxxx", "    xxxxxxxx", "    xxxxxxxx", "    xx"]
        );
        assert_eq!(pieces_of("eleven and twelve", 12), ["eleven and ", "    twelve"]);
    }
}
