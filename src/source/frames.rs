//! BSON documents back to back: the walk from frame to frame, and where exactly it breaks.

use crate::domain::progress::Meter;
use crate::domain::{Error, Result};
use crate::engine::bson::{Doc, Fault};
use crate::engine::input::Region;

/// How many bytes are walked between two looks at the meter.
const STEP: usize = 4 << 20;

/// The frames of a region with their offsets in it. After a fault the iteration ends.
pub struct Frames<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Frames<'a> {
    /// From the byte `at` on.
    pub fn from(bytes: &'a [u8], at: usize) -> Self {
        Frames { bytes, at: at.min(bytes.len()) }
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = Result<(usize, Doc<'a>), (usize, Fault)>;

    fn next(&mut self) -> Option<Self::Item> {
        let at = self.at;
        let rest = self.bytes.get(at..).filter(|rest| !rest.is_empty())?;
        match Doc::first(rest) {
            Ok(doc) => {
                self.at = at + doc.bytes().len();
                Some(Ok((at, doc)))
            }
            Err(fault) => {
                self.at = self.bytes.len();
                Some(Err((at, fault)))
            }
        }
    }
}

/// "file" at byte n, for errors: `at` counts from the start of the region.
pub fn place(region: &Region, at: usize) -> String {
    format!("{:?} at byte {}", region.origin(), region.offset() + at)
}

/// The error for a frame that cannot be read.
pub fn broken(doing: &str, region: &Region, at: usize, fault: &Fault) -> Box<Error> {
    Box::new(
        Error::failed(doing, place(region, at), &fault.what)
            .hint("the file is damaged or its copy was interrupted: fetch it again from where it was made."),
    )
}

/// Walks all frames, tells `each`, and keeps the meter.
pub fn walk<'a>(
    doing: &str,
    region: &'a Region,
    meter: &Meter,
    mut each: impl FnMut(usize, Doc<'a>) -> Result<()>,
) -> Result<u64> {
    let (mut count, mut seen, mut told) = (0u64, 0usize, 0u64);
    let bytes: &'a [u8] = region.bytes();
    for frame in Frames::from(bytes, 0) {
        let (at, doc) = frame.map_err(|(at, fault)| broken(doing, region, at, &fault))?;
        each(at, doc)?;
        count += 1;
        seen += doc.bytes().len();
        if seen >= STEP {
            meter.check(doing)?;
            meter.add(count - told, seen as u64);
            (seen, told) = (0, count);
        }
    }
    meter.add(count - told, seen as u64);
    Ok(count)
}
