//! What the terminal library reports, as messages.

use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEventKind};

use crate::app::Msg;
use crate::keys::{Code, Key};
use crate::ui::HitMap;

/// Rows a turn of the wheel moves.
const WHEEL: i64 = 3;

/// The messages an event is.
pub fn messages(event: &Event, hits: &HitMap) -> Vec<Msg> {
    match event {
        Event::Key(key) => keys(key).into_iter().map(Msg::Key).collect(),
        other => message(other, hits).into_iter().collect(),
    }
}

fn message(event: &Event, hits: &HitMap) -> Option<Msg> {
    match event {
        Event::Paste(text) => Some(Msg::Paste(text.clone())),
        Event::Resize(columns, rows) => Some(Msg::Resize(*columns, *rows)),
        Event::Mouse(mouse) => match mouse.kind {
            MouseEventKind::Down(MouseButton::Left) => hits.at(mouse.column, mouse.row).map(Msg::Click),
            MouseEventKind::ScrollDown => Some(Msg::Wheel(WHEEL)),
            MouseEventKind::ScrollUp => Some(Msg::Wheel(-WHEEL)),
            _ => None,
        },
        Event::Key(_) | Event::FocusGained | Event::FocusLost => None,
    }
}

/// The keys of one report. A terminal sends Escape and a key that follows at once in the same
/// bytes as Alt with that key; nothing here needs Alt, so it is taken for the two keys.
fn keys(event: &KeyEvent) -> Vec<Key> {
    if event.kind == KeyEventKind::Release {
        return Vec::new();
    }
    let escape = event.modifiers.contains(KeyModifiers::ALT).then_some(Key::plain(Code::Esc));
    escape.into_iter().chain(key(event)).collect()
}

fn key(event: &KeyEvent) -> Option<Key> {
    let ctrl = event.modifiers.contains(KeyModifiers::CONTROL);
    let code = match event.code {
        // A line feed: what Return was before the terminal was taken.
        KeyCode::Char('j') if ctrl => return Some(Key::plain(Code::Enter)),
        KeyCode::Char(c) if ctrl => Code::Char(c.to_ascii_lowercase()),
        KeyCode::Char(c) => Code::Char(c),
        KeyCode::Enter => Code::Enter,
        KeyCode::Esc => Code::Esc,
        KeyCode::Tab => Code::Tab,
        KeyCode::BackTab => Code::BackTab,
        KeyCode::Backspace => Code::Backspace,
        KeyCode::Delete => Code::Delete,
        KeyCode::Up => Code::Up,
        KeyCode::Down => Code::Down,
        KeyCode::Left => Code::Left,
        KeyCode::Right => Code::Right,
        KeyCode::Home => Code::Home,
        KeyCode::End => Code::End,
        KeyCode::PageUp => Code::PageUp,
        KeyCode::PageDown => Code::PageDown,
        _ => return None,
    };
    Some(Key { code, ctrl })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_mean_nothing_and_alt_is_escape() {
        let mut event = KeyEvent::new(KeyCode::Char('R'), KeyModifiers::SHIFT);
        assert_eq!(keys(&event), [Key::char('R')]);
        event.kind = KeyEventKind::Release;
        assert!(keys(&event).is_empty());
        let alt = KeyEvent::new(KeyCode::Char('x'), KeyModifiers::ALT);
        assert_eq!(keys(&alt), [Key::plain(Code::Esc), Key::char('x')]);
        assert_eq!(keys(&KeyEvent::new(KeyCode::Char('C'), KeyModifiers::CONTROL)), [Key::ctrl('c')]);
        assert!(keys(&KeyEvent::new(KeyCode::F(1), KeyModifiers::NONE)).is_empty());
    }
}
