//! Positions in the oplog: MongoDB's `Timestamp(T, I)`, totally ordered, and every notation for
//! it that people copy out of other tools. A time (RFC 3339) is a whole second of positions.

use std::fmt;

use chrono::{DateTime, NaiveDateTime, SecondsFormat, Utc};

use super::{Error, Result};

/// A place in the oplog: seconds since 1970 and an increment within that second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Position {
    /// Seconds since 1970-01-01 UTC.
    pub secs: u32,
    /// Increment within the second; the server starts at 1.
    pub inc: u32,
}

/// A position and the election term it was written in; term -1 = uninitialised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OpTime {
    /// Where.
    pub pos: Position,
    /// In which term.
    pub term: i64,
}

/// What a human typed for a place in the oplog, before the oplog is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// One position.
    At(Position),
    /// A whole second of the oplog, given as a time.
    Second(u32),
    /// The end of what is known.
    End,
}

impl Position {
    /// The smallest position there is.
    pub const MIN: Position = Position { secs: 0, inc: 0 };
    /// The largest position there is.
    pub const MAX: Position = Position { secs: u32::MAX, inc: u32::MAX };

    /// Makes one.
    pub fn new(secs: u32, inc: u32) -> Self {
        Position { secs, inc }
    }

    /// The smallest position after this one; saturates at [`Position::MAX`].
    pub fn next(self) -> Self {
        Position::from_u64(self.to_u64().saturating_add(1))
    }

    /// As one number that sorts the same way (the BSON representation).
    pub fn to_u64(self) -> u64 {
        u64::from(self.secs) << 32 | u64::from(self.inc)
    }

    /// The inverse of [`Position::to_u64`].
    pub fn from_u64(bits: u64) -> Self {
        Position { secs: (bits >> 32) as u32, inc: bits as u32 }
    }

    /// The second as RFC 3339 in UTC: `2026-11-21T03:12:41Z`.
    pub fn time(self) -> String {
        time_of(self.secs)
    }
}

/// A second since 1970 as RFC 3339 in UTC.
pub fn time_of(secs: u32) -> String {
    DateTime::<Utc>::from_timestamp(i64::from(secs), 0)
        .map_or_else(|| format!("{secs} s"), |t| t.to_rfc3339_opts(SecondsFormat::Secs, true))
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.secs, self.inc)
    }
}

impl std::str::FromStr for Position {
    type Err = Box<Error>;

    /// `T:I`, `T,I` or `Timestamp(T, I)`, where T has 9 or 10 digits.
    fn from_str(text: &str) -> Result<Self> {
        let wrong = |cause: &str| {
            Error::usage("reading the position", format!("{text:?}"), cause)
                .hint("write T:I as in 1795236280:321 (seconds since 1970, increment).")
        };
        let trimmed = text.trim();
        let body = trimmed
            .strip_prefix("Timestamp(")
            .map_or(Some(trimmed), |rest| rest.strip_suffix(')'))
            .ok_or_else(|| wrong("the bracket is not closed"))?;
        let (secs, inc) = body.split_once([':', ',']).ok_or_else(|| wrong("there is no increment"))?;
        let number = |part: &str| {
            let part = part.trim();
            let digits = !part.is_empty() && part.bytes().all(|c| c.is_ascii_digit());
            if digits { part.parse::<u32>().ok() } else { None }
        };
        if !(9..=10).contains(&secs.trim().len()) {
            return Err(Box::new(wrong("the seconds need 9 or 10 digits")));
        }
        let secs = number(secs).ok_or_else(|| wrong("the seconds are not a 32-bit number"))?;
        let inc = number(inc).ok_or_else(|| wrong("the increment is not a 32-bit number"))?;
        Ok(Position { secs, inc })
    }
}

impl std::str::FromStr for Place {
    type Err = Box<Error>;

    /// A position in any notation, an RFC 3339 time without fraction (no zone = UTC), or `end`.
    fn from_str(text: &str) -> Result<Self> {
        let trimmed = text.trim();
        if trimmed == "end" {
            return Ok(Place::End);
        }
        if let Some(secs) = parse_time(trimmed)? {
            return Ok(Place::Second(secs));
        }
        Ok(Place::At(trimmed.parse()?))
    }
}

