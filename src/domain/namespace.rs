//! Namespaces (`database.collection`), globs over them, and which of them a restore leaves alone.

use std::fmt;

/// A database and a collection name. The first dot separates; the collection may hold more.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Namespace {
    /// The database.
    pub db: String,
    /// The collection; empty for the database itself.
    pub coll: String,
}

/// What a restore does with a namespace, by default (the table of reference 1.8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Treatment {
    /// Restored.
    User,
    /// Users and roles: kept aside unless asked for.
    Auth,
    /// The server's own bookkeeping: never restored.
    Internal,
}

const BUCKETS: &str = "system.buckets.";

impl Namespace {
    /// Makes one from its two parts.
    pub fn new(db: impl Into<String>, coll: impl Into<String>) -> Self {
        Namespace { db: db.into(), coll: coll.into() }
    }

    /// Splits at the first dot; without one the collection is empty.
    pub fn parse(text: &str) -> Self {
        match text.split_once('.') {
            Some((db, coll)) => Self::new(db, coll),
            None => Self::new(text, ""),
        }
    }

    /// How a restore treats it.
    pub fn treatment(&self) -> Treatment {
        match (self.db.as_str(), self.coll.as_str()) {
            ("local" | "config", _) => Treatment::Internal,
            ("admin", "system.users" | "system.roles") => Treatment::Auth,
            ("admin", coll) if coll.starts_with("system.") => Treatment::Internal,
            (_, "system.profile" | "system.indexes" | "system.namespaces") => Treatment::Internal,
            _ => Treatment::User,
        }
    }

    /// `system.buckets.X` gives `X`: the time-series collection that owns these buckets.
    pub fn timeseries_of_buckets(&self) -> Option<Namespace> {
        let coll = self.coll.strip_prefix(BUCKETS)?;
        Some(Self::new(self.db.clone(), coll))
    }

    /// The namespace that holds the buckets of this time-series collection.
    pub fn buckets(&self) -> Namespace {
        Self::new(self.db.clone(), format!("{BUCKETS}{}", self.coll))
    }

    /// Whether this is a database's list of views.
    pub fn is_views(&self) -> bool {
        self.coll == "system.views"
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.coll.is_empty() {
            return f.write_str(&self.db);
        }
        write!(f, "{}.{}", self.db, self.coll)
    }
}

impl serde::Serialize for Namespace {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Namespace {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Ok(Self::parse(&String::deserialize(d)?))
    }
}

/// A pattern over namespaces: `*` stands for any run of characters, everything else for itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob(String);

impl Glob {
    /// Takes the pattern as typed.
    pub fn new(pattern: impl Into<String>) -> Self {
        Glob(pattern.into())
    }

    /// The pattern as typed.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the whole of `text` fits the pattern.
    pub fn matches(&self, text: &str) -> bool {
        let (pattern, text) = (self.0.as_bytes(), text.as_bytes());
        // Greedy matching with one point to fall back to: linear in practice, and no recursion.
        let (mut p, mut t, mut star) = (0, 0, None);
        while t < text.len() {
            if p < pattern.len() && pattern[p] == b'*' {
                star = Some((p, t));
                p += 1;
            } else if p < pattern.len() && pattern[p] == text[t] {
                p += 1;
                t += 1;
            } else if let Some((star_p, star_t)) = star {
                star = Some((star_p, star_t + 1));
                p = star_p + 1;
                t = star_t + 1;
            } else {
                return false;
            }
        }
        pattern[p..].iter().all(|&c| c == b'*')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_dot_separates() {
        assert_eq!(Namespace::parse("a.b.c"), Namespace::new("a", "b.c"));
        assert_eq!(Namespace::parse("a").to_string(), "a");
    }

    #[test]
    fn globs() {
        for (pattern, text, fits) in [
            ("shop.*", "shop.orders", true),
            ("shop.*", "shopping.orders", false),
            ("*.orders", "a.b.orders", true),
            ("a*b*c", "aXbXbXc", true),
            ("a*b*c", "aXbXbX", false),
            ("", "", true),
            ("**", "anything", true),
            ("x", "xy", false),
        ] {
            assert_eq!(Glob::new(pattern).matches(text), fits, "{pattern} on {text}");
        }
    }

    #[test]
    fn buckets_belong_to_their_timeseries() {
        let ns = Namespace::parse("zoo.temps");
        assert_eq!(ns.buckets().to_string(), "zoo.system.buckets.temps");
        assert_eq!(ns.buckets().timeseries_of_buckets(), Some(ns));
    }
}
