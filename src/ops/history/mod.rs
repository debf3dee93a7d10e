//! The history of one document: every version of it with position, session and changed fields,
//! from the snapshot on, also where the document or its collection is gone by now.
//!
//! Where the oplog has a gap the history goes on with the next snapshot behind it. Inside a
//! snapshot's fuzzy window a version may be newer than its operation, and says so.

mod play;

use std::collections::{HashMap, HashSet};

use play::Play;

use super::Workspace;
use super::lineage::{Event, trace};
use crate::domain::coverage::Gap;
use crate::domain::diff::FieldDiff;
use crate::domain::op::OpKind;
use crate::domain::plan::valid_stops;
use crate::domain::query::IdPattern;
use crate::domain::{Error, Namespace, Position, Result, progress::Meter, progress::Phase};
use crate::engine::bson::Doc;
use crate::engine::key::DocKey;
use crate::source::Snapshot;

/// Which document.
#[derive(Debug, Clone)]
pub struct HistoryRequest {
    /// A name its collection had at some time.
    pub ns: Namespace,
    /// Its `_id`; may stand for several values, and so for several documents.
    pub id: IdPattern,
    /// Only over this snapshot; else over the oldest of each stretch without gap.
    pub snapshot: Option<String>,
}

/// What made a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Nothing: a snapshot read it like this.
    Read {
        /// Which snapshot.
        snapshot: String,
    },
    /// An operation on the document.
    Op(OpKind),
    /// Its collection was renamed.
    Renamed {
        /// The name before.
        from: Namespace,
    },
    /// Its collection was dropped, alone or with its database.
    Dropped,
    /// Another collection was renamed over its collection.
    Overwritten {
        /// The name the other had before.
        by: Namespace,
    },
    /// Its collection was emptied.
    Emptied,
}

/// One version.
#[derive(Debug, Clone, PartialEq)]
pub struct Version {
    /// From this operation on it was like this. For [`Change::Read`]: where the snapshot began.
    pub pos: Position,
    /// What made it.
    pub change: Change,
    /// The name of its collection from here on.
    pub ns: Namespace,
    /// Its `_id`, canonical Extended JSON.
    pub id: serde_json::Value,
    /// The session that wrote it, in hex, where the oplog has one. It never has a user.
    pub session: Option<String>,
    /// Its transaction: the number within the session.
    pub txn: Option<i64>,
    /// Whether this is exactly what the server held then.
    pub exact: bool,
    /// What to know about it.
    pub remark: Option<String>,
    /// The document; `None` = it was not there.
    pub document: Option<Vec<u8>>,
    /// What differs from the version before it: `at_stop` is before, `against` is after.
    pub fields: Vec<FieldDiff>,
}

/// All versions of a document.
#[derive(Debug, Clone, Default)]
pub struct History {
    /// In order.
    pub versions: Vec<Version>,
    /// Gaps of the oplog that lie in it: nothing is known inside them.
    pub gaps: Vec<Gap>,
}

/// Finds all versions of a document.
pub fn history(workspace: &Workspace, request: &HistoryRequest, meter: &Meter) -> Result<History> {
    meter.enter(Phase::Fold, workspace.oplog.len());
    let keys: HashSet<DocKey> = request.id.values().iter().filter_map(key_of).collect();
    let mut found = History::default();
    let mut seen = false;
    let mut uuids = HashSet::new();
    let mut known: HashMap<DocKey, Vec<u8>> = HashMap::new();
    let stretches = stretches(workspace, request.snapshot.as_deref())?;
    for (at, stretch) in stretches.iter().enumerate() {
        refuse_timeseries(stretch.snapshot, &request.ns)?;
        let range = (stretch.from, stretch.to);
        let lineages = trace(workspace, &stretch.snapshot.base, range, &request.ns, &keys, meter)?;
        seen |= lineages.seen;
        let those = lineages.into_those(|lineage| {
            lineage.names.contains(&request.ns) || lineage.uuid.is_some_and(|u| uuids.contains(&u))
        });
        uuids.extend(those.iter().filter_map(|lineage| lineage.uuid));
        let mut play = Play::new(stretch, std::mem::take(&mut known));
        play.read(&those, &keys)?;
        let mut events: Vec<(usize, &Event<'_>)> = Vec::new();
        for (number, lineage) in those.iter().enumerate() {
            events.extend(lineage.events.iter().map(|event| (number, event)));
        }
        events.sort_by_key(|(_, event)| event.number);
        for (number, event) in events {
            play.event(number, event)?;
        }
        let (mut versions, left) = play.end();
        known = left;
        found.versions.append(&mut versions);
        if at > 0 {
            found.gaps.extend(workspace.gaps().iter().filter(|gap| gap.before <= stretch.from));
            found.gaps.dedup();
        }
    }
    if !seen {
        return Error::usage(
            "looking for the collection",
            format!("{:?}", request.ns.to_string()),
            "neither a snapshot nor the oplog behind it has one of that name",
        )
        .hint("`pitstop snapshots SOURCE…` lists collections; `pitstop ops SOURCE… -q ns:…` searches the oplog.")
        .err();
    }
    Ok(found)
}

/// A snapshot and the oplog that joins on without gap.
struct Stretch<'w> {
    snapshot: &'w Snapshot,
    from: Position,
    edge: Position,
    to: Position,
}

/// The oldest usable snapshot of each stretch of oplog, or the one named.
fn stretches<'w>(workspace: &'w Workspace, named: Option<&str>) -> Result<Vec<Stretch<'w>>> {
    if let Some(id) = named {
        workspace.snapshot(id)?;
    }
    let mut out: Vec<Stretch<'w>> = Vec::new();
    for snapshot in workspace.snapshots.iter().filter(|s| named.is_none_or(|id| s.id == id)) {
        let info = workspace.infos.iter().find(|info| info.id == snapshot.id);
        let Some(valid) = info.and_then(|info| valid_stops(info, workspace.segments())) else { continue };
        let Some((first, last)) = snapshot.window() else { continue };
        if out.iter().all(|stretch| stretch.to != valid.last) {
            out.push(Stretch { snapshot, from: first.pos, edge: last.pos, to: valid.last });
        }
    }
    if out.is_empty() {
        return Error::inexact(
            "following the document",
            named.unwrap_or_default(),
            "no snapshot among the sources has an oplog of its own without gap, so no version is certain",
        )
        .hint("name a dump made with --oplog; `pitstop ops SOURCE… -q id:…` shows the operations alone.")
        .err();
    }
    Ok(out)
}

fn refuse_timeseries(snapshot: &Snapshot, ns: &Namespace) -> Result<()> {
    use crate::engine::input::CollectionKind;
    let Some(coll) = snapshot.base.collections.iter().find(|coll| coll.ns == *ns) else { return Ok(()) };
    let (what, other) = match coll.kind {
        CollectionKind::Collection => return Ok(()),
        CollectionKind::View => ("a view", None),
        CollectionKind::Timeseries => ("a time series", Some(ns.buckets())),
    };
    let hint = match other {
        Some(buckets) => format!("its documents are the buckets in --ns {buckets}."),
        None => "name the collection it shows.".to_owned(),
    };
    Error::usage(
        "following a document of",
        format!("{:?}", ns.to_string()),
        format!("it is {what}, which stores no documents"),
    )
    .hint(hint)
    .err()
}

pub(super) fn key_of(id: &bson::Bson) -> Option<DocKey> {
    let bytes = bson::serialize_to_vec(&bson::doc! { "_id": id.clone() }).ok()?;
    Doc::new(&bytes).ok()?.get("_id").map(DocKey::of)
}
