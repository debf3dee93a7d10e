//! The readers, each with the inputs it is given: real ones, damaged.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use pitstop::domain::progress::Meter;
use pitstop::domain::{Position, Result};
use pitstop::engine::bson::Doc;
use pitstop::engine::entry::Entry;
use pitstop::engine::fold::{Fold, FoldOptions};
use pitstop::engine::input::Base;
use pitstop::engine::key::DocKey;
use pitstop::engine::order::compare_values;
use pitstop::engine::output::State;
use pitstop::engine::transactions::History;
use pitstop::engine::update::{NewFieldOrder, apply, classify};
use pitstop::ops::rows::rows;
use pitstop::ops::walk::{WalkOptions, walk};
use pitstop::ops::{OpenOptions, Workspace};
use pitstop::source::{self, Oplog};

use crate::common::fixtures::fixture;
use crate::kit::{ArchiveWriter, gzip, metadata, split};
use crate::mutate;
use crate::random::Random;

/// Something that reads input from outside.
pub trait Reader {
    /// A damaged input.
    fn input(&mut self, random: &mut Random) -> Vec<u8>;
    /// Reads it; whether it was taken for good.
    fn read(&mut self, input: &[u8]) -> bool;
}

/// An entry of every kind and command, of two server versions; transactions and updates more often.
fn varied_entries() -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut slices: Vec<PathBuf> = ["0001", "0003", "0004", "0005"]
        .map(|n| fixture("v60").join(format!("oplog/{n}/local/oplog.rs.bson")))
        .into();
    slices.retain(|p| p.exists());
    assert!(!slices.is_empty());
    for entry in slices.iter().flat_map(|p| split(&fs::read(p).unwrap())) {
        let parsed: bson::Document = bson::deserialize_from_slice(&entry).unwrap();
        let o = parsed.get_document("o").unwrap();
        let kind = format!("{} {:?}", parsed.get_str("op").unwrap(), o.keys().next());
        let count = seen.entry(kind).or_default();
        *count += 1;
        if *count <= 4 && entry.len() < 20_000 {
            all.push(entry);
        }
    }
    all
}

/// A folder in memory where there is such a place: files are written thousands of times.
fn home() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory).unwrap() } else { tempfile::tempdir().unwrap() }
}

fn damaged(all: &[Vec<u8>], random: &mut Random) -> Vec<Vec<u8>> {
    let mut all = all.to_vec();
    for _ in 0..1 + random.below(3) {
        mutate::documents(&mut all, random);
    }
    all
}

/// Raw BSON: frames, elements, updates, keys, order.
pub struct Documents(Vec<Vec<u8>>);

impl Documents {
    pub fn new() -> Self {
        let mut all = varied_entries();
        for name in ["zoo", "shop"] {
            for file in fs::read_dir(fixture("v60").join("dump-dir").join(name)).unwrap() {
                let path = file.unwrap().path();
                if path.extension().is_some_and(|e| e == "bson") {
                    all.extend(
                        split(&fs::read(path).unwrap()).into_iter().filter(|d| d.len() < 5_000).take(5),
                    );
                }
            }
        }
        Documents(all)
    }
}

impl Reader for Documents {
    fn input(&mut self, random: &mut Random) -> Vec<u8> {
        let mut one = random.pick(&self.0);
        for _ in 0..1 + random.below(4) {
            mutate::document(&mut one, random);
        }
        one
    }

    fn read(&mut self, input: &[u8]) -> bool {
        let Ok(doc) = Doc::first(input) else { return false };
        let sound = doc.validate().is_ok();
        for elem in doc.iter().map_while(std::result::Result::ok) {
            let _ = (
                elem.as_i64(),
                elem.as_f64(),
                elem.as_str(),
                elem.as_uuid(),
                elem.as_date(),
                elem.as_binary(),
            );
            DocKey::of(elem);
            if sound {
                let _ = compare_values(elem, doc.first_elem().unwrap());
                let _ = pitstop::engine::extjson::hex(&elem.name_lossy());
            }
        }
        if let Ok(update) = classify(doc) {
            let _ = apply(doc, &update, NewFieldOrder::Numeric, Vec::new());
        }
        if let Ok(entry) = Entry::parse(doc) {
            if let Ok(update) = classify(entry.o) {
                let _ = apply(entry.o, &update, NewFieldOrder::AsListed, Vec::new());
            }
            for row in rows(&entry) {
                let _ = row.to_op();
            }
        }
        sound
    }
}

