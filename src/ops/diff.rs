//! The preview: the state at the stop against the end of the oplog, or against another stop,
//! without a restore and without a server. Of a collection that is the same on both sides only
//! the documents are read that operations in between have touched.

use std::collections::{HashMap, HashSet};

use xxhash_rust::xxh3::xxh3_128;

use super::Workspace;
use super::after::{incident_at, written_again};
use super::plan::{base, stop_at};
use super::rows::{document_json, json};
use super::select::fits;
use super::walk::{Walk, WalkOptions, walk};
use crate::domain::burst::Burst;
use crate::domain::diff::{CollectionDiff, DocumentDiff, Fate, FieldDiff, NamespaceDiff, fields};
use crate::domain::diff_filter::{Differing, DocumentFilter};
use crate::domain::namespace::Glob;
use crate::domain::stop::{Stop, StopRequest};
use crate::domain::{Namespace, Result, progress::Meter};
use crate::engine::bson::Doc;
use crate::engine::effects::{Effects, Net, Origin};
use crate::engine::key::DocKey;
use crate::engine::output::State;
use crate::engine::state::{Folded, documents};

/// What to compare.
#[derive(Debug, Clone)]
pub struct DiffRequest {
    /// The state to go back to.
    pub stop: StopRequest,
    /// The other side; `None` = the end of the oplog that joins on without gap.
    pub against: Option<StopRequest>,
    /// The base, if not the newest possible.
    pub snapshot: Option<String>,
    /// The namespaces to look at; none = all.
    pub ns: Vec<Glob>,
    /// How many documents to show field by field; 0 = numbers only.
    pub limit: usize,
    /// What to leave out or take in.
    pub walk: WalkOptions,
}

/// What going back would change.
#[derive(Debug, Clone)]
pub struct Diff {
    /// The state to go back to.
    pub stop: Stop,
    /// The other side.
    pub against: Stop,
    /// The act that begins at the stop.
    pub incident: Option<Burst>,
    /// Namespaces that differ, by name.
    pub namespaces: Vec<NamespaceDiff>,
    /// The first documents that differ, up to the limit.
    pub documents: Vec<DocumentDiff>,
    /// Whether more documents differ than are shown.
    pub limited: bool,
}

/// Who takes the documents that differ, one after the other, namespace by namespace.
pub trait Sink {
    /// Takes one, as bytes; [`show`] makes something to look at of it.
    fn document(&mut self, ns: &Namespace, document: &Differing<'_>) -> Result<()>;
}

/// The first so many of those that a filter leaves.
struct First<'f> {
    filter: &'f DocumentFilter,
    limit: usize,
    documents: Vec<DocumentDiff>,
    limited: bool,
}

impl Sink for First<'_> {
    fn document(&mut self, ns: &Namespace, document: &Differing<'_>) -> Result<()> {
        if self.documents.len() < self.limit {
            if self.filter.matches(document) {
                self.documents.push(show(ns, document));
            }
        } else if !self.limited {
            self.limited = self.filter.matches(document);
        }
        Ok(())
    }
}

/// Compares two states, and keeps the first documents that differ and that the filter leaves.
pub fn diff(
    workspace: &Workspace,
    request: &DiffRequest,
    filter: &DocumentFilter,
    meter: &Meter,
) -> Result<Diff> {
    let mut first = First { filter, limit: request.limit, documents: Vec::new(), limited: false };
    let found = diff_into(workspace, request, meter, &mut first)?;
    Ok(Diff { documents: first.documents, limited: first.limited, ..found })
}

