//! Finds dumps, archives and slices under the paths that were given, by what is in them.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::Opened;
use super::archive::{self, Archive};
use super::directory::{self, Entry, EntryKind};
use super::marks;
use super::names::{self, Role};
use super::snapshot::{self, Data, Format, Part, Parts, Snapshot};
use super::unpack::{Files, Head};
use crate::domain::{Class, Error, Namespace, Result};
use crate::engine::bson::{Doc, MAX_BYTES, int32_at};
use crate::engine::entry::looks_like_entry;
use crate::engine::input::Region;

/// Collects what is found.
pub struct Finder<'a> {
    files: Files<'a>,
    found: Opened,
    /// What has been opened already, by its real path.
    seen: HashSet<PathBuf>,
    /// How often something was recognised, opened before or not.
    hits: usize,
}

/// What a file is.
enum Kind {
    Archive,
    Oplog,
    Empty,
    /// None of these; a phrase says what it looks like.
    Other(String),
}

impl<'a> Finder<'a> {
    /// Nothing found yet.
    pub fn new(files: Files<'a>) -> Self {
        Finder { files, found: Opened::default(), seen: HashSet::new(), hits: 0 }
    }

    /// Takes in what lies at a path that somebody named.
    pub fn source(&mut self, path: &Path) -> Result<()> {
        let place = format!("{path:?}");
        let real = fs::canonicalize(path).map_err(|e| {
            Box::new(
                Error::failed("opening the source", &place, e)
                    .hint("check the path and that you may read it."),
            )
        })?;
        if real.is_dir() {
            let before = self.hits;
            self.folder(path)?;
            return if self.hits > before { Ok(()) } else { self.nothing_in(path).err() };
        }
        if !real.is_file() {
            return Error::usage("opening the source", place, "it is neither a file nor a folder")
                .hint("name a dump directory, an archive, an oplog file or a folder of these.")
                .err();
        }
        match self.kind(path)? {
            Kind::Archive => self.archive(path),
            Kind::Oplog => self.slice(path),
            Kind::Empty => {
                self.empty(path);
                Ok(())
            }
            Kind::Other(seen) => Error::usage("opening the source", place, format!("it is {seen}"))
                .hint("name a dump directory, an archive, an oplog file or a folder of these.")
                .err(),
        }
    }

    /// Everything found, sorted, and every snapshot with its own name.
    pub fn finish(mut self) -> Opened {
        self.found.snapshots.sort_by(|a, b| a.path.cmp(&b.path));
        self.found.slices.sort_by(|a, b| a.name.cmp(&b.name));
        name_snapshots(&mut self.found.snapshots);
        self.found
    }

    fn nothing_in(&self, path: &Path) -> Error {
        let entries = directory::list(path).unwrap_or_default();
        let error = |cause: &str| Error::usage("opening the source", format!("{path:?}"), cause);
        if directory::holds_collections(&entries, self.files).unwrap_or(false) {
            return error("it is the folder of one database of a dump")
                .hint("name the dump: the folder above it.");
        }
        let cause = match entries.as_slice() {
            [] => "the folder is empty".to_owned(),
            [first, ..] => format!(
                "no dump, archive or oplog is in it (the first of {}: {:?})",
                entries.len(),
                first.name
            ),
        };
        error(&cause).hint("name a dump directory, an archive, an oplog file or a folder of these.")
    }

    /// Searches a folder. Links are not followed: what they lead to inside is found by itself.
    fn folder(&mut self, folder: &Path) -> Result<()> {
        self.files.meter.check("looking for backups")?;
        let entries = directory::list(folder)?;
        if directory::is_dump(&entries, self.files)? {
            return self.dump(folder);
        }
        self.entries(folder, &entries)
    }

