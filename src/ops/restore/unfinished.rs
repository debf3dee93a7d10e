//! Earlier restores of the same case to the same target and stop that did not end: what they left
//! is taken away, as far as it is provably theirs, and the new one starts over.
//!
//! A worker holds a lock on its folder while it lives, so a killed one is told from one at work.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use super::job::{Job, Outcome, TargetSpec, read, write};
use crate::case::{registry_dir, servers_dir};
use crate::domain::{Class, Error, Result};
use crate::target::isolated::GRACE;
use crate::target::{Registry, remove_partial};

const DOING: &str = "looking for unfinished restores";

/// Held while a worker lives; the system takes it away however the worker ends.
#[derive(Debug)]
pub(super) struct Lock(#[allow(dead_code)] File);

/// Takes the lock of a restore's folder; `None` when its worker lives.
pub(super) fn lock(dir: &Path) -> Result<Option<Lock>> {
    let path = dir.join("worker.lock");
    let failed = |e: std::io::Error| Box::new(Error::failed(DOING, path.display(), e));
    let file = File::options().create(true).append(true).open(&path).map_err(failed)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(Lock(file))),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
        Err(e) => Err(failed(e.into())),
    }
}

/// An earlier restore that left something behind.
pub(super) struct Unfinished {
    dir: PathBuf,
    /// Its id.
    pub id: String,
}

/// The unfinished ones among the restores of the job's case that had its stop and target. One
/// that is under way is an error, unless each has a server of its own.
pub(super) fn unfinished(job: &Job, own: &Path) -> Result<Vec<Unfinished>> {
    let Some(all) = own.parent() else { return Ok(Vec::new()) };
    let failed = |e: std::io::Error| Box::new(Error::failed(DOING, all.display(), e));
    let mut found = Vec::new();
    for entry in fs::read_dir(all).map_err(failed)? {
        let dir = entry.map_err(failed)?.path();
        // A job that is half written never had a worker.
        let Ok(Some(earlier)) = read::<Job>(&dir.join("job.json")) else { continue };
        let same = earlier.bound == job.bound && earlier.target == job.target;
        if earlier.id == job.id || !same || dir.join("cleared.json").exists() {
            continue;
        }
        let Some(_lock) = lock(&dir)? else {
            if job.target == TargetSpec::Isolated.shown() {
                continue;
            }
            return Error::refused(
                "restoring into",
                &job.target,
                format!("the restore {} does just that now", earlier.id),
            )
            .hint("wait for it, or stop it.")
            .err();
        };
        let outcome: Option<Outcome> = read(&dir.join("result.json")).ok().flatten();
        // What differs is kept as it is, for whoever wants to know why.
        let kept = [0, Class::Differs.exit_code()];
        if outcome.is_none_or(|o| !kept.contains(&o.exit)) {
            found.push(Unfinished { dir, id: earlier.id });
        }
    }
    Ok(found)
}

impl Unfinished {
    /// Removes the isolated server it left, or the partial dump; says whether there was any.
    pub(super) async fn remove(&self, target: &TargetSpec) -> Result<bool> {
        match target {
            TargetSpec::Isolated => self.remove_server().await,
            TargetSpec::Dump(dir) => remove_partial(dir, &self.id),
            TargetSpec::Server(_) => Ok(false),
        }
    }

    async fn remove_server(&self) -> Result<bool> {
        let servers = servers_dir()?;
        let Ok(dir) = fs::canonicalize(servers.join(&self.id)) else { return Ok(false) };
        let registry = Registry::open(&registry_dir()?)?;
        registry.adopt(&servers)?;
        let Some(record) = registry.list()?.records.into_iter().find(|r| r.dir == dir) else {
            // Killed before it said whose it is: nothing can be in it.
            return Ok(fs::remove_dir(&dir).is_ok());
        };
        registry.stop(&record.id, GRACE).await?;
        registry.delete(&record.id)?;
        Ok(true)
    }

    /// Nobody needs to look at it again.
    pub(super) fn cleared(&self, by: &str) -> Result<()> {
        write(&self.dir.join("cleared.json"), &serde_json::json!({ "by": by }))
    }
}
