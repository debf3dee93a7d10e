//! One file per command.

pub mod archive;
pub mod demo;
pub mod diff;
pub mod doctor;
pub mod generate;
pub mod history;
pub mod mark;
pub mod note;
pub mod ops;
pub mod plan;
pub mod report;
pub mod restore;
pub mod screens;
pub mod snapshots;
pub mod states;
pub mod suspects;
pub mod targets;
