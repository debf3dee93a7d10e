//! Oplog entries in the shape and field order of mongod 6.0.

use bson::{Binary, Bson, Document, Timestamp, doc, spec::BinarySubtype};
use pitstop::domain::Position;

use super::{DAY, Dice};

/// SHA-256 of nothing: the user of a session on a server without access control.
const NOBODY: [u8; 32] = [
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27,
    0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
];
const TERM: i64 = 7;

/// The log so far.
pub struct Log {
    pub entries: Vec<Entry>,
    sessions: Vec<(bson::Uuid, i64)>,
    /// Milliseconds since midnight of the newest entry.
    now: u64,
    dice: Dice,
}

/// One entry: where, and its bytes.
#[derive(Clone)]
pub struct Entry {
    pub pos: Position,
    pub bytes: Vec<u8>,
}

/// What one write does; becomes `op`, `o` and `o2`.
pub enum Write {
    Insert(Document),
    /// `_id` and `$v: 2` diff.
    Update(Bson, Document),
    /// The whole new document.
    Replace(Document),
    Delete(Bson),
}

impl Log {
    pub fn new(seed: u64) -> Log {
        let mut dice = Dice(seed);
        let sessions = (0..24).map(|_| (dice.uuid(), dice.below(90_000) as i64)).collect();
        Log { entries: Vec::new(), sessions, now: 0, dice }
    }

    /// Moves the clock forward; never back.
    pub fn reach(&mut self, ms: u64) {
        self.now = self.now.max(ms);
    }

    pub fn now(&self) -> u64 {
        self.now
    }

    pub fn last(&self) -> Position {
        self.entries.last().map_or(Position::new(DAY, 0), |e| e.pos)
    }

    /// A write of an application: retryable, in a session.
    pub fn write(&mut self, ns: &str, ui: bson::Uuid, write: Write) {
        let mut entry = self.session();
        entry.extend(operation(ns, ui, write));
        entry.insert("stmtId", 0);
        self.finish(entry, true);
    }

    /// A write of the server itself, or one of many that a single statement does.
    pub fn plain(&mut self, ns: &str, ui: bson::Uuid, write: Write) {
        self.finish(operation(ns, ui, write), false);
    }

    /// A transaction that fits into one entry.
    pub fn transaction(&mut self, writes: Vec<(String, bson::Uuid, Write)>) {
        let mut entry = self.session();
        let inner: Vec<Document> = writes.into_iter().map(|(ns, ui, w)| operation(&ns, ui, w)).collect();
        entry.extend(doc! { "op": "c", "ns": "admin.$cmd", "o": { "applyOps": inner } });
        self.finish(entry, true);
    }

    pub fn command(&mut self, db: &str, ui: bson::Uuid, o: Document) {
        self.finish(doc! { "op": "c", "ns": format!("{db}.$cmd"), "ui": ui, "o": o }, false);
    }

    /// What a primary writes when nobody else has for ten seconds.
    pub fn noop(&mut self) {
        self.finish(doc! { "op": "n", "ns": "", "o": { "msg": "periodic noop" } }, false);
    }

    fn session(&mut self) -> Document {
        let at = self.dice.below(self.sessions.len() as u64) as usize;
        let (id, number) = &mut self.sessions[at];
        *number += 1;
        let uid = Binary { subtype: BinarySubtype::Generic, bytes: NOBODY.to_vec() };
        doc! { "lsid": { "id": *id, "uid": uid }, "txnNumber": *number }
    }

    fn finish(&mut self, mut entry: Document, in_session: bool) {
        let secs = DAY + (self.now / 1000) as u32;
        let last = self.last();
        let inc = if last.secs == secs { last.inc + 1 } else { 1 };
        let wall = bson::DateTime::from_millis(i64::from(DAY) * 1000 + self.now as i64);
        entry.extend(
            doc! { "ts": Timestamp { time: secs, increment: inc }, "t": TERM, "v": 2_i64, "wall": wall },
        );
        if in_session {
            entry.insert("prevOpTime", doc! { "ts": Timestamp { time: 0, increment: 0 }, "t": -1_i64 });
        }
        let bytes = bson::serialize_to_vec(&entry).unwrap();
        self.entries.push(Entry { pos: Position::new(secs, inc), bytes });
    }
}

fn operation(ns: &str, ui: bson::Uuid, write: Write) -> Document {
    let key = |o: &Document| doc! { "_id": o.get("_id").unwrap().clone() };
    let (op, o, o2) = match write {
        Write::Insert(o) => ("i", o.clone(), Some(key(&o))),
        Write::Update(id, diff) => ("u", doc! { "$v": 2, "diff": diff }, Some(doc! { "_id": id })),
        Write::Replace(o) => ("u", o.clone(), Some(key(&o))),
        Write::Delete(id) => ("d", doc! { "_id": id }, None),
    };
    let mut entry = doc! { "op": op, "ns": ns, "ui": ui, "o": o };
    entry.extend(o2.map(|o2| ("o2".to_owned(), Bson::Document(o2))));
    entry
}
