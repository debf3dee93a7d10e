//! What a fixture's server itself said about its states, and whether a restored state is one of
//! them: same dbHash and count of every collection, same type, options and indexes, and no
//! collection more or less.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use bson::{Bson, Document, doc};
use pitstop::domain::Position;

use super::server;

/// Databases that are not part of a state.
pub const IGNORED: [&str; 4] = ["admin", "config", "local", "pitstop_incomplete"];

/// `truth.jsonl` and `meta.json` of a fixture.
pub struct Truth {
    /// The states, in order.
    pub checkpoints: Vec<Checkpoint>,
    /// Single collections at single entries inside the bulk delete.
    pub points: Vec<Point>,
    /// By name: "bulk delete", "bad deploy", …
    pub incidents: BTreeMap<String, Incident>,
    /// The consecutive slices of the oplog.
    pub slices: Vec<Slice>,
    /// The version of the server that was recorded: "6.0.5".
    pub server: String,
}

/// A state, as the recorded server described it.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    pub label: String,
    /// The last entry that the state includes.
    pub ts: Position,
    /// Database, collection.
    pub dbs: BTreeMap<String, BTreeMap<String, Collection>>,
}

/// A collection, view or time series of a state.
#[derive(Debug, Clone, Default)]
pub struct Collection {
    /// "collection", "view" or "timeseries".
    pub kind: String,
    pub options: Document,
    pub indexes: Vec<Document>,
    /// Count and dbHash; `None` for what holds no documents of its own.
    pub content: Option<Content>,
}

/// What a collection holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    pub count: u64,
    /// MD5 over the documents in `_id` order.
    pub md5: String,
}

/// One collection's dbHash in the state that includes the entry at `ts`.
#[derive(Debug, Clone)]
pub struct Point {
    pub ts: Position,
    pub db: String,
    pub collection: String,
    pub md5: String,
}

/// The entries of one piece of damage.
#[derive(Debug, Clone)]
pub struct Incident {
    /// The last entry ahead of it.
    pub before: Position,
    pub first: Position,
    pub last: Position,
    pub entries: u64,
}

/// A slice of the oplog, both ends included.
#[derive(Debug, Clone)]
pub struct Slice {
    pub name: String,
    pub from: Position,
    pub through: Position,
}

impl Truth {
    /// Reads both files of an unpacked fixture.
    pub fn read(fixture: &Path) -> Truth {
        let lines = std::fs::read_to_string(fixture.join("truth.jsonl")).unwrap();
        let meta = json(&std::fs::read_to_string(fixture.join("meta.json")).unwrap());
        let incident = |(name, value): (&String, &Bson)| {
            let of = value.as_document().unwrap();
            let at = |key: &str| pair(of.get(key).unwrap());
            let entries = int(of.get("entries").unwrap());
            let incident = Incident { before: at("before"), first: at("first"), last: at("last"), entries };
            (name.clone(), incident)
        };
        Truth {
            checkpoints: lines.lines().map(|line| Checkpoint::of(&json(line))).collect(),
            points: documents(&meta, "points")
                .map(|p| Point {
                    ts: stamp(p.get_document("ts").unwrap()),
                    db: text(p, "db"),
                    collection: text(p, "collection"),
                    md5: text(p, "md5"),
                })
                .collect(),
            incidents: meta.get_document("incidents").unwrap().iter().map(incident).collect(),
            slices: documents(&meta, "slices")
                .map(|s| Slice {
                    name: text(s, "name"),
                    from: pair(s.get("from").unwrap()),
                    through: pair(s.get("through").unwrap()),
                })
                .collect(),
            server: text(&meta, "server"),
        }
    }

    /// The checkpoint of that label.
    pub fn checkpoint(&self, label: &str) -> &Checkpoint {
        self.checkpoints
            .iter()
            .find(|c| c.label == label)
            .unwrap_or_else(|| panic!("no checkpoint {label:?}"))
    }

    /// The checkpoints that a snapshot reaches whose own oplog ends at `edge`.
    pub fn from(&self, edge: Position) -> impl Iterator<Item = &Checkpoint> {
        self.checkpoints.iter().filter(move |c| c.ts >= edge)
    }
}

