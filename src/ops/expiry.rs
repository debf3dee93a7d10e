//! TTL indexes: which deleted documents had expired. For each document of a collection with a
//! TTL index the indexed date is kept, from the snapshot and from every write, so that a delete
//! can be held against it: 20 to 40 bytes for each such document, whatever memory there is.

use crate::engine::bson::{Doc, EMPTY, Elem, kind};
use crate::engine::build::Builder;
use crate::engine::entry::EntryKind;
use crate::engine::key::DocKey;
use crate::engine::update::{NewFieldOrder, Update, apply, classify};
use foldhash::HashMap as Map;

/// Whether a document had expired when it was deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expired {
    /// Its date says so.
    Yes,
    /// Its date, or its having none, says that it had not.
    No,
    /// Nothing known says when it would.
    Unknown,
}

/// The date of a document, as an index sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dated {
    /// Milliseconds since 1970; the smallest, of an array of dates.
    At(i64),
    /// There is none: the document never expires.
    Never,
    /// It cannot be told from here.
    Unsure,
}

/// A date as it is kept: many are. Milliseconds since 1970, of which the two furthest in the past
/// stand for the others.
#[derive(Debug, Clone, Copy)]
struct Stamp(i64);

const NEVER: i64 = i64::MIN;
const UNSURE: i64 = i64::MIN + 1;

impl From<Dated> for Stamp {
    fn from(dated: Dated) -> Stamp {
        Stamp(match dated {
            Dated::At(ms) => ms.max(UNSURE + 1),
            Dated::Never => NEVER,
            Dated::Unsure => UNSURE,
        })
    }
}

impl From<Stamp> for Dated {
    fn from(Stamp(ms): Stamp) -> Dated {
        match ms {
            NEVER => Dated::Never,
            UNSURE => Dated::Unsure,
            _ => Dated::At(ms),
        }
    }
}

/// One TTL index with the dates of its documents.
#[derive(Debug)]
pub struct Ttl {
    name: Vec<u8>,
    path: Vec<String>,
    seconds: i64,
    /// By a hash of the document.
    dates: Map<u64, Stamp>,
}

impl Ttl {
    /// The TTL index that a spec describes, if it does.
    pub fn of(spec: Doc<'_>) -> Option<Ttl> {
        let seconds = spec.get("expireAfterSeconds")?;
        let seconds = seconds.as_i64().or_else(|| seconds.as_f64().map(|secs| secs as i64))?;
        let path = spec.get("key")?.as_doc()?.first_elem()?.name_lossy().into_owned();
        Some(Ttl {
            name: spec.get("name").map(|e| e.value.to_vec()).unwrap_or_default(),
            path: path.split('.').map(str::to_owned).collect(),
            seconds,
            dates: Map::default(),
        })
    }

    /// Whether both are the same index, perhaps with another time.
    pub fn is(&self, other: &Ttl) -> bool {
        self.name == other.name && self.path == other.path
    }

    /// Takes over the time of the same index as it is now.
    pub fn adopt(&mut self, other: &Ttl) {
        self.seconds = other.seconds;
    }

    /// A document as the snapshot has it; what a write said is newer.
    pub fn read(&mut self, doc: Doc<'_>) {
        if let Some(key) = doc.get("_id").map(DocKey::of) {
            let dated = dated(doc, &self.path);
            self.dates.entry(key.bits() as u64).or_insert(dated.into());
        }
    }

    /// Follows a write of a document. For a delete: whether it had expired at that second.
    pub fn write(&mut self, kind: EntryKind, key: DocKey, o: Doc<'_>, secs: u32) -> Expired {
        let key = key.bits() as u64;
        match kind {
            EntryKind::Insert => {
                self.dates.insert(key, dated(o, &self.path).into());
            }
            EntryKind::Update => match classify(o) {
                Ok(Update::Replace(body)) => {
                    self.dates.insert(key, dated(body, &self.path).into());
                }
                Ok(update) => {
                    if let Some(now) = self.dates.get_mut(&key) {
                        *now = updated((*now).into(), &update, &self.path).into();
                    }
                }
                Err(_) => {
                    self.dates.insert(key, Dated::Unsure.into());
                }
            },
            EntryKind::Delete => {
                return match self.dates.remove(&key).map(Dated::from) {
                    Some(Dated::At(ms)) if ms.div_euclid(1000) + self.seconds <= i64::from(secs) => {
                        Expired::Yes
                    }
                    Some(Dated::At(_) | Dated::Never) => Expired::No,
                    Some(Dated::Unsure) | None => Expired::Unknown,
                };
            }
            _ => {}
        }
        Expired::Unknown
    }
}

