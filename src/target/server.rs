//! A server that is written to: what it is, whether it may be written to, and the mark that a
//! restore on it is not finished.

use std::time::Duration;

use bson::{Bson, Document, RawDocumentBuf, doc};
use mongodb::Client;
use mongodb::options::ClientOptions;

use super::MARK;
use super::batch::put_concern;
use crate::domain::how::WriteConcern;
use crate::domain::namespace::Treatment;
use crate::domain::text::visible;
use crate::domain::uri::{scrub, without_secrets};
use crate::domain::{Error, Namespace, OpTime, Result};
use crate::engine::bson::Doc;
use crate::engine::build::Builder;
use crate::engine::entry::optime_of;

/// A connection to a server that may be written to.
#[derive(Debug, Clone)]
pub struct Server {
    client: Client,
    /// The connection string without secrets, for messages.
    address: String,
    /// To be kept out of messages.
    uri: String,
}

/// What tells servers apart, whatever name they were reached by.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
pub struct ServerIdentity {
    /// The name of its replica set.
    pub set_name: Option<String>,
    /// The id of its replica set (24 hex digits); `None` also where reading it is not allowed.
    pub set_id: Option<String>,
    /// All members, as the set names them.
    pub hosts: Vec<String>,
    /// Its own name in the set.
    pub me: Option<String>,
    /// An id of this very run of this very process (24 hex digits).
    pub process_id: Option<String>,
    /// Whether this is a router of a sharded cluster.
    pub mongos: bool,
    /// Whether it has an oplog.
    pub has_oplog: bool,
}

/// A collection as a server lists it.
pub(super) struct Listed {
    pub ns: Namespace,
    pub kind: String,
    pub options: Document,
}

impl Server {
    /// Connects and asks the server for a sign of life. Needs a tokio runtime.
    pub async fn connect(uri: &str) -> Result<Server> {
        Self::connect_by(uri, doc! { "listDatabases": 1, "nameOnly": true }).await
    }

    /// The same, of one that may not answer questions about data yet.
    pub(super) async fn connect_early(uri: &str) -> Result<Server> {
        Self::connect_by(uri, doc! { "connectionStatus": 1 }).await
    }

    async fn connect_by(uri: &str, question: Document) -> Result<Server> {
        let address = without_secrets(uri);
        let failed = |e: mongodb::error::Error| {
            Error::failed("connecting to the target", &address, scrub(&e.to_string(), uri))
                .hint("check that the server runs, the name, the port, and the credentials.")
        };
        let mut options = ClientOptions::parse(uri).await.map_err(failed)?;
        options.app_name.get_or_insert_with(|| "pitstop".to_owned());
        options.server_selection_timeout.get_or_insert(Duration::from_secs(10));
        let client = Client::with_options(options).map_err(failed)?;
        client.database("admin").run_command(question).await.map_err(failed)?;
        Ok(Server { client, address, uri: uri.to_owned() })
    }

