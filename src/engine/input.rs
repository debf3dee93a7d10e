//! What the fold is fed with: regions of mapped files, and the collections of a snapshot as such
//! regions. Whoever opens files makes these; the engine only reads them.

use std::fmt;
use std::ops::{Deref, Range};
use std::path::Path;
use std::sync::Arc;

use crate::domain::Namespace;

/// The bytes behind a region: a memory map, a buffer.
pub trait Backing: AsRef<[u8]> + Send + Sync {}
impl<T: AsRef<[u8]> + Send + Sync> Backing for T {}

/// A part of a file (or of what was unpacked from it), kept alive by a shared handle.
#[derive(Clone)]
pub struct Region {
    backing: Arc<dyn Backing>,
    range: Range<usize>,
    origin: Arc<Path>,
}

impl Region {
    /// All of `backing`, which came from the file `origin` (named in errors).
    pub fn new(backing: Arc<dyn Backing>, origin: Arc<Path>) -> Self {
        let range = 0..(*backing).as_ref().len();
        Region { backing, range, origin }
    }

    /// A part of this region; clipped to it.
    pub fn slice(&self, range: Range<usize>) -> Self {
        let start = (self.range.start + range.start).min(self.range.end);
        let end = (self.range.start + range.end).clamp(start, self.range.end);
        Region { range: start..end, ..self.clone() }
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &(*self.backing).as_ref()[self.range.clone()]
    }

    /// The file, for errors.
    pub fn origin(&self) -> &Path {
        &self.origin
    }

    /// Where in the (unpacked) file the region begins, for errors.
    pub fn offset(&self) -> usize {
        self.range.start
    }
}

impl Deref for Region {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        self.bytes()
    }
}

impl fmt::Debug for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}..{}]", self.origin.display(), self.range.start, self.range.end)
    }
}

/// What a namespace holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CollectionKind {
    /// Documents.
    Collection,
    /// A stored query over another namespace; no documents of its own.
    View,
    /// Measurements, stored as documents of `system.buckets.X`.
    Timeseries,
}

/// A collection as the snapshot has it.
#[derive(Debug, Clone)]
pub struct BaseCollection {
    /// Its name; for a time series the user's name, not that of the buckets.
    pub ns: Namespace,
    /// What it is.
    pub kind: CollectionKind,
    /// Its identity; dumps do not record it for views and time series.
    pub uuid: Option<[u8; 16]>,
    /// `options` of listCollections, as BSON.
    pub options: Vec<u8>,
    /// Specs of listIndexes, as BSON, `_id_` included where there is one.
    pub indexes: Vec<Vec<u8>>,
    /// Documents back to back, in natural order (of the buckets, for a time series).
    pub data: Vec<Region>,
}

/// A snapshot, as the fold needs it.
#[derive(Debug, Clone, Default)]
pub struct Base {
    /// Its collections, views and time series.
    pub collections: Vec<BaseCollection>,
    /// Major and minor version of the server it was taken from, e.g. (6, 0).
    pub server: Option<(u32, u32)>,
}
