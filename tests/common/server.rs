//! A real server for one test (or one test binary), on a free loopback port, in a directory of
//! its own. It goes when it is dropped, and also when the test process ends in any other way:
//! a little shell waits for the end of its input and then kills it.

use std::future::Future;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use bson::{Document, doc};
use mongodb::Client;

const SET: &str = "pit0";
/// Long enough for a recovery on a machine with much else to do.
const WAIT: Duration = Duration::from_secs(300);
/// Arguments: directory, log, then the server's command line.
const GUARD: &str = r#"dir=$1 log=$2; shift 2
"$@" </dev/null >"$log" 2>&1 & echo $!
read -r _; kill -9 $! 2>/dev/null; wait; rm -rf "$dir""#;

/// What kind of server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Standalone,
    /// One node, initiated and primary.
    ReplicaSet,
    /// A node that is to be added to a set.
    Member,
}

/// A running server.
pub struct Server {
    guard: Child,
    pid: u32,
    data: PathBuf,
    uri: String,
    port: u16,
}

/// Runs a future to its end. Not to be called from async code.
pub fn block_on<F: Future>(future: F) -> F::Output {
    static RUNTIME: OnceLock<tokio::runtime::Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| tokio::runtime::Runtime::new().unwrap()).block_on(future)
}

impl Server {
    pub fn standalone() -> Server {
        Self::start(Kind::Standalone, &[])
    }

    pub fn replica_set() -> Server {
        Self::start(Kind::ReplicaSet, &[])
    }

    /// Starts one with more arguments, such as `["--setParameter", "ttlMonitorEnabled=false"]`.
    /// Test commands are enabled.
    pub fn start(kind: Kind, more: &[&str]) -> Server {
        // Between choosing a free port and taking it somebody else may take it: try again.
        Self::insist(kind, None, more).unwrap_or_else(|said| panic!("{said}"))
    }

    /// Starts a standalone over data files that are there already, and stay.
    pub fn over(data: &Path, more: &[&str]) -> Server {
        Self::insist(Kind::Standalone, Some(data), more).unwrap_or_else(|said| panic!("{said}"))
    }

    /// The same, for a start in which the server may find that it cannot go on: then what it said.
    pub fn recovering(data: &Path, more: &[&str]) -> Result<Server, String> {
        Self::insist(Kind::Standalone, Some(data), more)
    }

    fn insist(kind: Kind, data: Option<&Path>, more: &[&str]) -> Result<Server, String> {
        for _ in 0..5 {
            if let Some(server) = Self::try_start(kind, data, more)? {
                return Ok(server);
            }
        }
        panic!("five free ports in a row were taken by others");
    }

