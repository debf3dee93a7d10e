//! Columns on disk: one file for each, fixed widths, little-endian, mapped for reading and
//! appended to for writing. Knows nothing of what the values mean.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use memmap2::{Mmap, MmapOptions};
use xxhash_rust::xxh3::Xxh3;

use crate::domain::{Error, Result};

/// One value of every operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    /// The position, as one number.
    Pos,
    /// Piece of the oplog and byte in it at which the entry begins.
    Place,
    /// Bytes from there to the operation; 0 = the entry itself.
    Inner,
    /// Bytes of the operation.
    Length,
    /// Number of the namespace.
    Ns,
    /// Part of the hash of the `_id`; 0 = there is none.
    Key,
    /// Part of the hash of the transaction; 0 = there is none.
    Group,
    /// Kind and flags.
    What,
}

impl Column {
    const ALL: [Column; 8] = [
        Column::Pos,
        Column::Place,
        Column::Inner,
        Column::Length,
        Column::Ns,
        Column::Key,
        Column::Group,
        Column::What,
    ];

    /// Bytes of one value.
    const fn width(self) -> usize {
        match self {
            Column::Pos | Column::Place => 8,
            Column::Inner | Column::Length | Column::Ns | Column::Key | Column::Group => 4,
            Column::What => 1,
        }
    }

    fn file(self) -> &'static str {
        match self {
            Column::Pos => "pos",
            Column::Place => "place",
            Column::Inner => "inner",
            Column::Length => "length",
            Column::Ns => "ns",
            Column::Key => "key",
            Column::Group => "group",
            Column::What => "what",
        }
    }
}

/// Bytes of disk that one operation takes.
pub const BYTES_PER_OP: usize = {
    let (mut sum, mut at) = (0, 0);
    while at < Column::ALL.len() {
        sum += Column::ALL[at].width();
        at += 1;
    }
    sum
};

/// The values of one operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Cells {
    pub pos: u64,
    pub place: u64,
    pub inner: u32,
    pub length: u32,
    pub ns: u32,
    pub key: u32,
    pub group: u32,
    pub what: u8,
}

/// Values of some operations, on their way to the disk.
#[derive(Debug, Default)]
pub(super) struct Batch {
    columns: [Vec<u8>; 8],
    rows: u64,
}

impl Batch {
    pub fn push(&mut self, cells: &Cells) {
        let [pos, place, inner, length, ns, key, group, what] = &mut self.columns;
        pos.extend_from_slice(&cells.pos.to_le_bytes());
        place.extend_from_slice(&cells.place.to_le_bytes());
        inner.extend_from_slice(&cells.inner.to_le_bytes());
        length.extend_from_slice(&cells.length.to_le_bytes());
        ns.extend_from_slice(&cells.ns.to_le_bytes());
        key.extend_from_slice(&cells.key.to_le_bytes());
        group.extend_from_slice(&cells.group.to_le_bytes());
        what.push(cells.what);
        self.rows += 1;
    }

    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Puts another number in the place of every namespace's.
    pub fn renumber(&mut self, to: impl Fn(u32) -> u32) {
        let [_, _, _, _, ns, _, _, _] = &mut self.columns;
        let (cells, _) = ns.as_chunks_mut::<4>();
        for cell in cells {
            *cell = to(u32::from_le_bytes(*cell)).to_le_bytes();
        }
    }

    /// A hash of all values.
    pub fn hash(&self) -> u64 {
        let mut hash = Xxh3::new();
        self.columns.iter().for_each(|column| hash.update(column));
        hash.digest()
    }
}

/// The columns of an index.
#[derive(Debug)]
pub(super) struct Columns {
    files: [File; 8],
    maps: [Mmap; 8],
}

impl Columns {
    /// Opens the files of a finished index for reading. `None` when one is missing or short.
    pub fn open(dir: &Path, rows: u64) -> io::Result<Option<Columns>> {
        let mut files = Vec::with_capacity(8);
        for column in Column::ALL {
            match File::open(dir.join(column.file())) {
                Ok(file) if file.metadata()?.len() >= rows * column.width() as u64 => files.push(file),
                Ok(_) => return Ok(None),
                Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(e) => return Err(e),
            }
        }
        Self::map(files, rows).map(Some)
    }

