//! Whether the bytes of a region are those that were read before, without reading them again.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

use crate::engine::input::Region;

/// A file changed this lately may change again without its time changing.
const SETTLED: Duration = Duration::from_secs(2);
/// Bytes hashed in one place.
const SAMPLE: usize = 4096;

/// What identifies the bytes of a region.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Identity {
    /// `None` where it proves nothing: for unpacked files, and for those just written.
    stat: Option<Stat>,
    /// Where the region begins in the file.
    start: u64,
    length: u64,
    /// A hash of some of its bytes.
    sample: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Stat {
    size: u64,
    modified: (i64, i64),
    inode: u64,
    device: u64,
}

impl Identity {
    /// Looks at the file behind a region, and at a few places of the region itself.
    pub fn of(region: &Region) -> Identity {
        Identity {
            stat: stat(region.origin()),
            start: region.offset() as u64,
            length: region.len() as u64,
            sample: sample(region.bytes()),
        }
    }

    /// Whether the bytes behind both are the same, as surely as size, time and inode can tell.
    /// `false` says nothing.
    pub fn is_proven(&self, other: &Identity) -> bool {
        self.stat.is_some() && self == other
    }
}

fn stat(path: &Path) -> Option<Stat> {
    let meta = fs::metadata(path).ok()?;
    let age = SystemTime::now().duration_since(meta.modified().ok()?).ok()?;
    (age > SETTLED).then(|| Stat {
        size: meta.len(),
        modified: (meta.mtime(), meta.mtime_nsec()),
        inode: meta.ino(),
        device: meta.dev(),
    })
}

/// A hash of the first and the last bytes, and of some between.
fn sample(bytes: &[u8]) -> u64 {
    let places = (bytes.len() >> 26).clamp(2, 16);
    let last = bytes.len().saturating_sub(SAMPLE);
    let mut hash = Xxh3::new();
    for place in 0..places {
        let at = if place + 1 == places { last } else { last / (places - 1) * place };
        hash.update(bytes.get(at..(at + SAMPLE).min(bytes.len())).unwrap_or_default());
    }
    hash.digest()
}
