//! The plan: snapshot + oplog range + stop + target, as a value. It is computed, shown, and then
//! carried out unchanged.

use super::coverage::{Gap, Segment};
use super::how::How;
use super::position::Position;
use super::snapshot::SnapshotInfo;
use super::stop::{OtherTools, Stop, ValidStops};
use super::{Error, Result};

/// What a restore would do.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Plan {
    /// The base.
    pub snapshot: SnapshotInfo,
    /// The first entry replayed: the beginning of the base's own oplog.
    pub from: Position,
    /// Where it stops.
    pub stop: Stop,
    /// The stop in the words of other tools.
    pub other_tools: OtherTools,
    /// Where the state goes, without secrets.
    pub target: String,
    /// How it goes there, as far as anything was asked for.
    pub how: How,
    /// What it costs.
    pub cost: Cost,
    /// Things to know before saying yes.
    pub notes: Vec<String>,
}

/// What a restore costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Cost {
    /// Documents of the snapshot to read.
    pub snapshot_documents: u64,
    /// Their bytes.
    pub snapshot_bytes: u64,
    /// Oplog entries to walk.
    pub oplog_entries: u64,
    /// Their bytes.
    pub oplog_bytes: u64,
    /// Documents to write, about.
    pub documents: u64,
    /// Collections to make.
    pub collections: u64,
    /// Secondary indexes to build.
    pub indexes: u64,
}

/// The valid stops over a base, by the coverage of the oplog: from just past its edge to just
/// past the end of the stretch that holds the edge. `None` when no stretch does, or the base has
/// no oplog of its own.
pub fn valid_stops(snapshot: &SnapshotInfo, segments: &[Segment]) -> Option<ValidStops> {
    let (from, edge) = (snapshot.window_start?, snapshot.edge?);
    let segment = segments.iter().find(|s| s.first.pos <= from && edge <= s.last.pos)?;
    Some(ValidStops { first: edge.next(), last: segment.last.pos.next() })
}

/// Chooses the base for a stop: the one named, else the newest whose edge lies before the bound.
/// Refuses a bound that no exact state belongs to.
pub fn choose_base<'s>(
    snapshots: &'s [SnapshotInfo],
    named: Option<&str>,
    bound: Position,
    segments: &[Segment],
    gaps: &[Gap],
) -> Result<&'s SnapshotInfo> {
    let doing = "choosing the snapshot for";
    let base = match named {
        Some(id) => {
            let names = || snapshots.iter().map(|s| s.id.as_str()).collect::<Vec<_>>().join(", ");
            snapshots.iter().find(|s| s.id == id).ok_or_else(|| {
                Error::usage(doing, bound, format!("there is no snapshot {id:?}"))
                    .hint(format!("the snapshots are: {}.", names()))
            })?
        }
        None => {
            let usable = snapshots.iter().filter(|s| s.edge.is_some());
            let older =
                usable.clone().filter(|s| s.edge.is_some_and(|edge| edge < bound)).max_by_key(|s| s.edge);
            match older.or_else(|| usable.min_by_key(|s| s.edge)) {
                Some(base) => base,
                None if snapshots.is_empty() => {
                    return Error::inexact(doing, bound, "there is no snapshot among the sources")
                        .hint("name a dump made with --oplog, as directory or archive.")
                        .err();
                }
                None => {
                    return Error::inexact(
                        doing,
                        bound,
                        "no snapshot has an oplog of its own, so none is a point in time",
                    )
                    .hint("use a dump made with --oplog.")
                    .err();
                }
            }
        }
    };
    let Some(edge) = base.edge else {
        return Error::inexact(
            doing,
            &base.id,
            "the snapshot has no oplog of its own, so it is no point in time",
        )
        .hint("use a dump made with --oplog.")
        .err();
    };
    if let Some(gap) = gaps.iter().find(|g| g.after >= edge && g.after.next() < bound) {
        return gap_error(gap, bound).err();
    }
    match valid_stops(base, segments) {
        Some(valid) => valid.check(bound)?,
        None => {
            return Error::inexact(doing, &base.id, "its own oplog is broken by a gap")
                .hint("use another snapshot.")
                .err();
        }
    }
    Ok(base)
}

/// A gap before a stop, with both its edges.
fn gap_error(gap: &Gap, bound: Position) -> Error {
    Error::inexact(
        "choosing the stop",
        bound,
        format!(
            "the oplog has a gap before it: nothing is known between {} ({}) and {} ({})",
            gap.after,
            gap.after.time(),
            gap.before,
            gap.before.time()
        ),
    )
    .hint(format!(
        "add the slice that fills it; without it the nearest valid stop is --before {}, or use a snapshot taken after the gap.",
        gap.after.next()
    ))
}
