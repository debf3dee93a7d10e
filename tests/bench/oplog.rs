//! An oplog of any size, as a 6.0 replica set writes it: inserts, updates and deletes of an
//! ordinary application, with sessions, and now and then a transaction or a no-op.

use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::Path;

use bson::raw::{RawArrayBuf, RawDocumentBuf};
use bson::spec::BinarySubtype;
use bson::{Binary, DateTime, Timestamp, oid::ObjectId, rawdoc};

/// The word that only one entry has, so many bytes into the file.
pub const NEEDLE: &str = "quetzalcoatl";
pub const NEEDLE_AT: u64 = 90 << 20;
/// The `_id` of the customer that is looked for.
pub const CUSTOMER: i64 = 4242;

/// How many customers there are from the beginning.
const CUSTOMERS: u64 = 100_000;
const SECOND: u32 = 1_795_236_280;
const PER_SECOND: u32 = 500;
const WORDS: [&str; 8] = ["pending", "shipped", "returned", "paid", "north", "south", "express", "standard"];

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn word(&mut self) -> &'static str {
        WORDS[self.below(WORDS.len() as u64) as usize]
    }
}

/// Writes at least `ops` operations; the file appears when it is complete.
pub fn write(file: &Path, ops: u64) -> std::io::Result<()> {
    let beside = file.with_extension("partial");
    let mut out = BufWriter::with_capacity(1 << 20, File::create(&beside)?);
    let mut random = Random(ops);
    let (mut done, mut size, mut entries, mut planted) = (0u64, 0u64, 0u32, false);
    while done < ops {
        let mut entry = RawDocumentBuf::new();
        let plant = !planted && size >= NEEDLE_AT;
        planted |= plant;
        done += fill(&mut entry, &mut random, entries, plant);
        out.write_all(entry.as_bytes())?;
        size += entry.as_bytes().len() as u64;
        entries += 1;
    }
    out.into_inner().map_err(|e| e.into_error())?.sync_all()?;
    std::fs::rename(beside, file)
}

fn uuid(collection: usize) -> Binary {
    Binary { subtype: BinarySubtype::Uuid, bytes: vec![0x5a + collection as u8; 16] }
}

/// A dump of the collections as they were before the first entry, which is its own oplog.
pub fn write_dump(dir: &Path, oplog: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(dir.join("shop"))?;
    for (number, name) in ["orders", "ledger", "customers", "carts"].into_iter().enumerate() {
        let mut out = BufWriter::new(File::create(dir.join(format!("shop/{name}.bson")))?);
        for id in (0..CUSTOMERS).filter(|_| name == "customers") {
            let customer =
                rawdoc! { "_id": id as i64, "status": "new", "visits": 0, "name": format!("customer {id}") };
            out.write_all(customer.as_bytes())?;
        }
        out.into_inner().map_err(|e| e.into_error())?;
        let uuid: String = uuid(number).bytes.iter().map(|b| format!("{b:02x}")).collect();
        let index = r#"{"v":{"$numberInt":"2"},"key":{"_id":{"$numberInt":"1"}},"name":"_id_"}"#;
        let metadata = format!(
            r#"{{"options":{{}},"indexes":[{index}],"uuid":"{uuid}","collectionName":"{name}","type":"collection"}}"#
        );
        std::fs::write(dir.join(format!("shop/{name}.metadata.json")), metadata)?;
    }
    let mut length = [0; 4];
    let mut file = File::open(oplog)?;
    file.read_exact(&mut length)?;
    let mut first = length.to_vec();
    file.take(u64::from(u32::from_le_bytes(length)) - 4).read_to_end(&mut first)?;
    std::fs::write(dir.join("oplog.bson"), first)
}

/// One entry; gives the number of its operations.
fn fill(entry: &mut RawDocumentBuf, random: &mut Random, number: u32, plant: bool) -> u64 {
    let secs = SECOND + number / PER_SECOND;
    let ts = Timestamp { time: secs, increment: number % PER_SECOND + 1 };
    let wall = DateTime::from_millis(i64::from(secs) * 1000 + i64::from(number % PER_SECOND) * 2);
    let [orders, ledger, customers, carts] = [0, 1, 2, 3].map(uuid);
    let mut count = 1;
    match random.below(1000) {
        _ if plant => {
            let id = ObjectId::from_bytes([7; 12]);
            entry.append_ref_all(rawdoc! {
                "op": "i", "ns": "shop.orders", "ui": orders,
                "o": { "_id": id, "note": format!("a {NEEDLE} in the crowd") }, "o2": { "_id": id },
            });
        }
        0..10 => entry.append_ref_all(rawdoc! {
            "op": "n", "ns": "", "o": { "msg": "periodic noop" },
        }),
        10..20 => {
            count = 3;
            let mut list = RawArrayBuf::new();
            for _ in 0..count {
                list.push(rawdoc! {
                    "op": "i", "ns": "shop.ledger", "ui": ledger.clone(), "o": order(random), "o2": { "_id": 1 },
                });
            }
            session(entry, random);
            entry.append_ref_all(rawdoc! { "op": "c", "ns": "admin.$cmd", "o": { "applyOps": list } });
        }
        20..450 => {
            session(entry, random);
            let o = order(random);
            let id = o.get_object_id("_id").expect("an order has an _id");
            entry.append_ref_all(rawdoc! {
                "op": "i", "ns": "shop.orders", "ui": orders, "o": o, "o2": { "_id": id },
            });
        }
        450..900 => {
            session(entry, random);
            let id = random.below(CUSTOMERS) as i64;
            let diff = rawdoc! { "u": { "status": random.word(), "visits": random.below(1000) as i32 } };
            entry.append_ref_all(rawdoc! {
                "op": "u", "ns": "shop.customers", "ui": customers,
                "o": { "$v": 2, "diff": diff }, "o2": { "_id": id },
            });
        }
        _ => {
            session(entry, random);
            let id = random.below(100_000) as i64;
            entry.append_ref_all(rawdoc! {
                "op": "d", "ns": "shop.carts", "ui": carts, "o": { "_id": id },
            });
        }
    }
    entry.append_ref_all(rawdoc! { "ts": ts, "t": 1i64, "v": 2i64, "wall": wall });
    count
}

fn session(entry: &mut RawDocumentBuf, random: &mut Random) {
    let id = Binary { subtype: BinarySubtype::Uuid, bytes: vec![random.below(200) as u8; 16] };
    let uid = Binary { subtype: BinarySubtype::Generic, bytes: vec![0xe3; 32] };
    entry.append_ref_all(rawdoc! {
        "lsid": { "id": id, "uid": uid }, "txnNumber": random.below(1_000_000) as i64, "stmtId": 0,
        "prevOpTime": { "ts": Timestamp { time: 0, increment: 0 }, "t": -1i64 },
    });
}

fn order(random: &mut Random) -> RawDocumentBuf {
    let mut id = [0; 12];
    id[..8].copy_from_slice(&random.next().to_be_bytes());
    rawdoc! {
        "_id": ObjectId::from_bytes(id), "customer": random.below(100_000) as i64, "status": random.word(),
        "total": random.below(100_000) as f64 / 100.0,
        "items": [ { "sku": format!("SKU-{}", random.below(5000)), "qty": random.below(5) as i32 } ],
        "ship": { "way": random.word(), "to": random.word() },
    }
}

trait AppendAll {
    fn append_ref_all(&mut self, other: RawDocumentBuf);
}

impl AppendAll for RawDocumentBuf {
    fn append_ref_all(&mut self, other: RawDocumentBuf) {
        for (name, value) in other.iter().flatten() {
            self.append(name, value);
        }
    }
}
