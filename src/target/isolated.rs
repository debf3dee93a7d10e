//! A MongoDB server of our own: on the loopback only, in its own directory, with access control
//! on before it listens, the TTL monitor off and the cache capped. It outlives this process.
//!
//! Two starts: the first listens on nothing but a socket in a 0700 directory, where the first
//! user is made; the second listens on 127.0.0.1 and lets nobody in without the password.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bson::doc;

use super::MARK;
use super::files::{own_empty_dir, shown, write_new};
use super::launch::{Launcher, Listen, blocking, last_words, listen, log_in, require_free};
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

pub(super) const STARTING: &str = "starting the isolated server";

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
    /// Where its data go, if not into its directory; same rules. Has to be absolute.
    pub dbpath: Option<PathBuf>,
}

impl IsolatedOptions {
    /// Any free port, and a quarter of the memory (4 GiB at most) as cache.
    pub fn new(dir: PathBuf, mongod: Mongod) -> Self {
        IsolatedOptions { dir, mongod, port: None, cache_gb: default_cache_gb(), dbpath: None }
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
    /// Its directory: log, password, and the data unless they are elsewhere.
    pub dir: PathBuf,
    /// Where its data are.
    pub dbpath: PathBuf,
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
    /// The replica set that it is the one node of.
    pub replset: Option<String>,
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
        let data = match &o.dbpath {
            None => {
                let data = dir.join("data");
                super::files::create_dir(&data).map_err(|e| io(&data, e))?;
                data
            }
            Some(path) => {
                own_empty_dir(path, "preparing the directory for the data", hint)?;
                fs::canonicalize(path).map_err(|e| io(path, e))?
            }
        };
        // From the first moment that anybody can find it.
        let mark = dir.join(MARK);
        write_new(&mark, super::now().as_bytes()).map_err(|e| io(&mark, e))?;
        // Says in both places whose they are, and here where the data are.
        for place in [dir.join(MARKER), data.join(MARKER)] {
            if place.starts_with(&data) && o.dbpath.is_none() {
                continue;
            }
            let marker = serde_json::json!({ "id": id, "dbpath": data });
            write_new(&place, format!("{marker}\n").as_bytes()).map_err(|e| io(&place, e))?;
        }
        let password = password()?;
        let password_file = dir.join("password");
        write_new(&password_file, password.as_bytes()).map_err(|e| io(&password_file, e))?;

        let launcher = Launcher {
            id: id.clone(),
            dir: dir.clone(),
            data: data.clone(),
            mongod: o.mongod.path,
            cache_gb: o.cache_gb,
            replset: None,
        };
        create_user(&launcher, &password).await?;
        meter.add(1, 0);
        meter.check(STARTING)?;
        let (launched, port) = listen(&launcher, o.port).await?;
        let process = launched.process;
        let isolated = Isolated {
            id,
            dir,
            dbpath: data,
            pid: process.pid,
            start_time: process.start_time,
            port,
            user: USER.to_owned(),
            password_file,
            replset: None,
        };
        // Proves that it lets us in, before anybody relies on it.
        isolated.connect().await?;
        meter.add(1, 0);
        launched.keep();
        Ok(isolated)
    }

    /// The same server once more on its data, after it has ended: alone, or as a member of the
    /// set that it names. On the port it had if that is free, else, alone, on another.
    pub async fn start_again(&self, mongod: &Mongod, replset: Option<&str>) -> Result<Isolated> {
        let launcher = Launcher {
            id: self.id.clone(),
            dir: self.dir.clone(),
            data: self.dbpath.clone(),
            mongod: mongod.path.clone(),
            cache_gb: default_cache_gb(),
            replset: replset.map(str::to_owned),
        };
        // The set knows its member by the port.
        let wanted = Some(self.port).filter(|port| replset.is_some() || require_free(*port).is_ok());
        let (launched, port) = listen(&launcher, wanted).await?;
        let again = Isolated {
            pid: launched.process.pid,
            start_time: launched.process.start_time,
            port,
            replset: launcher.replset.clone(),
            ..self.clone()
        };
        Server::connect_early(&again.uri_with_password()?).await?;
        launched.keep();
        Ok(again)
    }

    /// Ends it and starts it as the only node of a replica set: primary, with a key that members
    /// to come need, still on the loopback, still without expiry.
    pub async fn become_replica_set(&self, mongod: &Mongod, name: &str) -> Result<Isolated> {
        let doing = "making the isolated server a replica set";
        let key = self.key_file();
        if fs::symlink_metadata(&key).is_err() {
            write_new(&key, key_text()?.as_bytes()).map_err(|e| Error::failed(doing, shown(&key), e))?;
        }
        self.stop().await?;
        let again = self.start_again(mongod, Some(name)).await?;
        let server = Server::connect_early(&again.uri_with_password()?).await?;
        let member = doc! { "_id": 0, "host": format!("127.0.0.1:{}", again.port) };
        let config = doc! { "_id": name, "members": [member] };
        let initiated = server.run("admin", doc! { "replSetInitiate": config }).await;
        initiated.map_err(|e| Error::failed(doing, format_args!("{name:?}"), e))?;
        let begun = std::time::Instant::now();
        loop {
            let hello = server.run("admin", doc! { "hello": 1 }).await;
            if hello.as_ref().is_ok_and(|h| h.get_bool("isWritablePrimary").unwrap_or(false)) {
                return Ok(again);
            }
            if begun.elapsed() > GRACE {
                let cause = hello.map_or_else(|e| e, |h| h.to_string());
                return Error::failed(doing, format_args!("{name:?}"), visible(&cause))
                    .hint(format_args!("its log is {}.", shown(&again.log())))
                    .err();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The key by which members of its set know each other; there once it is one.
    pub fn key_file(&self) -> PathBuf {
        self.dir.join("keyfile")
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
        let (process, dbpath) = (self.process(), self.dbpath.clone());
        blocking(move || process.stop(&dbpath, GRACE)).await
    }

    /// When it does not run any more, or not much longer: what its log says last. For errors of a
    /// load that lost it.
    pub fn obituary(&self) -> Option<String> {
        self.process().is_ending().then(|| last_words(&self.log()))
    }
}

/// The connection string of an isolated server.
pub(super) fn uri(user: &str, password: Option<&str>, port: u16) -> String {
    let password = password.map(|p| format!(":{}", encoded(p))).unwrap_or_default();
    format!("mongodb://{}{password}@127.0.0.1:{port}/?authSource=admin&directConnection=true", encoded(user))
}

/// 32 letters and digits: 190 bits.
fn password() -> Result<String> {
    letters::<32>(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
}

/// A key file's text is base64.
fn key_text() -> Result<String> {
    letters::<512>(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
}

fn letters<const N: usize>(alphabet: &[u8; 64]) -> Result<String> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|e| Error::failed("asking the system for random bytes", "", e))?;
    Ok(bytes.iter().map(|b| char::from(alphabet[usize::from(b & 63)])).collect())
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