struct Joined<'a>(&'a Oplog);

impl<'a> History<'a> for Joined<'a> {
    fn entry(&self, pos: Position) -> Option<Entry<'a>> {
        self.0.find(pos).ok().flatten()
    }
}

/// Opens a file, joins what it holds, folds it over nothing, passing over what is refused, and
/// streams the state if there is one.
fn fold(path: &Path, unpacked: &Path) -> Result<()> {
    let opened = source::open(&[path.to_owned()], unpacked, &Meter::default())?;
    let oplog = Oplog::join(opened.slices, &[])?;
    let base = Base::default();
    let options = FoldOptions { edge: Position::MAX, with_auth: true, ..FoldOptions::default() };
    let mut fold = Fold::new(&base, &[], options);
    for entry in oplog.entries(Position::MIN, Position::MAX) {
        let entry = entry?;
        rows(&entry).iter().for_each(|row| drop(row.to_op()));
        let _ = fold.apply(&entry, &Joined(&oplog));
    }
    let _ = fold.finish().and_then(|(state, _)| stream(&state));
    Ok(())
}

fn stream(state: &dyn State) -> Result<()> {
    for at in 0..state.collections().len() {
        for chunk in 0..state.chunks(at) {
            state.emit(at, chunk, &mut |_| Ok(()))?;
        }
        state.finish(at)?;
    }
    Ok(())
}

/// Slices of the oplog, and the fold over them.
pub struct Entries {
    entries: Vec<Vec<u8>>,
    home: tempfile::TempDir,
}

impl Entries {
    pub fn new() -> Self {
        Entries { entries: varied_entries(), home: home() }
    }
}

impl Reader for Entries {
    fn input(&mut self, random: &mut Random) -> Vec<u8> {
        let mut file = damaged(&self.entries, random).concat();
        if random.one_in(8) {
            mutate::bytes(&mut file, random);
        }
        file
    }

    fn read(&mut self, input: &[u8]) -> bool {
        let path = self.home.path().join("oplog.bson");
        fs::write(&path, input).unwrap();
        fold(&path, &self.home.path().join("unpacked")).is_ok()
    }
}

/// A whole dump directory, one file of which is damaged.
pub struct Dump {
    files: Vec<(PathBuf, Vec<u8>)>,
    home: tempfile::TempDir,
    chosen: usize,
}

fn files(root: &Path, under: &Path, all: &mut Vec<(PathBuf, Vec<u8>)>) {
    let mut entries: Vec<PathBuf> = fs::read_dir(under).unwrap().map(|e| e.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            files(root, &path, all);
        } else {
            all.push((path.strip_prefix(root).unwrap().to_owned(), fs::read(&path).unwrap()));
        }
    }
}

impl Dump {
    fn of(part: &str) -> Self {
        let root = fixture("v60").join(part);
        let home = home();
        let mut all = Vec::new();
        files(&root, &root, &mut all);
        for (path, content) in &all {
            let at = home.path().join("dump").join(path);
            fs::create_dir_all(at.parent().unwrap()).unwrap();
            fs::write(at, content).unwrap();
        }
        let dump = Dump { files: all, home, chosen: 0 };
        assert!(dump.with(&dump.files[0].1), "the dump is not taken as it is");
        dump
    }

    pub fn new() -> Self {
        Self::of("dump-dir")
    }

    /// Opens and plans what is there, with one file as given.
    fn with(&self, input: &[u8]) -> bool {
        let (path, content) = &self.files[self.chosen];
        let at = self.home.path().join("dump").join(path);
        fs::write(&at, input).unwrap();
        let options = OpenOptions {
            sources: vec![self.home.path().join("dump").into()],
            case: Some(self.home.path().join("case")),
            accept_unproven: vec![],
        };
        let read = || -> Result<()> {
            let workspace = Workspace::open(&options, &Meter::default())?;
            let bound = workspace.last().next();
            for snapshot in &workspace.snapshots {
                let walk = walk(&workspace, snapshot, bound, &WalkOptions::default(), &Meter::default())?;
                stream(&walk.state)?;
            }
            Ok(())
        };
        let ok = read().is_ok();
        fs::write(&at, content).unwrap();
        ok
    }
}

impl Reader for Dump {
    fn input(&mut self, random: &mut Random) -> Vec<u8> {
        loop {
            self.chosen = random.below(self.files.len());
            let (path, content) = &self.files[self.chosen];
            if path.extension().is_some_and(|e| e == "bson") && !content.is_empty() {
                return damaged(&split(content), random).concat();
            }
        }
    }

