//! Readiness: whether a restore would work tonight. Every check says what it found, and what to
//! do where that is not good enough. Only looks: nothing is secured or
//! started.

mod live;

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::{OpenOptions, Workspace};
use crate::case::{Case, state_home};
use crate::domain::progress::Meter;
use crate::domain::source::Source;
use crate::domain::text::{bytes, count, counted};
use crate::domain::uri::without_secrets;
use crate::domain::window::{Window, duration};
use crate::domain::{Position, Result};
use crate::source::live::look::look;
use crate::target::{check_version, find_mongod, require_space};

/// Bytes and documents a second that a restore moves, on two cores, with reserve.
const BYTES_RATE: f64 = 40e6;
const DOCUMENTS_RATE: f64 = 50e3;
/// Bytes of oplog a second that are walked, with reserve.
const OPLOG_RATE: f64 = 100e6;

/// How much depends on the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Criticality {
    /// An oplog of 24 hours, a snapshot a week.
    Development,
    /// An oplog of 48 hours (72 are better), a snapshot a day.
    #[default]
    Production,
    /// An oplog of 168 hours, a snapshot a day.
    MissionCritical,
}

impl Criticality {
    /// All of them.
    pub const ALL: [Criticality; 3] =
        [Criticality::Development, Criticality::Production, Criticality::MissionCritical];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Criticality::Development => "development",
            Criticality::Production => "production",
            Criticality::MissionCritical => "mission-critical",
        }
    }

    /// The hours an oplog has to reach back, and those it had better.
    pub fn hours(self) -> (u64, u64) {
        match self {
            Criticality::Development => (24, 24),
            Criticality::Production => (48, 72),
            Criticality::MissionCritical => (168, 168),
        }
    }

    /// The hours after which there should be a newer snapshot. A little more than a round day or
    /// week: a backup takes its time.
    pub fn snapshot_hours(self) -> u64 {
        match self {
            Criticality::Development => 8 * 24,
            Criticality::Production | Criticality::MissionCritical => 26,
        }
    }
}

impl std::str::FromStr for Criticality {
    /// Why it is none, for a human.
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let found = Criticality::ALL.into_iter().find(|c| c.name() == text);
        found.ok_or_else(|| "it is none of development, production, mission-critical".to_owned())
    }
}

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As it should be.
    Fine,
    /// Could be better; no reason for an alarm.
    Note,
    /// Something is wrong.
    Wrong,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Check {
    /// What was looked at.
    pub check: &'static str,
    /// How it came out.
    pub verdict: Verdict,
    /// What was found.
    pub found: String,
    /// What to do; empty where nothing is to be done.
    pub hint: String,
}

/// What to look at.
#[derive(Debug, Clone)]
pub struct DoctorOptions {
    /// The sources; none = this machine only.
    pub sources: Vec<Source>,
    /// The case folder, if not the one derived from the sources.
    pub case: Option<PathBuf>,
    /// How much depends on it.
    pub criticality: Criticality,
    /// The configured mongod.
    pub mongod: Option<PathBuf>,
}

impl Check {
    fn new(check: &'static str, verdict: Verdict, found: impl Into<String>, hint: impl Into<String>) -> Self {
        Check { check, verdict, found: found.into(), hint: hint.into() }
    }

    fn fine(check: &'static str, found: impl Into<String>) -> Self {
        Check::new(check, Verdict::Fine, found, "")
    }

    fn wrong(check: &'static str, found: impl Into<String>, hint: impl Into<String>) -> Self {
        Check::new(check, Verdict::Wrong, found, hint)
    }
}

/// Looks at everything. An error is one of looking; what is found wrong is in the checks.
pub fn doctor(options: &DoctorOptions, meter: &Meter) -> Result<Vec<Check>> {
    let mut checks = Vec::new();
    let mut windows = Vec::new();
    for source in &options.sources {
        if let Source::Live(uri) = source {
            match look(uri) {
                Ok(seen) => {
                    checks.push(live::window(&seen, options.criticality));
                    checks.push(live::role(&seen));
                    checks.push(live::skew(&seen));
                    windows.extend(seen.window);
                }
                Err(error) => checks.push(Check::wrong(
                    "source",
                    format!("{}: {}", without_secrets(uri), error.cause),
                    error.hint,
                )),
            }
        }
    }
    let paths: Vec<Source> = options.sources.iter().filter(|s| s.path().is_some()).cloned().collect();
    let mut version = None;
    let folder = case_of(options)?;
    let mut needed = 0;
    if !paths.is_empty() {
        let open = OpenOptions { sources: paths, case: Some(folder.clone()), accept_unproven: vec![] };
        match Workspace::open(&open, meter) {
            Ok(workspace) => {
                version = workspace.snapshots.last().and_then(|s| s.base.server);
                needed = workspace.infos.last().map_or(0, |i| i.bytes);
                backups(&workspace, &windows, options.criticality, &mut checks);
            }
            Err(error) => checks.push(Check::wrong(
                "sources",
                format!("{} {}: {}", error.doing, error.place, error.cause),
                error.hint,
            )),
        }
    } else if !options.sources.is_empty() {
        checks.push(Check::wrong(
            "snapshot",
            "no backup is among the sources: nothing can be restored from an oplog alone",
            "name the dump directory or archive too.",
        ));
    }
    checks.push(mongod(options.mongod.as_deref(), version));
    checks.push(space(&folder, needed));
    if folder.exists() {
        checks.push(permissions(&folder));
    }
    Ok(checks)
}

