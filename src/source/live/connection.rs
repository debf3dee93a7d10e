//! The connection to a replica set that is a source. It can read and nothing else: the driver's
//! client never leaves this file, and every command it sends is one of [`Read`].
//!
//! A user with the actions `find` and `collStats` on `local.oplog.rs` is enough; with
//! `replSetGetConfig` on the cluster the set is also recognised by its id.

use std::time::{Duration, Instant};

use bson::{Bson, Document, doc};
use mongodb::error::ErrorKind;
use mongodb::options::{ClientOptions, ReadPreference, SelectionCriteria};
use mongodb::{Client, Cursor};

use crate::domain::uri::{scrub, without_secrets};
use crate::domain::window::Ring;
use crate::domain::{Error, Position, Result};
use crate::engine::bson::Doc;

/// How long a server is looked for, unless the connection string says otherwise.
const SELECTION: Duration = Duration::from_secs(10);
/// How long a secondary is waited for where there should be one.
const ACQUAINTANCE: Duration = Duration::from_secs(2);
/// Server error codes: the cursor's place in the capped collection has been overwritten.
const OVERTAKEN: [i32; 2] = [136, 96];
/// Server error codes that no retry cures: unauthorized, authentication failed, bad value,
/// failed to parse, command not found.
const HOPELESS: [i32; 5] = [13, 18, 2, 9, 59];

/// A connection to a source. There is no call that writes.
#[derive(Clone)]
pub struct Connection {
    client: Client,
    criteria: SelectionCriteria,
    shown: String,
    uri: String,
}

/// All that is ever asked of a source.
enum Read {
    Hello,
    Config,
    RingStats,
    Entries { filter: Document, end: Option<End>, concern: Concern, batch: i32 },
}

/// One end of the oplog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The next entry to be overwritten.
    Oldest,
    /// The last one written.
    Newest,
}

/// Which entries are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Concern {
    /// All that the member has. An election may take the newest of them back.
    Local,
    /// Those a majority of the set has: no election takes them back.
    Majority,
}

/// Why a read failed, as far as it decides what to do next.
#[derive(Debug)]
pub enum Trouble {
    /// The connection or the member was lost: another try may succeed.
    Lost(String),
    /// The cursor's place was overwritten while it was read.
    Overtaken,
    /// No retry helps.
    Hopeless(String),
    /// Not the source's fault: the disk, or somebody stopped us.
    Own(Box<Error>),
}

/// Who the source is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetIdentity {
    /// The name of the set.
    pub name: String,
    /// Its id, 24 hex digits; `None` where the user may not read the configuration.
    pub id: Option<String>,
    /// The member that answered.
    pub member: String,
    /// The member's clock, milliseconds since 1970.
    pub clock: Option<i64>,
}

/// Entries of the oplog as they come.
pub struct Entries<'c> {
    cursor: Cursor<Document>,
    connection: &'c Connection,
}

impl Connection {
    /// Connects, and makes sure that it is a member of a replica set. Needs a tokio runtime.
    pub async fn open(uri: &str) -> Result<(Connection, SetIdentity)> {
        let shown = without_secrets(uri);
        let failed = |said: &str| {
            let hint = if said.contains("uthenticat") || said.contains("nauthorized") {
                "check user, password and authSource; the user needs `find` and `collStats` on local.oplog.rs."
            } else {
                "check that a member runs and the name, port and TLS options; if only this one host can be reached, add directConnection=true."
            };
            Error::failed("connecting to the source", &shown, said).hint(hint)
        };
        let said = |e: mongodb::error::Error| failed(&plain(&e, uri));
        let mut options = ClientOptions::parse(uri).await.map_err(said)?;
        options.app_name.get_or_insert_with(|| "pitstop".to_owned());
        options.server_selection_timeout.get_or_insert(SELECTION);
        let ours = options.selection_criteria.is_none() && options.direct_connection != Some(true);
        let preferred = ReadPreference::SecondaryPreferred { options: None };
        let criteria =
            options.selection_criteria.clone().unwrap_or(SelectionCriteria::ReadPreference(preferred));
        let client = Client::with_options(options).map_err(said)?;
        let connection = Connection { client, criteria, shown: shown.clone(), uri: uri.to_owned() };
        let ask = || connection.ask("admin", Read::Hello);
        let mut hello = ask().await.map_err(|t| failed(&t.to_string()))?;
        // The driver takes the primary as long as it knows of no other member: it is given a
        // moment to get to know them.
        let begun = Instant::now();
        while ours && is_primary_of_several(&hello) && begun.elapsed() < ACQUAINTANCE {
            tokio::time::sleep(Duration::from_millis(50)).await;
            hello = ask().await.map_err(|t| failed(&t.to_string()))?;
        }
        if hello.get_str("msg").is_ok_and(|m| m == "isdbgrid") {
            return Error::usage("opening the source", &shown, "it is a router of a sharded cluster")
                .hint("name the replica set of one shard: a router has no oplog.")
                .err();
        }
        let Ok(name) = hello.get_str("setName") else {
            return Error::usage(
                "opening the source",
                &shown,
                "it is no member of a replica set and has no oplog",
            )
            .hint("name a member of a replica set.")
            .err();
        };
        let mut identity = SetIdentity {
            name: name.to_owned(),
            id: None,
            member: hello.get_str("me").unwrap_or(&shown).to_owned(),
            clock: hello.get_datetime("localTime").ok().map(|t| t.timestamp_millis()),
        };
        if let Ok(config) = connection.ask("admin", Read::Config).await {
            let settings = config.get_document("config").and_then(|c| c.get_document("settings"));
            let id = settings.and_then(|s| s.get_object_id("replicaSetId"));
            identity.id = id.ok().map(|id| id.to_hex());
        }
        Ok((connection, identity))
    }

