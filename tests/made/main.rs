//! Oplogs made by hand: shapes of servers that are not at hand, and entries that must be refused.
//! What they mean is said by the format (groups and binary diffs of 8.0, batched deletes of 6.1,
//! chains of transactions), not by what pitstop makes of them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../common/mod.rs"]
mod common;
#[allow(dead_code)]
#[path = "../sources/kit.rs"]
mod kit;

mod cutting;
mod few;
mod refused;
mod shapes;
mod world;
