//! Commands of the oplog: what DDL does to the catalog. Reference 1.4, 5.1.

use super::{Fold, NO_ATOMIC_APPLY_OPS, malformed, place, unreplayable};
use crate::domain::{Error, Namespace, Result};
use crate::engine::bson::{Doc, Fault};
use crate::engine::catalog::{Known, modified_options, options_of};
use crate::engine::effects::Way;
use crate::engine::entry::Entry;

impl<'a> Fold<'a> {
    pub(super) fn command(&mut self, entry: &Entry<'a>, depth: usize, way: Way) -> Result<()> {
        let Some(first) = entry.command() else {
            return malformed(entry, &Fault::new(0, "the command is empty")).err();
        };
        let name = first.name_lossy();
        if name == "applyOps" {
            let list =
                first.as_doc().ok_or_else(|| malformed(entry, &Fault::new(0, "applyOps is no list")))?;
            // What is no transaction and no group of the server's was sent by somebody.
            let sent = !entry.grouped && self.server.is_none_or(|v| v < NO_ATOMIC_APPLY_OPS);
            let way = if sent { Way::Sent } else { way };
            for op in list.iter() {
                let op = op.map_err(|fault| malformed(entry, &fault))?;
                let op = op
                    .as_doc()
                    .ok_or_else(|| malformed(entry, &Fault::new(0, "an operation is no document")))?;
                self.apply_inner(entry, op, depth + 1, way)?;
            }
            return Ok(());
        }
        let ns = Namespace::new(entry.db(), first.as_str().unwrap_or(""));
        if !self.counts(&ns) {
            return Ok(());
        }
        match &*name {
            "create" => self.create(entry, ns),
            "drop" => {
                if ns.is_views() {
                    self.catalog.views_mut().retain(|view, _| view.db != ns.db);
                }
                match self.catalog.find(entry.ui, &ns) {
                    Some(id) => self.drop(id),
                    None => self.unknown_is_fine(entry, &ns)?,
                }
                Ok(())
            }
            "dropDatabase" => {
                for effects in self.catalog.drop_database(entry.db()) {
                    self.retire(effects);
                }
                Ok(())
            }
            "renameCollection" => self.rename(entry),
            "createIndexes" => {
                self.on(entry, &ns, |coll| match entry.o.get("indexes").and_then(|e| e.as_doc()) {
                    Some(specs) => specs
                        .iter()
                        .map_while(Result::ok)
                        .filter_map(|s| s.as_doc())
                        .for_each(|s| coll.add_index(s)),
                    None => coll.add_index(entry.o),
                })
            }
            "commitIndexBuild" => {
                self.built(entry);
                self.on(entry, &ns, |coll| {
                    let specs = entry.o.get("indexes").and_then(|e| e.as_doc());
                    for spec in
                        specs.iter().flat_map(|s| s.iter().map_while(Result::ok)).filter_map(|s| s.as_doc())
                    {
                        coll.add_index(spec);
                    }
                })
            }
            "startIndexBuild" => {
                if let Some(build) = entry.o.get("indexBuildUUID") {
                    let note = format!(
                        "an index build on {ns} that began at {} was under way at the stop; its indexes are left out",
                        entry.at.pos
                    );
                    self.building.insert(build.value, note);
                }
                Ok(())
            }
            "abortIndexBuild" => {
                self.built(entry);
                Ok(())
            }
            "dropIndexes" | "deleteIndexes" | "deleteIndex" | "dropIndex" => self.on(entry, &ns, |coll| {
                if let Some(index) = entry.o.get("index") {
                    coll.indexes.remove(&index);
                }
            }),
            "collMod" => {
                if let Some(view) = self.catalog.views_mut().get_mut(&ns) {
                    *view = modified_options(view, entry.o);
                    return Ok(());
                }
                self.on(entry, &ns, |coll| {
                    coll.options = modified_options(&coll.options, entry.o);
                    if let Some(index) = entry.o.get("index").and_then(|e| e.as_doc()) {
                        coll.indexes.modify(index);
                    }
                })
            }
            "convertToCapped" => self.on(entry, &ns, |coll| {
                let mut options = crate::engine::build::Builder::new();
                options.bool("capped", true);
                if let Some(size) = entry.o.get("size") {
                    options.copy(&size);
                }
                if let Ok(old) = Doc::new(&coll.options) {
                    for elem in old.iter().map_while(Result::ok) {
                        if !matches!(elem.name, b"capped" | b"size" | b"max") {
                            options.copy(&elem);
                        }
                    }
                }
                coll.options = options.finish();
            }),
            "emptycapped" => {
                let mut gone = Default::default();
                self.on(entry, &ns, |coll| {
                    coll.base.clear();
                    gone = std::mem::take(&mut coll.effects);
                })?;
                self.retire(gone);
                Ok(())
            }
            // Bookkeeping of the server that changes no document, option or index of a user.
            "dbCheck"
            | "dropIdent"
            | "modifyCollectionShardingIndexCatalog"
            | "createGlobalIndex"
            | "dropGlobalIndex"
            | "createDatabaseMetadata"
            | "dropDatabaseMetadata" => {
                self.ignored.insert(name.into_owned());
                Ok(())
            }
            "importCollection" => {
                unreplayable(entry, "importCollection copied files whose documents are not in the oplog")
                    .hint("choose a snapshot taken after it, or stop before it.")
                    .err()
            }
            other => unreplayable(entry, &format!("the command {other:?} is not known"))
                .hint("if it cannot have changed documents, pass over it with --skip-op and its position.")
                .err(),
        }
    }

