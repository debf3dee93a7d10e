//! What a server is asked about a state that it holds, besides its documents: its own hashes,
//! whether its structures are sound, and the queries of the user's.

use bson::{Document, doc};

use super::server::Server;
use super::verify::Verification;
use crate::domain::how::{Checks, Query};
use crate::domain::progress::Meter;
use crate::domain::text::visible;
use crate::domain::{Error, Namespace, Position, Result};
use crate::engine::bson::kind;
use crate::engine::build::Builder;
use crate::engine::extjson;
use crate::engine::input::CollectionKind;
use crate::engine::output::CollectionSpec;

/// What a query of the user's found.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Answer {
    /// The name of the check.
    pub name: String,
    /// Where it looked.
    pub ns: Namespace,
    /// How many documents it was to find, in words.
    pub expect: String,
    /// How many it found.
    pub found: u64,
    /// Whether that is right.
    pub ok: bool,
}

impl Answer {
    /// What is wrong, for a human.
    pub fn complaint(&self) -> String {
        format!(
            "the check {:?} found {} in {}, it must be {}",
            visible(&self.name),
            self.found,
            visible(&self.ns.to_string()),
            self.expect
        )
    }
}

const ASKING: &str = "checking the target";

impl Server {
    /// Tries every query, before anything is written: what the server does not understand is
    /// told now, all of it.
    pub async fn try_queries(&self, queries: &[Query], bound: Position) -> Result<()> {
        let mut wrong = Vec::new();
        for query in queries {
            if let Err(why) = self.count(query, bound).await {
                wrong.push(format!("{:?}: {why}", visible(&query.name)));
            }
        }
        if wrong.is_empty() {
            return Ok(());
        }
        Error::usage("trying the checks on", self.address(), wrong.join("; "))
            .hint("a filter is what find takes, in Extended JSON.")
            .err()
    }

    /// Carries out what was asked for and writes it into the verification.
    pub async fn ask(
        &self,
        specs: &[CollectionSpec],
        checks: &Checks,
        bound: Position,
        found: &mut Verification,
        meter: &Meter,
    ) -> Result<()> {
        if checks.db_hash {
            self.add_hashes(specs, found, meter).await?;
        }
        if checks.validate {
            self.validate(specs, found, meter).await?;
        }
        for query in &checks.queries {
            meter.check(ASKING)?;
            let count = self
                .count(query, bound)
                .await
                .map_err(|why| Error::failed(ASKING, format_args!("with {:?}", visible(&query.name)), why))?;
            found.queries.push(Answer {
                name: query.name.clone(),
                ns: query.ns.clone(),
                expect: query.expect.to_string(),
                found: count,
                ok: query.expect.holds(count),
            });
        }
        Ok(())
    }

    async fn count(&self, query: &Query, bound: Position) -> std::result::Result<u64, String> {
        let filter = extjson::document(&query.filter_at(bound))?;
        let mut command = Builder::new();
        command.string("aggregate", &query.ns.coll);
        command.open(b"pipeline", kind::ARRAY);
        command.open(b"0", kind::DOCUMENT);
        command.document(b"$match", kind::DOCUMENT, &filter);
        command.close();
        command.open(b"1", kind::DOCUMENT);
        command.string("$count", "n");
        command.close();
        command.close();
        command.open(b"cursor", kind::DOCUMENT);
        command.close();
        let reply = self.run_raw(&query.ns.db, command.finish()).await?;
        let batch = reply.get_document("cursor").and_then(|c| c.get_array("firstBatch"));
        let first = batch.map_err(|e| e.to_string())?.first().and_then(|n| n.as_document());
        // Nothing found is no document, not a zero.
        let Some(first) = first else { return Ok(0) };
        let n = first.get_i32("n").map(i64::from).or_else(|_| first.get_i64("n"));
        n.ok().and_then(|n| u64::try_from(n).ok()).ok_or_else(|| format!("{first} is no count"))
    }

    async fn add_hashes(
        &self,
        specs: &[CollectionSpec],
        found: &mut Verification,
        meter: &Meter,
    ) -> Result<()> {
        let mut dbs: Vec<&str> = specs.iter().map(|s| s.ns.db.as_str()).collect();
        dbs.dedup();
        for db in dbs {
            meter.check(ASKING)?;
            let failed = |e: String| Error::failed("asking for the dbHash of", format_args!("{db:?}"), e);
            let answer = self.run(db, doc! { "dbHash": 1 }).await.map_err(failed)?;
            let hashes = answer.get_document("collections").map_err(|e| failed(e.to_string()))?;
            for check in found.collections.iter_mut().filter(|c| c.ns.db == db) {
                let of = |coll: &str| hashes.get_str(coll).ok().map(str::to_owned);
                check.db_hash = of(&check.ns.coll).or_else(|| of(&check.ns.buckets().coll));
            }
        }
        Ok(())
    }

    async fn validate(
        &self,
        specs: &[CollectionSpec],
        found: &mut Verification,
        meter: &Meter,
    ) -> Result<()> {
        for spec in specs.iter().filter(|s| s.kind != CollectionKind::View) {
            meter.check(ASKING)?;
            let ns = spec.data_ns();
            let answer = self
                .run(&ns.db, doc! { "validate": &ns.coll })
                .await
                .map_err(|e| Error::failed("validating", format_args!("{:?}", ns.to_string()), e))?;
            if let Some(check) = found.collections.iter_mut().find(|c| c.ns == spec.ns) {
                check.differences.extend(faults(&answer));
            }
        }
        Ok(())
    }
}

/// That a document does not fit the validator of its collection is no fault of the structure: it
/// was so in the source, and a restored state has the documents that there were.
const OF_THE_SOURCE: &str = "not compliant with the collection's schema";

/// What `validate` has against a collection; empty = it is sound.
fn faults(answer: &Document) -> Vec<String> {
    if answer.get_bool("valid").unwrap_or(false) {
        return Vec::new();
    }
    let errors = answer.get_array("errors").map(Vec::as_slice).unwrap_or_default();
    let mut said: Vec<String> = errors
        .iter()
        .map(|e| e.as_str().map_or_else(|| e.to_string(), str::to_owned))
        .filter(|e| !e.contains(OF_THE_SOURCE))
        .map(|e| format!("validate says: {}", visible(&e)))
        .collect();
    if said.is_empty() && errors.is_empty() {
        said.push("validate says that it is not sound".to_owned());
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_yes_of_validate_is_a_yes() {
        assert!(faults(&doc! { "valid": true, "errors": [], "warnings": ["w"] }).is_empty());
        assert_eq!(faults(&doc! { "valid": false, "errors": ["bad\u{1b}"] }), ["validate says: bad\\u{1b}"]);
        assert_eq!(faults(&doc! {}).len(), 1);
        let source = format!("Detected one or more documents {OF_THE_SOURCE}.");
        assert!(faults(&doc! { "valid": false, "errors": [&source] }).is_empty());
        assert_eq!(
            faults(&doc! { "valid": false, "errors": [source, "missing"] }),
            ["validate says: missing"]
        );
    }
}
