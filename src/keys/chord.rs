//! Keys and sequences of keys, with the one spelling used on screens, in help and in
//! configuration: `j`, `Ctrl-d`, `PageUp`, `g g`.
//!
//! Only what every terminal and multiplexer passes on can be spelled: no Alt, no F-keys.

use std::fmt;
use std::str::FromStr;

/// One key, as far as it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// Which one.
    pub code: Code,
    /// Whether Ctrl was held.
    pub ctrl: bool,
}

/// Which key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Code {
    /// A character, upper case with Shift.
    Char(char),
    /// Return.
    Enter,
    /// Escape.
    Esc,
    /// Tabulator.
    Tab,
    /// Shift and tabulator.
    BackTab,
    /// Deletes to the left.
    Backspace,
    /// Deletes to the right.
    Delete,
    /// Arrow.
    Up,
    /// Arrow.
    Down,
    /// Arrow.
    Left,
    /// Arrow.
    Right,
    /// To the beginning.
    Home,
    /// To the end.
    End,
    /// A page up.
    PageUp,
    /// A page down.
    PageDown,
}

/// Keys pressed one after the other; never empty.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Chord(Vec<Key>);

impl Key {
    /// A key without Ctrl.
    pub fn plain(code: Code) -> Self {
        Key { code, ctrl: false }
    }

    /// A character without Ctrl.
    pub fn char(c: char) -> Self {
        Self::plain(Code::Char(c))
    }

    /// A character with Ctrl.
    pub fn ctrl(c: char) -> Self {
        Key { code: Code::Char(c), ctrl: true }
    }
}

impl Chord {
    /// The keys, in order.
    pub fn keys(&self) -> &[Key] {
        &self.0
    }
}

const NAMES: [(&str, Code); 15] = [
    ("Enter", Code::Enter),
    ("Esc", Code::Esc),
    ("Tab", Code::Tab),
    ("Shift-Tab", Code::BackTab),
    ("Backspace", Code::Backspace),
    ("Delete", Code::Delete),
    ("Up", Code::Up),
    ("Down", Code::Down),
    ("Left", Code::Left),
    ("Right", Code::Right),
    ("Home", Code::Home),
    ("End", Code::End),
    ("PageUp", Code::PageUp),
    ("PageDown", Code::PageDown),
    ("Space", Code::Char(' ')),
];

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.ctrl {
            f.write_str("Ctrl-")?;
        }
        match (NAMES.iter().find(|(_, code)| *code == self.code), self.code) {
            (Some((name, _)), _) => f.write_str(name),
            (None, Code::Char(c)) => write!(f, "{c}"),
            (None, _) => Ok(()),
        }
    }
}

impl FromStr for Key {
    /// Why it is no key, for a human.
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (ctrl, name) = match text.strip_prefix("Ctrl-") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        if let Some((_, code)) = NAMES.iter().find(|(known, _)| *known == name) {
            return Ok(Key { code: *code, ctrl });
        }
        let mut chars = name.chars();
        match (chars.next(), chars.next()) {
            (Some(c), None) if !c.is_control() && !c.is_whitespace() => Ok(Key { code: Code::Char(c), ctrl }),
            _ => Err(format!("{text:?} is no key: write a character, Ctrl-x, or a name such as PageUp")),
        }
    }
}

impl fmt::Display for Chord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, key) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str(" ")?;
            }
            key.fmt(f)?;
        }
        Ok(())
    }
}

impl FromStr for Chord {
    /// Why it is no sequence of keys, for a human.
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let keys = text.split_whitespace().map(str::parse).collect::<Result<Vec<Key>, _>>()?;
        if keys.is_empty() {
            return Err("there is no key".into());
        }
        Ok(Chord(keys))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spelling_reads_back_as_itself() {
        for text in ["j", "G", "g g", "Ctrl-d", "Enter", "Space", "Shift-Tab", "[", "+", "?", "Ctrl-Up"] {
            assert_eq!(text.parse::<Chord>().unwrap().to_string(), text);
        }
        assert_eq!("Ctrl-d".parse::<Key>().unwrap(), Key::ctrl('d'));
        assert_eq!("Space".parse::<Key>().unwrap(), Key::char(' '));
    }

    #[test]
    fn what_is_no_key_says_so() {
        for text in ["", "Alt-x", "F1", "Ctrl-", "jj"] {
            assert!(text.parse::<Chord>().is_err(), "{text:?}");
        }
    }
}
