//! What restores left running: one file per isolated server, in a directory the caller names.
//! Lists them, also after a crash or a reboot; stops and removes them, and never anything else.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::MARK;
use super::files::{create_dir, shown, sync_dir, write_new};
use super::isolated::{Isolated, MARKER, USER, uri};
use super::launch::{TARGET_ID, blocking};
use super::process::Process;
use crate::domain::{Error, Result};

/// Processes that a server that forks into the background can be at most, with a margin.
const FORKS: usize = 6;

/// How long a server that is between two processes, or on its way out, is waited for.
const LAST_MOMENT: Duration = Duration::from_secs(5);

/// How often it is looked at meanwhile.
const LOOK: Duration = Duration::from_millis(20);

/// Whether an isolated server is still there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunState {
    /// It runs.
    Running,
    /// It does not run; its data are there.
    Stopped,
    /// Its data are gone too.
    Gone,
}

/// What is remembered of one isolated server. Holds no secret: the password is in its directory.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Record {
    /// Its id.
    pub id: String,
    /// Its process id.
    pub pid: u32,
    /// When its process started, in clock ticks since boot.
    pub start_time: u64,
    /// Its directory: data, log, password.
    pub dir: PathBuf,
    /// Where its data are.
    pub dbpath: PathBuf,
    /// Its port on 127.0.0.1.
    pub port: u16,
    /// When it was started, RFC 3339.
    pub created: String,
    /// The case it belongs to.
    pub case: Option<String>,
    /// Whether it is still there; found out anew at every look.
    pub state: RunState,
    /// Whether it carries the mark of a restore that has not been finished; found out anew at
    /// every look.
    #[serde(default)]
    pub incomplete: bool,
    /// The replica set that it is the one node of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replset: Option<String>,
}

impl Record {
    fn look(&mut self) {
        self.incomplete = fs::symlink_metadata(self.dir.join(MARK)).is_ok();
        if self.incomplete && !self.process().serves(&self.dbpath) {
            // Whoever started it was killed while it forked: then it runs under another id. One
            // that is complete and was started again by somebody is theirs.
            self.find_process();
        }
        self.state = if self.process().serves(&self.dbpath) {
            RunState::Running
        } else if fs::symlink_metadata(&self.dir).is_ok() {
            RunState::Stopped
        } else {
            RunState::Gone
        };
    }

    fn find_process(&mut self) {
        let Some(process) = Process::serving(&self.dbpath, (TARGET_ID, &self.id)) else { return };
        (self.pid, self.start_time) = (process.pid, process.start_time);
        self.port = process.argument("--port").and_then(|p| p.parse().ok()).unwrap_or(self.port);
    }

    /// Its process.
    pub fn process(&self) -> Process {
        Process { pid: self.pid, start_time: self.start_time }
    }

    /// How to connect, without the password.
    pub fn uri(&self) -> String {
        uri(USER, None, self.port)
    }

    /// The file that holds the password.
    pub fn password_file(&self) -> PathBuf {
        self.dir.join("password")
    }

    /// The same as the value that started it gave.
    pub fn isolated(&self) -> Isolated {
        Isolated {
            id: self.id.clone(),
            dir: self.dir.clone(),
            dbpath: self.dbpath.clone(),
            pid: self.pid,
            start_time: self.start_time,
            port: self.port,
            user: USER.to_owned(),
            password_file: self.password_file(),
            replset: self.replset.clone(),
        }
    }
}

/// What the registry holds.
#[derive(Debug, Default)]
pub struct Listing {
    /// What could be read, oldest first.
    pub records: Vec<Record>,
    /// What could not; each names its file.
    pub unreadable: Vec<Box<Error>>,
}

/// The directory of records.
#[derive(Debug, Clone)]
pub struct Registry {
    dir: PathBuf,
}

impl Registry {
    /// Opens it, and creates it (mode 0700) where it is not there.
    pub fn open(dir: &Path) -> Result<Registry> {
        let failed = |e| Error::failed("opening the list of targets", shown(dir), e);
        if fs::symlink_metadata(dir).is_err() {
            if let Some(parent) = dir.parent() {
                fs::create_dir_all(parent).map_err(failed)?;
            }
            match create_dir(dir) {
                Err(e) if e.kind() != std::io::ErrorKind::AlreadyExists => return Err(Box::new(failed(e))),
                _ => {}
            }
        }
        if !dir.is_dir() {
            return Error::failed("opening the list of targets", shown(dir), "it is no directory").err();
        }
        Ok(Registry { dir: dir.to_owned() })
    }

