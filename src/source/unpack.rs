//! Files as they are given to everyone else here: mapped, and unpacked before where they are
//! compressed. Each is unpacked once into a private folder and found there again later.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flate2::bufread::MultiGzDecoder;
use xxhash_rust::xxh3::Xxh3;

use super::mapped;
use crate::domain::progress::Meter;
use crate::domain::{Error, Result};
use crate::engine::input::Region;

/// How gzip begins (RFC 1952).
const GZIP: &[u8] = &[0x1f, 0x8b];
/// How a zstd frame begins (RFC 8878).
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
/// Disk that is always left free.
const FLOOR: u64 = 1 << 30;
/// What unpacks to no more than this stays in memory; also how much of a file is looked at to
/// find out what it is.
const HEAD: usize = 64 << 10;
/// Bytes written between two looks at disk space and cancellation.
const STEP: usize = 16 << 20;
/// The largest text (metadata, prelude) that is read.
const MAX_TEXT: usize = 64 << 20;

const UNPACKING: &str = "unpacking";

/// Opens files; knows where unpacked ones go.
#[derive(Debug, Clone, Copy)]
pub struct Files<'a> {
    /// The private folder.
    pub unpack_dir: &'a Path,
    /// Progress and cancellation.
    pub meter: &'a Meter,
}

/// A file's bytes, unpacked.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// Everything in it.
    pub region: Region,
    /// Whether the file is compressed.
    pub compressed: bool,
}

/// The beginning of a file, unpacked.
#[derive(Debug, Clone)]
pub struct Head {
    /// Its first bytes, as many as are looked at.
    pub bytes: Vec<u8>,
    /// Whether that is the whole file.
    pub whole: bool,
    /// Whether the file is compressed.
    pub compressed: bool,
}

impl Files<'_> {
    /// The whole file: mapped, and unpacked where needed.
    pub fn load(&self, file: &Path) -> Result<Loaded> {
        let packed = mapped::map(file, file)?;
        if !is_packed(&packed) {
            return Ok(Loaded { region: packed, compressed: false });
        }
        // Offsets in errors count unpacked bytes, and say so by the name.
        let mut origin = file.as_os_str().to_owned();
        origin.push(" (unpacked)");
        let origin: Arc<Path> = Arc::from(PathBuf::from(origin));
        let name = identity(file)?;
        let known = self.unpack_dir.join(&name);
        if known.is_file() {
            return Ok(Loaded { region: mapped::map(&known, &origin)?, compressed: true });
        }
        let mut stream = Inflate::new(file, &packed)?;
        let head = stream.take(HEAD + 1)?;
        if head.len() <= HEAD {
            return Ok(Loaded { region: Region::new(Arc::new(head), origin), compressed: true });
        }
        let known = self.save(&name, file, packed.len() as u64, |out| {
            let mut part = head.clone();
            while !part.is_empty() {
                out(&part)?;
                part = stream.take(STEP)?;
            }
            Ok(())
        })?;
        Ok(Loaded { region: mapped::map(&known, &origin)?, compressed: true })
    }

    /// The beginning of a file.
    pub fn head(&self, file: &Path) -> Result<Head> {
        let packed = mapped::map(file, file)?;
        if !is_packed(&packed) {
            let bytes = packed.get(..HEAD).unwrap_or(&packed).to_vec();
            return Ok(Head { whole: bytes.len() == packed.len(), bytes, compressed: false });
        }
        let mut bytes = Inflate::new(file, &packed)?.take(HEAD + 1)?;
        let whole = bytes.len() <= HEAD;
        bytes.truncate(HEAD);
        Ok(Head { bytes, whole, compressed: true })
    }

    /// A small text file.
    pub fn text(&self, file: &Path) -> Result<Vec<u8>> {
        let packed = mapped::map(file, file)?;
        let bytes = if is_packed(&packed) {
            Inflate::new(file, &packed)?.take(MAX_TEXT + 1)?
        } else {
            packed.get(..MAX_TEXT + 1).unwrap_or(&packed).to_vec()
        };
        if bytes.len() > MAX_TEXT {
            return Error::failed(
                "reading",
                format!("{file:?}"),
                "it has more than 64 MiB, too much for a text",
            )
            .hint("the file is damaged: use another copy of it.")
            .err();
        }
        Ok(bytes)
    }

    /// Several regions of one file as one: copied into the private folder, under a name that
    /// derives from that file's and `tag`.
    pub fn concatenate(&self, file: &Path, tag: &str, parts: &[Region]) -> Result<Region> {
        let name = format!("{}.{tag}", identity(file)?);
        let known = self.unpack_dir.join(&name);
        let size = parts.iter().map(|p| p.len() as u64).sum();
        let mut origin = file.as_os_str().to_owned();
        origin.push(format!(" ({tag})"));
        let origin = PathBuf::from(origin);
        if !known.is_file() {
            self.save(&name, file, size, |out| {
                parts.iter().flat_map(|part| part.chunks(STEP)).try_for_each(out)
            })?;
        }
        mapped::map(&known, &origin)
    }

    /// Writes a file beside and renames it into place when it is complete. `size` is what it
    /// will need at least.
    pub(super) fn save(
        &self,
        name: &str,
        source: &Path,
        size: u64,
        fill: impl FnOnce(&mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()>,
    ) -> Result<PathBuf> {
        let place = format!("{source:?} into {:?}", self.unpack_dir);
        let failed = |cause: io::Error| {
            Box::new(
                Error::failed(UNPACKING, &place, cause)
                    .hint("make room or choose another case folder with --case."),
            )
        };
        DirBuilder::new().recursive(true).mode(0o700).create(self.unpack_dir).map_err(failed)?;
        self.room(size, &place)?;
        // A temporary file has mode 0600, and is removed when this fails.
        let mut file =
            tempfile::Builder::new().prefix("partial-").tempfile_in(self.unpack_dir).map_err(failed)?;
        fill(&mut |part| {
            self.meter.check(UNPACKING)?;
            self.room(part.len() as u64, &place)?;
            self.meter.add(0, part.len() as u64);
            file.write_all(part).map_err(failed)
        })?;
        // Whoever finds the name later trusts that all of it is there.
        file.as_file().sync_all().map_err(failed)?;
        let path = self.unpack_dir.join(name);
        file.persist(&path).map_err(|e| failed(e.error))?;
        File::open(self.unpack_dir).and_then(|dir| dir.sync_all()).map_err(failed)?;
        Ok(path)
    }

    /// An error unless the disk takes this many bytes and keeps the floor.
    fn room(&self, needed: u64, place: &str) -> Result<()> {
        let disk =
            rustix::fs::statvfs(self.unpack_dir).map_err(|e| Box::new(Error::failed(UNPACKING, place, e)))?;
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        if free >= FLOOR.saturating_add(needed) {
            return Ok(());
        }
        let cause = format!("the disk has {} MiB free, and 1 GiB has to stay free", free >> 20);
        Error::failed(UNPACKING, place, cause)
            .hint("make room or choose another case folder with --case.")
            .err()
    }
}