    fn entries(&mut self, folder: &Path, entries: &[Entry]) -> Result<()> {
        let mut passed: Vec<(String, String)> = Vec::new();
        for entry in entries {
            self.files.meter.check("looking for backups")?;
            let path = &entry.shown;
            match entry.kind {
                EntryKind::Folder if same(path, self.files.unpack_dir) => {}
                EntryKind::Folder => {
                    if let Err(error) = directory::list(path) {
                        self.found.notes.push(format!("passed over {path:?}: {}.", error.cause));
                    } else {
                        self.folder(path)?;
                    }
                }
                EntryKind::Link => passed.push((entry.name.clone(), "a symbolic link".into())),
                EntryKind::File if names::is_ours(&entry.name) => {}
                EntryKind::Other => passed.push((entry.name.clone(), "no file".into())),
                EntryKind::File => match names::role(&entry.name) {
                    Role::Prelude | Role::Metadata(_) => {}
                    role => {
                        let is_data = matches!(role, Role::Data(_));
                        match self.kind(path) {
                            Ok(Kind::Archive) => self.archive(path)?,
                            Ok(Kind::Oplog) => self.slice(path)?,
                            Ok(Kind::Empty) if is_data => self.empty(path),
                            Ok(Kind::Empty) => passed.push((entry.name.clone(), "empty".into())),
                            Ok(Kind::Other(seen)) => passed.push((entry.name.clone(), seen)),
                            // Broken, and by its name it was meant to be read.
                            Err(error) if is_data || error.class == Class::Interrupted => return Err(error),
                            Err(error) => passed.push((entry.name.clone(), error.cause.clone())),
                        }
                    }
                },
            }
        }
        if let [(name, seen), more @ ..] = passed.as_slice() {
            let others = match more.len() {
                0 => String::new(),
                n => format!(" and {n} more"),
            };
            self.found.notes.push(format!("passed over {name:?} ({seen}){others} in {folder:?}."));
        }
        Ok(())
    }

    /// Whether this has not been opened yet, under whatever name.
    fn is_new(&mut self, path: &Path) -> bool {
        self.hits += 1;
        self.seen.insert(fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf()))
    }

    fn dump(&mut self, folder: &Path) -> Result<()> {
        if !self.is_new(folder) {
            return Ok(());
        }
        let dump = directory::read(folder, self.files)?;
        self.found.snapshots.push(dump.snapshot);
        self.found.notes.extend(dump.notes);
        self.entries(folder, &dump.beside)
    }

    /// A slice of a time without writes.
    fn empty(&mut self, path: &Path) {
        if self.is_new(path) {
            self.found.notes.push(format!("{path:?} is empty: an oplog without entries."));
        }
    }

    fn slice(&mut self, path: &Path) -> Result<()> {
        if !self.is_new(path) {
            return Ok(());
        }
        let loaded = self.files.load(path)?;
        self.found.slices.extend(marks::slice(path.display().to_string(), loaded.region, &self.files)?);
        Ok(())
    }

    fn archive(&mut self, path: &Path) -> Result<()> {
        if !self.is_new(path) {
            return Ok(());
        }
        let loaded = self.files.load(path)?;
        let Archive { versions, members } = archive::read(&loaded.region, self.files.meter)?;
        let shown = path.display().to_string();
        let (mut parts, mut oplog) = (Parts::new(), None);
        // An archive of the collection `local.oplog.rs` alone is a slice.
        let only_slice = matches!(members.as_slice(), [one] if one.ns == Namespace::new("local", "oplog.rs"));
        for member in members {
            let is_own = member.ns == Namespace::new("", "oplog");
            if is_own || member.ns == Namespace::new("local", "oplog.rs") {
                let region = self.one_region(path, &loaded.region, member.data)?;
                let slice = marks::slice(shown.clone(), region, &self.files)?;
                if slice.is_none() {
                    self.found.notes.push(format!("{path:?} holds an oplog without entries."));
                }
                if is_own {
                    oplog = slice;
                } else {
                    self.found.slices.extend(slice);
                }
                continue;
            }
            let metadata = (!member.metadata.is_empty()).then(|| {
                (member.metadata.into_bytes(), format!("of {:?} in {path:?}", member.ns.to_string()))
            });
            let data = Data { regions: member.data, documents: Some(member.documents) };
            parts.insert(member.ns, Part { metadata, data: Some(data) });
        }
        if only_slice {
            return Ok(());
        }
        let sorted = snapshot::sort(&shown, parts, &versions, self.files.meter)?;
        self.found.notes.extend(sorted.notes);
        self.found.snapshots.push(Snapshot {
            id: String::new(),
            path: path.to_path_buf(),
            format: Format::Archive,
            compressed: loaded.compressed,
            server_version: versions.server,
            tool_version: versions.tool,
            base: sorted.base,
            auth: sorted.auth,
            set_aside: sorted.set_aside,
            counts: sorted.counts,
            oplog,
        });
        Ok(())
    }

    /// The blocks of an archive's oplog as one region. They are written last and in one piece,
    /// unless a tool does it differently: then they are copied.
    fn one_region(&self, path: &Path, whole: &Region, mut parts: Vec<Region>) -> Result<Region> {
        match parts.len() {
            0 => Ok(whole.slice(0..0)),
            1 => Ok(parts.swap_remove(0)),
            _ => self.files.concatenate(path, "oplog", &parts),
        }
    }

    fn kind(&self, path: &Path) -> Result<Kind> {
        let head = self.files.head(path)?;
        if head.bytes.is_empty() {
            return Ok(Kind::Empty);
        }
        if head.bytes.starts_with(&archive::MAGIC) {
            return Ok(Kind::Archive);
        }
        let looks = |doc: Doc<'_>| {
            if looks_like_entry(doc) {
                Kind::Oplog
            } else {
                Kind::Other("BSON documents that are no oplog entries".into())
            }
        };
        let cut_off = match Doc::first(&head.bytes) {
            Ok(doc) => return Ok(looks(doc)),
            Err(fault) => fault,
        };
        // Either the first document is longer than the head, or this is no BSON, or it is cut off.
        let announced = int32_at(&head.bytes, 0).and_then(|n| usize::try_from(n).ok());
        let plausible = announced.is_some_and(|n| n > head.bytes.len() && n <= MAX_BYTES)
            && head.bytes.get(4).is_some_and(|kind| (1..=0x13).contains(kind));
        if !plausible {
            return Ok(Kind::Other(describe(&head)));
        }
        let cut_off = if head.whole {
            cut_off
        } else {
            let loaded = self.files.load(path)?;
            match Doc::first(&loaded.region) {
                Ok(doc) => return Ok(looks(doc)),
                Err(fault) => fault,
            }
        };
        Error::failed("opening the source", format!("{path:?} at byte 0"), cut_off.what)
            .hint("the file is damaged or its copy was interrupted: fetch it again from where it was made.")
            .err()
    }
}

