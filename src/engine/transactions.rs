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
    /// The transaction counts from here.
    Commit(Operations<'a>),
}

/// The operations of a transaction, in order: the lists of its parts where they lie in the oplog,
/// so that it takes no memory for each of its operations, however long it stays open.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Operations<'a> {
    parts: Vec<Doc<'a>>,
    count: u64,
}

impl<'a> Operations<'a> {
    /// Takes the list of one part, all of which must be documents.
    fn push(&mut self, list: Doc<'a>) -> Result<(), Broken> {
        for elem in list.iter() {
            elem.ok().and_then(|op| op.as_doc()).ok_or(Broken::Malformed)?;
            self.count += 1;
        }
        self.parts.push(list);
        Ok(())
    }

    /// One after the other.
    pub fn iter(&self) -> impl Iterator<Item = Doc<'a>> {
        // That each can be read was seen when its part was taken.
        self.parts.iter().flat_map(|list| list.iter().map_while(Result::ok)).filter_map(|op| op.as_doc())
    }
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
    ops: Operations<'a>,
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
            pending.ops.push(list)?;
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
            .map(|p| Unfinished { last: p.last.pos, operations: p.ops.count, prepared: p.prepared })
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
        let mut pending =
            Pending { ops: Operations::default(), last: entry.at, prepared: false, missing: None };
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
            pending.ops.push(list)?;
        }
        Ok(pending)
    }
}

fn check_count(entry: &Entry<'_>, pending: &Pending<'_>) -> Result<(), Broken> {
    match entry.o.get("count").and_then(|e| e.as_i64()) {
        Some(said) if pending.missing.is_none() && u64::try_from(said) != Ok(pending.ops.count) => {
            Err(Broken::Count { said, found: pending.ops.count })
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use bson::{Bson, Document, doc};

    use super::*;

    /// No older oplog.
    struct Nothing;

    impl<'a> History<'a> for Nothing {
        fn entry(&self, _: Position) -> Option<Entry<'a>> {
            None
        }
    }

    /// An entry of a transaction at second 1; `prev` 0 = it is the first.
    fn entry(inc: u32, prev: u32, o: Document) -> Vec<u8> {
        let ts = |increment: u32| bson::Timestamp { time: u32::from(increment > 0), increment };
        let at = doc! { "ts": ts(prev), "t": if prev == 0 { -1i64 } else { 1 } };
        let entry = doc! {
            "lsid": { "id": 1 }, "txnNumber": 1i64, "op": "c", "ns": "admin.$cmd", "o": o,
            "ts": ts(inc), "t": 1i64, "v": 2i64, "prevOpTime": at,
        };
        bson::serialize_to_vec(&entry).unwrap()
    }

    fn ops(numbers: std::ops::Range<i32>) -> Bson {
        Bson::Array(numbers.map(|n| Bson::Document(doc! { "op": "n", "o": { "n": n } })).collect())
    }

    fn parse(bytes: &[u8]) -> Entry<'_> {
        Entry::parse(Doc::new(bytes).unwrap()).unwrap()
    }

    fn parts() -> [Vec<u8>; 2] {
        [
            entry(1, 0, doc! { "applyOps": ops(0..300), "partialTxn": true }),
            entry(2, 1, doc! { "applyOps": ops(300..1000), "partialTxn": true }),
        ]
    }

    #[test]
    fn an_open_transaction_holds_its_parts_and_gives_its_operations_in_order() {
        let (parts, last) = (parts(), entry(3, 2, doc! { "applyOps": ops(1000..1001), "count": 1001i64 }));
        let mut open = Transactions::default();
        for (part, so_far) in parts.iter().zip([300, 1000]) {
            assert_eq!(open.step(&parse(part), &Nothing), Ok(Step::Nothing));
            assert_eq!(open.unfinished()[0].operations, so_far);
        }
        assert_eq!(open.0.values().map(|pending| pending.ops.parts.len()).collect::<Vec<_>>(), [2]);
        let Ok(Step::Commit(operations)) = open.step(&parse(&last), &Nothing) else { panic!() };
        let number = |op: Doc<'_>| op.get("o")?.as_doc()?.get("n")?.as_i64();
        assert_eq!(operations.iter().filter_map(number).collect::<Vec<_>>(), (0..1001).collect::<Vec<_>>());
        assert!(open.unfinished().is_empty());
    }

    #[test]
    fn a_wrong_count_and_a_part_that_cannot_be_read_are_found() {
        for (said, found) in [(1002i64, 1001), (1000, 1001), (-1, 1001)] {
            let (parts, last) = (parts(), entry(3, 2, doc! { "applyOps": ops(1000..1001), "count": said }));
            let mut open = Transactions::default();
            parts.iter().for_each(|part| assert!(open.step(&parse(part), &Nothing).is_ok()));
            assert_eq!(open.step(&parse(&last), &Nothing), Err(Broken::Count { said, found }));
        }
        let broken = entry(1, 0, doc! { "applyOps": [{ "op": "n", "o": {} }, 7], "partialTxn": true });
        assert_eq!(Transactions::default().step(&parse(&broken), &Nothing), Err(Broken::Malformed));
    }
}
