//! Collections by identity. A collection is its UUID; names, options and indexes are what DDL
//! moves along, and views are entries in a list. Reference 1.4, 1.9, 5.1, 5.2.
//!
//! Inside a snapshot's own window the catalog may already be newer than the operation that is
//! replayed, so the same name may belong to several UUIDs for a while; where the state is read,
//! names must be unique again ([`Catalog::check`]).

use std::collections::{BTreeMap, HashMap};

use super::bson::{Doc, Elem};
use super::build::Builder;
use super::effects::Effects;
use super::indexes::{Indexes, from_buckets};
use super::input::{Base, BaseCollection, CollectionKind, Region};
use crate::domain::{Namespace, Position};

/// Identity of a collection: its number in the catalog, for as long as the fold lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CollId(u32);

/// How a collection came to be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// The snapshot lists it.
    Listed,
    /// By its `create` in the oplog: all it holds is in the oplog too.
    Created,
    /// Written to before anything created it: its `drop` must follow inside the window.
    Phantom {
        /// The first operation on it.
        since: Position,
    },
}

/// One collection. A time series is its `system.buckets.X`.
#[derive(Debug, Clone)]
pub struct Collection<'a> {
    /// Its name now.
    pub ns: Namespace,
    /// Its UUID, where it is known.
    pub uuid: Option<[u8; 16]>,
    /// Its options, as listCollections would show them.
    pub options: Vec<u8>,
    /// Its indexes.
    pub indexes: Indexes,
    /// The snapshot's documents.
    pub base: Vec<&'a Region>,
    /// What the oplog did to them.
    pub effects: Effects<'a>,
    /// Whether it is still there.
    pub alive: bool,
    /// How it came to be known.
    pub known: Known,
    /// Where it was renamed inside the snapshot's window although it is older than the window: a
    /// dump lists and reads by name, so its documents may have been missed, or be another's.
    pub renamed: Option<Position>,
}

impl Collection<'_> {
    /// An option.
    pub fn option(&self, name: &str) -> Option<Elem<'_>> {
        Doc::new(&self.options).ok()?.get(name)
    }

    /// Whether natural order is part of its state.
    pub fn is_capped(&self) -> bool {
        self.option("capped").is_some_and(|e| e.is_truthy())
    }

    /// A temporary collection (of `$out`, of a conversion) that got its final name.
    pub fn make_permanent(&mut self) {
        if self.option("temp").is_none() {
            return;
        }
        let mut options = Builder::new();
        if let Ok(old) = Doc::new(&self.options) {
            old.iter().map_while(Result::ok).filter(|e| e.name != b"temp").for_each(|e| options.copy(&e));
        }
        self.options = options.finish();
    }

    fn meta_field(&self) -> Option<&str> {
        self.option("timeseries")?.as_doc()?.get("metaField")?.as_str()
    }

    /// Adds an index as the oplog has it.
    pub fn add_index(&mut self, spec: Doc<'_>) {
        if self.ns.timeseries_of_buckets().is_some()
            && let Some(own) = from_buckets(spec, self.meta_field())
            && let Ok(own) = Doc::new(&own)
        {
            self.indexes.add(own);
            return;
        }
        self.indexes.add(spec);
    }
}

/// All collections and views at one point of the oplog.
#[derive(Debug, Clone, Default)]
pub struct Catalog<'a> {
    collections: Vec<Collection<'a>>,
    by_uuid: HashMap<[u8; 16], CollId>,
    views: BTreeMap<Namespace, Vec<u8>>,
}

impl<'a> Catalog<'a> {
    /// The catalog of a snapshot.
    pub fn new(base: &'a Base, extra: &'a [BaseCollection]) -> Self {
        let mut catalog = Catalog::default();
        for coll in base.collections.iter().chain(extra) {
            if coll.kind == CollectionKind::View {
                catalog.views.insert(coll.ns.clone(), coll.options.clone());
                continue;
            }
            let ns = match coll.kind {
                CollectionKind::Timeseries => {
                    let buckets = coll.ns.buckets();
                    let mut view = Builder::new();
                    view.string("viewOn", &buckets.coll);
                    catalog.views.insert(coll.ns.clone(), view.finish());
                    buckets
                }
                _ => coll.ns.clone(),
            };
            let id = catalog.add(Collection {
                ns,
                uuid: coll.uuid,
                options: coll.options.clone(),
                indexes: Indexes::new(&coll.indexes),
                base: coll.data.iter().collect(),
                effects: Effects::default(),
                alive: true,
                known: Known::Listed,
                renamed: None,
            });
            if let Some(uuid) = coll.uuid {
                catalog.by_uuid.insert(uuid, id);
            }
        }
        catalog
    }

    /// Gives up the living collections and the views.
    pub fn into_parts(self) -> (Vec<Collection<'a>>, BTreeMap<Namespace, Vec<u8>>) {
        let living = self.collections.into_iter().filter(|c| c.alive).collect();
        (living, self.views)
    }