/// Compares two states; the documents that differ go to `sink`, and none is kept.
pub fn diff_into(
    workspace: &Workspace,
    request: &DiffRequest,
    meter: &Meter,
    sink: &mut dyn Sink,
) -> Result<Diff> {
    let bound = request.stop.bound(workspace.last());
    let snapshot = base(workspace, request.snapshot.as_deref(), bound)?;
    let info = workspace.infos.iter().find(|i| i.id == snapshot.id);
    let end = info.and_then(|i| workspace.valid_stops(i)).map_or(workspace.last().next(), |v| v.last);
    let against = request.against.map_or(end, |r| r.bound(workspace.last()));
    // Where the same base serves both sides, most documents need not be looked at.
    let other = match base(workspace, Some(&snapshot.id), against) {
        Ok(same) => same,
        Err(_) => base(workspace, request.snapshot.as_deref(), against)?,
    };
    let then = walk(workspace, snapshot, bound, &request.walk, meter)?;
    let now = walk(workspace, other, against, &request.walk, meter)?;
    let incident = incident_at(workspace, bound, meter)?.filter(|burst| burst.first < against);
    let conflicts = match &incident {
        Some(incident) => written_again(workspace, incident, against, meter)?,
        None => HashMap::new(),
    };
    let mut out = Out { sink, conflicts };
    let mut namespaces = Vec::new();
    for ns in names(&then, &now) {
        if !fits(&request.ns, &ns.to_string()) {
            continue;
        }
        meter.check("comparing")?;
        let found = Pair { ns: &ns, then: &then.state, now: &now.state }.compare(&mut out)?;
        if !found.is_empty() {
            namespaces.push(found);
        }
    }
    Ok(Diff {
        stop: stop_at(workspace, bound)?,
        against: stop_at(workspace, against)?,
        incident,
        namespaces,
        documents: Vec::new(),
        limited: false,
    })
}

fn names(a: &Walk<'_>, b: &Walk<'_>) -> Vec<Namespace> {
    let mut names: Vec<Namespace> =
        a.state.collections().iter().chain(b.state.collections()).map(|s| s.ns.clone()).collect();
    names.sort();
    names.dedup();
    names
}

struct Out<'s> {
    sink: &'s mut dyn Sink,
    /// Documents of the incident that were written again.
    conflicts: HashMap<Namespace, HashSet<DocKey>>,
}

/// One namespace on both sides: `then` is the stop, `now` the other.
struct Pair<'p, 'w> {
    ns: &'p Namespace,
    then: &'p Folded<'w>,
    now: &'p Folded<'w>,
}