/// What a file looks like, for somebody who expected a backup.
fn describe(head: &Head) -> String {
    let bytes = &head.bytes;
    let text = std::str::from_utf8(bytes).is_ok_and(|t| !t.contains('\0'));
    let what = match bytes.as_slice() {
        [0xff, 0x06, 0x00, 0x00, ..] => "compressed with snappy or s2".to_owned(),
        [b'{', ..] if text => "JSON text".to_owned(),
        _ if text => "text".to_owned(),
        _ => {
            let first: Vec<String> = bytes.iter().take(4).map(|b| format!("{b:02x}")).collect();
            format!("unknown data that begins with {}", first.join(" "))
        }
    };
    if head.compressed { format!("compressed, with {what} in it") } else { what }
}

fn same(a: &Path, b: &Path) -> bool {
    matches!((fs::canonicalize(a), fs::canonicalize(b)), (Ok(a), Ok(b)) if a == b)
}

/// Gives every snapshot the shortest end of its path that no other one has.
fn name_snapshots(snapshots: &mut [Snapshot]) {
    let full: Vec<Vec<String>> = snapshots
        .iter()
        .map(|s| {
            let real = fs::canonicalize(&s.path).unwrap_or_else(|_| s.path.clone());
            real.iter().map(|part| part.to_string_lossy().into_owned()).collect()
        })
        .collect();
    for (index, snapshot) in snapshots.iter_mut().enumerate() {
        let own = full.get(index).map(Vec::as_slice).unwrap_or_default();
        let end = |parts: &[String], n: usize| parts[parts.len().saturating_sub(n)..].join("/");
        let length = (1..=own.len()).find(|&n| full.iter().filter(|p| end(p, n) == end(own, n)).count() == 1);
        snapshot.id = match length {
            Some(n) => end(own, n),
            // Only where names differ in what is not UTF-8.
            None => format!("{}#{index}", end(own, 1)),
        };
    }
}
