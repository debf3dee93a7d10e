//! Backs up a running replica set in the format of mongodump, without the product's writers: a
//! dump directory with its own oplog, and a slice of everything the oplog holds.

use std::fs;
use std::path::Path;

use bson::{Bson, Document, RawDocumentBuf, doc};
use futures_util::TryStreamExt;
use mongodb::Client;
use pitstop::domain::Position;

use super::server::{Server, block_on, command_on, cursor_on};

/// The position of the newest entry that is no noop.
pub fn last_entry(client: &Client) -> Position {
    let oplog = client.database("local").collection::<Document>("oplog.rs");
    let filter = doc! { "op": { "$ne": "n" } };
    let found = block_on(oplog.find_one(filter).sort(doc! { "$natural": -1 }).into_future());
    position(&found.unwrap().unwrap())
}

fn position(entry: &Document) -> Position {
    let ts = entry.get_timestamp("ts").unwrap();
    Position::new(ts.time, ts.increment)
}

/// All entries from a position on, back to back.
pub fn oplog(client: &Client, from: Position) -> Vec<u8> {
    let ts = bson::Timestamp { time: from.secs, increment: from.inc };
    let entries = client.database("local").collection::<RawDocumentBuf>("oplog.rs");
    let found: Vec<RawDocumentBuf> =
        block_on(async { entries.find(doc! { "ts": { "$gte": ts } }).await.unwrap().try_collect().await })
            .unwrap();
    found.iter().flat_map(|entry| entry.as_bytes().to_vec()).collect()
}

/// All documents of a collection, as the server sends them.
pub fn documents(client: &Client, db: &str, coll: &str) -> Vec<RawDocumentBuf> {
    let coll = client.database(db).collection::<RawDocumentBuf>(coll);
    block_on(async { coll.find(doc! {}).await.unwrap().try_collect().await }).unwrap()
}

/// A dump that has begun: entries from here on belong to it.
pub struct Dump<'s> {
    client: Client,
    server: &'s Server,
    from: Position,
}

impl<'s> Dump<'s> {
    pub fn begin(server: &'s Server) -> Self {
        let client = server.client();
        Dump { from: last_entry(&client), client, server }
    }

    /// Reads the documents now.
    pub fn read(&self, dir: &Path) {
        for name in block_on(self.client.list_database_names().into_future()).unwrap() {
            if ["admin", "config", "local"].contains(&name.as_str()) {
                continue;
            }
            let place = dir.join(&name);
            fs::create_dir_all(&place).unwrap();
            for coll in cursor_on(&self.client, &name, doc! { "listCollections": 1 }) {
                let coll_name = coll.get_str("name").unwrap();
                let indexes = cursor_on(&self.client, &name, doc! { "listIndexes": coll_name });
                let Some(Bson::Binary(uuid)) = coll.get_document("info").unwrap().get("uuid") else {
                    panic!("{coll} has no uuid");
                };
                let uuid: String = uuid.bytes.iter().map(|b| format!("{b:02x}")).collect();
                let metadata = doc! {
                    "options": coll.get_document("options").unwrap().clone(),
                    "indexes": indexes, "uuid": uuid, "collectionName": coll_name, "type": "collection",
                };
                let json = Bson::Document(metadata).into_canonical_extjson().to_string();
                fs::write(place.join(format!("{coll_name}.metadata.json")), json).unwrap();
                let bytes: Vec<u8> = documents(&self.client, &name, coll_name)
                    .iter()
                    .flat_map(|d| d.as_bytes().to_vec())
                    .collect();
                fs::write(place.join(format!("{coll_name}.bson")), bytes).unwrap();
            }
        }
        let version = command_on(&self.server.client(), "admin", doc! { "buildInfo": 1 });
        let prelude = format!("{{\"ServerVersion\":\"{}\"}}", version.get_str("version").unwrap());
        fs::write(dir.join("prelude.json"), prelude).unwrap();
    }

    /// Ends it: its own oplog goes up to now. Gives the edge.
    pub fn end(self, dir: &Path) -> Position {
        let bytes = oplog(&self.client, self.from);
        fs::write(dir.join("oplog.bson"), &bytes).unwrap();
        let mut rest = bytes.as_slice();
        let mut edge = self.from;
        while !rest.is_empty() {
            let length = i32::from_le_bytes(rest[..4].try_into().unwrap()) as usize;
            edge = position(&bson::deserialize_from_slice(&rest[..length]).unwrap());
            rest = &rest[length..];
        }
        edge
    }
}

/// Writes everything the oplog holds from `from` on as a slice.
pub fn slice(client: &Client, from: Position, path: &Path) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, oplog(client, from)).unwrap();
}
