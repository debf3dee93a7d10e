//! The worker's side of a restore: from the job to a verified target, or to an honest failure.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::certificate;
use super::job::{Job, Outcome, PhaseTime, Restored, TargetSpec, read, write};
use super::unfinished::{Unfinished, lock, unfinished};
use crate::case::{Journal, registry_dir, servers_dir};
use crate::domain::progress::{Meter, Phase};
use crate::domain::source::Source;
use crate::domain::{Class, Error, Result};
use crate::engine::output::State;
use crate::ops::memory::Memory;
use crate::ops::plan::{PlanRequest, Planned, plan};
use crate::ops::preflight::{Place, preflight};
use crate::ops::select::Selected;
use crate::ops::walk::WalkOptions;
use crate::ops::{OpenOptions, Workspace};
use crate::target::isolated::GRACE;
use crate::target::{
    Isolated, IsolatedOptions, LoadOptions, Registry, Server, Ttl, Verification, find_mongod, write_dump,
};

/// How often progress is written for those who watch.
const TICK: Duration = Duration::from_millis(100);

/// Carries out the job in this folder. The exit code is also in `result.json`.
pub fn run(dir: &Path) -> u8 {
    // A process of its own: a hang-up of the terminal does not reach it.
    let _ = rustix::process::setsid();
    let begun = Instant::now();
    let meter = Meter::default();
    let mut outcome = Outcome::new();
    let phases = std::thread::scope(|scope| {
        let (done, is_done) = std::sync::mpsc::channel::<()>();
        let ticker = scope.spawn({
            let (meter, dir) = (meter.clone(), dir.to_owned());
            move || tick(&meter, &dir, begun, &is_done)
        });
        if let Err(error) = carry_out(dir, &meter, &mut outcome) {
            outcome.fail(&error);
        }
        drop(done);
        ticker.join().unwrap_or_default()
    });
    outcome.phases = phases;
    outcome.seconds = begun.elapsed().as_secs_f64();
    // Of what was never compared nothing can be certified.
    if outcome.verification.is_some()
        && let Ok(Some(job)) = read::<Job>(&dir.join("job.json"))
    {
        match certificate::issue(dir, &job, &outcome) {
            Ok(path) => outcome.certificate = Some(path),
            Err(error) => outcome.notes.push(error.to_string()),
        }
    }
    if let Err(error) = write(&dir.join("result.json"), &outcome) {
        eprintln!("{error}");
        return Class::Failed.exit_code();
    }
    outcome.exit
}

/// Writes the meter's reading until told to end, and keeps the times of the phases.
fn tick(meter: &Meter, dir: &Path, begun: Instant, done: &std::sync::mpsc::Receiver<()>) -> Vec<PhaseTime> {
    let mut phases: Vec<PhaseTime> = Vec::new();
    let mut last = None;
    loop {
        let ended = !matches!(done.recv_timeout(TICK), Err(std::sync::mpsc::RecvTimeoutError::Timeout));
        let reading = meter.read();
        if last != Some(reading) {
            let now = PhaseTime {
                phase: reading.phase,
                began: begun.elapsed().as_secs_f64(),
                done: reading.done,
                bytes: reading.bytes,
            };
            match phases.last_mut().filter(|p| p.phase == reading.phase) {
                Some(phase) => *phase = PhaseTime { began: phase.began, ..now },
                None => phases.push(now),
            }
            // Progress is for those who watch; if it cannot be written, the result will say so.
            let _ = write(&dir.join("progress.json"), &reading);
            last = Some(reading);
        }
        if ended {
            return phases;
        }
    }
}

