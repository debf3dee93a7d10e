//! The query language: terms joined by a space, all of which must hold; `-` before a term turns
//! it round.
//!
//! `op:delete` `ns:shop.*` `id:42` `after:…` `before:…` `txn:…` `size:>1k`, bare words and
//! `/regex/`. A value or word with blanks stands in double quotes, as a JSON string. `before:`
//! leaves out what it names and `after:` takes it in, so that `after:A before:B` is the half-open
//! range and `-before:A` the same as `after:A`.
//!
//! A [`Query`] is what was typed, and prints as such. [`Query::resolve`] makes the [`Filter`] that
//! is asked about operations, in two steps: first the cheap columns, then, if need be, the body.

mod filter;
mod id;
mod number;
mod parse;
mod text;
mod word;

#[cfg(test)]
mod tests;

use std::fmt;

pub use filter::{BodyView, Filter, RowView};
pub use id::IdPattern;
pub use parse::parse;
pub use text::{Body, document_text};
pub use word::Word;

use super::namespace::Glob;
use super::op::OpKind;
use super::position::{Place, time_of};
use super::{Error, Position, Result};

/// What was typed. Without terms it takes every operation in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Query {
    /// All of these must hold.
    pub terms: Vec<Term>,
}

/// One condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// Whether it must hold or must not.
    pub sense: Sense,
    /// The condition.
    pub test: Test,
}

/// Which way round a condition is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sense {
    /// It must hold.
    Has,
    /// It must not hold: a `-` stood before it.
    HasNot,
}

/// A condition on one operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Test {
    /// `op:` the kind.
    Kind(OpKind),
    /// `ns:` the whole namespace fits.
    Ns(Glob),
    /// `id:` the `_id` of the document.
    Id(IdPattern),
    /// `after:` there or later.
    After(When),
    /// `before:` earlier than that.
    Before(When),
    /// `txn:` the transaction's name begins like this; `*` is any transaction.
    Txn(String),
    /// `size:` bytes of the entry.
    Size(Compare, u64),
    /// A bare word: part of a field name or of a value's text, in this very spelling.
    Word(String),
    /// `/…/`: found in a field name or in a value's text.
    Regex(Pattern),
}

/// A place in the oplog as typed into a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Any notation of a [`Place`].
    Place(Place),
    /// A time without its day, in seconds since midnight UTC: that time on the log's only day.
    Clock(u32),
}

/// How a size is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compare {
    /// `<`
    Less,
    /// `=`
    Equal,
    /// `>`
    More,
}

/// A regular expression and the text it was made from.
#[derive(Debug, Clone)]
pub struct Pattern {
    regex: regex::Regex,
    /// Part of the text of every match.
    literal: Option<String>,
}

impl Pattern {
    /// Compiles it; the cause of a failure is a sentence for humans. `\/` is the same as `/`.
    pub fn new(source: &str) -> std::result::Result<Self, String> {
        let source = parse::unescape_slashes(source);
        let regex = regex::Regex::new(&source).map_err(|e| {
            let text = e.to_string();
            text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
        })?;
        let literal = regex_syntax::parse(&source).ok().and_then(|hir| longest_literal(&hir));
        Ok(Pattern { regex, literal })
    }

    /// The longest text that is known to be part of every match.
    pub fn literal(&self) -> Option<&str> {
        self.literal.as_deref()
    }

    /// Whether it is found in `text`.
    pub fn is_match(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }
}

/// Alternatives and what may be missing have none; letters of either case are no literals.
fn longest_literal(hir: &regex_syntax::hir::Hir) -> Option<String> {
    use regex_syntax::hir::HirKind;
    match hir.kind() {
        HirKind::Literal(literal) => String::from_utf8(literal.0.to_vec()).ok(),
        HirKind::Capture(capture) => longest_literal(&capture.sub),
        HirKind::Repetition(repeated) if repeated.min > 0 => longest_literal(&repeated.sub),
        HirKind::Concat(parts) => parts.iter().filter_map(longest_literal).max_by_key(String::len),
        _ => None,
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.regex.as_str() == other.regex.as_str()
    }
}

impl Eq for Pattern {}

impl Query {
    /// Fixes times without a day, given the first and the last operation of the log. An error
    /// where the log spans several UTC days, and `14:30` could be any of them.
    pub fn resolve(&self, first: Position, last: Position) -> Result<Filter> {
        let bound = |when: When| match when {
            When::Place(Place::At(position)) => Ok(position),
            When::Place(Place::Second(secs)) => Ok(Position::new(secs, 0)),
            When::Place(Place::End) => Ok(last.next()),
            When::Clock(clock) => {
                let (day, last_day) = (first.secs / DAY, last.secs / DAY);
                if day != last_day {
                    let days = (date_of(day), date_of(last_day));
                    let cause = format!("the log goes from {} to {} (UTC)", days.0, days.1);
                    return Error::usage("reading the time", format!("{:?}", clock_of(clock)), cause)
                        .hint(format!("say which day: {}T{}Z", days.0, clock_of(clock)))
                        .err();
                }
                let secs = u64::from(day) * u64::from(DAY) + u64::from(clock);
                Ok(u32::try_from(secs).map_or(Position::MAX, |secs| Position::new(secs, 0)))
            }
        };
        Filter::new(&self.terms, bound)
    }
}

const DAY: u32 = 86_400;

fn date_of(day: u32) -> String {
    time_of(day * DAY).chars().take(10).collect()
}

fn clock_of(secs: u32) -> String {
    format!("{:02}:{:02}:{:02}", secs / 3600, secs / 60 % 60, secs % 60)
}

impl std::str::FromStr for Query {
    type Err = Box<Error>;

    fn from_str(text: &str) -> Result<Self> {
        parse(text)
    }
}

impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, term) in self.terms.iter().enumerate() {
            let gap = if at == 0 { "" } else { " " };
            write!(f, "{gap}{term}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.sense == Sense::HasNot {
            f.write_str("-")?;
        }
        match &self.test {
            Test::Kind(kind) => write!(f, "op:{kind}"),
            Test::Ns(glob) => write!(f, "ns:{}", quoted(glob.as_str())),
            Test::Id(id) => write!(f, "id:{id}"),
            Test::After(when) => write!(f, "after:{when}"),
            Test::Before(when) => write!(f, "before:{when}"),
            Test::Txn(name) => write!(f, "txn:{}", quoted(name)),
            Test::Size(compare, bytes) => write!(f, "size:{compare}{bytes}"),
            Test::Word(word) => f.write_str(&quoted(word)),
            Test::Regex(pattern) => write!(f, "/{}/", parse::escape_slashes(pattern.regex.as_str())),
        }
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            When::Place(Place::At(position)) => position.fmt(f),
            When::Place(Place::Second(secs)) => f.write_str(&time_of(*secs)),
            When::Place(Place::End) => f.write_str("end"),
            When::Clock(secs) => f.write_str(&clock_of(*secs)),
        }
    }
}

impl fmt::Display for Compare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Compare::Less => "<",
            Compare::Equal => "=",
            Compare::More => ">",
        })
    }
}

/// As it stands when nothing in it could be taken for anything else, otherwise as a JSON string.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "_.*$@#%+=<>".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    serde_json::Value::from(text).to_string()
}
