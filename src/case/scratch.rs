//! Room on the disk for what memory has none for: a file without a name, so that nothing of it is
//! left when the process ends, however that happens.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::domain::{Error, Result};
use crate::engine::input::Region;
use crate::engine::spill::Scratch;

/// Disk that is always left free.
const FLOOR: u64 = 1 << 30;

/// A file in a folder, made when it is first written to; only its user may read it.
#[derive(Debug)]
pub struct ScratchFile {
    dir: PathBuf,
    floor: u64,
    file: Mutex<Option<File>>,
}

impl ScratchFile {
    /// One in this folder. At least 1 GiB of the disk stays free.
    pub fn new(dir: &Path) -> Self {
        ScratchFile { dir: dir.to_owned(), floor: FLOOR, file: Mutex::new(None) }
    }

    fn failed(&self, cause: impl std::fmt::Display) -> Box<Error> {
        Box::new(
            Error::failed("spilling into", format!("{:?}", self.dir), cause)
                .hint("make room there, choose another case folder with --case, or allow more --memory."),
        )
    }

    fn room(&self, needed: u64) -> Result<()> {
        let disk = rustix::fs::statvfs(&self.dir).map_err(|e| self.failed(io::Error::from(e)))?;
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        if free >= self.floor.saturating_add(needed) {
            return Ok(());
        }
        Err(self.failed(format!("the disk has {} MiB free, and 1 GiB has to stay free", free >> 20)))
    }
}

impl Scratch for ScratchFile {
    fn append(&self, bytes: &[u8]) -> Result<()> {
        self.room(bytes.len() as u64)?;
        let mut slot = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let file = match &mut *slot {
            Some(file) => file,
            None => slot.insert(tempfile::tempfile_in(&self.dir).map_err(|e| self.failed(e))?),
        };
        file.write_all(bytes).map_err(|e| self.failed(e))
    }

    fn read(&self) -> Result<Region> {
        let slot = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let origin: Arc<Path> = Arc::from(self.dir.as_path());
        let Some(file) = &*slot else { return Ok(Region::new(Arc::new([0u8; 0]), origin)) };
        // SAFETY: the file has no name, so nobody else can open it, and here it only ever grows.
        let map = unsafe { memmap2::Mmap::map(file) }.map_err(|e| self.failed(e))?;
        Ok(Region::new(Arc::new(map), origin))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_was_written_is_read_and_nothing_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let scratch = ScratchFile::new(dir.path());
        assert!(scratch.read().unwrap().is_empty());
        scratch.append(b"one").unwrap();
        let early = scratch.read().unwrap();
        scratch.append(b"two").unwrap();
        assert_eq!((early.bytes(), scratch.read().unwrap().bytes()), (&b"one"[..], &b"onetwo"[..]));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "it has no name");
    }

    #[test]
    fn a_full_disk_is_an_error_that_says_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let scratch = ScratchFile { floor: u64::MAX / 2, ..ScratchFile::new(dir.path()) };
        let error = scratch.append(b"x").unwrap_err();
        assert!(error.cause.contains("MiB free") && error.hint.contains("--memory"), "{error}");
        let nowhere = ScratchFile::new(&dir.path().join("gone"));
        assert!(nowhere.append(b"x").unwrap_err().place.contains("gone"));
    }
}
