//! Suspects: one walk over the oplog, grouped into acts and ranked by damage.

use std::collections::HashMap;

use xxhash_rust::xxh3::xxh3_64;

use super::Workspace;
use super::rows::{Row, rows};
use crate::domain::burst::{Act, Burst, Grouper, Shape};
use crate::domain::namespace::Treatment;
use crate::domain::op::OpKind;
use crate::domain::{Namespace, Position, Result, progress::Meter, progress::Phase};
use crate::engine::bson::Doc;

/// The bursts that look like damage, the worst first.
pub fn suspects(workspace: &Workspace, meter: &Meter) -> Result<Vec<Burst>> {
    meter.enter(Phase::Fold, workspace.oplog.len());
    let mut grouper = Grouper::default();
    let mut sizes = Sizes::default();
    let mut bases = workspace.snapshots.iter().filter(|s| s.edge().is_some()).peekable();
    // Before the first edge its counts are the best guess: better than none.
    if let Some(first) = bases.peek() {
        sizes.reset(first.counts.iter().map(|(ns, documents, _)| (ns.clone(), *documents)));
    }
    for entry in workspace.oplog.entries(Position::MIN, Position::MAX) {
        let entry = entry?;
        // Past a snapshot's edge its counts are the best there are.
        while let Some(base) = bases.next_if(|s| s.edge().is_some_and(|edge| edge < entry.at.pos)) {
            sizes.reset(base.counts.iter().map(|(ns, documents, _)| (ns.clone(), *documents)));
        }
        for row in rows(&entry) {
            match act(&row, &mut sizes) {
                Some(act) => grouper.add(act),
                None => grouper.skip(),
            }
        }
        meter.add(1, 0);
        meter.check("looking for damage")?;
    }
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

fn act(row: &Row<'_>, sizes: &mut Sizes) -> Option<Act> {
    let entry = &row.entry;
    let ns = Namespace::parse(&row.ns);
    if ns.treatment() != Treatment::User || ns.is_views() {
        return None;
    }
    let documents_before = sizes.of(&ns);
    let text = |name: &str| entry.o.get(name).and_then(|e| e.as_str());
    let (ns, shape) = match row.kind {
        OpKind::Insert => {
            sizes.change(&ns, 1);
            (ns, Shape::Insert)
        }
        OpKind::Delete => {
            sizes.change(&ns, -1);
            (ns, Shape::Delete)
        }
        OpKind::Replace => (ns, Shape::Replace),
        OpKind::Update => {
            let hash = change_hash(entry.o);
            let unsets = removes_fields(entry.o);
            (ns, if unsets { Shape::Unset(hash) } else { Shape::Set(hash) })
        }
        OpKind::Command => match entry.command()?.name {
            b"drop" | b"dropDatabase" => {
                sizes.change(&ns, i64::MIN);
                (ns, Shape::Drop)
            }
            b"renameCollection" => {
                let to = Namespace::parse(text("to")?);
                // $out, a conversion, a rename across databases: the server's own last step.
                let temporary = ns.coll.starts_with("tmp") && ns.coll.contains('.');
                let moved = sizes.of(&ns);
                let over = sizes.of(&to);
                sizes.change(&ns, i64::MIN);
                sizes.change(&to, i64::MIN);
                sizes.change(&to, i64::try_from(moved).unwrap_or(i64::MAX));
                entry.o.get("dropTarget").filter(|e| !temporary && e.as_bool() != Some(false))?;
                return Some(Act { documents_before: over, ..base_act(row, to, Shape::Overwrite) });
            }
            _ => return None,
        },
        OpKind::Noop => return None,
    };
    Some(Act { documents_before, ..base_act(row, ns, shape) })
}

fn base_act(row: &Row<'_>, ns: Namespace, shape: Shape) -> Act {
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
