//! `pitstop restore`: plan, ask, start the worker, watch it, say what is there now.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::plan::{how, lines, request};
use crate::cli::args::RestoreArgs;
use crate::cli::config::Config;
use crate::cli::open;
use crate::cli::output::{Out, with_kind};
use crate::domain::how::How;
use crate::domain::progress::{Meter, Phase, Reading};
use crate::domain::text::{bytes, count, visible, visible_lines};
use crate::domain::{Error, Result};
use crate::ops::Workspace;
use crate::ops::preflight::look;
use crate::ops::restore::{Job, Outcome, Restored, TargetSpec, Watch, start};

/// How often a front looks at a worker.
const LOOK: Duration = Duration::from_millis(50);

/// Runs it.
pub fn run(args: &RestoreArgs, mut config: Config) -> Result<()> {
    config.flag("mongod", args.plan.mongod.as_ref().map(|path| path.to_string_lossy()));
    let target: TargetSpec = args.plan.target.parse()?;
    let how = how(&args.plan, &target)?;
    let workspace = open(&args.plan.source)?;
    config.flag("memory", args.plan.memory.memory);
    let request = request(&args.plan, &target, how, config.memory());
    if !args.yes {
        let mut planned = crate::ops::plan::plan(&workspace, &request, &Meter::default())?;
        let mongod = config.mongod();
        if let Some(refusal) = look(&mut planned, &request.selection, &target, mongod.as_deref())? {
            return Err(refusal);
        }
        confirm(&lines(&planned.plan))?;
    }
    let bound = request.stop.bound(workspace.last());
    let memory = Some(request.walk.memory.bytes());
    let job = Job { memory, ..job(args, &workspace, bound, &target, request.how, &config)? };
    drop(workspace);
    let watch = start(&job, &target)?;
    let outcome = follow(watch, args.plan.source.json)?;
    report(&outcome, args.plan.source.json)?;
    match outcome.as_error() {
        Some(error) => error.err(),
        None => Ok(()),
    }
}

/// Shows the plan and asks. Without a terminal, or without a yes, nothing starts.
fn confirm(plan: &[String]) -> Result<()> {
    let refused = |cause: &str| {
        Error::refused("restoring", "", cause).hint("say yes at the question, or give --yes.").err()
    };
    let (stdin, mut stderr) = (std::io::stdin(), std::io::stderr());
    if !stdin.is_terminal() || !stderr.is_terminal() {
        return refused("nobody is there to confirm the plan");
    }
    for line in plan {
        eprintln!("{line}");
    }
    eprint!("\nThe source is only read. Restore? [y/N] ");
    let _ = stderr.flush();
    let mut answer = String::new();
    stdin.read_line(&mut answer).map_err(|e| Error::failed("reading the answer", "", e))?;
    if matches!(answer.trim(), "y" | "Y" | "yes") { Ok(()) } else { refused("it was not confirmed") }
}

fn job(
    args: &RestoreArgs,
    workspace: &Workspace,
    bound: crate::domain::Position,
    target: &TargetSpec,
    how: How,
    config: &Config,
) -> Result<Job> {
    let absolute = |path: &Path| -> Result<PathBuf> {
        std::path::absolute(path).map_err(|e| Box::new(Error::failed("resolving", path.display(), e)))
    };
    let plan = &args.plan;
    let target = match target {
        TargetSpec::Dump(dir) => TargetSpec::Dump(absolute(dir)?),
        TargetSpec::Archive(file) => TargetSpec::Archive(absolute(file)?),
        other => other.clone(),
    };
    Ok(Job {
        id: crate::ops::restore::new_id(),
        sources: workspace.paths.iter().map(|p| absolute(p)).collect::<Result<_>>()?,
        case: absolute(workspace.case.root())?,
        bound,
        snapshot: plan.snapshot.clone(),
        ns: plan.ns.clone(),
        ns_exclude: plan.ns_exclude.clone(),
        ns_rename: plan.ns_rename.clone(),
        skip: plan.skip_op.clone(),
        with_users: plan.with_users,
        accept_unproven: plan.source.accept_unproven.clone(),
        target: target.shown(),
        mongod: config.mongod().as_deref().map(absolute).transpose()?,
        port: plan.port,
        defer_ttl: plan.ttl.is_some(),
        how,
        memory: None,
    })
}

