//! The archive format of mongodump (reference 3.6), read in place: a header, the list of
//! namespaces, then blocks of documents of interleaved namespaces, each with a checksum.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use crc::{CRC_64_XZ, Crc, Digest, Table};

use super::frames;
use super::metadata::Versions;
use crate::domain::progress::Meter;
use crate::domain::{Error, Namespace, Result};
use crate::engine::bson::{Doc, int32_at};
use crate::engine::input::Region;

/// How an archive begins.
pub const MAGIC: [u8; 4] = [0x6d, 0xe2, 0x99, 0x81];
/// What ends the list of namespaces, and every block.
const TERMINATOR: i32 = -1;
/// Bytes checked between two looks at the meter.
const STEP: u64 = 4 << 20;

const READING: &str = "reading the archive";

type Crc64 = Crc<u64, Table<16>>;
static CRC: Crc64 = Crc64::new(&CRC_64_XZ);

/// An archive, checked to its end.
#[derive(Debug, Clone)]
pub struct Archive {
    /// From its header.
    pub versions: Versions,
    /// The namespaces of its list, in that order, then those that only blocks name (the buckets
    /// of time series).
    pub members: Vec<Member>,
}

/// A namespace in an archive.
#[derive(Debug, Clone)]
pub struct Member {
    /// Its name; the oplog's is `oplog` in a database without name.
    pub ns: Namespace,
    /// The text of its metadata; empty for the oplog.
    pub metadata: String,
    /// Its documents, in order.
    pub data: Vec<Region>,
    /// How many there are.
    pub documents: u64,
}

/// A [`Member`] while its blocks come in.
struct Progress {
    member: Member,
    ranges: Vec<Range<usize>>,
    digest: Option<Digest<'static, u64, Table<16>>>,
    /// Whether its last block has been seen.
    ended: bool,
}

/// Reads the archive that fills this region.
pub fn read(region: &Region, meter: &Meter) -> Result<Archive> {
    let mut cursor = Cursor { region, at: 0 };
    if cursor.rest().get(..4) != Some(&MAGIC) {
        return cursor.fail(0, "it does not begin like an archive").err();
    }
    cursor.at = 4;
    let header = cursor.document("the header")?;
    let text = |key| header.get(key).and_then(|e| e.as_str());
    if let Some(version) = text("version").filter(|v| *v != "0.1") {
        return cursor.fail(4, format!("version {version:?} of the format is not known")).err();
    }
    let versions = Versions::new(text("server_version"), text("tool_version"));
    let mut all: Vec<Progress> = Vec::new();
    let mut index = HashMap::new();
    loop {
        let at = cursor.at;
        let Some(doc) = cursor.document_or_end("the list of namespaces")? else { break };
        let ns = namespace(doc)
            .ok_or_else(|| cursor.fail(at, "an entry of the list of namespaces has no name"))?;
        let Some(metadata) = doc.get("metadata").map_or(Some(""), |e| e.as_str()).map(str::to_owned) else {
            return cursor.fail(at, format!("the metadata of {:?} is no text", ns.to_string())).err();
        };
        if index.insert(ns.clone(), all.len()).is_some() {
            return cursor.fail(at, format!("{:?} is listed twice", ns.to_string())).err();
        }
        all.push(Progress::new(ns, metadata));
    }
    let mut told = (0u64, 0u64);
    while !cursor.rest().is_empty() {
        let at = cursor.at;
        let header = cursor.document("the head of a block")?;
        let Some(ns) = namespace(header) else {
            return cursor.fail(at, "a block has no namespace").err();
        };
        let slot = match index.get(&ns) {
            Some(slot) => *slot,
            // Time series are listed by their own name, and their blocks carry that of the buckets.
            None if ns.timeseries_of_buckets().is_some_and(|owner| index.contains_key(&owner)) => {
                index.insert(ns.clone(), all.len());
                all.push(Progress::new(ns.clone(), String::new()));
                all.len() - 1
            }
            None => {
                return cursor.fail(at, format!("{:?} is not in the archive's list", ns.to_string())).err();
            }
        };
        let Some(progress) = all.get_mut(slot) else { continue };
        if progress.ended {
            return cursor.fail(at, format!("{:?} goes on behind its end", ns.to_string())).err();
        }
        if header.get("EOF").and_then(|e| e.as_bool()) == Some(true) {
            let want = header.get("CRC").and_then(|e| e.as_i64()).unwrap_or(0) as u64;
            progress.end(want).map_err(|cause| cursor.fail(at, cause))?;
            if cursor.document_or_end("the end of a namespace")?.is_some() {
                return cursor.fail(at, format!("documents follow the end of {:?}", ns.to_string())).err();
            }
            continue;
        }
        let begin = cursor.at;
        let mut end = begin;
        while let Some(doc) = cursor.document_or_end("the documents of a block")? {
            progress.member.documents += 1;
            progress.update(doc.bytes());
            end = cursor.at;
            told = (told.0 + 1, told.1 + doc.bytes().len() as u64);
            if told.1 >= STEP {
                meter.check(READING)?;
                meter.add(told.0, told.1);
                told = (0, 0);
            }
        }
        if end > begin {
            progress.ranges.push(begin..end);
        }
    }
    meter.add(told.0, told.1);
    // A time series ends with its buckets; its own name has no blocks.
    let ended: HashSet<Namespace> = all
        .iter()
        .filter(|p| p.ended)
        .map(|p| p.member.ns.timeseries_of_buckets().unwrap_or_else(|| p.member.ns.clone()))
        .collect();
    if let Some(open) = all.iter().find(|p| !p.ended && !ended.contains(&p.member.ns)) {
        let cause = format!("it is cut off: it ends before the end of {:?}", open.member.ns.to_string());
        return cursor.fail(region.len(), cause).err();
    }
    Ok(Archive { versions, members: all.into_iter().map(|p| p.finish(region)).collect() })
}

