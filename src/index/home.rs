//! The folder of an index: who may write to it, and how much room there is.
//!
//! Whoever writes holds it alone, whoever only reads shares it. Where somebody else holds it in
//! the way, a private folder inside it is used, and removed afterwards.

use std::fs::{DirBuilder, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use tempfile::TempDir;

use super::columns;
use crate::domain::{Error, Result};

/// Disk that is always left free.
const FLOOR: u64 = 1 << 30;

/// A folder, and the right to use it.
#[derive(Debug)]
pub(super) struct Home {
    dir: PathBuf,
    /// `None` for a private one.
    lock: Option<File>,
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
        let path = dir.join("lock");
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path);
        let lock = columns::at(dir, file)?;
        let access = if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok() {
            Access::Alone
        } else if flock(&lock, FlockOperation::NonBlockingLockShared).is_ok() {
            Access::Shared
        } else {
            Access::Nothing
        };
        Ok((Home { dir: dir.to_owned(), lock: Some(lock), _private: None }, access))
    }

    /// A folder of its own inside this one.
    pub fn private(&self) -> Result<Home> {
        let made = tempfile::Builder::new().prefix("own-").tempdir_in(&self.dir);
        let private = columns::at(&self.dir, made)?;
        Ok(Home { dir: private.path().to_owned(), lock: None, _private: Some(private) })
    }

    /// Lets others read.
    pub fn share(&self) -> Result<()> {
        let Some(lock) = &self.lock else { return Ok(()) };
        columns::at(&self.dir, flock(lock, FlockOperation::NonBlockingLockShared).map_err(Into::into))
    }

    /// Lets others write.
    pub fn leave(&self) -> Result<()> {
        let Some(lock) = &self.lock else { return Ok(()) };
        columns::at(&self.dir, flock(lock, FlockOperation::Unlock).map_err(Into::into))
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
