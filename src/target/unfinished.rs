//! What unfinished restores left on a server, and taking it over or away: only what they provably
//! made. Right after it has created its collections, and before the first document, a restore
//! writes their UUIDs into its mark.

use bson::{Bson, Document, doc};
use futures_util::TryStreamExt;

use super::MARK;
use super::limit::Limiter;
use super::load::LoadOptions;
use super::pull::Seen;
use super::server::Server;
use crate::domain::progress::{Meter, Phase};
use crate::domain::{Error, Namespace, Result};
use crate::engine::input::CollectionKind;
use crate::engine::output::CollectionSpec;

/// A collection, view or time series, and what tells it from another of that name. A time series
/// is known by its buckets; a view has nothing.
#[derive(Debug, PartialEq, Eq)]
struct Made {
    ns: Namespace,
    uuid: Option<Vec<u8>>,
}

/// What was found, all of it made by unfinished restores.
pub(super) struct Left {
    /// They, as the marks name them.
    restores: Vec<String>,
    there: Vec<Made>,
}

const DOING: &str = "looking at what an unfinished restore left on the target";

impl Server {
    /// Writes into the mark what stands on the target now, all of it made by this restore or by
    /// those whose marks it replaces.
    pub(super) async fn note_made(&self, restore_id: &str) -> Result<()> {
        let failed =
            |e: String| Box::new(Error::failed("marking the target as unfinished", self.address(), e));
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
        let concern = doc! { "w": 1 };
        self.run(MARK, doc! { "update": "restore", "updates": [update], "writeConcern": concern.clone() })
            .await
            .map_err(failed)?;
        let others = doc! { "q": { "_id": { "$ne": restore_id } }, "limit": 0 };
        self.run(MARK, doc! { "delete": "restore", "deletes": [others], "writeConcern": concern })
            .await
            .map(drop)
            .map_err(failed)
    }

    /// What these restores, none of which is under way, left here. `None` when the target carries
    /// no mark, or also one of another restore. Refused when there is anything that they did not
    /// make.
    pub(super) async fn left_by(&self, restores: &[String]) -> Result<Option<Left>> {
        if restores.is_empty() {
            return Ok(None);
        }
        let failed = |e: String| Box::new(Error::failed(DOING, self.address(), e));
        let found = self.run(MARK, doc! { "find": "restore" }).await.map_err(failed)?;
        let marks = found.get_document("cursor").and_then(|c| c.get_array("firstBatch")).cloned();
        let marks: Vec<Document> =
            marks.unwrap_or_default().into_iter().filter_map(|m| m.as_document().cloned()).collect();
        let ids: Vec<String> =
            marks.iter().filter_map(|m| m.get_str("_id").ok().map(str::to_owned)).collect();
        if marks.is_empty() || ids.len() != marks.len() || !ids.iter().all(|id| restores.contains(id)) {
            return Ok(None);
        }
        let lists = marks.iter().filter_map(|m| m.get_array("made").ok());
        let made: Vec<Made> = lists.clone().flatten().filter_map(parse).collect();
        // One of them was killed while it created its collections: they are empty.
        let creating = lists.count() < marks.len();
        let there = self.identities().await?;
        for one in &there {
            let empty =
                || async { Ok::<bool, Box<Error>>(one.uuid.is_none() || self.is_empty(&one.ns).await?) };
            if !(made.contains(one) || creating && empty().await?) {
                return Error::refused(
                    DOING,
                    self.address(),
                    format_args!("it did not make {:?}", one.ns.to_string()),
                )
                .hint("somebody else writes there: look at it, and name another target.")
                .err();
            }
        }
        Ok(Some(Left { restores: ids, there }))
    }

    /// Which of these restores, none of which is under way, has left its mark here. Refused when
    /// there is anything that they did not make.
    pub async fn unfinished(&self, restores: &[String]) -> Result<Option<String>> {
        Ok(self.left_by(restores).await?.and_then(|left| left.restores.into_iter().next_back()))
    }

    /// Makes what was left the beginning of this load: collections that the ledger knows are read
    /// and kept where they hold what it says; everything else is dropped. Gives the kept ones.
    pub(super) async fn take_over(
        &self,
        left: &Left,
        specs: &[CollectionSpec],
        opts: &LoadOptions,
        limiter: Option<&std::sync::Arc<Limiter>>,
        meter: &Meter,
    ) -> Result<Vec<Option<Seen>>> {
        let there = |ns: &Namespace| left.there.iter().any(|made| made.ns == *ns);
        let claims: Vec<Option<Seen>> = specs
            .iter()
            .map(|s| opts.ledger.noted(&s.ns).filter(|_| s.kind != CollectionKind::View && there(&s.ns)))
            .collect();
        meter.enter(Phase::Verify, claims.iter().flatten().map(|s| s.digest.count).sum());
        let mut kept = vec![None; specs.len()];
        for ((spec, claim), kept) in specs.iter().zip(&claims).zip(&mut kept) {
            let Some(claim) = claim else { continue };
            let found = self.read_back(&spec.data_ns(), spec.ordered, limiter, meter).await?;
            *kept = Some(found).filter(|found| found == claim);
        }
        self.mark(&opts.restore_id, opts.write_concern).await?;
        let stays = |ns: &Namespace| specs.iter().zip(&kept).any(|(s, k)| k.is_some() && s.ns == *ns);
        self.drop_all(left.there.iter().filter(|made| !stays(&made.ns))).await?;
        Ok(kept)
    }

    /// Removes what one of these restores left here. `None` when the target carries no mark of
    /// any of them; else the id of the one that is gone now.
    pub async fn remove_unfinished(&self, restores: &[String]) -> Result<Option<String>> {
        let Some(left) = self.left_by(restores).await? else { return Ok(None) };
        self.drop_all(left.there.iter()).await?;
        self.unmark(Default::default()).await?;
        Ok(left.restores.into_iter().next_back())
    }

    /// Views first, so that nothing ever reads what is half gone.
    async fn drop_all(&self, all: impl Iterator<Item = &Made> + Clone) -> Result<()> {
        for views in [true, false] {
            for one in all.clone().filter(|one| one.uuid.is_none() == views) {
                self.run(&one.ns.db, doc! { "drop": &one.ns.coll })
                    .await
                    .map_err(|e| Error::failed(DOING, self.address(), e))?;
            }
        }
        Ok(())
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
