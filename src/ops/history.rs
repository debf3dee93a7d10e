//! The history of one document: every version of it with position, session and changed fields,
//! from the snapshot on, also where the document or its collection is gone by now.
//!
//! Where the oplog has a gap the history goes on with the next snapshot behind it. Inside a
//! snapshot's fuzzy window a version may be newer than its operation, and says so.

use std::collections::{HashMap, HashSet};

use super::Workspace;
use super::diff::changed_fields;
use super::lineage::{Event, Lineage, What, trace};
use super::rows::{kind_of, session};
use crate::domain::coverage::Gap;
use crate::domain::diff::FieldDiff;
use crate::domain::op::OpKind;
use crate::domain::plan::valid_stops;
use crate::domain::query::IdPattern;
use crate::domain::{Error, Namespace, Position, Result, progress::Meter, progress::Phase};
use crate::engine::bson::{Doc, EMPTY};
use crate::engine::key::DocKey;
use crate::engine::state::documents;
use crate::engine::update::{NewFieldOrder, Update, apply, classify};
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
        let mut play =
            Play { stretch, versions: Vec::new(), known: std::mem::take(&mut known), last: HashMap::new() };
        play.read(&those, &keys)?;
        let mut events: Vec<(usize, &Event<'_>)> = Vec::new();
        for (number, lineage) in those.iter().enumerate() {
            events.extend(lineage.events.iter().map(|event| (number, event)));
        }
        events.sort_by_key(|(_, event)| event.number);
        for (number, event) in events {
            play.event(number, event)?;
        }
        known = play.last.into_iter().filter_map(|((_, key), now)| Some((key, now.document?))).collect();
        found.versions.append(&mut play.versions);
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

/// What is known of one document at one point.
#[derive(Debug, Default, Clone)]
struct Now {
    document: Option<Vec<u8>>,
    /// Whether it is exactly what the server held; inside the window only what was written whole.
    exact: bool,
    /// Whether an operation has deleted it.
    deleted: bool,
    /// The last `_id` seen, for versions without a document.
    id: serde_json::Value,
}

/// Plays the events of one stretch.
struct Play<'w> {
    stretch: &'w Stretch<'w>,
    versions: Vec<Version>,
    /// The documents at the end of the stretch before.
    known: HashMap<DocKey, Vec<u8>>,
    /// By collection and key.
    last: HashMap<(usize, DocKey), Now>,
}

