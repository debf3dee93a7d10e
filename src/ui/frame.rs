//! What stands around every screen: where one is, what is chosen, what runs and went wrong, and
//! which keys are of use.

use super::canvas::{Canvas, width};
use super::glyphs::{Glyph, spinner};
use super::states;
use super::theme::Role;
use crate::app::live::State;
use crate::app::view::{Area, SMALLEST};
use crate::app::{Hit, Model, Screen, Slot, actions};
use crate::domain::Position;

/// Below the smallest workable size: one calm line.
pub fn too_small(c: &mut Canvas, size: (u16, u16)) {
    let text =
        format!("pitstop: {}x{} is too small, {}x{} is needed", size.0, size.1, SMALLEST.0, SMALLEST.1);
    c.text(0, size.1 / 2, size.0, &text, Role::Text);
}

/// The name of a screen.
pub fn title(screen: Screen) -> &'static str {
    match screen {
        Screen::Snapshots => "Snapshots",
        Screen::Timeline => "Timeline",
        Screen::Suspects => "Suspects",
        Screen::History => "History",
        Screen::Preview => "Preview",
        Screen::Marks => "Marks",
        Screen::States => "States",
        Screen::Plan => "Plan",
        Screen::Restore => "Restore",
    }
}

/// Where one is: program, source, read-only, the time.
pub fn header(c: &mut Canvas, model: &Model) {
    let size = c.area();
    let clock = clock(model);
    let right = width(&clock) + 12;
    c.text(size.w.saturating_sub(width(&clock)), 0, size.w, &clock, Role::Dim);
    c.text(size.w.saturating_sub(right), 0, 11, " READ-ONLY ", Role::Badge);
    let room = size.w.saturating_sub(right + 1);
    let x = c.text(0, 0, room, " pitstop ", Role::Brand);
    let x = c.text(x, 0, room.saturating_sub(x), if model.start.demo { " DEMO " } else { "" }, Role::Badge);
    let x = match model.start.marked {
        "" => x,
        word => c.text(x, 0, room.saturating_sub(x), &format!(" {word} "), Role::Alarm),
    };
    let x = match &model.live {
        None => x,
        Some(live) => {
            let (word, role) = match live.state {
                State::Following => ("LIVE", Role::Good),
                State::Lost => ("SOURCE LOST", Role::Bad),
                State::Ended => ("NOT FOLLOWED", Role::Bad),
            };
            c.text(x, 0, room.saturating_sub(x), &format!(" {word} {} ", hms(live.newest)), role)
        }
    };
    let x = c.text(x + 1, 0, room.saturating_sub(x + 1), title(model.screen()), Role::Title);
    let source = match model.opened.value().map(|o| o.live.join(", ")) {
        // Which set it is, and which of its members answered: what was typed may name others too.
        Some(live) if !live.is_empty() => format!("{}  ({live})", model.start.source),
        _ => model.start.source.clone(),
    };
    c.text(x + 2, 0, room.saturating_sub(x + 2), &source, Role::Dim);
}

/// `14:52 UTC`, and local time where it is to be shown.
fn clock(model: &Model) -> String {
    let of = |secs: i64| {
        let minutes = secs.rem_euclid(86_400) / 60;
        format!("{:02}:{:02}", minutes / 60, minutes % 60)
    };
    let (utc, zone) = (model.utc, &model.start.zone);
    match model.local {
        true => {
            let local = of(utc + i64::from(zone.offset(utc)));
            format!("{} UTC  {local} {}", of(utc), zone.name(utc))
        }
        false => format!("{} UTC", of(utc)),
    }
}

/// What is chosen: base, ops, stop, target; in as many words as there is room for.
pub fn chosen(c: &mut Canvas, model: &Model) {
    let room = c.area().w.saturating_sub(1);
    let next = format!(" {} ", c.glyph(Glyph::Next));
    let (base, edge, fine) = base(model);
    let base_role = if fine { Role::Text } else { Role::Bad };
    let stop_role = if model.choice.stop.is_some() { Role::Mark } else { Role::Text };
    let target = (model.target().map_or("none yet", |t| t.name()).to_owned(), Role::Text);
    let (stop, time) = match model.choice.stop {
        Some(stop) => (format!("before {stop}"), hms(stop)),
        None => ("none yet".to_owned(), String::new()),
    };
    let (from, to) = match (edge, model.choice.stop) {
        (Some(edge), Some(stop)) if edge < stop => (hms(edge), hms(stop)),
        _ => (String::new(), "none yet".into()),
    };
    let join =
        |a: &str, word: &str, b: &str| if a.is_empty() { b.to_owned() } else { format!("{a}{word}{b}") };
    let long_stop = if time.is_empty() { stop.clone() } else { format!("{stop} ({time})") };
    let ops = join(&from, " to ", &to);
    let short_ops = if from.is_empty() { to } else { format!("to {to}") };
    let said = |name: &'static str, text: &str, role| (name, (text.to_owned(), role));
    // Names of snapshots differ at their ends.
    let skip = base.chars().count().saturating_sub(12);
    let short_base: String = if edge.is_some() { base.chars().skip(skip).collect() } else { base.clone() };
    let ways = [
        vec![
            said("base ", &base, base_role),
            said("ops ", &ops, Role::Text),
            said("stop ", &long_stop, stop_role),
            ("target ", target.clone()),
        ],
        vec![
            said("", &base, base_role),
            said("ops ", &short_ops, Role::Text),
            said("stop ", &stop, stop_role),
            ("", target.clone()),
        ],
        vec![said("", &short_base, base_role), said("stop ", &stop, stop_role), ("", target)],
    ];
    let size = |way: &Vec<(&str, (String, Role))>| {
        let words: u16 = way.iter().map(|(name, (text, _))| width(name) + width(text)).sum();
        words + 3 * u16::try_from(way.len().saturating_sub(1)).unwrap_or(0)
    };
    let Some(way) = ways.iter().find(|way| size(way) <= room).or(ways.last()) else { return };
    let mut x = 1;
    for (at, (name, (text, role))) in way.iter().enumerate() {
        let before = if at > 0 { next.as_str() } else { "" };
        let left = (room + 1).saturating_sub(x);
        x = c.pieces(x, 1, left, &[(before, Role::Dim), (name, Role::Dim), (text, *role)]);
    }
}

