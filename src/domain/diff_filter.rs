//! Which of the documents that differ somebody wants to see: `is:comes-back` `is:changes-back`
//! `is:goes-away` `is:conflict` `field:price` `id:42`, bare words and `/regex/`; all must hold,
//! `-` before a term turns it round. The last three are those of the query language.

use bson::{Bson, Document, RawBsonRef, RawDocument};

use super::diff::{Fate, fields};
use super::query::{self, IdPattern, Pattern, Sense, document_text};
use super::{Error, Result};

/// A document that differs, as bytes.
#[derive(Debug, Clone, Copy)]
pub struct Differing<'d> {
    /// What going back does to it.
    pub fate: Fate,
    /// Whether the incident touched it and somebody wrote it again afterwards.
    pub conflict: bool,
    /// The document at the stop.
    pub at_stop: Option<&'d [u8]>,
    /// The document on the other side.
    pub against: Option<&'d [u8]>,
}

/// What was typed. Without terms it takes every document in.
#[derive(Debug, Clone, Default)]
pub struct DocumentFilter {
    terms: Vec<(Sense, Test)>,
}

#[derive(Debug, Clone)]
enum Test {
    Fate(Fate),
    Conflict,
    Field(String),
    Id(IdPattern),
    Word(String),
    Regex(Pattern),
}

impl DocumentFilter {
    /// Reads it.
    pub fn parse(text: &str) -> Result<DocumentFilter> {
        let mut terms = Vec::new();
        for token in tokens(text) {
            let (sense, bare) = match token.strip_prefix('-') {
                Some(rest) => (Sense::HasNot, rest),
                None => (Sense::Has, token),
            };
            let test = match bare.split_once(':') {
                Some(("is", what)) => is(what)?,
                Some(("field", path)) if !path.is_empty() => Test::Field(path.trim_matches('"').to_owned()),
                _ => {
                    terms.extend(shared(token)?);
                    continue;
                }
            };
            terms.push((sense, test));
        }
        Ok(DocumentFilter { terms })
    }

    /// Whether it takes every document in.
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// Whether a document is wanted.
    pub fn matches(&self, document: &Differing<'_>) -> bool {
        self.terms.iter().all(|(sense, test)| test.holds(document) == (*sense == Sense::Has))
    }
}

fn wrong(place: &str, cause: &str) -> Error {
    Error::usage("reading the filter", format!("{place:?}"), cause).hint(
        "write is:comes-back is:changes-back is:goes-away is:conflict field:price id:42 word /regex/ -not.",
    )
}

fn is(what: &str) -> Result<Test> {
    Ok(match what {
        "comes-back" => Test::Fate(Fate::ComesBack),
        "changes-back" => Test::Fate(Fate::ChangesBack),
        "goes-away" => Test::Fate(Fate::GoesAway),
        "conflict" => Test::Conflict,
        _ => {
            return wrong(what, "a document is:comes-back, is:changes-back, is:goes-away or is:conflict")
                .err();
        }
    })
}

/// A term that the query language has too.
fn shared(token: &str) -> Result<Vec<(Sense, Test)>> {
    let of = |term: query::Term| match term.test {
        query::Test::Id(id) => Ok((term.sense, Test::Id(id))),
        query::Test::Word(word) => Ok((term.sense, Test::Word(word))),
        query::Test::Regex(pattern) => Ok((term.sense, Test::Regex(pattern))),
        _ => wrong(token, "this is about operations, and these are documents").err(),
    };
    query::parse(token)?.terms.into_iter().map(of).collect()
}

/// The terms as typed: blanks within quotes and slashes are part of a term.
fn tokens(text: &str) -> Vec<&str> {
    let mut out = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let is_regex = rest.trim_start_matches('-').starts_with('/');
        let opened = rest.len() - rest.trim_start_matches('-').len();
        let (mut within, mut escaped, mut end) = (None, false, rest.len());
        for (at, c) in rest.char_indices() {
            match (c, within) {
                _ if escaped => escaped = false,
                ('\\', Some(_)) => escaped = true,
                ('/', None) if is_regex && at == opened => within = Some('/'),
                ('"', None) => within = Some('"'),
                (c, Some(close)) if c == close => within = None,
                (c, None) if c.is_whitespace() => {
                    end = at;
                    break;
                }
                _ => {}
            }
        }
        let (token, after) = rest.split_at(end);
        out.push(token);
        rest = after.trim_start();
    }
    out
}

