//! One file for each screen: its state, and what its actions do to it.

pub mod goto;
pub mod plan;
pub mod preview;
pub mod restore;
pub mod snapshots;
pub mod stop;
pub mod suspects;
pub mod timeline;
