//! Files as memory. The only place here that needs `unsafe`.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use crate::domain::{Error, Result};
use crate::engine::input::Region;

/// Maps a file for reading; errors name `origin`, the file a human knows (for an unpacked file
/// the packed one).
pub fn map(file: &Path, origin: &Path) -> Result<Region> {
    let failed = |cause: std::io::Error| {
        Error::failed("opening the file", format!("{file:?}"), cause)
            .hint("check that it exists and is readable.")
    };
    let handle = File::open(file).map_err(failed)?;
    let length = handle.metadata().map_err(failed)?.len();
    let origin: Arc<Path> = Arc::from(origin);
    if length == 0 {
        // The system cannot map nothing.
        return Ok(Region::new(Arc::new([0u8; 0]), origin));
    }
    // SAFETY: the map is private to us and only ever read. Another process that truncates the
    // file while it is mapped ends this one with SIGBUS (and an error that says so) instead of a
    // wrong result; one that
    // overwrites it changes bytes under us, and every reader checks each length where it uses it
    // against the slice it holds. Backups are not written to while somebody restores them.
    let map = unsafe { memmap2::Mmap::map(&handle) }.map_err(failed)?;
    Ok(Region::new(Arc::new(map), origin))
}
