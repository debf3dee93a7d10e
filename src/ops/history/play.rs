//! Plays what happened to a document over what the snapshot has of it: one version after another.
//! Knows nothing of where the oplog begins, ends and has gaps.

use std::collections::{HashMap, HashSet};

use super::{Change, Stretch, Version};
use crate::domain::{Error, Namespace, Result};
use crate::engine::bson::{Doc, EMPTY};
use crate::engine::entry::{Entry, EntryKind};
use crate::engine::key::DocKey;
use crate::engine::state::documents;
use crate::engine::update::{NewFieldOrder, Update, apply, classify};
use crate::ops::diff::changed_fields;
use crate::ops::lineage::{Event, Lineage, What};
use crate::ops::rows::{json, kind_of, session};

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
pub(super) struct Play<'w> {
    stretch: &'w Stretch<'w>,
    versions: Vec<Version>,
    /// The documents at the end of the stretch before.
    known: HashMap<DocKey, Vec<u8>>,
    /// By collection and key.
    last: HashMap<(usize, DocKey), Now>,
}

impl<'w> Play<'w> {
    /// Over this stretch; `known` are the documents at the end of the one before.
    pub(super) fn new(stretch: &'w Stretch<'w>, known: HashMap<DocKey, Vec<u8>>) -> Self {
        Play { stretch, versions: Vec::new(), known, last: HashMap::new() }
    }

    /// The versions, and the documents at the end.
    pub(super) fn end(self) -> (Vec<Version>, HashMap<DocKey, Vec<u8>>) {
        let left = self.last.into_iter().filter_map(|((_, key), now)| Some((key, now.document?)));
        (self.versions, left.collect())
    }

    /// What the snapshot has.
    pub(super) fn read(&mut self, those: &[Lineage<'_>], keys: &HashSet<DocKey>) -> Result<()> {
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

    /// The next event, of the collection of this number.
    pub(super) fn event(&mut self, number: usize, event: &Event<'_>) -> Result<()> {
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
    fn apply(&self, event: &Event<'_>, entry: &Entry<'_>, before: &Now) -> Result<(Now, Option<String>)> {
        let fuzzy = event.entry.at.pos <= self.stretch.edge;
        let place = || format!("{} {}", event.entry.at.pos, event.ns);
        let wrong = |fault| {
            Box::new(
                Error::inexact("applying the operation at", place(), fault)
                    .hint("the oplog is damaged here; get it again from the source."),
            )
        };
        let id = entry.id().map_or(serde_json::Value::Null, |id| json(&id));
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
    id.map_or(serde_json::Value::Null, |id| json(&id))
}
