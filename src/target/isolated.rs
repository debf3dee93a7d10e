//! A MongoDB server of our own: on the loopback only, in its own directory, with access control
//! on before it listens, the TTL monitor off and the cache capped. It outlives this process.
//!
//! Two starts: the first listens on nothing but a socket in a 0700 directory, where the first
//! user is made; the second listens on 127.0.0.1 and lets nobody in without the password.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use bson::doc;

use super::MARK;
use super::files::{own_empty_dir, replace_file, shown, write_new};
use super::mongod::Mongod;
use super::process::Process;
use super::server::Server;
use crate::domain::progress::{Meter, Phase};
use crate::domain::text::visible;
use crate::domain::uri::encoded;
use crate::domain::{Error, Result};

/// The name of the only user.
pub const USER: &str = "pitstop";

/// The file in the server's directory that says whose it is; removal asks for it.
pub(super) const MARKER: &str = "pitstop-target.json";

/// How long a server may take to end before it is killed.
pub const GRACE: Duration = Duration::from_secs(60);

const STARTING: &str = "starting the isolated server";

/// How to start a server.
#[derive(Debug, Clone)]
pub struct IsolatedOptions {
    /// Its directory: created with mode 0700; must not exist, or be empty; no symbolic link.
    pub dir: PathBuf,
    /// Its binary.
    pub mongod: Mongod,
    /// Its port on 127.0.0.1; `None` = any free one.
    pub port: Option<u16>,
    /// Its cache in GiB; the server accepts 0.25 at least.
    pub cache_gb: f64,
}

impl IsolatedOptions {
    /// Any free port, and a quarter of the memory (4 GiB at most) as cache.
    pub fn new(dir: PathBuf, mongod: Mongod) -> Self {
        IsolatedOptions { dir, mongod, port: None, cache_gb: default_cache_gb() }
    }
}

/// A quarter of the machine's memory in GiB, between 0.25 and 4.
pub fn default_cache_gb() -> f64 {
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total = memory.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kib = total.and_then(|t| t.trim().strip_suffix(" kB")?.trim().parse::<f64>().ok());
    (kib.unwrap_or(0.0) / 4.0 / f64::from(1 << 20)).clamp(0.25, 4.0)
}

/// A server that was started here and runs on its own. Dropping this value does not stop it.
#[derive(Debug, Clone)]
pub struct Isolated {
    /// Names it in the registry.
    pub id: String,
    /// Its directory: data, log, password.
    pub dir: PathBuf,
    /// Its process id.
    pub pid: u32,
    /// When its process started, in clock ticks since boot.
    pub start_time: u64,
    /// Its port on 127.0.0.1.
    pub port: u16,
    /// The only user, who may do everything.
    pub user: String,
    /// A file of mode 0600 that holds nothing but the password.
    pub password_file: PathBuf,
}

impl Isolated {
    /// Starts it. Needs a tokio runtime with time and network. On any error nothing is left
    /// running; the directory stays, with the log.
    pub async fn start(o: IsolatedOptions, meter: &Meter) -> Result<Isolated> {
        meter.enter(Phase::Start, 2);
        let hint = "name a directory that does not exist yet.";
        own_empty_dir(&o.dir, "preparing the isolated server's directory", hint)?;
        let dir = fs::canonicalize(&o.dir).map_err(|e| Error::failed(STARTING, shown(&o.dir), e))?;
        if let Some(port) = o.port {
            require_free(port)?;
        }
        let io = |path: &Path, e: std::io::Error| Error::failed(STARTING, shown(path), e);
        let id = super::random_id()?;
        let marker = dir.join(MARKER);
        write_new(&marker, format!("{{\"id\":\"{id}\"}}\n").as_bytes()).map_err(|e| io(&marker, e))?;
        let mark = dir.join(MARK);
        write_new(&mark, super::now().as_bytes()).map_err(|e| io(&mark, e))?;
        let data = dir.join("data");
        super::files::create_dir(&data).map_err(|e| io(&data, e))?;
        let password = password()?;
        let password_file = dir.join("password");
        write_new(&password_file, password.as_bytes()).map_err(|e| io(&password_file, e))?;

        let launcher = Launcher { dir: dir.clone(), data, mongod: o.mongod.path, cache_gb: o.cache_gb };
        create_user(&launcher, &password).await?;
        meter.add(1, 0);
        meter.check(STARTING)?;
        let (launched, port) = listen(&launcher, o.port).await?;
        let process = launched.process;
        let isolated = Isolated {
            id,
            dir,
            pid: process.pid,
            start_time: process.start_time,
            port,
            user: USER.to_owned(),
            password_file,
        };
        // Proves that it lets us in, before anybody relies on it.
        isolated.connect().await?;
        meter.add(1, 0);
        launched.keep();
        Ok(isolated)
    }

