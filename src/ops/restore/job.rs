//! The files of one restore: `job.json` (what to do), `progress.json` (what it does now),
//! `result.json` (what became of it). None holds a secret.

use std::path::{Path, PathBuf};

use super::certificate::Input;
use crate::case::write_private;
use crate::domain::how::How;
use crate::domain::namespace::Glob;
use crate::domain::plan::Plan;
use crate::domain::position::Place;
use crate::domain::progress::{Meter, Phase};
use crate::domain::stop::{Side, StopRequest};
use crate::domain::uri::without_secrets;
use crate::domain::{Class, Error, Position, Result};
use crate::ops::select::{Rename, Selection};
use crate::target::Verification;

/// Where a restore goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TargetSpec {
    /// A server of our own.
    Isolated,
    /// A mongodump directory.
    Dump(PathBuf),
    /// A mongodump archive.
    Archive(PathBuf),
    /// A server that runs already. The URI may hold a password: it is never written or printed.
    Server(String),
}

impl TargetSpec {
    /// As it may be shown and stored: without secrets.
    pub fn shown(&self) -> String {
        match self {
            TargetSpec::Isolated => "isolated".into(),
            TargetSpec::Dump(dir) => format!("dump:{}", dir.display()),
            TargetSpec::Archive(file) => format!("archive:{}", file.display()),
            TargetSpec::Server(uri) => without_secrets(uri),
        }
    }
}

impl TargetSpec {
    /// Refuses what this target cannot do, all of it at once.
    pub fn require_fit(&self, how: &How) -> Result<()> {
        let is_server = matches!(self, TargetSpec::Isolated | TargetSpec::Server(_));
        let isolated = *self == TargetSpec::Isolated;
        let other = matches!(self, TargetSpec::Server(_));
        let asked = [
            ("--dbpath", how.dbpath.is_some(), isolated, "an isolated server"),
            ("--replset", how.replset.is_some(), isolated, "an isolated server"),
            ("--write-concern", how.write_concern.is_some(), other, "a mongodb:// target"),
            ("--rate", how.rate.is_some(), other, "a mongodb:// target"),
            ("--parallel", how.parallel.is_some(), is_server, "a server"),
            ("--check", !how.checks.is_empty(), is_server, "a server"),
        ];
        let wrong: Vec<String> = asked
            .into_iter()
            .filter(|(_, asked, fits, _)| *asked && !fits)
            .map(|(option, _, _, what)| format!("{option} is for {what}"))
            .collect();
        if !wrong.is_empty() {
            return Error::usage("restoring to", self.shown(), wrong.join("; "))
                .hint("leave it out, or choose another --target.")
                .err();
        }
        match &how.replset {
            Some(name) if !is_set_name(name) => {
                Error::usage("reading --replset", format!("{name:?}"), "this is no name of a replica set")
                    .hint("use letters, digits, - and _; 64 at most.")
                    .err()
            }
            _ => Ok(()),
        }
    }
}

fn is_set_name(name: &str) -> bool {
    let plain = |c: u8| c.is_ascii_alphanumeric() || c == b'-' || c == b'_';
    (1..=64).contains(&name.len()) && name.bytes().all(plain) && !name.starts_with('-')
}

impl std::str::FromStr for TargetSpec {
    type Err = Box<Error>;

    /// `isolated`, `dump:DIR`, `archive:FILE`, or a MongoDB URI.
    fn from_str(text: &str) -> Result<Self> {
        if text == "isolated" {
            return Ok(TargetSpec::Isolated);
        }
        if let Some(dir) = text.strip_prefix("dump:").filter(|d| !d.is_empty()) {
            return Ok(TargetSpec::Dump(PathBuf::from(dir)));
        }
        if let Some(file) = text.strip_prefix("archive:").filter(|f| !f.is_empty()) {
            return Ok(TargetSpec::Archive(PathBuf::from(file)));
        }
        if text.starts_with("mongodb://") || text.starts_with("mongodb+srv://") {
            return Ok(TargetSpec::Server(text.to_owned()));
        }
        let shown = if text.contains("://") { without_secrets(text) } else { text.to_owned() };
        Error::usage("reading the target", format!("{shown:?}"), "it is none of the known kinds")
            .hint("use isolated, dump:DIR, archive:FILE[.gz], or mongodb://HOST:PORT.")
            .err()
    }
}

/// A fresh name for a restore: its time, and the process that asked for it.
pub fn new_id() -> String {
    format!("{}-{}", chrono::Utc::now().format("%Y%m%dT%H%M%S%3f"), std::process::id())
}

/// What a worker is to do.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct Job {
    /// Names the restore.
    pub id: String,
    /// The sources, as absolute paths.
    pub sources: Vec<PathBuf>,
    /// The case folder.
    pub case: PathBuf,
    /// The exclusive bound.
    pub bound: Position,
    /// The base.
    pub snapshot: Option<String>,
    /// Only these namespaces; none = all.
    pub ns: Vec<String>,
    /// But not these.
    #[serde(default)]
    pub ns_exclude: Vec<String>,
    /// New names.
    #[serde(default)]
    pub ns_rename: Vec<Rename>,
    /// Entries passed over.
    pub skip: Vec<Position>,
    /// Whether users and roles are restored.
    pub with_users: bool,
    /// Joints accepted without proof.
    pub accept_unproven: Vec<Position>,
    /// The target without secrets; a server's URI comes to the worker on its standard input.
    pub target: String,
    /// The mongod to start.
    pub mongod: Option<PathBuf>,
    /// The port to start it on.
    pub port: Option<u16>,
    /// Whether TTL indexes are left out on other servers.
    pub defer_ttl: bool,
    /// What else was asked for.
    #[serde(default)]
    pub how: How,
    /// How many bytes of memory it may take; none = a quarter of the machine.
    #[serde(default)]
    pub memory: Option<u64>,
}

