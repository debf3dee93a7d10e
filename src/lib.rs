//! pitstop: point-in-time recovery of MongoDB, stopping one operation before the damage.

pub mod case;
pub mod domain;
pub mod engine;
pub mod ops;
pub mod source;
pub mod target;
