//! Suspects: one walk over the oplog, grouped into acts and ranked by damage.

use std::collections::HashMap;

use xxhash_rust::xxh3::xxh3_64;

use super::Workspace;
use super::rows::Row;
use crate::domain::burst::{Act, Burst, Grouper, Shape};
use crate::domain::namespace::Treatment;
use crate::domain::op::OpKind;
use crate::domain::{Namespace, Result, progress::Meter, progress::Phase};
use crate::engine::bson::Doc;

/// The bursts that look like damage, the worst first.
pub fn suspects(workspace: &Workspace, meter: &Meter) -> Result<Vec<Burst>> {
    let index = workspace.index(meter)?;
    meter.enter(Phase::Fold, index.len());
    let mut grouper = Grouper::default();
    let mut sizes = Sizes::default();
    let mut bases = workspace.snapshots.iter().filter(|s| s.edge().is_some()).peekable();
    // Before the first edge its counts are the best guess: better than none.
    if let Some(first) = bases.peek() {
        sizes.reset(first.counts.iter().map(|(ns, documents, _)| (ns.clone(), *documents)));
    }
    let each = |row: &Row<'_>| (row.entry.at.pos, step(row));
    index.map(0..index.len(), meter, each, |(pos, step)| {
        // Past a snapshot's edge its counts are the best there are.
        while let Some(base) = bases.next_if(|s| s.edge().is_some_and(|edge| edge < pos)) {
            sizes.reset(base.counts.iter().map(|(ns, documents, _)| (ns.clone(), *documents)));
        }
        match step.and_then(|step| step.take(&mut sizes)) {
            Some(act) => grouper.add(act),
            None => grouper.skip(),
        }
        Ok(())
    })?;
    Ok(grouper.suspects())
}

/// How many documents each namespace holds, as far as the oplog tells.
#[derive(Default)]
struct Sizes(HashMap<Namespace, u64>);

impl Sizes {
    fn reset(&mut self, counts: impl Iterator<Item = (Namespace, u64)>) {
        self.0 = counts.collect();
    }

    fn of(&self, ns: &Namespace) -> u64 {
        self.0.get(ns).copied().unwrap_or(0)
    }

    fn change(&mut self, ns: &Namespace, by: i64) {
        let count = self.0.entry(ns.clone()).or_default();
        *count = count.saturating_add_signed(by);
    }
}

/// What an operation does to a namespace of users, told from the operation alone.
enum Step {
    /// An act whose size is not known yet.
    Act(Act),
    /// A collection takes another name; with an act, it overwrites what had that name.
    Rename { from: Namespace, to: Namespace, overwrites: Option<Act> },
}

/// `None` for what can be no part of a damage.
fn step(row: &Row<'_>) -> Option<Step> {
    let entry = &row.entry;
    let ns = Namespace::parse(&row.ns);
    if ns.treatment() != Treatment::User || ns.is_views() {
        return None;
    }
    let shape = match row.kind {
        OpKind::Insert => Shape::Insert,
        OpKind::Delete => Shape::Delete,
        OpKind::Replace => Shape::Replace,
        OpKind::Update if removes_fields(entry.o) => Shape::Unset(change_hash(entry.o)),
        OpKind::Update => Shape::Set(change_hash(entry.o)),
        OpKind::Command => match entry.command()?.name {
            b"drop" | b"dropDatabase" => Shape::Drop,
            b"renameCollection" => {
                let to = Namespace::parse(entry.o.get("to").and_then(|e| e.as_str())?);
                // $out, a conversion, a rename across databases: the server's own last step.
                let temporary = ns.coll.starts_with("tmp") && ns.coll.contains('.');
                let target = entry.o.get("dropTarget").filter(|e| !temporary && e.as_bool() != Some(false));
                let overwrites = target.map(|_| act(row, to.clone(), Shape::Overwrite));
                return Some(Step::Rename { from: ns, to, overwrites });
            }
            _ => return None,
        },
        OpKind::Noop => return None,
    };
    Some(Step::Act(act(row, ns, shape)))
}

impl Step {
    /// Follows the sizes, and gives the act that this is.
    fn take(self, sizes: &mut Sizes) -> Option<Act> {
        match self {
            Step::Act(act) => {
                let documents_before = sizes.of(&act.ns);
                match act.shape {
                    Shape::Insert => sizes.change(&act.ns, 1),
                    Shape::Delete => sizes.change(&act.ns, -1),
                    Shape::Drop => sizes.change(&act.ns, i64::MIN),
                    _ => {}
                }
                Some(Act { documents_before, ..act })
            }
            Step::Rename { from, to, overwrites } => {
                let (moved, documents_before) = (sizes.of(&from), sizes.of(&to));
                sizes.change(&from, i64::MIN);
                sizes.change(&to, i64::MIN);
                sizes.change(&to, i64::try_from(moved).unwrap_or(i64::MAX));
                overwrites.map(|act| Act { documents_before, ..act })
            }
        }
    }
}

/// The act, as far as the operation tells.
fn act(row: &Row<'_>, ns: Namespace, shape: Shape) -> Act {
    let entry = &row.entry;
    // A deleteMany or updateMany has no session in the oplog; a loop of single writes has one.
    let group = entry.lsid.map(xxh3_64);
    Act {
        pos: entry.at.pos,
        kind: row.kind,
        ns,
        shape,
        group,
        migration: entry.from_migrate,
        documents_before: 0,
    }
}

/// Equal for updates that set the same fields to the same values, however the server wrote them
/// down: a field that one document had and another had not is the same change.
fn change_hash(o: Doc<'_>) -> u64 {
    let parts = |doc: Doc<'_>| {
        doc.iter().map_while(Result::ok).fold(0u64, |sum, e| sum.wrapping_add(xxh3_64(e.whole)))
    };
    let Some(diff) = o.get("diff").and_then(|e| e.as_doc()) else {
        return ["$set", "$unset"]
            .iter()
            .filter_map(|name| o.get(name)?.as_doc())
            .fold(0, |sum, d| sum.wrapping_add(parts(d)));
    };
    diff.iter().map_while(Result::ok).fold(0, |sum: u64, section| {
        sum.wrapping_add(match (section.name, section.as_doc()) {
            (b"u" | b"i" | b"d", Some(fields)) => parts(fields),
            _ => xxh3_64(section.whole),
        })
    })
}

/// Whether an update takes fields away, at any depth of a diff.
fn removes_fields(o: Doc<'_>) -> bool {
    if o.get("$unset").is_some() {
        return true;
    }
    fn in_diff(diff: Doc<'_>, depth: usize) -> bool {
        diff.iter().map_while(Result::ok).any(|e| {
            e.name == b"d"
                || (depth < 64
                    && e.name.starts_with(b"s")
                    && e.as_doc().is_some_and(|d| in_diff(d, depth + 1)))
        })
    }
    o.get("diff").and_then(|e| e.as_doc()).is_some_and(|diff| in_diff(diff, 0))
}
