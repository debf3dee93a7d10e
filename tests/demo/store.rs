//! The shop's collections as plain documents in the order they were written.

use std::collections::{BTreeMap, HashMap};

use bson::{Bson, Document, doc};

use super::Dice;

/// A collection.
#[derive(Clone)]
pub struct Collection {
    pub name: &'static str,
    pub uuid: bson::Uuid,
    pub indexes: Vec<Document>,
    docs: BTreeMap<u64, Document>,
    by_id: HashMap<String, u64>,
    next: u64,
}

impl Collection {
    /// With the index on `_id` and those given.
    pub fn new(name: &'static str, dice: &mut Dice, more: Vec<Document>) -> Collection {
        let mut indexes = vec![doc! { "v": 2, "key": { "_id": 1 }, "name": "_id_" }];
        indexes.extend(more);
        let (docs, by_id) = (BTreeMap::new(), HashMap::new());
        Collection { name, uuid: dice.uuid(), indexes, docs, by_id, next: 1 }
    }

    pub fn ns(&self) -> String {
        format!("shop.{}", self.name)
    }

    pub fn len(&self) -> usize {
        self.docs.len()
    }

    pub fn insert(&mut self, document: Document) {
        let key = document.get("_id").unwrap().to_string();
        assert!(self.by_id.insert(key, self.next).is_none(), "{document} is there already");
        self.docs.insert(self.next, document);
        self.next += 1;
    }

    pub fn get(&self, id: &Bson) -> Option<&Document> {
        self.by_id.get(&id.to_string()).map(|record| &self.docs[record])
    }

    pub fn get_mut(&mut self, id: &Bson) -> Option<&mut Document> {
        self.docs.get_mut(self.by_id.get(&id.to_string())?)
    }

    pub fn remove(&mut self, id: &Bson) -> Option<Document> {
        self.docs.remove(&self.by_id.remove(&id.to_string())?)
    }

    /// In natural order.
    pub fn iter(&self) -> impl Iterator<Item = &Document> {
        self.docs.values()
    }

    pub fn ids(&self) -> Vec<Bson> {
        self.iter().map(|d| d.get("_id").unwrap().clone()).collect()
    }

    /// The documents back to back.
    pub fn bytes(&self) -> Vec<u8> {
        self.iter().flat_map(|d| bson::serialize_to_vec(d).unwrap()).collect()
    }
}
