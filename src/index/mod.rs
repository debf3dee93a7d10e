//! The op index: one row for every operation of an oplog, as columns on disk. Built once by all
//! cores, mapped, and used again when the same files are opened again. Search, histogram
//! and every walk over the oplog run on it.
//!
//! What is indexed is usable while the rest is being read: [`OpIndex::len`] grows until
//! [`OpIndex::is_complete`]. Knows nothing of cases, stops and screens.

mod build;
mod columns;
mod entries;
mod follow;
mod header;
mod histogram;
mod home;
mod parallel;
pub mod rows;
mod search;

use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, RwLock, TryLockError};
use std::time::Duration;

use build::{Built, Names};
pub use columns::BYTES_PER_OP;
use columns::{Cells, Columns};
pub use entries::read_places;
pub use follow::{About, EntryPlace};
use header::{Header, Part};
pub use histogram::Counts;
use home::{Access, Home};
use rows::Row;
pub use search::Searched;

use crate::domain::op::OpKind;
use crate::domain::progress::{Meter, Phase};
use crate::domain::{Error, Position, Result};
use crate::engine::bson::{Doc, Fault};
use crate::engine::entry::Entry;
use crate::source::Oplog;
use crate::source::identity::Identity;

/// Kind and flags share a byte.
const KIND: u8 = 0b111;
const IN_TXN: u8 = 1 << 3;
const INNER: u8 = 1 << 4;
const MIGRATION: u8 = 1 << 5;
const BROKEN: u8 = 1 << 6;

/// An operation takes no fewer bytes: its frame and the shortest `op`, `ns` and `o`, as an
/// element of a list.
const SHORTEST_OP: u64 = 32;

/// How often whoever waits for somebody else to index looks whether to go on waiting.
const LOOK: Duration = Duration::from_millis(20);

/// How many times larger than its index an oplog usually is, at least.
const USUAL_SHARE: u64 = 8;

/// The operations of an oplog, by number: rows in the order of the oplog, from 0.
#[derive(Debug)]
pub struct OpIndex {
    oplog: Oplog,
    columns: Columns,
    home: Home,
    rows: AtomicU64,
    complete: AtomicBool,
    names: RwLock<Names>,
    written: Mutex<Written>,
    /// Told whenever there are more rows.
    grown: (Mutex<()>, Condvar),
}

#[derive(Debug)]
struct Written {
    sources: Vec<Identity>,
    parts: Vec<Part>,
}

/// What the columns know of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowRef {
    /// Where; operations of one entry share it.
    pub pos: Position,
    /// What it does.
    pub kind: OpKind,
    /// The namespace; of a command the one it names.
    pub ns: Arc<str>,
    /// Bytes of the operation.
    pub bytes: u32,
    /// Equal for operations of one transaction; `None` outside of transactions.
    pub group: Option<u32>,
    /// Part of the hash of its `_id`: different for different documents, nearly always.
    pub key: Option<u32>,
    /// Written by a chunk migration.
    pub migration: bool,
    /// Its entry cannot be read; [`OpIndex::op`] says why.
    pub broken: bool,
}

/// Where an entry begins: piece and byte, in one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place(u64);

impl Place {
    const BYTE_BITS: u32 = 44;

    /// `None` beyond 16 TiB or a million pieces.
    fn new(piece: usize, at: usize) -> Option<Place> {
        let (piece, at) = (piece as u64, at as u64);
        let fits = piece >> (64 - Self::BYTE_BITS) == 0 && at >> Self::BYTE_BITS == 0;
        fits.then_some(Place(piece << Self::BYTE_BITS | at))
    }

    fn bits(self) -> u64 {
        self.0
    }

    fn piece(self) -> usize {
        (self.0 >> Self::BYTE_BITS) as usize
    }

    fn at(self) -> usize {
        (self.0 & ((1 << Self::BYTE_BITS) - 1)) as usize
    }
}

impl OpIndex {
    /// The finished index of an oplog, kept in `dir`: what is there is used as far as it holds.
    pub fn open_or_build(dir: &Path, oplog: &Oplog, meter: &Meter) -> Result<OpIndex> {
        let index = Self::open(dir, oplog, meter)?;
        index.complete(meter)?;
        Ok(index)
    }

