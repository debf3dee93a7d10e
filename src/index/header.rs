//! What an index on disk was made from, and how much of it still holds for the sources at hand.
//!
//! A piece of oplog whose file has the same size, time, inode and sampled hash as before is
//! taken to be the same. Of any other the bytes are hashed again, part by part, and the index is
//! kept as far as they are equal: a file that has grown keeps everything, one that was swapped
//! or cut off keeps what comes before.

use std::fs;
use std::io::Write;
use std::path::Path;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::columns::{self, Columns};
use crate::domain::Result;
use crate::domain::progress::Meter;
use crate::engine::input::Region;
use crate::source::Oplog;
use crate::source::identity::Identity;

/// Changes with the meaning of anything on disk.
const VERSION: u32 = 1;
const FILE: &str = "header";
/// How many parts of the columns are checked when an index is opened.
const CHECKED: usize = 8;

/// Everything that makes the columns readable.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Header {
    version: u32,
    /// Namespaces by their number.
    pub names: Vec<String>,
    /// The pieces of the oplog.
    pub sources: Vec<Identity>,
    /// What has been indexed, in order.
    pub parts: Vec<Part>,
}

/// A run of entries that was indexed in one go.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Part {
    /// In which piece of the oplog.
    pub piece: usize,
    /// Its first byte in the piece.
    pub start: usize,
    /// The byte after its last.
    pub end: usize,
    /// How many operations there are up to its end.
    pub rows: u64,
    /// Hash of its bytes.
    pub bytes: u64,
    /// Hash of its columns.
    pub columns: u64,
}

impl Header {
    pub fn new(names: Vec<String>, sources: Vec<Identity>, parts: Vec<Part>) -> Header {
        Header { version: VERSION, names, sources, parts }
    }

    /// Reads it; `None` when there is none that can be trusted.
    pub fn read(dir: &Path) -> Option<Header> {
        let text = fs::read_to_string(dir.join(FILE)).ok()?;
        let (checksum, json) = text.split_once('\n')?;
        if checksum != checksum_of(json) {
            return None;
        }
        serde_json::from_str(json).ok().filter(|header: &Header| header.version == VERSION)
    }

    /// Writes it beside and renames it into place: it is the last thing written.
    pub fn write(&self, dir: &Path) -> Result<()> {
        let write = || {
            let json = serde_json::to_string(self)?;
            let mut file = tempfile::Builder::new().prefix("header-").tempfile_in(dir)?;
            write!(file, "{}\n{json}", checksum_of(&json))?;
            file.as_file().sync_data()?;
            file.persist(dir.join(FILE)).map_err(|e| e.error)?;
            Ok(())
        };
        columns::at(dir, write())
    }

    /// Removes it, before anything it describes is changed.
    pub fn remove(dir: &Path) -> Result<()> {
        match fs::remove_file(dir.join(FILE)) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(columns::failed(dir, e)),
            _ => Ok(()),
        }
    }

    /// How many operations are indexed.
    pub fn rows(&self) -> u64 {
        self.parts.last().map_or(0, |part| part.rows)
    }

    /// Drops the parts that do not hold for this oplog.
    pub fn keep_what_holds(&mut self, oplog: &Oplog, now: Vec<Identity>, meter: &Meter) -> Result<()> {
        let pieces: Vec<&Region> = oplog.pieces().collect();
        // Where the next part has to begin.
        let (mut piece, mut at) = (0, 0);
        let mut good = 0;
        for part in &self.parts {
            if part.piece == piece + 1 && pieces.get(piece).is_some_and(|p| p.len() == at) {
                (piece, at) = (piece + 1, 0);
            }
            if (part.piece, part.start) != (piece, at) || part.end <= part.start {
                break;
            }
            let same = || {
                let bytes = pieces.get(piece).and_then(|p| p.bytes().get(part.start..part.end));
                bytes.is_some_and(|bytes| xxh3_64(bytes) == part.bytes)
            };
            let proven =
                matches!((self.sources.get(piece), now.get(piece)), (Some(a), Some(b)) if a.is_proven(b));
            if !proven && !same() {
                break;
            }
            at = part.end;
            good += 1;
            meter.check("opening the index")?;
        }
        self.parts.truncate(good);
        self.sources = now;
        Ok(())
    }

    /// Whether all of the oplog is indexed.
    pub fn covers(&self, oplog: &Oplog) -> bool {
        let last = oplog.pieces().enumerate().last().map(|(piece, region)| (piece, region.len()));
        self.parts.last().map(|part| (part.piece, part.end)) == last
    }

    /// Whether the columns are those that were written, as far as a few of them tell. (All of
    /// them were on disk before the header was.)
    pub fn describes(&self, columns: &Columns) -> bool {
        let count = self.parts.len();
        (0..count.min(CHECKED)).all(|n| {
            let at = if count <= CHECKED { n } else { n * (count - 1) / (CHECKED - 1) };
            let from = at.checked_sub(1).and_then(|before| self.parts.get(before)).map_or(0, |p| p.rows);
            self.parts
                .get(at)
                .is_some_and(|part| columns.hash(from as usize, part.rows as usize) == part.columns)
        })
    }
}

fn checksum_of(json: &str) -> String {
    format!("{:016x}", xxh3_64(json.as_bytes()))
}
