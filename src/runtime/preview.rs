//! The preview's questions: the numbers with the first documents of each namespace, and more
//! documents of one of them, handed on as they are found.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::desk::Desk;
use crate::app::Answer;
use crate::app::data::{Diff, Documents};
use crate::app::screens::preview::Comparison;
use crate::domain::diff_filter::{Differing, DocumentFilter};
use crate::domain::namespace::Glob;
use crate::domain::position::Place;
use crate::domain::progress::Meter;
use crate::domain::stop::{Side, StopRequest};
use crate::domain::{Namespace, Position, Result};
use crate::ops::diff::{DiffRequest, Sink, diff_into, show};
use crate::ops::findings;
use crate::ops::memory::Memory;
use crate::ops::walk::WalkOptions;

/// So many documents of each namespace come with the numbers,
const FIRST: usize = 100;

/// as long as all of them together are no larger than this.
const FIRST_BYTES: usize = 8 << 20;

/// So many more come at a time,
const MORE: usize = 500;

/// or fewer, if they are large.
const MORE_BYTES: usize = 16 << 20;

/// What is found is handed on this often.
const PART: Duration = Duration::from_millis(50);

/// The stop before a position.
pub fn before(bound: Position) -> StopRequest {
    StopRequest { side: Side::Before, place: Place::At(bound) }
}

/// A comparison as `ops` takes it.
pub fn request(of: &Comparison, ns: &[String], memory: Memory) -> DiffRequest {
    DiffRequest {
        stop: before(of.bound),
        against: of.against.map(before),
        snapshot: of.snapshot.clone(),
        ns: ns.iter().map(Glob::new).collect(),
        limit: 0,
        walk: WalkOptions { memory, ..WalkOptions::default() },
    }
}

/// The numbers.
pub fn numbers(desk: &Desk, of: &Comparison, meter: &Meter) -> Result<Answer> {
    let workspace = desk.workspace()?;
    let mut first = First { by_namespace: BTreeMap::new(), bytes: 0 };
    let mut found = diff_into(&workspace, &request(of, &[], desk.memory), meter, &mut first)?;
    findings::diff(&workspace, &found)?;
    // What changes most comes first; a collection that comes or goes before all others.
    found.namespaces.sort_by_key(|n| {
        let documents = n.comes_back + n.changes_back + n.goes_away;
        (n.collection.is_empty(), std::cmp::Reverse(documents), n.ns.clone())
    });
    Ok(Answer::Diff(Box::new(Diff {
        stop: of.bound,
        against: found.against,
        namespaces: found.namespaces,
        incident: found.incident,
        first: first.by_namespace,
    })))
}

/// The first documents of each namespace.
struct First {
    by_namespace: BTreeMap<String, Documents>,
    bytes: usize,
}

fn size(document: &Differing<'_>) -> usize {
    document.at_stop.map_or(0, <[u8]>::len) + document.against.map_or(0, <[u8]>::len)
}

impl Sink for First {
    fn document(&mut self, ns: &Namespace, document: &Differing<'_>) -> Result<()> {
        let known = self.by_namespace.entry(ns.to_string()).or_default();
        let more = self.bytes + size(document);
        // Of each namespace one is shown, however large it is.
        let fits = known.documents.len() < FIRST && more <= FIRST_BYTES || known.documents.is_empty();
        if fits && !known.limited {
            known.documents.push(show(ns, document));
            self.bytes = more;
        } else {
            known.limited = true;
        }
        Ok(())
    }

    fn is_full(&self, ns: &Namespace) -> bool {
        self.by_namespace.get(&ns.to_string()).is_some_and(|known| known.limited)
    }

    fn passed_over(&mut self, _: &Namespace) {}
}

/// More documents of one namespace.
pub fn documents(
    desk: &Desk,
    of: &Comparison,
    ns: &str,
    filter: Option<&str>,
    skip: u64,
    meter: &Meter,
    tell: &dyn Fn(Answer),
) -> Result<Answer> {
    let filter = DocumentFilter::parse(filter.unwrap_or_default())?;
    let now = Instant::now();
    let mut more =
        More { ns, filter, skip, room: (MORE, MORE_BYTES), part: Documents::default(), told: now, tell };
    diff_into(&*desk.workspace()?, &request(of, &[ns.to_owned()], desk.memory), meter, &mut more)?;
    Ok(Answer::Documents(more.part))
}

struct More<'m> {
    ns: &'m str,
    filter: DocumentFilter,
    skip: u64,
    /// How many documents, and bytes of them, are still taken.
    room: (usize, usize),
    part: Documents,
    told: Instant,
    tell: &'m dyn Fn(Answer),
}

impl Sink for More<'_> {
    fn document(&mut self, ns: &Namespace, document: &Differing<'_>) -> Result<()> {
        // A name may hold an asterisk, which a glob takes for more than itself.
        if self.part.limited || ns.to_string() != self.ns || !self.filter.matches(document) {
            return Ok(());
        }
        if self.skip > 0 {
            self.skip -= 1;
            return Ok(());
        }
        let (documents, bytes) = self.room;
        if documents == 0 || bytes == 0 {
            self.part.limited = true;
            return Ok(());
        }
        self.room = (documents - 1, bytes.saturating_sub(size(document)));
        self.part.documents.push(show(ns, document));
        if self.told.elapsed() >= PART {
            (self.tell)(Answer::Documents(std::mem::take(&mut self.part)));
            self.told = Instant::now();
        }
        Ok(())
    }

    fn is_full(&self, ns: &Namespace) -> bool {
        self.part.limited || ns.to_string() != self.ns
    }

    fn passed_over(&mut self, _: &Namespace) {}
}
