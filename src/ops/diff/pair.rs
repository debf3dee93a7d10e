//! One namespace of two states: which of its documents differ, and how. Effects that were spilled
//! come in the order of their keys, those in memory in the order of snapshot and log.

use std::collections::{HashMap, HashSet};

use xxhash_rust::xxh3::xxh3_128;

use super::{Collector, each, show};
use crate::domain::diff::{DocumentDiff, Fate, NamespaceDiff};
use crate::domain::{Namespace, Result};
use crate::engine::bson::Doc;
use crate::engine::effects::{Effects, Net, Origin};
use crate::engine::key::DocKey;
use crate::engine::output::State;
use crate::engine::spill::{Touched, Touches};
use crate::engine::state::{Folded, documents};

/// About the most memory that one document takes while its collection is compared whole.
const COMPARED_COST: u64 = 240;

/// One namespace on both sides: `then` is the stop, `now` the other.
pub(super) struct Pair<'p, 'w> {
    pub ns: &'p Namespace,
    pub then: &'p Folded<'w>,
    pub now: &'p Folded<'w>,
}

impl<'w> Pair<'_, 'w> {
    pub fn compare(&self, out: &mut Collector) -> Result<NamespaceDiff> {
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
                found.collection.push("the collection comes back".into());
                each(self.then, then, &mut |doc| self.note(&mut found, out, Some(doc), None))?;
            }
            (None, Some(now)) => {
                found.collection.push("the collection goes away".into());
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
        if a.kind != b.kind {
            found
                .collection
                .push(format!("its kind changes back from {:?} to {:?}", b.kind, a.kind).to_lowercase());
        }
        if a.options != b.options {
            found.collection.push("its options change back".into());
        }
        let name = |spec: &[u8]| {
            let doc = Doc::new(spec).ok()?;
            Some(doc.get("name")?.as_str()?.escape_debug().to_string())
        };
        for spec in a.indexes.iter().filter(|spec| !b.indexes.contains(spec)) {
            let again = b.indexes.iter().any(|other| name(other) == name(spec));
            let verb = if again { "changes back" } else { "comes back" };
            found.collection.push(format!("the index {} {verb}", name(spec).unwrap_or_default()));
        }
        for spec in b.indexes.iter().filter(|spec| !a.indexes.iter().any(|other| name(other) == name(spec))) {
            found.collection.push(format!("the index {} goes away", name(spec).unwrap_or_default()));
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

    fn touched(&self, then: usize, now: usize, found: &mut NamespaceDiff, out: &mut Collector) -> Result<()> {
        if let (Some(a), Some(b)) = (self.then.touches(then)?, self.now.touches(now)?) {
            return self.spilled(then, a, now, b, found, out);
        }
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
        let number = |key: &DocKey| b.effects.get(*key).or_else(|| a.effects.get(*key)).map(|(n, _)| n);
        let mut rest: Vec<(Option<usize>, DocKey)> = keys.iter().map(|key| (number(key), *key)).collect();
        rest.sort_unstable_by_key(|(n, _)| *n);
        for (_, key) in rest {
            compare(key, None)?;
        }
        Ok(())
    }

    /// The same where effects were spilled: both sides come in the order of their keys, together
    /// with what the snapshot has.
    fn spilled(
        &self,
        then: usize,
        mut a: Touches<'_, 'w>,
        now: usize,
        mut b: Touches<'_, 'w>,
        found: &mut NamespaceDiff,
        out: &mut Collector,
    ) -> Result<()> {
        let (mut x, mut y) = (a.next()?, b.next()?);
        loop {
            let key = match (&x, &y) {
                (Some(x), Some(y)) => x.key.min(y.key),
                (Some(one), None) | (None, Some(one)) => one.key,
                (None, None) => return Ok(()),
            };
            let of_then = x.take_if(|t| t.key == key);
            let of_now = y.take_if(|t| t.key == key);
            if !same_touch(of_then.as_ref(), of_now.as_ref())? {
                let base = of_then.iter().chain(&of_now).find_map(|t| t.base.first().copied());
                let after = |state: &Folded<'w>, at, touched: &Option<Touched<'_, 'w>>| match touched {
                    Some(touched) => state.after(at, touched, base),
                    None => Ok(base.map(|doc| doc.bytes().to_vec())),
                };
                let (then, now) = (after(self.then, then, &of_then)?, after(self.now, now, &of_now)?);
                self.note(found, out, then.as_deref(), now.as_deref())?;
            }
            if of_then.is_some() {
                x = a.next()?;
            }
            if of_now.is_some() {
                y = b.next()?;
            }
        }
    }

    /// Two different collections of one name: every document is compared by `_id`, in as many
    /// parts as memory asks for.
    fn all(&self, then: usize, now: usize, found: &mut NamespaceDiff, out: &mut Collector) -> Result<()> {
        let documents =
            |state: &Folded<'_>, at: usize| state.collections().get(at).map_or(0, |s| s.documents);
        let most = documents(self.then, then).max(documents(self.now, now));
        let parts = most.saturating_mul(COMPARED_COST).div_ceil(out.memory.for_documents() as u64).max(1);
        (0..parts).try_for_each(|part| {
            let of_part =
                |doc: &[u8]| key_of(doc).filter(|key| key.bits() % u128::from(parts) == part.into());
            self.all_of(then, now, &of_part, found, out)
        })
    }

    fn all_of(
        &self,
        then: usize,
        now: usize,
        of_part: &dyn Fn(&[u8]) -> Option<DocKey>,
        found: &mut NamespaceDiff,
        out: &mut Collector,
    ) -> Result<()> {
        let mut olds: HashMap<DocKey, u128> = HashMap::new();
        each(self.then, then, &mut |doc| {
            if let Some(key) = of_part(doc) {
                olds.insert(key, xxh3_128(doc));
            }
            Ok(())
        })?;
        // As many whole documents are kept as can be shown.
        let mut kept = out.limit.saturating_sub(out.documents.len());
        let mut changed: HashMap<DocKey, Option<Vec<u8>>> = HashMap::new();
        each(self.now, now, &mut |doc| {
            let Some(key) = of_part(doc) else { return Ok(()) };
            match olds.remove(&key) {
                Some(hash) if hash == xxh3_128(doc) => {}
                Some(_) => {
                    changed.insert(key, (kept > 0).then(|| doc.to_vec()));
                    kept = kept.saturating_sub(1);
                }
                None => self.note(found, out, None, Some(doc))?,
            }
            Ok(())
        })?;
        each(self.then, then, &mut |doc| {
            let Some(key) = of_part(doc) else { return Ok(()) };
            match changed.get(&key) {
                Some(Some(now)) => self.note(found, out, Some(doc), Some(now)),
                Some(None) => {
                    out.limited = true;
                    self.count(found, out, Fate::ChangesBack, Some(key)).map(|_| ())
                }
                None if olds.contains_key(&key) => self.note(found, out, Some(doc), None),
                None => Ok(()),
            }
        })
    }

    /// Counts one document; whether it is a conflict.
    fn count(
        &self,
        found: &mut NamespaceDiff,
        out: &Collector,
        fate: Fate,
        key: Option<DocKey>,
    ) -> Result<bool> {
        match fate {
            Fate::ComesBack => found.comes_back += 1,
            Fate::GoesAway => found.goes_away += 1,
            Fate::ChangesBack => found.changes_back += 1,
        }
        let conflict = match (&out.conflicts, key) {
            (Some(conflicts), Some(key)) => conflicts.contains(self.ns, key)?,
            _ => false,
        };
        found.conflicts += u64::from(conflict);
        Ok(conflict)
    }

    fn note(
        &self,
        found: &mut NamespaceDiff,
        out: &mut Collector,
        then: Option<&[u8]>,
        now: Option<&[u8]>,
    ) -> Result<()> {
        let fate = match (then, now) {
            (Some(_), None) => Fate::ComesBack,
            (None, Some(_)) => Fate::GoesAway,
            (Some(a), Some(b)) if a != b => Fate::ChangesBack,
            _ => return Ok(()),
        };
        let conflict = self.count(found, out, fate, then.or(now).and_then(key_of))?;
        if out.documents.len() >= out.limit {
            out.limited = true;
            return Ok(());
        }
        out.documents.push(DocumentDiff { conflict, ..show(self.ns, fate, then, now) });
        Ok(())
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

/// The same of effects that were spilled.
fn same_touch(a: Option<&Touched<'_, '_>>, b: Option<&Touched<'_, '_>>) -> Result<bool> {
    let (Some(a), Some(b)) = (a, b) else {
        // What only the filter took for touched is not.
        return Ok([a, b].into_iter().flatten().all(|one| one.origin == Origin::Snapshot)
            && [a, b].into_iter().flatten().map(Touched::last_update).all(|last| matches!(last, Ok(None))));
    };
    let same_origin = match (a.origin, b.origin) {
        (Origin::Put(p), Origin::Put(q)) => std::ptr::eq(p.bytes(), q.bytes()),
        (p, q) => p == q,
    };
    Ok(same_origin && a.last_update()? == b.last_update()?)
}

fn key_of(doc: &[u8]) -> Option<DocKey> {
    Doc::new(doc).ok()?.get("_id").map(DocKey::of)
}
