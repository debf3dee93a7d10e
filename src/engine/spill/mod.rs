//! Net effects that memory has no room for: written down sorted, and merged again where they are
//! read.
//!
//! When a fold holds as much as it may, the effects of all collections go to the scratch as one
//! run, sorted by collection and key, and memory is empty again. What became of one document is
//! then what the runs say about its key, the older ones first; any range of keys can be merged by
//! any thread at any time, without memory that grows with what was spilled: [`runs`]. Bodies are
//! never copied; a record names the place of one in the mapped files: [`places`].
//!
//! Knows nothing of folders and disks: whoever asks for a bounded fold gives a [`Scratch`].

mod filter;
mod keys;
mod places;
mod record;
mod runs;
mod spilled;

use std::fmt;
use std::sync::Arc;

use super::effects::{Effects, Origin};
use super::input::Region;
use crate::domain::Result;
use places::Places;
use record::{Record, What};
use runs::Writer;

pub use keys::KeySet;
pub(super) use spilled::{Facts, Living};
pub use spilled::{Spilled, Touched, Touches};

/// A file for what memory has no room for. It is gone when nobody holds it any more.
pub trait Scratch: fmt::Debug + Send + Sync {
    /// Writes behind what is there; an error when the disk has no room.
    fn append(&self, bytes: &[u8]) -> Result<()>;

    /// All that has been written so far.
    fn read(&self) -> Result<Region>;
}

/// How much memory a fold may take, and where the rest goes.
pub struct Bound<'a> {
    /// Bytes of effects that are held at most.
    pub bytes: usize,
    /// Whether everything is spilled at the end, however little it is.
    pub always: bool,
    /// Where to.
    pub scratch: Arc<dyn Scratch>,
    /// The files that operations lie in.
    pub oplog: Vec<&'a Region>,
}

/// The effects of a collection, as the runs know them: those of another collection of the same
/// name, or of this one before it was emptied, have another number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Set(u32);

/// What a fold has spilled so far.
pub struct Spill<'a> {
    bytes: usize,
    always: bool,
    places: Places<'a>,
    writer: Writer,
    sets: u32,
    /// What is held now, about.
    held: usize,
    /// Effects of collections that are gone, of which a part has been written: the rest must
    /// follow, so that what is wrong with them is found as it is without a bound.
    retired: Vec<Effects<'a>>,
}

impl<'a> Spill<'a> {
    /// Nothing so far. `base` is where the documents of the snapshot lie.
    pub fn new(bound: Bound<'a>, base: impl Iterator<Item = &'a Region>) -> Self {
        Spill {
            bytes: bound.bytes,
            always: bound.always,
            places: Places::new(bound.oplog.into_iter().chain(base)),
            writer: Writer::new(bound.scratch),
            sets: 0,
            held: 0,
            retired: Vec::new(),
        }
    }

    /// What it may hold.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes note that effects have grown by about so many bytes. True when they must be written.
    pub fn grow(&mut self, bytes: usize) -> bool {
        self.held += bytes;
        self.held > self.bytes
    }

    /// Keeps what is left of effects that are gone, where it has to be.
    pub fn retire(&mut self, effects: Effects<'a>) {
        if effects.set.is_some() && !effects.is_empty() {
            self.retired.push(effects);
        }
    }

    /// Writes the effects of all collections down, unless they turn out to be few: those of
    /// collections that are gone count no more.
    pub fn relieve<'e>(&mut self, all: impl Iterator<Item = &'e mut Effects<'a>>) -> Result<()>
    where
        'a: 'e,
    {
        let mut all: Vec<&mut Effects<'a>> = all.collect();
        self.held = all.iter().map(|e| e.cost()).chain(self.retired.iter().map(Effects::cost)).sum();
        if self.held > self.bytes / 2 {
            self.write(&mut all)?;
        }
        Ok(())
    }

