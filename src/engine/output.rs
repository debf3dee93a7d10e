//! What the fold gives: collections to create, and their documents in chunks that any number of
//! threads may pull in any order. Digests tell whether what arrived is what was sent.

use xxhash_rust::xxh3::xxh3_128;

use super::input::CollectionKind;
use crate::domain::{Namespace, Result};

/// A collection as it must be created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CollectionSpec {
    /// Its name; for a time series the user's name.
    pub ns: Namespace,
    /// What it is.
    pub kind: CollectionKind,
    /// `options` as listCollections shows them, as BSON (for a view `viewOn` and `pipeline`).
    pub options: Vec<u8>,
    /// Index specs as listIndexes shows them, as BSON, without `ns`, `_id_` included where
    /// there is one. For a time series in terms of its own fields, not of the buckets.
    pub indexes: Vec<Vec<u8>>,
    /// Whether the order of documents is part of the state (capped collections): such a
    /// collection has exactly one chunk and is written by one writer, in order.
    pub ordered: bool,
    /// About how many documents there are, for progress.
    pub documents: u64,
    /// Their bytes, at most about so many.
    pub bytes: u64,
}

impl CollectionSpec {
    /// Where the documents are: the buckets of a time series, else the collection itself.
    pub fn data_ns(&self) -> Namespace {
        match self.kind {
            CollectionKind::Timeseries => self.ns.buckets(),
            _ => self.ns.clone(),
        }
    }
}

/// The state of a database at a stop.
pub trait State: Sync {
    /// All collections, views and time series, sorted by name.
    fn collections(&self) -> &[CollectionSpec];

    /// Into how many chunks the documents of a collection are cut; 0 for a view.
    fn chunks(&self, collection: usize) -> usize;

    /// Hands every document of one chunk, in order, to `sink`. The slice is valid during the
    /// call only. Calling it again gives the same documents again.
    fn emit(&self, collection: usize, chunk: usize, sink: &mut Sink<'_>) -> Result<()>;

    /// To be called when all chunks of a collection have been emitted: an error when something
    /// that must have been there was not.
    fn finish(&self, collection: usize) -> Result<()>;
}

/// Takes documents.
pub type Sink<'a> = dyn FnMut(&[u8]) -> Result<()> + 'a;

/// Count and size of a set of documents, and the sum of their hashes: equal for equal sets in
/// any order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Digest {
    /// Documents.
    pub count: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Sum of the 128-bit hashes of the documents, modulo 2^128.
    #[serde(with = "hex128")]
    pub sum: u128,
}

impl Digest {
    /// Takes one document in.
    pub fn add(&mut self, document: &[u8]) {
        self.count += 1;
        self.bytes += document.len() as u64;
        self.sum = self.sum.wrapping_add(xxh3_128(document));
    }

    /// Takes in what another digest has taken in.
    pub fn merge(&mut self, other: &Digest) {
        self.count += other.count;
        self.bytes += other.bytes;
        self.sum = self.sum.wrapping_add(other.sum);
    }
}

mod hex128 {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(value: &u128, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(&format_args!("{value:032x}"))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<u128, D::Error> {
        u128::from_str_radix(&String::deserialize(d)?, 16).map_err(D::Error::custom)
    }
}