    /// What `dir` has for this oplog, be it nothing; [`OpIndex::complete`] adds the rest.
    ///
    /// Another process may hold the folder: then a private one beside is used.
    pub fn open(dir: &Path, oplog: &Oplog, meter: &Meter) -> Result<OpIndex> {
        let now: Vec<Identity> = oplog.pieces().map(Identity::of).collect();
        let (mut home, access) = Home::open(dir)?;
        let mut header = Header::new(Vec::new(), now.clone(), Vec::new());
        let mut columns = None;
        if access != Access::Nothing
            && let Some(mut found) = Header::read(dir)
            && let Some(map) = columns::at(dir, Columns::open(dir, found.rows()))?
            && found.describes(&map)
        {
            found.keep_what_holds(oplog, now, meter)?;
            columns = found.covers(oplog).then_some(map);
            header = found;
        }
        if columns.is_none() && access != Access::Alone {
            // Somebody else needs the folder as it is.
            home = home.private()?;
            header.parts.clear();
        }
        let complete = oplog.is_empty() || columns.is_some();
        let columns = match columns {
            Some(columns) => columns,
            None => {
                let done: usize = header.parts.iter().map(|part| part.end - part.start).sum();
                let all: usize = oplog.pieces().map(|piece| piece.len()).sum();
                let left = all.saturating_sub(done) as u64;
                home.room(left / USUAL_SHARE)?;
                columns::at(home.dir(), Columns::create(home.dir(), header.rows() + left / SHORTEST_OP + 1))?
            }
        };
        if complete {
            home.share()?;
        }
        let mut names = Names::default();
        for name in &header.names {
            names.number(name);
        }
        Ok(OpIndex {
            oplog: oplog.clone(),
            columns,
            rows: AtomicU64::new(header.rows()),
            complete: AtomicBool::new(complete),
            names: RwLock::new(names),
            written: Mutex::new(Written { sources: header.sources, parts: header.parts }),
            grown: Default::default(),
            home,
        })
    }

    /// Indexes what is missing; returns at once when nothing is. Interrupted, it goes on later
    /// where it was.
    pub fn complete(&self, meter: &Meter) -> Result<()> {
        let mut written = loop {
            match self.written.try_lock() {
                Ok(guard) => break guard,
                Err(TryLockError::Poisoned(e)) => break e.into_inner(),
                // Somebody is at it.
                Err(TryLockError::WouldBlock) => {
                    meter.check("indexing the oplog")?;
                    self.wait_beyond(u64::MAX, LOOK);
                }
            }
        };
        if self.is_complete() {
            return Ok(());
        }
        meter.enter(Phase::Fold, self.oplog.len());
        // From here on it describes nothing that could be relied on.
        Header::remove(self.home.dir())?;
        let spans = build::plan(&self.oplog, &written.parts);
        let before = written.parts.len();
        let parts = &mut written.parts;
        let result = build::run(&self.oplog, &spans, meter, &mut |built| {
            parts.push(self.commit(built)?);
            Ok(())
        });
        if result.is_ok() || written.parts.len() > before {
            self.save(&written, result.is_ok())?;
        }
        result?;
        self.complete.store(true, Ordering::Release);
        self.tell();
        self.home.share()
    }

    fn tell(&self) {
        drop(lock(&self.grown.0));
        self.grown.1.notify_all();
    }

    /// Waits until there are more than so many rows, or there will be no more, or some time has
    /// passed: whoever waits looks again then.
    pub fn wait_beyond(&self, rows: u64, most: Duration) {
        let guard = lock(&self.grown.0);
        let _ = self.grown.1.wait_timeout_while(guard, most, |()| !self.is_complete() && self.len() <= rows);
    }

    /// Lets another index of the same folder add to what is there. This one, finished, can be read
    /// as before: what it knows is not changed.
    pub fn hand_over(&self) -> Result<()> {
        self.home.leave()
    }

    /// Writes one part behind the others and shows it to everyone.
    fn commit(&self, mut built: Built) -> Result<Part> {
        let mut names = self.names.write().unwrap_or_else(|e| e.into_inner());
        let numbers: Vec<u32> = built.names.iter().map(|name| names.number(name)).collect();
        drop(names);
        built.batch.renumber(|local| numbers.get(local as usize).copied().unwrap_or(u32::MAX));
        let before = self.len();
        let rows = before + built.batch.rows();
        self.home.room(built.batch.rows() * BYTES_PER_OP as u64)?;
        columns::at(self.home.dir(), self.columns.append(before, &built.batch))?;
        self.rows.store(rows, Ordering::Release);
        self.tell();
        let span = built.span;
        Ok(Part {
            piece: span.piece,
            start: span.start,
            end: span.end,
            rows,
            bytes: built.bytes_hash,
            columns: built.batch.hash(),
        })
    }