    /// Ends the walk. Without anything spilled the effects stay where they are: `None`.
    pub fn finish<'e>(mut self, all: impl Iterator<Item = &'e mut Effects<'a>>) -> Result<Option<Written<'a>>>
    where
        'a: 'e,
    {
        if self.writer.is_empty() && !self.always {
            return Ok(None);
        }
        self.write(&mut all.collect::<Vec<_>>())?;
        Ok(Some(Written { writer: self.writer, places: self.places, sets: self.sets }))
    }

    /// One run of everything.
    fn write(&mut self, all: &mut [&mut Effects<'a>]) -> Result<()> {
        let mut retired = std::mem::take(&mut self.retired);
        let mut all: Vec<&mut Effects<'a>> =
            all.iter_mut().map(|e| &mut **e).chain(&mut retired).filter(|e| !e.is_empty()).collect();
        for effects in &mut all {
            let sets = &mut self.sets;
            effects.set.get_or_insert_with(|| {
                *sets += 1;
                Set(*sets - 1)
            });
        }
        all.sort_by_key(|effects| effects.set);
        for effects in all {
            self.write_set(effects)?;
            effects.forget();
        }
        self.writer.end_run()?;
        self.held = 0;
        Ok(())
    }

    fn write_set(&mut self, effects: &Effects<'a>) -> Result<()> {
        let Some(set) = effects.set else { return Ok(()) };
        let mut keys: Vec<_> = effects.keys().collect();
        keys.sort_unstable();
        for (key, number) in keys {
            let Some(net) = effects.nets().get(number) else { continue };
            let record = |what, place, number| Record { set, key: key.bits(), what, place, number };
            match net.origin {
                Origin::Snapshot => {}
                Origin::Put(body) => {
                    let what = if net.as_logged { What::PutAsLogged } else { What::Put };
                    self.writer.push(&record(what, self.places.of(body)?, net.inserted))?;
                    let notes =
                        [(What::Placed, effects.placed(number)), (What::Untold, effects.untold_at(number))];
                    for (what, pos) in notes {
                        if let Some(pos) = pos {
                            self.writer.push(&record(what, 0, pos.to_u64()))?;
                        }
                    }
                }
                Origin::Gone => self.writer.push(&record(What::Gone, 0, net.inserted))?,
            }
            for patch in effects.chain(net) {
                let place = self.places.of(patch.o)?;
                self.writer.push(&record(What::Update, place, patch.pos.to_u64()))?;
            }
        }
        Ok(())
    }
}

/// Everything that a walk has spilled.
pub struct Written<'a> {
    writer: Writer,
    places: Places<'a>,
    /// How many numbers of sets are taken.
    sets: u32,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::path::Path;
    use std::sync::Mutex;

    use proptest::prelude::*;

    use super::*;
    use crate::domain::Position;
    use crate::engine::effects::Way;
    use crate::engine::key::DocKey;

    /// A scratch in memory.
    #[derive(Debug, Default)]
    pub struct Held(Mutex<Vec<u8>>);

    impl Scratch for Held {
        fn append(&self, bytes: &[u8]) -> Result<()> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(())
        }