/// A clustered collection, or the buckets of a time series, that expires by `_id`: a date, or an
/// ObjectId that begins with the earliest time of its bucket.
pub fn by_id(id: &Elem<'_>, options: Doc<'_>, secs: u32) -> Expired {
    let Some(after) = options.get("expireAfterSeconds").and_then(|e| e.as_i64()) else { return Expired::No };
    let span = options
        .get("timeseries")
        .and_then(|e| e.as_doc())
        .map_or(0, |series| series.get("bucketMaxSpanSeconds").and_then(|e| e.as_i64()).unwrap_or(3600));
    let born = match id.kind {
        kind::DATE => id.as_date().map(|ms| ms.div_euclid(1000)),
        kind::OBJECT_ID => id.value.first_chunk::<4>().map(|b| i64::from(u32::from_be_bytes(*b))),
        _ => None,
    };
    match born {
        Some(born) if born + span + after <= i64::from(secs) => Expired::Yes,
        Some(_) => Expired::No,
        None => Expired::Unknown,
    }
}

fn dated(doc: Doc<'_>, path: &[String]) -> Dated {
    let Some((name, rest)) = path.split_first() else { return Dated::Never };
    let Some(elem) = doc.get(name) else { return Dated::Never };
    match (rest.is_empty(), elem.kind) {
        (true, kind::DATE) => elem.as_date().map_or(Dated::Unsure, Dated::At),
        (true, kind::ARRAY) => {
            let dates = elem.as_doc().into_iter().flat_map(Doc::iter).map_while(Result::ok);
            dates.filter_map(|e| e.as_date()).min().map_or(Dated::Never, Dated::At)
        }
        (true, _) => Dated::Never,
        (false, kind::DOCUMENT) => elem.as_doc().map_or(Dated::Unsure, |inner| dated(inner, rest)),
        (false, kind::ARRAY) => Dated::Unsure,
        (false, _) => Dated::Never,
    }
}

