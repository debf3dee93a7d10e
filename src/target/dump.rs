//! Writes a state as a plain mongodump directory (reference 3.3, 3.4): beside its final place,
//! read back, compared, synced, and only then renamed. Nothing is ever overwritten.

use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bson::{Bson, Document};
use serde_json::json;

use super::MARK;
use super::dump_names::{file_stem, require_directory_name};
use super::files::{create_dir, create_file, shown, sync_dir, write_new};
use super::pull::{Drain, Seen, for_each, pull};
use super::shape::{compare_indexes, compare_options, document};
use super::verify::{CollectionCheck, Verification, kind_name};
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
    /// What was left out or translated. Nothing so far: a dump takes everything as it is.
    pub notes: Vec<String>,
    /// Per collection of the state, in its order: what was written.
    pub digests: Vec<Digest>,
    /// What reading it back gave.
    pub verification: Verification,
}

const WRITING: &str = "writing the dump";
const CHECKING: &str = "reading the dump back";
/// Documents gather to this many bytes before they are written.
const BUFFER: usize = 4 << 20;

/// Writes `state` to `dir`, which must not exist or be an empty directory. `server_version` is
/// that of the snapshot's server, for `prelude.json`. Blocks.
///
/// On an error, and when something differs, what was written stays beside `dir` under a name
/// that says it is partial and names `restore_id`, with a file `pitstop_incomplete` in it.
pub fn write_dump(
    dir: &Path,
    state: &dyn State,
    server_version: Option<&str>,
    restore_id: &str,
    meter: &Meter,
) -> Result<Written> {
    let dir = std::path::absolute(dir).map_err(|e| Error::failed(WRITING, shown(dir), e))?;
    require_free_name(&dir)?;
    // Names are judged before anything is created.
    state.collections().iter().try_for_each(|spec| require_directory_name(&spec.ns.db))?;
    let partial = partial_of(&dir, restore_id)?;
    write_at(&dir, &partial, state, server_version, meter).map_err(|mut error| {
        if fs::symlink_metadata(&partial).is_ok() {
            let left =
                format!("what was written so far is {}; it is incomplete and can go.", shown(&partial));
            error.hint = if error.hint.is_empty() { left } else { format!("{} {left}", error.hint) };
        }
        error
    })
}

fn write_at(
    dir: &Path,
    partial: &Path,
    state: &dyn State,
    server_version: Option<&str>,
    meter: &Meter,
) -> Result<Written> {
    let failed = |path: &Path, e: io::Error| Error::failed(WRITING, shown(path), e);
    if let Some(parent) = dir.parent() {
        fs::create_dir_all(parent).map_err(|e| failed(parent, e))?;
    }
    create_dir(partial).map_err(|e| failed(partial, e))?;
    let mark = partial.join(MARK);
    let started = json!({ "time": super::now() }).to_string();
    write_new(&mark, started.as_bytes()).map_err(|e| failed(&mark, e))?;

    let files = lay_out(partial, state)?;
    let specs = state.collections();
    meter.enter(Phase::Load, specs.iter().map(|s| s.documents).sum());
    let seen = pull(state, threads(), WRITING, meter, |collection, _chunk| {
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
        "ServerVersion": server_version.unwrap_or("unknown"),
        "ToolVersion": concat!("pitstop ", env!("CARGO_PKG_VERSION")),
    });
    write_new(&prelude, versions.to_string().as_bytes()).map_err(|e| failed(&prelude, e))?;

    let verification = verify(partial, state, &files, &seen, meter)?;
    let digests: Vec<Digest> = seen.iter().map(|s| s.digest).collect();
    if !verification.ok() {
        return Ok(Written { dir: partial.to_owned(), notes: Vec::new(), digests, verification });
    }
    sync_tree(partial, &files).map_err(|e| failed(partial, e))?;
    fs::remove_file(&mark).map_err(|e| failed(&mark, e))?;
    sync_dir(partial).map_err(|e| failed(partial, e))?;
    // Onto an empty directory this is atomic; onto anything else the system refuses.
    fs::rename(partial, dir).map_err(|e| {
        failed(dir, e).hint("the dump is complete under its partial name; rename it yourself.")
    })?;
    if let Some(parent) = dir.parent() {
        sync_dir(parent).map_err(|e| failed(parent, e))?;
    }
    Ok(Written { dir: dir.to_owned(), notes: Vec::new(), digests, verification })
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from)
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

