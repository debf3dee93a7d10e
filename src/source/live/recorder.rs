//! Entries into slice files. A slice is written under a name that nobody reads, and when it is
//! closed it is synced and renamed: whatever has a slice's name is whole. Each begins with the
//! last entry of the one before, which proves that nothing is missing between them.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::run::Known;
use crate::domain::coverage::Gap;
use crate::domain::{Error, OpTime, Position, Result};

/// Disk that is always left free.
const FLOOR: u64 = 1 << 30;
/// Bytes between two looks at the disk.
const LOOK: u64 = 8 << 20;
/// The fastest levels are as fast as the oplog comes; this one still halves what they leave.
const ZSTD_LEVEL: i32 = 3;
/// How slices that are being written are called.
pub(super) const PART: &str = ".pitstop-part-";

const WRITING: &str = "writing the oplog slice";

/// How slices are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// As they come: what a killed process leaves is readable to its last whole entry.
    Raw,
    /// Compressed, with a checksum.
    Zstd,
}

/// When a slice is closed.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of entries, before compression.
    pub bytes: u64,
    /// Time since its first entry came.
    pub age: Duration,
}

/// A slice that is on disk for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    /// The file.
    pub path: PathBuf,
    /// Its first entry; the last of the slice before where they join.
    pub first: OpTime,
    /// Its last entry.
    pub last: OpTime,
    /// How many entries it has.
    pub entries: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Writes one run of slices in a folder.
pub struct Recorder {
    folder: PathBuf,
    label: &'static str,
    codec: Codec,
    limits: Limits,
    last: Option<Known>,
    open: Option<Open>,
    closed: Vec<Closed>,
    gaps: Vec<Gap>,
    looked: u64,
}

struct Open {
    part: PathBuf,
    out: Output,
    since: Instant,
    first: OpTime,
    last: OpTime,
    entries: u64,
    bytes: u64,
}

enum Output {
    Raw(BufWriter<File>),
    Zstd(Box<zstd::stream::write::Encoder<'static, BufWriter<File>>>),
}

impl Recorder {
    /// Writes into this folder, behind `last`. `label` keeps apart those who write at one time.
    pub fn new(
        folder: &Path,
        label: &'static str,
        codec: Codec,
        limits: Limits,
        last: Option<Known>,
    ) -> Recorder {
        Recorder {
            folder: folder.to_owned(),
            label,
            codec,
            limits,
            last,
            open: None,
            closed: Vec::new(),
            gaps: Vec::new(),
            looked: 0,
        }
    }

    /// The last entry that was given, written or known from before.
    pub fn last(&self) -> Option<&Known> {
        self.last.as_ref()
    }

    /// Takes the next entry.
    pub fn push(&mut self, at: OpTime, bytes: &[u8]) -> Result<()> {
        if let Some(last) = self.last.as_ref().filter(|last| last.at.pos >= at.pos) {
            let cause = format!("entry {} came behind {}: positions must grow", at.pos, last.at.pos);
            return Error::failed("following the oplog", "", cause)
                .hint("the source is damaged, or its oplog was replaced; nothing of it was written.")
                .err();
        }
        self.keep_the_floor(bytes.len() as u64)?;
        let mut open = match self.open.take() {
            Some(open) => open,
            None => self.begin(at)?,
        };
        open.write(at, bytes).map_err(|e| self.failed(e))?;
        let full = open.bytes >= self.limits.bytes;
        self.open = Some(open);
        match &mut self.last {
            Some(last) => {
                last.at = at;
                last.bytes.clear();
                last.bytes.extend_from_slice(bytes);
            }
            none => *none = Some(Known { at, bytes: bytes.to_vec() }),
        }
        if full { self.close() } else { Ok(()) }
    }

    /// What comes next does not join what is there: the slice ends, the next begins without a
    /// shared entry.
    pub fn gap(&mut self, gap: Gap) -> Result<()> {
        self.close()?;
        self.last = None;
        self.gaps.push(gap);
        Ok(())
    }

    /// What was taken so far can be read by others: whole entries, behind a name of the slice
    /// that is being written.
    pub fn flush(&mut self) -> Result<()> {
        let Some(Open { out: Output::Raw(out), .. }) = &mut self.open else { return Ok(()) };
        let flushed = out.flush();
        flushed.map_err(|e| self.failed(e))
    }

    /// Closes the open slice if it is old enough.
    pub fn close_if_old(&mut self) -> Result<()> {
        match &self.open {
            Some(open) if open.since.elapsed() >= self.limits.age => self.close(),
            _ => Ok(()),
        }
    }