    /// Connects as its user.
    pub async fn connect(&self) -> Result<Server> {
        Server::connect(&self.uri_with_password()?).await
    }

    /// How to connect, without the password: a shell asks for it.
    pub fn uri(&self) -> String {
        uri(&self.user, None, self.port)
    }

    /// The same with the password. Never for argv, logs, reports or JSON.
    pub fn uri_with_password(&self) -> Result<String> {
        let password = fs::read_to_string(&self.password_file).map_err(|e| {
            Error::failed("reading the password of the isolated server", shown(&self.password_file), e)
        })?;
        Ok(uri(&self.user, Some(password.trim_end()), self.port))
    }

    /// Where its data are.
    pub fn dbpath(&self) -> PathBuf {
        self.dir.join("data")
    }

    /// Its log.
    pub fn log(&self) -> PathBuf {
        log_in(&self.dir)
    }

    /// Says that what it holds is complete and verified.
    pub fn complete(&self) -> Result<()> {
        let mark = self.dir.join(MARK);
        fs::remove_file(&mark)
            .and_then(|()| super::files::sync_dir(&self.dir))
            .map_err(|e| Box::new(Error::failed("removing the mark of", shown(&mark), e)))
    }

    /// Its process.
    pub fn process(&self) -> Process {
        Process { pid: self.pid, start_time: self.start_time }
    }

    /// Ends it and waits for that; its data stay.
    pub async fn stop(&self) -> Result<()> {
        let (process, dbpath) = (self.process(), self.dbpath());
        blocking(move || process.stop(&dbpath, GRACE)).await
    }

    /// When it does not run any more: what its log says last. For errors of a load that lost it.
    pub fn obituary(&self) -> Option<String> {
        (!self.process().is_alive()).then(|| last_words(&self.log()))
    }
}

/// The connection string of an isolated server.
pub(super) fn uri(user: &str, password: Option<&str>, port: u16) -> String {
    let password = password.map(|p| format!(":{}", encoded(p))).unwrap_or_default();
    format!("mongodb://{}{password}@127.0.0.1:{port}/?authSource=admin&directConnection=true", encoded(user))
}

fn log_in(dir: &Path) -> PathBuf {
    dir.join("mongod.log")
}

/// 32 letters and digits: 190 bits.
fn password() -> Result<String> {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|e| Error::failed("asking the system for random bytes", "", e))?;
    Ok(bytes.iter().map(|b| char::from(LETTERS[usize::from(b & 63)])).collect())
}

/// The first start: nothing listens but a socket nobody else can reach; makes the user.
async fn create_user(launcher: &Launcher, password: &str) -> Result<()> {
    let (dir, _temporary) = socket_dir(&launcher.dir)?;
    let socket = dir.join("first.sock");
    let launched = launcher.launch(Listen::Socket(socket.clone())).await?;
    let host = encoded(&socket.to_string_lossy());
    let server = Server::connect(&format!("mongodb://{host}/?directConnection=true")).await?;
    server
        .run("admin", doc! { "createUser": USER, "pwd": password, "roles": ["root"] })
        .await
        .map_err(|e| Error::failed(STARTING, "while making its user", e))?;
    launched.stop().await
}

/// The server's own directory, or a fresh one where sockets go: their paths have 107 bytes at
/// most, and a comma would separate addresses.
fn socket_dir(dir: &Path) -> Result<(PathBuf, Option<tempfile::TempDir>)> {
    let plain = |b: &u8| b.is_ascii_graphic() && *b != b',';
    let bytes = dir.as_os_str().as_bytes();
    if bytes.len() <= 90 && bytes.iter().all(plain) {
        return Ok((dir.to_owned(), None));
    }
    // `tempfile` makes directories with mode 0700.
    let temporary = tempfile::Builder::new()
        .prefix("pitstop-")
        .tempdir()
        .map_err(|e| Error::failed(STARTING, "while making a directory for its socket", e))?;
    Ok((temporary.path().to_owned(), Some(temporary)))
}

/// The second start: on the loopback, with access control.
async fn listen(launcher: &Launcher, wanted: Option<u16>) -> Result<(Launched, u16)> {
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

fn require_free(port: u16) -> Result<()> {
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

enum Listen {
    Socket(PathBuf),
    Loopback(u16),
}

#[derive(Clone)]
struct Launcher {
    dir: PathBuf,
    data: PathBuf,
    mongod: PathBuf,
    cache_gb: f64,
}

impl Launcher {
    /// Starts the server; done when it accepts connections. Runs off the async threads, so that
    /// nobody can give up between the start and the guard that ends it.
    async fn launch(&self, listen: Listen) -> Result<Launched> {
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
struct Launched {
    process: Process,
    data: PathBuf,
    armed: bool,
}

impl Launched {
    fn keep(mut self) {
        self.armed = false;
    }

    async fn stop(mut self) -> Result<()> {
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