/// The base in words, its edge, and whether it can serve.
fn base(model: &Model) -> (String, Option<Position>, bool) {
    match (model.base(), &model.choice.snapshot) {
        (Some(Ok(info)), _) => (info.id.clone(), info.edge, true),
        (Some(Err(_)), Some(id)) => (format!("{id}!"), None, false),
        (Some(Err(_)), None) => ("none fits!".into(), None, false),
        (None, Some(id)) => (id.clone(), None, true),
        (None, None) => ("newest".into(), None, true),
    }
}

/// The time of day of a position.
pub fn hms(pos: Position) -> String {
    pos.time().get(11..19).unwrap_or("?").to_owned()
}

/// What was said last, and what runs.
pub fn status(c: &mut Canvas, model: &Model) {
    let size = c.area();
    let y = size.h.saturating_sub(2);
    let mut room = size.w;
    // What a screen shows at length is not said twice.
    let shown = |slot| slot == Slot::Restore && model.screen() == Screen::Restore;
    let long = |since| model.now.saturating_sub(since) >= 150;
    let running = model.jobs.long().filter(|(slot, job)| long(job.since) && !shown(*slot)).last();
    if let Some((slot, _)) = running {
        let text =
            format!("{} {} {}", spinner(c.charset, model.now), slot.doing(), states::progress(model, slot));
        let text = text.trim_end().to_owned();
        room = size.w.saturating_sub(width(&text) + 1);
        c.text(room, y, size.w, &text, Role::Dim);
    }
    if !model.pressed.is_empty() {
        let keys: Vec<String> = model.pressed.iter().map(|k| k.to_string()).collect();
        c.text(1, y, room.saturating_sub(2), &format!("{} ...", keys.join(" ")), Role::Key);
        return;
    }
    if let Some(status) = &model.status {
        let (sign, role) = match status.bad {
            true => (c.glyph(Glyph::Wrong), Role::Bad),
            false => (c.glyph(Glyph::Here), Role::Title),
        };
        let x = c.pieces(1, y, room.saturating_sub(2), &[(sign, role), (" ", role), (&status.text, role)]);
        if status.bad {
            c.text(x + 1, y, room.saturating_sub(x + 2), "(! shows it)", Role::Dim);
        }
    }
}

/// The keys that are of use, the most useful first, as many as there is room for.
pub fn footer(c: &mut Canvas, model: &Model) {
    let size = c.area();
    let y = size.h.saturating_sub(1);
    let hints = actions::hints(model);
    // Room is kept for the two keys that always help.
    let keep = 16;
    let mut x = 1;
    let mut last = Vec::new();
    for hint in &hints {
        let key = hint.keys.split("  ").next().unwrap_or_default();
        let wide = width(key) + 1 + width(hint.row.short) + 2;
        let always = matches!(hint.row.short, "help" | "quit");
        if always {
            last.push((key, hint));
            continue;
        }
        if x + wide + keep > size.w {
            continue;
        }
        x = one(c, x, y, key, hint);
    }
    for (key, hint) in last {
        let wide = width(key) + 1 + width(hint.row.short);
        if x + wide <= size.w {
            x = one(c, x, y, key, hint);
        }
    }
}

fn one(c: &mut Canvas, x: u16, y: u16, key: &str, hint: &actions::Offer) -> u16 {
    let (key_role, role) = match hint.disabled {
        Some(_) => (Role::Dim, Role::Dim),
        None => (Role::Key, Role::Text),
    };
    let end = c.pieces(x, y, u16::MAX, &[(key, key_role), (" ", role), (hint.row.short, role)]);
    c.hit(Area { x, y, w: end.saturating_sub(x), h: 1 }, Hit::Hint(hint.row.action));
    end + 2
}
