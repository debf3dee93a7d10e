//! What an unfinished restore left on a server that is not ours, and taking it away: only what
//! that restore provably made. Right after it has created its collections, and before the first
//! document, a restore writes their UUIDs into its mark.

use bson::{Bson, Document, doc};
use futures_util::TryStreamExt;

use super::MARK;
use super::server::Server;
use crate::domain::{Error, Namespace, Result};

/// A collection, view or time series, and what tells it from another of that name. A time series
/// is known by its buckets; a view has nothing.
#[derive(Debug, PartialEq, Eq)]
struct Made {
    ns: Namespace,
    uuid: Option<Vec<u8>>,
}

const DOING: &str = "removing what an unfinished restore left on the target";

impl Server {
    /// Writes into the mark what stands on the target now, all of it made by this restore.
    pub(super) async fn note_made(&self, restore_id: &str) -> Result<()> {
        let made: Vec<Bson> = self
            .identities()
            .await?
            .into_iter()
            .map(|m| {
                let uuid = m.uuid.map_or(Bson::Null, |bytes| {
                    bson::Binary { subtype: bson::spec::BinarySubtype::Uuid, bytes }.into()
                });
                doc! { "db": m.ns.db, "coll": m.ns.coll, "uuid": uuid }.into()
            })
            .collect();
        let update = doc! { "q": { "_id": restore_id }, "u": { "$set": { "made": made } } };
        self.run(MARK, doc! { "update": "restore", "updates": [update], "writeConcern": { "w": 1 } })
            .await
            .map(drop)
            .map_err(|e| Box::new(Error::failed("marking the target as unfinished", self.address(), e)))
    }

    /// Removes what one of these restores, none of which is under way, left here. `None` when the
    /// target carries no mark of any of them; else the id of the one that is gone now. Refused
    /// when there is anything that it did not make: then nothing is removed.
    pub async fn remove_unfinished(&self, restores: &[String]) -> Result<Option<String>> {
        let failed = |e: String| Box::new(Error::failed(DOING, self.address(), e));
        let found = self.run(MARK, doc! { "find": "restore" }).await.map_err(failed)?;
        let marks = found.get_document("cursor").and_then(|c| c.get_array("firstBatch")).cloned();
        let marks = marks.unwrap_or_default();
        let [Bson::Document(mark)] = marks.as_slice() else { return Ok(None) };
        let Some(id) = mark.get_str("_id").ok().filter(|id| restores.iter().any(|r| r == id)) else {
            return Ok(None);
        };
        let there = self.identities().await?;
        let made = mark.get_array("made").ok().map(|list| list.iter().filter_map(parse).collect::<Vec<_>>());
        for one in &there {
            let ours = match &made {
                Some(made) => made.contains(one),
                // It was killed while it created them: no document has been written.
                None => one.uuid.is_none() || self.is_empty(&one.ns).await?,
            };
            if !ours {
                return Error::refused(
                    DOING,
                    self.address(),
                    format_args!("it did not make {:?}", one.ns.to_string()),
                )
                .hint("somebody else writes there: look at it, and name another target.")
                .err();
            }
        }
        // Views first, so that nothing ever reads what is half gone.
        for views in [true, false] {
            for one in there.iter().filter(|one| one.uuid.is_none() == views) {
                self.run(&one.ns.db, doc! { "drop": &one.ns.coll }).await.map_err(failed)?;
            }
        }
        self.unmark().await?;
        Ok(Some(id.to_owned()))
    }

    async fn identities(&self) -> Result<Vec<Made>> {
        let mut identities = Vec::new();
        for db in self.databases().await?.iter().filter(|db| *db != MARK) {
            let uuids = self.uuids(db).await?;
            let of = |coll: &str| uuids.iter().find(|(name, _)| name == coll).map(|(_, uuid)| uuid.clone());
            for listed in self.collections(db).await? {
                let uuid = of(&listed.ns.coll).or_else(|| of(&listed.ns.buckets().coll));
                identities.push(Made { ns: listed.ns, uuid });
            }
        }
        Ok(identities)
    }

    async fn uuids(&self, db: &str) -> Result<Vec<(String, Vec<u8>)>> {
        let failed =
            |e: mongodb::error::Error| self.failed("listing the collections of", format_args!("{db:?}"), &e);
        let list = doc! { "listCollections": 1, "cursor": {} };
        let cursor = self.client().database(db).run_cursor_command(list).await.map_err(failed)?;
        let all: Vec<Document> = cursor.try_collect().await.map_err(failed)?;
        let uuid = |c: &Document| match c.get_document("info").ok()?.get("uuid")? {
            Bson::Binary(binary) => Some((c.get_str("name").ok()?.to_owned(), binary.bytes.clone())),
            _ => None,
        };
        Ok(all.iter().filter_map(uuid).collect())
    }

    async fn is_empty(&self, ns: &Namespace) -> Result<bool> {
        let failed = |e: String| Box::new(Error::failed(DOING, self.address(), e));
        let found = self.run(&ns.db, doc! { "find": &ns.coll, "limit": 1 }).await.map_err(failed)?;
        let batch = found.get_document("cursor").and_then(|c| c.get_array("firstBatch"));
        Ok(batch.is_ok_and(|b| b.is_empty()))
    }
}

fn parse(made: &Bson) -> Option<Made> {
    let made = made.as_document()?;
    let uuid = match made.get("uuid")? {
        Bson::Binary(binary) => Some(binary.bytes.clone()),
        _ => None,
    };
    Some(Made { ns: Namespace::new(made.get_str("db").ok()?, made.get_str("coll").ok()?), uuid })
}