    fn save(&self, written: &Written, finished: bool) -> Result<()> {
        columns::at(self.home.dir(), self.columns.sync(finished.then(|| self.len())))?;
        let names = self.names.read().unwrap_or_else(|e| e.into_inner());
        let names = names.list().iter().map(|name| name.to_string()).collect();
        Header::new(names, written.sources.clone(), written.parts.clone()).write(self.home.dir())
    }

    /// How many operations are indexed by now.
    pub fn len(&self) -> u64 {
        self.rows.load(Ordering::Acquire)
    }

    /// Whether no operation is indexed by now.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether that is all of them.
    pub fn is_complete(&self) -> bool {
        self.complete.load(Ordering::Acquire)
    }

    fn cells(&self, row: u64) -> Option<Cells> {
        (row < self.len()).then(|| self.columns.cells(row as usize))
    }

    /// What the columns know of one operation; `None` behind the last.
    pub fn row(&self, row: u64) -> Option<RowRef> {
        let cells = self.cells(row)?;
        Some(RowRef {
            pos: Position::from_u64(cells.pos),
            kind: kind(cells.what),
            ns: self.name(cells.ns),
            bytes: cells.length,
            group: (cells.what & IN_TXN != 0).then_some(cells.group),
            key: (cells.key != 0).then_some(cells.key),
            migration: cells.what & MIGRATION != 0,
            broken: cells.what & BROKEN != 0,
        })
    }

    /// Several rows, in order; clipped to those there are.
    pub fn window(&self, rows: Range<u64>) -> impl Iterator<Item = RowRef> + '_ {
        (rows.start..rows.end.min(self.len())).map_while(|row| self.row(row))
    }

    fn name(&self, number: u32) -> Arc<str> {
        let names = self.names.read().unwrap_or_else(|e| e.into_inner());
        names.get(number).map_or_else(|| "".into(), Arc::clone)
    }

    /// The number of the first operation at or after a position; [`OpIndex::len`] when there is
    /// none by now.
    pub fn lower_bound(&self, pos: Position) -> u64 {
        let (mut low, mut high) = (0, self.len());
        let wanted = pos.to_u64();
        while low < high {
            let middle = low + (high - low) / 2;
            if self.columns.pos(middle as usize) < wanted {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// The whole entry of the oplog that an operation is part of, read from its bytes.
    pub fn entry(&self, row: u64) -> Result<Entry<'_>> {
        let cells = self.cells(row).ok_or_else(|| damaged(row, "there is no such operation"))?;
        let place = Place(cells.place);
        self.oplog.entry_at(place.piece(), place.at()).map(|(entry, _)| entry)
    }

    /// One operation, read from its bytes.
    pub fn op(&self, row: u64) -> Result<Row<'_>> {
        let whole = self.entry(row)?;
        let leaf = self.leaf(row, &whole)?;
        Ok(Row::new(&whole, &leaf))
    }

    /// The bytes of an operation, as far as they are there.
    fn bytes(&self, cells: &Cells) -> Option<&[u8]> {
        let place = Place(cells.place);
        let start = place.at().checked_add(cells.inner as usize)?;
        let end = start.checked_add(cells.length as usize)?;
        self.oplog.piece(place.piece())?.bytes().get(start..end)
    }

    fn leaf<'a>(&self, row: u64, whole: &Entry<'a>) -> Result<Entry<'a>> {
        let inner = self.cells(row).map_or(0, |cells| cells.inner as usize);
        if inner == 0 {
            return Ok(*whole);
        }
        let bytes = whole.raw.bytes();
        bytes
            .get(inner..)
            .ok_or_else(|| Fault::new(inner, "the operation lies outside of its entry"))
            .and_then(Doc::first)
            .and_then(|doc| whole.parse_inner(doc))
            .map_err(|fault| damaged(row, &fault.to_string()))
    }
}

/// The files were checked when they were opened: this happens when they change underneath.
fn damaged(row: u64, cause: &str) -> Box<Error> {
    Box::new(
        Error::failed("reading the operation", format!("number {row}"), cause)
            .hint("a source has changed while it was open: run this again."),
    )
}

fn kind(what: u8) -> OpKind {
    OpKind::ALL.get(usize::from(what & KIND)).copied().unwrap_or(OpKind::Noop)
}

/// What a thread that panicked held is still whole: nothing here is changed in two steps.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|e| e.into_inner())
}
