//! Makes small backups, from the definitions of the formats and without the product's writers.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use bson::{Bson, Document, doc};
use pitstop::domain::progress::Meter;
use pitstop::domain::{Error, Position};
use pitstop::source::{self, Opened};

/// The second in which all made entries were written.
pub const SECOND: u32 = 1_795_236_280;

/// The position with this increment.
pub fn pos(inc: u32) -> Position {
    Position::new(SECOND, inc)
}

/// An oplog entry that inserts `{_id: value}`.
pub fn entry(inc: u32, value: impl Into<Bson>) -> Vec<u8> {
    bytes(&doc! {
        "op": "i", "ns": "shop.orders", "o": { "_id": value.into() },
        "ts": bson::Timestamp { time: SECOND, increment: inc }, "t": 1i64, "v": 2i64,
    })
}

/// A document as BSON.
pub fn bytes(document: &Document) -> Vec<u8> {
    bson::serialize_to_vec(document).unwrap()
}

/// Writes a file and the folders above it.
pub fn write(path: impl AsRef<Path>, bytes: impl AsRef<[u8]>) -> PathBuf {
    let path = path.as_ref();
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
    path.to_path_buf()
}

/// A gzip member.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

/// A folder to put sources in, and one for what is unpacked.
pub struct Folder {
    root: tempfile::TempDir,
}

impl Folder {
    pub fn new() -> Self {
        Folder { root: tempfile::tempdir().unwrap() }
    }

    /// A path in the sources' folder.
    pub fn at(&self, path: &str) -> PathBuf {
        self.root.path().join("sources").join(path)
    }

    /// Where unpacked files go.
    pub fn unpacked(&self) -> PathBuf {
        self.root.path().join("unpacked")
    }

    /// Writes a file in the sources' folder.
    pub fn write(&self, path: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        write(self.at(path), bytes)
    }

    /// Opens these paths of the sources' folder.
    pub fn open(&self, paths: &[&str]) -> Result<Opened, Box<Error>> {
        let paths: Vec<_> = paths.iter().map(|p| self.at(p)).collect();
        source::open(&paths, &self.unpacked(), &Meter::default())
    }
}

/// The metadata of a plain collection.
pub fn metadata(name: &str, uuid: u8) -> String {
    format!(
        r#"{{"indexes":[{{"v":{{"$numberInt":"2"}},"key":{{"_id":{{"$numberInt":"1"}}}},"name":"_id_"}}],"uuid":"{}","collectionName":{},"type":"collection"}}"#,
        format!("{uuid:02x}").repeat(16),
        serde_json::Value::from(name)
    )
}

/// CRC-64/XZ, bit by bit: polynomial ECMA-182 reflected, all ones in the beginning and the end.
pub fn crc64(parts: &[Vec<u8>]) -> u64 {
    let mut crc = u64::MAX;
    for byte in parts.iter().flatten() {
        crc ^= u64::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xC96C_5795_D787_0F42 } else { crc >> 1 };
        }
    }
    crc ^ u64::MAX
}

#[test]
fn the_checksum_is_the_known_one() {
    // The check value of CRC-64/XZ in the catalogue of parametrised CRC algorithms.
    assert_eq!(crc64(&[b"123456789".to_vec()]), 0x995D_C9BB_DF19_39FA);
}

/// Writes archives, block by block.
pub struct ArchiveWriter {
    pub bytes: Vec<u8>,
    open: bool,
}

const TERM: [u8; 4] = [0xff; 4];

impl ArchiveWriter {
    /// The head: `(database, collection, metadata)` for each namespace.
    pub fn new(namespaces: &[(&str, &str, String)]) -> Self {
        let mut out = vec![0x6d, 0xe2, 0x99, 0x81];
        out.extend(bytes(&doc! {
            "concurrent_collections": 4, "version": "0.1", "server_version": "6.0.5", "tool_version": "100.13.0",
        }));
        for (db, collection, metadata) in namespaces {
            out.extend(bytes(&doc! {
                "db": *db, "collection": *collection, "metadata": metadata, "size": 0, "type": "collection",
            }));
        }
        out.extend(TERM);
        ArchiveWriter { bytes: out, open: false }
    }

    fn header(&mut self, db: &str, collection: &str, eof: bool, crc: u64) {
        self.bytes.extend(bytes(&doc! { "db": db, "collection": collection, "EOF": eof, "CRC": crc as i64 }));
        self.open = true;
    }

    /// A block of documents.
    pub fn block(&mut self, db: &str, collection: &str, documents: &[Vec<u8>]) {
        self.header(db, collection, false, 0);
        documents.iter().for_each(|d| self.bytes.extend(d));
        self.bytes.extend(TERM);
    }

    /// The end of a namespace whose documents were these.
    pub fn end(&mut self, db: &str, collection: &str, documents: &[Vec<u8>]) {
        self.end_with(db, collection, crc64(documents));
    }

    /// The end of a namespace with this checksum.
    pub fn end_with(&mut self, db: &str, collection: &str, crc: u64) {
        self.header(db, collection, true, crc);
        self.bytes.extend(TERM);
    }
}

/// The documents of a collection, one after the other.
pub fn documents(opened: &Opened, snapshot: usize, ns: &str) -> Vec<Vec<u8>> {
    let base = &opened.snapshots[snapshot].base;
    let collection = base
        .collections
        .iter()
        .find(|c| c.ns.to_string() == ns)
        .unwrap_or_else(|| panic!("{ns} is not among {:?}", opened.snapshots[snapshot].counts));
    let all: Vec<u8> = collection.data.iter().flat_map(|r| r.bytes().to_vec()).collect();
    split(&all)
}

/// Cuts BSON documents apart.
pub fn split(mut all: &[u8]) -> Vec<Vec<u8>> {
    let mut out = Vec::new();
    while !all.is_empty() {
        let length = i32::from_le_bytes(all[..4].try_into().unwrap()) as usize;
        out.push(all[..length].to_vec());
        all = &all[length..];
    }
    out
}
