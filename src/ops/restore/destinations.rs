//! From the job to its target: what earlier tries left, the plan, and then one of four ways: a
//! server of our own, one that somebody runs, a dump directory, an archive. However it ends, it
//! is said what is there.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use super::certificate;
use super::checkpoint::Checkpoints;
use super::isolated::{Ready, discard};
use super::job::{Job, Outcome, Restored, TargetSpec};
use super::unfinished::Earlier;
use crate::case::Journal;
use crate::domain::progress::{Meter, Phase};
use crate::domain::{Class, Error, Result};
use crate::engine::output::State;
use crate::ops::Workspace;
use crate::ops::memory::Memory;
use crate::ops::plan::{PlanRequest, Planned, plan};
use crate::ops::preflight::{Place, preflight};
use crate::ops::select::Selected;
use crate::ops::walk::WalkOptions;
use crate::target::{DumpOptions, LoadOptions, Loaded, Server, Ttl, Verification, write_dump};

/// A restore under way.
pub(super) struct Work<'w> {
    pub runtime: &'w tokio::runtime::Runtime,
    /// Its folder.
    pub dir: &'w Path,
    pub job: &'w Job,
    pub target: &'w TargetSpec,
    pub earlier: &'w Earlier,
    pub meter: &'w Meter,
}

