//! The fold: state at a stop = fold(snapshot, operations before the stop).
//!
//! Owns raw BSON, oplog entries, update semantics, the catalog by UUID, transactions and net
//! effects. Knows nothing of where bytes come from or where documents go: it takes
//! [`input`] and gives [`output`]. Uses `domain` only.

pub mod bson;
pub mod build;
pub mod catalog;
pub mod effects;
pub mod entry;
pub mod extjson;
pub mod fold;
pub mod indexes;
pub mod input;
pub mod key;
pub mod matcher;
mod number;
pub mod order;
pub mod output;
pub mod spill;
pub mod state;
pub mod together;
pub mod transactions;
pub mod update;
pub mod views;