impl Test {
    fn holds(&self, document: &Differing<'_>) -> bool {
        let sides = || [document.at_stop, document.against].into_iter().flatten();
        let text = |found: &mut dyn FnMut(&str) -> bool| sides().any(|side| document_text(side, found));
        match self {
            Test::Fate(fate) => document.fate == *fate,
            Test::Conflict => document.conflict,
            Test::Field(path) => differs_in(document, path),
            Test::Id(pattern) => sides().next().and_then(id).is_some_and(|id| pattern.matches(id)),
            Test::Word(word) => text(&mut |piece| piece.contains(word.as_str())),
            Test::Regex(pattern) => text(&mut |piece| pattern.is_match(piece)),
        }
    }
}

fn id(document: &[u8]) -> Option<RawBsonRef<'_>> {
    RawDocument::from_bytes(document).ok()?.get("_id").ok()?
}

/// Whether a field, or one below it, differs. All fields of a document that comes or goes do.
fn differs_in(document: &Differing<'_>, path: &str) -> bool {
    let decoded = |bytes: Option<&[u8]>| bson::deserialize_from_slice::<Document>(bytes?).ok();
    match (decoded(document.at_stop), decoded(document.against)) {
        (Some(a), Some(b)) => {
            let below =
                |found: &str| found.strip_prefix(path).is_some_and(|r| r.is_empty() || r.starts_with('.'));
            fields(&a, &b).iter().any(|field| below(&field.path))
        }
        (Some(one), None) | (None, Some(one)) => has(&Bson::Document(one), path),
        (None, None) => false,
    }
}

fn has(value: &Bson, path: &str) -> bool {
    let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
    let inner = match value {
        Bson::Document(document) => document.get(name),
        Bson::Array(list) => name.parse::<usize>().ok().and_then(|at| list.get(at)),
        _ => None,
    };
    inner.is_some_and(|inner| rest.is_none_or(|rest| has(inner, rest)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use bson::doc;

    fn found(filter: &str) -> Vec<&'static str> {
        let bytes = |d: Document| bson::serialize_to_vec(&d).unwrap();
        let gone = bytes(doc! { "_id": 1, "name": "Ada", "price": 5 });
        let (old, new) = (
            bytes(doc! { "_id": 2, "at": { "price": 5 }, "name": "a b" }),
            bytes(doc! { "_id": 2, "at": { "price": 5.0 }, "name": "a b" }),
        );
        let all = [
            (
                "gone",
                Differing { fate: Fate::ComesBack, conflict: true, at_stop: Some(&gone), against: None },
            ),
            (
                "changed",
                Differing {
                    fate: Fate::ChangesBack,
                    conflict: false,
                    at_stop: Some(&old),
                    against: Some(&new),
                },
            ),
            ("new", Differing { fate: Fate::GoesAway, conflict: false, at_stop: None, against: Some(&gone) }),
        ];
        let filter = DocumentFilter::parse(filter).unwrap();
        all.iter().filter(|(_, document)| filter.matches(document)).map(|(name, _)| *name).collect()
    }

    #[test]
    fn every_term_and_its_opposite() {
        for (filter, want) in [
            ("", vec!["gone", "changed", "new"]),
            ("is:comes-back", vec!["gone"]),
            ("is:conflict", vec!["gone"]),
            ("-is:comes-back", vec!["changed", "new"]),
            ("is:goes-away Ada", vec!["new"]),
            ("id:2", vec!["changed"]),
            ("-id:1", vec!["changed"]),
            ("field:at", vec!["changed"]),
            ("field:at.price", vec!["changed"]),
            ("field:price", vec!["gone", "new"]),
            ("field:name", vec!["gone", "new"]),
            ("\"a b\"", vec!["changed"]),
            ("/a is:conflict|a b/", vec!["changed"]),
            ("-/^A/", vec!["changed"]),
        ] {
            assert_eq!(found(filter), want, "{filter}");
        }
    }

    #[test]
    fn what_is_not_about_documents_is_refused() {
        for text in ["is:gone", "op:delete", "after:14:00", "/(/", "id:"] {
            assert!(DocumentFilter::parse(text).is_err(), "{text}");
        }
    }
}