fn carry_out(dir: &Path, meter: &Meter, outcome: &mut Outcome) -> Result<()> {
    let job: Job = read(&dir.join("job.json"))?.ok_or_else(|| {
        Error::usage("restoring", dir.display(), "there is no prepared restore in this folder")
    })?;
    let target = match job.target.parse()? {
        TargetSpec::Server(_) => {
            let mut uri = String::new();
            std::io::stdin()
                .read_to_string(&mut uri)
                .map_err(|e| Error::failed("reading the target's address", "", e))?;
            TargetSpec::Server(uri)
        }
        other => other,
    };
    let Some(_lock) = lock(dir)? else {
        return Error::usage("restoring", dir.display(), "another worker is at it").err();
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| Error::failed("starting the runtime", "", e))?;
    {
        let _entered = runtime.enter();
        stop_on_signal(meter)?;
    }
    let open = OpenOptions {
        sources: job.sources.iter().cloned().map(Source::Path).collect(),
        case: Some(job.case.clone()),
        accept_unproven: job.accept_unproven.clone(),
    };
    let workspace = Workspace::open(&open, meter)?;
    let journal = workspace.case.journal();
    journal.record(
        "restore-begins",
        serde_json::json!({
            "restore": job.id, "pos": job.bound, "target": job.target, "skipped": job.skip,
            "users": job.with_users, "memory": Memory::or_default(job.memory).bytes(), "accepted_unproven": job.accept_unproven,
        }),
    )?;
    let earlier = unfinished(&job, dir)?;
    runtime.block_on(start_over(&earlier, &job, &target, &journal, outcome))?;
    let request = PlanRequest {
        stop: job.stop(),
        snapshot: job.snapshot.clone(),
        walk: WalkOptions {
            skip: job.skip.iter().copied().collect::<BTreeSet<_>>(),
            with_auth: job.with_users,
            memory: Memory::or_default(job.memory),
        },
        target: job.target.clone(),
        selection: job.selection(),
    };
    let result = {
        // The server starts while the oplog is walked; both are needed before the first write.
        let starting = match target {
            TargetSpec::Isolated => Some(runtime.spawn(start_isolated(job.clone()))),
            _ => None,
        };
        // What goes in is hashed while the log is walked: both read it, from the disk once.
        let planned = std::thread::scope(|scope| {
            let base = crate::ops::plan::base(&workspace, job.snapshot.as_deref(), job.bound).ok();
            let hashing = base.map(|base| scope.spawn(|| certificate::inputs(&workspace, base)));
            let planned = plan(&workspace, &request, meter);
            outcome.inputs = hashing.and_then(|h| h.join().ok()).unwrap_or_default();
            planned
        });
        let started = match starting {
            Some(task) => Some(runtime.block_on(task).map_err(|e| Error::failed("starting mongod", "", e))?),
            None => None,
        };
        match (planned, started) {
            (Ok(planned), Some(Ok(isolated))) => {
                to_isolated(&runtime, &job, planned, isolated, meter, outcome)
            }
            (Ok(planned), None) => to_other(&runtime, &job, &target, &earlier, planned, meter, outcome),
            (Ok(_), Some(Err(error))) => Err(error),
            (Err(error), started) => {
                // Nothing has been written: the fresh server is of no use to anybody.
                if let Some(Ok((isolated, ..))) = started {
                    runtime.block_on(discard(&isolated))?;
                }
                Err(error)
            }
        }
    };
    let summary = match &result {
        Ok(()) => serde_json::json!({ "restore": job.id, "exit": 0, "restored": outcome.restored }),
        Err(error) => {
            serde_json::json!({ "restore": job.id, "exit": error.class.exit_code(), "error": error.to_string() })
        }
    };
    journal.record("restore-ends", summary)?;
    result
}

fn stop_on_signal(meter: &Meter) -> Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    for kind in [SignalKind::terminate(), SignalKind::interrupt()] {
        let mut stream = signal(kind).map_err(|e| Error::failed("listening for signals", "", e))?;
        let meter = meter.clone();
        tokio::spawn(async move {
            while stream.recv().await.is_some() {
                meter.cancel();
            }
        });
    }
    Ok(())
}

type Started = (Isolated, Place, (u32, u32, u32));

async fn start_isolated(job: Job) -> Result<Started> {
    let mongod = find_mongod(job.mongod.as_deref(), None)?;
    let version = mongod.version;
    let dir = targets_dir()?.join(&job.id);
    let place = Place::isolated(&mongod, &dir);
    let options = IsolatedOptions { port: job.port, ..IsolatedOptions::new(dir, mongod) };
    let isolated = Isolated::start(options, &Meter::default()).await?;
    // Registered at once: whatever happens to this process, `pitstop targets` knows of the server.
    Registry::open(&registry_dir()?)?.add(&isolated, Some(&job.case.display().to_string()))?;
    Ok((isolated, place, version))
}

fn targets_dir() -> Result<PathBuf> {
    let dir = servers_dir()?;
    crate::case::make_private_dir(&dir)?;
    Ok(dir)
}

/// Takes away what earlier tries left, except on a server that is not ours: that is for later,
/// when it is known not to be the source.
async fn start_over(
    earlier: &[Unfinished],
    job: &Job,
    target: &TargetSpec,
    journal: &Journal,
    outcome: &mut Outcome,
) -> Result<()> {
    for one in earlier {
        journal
            .record("restore-starts-over", serde_json::json!({ "restore": job.id, "unfinished": one.id }))?;
        if one.remove(target).await? {
            outcome.notes.push(started_over(&one.id));
        }
        if !matches!(target, TargetSpec::Server(_)) {
            one.cleared(&job.id)?;
        }
    }
    Ok(())
}

fn started_over(id: &str) -> String {
    format!("the restore {id} was not finished; what it left was removed, and this one started over")
}

/// Stops a server that holds nothing of use, and removes its data.
async fn discard(isolated: &Isolated) -> Result<()> {
    let registry = Registry::open(&registry_dir()?)?;
    registry.stop(&isolated.id, GRACE).await?;
    registry.delete(&isolated.id)
}

