//! What operations between two stops may have changed, out of the op index: two states of the same
//! snapshot differ in nothing else, so nothing else has to be folded to compare them.

use std::collections::HashSet;
use std::ops::Range;

use super::super::Workspace;
use super::super::memory::Memory;
use crate::domain::op::OpKind;
use crate::domain::{Namespace, Position, Result, progress::Meter};
use crate::engine::key::DocKey;
use crate::index::{About, OpIndex, RowRef};

/// About the most memory that one document takes in a set of keys and in the sieve made of it.
const KEY_COST: usize = 64;

/// Where more than one operation in so many is about what changed, reading them all is as fast.
const SHARE: u64 = 4;

const DOING: &str = "looking for what changed";

/// What operations in `range` may have changed, over a snapshot whose own oplog begins at `from`.
/// `None` where that cannot be told in the terms of documents and namespaces, or is not worth it.
pub fn between(
    workspace: &Workspace,
    from: Position,
    range: Range<Position>,
    memory: Memory,
    meter: &Meter,
) -> Result<Option<About>> {
    let index = workspace.index(meter)?;
    let rows = index.lower_bound(range.start)..index.lower_bound(range.end);
    let most = (memory.for_documents() / KEY_COST) as u64;
    if rows.end - rows.start > (index.len() / SHARE).min(most) {
        return Ok(None);
    }
    let mut about = About::default();
    let mut transactions: HashSet<u32> = HashSet::new();
    for row in rows.clone() {
        meter.check(DOING)?;
        let Some(columns) = index.row(row) else { break };
        transactions.extend(columns.group);
        if !take(&index, row, &columns, &mut about)? {
            return Ok(None);
        }
    }
    // Operations of a transaction count where it commits; its other parts may lie before.
    if !transactions.is_empty() {
        for row in index.rows_of(&transactions, 0..rows.start) {
            meter.check(DOING)?;
            let Some(columns) = index.row(row) else { break };
            if !take(&index, row, &columns, &mut about)? || about.keys.len() as u64 > most {
                return Ok(None);
            }
        }
    }
    let moved = !about.namespaces.is_empty() && any_rename(&index, from..range.end, meter)?;
    Ok((!moved).then_some(about))
}

/// Takes in what an operation may change. False when that is more than can be said here.
fn take(index: &OpIndex, row: u64, columns: &RowRef, about: &mut About) -> Result<bool> {
    if columns.kind == OpKind::Noop && !columns.broken {
        return Ok(true);
    }
    let op = index.op(row)?;
    if columns.kind != OpKind::Command {
        // One that names no document is refused where everything is folded.
        let key = op.entry.id().map(DocKey::of);
        about.keys.extend(key);
        return Ok(key.is_some());
    }
    let Some(command) = op.entry.command() else { return Ok(false) };
    match command.name {
        // They change no documents; definitions and indexes are in both states.
        b"create" | b"createIndexes" | b"startIndexBuild" | b"commitIndexBuild" | b"abortIndexBuild"
        | b"dropIndexes" | b"deleteIndexes" | b"deleteIndex" | b"dropIndex" | b"collMod" => Ok(true),
        b"commitTransaction" | b"abortTransaction" => Ok(true),
        b"drop" | b"emptycapped" => {
            about.namespaces.insert(columns.ns.to_string());
            Ok(true)
        }
        b"dropDatabase" => {
            let db = Namespace::parse(&columns.ns).db;
            let of_it = |ns: &&str| Namespace::parse(ns).db == db;
            let all = index.namespaces();
            about.namespaces.extend(all.iter().map(AsRef::as_ref).filter(of_it).map(str::to_owned));
            Ok(true)
        }
        // Renames, conversions, and what is not known.
        _ => Ok(false),
    }
}

/// Whether a collection was given another name: what was written under the old one is then not
/// found under the new.
fn any_rename(index: &OpIndex, range: Range<Position>, meter: &Meter) -> Result<bool> {
    for row in index.commands(index.lower_bound(range.start)..index.lower_bound(range.end)) {
        meter.check(DOING)?;
        let op = index.op(row)?;
        let known = op.entry.command().map(|command| command.name);
        if matches!(
            known,
            None | Some(b"renameCollection" | b"convertToCapped" | b"applyOps" | b"importCollection")
        ) {
            return Ok(true);
        }
    }
    Ok(false)
}
