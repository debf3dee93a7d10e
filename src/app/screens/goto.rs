//! What somebody types to jump in time: `14:30`, `14:30:05`, `-2h`, a date and time, a position,
//! `end`. Without a day it is the day one is on; without a zone it is UTC.

use crate::domain::Position;
use crate::domain::position::Place;

/// The position meant, seen from `at`; `last` is the last one known. The error is a sentence.
pub fn parse(text: &str, at: Position, last: Position) -> Result<Position, String> {
    if let Some(by) = relative(text) {
        let secs = i64::from(at.secs).saturating_add(by).clamp(0, i64::from(u32::MAX));
        return Ok(Position::new(u32::try_from(secs).unwrap_or(u32::MAX), 0));
    }
    if let Some(secs) = clock(text) {
        return Ok(Position::new((at.secs / 86_400 * 86_400).saturating_add(secs), 0));
    }
    match text.parse::<Place>() {
        Ok(Place::At(pos)) => Ok(pos),
        Ok(Place::Second(secs)) => Ok(Position::new(secs, 0)),
        Ok(Place::End) => Ok(last),
        Err(_) => Err("write 14:30, -2h, 2026-10-14T14:30:00Z, a position T:I, or end".into()),
    }
}

/// `-2h`, `+90s`, `-1d`, in seconds.
fn relative(text: &str) -> Option<i64> {
    let sign = match text.chars().next()? {
        '-' => -1,
        '+' => 1,
        _ => return None,
    };
    let unit = match text.chars().last()? {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return None,
    };
    let digits = text.get(1..text.len() - 1)?;
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some(digits.parse::<i64>().ok()?.saturating_mul(unit) * sign)
}

/// `14:30` or `14:30:05`, with or without a Z, in seconds since midnight.
fn clock(text: &str) -> Option<u32> {
    let text = text.strip_suffix('Z').unwrap_or(text);
    let parts: Vec<&str> = text.split(':').collect();
    if !(2..=3).contains(&parts.len()) {
        return None;
    }
    let number = |part: &str, max: u32| {
        let fine = (1..=2).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
        part.parse().ok().filter(|n| fine && *n < max)
    };
    let secs = parts.get(2).map_or(Some(0), |s| number(s, 60))?;
    Some(number(parts.first()?, 24)? * 3600 + number(parts.get(1)?, 60)? * 60 + secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_name_a_time() {
        let day = 1_791_936_000; // 2026-10-14T00:00:00Z
        let (at, last) = (Position::new(day + 50_000, 7), Position::new(day + 80_000, 3));
        for (text, want) in [
            ("14:41", Position::new(day + 52_860, 0)),
            ("14:41:07Z", Position::new(day + 52_867, 0)),
            ("-2h", Position::new(day + 42_800, 0)),
            ("+1d", Position::new(day + 136_400, 0)),
            ("2026-10-14T14:41:07Z", Position::new(day + 52_867, 0)),
            ("1791988867:944", Position::new(1_791_988_867, 944)),
            ("end", last),
        ] {
            assert_eq!(parse(text, at, last), Ok(want), "{text}");
        }
        for text in ["", "-", "-h", "25:00", "14:60", "1:2:3:4", "soon", "-2y", "ü"] {
            assert!(parse(text, at, last).is_err(), "{text}");
        }
        assert_eq!(parse("-9999999999d", at, last), Ok(Position::new(0, 0)));
    }
}
