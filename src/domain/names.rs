//! Namespaces by number: whoever follows millions of operations compares a number instead of two
//! strings, and reads a name once.

use super::Namespace;
use foldhash::HashMap as Map;

/// The number of a namespace in some [`Names`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NsId(u32);

impl NsId {
    /// Counted from 0, in the order in which they were first seen.
    pub fn index(self) -> usize {
        self.0 as usize
    }

    /// The same as a number.
    pub fn number(self) -> u32 {
        self.0
    }
}

/// Namespaces that have been seen.
#[derive(Debug, Default)]
pub struct Names {
    all: Vec<Namespace>,
    by_name: Map<Namespace, NsId>,
    /// As they are written: several ways may name the same one.
    by_text: Map<Box<str>, NsId>,
}

impl Names {
    /// The number of `database.collection`.
    pub fn id(&mut self, text: &str) -> NsId {
        if let Some(&id) = self.by_text.get(text) {
            return id;
        }
        let id = self.of(&Namespace::parse(text));
        self.by_text.insert(text.into(), id);
        id
    }

    /// The number of a namespace.
    pub fn of(&mut self, ns: &Namespace) -> NsId {
        if let Some(&id) = self.by_name.get(ns) {
            return id;
        }
        // Every one of them takes more than a byte: memory ends first.
        let id = NsId(u32::try_from(self.all.len()).unwrap_or(u32::MAX));
        self.all.push(ns.clone());
        self.by_name.insert(ns.clone(), id);
        id
    }

    /// The number of a namespace that has been seen.
    pub fn find(&self, ns: &Namespace) -> Option<NsId> {
        self.by_name.get(ns).copied()
    }

    /// The namespace behind a number; `None` for a number of other [`Names`].
    pub fn get(&self, id: NsId) -> Option<&Namespace> {
        self.all.get(id.index())
    }

    /// All of them, by their numbers.
    pub fn all(&self) -> &[Namespace] {
        &self.all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_namespace_has_one_number_however_it_is_written() {
        let mut names = Names::default();
        let (orders, shop) = (names.id("shop.orders"), names.id("shop"));
        assert_ne!(orders, shop);
        assert_eq!(names.id("shop."), shop);
        assert_eq!(names.of(&Namespace::new("shop", "orders")), orders);
        assert_eq!(names.find(&Namespace::new("shop", "")), Some(shop));
        assert_eq!(names.find(&Namespace::new("shop", "carts")), None);
        assert_eq!(names.get(orders), Some(&Namespace::new("shop", "orders")));
        assert_eq!(names.all().len(), 2);
    }
}