impl Checkpoint {
    fn of(line: &Document) -> Checkpoint {
        let collection = |(name, value): (&String, &Bson)| {
            let of = value.as_document().unwrap();
            let content = of.get("md5").map(|md5| Content {
                count: int(of.get("count").unwrap()),
                md5: md5.as_str().unwrap().to_owned(),
            });
            let collection = Collection {
                kind: text(of, "type"),
                options: of.get_document("options").unwrap().clone(),
                indexes: if of.contains_key("indexes") {
                    documents(of, "indexes").cloned().collect()
                } else {
                    vec![]
                },
                content,
            };
            (name.clone(), collection)
        };
        let db = |(name, value): (&String, &Bson)| {
            let collections = value.as_document().unwrap().get_document("collections").unwrap();
            (name.clone(), collections.iter().map(collection).collect())
        };
        Checkpoint {
            label: text(line, "label"),
            ts: stamp(line.get_document("ts").unwrap()),
            dbs: line.get_document("dbs").unwrap().iter().map(db).collect(),
        }
    }

    /// What a server holds right now, in the same shape.
    pub fn observe(uri: &str) -> Checkpoint {
        let client = server::connect(uri);
        let names = server::block_on(client.list_database_names().into_future()).unwrap();
        let mut dbs = BTreeMap::new();
        for db in names.into_iter().filter(|name| !IGNORED.contains(&name.as_str())) {
            let hashes = server::command_on(&client, &db, doc! { "dbHash": 1 });
            let hashes = hashes.get_document("collections").unwrap().clone();
            let mut collections = BTreeMap::new();
            for listed in server::cursor_on(&client, &db, doc! { "listCollections": 1 }) {
                let name = text(&listed, "name");
                if name == "system.views" {
                    continue;
                }
                let mut found = Collection {
                    kind: text(&listed, "type"),
                    options: listed.get_document("options").unwrap().clone(),
                    ..Collection::default()
                };
                if found.kind == "collection" {
                    found.indexes = server::cursor_on(&client, &db, doc! { "listIndexes": &name });
                    let documents = client.database(&db).collection::<Document>(&name);
                    let count = server::block_on(documents.count_documents(doc! {}).into_future()).unwrap();
                    let md5 = hashes.get_str(&name).unwrap_or("no dbHash").to_owned();
                    found.content = Some(Content { count, md5 });
                }
                collections.insert(name, found);
            }
            dbs.insert(db, collections);
        }
        Checkpoint { label: "observed".to_owned(), ts: Position::MIN, dbs }
    }

    /// Everything in which `got` is not this state, a line each.
    pub fn differences(&self, got: &Checkpoint) -> Vec<String> {
        let mut found = Vec::new();
        for db in union(&self.dbs, &got.dbs) {
            let (want, got) = (self.dbs.get(db), got.dbs.get(db));
            let empty = BTreeMap::new();
            let (want, got) = (want.unwrap_or(&empty), got.unwrap_or(&empty));
            for name in union(want, got) {
                match (want.get(name), got.get(name)) {
                    (Some(_), None) => found.push(format!("{db}.{name}: missing")),
                    (None, Some(_)) => found.push(format!("{db}.{name}: should not exist")),
                    (Some(want), Some(got)) => {
                        found.extend(want.differences(got).into_iter().map(|d| format!("{db}.{name}: {d}")));
                    }
                    (None, None) => {}
                }
            }
        }
        found
    }
}

impl Collection {
    fn differences(&self, got: &Collection) -> Vec<String> {
        let mut found = Vec::new();
        if self.kind != got.kind {
            found.push(format!("a {} for a {}", got.kind, self.kind));
        }
        if self.content != got.content {
            found.push(format!("content {:?} for {:?}", got.content, self.content));
        }
        // As text: documents of the bson library are equal in any order of their fields.
        let (want, have) = (unordered(&self.options).to_string(), unordered(&got.options).to_string());
        if want != have {
            found.push(format!("options {have} for {want}"));
        }
        let (want, have) = (by_name(&self.indexes), by_name(&got.indexes));
        for name in union(&want, &have) {
            if want.get(name) != have.get(name) {
                let none = "none".to_owned();
                found.push(format!(
                    "index {name:?} {} for {}",
                    have.get(name).unwrap_or(&none),
                    want.get(name).unwrap_or(&none)
                ));
            }
        }
        found
    }
}

