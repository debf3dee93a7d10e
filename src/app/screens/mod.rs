//! One file for each screen: its state, and what its actions do to it.

pub mod case;
pub mod change;
pub mod goto;
pub mod history;
pub mod marks;
pub mod plan;
pub mod preview;
pub mod restore;
pub mod snapshots;
pub mod states;
pub mod stop;
pub mod suspects;
pub mod timeline;