    /// The views by name: `viewOn`, `pipeline`, maybe `collation`.
    pub fn views_mut(&mut self) -> &mut BTreeMap<Namespace, Vec<u8>> {
        &mut self.views
    }

    /// One collection.
    pub fn get_mut(&mut self, id: CollId) -> &mut Collection<'a> {
        &mut self.collections[id.0 as usize]
    }

    /// The living collection an entry is about: by UUID; else by name, where the name has no
    /// UUID yet (dumps do not record those of time series) or the entry has none.
    pub fn find(&mut self, ui: Option<[u8; 16]>, ns: &Namespace) -> Option<CollId> {
        if let Some(uuid) = ui {
            if let Some(&id) = self.by_uuid.get(&uuid) {
                return self.collections[id.0 as usize].alive.then_some(id);
            }
            let at = self.collections.iter().position(|c| c.alive && c.uuid.is_none() && c.ns == *ns)?;
            self.collections[at].uuid = Some(uuid);
            let id = CollId(at as u32);
            self.by_uuid.insert(uuid, id);
            return Some(id);
        }
        let at = self.collections.iter().rposition(|c| c.alive && c.ns == *ns)?;
        Some(CollId(at as u32))
    }

    /// Whether this UUID belongs to a collection that was dropped.
    pub fn was_dropped(&self, ui: Option<[u8; 16]>) -> bool {
        ui.and_then(|u| self.by_uuid.get(&u)).is_some_and(|id| !self.collections[id.0 as usize].alive)
    }

    /// A new, empty collection.
    pub fn create(
        &mut self,
        ns: Namespace,
        uuid: Option<[u8; 16]>,
        options: Vec<u8>,
        known: Known,
    ) -> CollId {
        let id = self.add(Collection {
            ns,
            uuid,
            options,
            indexes: Indexes::default(),
            base: Vec::new(),
            effects: Effects::default(),
            alive: true,
            known,
            renamed: None,
        });
        if let Some(uuid) = uuid {
            self.by_uuid.insert(uuid, id);
        }
        id
    }

    /// Drops a collection with all its documents, and gives what had happened to them.
    pub fn drop(&mut self, id: CollId) -> Effects<'a> {
        let coll = &mut self.collections[id.0 as usize];
        coll.alive = false;
        coll.base.clear();
        std::mem::take(&mut coll.effects)
    }

    /// Drops what is left in a database, and gives what had happened to its documents.
    pub fn drop_database(&mut self, db: &str) -> Vec<Effects<'a>> {
        let ids: Vec<_> = (0u32..)
            .zip(&self.collections)
            .filter(|(_, c)| c.alive && c.ns.db == db)
            .map(|(at, _)| CollId(at))
            .collect();
        self.views.retain(|ns, _| ns.db != db);
        ids.into_iter().map(|id| self.drop(id)).collect()
    }

    /// Where the documents of the snapshot lie.
    pub fn regions(&self) -> impl Iterator<Item = &'a Region> + '_ {
        self.collections.iter().flat_map(|coll| coll.base.iter().copied())
    }

    /// What happened to the documents of each collection.
    pub fn effects_mut(&mut self) -> impl Iterator<Item = &mut Effects<'a>> {
        self.collections.iter_mut().map(|coll| &mut coll.effects)
    }

    /// Names that two living collections claim, or that are still phantoms: with either, the
    /// snapshot and this oplog do not belong together or one of them is broken.
    pub fn check(&self) -> Result<(), Flaw> {
        let mut names = HashMap::new();
        for coll in self.collections.iter().filter(|c| c.alive) {
            if let Known::Phantom { since } = coll.known {
                return Err(Flaw::Phantom { ns: coll.ns.clone(), since });
            }
            if let Some(at) = coll.renamed {
                return Err(Flaw::Renamed { ns: coll.ns.clone(), at });
            }
            if names.insert(&coll.ns, coll.uuid).is_some() {
                return Err(Flaw::TwoOwners { ns: coll.ns.clone() });
            }
        }
        Ok(())
    }

    fn add(&mut self, coll: Collection<'a>) -> CollId {
        self.collections.push(coll);
        CollId(self.collections.len() as u32 - 1)
    }
}

/// Why a catalog cannot be the state of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Flaw {
    /// A collection was written to that nothing ever created.
    Phantom {
        /// Its name.
        ns: Namespace,
        /// The first operation on it.
        since: Position,
    },
    /// A collection of the snapshot was renamed inside its window.
    Renamed {
        /// Its name.
        ns: Namespace,
        /// The rename.
        at: Position,
    },
    /// Two collections have one name.
    TwoOwners {
        /// The name.
        ns: Namespace,
    },
}

