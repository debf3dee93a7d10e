//! The case: a folder that holds everything about one incident — unpacked inputs, restores with
//! their jobs and results, and a journal of what was decided and done.
//!
//! It holds customers' data: folders are 0700, files 0600. It knows nothing of sources or
//! targets beyond their names.

mod journal;
mod paths;
mod scratch;

use std::fs;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

pub use journal::Journal;
pub use paths::{registry_dir, servers_dir, state_home};
pub use scratch::ScratchFile;

use crate::domain::{Error, Result};

const JOURNAL: &str = "journal.ndjson";

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

    /// A case that is there: a folder, or a name in the state folder. Nothing is made.
    pub fn existing(named: &Path) -> Result<Case> {
        let cases = state_home()?.join("cases");
        let is_name = named.components().count() == 1;
        let places = [Some(named.to_owned()), is_name.then(|| cases.join(named))];
        let found = places.into_iter().flatten().map(|root| Case { root }).find(Case::has_journal);
        found.ok_or_else(|| {
            let known: Vec<String> = Case::all().into_iter().flatten().map(|(case, _)| case.name()).collect();
            let hint = match known.as_slice() {
                [] => "no case has been opened yet.".to_owned(),
                names => format!("the cases are: {}.", names.join(", ")),
            };
            Box::new(Error::usage("looking for the case", format!("{named:?}"), "there is none").hint(hint))
        })
    }

    /// All cases in the state folder with the time of their last line, the newest last.
    pub fn all() -> Result<Vec<(Case, SystemTime)>> {
        let dir = state_home()?.join("cases");
        let entries = match fs::read_dir(&dir) {
            Ok(entries) => entries,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Error::failed("reading the cases in", dir.display(), e).err(),
        };
        let mut cases: Vec<(Case, SystemTime)> = entries
            .filter_map(|entry| {
                let case = Case { root: entry.ok()?.path() };
                let written = fs::metadata(case.root.join(JOURNAL)).and_then(|m| m.modified()).ok()?;
                Some((case, written))
            })
            .collect();
        cases.sort_by(|a, b| (a.1, &a.0.root).cmp(&(b.1, &b.0.root)));
        Ok(cases)
    }

    fn has_journal(&self) -> bool {
        self.root.join(JOURNAL).is_file()
    }

    /// What became of a restore, as JSON; `None` while there is nothing.
    pub fn result(&self, id: &str) -> Result<Option<serde_json::Value>> {
        // Ids come out of a journal: never a way out of the case.
        if id.is_empty() || !id.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-') {
            return Ok(None);
        }
        let path = self.root.join("restores").join(id).join("result.json");
        match fs::read(&path) {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(e) => Error::failed("reading", path.display(), e).err(),
        }
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

    /// A file for what memory has no room for; gone when it is dropped.
    pub fn scratch(&self) -> ScratchFile {
        ScratchFile::new(&self.root)
    }

    /// The journal.
    pub fn journal(&self) -> Journal {
        Journal::new(self.root.join(JOURNAL))
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