/// How a server's state differs from the truth; empty = exact.
pub fn compare_server(uri: &str, want: &Checkpoint) -> Vec<String> {
    want.differences(&Checkpoint::observe(uri))
}

/// How a mongodump directory differs from the truth; empty = exact. Without a server.
pub fn compare_dump(dir: &Path, want: &Checkpoint) -> Vec<String> {
    let mut got = super::dump::observe(dir);
    // A dump records of a time series' buckets the documents only, and indexes in terms of the
    // series. That those follow from the series is the server's business, so they are taken over;
    // that there are as many is checked.
    for (db, collections) in &mut got.dbs {
        let Some(truth) = want.dbs.get(db) else { continue };
        let series: BTreeMap<String, usize> = collections
            .iter()
            .filter(|(_, c)| c.kind == "timeseries")
            .map(|(name, c)| (format!("system.buckets.{name}"), c.indexes.len()))
            .collect();
        for (name, indexes) in series {
            if let (Some(buckets), Some(truth)) = (collections.get_mut(&name), truth.get(&name)) {
                buckets.options = truth.options.clone();
                if indexes == truth.indexes.len() {
                    buckets.indexes = truth.indexes.clone();
                }
            }
        }
        for series in collections.values_mut().filter(|c| c.kind == "timeseries") {
            series.indexes.clear();
        }
    }
    want.differences(&got)
}

/// A line of canonical Extended JSON.
pub fn json(text: &str) -> Document {
    let value: serde_json::Value = serde_json::from_str(text).unwrap();
    match Bson::try_from(value).unwrap() {
        Bson::Document(document) => document,
        other => panic!("{other} is no document"),
    }
}

fn union<'a, A, B>(a: &'a BTreeMap<String, A>, b: &'a BTreeMap<String, B>) -> BTreeSet<&'a String> {
    a.keys().chain(b.keys()).collect()
}

/// Indexes by name, without `ns` (old servers put it there), the order of fields kept in `key` alone.
fn by_name(indexes: &[Document]) -> BTreeMap<String, String> {
    let normal = |index: &Document| {
        let mut index = unordered(index);
        index.remove("ns");
        (index.get_str("name").unwrap_or("no name").to_owned(), index.to_string())
    };
    let named: BTreeMap<_, _> = indexes.iter().map(normal).collect();
    assert_eq!(named.len(), indexes.len(), "two indexes of one name: {indexes:?}");
    named
}

/// Fields sorted at every depth, except where their order means something; numbers by value.
fn unordered(document: &Document) -> Document {
    let mut fields: Vec<_> = document.iter().collect();
    fields.sort_by_key(|(name, _)| *name);
    let ordered = ["key", "pipeline"];
    fields.into_iter().map(|(k, v)| (k.clone(), normal(v, ordered.contains(&k.as_str())))).collect()
}

fn normal(value: &Bson, ordered: bool) -> Bson {
    match value {
        Bson::Document(d) if ordered => {
            d.iter().map(|(k, v)| (k.clone(), normal(v, true))).collect::<Document>().into()
        }
        Bson::Document(d) => unordered(d).into(),
        Bson::Array(a) => a.iter().map(|v| normal(v, ordered)).collect::<Vec<_>>().into(),
        Bson::Int32(n) => Bson::Int64(i64::from(*n)),
        Bson::Double(n) if n.fract() == 0.0 && n.abs() < 9e15 => Bson::Int64(*n as i64),
        other => other.clone(),
    }
}

fn text(of: &Document, key: &str) -> String {
    of.get_str(key).unwrap_or_else(|e| panic!("{key}: {e} in {of}")).to_owned()
}

fn documents<'a>(of: &'a Document, key: &str) -> impl Iterator<Item = &'a Document> {
    of.get_array(key).unwrap().iter().map(|item| item.as_document().unwrap())
}

fn int(value: &Bson) -> u64 {
    value.as_i64().or(value.as_i32().map(i64::from)).and_then(|n| u64::try_from(n).ok()).unwrap()
}

fn stamp(of: &Document) -> Position {
    Position::new(int(of.get("t").unwrap()) as u32, int(of.get("i").unwrap()) as u32)
}

fn pair(value: &Bson) -> Position {
    let parts = value.as_array().unwrap();
    Position::new(int(&parts[0]) as u32, int(&parts[1]) as u32)
}
