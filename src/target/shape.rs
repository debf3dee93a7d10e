//! What a server is asked to create for a collection, and what it must then list: options and
//! indexes, translated for its version; and when two of them are the same.

use bson::{Bson, Document, doc};

use super::load::Ttl;
use crate::domain::text::visible;
use crate::domain::{Error, Result};
use crate::engine::bson::{Doc, Elem};
use crate::engine::build::Builder;
use crate::engine::input::CollectionKind;
use crate::engine::output::CollectionSpec;

/// A collection as a server is asked to make it.
#[derive(Debug)]
pub(super) struct Shape {
    /// The `create` command.
    pub create: Vec<u8>,
    /// Specs for `createIndexes`: the secondary indexes.
    pub build: Vec<Vec<u8>>,
    /// The options it must list afterwards.
    pub options: Document,
    /// The indexes it must list afterwards.
    pub indexes: Vec<Document>,
    /// What was left out or translated, for the report.
    pub notes: Vec<String>,
    /// TTL indexes and expiries that are not built.
    pub deferred: Vec<String>,
}

/// Options and index fields that mean nothing any more, or that no server of today takes.
const OBSOLETE_OPTIONS: [&str; 5] = ["flags", "temp", "uuid", "idIndex", "ns"];
const OBSOLETE_INDEX_FIELDS: [&str; 3] = ["ns", "dropDups", "safe"];

/// Translates for a server of this version.
pub(super) fn shape(spec: &CollectionSpec, server: (u32, u32, u32), ttl: Ttl) -> Result<Shape> {
    let name = format!("{:?}", spec.ns.to_string());
    let broken = |what: &str, why: String| {
        Error::failed("reading the definition of", &name, format_args!("the {what} cannot be read: {why}"))
    };
    let source = Doc::new(&spec.options).map_err(|f| broken("options", f.to_string()))?;
    let mut shape = Shape {
        create: Vec::new(),
        build: Vec::new(),
        options: Document::new(),
        indexes: Vec::new(),
        notes: Vec::new(),
        deferred: Vec::new(),
    };

    let mut create = Builder::new();
    create.string("create", &spec.ns.coll);
    let mut options = Builder::new();
    for elem in source.iter() {
        let elem = elem.map_err(|f| broken("options", f.to_string()))?;
        match fate(&elem, server) {
            Fate::Keep => {}
            Fate::Drop => continue,
            Fate::Note(why) => {
                shape.notes.push(format!("{name}: the option {:?} is left out: {why}", elem.name_lossy()));
                continue;
            }
            Fate::PreImages => {
                for b in [&mut create, &mut options] {
                    b.open(b"changeStreamPreAndPostImages", crate::engine::bson::kind::DOCUMENT);
                    b.bool("enabled", true);
                    b.close();
                }
                shape.notes.push(format!(
                    "{name}: the option recordPreImages became changeStreamPreAndPostImages, its name on this server"
                ));
                continue;
            }
        }
        if elem.name == b"expireAfterSeconds" && ttl == Ttl::Defer {
            shape.deferred.push(format!("{name}: expireAfterSeconds of the collection ({})", number(&elem)));
            continue;
        }
        create.copy(&elem);
        options.copy(&elem);
    }
    shape.options = document(&options.finish()).map_err(|why| broken("options", why))?;

    let collation = shape.options.get_document("collation").ok().filter(|c| !is_simple(c)).cloned();
    for raw in &spec.indexes {
        let raw = Doc::new(raw).map_err(|f| broken("index", f.to_string()))?;
        let whole = document(raw.bytes()).map_err(|why| broken("index", why))?;
        let label = index_name(&whole);
        if is_primary(&whole) {
            if whole.get("v").and_then(as_number) == Some(1.0) && spec.kind == CollectionKind::Collection {
                let mut id_index = doc! { "v": 1, "key": { "_id": 1 }, "name": "_id_" };
                if let Some(c) = &collation {
                    id_index.insert("collation", c.clone());
                }
                let bytes = bson::serialize_to_vec(&id_index).map_err(|e| broken("index", e.to_string()))?;
                create.document(b"idIndex", crate::engine::bson::kind::DOCUMENT, &bytes);
            }
            shape.indexes.push(whole);
            continue;
        }
        if whole.contains_key("expireAfterSeconds") && ttl == Ttl::Defer {
            shape.deferred.push(format!(
                "{name}: index {label:?}, expireAfterSeconds {}",
                whole.get("expireAfterSeconds").map(text).unwrap_or_default()
            ));
            continue;
        }
        let mut build = Builder::new();
        for elem in raw.iter() {
            let elem = elem.map_err(|f| broken("index", f.to_string()))?;
            if OBSOLETE_INDEX_FIELDS.iter().any(|o| o.as_bytes() == elem.name) {
                if elem.name != b"ns" {
                    shape.notes.push(format!(
                        "{name}: index {label:?}: the obsolete field {:?} is left out",
                        elem.name_lossy()
                    ));
                }
                continue;
            }
            build.copy(&elem);
        }
        // Without this the index would inherit the collation of its collection.
        if collation.is_some() && !whole.contains_key("collation") {
            build.open(b"collation", crate::engine::bson::kind::DOCUMENT);
            build.string("locale", "simple");
            build.close();
        }
        shape.build.push(build.finish());
        shape.indexes.push(whole);
    }
    shape.create = create.finish();
    Ok(shape)
}