/// Options without the fields of the command that carried them. For the buckets of a time series
/// only what the user said is kept: the validator and the clustering are the server's.
pub fn options_of(command: Doc<'_>, ns: &Namespace) -> Vec<u8> {
    let buckets = ns.timeseries_of_buckets().is_some();
    let mut options = Builder::new();
    for elem in command.iter().map_while(Result::ok).filter(|e| !switches_off(e)) {
        let internal = matches!(elem.name, b"create" | b"idIndex" | b"uuid" | b"ns")
            || (buckets && matches!(elem.name, b"validator" | b"clusteredIndex"));
        if !internal {
            options.copy(&elem);
        }
    }
    options.finish()
}

/// The size of a capped collection is a multiple of this many bytes.
const CAPPED_UNIT: i64 = 256;

/// Options after a `collMod`: the fields it names replace those of the same name; a validator,
/// its level or its action bring level and action with them, as the server stores them (measured
/// on 4.2 to 6.0).
pub fn modified_options(old: &[u8], change: Doc<'_>) -> Vec<u8> {
    use super::bson::{EMPTY, kind};
    let old = Doc::new(old).unwrap_or(EMPTY);
    let mut fresh: Vec<Elem<'_>> = Vec::new();
    for elem in change.iter().map_while(Result::ok).skip(1) {
        match elem.name {
            b"index" | b"noPadding" | b"usePowerOf2Sizes" | b"timeseries" | b"ns" => {}
            b"cappedSize" | b"cappedMax" => {}
            _ => fresh.push(elem),
        }
    }
    let mut out = Builder::new();
    let granularity = change.get("timeseries").and_then(|e| e.as_doc());
    for elem in old.iter().map_while(Result::ok) {
        let capped = match elem.name {
            b"size" => change.get("cappedSize"),
            b"max" => change.get("cappedMax"),
            _ => None,
        };
        if let (Some(new), b"size") = (capped, elem.name) {
            // The server keeps sizes in whole units; `create` logs them so, this command does not.
            let size = new.as_i64().unwrap_or(0).max(0).saturating_add(CAPPED_UNIT - 1);
            out.put(elem.name, kind::INT64, &(size - size % CAPPED_UNIT).to_le_bytes());
        } else if let Some(new) = capped {
            out.put(elem.name, new.kind, new.value);
        } else if let (b"timeseries", Some(new)) = (elem.name, granularity) {
            out.open(b"timeseries", kind::DOCUMENT);
            modify_timeseries(&mut out, elem, new);
            out.close();
        } else if let Some(at) = fresh.iter().position(|f| f.name == elem.name) {
            let new = fresh.remove(at);
            if !switches_off(&new) {
                out.copy(&new);
            }
        } else {
            out.copy(&elem);
        }
    }
    let had = |name: &str| old.get(name).is_some() || change.get(name).is_some();
    if let (None, Some(max)) = (old.get("max"), change.get("cappedMax")) {
        out.put(b"max", max.kind, max.value);
    }
    for new in fresh.iter().filter(|new| !switches_off(new)) {
        out.copy(new);
    }
    if ["validator", "validationLevel", "validationAction"].iter().any(|name| change.get(name).is_some()) {
        if !had("validationLevel") {
            out.string("validationLevel", "strict");
        }
        if !had("validationAction") {
            out.string("validationAction", "error");
        }
    }
    out.finish()
}

/// `expireAfterSeconds: "off"`, `changeStreamPreAndPostImages: {enabled: false}`,
/// `recordPreImages: false`, an empty validator: stored as the absence of the option.
fn switches_off(elem: &Elem<'_>) -> bool {
    match elem.name {
        b"expireAfterSeconds" => elem.as_str() == Some("off"),
        b"changeStreamPreAndPostImages" => {
            elem.as_doc().and_then(|d| d.get("enabled")).is_some_and(|e| e.as_bool() == Some(false))
        }
        b"validator" => elem.as_doc().is_some_and(|d| d.first_elem().is_none()),
        b"recordPreImages" => elem.as_bool() == Some(false),
        _ => false,
    }
}

/// The server derives the span of a bucket from the granularity unless both are given.
fn modify_timeseries(out: &mut Builder, old: Elem<'_>, new: Doc<'_>) {
    use super::bson::EMPTY;
    let span = match new.get("granularity").and_then(|e| e.as_str()) {
        Some("seconds") => Some(3600),
        Some("minutes") => Some(86400),
        Some("hours") => Some(2_592_000),
        _ => None,
    };
    let mut had_span = false;
    for elem in old.as_doc().unwrap_or(EMPTY).iter().map_while(Result::ok) {
        match (new.get(&elem.name_lossy()), span, elem.name) {
            (Some(changed), _, _) => out.copy(&changed),
            (None, Some(seconds), b"bucketMaxSpanSeconds") => out.int32("bucketMaxSpanSeconds", seconds),
            _ => out.copy(&elem),
        }
        had_span |= elem.name == b"bucketMaxSpanSeconds";
    }
    for elem in new.iter().map_while(Result::ok) {
        let known = old.as_doc().is_some_and(|d| d.get(&elem.name_lossy()).is_some());
        if !(known || elem.name == b"bucketMaxSpanSeconds" && had_span) {
            out.copy(&elem);
        }
    }
}
