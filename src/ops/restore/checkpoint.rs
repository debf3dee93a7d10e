//! What a restore has got done, in its folder: a line for every collection that has arrived. The
//! next try of the same restore reads the target by it, and sends only what is missing.
//!
//! The first line says from what the state was made. Only where a later try is made from the very
//! same are the lines claims about its state; and a claim is never believed, only looked up.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::certificate::Input;
use crate::domain::{Error, Namespace, Result};
use crate::target::{Ledger, Seen};

const FILE: &str = "checkpoints.ndjson";

/// From what a state is made, besides the job: the same makes the same state.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
struct Made {
    pitstop: String,
    inputs: Vec<Input>,
}

impl Made {
    fn of(inputs: &[Input]) -> Made {
        Made { pitstop: env!("CARGO_PKG_VERSION").to_owned(), inputs: inputs.to_vec() }
    }
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Line {
    ns: Namespace,
    seen: Seen,
}

/// The claims of the restore in this folder, if it was made from the same; empty where it had got
/// nothing done or was made from something else.
pub(super) fn claims(dir: &Path, inputs: &[Input]) -> BTreeMap<Namespace, Seen> {
    let text = std::fs::read_to_string(dir.join(FILE)).unwrap_or_default();
    let mut lines = text.lines();
    let made = lines.next().and_then(|line| serde_json::from_str::<Made>(line).ok());
    if inputs.is_empty() || made != Some(Made::of(inputs)) {
        return BTreeMap::new();
    }
    // A line that was cut off is none.
    lines.filter_map(|l| serde_json::from_str::<Line>(l).ok()).map(|l| (l.ns, l.seen)).collect()
}

/// Whether the restore in this folder got anything done.
pub(super) fn any(dir: &Path) -> bool {
    std::fs::read_to_string(dir.join(FILE)).is_ok_and(|text| text.lines().nth(1).is_some())
}

/// Those of a restore under way.
pub(super) struct Checkpoints {
    path: PathBuf,
    file: Mutex<File>,
    known: BTreeMap<Namespace, Seen>,
}

impl Checkpoints {
    /// Begins, with the claims of earlier tries.
    pub fn begin(dir: &Path, inputs: &[Input], known: BTreeMap<Namespace, Seen>) -> Result<Checkpoints> {
        let path = dir.join(FILE);
        let failed = |e: std::io::Error| Error::failed("writing the checkpoints", path.display(), e);
        let open = OpenOptions::new().create(true).append(true).mode(0o600).open(&path);
        let checkpoints = Checkpoints { file: Mutex::new(open.map_err(failed)?), path, known };
        checkpoints.write(&Made::of(inputs))?;
        for (ns, seen) in &checkpoints.known {
            checkpoints.note(ns, seen)?;
        }
        Ok(checkpoints)
    }

    fn write(&self, line: &impl serde::Serialize) -> Result<()> {
        let failed =
            |e: std::io::Error| Box::new(Error::failed("writing the checkpoints", self.path.display(), e));
        let mut text = serde_json::to_string(line).map_err(|e| failed(e.into()))?;
        text.push('\n');
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(text.as_bytes()).map_err(failed)
    }
}

impl Ledger for Checkpoints {
    fn noted(&self, ns: &Namespace) -> Option<Seen> {
        self.known.get(ns).copied()
    }

    fn note(&self, ns: &Namespace, seen: &Seen) -> Result<()> {
        self.write(&Line { ns: ns.clone(), seen: *seen })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    fn input(hash: &str) -> Vec<Input> {
        vec![Input { file: PathBuf::from("/a"), bytes: 7, xxh3_128: hash.to_owned() }]
    }

    #[test]
    fn claims_are_of_the_same_inputs_only_and_a_cut_off_line_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let seen = |count| Seen {
            digest: crate::engine::output::Digest { count, bytes: 9, sum: u128::MAX - 1 },
            order: 1 << 100,
        };
        let (a, b) = (Namespace::parse("a.x"), Namespace::parse("a.y.z"));
        let begun = Checkpoints::begin(dir.path(), &input("1"), BTreeMap::new()).unwrap();
        assert!(!any(dir.path()) && claims(dir.path(), &input("1")).is_empty());
        begun.note(&a, &seen(1)).unwrap();
        begun.note(&b, &seen(2)).unwrap();
        let want = BTreeMap::from([(a.clone(), seen(1)), (b, seen(2))]);
        assert!(any(dir.path()));
        assert_eq!(claims(dir.path(), &input("1")), want);
        assert!(claims(dir.path(), &input("2")).is_empty() && claims(dir.path(), &[]).is_empty());

        // Handed on, before anything new is done.
        let next = tempfile::tempdir().unwrap();
        Checkpoints::begin(next.path(), &input("1"), want.clone()).unwrap();
        assert_eq!(claims(next.path(), &input("1")), want);
        let path = next.path().join(FILE);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, &text[..text.len() - 9]).unwrap();
        assert_eq!(claims(next.path(), &input("1")).into_keys().collect::<Vec<_>>(), [a]);
    }
}