/// A name that changes when the file does.
fn identity(file: &Path) -> Result<String> {
    let failed = |e: io::Error| Box::new(Error::failed("opening the file", format!("{file:?}"), e));
    let real = fs::canonicalize(file).map_err(failed)?;
    let meta = fs::metadata(&real).map_err(failed)?;
    let mut hash = Xxh3::new();
    hash.update(real.as_os_str().as_bytes());
    for number in [meta.len(), meta.mtime() as u64, meta.mtime_nsec() as u64, meta.ino(), meta.dev()] {
        hash.update(&number.to_le_bytes());
    }
    Ok(format!("{:032x}.unpacked", hash.digest128()))
}

/// Whether it begins like a format that is unpacked here.
fn is_packed(bytes: &[u8]) -> bool {
    bytes.starts_with(GZIP) || bytes.starts_with(ZSTD)
}

/// A stream of any number of gzip members or zstd frames that knows where it is in the file.
pub(super) struct Inflate<'a> {
    file: &'a Path,
    size: usize,
    decoder: Decoder<'a>,
}

enum Decoder<'a> {
    Gzip(MultiGzDecoder<&'a [u8]>),
    Zstd(zstd::stream::read::Decoder<'static, &'a [u8]>),
}

impl Decoder<'_> {
    /// Bytes of the file that have not been looked at.
    fn left(&self) -> usize {
        match self {
            Decoder::Gzip(decoder) => decoder.get_ref().len(),
            Decoder::Zstd(decoder) => decoder.get_ref().len(),
        }
    }
}

impl Read for Decoder<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self {
            Decoder::Gzip(decoder) => decoder.read(out),
            Decoder::Zstd(decoder) => decoder.read(out),
        }
    }
}

impl<'a> Inflate<'a> {
    pub(super) fn new(file: &'a Path, packed: &'a [u8]) -> Result<Self> {
        let decoder = if packed.starts_with(ZSTD) {
            let decoder = zstd::stream::read::Decoder::with_buffer(packed);
            Decoder::Zstd(decoder.map_err(|e| Error::failed(UNPACKING, format!("{file:?}"), e))?)
        } else {
            Decoder::Gzip(MultiGzDecoder::new(packed))
        };
        Ok(Inflate { file, size: packed.len(), decoder })
    }

    /// The next `limit` bytes; fewer only at the end. Checksums of finished members have then
    /// been checked, and that nothing follows the last one.
    pub(super) fn take(&mut self, limit: usize) -> Result<Vec<u8>> {
        let mut out = Vec::with_capacity(limit.min(STEP));
        match (&mut self.decoder).take(limit as u64).read_to_end(&mut out) {
            Ok(_) => Ok(out),
            Err(error) => {
                let offset = self.size - self.decoder.left();
                let cause = match error.kind() {
                    io::ErrorKind::UnexpectedEof => "the compressed data is cut off".to_owned(),
                    _ => error.to_string(),
                };
                Error::failed(UNPACKING, format!("{:?} at compressed byte {offset}", self.file), cause)
                    .hint("the file is damaged or its copy was interrupted: fetch it again from where it was made.")
                    .err()
            }
        }
    }
}
