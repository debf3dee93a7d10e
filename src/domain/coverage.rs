//! What is known of an oplog: stretches proven to be without gap, the gaps between them, and the
//! joints that somebody accepted without proof.
//!
//! Increments jump in every healthy oplog, so neighbours prove nothing: only an entry that two
//! sources share joins them. Who finds that out is not known here.

use std::fmt;

use super::{OpTime, Position};

/// A stretch of the oplog proven to be without gap, but for the [`Unproven`] joints inside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Segment {
    /// Its first entry.
    #[serde(with = "optime")]
    pub first: OpTime,
    /// Its last entry.
    #[serde(with = "optime")]
    pub last: OpTime,
    /// How many entries it has.
    pub entries: u64,
}

/// A place where entries may be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Gap {
    /// The last entry known before it.
    pub after: Position,
    /// The first entry known behind it.
    pub before: Position,
}

/// A joint without a shared entry that was accepted on request: entries may be missing in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Unproven {
    /// The last entry on the one side.
    pub after: Position,
    /// The first entry on the other side.
    pub before: Position,
}

/// Why a range of positions is not covered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Uncovered {
    /// There is no oplog at all.
    Nothing,
    /// The range begins before the first entry that is known (this one).
    Begins(Position),
    /// The range goes on behind the last entry that is known (this one).
    Ends(Position),
    /// This gap lies in the range.
    Gap(Gap),
}

/// Whether every entry with `from <= ts < to` is known. `segments` are in order.
///
/// A range that holds no position (`from >= to`) is always covered.
pub fn covers(segments: &[Segment], from: Position, to: Position) -> Result<(), Uncovered> {
    if from >= to {
        return Ok(());
    }
    let (Some(first), Some(last)) = (segments.first(), segments.last()) else {
        return Err(Uncovered::Nothing);
    };
    if from < first.first.pos {
        return Err(Uncovered::Begins(first.first.pos));
    }
    // The last segment that begins at or before `from`; there is one, as just checked.
    let at = segments.partition_point(|s| s.first.pos <= from).saturating_sub(1);
    let Some(segment) = segments.get(at) else { return Err(Uncovered::Nothing) };
    if to <= segment.last.pos.next() {
        return Ok(());
    }
    match segments.get(at + 1) {
        Some(next) => Err(Uncovered::Gap(Gap { after: segment.last.pos, before: next.first.pos })),
        None => Err(Uncovered::Ends(last.last.pos)),
    }
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "entries may be missing between {} and {}", self.after, self.before)
    }
}

impl fmt::Display for Unproven {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "nothing proves that no entry is missing between {} and {}", self.after, self.before)
    }
}

impl fmt::Display for Uncovered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Uncovered::Nothing => f.write_str("there is no oplog"),
            Uncovered::Begins(first) => write!(f, "the first entry known is {first}"),
            Uncovered::Ends(last) => write!(f, "the last entry known is {last}"),
            Uncovered::Gap(gap) => gap.fmt(f),
        }
    }
}

/// An optime as `{"pos": "T:I", "term": n}`.
mod optime {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::{OpTime, Position};

    #[derive(Serialize, Deserialize)]
    struct Parts {
        pos: Position,
        term: i64,
    }

    pub fn serialize<S: Serializer>(value: &OpTime, s: S) -> Result<S::Ok, S::Error> {
        Parts { pos: value.pos, term: value.term }.serialize(s)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<OpTime, D::Error> {
        let parts = Parts::deserialize(d)?;
        Ok(OpTime { pos: parts.pos, term: parts.term })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const T: u32 = 1_795_236_280;

    fn pos(inc: u32) -> Position {
        Position::new(T, inc)
    }

    fn segment(first: u32, last: u32) -> Segment {
        let at = |inc| OpTime { pos: pos(inc), term: 1 };
        Segment { first: at(first), last: at(last), entries: 2 }
    }

    #[test]
    fn a_range_is_covered_inside_one_segment_only() {
        let segments = [segment(10, 20), segment(30, 40)];
        let gap = Uncovered::Gap(Gap { after: pos(20), before: pos(30) });
        for (from, to, want) in [
            (10, 21, Ok(())),
            (15, 15, Ok(())),
            (1, 1, Ok(())),
            (9, 15, Err(Uncovered::Begins(pos(10)))),
            (10, 22, Err(gap)),
            (15, 35, Err(gap)),
            (25, 35, Err(gap)),
            (30, 41, Ok(())),
            (30, 42, Err(Uncovered::Ends(pos(40)))),
            (50, 60, Err(Uncovered::Ends(pos(40)))),
        ] {
            assert_eq!(covers(&segments, pos(from), pos(to)), want, "{from}..{to}");
        }
        assert_eq!(covers(&[], pos(1), pos(2)), Err(Uncovered::Nothing));
    }

    #[test]
    fn a_segment_survives_json() {
        let json = serde_json::to_string(&segment(10, 20)).unwrap();
        assert_eq!(serde_json::from_str::<Segment>(&json).unwrap(), segment(10, 20));
        assert!(json.contains(r#""pos":"1795236280:10""#), "{json}");
    }
}