    fn file(&self, id: &str) -> PathBuf {
        self.dir.join(format!("{id}.json"))
    }

    /// Remembers a server; do it right after its start.
    pub fn add(&self, server: &Isolated, case: Option<&str>) -> Result<Record> {
        let record = Record {
            id: server.id.clone(),
            pid: server.pid,
            start_time: server.start_time,
            dir: server.dir.clone(),
            dbpath: server.dbpath.clone(),
            port: server.port,
            created: super::now(),
            case: case.map(str::to_owned),
            state: RunState::Running,
            incomplete: true,
            replset: server.replset.clone(),
        };
        self.write(&record)?;
        Ok(record)
    }

    /// Remembers the servers in the folders of `servers` that nobody remembers: whoever started
    /// them was killed before it could.
    pub fn adopt(&self, servers: &Path) -> Result<()> {
        let doing = "looking for servers that were left behind";
        let entries = match fs::read_dir(servers) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            other => other.map_err(|e| Error::failed(doing, shown(servers), e))?,
        };
        for entry in entries.flatten().filter(|e| e.file_type().is_ok_and(|t| t.is_dir())) {
            let Ok(dir) = fs::canonicalize(entry.path()) else { continue };
            let Some(id) = marker(&dir).map(|m| m.id).filter(|id| is_id(id)) else { continue };
            if fs::symlink_metadata(self.file(&id)).is_ok() {
                continue;
            }
            let dbpath = marker(&dir).and_then(|m| m.dbpath).unwrap_or_else(|| dir.join("data"));
            let created =
                entry.metadata().and_then(|m| m.modified()).map(chrono::DateTime::<chrono::Utc>::from);
            let mut record = Record {
                id,
                pid: 0,
                start_time: 0,
                dir,
                dbpath,
                port: 0,
                created: created
                    .map(|t| t.to_rfc3339_opts(chrono::SecondsFormat::Secs, true))
                    .unwrap_or_default(),
                case: None,
                state: RunState::Stopped,
                incomplete: true,
                replset: None,
            };
            record.find_process();
            record.look();
            self.write(&record)?;
        }
        Ok(())
    }

    /// Written beside and renamed: nobody ever reads half a record.
    fn write(&self, record: &Record) -> Result<()> {
        let path = self.file(&record.id);
        let failed = |e: std::io::Error| Error::failed("remembering the target", shown(&path), e);
        let text = serde_json::to_vec_pretty(record).map_err(|e| failed(e.into()))?;
        let beside = self.dir.join(format!("{}.{}.new", record.id, super::random_id()?));
        write_new(&beside, &text)
            .and_then(|()| fs::rename(&beside, &path))
            .and_then(|()| sync_dir(&self.dir))
            .map_err(|e| Box::new(failed(e)))
    }

    /// Everything remembered, with whether it runs now.
    pub fn list(&self) -> Result<Listing> {
        let failed = |e| Error::failed("listing the targets", shown(&self.dir), e);
        let mut listing = Listing::default();
        for entry in fs::read_dir(&self.dir).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if path.extension().is_none_or(|e| e != "json") {
                continue;
            }
            match read(&path) {
                Ok(record) => listing.records.push(record),
                Err(error) => listing.unreadable.push(error),
            }
        }
        listing.records.sort_by(|a, b| (&a.created, &a.id).cmp(&(&b.created, &b.id)));
        Ok(listing)
    }

    /// One of them.
    pub fn get(&self, id: &str) -> Result<Record> {
        let known = is_id(id);
        let path = self.file(id);
        if !known || fs::symlink_metadata(&path).is_err() {
            return Error::usage("looking up the target", format_args!("{id:?}"), "there is none of that id")
                .hint("`pitstop targets` lists them.")
                .err();
        }
        read(&path)
    }

    /// Stops one and waits for its end; killed when that takes longer than `grace`. Its data
    /// stay. Refused when the process of that id is not the server that was started.
    pub async fn stop(&self, id: &str, grace: Duration) -> Result<Record> {
        let mut record = self.get(id)?;
        // A server that was forking is more than one process: each is met in its turn. One of them
        // may hold the data before it can be told by its command line: it is waited for.
        let begun = std::time::Instant::now();
        for _ in 0..FORKS {
            while record.state != RunState::Running
                && somebody_serves(&record.dbpath)
                && begun.elapsed() < LAST_MOMENT
            {
                tokio::time::sleep(LOOK).await;
                record.look();
            }
            if record.state != RunState::Running {
                break;
            }
            let (process, dbpath) = (record.process(), record.dbpath.clone());
            blocking(move || process.stop(&dbpath, grace)).await?;
            record.look();
        }
        self.write(&record)?;
        Ok(record)
    }

    /// Removes the data of one that does not run, and forgets it. Only a directory that carries
    /// our marker with this id is removed.
    pub fn delete(&self, id: &str) -> Result<()> {
        let doing = "removing the target";
        let record = self.get(id)?;
        let refuse = |why: &str, hint: &str| Error::refused(doing, shown(&record.dir), why).hint(hint).err();
        match record.state {
            RunState::Running => return refuse("its server still runs", "stop it first."),
            RunState::Stopped => {
                if !carries(&record.dir, id) {
                    return refuse(
                        "the directory does not carry the marker of this target",
                        "look at it, and remove it yourself if it can go.",
                    );
                }
                if somebody_serves(&record.dbpath) {
                    return refuse("another server runs on these data", "stop that server first.");
                }
                // Cut off from here on, it is not taken for whole.
                let mark = record.dir.join(MARK);
                if fs::symlink_metadata(&mark).is_err() {
                    write_new(&mark, super::now().as_bytes())
                        .map_err(|e| Error::failed(doing, shown(&mark), e))?;
                }
                let inside = record.dbpath.starts_with(&record.dir);
                if inside && fs::symlink_metadata(&record.dbpath).is_ok() {
                    fs::remove_dir_all(&record.dbpath)
                        .map_err(|e| Error::failed(doing, shown(&record.dbpath), e))?;
                }
                if !inside && fs::symlink_metadata(&record.dbpath).is_ok() {
                    if !carries(&record.dbpath, id) {
                        return refuse(
                            "its data are in a directory that does not carry the marker of this target",
                            "look at it, and remove both yourself if they can go.",
                        );
                    }
                    remove_contents(&record.dbpath)
                        .map_err(|e| Error::failed(doing, shown(&record.dbpath), e))?;
                }
                fs::remove_dir_all(&record.dir).map_err(|e| Error::failed(doing, shown(&record.dir), e))?;
            }
            RunState::Gone => {}
        }
        let path = self.file(id);
        fs::remove_file(&path).map_err(|e| Box::new(Error::failed(doing, shown(&path), e)))
    }
}