fn namespace(doc: Doc<'_>) -> Option<Namespace> {
    Some(Namespace::new(doc.get("db")?.as_str()?, doc.get("collection")?.as_str()?))
}

impl Progress {
    fn new(ns: Namespace, metadata: String) -> Self {
        let member = Member { ns, metadata, data: Vec::new(), documents: 0 };
        Progress { member, ranges: Vec::new(), digest: Some(CRC.digest()), ended: false }
    }

    fn update(&mut self, bytes: &[u8]) {
        if let Some(digest) = &mut self.digest {
            digest.update(bytes);
        }
    }

    fn end(&mut self, want: u64) -> std::result::Result<(), String> {
        self.ended = true;
        let got = self.digest.take().map_or(0, |digest| digest.finalize());
        if got != want {
            let ns = self.member.ns.to_string();
            return Err(format!("the checksum of {ns:?} is {got:016x} and should be {want:016x}"));
        }
        Ok(())
    }

    fn finish(mut self, region: &Region) -> Member {
        self.member.data = self.ranges.into_iter().map(|range| region.slice(range)).collect();
        self.member
    }
}

/// A place in the archive.
struct Cursor<'a> {
    region: &'a Region,
    at: usize,
}

impl<'a> Cursor<'a> {
    fn rest(&self) -> &'a [u8] {
        self.region.bytes().get(self.at..).unwrap_or_default()
    }

    /// The next document; `what` it belongs to.
    fn document(&mut self, what: &str) -> Result<Doc<'a>> {
        match self.document_or_end(what)? {
            Some(doc) => Ok(doc),
            None => self.fail(self.at - 4, format!("{what} is missing")).err(),
        }
    }

    /// The next document, or `None` behind a terminator.
    fn document_or_end(&mut self, what: &str) -> Result<Option<Doc<'a>>> {
        let rest = self.rest();
        if int32_at(rest, 0) == Some(TERMINATOR) {
            self.at += 4;
            return Ok(None);
        }
        let doc = Doc::first(rest)
            .map_err(|fault| Box::new(self.fail(self.at, format!("{what}: {}", fault.what))))?;
        self.at += doc.bytes().len();
        Ok(Some(doc))
    }

    fn fail(&self, at: usize, cause: impl std::fmt::Display) -> Error {
        Error::failed(READING, frames::place(self.region, at), cause).hint(
            "the archive is damaged or its copy was interrupted: fetch it again from where it was made.",
        )
    }
}
