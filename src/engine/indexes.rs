//! The index list of one collection, moved along by DDL. Specs are kept as the server wrote
//! them, less `ns`, which old servers put in. Indexes of a time series are logged in terms of its
//! buckets and are kept in terms of its own fields. Reference 1.4, 3.4.

use super::bson::{Doc, Elem, kind};
use super::build::Builder;

/// The indexes of one collection, in the order they were made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Indexes(Vec<Vec<u8>>);

fn name_of(spec: &[u8]) -> Option<Elem<'_>> {
    Doc::new(spec).ok()?.get("name")
}

impl Indexes {
    /// Takes over what a snapshot says.
    pub fn new(specs: &[Vec<u8>]) -> Self {
        let mut indexes = Indexes::default();
        for spec in specs {
            if let Ok(spec) = Doc::new(spec) {
                indexes.add(spec);
            }
        }
        indexes
    }

    /// The specs.
    pub fn specs(&self) -> &[Vec<u8>] {
        &self.0
    }

    /// Adds an index, or replaces the one of the same name.
    pub fn add(&mut self, spec: Doc<'_>) {
        let mut clean = Builder::new();
        for elem in spec.iter().map_while(Result::ok) {
            if elem.name != b"ns" && elem.name != b"createIndexes" {
                clean.copy(&elem);
            }
        }
        let clean = clean.finish();
        let name = name_of(&clean).map(|e| e.value.to_vec());
        let same = self.0.iter_mut().find(|s| name_of(s).map(|e| e.value) == name.as_deref());
        match same {
            Some(old) => *old = clean,
            None => self.0.push(clean),
        }
    }

    /// Removes what `index` means in a `dropIndexes` command: a name, a key document, a list of
    /// names, or `*` for all but `_id_`.
    pub fn remove(&mut self, index: &Elem<'_>) {
        match index.kind {
            kind::STRING if index.as_str() == Some("*") => {
                self.0.retain(|s| name_of(s).and_then(|n| n.as_str()) == Some("_id_"));
            }
            kind::STRING => self.0.retain(|s| name_of(s).map(|n| n.value) != Some(index.value)),
            kind::ARRAY => {
                for name in index.as_doc().into_iter().flat_map(|names| names.iter().map_while(Result::ok)) {
                    self.0.retain(|s| name_of(s).map(|n| n.value) != Some(name.value));
                }
            }
            _ => self.0.retain(|s| !has_key(s, index)),
        }
    }

    /// The `index` part of a `collMod`: expiry, visibility, uniqueness. An unknown index is
    /// passed over, as the server does (it is dropped later in the same window).
    pub fn modify(&mut self, change: Doc<'_>) {
        let by_name = change.get("name");
        let by_key = change.get("keyPattern");
        let found = self.0.iter_mut().find(|spec| match (by_name, by_key) {
            (Some(name), _) => name_of(spec).map(|n| n.value) == Some(name.value),
            (None, Some(key)) => has_key(spec, &key),
            (None, None) => false,
        });
        let Some(spec) = found else { return };
        let unique = change.get("unique").is_some_and(|e| e.is_truthy());
        let mut next = Builder::new();
        let mut pending: Vec<Elem<'_>> = ["expireAfterSeconds", "hidden", "prepareUnique", "unique"]
            .iter()
            .filter_map(|name| change.get(name))
            .collect();
        let Ok(old) = Doc::new(spec) else { return };
        // A flag that is switched off is not stored at all.
        let stored = |e: &Elem<'_>| e.name == b"expireAfterSeconds" || e.is_truthy();
        for elem in old.iter().map_while(Result::ok) {
            if unique && elem.name == b"prepareUnique" {
                continue;
            }
            match pending.iter().position(|p| p.name == elem.name) {
                Some(at) => {
                    let new = pending.remove(at);
                    if stored(&new) {
                        next.copy(&new);
                    }
                }
                None => next.copy(&elem),
            }
        }
        for new in pending.iter().filter(|new| stored(new)) {
            next.copy(new);
        }
        *spec = next.finish();
    }
}

fn has_key(spec: &[u8], key: &Elem<'_>) -> bool {
    Doc::new(spec).ok().and_then(|d| d.get("key")).is_some_and(|k| k.value == key.value)
}

