//! Writes a state as a plain mongodump directory (reference 3.3, 3.4): beside its final place,
//! read back, compared, synced, and only then renamed. Nothing is ever overwritten.

use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::json;

use super::MARK;
use super::dump_begin::begin;
use super::dump_names::{file_stem, require_directory_name};
use super::files::{create_dir, create_file, partial_of, shown, sync_dir, write_new};
use super::ledger::{Forgetful, Ledger};
use super::metadata::{compare_metadata, metadata_json};
use super::pull::{Drain, Pull, Seen, for_each, threads};
use super::verify::{CollectionCheck, Verification};
use crate::domain::progress::{Meter, Phase};
use crate::domain::{Error, Result};
use crate::engine::bson::{MAX_BYTES, int32_at};
use crate::engine::input::CollectionKind;
use crate::engine::output::{CollectionSpec, Digest, State};

/// A dump directory that was written and read back.
#[derive(Debug)]
pub struct Written {
    /// Where it is: the directory asked for, or the unfinished one beside it when something
    /// differs.
    pub dir: PathBuf,
    /// Collections that an earlier try had written, and their documents.
    pub kept: (u64, u64),
    /// Per collection of the state, in its order: what was written.
    pub digests: Vec<Digest>,
    /// What reading it back gave.
    pub verification: Verification,
}

pub(super) const WRITING: &str = "writing the dump";
const CHECKING: &str = "reading the dump back";
/// Documents gather to this many bytes before they are written.
const BUFFER: usize = 4 << 20;

/// How to write one.
#[derive(Clone, Copy)]
pub struct DumpOptions<'a> {
    /// That of the snapshot's server, for `prelude.json`.
    pub server_version: Option<&'a str>,
    /// Names this restore in what is not complete yet.
    pub restore_id: &'a str,
    /// Restores that did not end: what one of them left beside the directory is taken over.
    pub earlier: &'a [String],
    /// Knows and learns which collections have been written.
    pub ledger: &'a dyn Ledger,
}

impl<'a> DumpOptions<'a> {
    /// From the beginning, remembering nothing.
    pub fn new(restore_id: &'a str, server_version: Option<&'a str>) -> Self {
        DumpOptions { server_version, restore_id, earlier: &[], ledger: &Forgetful }
    }
}

/// Writes `state` to `dir`, which must not exist or be an empty directory. Blocks.
///
/// On an error, and when something differs, what was written stays beside `dir` under a name
/// that says it is partial and names the restore, with a file `pitstop_incomplete` in it.
pub fn write_dump(
    dir: &Path,
    state: &dyn State,
    options: &DumpOptions<'_>,
    meter: &Meter,
) -> Result<Written> {
    let dir = std::path::absolute(dir).map_err(|e| Error::failed(WRITING, shown(dir), e))?;
    require_free_name(&dir)?;
    // Names are judged before anything is created.
    state.collections().iter().try_for_each(|spec| require_directory_name(&spec.ns.db))?;
    let partial = partial_of(&dir, options.restore_id, WRITING)?;
    write_at(&dir, &partial, state, options, meter).map_err(|mut error| {
        if fs::symlink_metadata(&partial).is_ok() {
            let left = format!(
                "what was written so far is {}; it is incomplete: the same command goes on from there, or it can go.",
                shown(&partial)
            );
            error.hint = if error.hint.is_empty() { left } else { format!("{} {left}", error.hint) };
        }
        error
    })
}

fn write_at(
    dir: &Path,
    partial: &Path,
    state: &dyn State,
    options: &DumpOptions<'_>,
    meter: &Meter,
) -> Result<Written> {
    let failed = |path: &Path, e: io::Error| Error::failed(WRITING, shown(path), e);
    if let Some(parent) = dir.parent() {
        fs::create_dir_all(parent).map_err(|e| failed(parent, e))?;
    }
    let specs = state.collections();
    let kept = begin(dir, partial, specs, options, meter)?;
    for (spec, seen) in specs.iter().zip(&kept) {
        seen.as_ref().map_or(Ok(()), |seen| options.ledger.note(&spec.ns, seen))?;
    }
    let files = lay_out(partial, state, &kept)?;
    let to_write = specs.iter().zip(&kept).filter(|(_, kept)| kept.is_none());
    meter.enter(Phase::Load, to_write.map(|(s, _)| s.documents).sum());
    let pull = Pull { state, threads: threads(), doing: WRITING, meter, kept: &kept, ledger: options.ledger };
    let seen = pull.run(|collection, _chunk| {
        let out = files.get(collection).and_then(|f| f.data.clone()).ok_or_else(|| {
            Box::new(Error::failed(WRITING, shown(partial), "documents belong to no collection with data"))
        })?;
        out.open()?;
        Ok(Chunk { out, buffer: Vec::new() })
    })?;
    for out in files.iter().filter_map(|f| f.data.as_ref()) {
        out.close()?;
    }
    let prelude = partial.join("prelude.json");
    let versions = json!({
        "ServerVersion": options.server_version.unwrap_or("unknown"),
        "ToolVersion": concat!("pitstop ", env!("CARGO_PKG_VERSION")),
    });
    write_new(&prelude, versions.to_string().as_bytes()).map_err(|e| failed(&prelude, e))?;

    let verification = verify(partial, state, &files, (&seen, &kept), meter)?;
    let digests: Vec<Digest> = seen.iter().map(|s| s.digest).collect();
    let sent_before = kept.iter().flatten();
    let kept = (sent_before.clone().count() as u64, sent_before.map(|s| s.digest.count).sum());
    if !verification.ok() {
        return Ok(Written { dir: partial.to_owned(), kept, digests, verification });
    }
    sync_tree(partial, &files).map_err(|e| failed(partial, e))?;
    let mark = partial.join(MARK);
    fs::remove_file(&mark).map_err(|e| failed(&mark, e))?;
    sync_dir(partial).map_err(|e| failed(partial, e))?;
    // Onto an empty directory this is atomic; onto anything else the system refuses.
    fs::rename(partial, dir).map_err(|e| {
        failed(dir, e).hint("the dump is complete under its partial name; rename it yourself.")
    })?;
    if let Some(parent) = dir.parent() {
        sync_dir(parent).map_err(|e| failed(parent, e))?;
    }
    Ok(Written { dir: dir.to_owned(), kept, digests, verification })
}

