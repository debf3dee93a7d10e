//! The server of our own that a restore goes to: started anew, or gone on with where an earlier
//! try left one.

use std::path::{Path, PathBuf};

use super::destinations::started_over;
use super::job::{Job, Restored};
use super::unfinished::took_over;
use crate::case::{registry_dir, servers_dir};
use crate::domain::Result;
use crate::domain::progress::Meter;
use crate::ops::preflight::Place;
use crate::target::isolated::GRACE;
use crate::target::registry::{Record, RunState};
use crate::target::{Isolated, IsolatedOptions, Mongod, Registry, find_mongod, require_space};

/// A server that takes documents.
pub(super) struct Ready {
    pub isolated: Isolated,
    /// Things to know.
    pub notes: Vec<String>,
    mongod: Mongod,
    fresh: bool,
}

impl Ready {
    /// Starts one, or goes on with the one that was left. Whatever happens to this process,
    /// `pitstop targets` knows of it.
    pub async fn start(job: Job, own: PathBuf, left: Option<Record>) -> Result<Ready> {
        let mongod = find_mongod(job.mongod.as_deref(), None)?;
        let mut notes = Vec::new();
        if let Some(record) = left {
            // On a disk that is still full it would fail again, and what it holds be lost.
            require_space(&record.dbpath, 0)?;
            if let Ok(isolated) = go_on(&record, &mongod).await {
                register(&isolated, &job)?;
                took_over(&own, &isolated.dir)?;
                return Ok(Ready { isolated, notes, mongod, fresh: false });
            }
            // It was killed before it let anybody in, or its data are beyond repair.
            let registry = Registry::open(&registry_dir()?)?;
            registry.stop(&record.id, GRACE).await?;
            registry.delete(&record.id)?;
            notes.push(started_over(&record.id));
        }
        let servers = servers_dir()?;
        crate::case::make_private_dir(&servers)?;
        let dbpath = job.how.dbpath.clone();
        require_space(dbpath.as_deref().unwrap_or(&servers), 0)?;
        let options = IsolatedOptions {
            port: job.port,
            dbpath,
            ..IsolatedOptions::new(servers.join(&job.id), mongod.clone())
        };
        let isolated = Isolated::start(options, &Meter::default()).await?;
        register(&isolated, &job)?;
        Ok(Ready { isolated, notes, mongod, fresh: true })
    }

    /// As a place for a state.
    pub fn place(&self) -> Place {
        Place::isolated(&self.mongod, &self.isolated.dbpath)
    }

    /// Whether nothing can be in it yet.
    pub fn is_fresh(&self) -> bool {
        self.fresh
    }

    /// Makes it the only node of a replica set of this name.
    pub async fn become_replica_set(&mut self, job: &Job, name: &str) -> Result<()> {
        self.isolated = self.isolated.become_replica_set(&self.mongod, name).await?;
        register(&self.isolated, job)
    }

    /// As it is told.
    pub fn restored(&self) -> Restored {
        let (isolated, (a, b, c)) = (&self.isolated, self.mongod.version);
        Restored::Isolated {
            id: isolated.id.clone(),
            uri: isolated.uri(),
            user: isolated.user.clone(),
            password_file: isolated.password_file.clone(),
            pid: isolated.pid,
            version: format!("{a}.{b}.{c}"),
            dbpath: isolated.dbpath.clone(),
            replset: isolated.replset.clone(),
        }
    }
}

async fn go_on(record: &Record, mongod: &Mongod) -> Result<Isolated> {
    let isolated = record.isolated();
    if record.state == RunState::Running {
        isolated.connect().await?;
        return Ok(isolated);
    }
    isolated.start_again(mongod, None).await
}

fn register(isolated: &Isolated, job: &Job) -> Result<()> {
    Registry::open(&registry_dir()?)?.add(isolated, Some(&shown(&job.case))).map(drop)
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// Stops a server that holds nothing of use, and removes its data.
pub(super) async fn discard(isolated: &Isolated) -> Result<()> {
    let registry = Registry::open(&registry_dir()?)?;
    registry.stop(&isolated.id, GRACE).await?;
    registry.delete(&isolated.id)
}
