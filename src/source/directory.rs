//! A dump directory (reference 3.3): a folder for each database, in it two files for each
//! collection, and `oplog.bson` beside the folders.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::metadata::{Metadata, Versions};
use super::names::{self, Role};
use super::snapshot::{self, Data, Format, Parts, Snapshot};
use super::unpack::Files;
use super::{marks, slice::Slice};
use crate::domain::{Error, Namespace, Result};
use crate::engine::bson::Doc;
use crate::engine::entry::looks_like_entry;

/// A dump and what lies beside it.
#[derive(Debug)]
pub struct Dump {
    /// The dump.
    pub snapshot: Snapshot,
    /// Files in the dump's root that are no part of it; they may be slices.
    pub beside: Vec<Entry>,
    /// What was passed over, and what a human should know.
    pub notes: Vec<String>,
}

/// Something in a folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// The folder as given, and the name.
    pub shown: PathBuf,
    /// Its name, lossy where it is not UTF-8.
    pub name: String,
    /// What it is.
    pub kind: EntryKind,
}

/// What something in a folder is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum EntryKind {
    /// A folder.
    Folder,
    /// A file with content.
    File,
    /// A symbolic link.
    Link,
    /// A socket, a pipe, a device.
    Other,
}

/// What is in a folder, sorted by name.
pub fn list(folder: &Path) -> Result<Vec<Entry>> {
    let failed = |e: std::io::Error| {
        Box::new(
            Error::failed("reading the folder", format!("{folder:?}"), e).hint("check that you may read it."),
        )
    };
    let mut out = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let kind = match entry.file_type().map_err(failed)? {
            t if t.is_symlink() => EntryKind::Link,
            t if t.is_dir() => EntryKind::Folder,
            t if t.is_file() => EntryKind::File,
            _ => EntryKind::Other,
        };
        let name = entry.file_name().to_string_lossy().into_owned();
        out.push(Entry { shown: entry.path(), name, kind });
    }
    out.sort();
    Ok(out)
}

/// The same for a folder of a dump: links are followed as long as they stay in the dump, because
/// leaving one out would leave out a collection.
fn list_inside(root: &Path, folder: &Path) -> Result<Vec<Entry>> {
    let mut entries = list(folder)?;
    for entry in entries.iter_mut().filter(|e| e.kind == EntryKind::Link) {
        let wrong = |cause: &str| {
            Error::failed("reading the dump", format!("{:?}", entry.shown), cause)
                .hint("put the file itself in its place.")
        };
        let (Ok(root), Ok(real)) = (fs::canonicalize(root), fs::canonicalize(&entry.shown)) else {
            return wrong("it is a symbolic link to nothing").err();
        };
        if !real.starts_with(&root) {
            return wrong("it is a symbolic link that leads out of the dump").err();
        }
        entry.kind = if real.is_dir() {
            EntryKind::Folder
        } else if real.is_file() {
            EntryKind::File
        } else {
            EntryKind::Other
        };
    }
    Ok(entries)
}

