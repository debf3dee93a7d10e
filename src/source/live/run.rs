//! One run over the source's oplog: everything behind the last entry that is known. A run begins
//! with that entry itself, so each proves that nothing is missing between it and the one before:
//! what was overwritten in between is a gap, what is not there any more was rolled back.

use super::connection::{Concern, Connection, End, Trouble};
use super::recorder::Recorder;
use crate::domain::coverage::Gap;
use crate::domain::progress::Meter;
use crate::domain::{Error, OpTime, Position, Result};
use crate::engine::bson::Doc;
use crate::source::slice::optime;

/// Entries between two looks at cancellation.
const STEP: u64 = 1024;

/// An entry that is on disk, or will be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Where it stands.
    pub at: OpTime,
    /// All of it.
    pub bytes: Vec<u8>,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// There is nothing more at the moment.
    CaughtUp,
    /// The member has nothing as new as what is known: it lags, or an election took it back.
    Behind,
}

impl Known {
    /// Reads position and term off an entry's bytes.
    pub fn new(bytes: Vec<u8>) -> Result<Known> {
        let at = Doc::new(&bytes).ok().and_then(optime).filter(|at| at.pos != Position::MIN);
        match at {
            Some(at) => Ok(Known { at, bytes }),
            None => Error::failed("reading the oplog", "of the source", "this is no oplog entry").err(),
        }
    }
}

/// Takes everything behind the recorder's last entry, up to and with `through`.
pub async fn run(
    connection: &Connection,
    recorder: &mut Recorder,
    through: Option<Position>,
    concern: Concern,
    meter: &Meter,
) -> Result<Ended, Trouble> {
    let known = recorder.last().cloned();
    let from = known.as_ref().map_or(Position::MIN, |k| k.at.pos);
    let mut entries = connection.entries(from, through, concern).await?;
    if let Some(known) = &known {
        let first = match entries.next().await? {
            Some(doc) => Some(Known::new(doc.bytes().to_vec())?),
            None => None,
        };
        if first.as_ref() != Some(known) {
            let oldest = oldest(connection).await?;
            let overwritten = oldest.is_some_and(|oldest| oldest > known.at.pos);
            match first {
                Some(first) if first.at.pos > known.at.pos && overwritten => {
                    recorder.gap(Gap { after: known.at.pos, before: first.at.pos })?;
                    recorder.push(first.at, &first.bytes)?;
                }
                None if overwritten => {
                    let before = through.or(oldest).unwrap_or(Position::MAX);
                    recorder.gap(Gap { after: known.at.pos, before })?;
                    return Ok(Ended::CaughtUp);
                }
                None => return Ok(Ended::Behind),
                Some(first) => return Err(rolled_back(connection, known, &first).into()),
            }
        }
    }
    let mut count = 0u64;
    while let Some(doc) = entries.next().await? {
        let at = optime(doc).ok_or_else(|| Trouble::Lost("an entry without a position".into()))?;
        recorder.push(at, doc.bytes())?;
        meter.add(1, doc.bytes().len() as u64);
        count += 1;
        if count.is_multiple_of(STEP) {
            meter.check("securing the oplog")?;
        }
    }
    Ok(Ended::CaughtUp)
}

/// The position of the source's oldest entry.
pub async fn oldest(connection: &Connection) -> Result<Option<Position>, Trouble> {
    let bytes = connection.end(End::Oldest, Concern::Local).await?;
    Ok(bytes.map(Known::new).transpose()?.map(|known| known.at.pos))
}

fn rolled_back(connection: &Connection, known: &Known, first: &Known) -> Box<Error> {
    let cause = if first.at.pos == known.at.pos {
        format!(
            "at {} it has another entry than the one on disk (terms {} and {})",
            known.at.pos, first.at.term, known.at.term
        )
    } else {
        format!(
            "the entry {} on disk is not in it, although it reaches back that far; the next is {}",
            known.at.pos, first.at.pos
        )
    };
    Box::new(Error::inexact("following the oplog of", connection.shown(), cause).hint(
        "an election took back what is on disk (a rollback), or this is another set. Keep the slices \
         for what was lost, and begin again in another folder.",
    ))
}
