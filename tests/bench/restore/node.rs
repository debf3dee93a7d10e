//! A mongod on a data directory of our choice: the one that is recorded, those that recover.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bson::{Document, doc};
use mongodb::Client;

use crate::common::mongod::mongod;
use crate::common::server::{block_on, command_on, connect};

/// A running server; killed when dropped.
pub struct Node {
    child: Child,
    client: Client,
    port: u16,
}

impl Node {
    /// Starts one and waits until it answers (and, in a set, is initiated and writable).
    pub fn start(data: &Path, more: &[&str]) -> Node {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Self::start_at(port, data, more)
    }

    /// The same at a port: a member of a set is who it is by its address.
    pub fn start_at(port: u16, data: &Path, more: &[&str]) -> Node {
        std::fs::create_dir_all(data).unwrap();
        let log = data.with_extension("log");
        let child = Command::new(mongod())
            .args(["--bind_ip", "127.0.0.1", "--nounixsocket", "--port", &port.to_string()])
            .arg("--logpath")
            .arg(&log)
            .arg("--dbpath")
            .arg(data)
            .args(["--wiredTigerCacheSizeGB", "2"])
            .args(more)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let wait = "serverSelectionTimeoutMS=600000&connectTimeoutMS=600000";
        let client = connect(&format!("mongodb://127.0.0.1:{port}/?directConnection=true&{wait}"));
        command_on(&client, "admin", doc! { "ping": 1 });
        Node { child, client, port }
    }

    /// Makes it a set of one, unless it is one already, and waits until it takes writes.
    pub fn initiate(&self) {
        let member = doc! { "_id": 0, "host": format!("127.0.0.1:{}", self.port) };
        let config = doc! { "_id": "bench", "members": [member] };
        let admin = self.client.database("admin");
        // Refused where it was done before.
        let _ = block_on(admin.run_command(doc! { "replSetInitiate": config }).into_future());
        let begun = Instant::now();
        while !self.run("admin", doc! { "hello": 1 }).get_bool("isWritablePrimary").unwrap() {
            assert!(begun.elapsed() < Duration::from_secs(60), "the set does not become writable");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn client(&self) -> &Client {
        &self.client
    }

    pub fn uri(&self) -> String {
        format!("mongodb://127.0.0.1:{}/?directConnection=true", self.port)
    }

    pub fn run(&self, db: &str, command: Document) -> Document {
        command_on(&self.client, db, command)
    }

    /// The server's own hash of the orders.
    pub fn hash(&self) -> String {
        let answer = self.run("shop", doc! { "dbHash": 1 });
        answer.get_document("collections").unwrap().get_str("orders").unwrap().to_owned()
    }

    /// Ends it as an administrator would.
    pub fn shut_down(mut self) {
        let admin = self.client.database("admin");
        // It hangs up instead of answering.
        let _ = block_on(admin.run_command(doc! { "shutdown": 1, "force": true }).into_future());
        self.child.wait().unwrap();
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Copies a directory.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path: PathBuf = entry.unwrap().path();
        let at = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &at);
        } else {
            std::fs::copy(&path, at).unwrap();
        }
    }
}
