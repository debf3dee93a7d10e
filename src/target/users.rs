//! Users and roles, for those who ask for them: a server takes them as documents in collections
//! beside its own and merges them itself (`_mergeAuthzCollections`, the way of the vendor's own
//! restore). Nobody who is there is changed: not the user we came as, not anybody else.

use std::collections::BTreeMap;

use bson::{Document, doc};
use futures_util::TryStreamExt;

use super::Server;
use crate::domain::namespace::Treatment;
use crate::domain::{Error, Result};
use crate::engine::bson::Doc;
use crate::engine::output::State;

const DOING: &str = "restoring users and roles into";
/// Where they wait, in `admin`; both are gone when this is over.
const WAITING: [(&str, &str); 2] =
    [("system.users", "pitstop_waiting_users"), ("system.roles", "pitstop_waiting_roles")];

/// Raw documents by their `_id`, a string.
type People = BTreeMap<String, Vec<u8>>;

impl Server {
    /// Adds the users and roles of a state, if it has any, to a target that holds nothing else,
    /// and reads them back. Gives notes for the report. The mark of this restore stands before
    /// the first of them.
    ///
    /// A user of the name we came as is left out, with a note; any other that is there and
    /// differs is a refusal, before anything is written.
    pub async fn load_users(&self, state: &dyn State, restore_id: &str) -> Result<Vec<String>> {
        let mut wanted = WAITING.map(|_| People::new());
        for (at, spec) in state.collections().iter().enumerate() {
            let place = WAITING.iter().position(|(own, _)| *own == spec.ns.coll);
            if let (Treatment::Auth, Some(place)) = (spec.ns.treatment(), place) {
                wanted[place] = people_of(state, at)?;
            }
        }
        let mut notes = Vec::new();
        if let Some(own) = self.own_user().await?
            && wanted[0].remove(&own).is_some()
        {
            notes.push(format!(
                "the user {own:?} is left out: the target's own user of that name stays as it is"
            ));
        }
        if wanted.iter().all(People::is_empty) {
            return Ok(notes);
        }
        for ((own, _), wanted) in WAITING.iter().zip(&wanted) {
            let there = self.people(own).await?;
            if let Some((name, _)) = wanted.iter().find(|(id, d)| there.get(*id).is_some_and(|t| t != *d)) {
                return Error::refused(
                    DOING,
                    self.address(),
                    format_args!("it has another {name:?} already"),
                )
                .hint("restore without --with-users, or into a server without users.")
                .err();
            }
        }
        self.begin(restore_id, Default::default()).await?;
        let merged = self.merge(&wanted).await;
        // Whatever came of it, nothing of ours stays beside.
        for (_, waiting) in WAITING {
            self.run("admin", doc! { "drop": waiting }).await.ok();
        }
        merged.map_err(|e| Error::failed(DOING, self.address(), e))?;
        for ((own, _), wanted) in WAITING.iter().zip(&wanted) {
            let there = self.people(own).await?;
            if let Some((name, _)) = wanted.iter().find(|(id, d)| there.get(*id) != Some(d)) {
                return Error::differs(
                    DOING,
                    self.address(),
                    format_args!("{name:?} did not arrive as it was"),
                )
                .hint("the server did not take it; its log says why. Restore without --with-users.")
                .err();
            }
        }
        let [users, roles] = wanted.map(|all| all.len());
        notes.push(format!("restored users: {users}, roles: {roles}"));
        Ok(notes)
    }

    async fn merge(&self, wanted: &[People; 2]) -> std::result::Result<(), String> {
        for ((_, waiting), wanted) in WAITING.iter().zip(wanted) {
            self.run("admin", doc! { "drop": waiting }).await.ok();
            for document in wanted.values() {
                let document: Document = bson::deserialize_from_slice(document).map_err(|e| e.to_string())?;
                self.run("admin", doc! { "insert": waiting, "documents": [document] }).await?;
            }
        }
        let mut command = doc! { "_mergeAuthzCollections": 1, "drop": false, "db": "" };
        for (field, place) in [("tempUsersCollection", 0), ("tempRolesCollection", 1)] {
            let name =
                if wanted[place].is_empty() { String::new() } else { format!("admin.{}", WAITING[place].1) };
            command.insert(field, name);
        }
        self.run("admin", command).await.map(drop)
    }

    /// The `_id` of the user we came as; `None` where nobody has to say who they are.
    async fn own_user(&self) -> Result<Option<String>> {
        let status = self
            .run("admin", doc! { "connectionStatus": 1 })
            .await
            .map_err(|e| Error::failed(DOING, self.address(), e))?;
        let users = status.get_document("authInfo").and_then(|i| i.get_array("authenticatedUsers"));
        let first = users.ok().and_then(|all| all.first()).and_then(|one| one.as_document());
        Ok(first.and_then(|u| Some(format!("{}.{}", u.get_str("db").ok()?, u.get_str("user").ok()?))))
    }

    async fn people(&self, coll: &str) -> Result<People> {
        let coll = self.client().database("admin").collection::<bson::RawDocumentBuf>(coll);
        let found: std::result::Result<Vec<_>, _> =
            async { coll.find(doc! {}).await?.try_collect().await }.await;
        let found = found.map_err(|e| self.failed(DOING, self.address(), &e))?;
        Ok(found.into_iter().filter_map(|d| Some((id_of(d.as_bytes())?, d.into_bytes()))).collect())
    }
}

fn people_of(state: &dyn State, at: usize) -> Result<People> {
    let mut all = People::new();
    for chunk in 0..state.chunks(at) {
        state.emit(at, chunk, &mut |document| {
            let id = id_of(document).ok_or_else(|| {
                Box::new(Error::inexact("reading users and roles", "", "one of them has no name as its _id"))
            })?;
            all.insert(id, document.to_vec());
            Ok(())
        })?;
    }
    state.finish(at)?;
    Ok(all)
}

fn id_of(document: &[u8]) -> Option<String> {
    Some(Doc::new(document).ok()?.get("_id")?.as_str()?.to_owned())
}
