//! A line of text being typed.

use crate::keys::{Code, Key};

/// The text and where the next character goes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TextField {
    text: String,
    /// In characters.
    cursor: usize,
}

impl TextField {
    /// A field that holds `text` already.
    pub fn new(text: &str) -> Self {
        TextField { text: text.to_owned(), cursor: text.chars().count() }
    }

    /// What was typed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What stands before and behind the cursor.
    pub fn split(&self) -> (&str, &str) {
        self.text.split_at(self.byte(self.cursor))
    }

    /// Takes a key; `false` = it means nothing here.
    pub fn key(&mut self, key: Key) -> bool {
        match (key.code, key.ctrl) {
            (Code::Char(c), false) if !c.is_control() => self.insert(c),
            (Code::Char('u'), true) => {
                self.text.drain(..self.byte(self.cursor));
                self.cursor = 0;
            }
            (Code::Char('w'), true) => self.delete_word(),
            (Code::Backspace, false) => {
                if self.cursor > 0 {
                    self.cursor -= 1;
                    self.text.remove(self.byte(self.cursor));
                }
            }
            (Code::Delete, false) => {
                if self.cursor < self.len() {
                    self.text.remove(self.byte(self.cursor));
                }
            }
            (Code::Left, false) => self.cursor = self.cursor.saturating_sub(1),
            (Code::Right, false) => self.cursor = (self.cursor + 1).min(self.len()),
            (Code::Home, false) => self.cursor = 0,
            (Code::End, false) => self.cursor = self.len(),
            _ => return false,
        }
        true
    }

    /// Takes pasted text: its first line, without control characters.
    pub fn paste(&mut self, text: &str) {
        for c in text.lines().next().unwrap_or_default().chars().filter(|c| !c.is_control()) {
            self.insert(c);
        }
    }

    fn insert(&mut self, c: char) {
        self.text.insert(self.byte(self.cursor), c);
        self.cursor += 1;
    }

    fn delete_word(&mut self) {
        let (before, _) = self.split();
        let kept = before.trim_end().rfind(' ').map_or(0, |at| at + 1);
        let end = before.len();
        self.cursor = before.get(..kept).map_or(0, |b| b.chars().count());
        self.text.drain(kept..end);
    }

    fn len(&self) -> usize {
        self.text.chars().count()
    }

    fn byte(&self, chars: usize) -> usize {
        self.text.char_indices().nth(chars).map_or(self.text.len(), |(at, _)| at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn editing_keeps_to_characters() {
        let mut field = TextField::new("op:x größe");
        field.key(Key::plain(Code::Left));
        field.key(Key::plain(Code::Backspace));
        field.key(Key::char('ß'));
        assert_eq!(field.split(), ("op:x größ", "e"));
        field.key(Key::ctrl('w'));
        assert_eq!(field.split(), ("op:x ", "e"));
        field.key(Key::plain(Code::Home));
        field.key(Key::plain(Code::Delete));
        field.paste("日本\nsecond line");
        assert_eq!(field.text(), "日本p:x e");
        field.key(Key::ctrl('u'));
        assert_eq!(field.text(), "p:x e");
        assert!(!field.key(Key::plain(Code::Enter)));
    }
}