        fn read(&self) -> Result<Region> {
            Ok(Region::new(Arc::new(self.0.lock().unwrap().clone()), Arc::from(Path::new("held"))))
        }
    }

    /// What somebody does to one of a few documents.
    #[derive(Debug, Clone, Copy)]
    enum Deed {
        Insert(Way),
        Replace(Way),
        Update,
        Delete,
    }

    fn deed() -> impl Strategy<Value = Deed> {
        let way = || prop_oneof![Just(Way::Plain), Just(Way::Sent)];
        prop_oneof![
            way().prop_map(Deed::Insert),
            way().prop_map(Deed::Replace),
            Just(Deed::Update),
            Just(Deed::Delete),
        ]
    }

    /// `{}`, or `{t: Timestamp(0, 0)}`, for which a server may store its clock.
    const BODIES: [&[u8]; 2] = [&[5, 0, 0, 0, 0], &[16, 0, 0, 0, 0x11, b't', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]];

    proptest! {
        #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

        /// Wherever the log is cut into runs, they come to what memory alone comes to.
        #[test]
        fn runs_come_to_what_memory_comes_to(
            deeds in prop::collection::vec((0u8..3, deed(), 0usize..2, any::<bool>()), 1..40)
        ) {
            let bytes: Vec<u8> = deeds.iter().flat_map(|(_, _, body, _)| BODIES[*body].to_vec()).collect();
            let region = Region::new(Arc::new(bytes), Arc::from(Path::new("made up")));
            let bound =
                Bound { bytes: 0, always: true, scratch: Arc::new(Held::default()), oplog: vec![&region] };
            let mut spill = Spill::new(bound, std::iter::empty());
            let (mut held, mut parts) = (Effects::default(), Effects::default());
            let mut at = 0;
            let key = |n: u8| DocKey::from_bits(u128::from(n) << 90);
            for (number, (which, deed, body, cut)) in (1u32..).zip(&deeds) {
                let body_at = at;
                at += BODIES[*body].len();
                let doc = crate::engine::bson::Doc::first(&region.bytes()[body_at..]).unwrap();
                let pos = Position::new(1, number);
                let key = key(*which);
                let gone = held.get(key).is_some_and(|(_, net)| net.origin == Origin::Gone);
                let both = [&mut held, &mut parts];
                match deed {
                    Deed::Insert(way) => both.into_iter().for_each(|e| e.insert(key, doc, *way, pos)),
                    // What is gone is neither replaced nor updated in a sound log.
                    Deed::Replace(_) if gone => {}
                    Deed::Replace(way) => both.into_iter().for_each(|e| e.replace(key, doc, *way, pos)),
                    Deed::Delete => both.into_iter().for_each(|e| e.delete(key)),
                    Deed::Update => {
                        prop_assert_eq!(held.update(key, doc, pos).is_err(), gone);
                        if !gone {
                            parts.update(key, doc, pos).unwrap();
                        }
                    }
                }
                if *cut {
                    spill.write(&mut [&mut parts]).unwrap();
                }
            }
            let written = spill.finish([&mut parts].into_iter()).unwrap().unwrap();
            let living = [Living { set: parts.set.unwrap(), ordered: true, base: &[] }];
            let (spilled, facts) = Spilled::new(written, &living, 1 << 20).unwrap();
            let (mut order, mut untold) = (Vec::new(), Vec::new());
            for which in 0..3 {
                let found = spilled.get(living[0].set, key(which)).unwrap();
                let Some((number, net)) = held.get(key(which)) else {
                    prop_assert!(found.is_none());
                    continue;
                };
                let found = found.unwrap();
                prop_assert_eq!(found.origin, net.origin);
                let mut chain = Vec::new();
                found.updates(&mut |patch| { chain.push(patch.pos); Ok(()) }).unwrap();
                prop_assert_eq!(chain, held.chain(net).map(|patch| patch.pos).collect::<Vec<_>>());
                if let Origin::Put(_) = net.origin {
                    prop_assert_eq!(found.as_logged, net.as_logged);
                    prop_assert_eq!(found.inserted > 0, net.inserted > 0);
                    prop_assert_eq!(found.placed, held.placed(number));
                    untold.extend(held.untold_at(number));
                    if net.inserted > 0 {
                        order.push((net.inserted, key(which)));
                    }
                }
            }
            order.sort_unstable();
            let mut listed = Vec::new();
            spilled.listed(facts[0].list.unwrap(), &mut |key| { listed.push(key); Ok(()) }).unwrap();
            prop_assert_eq!(listed, order.into_iter().map(|(_, key)| key).collect::<Vec<_>>());
            prop_assert_eq!(facts[0].untold, untold.into_iter().min());
        }
    }
}
