//! `$v: 1` modifiers (servers up to 4.4): `$set` and `$unset` of dotted paths, reference 2.1.
//!
//! All paths of an update form one tree. It is never built: the paths are sorted by component,
//! and everything below one field is a slice of them.
//!
//! The elements of a changed array are named 0, 1, 2, … as everywhere. A server keeps other names,
//! which some drivers write, where all values that an update sets have their old size.

use std::cmp::Ordering;

use super::fields::{Field, Fields};
use super::sink::{IndexName, Sink, count};
use super::{NewFieldOrder, at, unknown_field};
use crate::engine::bson::{Doc, EMPTY, Elem, Fault, MAX_DEPTH, kind};

/// The most nulls a server puts before a new array element (its `kMaxPaddingAllowed`).
const MAX_PADDING: usize = 1_500_000;

/// One path of `$set` (with its value) or `$unset` (without).
#[derive(Debug, Clone, Copy)]
struct Path<'a> {
    text: &'a [u8],
    value: Option<Elem<'a>>,
    /// The place in the update.
    rank: usize,
}

impl<'a> Path<'a> {
    /// The component that begins at this byte.
    fn component(&self, start: usize) -> &'a [u8] {
        let rest = self.text.get(start..).unwrap_or_default();
        rest.split(|&c| c == b'.').next().unwrap_or_default()
    }
}

/// The paths that share their components before byte `start`.
#[derive(Debug, Clone, Copy)]
struct Branch<'p, 'a> {
    paths: &'p [Path<'a>],
    start: usize,
}

/// What happens to one field.
#[derive(Debug, Clone, Copy)]
enum Change<'p, 'a> {
    Set(Elem<'a>),
    Unset,
    Below(Branch<'p, 'a>),
}

impl Change<'_, '_> {
    /// Whether it makes a field that is not there.
    fn creates(&self) -> bool {
        match self {
            Change::Set(_) => true,
            Change::Unset => false,
            Change::Below(branch) => branch.paths.iter().any(|p| p.value.is_some()),
        }
    }
}

/// Refuses what no server writes.
pub(super) fn check(o: Doc<'_>) -> Result<(), Fault> {
    parse(o).map(|_| ())
}

/// Writes the changed document into `sink`.
pub(super) fn apply(old: Doc<'_>, o: Doc<'_>, order: NewFieldOrder, sink: &mut Sink) -> Result<(), Fault> {
    let paths = parse(o)?;
    Applier { order, sink }.document(old, Branch { paths: &paths, start: 0 })
}

/// All paths, sorted by component.
fn parse(o: Doc<'_>) -> Result<Vec<Path<'_>>, Fault> {
    let mut paths = Vec::new();
    for operator in o.iter() {
        let operator = operator?;
        let sets = match operator.name {
            b"$v" => continue,
            b"$set" => true,
            b"$unset" => false,
            _ => return Err(unknown_field(o, &operator)),
        };
        let body = operator.as_doc().filter(|_| operator.kind == kind::DOCUMENT);
        let body = body.ok_or_else(|| {
            Fault::new(
                at(o, operator.whole),
                format!("the update's {} is no document", operator.name_lossy()),
            )
        })?;
        for elem in body.iter() {
            let elem = elem?;
            if !is_path(elem.name) {
                return Err(Fault::new(
                    at(o, elem.whole),
                    format!("{:?} is no path of a field", elem.name_lossy()),
                ));
            }
            paths.push(Path { text: elem.name, value: sets.then_some(elem), rank: paths.len() });
        }
    }
    // A NUL cannot be in a name: in the place of the dot it sorts a parent before its children.
    let sortable = |&c: &u8| if c == b'.' { 0 } else { c };
    paths.sort_unstable_by(|a, b| a.text.iter().map(sortable).cmp(b.text.iter().map(sortable)));
    for pair in paths.windows(2) {
        let (parent, child) = (pair[0].text, pair[1].text);
        if child.strip_prefix(parent).is_some_and(|rest| rest.is_empty() || rest[0] == b'.') {
            return Err(Fault::new(
                0,
                format!("the update changes {:?} twice", String::from_utf8_lossy(parent)),
            ));
        }
    }
    Ok(paths)
}

/// Servers resolve positional components before they log a path, and allow no empty ones.
fn is_path(text: &[u8]) -> bool {
    let mut components = 0;
    text.split(|&c| c == b'.').all(|component| {
        components += 1;
        let positional = component == b"$" || (component.starts_with(b"$[") && component.ends_with(b"]"));
        !component.is_empty() && !positional && components <= MAX_DEPTH
    })
}

struct Applier<'s> {
    order: NewFieldOrder,
    sink: &'s mut Sink,
}

impl Applier<'_> {
    fn document(&mut self, old: Doc<'_>, branch: Branch<'_, '_>) -> Result<(), Fault> {
        let mut fields = self.fields(branch)?;
        for elem in old.iter() {
            let elem = elem?;
            // Of several fields with one name a path means the first.
            match fields.find(elem.name).filter(|f| !f.met) {
                None => self.sink.copy(&elem)?,
                Some(field) => {
                    field.met = true;
                    match field.change {
                        Change::Unset => {}
                        change => self.existing(elem.name, elem, change)?,
                    }
                }
            }
        }
        for field in self.sorted(fields) {
            if !field.met && field.change.creates() {
                self.appear(field.name, field.change)?;
            }
        }
        Ok(())
    }

