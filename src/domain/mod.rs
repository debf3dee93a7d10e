//! The words of the trade, as plain data and pure functions: positions, operations, snapshots,
//! coverage and gaps, stops, plans, queries, differences.
//!
//! Nothing here touches a file, a socket, a clock or a terminal, and nothing here depends on
//! another folder of this crate.

pub mod after;
pub mod burst;
pub mod coverage;
pub mod diff;
pub mod diff_filter;
pub mod error;
pub mod how;
pub mod marks;
pub mod names;
pub mod namespace;
pub mod op;
pub mod plan;
pub mod position;
pub mod progress;
pub mod query;
pub mod report;
pub mod snapshot;
pub mod source;
pub mod states;
pub mod stop;
pub mod text;
pub mod uri;
pub mod window;

pub use error::{Class, Error, Result};
pub use namespace::Namespace;
pub use position::{OpTime, Position};
