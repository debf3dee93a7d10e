//! What integration tests share: a real mongod, the fixtures, and the truth about them.
#![allow(dead_code, missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod archive;
pub mod cli;
pub mod dump;
pub mod fixtures;
pub mod id_order;
pub mod mongod;
pub mod record;
pub mod server;
pub mod state;
pub mod truth;

use std::fs::File;
use std::path::{Path, PathBuf};

/// The build directory. It outlives a test run, so what is fetched or unpacked is kept there.
pub fn target_dir() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("cargo's tmp lies in the build directory").into()
}

/// Runs `make` unless `ready` exists, one process at a time: test binaries run side by side.
pub fn once(ready: &Path, make: impl FnOnce()) {
    if ready.exists() {
        return;
    }
    let parent = ready.parent().expect("a path with a parent");
    std::fs::create_dir_all(parent).unwrap();
    let lock = File::create(ready.with_extension("lock")).unwrap();
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).unwrap();
    if !ready.exists() {
        make();
        assert!(ready.exists(), "{} was to be made", ready.display());
    }
}
