//! Capped collections, whose natural order is part of the state: what the snapshot has and
//! nothing inserted again, then every insert of the oplog in its order (an insert inside the
//! window may be in the snapshot already; its order is that of the log).

use std::collections::BTreeSet;

use super::{Stored, documents, touched};
use crate::domain::{Error, Position, Result};
use crate::engine::bson::Doc;
use crate::engine::catalog::Collection;
use crate::engine::effects::Origin;
use crate::engine::key::DocKey;
use crate::engine::spill::{Spilled, Touched};

/// A document of a capped collection.
pub(super) enum Item<'s, 'a> {
    /// As the snapshot has it.
    Untouched(Doc<'a>),
    /// In the place of the snapshot's: that or what was put there, and what happened to it.
    Changed(Doc<'a>, Touched<'s, 'a>),
    /// From the oplog.
    Inserted(Doc<'a>, Touched<'s, 'a>),
}

/// The numbers of the documents that were inserted and are there, in the order of the inserts;
/// without those that keep the place they have in the snapshot.
pub(super) fn inserted(coll: &Collection<'_>) -> Result<Vec<u32>> {
    let effects = &coll.effects;
    let mut in_place = BTreeSet::new();
    if !effects.none_placed() {
        for doc in coll.base.iter().flat_map(|region| documents(region)) {
            let found = doc?.get("_id").and_then(|id| effects.get(DocKey::of(id)));
            in_place.extend(
                found.map(|(number, _)| number as u32).filter(|n| effects.placed(*n as usize).is_some()),
            );
        }
    }
    let mut inserted: Vec<(u64, u32)> = (0u32..)
        .zip(effects.nets())
        .filter(|(number, net)| net.inserted > 0 && net.origin != Origin::Gone && !in_place.contains(number))
        .map(|(number, net)| (net.inserted, number))
        .collect();
    inserted.sort_unstable();
    Ok(inserted.into_iter().map(|(_, number)| number).collect())
}

/// Hands over the documents in natural order. No list of them is ever made.
pub(super) fn in_order<'s, 'a>(
    stored: &'s Stored<'a>,
    spilled: Option<&'s Spilled<'a>>,
    each: &mut dyn FnMut(Item<'s, 'a>) -> Result<()>,
) -> Result<()> {
    let Some(coll) = &stored.coll else { return Ok(()) };
    for doc in coll.base.iter().flat_map(|region| documents(region)) {
        let doc = doc?;
        let found = match doc.get("_id") {
            Some(id) => touched(coll, spilled, DocKey::of(id))?,
            None => None,
        };
        match found {
            None => each(Item::Untouched(doc))?,
            Some(touched) if touched.inserted > 0 && touched.placed.is_none() => {}
            Some(touched) => match touched.origin {
                Origin::Gone => {}
                Origin::Put(body) => each(Item::Changed(body, touched))?,
                Origin::Snapshot => each(Item::Changed(doc, touched))?,
            },
        }
    }
    let key = DocKey::from_bits(0);
    for number in stored.inserted.iter().map(|&number| number as usize) {
        let Some(net) = coll.effects.nets().get(number) else { continue };
        if let Origin::Put(body) = net.origin {
            each(Item::Inserted(body, Touched::held(key, &coll.effects, (number, net))))?;
        }
    }
    let Some((spilled, list)) = spilled.zip(stored.facts.list) else { return Ok(()) };
    spilled.listed(list, &mut |key| match touched(coll, Some(spilled), key)? {
        // One that keeps its place has come already.
        Some(touched) if touched.placed.is_some() && !touched.base.is_empty() => Ok(()),
        Some(touched) => match touched.origin {
            Origin::Put(body) => each(Item::Inserted(body, touched)),
            _ => Ok(()),
        },
        None => Ok(()),
    })
}

/// How many documents at the front are not there any more, and how many are. With silent eviction
/// the longest run of newest documents that fits is kept, as the server keeps it.
///
/// An error where it is not known whether a document was there before it was inserted: inside
/// the window up to `edge`.
pub(super) fn evicted<'a>(
    stored: &Stored<'a>,
    spilled: Option<&Spilled<'a>>,
    silent: bool,
    edge: Position,
) -> Result<(u64, u64)> {
    let size = |item: &Item<'_, 'a>| match item {
        Item::Untouched(doc) | Item::Changed(doc, _) | Item::Inserted(doc, _) => doc.bytes().len() as i64,
    };
    let (mut bytes, mut count) = (0i64, 0i64);
    in_order(stored, spilled, &mut |item| {
        bytes += size(&item);
        count += 1;
        match &item {
            Item::Changed(_, touched) => refuse_unknown_place(stored, touched.placed, edge),
            _ => Ok(()),
        }
    })?;
    let limit = |name: &str| {
        let option = stored.coll.as_ref().and_then(|coll| coll.option(name).and_then(|e| e.as_i64()));
        option.filter(|&n| silent && n > 0).unwrap_or(i64::MAX)
    };
    let (most_bytes, most) = (limit("size"), limit("max"));
    let mut skip = 0i64;
    if bytes > most_bytes || count > most {
        in_order(stored, spilled, &mut |item| {
            if bytes > most_bytes || count - skip > most {
                bytes -= size(&item);
                skip += 1;
            }
            Ok(())
        })?;
    }
    Ok((skip as u64, (count - skip) as u64))
}

fn refuse_unknown_place(stored: &Stored<'_>, placed: Option<Position>, edge: Position) -> Result<()> {
    let (Some(coll), Some(pos)) = (&stored.coll, placed.filter(|pos| *pos <= edge)) else { return Ok(()) };
    Error::inexact(
        "joining snapshot and oplog at",
        format!("{pos} {}", coll.ns),
        "somebody's applyOps wrote a document of this capped collection while the snapshot \
         was taken; whether it was there before, and where, is not known",
    )
    .hint("choose another snapshot with --snapshot.")
    .err()
}