/// The folder that a restore of these sources would use: their case, or where cases are.
fn case_of(options: &DoctorOptions) -> Result<PathBuf> {
    if options.sources.is_empty() {
        return options.case.clone().map_or_else(state_home, Ok);
    }
    let (identities, _) = super::sets::ask(&options.sources)?;
    Ok(Case::open(options.case.as_deref(), &identities)?.root().to_owned())
}

fn backups(workspace: &Workspace, live: &[Window], criticality: Criticality, checks: &mut Vec<Check>) {
    let newest = workspace.infos.iter().rev().find_map(|i| Some((i, i.edge?)));
    let Some((info, edge)) = newest else {
        checks.push(Check::wrong(
            "snapshot",
            "no snapshot with an oplog of its own is among the sources",
            "take one with mongodump --oplog.",
        ));
        return;
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    let age = now.saturating_sub(u64::from(edge.secs));
    let found = format!("{:?} ends at {edge} ({}), {} ago", info.id, edge.time(), duration(age));
    checks.push(if age <= criticality.snapshot_hours() * 3600 {
        Check::fine("snapshot", found)
    } else {
        Check::wrong("snapshot", found, format!("take one every {} h.", criticality.snapshot_hours()))
    });
    checks.push(chain(workspace, live, edge));
    let oplog: u64 = workspace
        .oplog
        .entries(edge, Position::MAX)
        .map_while(Result::ok)
        .map(|e| e.raw.bytes().len() as u64)
        .sum();
    let estimate = (info.bytes as f64 / BYTES_RATE).max(info.documents as f64 / DOCUMENTS_RATE)
        + oplog as f64 / OPLOG_RATE
        + 2.0;
    checks.push(Check::fine(
        "restore",
        format!(
            "about {} for {} ({}) and {} of oplog",
            duration(estimate as u64),
            counted(info.documents, "document"),
            bytes(info.bytes),
            bytes(oplog)
        ),
    ));
}

/// Whether every operation from the newest snapshot to now is there, on disk or at the source.
fn chain(workspace: &Workspace, live: &[Window], edge: Position) -> Check {
    let behind: Vec<_> = workspace.gaps().iter().filter(|gap| gap.before > edge).collect();
    if let Some(gap) = behind.first() {
        return Check::wrong(
            "chain",
            format!(
                "{gap}{}",
                if behind.len() > 1 { format!(" ({} gaps in all)", behind.len()) } else { String::new() }
            ),
            "stops behind it cannot be reached from the newest snapshot: take a new one now.",
        );
    }
    let last = workspace.last();
    for window in live {
        if window.oldest > last {
            return Check::wrong(
                "chain",
                format!(
                    "what was written between {last} ({}) and {} ({}) is neither on disk nor at the source",
                    last.time(),
                    window.oldest,
                    window.oldest.time()
                ),
                "take a new snapshot now, and keep the oplog with `pitstop archive`.",
            );
        }
    }
    let on = if live.is_empty() { "" } else { ", and on to now at the source" };
    Check::fine(
        "chain",
        format!(
            "no gap from the newest snapshot to {last} ({}){on}: {} of its entries are on disk",
            last.time(),
            count(workspace.oplog.len())
        ),
    )
}

fn mongod(configured: Option<&Path>, snapshot: Option<(u32, u32)>) -> Check {
    let found = find_mongod(None, configured);
    match found.map(|m| (check_version(m.version, snapshot), m)) {
        Ok((Ok(_), m)) => {
            let (a, b, c) = m.version;
            Check::fine("mongod", format!("{:?}, version {a}.{b}.{c}", m.path.display().to_string()))
        }
        Ok((Err(error), _)) | Err(error) => Check::wrong("mongod", error.cause, error.hint),
    }
}

fn space(folder: &Path, needed: u64) -> Check {
    match require_space(folder, needed) {
        Ok(()) => Check::fine("disk", format!("room for {} more in {folder:?}", bytes(needed))),
        Err(error) => Check::wrong("disk", error.cause, error.hint),
    }
}

fn permissions(folder: &Path) -> Check {
    let shown = format!("{folder:?}");
    match std::fs::metadata(folder) {
        Err(e) => Check::wrong("permissions", format!("{shown}: {e}"), "check that you may read it."),
        Ok(meta) if meta.uid() != rustix::process::geteuid().as_raw() => Check::wrong(
            "permissions",
            format!("{shown} belongs to another user"),
            "run pitstop as that user, or name another folder with --case.",
        ),
        Ok(meta) if meta.permissions().mode() & 0o077 != 0 => Check::wrong(
            "permissions",
            format!("{shown} is open to others (mode {:o})", meta.permissions().mode() & 0o777),
            format!("it holds customers' data: chmod 700 {shown}"),
        ),
        Ok(_) => Check::fine("permissions", format!("{shown} is yours alone")),
    }
}
