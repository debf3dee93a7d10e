//! The server's own answer for any stop, by its own recovery: data files of a node, the later
//! entries of its oplog up to the stop, and a start that replays them.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use bson::raw::{CStr, RawBsonRef};
use bson::{Bson, RawArrayBuf, RawDocument, doc, rawdoc};
use mongodb::Client;
use pitstop::domain::Position;

use crate::common::server::{Server, block_on, command_on, cursor_on};
use crate::common::truth::Checkpoint;
use crate::live::{databases, newest, observe};
use crate::play::{entry, position};

/// Entries that are inserted with one command.
const BATCH: usize = 500;

/// What a server made of its log up to some place.
pub enum Recovered {
    /// A state.
    State(Checkpoint),
    /// Buckets without their time series: a state that cannot be made on purpose.
    HalfSeries,
    /// It ended with a fatal error of its own, as 6.0.5 sometimes does: no answer.
    GaveUp(String),
}

/// The data files of a node as they were once.
pub struct Oracle {
    files: tempfile::TempDir,
}

fn directory() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("oracle-").tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

impl Oracle {
    /// Copies the files of a replica set's node while it holds still.
    pub fn of(server: &Server) -> Oracle {
        let client = server.client();
        command_on(&client, "admin", doc! { "fsync": 1, "lock": true });
        let files = directory();
        copy(&server.dbpath(), files.path());
        command_on(&client, "admin", doc! { "fsyncUnlock": 1 });
        Oracle { files }
    }

    /// What a server holds after it has recovered up to the last entry before the bound; without the
    /// content of collections that no two recoveries agree on.
    pub fn state(&self, entries: &[Vec<u8>], bound: Position) -> Recovered {
        let data = directory();
        copy(self.files.path(), data.path());
        let server = Server::over(data.path(), &[]);
        let client = server.client();
        let known = newest(&client);
        let wanted: Vec<_> = entries.iter().filter(|e| known < position(e) && position(e) < bound).collect();
        for batch in wanted.chunks(BATCH) {
            let mut documents = RawArrayBuf::new();
            batch.iter().for_each(|e| documents.push(RawDocument::from_bytes(e).unwrap().to_owned()));
            let command = rawdoc! { "insert": "oplog.rs", "documents": documents };
            let reply = block_on(client.database("local").run_raw_command(command).into_future()).unwrap();
            assert_eq!(reply.get_i32("n").unwrap(), batch.len() as i32, "{reply}");
        }
        // The node was running: this says where its oplog may have had holes, and it had none.
        let forget = doc! { "q": {}, "limit": 0 };
        command_on(
            &client,
            "local",
            doc! { "delete": "replset.oplogTruncateAfterPoint", "deletes": [forget] },
        );
        server.shut_down();
        let recover = ["--setParameter", "recoverFromOplogAsStandalone=true"];
        let server = match Server::recovering(data.path(), &recover) {
            Ok(server) => server,
            Err(said) => return Recovered::GaveUp(said),
        };
        let client = server.client();
        let mut state = observe(&client, format!("recovered to before {bound}"));
        assert_eq!(Some(state.ts), wanted.last().map(|e| position(e)), "the last entry recovered");
        let clocked = clocked(&wanted);
        for (db, collections) in &mut state.dbs {
            for listed in cursor_on(&client, db, doc! { "listCollections": 1 }) {
                let Some(Bson::Binary(uuid)) = listed.get_document("info").unwrap().get("uuid") else {
                    continue;
                };
                let is = collections.get_mut(listed.get_str("name").unwrap());
                if let Some(is) = is.filter(|_| clocked.contains(&uuid.bytes)) {
                    is.content = None;
                }
            }
        }
        // A server that starts to be written to drops what is temporary, and a state leaves it out.
        for collections in state.dbs.values_mut() {
            collections.retain(|_, c| !c.options.get_bool("temp").unwrap_or(false));
        }
        match databases(&client).iter().all(|db| whole(&client, db)) {
            true => Recovered::State(state),
            false => Recovered::HalfSeries,
        }
    }
}

/// The collections, by UUID, into which a replacement with a zero timestamp at the top was logged:
/// a pipeline can make one. The primary stores zero, as is logged; whoever applies the log stores
/// a clock instead (tried on 6.0.5), so that no two recoveries agree.
fn clocked(entries: &[&Vec<u8>]) -> HashSet<Vec<u8>> {
    let mut found = HashSet::new();
    let mut note = |op: &RawDocument| {
        let Ok(o) = op.get_document("o") else { return };
        let whole = op.get_str("op").is_ok_and(|op| op == "u") && o.get("_id").unwrap().is_some();
        let zero = |(name, value): (&CStr, RawBsonRef<'_>)| {
            name.as_str() != "_id" && value.as_timestamp().is_some_and(|t| (t.time, t.increment) == (0, 0))
        };
        if whole && o.into_iter().any(|field| zero(field.unwrap())) {
            found.insert(op.get_binary("ui").unwrap().bytes.to_vec());
        }
    };
    for one in entries {
        note(entry(one));
        let inner = entry(one).get_document("o").and_then(|o| o.get_array("applyOps"));
        inner.into_iter().flatten().for_each(|op| note(op.unwrap().as_document().unwrap()));
    }
    found
}

/// Whether the buckets of a database all belong to a time series.
fn whole(client: &Client, db: &str) -> bool {
    let listed = cursor_on(client, db, doc! { "listCollections": 1, "nameOnly": true });
    let names: Vec<_> = listed.iter().map(|c| c.get_str("name").unwrap()).collect();
    names.iter().filter_map(|name| name.strip_prefix("system.buckets.")).all(|series| names.contains(&series))
}

/// Copies data files; logs of the server's own diagnosis are not among them.
fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap();
        if path.is_dir() {
            if name != "diagnostic.data" {
                fs::create_dir(to.join(name)).unwrap();
                copy(&path, &to.join(name));
            }
        } else if name != "mongod.lock" && name != "WiredTiger.lock" {
            fs::copy(&path, to.join(name)).unwrap();
        }
    }
}