enum Fate {
    Keep,
    Drop,
    Note(&'static str),
    PreImages,
}

fn fate(option: &Elem<'_>, server: (u32, u32, u32)) -> Fate {
    match option.name {
        b"temp" if option.is_truthy() => {
            Fate::Note("temporary collections vanish when a server starts; this one is to stay")
        }
        b"autoIndexId" if !option.is_truthy() => Fate::Note("every collection has an _id index today"),
        b"recordPreImages" if server >= (6, 1, 0) && option.is_truthy() => Fate::PreImages,
        b"recordPreImages" if server >= (6, 1, 0) => Fate::Drop,
        b"capped" if !option.is_truthy() => Fate::Drop,
        name if OBSOLETE_OPTIONS.iter().any(|o| o.as_bytes() == name) => Fate::Drop,
        _ => Fate::Keep,
    }
}

/// Whether an index is made with its collection: the one on `_id`, or a clustered one.
fn is_primary(index: &Document) -> bool {
    let key = index.get_document("key").ok();
    let on_id = key.is_some_and(|k| k.len() == 1 && k.get("_id").and_then(as_number).is_some());
    index.get_bool("clustered").unwrap_or(false) || on_id
}

/// The name of an index.
pub(super) fn index_name(index: &Document) -> &str {
    index.get_str("name").unwrap_or_default()
}

/// Whether something expires in this collection once a server's TTL monitor sees it.
pub(super) fn expires(spec: &CollectionSpec) -> bool {
    let has = |raw: &Vec<u8>| Doc::new(raw).is_ok_and(|d| d.get("expireAfterSeconds").is_some());
    has(&spec.options) || spec.indexes.iter().any(has)
}

/// How the listed options differ from the wanted ones; empty = they are the same.
pub(super) fn compare_options(want: &Document, found: &Document) -> Vec<String> {
    fields(want, found, "option")
}

/// How the listed indexes differ from the wanted ones; empty = they are the same.
pub(super) fn compare_indexes(want: &[Document], found: &[Document]) -> Vec<String> {
    let mut differences = Vec::new();
    for index in want {
        let name = index_name(index);
        match found.iter().find(|f| index_name(f) == name) {
            None => differences.push(format!("the index {name:?} is missing")),
            Some(other) => {
                let (a, b) = (normal_index(index), normal_index(other));
                differences
                    .extend(fields(&a, &b, "field").iter().map(|d| format!("the index {name:?}: {d}")));
            }
        }
    }
    for index in found {
        let name = index_name(index);
        // Where the state has no index on _id (autoIndexId: false), the server still makes one.
        if !want.iter().any(|w| index_name(w) == name) && name != "_id_" {
            differences.push(format!("the index {name:?} is not part of the state"));
        }
    }
    differences
}

/// Without what says nothing: `ns`, obsolete fields, flags that are off, the simple collation.
/// A TTL that is no number is what servers make of it: the longest one.
fn normal_index(index: &Document) -> Document {
    let off = |value: &Bson| matches!(value, Bson::Boolean(false));
    let simple = |value: &Bson| value.as_document().is_some_and(is_simple);
    index
        .iter()
        .filter(|(key, value)| {
            let empty = OBSOLETE_INDEX_FIELDS.contains(&key.as_str()) || off(value);
            let default = key.as_str() == "collation" && simple(value);
            !empty && !default
        })
        .map(|(key, value)| match value {
            Bson::Double(n) if n.is_nan() => (key.clone(), Bson::Int32(i32::MAX)),
            _ => (key.clone(), value.clone()),
        })
        .collect()
}

fn is_simple(collation: &Document) -> bool {
    collation.get_str("locale").is_ok_and(|locale| locale == "simple")
}

fn fields(want: &Document, found: &Document, what: &str) -> Vec<String> {
    let mut differences = Vec::new();
    for (key, value) in want {
        match found.get(key) {
            None => differences.push(format!("the {what} {key:?} is missing, it must be {}", text(value))),
            Some(other) if !same(value, other, in_order(key)) => {
                differences.push(format!("the {what} {key:?} is {}, it must be {}", text(other), text(value)))
            }
            Some(_) => {}
        }
    }
    for (key, value) in found {
        if !want.contains_key(key) {
            differences.push(format!("the {what} {key:?} is {}, it must not be there", text(value)));
        }
    }
    differences
}

/// Inside these the order of fields has a meaning.
fn in_order(key: &str) -> bool {
    matches!(key, "key" | "pipeline")
}

/// Same values: numbers by value, the order of fields ignored unless it has a meaning.
fn same(a: &Bson, b: &Bson, ordered: bool) -> bool {
    match (a, b) {
        (Bson::Document(a), Bson::Document(b)) if ordered => {
            a.len() == b.len() && a.iter().zip(b).all(|((ka, va), (kb, vb))| ka == kb && same(va, vb, true))
        }
        (Bson::Document(a), Bson::Document(b)) => {
            a.len() == b.len()
                && a.iter()
                    .all(|(key, value)| b.get(key).is_some_and(|other| same(value, other, in_order(key))))
        }
        (Bson::Array(a), Bson::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b, ordered))
        }
        (Bson::Int64(a), Bson::Int64(b)) => a == b,
        _ => match (as_number(a), as_number(b)) {
            (Some(a), Some(b)) => a == b,
            _ => a == b,
        },
    }
}

