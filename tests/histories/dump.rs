//! A mongodump directory, taken piece by piece while the history goes on.

use std::collections::{HashSet, VecDeque};
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use bson::{Document, RawDocumentBuf, doc};
use futures_util::TryStreamExt;
use mongodb::{Client, Cursor};
use pitstop::domain::Position;

use crate::common::dump::metadata;
use crate::common::server::{block_on, cursor_on};
use crate::live::{databases, listed, newest};
use crate::random::Random;

/// What is still to be done.
enum Work {
    List(String),
    Indexes { db: String, listed: Document },
    Documents { db: String, name: String },
    Batch { cursor: Box<Cursor<RawDocumentBuf>>, file: File },
}

/// A dump in the making.
pub struct Dumper {
    dir: PathBuf,
    from: Position,
    work: VecDeque<Work>,
    files: HashSet<String>,
    failed: bool,
}

/// A finished dump.
pub struct Dump {
    pub dir: PathBuf,
    pub from: Position,
    pub edge: Position,
}

impl Dumper {
    pub fn start(client: &Client, dir: PathBuf) -> Dumper {
        Dumper::since(client, dir, newest(client))
    }

    /// One whose oplog begins long before it reads anything.
    pub fn since(client: &Client, dir: PathBuf, from: Position) -> Dumper {
        fs::create_dir_all(&dir).unwrap();
        let work = databases(client).into_iter().map(Work::List).collect();
        fs::create_dir(dir.join("admin")).unwrap();
        let version = bson::serialize_to_vec(&doc! { "_id": "authSchema", "currentVersion": 5 }).unwrap();
        fs::write(dir.join("admin/system.version.bson"), version).unwrap();
        let about = metadata("system.version", "collection", &doc! {}, &[], None);
        fs::write(dir.join("admin/system.version.metadata.json"), about).unwrap();
        Dumper { dir, from, work, files: HashSet::new(), failed: false }
    }

    /// Does the next piece; `None` when there is none left.
    pub fn step(&mut self, client: &Client, random: &mut Random) -> Option<()> {
        // Mostly in the order of the tool: everything's metadata, then documents.
        let at = if random.one_in(3) { random.below(self.work.len().max(1)) } else { 0 };
        match self.work.remove(at)? {
            Work::List(db) => {
                let found = listed(client, &db);
                self.work.extend(found.into_iter().map(|listed| Work::Indexes { db: db.clone(), listed }));
            }
            Work::Indexes { db, listed } => {
                let name = listed.get_str("name").unwrap().to_owned();
                let kind = listed.get_str("type").unwrap();
                let options = listed.get_document("options").unwrap();
                let uuid = listed.get_document("info").unwrap().get("uuid").map(|u| match u {
                    bson::Bson::Binary(b) => b.to_uuid().unwrap(),
                    other => panic!("{other}"),
                });
                let list = doc! { "listIndexes": &name };
                let indexes =
                    match block_on(client.database(&db).run_cursor_command(list.clone()).into_future()) {
                        Ok(_) if kind != "view" => cursor_on(client, &db, list),
                        _ => vec![],
                    };
                self.write(&db, &name, ".metadata.json")
                    .write_all(metadata(&name, kind, options, &indexes, uuid).as_bytes())
                    .unwrap();
                let holder = if kind == "timeseries" { format!("system.buckets.{name}") } else { name };
                if kind != "view" {
                    self.work.push_back(Work::Documents { db, name: holder });
                }
            }
            Work::Documents { db, name } => {
                let file = self.write(&db, &name, ".bson");
                let size = 1 + random.below(40) as u32;
                let coll = client.database(&db).collection::<RawDocumentBuf>(&name);
                if let Ok(cursor) = block_on(coll.find(doc! {}).batch_size(size).into_future()) {
                    self.work.push_front(Work::Batch { cursor: Box::new(cursor), file });
                }
            }
            Work::Batch { mut cursor, mut file } => {
                let mut left = 1 + random.below(60);
                loop {
                    match block_on(cursor.try_next()) {
                        Ok(Some(one)) => file.write_all(one.as_bytes()).unwrap(),
                        Ok(None) => break,
                        Err(e) if e.to_string().contains("dropped") => break,
                        // The position was lost, in a capped collection: such a dump fails.
                        Err(_) => {
                            self.failed = true;
                            break;
                        }
                    }
                    left -= 1;
                    if left == 0 {
                        self.work.push_front(Work::Batch { cursor, file });
                        break;
                    }
                }
            }
        }
        Some(())
    }

