//! Spilled effects after the walk: checked, joined with the snapshot, and looked at by key.

use std::ops::{Range, RangeInclusive};

use super::filter::Filter;
use super::places::Places;
use super::record::{Record, What};
use super::runs::{Group, Merge, Runs, Writer};
use super::{Set, Written};
use crate::domain::{Position, Result};
use crate::engine::bson::Doc;
use crate::engine::effects::{Effects, Net, Origin, Patch};
use crate::engine::fold::update_of_gone;
use crate::engine::input::Region;
use crate::engine::key::DocKey;
use crate::engine::state::documents;

/// The filter takes at most this part of the memory.
const FILTER_PART: usize = 8;
/// Records that wait to be sorted take at most this part.
const SORT_PART: usize = 4;

/// A collection that is still there at the end.
pub(in crate::engine) struct Living<'c, 'a> {
    pub set: Set,
    /// Whether the order of its inserts is part of the state.
    pub ordered: bool,
    /// The snapshot's documents.
    pub base: &'c [&'a Region],
}

/// What is known of a set as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::engine) struct Facts {
    /// Documents that were inserted and are there.
    pub inserted: u64,
    /// Documents of the snapshot.
    pub base: u64,
    /// The first write of a document whose content the log does not tell.
    pub untold: Option<Position>,
    /// About how many records there are.
    pub records: u64,
    /// The keys of what was inserted, in that order.
    pub list: Option<Set>,
}

/// An update of a document that an operation of an older run deleted.
struct UpdateOfGone {
    pos: Position,
}

/// All that was spilled, to be read by any number of threads.
#[derive(Debug)]
pub struct Spilled<'a> {
    runs: Runs,
    places: Places<'a>,
    filter: Filter,
}

/// What happened to one document, wherever that is kept.
#[derive(Debug)]
pub struct Touched<'s, 'a> {
    /// Which one.
    pub key: DocKey,
    /// What lies under the updates.
    pub origin: Origin<'a>,
    /// See [`Net::as_logged`].
    pub as_logged: bool,
    /// See [`Net::inserted`].
    pub inserted: u64,
    /// See [`Effects::placed`].
    pub placed: Option<Position>,
    /// What the snapshot has under this key, as far as it was looked for.
    pub base: Vec<Doc<'a>>,
    chain: Chain<'s, 'a>,
}