fn to_isolated(
    runtime: &tokio::runtime::Runtime,
    job: &Job,
    planned: Planned<'_>,
    (isolated, place, version): Started,
    meter: &Meter,
    outcome: &mut Outcome,
) -> Result<()> {
    outcome.planned(&planned.plan);
    outcome.notes.extend(planned.plan.notes.iter().cloned());
    let state = Selected::new(&planned.walk.state, &job.selection())?;
    match preflight(&state, planned.snapshot, &place) {
        Ok(notes) => outcome.notes.extend(notes),
        Err(error) => {
            runtime.block_on(discard(&isolated))?;
            return Err(error);
        }
    }
    outcome.restored = Some(Restored::Isolated {
        id: isolated.id.clone(),
        uri: isolated.uri(),
        user: isolated.user.clone(),
        password_file: isolated.password_file.clone(),
        pid: isolated.pid,
        version: format!("{}.{}.{}", version.0, version.1, version.2),
    });
    let loaded = runtime.block_on(async {
        let server = isolated.connect().await?;
        load_and_verify(&server, &state, Ttl::Keep, job, meter, outcome).await?;
        isolated.complete()
    });
    let Err(error) = loaded else { return Ok(()) };
    if error.class == Class::Differs {
        return Err(error);
    }
    let error = match isolated.obituary() {
        Some(last_words) => {
            Box::new(Error { cause: format!("{}; mongod says: {last_words}", error.cause), ..*error })
        }
        None => error,
    };
    runtime.block_on(discard(&isolated))?;
    outcome.restored = None;
    outcome.notes.push("the unfinished isolated server was stopped and removed".into());
    Err(error)
}

fn to_other(
    runtime: &tokio::runtime::Runtime,
    job: &Job,
    target: &TargetSpec,
    earlier: &[Unfinished],
    planned: Planned<'_>,
    meter: &Meter,
    outcome: &mut Outcome,
) -> Result<()> {
    outcome.planned(&planned.plan);
    outcome.notes.extend(planned.plan.notes.iter().cloned());
    let state = Selected::new(&planned.walk.state, &job.selection())?;
    match target {
        TargetSpec::Dump(dir) => {
            outcome.notes.extend(preflight(&state, planned.snapshot, &Place::dump(dir))?);
            let written =
                write_dump(dir, &state, planned.snapshot.server_version.as_deref(), &job.id, meter)?;
            outcome.restored = Some(Restored::Dump { dir: dir.clone() });
            outcome.notes.extend(written.notes.iter().cloned());
            conclude(&written.verification, meter, outcome)
        }
        TargetSpec::Server(uri) => runtime.block_on(async {
            let server = Server::connect(uri).await?;
            guard(&server, &planned).await?;
            let place = Place::server(&server).await?;
            outcome.notes.extend(preflight(&state, planned.snapshot, &place)?);
            let ids: Vec<String> = earlier.iter().map(|e| e.id.clone()).collect();
            if let Some(id) = server.remove_unfinished(&ids).await? {
                outcome.notes.push(started_over(&id));
            }
            for one in earlier {
                one.cleared(&job.id)?;
            }
            server.require_empty().await?;
            outcome.restored = Some(Restored::Server { uri: server.address().to_owned() });
            let ttl = if job.defer_ttl { Ttl::Defer } else { Ttl::Refuse };
            load_and_verify(&server, &state, ttl, job, meter, outcome).await
        }),
        TargetSpec::Isolated => Ok(()),
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

async fn load_and_verify(
    server: &Server,
    state: &dyn State,
    ttl: Ttl,
    job: &Job,
    meter: &Meter,
    outcome: &mut Outcome,
) -> Result<()> {
    let workers = std::thread::available_parallelism().map_or(2, |n| n.get().max(2));
    let options = LoadOptions { workers, ttl, restore_id: job.id.clone() };
    let (users, rest) = (Selected::treated(state, true), Selected::treated(state, false));
    outcome.notes.extend(server.load_users(&users, &job.id).await?);
    let (loaded, verification) = server.load_and_verify(&rest, &options, meter).await?;
    outcome.notes.extend(loaded.notes.iter().cloned());
    outcome.notes.extend(loaded.deferred_ttl.iter().map(|what| format!("not built, as asked: {what}")));
    conclude(&verification, meter, outcome)
}

fn conclude(verification: &Verification, meter: &Meter, outcome: &mut Outcome) -> Result<()> {
    outcome.verified(verification);
    if verification.ok() {
        meter.enter(Phase::Done, 0);
        outcome.exit = 0;
        return Ok(());
    }
    let wrong = verification.collections.iter().filter(|c| !c.ok());
    let names: Vec<String> = wrong.map(|c| format!("{}: {}", c.ns, c.differences.join(", "))).collect();
    Error::differs("verifying", "", format!("what was read back is not what was written: {}", names.join("; ")))
        .hint("the target stays marked as incomplete; do not use it. The result file in the case has every difference.")
        .err()
}