    /// Elements are found by their place; a component that is no index means none of them.
    fn array(&mut self, old: Doc<'_>, branch: Branch<'_, '_>) -> Result<(), Fault> {
        let length = count(old)?;
        let fields = self.fields(branch)?;
        let mut end = length;
        let mut changes = Vec::new();
        for field in self.sorted(fields) {
            let Some(index) = array_index(field.name) else { continue };
            if index >= end {
                if !field.change.creates() {
                    continue;
                }
                if index - end >= MAX_PADDING {
                    return Err(Fault::new(
                        0,
                        format!("the update would put {} nulls into an array", index - end),
                    ));
                }
                end = index + 1;
            } else if index >= length && !matches!(field.change, Change::Set(_)) {
                // A null that this very update has put there stops any path.
                continue;
            }
            changes.push((index, field.change));
        }
        changes.sort_unstable_by_key(|c| c.0);
        if changes.windows(2).any(|pair| pair[0].0 == pair[1].0) {
            return Err(Fault::new(0, "the update changes an array element twice"));
        }
        let mut changes = changes.into_iter().peekable();
        let mut elements = old.iter();
        for index in 0..end {
            let elem = elements.next().transpose()?;
            let change = changes.next_if(|c| c.0 == index).map(|c| c.1);
            let name = IndexName::of(index);
            let name = name.bytes();
            match (elem, change) {
                (Some(elem), None) => self.sink.put(name, elem.kind, elem.value)?,
                (Some(elem), Some(change)) => self.existing(name, elem, change)?,
                (None, Some(change)) => self.appear(name, change)?,
                (None, None) => self.sink.null(name)?,
            }
        }
        Ok(())
    }

    fn existing(&mut self, name: &[u8], old: Elem<'_>, change: Change<'_, '_>) -> Result<(), Fault> {
        let branch = match change {
            Change::Set(new) => return self.sink.put(name, new.kind, new.value),
            // Of an array element; the fields of documents just go.
            Change::Unset => return self.sink.null(name),
            Change::Below(branch) => branch,
        };
        let Some(inner) = old.as_doc() else {
            // A path through a scalar: an entry to come gives the field its value.
            return self.sink.put(name, old.kind, old.value);
        };
        self.sink.open(name, old.kind)?;
        match old.kind {
            kind::ARRAY => self.array(inner, branch)?,
            _ => self.document(inner, branch)?,
        }
        self.sink.close();
        Ok(())
    }

    /// A field that was not there; parents that were not there become documents.
    fn appear(&mut self, name: &[u8], change: Change<'_, '_>) -> Result<(), Fault> {
        match change {
            Change::Set(new) => self.sink.put(name, new.kind, new.value),
            Change::Unset => Ok(()),
            Change::Below(branch) => {
                self.sink.open(name, kind::DOCUMENT)?;
                self.document(EMPTY, branch)?;
                self.sink.close();
                Ok(())
            }
        }
    }

    /// Splits a branch by its next component.
    fn fields<'p, 'a>(&self, branch: Branch<'p, 'a>) -> Result<Fields<'a, Change<'p, 'a>>, Fault> {
        let Branch { paths, start } = branch;
        let groups = paths.chunk_by(|a, b| a.component(start) == b.component(start));
        let fields = groups.filter_map(|group| {
            let first = group.first()?;
            let name = first.component(start);
            let change = match first.value {
                _ if first.text.len() > start + name.len() => {
                    Change::Below(Branch { paths: group, start: start + name.len() + 1 })
                }
                Some(value) => Change::Set(value),
                None => Change::Unset,
            };
            // A new field comes into being with the first `$set` below it.
            let rank = group.iter().filter(|p| p.value.is_some()).map(|p| p.rank).min();
            Some(Field { name, change, rank: rank.unwrap_or(usize::MAX), met: false })
        });
        Fields::new(fields.collect())
            .map_err(|name| Fault::new(0, format!("the update changes {name:?} twice")))
    }

    /// The changes of one parent in the order in which they are made.
    fn sorted<'p, 'a>(&self, fields: Fields<'a, Change<'p, 'a>>) -> Vec<Field<'a, Change<'p, 'a>>> {
        let mut fields = fields.ranked();
        match self.order {
            NewFieldOrder::AsListed => {}
            NewFieldOrder::Bytewise => fields.sort_unstable_by_key(|f| f.name),
            NewFieldOrder::Numeric => fields.sort_unstable_by(|a, b| numeric(a.name, b.name)),
        }
        fields
    }
}

/// The order of 5.0 and later: of two names that begin like numbers (a digit, no leading zero)
/// the shorter comes first, everything else is by bytes.
fn numeric(a: &[u8], b: &[u8]) -> Ordering {
    let number = |name: &[u8]| match name {
        [b'0'] => true,
        [first, ..] => (b'1'..=b'9').contains(first),
        [] => false,
    };
    let by_length = if number(a) && number(b) { a.len().cmp(&b.len()) } else { Ordering::Equal };
    by_length.then_with(|| a.cmp(b))
}

/// The array element a path component means, if it can mean one.
fn array_index(name: &[u8]) -> Option<usize> {
    let text = std::str::from_utf8(name).ok().filter(|t| t.bytes().all(|c| c.is_ascii_digit()))?;
    text.parse::<u32>().ok().and_then(|index| usize::try_from(index).ok())
}
