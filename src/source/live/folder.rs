//! The folder that slices of one set are secured into: ours alone while we write, recognised by
//! the set's name and id, and whole again after a writer was killed.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use super::connection::SetIdentity;
use super::follow::LABEL;
use super::recorder::{Closed, Codec, PART, into_place};
use super::run::Known;
use crate::domain::progress::Meter;
use crate::domain::uri::encoded;
use crate::domain::{Class, Error, OpTime, Position, Result};
use crate::engine::input::Region;
use crate::source::frames::Frames;
use crate::source::mapped;
use crate::source::slice::{Slice, optime};
use crate::source::unpack::Inflate;

/// Whose slices they are.
const IDENTITY: &str = ".pitstop-set.json";
/// Held while somebody writes.
const LOCK: &str = ".pitstop-lock";
/// Copies on their way to their names; one that was left by a killed process is no slice.
const COPY: &str = ".pitstop-copy-";
const OPENING: &str = "opening the folder of secured oplog";

/// A folder of slices that is locked while this lives.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    _lock: File,
}

/// Whose slices a folder holds.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Owner {
    /// The address they came from, without secrets.
    pub address: String,
    /// The set's name.
    pub name: String,
    /// The set's id, where it is known.
    pub id: Option<String>,
}

/// The name of a set's folder.
pub fn name_for(set: &str) -> String {
    let name = encoded(set);
    // A name of dots alone would lead out of the folder.
    if name.starts_with('.') { format!("_{name}") } else { name }
}

/// Who owns this folder; `None` when nobody does yet.
pub fn owner(path: &Path) -> Option<Owner> {
    serde_json::from_slice(&fs::read(path.join(IDENTITY)).ok()?).ok()
}

/// The last entry of a slice.
pub fn last_entry(file: &Path) -> Result<Known> {
    let mut last = Vec::new();
    each_entry(file, |_, bytes| {
        last.clear();
        last.extend_from_slice(bytes);
    })?;
    Known::new(last)
}

/// What a finished slice holds.
pub fn survey(file: &Path) -> Result<Closed> {
    let (mut ends, mut entries, mut bytes) = (None, 0, 0);
    each_entry(file, |at, raw| {
        ends = Some((ends.map_or(at, |(first, _)| first), at));
        entries += 1;
        bytes += raw.len() as u64;
    })?;
    match ends {
        Some((first, last)) => Ok(Closed { path: file.to_owned(), first, last, entries, bytes }),
        None => Error::failed("reading the slice", format!("{file:?}"), "it holds no entry")
            .hint("move it away; it is no slice.")
            .err(),
    }
}

/// Walks a compressed slice. Its size is bounded by what the archiver was told, so that it fits
/// into memory.
fn each_entry(file: &Path, mut each: impl FnMut(OpTime, &[u8])) -> Result<()> {
    let packed = mapped::map(file, file)?;
    let plain = Inflate::new(file, &packed)?.take(usize::MAX)?;
    let place = |at: usize| format!("{file:?} at unpacked byte {at}");
    for frame in Frames::from(&plain, 0) {
        let (at, doc) =
            frame.map_err(|(at, fault)| Error::failed("reading the slice", place(at), fault.what))?;
        match optime(doc) {
            Some(optime) => each(optime, doc.bytes()),
            None => return Error::failed("reading the slice", place(at), "this is no oplog entry").err(),
        }
    }
    Ok(())
}

