//! Writes a state as a mongodump archive (reference 3.6): the list of namespaces, then blocks of
//! documents, interleaved as they come, each namespace ended by a checksum; one gzip member when
//! the name ends in `.gz`. Written beside its place. Whoever has read it back hands in what was
//! found; only then it gets its name, and never over a file that is there.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crc::{CRC_64_XZ, Crc, Digest as Running, Table};
use flate2::Compression;
use flate2::write::GzEncoder;
use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::files::{create_file, partial_of, shown, sync_dir};
use super::ledger::Forgetful;
use super::metadata::{compare_metadata, metadata_json};
use super::pull::{Drain, Pull, Seen, for_each, threads};
use super::verify::{CollectionCheck, Verification, kind_name};
use crate::domain::namespace::Treatment;
use crate::domain::progress::{Meter, Phase};
use crate::domain::{Error, Namespace, Result};
use crate::engine::build::Builder;
use crate::engine::input::{CollectionKind, Region};
use crate::engine::output::{CollectionSpec, Digest, State};
use crate::engine::state::documents;

const WRITING: &str = "writing the archive";
const CHECKING: &str = "reading the archive back";

/// How an archive begins.
const MAGIC: [u8; 4] = [0x6d, 0xe2, 0x99, 0x81];
/// What ends the list of namespaces, and every block.
const TERMINATOR: [u8; 4] = [0xff; 4];
/// Documents gather to this many bytes before they become a block.
const BLOCK: usize = 4 << 20;

static CRC: Crc<u64, Table<16>> = Crc::<u64, Table<16>>::new(&CRC_64_XZ);

/// An archive that is written and not proven yet, under a name that says so.
#[derive(Debug)]
pub struct Unproven {
    place: PathBuf,
    partial: PathBuf,
    seen: Vec<Seen>,
}

/// What a reader of archives found under one name.
#[derive(Debug, Clone, Copy)]
pub struct Found<'a> {
    /// The name; for a time series once its own, with the metadata, and once that of the buckets.
    pub ns: &'a Namespace,
    /// The text of its metadata.
    pub metadata: &'a str,
    /// Its documents, in order.
    pub data: &'a [Region],
}

/// Writes `state` beside `place`, which must not exist. `server_version` is that of the
/// snapshot's server, for the head. Blocks. On an error nothing is left.
pub fn write_archive(
    place: &Path,
    state: &dyn State,
    server_version: Option<&str>,
    restore_id: &str,
    meter: &Meter,
) -> Result<Unproven> {
    let place = std::path::absolute(place).map_err(|e| Error::failed(WRITING, shown(place), e))?;
    require_new(&place)?;
    let partial = partial_of(&place, restore_id, WRITING)?;
    if let Some(parent) = place.parent() {
        fs::create_dir_all(parent).map_err(|e| Error::failed(WRITING, shown(parent), e))?;
    }
    let file = create_file(&partial).map_err(|e| Error::failed(WRITING, shown(&partial), e))?;
    match write(file, &place, &partial, state, server_version, meter) {
        Ok(seen) => Ok(Unproven { place, partial, seen }),
        Err(error) => {
            // The error that led here is the one to tell.
            let _ = fs::remove_file(&partial);
            Err(error)
        }
    }
}

/// Refuses a name that is taken.
fn require_new(place: &Path) -> Result<()> {
    match fs::symlink_metadata(place) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(e) => Error::failed(WRITING, shown(place), e).err(),
        Ok(_) => Error::refused(WRITING, shown(place), "there is something of that name already")
            .hint("name a file that does not exist yet; nothing is ever overwritten.")
            .err(),
    }
}

fn write(
    file: File,
    place: &Path,
    partial: &Path,
    state: &dyn State,
    server_version: Option<&str>,
    meter: &Meter,
) -> Result<Vec<Seen>> {
    let specs = state.collections();
    let packed = place.extension().is_some_and(|e| e == "gz");
    let file = BufWriter::with_capacity(1 << 20, file);
    let stream = match packed {
        true => Stream::Packed(GzEncoder::new(file, Compression::fast())),
        false => Stream::Plain(file),
    };
    let failed = |e: io::Error| Box::new(Error::failed(WRITING, shown(partial), e));
    let of = |(at, _)| Member { crc: Some(CRC.digest()), chunks_left: state.chunks(at), begun: false };
    let members = specs.iter().enumerate().map(of).collect();
    let mut writer = Writer { stream, members };
    writer.stream.write_all(&prelude(specs, server_version)?).map_err(failed)?;
    let writer = Mutex::new(writer);
    let lock = || writer.lock().unwrap_or_else(PoisonError::into_inner);

    meter.enter(Phase::Load, specs.iter().map(|s| s.documents).sum());
    for (at, spec) in specs.iter().enumerate().filter(|(at, _)| state.chunks(*at) == 0) {
        lock().end(at, &spec.data_ns()).map_err(failed)?;
    }
    let (kept, ledger) = (&[], &Forgetful);
    let pull = Pull { state, threads: threads(), doing: WRITING, meter, kept, ledger };
    let seen = pull.run(|at, _| {
        let spec = specs.get(at).ok_or_else(|| {
            Box::new(Error::failed(WRITING, shown(partial), "documents belong to no collection"))
        })?;
        Ok(Chunk { writer: &writer, partial, at, ns: spec.data_ns(), buffer: Vec::new() })
    })?;
    let writer = writer.into_inner().unwrap_or_else(PoisonError::into_inner);
    writer.stream.finish().and_then(|file| file.sync_all()).map_err(failed)?;
    Ok(seen)
}

