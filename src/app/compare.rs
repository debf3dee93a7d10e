//! A document before and after, as text: what changed field by field, and both documents, line by
//! line, beside each other where there is room.

use serde_json::Value;

use super::document::Change;
use super::values;
use crate::domain::diff::FieldDiff;

/// A piece of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Its text; foreign, to be made visible before it is shown.
    pub text: String,
    /// What it means.
    pub tone: Tone,
}

/// What a piece means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// It is as it was.
    Plain,
    /// A heading.
    Title,
    /// Of less importance.
    Dim,
    /// It was so before.
    Before,
    /// It is so after.
    After,
    /// Something is wrong, or not exact.
    Bad,
}

impl Piece {
    fn new(text: impl Into<String>, tone: Tone) -> Piece {
        Piece { text: text.into(), tone }
    }

    /// As it was.
    pub fn plain(text: impl Into<String>) -> Piece {
        Piece::new(text, Tone::Plain)
    }

    /// A heading.
    pub fn title(text: impl Into<String>) -> Piece {
        Piece::new(text, Tone::Title)
    }

    /// Of less importance.
    pub fn dim(text: impl Into<String>) -> Piece {
        Piece::new(text, Tone::Dim)
    }

    /// Something is wrong, or not exact.
    pub fn bad(text: impl Into<String>) -> Piece {
        Piece::new(text, Tone::Bad)
    }
}

type Line = Vec<Piece>;

/// Columns from which on two documents stand beside each other.
const BESIDE: usize = 90;

/// More lines than this (one times the other) are not held against each other.
const CELLS: usize = 4_000_000;

/// The whole text.
pub fn change(change: &Change, room: usize) -> Vec<Line> {
    let mut out = facts(change);
    if !change.fields.is_empty() {
        out.push(vec![Piece::title("What changed")]);
        for field in &change.fields {
            out.extend(field_lines(field));
        }
        out.push(Vec::new());
    }
    out.extend(documents(change, room));
    out.push(Vec::new());
    out
}

/// Who wrote it, and how sure that is.
pub fn facts(change: &Change) -> Vec<Line> {
    let version = &change.version;
    let mut out = Vec::new();
    let session = version.session.as_ref().map_or_else(
        || "no session in the oplog".to_owned(),
        |session| match version.txn {
            Some(txn) => format!("session {session}, number {txn}"),
            None => format!("session {session}"),
        },
    );
    out.push(vec![Piece::dim(session)]);
    if let Some(remark) = &version.remark {
        let tone = if version.exact { Tone::Dim } else { Tone::Bad };
        out.push(vec![Piece::new(remark, tone)]);
    }
    out.push(Vec::new());
    out
}

/// A field that differs: its name, and its value before and after.
pub fn field_lines(field: &FieldDiff) -> Vec<Line> {
    let name = if field.path.is_empty() { "the whole document" } else { &field.path };
    let note = if field.order_only { "  (only the order of fields)" } else { "" };
    let mut out = vec![vec![Piece::plain(format!("  {name}{note}"))]];
    let mut side = |sign: char, value: &Option<Value>, tone| match value {
        Some(value) => {
            let lines = values::lines(value).into_iter();
            out.extend(lines.map(|line| vec![Piece::new(format!("{sign}   {line}"), tone)]));
        }
        None => out.push(vec![Piece::new(format!("{sign}   (not there)"), tone)]),
    };
    side('-', &field.at_stop, Tone::Before);
    side('+', &field.against, Tone::After);
    out
}

/// All fields that differ, on one line.
pub fn fields_line(fields: &[FieldDiff]) -> String {
    let side = |value: &Option<Value>| value.as_ref().map_or_else(|| "(not there)".to_owned(), values::short);
    let one = |field: &FieldDiff| match (field.order_only, field.path.as_str()) {
        (true, "") => "order of fields".to_owned(),
        (true, path) => format!("{path}: order of fields"),
        (false, path) => format!("{path}: {} -> {}", side(&field.at_stop), side(&field.against)),
    };
    fields.iter().map(one).collect::<Vec<_>>().join("   ")
}