    fn read(&mut self, input: &[u8]) -> bool {
        self.with(input)
    }
}

/// The texts of a dump: metadata and prelude.
pub struct Metadata(Dump);

impl Metadata {
    pub fn new() -> Self {
        Metadata(Dump::new())
    }
}

impl Reader for Metadata {
    fn input(&mut self, random: &mut Random) -> Vec<u8> {
        loop {
            self.0.chosen = random.below(self.0.files.len());
            let (path, content) = &self.0.files[self.0.chosen];
            if path.extension().is_none_or(|e| e != "json") {
                continue;
            }
            let mut text = content.clone();
            for _ in 0..1 + random.below(4) {
                mutate::bytes(&mut text, random);
            }
            if random.one_in(10) {
                let at = text.iter().position(|&b| b == b'{').unwrap_or(0);
                let deep = random
                    .pick(&["{\"a\":", "[", "{\"$numberInt\":"])
                    .repeat(random.pick(&[50, 130, 20_000]));
                text.splice(at..at, deep.into_bytes());
            }
            return text;
        }
    }

    fn read(&mut self, input: &[u8]) -> bool {
        self.0.with(input)
    }
}

const NAMES: [(&str, &str); 3] = [("shop", "orders"), ("zoo", "a.b c"), ("", "oplog")];

/// Archives: damaged contents with checksums that fit, and damaged archives.
pub struct Archive {
    contents: [Vec<Vec<u8>>; 3],
    home: tempfile::TempDir,
}

impl Archive {
    pub fn new() -> Self {
        let documents = Documents::new().0;
        let (a, b) = (documents[..20].to_vec(), documents[documents.len() - 20..].to_vec());
        Archive { contents: [a, b, varied_entries()], home: home() }
    }

    fn make(&self, random: &mut Random) -> Vec<u8> {
        let mut contents = self.contents.clone();
        if random.one_in(2) {
            let which = random.below(3);
            contents[which] = damaged(&contents[which], random);
        }
        let text = |(n, (db, c)): (usize, &(&'static str, &'static str))| {
            let mut text = metadata(c, n as u8).into_bytes();
            if random.one_in(9) {
                mutate::bytes(&mut text, random);
            }
            (*db, *c, if db.is_empty() { String::new() } else { String::from_utf8_lossy(&text).into_owned() })
        };
        let list: Vec<_> = NAMES.iter().enumerate().map(text).collect();
        let mut out = ArchiveWriter::new(&list);
        for ((db, coll), all) in NAMES.iter().zip(&contents) {
            let half = all.len() / 2;
            out.block(db, coll, &all[..half]);
            out.block(db, coll, &all[half..]);
            out.end(db, coll, all);
        }
        let mut bytes = out.bytes;
        for _ in 0..random.below(3) {
            mutate::bytes(&mut bytes, random);
        }
        bytes
    }
}

impl Reader for Archive {
    fn input(&mut self, random: &mut Random) -> Vec<u8> {
        self.make(random)
    }

    fn read(&mut self, input: &[u8]) -> bool {
        let path = self.home.path().join("a.archive");
        fs::write(&path, input).unwrap();
        let opened = source::open(&[path], &self.home.path().join("unpacked"), &Meter::default());
        opened.is_ok_and(|o| !o.snapshots.is_empty())
    }
}

/// The same, compressed: damage inside, damage outside, members one after the other.
pub struct Gzip {
    archive: Archive,
    entries: Vec<Vec<u8>>,
}

impl Gzip {
    pub fn new() -> Self {
        Gzip { archive: Archive::new(), entries: varied_entries() }
    }
}

impl Reader for Gzip {
    fn input(&mut self, random: &mut Random) -> Vec<u8> {
        let plain = if random.one_in(2) {
            self.archive.make(random)
        } else {
            damaged(&self.entries, random).concat()
        };
        let mut packed = gzip(&plain);
        if random.one_in(6) {
            packed.extend(gzip(&plain[..random.below(plain.len().max(1))]));
        }
        for _ in 0..random.below(3) {
            mutate::bytes(&mut packed, random);
        }
        packed
    }

    fn read(&mut self, input: &[u8]) -> bool {
        let path = self.archive.home.path().join("packed");
        fs::write(&path, input).unwrap();
        let unpacked = self.archive.home.path().join("unpacked");
        let read = fold(&path, &unpacked).is_ok();
        let _ = fs::remove_dir_all(unpacked);
        read
    }
}