    /// The connection string without credentials and options.
    pub fn address(&self) -> &str {
        &self.address
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// What the driver says, without secrets.
    pub(super) fn said(&self, error: &mongodb::error::Error) -> String {
        let said = match &*error.kind {
            mongodb::error::ErrorKind::Command(refused) => {
                format!("{} ({})", refused.message, refused.code_name)
            }
            // Labels and the raw answer are for programs.
            _ => error.to_string().split(", labels: {").next().unwrap_or_default().to_owned(),
        };
        scrub(&said, &self.uri)
    }

    /// An error of ours from an error of the driver.
    pub(super) fn failed(
        &self,
        doing: &str,
        place: impl std::fmt::Display,
        e: &mongodb::error::Error,
    ) -> Error {
        Error::failed(doing, place, format_args!("{}: {}", self.address, self.said(e)))
    }

    /// Runs a command; the error is the driver's, scrubbed.
    pub(super) async fn run(&self, db: &str, command: Document) -> std::result::Result<Document, String> {
        self.client.database(db).run_command(command).await.map_err(|e| self.said(&e)).and_then(fulfilled)
    }

    /// Runs a command that is bytes already.
    pub(super) async fn run_raw(&self, db: &str, command: Vec<u8>) -> std::result::Result<Document, String> {
        let command = RawDocumentBuf::from_bytes(command).map_err(|e| e.to_string())?;
        self.client.database(db).run_raw_command(command).await.map_err(|e| self.said(&e)).and_then(fulfilled)
    }

    /// Its version: major, minor, patch.
    pub async fn version(&self) -> Result<(u32, u32, u32)> {
        let doing = "asking the target for its version";
        let info = self
            .run("admin", doc! { "buildInfo": 1 })
            .await
            .map_err(|e| Error::failed(doing, &self.address, e))?;
        let text = info.get_str("version").unwrap_or_default();
        super::mongod::three(text).map_or_else(
            || Error::failed(doing, &self.address, format_args!("{text:?} is no version")).err(),
            Ok,
        )
    }

    /// Its feature compatibility version, where it tells: it may be kept below its own release.
    pub async fn compatibility(&self) -> Option<(u32, u32)> {
        let ask = doc! { "getParameter": 1, "featureCompatibilityVersion": 1 };
        let told = self.run("admin", ask).await.ok()?;
        let version = told.get_document("featureCompatibilityVersion").ok()?.get_str("version").ok()?;
        super::mongod::three(version).map(|(major, minor, _)| (major, minor))
    }

    /// What it is.
    pub async fn identity(&self) -> Result<ServerIdentity> {
        let doing = "asking the target who it is";
        let failed = |e: String| Error::failed(doing, &self.address, e);
        let hello = self.run("admin", doc! { "hello": 1 }).await.map_err(failed)?;
        let text = |key: &str| hello.get_str(key).ok().map(str::to_owned);
        let mut hosts: Vec<String> = ["hosts", "passives", "arbiters"]
            .iter()
            .filter_map(|key| hello.get_array(key).ok())
            .flatten()
            .filter_map(|h| h.as_str().map(str::to_owned))
            .collect();
        hosts.sort();
        let process_id = hello.get_document("topologyVersion").and_then(|v| v.get_object_id("processId"));
        let mut identity = ServerIdentity {
            set_name: text("setName"),
            me: text("me"),
            hosts,
            process_id: process_id.ok().map(|id| id.to_hex()),
            mongos: hello.get_str("msg").is_ok_and(|m| m == "isdbgrid"),
            ..ServerIdentity::default()
        };
        if identity.set_name.is_some() {
            // A user who may write need not be allowed to read the configuration.
            let config = self.run("admin", doc! { "replSetGetConfig": 1 }).await.ok();
            let id =
                config.as_ref().and_then(|c| c.get_document("config").ok()?.get_document("settings").ok());
            identity.set_id = id.and_then(|s| s.get_object_id("replicaSetId").ok()).map(|id| id.to_hex());
        }
        identity.has_oplog = !identity.mongos && self.has_oplog().await?;
        Ok(identity)
    }

    async fn has_oplog(&self) -> Result<bool> {
        let filter = doc! { "listCollections": 1, "nameOnly": true, "filter": { "name": "oplog.rs" } };
        let listed = self.run("local", filter).await.map_err(|e| {
            Error::refused("looking for an oplog on the target", &self.address, e)
                .hint("the user must be allowed to read the database `local`: without that nobody can tell whether this is the source.")
        })?;
        let batch = listed.get_document("cursor").and_then(|c| c.get_array("firstBatch"));
        Ok(batch.is_ok_and(|b| !b.is_empty()))
    }

    /// Whether its oplog holds one of these entries (same position and term); then this is the
    /// source, a member of its set, or descends from it. Refused where it cannot be known.
    pub async fn oplog_holds(&self, entries: &[OpTime]) -> Result<Option<OpTime>> {
        let identity = self.identity().await?;
        if identity.mongos {
            return Error::refused(
                "looking for the source's entries in the target's oplog",
                &self.address,
                "this is a router of a sharded cluster, whose oplogs cannot be read through it",
            )
            .hint("restore into an isolated server or a dump directory, and load that into the cluster.")
            .err();
        }
        if !identity.has_oplog {
            return Ok(None);
        }
        let reading = |e: String| {
            Error::refused("looking for the source's entries in the target's oplog", &self.address, e)
                .hint("the user must be allowed to read `local.oplog.rs`.")
        };
        let (Some(oldest), Some(newest)) = (
            self.oplog_entry(doc! {}, 1).await.map_err(reading)?,
            self.oplog_entry(doc! {}, -1).await.map_err(reading)?,
        ) else {
            return Ok(None);
        };
        // The newest first: they are the likeliest to be there.
        for entry in entries.iter().rev().filter(|e| (oldest.pos..=newest.pos).contains(&e.pos)) {
            let ts = bson::Timestamp { time: entry.pos.secs, increment: entry.pos.inc };
            // A range of one: that, unlike $in, is found by the position in the file.
            let same_place = doc! { "ts": { "$gte": ts, "$lte": ts } };
            if self.oplog_entry(same_place, 1).await.map_err(reading)? == Some(*entry) {
                return Ok(Some(*entry));
            }
        }
        Ok(None)
    }

    /// The first or, with -1, the last entry of its oplog that fits.
    async fn oplog_entry(
        &self,
        filter: Document,
        natural: i32,
    ) -> std::result::Result<Option<OpTime>, String> {
        let find = doc! {
            "find": "oplog.rs", "filter": filter, "hint": { "$natural": natural },
            "projection": { "ts": 1, "t": 1 }, "limit": 1, "singleBatch": true,
        };
        let found = self.run("local", find).await?;
        let batch = found.get_document("cursor").and_then(|c| c.get_array("firstBatch"));
        let Some(Bson::Document(entry)) = batch.ok().and_then(|b| b.first()) else { return Ok(None) };
        let bytes = bson::serialize_to_vec(entry).map_err(|e| e.to_string())?;
        Doc::new(&bytes).map(|entry| Some(optime_of(entry))).map_err(|fault| fault.to_string())
    }

    /// Refuses a target that holds anything of anybody: user collections, views, or the mark of
    /// an unfinished restore.
    pub async fn require_empty(&self) -> Result<()> {
        let doing = "checking that the target is empty";
        let names = self.databases().await?;
        if names.iter().any(|n| n == MARK) {
            let left = self.run(MARK, doc! { "find": "restore", "limit": 1 }).await.ok();
            let since = left
                .as_ref()
                .and_then(|r| {
                    r.get_document("cursor").ok()?.get_array("firstBatch").ok()?.first()?.as_document()
                })
                .and_then(|d| d.get_str("time").ok())
                .unwrap_or("an unknown time");
            return Error::refused(
                doing,
                &self.address,
                format_args!("it holds an unfinished restore of {} (database {MARK})", visible(since)),
            )
            .hint(format_args!(
                "drop what that restore made, and the database {MARK}; or use another target."
            ))
            .err();
        }
        self.require_no_collections(&names).await
    }

    /// Marks an empty target as unfinished. One that carries the mark of this very restore, and
    /// nothing else yet, is begun already.
    pub(super) async fn begin(&self, restore_id: &str, concern: WriteConcern) -> Result<()> {
        let find = doc! { "find": "restore", "filter": { "_id": restore_id }, "limit": 1 };
        let found = self
            .run(MARK, find)
            .await
            .map_err(|e| Error::failed("looking for the mark of a restore on", &self.address, e))?;
        let marks = found.get_document("cursor").and_then(|c| c.get_array("firstBatch"));
        if marks.is_ok_and(|marks| !marks.is_empty()) {
            return self.require_no_collections(&self.databases().await?).await;
        }
        self.require_empty().await?;
        self.mark(restore_id, concern).await
    }

    async fn require_no_collections(&self, databases: &[String]) -> Result<()> {
        let doing = "checking that the target is empty";
        let mut there = Vec::new();
        for db in databases {
            there.extend(self.collections(db).await?.into_iter().map(|c| c.ns));
        }
        if there.is_empty() {
            return Ok(());
        }
        let more = there.len().saturating_sub(5);
        let mut names: Vec<String> = there.iter().take(5).map(|ns| format!("{:?}", ns.to_string())).collect();
        if more > 0 {
            names.push(format!("and {more} more"));
        }
        Error::refused(doing, &self.address, format_args!("it holds {}", names.join(", ")))
            .hint("nothing is ever written over data that is there: name an empty server.")
            .err()
    }

    pub(super) async fn databases(&self) -> Result<Vec<String>> {
        let mut names = self
            .client
            .list_database_names()
            .await
            .map_err(|e| self.failed("listing the databases of", "the target", &e))?;
        names.sort();
        Ok(names)
    }

    /// The user collections, views and time series of a database, sorted.
    pub(super) async fn collections(&self, db: &str) -> Result<Vec<Listed>> {
        use futures_util::TryStreamExt;
        let failed =
            |e: mongodb::error::Error| self.failed("listing the collections of", format_args!("{db:?}"), &e);
        let cursor = self
            .client
            .database(db)
            .run_cursor_command(doc! { "listCollections": 1, "cursor": {} })
            .await
            .map_err(failed)?;
        let all: Vec<Document> = cursor.try_collect().await.map_err(failed)?;
        let mut listed: Vec<Listed> = all
            .into_iter()
            .map(|mut c| Listed {
                ns: Namespace::new(db, c.get_str("name").unwrap_or_default()),
                kind: c.get_str("type").unwrap_or("collection").to_owned(),
                options: match c.remove("options") {
                    Some(Bson::Document(options)) => options,
                    _ => Document::new(),
                },
            })
            .filter(|c| is_users(&c.ns))
            .collect();
        listed.sort_by(|a, b| a.ns.cmp(&b.ns));
        Ok(listed)
    }

    /// Says on the server that a restore has begun.
    pub(super) async fn mark(&self, restore_id: &str, concern: WriteConcern) -> Result<()> {
        let document = doc! { "_id": restore_id, "time": super::now() };
        self.run(MARK, with(doc! { "insert": "restore", "documents": [document] }, concern))
            .await
            .map(drop)
            .map_err(|e| Box::new(Error::failed("marking the target as unfinished", &self.address, e)))
    }

    /// Takes the mark away: everything has been checked.
    pub async fn unmark(&self, concern: WriteConcern) -> Result<()> {
        self.run(MARK, with(doc! { "dropDatabase": 1 }, concern))
            .await
            .map(drop)
            .map_err(|e| Box::new(Error::failed("removing the mark from the target", &self.address, e)))
    }
}

fn with(mut command: Document, concern: WriteConcern) -> Document {
    let mut options = Builder::new();
    put_concern(&mut options, concern);
    if let Ok(options) = bson::deserialize_from_slice::<Document>(&options.finish()) {
        command.extend(options);
    }
    command
}

/// A reply that says that other members have not taken a write in time is no success.
fn fulfilled(reply: Document) -> std::result::Result<Document, String> {
    match reply.get_document("writeConcernError") {
        Ok(concern) if !reply.contains_key("writeErrors") => Err(format!(
            "the write concern was not met: {}",
            visible(concern.get_str("errmsg").unwrap_or("no reason given"))
        )),
        _ => Ok(reply),
    }
}

/// Whether a collection is part of a state, and not the server's bookkeeping, the list of views,
/// the inside of a time series, or our mark.
fn is_users(ns: &Namespace) -> bool {
    ns.treatment() == Treatment::User
        && !ns.is_views()
        && ns.timeseries_of_buckets().is_none()
        && ns.db != MARK
}