impl<'w> Pair<'_, 'w> {
    fn compare(&self, out: &mut Out<'_>) -> Result<NamespaceDiff> {
        let mut found = NamespaceDiff {
            ns: self.ns.clone(),
            comes_back: 0,
            changes_back: 0,
            goes_away: 0,
            conflicts: 0,
            collection: Vec::new(),
        };
        match (self.then.position(self.ns), self.now.position(self.ns)) {
            (Some(then), None) => {
                found.collection.push(CollectionDiff::of("the collection comes back"));
                each(self.then, then, &mut |doc| self.note(&mut found, out, Some(doc), None))?;
            }
            (None, Some(now)) => {
                found.collection.push(CollectionDiff::of("the collection goes away"));
                each(self.now, now, &mut |doc| self.note(&mut found, out, None, Some(doc)))?;
            }
            (Some(then), Some(now)) => {
                self.shape(then, now, &mut found);
                if self.is_same_collection(then, now) {
                    self.touched(then, now, &mut found, out)?;
                } else {
                    self.all(then, now, &mut found, out)?;
                }
            }
            (None, None) => {}
        }
        Ok(found)
    }

    /// Options and indexes.
    fn shape(&self, then: usize, now: usize, found: &mut NamespaceDiff) {
        let (a, b) = (&self.then.collections()[then], &self.now.collections()[now]);
        let out = &mut found.collection;
        if a.kind != b.kind {
            let what = format!("its kind changes back from {:?} to {:?}", b.kind, a.kind).to_lowercase();
            out.push(CollectionDiff::of(what));
        }
        let whole = |bytes: &[u8]| Doc::new(bytes).ok().map(document_json);
        if a.options != b.options {
            let of = CollectionDiff::of("its options change back");
            out.push(CollectionDiff { at_stop: whole(&a.options), against: whole(&b.options), ..of });
        }
        let name = |spec: &[u8]| {
            let doc = Doc::new(spec).ok()?;
            Some(doc.get("name")?.as_str()?.escape_debug().to_string())
        };
        let of_name = |list: &[Vec<u8>], spec: &[u8]| list.iter().find(|o| name(o) == name(spec)).cloned();
        for spec in a.indexes.iter().filter(|spec| !b.indexes.contains(spec)) {
            let other = of_name(&b.indexes, spec);
            let verb = if other.is_some() { "changes back" } else { "comes back" };
            let of = CollectionDiff::of(format!("the index {} {verb}", name(spec).unwrap_or_default()));
            out.push(CollectionDiff {
                at_stop: whole(spec),
                against: other.as_deref().and_then(whole),
                ..of
            });
        }
        for spec in b.indexes.iter().filter(|spec| of_name(&a.indexes, spec).is_none()) {
            let of = CollectionDiff::of(format!("the index {} goes away", name(spec).unwrap_or_default()));
            out.push(CollectionDiff { against: whole(spec), ..of });
        }
    }

    /// The same collection over the same snapshot: what no operation touched is equal.
    fn is_same_collection(&self, then: usize, now: usize) -> bool {
        match (self.then.collection(then), self.now.collection(now)) {
            (Some(a), Some(b)) => {
                a.uuid == b.uuid
                    && a.base.len() == b.base.len()
                    && a.base.iter().zip(&b.base).all(|(x, y)| std::ptr::eq(*x, *y))
            }
            (None, None) => true,
            _ => false,
        }
    }

    fn touched(&self, then: usize, now: usize, found: &mut NamespaceDiff, out: &mut Out<'_>) -> Result<()> {
        let (Some(a), Some(b)) = (self.then.collection(then), self.now.collection(now)) else {
            return Ok(());
        };
        let mut keys: HashSet<DocKey> = HashSet::new();
        for (key, _) in a.effects.keys().chain(b.effects.keys()) {
            if !same_net(&a.effects, &b.effects, key) {
                keys.insert(key);
            }
        }
        if keys.is_empty() {
            return Ok(());
        }
        let mut compare = |key: DocKey, base: Option<Doc<'_>>| -> Result<()> {
            let then = self.then.document(then, key, base)?;
            let now = self.now.document(now, key, base)?;
            self.note(found, out, then.as_deref(), now.as_deref())
        };
        let needs_base = |key: &DocKey| {
            let net =
                |effects: &Effects<'w>| effects.get(*key).is_none_or(|(_, n)| n.origin == Origin::Snapshot);
            net(&a.effects) || net(&b.effects)
        };
        if keys.iter().any(needs_base) {
            for &region in &a.base {
                for doc in documents(region) {
                    let doc = doc?;
                    let Some(key) = doc.get("_id").map(DocKey::of) else { continue };
                    if keys.remove(&key) {
                        compare(key, Some(doc))?;
                    }
                }
            }
        }
        // What the snapshot does not have, in the order of the oplog.
        let mut rest: Vec<(usize, DocKey)> =
            b.effects.keys().filter(|(key, _)| keys.contains(key)).map(|(key, n)| (n, key)).collect();
        rest.sort_unstable_by_key(|(n, _)| *n);
        for (_, key) in rest {
            compare(key, None)?;
        }
        Ok(())
    }

    /// Two different collections of one name: every document is compared by `_id`.
    fn all(&self, then: usize, now: usize, found: &mut NamespaceDiff, out: &mut Out<'_>) -> Result<()> {
        let mut olds: HashMap<DocKey, u128> = HashMap::new();
        each(self.then, then, &mut |doc| {
            if let Some(key) = key_of(doc) {
                olds.insert(key, xxh3_128(doc));
            }
            Ok(())
        })?;
        let mut changed: HashMap<DocKey, Vec<u8>> = HashMap::new();
        each(self.now, now, &mut |doc| {
            match key_of(doc).and_then(|key| Some((key, olds.remove(&key)?))) {
                Some((_, hash)) if hash == xxh3_128(doc) => {}
                Some((key, _)) => {
                    changed.insert(key, doc.to_vec());
                }
                None => self.note(found, out, None, Some(doc))?,
            }
            Ok(())
        })?;
        each(self.then, then, &mut |doc| {
            let Some(key) = key_of(doc) else { return Ok(()) };
            match changed.get(&key) {
                Some(now) => self.note(found, out, Some(doc), Some(now)),
                None if olds.contains_key(&key) => self.note(found, out, Some(doc), None),
                None => Ok(()),
            }
        })
    }

    fn note(
        &self,
        found: &mut NamespaceDiff,
        out: &mut Out<'_>,
        then: Option<&[u8]>,
        now: Option<&[u8]>,
    ) -> Result<()> {
        let fate = match (then, now) {
            (Some(_), None) => Fate::ComesBack,
            (None, Some(_)) => Fate::GoesAway,
            (Some(a), Some(b)) if a != b => Fate::ChangesBack,
            _ => return Ok(()),
        };
        match fate {
            Fate::ComesBack => found.comes_back += 1,
            Fate::GoesAway => found.goes_away += 1,
            Fate::ChangesBack => found.changes_back += 1,
        }
        let conflict = out
            .conflicts
            .get(self.ns)
            .is_some_and(|keys| then.or(now).and_then(key_of).is_some_and(|key| keys.contains(&key)));
        found.conflicts += u64::from(conflict);
        out.sink.document(self.ns, &Differing { fate, conflict, at_stop: then, against: now })
    }
}

