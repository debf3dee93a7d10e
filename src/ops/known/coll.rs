//! One collection as it is known while the oplog is walked.

use crate::domain::Namespace;
use crate::domain::namespace::Treatment;
use crate::engine::bson::{Doc, EMPTY};
use crate::engine::indexes::Indexes;
use crate::ops::expiry::{Expired, Ttl, by_id};

/// So many deletes in a row without an insert are no eviction from a capped collection.
const EVICTED_MOST: u32 = 32;

/// A name, and the collection that has it now: one that is not there holds nothing.
#[derive(Debug)]
pub struct Place {
    /// Whether what happens there counts.
    pub counts: bool,
    /// Whether the name is one that servers give to collections they make for themselves.
    pub temporary_name: bool,
    /// The collection.
    pub coll: Coll,
}

impl Place {
    /// Of that name, empty.
    pub fn new(ns: &Namespace) -> Place {
        Place {
            counts: ns.treatment() == Treatment::User && !ns.is_views(),
            temporary_name: is_temporary(&ns.coll),
            coll: Coll::default(),
        }
    }
}

/// A collection.
#[derive(Debug, Default)]
pub struct Coll {
    /// How many documents it has.
    pub documents: u64,
    /// Its indexes.
    pub indexes: Indexes,
    /// Those of them that make documents expire.
    pub ttl: Vec<Ttl>,
    /// Made by the server for its own work.
    pub temporary: bool,
    options: Vec<u8>,
    capped: bool,
    /// Whether its options make documents expire.
    expires: bool,
    /// Deletes since the last insert.
    deletes: u32,
}

impl Coll {
    /// Its options.
    pub fn options(&self) -> &[u8] {
        &self.options
    }

    /// Takes over other options.
    pub fn set_options(&mut self, options: Vec<u8>) {
        self.options = options;
        let doc = Doc::new(&self.options).unwrap_or(EMPTY);
        self.capped = doc.get("capped").is_some_and(|e| e.is_truthy());
        self.expires = doc.get("expireAfterSeconds").is_some();
    }

    /// A document comes.
    pub fn insert(&mut self) {
        self.documents += 1;
        self.deletes = 0;
    }

    /// A document goes. True when a capped collection may have made room.
    pub fn delete(&mut self) -> bool {
        self.documents = self.documents.saturating_sub(1);
        self.deletes += 1;
        self.capped && self.deletes <= EVICTED_MOST
    }

    /// Whether its options say that a document had expired; `deleted` is what names it.
    pub fn expired_by_id(&self, deleted: Doc<'_>, secs: u32) -> Expired {
        let id = if self.expires { deleted.get("_id") } else { None };
        id.map_or(Expired::No, |id| by_id(&id, Doc::new(&self.options).unwrap_or(EMPTY), secs))
    }

    /// Brings the TTL indexes in line with the indexes. True when there is a new one.
    pub fn sync(&mut self) -> bool {
        let specs = self.indexes.specs().iter().filter_map(|spec| Ttl::of(Doc::new(spec).ok()?));
        let mut now: Vec<Ttl> = Vec::new();
        let mut fresh = false;
        for ttl in specs {
            match self.ttl.iter().position(|old| old.is(&ttl)) {
                Some(at) => {
                    let mut old = self.ttl.swap_remove(at);
                    old.adopt(&ttl);
                    now.push(old);
                }
                None => {
                    fresh = true;
                    now.push(ttl);
                }
            }
        }
        self.ttl = now;
        fresh
    }
}

/// Names that servers give to collections they make for themselves: `tmp.agg_out.UUID` of `$out`,
/// `tmp.mr.X` of mapReduce, `tmpAbCdE.convertToCapped`, `tmpAbCdE.renameCollection`,
/// `tmpAbCdE.create`.
fn is_temporary(coll: &str) -> bool {
    if coll.starts_with("tmp.agg_out.") || coll.starts_with("tmp.mr.") {
        return true;
    }
    let made = coll.strip_prefix("tmp").and_then(|rest| rest.split_once('.'));
    made.is_some_and(|(random, purpose)| {
        random.len() == 5 && matches!(purpose, "convertToCapped" | "renameCollection" | "create" | "rename")
    })
}

#[cfg(test)]
mod tests {
    use super::is_temporary;

    #[test]
    fn temporary_names() {
        for name in ["tmp.agg_out.0d9b", "tmp.mr.orders_0", "tmpX1y2z.convertToCapped", "tmpabcde.create"] {
            assert!(is_temporary(name), "{name}");
        }
        for name in ["tmp", "tmp.orders", "tmpabc.create", "tmpabcde.orders", "template.create"] {
            assert!(!is_temporary(name), "{name}");
        }
    }
}
