//! A query that is ready to be asked about operations.

use std::ops::Range;

use bson::RawBsonRef;

use super::word::Word;
use super::{Compare, Glob, IdPattern, Pattern, Sense, Term, Test, When};
use crate::domain::op::OpKind;
use crate::domain::{Position, Result};

/// What is known of an operation without reading it.
#[derive(Debug, Clone, Copy)]
pub struct RowView<'a> {
    /// Where it is.
    pub pos: Position,
    /// What it does.
    pub kind: OpKind,
    /// `db.collection`.
    pub ns: &'a str,
    /// Bytes of its entry.
    pub size: u64,
    /// The name of the transaction it belongs to, as shown to humans. Need not be given unless
    /// [`Filter::needs_txn`].
    pub txn: Option<&'a str>,
}

/// The documents of an operation.
pub trait BodyView {
    /// The `_id` of the document it is about.
    fn id(&self) -> Option<RawBsonRef<'_>>;

    /// Hands the text of its documents, piece by piece, to `found` until that says yes.
    fn any_text(&self, found: &mut dyn FnMut(&str) -> bool) -> bool;

    /// Whether a word is in that text.
    fn has_word(&self, word: &Word) -> bool {
        self.any_text(&mut |piece| piece.contains(word.text()))
    }
}

/// A resolved query. An operation is found when both [`Filter::matches_columns`] and, if
/// [`Filter::needs_body`], [`Filter::matches_body`] say so.
#[derive(Debug, Clone)]
pub struct Filter {
    range: Range<Position>,
    columns: Vec<(Sense, Column)>,
    bodies: Vec<(Sense, Text)>,
}

#[derive(Debug, Clone)]
enum Column {
    Kind(OpKind),
    Ns(Glob),
    Txn(String),
    Size(Compare, u64),
}

#[derive(Debug, Clone)]
enum Text {
    Id(IdPattern),
    Word(Box<Word>),
    Regex(Pattern),
}

impl Filter {
    /// Sorts the terms by what they need; `bound` gives the position that a place begins at.
    pub(super) fn new(terms: &[Term], bound: impl Fn(When) -> Result<Position>) -> Result<Filter> {
        let mut filter =
            Filter { range: Position::MIN..Position::MAX, columns: Vec::new(), bodies: Vec::new() };
        for Term { sense, test } in terms {
            let column = match (test.clone(), sense) {
                (Test::After(when), Sense::Has) | (Test::Before(when), Sense::HasNot) => {
                    filter.range.start = filter.range.start.max(bound(when)?);
                    continue;
                }
                (Test::Before(when), Sense::Has) | (Test::After(when), Sense::HasNot) => {
                    filter.range.end = filter.range.end.min(bound(when)?);
                    continue;
                }
                (Test::Id(id), _) => {
                    filter.bodies.push((*sense, Text::Id(id)));
                    continue;
                }
                (Test::Word(word), _) => {
                    filter.bodies.push((*sense, Text::Word(Box::new(Word::new(&word)))));
                    continue;
                }
                (Test::Regex(pattern), _) => {
                    filter.bodies.push((*sense, Text::Regex(pattern)));
                    continue;
                }
                (Test::Kind(kind), _) => Column::Kind(kind),
                (Test::Ns(glob), _) => Column::Ns(glob),
                (Test::Txn(name), _) => Column::Txn(name.to_lowercase()),
                (Test::Size(compare, bytes), _) => Column::Size(compare, bytes),
            };
            filter.columns.push((*sense, column));
        }
        Ok(filter)
    }

    /// The positions outside of which nothing can match: from the start, up to but without the end.
    pub fn range(&self) -> Range<Position> {
        self.range.clone()
    }

    /// Whether the cheap part holds.
    pub fn matches_columns(&self, row: &RowView<'_>) -> bool {
        self.matches_ns(row.ns) && self.matches_other_columns(row)
    }

    /// The cheap part without [`Filter::matches_ns`].
    pub fn matches_other_columns(&self, row: &RowView<'_>) -> bool {
        self.range.contains(&row.pos)
            && self.columns.iter().all(|(sense, column)| {
                let holds = match column {
                    Column::Ns(_) => return true,
                    Column::Kind(kind) => *kind == row.kind,
                    Column::Txn(name) => row.txn.is_some_and(|txn| name == "*" || begins(txn, name)),
                    Column::Size(Compare::Less, bytes) => row.size < *bytes,
                    Column::Size(Compare::Equal, bytes) => row.size == *bytes,
                    Column::Size(Compare::More, bytes) => row.size > *bytes,
                };
                holds == (*sense == Sense::Has)
            })
    }

    /// Whether the namespace terms hold: to be asked once a namespace instead of once a row.
    pub fn matches_ns(&self, ns: &str) -> bool {
        self.columns.iter().all(|(sense, column)| match column {
            Column::Ns(glob) => fits(glob, ns) == (*sense == Sense::Has),
            _ => true,
        })
    }

    /// Whether [`RowView::txn`] is looked at.
    pub fn needs_txn(&self) -> bool {
        self.columns.iter().any(|(_, column)| matches!(column, Column::Txn(_)))
    }

    /// Whether the operation itself must be read.
    pub fn needs_body(&self) -> bool {
        !self.bodies.is_empty()
    }

    /// Whether the expensive part holds.
    pub fn matches_body(&self, body: &dyn BodyView) -> bool {
        self.bodies.iter().all(|(sense, text)| {
            let holds = match text {
                Text::Id(pattern) => body.id().is_some_and(|id| pattern.matches(id)),
                Text::Word(word) => body.has_word(word),
                Text::Regex(pattern) => body.any_text(&mut |piece| pattern.is_match(piece)),
            };
            holds == (*sense == Sense::Has)
        })
    }

    /// The `_id`s that an operation must have one of, for a search by key.
    pub fn ids(&self) -> impl Iterator<Item = &IdPattern> {
        self.bodies.iter().filter_map(|(sense, text)| match text {
            Text::Id(id) if *sense == Sense::Has => Some(id),
            _ => None,
        })
    }

    /// Texts that stand as they are in the bytes of every operation that matches: a scan may pass
    /// over operations without them. (A word that could be part of a number, a date or an
    /// ObjectId is not among them, for those are not text in the bytes.)
    pub fn needles(&self) -> impl Iterator<Item = &str> {
        self.bodies.iter().filter_map(|(sense, text)| match text {
            Text::Word(word) if *sense == Sense::Has => Some(word.text()).filter(|w| is_verbatim(w)),
            Text::Regex(pattern) if *sense == Sense::Has => pattern.literal().filter(|l| is_verbatim(l)),
            _ => None,
        })
    }
}

/// Everything that the text of a value which is no string can be made of.
fn is_verbatim(word: &str) -> bool {
    const MARKS: &str = "0123456789abcdef-:.+ETZ";
    const NAMES: [&str; 9] =
        ["true", "false", "null", "undefined", "MinKey", "MaxKey", "NaN", "inf", "-Infinity"];
    let computed = word.chars().all(|c| MARKS.contains(c)) || NAMES.iter().any(|name| name.contains(word));
    !computed && !word.contains('\u{fffd}')
}

/// What happens to a database as a whole (it is dropped) is found by `db.*` too.
fn fits(glob: &Glob, ns: &str) -> bool {
    glob.matches(ns) || !ns.contains('.') && glob.matches(&format!("{ns}."))
}

fn begins(text: &str, lower_case: &str) -> bool {
    let mut text = text.chars().flat_map(char::to_lowercase);
    lower_case.chars().all(|c| text.next() == Some(c))
}