    /// The address, without secrets.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// The entry at one end, as bytes; `None` when the oplog is empty.
    pub async fn end(&self, end: End, concern: Concern) -> Result<Option<Vec<u8>>, Trouble> {
        let read = Read::Entries { filter: doc! {}, end: Some(end), concern, batch: 1 };
        let mut entries = self.find(read).await?;
        Ok(entries.next().await?.map(|doc| doc.bytes().to_vec()))
    }

    /// The entries with `from <= ts`, and `ts <= through` if that is given, in order, up to the
    /// newest there is when the last batch is made.
    pub async fn entries(
        &self,
        from: Position,
        through: Option<Position>,
        concern: Concern,
    ) -> Result<Entries<'_>, Trouble> {
        let mut range = doc! { "$gte": timestamp(from) };
        if let Some(through) = through {
            range.insert("$lte", timestamp(through));
        }
        self.find(Read::Entries { filter: doc! { "ts": range }, end: None, concern, batch: 1000 }).await
    }

    /// How full the oplog is; `None` where the user may not know.
    pub async fn ring(&self) -> Option<Ring> {
        let stats = self.ask("local", Read::RingStats).await.ok()?;
        let number = |key: &str| match stats.get(key)? {
            Bson::Int32(n) => u64::try_from(*n).ok(),
            Bson::Int64(n) => u64::try_from(*n).ok(),
            // Always a whole number here; servers answer with a double where it is large.
            Bson::Double(n) if *n >= 0.0 => Some(*n as u64),
            _ => None,
        };
        Some(Ring { bytes: number("size")?, limit: number("maxSize")? })
    }

    async fn ask(&self, db: &str, read: Read) -> Result<Document, Trouble> {
        let database = self.client.database(db);
        let asked = database.run_command(read.command());
        asked.selection_criteria(self.criteria.clone()).await.map_err(|e| self.trouble(&e))
    }

    async fn find(&self, read: Read) -> Result<Entries<'_>, Trouble> {
        let local = self.client.database("local");
        let asked = local.run_cursor_command(read.command()).selection_criteria(self.criteria.clone());
        let cursor = asked.await.map_err(|e| self.trouble(&e))?;
        Ok(Entries { cursor, connection: self })
    }

    fn trouble(&self, error: &mongodb::error::Error) -> Trouble {
        let said = plain(error, &self.uri);
        match error.kind.as_ref() {
            ErrorKind::Command(e) if OVERTAKEN.contains(&e.code) => Trouble::Overtaken,
            ErrorKind::Command(e) if HOPELESS.contains(&e.code) => Trouble::Hopeless(said),
            ErrorKind::Authentication { .. }
            | ErrorKind::InvalidArgument { .. }
            | ErrorKind::InvalidTlsConfig { .. }
            | ErrorKind::DnsResolve { .. } => Trouble::Hopeless(said),
            _ => Trouble::Lost(said),
        }
    }
}

impl Read {
    fn command(self) -> Document {
        match self {
            Read::Hello => doc! { "hello": 1 },
            Read::Config => doc! { "replSetGetConfig": 1 },
            Read::RingStats => doc! { "collStats": "oplog.rs" },
            Read::Entries { filter, end, concern, batch } => {
                let level = match concern {
                    Concern::Local => "local",
                    Concern::Majority => "majority",
                };
                let mut find = doc! {
                    "find": "oplog.rs", "filter": filter, "batchSize": batch,
                    "readConcern": { "level": level },
                };
                if let Some(end) = end {
                    find.insert("sort", doc! { "$natural": if end == End::Oldest { 1 } else { -1 } });
                    find.insert("limit", 1);
                    find.insert("singleBatch", true);
                }
                find
            }
        }
    }
}

impl Entries<'_> {
    /// The next one.
    pub async fn next(&mut self) -> Result<Option<Doc<'_>>, Trouble> {
        let there = self.cursor.advance().await.map_err(|e| self.connection.trouble(&e))?;
        if !there {
            return Ok(None);
        }
        let broken = |fault: crate::engine::bson::Fault| Trouble::Lost(fault.what.to_string());
        Doc::new(self.cursor.current().as_bytes()).map(Some).map_err(broken)
    }
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Trouble::Lost(said) | Trouble::Hopeless(said) => f.write_str(said),
            Trouble::Overtaken => f.write_str("the oplog was overwritten while it was read"),
            Trouble::Own(error) => write!(f, "{error}"),
        }
    }
}

impl From<Box<Error>> for Trouble {
    fn from(error: Box<Error>) -> Self {
        Trouble::Own(error)
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Connection({})", self.shown)
    }
}

/// What the driver says, in words: without secrets, and without its own bookkeeping.
fn plain(error: &mongodb::error::Error, uri: &str) -> String {
    let said = scrub(&error.kind.to_string(), uri);
    if !matches!(error.kind.as_ref(), ErrorKind::ServerSelection { .. }) {
        return said;
    }
    // A description of all members; what matters is why the first one did not answer.
    let reason = said.split_once("Error: Kind: ").and_then(|(_, rest)| rest.split(", labels:").next());
    match reason {
        Some(reason) => format!("no member answers: {reason}"),
        None => said,
    }
}

fn is_primary_of_several(hello: &Document) -> bool {
    hello.get_bool("isWritablePrimary").unwrap_or(false)
        && hello.get_array("hosts").is_ok_and(|hosts| hosts.len() > 1)
}

fn timestamp(pos: Position) -> bson::Timestamp {
    bson::Timestamp { time: pos.secs, increment: pos.inc }
}
