//! A running replica set as a source, against a real one: what is secured, what is told, and
//! that the source does not notice.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod access;
mod archiving;
#[path = "../common/mod.rs"]
mod common;
mod following;
mod kit;
mod nodes;
mod readiness;
mod screens;
mod securing;
#[allow(dead_code)]
#[path = "../tui/term.rs"]
mod term;