fn require_free_name(dir: &Path) -> Result<()> {
    let refuse = |why: &str| {
        Error::refused(WRITING, shown(dir), why).hint("name a directory that does not exist yet.").err()
    };
    match fs::symlink_metadata(dir) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(e) => Error::failed(WRITING, shown(dir), e).err(),
        Ok(meta) if meta.is_symlink() => refuse("it is a symbolic link"),
        Ok(meta) if !meta.is_dir() => refuse("it is there already and no directory"),
        Ok(_) => match fs::read_dir(dir).map(|mut entries| entries.next().is_none()) {
            Ok(true) => Ok(()),
            Ok(false) => refuse("the directory is not empty; nothing is ever overwritten"),
            Err(e) => Error::failed(WRITING, shown(dir), e).err(),
        },
    }
}

/// The files of one collection.
struct Files {
    metadata: PathBuf,
    data: Option<Arc<Out>>,
}

/// Makes the directories and the metadata; no data file is open yet.
fn lay_out(root: &Path, state: &dyn State, kept: &[Option<Seen>]) -> Result<Vec<Files>> {
    let lay = |(at, spec): (usize, &CollectionSpec)| {
        let dir = root.join(&spec.ns.db);
        let failed = |path: &Path, e: io::Error| Error::failed(WRITING, shown(path), e);
        if fs::symlink_metadata(&dir).is_err() {
            create_dir(&dir).map_err(|e| failed(&dir, e))?;
        }
        let metadata = dir.join(format!("{}.metadata.json", file_stem(&spec.ns.coll)));
        write_new(&metadata, metadata_json(spec)?.as_bytes()).map_err(|e| failed(&metadata, e))?;
        let data = (spec.kind != CollectionKind::View).then(|| {
            let path = dir.join(format!("{}.bson", file_stem(&spec.data_ns().coll)));
            Arc::new(Out::new(path, state.chunks(at)))
        });
        // An empty collection has an empty file.
        let there = kept.get(at).is_some_and(Option::is_some);
        if let Some(out) = data.as_ref().filter(|_| state.chunks(at) == 0 && !there) {
            out.open()?;
        }
        Ok(Files { metadata, data })
    };
    state.collections().iter().enumerate().map(lay).collect()
}

/// A data file that several chunks write at once: each takes a stretch of it for itself.
struct Out {
    path: PathBuf,
    end: AtomicU64,
    chunks_left: AtomicUsize,
    file: Mutex<Option<Arc<File>>>,
}

impl Out {
    fn new(path: PathBuf, chunks: usize) -> Self {
        Out { path, end: AtomicU64::new(0), chunks_left: AtomicUsize::new(chunks), file: Mutex::new(None) }
    }

    fn failed(&self, e: io::Error) -> Box<Error> {
        Box::new(Error::failed(WRITING, shown(&self.path), e))
    }

    /// Opened by the first chunk, so that no more files are open than are written to.
    fn open(&self) -> Result<Arc<File>> {
        let mut slot = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = slot.as_ref() {
            return Ok(file.clone());
        }
        let file = Arc::new(create_file(&self.path).map_err(|e| self.failed(e))?);
        Ok(slot.insert(file).clone())
    }

    fn append(&self, bytes: &[u8]) -> Result<()> {
        let at = self.end.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        self.open()?.write_all_at(bytes, at).map_err(|e| self.failed(e))
    }

    fn chunk_done(&self) -> Result<()> {
        if self.chunks_left.fetch_sub(1, Ordering::AcqRel) == 1 { self.close() } else { Ok(()) }
    }