#[derive(Debug)]
enum Chain<'s, 'a> {
    Held(&'s Effects<'a>, Net<'a>),
    Spilled(&'s Spilled<'a>, Vec<Range<usize>>),
}

impl<'s, 'a> Touched<'s, 'a> {
    /// From effects in memory.
    pub(in crate::engine) fn held(
        key: DocKey,
        effects: &'s Effects<'a>,
        (number, net): (usize, &Net<'a>),
    ) -> Self {
        Touched {
            key,
            origin: net.origin,
            as_logged: net.as_logged,
            inserted: net.inserted,
            placed: effects.placed(number),
            base: Vec::new(),
            chain: Chain::Held(effects, *net),
        }
    }

    /// Hands over the updates, oldest first.
    pub fn updates(&self, each: &mut dyn FnMut(Patch<'a>) -> Result<()>) -> Result<()> {
        match &self.chain {
            Chain::Held(effects, net) => effects.chain(net).try_for_each(|patch| each(*patch)),
            Chain::Spilled(spilled, parts) => parts.iter().flat_map(Clone::clone).try_for_each(|at| {
                let record = spilled.runs.record(at)?;
                each(Patch::new(spilled.places.doc(record.place)?, Position::from_u64(record.number)))
            }),
        }
    }

    /// Where the newest update stands.
    pub fn last_update(&self) -> Result<Option<Position>> {
        match &self.chain {
            Chain::Held(effects, net) => Ok(effects.last_update(net).map(|patch| patch.pos)),
            Chain::Spilled(spilled, parts) => spilled.position(parts.last().map(|part| part.end - 1)),
        }
    }

    /// Where the oldest update stands.
    pub fn first_update(&self) -> Result<Option<Position>> {
        match &self.chain {
            Chain::Held(effects, net) => Ok(effects.chain(net).next().map(|patch| patch.pos)),
            Chain::Spilled(spilled, parts) => spilled.position(parts.first().map(|part| part.start)),
        }
    }
}

impl<'a> Spilled<'a> {
    /// Ends the writing: checks what only all runs together can tell, looks up which documents of
    /// the snapshot are touched, and lists what was inserted where the order counts. `memory` is
    /// what that may take. The facts are in the order of `living`.
    pub(in crate::engine) fn new(
        written: Written<'a>,
        living: &[Living<'_, 'a>],
        memory: usize,
    ) -> Result<(Spilled<'a>, Vec<Facts>)> {
        let Written { mut writer, places, mut sets } = written;
        let runs = writer.read()?;
        let mut at_set: Vec<Option<usize>> = vec![None; sets as usize];
        let mut facts = vec![Facts::default(); living.len()];
        for (at, one) in living.iter().enumerate() {
            if let Some(slot) = at_set.get_mut(one.set.0 as usize) {
                *slot = Some(at);
            }
            if let Some(facts) = facts.get_mut(at).filter(|_| one.ordered) {
                facts.list = Some(Set(sets));
                sets += 1;
            }
        }
        let filter = Filter::new(runs.len() as u64, memory / FILTER_PART);
        let mut spilled = Spilled { runs, places, filter };
        let mut waiting = Waiting { records: Vec::new(), most: memory / SORT_PART };
        let mut wrong: Option<UpdateOfGone> = None;
        let mut group = Group::default();
        {
            let Spilled { runs, places, filter } = &mut spilled;
            let mut merge = runs.merge_all()?;
            while let Some((set, key)) = merge.next(&mut group)? {
                let key = DocKey::from_bits(key);
                let found = match look(runs, places, &group)? {
                    Ok(found) => found,
                    Err(here) => {
                        wrong = wrong.filter(|first| first.pos < here.pos).or(Some(here));
                        continue;
                    }
                };
                let at = at_set.get(set.0 as usize).copied().flatten();
                let Some(facts) = at.and_then(|at| facts.get_mut(at)) else { continue };
                filter.add(set, key);
                facts.records += group.parts.iter().map(|part| part.len() as u64).sum::<u64>();
                let untold = found.untold.into_iter().chain(facts.untold).min();
                facts.untold = untold;
                if found.inserted > 0 && matches!(found.origin, Origin::Put(_)) {
                    facts.inserted += 1;
                    if let Some(list) = facts.list {
                        waiting.add(Record::listed(list, found.inserted, key), &mut writer)?;
                    }
                }
            }
        }
        if let Some(UpdateOfGone { pos }) = wrong {
            return update_of_gone(pos.to_string()).err();
        }
        for (one, facts) in living.iter().zip(&mut facts) {
            for doc in one.base.iter().flat_map(|region| documents(region)) {
                let doc = doc?;
                facts.base += 1;
                let Some(key) = doc.get("_id").map(DocKey::of) else { continue };
                if spilled.filter.may_have(one.set, key) {
                    let place = spilled.places.of(doc)?;
                    let record = Record { set: one.set, key: key.bits(), what: What::Base, place, number: 0 };
                    facts.records += 1;
                    waiting.add(record, &mut writer)?;
                }
            }
        }
        writer.run_of(&mut waiting.records)?;
        spilled.runs = writer.read()?;
        Ok((spilled, facts))
    }

    /// Whether a document of the snapshot is among what comes with [`Spilled::touches`]; if not,
    /// nothing has touched it.
    pub fn may_touch(&self, set: Set, key: DocKey) -> bool {
        self.filter.may_have(set, key)
    }

    /// What happened to the documents in a range of keys, in the order of their keys.
    pub fn touches(&self, set: Set, keys: RangeInclusive<u128>) -> Result<Touches<'_, 'a>> {
        Ok(Touches { spilled: self, merge: Some(self.runs.merge(set, keys)?), group: Group::default() })
    }

    /// No document at all.
    pub fn nothing(&self) -> Touches<'_, 'a> {
        Touches { spilled: self, merge: None, group: Group::default() }
    }

    /// What happened to one document.
    pub fn get(&self, set: Set, key: DocKey) -> Result<Option<Touched<'_, 'a>>> {
        if !self.may_touch(set, key) {
            return Ok(None);
        }
        self.touches(set, key.bits()..=key.bits())?.next()
    }

    /// The keys in a list, in its order.
    pub(in crate::engine) fn listed(
        &self,
        list: Set,
        each: &mut dyn FnMut(DocKey) -> Result<()>,
    ) -> Result<()> {
        let mut merge = self.runs.merge(list, 0..=u128::MAX)?;
        let mut group = Group::default();
        while merge.next(&mut group)?.is_some() {
            for at in group.parts.iter().flat_map(Clone::clone) {
                each(self.runs.record(at)?.listed_key())?;
            }
        }
        Ok(())
    }

    fn position(&self, at: Option<usize>) -> Result<Option<Position>> {
        at.map(|at| Ok(Position::from_u64(self.runs.record(at)?.number))).transpose()
    }
}

/// Documents in the order of their keys.
pub struct Touches<'s, 'a> {
    spilled: &'s Spilled<'a>,
    merge: Option<Merge<'s>>,
    group: Group,
}

impl<'s, 'a> Touches<'s, 'a> {
    /// The next one.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Result<Option<Touched<'s, 'a>>> {
        let Some(merge) = &mut self.merge else { return Ok(None) };
        let Some((_, key)) = merge.next(&mut self.group)? else { return Ok(None) };
        let spilled = self.spilled;
        // What is wrong was found when the writing ended.
        let Ok(found) = look(&spilled.runs, &spilled.places, &self.group)? else { return Ok(None) };
        Ok(Some(Touched {
            key: DocKey::from_bits(key),
            origin: found.origin,
            as_logged: found.as_logged,
            inserted: found.inserted,
            placed: found.placed,
            base: found.base,
            chain: Chain::Spilled(spilled, found.chain),
        }))
    }
}

/// What the records of one key come to.
struct Found<'a> {
    origin: Origin<'a>,
    as_logged: bool,
    inserted: u64,
    placed: Option<Position>,
    untold: Option<Position>,
    base: Vec<Doc<'a>>,
    chain: Vec<Range<usize>>,
}

/// The same as [`Effects`] does in memory, over what each run knows for itself.
fn look<'a>(runs: &Runs, places: &Places<'a>, group: &Group) -> Result<Result<Found<'a>, UpdateOfGone>> {
    let mut found = Found {
        origin: Origin::Snapshot,
        as_logged: false,
        inserted: 0,
        placed: None,
        untold: None,
        base: Vec::new(),
        chain: Vec::new(),
    };
    // What was known before the last time that something was put.
    let mut before = (Origin::Snapshot, 0, None);
    for at in group.parts.iter().flat_map(Clone::clone) {
        let record = runs.record(at)?;
        let pos = Position::from_u64(record.number);
        match record.what {
            What::Base => found.base.push(places.doc(record.place)?),
            What::Put | What::PutAsLogged | What::Gone => {
                before = (found.origin, found.inserted, found.placed);
                found.origin = match record.what {
                    What::Gone => Origin::Gone,
                    _ => Origin::Put(places.doc(record.place)?),
                };
                found.as_logged = record.what == What::PutAsLogged;
                if record.number > 0 {
                    found.inserted = record.number;
                    found.placed = None;
                }
                found.untold = None;
                found.chain.clear();
            }
            What::Placed => match before {
                (Origin::Put(_), inserted, placed) => {
                    found.inserted = inserted;
                    found.placed = placed;
                }
                (Origin::Snapshot, ..) => found.placed = Some(pos),
                (Origin::Gone, ..) => found.placed = None,
            },
            What::Untold => found.untold = Some(pos),
            What::Update if found.origin == Origin::Gone => return Ok(Err(UpdateOfGone { pos })),
            What::Update => match found.chain.last_mut().filter(|part| part.end == at) {
                Some(part) => part.end += 1,
                None => found.chain.push(at..at + 1),
            },
            What::Listed => {}
        }
    }
    Ok(Ok(found))
}

/// Records that are not sorted yet.
struct Waiting {
    records: Vec<Record>,
    most: usize,
}

impl Waiting {
    fn add(&mut self, record: Record, writer: &mut Writer) -> Result<()> {
        self.records.push(record);
        // Room for as many again is taken when it runs out.
        if self.records.len() * 2 * size_of::<Record>() >= self.most {
            writer.run_of(&mut self.records)?;
        }
        Ok(())
    }
}
