//! The op index, held against decoding everything.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../common/mod.rs"]
mod common;
mod growing;
mod made;
mod naive;
mod recorded;
mod reopening;
mod searching;
mod told;
