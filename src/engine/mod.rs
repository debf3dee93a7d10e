//! The fold: state at a stop = fold(snapshot, operations before the stop).
//!
//! Owns raw BSON, oplog entries, update semantics, the catalog by UUID, transactions and net
//! effects. Knows nothing of where bytes come from or where documents go: it takes
//! [`input`] and gives [`output`]. Uses `domain` only.

pub mod bson;
pub mod build;
pub mod entry;
pub mod extjson;
pub mod input;
pub mod output;