/// Whether this folder is a dump's root: some folder in it holds collections. `local` is none of
/// these: full dumps leave it out, and slices of the oplog lie in one.
pub fn is_dump(entries: &[Entry], files: Files<'_>) -> Result<bool> {
    let databases = |entries: &[Entry]| -> Vec<PathBuf> {
        let folders = entries.iter().filter(|e| e.kind == EntryKind::Folder && e.name != "local");
        folders.map(|e| e.shown.clone()).collect()
    };
    let is = |role| entries.iter().any(|e| e.kind == EntryKind::File && names::role(&e.name) == role);
    let prelude = is(Role::Prelude);
    let marked = prelude || is(Role::Data("oplog"));
    for child in databases(entries) {
        let Ok(inside) = list(&child) else { continue };
        let listed = prelude && inside.iter().any(|e| matches!(names::role(&e.name), Role::Metadata(_)));
        if !listed && !holds_collections(&inside, files)? {
            continue;
        }
        // A dump with something else in its root must not make a dump of its parent.
        let nested = |path: &PathBuf| {
            list(path).is_ok_and(|inside| holds_collections(&inside, files).unwrap_or(false))
        };
        if marked || !databases(&inside).iter().any(nested) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether these are the files of a database's folder. Slices of an oplog lie in folders as well,
/// with metadata beside them: a file counts when it is evidently not one of those.
pub fn holds_collections(entries: &[Entry], files: Files<'_>) -> Result<bool> {
    let file = |e: &&Entry| e.kind == EntryKind::File;
    let data: BTreeMap<&str, &Entry> = entries
        .iter()
        .filter(file)
        .filter_map(|e| match names::role(&e.name) {
            Role::Data(base) => Some((base, e)),
            _ => None,
        })
        .collect();
    let is_oplog =
        |base: &str| data.get(base).is_some_and(|e| starts_with_entry(&e.shown, files).unwrap_or(false));
    for entry in entries.iter().filter(file) {
        match names::role(&entry.name) {
            Role::Metadata(base) => {
                let name = files
                    .text(&entry.shown)
                    .and_then(|text| Metadata::parse(&text, ""))
                    .ok()
                    .and_then(|m| m.collection_name);
                let collection = match name.as_deref() {
                    Some("oplog.rs") => false,
                    Some(_) => true,
                    None => !is_oplog(base),
                };
                if collection {
                    return Ok(true);
                }
            }
            Role::Data(base) if base != "oplog" => {
                let head = files.head(&entry.shown);
                if head.is_ok_and(|h| Doc::first(&h.bytes).is_ok()) && !is_oplog(base) {
                    return Ok(true);
                }
            }
            _ => {}
        }
        files.meter.check("looking for backups")?;
    }
    Ok(false)
}

fn starts_with_entry(file: &Path, files: Files<'_>) -> Result<bool> {
    Ok(Doc::first(&files.head(file)?.bytes).is_ok_and(looks_like_entry))
}

/// Reads the dump in this folder.
pub fn read(root: &Path, files: Files<'_>) -> Result<Dump> {
    let mut reader = Reader { root, files, compressed: false, parts: Parts::new(), notes: Vec::new() };
    let (mut beside, mut oplog, mut versions) = (Vec::new(), None, Versions::default());
    for entry in list_inside(root, root)? {
        files.meter.check("reading the dump")?;
        match (entry.kind, names::role(&entry.name)) {
            (EntryKind::Folder, _) if entry.name == "local" => beside.push(entry),
            (EntryKind::Folder, _) => {
                if let Some(found) = reader.database(&entry)? {
                    versions = found;
                }
            }
            (EntryKind::File, Role::Prelude) => {
                versions = Versions::parse_prelude(&files.text(&entry.shown)?).unwrap_or_default();
            }
            (EntryKind::File, Role::Data("oplog")) => {
                if oplog.replace(entry.clone()).is_some() {
                    return Error::failed("reading the dump", format!("{root:?}"), "it has two oplogs")
                        .hint("keep the `oplog.bson` that the dump was made with.")
                        .err();
                }
            }
            _ => beside.push(entry),
        }
    }
    let oplog = match oplog {
        Some(entry) => reader.oplog(&entry)?,
        None => None,
    };
    let name = root.display().to_string();
    let sorted = snapshot::sort(&name, reader.parts, &versions, files.meter)?;
    reader.notes.extend(sorted.notes);
    let snapshot = Snapshot {
        id: String::new(),
        path: root.to_path_buf(),
        format: Format::Directory,
        compressed: reader.compressed,
        server_version: versions.server,
        tool_version: versions.tool,
        base: sorted.base,
        auth: sorted.auth,
        set_aside: sorted.set_aside,
        counts: sorted.counts,
        oplog,
    };
    Ok(Dump { snapshot, beside, notes: reader.notes })
}

struct Reader<'a> {
    root: &'a Path,
    files: Files<'a>,
    compressed: bool,
    parts: Parts,
    notes: Vec<String>,
}

impl Reader<'_> {
    /// Takes the files of one database in; gives the versions if they are recorded there.
    fn database(&mut self, folder: &Entry) -> Result<Option<Versions>> {
        let db = utf8_name(folder)?;
        let mut versions = None;
        let (mut data, mut metadata) = (BTreeMap::new(), BTreeMap::new());
        for entry in list_inside(self.root, &folder.shown)? {
            let role = if entry.kind == EntryKind::File { names::role(&entry.name) } else { Role::Stray };
            let (into, base) = match role {
                Role::Data(base) => (&mut data, base),
                Role::Metadata(base) => (&mut metadata, base),
                Role::Prelude => {
                    versions = Versions::parse_prelude(&self.files.text(&entry.shown)?);
                    continue;
                }
                Role::Stray => {
                    self.notes.push(format!("passed over {:?}: it is no part of the dump.", entry.shown));
                    continue;
                }
            };
            utf8_name(&entry)?;
            if let Some(twin) = into.insert(base.to_owned(), entry.clone()) {
                let place = format!("{:?} and {:?}", twin.shown, entry.shown);
                return Error::failed("reading the dump", place, "two files stand for one collection")
                    .hint("remove the one that does not belong to the dump.")
                    .err();
            }
        }
        // Metadata first: it knows the names that were too long for a file.
        let mut named = BTreeMap::new();
        for (base, entry) in metadata {
            self.files.meter.check("reading the dump")?;
            let text = self.files.text(&entry.shown)?;
            let ns = Namespace::new(&*db, self.collection(&base, &entry, Some(&text))?);
            self.compressed |= self.files.head(&entry.shown)?.compressed;
            let place = format!("{:?}", entry.shown);
            self.parts.entry(ns.clone()).or_default().metadata = Some((text, place));
            named.insert(base, ns);
        }
        for (base, entry) in data {
            let ns = match named.remove(&base) {
                Some(ns) => ns,
                None => Namespace::new(&*db, self.collection(&base, &entry, None)?),
            };
            let loaded = self.files.load(&entry.shown)?;
            self.compressed |= loaded.compressed;
            let part = self.parts.entry(ns.clone()).or_default();
            if part.data.replace(Data { regions: vec![loaded.region], documents: None }).is_some() {
                return Error::failed(
                    "reading the dump",
                    format!("{:?}", entry.shown),
                    format!("a second file stands for {:?}", ns.to_string()),
                )
                .hint("remove the one that does not belong to the dump.")
                .err();
            }
        }
        Ok(versions)
    }

    /// The collection that a file is about.
    fn collection(&self, base: &str, entry: &Entry, metadata: Option<&[u8]>) -> Result<String> {
        let wrong = |cause: String| {
            Error::failed("reading the dump", format!("{:?}", entry.shown), cause)
                .hint("the file was renamed or is no part of the dump: fetch the dump again or remove it.")
        };
        if base.starts_with('$') {
            // Copies of a database's users: the tool does not escape these.
            return Ok(base.to_owned());
        }
        if !names::is_shortened(base) {
            return names::unescape(base).map_err(|cause| Box::new(wrong(cause)));
        }
        let known = match metadata {
            Some(text) => Metadata::parse(text, &format!("{:?}", entry.shown))?.collection_name,
            None => None,
        };
        known.ok_or_else(|| Box::new(wrong("the name is shortened, and no metadata says what it was".into())))
    }

    /// The dump's own oplog.
    fn oplog(&mut self, entry: &Entry) -> Result<Option<Slice>> {
        let loaded = self.files.load(&entry.shown)?;
        self.compressed |= loaded.compressed;
        let name = entry.shown.display().to_string();
        let slice = marks::slice(name, loaded.region, &self.files)?;
        if slice.is_none() {
            self.notes.push(format!("{:?} is empty: the dump has no valid stop.", entry.shown));
        }
        Ok(slice)
    }
}

/// The name of a file or folder of a dump, which has to be UTF-8.
fn utf8_name(entry: &Entry) -> Result<String> {
    match entry.shown.file_name().and_then(|n| n.to_str()) {
        Some(name) => Ok(name.to_owned()),
        None => Error::failed("reading the dump", format!("{:?}", entry.shown), "the name is not UTF-8")
            .hint("the dump was copied with another character set: fetch it again.")
            .err(),
    }
}
