//! Reads a query. Every error names the term it is about, where that begins, and what is accepted.

use super::id::IdPattern;
use super::{Compare, Glob, OpKind, Pattern, Query, Sense, Term, Test, When};
use crate::domain::{Error, Result};

const FIELDS: &str = "op: ns: id: after: before: txn: size: words and /regex/";

/// Reads a query; see the module for the language.
pub fn parse(text: &str) -> Result<Query> {
    let mut terms = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let mut cursor = Cursor { text, begin: text.len() - rest.len(), rest };
        terms.push(cursor.term()?);
        rest = cursor.rest.trim_start();
    }
    Ok(Query { terms })
}

/// A slash inside `/…/` is written `\/`; every other escape belongs to the expression.
pub fn escape_slashes(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    let mut escaped = false;
    for c in pattern.chars() {
        if c == '/' && !escaped {
            out.push('\\');
        }
        escaped = c == '\\' && !escaped;
        out.push(c);
    }
    out
}

/// What is left of the query, while one term is read.
struct Cursor<'a> {
    text: &'a str,
    begin: usize,
    rest: &'a str,
}

impl<'a> Cursor<'a> {
    fn term(&mut self) -> Result<Term> {
        let sense = match self.rest.strip_prefix('-') {
            Some(rest) => {
                self.rest = rest;
                Sense::HasNot
            }
            None => Sense::Has,
        };
        let test = match self.rest.chars().next() {
            None => return self.wrong("a `-` turns the term after it round, and none follows"),
            Some(c) if c.is_whitespace() || c == '-' => {
                return self.wrong("a `-` stands directly before the term it turns round");
            }
            Some('/') => self.regex()?,
            Some('"') => Test::Word(self.value()?),
            Some(_) => match self.field() {
                Some(name) => self.test_of(name)?,
                None => Test::Word(self.bare().to_owned()),
            },
        };
        match self.rest.chars().next() {
            Some(c) if !c.is_whitespace() => {
                let more = self.bare();
                self.wrong(&format!("{more:?} follows where the term has ended"))
            }
            _ => Ok(Term { sense, test }),
        }
    }