    fn close(&self) -> Result<()> {
        drop(self.file.lock().unwrap_or_else(PoisonError::into_inner).take());
        Ok(())
    }
}

struct Chunk {
    out: Arc<Out>,
    buffer: Vec<u8>,
}

impl Drain for Chunk {
    fn take(&mut self, document: &[u8]) -> Result<()> {
        if self.buffer.len() + document.len() > BUFFER && !self.buffer.is_empty() {
            self.out.append(&self.buffer)?;
            self.buffer.clear();
        }
        self.buffer.extend_from_slice(document);
        Ok(())
    }

    fn finish(self) -> Result<()> {
        if !self.buffer.is_empty() {
            self.out.append(&self.buffer)?;
        }
        self.out.chunk_done()
    }
}

fn verify(
    root: &Path,
    state: &dyn State,
    files: &[Files],
    (sent, kept): (&[Seen], &[Option<Seen>]),
    meter: &Meter,
) -> Result<Verification> {
    meter.enter(Phase::Verify, sent.iter().map(|s| s.digest.count).sum());
    let specs = state.collections();
    let checks = Mutex::new(Vec::with_capacity(specs.len()));
    for_each(threads(), specs.len(), |at| {
        let (Some(spec), Some(files)) = (specs.get(at), files.get(at)) else { return Ok(()) };
        let found = match (&files.data, kept.get(at).copied().flatten()) {
            // Read when it was taken over.
            (_, Some(seen)) => seen,
            (Some(out), None) => read_back(&out.path, spec.ordered, meter)?,
            (None, None) => Seen::default(),
        };
        let broken = |why: String| Box::new(Error::failed(CHECKING, shown(&files.metadata), why));
        let text = fs::read_to_string(&files.metadata).map_err(|e| broken(e.to_string()))?;
        let (options, indexes) = compare_metadata(spec, &text).map_err(broken)?;
        let want = sent.get(at).copied().unwrap_or_default();
        let check = CollectionCheck::compared(spec, &want, &found, options, indexes);
        checks.lock().unwrap_or_else(PoisonError::into_inner).push(check);
        Ok(())
    })?;
    let mut collections = checks.into_inner().unwrap_or_else(PoisonError::into_inner);
    collections.sort_by(|a, b| a.ns.cmp(&b.ns));
    // A mark that vanished means that somebody else works in here.
    if !root.join(MARK).exists() {
        return Error::failed(CHECKING, shown(root), "the file that marks it as unfinished has vanished")
            .err();
    }
    Ok(Verification::of(collections))
}

pub(super) fn read_back(path: &Path, ordered: bool, meter: &Meter) -> Result<Seen> {
    let mut seen = Seen::default();
    let failed = |at: u64, e: &dyn std::fmt::Display| {
        Error::failed(CHECKING, format_args!("{} at byte {at}", shown(path)), e)
    };
    let file = File::open(path).map_err(|e| failed(0, &e))?;
    let length = file.metadata().map_err(|e| failed(0, &e))?.len();
    let mut reader = BufReader::with_capacity(1 << 20, file);
    let mut document = Vec::new();
    let mut told = seen.digest;
    while seen.digest.bytes < length {
        let at = seen.digest.bytes;
        let mut head = [0; 4];
        reader.read_exact(&mut head).map_err(|e| failed(at, &e))?;
        let size =
            int32_at(&head, 0).and_then(|l| usize::try_from(l).ok()).filter(|l| (5..=MAX_BYTES).contains(l));
        let size = size.ok_or_else(|| failed(at, &"no document begins here"))?;
        document.resize(size, 0);
        document[..4].copy_from_slice(&head);
        reader.read_exact(&mut document[4..]).map_err(|e| failed(at, &e))?;
        seen.add(&document, ordered);
        if seen.digest.bytes - told.bytes > 1 << 20 {
            meter.add(seen.digest.count - told.count, seen.digest.bytes - told.bytes);
            meter.check(CHECKING)?;
            told = seen.digest;
        }
    }
    meter.add(seen.digest.count - told.count, seen.digest.bytes - told.bytes);
    Ok(seen)
}

/// Makes files and names last, in parallel: each sync waits for the disk.
fn sync_tree(root: &Path, files: &[Files]) -> io::Result<()> {
    let paths: Vec<&Path> = files.iter().filter_map(|f| f.data.as_ref()).map(|o| o.path.as_path()).collect();
    let first = Mutex::new(Ok(()));
    let keep = |result: io::Result<()>| {
        if let Err(e) = result {
            *first.lock().unwrap_or_else(PoisonError::into_inner) = Err(e);
        }
    };
    let _ = for_each(4, paths.len(), |at| {
        if let Some(path) = paths.get(at) {
            keep(File::open(path).and_then(|f| f.sync_all()));
        }
        Ok(())
    });
    first.into_inner().unwrap_or_else(PoisonError::into_inner)?;
    for entry in fs::read_dir(root)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_dir(&entry.path())?;
        }
    }
    Ok(())
}