    fn write(&mut self, db: &str, name: &str, end: &str) -> File {
        let file = format!("{db}/{}{end}", escaped(name));
        assert!(self.files.insert(file.clone()), "{file} twice");
        let path = self.dir.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        File::create(path).unwrap()
    }

    /// Writes the oplog of the window; `None` for a dump that failed.
    pub fn finish(self, client: &Client, server: &str) -> Option<Dump> {
        if self.failed {
            return None;
        }
        let edge = newest(client);
        let entries = oplog(client, self.from, edge);
        fs::write(self.dir.join("oplog.bson"), entries.concat()).unwrap();
        let prelude = format!(r#"{{"ServerVersion":"{server}","ToolVersion":"100.13.0"}}"#);
        fs::write(self.dir.join("prelude.json"), prelude).unwrap();
        Some(Dump { dir: self.dir, from: self.from, edge })
    }
}

/// The entries of the oplog between two positions, both included.
pub fn oplog(client: &Client, from: Position, through: Position) -> Vec<Vec<u8>> {
    let stamp = |p: Position| bson::Timestamp { time: p.secs, increment: p.inc };
    let coll = client.database("local").collection::<RawDocumentBuf>("oplog.rs");
    let filter = doc! { "ts": { "$gte": stamp(from), "$lte": stamp(through) } };
    let all = block_on(async { coll.find(filter).sort(doc! { "$natural": 1 }).await?.try_collect().await });
    let all: Vec<RawDocumentBuf> = all.unwrap_or_else(|e: mongodb::error::Error| panic!("{e}"));
    all.into_iter().map(RawDocumentBuf::into_bytes).collect()
}

/// The oplog in slices that share from one to a few entries.
pub fn slices(dir: &Path, entries: &[Vec<u8>], random: &mut Random) {
    let pieces = 1 + random.below(5);
    let mut cuts: Vec<usize> = (1..pieces).map(|_| random.below(entries.len())).collect();
    cuts.extend([0, entries.len() - 1]);
    cuts.sort_unstable();
    cuts.dedup();
    for (number, pair) in cuts.windows(2).enumerate() {
        let end = (pair[1] + 1 + random.below(4)).min(entries.len());
        let path = dir.join(format!("{number:04}/local"));
        fs::create_dir_all(&path).unwrap();
        fs::write(path.join("oplog.rs.bson"), entries[pair[0]..end].concat()).unwrap();
    }
}

/// A collection's name as a file's: what a URL's query would make of it; long ones are cut.
fn escaped(name: &str) -> String {
    use sha1::{Digest, Sha1};
    let mut out = String::new();
    for byte in name.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(byte.into()),
            b' ' => out.push('+'),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    if out.len() <= 238 {
        return out;
    }
    format!("{}%24{}", &out[..208], base64url(&Sha1::digest(name.as_bytes())))
}

fn base64url(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let bit = |n: usize| bytes.get(n / 8).map_or(0, |b| b >> (7 - n % 8) & 1);
    (0..bytes.len() * 8)
        .step_by(6)
        .map(|start| (0..6).fold(0, |digit, n| digit << 1 | bit(start + n)))
        .map(|digit| char::from(DIGITS[usize::from(digit)]))
        .collect()
}
