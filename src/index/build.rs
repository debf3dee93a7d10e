//! The one pass over the oplog that fills the columns: parts of it are read by all cores, and
//! written down in their order.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::columns::{Batch, Cells};
use super::header::Part;
use super::parallel::give_way;
use super::rows::{kind_of, leaves, ns_of, searched_id, txn_of};
use super::{BROKEN, IN_TXN, INNER, MIGRATION, Place, lock};
use crate::domain::op::OpKind;
use crate::domain::progress::Meter;
use crate::domain::{Error, Result};
use crate::engine::bson::Doc;
use crate::engine::entry::Entry;
use crate::engine::key::DocKey;
use crate::source::Oplog;

/// About how many bytes of oplog one core takes at a time.
const PART_BYTES: usize = 4 << 20;
/// How many parts a core may be ahead of the slowest one.
const AHEAD: usize = 4;

/// Bytes of one piece that begin and end with entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub piece: usize,
    pub start: usize,
    pub end: usize,
}

/// What is left to be done behind the parts that are.
pub(super) fn plan(oplog: &Oplog, done: &[Part]) -> Vec<Span> {
    let (first, from) = done.last().map_or((0, 0), |part| (part.piece, part.end));
    let mut spans = Vec::new();
    for (piece, region) in oplog.pieces().enumerate().skip(first) {
        let mut start = if piece == first { from } else { 0 };
        let ends = oplog.boundaries(piece).chain([region.len()]);
        for end in ends {
            let long = end.checked_sub(start).is_some_and(|length| length >= PART_BYTES);
            if long || end == region.len() && end > start {
                spans.push(Span { piece, start, end });
                start = end;
            }
        }
    }
    spans
}

/// A part, indexed; namespaces have numbers of their own.
pub(super) struct Built {
    pub span: Span,
    pub batch: Batch,
    pub names: Vec<String>,
    pub bytes_hash: u64,
}

/// Indexes the spans with all cores and hands them to `commit` in order.
pub(super) fn run(
    oplog: &Oplog,
    spans: &[Span],
    meter: &Meter,
    commit: &mut (dyn FnMut(Built) -> Result<()> + Send),
) -> Result<()> {
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get()).min(spans.len());
    let queue = AtomicUsize::new(0);
    let stop = AtomicBool::new(false);
    let order = Mutex::new(Order { next: 0, waiting: BTreeMap::new(), commit, error: None });
    let moved = Condvar::new();
    let work = || {
        give_way();
        loop {
            let number = queue.fetch_add(1, Ordering::Relaxed);
            let Some(span) = spans.get(number) else { return };
            let mut order_now = lock(&order);
            while number >= order_now.next + AHEAD * threads && !stop.load(Ordering::Relaxed) {
                order_now = moved.wait(order_now).unwrap_or_else(|e| e.into_inner());
            }
            drop(order_now);
            if stop.load(Ordering::Relaxed) {
                return;
            }
            let built = read(oplog, *span, meter);
            let mut order_now = lock(&order);
            if let Err(error) = built.and_then(|built| order_now.take(number, built)) {
                order_now.error.get_or_insert(error);
                stop.store(true, Ordering::Relaxed);
            }
            moved.notify_all();
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    order.into_inner().unwrap_or_else(|e| e.into_inner()).error.map_or(Ok(()), Err)
}

struct Order<'c> {
    next: usize,
    waiting: BTreeMap<usize, Built>,
    commit: &'c mut (dyn FnMut(Built) -> Result<()> + Send),
    error: Option<Box<Error>>,
}

impl Order<'_> {
    fn take(&mut self, number: usize, built: Built) -> Result<()> {
        self.waiting.insert(number, built);
        while self.error.is_none()
            && let Some(built) = self.waiting.remove(&self.next)
        {
            (self.commit)(built)?;
            self.next += 1;
        }
        Ok(())
    }
}