/// Everything before the first block.
fn prelude(specs: &[CollectionSpec], server_version: Option<&str>) -> Result<Vec<u8>> {
    let mut out = MAGIC.to_vec();
    let mut head = Builder::new();
    head.int32("concurrent_collections", i32::try_from(threads()).unwrap_or(1));
    head.string("version", "0.1");
    head.string("server_version", server_version.unwrap_or("unknown"));
    head.string("tool_version", concat!("pitstop ", env!("CARGO_PKG_VERSION")));
    out.extend(head.finish());
    for spec in specs {
        let mut entry = Builder::new();
        entry.string("db", &spec.ns.db);
        entry.string("collection", &spec.ns.coll);
        // Users and roles come without metadata: they are merged, not created.
        let metadata =
            if spec.ns.treatment() == Treatment::Auth { String::new() } else { metadata_json(spec)? };
        entry.string("metadata", &metadata);
        entry.int32("size", 0);
        entry.string("type", kind_name(spec.kind));
        out.extend(entry.finish());
    }
    out.extend(TERMINATOR);
    Ok(out)
}

enum Stream {
    Plain(BufWriter<File>),
    Packed(GzEncoder<BufWriter<File>>),
}

impl Stream {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Stream::Plain(out) => out.write_all(bytes),
            Stream::Packed(out) => out.write_all(bytes),
        }
    }

    fn finish(self) -> io::Result<File> {
        let out = match self {
            Stream::Plain(out) => out,
            Stream::Packed(out) => out.finish()?,
        };
        out.into_inner().map_err(io::IntoInnerError::into_error)
    }
}

/// A namespace while its blocks go out.
struct Member {
    /// `None` once it has ended.
    crc: Option<Running<'static, u64, Table<16>>>,
    chunks_left: usize,
    begun: bool,
}

/// The one who writes; blocks come to it whole.
struct Writer {
    stream: Stream,
    members: Vec<Member>,
}

impl Writer {
    fn block(&mut self, at: usize, ns: &Namespace, documents: &[u8]) -> io::Result<()> {
        if let Some(member) = self.members.get_mut(at) {
            member.begun = true;
            if let Some(crc) = &mut member.crc {
                crc.update(documents);
            }
        }
        self.stream.write_all(&head(ns, None))?;
        self.stream.write_all(documents)?;
        self.stream.write_all(&TERMINATOR)
    }

    fn chunk_done(&mut self, at: usize, ns: &Namespace) -> io::Result<()> {
        let Some(member) = self.members.get_mut(at) else { return Ok(()) };
        member.chunks_left = member.chunks_left.saturating_sub(1);
        if member.chunks_left == 0 { self.end(at, ns) } else { Ok(()) }
    }

    /// The end of a namespace; one without documents has an empty block before it.
    fn end(&mut self, at: usize, ns: &Namespace) -> io::Result<()> {
        if self.members.get(at).is_some_and(|m| !m.begun) {
            self.block(at, ns, &[])?;
        }
        let crc = self.members.get_mut(at).and_then(|m| m.crc.take()).map_or(0, |crc| crc.finalize());
        self.stream.write_all(&head(ns, Some(crc)))?;
        self.stream.write_all(&TERMINATOR)
    }
}

/// The head of a block; with a checksum that of the last one.
fn head(ns: &Namespace, crc: Option<u64>) -> Vec<u8> {
    let mut head = Builder::new();
    head.string("db", &ns.db);
    head.string("collection", &ns.coll);
    head.bool("EOF", crc.is_some());
    head.put(b"CRC", crate::engine::bson::kind::INT64, &crc.unwrap_or(0).to_le_bytes());
    head.finish()
}

struct Chunk<'w> {
    writer: &'w Mutex<Writer>,
    partial: &'w Path,
    at: usize,
    ns: Namespace,
    buffer: Vec<u8>,
}

impl Chunk<'_> {
    fn write(&self, work: impl FnOnce(&mut Writer) -> io::Result<()>) -> Result<()> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        work(&mut writer).map_err(|e| Box::new(Error::failed(WRITING, shown(self.partial), e)))
    }
}