fn as_number(value: &Bson) -> Option<f64> {
    match value {
        Bson::Int32(n) => Some(f64::from(*n)),
        Bson::Int64(n) => Some(*n as f64),
        Bson::Double(n) => Some(*n),
        _ => None,
    }
}

fn text(value: &Bson) -> String {
    let json = value.clone().into_relaxed_extjson().to_string();
    visible(&json.chars().take(300).collect::<String>()).into_owned()
}

fn number(elem: &Elem<'_>) -> String {
    elem.as_i64().map_or_else(|| "not a number".to_owned(), |n| n.to_string())
}

/// Decodes, and makes sure that nothing got lost on the way.
pub(super) fn document(bytes: &[u8]) -> std::result::Result<Document, String> {
    let document: Document = bson::deserialize_from_slice(bytes).map_err(|e| e.to_string())?;
    let again = bson::serialize_to_vec(&document).map_err(|e| e.to_string())?;
    if again != bytes {
        return Err("it holds what cannot be kept exactly, such as a field twice".to_owned());
    }
    Ok(document)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use crate::domain::Namespace;

    fn spec(options: Document, indexes: &[Document]) -> CollectionSpec {
        let bytes = |d: &Document| bson::serialize_to_vec(d).unwrap();
        CollectionSpec {
            ns: Namespace::parse("a.b"),
            kind: CollectionKind::Collection,
            options: bytes(&options),
            indexes: indexes.iter().map(bytes).collect(),
            ordered: false,
            documents: 0,
            bytes: 0,
        }
    }

    fn shaped(options: Document, indexes: &[Document], ttl: Ttl) -> Shape {
        shape(&spec(options, indexes), (6, 0, 5), ttl).unwrap()
    }

    fn decoded(bytes: &[u8]) -> Document {
        bson::deserialize_from_slice(bytes).unwrap()
    }

    #[test]
    fn an_index_without_collation_stays_simple_in_a_collection_with_one() {
        let collation = doc! { "locale": "de", "strength": 1 };
        let shape = shaped(
            doc! { "collation": collation.clone() },
            &[
                doc! { "v": 2, "key": { "_id": 1 }, "name": "_id_", "collation": collation.clone() },
                doc! { "v": 2, "key": { "a": 1 }, "name": "a_1", "ns": "a.b" },
                doc! { "v": 2, "key": { "b": 1 }, "name": "b_1", "collation": collation.clone() },
            ],
            Ttl::Keep,
        );
        assert_eq!(shape.build.len(), 2);
        let simple = doc! { "v": 2, "key": { "a": 1 }, "name": "a_1", "collation": { "locale": "simple" } };
        assert_eq!(decoded(&shape.build[0]), simple);
        assert_eq!(decoded(&shape.build[1]).get_document("collation").unwrap(), &collation);
    }

    #[test]
    fn old_options_are_translated_and_said() {
        let shape = shaped(
            doc! { "temp": true, "capped": false, "flags": 1, "autoIndexId": false, "validator": { "a": 1 } },
            &[doc! { "v": 1, "key": { "_id": 1 }, "name": "_id_" }],
            Ttl::Keep,
        );
        let id = doc! { "v": 1, "key": { "_id": 1 }, "name": "_id_" };
        assert_eq!(decoded(&shape.create), doc! { "create": "b", "validator": { "a": 1 }, "idIndex": id });
        assert_eq!(shape.options, doc! { "validator": { "a": 1 } });
        assert_eq!(shape.notes.len(), 2, "{:?}", shape.notes);
        let newer = super::shape(&spec(doc! { "recordPreImages": true }, &[]), (7, 0, 0), Ttl::Keep).unwrap();
        assert_eq!(newer.options, doc! { "changeStreamPreAndPostImages": { "enabled": true } });
    }

    #[test]
    fn what_expires_can_be_put_off() {
        let options =
            doc! { "expireAfterSeconds": 5, "clusteredIndex": { "key": { "_id": 1 }, "unique": true } };
        let ttl = doc! { "v": 2, "key": { "a": 1 }, "name": "a_1", "expireAfterSeconds": 7 };
        let kept = shaped(options.clone(), std::slice::from_ref(&ttl), Ttl::Keep);
        assert_eq!((kept.build.len(), kept.deferred.len()), (1, 0));
        let put_off = shaped(options, &[ttl], Ttl::Defer);
        assert_eq!((put_off.build.len(), put_off.indexes.len(), put_off.deferred.len()), (0, 0, 2));
        assert!(!put_off.options.contains_key("expireAfterSeconds"));
    }

    #[test]
    fn indexes_are_compared_by_what_they_mean() {
        let a = doc! { "v": 2, "key": { "a": 1, "b": 1 }, "name": "x", "ns": "q", "unique": false };
        let b = doc! { "name": "x", "key": { "a": 1.0, "b": 1_i64 }, "v": 2 };
        assert!(compare_indexes(std::slice::from_ref(&a), &[b]).is_empty());
        for other in [
            doc! { "name": "x", "key": { "b": 1, "a": 1 }, "v": 2 },
            doc! { "name": "x", "key": { "a": 1, "b": -1 }, "v": 2 },
            doc! { "name": "x", "key": { "a": 1, "b": 1 }, "v": 2, "unique": true },
            doc! { "name": "y", "key": { "a": 1, "b": 1 }, "v": 2 },
        ] {
            assert!(
                !compare_indexes(std::slice::from_ref(&a), std::slice::from_ref(&other)).is_empty(),
                "{other}"
            );
        }
        assert_eq!(compare_indexes(&[], &[a]).len(), 1);
    }

    #[test]
    fn options_are_compared_by_what_they_mean() {
        let view = doc! { "viewOn": "c", "pipeline": [{ "$sort": { "a": 1, "b": 1 } }] };
        assert!(compare_options(&view, &view).is_empty());
        let other = doc! { "viewOn": "c", "pipeline": [{ "$sort": { "b": 1, "a": 1 } }] };
        assert_eq!(compare_options(&view, &other).len(), 1);
        assert!(compare_options(&doc! { "size": 4096 }, &doc! { "size": 4096_i64 }).is_empty());
        assert_eq!(compare_options(&doc! {}, &doc! { "capped": true }).len(), 1);
    }
}