    fn create(&mut self, entry: &Entry<'a>, ns: Namespace) -> Result<()> {
        if entry.o.get("viewOn").is_some() {
            self.catalog.views_mut().insert(ns.clone(), options_of(entry.o, &ns));
            return Ok(());
        }
        if ns.is_views() {
            return Ok(());
        }
        let id = match self.catalog.find(entry.ui, &ns) {
            // Made inside the window: every document, option and index is in the oplog from here
            // on, while the snapshot may hold another collection's under this name.
            Some(id) if self.fuzzy(entry) && entry.ui.is_some() => {
                self.drop(id);
                self.catalog.create(ns.clone(), entry.ui, options_of(entry.o, &ns), Known::Created)
            }
            Some(_) => {
                return Error::inexact(
                    "replaying",
                    place(entry),
                    "it creates a collection that is already there",
                )
                .hint("snapshot and oplog do not belong together; choose another base with --snapshot.")
                .err();
            }
            None => {
                let options = options_of(entry.o, &ns);
                self.catalog.create(ns, entry.ui, options, Known::Created)
            }
        };
        if let Some(spec) = entry.o.get("idIndex").and_then(|e| e.as_doc()) {
            self.catalog.get_mut(id).indexes.add(spec);
        }
        let clustered = entry.o.get("clusteredIndex").is_some();
        if entry.o.get("idIndex").is_none() && !clustered {
            // Only an `applyOps` somebody sent leaves it out; servers then make the oldest kind.
            let mut spec = crate::engine::build::Builder::new();
            spec.int32("v", 1);
            spec.open(b"key", crate::engine::bson::kind::DOCUMENT);
            spec.int32("_id", 1);
            spec.close();
            spec.string("name", "_id_");
            if let Ok(spec) = Doc::new(&spec.finish()) {
                self.catalog.get_mut(id).indexes.add(spec);
            }
        }
        // A clustered collection has no `_id` index; listIndexes shows the clustering instead.
        if let Some(spec) = entry.o.get("clusteredIndex").and_then(|e| e.as_doc()) {
            let mut shown = crate::engine::build::Builder::new();
            spec.iter().map_while(Result::ok).for_each(|e| shown.copy(&e));
            shown.bool("clustered", true);
            if let Ok(spec) = Doc::new(&shown.finish()) {
                self.catalog.get_mut(id).indexes.add(spec);
            }
        }
        Ok(())
    }

    fn rename(&mut self, entry: &Entry<'a>) -> Result<()> {
        let text = |name: &str| entry.o.get(name).and_then(|e| e.as_str()).map(Namespace::parse);
        let (Some(from), Some(to)) = (text("renameCollection"), text("to")) else {
            return malformed(entry, &Fault::new(0, "a rename without from or to")).err();
        };
        let target = entry.o.get("dropTarget");
        let source = self.catalog.find(entry.ui, &from);
        let uuid = target.and_then(|e| e.as_uuid());
        let by_name = target.is_some_and(|e| e.as_bool() == Some(true));
        if (uuid.is_some() || by_name)
            && let Some(id) = self.catalog.find(uuid, &to)
            && Some(id) != source
        {
            self.drop(id);
        }
        match source {
            Some(id) => {
                let fuzzy = self.fuzzy(entry);
                let coll = self.catalog.get_mut(id);
                if fuzzy && coll.known == Known::Listed {
                    coll.renamed = Some(entry.at.pos);
                }
                coll.ns = to;
                if !entry.o.get("stayTemp").is_some_and(|e| e.is_truthy()) {
                    coll.make_permanent();
                }
            }
            None => self.unknown_is_fine(entry, &from)?,
        }
        Ok(())
    }

    /// An index build is over.
    fn built(&mut self, entry: &Entry<'a>) {
        if let Some(build) = entry.o.get("indexBuildUUID") {
            self.building.remove(build.value);
        }
    }

    /// Changes the collection a command is about.
    fn on(
        &mut self,
        entry: &Entry<'a>,
        ns: &Namespace,
        change: impl FnOnce(&mut crate::engine::catalog::Collection<'a>),
    ) -> Result<()> {
        match self.catalog.find(entry.ui, ns) {
            Some(id) => {
                change(self.catalog.get_mut(id));
                Ok(())
            }
            None => self.unknown_is_fine(entry, ns),
        }
    }

    /// Inside the window a command on an unknown collection has its effect in the snapshot already.
    fn unknown_is_fine(&self, entry: &Entry<'_>, ns: &Namespace) -> Result<()> {
        if self.fuzzy(entry) || ns.is_views() {
            return Ok(());
        }
        Error::inexact("replaying", place(entry), format!("the collection {ns} it changes is not known"))
            .hint("snapshot and oplog do not belong together, or one is incomplete; choose another base with --snapshot.")
            .err()
    }
}
