//! Opening backups: recorded ones, made ones, and broken ones.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../common/mod.rs"]
mod common;

mod archives;
mod dumps;
mod gzip;
mod kit;
mod oplogs;
mod recorded;
mod searching;
