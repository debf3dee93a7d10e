//! Earlier restores of the same case to the same target and stop that did not end: what they left
//! is the beginning of the new one where it is provably theirs and of the same state, and is
//! taken away where it is not of the same state.
//!
//! A worker holds a lock on its folder while it lives, so a killed one is told from one at work.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use super::certificate::Input;
use super::checkpoint;
use super::job::{Job, Outcome, TargetSpec, read, write};
use crate::case::{registry_dir, servers_dir};
use crate::domain::{Class, Error, Namespace, Result};
use crate::target::MARK;
use crate::target::isolated::GRACE;
use crate::target::registry::Record;
use crate::target::{Registry, Seen, remove_partial};

const DOING: &str = "looking for unfinished restores";

/// In a restore's folder: where the server lies that it took over.
pub(super) const SERVER: &str = "server.json";

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

/// A restore that did not end.
pub(super) struct Unfinished {
    dir: PathBuf,
    job: Job,
    /// Whether a later one has taken care of what it left.
    cleared: bool,
}

/// All of those, oldest first.
pub(super) struct Earlier(Vec<Unfinished>);

impl Earlier {
    /// The unfinished ones among the restores of the job's case that had its stop and target. One
    /// that is under way is an error, unless each has a server of its own.
    pub fn of(job: &Job, own: &Path) -> Result<Earlier> {
        let Some(all) = own.parent() else { return Ok(Earlier(Vec::new())) };
        let failed = |e: std::io::Error| Box::new(Error::failed(DOING, all.display(), e));
        let mut found = Vec::new();
        for entry in fs::read_dir(all).map_err(failed)? {
            let dir = entry.map_err(failed)?.path();
            // A job that is half written never had a worker.
            let Ok(Some(earlier)) = read::<Job>(&dir.join("job.json")) else { continue };
            let same = earlier.bound == job.bound && earlier.target == job.target;
            if earlier.id == job.id || !same {
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
                let cleared = dir.join("cleared.json").exists();
                found.push(Unfinished { dir, job: earlier, cleared });
            }
        }
        found.sort_by(|a, b| a.job.id.cmp(&b.job.id));
        Ok(Earlier(found))
    }

    /// Their ids: the marks that may stand on the target.
    pub fn ids(&self) -> Vec<String> {
        self.0.iter().map(|one| one.job.id.clone()).collect()
    }

    fn open(&self) -> impl DoubleEndedIterator<Item = &Unfinished> {
        self.0.iter().filter(|one| !one.cleared)
    }

    /// Those that left something nobody has taken care of.
    pub fn open_ids(&self) -> Vec<String> {
        self.open().map(|one| one.job.id.clone()).collect()
    }

    /// What they claim to have got done, as far as it is of the state that this job makes from
    /// these inputs. Users and roles are not taken over.
    pub fn claims(&self, job: &Job, inputs: &[Input]) -> BTreeMap<Namespace, Seen> {
        let same = self.open().filter(|one| one.job.same_state(job) && !job.with_users);
        same.flat_map(|one| checkpoint::claims(&one.dir, inputs)).collect()
    }

    /// The server of the newest one that can be gone on with.
    pub fn server(&self, job: &Job) -> Result<Option<Record>> {
        let fits = |one: &&Unfinished| {
            one.job.same_state(job)
                && !job.with_users
                && one.job.how.dbpath == job.how.dbpath
                && checkpoint::any(&one.dir)
        };
        let Some(one) = self.open().rev().find(fits) else { return Ok(None) };
        // One that has become a replica set has a log of its own of what happened since.
        Ok(one.record()?.filter(|record| record.incomplete && record.replset.is_none()))
    }

    /// Takes away what is not gone on with: isolated servers but this one, and half an archive. A
    /// dump directory or a server that somebody runs is looked at when it is written to. Gives the
    /// ids of those that had left something.
    pub async fn remove(&self, target: &TargetSpec, but: Option<&Record>) -> Result<Vec<String>> {
        let mut removed = Vec::new();
        for one in self.open() {
            let gone = match target {
                TargetSpec::Isolated => one.remove_server(but).await?,
                TargetSpec::Archive(file) => remove_partial(file, &one.job.id)?,
                TargetSpec::Dump(_) | TargetSpec::Server(_) => false,
            };
            if gone {
                removed.push(one.job.id.clone());
            }
        }
        Ok(removed)
    }

    /// Nobody needs to look at them again.
    pub fn cleared(&self, by: &str) -> Result<()> {
        self.open().try_for_each(|one| write(&one.dir.join("cleared.json"), &serde_json::json!({ "by": by })))
    }
}

/// Says in a restore's folder that its server is this one, which another has begun.
pub(super) fn took_over(own: &Path, server: &Path) -> Result<()> {
    write(&own.join(SERVER), &server)
}

impl Unfinished {
    /// Where its server lies, or would.
    fn server_dir(&self) -> Result<PathBuf> {
        match read::<PathBuf>(&self.dir.join(SERVER))? {
            Some(dir) => Ok(dir),
            None => Ok(servers_dir()?.join(&self.job.id)),
        }
    }

    fn record(&self) -> Result<Option<Record>> {
        let Ok(dir) = fs::canonicalize(self.server_dir()?) else { return Ok(None) };
        let registry = Registry::open(&registry_dir()?)?;
        registry.adopt(&servers_dir()?)?;
        Ok(registry.list()?.records.into_iter().find(|r| r.dir == dir))
    }

    async fn remove_server(&self, but: Option<&Record>) -> Result<bool> {
        let Ok(dir) = fs::canonicalize(self.server_dir()?) else { return Ok(false) };
        if but.is_some_and(|record| record.dir == dir) {
            return Ok(false);
        }
        let Some(record) = self.record()? else {
            // Killed before it said whose it is: at most the mark and an empty folder are in it, and
            // anything else keeps it.
            let _ = fs::remove_dir(dir.join("data"));
            if fs::read_dir(&dir).is_ok_and(|mut all| all.all(|e| e.is_ok_and(|e| e.file_name() == MARK))) {
                let _ = fs::remove_file(dir.join(MARK));
                let _ = fs::remove_dir(&dir);
            }
            return Ok(false);
        };
        let registry = Registry::open(&registry_dir()?)?;
        registry.stop(&record.id, GRACE).await?;
        registry.delete(&record.id)?;
        Ok(true)
    }
}
