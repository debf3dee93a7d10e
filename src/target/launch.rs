//! Starting a mongod and having it outlive us: on a socket nobody else can reach, or on the
//! loopback with access control; what it said when it gave up.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::files::{replace_file, shown};
use super::isolated::{GRACE, STARTING};
use super::process::Process;
use crate::domain::text::visible;
use crate::domain::{Error, Result};

/// In the environment of every server that is started here: its id.
pub(super) const TARGET_ID: &str = "PITSTOP_TARGET";

pub(super) fn log_in(dir: &Path) -> PathBuf {
    dir.join("mongod.log")
}

/// The second start: on the loopback, with access control.
pub(super) async fn listen(launcher: &Launcher, wanted: Option<u16>) -> Result<(Launched, u16)> {
    // A free port can be taken, for a moment even, between looking and using it: look again.
    let mut attempts = if wanted.is_some() { 1 } else { 5 };
    loop {
        let port = wanted.map_or_else(free_port, Ok)?;
        match launcher.launch(Listen::Loopback(port)).await {
            Ok(launched) => return Ok((launched, port)),
            Err(error) => {
                attempts -= 1;
                if attempts == 0 || !error.cause.contains("Address already in use") {
                    return Err(error);
                }
            }
        }
    }
}

fn free_port() -> Result<u16> {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|l| l.local_addr());
    port.map(|a| a.port()).map_err(|e| Box::new(Error::failed("looking for a free port", "on 127.0.0.1", e)))
}

pub(super) fn require_free(port: u16) -> Result<()> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map(drop).map_err(|e| {
        Box::new(
            Error::failed(
                STARTING,
                format_args!("on 127.0.0.1:{port}"),
                format_args!("the port cannot be used: {e}"),
            )
            .hint("name another port, or none: then a free one is found."),
        )
    })
}

/// Where it listens.
pub(super) enum Listen {
    Socket(PathBuf),
    Loopback(u16),
}

/// How to start it.
#[derive(Clone)]
pub(super) struct Launcher {
    pub id: String,
    pub dir: PathBuf,
    pub data: PathBuf,
    pub mongod: PathBuf,
    pub cache_gb: f64,
    pub replset: Option<String>,
}

impl Launcher {
    /// Starts the server; done when it accepts connections. Runs off the async threads, so that
    /// nobody can give up between the start and the guard that ends it.
    pub async fn launch(&self, listen: Listen) -> Result<Launched> {
        let launcher = self.clone();
        blocking(move || launcher.launch_now(&listen)).await
    }

    fn launch_now(&self, listen: &Listen) -> Result<Launched> {
        let (log, pid_file, said) =
            (log_in(&self.dir), self.dir.join("mongod.pid"), self.dir.join("mongod.out"));
        let failed = |e: std::io::Error| Error::failed(STARTING, shown(&self.mongod), e);
        let out = replace_file(&said).map_err(failed)?;
        let mut command = Command::new(&self.mongod);
        command
            .arg("--dbpath")
            .arg(&self.data)
            .arg("--logpath")
            .arg(&log)
            .arg("--pidfilepath")
            .arg(&pid_file);
        command.args(["--logappend", "--fork", "--auth"]);
        if let Some(name) = &self.replset {
            command.arg("--replSet").arg(name).arg("--keyFile").arg(self.dir.join("keyfile"));
        }
        // By this every process of it is known to be ours, whoever is killed while it forks.
        command.env(TARGET_ID, &self.id);
        command.args(["--setParameter", "ttlMonitorEnabled=false"]);
        command.args(["--setParameter", "diagnosticDataCollectionEnabled=false"]);
        command.arg("--wiredTigerCacheSizeGB").arg(format!("{:.2}", self.cache_gb.max(0.25)));
        match listen {
            Listen::Socket(path) => command.arg("--bind_ip").arg(path),
            Listen::Loopback(port) => command
                .args(["--bind_ip", "127.0.0.1", "--nounixsocket", "--port", &port.to_string()])
                .args(["--setParameter", "enableLocalhostAuthBypass=false"]),
        };
        // The daemon leads a session of its own and closes what it inherits.
        let status = command
            .stdin(Stdio::null())
            .stdout(out.try_clone().map_err(failed)?)
            .stderr(out)
            .current_dir(&self.dir)
            .status()
            .map_err(failed)?;
        let pid = fs::read_to_string(&pid_file).ok().and_then(|text| text.trim().parse().ok());
        let process = pid.and_then(Process::of).filter(|p| p.serves(&self.data));
        match process {
            Some(process) if status.success() => {
                Ok(Launched { process, data: self.data.clone(), armed: true })
            }
            left => {
                // Whatever is left of it must not stay behind.
                let guard = left.map(|process| Launched { process, data: self.data.clone(), armed: true });
                drop(guard);
                let mut why = last_words(&log);
                if why.is_empty() {
                    why = visible(tail(&said).trim()).into_owned();
                }
                Error::failed(STARTING, shown(&self.dir), format_args!("mongod gave up ({status}): {why}"))
                    .hint(format_args!("its log is {}.", shown(&log)))
                    .err()
            }
        }
    }
}

/// A started server that is stopped again unless somebody keeps it.
pub(super) struct Launched {
    pub process: Process,
    data: PathBuf,
    armed: bool,
}

impl Launched {
    pub fn keep(mut self) {
        self.armed = false;
    }

    pub async fn stop(mut self) -> Result<()> {
        self.armed = false;
        let (process, data) = (self.process, self.data.clone());
        blocking(move || process.stop(&data, GRACE)).await
    }
}

impl Drop for Launched {
    fn drop(&mut self) {
        if self.armed {
            // Nobody is left to be told; the error that led here is being reported.
            let _ = self.process.stop(&self.data, Duration::from_secs(10));
        }
    }
}

/// Runs something that blocks without holding up the async threads.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|e| Error::failed("running a worker thread", "", e).err())
}

/// The errors at the end of a server's log, or its last lines.
pub(super) fn last_words(log: &Path) -> String {
    let text = tail(log);
    let lines: Vec<&str> = text.lines().filter(|l| !l.is_empty()).collect();
    let errors: Vec<&str> =
        lines.iter().copied().filter(|l| l.contains("\"s\":\"E\"") || l.contains("\"s\":\"F\"")).collect();
    let chosen = if errors.is_empty() { lines } else { errors };
    let last = chosen.iter().rev().take(3).rev();
    let short = |line: &&str| visible(&line.chars().take(500).collect::<String>()).into_owned();
    last.map(short).collect::<Vec<_>>().join("\n")
}

fn tail(path: &Path) -> String {
    let read = || {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(64 * 1024)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        std::io::Result::Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    read().unwrap_or_default()
}
