//! Where backups and oplogs come from: dump directories, archives, slices of the oplog, and
//! folders of them. Formats are found by content. Everything is read where it lies, mapped or
//! unpacked once, checked from end to end when it is opened, and never written to.
//!
//! Knows nothing of stops, plans and targets.

pub mod archive;
mod directory;
mod find;
mod frames;
pub mod identity;
pub mod live;
mod mapped;
mod marks;
mod metadata;
mod names;
pub mod oplog;
mod slice;
mod snapshot;
mod unpack;

use std::path::{Path, PathBuf};

pub use oplog::Oplog;
pub use slice::Slice;
pub use snapshot::{Format, Snapshot};

use crate::domain::Result;
use crate::domain::progress::{Meter, Phase};

/// What was found.
#[derive(Debug, Default)]
pub struct Opened {
    /// Base backups, sorted by path.
    pub snapshots: Vec<Snapshot>,
    /// Slices of the oplog, sorted by path; a snapshot's own oplog is in the snapshot.
    pub slices: Vec<Slice>,
    /// What was passed over and what is odd, one sentence each.
    pub notes: Vec<String>,
}

/// Opens sources: dump directories, archives, oplog files, and folders that are searched for all
/// of these. What is compressed is unpacked into `unpack_dir`, which is made private.
///
/// A path that holds none of them is an error; so is anything broken in what was found.
pub fn open(paths: &[PathBuf], unpack_dir: &Path, meter: &Meter) -> Result<Opened> {
    meter.enter(Phase::Open, 0);
    let files = unpack::Files { unpack_dir, meter };
    let mut finder = find::Finder::new(files);
    for path in paths {
        finder.source(path)?;
    }
    Ok(finder.finish())
}

/// Reads one archive from end to end, checksums included. A compressed one is unpacked into
/// `unpack_dir`.
pub fn read_archive(file: &Path, unpack_dir: &Path, meter: &Meter) -> Result<archive::Archive> {
    let files = unpack::Files { unpack_dir, meter };
    archive::read(&files.load(file)?.region, meter)
}
