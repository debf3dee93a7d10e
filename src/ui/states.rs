//! What stands where an answer is not there: awaited, failed, or empty. Each says what, and the
//! next key.

use super::canvas::Canvas;
use super::glyphs::{Glyph, spinner};
use super::theme::Role;
use crate::app::view::Area;
use crate::app::{Loadable, Model, Slot, actions};
use crate::domain::text::count;
use crate::domain::{Class, Error};
use crate::keys::{Action, Context};

/// Awaiting is not shown before this many milliseconds: most answers are faster.
const PATIENCE: u64 = 150;

/// Draws the state of something that is not ready; `true` = it is not, and nothing else is to be
/// drawn.
pub fn absent<T>(c: &mut Canvas, model: &Model, area: Area, slot: Slot, what: &Loadable<T>) -> bool {
    match what {
        Loadable::Failed(error) => failed(c, model, area, error),
        Loadable::Loading { since, before: None } => awaited(c, model, area, slot, *since),
        Loadable::Idle => awaited(c, model, area, slot, model.now),
        Loadable::Loading { before: Some(_), .. } | Loadable::Ready(_) => return false,
    }
    true
}

fn awaited(c: &mut Canvas, model: &Model, area: Area, slot: Slot, since: u64) {
    let waited = model.now.saturating_sub(since);
    if waited < PATIENCE {
        return;
    }
    let text = format!("{} {} {}", spinner(c.charset, model.now), slot.doing(), progress(model, slot));
    c.text(area.x + 1, area.y, area.w.saturating_sub(1), text.trim_end(), Role::Text);
    let text = format!("{:.1} s  Ctrl-c stops it", waited as f64 / 1000.0);
    c.text(area.x + 3, area.y + 1, area.w.saturating_sub(3), &text, Role::Dim);
}

/// How far a job is, in words; empty where nothing is known.
pub fn progress(model: &Model, slot: Slot) -> String {
    match model.jobs.get(slot).and_then(|running| running.reading) {
        Some(r) if r.total > 0 => format!("{} of {}", count(r.done), count(r.total)),
        Some(r) if r.done > 0 => count(r.done),
        _ => String::new(),
    }
}

/// An error, in the parts a tired human needs.
pub fn failed(c: &mut Canvas, model: &Model, area: Area, error: &Error) {
    let wrong = c.glyph(Glyph::Wrong);
    let what = match error.class {
        Class::Differs => "found a difference",
        Class::Inexact | Class::Refused => "is refused",
        Class::Interrupted => "was stopped",
        Class::Failed | Class::Usage => "did not work",
    };
    let place = if error.place.is_empty() { String::new() } else { format!(" {}", error.place) };
    let head = format!("{wrong} {}{place} {what}", error.doing);
    let again = match actions::enabled(model, Action::Retry) {
        Ok(()) => format!("{} tries again", actions::key_of(model, Action::Retry)),
        Err(_) => String::new(),
    };
    let hint = match error.hint.as_str() {
        "" => String::new(),
        hint => format!("hint: {hint}"),
    };
    let mut y = area.y;
    for (text, role) in
        [(&head, Role::Bad), (&error.cause, Role::Text), (&hint, Role::Text), (&again, Role::Dim)]
    {
        for line in wrap(text, area.w.saturating_sub(3)) {
            if y < area.y + area.h {
                c.text(area.x + 1, y, area.w.saturating_sub(2), &line, role);
                y += 1;
            }
        }
    }
}

/// Nothing there: what was looked for, and what to do.
pub fn empty(c: &mut Canvas, area: Area, what: &str, next: &str) {
    c.text(area.x + 1, area.y, area.w.saturating_sub(1), what, Role::Text);
    c.text(area.x + 1, area.y + 1, area.w.saturating_sub(1), next, Role::Dim);
}

/// What to do on the timeline, with the keys for it.
pub fn on_timeline(model: &Model, action: Action, what: &str) -> String {
    let shows = actions::key_of(model, Action::ScreenTimeline);
    let does = actions::key_in(model, Context::Timeline, action);
    format!("{shows} shows the timeline, {does} there {what}")
}

/// How to change a filter, with the keys for it.
pub fn filter_keys(model: &Model) -> String {
    let key = |action| actions::key_of(model, action);
    format!("{} changes the filter, {} clears it", key(Action::Filter), key(Action::ClearFilter))
}

/// Breaks a text into lines of at most so many columns, at blanks where there are any.
pub fn wrap(text: &str, room: u16) -> Vec<String> {
    let room = room.max(1);
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    for word in text.split(' ').filter(|w| !w.is_empty()) {
        let mut word = crate::domain::text::visible(word).into_owned();
        let needed = super::canvas::width(&line) + super::canvas::width(&word) + u16::from(!line.is_empty());
        if needed > room && !line.is_empty() {
            lines.push(std::mem::take(&mut line));
        }
        while super::canvas::width(&word) > room {
            let mut head = String::new();
            let mut chars = word.chars();
            for ch in chars.by_ref() {
                head.push(ch);
                if super::canvas::width(&head) + 2 > room {
                    break;
                }
            }
            word = chars.collect();
            lines.push(head);
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(&word);
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrapping_loses_nothing_and_fits() {
        let text = "the snapshot's documents are of mixed_age_and_a_very_long_word_without_blanks 日本語日本語日本語";
        for room in [1, 4, 9, 30, 200] {
            let lines = wrap(text, room);
            if room > 2 {
                assert!(lines.iter().all(|l| super::super::canvas::width(l) <= room), "{room}: {lines:?}");
            }
            let squeeze = |s: &str| s.replace(' ', "");
            assert_eq!(squeeze(&lines.join(" ")), squeeze(text));
        }
        assert!(wrap("", 10).is_empty());
    }
}