/// Whether nothing happened to a document between two folds of the same oplog: the same body
/// from the same place, and the same last update.
fn same_net(a: &Effects<'_>, b: &Effects<'_>, key: DocKey) -> bool {
    let last = |effects: &Effects<'_>, net: &Net<'_>| effects.last_update(net).map(|p| p.pos);
    match (a.get(key), b.get(key)) {
        (Some((_, x)), Some((_, y))) => {
            let same_origin = match (x.origin, y.origin) {
                (Origin::Put(p), Origin::Put(q)) => std::ptr::eq(p.bytes(), q.bytes()),
                (p, q) => p == q,
            };
            same_origin && last(a, x) == last(b, y)
        }
        (None, None) => true,
        _ => false,
    }
}

fn key_of(doc: &[u8]) -> Option<DocKey> {
    Doc::new(doc).ok()?.get("_id").map(DocKey::of)
}

/// Streams all documents of one collection of a state.
pub(super) fn each(state: &Folded<'_>, at: usize, sink: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
    for chunk in 0..state.chunks(at) {
        state.emit(at, chunk, sink)?;
    }
    state.finish(at)
}

/// One document to look at, field by field where it is there on both sides.
pub fn show(ns: &Namespace, document: &Differing<'_>) -> DocumentDiff {
    let Differing { fate, conflict, at_stop: then, against: now } = *document;
    let raw_json = |bytes: Option<&[u8]>| bytes.and_then(|b| Doc::new(b).ok()).map(document_json);
    let id = then
        .or(now)
        .and_then(|b| Doc::new(b).ok())
        .and_then(|d| d.get("_id"))
        .map_or(serde_json::Value::Null, |e| json(&e));
    DocumentDiff {
        ns: ns.clone(),
        id,
        fate,
        conflict,
        fields: changed_fields(then, now),
        at_stop: raw_json(then),
        against: raw_json(now),
    }
}

/// The fields in which two versions differ; none where one of them is missing.
pub fn changed_fields(then: Option<&[u8]>, now: Option<&[u8]>) -> Vec<FieldDiff> {
    let (Some(then), Some(now)) = (then, now) else { return Vec::new() };
    let doc = |bytes: &[u8]| bson::deserialize_from_slice::<bson::Document>(bytes).ok();
    if let (Some(a), Some(b)) = (doc(then), doc(now)) {
        return fields(&a, &b);
    }
    if then == now {
        return Vec::new();
    }
    // Not decodable (text that is not UTF-8): shown whole.
    let raw_json = |bytes: &[u8]| Doc::new(bytes).ok().map(document_json);
    vec![FieldDiff {
        path: String::new(),
        at_stop: raw_json(then),
        against: raw_json(now),
        order_only: false,
    }]
}