/// An index spec on `system.buckets.X` in terms of the fields of `X`: `control.min.t` and
/// `control.max.t` are the time field or a measurement, `meta` is the meta field. Newer servers
/// keep what the user said in `originalSpec`. `None` when it cannot be told.
pub fn from_buckets(spec: Doc<'_>, meta_field: Option<&str>) -> Option<Vec<u8>> {
    if let Some(original) = spec.get("originalSpec").and_then(|e| e.as_doc()) {
        return Some(original.bytes().to_vec());
    }
    let mut out = Builder::new();
    for elem in spec.iter().map_while(Result::ok) {
        if elem.name != b"key" {
            out.copy(&elem);
            continue;
        }
        out.open(b"key", kind::DOCUMENT);
        let mut skip: Option<Vec<u8>> = None;
        for field in elem.as_doc()?.iter().map_while(Result::ok) {
            if skip.as_deref() == Some(field.name) {
                skip = None;
                continue;
            }
            let name = std::str::from_utf8(field.name).ok()?;
            if let Some(of) = name.strip_prefix("control.min.") {
                out.put(of.as_bytes(), field.kind, field.value);
                skip = Some(format!("control.max.{of}").into_bytes());
            } else if let Some(of) = name.strip_prefix("control.max.") {
                out.put(of.as_bytes(), field.kind, field.value);
                skip = Some(format!("control.min.{of}").into_bytes());
            } else if let Some(of) = name.strip_prefix("data.") {
                let is_geo = field.as_str() == Some("2dsphere_bucket");
                if is_geo {
                    out.string(of, "2dsphere")
                } else {
                    out.put(of.as_bytes(), field.kind, field.value)
                }
            } else {
                let rest = name.strip_prefix("meta")?;
                out.put(format!("{}{rest}", meta_field?).as_bytes(), field.kind, field.value);
            }
        }
        out.close();
    }
    Some(out.finish())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use bson::{Document, doc};

    fn raw(d: &Document) -> Vec<u8> {
        bson::serialize_to_vec(d).unwrap()
    }

    fn list(indexes: &Indexes) -> Vec<Document> {
        indexes.specs().iter().map(|s| bson::deserialize_from_slice(s).unwrap()).collect()
    }

    fn elem<T>(d: &Document, f: impl FnOnce(Elem<'_>) -> T) -> T {
        let bytes = raw(d);
        f(Doc::new(&bytes).unwrap().first_elem().unwrap())
    }

    #[test]
    fn follows_the_commands() {
        let a = doc! { "v": 2, "key": { "a": 1 }, "name": "a_1" };
        let b =
            doc! { "v": 2, "key": { "b": 1, "c": -1 }, "name": "b", "expireAfterSeconds": 10, "ns": "x.y" };
        let id = doc! { "v": 2, "key": { "_id": 1 }, "name": "_id_" };
        let mut all = Indexes::new(&[raw(&id), raw(&a), raw(&b)]);
        assert!(!list(&all)[2].contains_key("ns"));

        all.modify(Doc::new(&raw(&doc! { "name": "b", "expireAfterSeconds": 20_i64 })).unwrap());
        assert_eq!(
            list(&all)[2],
            doc! { "v": 2, "key": { "b": 1, "c": -1 }, "name": "b", "expireAfterSeconds": 20_i64 }
        );
        all.modify(Doc::new(&raw(&doc! { "keyPattern": { "a": 1 }, "hidden": true })).unwrap());
        assert!(list(&all)[1].get_bool("hidden").unwrap());
        all.modify(Doc::new(&raw(&doc! { "name": "a_1", "hidden": false })).unwrap());
        assert_eq!(list(&all)[1], a);
        all.modify(Doc::new(&raw(&doc! { "name": "a_1", "prepareUnique": true })).unwrap());
        all.modify(Doc::new(&raw(&doc! { "name": "a_1", "unique": true })).unwrap());
        assert_eq!(list(&all)[1], doc! { "v": 2, "key": { "a": 1 }, "name": "a_1", "unique": true });
        all.modify(Doc::new(&raw(&doc! { "name": "nowhere", "hidden": true })).unwrap());

        elem(&doc! { "index": { "b": 1, "c": -1 } }, |e| all.remove(&e));
        assert_eq!(list(&all).len(), 2);
        elem(&doc! { "index": "a_1" }, |e| all.remove(&e));
        assert_eq!(list(&all), std::slice::from_ref(&id));
        all.add(Doc::new(&raw(&a)).unwrap());
        elem(&doc! { "index": "*" }, |e| all.remove(&e));
        assert_eq!(list(&all), [id]);
    }

    #[test]
    fn bucket_indexes_in_terms_of_the_user() {
        let spec =
            doc! { "v": 2, "key": { "meta.a": 1, "control.min.t": 1, "control.max.t": 1 }, "name": "m" };
        let bytes = from_buckets(Doc::new(&raw(&spec)).unwrap(), Some("sensor")).unwrap();
        let got: Document = bson::deserialize_from_slice(&bytes).unwrap();
        assert_eq!(got, doc! { "v": 2, "key": { "sensor.a": 1, "t": 1 }, "name": "m" });
        let spec = doc! { "v": 2, "key": { "control.max.t": -1, "control.min.t": -1 }, "name": "t_-1" };
        let bytes = from_buckets(Doc::new(&raw(&spec)).unwrap(), None).unwrap();
        let got: Document = bson::deserialize_from_slice(&bytes).unwrap();
        assert_eq!(got, doc! { "v": 2, "key": { "t": -1 }, "name": "t_-1" });
    }
}