impl Play<'_> {
    /// What the snapshot has.
    fn read(&mut self, those: &[Lineage<'_>], keys: &HashSet<DocKey>) -> Result<()> {
        let mut known = std::mem::take(&mut self.known);
        for (number, lineage) in those.iter().enumerate() {
            let (Some(base), Some(ns)) = (lineage.base, lineage.names.first()) else { continue };
            for doc in base.data.iter().flat_map(documents) {
                let doc = doc?;
                let Some(key) = doc.get("_id").map(DocKey::of).filter(|key| keys.contains(key)) else {
                    continue;
                };
                let inside = lineage.events.iter().any(|event| {
                    event.entry.at.pos <= self.stretch.edge
                        && matches!(event.what, What::Document(other, _) if other == key)
                });
                let before = known.remove(&key);
                let id = id_json(doc.bytes());
                let document = Some(doc.bytes().to_vec());
                let now = Now { document, exact: !inside, deleted: false, id };
                self.versions.push(Version {
                    exact: !inside,
                    fields: changed_fields(before.as_deref(), now.document.as_deref()),
                    ..self.reading(ns, &now, inside)
                });
                self.last.insert((number, key), now);
            }
        }
        // What was there before the gap and is not in the snapshot behind it.
        for bytes in known.into_values() {
            let Some(ns) = those.first().and_then(|l| l.names.last()) else { continue };
            let gone = Now { id: id_json(&bytes), ..Now::default() };
            self.versions.push(self.reading(ns, &gone, false));
        }
        Ok(())
    }

    fn reading(&self, ns: &Namespace, now: &Now, inside: bool) -> Version {
        let (from, edge) = (self.stretch.from, self.stretch.edge);
        let remark = match (&now.document, inside) {
            (Some(_), true) => format!(
                "read at an unknown moment between {from} and {edge}; up to there versions may be newer than their operation"
            ),
            (Some(_), false) => format!("unchanged while the snapshot was taken, from {from} to {edge}"),
            (None, _) => "known before the gap, and not in this snapshot behind it".to_owned(),
        };
        Version {
            pos: from,
            change: Change::Read { snapshot: self.stretch.snapshot.id.clone() },
            ns: ns.clone(),
            id: now.id.clone(),
            session: None,
            txn: None,
            exact: true,
            remark: Some(remark),
            document: now.document.clone(),
            fields: Vec::new(),
        }
    }

    fn event(&mut self, number: usize, event: &Event<'_>) -> Result<()> {
        let (change, gone) = match &event.what {
            What::Document(key, entry) => {
                let before = self.last.remove(&(number, *key)).unwrap_or_default();
                let (now, remark) = self.apply(event, entry, &before)?;
                let version = Version {
                    remark,
                    fields: changed_fields(before.document.as_deref(), now.document.as_deref()),
                    ..version(event, Change::Op(kind_of(entry)), &now)
                };
                self.versions.push(version);
                self.last.insert((number, *key), now);
                return Ok(());
            }
            What::Renamed(from) => (Change::Renamed { from: from.clone() }, false),
            What::Dropped => (Change::Dropped, true),
            What::Overwritten(by) => (Change::Overwritten { by: by.clone() }, true),
            What::Emptied => (Change::Emptied, true),
        };
        let mut touched: Vec<&mut Now> = Vec::new();
        for ((at, _), now) in &mut self.last {
            if *at == number && now.document.is_some() {
                touched.push(now);
            }
        }
        touched.sort_by_key(|now| now.id.to_string());
        for now in touched {
            if gone {
                *now = Now { document: None, exact: true, deleted: true, id: now.id.clone() };
            }
            let fuzzy = event.entry.at.pos <= self.stretch.edge;
            let remark = (fuzzy && !now.exact).then(|| FUZZY.to_owned());
            let exact = now.exact || !fuzzy;
            self.versions.push(Version { remark, exact, ..version(event, change.clone(), now) });
        }
        Ok(())
    }

    /// The document after an operation on it.
    fn apply(
        &self,
        event: &Event<'_>,
        entry: &crate::engine::entry::Entry<'_>,
        before: &Now,
    ) -> Result<(Now, Option<String>)> {
        use crate::engine::entry::EntryKind;
        let fuzzy = event.entry.at.pos <= self.stretch.edge;
        let place = || format!("{} {}", event.entry.at.pos, event.ns);
        let wrong = |fault| {
            Box::new(
                Error::inexact("applying the operation at", place(), fault)
                    .hint("the oplog is damaged here; get it again from the source."),
            )
        };
        let id = entry.id().map_or(serde_json::Value::Null, |id| super::rows::json(&id));
        let whole = |body: Doc<'_>| -> Result<Now> {
            let update = Update::Replace(body);
            let document = if body.first_elem().is_some_and(|e| e.name == b"_id") {
                body.bytes().to_vec()
            } else {
                apply(EMPTY, &update, NewFieldOrder::AsListed, Vec::new()).map_err(wrong)?
            };
            Ok(Now { document: Some(document), exact: true, deleted: false, id: id.clone() })
        };
        let update = match entry.kind {
            EntryKind::Insert => return Ok((whole(entry.o)?, None)),
            EntryKind::Delete => {
                return Ok((Now { document: None, exact: true, deleted: true, id }, None));
            }
            _ => classify(entry.o).map_err(wrong)?,
        };
        if let Update::Replace(body) = update {
            return Ok((whole(body)?, None));
        }
        match &before.document {
            Some(old) => {
                let old = Doc::new(old).map_err(wrong)?;
                let document = apply(old, &update, NewFieldOrder::AsListed, Vec::new()).map_err(wrong)?;
                let exact = before.exact || !fuzzy;
                let now = Now { document: Some(document), exact, deleted: false, id };
                Ok((now, (!exact).then(|| FUZZY.to_owned())))
            }
            None if fuzzy && !before.deleted => {
                let now = Now { document: None, exact: false, deleted: false, id };
                Ok((now, Some("unknown: the snapshot was read after it was deleted".to_owned())))
            }
            None => Error::inexact(
                "joining snapshot and oplog at",
                place(),
                "it updates a document that is not there: entries are missing, or the snapshot is of another server",
            )
            .hint("choose another snapshot with --snapshot, or get the oplog again from the source.")
            .err(),
        }
    }
}

const FUZZY: &str = "the snapshot was being taken: this may be newer than its operation";

fn version(event: &Event<'_>, change: Change, now: &Now) -> Version {
    Version {
        pos: event.entry.at.pos,
        change,
        ns: event.ns.clone(),
        id: now.id.clone(),
        session: event.entry.lsid.and_then(session),
        txn: event.entry.lsid.and(event.entry.txn_number),
        exact: now.exact,
        remark: None,
        document: now.document.clone(),
        fields: Vec::new(),
    }
}

fn id_json(doc: &[u8]) -> serde_json::Value {
    let id = Doc::new(doc).ok().and_then(|d| d.get("_id"));
    id.map_or(serde_json::Value::Null, |id| super::rows::json(&id))
}
