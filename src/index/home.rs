//! The folder of an index: who may write to it, and how much room there is.
//!
//! Whoever writes holds it alone, whoever only reads shares it. Where somebody else holds it in
//! the way, a private folder inside it is used, and removed afterwards; what is left of one whose
//! user was killed, the next who holds the folder alone removes.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use tempfile::TempDir;

use super::columns;
use crate::domain::{Error, Result};

/// Disk that is always left free.
const FLOOR: u64 = 1 << 30;

/// The file that stands for a folder.
const LOCK: &str = "lock";

/// How the names of private folders begin.
const PRIVATE: &str = "own-";

/// A folder, and the right to use it.
#[derive(Debug)]
pub(super) struct Home {
    dir: PathBuf,
    lock: File,
    /// Removed with this.
    _private: Option<TempDir>,
}

/// What one may do in a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// Read and write.
    Alone,
    /// Read: others do too.
    Shared,
    /// Nothing: somebody writes.
    Nothing,
}

impl Home {
    /// Makes the folder and takes the most access there is.
    pub fn open(dir: &Path) -> Result<(Home, Access)> {
        columns::at(dir, DirBuilder::new().recursive(true).mode(0o700).create(dir))?;
        let lock = columns::at(dir, lock_file(dir))?;
        let access = if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok() {
            columns::at(dir, sweep(dir))?;
            Access::Alone
        } else if flock(&lock, FlockOperation::NonBlockingLockShared).is_ok() {
            Access::Shared
        } else {
            Access::Nothing
        };
        Ok((Home { dir: dir.to_owned(), lock, _private: None }, access))
    }

    /// A folder of its own inside this one.
    pub fn private(&self) -> Result<Home> {
        let make = || {
            let made = tempfile::Builder::new().prefix(PRIVATE).tempdir_in(&self.dir)?;
            let lock = lock_file(made.path())?;
            flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
            Ok(Home { dir: made.path().to_owned(), lock, _private: Some(made) })
        };
        columns::at(&self.dir, make())
    }

    /// Lets others read.
    pub fn share(&self) -> Result<()> {
        columns::at(&self.dir, flock(&self.lock, FlockOperation::NonBlockingLockShared).map_err(Into::into))
    }

    /// Lets others write.
    pub fn leave(&self) -> Result<()> {
        columns::at(&self.dir, flock(&self.lock, FlockOperation::Unlock).map_err(Into::into))
    }

    /// Where it is.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// An error unless the disk takes this many bytes and keeps the floor.
    pub fn room(&self, needed: u64) -> Result<()> {
        let disk = columns::at(&self.dir, rustix::fs::statvfs(&self.dir).map_err(Into::into))?;
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        if free >= FLOOR.saturating_add(needed) {
            return Ok(());
        }
        let cause = format!("the disk has {} MiB free, and 1 GiB has to stay free", free >> 20);
        Error::failed("indexing into", format!("{:?}", self.dir), cause)
            .hint("make room there or choose another case folder with --case.")
            .err()
    }
}

fn lock_file(dir: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(dir.join(LOCK))
}

/// Removes private folders that nobody holds.
fn sweep(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default();
        if !name.as_encoded_bytes().starts_with(PRIVATE.as_bytes()) {
            continue;
        }
        // One without its lock is being made just now.
        let lock = OpenOptions::new().write(true).open(path.join(LOCK));
        if lock.is_ok_and(|lock| flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok()) {
            fs::remove_dir_all(&path)?;
        }
    }
    Ok(())
}
