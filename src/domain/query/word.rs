//! A bare word, looked for in every field name and in the text of every value, without making
//! that text where the word cannot be part of it: a word with a letter is in no number, one with
//! a dot in no ObjectId.

use std::fmt::Write;

use bson::{RawBsonRef, RawDocument};
use memchr::memmem::Finder;

use super::text::{MAX_DEPTH, Unreadable, text_of};

/// A word and where it can be.
#[derive(Debug, Clone)]
pub struct Word {
    text: String,
    finder: Finder<'static>,
    in_whole_number: bool,
    in_number: bool,
    in_time: bool,
    in_hex: bool,
    in_position: bool,
}

/// The characters of whole numbers; the others have these too.
const DIGITS: &str = "-0123456789";

impl Word {
    /// Prepares a search.
    pub fn new(text: &str) -> Word {
        let made_of = |more: &str| text.chars().all(|c| DIGITS.contains(c) || more.contains(c));
        Word {
            finder: Finder::new(text.as_bytes()).into_owned(),
            in_whole_number: made_of(""),
            // 1.5, 1e300, 1E+300, NaN, inf, -Infinity.
            in_number: made_of(".+eENaInfity"),
            in_time: made_of(".:TZ+"),
            in_hex: made_of("abcdef"),
            in_position: made_of(":"),
            text: text.to_owned(),
        }
    }

    /// The word itself.
    pub fn text(&self) -> &str {
        &self.text
    }

    fn is_in(&self, piece: &[u8]) -> bool {
        self.finder.find(piece).is_some()
    }

    /// Whether it is part of a document: the same as looking through
    /// [`super::document_text`].
    pub fn is_in_document(&self, document: &[u8]) -> bool {
        let hit = RawDocument::from_bytes(document).ok().and_then(|doc| self.walk(doc, MAX_DEPTH).ok());
        hit.unwrap_or_else(|| self.is_in(String::from_utf8_lossy(document).as_bytes()))
    }

    fn walk(&self, doc: &RawDocument, depth: usize) -> Result<bool, Unreadable> {
        for element in doc {
            let (name, value) = element.map_err(|_| Unreadable)?;
            if self.is_in(name.as_str().as_bytes()) || self.is_in_value(value, depth)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn is_in_value(&self, value: RawBsonRef<'_>, depth: usize) -> Result<bool, Unreadable> {
        let depth = depth.checked_sub(1).ok_or(Unreadable)?;
        Ok(match value {
            RawBsonRef::Document(doc) => return self.walk(doc, depth),
            RawBsonRef::Array(array) => {
                for item in array {
                    if self.is_in_value(item.map_err(|_| Unreadable)?, depth)? {
                        return Ok(true);
                    }
                }
                false
            }
            RawBsonRef::JavaScriptCodeWithScope(code) => {
                self.is_in(code.code.as_bytes()) || self.walk(code.scope, depth)?
            }
            RawBsonRef::RegularExpression(regex) => {
                self.is_in(regex.pattern.as_str().as_bytes()) || self.is_in(regex.options.as_str().as_bytes())
            }
            RawBsonRef::String(text) | RawBsonRef::Symbol(text) | RawBsonRef::JavaScriptCode(text) => {
                self.is_in(text.as_bytes())
            }
            RawBsonRef::Int32(n) => self.in_whole_number && self.is_in_number(n.into()),
            RawBsonRef::Int64(n) => self.in_whole_number && self.is_in_number(n),
            RawBsonRef::Double(n) => self.in_number && self.is_in_made(format_args!("{n}")),
            RawBsonRef::Decimal128(_) => self.in_number && self.is_in(text_of(value).as_bytes()),
            RawBsonRef::DateTime(date) => {
                self.in_time
                    && match time(date.timestamp_millis()) {
                        Some((text, length)) => self.is_in(text.get(..length).unwrap_or(&text)),
                        None => self.is_in(text_of(value).as_bytes()),
                    }
            }
            RawBsonRef::ObjectId(id) => self.in_hex && self.is_in(&hex(&id.bytes())),
            RawBsonRef::Binary(_) => self.in_hex && self.is_in(text_of(value).as_bytes()),
            RawBsonRef::Timestamp(_) => self.in_position && self.is_in(text_of(value).as_bytes()),
            other => self.is_in(text_of(other).as_bytes()),
        })
    }

    fn is_in_number(&self, number: i64) -> bool {
        let mut text = [0u8; 20];
        let mut at = text.len();
        let mut rest = number.unsigned_abs();
        loop {
            at -= 1;
            text[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        if number < 0 {
            at -= 1;
            text[at] = b'-';
        }
        self.is_in(&text[at..])
    }

    fn is_in_made(&self, made: std::fmt::Arguments<'_>) -> bool {
        let mut text = Short { bytes: [0; 32], length: 0 };
        match text.write_fmt(made) {
            Ok(()) => self.is_in(text.bytes.get(..text.length).unwrap_or_default()),
            Err(_) => self.is_in(made.to_string().as_bytes()),
        }
    }
}

/// Text that needs no allocation; longer text is an error.
struct Short {
    bytes: [u8; 32],
    length: usize,
}

impl Write for Short {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let end = self.length + text.len();
        let room = self.bytes.get_mut(self.length..end).ok_or(std::fmt::Error)?;
        room.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}

fn hex(bytes: &[u8; 12]) -> [u8; 24] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = [0; 24];
    for (pair, byte) in text.as_chunks_mut::<2>().0.iter_mut().zip(bytes) {
        *pair = [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]];
    }
    text
}

/// A time after 1970 as RFC 3339, and its length: `2026-11-21T03:12:41.5Z`. `None` for times
/// outside of the years that four digits can tell.
fn time(millis: i64) -> Option<([u8; 24], usize)> {
    const DAY: u64 = 86_400;
    const LAST: u64 = 253_402_300_799; // 9999-12-31T23:59:59Z
    let millis = u64::try_from(millis).ok()?;
    let (seconds, fraction) = (millis / 1000, (millis % 1000) as u32);
    if seconds > LAST {
        return None;
    }
    // Days since 0000-03-01: years that end with February make leap days fall on their end.
    let (days, second) = (seconds / DAY + 719_468, (seconds % DAY) as u32);
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = (of_year - (153 * month + 2) / 5 + 1) as u32;
    let month = if month < 10 { month + 3 } else { month - 9 } as u32;
    let year = (year_of_era + era * 400) as u32 + u32::from(month <= 2);
    let mut text = *b"0000-00-00T00:00:00.000Z";
    let mut put = |at: usize, digits: usize, mut number: u32| {
        for place in (at..at + digits).rev() {
            text[place] = b'0' + (number % 10) as u8;
            number /= 10;
        }
    };
    put(0, 4, year);
    put(5, 2, month);
    put(8, 2, day);
    put(11, 2, second / 3600);
    put(14, 2, second / 60 % 60);
    put(17, 2, second % 60);
    put(20, 3, fraction);
    // A fraction ends with its last digit that is not 0; without one there is no point either.
    let mut length = 23;
    while length > 19 && matches!(text[length - 1], b'0' | b'.') {
        let point = text[length - 1] == b'.';
        length -= 1;
        if point {
            break;
        }
    }
    text[length] = b'Z';
    Some((text, length + 1))
}
