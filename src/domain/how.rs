//! How a restore is carried out, beyond its stop and its target: what is asked of a server, and
//! what is checked besides the documents. Plain values, journalled with the job and shown in the
//! plan.

use std::fmt;
use std::num::{NonZeroU32, NonZeroU64, NonZeroUsize};
use std::path::PathBuf;
use std::str::FromStr;

use super::text::{bytes, visible};
use super::{Namespace, Position};

/// What was asked for; the default asks for nothing.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct How {
    /// Where the isolated server keeps its data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dbpath: Option<PathBuf>,
    /// The name of the replica set that the isolated server ends as.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replset: Option<String>,
    /// Whose acknowledgement a server waits for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub write_concern: Option<WriteConcern>,
    /// How many write at a time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parallel: Option<NonZeroUsize>,
    /// At most this many bytes a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<NonZeroU64>,
    /// What is checked besides the documents.
    #[serde(skip_serializing_if = "Checks::is_empty")]
    pub checks: Checks,
}

/// Whose acknowledgement a write waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteConcern {
    /// So many members.
    Members(NonZeroU32),
    /// Most of the voting members.
    Majority,
}

impl Default for WriteConcern {
    fn default() -> Self {
        WriteConcern::Members(NonZeroU32::MIN)
    }
}

impl fmt::Display for WriteConcern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WriteConcern::Members(n) => n.fmt(f),
            WriteConcern::Majority => f.write_str("majority"),
        }
    }
}

impl FromStr for WriteConcern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "majority" => Ok(WriteConcern::Majority),
            // A replica set has 50 members at most.
            _ => match text.parse::<NonZeroU32>() {
                Ok(n) if n.get() <= 50 => Ok(WriteConcern::Members(n)),
                _ => Err("it is majority, or a number of members from 1 to 50".to_owned()),
            },
        }
    }
}

impl serde::Serialize for WriteConcern {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for WriteConcern {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

/// What is checked besides what was written.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Checks {
    /// The server hashes every database (`dbHash`); on record, for comparing with other members.
    pub db_hash: bool,
    /// The server checks the structure of every collection and index (`validate`).
    pub validate: bool,
    /// Queries of the user's with what they must find.
    pub queries: Vec<Query>,
}

impl Checks {
    /// Whether nothing was asked for.
    pub fn is_empty(&self) -> bool {
        *self == Checks::default()
    }
}

/// A named query with what it must find.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Query {
    /// What it is called in reports.
    pub name: String,
    /// Where it looks: a collection of the restored state, by its new name.
    pub ns: Namespace,
    /// What it looks for: a MongoDB filter in Extended JSON. `{"$date": "stop"}` and
    /// `{"$timestamp": "stop"}` in it stand for the stop.
    pub filter: serde_json::Map<String, serde_json::Value>,
    /// How many documents it must find.
    pub expect: Expect,
}

/// How many documents a query must find.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Expect {
    /// At least.
    pub min: u64,
    /// At most; `None` = any number.
    pub max: Option<u64>,
}

impl Expect {
    /// Whether this many are right.
    pub fn holds(&self, found: u64) -> bool {
        found >= self.min && self.max.is_none_or(|max| found <= max)
    }
}

impl fmt::Display for Expect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.min, self.max) {
            (0, Some(0)) => f.write_str("none"),
            (min, Some(max)) if min == max => write!(f, "exactly {min}"),
            (0, Some(max)) => write!(f, "at most {max}"),
            (min, Some(max)) => write!(f, "{min} to {max}"),
            (min, None) => write!(f, "at least {min}"),
        }
    }
}

impl Query {
    /// The filter with the stop in its places: as a date the end of the second that the last
    /// position before the bound may lie in, as a timestamp the bound itself.
    pub fn filter_at(&self, bound: Position) -> serde_json::Map<String, serde_json::Value> {
        self.filter.iter().map(|(k, v)| (k.clone(), at_stop(v, bound))).collect()
    }
}

