//! Streaming chunks, and what turns out to be missing meanwhile.

use std::ops::RangeInclusive;
use std::sync::atomic::Ordering;

use super::body::build;
use super::order::{Item, in_order};
use super::{Folded, Stored, documents};
use crate::domain::{Position, Result};
use crate::engine::bson::Doc;
use crate::engine::catalog::Collection;
use crate::engine::effects::{NONE, Origin as From};
use crate::engine::input::Region;
use crate::engine::key::DocKey;
use crate::engine::output::Sink;
use crate::engine::spill::{Spilled, Touched};

impl<'a> Folded<'a> {
    pub(super) fn emit_base(
        &self,
        stored: &Stored<'a>,
        coll: &Collection<'a>,
        region: &Region,
        sink: &mut Sink<'_>,
    ) -> Result<()> {
        let spilled = self.spilled.as_ref().zip(coll.effects.set);
        for doc in documents(region) {
            let doc = doc?;
            if let Some((spilled, set)) = spilled {
                // The others come with their keys.
                if !doc.get("_id").is_some_and(|id| spilled.may_touch(set, DocKey::of(id))) {
                    sink(doc.bytes())?;
                }
                continue;
            }
            if coll.effects.is_empty() {
                sink(doc.bytes())?;
                continue;
            }
            let key = doc.get("_id").map(DocKey::of);
            match key.and_then(|key| Some((key, coll.effects.get(key)?))) {
                None => sink(doc.bytes())?,
                Some((key, (number, net))) if net.origin == From::Snapshot => {
                    stored.saw(number);
                    sink(&build(coll, &Touched::held(key, &coll.effects, (number, net)), doc)?)?;
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    pub(super) fn emit_keys(
        &self,
        stored: &Stored<'a>,
        coll: &Collection<'a>,
        keys: &RangeInclusive<u128>,
        sink: &mut Sink<'_>,
    ) -> Result<()> {
        let Some((spilled, set)) = self.spilled.as_ref().zip(coll.effects.set) else { return Ok(()) };
        let mut touches = spilled.touches(set, keys.clone())?;
        while let Some(touched) = touches.next()? {
            match touched.origin {
                From::Gone => {}
                From::Put(body) => emit_put(coll, &touched, body, sink)?,
                From::Snapshot => {
                    stored.look_for(&touched)?;
                    for &doc in &touched.base {
                        sink(&build(coll, &touched, doc)?)?;
                    }
                }
            }
        }
        Ok(())
    }

    pub(super) fn emit_in_order(
        &self,
        stored: &Stored<'a>,
        coll: &Collection<'a>,
        skip: u64,
        sink: &mut Sink<'_>,
    ) -> Result<()> {
        let mut at = 0;
        in_order(stored, self.spilled.as_ref(), &mut |item| {
            at += 1;
            if at <= skip {
                return Ok(());
            }
            match item {
                Item::Untouched(doc) => sink(doc.bytes()),
                Item::Changed(doc, touched) => {
                    if let Some((number, _)) = coll.effects.get(touched.key) {
                        stored.saw(number);
                    }
                    sink(&build(coll, &touched, doc)?)
                }
                Item::Inserted(body, touched) => emit_put(coll, &touched, body, sink),
            }
        })
    }
}

pub(super) fn emit_put<'a>(
    coll: &Collection<'a>,
    touched: &Touched<'_, 'a>,
    body: Doc<'a>,
    sink: &mut Sink<'_>,
) -> Result<()> {
    if touched.first_update()?.is_none() && (touched.as_logged || body.starts_with_id()) {
        return sink(body.bytes());
    }
    sink(&build(coll, touched, body)?)
}

impl<'a> Stored<'a> {
    /// The snapshot has a document that is patched.
    fn saw(&self, number: usize) {
        if let Some(seen) = self.seen.get(number) {
            seen.store(true, Ordering::Relaxed);
        }
    }

    /// Takes note if a document that is patched is not in the snapshot.
    fn look_for(&self, touched: &Touched<'_, 'a>) -> Result<()> {
        if touched.base.is_empty()
            && touched.origin == From::Snapshot
            && let Some(pos) = touched.first_update()?
        {
            self.missing.fetch_min(pos.to_u64(), Ordering::Relaxed);
        }
        Ok(())
    }

    /// The first update of a document that must have been in the snapshot and was not.
    pub(super) fn first_missing(
        &self,
        coll: &Collection<'a>,
        spilled: Option<&Spilled<'a>>,
    ) -> Result<Option<Position>> {
        if let Some((spilled, set)) = spilled.zip(coll.effects.set) {
            if self.facts.list.is_some() {
                let mut touches = spilled.touches(set, 0..=u128::MAX)?;
                while let Some(touched) = touches.next()? {
                    self.look_for(&touched)?;
                }
            }
            let missing = self.missing.load(Ordering::Relaxed);
            return Ok((missing != u64::MAX).then(|| Position::from_u64(missing)));
        }
        let missing = coll.effects.nets().iter().zip(&self.seen).find(|(net, seen)| {
            net.origin == From::Snapshot && net.chain != NONE && !seen.load(Ordering::Relaxed)
        });
        Ok(missing.map(|(net, _)| coll.effects.chain(net).next().map(|p| p.pos).unwrap_or_default()))
    }
}