    /// Closes the open slice: when this returns it is on disk for good, under its name.
    pub fn close(&mut self) -> Result<()> {
        let Some(open) = self.open.take() else { return Ok(()) };
        let part = open.part.clone();
        let closed = open.finish(&self.folder, self.codec).map_err(|e| {
            // What a full disk has left of it is of no use to anybody.
            let _ = fs::remove_file(&part);
            self.failed(e)
        })?;
        self.closed.push(closed);
        Ok(())
    }

    /// The slices closed since the last time somebody asked.
    pub fn take_closed(&mut self) -> Vec<Closed> {
        std::mem::take(&mut self.closed)
    }

    /// The gaps met since the last time somebody asked.
    pub fn take_gaps(&mut self) -> Vec<Gap> {
        std::mem::take(&mut self.gaps)
    }

    fn begin(&mut self, at: OpTime) -> Result<Open> {
        let part = self.folder.join(format!("{PART}{}", self.label));
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&part)
            .map_err(|e| self.failed(e))?;
        let file = BufWriter::with_capacity(256 << 10, file);
        let out = match self.codec {
            Codec::Raw => Output::Raw(file),
            Codec::Zstd => {
                let mut encoder =
                    zstd::stream::write::Encoder::new(file, ZSTD_LEVEL).map_err(|e| self.failed(e))?;
                encoder.include_checksum(true).map_err(|e| self.failed(e))?;
                Output::Zstd(Box::new(encoder))
            }
        };
        let mut open = Open { part, out, since: Instant::now(), first: at, last: at, entries: 0, bytes: 0 };
        if let Some(last) = &self.last {
            open.first = last.at;
            open.write(last.at, &last.bytes).map_err(|e| self.failed(e))?;
        }
        Ok(open)
    }

    fn keep_the_floor(&mut self, more: u64) -> Result<()> {
        self.looked = self.looked.saturating_sub(more);
        if self.looked > 0 {
            return Ok(());
        }
        self.looked = LOOK;
        let disk = rustix::fs::statvfs(&self.folder).map_err(|e| self.failed(e.into()))?;
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        if free >= FLOOR + LOOK {
            return Ok(());
        }
        // What was taken so far is kept.
        self.close()?;
        let cause = format!("the disk has {} MiB free, and 1 GiB has to stay free", free >> 20);
        Error::refused(WRITING, format!("in {:?}", self.folder), cause)
            .hint("what was secured so far is kept: make room, or choose another disk, and run it again.")
            .err()
    }

    fn failed(&self, e: io::Error) -> Box<Error> {
        Box::new(
            Error::failed(WRITING, format!("in {:?}", self.folder), e)
                .hint("make room or check that the folder may be written to; closed slices are safe."),
        )
    }
}

impl Open {
    fn write(&mut self, at: OpTime, bytes: &[u8]) -> io::Result<()> {
        match &mut self.out {
            Output::Raw(out) => out.write_all(bytes)?,
            Output::Zstd(out) => out.write_all(bytes)?,
        }
        self.last = at;
        self.entries += 1;
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    fn finish(self, folder: &Path, codec: Codec) -> io::Result<Closed> {
        let file = match self.out {
            Output::Raw(out) => out,
            Output::Zstd(out) => out.finish()?,
        };
        let file = file.into_inner().map_err(|e| e.into_error())?;
        file.sync_all()?;
        let path = into_place(&self.part, folder, self.first.pos, self.last.pos, codec)?;
        let Open { first, last, entries, bytes, .. } = self;
        Ok(Closed { path, first, last, entries, bytes })
    }
}

/// Gives a finished slice its name, and makes the name last. Never over another file.
pub(super) fn into_place(
    part: &Path,
    folder: &Path,
    first: Position,
    last: Position,
    codec: Codec,
) -> io::Result<PathBuf> {
    let end = match codec {
        Codec::Raw => "bson",
        Codec::Zstd => "bson.zst",
    };
    let name = format!("{:010}-{:010}_{:010}-{:010}", first.secs, first.inc, last.secs, last.inc);
    let mut path = folder.join(format!("{name}.{end}"));
    let mut more = 1;
    while path.symlink_metadata().is_ok() {
        more += 1;
        path = folder.join(format!("{name}.{more}.{end}"));
    }
    fs::rename(part, &path)?;
    File::open(folder)?.sync_all()?;
    Ok(path)
}
