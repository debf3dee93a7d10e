//! The stop: an exclusive bound between two neighbouring operations. Every tool of the trade
//! understands another number for the same stop; all of them are rendered here.

use super::op::Op;
use super::position::{Place, Position, time_of};
use super::{Error, Result};

/// On which side of a place to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// The place is left out.
    Before,
    /// The place is taken in.
    After,
}

/// A stop as somebody asked for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StopRequest {
    /// On which side.
    pub side: Side,
    /// Of what.
    pub place: Place,
}

/// A stop with both its neighbours.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Stop {
    /// Operations at positions below this count, all others do not.
    #[serde(rename = "pos")]
    pub bound: Position,
    /// Its second, RFC 3339 in UTC.
    pub time: String,
    /// The last operation that counts.
    pub last_applied: Option<Op>,
    /// The first one that does not; `None` at the end of what is known.
    pub first_left_out: Option<Op>,
}

impl StopRequest {
    /// The exclusive bound this means, given the last position known. A time means its whole
    /// second.
    pub fn bound(&self, last: Position) -> Position {
        match (self.side, self.place) {
            (Side::Before, Place::At(pos)) => pos,
            (Side::After, Place::At(pos)) => pos.next(),
            (Side::Before, Place::Second(secs)) => Position::new(secs, 0),
            (Side::After, Place::Second(secs)) => Position::new(secs.saturating_add(1), 0),
            (Side::Before, Place::End) => last,
            (Side::After, Place::End) => last.next(),
        }
    }

    /// How it reads back: the request with its time resolved.
    pub fn describe(&self) -> String {
        let side = match self.side {
            Side::Before => "before",
            Side::After => "after",
        };
        match self.place {
            Place::At(pos) => format!("{side} {pos} ({})", pos.time()),
            Place::Second(secs) => format!("{side} {} (the whole second)", time_of(secs)),
            Place::End => format!("{side} the end"),
        }
    }
}

/// The valid stops over one base: `edge < X <= end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct ValidStops {
    /// The smallest valid stop: just past the last entry of the base's own oplog.
    pub first: Position,
    /// The largest: just past the last entry that joins on without a gap.
    pub last: Position,
}

impl ValidStops {
    /// Refuses a bound outside, with the nearest valid stop to copy.
    pub fn check(&self, bound: Position) -> Result<()> {
        if bound < self.first {
            return Error::inexact(
                "choosing the stop",
                bound,
                "it lies before the end of the snapshot's own oplog, where the snapshot's documents are of mixed age",
            )
            .hint(format!("the nearest valid stop is --before {}; or use an older snapshot.", self.first))
            .err();
        }
        if bound > self.last {
            return Error::inexact("choosing the stop", bound, "it lies beyond the last operation known")
                .hint(format!("the nearest valid stop is --before {}.", self.last))
                .err();
        }
        Ok(())
    }
}

/// The same stop for other tools, ready to copy; each means exactly the operations below the
/// bound (their bounds are inclusive here and exclusive there).
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct OtherTools {
    /// `mongorestore --oplogReplay`: exclusive.
    pub mongorestore: String,
    /// Percona Backup for MongoDB: inclusive, so the last operation applied.
    pub pbm: String,
    /// Atlas Admin API: documented as the last operation to restore, so inclusive.
    pub atlas: String,
}

/// Renders a stop for other tools. `last_applied` is the entry right below the bound.
pub fn other_tools(bound: Position, last_applied: Option<Position>) -> OtherTools {
    let below = last_applied.unwrap_or_else(|| Position::from_u64(bound.to_u64().saturating_sub(1)));
    OtherTools {
        mongorestore: format!("--oplogLimit {bound}"),
        pbm: format!("--time {},{}", below.secs, below.inc),
        atlas: format!("\"oplogTs\": {}, \"oplogInc\": {}", below.secs, below.inc),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Class;

    #[test]
    fn sides_and_places() {
        let (pos, last) = (Position::new(1_795_236_280, 321), Position::new(1_795_236_281, 5));
        let bound = |side, place| StopRequest { side, place }.bound(last);
        assert_eq!(bound(Side::Before, Place::At(pos)), pos);
        assert_eq!(bound(Side::After, Place::At(pos)), Position::new(1_795_236_280, 322));
        assert_eq!(bound(Side::Before, Place::Second(1_795_236_280)), Position::new(1_795_236_280, 0));
        assert_eq!(bound(Side::After, Place::Second(1_795_236_280)), Position::new(1_795_236_281, 0));
        assert_eq!(bound(Side::After, Place::End), Position::new(1_795_236_281, 6));
        assert_eq!(bound(Side::Before, Place::End), last);
    }

    #[test]
    fn outside_is_refused_with_the_nearest_stop() {
        let valid = ValidStops { first: Position::new(10, 5), last: Position::new(20, 2) };
        for good in [valid.first, valid.last, Position::new(15, 0)] {
            valid.check(good).unwrap();
        }
        let early = valid.check(Position::new(10, 4)).unwrap_err();
        assert_eq!(early.class, Class::Inexact);
        assert!(early.hint.contains("10:5"), "{early}");
        let late = valid.check(Position::new(20, 3)).unwrap_err();
        assert_eq!(late.class, Class::Inexact);
        assert!(late.hint.contains("20:2"), "{late}");
    }

    /// The matrix of stop semantics: mongorestore exclusive, PBM and Atlas inclusive.
    #[test]
    fn other_tools_get_their_own_number() {
        let tools = other_tools(Position::new(1_795_236_280, 321), Some(Position::new(1_795_236_280, 320)));
        assert_eq!(tools.mongorestore, "--oplogLimit 1795236280:321");
        assert_eq!(tools.pbm, "--time 1795236280,320");
        assert!(tools.atlas.contains("\"oplogInc\": 320"));
    }
}