/// Indexes one span.
fn read(oplog: &Oplog, span: Span, meter: &Meter) -> Result<Built> {
    const DOING: &str = "indexing the oplog";
    let bytes = oplog.piece(span.piece).and_then(|p| p.bytes().get(span.start..span.end));
    let bytes_hash = xxh3_64(bytes.unwrap_or_default());
    let mut part = Reading::default();
    let (mut at, mut entries) = (span.start, 0u64);
    while at < span.end {
        let place = Place::new(span.piece, at).ok_or_else(|| {
            Box::new(
                Error::failed(DOING, format!("piece {} at byte {at}", span.piece), "there is too much of it")
                    .hint("give fewer slices at a time."),
            )
        })?;
        at = match oplog.entry_at(span.piece, at) {
            Ok((entry, next)) => {
                part.entry(&entry, place);
                next
            }
            // One that cannot be read takes a row: who comes to it gets this error.
            Err(error) => match bytes.and_then(|b| b.get(at - span.start..)).map(Doc::first) {
                Some(Ok(doc)) => {
                    part.broken(doc, place);
                    at + doc.bytes().len()
                }
                _ => return Err(error),
            },
        };
        entries += 1;
        if entries.is_multiple_of(1024) {
            meter.check(DOING)?;
        }
    }
    meter.add(entries, (span.end - span.start) as u64);
    Ok(Built { span, batch: part.batch, names: part.names, bytes_hash })
}

#[derive(Default)]
struct Reading {
    batch: Batch,
    names: Vec<String>,
    numbers: HashMap<String, u32>,
    last: u32,
}

impl Reading {
    fn entry(&mut self, whole: &Entry<'_>, place: Place) {
        let txn = txn_of(whole);
        let group = txn.map_or(0, |txn| {
            let mut hash = Xxh3::with_seed(txn.number as u64);
            hash.update(txn.session);
            hash.digest() as u32
        });
        let start = whole.raw.bytes().as_ptr() as usize;
        leaves(whole, &mut |leaf| {
            // It lies inside the entry, whose length is an int32.
            let inner = (leaf.raw.bytes().as_ptr() as usize - start) as u32;
            let flags = if txn.is_some() { IN_TXN } else { 0 }
                | if inner > 0 { INNER } else { 0 }
                | if leaf.from_migrate { MIGRATION } else { 0 };
            let cells = Cells {
                pos: whole.at.pos.to_u64(),
                place: place.bits(),
                inner,
                length: leaf.raw.bytes().len() as u32,
                ns: self.number(&ns_of(leaf)),
                key: searched_id(leaf).map_or(0, |id| key_of(DocKey::of(id))),
                group,
                what: kind_of(leaf) as u8 | flags,
            };
            self.batch.push(&cells);
        });
    }

    fn broken(&mut self, doc: Doc<'_>, place: Place) {
        let pos = doc.get("ts").and_then(|e| e.as_position()).unwrap_or_default();
        let cells = Cells {
            pos: pos.to_u64(),
            place: place.bits(),
            length: doc.bytes().len() as u32,
            ns: self.number(""),
            what: OpKind::Noop as u8 | BROKEN,
            ..Cells::default()
        };
        self.batch.push(&cells);
    }

    fn number(&mut self, ns: &str) -> u32 {
        if self.names.get(self.last as usize).is_some_and(|last| last == ns) {
            return self.last;
        }
        self.last = match self.numbers.get(ns) {
            Some(&number) => number,
            None => {
                let number = self.names.len() as u32;
                self.names.push(ns.to_owned());
                self.numbers.insert(ns.to_owned(), number);
                number
            }
        };
        self.last
    }
}

/// What the columns keep of a key.
pub(super) fn key_of(key: DocKey) -> u32 {
    key.bits() as u32
}

/// All namespaces seen, in the order of their numbers; numbers never change.
#[derive(Debug, Default)]
pub(super) struct Names {
    list: Vec<Arc<str>>,
    numbers: HashMap<Arc<str>, u32>,
}

impl Names {
    pub fn number(&mut self, name: &str) -> u32 {
        if let Some(&number) = self.numbers.get(name) {
            return number;
        }
        let name: Arc<str> = name.into();
        let number = self.list.len() as u32;
        self.list.push(Arc::clone(&name));
        self.numbers.insert(name, number);
        number
    }

    pub fn get(&self, number: u32) -> Option<&Arc<str>> {
        self.list.get(number as usize)
    }

    pub fn list(&self) -> &[Arc<str>] {
        &self.list
    }
}