/// `2026-11-21T03:12:41`, with `Z`, an offset or nothing (UTC), or a blank for the `T`;
/// `None` when the text does not look like a date at all.
fn parse_time(text: &str) -> Result<Option<u32>> {
    let bytes = text.as_bytes();
    let dated = bytes.len() > 10
        && bytes[..4].iter().all(u8::is_ascii_digit)
        && bytes[4] == b'-'
        && matches!(bytes[10], b'T' | b't' | b' ');
    if !dated {
        return Ok(None);
    }
    let wrong = |cause: &str| {
        Error::usage("reading the time", format!("{text:?}"), cause)
            .hint("write 2026-11-21T03:12:41Z; without a zone it is UTC, and a position T:I is finer than any time.")
    };
    if text.contains('.') {
        return wrong("a fraction of a second says nothing about the order of operations").err();
    }
    let normal = text.replacen([' ', 't'], "T", 1);
    let time = DateTime::parse_from_rfc3339(&normal)
        .map(|t| t.to_utc())
        .or_else(|_| NaiveDateTime::parse_from_str(&normal, "%Y-%m-%dT%H:%M:%S").map(|t| t.and_utc()))
        .map_err(|e| wrong(&e.to_string()))?;
    // Leap seconds parse with a fraction of a whole second or more: no position can mean one.
    u32::try_from(time.timestamp())
        .map(Some)
        .map_err(|_| Box::new(wrong("the oplog holds times from 1970 to 2106 only")))
}

impl serde::Serialize for Position {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Position {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_notation_means_the_same() {
        let want = Position::new(1_795_236_280, 321);
        for text in ["1795236280:321", "1795236280,321", "Timestamp(1795236280, 321)", " 1795236280:321 "] {
            assert_eq!(text.parse::<Position>().unwrap(), want, "{text}");
        }
        assert_eq!(want.to_string(), "1795236280:321");
        assert_eq!(Position::from_u64(want.to_u64()), want);
    }

    proptest::proptest! {
        #[test]
        fn positions_go_around_in_every_notation(secs in 100_000_000u32.., inc: u32, other: u64) {
            let want = Position::new(secs, inc);
            let forms = [want.to_string(), format!("{secs},{inc}"), format!("Timestamp({secs}, {inc})")];
            for text in forms {
                proptest::prop_assert_eq!(text.parse::<Position>().ok(), Some(want));
                proptest::prop_assert_eq!(text.parse::<Place>().ok(), Some(Place::At(want)));
            }
            proptest::prop_assert_eq!(want.time().parse::<Place>().ok(), Some(Place::Second(secs)));
            proptest::prop_assert_eq!(Position::from_u64(want.to_u64()), want);
            let other = Position::from_u64(other);
            proptest::prop_assert_eq!(want.cmp(&other), want.to_u64().cmp(&other.to_u64()));
        }
    }

    #[test]
    fn what_is_no_position_says_why() {
        for text in [
            "",
            "1",
            "1795236280",
            "1795236280:",
            ":1",
            "1:2:3",
            "1795236280:-1",
            "17952362800:1",
            "1795236280:4294967296",
            "Timestamp(1795236280, 1",
            "abcdefghij:1",
        ] {
            let error = text.parse::<Position>().unwrap_err();
            assert_eq!(error.class, crate::domain::Class::Usage, "{text}");
        }
    }

    #[test]
    fn a_time_is_a_second_and_utc_unless_it_says_otherwise() {
        let want = Place::Second(1_795_236_280);
        for text in [
            "2026-11-21T04:44:40Z",
            "2026-11-21T04:44:40",
            "2026-11-21 04:44:40",
            "2026-11-21T06:14:40+01:30",
        ] {
            assert_eq!(text.parse::<Place>().unwrap(), want, "{text}");
        }
        assert!("2026-11-21T04:44:40.5Z".parse::<Place>().is_err());
        assert!("1969-12-31T23:59:59Z".parse::<Place>().is_err());
        assert_eq!("end".parse::<Place>().unwrap(), Place::End);
        assert_eq!(time_of(1_795_236_280), "2026-11-21T04:44:40Z");
    }

    #[test]
    fn next_crosses_the_second() {
        assert_eq!(Position::new(5, u32::MAX).next(), Position::new(6, 0));
        assert_eq!(Position::MAX.next(), Position::MAX);
    }
}