    /// Opens or makes the files for writing, with room for `capacity` operations. What is in
    /// them stays.
    pub fn create(dir: &Path, capacity: u64) -> io::Result<Columns> {
        let mut files = Vec::with_capacity(8);
        for column in Column::ALL {
            let file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o600)
                .open(dir.join(column.file()))?;
            // A hole: it takes no disk until it is written to.
            file.set_len(capacity.max(1) * column.width() as u64)?;
            files.push(file);
        }
        Self::map(files, capacity)
    }

    fn map(files: Vec<File>, capacity: u64) -> io::Result<Columns> {
        let mut maps = Vec::with_capacity(8);
        for (column, file) in Column::ALL.into_iter().zip(&files) {
            let length =
                usize::try_from(capacity.max(1) * column.width() as u64).map_err(io::Error::other)?;
            // SAFETY: the file is in our private folder and locked by whoever writes to it. It
            // only grows while it is mapped; reads stay below the number of rows that have been
            // written, so below the end of the file.
            maps.push(unsafe { MmapOptions::new().len(length).map(file) }?);
        }
        let all_eight = || io::Error::other("a column is missing");
        Ok(Columns {
            files: files.try_into().map_err(|_| all_eight())?,
            maps: maps.try_into().map_err(|_| all_eight())?,
        })
    }

    /// Writes a batch behind the first `rows` operations.
    pub fn append(&self, rows: u64, batch: &Batch) -> io::Result<()> {
        for ((column, file), bytes) in Column::ALL.into_iter().zip(&self.files).zip(&batch.columns) {
            file.write_all_at(bytes, rows * column.width() as u64)?;
        }
        Ok(())
    }

    /// Waits until everything is on disk. With `rows`, when no more will come, room that was not
    /// needed is cut off before.
    pub fn sync(&self, rows: Option<u64>) -> io::Result<()> {
        for (column, file) in Column::ALL.into_iter().zip(&self.files) {
            if let Some(rows) = rows {
                file.set_len(rows * column.width() as u64)?;
            }
            file.sync_data()?;
        }
        Ok(())
    }

    /// The values of one operation that has been written.
    pub fn cells(&self, row: usize) -> Cells {
        Cells {
            pos: self.u64(Column::Pos, row),
            place: self.u64(Column::Place, row),
            inner: self.u32(Column::Inner, row),
            length: self.u32(Column::Length, row),
            ns: self.u32(Column::Ns, row),
            key: self.u32(Column::Key, row),
            group: self.u32(Column::Group, row),
            what: self.what(row),
        }
    }

    pub fn pos(&self, row: usize) -> u64 {
        self.u64(Column::Pos, row)
    }

    pub fn place(&self, row: usize) -> u64 {
        self.u64(Column::Place, row)
    }

    pub fn key(&self, row: usize) -> u32 {
        self.u32(Column::Key, row)
    }

    pub fn group(&self, row: usize) -> u32 {
        self.u32(Column::Group, row)
    }

    pub fn ns(&self, row: usize) -> u32 {
        self.u32(Column::Ns, row)
    }

    pub fn what(&self, row: usize) -> u8 {
        self.range(Column::What, row, 1).first().copied().unwrap_or_default()
    }

    /// Kinds and flags of several operations.
    pub fn whats(&self, from: usize, to: usize) -> &[u8] {
        self.range(Column::What, from, to.saturating_sub(from))
    }

    /// As [`Batch::hash`] of the batch that was written there.
    pub fn hash(&self, from: usize, to: usize) -> u64 {
        let mut hash = Xxh3::new();
        for column in Column::ALL {
            hash.update(self.range(column, from, to.saturating_sub(from)));
        }
        hash.digest()
    }

    fn range(&self, column: Column, row: usize, rows: usize) -> &[u8] {
        let width = column.width();
        let map = self.maps.get(column as usize).map(|m| &m[..]).unwrap_or_default();
        map.get(row * width..(row + rows) * width).unwrap_or_default()
    }

    fn u64(&self, column: Column, row: usize) -> u64 {
        self.range(column, row, 1).first_chunk().map_or(0, |b| u64::from_le_bytes(*b))
    }

    fn u32(&self, column: Column, row: usize) -> u32 {
        self.range(column, row, 1).first_chunk().map_or(0, |b| u32::from_le_bytes(*b))
    }
}

/// The error for a folder that cannot be used.
pub(super) fn failed(dir: &Path, cause: io::Error) -> Box<Error> {
    Box::new(
        Error::failed("indexing into", format!("{dir:?}"), cause)
            .hint("make room there or choose another case folder with --case."),
    )
}

/// What fails there when it fails for reasons of the file system.
pub(super) fn at<T>(dir: &Path, result: io::Result<T>) -> Result<T> {
    result.map_err(|cause| failed(dir, cause))
}