    /// Letters and a colon at the start: the name of a field. Eats them.
    fn field(&mut self) -> Option<&'a str> {
        let (name, rest) = self.rest.split_once(':')?;
        if name.is_empty() || !name.bytes().all(|c| c.is_ascii_alphabetic()) {
            return None;
        }
        self.rest = rest;
        Some(name)
    }

    fn test_of(&mut self, name: &str) -> Result<Test> {
        Ok(match name {
            "op" => {
                let value = self.value()?;
                let Some(kind) = OpKind::named(&value) else {
                    let kinds = OpKind::ALL.map(OpKind::name).join(" ");
                    return self.wrong(&format!("{value:?} is no kind of operation; there are {kinds}"));
                };
                Test::Kind(kind)
            }
            "ns" => Test::Ns(Glob::new(self.some_value("a namespace, as in ns:shop.orders or ns:shop.*")?)),
            "id" => Test::Id(self.id()?),
            "after" => Test::After(self.when()?),
            "before" => Test::Before(self.when()?),
            "txn" => Test::Txn(self.some_value("the beginning of a transaction's name, or * for any")?),
            "size" => self.size()?,
            other => {
                return self.wrong(&format!(
                    "`{other}:` is no field; to find it as text, put the term into double quotes"
                ));
            }
        })
    }

    fn id(&mut self) -> Result<IdPattern> {
        let raw = match self.rest.chars().next() {
            Some('"') => {
                let (raw, rest) = self.split_quoted()?;
                self.rest = rest;
                raw
            }
            Some('{' | '[') => {
                let end = self.json_end();
                let (raw, rest) = self.rest.split_at(end);
                self.rest = rest;
                raw
            }
            _ => self.bare(),
        };
        if raw.is_empty() {
            return self.wrong(r#"a value is missing: id:42, id:"text" or id:{"$oid": "…"}"#);
        }
        IdPattern::parse(raw).or_else(|error| self.wrong(&error.cause))
    }

    fn when(&mut self) -> Result<When> {
        let accepted = "a position T:I, a time as 2026-11-21T14:30:05Z or 14:30, or end";
        let value = match (self.rest.starts_with("Timestamp("), self.rest.find(')')) {
            (true, Some(end)) => {
                let (value, rest) = self.rest.split_at(end + 1);
                self.rest = rest;
                value.to_owned()
            }
            _ => self.some_value(accepted)?,
        };
        if let Some(clock) = clock(&value) {
            return Ok(When::Clock(clock));
        }
        value
            .parse()
            .map(When::Place)
            .or_else(|error| self.wrong(&format!("{}; accepted is {accepted}", error.cause)))
    }

    fn size(&mut self) -> Result<Test> {
        let value = self.value()?;
        let compare = match value.chars().next() {
            Some('<') => Compare::Less,
            Some('>') => Compare::More,
            Some('=') => Compare::Equal,
            _ => return self.wrong("a size is compared: size:>1k size:<200 size:=17"),
        };
        match bytes_of(&value[1..]) {
            Some(bytes) => Ok(Test::Size(compare, bytes)),
            None => self.wrong("a size is a whole number of bytes, or of k, m or g (1024 each)"),
        }
    }

    fn regex(&mut self) -> Result<Test> {
        let body = &self.rest[1..];
        let mut escaped = false;
        let end = body.find(|c| {
            let found = c == '/' && !escaped;
            escaped = c == '\\' && !escaped;
            found
        });
        let Some(end) = end else {
            return self.wrong("the closing / is missing; to find a path as text, put it into double quotes");
        };
        self.rest = &body[end + 1..];
        match Pattern::new(&body[..end]) {
            Ok(pattern) => Ok(Test::Regex(pattern)),
            Err(cause) => self.wrong(&format!("the regular expression is broken: {cause}")),
        }
    }

    fn some_value(&mut self, accepted: &str) -> Result<String> {
        let value = self.value()?;
        if value.is_empty() {
            return self.wrong(&format!("a value is missing: {accepted}"));
        }
        Ok(value)
    }

    /// A value up to the next blank, or a JSON string.
    fn value(&mut self) -> Result<String> {
        if !self.rest.starts_with('"') {
            return Ok(self.bare().to_owned());
        }
        let (raw, rest) = self.split_quoted()?;
        let Ok(value) = serde_json::from_str(raw) else {
            return self.wrong(r#"inside quotes, only \" \\ \n \t \uXXXX and the like may follow a \"#);
        };
        self.rest = rest;
        Ok(value)
    }

    fn bare(&mut self) -> &'a str {
        let end = self.rest.find(char::is_whitespace).unwrap_or(self.rest.len());
        let (value, rest) = self.rest.split_at(end);
        self.rest = rest;
        value
    }

    /// The quoted string at the start with its quotes, and what follows.
    fn split_quoted(&self) -> Result<(&'a str, &'a str)> {
        let mut escaped = false;
        let end = self.rest.char_indices().skip(1).find(|(_, c)| {
            let found = *c == '"' && !escaped;
            escaped = *c == '\\' && !escaped;
            found
        });
        match end {
            Some((end, _)) => Ok(self.rest.split_at(end + 1)),
            None => self.wrong("the closing quote is missing"),
        }
    }

    /// Where the JSON object or array at the start ends, brackets counted outside strings.
    fn json_end(&self) -> usize {
        let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
        for (at, c) in self.rest.char_indices() {
            match c {
                '"' if !escaped => quoted = !quoted,
                '{' | '[' if !quoted => depth += 1,
                '}' | ']' if !quoted => depth = depth.saturating_sub(1),
                _ => {}
            }
            escaped = quoted && c == '\\' && !escaped;
            if depth == 0 {
                return at + c.len_utf8();
            }
        }
        self.rest.len()
    }

    /// An error about the term that began at `self.begin`.
    fn wrong<T>(&self, cause: &str) -> Result<T> {
        let term = self.text[self.begin..].split_whitespace().next().unwrap_or_default();
        let column = self.text[..self.begin].chars().count() + 1;
        Error::usage("reading the query", format!("at {term:?} (character {column})"), cause)
            .hint(format!("a query is made of {FIELDS}; `-` before a term turns it round."))
            .err()
    }
}

/// `14:30` or `14:30:05`, as seconds since midnight.
fn clock(text: &str) -> Option<u32> {
    let parts: Vec<&str> = text.split(':').collect();
    let digits = |part: &&str| (1..=2).contains(&part.len()) && part.bytes().all(|c| c.is_ascii_digit());
    if !(2..=3).contains(&parts.len()) || !parts.iter().all(digits) {
        return None;
    }
    let mut parts = parts.iter().map(|part| part.parse::<u32>());
    let (hours, minutes, secs) =
        (parts.next()?.ok()?, parts.next()?.ok()?, parts.next().unwrap_or(Ok(0)).ok()?);
    (hours < 24 && minutes < 60 && secs < 60).then_some(hours * 3600 + minutes * 60 + secs)
}

fn bytes_of(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit: u64 = match text[digits.len()..].to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kb" => 1 << 10,
        "m" | "mb" => 1 << 20,
        "g" | "gb" => 1 << 30,
        _ => return None,
    };
    if !digits.bytes().all(|c| c.is_ascii_digit()) {
        return None;
    }
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

/// The inverse of [`escape_slashes`].
pub fn unescape_slashes(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    let mut escaped = false;
    for c in pattern.chars() {
        if escaped && c == '/' {
            out.pop();
        }
        escaped = c == '\\' && !escaped;
        out.push(c);
    }
    out
}