fn documents(change: &Change, room: usize) -> Vec<Line> {
    let whole = |title: &str, sign, value: &Value, tone| {
        let lines = values::lines(value).into_iter();
        let mut out = vec![vec![Piece::title(title)]];
        out.extend(lines.map(|line| vec![Piece::new(format!("{sign} {line}"), tone)]));
        out
    };
    match (&change.before, &change.after) {
        (None, None) => vec![vec![Piece::plain("The document is not there, before and after.")]],
        (None, Some(after)) => whole("It was not there before; now it is", '+', after, Tone::After),
        (Some(before), None) => whole("It was there before; now it is gone", '-', before, Tone::Before),
        (Some(before), Some(after)) if before == after => {
            whole("The document, not changed", ' ', after, Tone::Plain)
        }
        (Some(before), Some(after)) => {
            let (before, after) = (values::lines(before), values::lines(after));
            let pairs = pair(&before, &after);
            if room >= BESIDE { beside(&pairs, room) } else { below(&pairs) }
        }
    }
}

/// A line of the document before, one of that after, or the same one of both.
type Pair<'a> = (Option<&'a str>, Option<&'a str>);

/// Both documents in two columns.
fn beside(pairs: &[Pair<'_>], room: usize) -> Vec<Line> {
    let half = room.saturating_sub(3) / 2;
    let cell = |text: &str| fit(text, half);
    let mut out = vec![vec![Piece::title(cell("Before")), Piece::title("   After")]];
    // What goes and what comes in its place stand beside each other.
    let mut at = 0;
    while let Some(pair) = pairs.get(at) {
        if let (Some(left), Some(right)) = pair {
            out.push(vec![Piece::plain(cell(&format!("  {left}"))), Piece::plain(format!("   {right}"))]);
            at += 1;
            continue;
        }
        let run = pairs.iter().skip(at).take_while(|(left, right)| left.is_none() || right.is_none());
        let run: Vec<&Pair<'_>> = run.collect();
        let lefts: Vec<&str> = run.iter().filter_map(|(left, _)| *left).collect();
        let rights: Vec<&str> = run.iter().filter_map(|(_, right)| *right).collect();
        for row in 0..lefts.len().max(rights.len()) {
            let left = lefts.get(row).map_or_else(|| cell(""), |text| cell(&format!("- {text}")));
            let right = rights.get(row).map_or_else(String::new, |text| format!(" + {text}"));
            out.push(vec![Piece::new(left, Tone::Before), Piece::new(right, Tone::After)]);
        }
        at += run.len();
    }
    out
}

/// Both documents in one column.
fn below(pairs: &[Pair<'_>]) -> Vec<Line> {
    let mut out = vec![vec![Piece::title("The document, - before and + after")]];
    out.extend(pairs.iter().map(|pair| match pair {
        (Some(left), None) => vec![Piece::new(format!("- {left}"), Tone::Before)],
        (None, Some(right)) => vec![Piece::new(format!("+ {right}"), Tone::After)],
        (left, right) => vec![Piece::plain(format!("  {}", left.or(*right).unwrap_or_default()))],
    }));
    out
}

/// A text as wide as its column.
fn fit(text: &str, room: usize) -> String {
    let text = crate::domain::text::visible(text);
    let wide = text.chars().count();
    if wide <= room {
        return format!("{text}{}", " ".repeat(room - wide));
    }
    let cut: String = text.chars().take(room.saturating_sub(1)).collect();
    format!("{cut}~")
}

/// Lines that are in both, in order, as many as can be; the others between them.
fn pair<'a>(before: &'a [String], after: &'a [String]) -> Vec<Pair<'a>> {
    let same = before.iter().zip(after).take_while(|(a, b)| a == b).count();
    let rest = (before.get(same..).unwrap_or_default(), after.get(same..).unwrap_or_default());
    let tail = rest.0.iter().rev().zip(rest.1.iter().rev()).take_while(|(a, b)| a == b).count();
    let middle = (
        rest.0.get(..rest.0.len() - tail).unwrap_or_default(),
        rest.1.get(..rest.1.len() - tail).unwrap_or_default(),
    );
    let both = |lines: &'a [String]| lines.iter().map(|line| (Some(line.as_str()), Some(line.as_str())));
    let mut out: Vec<Pair<'a>> = both(before.get(..same).unwrap_or_default()).collect();
    out.extend(longest(middle.0, middle.1));
    out.extend(both(before.get(before.len() - tail..).unwrap_or_default()));
    out
}

/// The longest common subsequence, and what lies between.
fn longest<'a>(before: &'a [String], after: &'a [String]) -> Vec<Pair<'a>> {
    let (rows, columns) = (before.len(), after.len());
    let mut out = Vec::new();
    let (mut i, mut j) = (0, 0);
    if rows.saturating_mul(columns) <= CELLS {
        let mut table = vec![0u32; (rows + 1) * (columns + 1)];
        let at = |i: usize, j: usize| i * (columns + 1) + j;
        let get = |table: &[u32], i: usize, j: usize| table.get(at(i, j)).copied().unwrap_or(0);
        for i in (0..rows).rev() {
            for j in (0..columns).rev() {
                let best = match before.get(i) == after.get(j) {
                    true => get(&table, i + 1, j + 1) + 1,
                    false => get(&table, i + 1, j).max(get(&table, i, j + 1)),
                };
                if let Some(cell) = table.get_mut(at(i, j)) {
                    *cell = best;
                }
            }
        }
        while let (Some(left), Some(right)) = (before.get(i), after.get(j)) {
            if left == right {
                out.push((Some(left.as_str()), Some(right.as_str())));
                (i, j) = (i + 1, j + 1);
            } else if get(&table, i + 1, j) >= get(&table, i, j + 1) {
                out.push((Some(left.as_str()), None));
                i += 1;
            } else {
                out.push((None, Some(right.as_str())));
                j += 1;
            }
        }
    }
    out.extend(before.iter().skip(i).map(|line| (Some(line.as_str()), None)));
    out.extend(after.iter().skip(j).map(|line| (None, Some(line.as_str()))));
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn strings(of: &[u8]) -> Vec<String> {
        of.iter().map(|n| format!("line {n}")).collect()
    }

    proptest! {
        /// Nothing is lost or made up on either side, and what is equal at the ends stays together.
        #[test]
        fn pairs_hold_both_texts(a in proptest::collection::vec(0u8..4, 0..12), b in proptest::collection::vec(0u8..4, 0..12)) {
            let (a, b) = (strings(&a), strings(&b));
            let pairs = pair(&a, &b);
            let left: Vec<&str> = pairs.iter().filter_map(|(left, _)| *left).collect();
            let right: Vec<&str> = pairs.iter().filter_map(|(_, right)| *right).collect();
            prop_assert_eq!(left, a.iter().map(String::as_str).collect::<Vec<_>>());
            prop_assert_eq!(right, b.iter().map(String::as_str).collect::<Vec<_>>());
            prop_assert!(pairs.iter().all(|(l, r)| l.is_none() || r.is_none() || l == r));
            if a == b {
                prop_assert!(pairs.iter().all(|(l, r)| l == r));
            }
        }
    }

    #[test]
    fn a_changed_type_shows() {
        let field = FieldDiff {
            path: "n".into(),
            at_stop: Some(json!({ "$numberInt": "1" })),
            against: Some(json!({ "$numberDouble": "1.0" })),
            order_only: false,
        };
        assert_eq!(fields_line(std::slice::from_ref(&field)), "n: 1 -> 1.0");
        let text: Vec<String> = field_lines(&field).iter().map(|line| line[0].text.clone()).collect();
        assert_eq!(text, ["  n", "-   1", "+   1.0"]);
    }
}
