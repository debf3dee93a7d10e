//! The worker's side of a restore: from the job to a verified target, or to an honest failure.

use std::io::Read;
use std::path::Path;
use std::time::{Duration, Instant};

use super::certificate;
use super::destinations::Work;
use super::job::{Job, Outcome, PhaseTime, TargetSpec, read, write};
use super::unfinished::{Earlier, lock};
use crate::domain::progress::Meter;
use crate::domain::source::Source;
use crate::domain::{Class, Error, Result};
use crate::ops::memory::Memory;
use crate::ops::signals::cancel_on_signals;
use crate::ops::{OpenOptions, Workspace};

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
        cancel_on_signals(meter)?;
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
            "users": job.with_users, "accepted_unproven": job.accept_unproven, "how": job.how,
            "memory": Memory::or_default(job.memory).bytes(),
        }),
    )?;
    target.require_fit(&job.how)?;
    let earlier = Earlier::of(&job, dir)?;
    let work = Work { runtime: &runtime, dir, job: &job, target: &target, earlier: &earlier, meter };
    let result = work.carry_out(&workspace, &journal, outcome);
    let summary = match &result {
        Ok(()) => serde_json::json!({ "restore": job.id, "exit": 0, "restored": outcome.restored }),
        Err(error) => {
            serde_json::json!({ "restore": job.id, "exit": error.class.exit_code(), "error": error.to_string() })
        }
    };
    journal.record("restore-ends", summary)?;
    result
}
