//! One file per command.

pub mod archive;
pub mod demo;
pub mod diff;
pub mod doctor;
pub mod history;
pub mod ops;
pub mod plan;
pub mod restore;
pub mod screens;
pub mod snapshots;
pub mod suspects;
pub mod targets;
