//! One namespace at two times: which of its documents differ. Where both sides are of the same
//! collection over the same snapshot, only those are read that operations in between touched.

use std::collections::{HashMap, HashSet};

use xxhash_rust::xxh3::xxh3_128;

use super::super::rows::document_json;
use super::Out;
use crate::domain::diff::{CollectionDiff, Fate, NamespaceDiff};
use crate::domain::diff_filter::Differing;
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
pub struct Pair<'p, 'w> {
    /// Its name.
    pub ns: &'p Namespace,
    /// At the stop.
    pub then: &'p Folded<'w>,
    /// On the other side.
    pub now: &'p Folded<'w>,
}

impl<'w> Pair<'_, 'w> {
    /// Compares it; documents that differ go to the sink.
    pub fn compare(&self, out: &mut Out<'_>) -> Result<NamespaceDiff> {
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
        out: &mut Out<'_>,
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
    fn all(&self, then: usize, now: usize, found: &mut NamespaceDiff, out: &mut Out<'_>) -> Result<()> {
        let documents =
            |state: &Folded<'_>, at: usize| state.collections().get(at).map_or(0, |s| s.documents);
        let most = documents(self.then, then).max(documents(self.now, now));
        let parts =
            most.saturating_mul(COMPARED_COST).div_ceil(out.memory.for_documents().max(1) as u64).max(1);
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
        out: &mut Out<'_>,
    ) -> Result<()> {
        let mut olds: HashMap<DocKey, u128> = HashMap::new();
        each(self.then, then, &mut |doc| {
            if let Some(key) = of_part(doc) {
                olds.insert(key, xxh3_128(doc));
            }
            Ok(())
        })?;
        let mut changed: HashMap<DocKey, Option<Vec<u8>>> = HashMap::new();
        let mut held = 0;
        each(self.now, now, &mut |doc| {
            let Some(key) = of_part(doc) else { return Ok(()) };
            match olds.remove(&key) {
                Some(hash) if hash == xxh3_128(doc) => {}
                Some(_) => {
                    let kept = self.fits(out, doc, &mut held).then(|| doc.to_vec());
                    changed.insert(key, kept);
                }
                None => self.note(found, out, None, Some(doc))?,
            }
            Ok(())
        })?;
        each(self.then, then, &mut |doc| {
            let Some(key) = of_part(doc) else { return Ok(()) };
            match changed.get(&key) {
                Some(Some(now)) => self.note(found, out, Some(doc), Some(now)),
                None if olds.contains_key(&key) => self.note(found, out, Some(doc), None),
                Some(None) | None => Ok(()),
            }
        })?;
        self.rest(then, now, changed, found, out)
    }

    /// Documents that changed and found no room before: round by round, or only counted where
    /// nobody wants to see more of them.
    fn rest(
        &self,
        then: usize,
        now: usize,
        mut changed: HashMap<DocKey, Option<Vec<u8>>>,
        found: &mut NamespaceDiff,
        out: &mut Out<'_>,
    ) -> Result<()> {
        loop {
            changed.retain(|_, kept| kept.is_none());
            if changed.is_empty() {
                return Ok(());
            }
            if out.sink.is_full(self.ns) {
                out.sink.passed_over(self.ns);
                return changed
                    .keys()
                    .try_for_each(|key| self.count(found, out, Fate::ChangesBack, Some(*key)).map(|_| ()));
            }
            let mut held = 0;
            each(self.now, now, &mut |doc| {
                if let Some(kept) = key_of(doc).and_then(|key| changed.get_mut(&key)) {
                    *kept = self.fits(out, doc, &mut held).then(|| doc.to_vec());
                }
                Ok(())
            })?;
            each(self.then, then, &mut |doc| match key_of(doc).and_then(|key| changed.get(&key)) {
                Some(Some(now)) => self.note(found, out, Some(doc), Some(now)),
                _ => Ok(()),
            })?;
        }
    }

    /// Whether a document is to be held, for somebody wants it and there is room; one always fits.
    fn fits(&self, out: &Out<'_>, doc: &[u8], held: &mut usize) -> bool {
        let fits = *held == 0 || *held + doc.len() <= out.memory.for_documents();
        let wanted = fits && !out.sink.is_full(self.ns);
        *held += if wanted { doc.len() } else { 0 };
        wanted
    }

    /// Counts one document; whether it is a conflict.
    fn count(
        &self,
        found: &mut NamespaceDiff,
        out: &Out<'_>,
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
        let conflict = self.count(found, out, fate, then.or(now).and_then(key_of))?;
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

/// Streams all documents of one collection of a state.
pub fn each(state: &Folded<'_>, at: usize, sink: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
    for chunk in 0..state.chunks(at) {
        state.emit(at, chunk, sink)?;
    }
    state.finish(at)
}
