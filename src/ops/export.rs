//! Findings as files of somebody's choice: private (0600), whole or not at all, and never over
//! something that is there.

use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::NamedTempFile;

use super::diff::{Diff, DiffRequest, Sink, diff_into};
use super::lines::{diff_document, diff_namespace, diff_sides};
use super::{Workspace, findings};
use crate::domain::diff_filter::{Differing, DocumentFilter};
use crate::domain::progress::Meter;
use crate::domain::{Error, Namespace, Result};

const WRITING: &str = "writing";

fn failed(path: &Path, cause: impl std::fmt::Display) -> Box<Error> {
    Box::new(Error::failed(WRITING, path.display(), cause).hint("choose another place, or free some space."))
}

/// A file on its way: what is written so far lies beside its place.
struct NewFile {
    path: PathBuf,
    file: BufWriter<NamedTempFile>,
    lines: u64,
}

impl NewFile {
    fn create(path: &Path) -> Result<NewFile> {
        let taken = || {
            Error::refused(WRITING, path.display(), "there is something of that name already")
                .hint("choose another name; nothing is ever written over.")
        };
        if path.symlink_metadata().is_ok() {
            return taken().err();
        }
        let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let file =
            tempfile::Builder::new().prefix(".pitstop-").tempfile_in(parent).map_err(|e| failed(path, e))?;
        Ok(NewFile { path: path.to_owned(), file: BufWriter::new(file), lines: 0 })
    }

    fn line(&mut self, text: &str) -> Result<()> {
        self.lines += 1;
        writeln!(self.file, "{text}").map_err(|e| failed(&self.path, e))
    }

    fn json(&mut self, value: &Value) -> Result<()> {
        self.line(&value.to_string())
    }

    /// Puts it in its place; gives how many lines it has.
    fn finish(self) -> Result<u64> {
        let path = self.path;
        let file = self.file.into_inner().map_err(|e| failed(&path, e.error()))?;
        file.as_file().sync_all().map_err(|e| failed(&path, e))?;
        file.persist_noclobber(&path).map_err(|e| failed(&path, e.error))?;
        Ok(self.lines)
    }
}

/// Writes a text; gives how many lines it has.
pub fn text(workspace: &Workspace, what: &str, text: &str, path: &Path) -> Result<u64> {
    let mut file = NewFile::create(path)?;
    for line in text.lines() {
        file.line(line)?;
    }
    let lines = file.finish()?;
    findings::exported(workspace, what, path, lines)?;
    Ok(lines)
}

/// Writes a difference as the lines that `diff --json` prints, with every document that the
/// filter leaves; gives what is compared, and how many lines were written.
pub fn diff(
    workspace: &Workspace,
    request: &DiffRequest,
    filter: &DocumentFilter,
    path: &Path,
    meter: &Meter,
) -> Result<(Diff, u64)> {
    let mut file = NewFile::create(path)?;
    // The numbers come first and are known last: documents wait in a file without a name.
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let waiting = tempfile::tempfile_in(parent).map_err(|e| failed(path, e))?;
    let mut documents = Documents { filter, path, out: BufWriter::new(waiting), lines: 0 };
    let found = diff_into(workspace, request, meter, &mut documents)?;
    file.json(&diff_sides(&found))?;
    for ns in &found.namespaces {
        file.json(&diff_namespace(ns))?;
    }
    file.lines += documents.lines;
    let mut waiting = documents.out.into_inner().map_err(|e| failed(path, e.error()))?;
    waiting
        .seek(SeekFrom::Start(0))
        .and_then(|_| std::io::copy(&mut waiting, &mut file.file))
        .map_err(|e| failed(path, e))?;
    let lines = file.finish()?;
    findings::exported(workspace, "the difference", path, lines)?;
    Ok((found, lines))
}

struct Documents<'e> {
    filter: &'e DocumentFilter,
    path: &'e Path,
    out: BufWriter<std::fs::File>,
    lines: u64,
}

impl Sink for Documents<'_> {
    fn document(&mut self, ns: &Namespace, document: &Differing<'_>) -> Result<()> {
        if !self.filter.matches(document) {
            return Ok(());
        }
        self.lines += 1;
        let line = diff_document(&super::diff::show(ns, document));
        writeln!(self.out, "{line}").map_err(|e| failed(self.path, e))
    }

    fn is_full(&self, _: &Namespace) -> bool {
        false
    }

    fn passed_over(&mut self, _: &Namespace) {}
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_file_is_private_and_never_written_over() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out.ndjson");
        let mut file = NewFile::create(&path).unwrap();
        file.line("one").unwrap();
        assert!(!path.exists(), "it is there when it is whole");
        assert_eq!(file.finish().unwrap(), 1);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "one\n");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert!(NewFile::create(&path).is_err());
        // Also when somebody was faster.
        let other = dir.path().join("other");
        let file = NewFile::create(&other).unwrap();
        std::fs::write(&other, "theirs").unwrap();
        assert!(file.finish().is_err());
        assert_eq!(std::fs::read_to_string(&other).unwrap(), "theirs");
        let left: Vec<_> = std::fs::read_dir(dir.path()).unwrap().collect();
        assert_eq!(left.len(), 2, "nothing stays beside: {left:?}");
    }
}