fn at_stop(value: &serde_json::Value, bound: Position) -> serde_json::Value {
    use serde_json::{Value, json};
    match value {
        Value::Object(map) => {
            let only = if map.len() == 1 { map.iter().next() } else { None };
            match only.map(|(k, v)| (k.as_str(), v.as_str())) {
                Some(("$date", Some("stop"))) => {
                    // Nothing has the increment 0: a bound of T:0 or T:1 leaves all of T out.
                    let end = i64::from(bound.secs) + i64::from(bound.inc > 1);
                    json!({ "$date": { "$numberLong": (end * 1000).to_string() } })
                }
                Some(("$timestamp", Some("stop"))) => {
                    json!({ "$timestamp": { "t": bound.secs, "i": bound.inc } })
                }
                _ => Value::Object(map.iter().map(|(k, v)| (k.clone(), at_stop(v, bound))).collect()),
            }
        }
        Value::Array(list) => Value::Array(list.iter().map(|v| at_stop(v, bound)).collect()),
        other => other.clone(),
    }
}

impl How {
    /// What was asked for, one line each, for a plan.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        lines.extend(self.dbpath.as_ref().map(|dir| format!("data in {}", visible(&dir.to_string_lossy()))));
        lines.extend(
            self.replset.as_ref().map(|name| format!("ends as the one-node replica set {}", visible(name))),
        );
        lines.extend(self.write_concern.map(|w| format!("write concern {w}")));
        lines.extend(self.parallel.map(|n| format!("{n} at a time")));
        lines.extend(self.rate.map(|n| format!("at most {} a second", bytes(n.get()))));
        if self.checks.db_hash {
            lines.push("check: dbHash".to_owned());
        }
        if self.checks.validate {
            lines.push("check: validate".to_owned());
        }
        for query in &self.checks.queries {
            lines.push(format!(
                "check: {} ({} in {})",
                visible(&query.name),
                query.expect,
                visible(&query.ns.to_string())
            ));
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_stop_stands_where_it_is_named() {
        let filter =
            json!({ "a": { "$gt": { "$date": "stop" } }, "b": [{ "$timestamp": "stop" }], "stop": "stop" });
        let query = Query {
            name: "n".into(),
            ns: Namespace::parse("a.b"),
            filter: filter.as_object().unwrap().clone(),
            expect: Expect { min: 0, max: Some(0) },
        };
        let at = |secs, inc| serde_json::Value::Object(query.filter_at(Position::new(secs, inc)));
        // An op before 7:2 may be 7:1, so its second is part of the state.
        let want = |ms: &str, t: u32, i: u32| {
            json!({
                "a": { "$gt": { "$date": { "$numberLong": ms } } },
                "b": [{ "$timestamp": { "t": t, "i": i } }], "stop": "stop",
            })
        };
        assert_eq!(at(7, 2), want("8000", 7, 2));
        assert_eq!(at(7, 1), want("7000", 7, 1));
    }

    #[test]
    fn write_concerns_are_said_as_they_are_read() {
        for text in ["majority", "1", "3"] {
            assert_eq!(text.parse::<WriteConcern>().unwrap().to_string(), text);
        }
        for text in ["0", "-1", "51", "most", ""] {
            assert!(text.parse::<WriteConcern>().is_err(), "{text}");
        }
    }

    #[test]
    fn expectations() {
        for (min, max, text, yes, no) in [
            (0, Some(0), "none", vec![0], vec![1]),
            (5, Some(5), "exactly 5", vec![5], vec![4, 6]),
            (0, Some(2), "at most 2", vec![0, 2], vec![3]),
            (2, None, "at least 2", vec![2, 9], vec![1]),
            (2, Some(4), "2 to 4", vec![2, 4], vec![1, 5]),
        ] {
            let expect = Expect { min, max };
            assert_eq!(expect.to_string(), text);
            assert!(yes.iter().all(|n| expect.holds(*n)) && !no.iter().any(|n| expect.holds(*n)), "{text}");
        }
    }
}
