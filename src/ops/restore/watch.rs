//! The front's side of a restore: start the worker, read its progress, ask it to stop.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::job::{Job, Outcome, TargetSpec, read, write};
use crate::case::Case;
use crate::domain::progress::Reading;
use crate::domain::{Error, Result};

/// A restore that somebody watches. Dropping it leaves the worker running.
#[derive(Debug)]
pub struct Watch {
    dir: PathBuf,
    child: Child,
}

/// Writes the job and starts its worker. `target` carries what the job must not: the URI.
pub fn start(job: &Job, target: &TargetSpec) -> Result<Watch> {
    let case = Case::open(Some(&job.case), &[])?;
    let dir = case.restore_dir(&job.id)?;
    write(&dir.join("job.json"), job)?;
    let failed = |e: std::io::Error| Error::failed("starting the restore in", dir.display(), e);
    let log = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(dir.join("worker.log"))
        .map_err(failed)?;
    let program = std::env::current_exe().map_err(failed)?;
    let mut child = Command::new(program)
        .arg("restore-worker")
        .arg(&dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .map_err(failed)?;
    if let Some(mut stdin) = child.stdin.take() {
        let secret = match target {
            TargetSpec::Server(uri) => uri.as_str(),
            _ => "",
        };
        // A worker that died already says why in its log; waiting for it tells.
        let _ = stdin.write_all(secret.as_bytes());
    }
    Ok(Watch { dir, child })
}

impl Watch {
    /// The folder of this restore.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What the worker does right now; `None` before its first word.
    pub fn progress(&self) -> Option<Reading> {
        read(&self.dir.join("progress.json")).ok().flatten()
    }

    /// The outcome, once there is one. A worker that ended without a word is an error with the
    /// end of its log.
    pub fn outcome(&mut self) -> Result<Option<Outcome>> {
        let ended = self.child.try_wait().map_err(|e| Error::failed("waiting for the restore", "", e))?;
        let path = self.dir.join("result.json");
        if let Some(outcome) = read(&path)? {
            return Ok(ended.map(|_| outcome));
        }
        match ended {
            None => Ok(None),
            Some(status) => {
                let log = std::fs::read_to_string(self.dir.join("worker.log")).unwrap_or_default();
                let tail =
                    log.lines().rev().take(5).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>();
                Error::failed(
                    "restoring",
                    self.dir.display(),
                    format!("the worker ended without a result ({status}) {}", tail.join(" | ")),
                )
                .hint("whatever it has begun stays marked as incomplete until it is proven; run the same command again.")
                .err()
            }
        }
    }

    /// Asks the worker to stop at its next check.
    pub fn cancel(&self) {
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            // It may have ended this moment; then there is nothing to stop.
            let _ = kill_process(pid, Signal::TERM);
        }
    }
}
