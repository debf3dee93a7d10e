//! Looking for words in what is shown: in a text that lies over the screen, and in the documents
//! of the preview. Case does not matter; it goes round at the end.

use super::actions::{self, HelpLine};
use super::model::{Model, Screen};
use super::overlay::{Detail, Help, Overlay};
use super::prompts::{self, Purpose};
use super::screens::preview;
use super::view;
use super::window::Window;
use crate::keys::Action;

/// Which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Down, then round.
    Down,
    /// Up, then round.
    Up,
}

/// Asks what to look for, or looks for it again.
pub fn perform(model: &mut Model, action: Action) {
    match action {
        Action::Search => {
            let before = words(model).unwrap_or_default();
            prompts::ask(model, Purpose::Find, &before);
        }
        Action::SearchPrevious => again(model, Way::Up),
        _ => again(model, Way::Down),
    }
}

/// What was looked for here.
pub fn words(model: &Model) -> Option<String> {
    match model.overlays.last() {
        Some(Overlay::Detail(Detail { found, .. }) | Overlay::Help(Help { found, .. })) => {
            found.as_ref().map(|(words, _)| words.clone())
        }
        _ => model.preview.find.clone(),
    }
}

/// What to look for was typed.
pub fn typed(model: &mut Model, text: &str) -> Result<(), String> {
    let words = (!text.is_empty()).then(|| text.to_owned());
    match model.overlays.last_mut() {
        Some(Overlay::Detail(Detail { found, .. }) | Overlay::Help(Help { found, .. })) => {
            *found = words.map(|words| (words, None));
        }
        _ => model.preview.find = words,
    }
    again(model, Way::Down);
    Ok(())
}

fn again(model: &mut Model, way: Way) {
    let Some(words) = words(model) else { return };
    let rows = view::reader_rows(model.size);
    let keys = help_lines(model);
    let found = if let Some(Overlay::Detail(detail)) = model.overlays.last_mut() {
        let lines = detail.text.value().map_or(&[][..], |text| text.lines.as_slice());
        in_text(lines, &mut detail.list, &mut detail.found, &words, way, rows)
    } else if let Some(Overlay::Help(help)) = model.overlays.last_mut() {
        in_text(&keys, &mut help.list, &mut help.found, &words, way, rows)
    } else if model.screen() == Screen::Preview {
        preview::find(model, &words, way)
    } else {
        return;
    };
    if !found {
        model.say(format!("nothing here holds {words}"));
    }
}

/// The help as text, where it is shown.
fn help_lines(model: &Model) -> Vec<String> {
    if !matches!(model.overlays.last(), Some(Overlay::Help(_))) {
        return Vec::new();
    }
    let text = |line: HelpLine| match line {
        HelpLine::Heading(text) => text.to_owned(),
        HelpLine::Action(offer) => format!("{} {} {}", offer.keys, offer.row.title, offer.row.doc),
        HelpLine::Text(text) => text,
        HelpLine::Blank => String::new(),
    };
    actions::help(model).into_iter().map(text).collect()
}

fn in_text(
    lines: &[String],
    list: &mut Window,
    found: &mut Option<(String, Option<u64>)>,
    words: &str,
    way: Way,
    rows: u64,
) -> bool {
    let begin = found.as_ref().and_then(|(_, at)| *at);
    let lower = words.to_lowercase();
    let holds = |at: usize| {
        let joined = |line: &String| {
            // A very long line stands in pieces: what is looked for may be cut in two.
            let next = lines.get(at + 1).map_or("", |next| next.trim_start());
            line.len() >= 400 && format!("{line}{next}").to_lowercase().contains(&lower)
        };
        lines.get(at).is_some_and(|line| line.to_lowercase().contains(&lower) || joined(line))
    };
    let top = usize::try_from(list.top).unwrap_or(0);
    let begin = begin.and_then(|at| usize::try_from(at).ok());
    let Some(at) = around(lines.len(), begin, top, way).find(|at| holds(*at)) else { return false };
    *found = Some((words.to_owned(), Some(at as u64)));
    let len = lines.len() as u64;
    let visible = list.top..list.top + rows;
    if !visible.contains(&(at as u64)) {
        list.top = (at as u64).saturating_sub(rows / 2).min(len.saturating_sub(rows));
    }
    true
}

/// All of `len` places, from behind the last one found on, else from `top` on, round to the
/// beginning.
pub fn around(len: usize, last: Option<usize>, top: usize, way: Way) -> impl Iterator<Item = usize> {
    let begin = match (way, last) {
        (Way::Down, Some(at)) => at + 1,
        (Way::Down, None) => top,
        (Way::Up, Some(at)) => at,
        (Way::Up, None) => top + 1,
    };
    (0..len).map(move |n| match way {
        Way::Down => (begin + n) % len,
        Way::Up => (begin + 2 * len - 1 - n) % len,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_is_looked_at_once() {
        for (last, way, want) in [
            (None, Way::Down, [2, 3, 0, 1]),
            (Some(2), Way::Down, [3, 0, 1, 2]),
            (Some(3), Way::Down, [0, 1, 2, 3]),
            (Some(2), Way::Up, [1, 0, 3, 2]),
            (Some(0), Way::Up, [3, 2, 1, 0]),
        ] {
            assert_eq!(around(4, last, 2, way).collect::<Vec<_>>(), want, "{last:?} {way:?}");
        }
        assert_eq!(around(0, None, 0, Way::Up).count(), 0);
    }
}
