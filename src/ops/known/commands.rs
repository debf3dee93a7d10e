//! What commands do to the collections that are known.

use super::coll::Coll;
use super::{Dates, Known};
use crate::domain::burst::{Act, Shape};
use crate::domain::names::NsId;
use crate::domain::{Namespace, Result};
use crate::engine::catalog::{modified_options, options_of};
use crate::engine::entry::EntryKind;
use crate::ops::deeds::Deed;

impl Known<'_> {
    /// Follows a command. The act it is, if it is one.
    pub(super) fn command(&mut self, deed: &Deed<'_>, ns: NsId) -> Result<Option<Act>> {
        let (o, pos) = (deed.o, deed.pos);
        let command = o.first_elem().filter(|_| deed.logged == EntryKind::Command);
        let Some(command) = command else { return Ok(None) };
        let followed = self.dates == Dates::Followed;
        match command.name {
            b"create" => {
                let temporary = o.get("temp").is_some_and(|e| e.is_truthy());
                let coll = self.coll(ns);
                *coll = Coll::default();
                coll.temporary = temporary;
                coll.set_options(options_of(o, &Namespace::new("", "")));
            }
            b"createIndexes" | b"commitIndexBuild" => {
                let coll = self.coll(ns);
                match o.get("indexes").and_then(|e| e.as_doc()) {
                    Some(specs) => {
                        let specs = specs.iter().map_while(Result::ok).filter_map(|s| s.as_doc());
                        specs.for_each(|spec| coll.indexes.add(spec));
                    }
                    None => coll.indexes.add(o),
                }
                if followed && coll.sync() {
                    self.catch_up(ns, pos)?;
                }
            }
            b"dropIndexes" | b"deleteIndexes" | b"deleteIndex" | b"dropIndex" => {
                let coll = self.coll(ns);
                if let Some(index) = o.get("index") {
                    coll.indexes.remove(&index);
                    if followed {
                        coll.sync();
                    }
                }
            }
            b"collMod" => {
                let coll = self.coll(ns);
                coll.set_options(modified_options(coll.options(), o));
                if let Some(index) = o.get("index").and_then(|e| e.as_doc()) {
                    coll.indexes.modify(index);
                    if followed && coll.sync() {
                        self.catch_up(ns, pos)?;
                    }
                }
            }
            b"drop" | b"dropDatabase" => {
                let act = self.base_act(deed, ns, Shape::Drop);
                let gone = std::mem::take(self.coll(ns));
                if command.name == b"dropDatabase" {
                    self.drop_database(ns);
                }
                let documents_before = deed.records.unwrap_or(gone.documents);
                return Ok(Some(Act { documents_before, ..act }));
            }
            b"renameCollection" => return Ok(self.rename(deed, ns)),
            _ => {}
        }
        Ok(None)
    }

    fn drop_database(&mut self, ns: NsId) {
        let Some(dropped) = self.names.get(ns) else { return };
        for (other, place) in self.names.all().iter().zip(&mut self.places) {
            if other.db == dropped.db {
                place.coll = Coll::default();
            }
        }
    }

    fn rename(&mut self, deed: &Deed<'_>, from: NsId) -> Option<Act> {
        let o = deed.o;
        let to = self.names.id(o.get("to")?.as_str()?);
        let author = self.author(deed, from);
        let mut moved = std::mem::take(self.coll(from));
        moved.temporary &= o.get("stayTemp").is_some_and(|e| e.is_truthy());
        let over = std::mem::replace(self.coll(to), moved);
        o.get("dropTarget").filter(|e| e.as_bool() != Some(false))?;
        let documents_before = deed.records.unwrap_or(over.documents);
        Some(Act { documents_before, author, ..self.base_act(deed, to, Shape::Overwrite) })
    }
}
