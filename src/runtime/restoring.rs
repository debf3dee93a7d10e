//! A restore as this program sees it: a process of its own, started, looked at, asked to stop.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::desk::Desk;
use crate::app::data::{Check, Outcome, Restored};
use crate::app::effect::RestoreRequest;
use crate::case::registry_dir;
use crate::domain::progress::Reading;
use crate::domain::{Error, Result};
use crate::ops::restore::{self, Job, TargetSpec, Watch, new_id};
use crate::target::Registry;

/// How often the worker is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// What is remembered of the last restore for the copy key.
#[derive(Debug, Clone)]
pub enum Connection {
    /// A server of ours, by its id.
    Isolated(String),
    /// Anything else, as it may be shown.
    Shown(String),
}

impl Connection {
    /// What the copy key copies; for a server of ours with its password.
    pub fn secret(&self) -> Result<String> {
        match self {
            Connection::Isolated(id) => {
                Registry::open(&registry_dir()?)?.get(id)?.isolated().uri_with_password()
            }
            Connection::Shown(text) => Ok(text.clone()),
        }
    }
}

/// Starts the worker and watches it until it ends.
pub fn run(
    desk: &Desk,
    request: &RestoreRequest,
    cancel: &Arc<AtomicBool>,
    tell: impl Fn(Reading),
) -> Result<(Outcome, Option<Connection>)> {
    let workspace = desk.workspace()?;
    // The restore is another process: what is being followed has to be there for it too.
    workspace.seal()?;
    let job = Job {
        id: new_id(),
        sources: workspace.paths.iter().map(|p| absolute(p)).collect::<Result<_>>()?,
        case: absolute(workspace.case.root())?,
        bound: request.bound,
        snapshot: request.snapshot.clone(),
        ns: Vec::new(),
        ns_exclude: Vec::new(),
        ns_rename: Vec::new(),
        skip: Vec::new(),
        with_users: false,
        accept_unproven: desk.open.accept_unproven.clone(),
        target: request.target.clone(),
        mongod: desk.mongod.as_deref().map(absolute).transpose()?,
        port: None,
        defer_ttl: false,
        how: Default::default(),
        memory: Some(desk.memory.bytes()),
    };
    let target: TargetSpec = request.target.parse()?;
    if let TargetSpec::Dump(dir) = &target
        && let Some(parent) = dir.parent()
    {
        crate::case::make_private_dir(parent)?;
    }
    let mut watch = restore::start(&job, &target)?;
    let folder = watch.dir().display().to_string();
    let ended = follow(&mut watch, cancel, tell)?;
    let connection = ended.restored.as_ref().map(|r| match r {
        restore::Restored::Isolated { id, .. } => Connection::Isolated(id.clone()),
        restore::Restored::Dump { dir } => Connection::Shown(dir.display().to_string()),
        restore::Restored::Archive { file } => Connection::Shown(file.display().to_string()),
        restore::Restored::Server { uri } => Connection::Shown(uri.clone()),
    });
    Ok((outcome(&ended, folder), connection))
}

fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).map_err(|e| Box::new(Error::failed("resolving", path.display(), e)))
}

fn follow(watch: &mut Watch, cancel: &Arc<AtomicBool>, tell: impl Fn(Reading)) -> Result<restore::Outcome> {
    let mut last = None;
    let mut asked = false;
    loop {
        if let Some(ended) = watch.outcome()? {
            return Ok(ended);
        }
        if cancel.load(Ordering::Relaxed) && !asked {
            asked = true;
            watch.cancel();
        }
        let now = watch.progress();
        if now != last {
            now.into_iter().for_each(&tell);
            last = now;
        }
        std::thread::sleep(LOOK);
    }
}

/// The outcome in the words of the screens.
fn outcome(ended: &restore::Outcome, folder: String) -> Outcome {
    let checks = ended.verification.as_ref().and_then(|v| v.get("collections")).and_then(|c| c.as_array());
    let begins = ended.phases.iter().map(|p| p.began);
    let ends = begins.clone().skip(1).chain([ended.seconds]);
    let took = begins.zip(ends).map(|(began, end)| (end - began).max(0.0));
    Outcome {
        error: match (ended.exit, ended.as_error()) {
            (0, _) => None,
            (_, Some(error)) => Some(error),
            (code, None) => Some(Error::failed("restoring", &folder, format!("it ended with code {code}"))),
        },
        restored: ended.restored.as_ref().map(restored),
        checks: checks.into_iter().flatten().map(check).collect(),
        notes: ended.notes.clone(),
        phases: ended.phases.iter().map(|p| p.phase).zip(took).collect(),
        seconds: ended.seconds,
        folder,
    }
}

fn restored(restored: &restore::Restored) -> Restored {
    match restored {
        restore::Restored::Isolated { id, uri, version, .. } => Restored {
            kind: format!("isolated mongod {version}"),
            place: uri.clone(),
            next: format!("It runs until you end it: pitstop targets stop {id} --delete"),
        },
        restore::Restored::Dump { dir } => Restored {
            kind: "dump directory".into(),
            place: dir.display().to_string(),
            next: "A plain mongodump directory of that state: mongorestore takes it.".into(),
        },
        restore::Restored::Archive { file } => Restored {
            kind: "archive".into(),
            place: file.display().to_string(),
            next: "A mongodump archive of that state: mongorestore --archive takes it.".into(),
        },
        restore::Restored::Server { uri } => {
            Restored { kind: "server".into(), place: uri.clone(), next: String::new() }
        }
    }
}

fn check(value: &serde_json::Value) -> Check {
    let flag = |name: &str| value.get(name).and_then(serde_json::Value::as_bool).unwrap_or(false);
    let count = |at: &str| value.pointer(at).and_then(serde_json::Value::as_u64).unwrap_or(0);
    let list = value.get("differences").and_then(serde_json::Value::as_array);
    let text = |v: &serde_json::Value| v.as_str().map(str::to_owned);
    Check {
        ns: value.get("ns").and_then(text).unwrap_or_default(),
        expected: count("/expected/count"),
        found: count("/found/count"),
        documents_ok: value.get("expected").is_some() && value.get("expected") == value.get("found"),
        indexes_ok: flag("indexes_ok"),
        options_ok: flag("options_ok"),
        differences: list.into_iter().flatten().filter_map(text).collect(),
    }
}
