//! Transactions in the oplog: parts are buffered by session and number until the entry that
//! decides them. Reference 1.6.
//!
//! Every multi-entry chain is checked by `prevOpTime` and `count`. A chain whose head lies before
//! the first entry fed is completed by looking the head up in the older oplog; where that cannot
//! be done, the commit is refused, never applied in half.

use std::collections::HashMap;

use super::bson::Doc;
use super::entry::Entry;
use crate::domain::{OpTime, Position};

/// Finds one entry of the oplog by its position, however old.
pub trait History<'a> {
    /// The entry at exactly this position.
    fn entry(&self, pos: Position) -> Option<Entry<'a>>;
}

/// What an entry means for its transaction.
#[derive(Debug, PartialEq)]
pub enum Step<'a> {
    /// Not part of a transaction.
    Plain,
    /// Buffered, decided later; or a transaction that was aborted.
    Nothing,
    /// The transaction counts from here: its operations, in order.
    Commit(Vec<Doc<'a>>),
}

/// Why a transaction cannot be applied exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// Its head is at this position, which no source has.
    HeadMissing(Position),
    /// Its parts hold another number of operations than the commit says.
    Count {
        /// What the final entry says.
        said: i64,
        /// What the parts hold.
        found: u64,
    },
    /// An entry whose operations cannot be read.
    Malformed,
}

/// A transaction that is neither committed nor aborted where the walk ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Unfinished {
    /// Its newest part.
    pub last: Position,
    /// Its operations so far.
    pub operations: u64,
    /// Whether it was prepared (part of a cross-shard commit).
    pub prepared: bool,
}

#[derive(Debug)]
struct Pending<'a> {
    ops: Vec<Doc<'a>>,
    last: OpTime,
    prepared: bool,
    missing: Option<Position>,
}

/// All transactions that are open at one point of the oplog.
#[derive(Debug, Default)]
pub struct Transactions<'a>(HashMap<(&'a [u8], i64), Pending<'a>>);

impl<'a> Transactions<'a> {
    /// Takes one command entry.
    pub fn step(&mut self, entry: &Entry<'a>, history: &dyn History<'a>) -> Result<Step<'a>, Broken> {
        let (Some(lsid), Some(number)) = (entry.lsid, entry.txn_number) else { return Ok(Step::Plain) };
        if entry.grouped {
            return Ok(Step::Plain);
        }
        let key = (lsid, number);
        if let Some(apply_ops) = entry.o.get("applyOps") {
            let list = apply_ops.as_doc().ok_or(Broken::Malformed)?;
            let mut pending = self.resume(key, entry, history)?;
            push_ops(&mut pending.ops, list)?;
            pending.last = entry.at;
            let partial = entry.o.get("partialTxn").is_some_and(|e| e.is_truthy());
            pending.prepared = entry.o.get("prepare").is_some_and(|e| e.is_truthy());
            if partial || pending.prepared {
                check_count(entry, &pending)?;
                self.0.insert(key, pending);
                return Ok(Step::Nothing);
            }
            return finish(entry, pending);
        }
        if entry.o.get("commitTransaction").is_some() {
            let pending = self.resume(key, entry, history)?;
            return finish(entry, pending);
        }
        if entry.o.get("abortTransaction").is_some() {
            self.0.remove(&key);
            return Ok(Step::Nothing);
        }
        Ok(Step::Plain)
    }

    /// What is still open, oldest first.
    pub fn unfinished(&self) -> Vec<Unfinished> {
        let mut open: Vec<_> = self
            .0
            .values()
            .map(|p| Unfinished { last: p.last.pos, operations: p.ops.len() as u64, prepared: p.prepared })
            .collect();
        open.sort_by_key(|u| u.last);
        open
    }

    /// The parts before this entry: buffered, none, or looked up in the older oplog.
    fn resume(
        &mut self,
        key: (&'a [u8], i64),
        entry: &Entry<'a>,
        history: &dyn History<'a>,
    ) -> Result<Pending<'a>, Broken> {
        let prev = entry.prev.filter(|p| p.pos != Position::MIN);
        if let Some(pending) = self.0.remove(&key)
            && prev.is_some_and(|p| p.pos == pending.last.pos)
        {
            return Ok(pending);
        }
        let mut pending = Pending { ops: Vec::new(), last: entry.at, prepared: false, missing: None };
        let mut chain = Vec::new();
        let mut next = prev;
        while let Some(at) = next {
            let Some(part) = history.entry(at.pos).filter(|e| e.lsid == entry.lsid) else {
                pending.missing = Some(at.pos);
                break;
            };
            next = part.prev.filter(|p| p.pos != Position::MIN && p.pos < at.pos);
            chain.push(part);
        }
        for part in chain.iter().rev() {
            let list = part.o.get("applyOps").and_then(|e| e.as_doc()).ok_or(Broken::Malformed)?;
            push_ops(&mut pending.ops, list)?;
        }
        Ok(pending)
    }
}

fn push_ops<'a>(ops: &mut Vec<Doc<'a>>, list: Doc<'a>) -> Result<(), Broken> {
    for elem in list.iter() {
        let op = elem.map_err(|_| Broken::Malformed)?.as_doc().ok_or(Broken::Malformed)?;
        ops.push(op);
    }
    Ok(())
}

fn check_count(entry: &Entry<'_>, pending: &Pending<'_>) -> Result<(), Broken> {
    match entry.o.get("count").and_then(|e| e.as_i64()) {
        Some(said) if pending.missing.is_none() && said != pending.ops.len() as i64 => {
            Err(Broken::Count { said, found: pending.ops.len() as u64 })
        }
        _ => Ok(()),
    }
}

fn finish<'a>(entry: &Entry<'a>, pending: Pending<'a>) -> Result<Step<'a>, Broken> {
    if let Some(head) = pending.missing {
        return Err(Broken::HeadMissing(head));
    }
    check_count(entry, &pending)?;
    Ok(Step::Commit(pending.ops))
}
