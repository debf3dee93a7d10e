//! Random oplogs, from the definition of the format.

use std::path::{Path, PathBuf};

use bson::{Bson, Document, doc, oid::ObjectId};
use pitstop::domain::progress::Meter;
use pitstop::source::{self, Oplog};
use proptest::prelude::*;

pub const SECOND: u32 = 1_795_236_280;

/// An entry without `ts`.
pub fn operation() -> impl Strategy<Value = Document> {
    prop_oneof![
        8 => plain(),
        1 => command(),
        1 => (prop::collection::vec(plain(), 1..5), 0u8..3, 0i64..3).prop_map(|(ops, session, number)| {
            with(doc! { "op": "c", "ns": "admin.$cmd", "o": { "applyOps": ops } }, lsid(session, number))
        }),
        1 => prop::collection::vec(plain(), 1..4).prop_map(|ops| {
            let inner = doc! { "op": "c", "ns": "admin.$cmd", "o": { "applyOps": ops.clone() } };
            let list: Vec<Document> = ops.into_iter().chain([inner]).collect();
            doc! { "op": "c", "ns": "admin.$cmd", "o": { "applyOps": list } }
        }),
        1 => (prop::collection::vec(plain(), 1..4), 0u8..3).prop_map(|(ops, session)| {
            let grouped = doc! { "op": "c", "ns": "admin.$cmd", "o": { "applyOps": ops }, "multiOpType": 1 };
            with(grouped, lsid(session, 7))
        }),
        1 => (0u8..3, 0i64..3).prop_map(|(session, number)| {
            with(doc! { "op": "c", "ns": "admin.$cmd", "o": { "commitTransaction": 1 } }, lsid(session, number))
        }),
        1 => Just(doc! { "op": "c", "ns": "admin.$cmd", "o": { "applyOps": [] } }),
        1 => Just(doc! { "op": "n", "ns": "", "o": { "msg": "periodic noop" } }),
    ]
}

fn with(mut entry: Document, more: Document) -> Document {
    entry.extend(more);
    entry
}

fn lsid(session: u8, number: i64) -> Document {
    let id = bson::Binary { subtype: bson::spec::BinarySubtype::Uuid, bytes: vec![0x10 + session; 16] };
    doc! { "lsid": { "id": id, "uid": 1 }, "txnNumber": number }
}

fn plain() -> impl Strategy<Value = Document> {
    (0u8..5, namespace(), id(), fields(), 0u8..8).prop_map(|(kind, ns, id, fields, session)| {
        let body = with(doc! { "_id": id.clone() }, fields.clone());
        let entry = match kind {
            0 | 1 => doc! { "op": "i", "ns": ns, "o": body },
            2 => doc! { "op": "u", "ns": ns, "o": { "$v": 2, "diff": { "u": fields } }, "o2": { "_id": id } },
            3 => doc! { "op": "u", "ns": ns, "o": body, "o2": { "_id": id } },
            _ => doc! { "op": "d", "ns": ns, "o": { "_id": id } },
        };
        // A retryable write has a session and is in no transaction.
        if session == 0 { with(entry, lsid(session, 3)) } else { entry }
    })
}

fn command() -> impl Strategy<Value = Document> {
    prop_oneof![
        Just(doc! { "op": "c", "ns": "shop.$cmd", "o": { "drop": "orders" } }),
        Just(doc! { "op": "c", "ns": "shop.$cmd", "o": { "dropDatabase": 1 } }),
        Just(
            doc! { "op": "c", "ns": "shop.$cmd", "o": { "renameCollection": "shop.orders", "to": "hr.people" } }
        ),
        Just(doc! { "op": "c", "ns": "hr.$cmd", "o": { "create": "people", "_id": 7 } }),
    ]
}

pub fn namespace() -> impl Strategy<Value = String> {
    prop::sample::select(&["shop.orders", "shop.customers", "hr.people", "hr.a.b"][..])
        .prop_map(str::to_owned)
}

/// Few, so that queries find some; numbers of every type.
fn id() -> impl Strategy<Value = Bson> {
    let small = 0i32..4;
    prop_oneof![
        small.clone().prop_map(Bson::Int32),
        small.clone().prop_map(|n| Bson::Int64(n.into())),
        small.clone().prop_map(|n| Bson::Double(f64::from(n) / 2.0)),
        small.clone().prop_map(|n| Bson::Decimal128(format!("{n}.50").parse().unwrap())),
        Just(Bson::Double(1e300)),
        Just(Bson::Decimal128("1E+300".parse().unwrap())),
        small.clone().prop_map(|n| Bson::String(format!("k{n}"))),
        small.clone().prop_map(|n| ObjectId::from_bytes([n as u8; 12]).into()),
        small.clone().prop_map(|n| doc! { "a": n, "b": f64::from(n) }.into()),
        small.prop_map(|n| doc! { "a": i64::from(n), "b": n }.into()),
        Just(Bson::Null),
    ]
}

fn fields() -> impl Strategy<Value = Document> {
    let value = prop_oneof![
        "[a-d ]{0,6}".prop_map(Bson::String),
        "(Müller|naïve|x\u{fffd}y)".prop_map(Bson::String),
        (0i32..1200).prop_map(Bson::Int32),
        any::<bool>().prop_map(Bson::Boolean),
        (0i64..10).prop_map(|n| bson::DateTime::from_millis(n * 1000).into()),
        Just(Bson::Null),
        "[ab]{1,3}".prop_map(|text| doc! { "deep": [text, { "in": 1 }] }.into()),
    ];
    let name = prop::sample::select(&["name", "total", "note", "Mü"][..]);
    prop::collection::vec((name, value), 0..4)
        .prop_map(|fields| fields.into_iter().map(|(k, v)| (k.to_owned(), v)).collect())
}

/// Gives entries their positions: a few a second.
pub fn timed(operations: &[Document]) -> Vec<Document> {
    let at = |n: usize| bson::Timestamp { time: SECOND + n as u32 / 7, increment: n as u32 % 7 + 1 };
    let stamped = operations.iter().enumerate();
    stamped.map(|(n, op)| with(op.clone(), doc! { "ts": at(n), "t": 1i64, "v": 2i64 })).collect()
}

pub fn bytes(entries: &[Document]) -> Vec<u8> {
    entries.iter().flat_map(|e| bson::serialize_to_vec(e).unwrap()).collect()
}

/// Opens oplog files as one oplog.
pub fn open(files: &[PathBuf], unpacked: &Path) -> Oplog {
    let opened = source::open(files, unpacked, &Meter::default()).unwrap();
    Oplog::join(opened.slices, &[]).unwrap()
}

/// The oplog of a single file.
pub fn write(file: &Path, bytes: impl AsRef<[u8]>) -> Oplog {
    std::fs::write(file, bytes).unwrap();
    open(&[file.to_owned()], &file.with_extension("unpacked"))
}
