//! What the terminal's background is: asked once (OSC 11), and the answer picked out of the keys,
//! for it comes among them. Nothing waits for it, and a terminal that never answers loses nothing.
//!
//! The library that reads keys knows no such answer: `ESC ] 11;rgb:1e1e/1e1e/1e1e ESC \` comes as
//! Alt-], the characters, and Alt-\ (or Ctrl-g, where the terminal ends it with BEL). Taken for
//! keys they would do things.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};

/// An answer that begins later than this is none.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long to wait for an outstanding answer when the program is left, so that the shell does
/// not get it.
pub const FAREWELL: Duration = Duration::from_millis(200);

/// No answer is longer.
const LONGEST: usize = 40;

/// Whether text on it has to be dark or light.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ground {
    /// Light text.
    Dark,
    /// Dark text.
    Light,
}

/// What became of an event.
#[derive(Debug, PartialEq, Eq)]
pub enum Taken {
    /// It is none of the answer.
    Not,
    /// It is part of it.
    Part,
    /// It ends it.
    Answer(Option<Ground>),
}

/// The question, and as much of the answer as has come.
#[derive(Debug)]
pub struct Question {
    asked: Option<Instant>,
    text: Option<String>,
}

impl Question {
    /// Nothing was asked.
    pub fn none() -> Question {
        Question { asked: None, text: None }
    }

    /// Asks.
    pub fn ask(out: &mut impl Write) -> io::Result<Question> {
        out.write_all(b"\x1b]11;?\x1b\\")?;
        out.flush()?;
        Ok(Question { asked: Some(Instant::now()), text: None })
    }

    /// Whether an answer may still come.
    pub fn is_open(&self) -> bool {
        self.asked.is_some_and(|at| at.elapsed() < PATIENCE)
    }

    /// Looks whether an event is part of the answer.
    pub fn take(&mut self, event: &Event) -> Taken {
        let Event::Key(key) = event else { return Taken::Not };
        let alt = key.modifiers.contains(KeyModifiers::ALT);
        let Some(text) = &mut self.text else {
            if alt && key.code == KeyCode::Char(']') && self.is_open() {
                self.text = Some(String::new());
                return Taken::Part;
            }
            return Taken::Not;
        };
        match key.code {
            KeyCode::Char('\\') if alt => self.end(),
            KeyCode::Char('g') if key.modifiers == KeyModifiers::CONTROL => self.end(),
            KeyCode::Char(c) if is_of_answer(c, key) && text.len() < LONGEST => {
                text.push(c);
                Taken::Part
            }
            _ => {
                // Whatever it was: a key is a key.
                *self = Question::none();
                Taken::Not
            }
        }
    }

    fn end(&mut self) -> Taken {
        let text = self.text.take().unwrap_or_default();
        *self = Question::none();
        Taken::Answer(ground(&text))
    }
}

fn is_of_answer(c: char, key: &KeyEvent) -> bool {
    let plain = !key.modifiers.intersects(KeyModifiers::ALT | KeyModifiers::CONTROL);
    plain && (c.is_ascii_hexdigit() || ";:/rgba#".contains(c))
}

/// `11;rgb:1e1e/1e1e/1e1e`, with one to four digits a colour; `11;rgba:…` is the same.
fn ground(text: &str) -> Option<Ground> {
    let colours = text.strip_prefix("11;rgb")?.trim_start_matches('a').strip_prefix(':')?;
    let part = |text: &str| {
        let most = 16u32.checked_pow(u32::try_from(text.len()).ok()?)?.checked_sub(1)?;
        let value = u32::from_str_radix(text, 16).ok()?;
        (1..=4).contains(&text.len()).then(|| f64::from(value) / f64::from(most))
    };
    let parts = colours.split('/').take(3).map(part).collect::<Option<Vec<f64>>>()?;
    let [red, green, blue] = <[f64; 3]>::try_from(parts).ok()?;
    // How bright it looks (ITU-R BT.601).
    let luma = 0.299 * red + 0.587 * green + 0.114 * blue;
    Some(if luma > 0.5 { Ground::Light } else { Ground::Dark })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(code: char, modifiers: KeyModifiers) -> Event {
        Event::Key(KeyEvent::new(KeyCode::Char(code), modifiers))
    }

    fn open() -> Question {
        Question { asked: Some(Instant::now()), text: None }
    }

    #[test]
    fn an_answer_is_no_keys() {
        let mut question = open();
        assert_eq!(question.take(&key('j', KeyModifiers::NONE)), Taken::Not, "a key pressed meanwhile");
        assert_eq!(question.take(&key(']', KeyModifiers::ALT)), Taken::Part);
        for c in "11;rgb:fdfd/f6f6/e3e3".chars() {
            assert_eq!(question.take(&key(c, KeyModifiers::NONE)), Taken::Part, "{c}");
        }
        assert_eq!(question.take(&key('\\', KeyModifiers::ALT)), Taken::Answer(Some(Ground::Light)));
        assert!(!question.is_open());
        assert_eq!(question.take(&key(']', KeyModifiers::ALT)), Taken::Not, "it is asked once");
    }

    #[test]
    fn something_else_in_between_is_a_key_again() {
        let mut question = open();
        question.take(&key(']', KeyModifiers::ALT));
        assert_eq!(question.take(&key('s', KeyModifiers::NONE)), Taken::Not);
        assert_eq!(question.take(&key('1', KeyModifiers::NONE)), Taken::Not);
        assert_eq!(Question::none().take(&key(']', KeyModifiers::ALT)), Taken::Not);
    }

    #[test]
    fn every_notation_of_a_colour() {
        for (text, want) in [
            ("11;rgb:0000/0000/0000", Some(Ground::Dark)),
            ("11;rgb:1e/1e/1e", Some(Ground::Dark)),
            ("11;rgb:f/f/f", Some(Ground::Light)),
            ("11;rgba:ffff/ffff/ffff/8000", Some(Ground::Light)),
            ("11;rgb:0000/0000/ffff", Some(Ground::Dark)),
            ("11;rgb:ffff/ffff/0000", Some(Ground::Light)),
            ("11;rgb:ffff/ffff", None),
            ("11;rgb:", None),
            ("11;rgb:00000/0/0", None),
            ("10;rgb:0/0/0", None),
            ("", None),
        ] {
            assert_eq!(ground(text), want, "{text}");
        }
    }
}
