//! The manifest of an archive: one JSON line a slice or gap, synced before it is reported. The
//! slices alone are enough to read the archive; the manifest says what there should be.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use xxhash_rust::xxh3::xxh3_128;

use super::Keep;
use crate::case::write_private;
use crate::domain::coverage::Gap;
use crate::domain::position::time_of;
use crate::domain::{Error, OpTime, Position, Result};
use crate::source::live::folder::survey;
use crate::source::live::recorder::Closed;

/// Its file.
pub const NAME: &str = "manifest.ndjson";
const DOING: &str = "keeping the archive's manifest";

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Line {
    /// A slice on disk.
    Slice(SliceRecord),
    /// What was missed, between the last entry before it and the first behind it.
    Gap {
        /// The last entry before it.
        after: Place,
        /// The first entry behind it.
        before: Place,
    },
}

/// A position with its time and term.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Place {
    /// Where.
    pub pos: Position,
    /// The election term, where it is known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub term: Option<i64>,
}

/// What the manifest says of a slice.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct SliceRecord {
    /// The file's name in the archive.
    pub file: String,
    /// Its first entry: the last of the slice before, where they join.
    pub first: Place,
    /// Its last entry.
    pub last: Place,
    /// How many entries it has.
    pub entries: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The bytes of the file.
    pub stored: u64,
    /// XXH3-128 of the file, 32 hex digits (`xxh128sum`).
    pub checksum: String,
    /// When it was closed.
    pub time: String,
}

/// An open manifest.
#[derive(Debug)]
pub struct Manifest {
    folder: PathBuf,
    lines: Vec<Line>,
}

impl Manifest {
    /// Reads it and holds it against the folder: slices that a killed archiver did not get to
    /// write down are added, lines of slices that are gone are dropped.
    pub fn open(folder: &Path) -> Result<Manifest> {
        let path = folder.join(NAME);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == io::ErrorKind::NotFound => String::new(),
            Err(e) => return Err(failed(&path, e)),
        };
        let mut lines = Vec::new();
        for (number, line) in text.split_inclusive('\n').enumerate() {
            match serde_json::from_str::<Line>(line) {
                Ok(parsed) if line.ends_with('\n') => lines.push(parsed),
                // The last line of one who was killed while writing it: its slice is on disk.
                _ if !line.ends_with('\n') => {}
                Ok(_) => {}
                Err(e) => return Err(failed(&path, format!("line {}: {e}", number + 1))),
            }
        }
        let mut manifest = Manifest { folder: folder.to_owned(), lines };
        manifest.hold_against_folder()?;
        manifest.save()?;
        Ok(manifest)
    }

    /// The newest slice.
    pub fn last(&self) -> Option<&SliceRecord> {
        self.slices().max_by_key(|s| s.last.pos)
    }

    /// The slices, in order.
    pub fn slices(&self) -> impl Iterator<Item = &SliceRecord> {
        self.lines.iter().filter_map(|line| match line {
            Line::Slice(record) => Some(record),
            Line::Gap { .. } => None,
        })
    }

    /// Writes down a slice that is on disk.
    pub fn add(&mut self, closed: &Closed) -> Result<SliceRecord> {
        let record = record(closed)?;
        self.append(Line::Slice(record.clone()))?;
        Ok(record)
    }

    /// Writes down what was missed.
    pub fn add_gap(&mut self, gap: Gap) -> Result<()> {
        let place = |pos| Place { pos, term: None };
        self.append(Line::Gap { after: place(gap.after), before: place(gap.before) })
    }

    /// Removes the oldest slices beyond the bounds, never the newest; gives their names.
    pub fn shorten(&mut self, keep: Keep) -> Result<Vec<String>> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
        let oldest = keep.age.map_or(0, |age| now.saturating_sub(age.as_secs()));
        let mut stored: u64 = self.slices().map(|s| s.stored).sum();
        let mut slices: Vec<SliceRecord> = self.slices().cloned().collect();
        slices.sort_by_key(|s| s.last.pos);
        slices.pop();
        let mut removed = Vec::new();
        for slice in slices {
            let too_old = u64::from(slice.last.pos.secs) < oldest;
            if !too_old && keep.bytes.is_none_or(|bytes| stored <= bytes) {
                break;
            }
            let path = self.folder.join(&slice.file);
            fs::remove_file(&path).map_err(|e| failed(&path, e))?;
            stored = stored.saturating_sub(slice.stored);
            removed.push(slice.file);
        }
        if !removed.is_empty() {
            self.lines.retain(|line| !matches!(line, Line::Slice(s) if removed.contains(&s.file)));
            let first = self.slices().map(|s| s.first.pos).min().unwrap_or(Position::MIN);
            self.lines.retain(|line| !matches!(line, Line::Gap { before, .. } if before.pos < first));
            self.save()?;
        }
        Ok(removed)
    }

    fn hold_against_folder(&mut self) -> Result<()> {
        let mut on_disk = Vec::new();
        for entry in fs::read_dir(&self.folder).map_err(|e| failed(&self.folder, e))? {
            let name = entry.map_err(|e| failed(&self.folder, e))?.file_name().to_string_lossy().into_owned();
            if !name.starts_with('.') && name.ends_with(".bson.zst") {
                on_disk.push(name);
            }
        }
        on_disk.sort();
        self.lines.retain(|line| !matches!(line, Line::Slice(s) if !on_disk.contains(&s.file)));
        for name in on_disk {
            if !self.slices().any(|s| s.file == name) {
                let closed = survey(&self.folder.join(&name))?;
                self.lines.push(Line::Slice(record(&closed)?));
            }
        }
        Ok(())
    }

    fn append(&mut self, line: Line) -> Result<()> {
        let path = self.folder.join(NAME);
        let mut text = serde_json::to_vec(&line).map_err(|e| failed(&path, e))?;
        text.push(b'\n');
        let mut file = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(&path)
            .map_err(|e| failed(&path, e))?;
        file.write_all(&text).and_then(|()| file.sync_data()).map_err(|e| failed(&path, e))?;
        self.lines.push(line);
        Ok(())
    }

    fn save(&self) -> Result<()> {
        let path = self.folder.join(NAME);
        let mut text = Vec::new();
        for line in &self.lines {
            serde_json::to_writer(&mut text, line).map_err(|e| failed(&path, e))?;
            text.push(b'\n');
        }
        write_private(&path, &text)
    }
}

fn record(closed: &Closed) -> Result<SliceRecord> {
    let bytes = fs::read(&closed.path).map_err(|e| failed(&closed.path, e))?;
    let place = |at: OpTime| Place { pos: at.pos, term: Some(at.term) };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    Ok(SliceRecord {
        file: closed.path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default(),
        first: place(closed.first),
        last: place(closed.last),
        entries: closed.entries,
        bytes: closed.bytes,
        stored: bytes.len() as u64,
        checksum: format!("{:032x}", xxh3_128(&bytes)),
        time: time_of(u32::try_from(now).unwrap_or(u32::MAX)),
    })
}

fn failed(path: &Path, cause: impl std::fmt::Display) -> Box<Error> {
    Box::new(
        Error::failed(DOING, format!("{path:?}"), cause)
            .hint("the slices are whole without it: move the manifest away to have it made anew."),
    )
}
