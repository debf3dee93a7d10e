//! A running replica set as a source: its oplog is secured into the case as slices on disk, and
//! from there it is read like any other slice, also when the set is gone.
//!
//! ```text
//! connection  the only way to a set; it has no writing call
//! run         the entries behind the last one known, and whether they join it
//! recorder    entries into slice files: closed by size or age, synced, renamed into place
//! look        a look at a set that takes nothing
//! folder      what is on disk from before: locked, and what a killed run left made whole
//! secure      both ends at once, until everything is on disk
//! ```

pub mod connection;
pub mod folder;
pub mod look;
pub mod recorder;
pub mod run;
pub mod secure;

pub use connection::{Connection, SetIdentity};
pub use secure::{Secured, secure};