/// Applies an update to a document of nothing but the date.
fn updated(now: Dated, update: &Update<'_>, path: &[String]) -> Dated {
    let mut small = Builder::new();
    match (now, path.split_last()) {
        (Dated::Unsure, _) | (_, None) => {}
        (Dated::Never, _) => {}
        (Dated::At(ms), Some((last, above))) => {
            above.iter().for_each(|name| small.open(name.as_bytes(), kind::DOCUMENT));
            small.put(last.as_bytes(), kind::DATE, &ms.to_le_bytes());
            above.iter().for_each(|_| small.close());
        }
    }
    let small = small.finish();
    let after = apply(Doc::new(&small).unwrap_or(EMPTY), update, NewFieldOrder::AsListed, Vec::new());
    let after = after.ok().and_then(|bytes| Doc::new(&bytes).ok().map(|doc| dated(doc, path)));
    match (now, after) {
        (_, Some(Dated::At(ms))) => Dated::At(ms),
        // What lies around the date is not known here.
        (Dated::Never, _) if path.len() > 1 => Dated::Unsure,
        (Dated::Unsure, _) | (_, None) => Dated::Unsure,
        (_, Some(other)) => other,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::engine::entry::Entry;
    use bson::{Document, doc};

    fn raw(doc: &Document) -> Vec<u8> {
        bson::serialize_to_vec(doc).unwrap()
    }

    fn entry(op: &str, o: Document) -> Vec<u8> {
        let ts = bson::Timestamp { time: 10, increment: 1 };
        raw(&doc! { "ts": ts, "op": op, "ns": "a.b", "o": o, "o2": { "_id": 1 } })
    }

    /// The verdict on a delete at second 1000 after these writes.
    fn verdict(key: Document, writes: &[Vec<u8>]) -> Expired {
        let spec = raw(&doc! { "key": key, "name": "n", "expireAfterSeconds": 100 });
        let mut ttl = Ttl::of(Doc::new(&spec).unwrap()).unwrap();
        let mut take = |bytes: &[u8]| {
            let entry = Entry::parse(Doc::new(bytes).unwrap()).unwrap();
            ttl.write(entry.kind, DocKey::of(entry.id().unwrap()), entry.o, 1000)
        };
        writes.iter().for_each(|write| assert_eq!(take(write), Expired::Unknown));
        take(&entry("d", doc! { "_id": 1 }))
    }

    fn date(secs: i64) -> bson::DateTime {
        bson::DateTime::from_millis(secs * 1000)
    }

    #[test]
    fn a_date_is_followed_through_writes() {
        let at = |secs| entry("i", doc! { "_id": 1, "seen": date(secs) });
        let set = |secs| entry("u", doc! { "$v": 2, "diff": { "u": { "seen": date(secs) } } });
        let seen = || doc! { "seen": 1 };
        assert_eq!(verdict(seen(), &[at(900)]), Expired::Yes);
        assert_eq!(verdict(seen(), &[at(901)]), Expired::No);
        assert_eq!(verdict(seen(), &[at(500), set(950)]), Expired::No);
        assert_eq!(verdict(seen(), &[at(950), set(500)]), Expired::Yes);
        assert_eq!(verdict(seen(), &[set(500)]), Expired::Unknown);
        assert_eq!(verdict(seen(), &[entry("i", doc! { "_id": 1, "seen": "no date" })]), Expired::No);
        let unset = entry("u", doc! { "$v": 1, "$unset": { "seen": true } });
        assert_eq!(verdict(seen(), &[at(500), unset]), Expired::No);
        let several = entry("i", doc! { "_id": 1, "seen": [date(990), date(500)] });
        assert_eq!(verdict(seen(), &[several]), Expired::Yes);
    }

    #[test]
    fn a_date_inside_a_document() {
        let key = || doc! { "a.b": 1 };
        let at = |secs| entry("i", doc! { "_id": 1, "a": { "x": 1, "b": date(secs) } });
        assert_eq!(verdict(key(), &[at(500)]), Expired::Yes);
        let inner = entry("u", doc! { "$v": 2, "diff": { "sa": { "u": { "b": date(990) } } } });
        assert_eq!(verdict(key(), &[at(500), inner.clone()]), Expired::No);
        let whole = entry("u", doc! { "$v": 2, "diff": { "u": { "a": { "b": date(400) } } } });
        assert_eq!(verdict(key(), &[at(990), whole]), Expired::Yes);
        let none = entry("i", doc! { "_id": 1, "a": { "x": 1 } });
        assert_eq!(verdict(key(), &[none, inner]), Expired::Unknown);
    }

    #[test]
    fn clustered_collections_and_buckets_expire_by_their_id() {
        let verdict = |id: bson::Bson, options: Document| {
            let (id, options) = (raw(&doc! { "_id": id }), raw(&options));
            by_id(&Doc::new(&id).unwrap().first_elem().unwrap(), Doc::new(&options).unwrap(), 10_000)
        };
        let options = doc! { "expireAfterSeconds": 100i64 };
        assert_eq!(verdict(date(9900).into(), options.clone()), Expired::Yes);
        assert_eq!(verdict(date(9901).into(), options.clone()), Expired::No);
        assert_eq!(verdict(1.into(), options), Expired::Unknown);
        assert_eq!(verdict(date(0).into(), doc! {}), Expired::No);
        let mut bytes = [0u8; 12];
        bytes[..4].copy_from_slice(&6300u32.to_be_bytes());
        let bucket = bson::oid::ObjectId::from_bytes(bytes);
        let span =
            |n: i32| doc! { "expireAfterSeconds": 100i64, "timeseries": { "bucketMaxSpanSeconds": n } };
        assert_eq!(verdict(bucket.into(), span(3600)), Expired::Yes);
        assert_eq!(verdict(bucket.into(), span(3601)), Expired::No);
    }
}