    /// `None` when the port was taken.
    fn try_start(kind: Kind, data: Option<&Path>, more: &[&str]) -> Result<Option<Server>, String> {
        let mongod = super::mongod::mongod();
        let dir = tempfile::Builder::new().prefix("server-").tempdir_in(env!("CARGO_TARGET_TMPDIR"));
        let dir = dir.unwrap().keep();
        let data = data.map_or_else(|| dir.join("data"), Path::to_owned);
        std::fs::create_dir_all(&data).unwrap();
        let log = dir.join("log");
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = Command::new("sh");
        command.args(["-c", GUARD, "guard"]).args([&dir, &log]).arg(mongod);
        command.args(["--bind_ip", "127.0.0.1", "--nounixsocket", "--port", &port.to_string(), "--dbpath"]);
        command.arg(&data).args(["--wiredTigerCacheSizeGB", "0.25"]);
        command.args(["--setParameter", "enableTestCommands=1"]);
        if kind != Kind::Standalone {
            command.args(["--replSet", SET]);
            if !more.contains(&"--oplogSize") {
                command.args(["--oplogSize", "200"]);
            }
        }
        command.args(more).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut guard = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(guard.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let pid = line.trim().parse().unwrap();
        let uri = match kind {
            Kind::Standalone | Kind::Member => format!("mongodb://127.0.0.1:{port}/?directConnection=true"),
            Kind::ReplicaSet => format!("mongodb://127.0.0.1:{port}/?replicaSet={SET}"),
        };
        let server = Server { guard, pid, data, uri, port };
        Ok(server.wait_until_ready(kind, &log)?.then_some(server))
    }

    /// False when the port was taken; an error where the server ended by itself.
    fn wait_until_ready(&self, kind: Kind, log: &Path) -> Result<bool, String> {
        let direct = format!("mongodb://127.0.0.1:{}/?directConnection=true", self.port);
        let begun = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            let said = std::fs::read_to_string(log).unwrap_or_default();
            if said.contains("Address already in use") {
                return Ok(false);
            }
            let fatal = said.lines().find(|line| line.contains("\"s\":\"F\""));
            let ended = said.contains("dbexit:") || said.contains("aborting after");
            if ended || begun.elapsed() > WAIT {
                let words = fatal.or(said.lines().last()).unwrap_or("no output");
                return Err(format!("mongod did not start: {words}"));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let admin = connect(&direct).database("admin");
        if kind == Kind::ReplicaSet {
            let member = doc! { "_id": 0, "host": format!("127.0.0.1:{}", self.port) };
            let config = doc! { "_id": SET, "members": [member] };
            block_on(admin.run_command(doc! { "replSetInitiate": config }).into_future()).unwrap();
        }
        loop {
            let hello = block_on(admin.run_command(doc! { "hello": 1 }).into_future());
            match hello {
                Ok(_) if kind == Kind::Member => return Ok(true),
                Ok(reply) if reply.get_bool("isWritablePrimary").unwrap_or(false) => return Ok(true),
                reply => assert!(begun.elapsed() < WAIT, "mongod does not become writable: {reply:?}"),
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Where it listens, for any client.
    pub fn uri(&self) -> &str {
        &self.uri
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// The server's process id.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Its data files.
    pub fn dbpath(&self) -> PathBuf {
        self.data.clone()
    }

    /// Ends it as its operators do, and waits for that.
    pub fn shut_down(self) {
        let admin = self.client().database("admin");
        // It hangs up instead of answering.
        let _ = block_on(admin.run_command(doc! { "shutdown": 1, "force": true }).into_future());
        let (lock, begun) = (self.data.join("mongod.lock"), Instant::now());
        while std::fs::metadata(&lock).unwrap().len() > 0 {
            assert!(begun.elapsed() < WAIT, "mongod does not end");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// A new client.
    pub fn client(&self) -> Client {
        connect(&self.uri)
    }

    /// Runs one command and waits for the answer.
    pub fn run(&self, db: &str, command: Document) -> Document {
        command_on(&self.client(), db, command)
    }

    /// Removes every database and collection but the server's own, so that the server can be used again.
    pub fn wipe(&self) {
        let client = self.client();
        for name in block_on(client.list_database_names().into_future()).unwrap() {
            if !["admin", "config", "local"].contains(&name.as_str()) {
                command_on(&client, &name, doc! { "dropDatabase": 1 });
            }
        }
        for listed in cursor_on(&client, "admin", doc! { "listCollections": 1, "nameOnly": true }) {
            let name = listed.get_str("name").unwrap();
            if !name.starts_with("system.") {
                command_on(&client, "admin", doc! { "drop": name });
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
    }
}

/// A client for this address.
pub fn connect(uri: &str) -> Client {
    block_on(Client::with_uri_str(uri)).unwrap()
}

/// Runs one command and waits for the answer.
pub fn command_on(client: &Client, db: &str, command: Document) -> Document {
    let database = client.database(db);
    block_on(database.run_command(command.clone()).into_future())
        .unwrap_or_else(|e| panic!("{db}: {command}: {e}"))
}

/// Runs a command that answers with a cursor and gives everything behind it.
pub fn cursor_on(client: &Client, db: &str, command: Document) -> Vec<Document> {
    use futures_util::TryStreamExt;
    let database = client.database(db);
    block_on(async { database.run_cursor_command(command.clone()).await?.try_collect().await })
        .unwrap_or_else(|e: mongodb::error::Error| panic!("{db}: {command}: {e}"))
}
