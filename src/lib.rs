//! pitstop: point-in-time recovery of MongoDB, stopping one operation before the damage.

pub mod domain;
pub mod engine;
pub mod source;
