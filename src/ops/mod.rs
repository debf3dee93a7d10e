//! What pitstop does, as functions with progress and cancellation: open, search, suspects, plan,
//! diff, history, restore. No screen and no argument parsing: the TUI and the commands are two fronts of
//! what is here.

mod acts;
pub mod after;
mod ahead;
pub mod archive;
mod deeds;
pub mod demo;
pub mod diff;
pub mod doctor;
mod expiry;
pub mod export;
pub mod findings;
pub mod history;
mod known;
pub mod lineage;
pub mod lines;
pub mod marks;
pub mod memory;
pub mod plan;
pub mod preflight;
pub mod report;
pub mod restore;
pub mod rows;
pub mod search;
pub mod select;
pub mod sets;
mod shape;
mod signals;
pub mod states;
pub mod suspects;
pub mod walk;
pub mod workspace;

pub use workspace::{OpenOptions, Workspace};
