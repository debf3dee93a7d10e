//! What the walk over a slice came to, kept in the private folder: a large slice that is proven
//! to be the same is not walked a second time.

use std::fs;
use std::os::unix::ffi::OsStrExt;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::identity::Identity;
use super::slice::{Mark, Slice};
use super::unpack::Files;
use crate::domain::{OpTime, Position, Result};
use crate::engine::input::Region;

/// Changes with the meaning of anything in the file, and with how far apart marks are.
const VERSION: u32 = 1;
/// Slices smaller than this are walked faster than the file is found.
const SMALL: usize = 8 << 20;

#[derive(Debug, Serialize, Deserialize)]
struct Head {
    version: u32,
    identity: Identity,
    first: (u64, i64),
    last: (u64, i64),
    entries: u64,
}

/// [`Slice::read`], or what is known of it.
pub(super) fn slice(name: String, region: Region, files: &Files<'_>) -> Result<Option<Slice>> {
    if region.len() < SMALL {
        return Slice::read(name, region, files.meter);
    }
    let now = Identity::of(&region);
    let file = file_name(&region);
    if let Some((head, marks)) = fs::read(files.unpack_dir.join(&file)).ok().as_deref().and_then(parse)
        && head.identity.is_proven(&now)
    {
        files.meter.add(head.entries, region.len() as u64);
        let optime = |(pos, term)| OpTime { pos: Position::from_u64(pos), term };
        let (first, last) = (optime(head.first), optime(head.last));
        return Ok(Some(Slice { name, region, first, last, entries: head.entries, marks: marks.into() }));
    }
    let slice = Slice::read(name, region, files.meter)?;
    if let Some(slice) = &slice
        && now.is_proven(&now)
    {
        let bytes = print(slice, now)?;
        files.save(&file, slice.region.origin(), bytes.len() as u64, |out| out(&bytes))?;
    }
    Ok(slice)
}

/// One for each place that slices come from: a newer slice takes the place of the older.
fn file_name(region: &Region) -> String {
    let mut hash = Xxh3::new();
    hash.update(region.origin().as_os_str().as_bytes());
    hash.update(&region.offset().to_le_bytes());
    format!("{:032x}.marks", hash.digest128())
}

/// A checksum of the rest, a line of JSON, and the marks.
fn print(slice: &Slice, identity: Identity) -> Result<Vec<u8>> {
    let pair = |at: OpTime| (at.pos.to_u64(), at.term);
    let (first, last) = (pair(slice.first), pair(slice.last));
    let head = Head { version: VERSION, identity, first, last, entries: slice.entries };
    let mut rest = serde_json::to_vec(&head)
        .map_err(|e| crate::domain::Error::failed("keeping what was read of", &slice.name, e))?;
    rest.push(b'\n');
    for mark in slice.marks.iter() {
        rest.extend_from_slice(&mark.pos.to_u64().to_le_bytes());
        rest.extend_from_slice(&(mark.offset as u64).to_le_bytes());
    }
    Ok([&xxh3_64(&rest).to_le_bytes(), rest.as_slice()].concat())
}

/// `None` for anything that was not written so.
fn parse(bytes: &[u8]) -> Option<(Head, Vec<Mark>)> {
    let (checksum, rest) = bytes.split_first_chunk()?;
    if u64::from_le_bytes(*checksum) != xxh3_64(rest) {
        return None;
    }
    let line = rest.iter().position(|&c| c == b'\n')?;
    let head: Head = serde_json::from_slice(rest.get(..line)?).ok()?;
    let (numbers, _) = rest.get(line + 1..)?.as_chunks::<8>();
    let (pairs, _) = numbers.as_chunks::<2>();
    let mark = |[pos, offset]: &[[u8; 8]; 2]| {
        let offset = usize::try_from(u64::from_le_bytes(*offset)).ok()?;
        Some(Mark { pos: Position::from_u64(u64::from_le_bytes(*pos)), offset })
    };
    let marks = pairs.iter().map(mark).collect::<Option<_>>()?;
    (head.version == VERSION).then_some((head, marks))
}
