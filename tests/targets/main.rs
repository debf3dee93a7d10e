//! Targets against a real server. A zoo is made by plain driver calls on a server of its own; a
//! state read off that server goes to a target, and both servers' own dbHash, options and
//! indexes are compared.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod archive;
#[path = "../common/mod.rs"]
mod common;
mod dump;
mod guards;
mod isolated;
mod loading;
mod resuming;
mod zoo;

use std::fs;
use std::path::{Path, PathBuf};

use crate::common::server::{Server as Peer, block_on};
use pitstop::domain::Result;
use pitstop::domain::progress::Meter;
use pitstop::engine::output::State;
use pitstop::target::{
    Isolated, IsolatedOptions, LoadOptions, Loaded, Server, Ttl, Verification, find_mongod,
};

pub struct Home(pub tempfile::TempDir);

impl Home {
    pub fn make() -> Home {
        Home(tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

/// An isolated server that ends with its test.
pub struct Running(pub Isolated);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = block_on(self.0.stop());
    }
}

pub fn options(dir: PathBuf) -> IsolatedOptions {
    let mongod = find_mongod(Some(common::mongod::mongod()), None).unwrap();
    IsolatedOptions { cache_gb: 0.25, ..IsolatedOptions::new(dir, mongod) }
}

pub fn start(home: &Home) -> Running {
    Running(block_on(Isolated::start(options(home.path("server")), &Meter::default())).unwrap())
}

pub fn with(ttl: Ttl) -> LoadOptions {
    LoadOptions { workers: 3, ..LoadOptions::new("r1", ttl) }
}

pub fn connect(peer: &Peer) -> Server {
    block_on(Server::connect(peer.uri())).unwrap()
}

pub fn load(server: &Server, state: &dyn State, ttl: Ttl) -> Result<Loaded> {
    block_on(server.load(state, &with(ttl), &Meter::default()))
}

pub fn verify(server: &Server, state: &dyn State, loaded: &Loaded) -> Verification {
    block_on(server.verify(state, loaded, &Meter::default())).unwrap()
}

pub fn databases(uri: &str) -> Vec<String> {
    block_on(common::server::connect(uri).list_database_names().into_future()).unwrap()
}

pub fn walk(dir: &Path) -> Vec<PathBuf> {
    let mut all = vec![dir.to_owned()];
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { all.extend(walk(&path)) } else { all.push(path) }
    }
    all
}