/// The finished slices in a folder, in the order of their names.
pub fn files(path: &Path) -> Result<Vec<PathBuf>> {
    let failed = |e: io::Error| Error::failed(OPENING, format!("{path:?}"), e);
    let mut found = Vec::new();
    for entry in fs::read_dir(path).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') && name.ends_with(".bson") {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

/// The slice that somebody is writing who follows the set: what of it can be read by now.
pub fn growing(path: &Path, meter: &Meter) -> Result<Option<Slice>> {
    let part = path.join(format!("{PART}{LABEL}"));
    let region = match mapped::map(&part, &part) {
        Ok(region) => region,
        // Nothing new, or it has just been closed and has its name.
        Err(_) if !part.exists() => return Ok(None),
        Err(error) => return Err(error),
    };
    let (length, _) = whole(&region);
    Slice::read(part.display().to_string(), region.slice(0..length), meter)
}

/// The last entry that somebody has who follows the set.
pub fn followed(path: &Path) -> Result<Option<Known>> {
    let Some(slice) = growing(path, &Meter::default())? else { return newest_of(path) };
    let mut last = None;
    for (_, doc) in Frames::from(slice.region.bytes(), 0).map_while(std::result::Result::ok) {
        last = Some(doc);
    }
    last.map(|doc| Known::new(doc.bytes().to_vec())).transpose()
}

/// Gives what is being written by one who follows the set the name of a slice, as a copy, so that
/// everybody finds it; tells its last position, or that of the newest slice.
pub fn seal(path: &Path) -> Result<Option<Position>> {
    let Some(slice) = growing(path, &Meter::default())? else {
        return Ok(newest_of(path)?.map(|known| known.at.pos));
    };
    let known = files(path)?.iter().any(|file| named(file) == Some((slice.first.pos, slice.last.pos)));
    if !known {
        let failed = |e: io::Error| Error::failed(OPENING, format!("{path:?}"), e);
        let mut copy = tempfile::Builder::new().prefix(COPY).tempfile_in(path).map_err(failed)?;
        copy.write_all(slice.region.bytes()).and_then(|()| copy.as_file().sync_all()).map_err(failed)?;
        let (_, copy) = copy.keep().map_err(|e| failed(e.error))?;
        into_place(&copy, path, slice.first.pos, slice.last.pos, Codec::Raw).map_err(failed)?;
    }
    Ok(Some(slice.last.pos))
}

/// First and last position by the name of a slice.
fn named(file: &Path) -> Option<(Position, Position)> {
    let (first, rest) = file.file_name()?.to_str()?.split_once('_')?;
    let (last, _) = rest.split_once('.')?;
    let position = |text: &str| {
        let (secs, inc) = text.split_once('-')?;
        Some(Position::new(secs.parse().ok()?, inc.parse().ok()?))
    };
    Some((position(first)?, position(last)?))
}

/// The last entry of the newest slice.
fn newest_of(path: &Path) -> Result<Option<Known>> {
    let files = files(path)?;
    let Some(newest) = files.iter().max_by_key(|file| named(file).map(|(_, last)| last)) else {
        return Ok(None);
    };
    let region = mapped::map(newest, newest)?;
    let frames = Frames::from(region.bytes(), 0).map_while(std::result::Result::ok);
    frames.last().map(|(_, doc)| Known::new(doc.bytes().to_vec())).transpose()
}

/// How many bytes of a slice are whole entries, and the first and last of these.
fn whole(region: &Region) -> (usize, Option<(Position, Position)>) {
    let (mut ends, mut length) = (None, 0);
    for (at, doc) in Frames::from(region.bytes(), 0).map_while(std::result::Result::ok) {
        let Some(optime) = optime(doc) else { break };
        ends = Some((ends.map_or(optime.pos, |(first, _)| first), optime.pos));
        length = at + doc.bytes().len();
    }
    (length, ends)
}

impl Folder {
    /// Opens or makes the folder if nobody else has it.
    pub fn try_open(path: &Path) -> Result<Option<Folder>> {
        match Folder::open(path) {
            Err(error) if error.class == Class::Refused => Ok(None),
            other => other.map(Some),
        }
    }

    /// The last entry in it.
    pub fn newest(&self) -> Result<Option<Known>> {
        newest_of(&self.path)
    }

    /// Opens or makes the folder, for us alone, and makes it whole. Refused where somebody else
    /// has it.
    pub fn open(path: &Path) -> Result<Folder> {
        let failed = |e: io::Error| Error::failed(OPENING, format!("{path:?}"), e);
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed)?;
        let file = path.join(LOCK);
        let lock = OpenOptions::new().create(true).append(true).mode(0o600).open(&file).map_err(failed)?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                return Error::refused(OPENING, format!("{path:?}"), "somebody else writes into it")
                    .hint("one writer for a folder: stop the other one, or name another folder.")
                    .err();
            }
            Err(e) => return Err(Box::new(failed(e.into()))),
        }
        let folder = Folder { path: path.to_owned(), _lock: lock };
        folder.make_whole()?;
        Ok(folder)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes sure that the slices in it are this set's.
    pub fn claim(&self, address: &str, set: &SetIdentity) -> Result<()> {
        let mine = Owner { address: address.into(), name: set.name.clone(), id: set.id.clone() };
        if let Some(there) = owner(&self.path) {
            let other_id = matches!((&there.id, &mine.id), (Some(a), Some(b)) if a != b);
            if there.name != mine.name || other_id {
                let id = |id: &Option<String>| id.clone().unwrap_or_else(|| "unknown".into());
                let cause = format!(
                    "{address} leads to the set {:?} (id {}) now; what is here came from the set {:?} (id {})",
                    mine.name,
                    id(&mine.id),
                    there.name,
                    id(&there.id)
                );
                return Error::inexact(OPENING, format!("{:?}", self.path), cause)
                    .hint("use another case with --case for the other set.")
                    .err();
            }
            if there.id.is_some() || mine.id.is_none() {
                return Ok(());
            }
        }
        let failed = |e: io::Error| Error::failed(OPENING, format!("{:?}", self.path), e);
        let text = serde_json::to_vec(&mine).map_err(|e| failed(e.into()))?;
        let beside = self.path.join(format!("{IDENTITY}.new"));
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&beside)
            .map_err(failed)?;
        file.write_all(&text).and_then(|()| file.sync_all()).map_err(failed)?;
        fs::rename(&beside, self.path.join(IDENTITY)).map_err(|e| Box::new(failed(e)))
    }

    /// The slices in it, in the order of their names.
    pub fn files(&self) -> Result<Vec<PathBuf>> {
        files(&self.path)
    }

    /// Reads slices, checked from end to end.
    pub fn read(files: &[PathBuf], meter: &Meter) -> Result<Vec<Slice>> {
        let mut slices = Vec::new();
        for file in files {
            let region = mapped::map(file, file)?;
            slices.extend(Slice::read(file.display().to_string(), region, meter)?);
        }
        Ok(slices)
    }

    /// Turns what a killed writer left into a slice: its entries up to the last whole one.
    fn make_whole(&self) -> Result<()> {
        let failed = |e: io::Error| Error::failed(OPENING, format!("{:?}", self.path), e);
        for entry in fs::read_dir(&self.path).map_err(failed)? {
            let part = entry.map_err(failed)?.path();
            let is_part = part.file_name().is_some_and(|n| n.to_string_lossy().starts_with(PART));
            if !is_part {
                continue;
            }
            let region = mapped::map(&part, &part)?;
            let (length, ends) = whole(&region);
            // Nothing may be mapped behind the new end of the file.
            drop(region);
            match ends {
                None => fs::remove_file(&part).map_err(failed)?,
                Some((first, last)) => {
                    let file = OpenOptions::new().write(true).open(&part).map_err(failed)?;
                    file.set_len(length as u64).and_then(|()| file.sync_all()).map_err(failed)?;
                    into_place(&part, &self.path, first, last, Codec::Raw).map_err(failed)?;
                }
            }
        }
        Ok(())
    }
}