/// Watches until the end. The first Ctrl-c asks the worker to stop, the second leaves it alone.
fn follow(mut watch: Watch, quiet: bool) -> Result<Outcome> {
    let interrupted = Arc::new(AtomicBool::new(false));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Error::failed("starting the runtime", "", e))?;
    let flag = Arc::clone(&interrupted);
    runtime.block_on(async move {
        let mut ctrl_c = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt())
            .map_err(|e| Error::failed("listening for signals", "", e))?;
        let show = !quiet && std::io::stderr().is_terminal();
        let mut last: Option<Reading> = None;
        loop {
            if let Some(outcome) = watch.outcome()? {
                if show {
                    eprint!("\r\x1b[K");
                }
                return Ok(outcome);
            }
            tokio::select! {
                _ = ctrl_c.recv() => {
                    if flag.swap(true, Ordering::Relaxed) {
                        return Error::interrupted("watching the restore")
                            .hint(format!("the worker goes on; its result will be in {}.", watch.dir().display()))
                            .err();
                    }
                    eprintln!("\nstopping the restore (Ctrl-c again leaves it running)");
                    watch.cancel();
                }
                () = tokio::time::sleep(LOOK) => {}
            }
            let now = watch.progress();
            if show && now != last {
                if let Some(reading) = now {
                    eprint!("\r\x1b[K{}", progress_line(reading));
                    let _ = std::io::stderr().flush();
                }
                last = now;
            }
        }
    })
}

fn progress_line(reading: Reading) -> String {
    let what = match reading.phase {
        Phase::Open => "opening the sources",
        Phase::Fold => "walking the oplog",
        Phase::Start => "starting the server",
        Phase::Load => "loading documents",
        Phase::Index => "building indexes",
        Phase::Verify => "reading back and comparing",
        Phase::Done => "done",
    };
    let of = if reading.total > 0 { format!(" of about {}", count(reading.total)) } else { String::new() };
    format!("{what}: {}{of}, {}", count(reading.done), bytes(reading.bytes))
}

fn report(outcome: &Outcome, json: bool) -> Result<()> {
    let mut out = Out::new();
    if json {
        out.json(&with_kind(outcome, "restore"))?;
        return out.flush();
    }
    for note in &outcome.notes {
        eprintln!("note: {}", visible_lines(note));
    }
    if outcome.exit != 0 {
        return out.flush();
    }
    let (collections, documents) = verified(outcome);
    out.line(format_args!(
        "verified: {} documents in {} collections, in {:.1} s",
        count(documents),
        count(collections),
        outcome.seconds
    ))?;
    match &outcome.restored {
        Some(Restored::Isolated { id, uri, user, password_file, replset, .. }) => {
            let file = visible(&password_file.to_string_lossy()).into_owned();
            out.line(format_args!("running:  {uri}"))?;
            out.line(format_args!("user:     {user}, password in {file}"))?;
            out.line(format_args!("connect:  mongosh '{uri}' (it asks for the password)"))?;
            if let Some(name) = replset {
                out.line(format_args!("set:      {name}, this is its one node; README says how to grow it"))?;
            }
            out.line(format_args!("stop it:  pitstop targets stop {id} --delete"))?;
        }
        Some(Restored::Dump { dir }) => {
            out.line(format_args!("dump:     {}", visible(&dir.to_string_lossy())))?
        }
        Some(Restored::Archive { file }) => {
            out.line(format_args!("archive:  {}", visible(&file.to_string_lossy())))?
        }
        Some(Restored::Server { uri }) => out.line(format_args!("server:   {}", visible(uri)))?,
        None => {}
    }
    if let Some(path) = &outcome.certificate {
        out.line(format_args!("certificate: {}", visible(&path.to_string_lossy())))?;
    }
    out.flush()
}

fn verified(outcome: &Outcome) -> (u64, u64) {
    let checks = outcome.verification.as_ref().and_then(|v| v.get("collections")).and_then(|c| c.as_array());
    let documents = |c: &serde_json::Value| c.pointer("/found/count").and_then(|n| n.as_u64()).unwrap_or(0);
    checks.map_or((0, 0), |checks| (checks.len() as u64, checks.iter().map(documents).sum()))
}
