//! The case: a folder that holds everything about one incident — unpacked inputs, restores with
//! their jobs and results, and a journal of what was decided and done.
//!
//! It holds customers' data: folders are 0700, files 0600. It knows nothing of sources or
//! targets beyond their names.

mod journal;
mod paths;

use std::fs;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

pub use journal::Journal;
pub use paths::{registry_dir, servers_dir, state_home};

use crate::domain::{Error, Result};

/// A case folder, made and accessible.
#[derive(Debug, Clone)]
pub struct Case {
    root: PathBuf,
}

impl Case {
    /// Opens the case for these sources, or makes it: at `dir` if given, else in the state
    /// folder under a name derived from the sources, so that the same command resumes the same
    /// case.
    pub fn open(dir: Option<&Path>, sources: &[PathBuf]) -> Result<Case> {
        let root = match dir {
            Some(dir) => dir.to_owned(),
            None => state_home()?.join("cases").join(paths::name_for(sources)),
        };
        make_private_dir(&root)?;
        Ok(Case { root })
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Its name, for humans.
    pub fn name(&self) -> String {
        self.root.file_name().map_or_else(|| "case".into(), |n| n.to_string_lossy().into_owned())
    }

    /// Where compressed inputs are unpacked to.
    pub fn unpack_dir(&self) -> PathBuf {
        self.root.join("unpacked")
    }

    /// Where the op index is kept.
    pub fn index_dir(&self) -> PathBuf {
        self.root.join("index")
    }

    /// The folder of one restore; made when missing.
    pub fn restore_dir(&self, id: &str) -> Result<PathBuf> {
        let dir = self.root.join("restores").join(id);
        make_private_dir(&dir)?;
        Ok(dir)
    }

    /// The journal.
    pub fn journal(&self) -> Journal {
        Journal::new(self.root.join("journal.ndjson"))
    }
}

/// Makes a folder and its parents for this user only (0700); fine if it is there.
pub fn make_private_dir(dir: &Path) -> Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(|e| {
        Box::new(
            Error::failed("making the folder", dir.display(), e)
                .hint("give another place with --case DIR, or set XDG_STATE_HOME."),
        )
    })
}

/// Writes a private file (0600) beside its place and renames it there: never half a file.
pub fn write_private(path: &Path, bytes: &[u8]) -> Result<()> {
    use std::io::Write;
    let failed = |e: std::io::Error| Box::new(Error::failed("writing", path.display(), e));
    let beside = path.with_extension("tmp");
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&beside)
        .map_err(failed)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(failed)?;
    fs::rename(&beside, path).map_err(failed)
}
