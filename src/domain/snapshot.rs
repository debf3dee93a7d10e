//! A snapshot as people look at it: what it holds and which stops it allows.

use super::namespace::Namespace;
use super::position::Position;

/// One snapshot.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct SnapshotInfo {
    /// How it is named in commands.
    pub id: String,
    /// Where it lies.
    pub path: String,
    /// `directory` or `archive`.
    pub format: String,
    /// Whether it was compressed.
    pub compressed: bool,
    /// The version of the server it was taken from.
    pub server_version: Option<String>,
    /// The first entry of its own oplog.
    pub window_start: Option<Position>,
    /// The last entry of its own oplog: stops lie above it.
    pub edge: Option<Position>,
    /// Documents in all collections.
    pub documents: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Its collections, by name.
    pub collections: Vec<CollectionInfo>,
}

/// One collection of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct CollectionInfo {
    /// Its name.
    pub ns: Namespace,
    /// `collection`, `view` or `timeseries`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Documents (buckets, for a time series).
    pub documents: u64,
    /// Their bytes.
    pub bytes: u64,
}