impl Job {
    /// Which part of the state, under which names.
    pub fn selection(&self) -> Selection {
        Selection {
            only: self.ns.iter().map(Glob::new).collect(),
            except: self.ns_exclude.iter().map(Glob::new).collect(),
            renames: self.ns_rename.clone(),
        }
    }

    /// Whether another job, of the same stop, asks for the very same state.
    pub fn same_state(&self, other: &Job) -> bool {
        let of = |job: &Job| {
            let paths = (job.sources.clone(), job.snapshot.clone(), job.skip.clone());
            let parts = (job.ns.clone(), job.ns_exclude.clone(), job.ns_rename.clone());
            (paths, parts, job.bound, job.with_users, job.accept_unproven.clone(), job.defer_ttl)
        };
        of(self) == of(other)
    }

    /// The stop it was made for.
    pub fn stop(&self) -> StopRequest {
        StopRequest { side: Side::Before, place: Place::At(self.bound) }
    }
}

/// How long a phase took.
#[derive(Debug, Clone, Copy, serde::Serialize, serde::Deserialize)]
pub struct PhaseTime {
    /// Which phase.
    pub phase: Phase,
    /// Seconds since the worker started until it began.
    pub began: f64,
    /// Items done in it.
    pub done: u64,
    /// Bytes moved in it.
    pub bytes: u64,
}

/// What a restore left behind.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Restored {
    /// A server of ours, running.
    Isolated {
        /// Its id for `pitstop targets`.
        id: String,
        /// How to connect, without the password.
        uri: String,
        /// The user.
        user: String,
        /// The file that holds the password.
        password_file: PathBuf,
        /// Its process id.
        pid: u32,
        /// The version of its mongod.
        version: String,
        /// Where its data are.
        #[serde(default)]
        dbpath: PathBuf,
        /// The replica set that it is the one node of.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        replset: Option<String>,
    },
    /// A dump directory.
    Dump {
        /// Where.
        dir: PathBuf,
    },
    /// An archive.
    Archive {
        /// Which file.
        file: PathBuf,
    },
    /// A server that was there.
    Server {
        /// Which one, without secrets.
        uri: String,
    },
}

/// What became of a restore. `exit` 0 means verified and complete; nothing else does.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct Outcome {
    /// The exit code of the command.
    pub exit: u8,
    /// What went wrong.
    pub error: Option<Problem>,
    /// What is there now; also after a failed verification, where it stays marked.
    pub restored: Option<Restored>,
    /// The plan that was carried out, as JSON.
    pub plan: Option<serde_json::Value>,
    /// The verification, as JSON.
    pub verification: Option<serde_json::Value>,
    /// The files that were read.
    #[serde(default)]
    pub inputs: Vec<Input>,
    /// The certificate for people; the one for programs lies beside it.
    #[serde(default)]
    pub certificate: Option<PathBuf>,
    /// Things to know.
    pub notes: Vec<String>,
    /// The phases and their times.
    pub phases: Vec<PhaseTime>,
    /// Seconds from start to end.
    pub seconds: f64,
}

/// An [`Error`] in a file.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct Problem {
    /// See [`Error::doing`].
    pub doing: String,
    /// See [`Error::place`].
    pub place: String,
    /// See [`Error::cause`].
    pub cause: String,
    /// See [`Error::hint`].
    pub hint: String,
}

impl Outcome {
    /// An outcome that is nothing yet.
    pub(super) fn new() -> Self {
        Outcome {
            exit: Class::Failed.exit_code(),
            error: None,
            restored: None,
            plan: None,
            verification: None,
            inputs: Vec::new(),
            certificate: None,
            notes: Vec::new(),
            phases: Vec::new(),
            seconds: 0.0,
        }
    }

    pub(super) fn fail(&mut self, error: &Error) {
        self.exit = error.class.exit_code();
        self.error = Some(Problem {
            doing: error.doing.clone(),
            place: error.place.clone(),
            cause: error.cause.clone(),
            hint: error.hint.clone(),
        });
    }

    /// Complete and verified.
    pub(super) fn done(&mut self, meter: &Meter) {
        meter.enter(Phase::Done, 0);
        self.exit = 0;
    }

    pub(super) fn planned(&mut self, plan: &Plan) {
        self.plan = serde_json::to_value(plan).ok();
    }

    pub(super) fn verified(&mut self, verification: &Verification) {
        self.verification = serde_json::to_value(verification).ok();
    }

    /// The error it ended with.
    pub fn as_error(&self) -> Option<Error> {
        let problem = self.error.as_ref()?;
        Some(Error {
            class: Class::from_exit_code(self.exit).unwrap_or(Class::Failed),
            doing: problem.doing.clone(),
            place: problem.place.clone(),
            cause: problem.cause.clone(),
            hint: problem.hint.clone(),
        })
    }
}

/// Reads a JSON file of a restore; `None` while it is not there.
pub(super) fn read<T: serde::de::DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Error::failed("reading", path.display(), e).err(),
    };
    let value = serde_json::from_slice(&bytes).map_err(|e| Error::failed("reading", path.display(), e))?;
    Ok(Some(value))
}

/// Writes a JSON file of a restore, whole or not at all.
pub(super) fn write<T: serde::Serialize>(path: &Path, value: &T) -> Result<()> {
    let bytes = serde_json::to_vec_pretty(value).map_err(|e| Error::failed("writing", path.display(), e))?;
    write_private(path, &bytes)
}