fn read(path: &Path) -> Result<Record> {
    let broken = |cause: String| {
        Error::failed("reading what is remembered of a target", shown(path), cause)
            .hint("remove the file if no such target exists any more.")
    };
    let text = fs::read_to_string(path).map_err(|e| broken(e.to_string()))?;
    let mut record: Record = serde_json::from_str(&text).map_err(|e| broken(e.to_string()))?;
    if path.file_stem() != Some(record.id.as_ref()) {
        return Err(Box::new(broken(format!("it is about the target {:?}", record.id))));
    }
    record.look();
    Ok(record)
}

fn is_id(id: &str) -> bool {
    !id.is_empty() && id.bytes().all(|c| c.is_ascii_hexdigit())
}

/// What a directory's marker says.
#[derive(serde::Deserialize)]
struct Marker {
    id: String,
    dbpath: Option<PathBuf>,
}

fn marker(dir: &Path) -> Option<Marker> {
    serde_json::from_str(&fs::read_to_string(dir.join(MARKER)).ok()?).ok()
}

/// Whether this is a directory, and no link to one, with the marker of this target.
fn carries(dir: &Path, id: &str) -> bool {
    let real = fs::symlink_metadata(dir).is_ok_and(|m| m.is_dir());
    real && marker(dir).is_some_and(|m| m.id == id)
}

/// Removes a directory of data; where it is a disk's own, it stays and is empty. The marker goes
/// last: until then the rest can be removed by trying again.
fn remove_contents(dir: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        match entry.file_type()?.is_dir() {
            true => fs::remove_dir_all(entry.path())?,
            false if entry.file_name() == MARKER => {}
            false => fs::remove_file(entry.path())?,
        }
    }
    fs::remove_file(dir.join(MARKER))?;
    match fs::remove_dir(dir) {
        Err(e) if e.kind() == std::io::ErrorKind::ResourceBusy => Ok(()),
        other => other,
    }
}

/// Whether any server holds the data, however it was started: it locks this file while it runs.
fn somebody_serves(dbpath: &Path) -> bool {
    use rustix::fs::{FlockOperation, flock};
    let lock = fs::File::open(dbpath.join("mongod.lock"));
    lock.is_ok_and(|file| flock(&file, FlockOperation::NonBlockingLockExclusive).is_err())
}