impl Work<'_> {
    /// Plans and carries out; `outcome` says what became of it, also on an error.
    pub fn carry_out(&self, workspace: &Workspace, journal: &Journal, outcome: &mut Outcome) -> Result<()> {
        let Work { runtime, job, target, earlier, meter, .. } = *self;
        for id in earlier.open_ids() {
            journal
                .record("restore-goes-on-from", serde_json::json!({ "restore": job.id, "unfinished": id }))?;
        }
        let left = match target {
            TargetSpec::Isolated => earlier.server(job)?,
            _ => None,
        };
        for id in runtime.block_on(earlier.remove(target, left.as_ref()))? {
            outcome.notes.push(started_over(&id));
        }
        // The server starts while the oplog is walked; both are needed before the first write.
        let starting = match target {
            TargetSpec::Isolated => Some(runtime.spawn(Ready::start(job.clone(), self.dir.to_owned(), left))),
            _ => None,
        };
        // What goes in is hashed while the log is walked: both read it, from the disk once.
        let request = request(job);
        let planned = std::thread::scope(|scope| {
            let base = crate::ops::plan::base(workspace, job.snapshot.as_deref(), job.bound).ok();
            let hashing = base.map(|base| scope.spawn(|| certificate::inputs(workspace, base)));
            let planned = plan(workspace, &request, meter);
            outcome.inputs = hashing.and_then(|h| h.join().ok()).unwrap_or_default();
            planned
        });
        let started = match starting {
            Some(task) => Some(runtime.block_on(task).map_err(|e| Error::failed("starting mongod", "", e))?),
            None => None,
        };
        let result = match (planned, started) {
            (Ok(planned), Some(Ok(ready))) => {
                self.begin(&planned, outcome).and_then(|(state, checkpoints)| {
                    self.to_isolated(&planned, &state, checkpoints, ready, outcome)
                })
            }
            (Ok(planned), None) => self
                .begin(&planned, outcome)
                .and_then(|(state, checkpoints)| self.to_other(&planned, &state, checkpoints, outcome)),
            (Ok(_), Some(Err(error))) => Err(error),
            (Err(error), started) => {
                // Nothing has been written: the fresh server is of no use to anybody.
                if let Some(Ok(ready)) = started.filter(|s| s.as_ref().is_ok_and(|ready| ready.is_fresh())) {
                    runtime.block_on(discard(&ready.isolated))?;
                }
                Err(error)
            }
        };
        result.map_err(|error| self.told(error, outcome))
    }

    /// The state, and where its progress is written down, from what earlier tries claim.
    fn begin<'p>(
        &self,
        planned: &'p Planned<'p>,
        outcome: &mut Outcome,
    ) -> Result<(Selected<'p>, Arc<Checkpoints>)> {
        outcome.planned(&planned.plan);
        outcome.notes.extend(planned.plan.notes.iter().cloned());
        let state = Selected::new(&planned.walk.state, &self.job.selection())?;
        let claims = self.earlier.claims(self.job, &outcome.inputs);
        let checkpoints = Checkpoints::begin(self.dir, &outcome.inputs, claims)?;
        Ok((state, Arc::new(checkpoints)))
    }

    fn to_isolated(
        &self,
        planned: &Planned<'_>,
        state: &dyn State,
        checkpoints: Arc<Checkpoints>,
        mut ready: Ready,
        outcome: &mut Outcome,
    ) -> Result<()> {
        let Work { runtime, job, earlier, meter, .. } = *self;
        outcome.notes.append(&mut ready.notes);
        match preflight(state, planned.snapshot, &ready.place()) {
            Ok(notes) => outcome.notes.extend(notes),
            Err(error) => {
                // Of one that is gone on with, what it holds is kept: there may be room later.
                if ready.is_fresh() {
                    runtime.block_on(discard(&ready.isolated))?;
                }
                return Err(error);
            }
        }
        earlier.cleared(&job.id)?;
        outcome.restored = Some(ready.restored());
        let loaded: Result<()> = runtime.block_on(async {
            let server = ready.isolated.connect().await?;
            server.try_queries(&job.how.checks.queries, job.bound).await?;
            let (users, rest) = (Selected::treated(state, true), Selected::treated(state, false));
            outcome.notes.extend(server.load_users(&users, &job.id).await?);
            let options = self.load_options(Ttl::Keep, checkpoints.clone());
            let (loaded, mut found) = server.load_and_compare(&rest, &options, meter).await?;
            self.say_loaded(&loaded, outcome);
            let mut server = server;
            if let Some(name) = job.how.replset.as_deref().filter(|_| found.ok()) {
                meter.enter(Phase::Start, 0);
                ready.become_replica_set(job, name).await?;
                outcome.restored = Some(ready.restored());
                server = ready.isolated.connect().await?;
                found = server.verify(&rest, &loaded, meter).await?;
            }
            self.conclude(&server, &rest, found, outcome).await?;
            ready.isolated.complete()?;
            outcome.done(meter);
            Ok(())
        });
        let Err(error) = loaded else { return Ok(()) };
        if error.class == Class::Differs {
            return Err(error);
        }
        let died = ready.isolated.obituary();
        let error = match &died {
            Some(last) => {
                Box::new(Error { cause: format!("{}; mongod says: {last}", error.cause), ..*error })
            }
            None => error,
        };
        if died.is_some() && super::checkpoint::any(self.dir) && error.class == Class::Failed {
            let id = &ready.isolated.id;
            outcome.notes.push(format!(
                "what was loaded is kept, marked as incomplete: the same command goes on from there; \
                 `pitstop targets stop {id} --delete` removes it"
            ));
            return Err(error);
        }
        runtime.block_on(discard(&ready.isolated))?;
        outcome.restored = None;
        outcome.notes.push("the unfinished isolated server was stopped and removed".into());
        Err(error)
    }

    fn to_other(
        &self,
        planned: &Planned<'_>,
        state: &dyn State,
        checkpoints: Arc<Checkpoints>,
        outcome: &mut Outcome,
    ) -> Result<()> {
        match self.target {
            TargetSpec::Dump(dir) => self.to_dump(dir, planned, state, &checkpoints, outcome),
            TargetSpec::Archive(file) => self.to_archive(file, planned, state, outcome),
            TargetSpec::Server(uri) => {
                self.runtime.block_on(self.to_server(uri, planned, state, checkpoints, outcome))
            }
            TargetSpec::Isolated => Ok(()),
        }
    }

    fn to_dump(
        &self,
        dir: &Path,
        planned: &Planned<'_>,
        state: &dyn State,
        checkpoints: &Checkpoints,
        outcome: &mut Outcome,
    ) -> Result<()> {
        outcome.notes.extend(preflight(state, planned.snapshot, &Place::dump(dir))?);
        let earlier = self.earlier.ids();
        let there = crate::target::any_partial(dir, &earlier);
        let options = DumpOptions {
            server_version: planned.snapshot.server_version.as_deref(),
            restore_id: &self.job.id,
            earlier: &earlier,
            ledger: checkpoints,
        };
        let written = write_dump(dir, state, &options, self.meter)?;
        self.earlier.cleared(&self.job.id)?;
        outcome.notes.extend(there.map(|id| went_on(&id, written.kept)));
        outcome.restored = Some(Restored::Dump { dir: dir.to_owned() });
        judge(&written.verification, outcome)?;
        outcome.done(self.meter);
        Ok(())
    }

    async fn to_server(
        &self,
        uri: &str,
        planned: &Planned<'_>,
        state: &dyn State,
        checkpoints: Arc<Checkpoints>,
        outcome: &mut Outcome,
    ) -> Result<()> {
        let Work { job, earlier, meter, .. } = *self;
        let server = Server::connect(uri).await?;
        guard(&server, planned).await?;
        let place = Place::server(&server).await?;
        outcome.notes.extend(preflight(state, planned.snapshot, &place)?);
        server.try_queries(&job.how.checks.queries, job.bound).await?;
        let (users, rest) = (Selected::treated(state, true), Selected::treated(state, false));
        if job.with_users
            && let Some(id) = server.remove_unfinished(&earlier.ids()).await?
        {
            outcome.notes.push(started_over(&id));
        }
        let ttl = if job.defer_ttl { Ttl::Defer } else { Ttl::Refuse };
        let options = self.load_options(ttl, checkpoints);
        let marked = server.unfinished(&options.earlier).await?;
        if marked.is_none() {
            server.require_empty().await?;
        }
        outcome.restored = Some(Restored::Server { uri: server.address().to_owned() });
        outcome.notes.extend(server.load_users(&users, &job.id).await?);
        let (loaded, found) = server.load_and_compare(&rest, &options, meter).await?;
        earlier.cleared(&job.id)?;
        outcome.notes.extend(marked.map(|id| went_on(&id, loaded.kept)));
        self.say_loaded(&loaded, outcome);
        self.conclude(&server, &rest, found, outcome).await?;
        outcome.done(meter);
        Ok(())
    }

    fn load_options(&self, ttl: Ttl, checkpoints: Arc<Checkpoints>) -> LoadOptions {
        let how = &self.job.how;
        let plain = LoadOptions::new(self.job.id.clone(), ttl);
        LoadOptions {
            workers: how.parallel.map_or(plain.workers, usize::from),
            write_concern: how.write_concern.unwrap_or_default(),
            rate: how.rate,
            // Where users were asked for, nothing is gone on with.
            earlier: if self.job.with_users { Vec::new() } else { self.earlier.ids() },
            ledger: checkpoints,
            ..plain
        }
    }

    fn say_loaded(&self, loaded: &Loaded, outcome: &mut Outcome) {
        outcome.notes.extend(loaded.notes.iter().cloned());
        outcome.notes.extend(loaded.deferred_ttl.iter().map(|what| format!("not built, as asked: {what}")));
        if matches!(self.target, TargetSpec::Isolated)
            && let Some(id) = self.earlier.open_ids().pop()
            && self.dir.join(super::unfinished::SERVER).exists()
        {
            outcome.notes.push(went_on(&id, loaded.kept));
        }
    }

    /// Asks what was asked for, and takes the mark away when everything is as it should be.
    async fn conclude(
        &self,
        server: &Server,
        state: &dyn State,
        mut found: Verification,
        outcome: &mut Outcome,
    ) -> Result<()> {
        let how = &self.job.how;
        let asked =
            server.ask(state.collections(), &how.checks, self.job.bound, &mut found, self.meter).await;
        outcome.verified(&found);
        asked?;
        judge(&found, outcome)?;
        server.unmark(how.write_concern.unwrap_or_default()).await
    }

    /// An error that also says what is there now.
    fn told(&self, error: Box<Error>, outcome: &Outcome) -> Box<Error> {
        if error.class != Class::Interrupted || !error.hint.is_empty() {
            return error;
        }
        let state = match (self.target, &outcome.restored) {
            (TargetSpec::Server(_), Some(_)) => {
                "what it has written stays there, marked as incomplete: the same command goes on from there."
            }
            _ => "nothing is left of it.",
        };
        Box::new(error.hint(state))
    }
}

