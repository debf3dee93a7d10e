//! What the terminal library reports, as messages.

use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEventKind};

use crate::app::Msg;
use crate::keys::{Code, Key};
use crate::ui::HitMap;

/// Rows a turn of the wheel moves.
const WHEEL: i64 = 3;

/// The message an event is; `None` = none.
pub fn message(event: &Event, hits: &HitMap) -> Option<Msg> {
    match event {
        Event::Key(key) => self::key(key).map(Msg::Key),
        Event::Paste(text) => Some(Msg::Paste(text.clone())),
        Event::Resize(columns, rows) => Some(Msg::Resize(*columns, *rows)),
        Event::Mouse(mouse) => match mouse.kind {
            MouseEventKind::Down(MouseButton::Left) => hits.at(mouse.column, mouse.row).map(Msg::Click),
            MouseEventKind::ScrollDown => Some(Msg::Wheel(WHEEL)),
            MouseEventKind::ScrollUp => Some(Msg::Wheel(-WHEEL)),
            _ => None,
        },
        Event::FocusGained | Event::FocusLost => None,
    }
}

fn key(event: &KeyEvent) -> Option<Key> {
    if event.kind == KeyEventKind::Release || event.modifiers.contains(KeyModifiers::ALT) {
        return None;
    }
    let ctrl = event.modifiers.contains(KeyModifiers::CONTROL);
    let code = match event.code {
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
    fn releases_and_alt_mean_nothing() {
        let mut event = KeyEvent::new(KeyCode::Char('R'), KeyModifiers::SHIFT);
        assert_eq!(key(&event), Some(Key::char('R')));
        event.kind = KeyEventKind::Release;
        assert_eq!(key(&event), None);
        assert_eq!(key(&KeyEvent::new(KeyCode::Char('x'), KeyModifiers::ALT)), None);
        assert_eq!(key(&KeyEvent::new(KeyCode::Char('C'), KeyModifiers::CONTROL)), Some(Key::ctrl('c')));
    }
}
