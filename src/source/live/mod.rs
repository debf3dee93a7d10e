//! A running replica set as a source: its oplog is secured into the case as slices on disk, and
//! from there it is read like any other slice, also when the set is gone.
//!
//! ```text
//! connection  the only way to a set; it has no writing call
//! run         the entries behind the last one known, and whether they join it
//! recorder    entries into slice files: closed by size or age, synced, renamed into place
//! follow      goes on as long as somebody looks
//! look        a look at a set that takes nothing
//! folder      what is on disk from before: locked, and what a killed run left made whole
//! secure      both ends at once, until everything is on disk
//! ```

pub mod connection;
pub mod folder;
pub mod follow;
pub mod look;
pub mod recorder;
pub mod run;
pub mod secure;

pub use connection::{Connection, SetIdentity};
pub use secure::{Secured, from_before, secure};

use crate::domain::{Error, Result};

/// Runs a future to its end on a thread and a runtime of its own: whoever calls may be inside
/// another one.
fn alone<T: Send, F: Future<Output = Result<T>>>(make: impl FnOnce() -> F + Send) -> Result<T> {
    let failed = |cause: &str| Error::failed("reading from the source", "", cause);
    std::thread::scope(|scope| {
        let work = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .enable_all()
                .build()
                .map_err(|e| failed(&e.to_string()))?;
            runtime.block_on(make())
        });
        work.join().unwrap_or_else(|_| failed("the reader broke down").err())
    })
}