/// Removes what an unfinished restore of that id left beside `dir`; says whether there was
/// anything. Only the directory whose name is made of both is ours.
pub fn remove_partial(dir: &Path, restore_id: &str) -> Result<bool> {
    let partial = partial_of(dir, restore_id)?;
    match fs::symlink_metadata(&partial) {
        Ok(meta) if meta.is_dir() => fs::remove_dir_all(&partial)
            .map(|()| true)
            .map_err(|e| Box::new(Error::failed("removing the unfinished dump", shown(&partial), e))),
        _ => Ok(false),
    }
}

fn partial_of(dir: &Path, restore_id: &str) -> Result<PathBuf> {
    let Some(name) = dir.file_name() else {
        return Error::usage(WRITING, shown(dir), "this names no new directory").hint("name one.").err();
    };
    let mut name = name.to_owned();
    name.push(format!(".partial-{restore_id}"));
    Ok(dir.with_file_name(name))
}

/// The files of one collection.
struct Files {
    metadata: PathBuf,
    data: Option<Arc<Out>>,
}

/// Makes the directories and the metadata; no data file is open yet.
fn lay_out(root: &Path, state: &dyn State) -> Result<Vec<Files>> {
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
        if let Some(out) = data.as_ref().filter(|_| state.chunks(at) == 0) {
            out.open()?;
        }
        Ok(Files { metadata, data })
    };
    state.collections().iter().enumerate().map(lay).collect()
}

fn metadata_json(spec: &CollectionSpec) -> Result<String> {
    let decode = |bytes: &[u8], what: &str| {
        document(bytes).map(|d| Bson::Document(d).into_canonical_extjson()).map_err(|why| {
            Error::failed(
                WRITING,
                format_args!("{:?}", spec.ns.to_string()),
                format_args!("its {what} cannot be written as JSON: {why}"),
            )
        })
    };
    let indexes =
        spec.indexes.iter().map(|i| decode(i, "index")).collect::<std::result::Result<Vec<_>, _>>()?;
    let mut metadata = serde_json::Map::new();
    let options = decode(&spec.options, "options")?;
    if options.as_object().is_some_and(|o| !o.is_empty()) {
        metadata.insert("options".to_owned(), options);
    }
    metadata.insert("indexes".to_owned(), indexes.into());
    metadata.insert("collectionName".to_owned(), spec.ns.coll.clone().into());
    metadata.insert("type".to_owned(), kind_name(spec.kind).into());
    Ok(serde_json::Value::Object(metadata).to_string())
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
    sent: &[Seen],
    meter: &Meter,
) -> Result<Verification> {
    meter.enter(Phase::Verify, sent.iter().map(|s| s.digest.count).sum());
    let specs = state.collections();
    let checks = Mutex::new(Vec::with_capacity(specs.len()));
    for_each(threads(), specs.len(), |at| {
        let (Some(spec), Some(files)) = (specs.get(at), files.get(at)) else { return Ok(()) };
        let found = match &files.data {
            Some(out) => read_back(&out.path, spec.ordered, meter)?,
            None => Seen::default(),
        };
        let (options, indexes) = compare_metadata(spec, &files.metadata)?;
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
    Ok(Verification { collections })
}

fn read_back(path: &Path, ordered: bool, meter: &Meter) -> Result<Seen> {
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

/// Reads the metadata as a restoring tool would and compares it with the state.
fn compare_metadata(spec: &CollectionSpec, path: &Path) -> Result<(Vec<String>, Vec<String>)> {
    let broken = |why: String| Error::failed(CHECKING, shown(path), why);
    let text = fs::read_to_string(path).map_err(|e| broken(e.to_string()))?;
    let json: serde_json::Value = serde_json::from_str(&text).map_err(|e| broken(e.to_string()))?;
    let found = match Bson::try_from(json).map_err(|e| broken(e.to_string()))? {
        Bson::Document(found) => found,
        _ => return Err(Box::new(broken("it is no object".to_owned()))),
    };
    let empty = Document::new();
    let want = document(&spec.options).map_err(broken)?;
    let mut options = compare_options(&want, found.get_document("options").unwrap_or(&empty));
    let says = |key: &str| found.get_str(key).unwrap_or_default();
    if says("collectionName") != spec.ns.coll || says("type") != kind_name(spec.kind) {
        options.push("the metadata name another collection or type".to_owned());
    }
    let want = spec
        .indexes
        .iter()
        .map(|i| document(i).map_err(broken))
        .collect::<std::result::Result<Vec<_>, _>>()?;
    let listed = found.get_array("indexes").map(Vec::as_slice).unwrap_or_default();
    let listed: Vec<Document> = listed.iter().filter_map(Bson::as_document).cloned().collect();
    Ok((options, compare_indexes(&want, &listed)))
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
