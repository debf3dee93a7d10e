//! Where states go: an isolated server that is started here, a server somebody runs, a dump
//! directory, an archive. Creates collections, writes documents byte by byte as given, builds indexes, reads
//! everything back and compares.
//!
//! Consumes [`crate::engine::output::State`]. Knows nothing of oplogs, snapshots, stops or cases.

use std::fs;
use std::path::{Path, PathBuf};

use crate::domain::{Error, Result};

mod archive;
mod ask;
mod batch;
pub mod dump;
mod dump_begin;
mod dump_names;
mod files;
pub mod isolated;
mod launch;
mod ledger;
mod limit;
mod load;
mod metadata;
pub mod mongod;
pub mod process;
mod pull;
pub mod registry;
pub mod server;
mod shape;
mod unfinished;
mod users;
mod verify;
mod writer;

pub use crate::domain::uri;
pub use archive::{Found, Unproven, write_archive};
pub use ask::Answer;
pub use dump::{DumpOptions, Written, write_dump};
pub use files::{any_partial, remove_partial};
pub use isolated::{Isolated, IsolatedOptions};
pub use ledger::{Forgetful, Ledger};
pub use load::{LoadOptions, Loaded, Ttl};
pub use mongod::{Mongod, check_version, find_mongod};
pub use pull::Seen;
pub use registry::Registry;
pub use server::{Server, ServerIdentity};
pub use verify::{CollectionCheck, Verification};

/// The database, and in a dump directory the file, that says: this restore is not finished.
pub const MARK: &str = "pitstop_incomplete";

/// What stays free on a disk we write to.
pub const FREE_FLOOR: u64 = 1 << 30;

/// Refuses when writing `bytes` where `dir` is, or will be, would leave less than 1 GiB free.
pub fn require_space(dir: &Path, bytes: u64) -> Result<()> {
    let doing = "checking the free space for";
    let place = format!("{:?}", dir.display().to_string());
    let free = free_space(dir)?;
    let needed = bytes.saturating_add(FREE_FLOOR);
    if free >= needed {
        return Ok(());
    }
    let mib = |b: u64| b.div_ceil(1 << 20);
    Error::refused(
        doing,
        place,
        format_args!(
            "{} MiB are free, {} MiB are needed ({} MiB of data, and 1024 MiB stay free)",
            free >> 20,
            mib(needed),
            mib(bytes)
        ),
    )
    .hint("free some space, or name a directory on another disk.")
    .err()
}

/// How many bytes are free for us where this directory is, or will be.
pub fn free_space(dir: &Path) -> Result<u64> {
    let stat = rustix::fs::statvfs(nearest_existing(dir)).map_err(|e| {
        Error::failed("checking the free space for", format!("{:?}", dir.display().to_string()), e)
    })?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

fn nearest_existing(dir: &Path) -> PathBuf {
    let dir = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
    dir.ancestors().find(|a| fs::metadata(a).is_ok()).unwrap_or(Path::new("/")).to_owned()
}

/// A random name part: eight hexadecimal digits.
fn random_id() -> Result<String> {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes).map_err(|e| Error::failed("asking the system for random bytes", "", e))?;
    Ok(bytes.iter().map(|b| format!("{b:02x}")).collect())
}

/// The time now, RFC 3339 in UTC.
fn now() -> String {
    chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn space_is_checked_before_the_directory_exists() {
        let dir = tempfile::tempdir().unwrap();
        let inside = dir.path().join("not/yet/there");
        require_space(&inside, 0).unwrap();
        let error = require_space(&inside, u64::MAX / 4).unwrap_err();
        assert_eq!(error.class, crate::domain::Class::Refused);
        assert!(error.hint.contains("another disk"));
    }
}