/// What is wanted, as a plan takes it.
fn request(job: &Job) -> PlanRequest {
    PlanRequest {
        stop: job.stop(),
        snapshot: job.snapshot.clone(),
        walk: WalkOptions {
            skip: job.skip.iter().copied().collect::<BTreeSet<_>>(),
            with_auth: job.with_users,
            memory: Memory::or_default(job.memory),
        },
        target: job.target.clone(),
        how: job.how.clone(),
        selection: job.selection(),
    }
}

pub(super) fn started_over(id: &str) -> String {
    format!("the restore {id} was not finished; what it left was removed, and this one started over")
}

fn went_on(id: &str, (collections, documents): (u64, u64)) -> String {
    match collections {
        0 => format!(
            "the restore {id} was not finished; nothing it left was complete, and this one started over"
        ),
        _ => format!(
            "the restore {id} was not finished; {collections} collections with {documents} documents that it had \
             written were read, found to be right, and kept"
        ),
    }
}

/// The first safety rule for a server that is not ours: never the source.
async fn guard(server: &Server, planned: &Planned<'_>) -> Result<()> {
    if let Some(at) = server.oplog_holds(&planned.walk.sample).await? {
        return Error::refused(
            "restoring into",
            server.address(),
            format!(
                "its oplog holds the entry {} of this very history: it is the source, or a member of its set",
                at.pos
            ),
        )
        .hint("restore into the isolated server (the default), or into another, empty one.")
        .err();
    }
    Ok(())
}

/// An error unless everything is as it should be; it names everything that is not.
pub(super) fn judge(found: &Verification, outcome: &mut Outcome) -> Result<()> {
    outcome.verified(found);
    if found.ok() {
        return Ok(());
    }
    let wrong = found.collections.iter().filter(|c| !c.ok());
    let mut said: Vec<String> = wrong.map(|c| format!("{}: {}", c.ns, c.differences.join(", "))).collect();
    let read_back = said.is_empty();
    said.extend(found.queries.iter().filter(|q| !q.ok).map(crate::target::Answer::complaint));
    let cause = match read_back {
        true => said.join("; "),
        false => format!("what was read back is not what was written: {}", said.join("; ")),
    };
    Error::differs("verifying", "", cause)
        .hint("the target stays marked as incomplete; do not use it. The result file in the case has every difference.")
        .err()
}