impl Drain for Chunk<'_> {
    fn take(&mut self, document: &[u8]) -> Result<()> {
        if self.buffer.len() + document.len() > BLOCK && !self.buffer.is_empty() {
            self.write(|writer| writer.block(self.at, &self.ns, &self.buffer))?;
            self.buffer.clear();
        }
        self.buffer.extend_from_slice(document);
        Ok(())
    }

    fn finish(self) -> Result<()> {
        self.write(|writer| {
            if !self.buffer.is_empty() {
                writer.block(self.at, &self.ns, &self.buffer)?;
            }
            writer.chunk_done(self.at, &self.ns)
        })
    }
}

impl Unproven {
    /// The file as it lies there now.
    pub fn path(&self) -> &Path {
        &self.partial
    }

    /// Per collection of the state, in its order: what was written.
    pub fn digests(&self) -> Vec<Digest> {
        self.seen.iter().map(|s| s.digest).collect()
    }

    /// Holds what a reader found against what was written.
    pub fn compare(&self, state: &dyn State, found: &[Found<'_>], meter: &Meter) -> Result<Verification> {
        meter.enter(Phase::Verify, self.seen.iter().map(|s| s.digest.count).sum());
        let specs = state.collections();
        let checks = Mutex::new(Vec::with_capacity(specs.len()));
        for_each(threads(), specs.len(), |at| {
            let Some(spec) = specs.get(at) else { return Ok(()) };
            let want = self.seen.get(at).copied().unwrap_or_default();
            let check = self.check(spec, &want, found, meter)?;
            checks.lock().unwrap_or_else(PoisonError::into_inner).push(check);
            Ok(())
        })?;
        let mut collections = checks.into_inner().unwrap_or_else(PoisonError::into_inner);
        collections.sort_by(|a, b| a.ns.cmp(&b.ns));
        let known = |ns: &Namespace| specs.iter().any(|s| s.ns == *ns || s.data_ns() == *ns);
        let strays = found.iter().filter(|f| !known(f.ns));
        collections.extend(strays.map(|f| CollectionCheck::stray(f.ns.clone())));
        Ok(Verification::of(collections))
    }

    fn check(
        &self,
        spec: &CollectionSpec,
        want: &Seen,
        found: &[Found<'_>],
        meter: &Meter,
    ) -> Result<CollectionCheck> {
        let under = |ns: &Namespace| found.iter().find(|f| f.ns == ns);
        let Some(listed) = under(&spec.ns) else {
            return Ok(CollectionCheck::missing(spec.ns.clone(), want.digest));
        };
        let mut seen = Seen::default();
        let data = if spec.kind == CollectionKind::View { None } else { under(&spec.data_ns()) };
        for region in data.map_or(&[][..], |f| f.data) {
            let mut told = seen.digest;
            for document in documents(region) {
                seen.add(document?.bytes(), spec.ordered);
                if seen.digest.bytes - told.bytes > 1 << 20 {
                    meter.add(seen.digest.count - told.count, seen.digest.bytes - told.bytes);
                    meter.check(CHECKING)?;
                    told = seen.digest;
                }
            }
            meter.add(seen.digest.count - told.count, seen.digest.bytes - told.bytes);
        }
        let (options, indexes) = if spec.ns.treatment() == Treatment::Auth {
            Default::default()
        } else {
            compare_metadata(spec, listed.metadata).map_err(|why| {
                Error::failed(CHECKING, format_args!("the metadata of {:?}", spec.ns.to_string()), why)
            })?
        };
        Ok(CollectionCheck::compared(spec, want, &seen, options, indexes))
    }

    /// Gives the file its name; refused when something of that name has come meanwhile.
    pub fn publish(self) -> Result<PathBuf> {
        let failed = |e: io::Error| {
            Error::failed(WRITING, shown(&self.place), e).hint(format_args!(
                "the archive is complete as {}; rename it yourself.",
                shown(&self.partial)
            ))
        };
        let named = match renameat_with(CWD, &self.partial, CWD, &self.place, RenameFlags::NOREPLACE) {
            // File systems that cannot: a second name is not given over another either.
            Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {
                fs::hard_link(&self.partial, &self.place).and_then(|()| fs::remove_file(&self.partial))
            }
            other => other.map_err(io::Error::from),
        };
        named.map_err(|e| match e.kind() {
            io::ErrorKind::AlreadyExists => Error { class: crate::domain::Class::Refused, ..failed(e) },
            _ => failed(e),
        })?;
        if let Some(parent) = self.place.parent() {
            sync_dir(parent).map_err(failed)?;
        }
        Ok(self.place)
    }

    /// Removes it: it cannot be proven.
    pub fn discard(self) -> Result<()> {
        fs::remove_file(&self.partial)
            .map_err(|e| Box::new(Error::failed("removing the archive", shown(&self.partial), e)))
    }
}
