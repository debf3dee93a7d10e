//! Writes a state to a server: collections, then documents in parallel batches, then indexes.
//! The mark stands before the first of these; only a verification takes it away. What an earlier
//! try has left is kept where reading it proves it, and made anew elsewhere.

use std::num::NonZeroU64;
use std::sync::Arc;

use bson::{Document, doc};
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::runtime::{Handle, RuntimeFlavor};

use super::batch::put_concern;
use super::ledger::{Forgetful, Ledger};
use super::limit::Limiter;
use super::pull::{Pull, Seen};
use super::server::Server;
use super::shape::{Shape, expires, index_name, shape};
use super::verify::Verification;
use super::writer::Writer;
use crate::domain::how::WriteConcern;
use crate::domain::namespace::Treatment;
use crate::domain::progress::{Meter, Phase};
use crate::domain::{Error, Namespace, Result};
use crate::engine::bson::kind;
use crate::engine::build::Builder;
use crate::engine::input::CollectionKind;
use crate::engine::output::{CollectionSpec, Digest, State};

/// What becomes of indexes and expiries that delete documents as they age.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ttl {
    /// Built: the server's TTL monitor is off, or expiry is wanted.
    Keep,
    /// Not built, and listed in [`Loaded::deferred_ttl`].
    Defer,
    /// A state that has any is refused before the first write.
    Refuse,
}

/// How to load.
#[derive(Clone)]
pub struct LoadOptions {
    /// Threads that pull documents, and commands under way at a time.
    pub workers: usize,
    /// What becomes of expiry.
    pub ttl: Ttl,
    /// Names this restore in the mark on the target.
    pub restore_id: String,
    /// Whose acknowledgement every write waits for.
    pub write_concern: WriteConcern,
    /// At most this many bytes a second, written or read back.
    pub rate: Option<NonZeroU64>,
    /// Restores that did not end, whose marks may stand on the target: what they left is taken
    /// over. With none the target has to be empty.
    pub earlier: Vec<String>,
    /// Knows and learns which collections have arrived.
    pub ledger: Arc<dyn Ledger>,
}

impl LoadOptions {
    /// A load of that name: as many workers as processors, two at least; into an empty target.
    pub fn new(restore_id: impl Into<String>, ttl: Ttl) -> Self {
        LoadOptions {
            workers: super::pull::threads().max(2),
            ttl,
            restore_id: restore_id.into(),
            write_concern: WriteConcern::default(),
            rate: None,
            earlier: Vec::new(),
            ledger: Arc::new(Forgetful),
        }
    }
}

/// What was written.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// Per collection of the state, in its order: what was sent, now or by an earlier try.
    pub digests: Vec<Digest>,
    /// What was left out or translated.
    pub notes: Vec<String>,
    /// Expiries that were not built.
    pub deferred_ttl: Vec<String>,
    /// Collections of an earlier try that were kept, and their documents.
    pub kept: (u64, u64),
    /// As `digests`, with the order of documents where that is part of the state.
    pub(super) seen: Vec<Seen>,
    /// Which of them an earlier try had sent and this one has read.
    pub(super) proven: Vec<Option<Seen>>,
    pub(super) ttl: Ttl,
}

const DOING: &str = "loading the target";

impl Server {
    /// Creates all collections, writes all documents, builds all indexes. The target must be
    /// empty but for what earlier tries left. Needs a multi-threaded tokio runtime. On an error
    /// the target stays marked.
    pub async fn load(&self, state: &dyn State, opts: &LoadOptions, meter: &Meter) -> Result<Loaded> {
        let load = Load { server: self, opts, limiter: opts.limiter(), meter };
        let (loaded, shapes) = load.documents(state).await?;
        meter.enter(Phase::Index, shapes.iter().map(|s| s.build.len() as u64).sum());
        load.build_all(state.collections(), &shapes).await?;
        Ok(loaded)
    }

    /// [`Server::load`], and reading everything back while the indexes are built, which does not
    /// change documents. The phase of indexes counts both. The mark stays.
    pub async fn load_and_compare(
        &self,
        state: &dyn State,
        opts: &LoadOptions,
        meter: &Meter,
    ) -> Result<(Loaded, Verification)> {
        let specs = state.collections();
        let load = Load { server: self, opts, limiter: opts.limiter(), meter };
        let (loaded, shapes) = load.documents(state).await?;
        let documents: u64 = loaded.digests.iter().map(|d| d.count).sum();
        meter.enter(Phase::Index, documents + shapes.iter().map(|s| s.build.len() as u64).sum::<u64>());
        let built = load.build_all(specs, &shapes);
        let read = self.read_all(specs, &loaded.proven, load.limiter.as_ref(), meter);
        let ((), found) = tokio::try_join!(built, read)?;
        meter.enter(Phase::Verify, 0);
        let verification = self.compare(specs, &loaded, &found, meter).await?;
        Ok((loaded, verification))
    }
}

impl LoadOptions {
    fn limiter(&self) -> Option<Arc<Limiter>> {
        self.rate.map(|rate| Arc::new(Limiter::new(rate)))
    }
}

/// A load under way.
struct Load<'a> {
    server: &'a Server,
    opts: &'a LoadOptions,
    limiter: Option<Arc<Limiter>>,
    meter: &'a Meter,
}

impl Load<'_> {
    async fn documents(&self, state: &dyn State) -> Result<(Loaded, Vec<Shape>)> {
        let Load { server, opts, meter, .. } = *self;
        let runtime = Handle::current();
        if runtime.runtime_flavor() == RuntimeFlavor::CurrentThread {
            return Error::failed(DOING, server.address(), "this needs a runtime with several threads").err();
        }
        let specs = state.collections();
        refuse_users(specs)?;
        let version = server.version().await?;
        if opts.ttl == Ttl::Refuse {
            refuse_expiry(specs)?;
        }
        let shapes = specs.iter().map(|s| shape(s, version, opts.ttl)).collect::<Result<Vec<_>>>()?;
        meter.check(DOING)?;
        let kept = match server.left_by(&opts.earlier).await? {
            Some(left) => {
                meter.enter(Phase::Verify, 0);
                server.take_over(&left, specs, opts, self.limiter.as_ref(), meter).await?
            }
            None => {
                // Once more, right before the first write: somebody may have come between.
                server.begin(&opts.restore_id, opts.write_concern).await?;
                vec![None; specs.len()]
            }
        };

        let there = |at: usize| kept.get(at).is_some_and(Option::is_some);
        let to_send = specs.iter().enumerate().filter(|(at, _)| !there(*at));
        meter.enter(Phase::Load, to_send.map(|(_, s)| s.documents).sum());
        let missing: Vec<_> = specs
            .iter()
            .zip(&shapes)
            .enumerate()
            .filter(|(at, _)| !there(*at))
            .map(|(_, both)| both)
            .collect();
        self.create_all(&missing).await?;
        server.note_made(&opts.restore_id).await?;
        for (spec, seen) in specs.iter().zip(&kept) {
            seen.as_ref().map_or(Ok(()), |seen| opts.ledger.note(&spec.ns, seen))?;
        }
        let open = |collection: usize, _chunk: usize| {
            let spec = specs.get(collection).ok_or_else(|| {
                Box::new(Error::failed(DOING, server.address(), "a chunk belongs to no collection"))
            })?;
            Ok(Writer::new(server, &runtime, meter, spec, opts, self.limiter.clone()))
        };
        let pull =
            Pull { state, threads: opts.workers, doing: DOING, meter, kept: &kept, ledger: &*opts.ledger };
        let seen = tokio::task::block_in_place(|| pull.run(open))?;

        let notes = shapes.iter().flat_map(|s| s.notes.iter().cloned()).collect();
        let deferred_ttl = shapes.iter().flat_map(|s| s.deferred.iter().cloned()).collect();
        let digests = seen.iter().map(|s| s.digest).collect();
        let sent_before = kept.iter().flatten();
        let kept_all = (sent_before.clone().count() as u64, sent_before.map(|s| s.digest.count).sum());
        let loaded =
            Loaded { digests, notes, deferred_ttl, kept: kept_all, seen, proven: kept, ttl: opts.ttl };
        Ok((loaded, shapes))
    }

    /// Views last: what they read is there by then.
    async fn create_all(&self, missing: &[(&CollectionSpec, &Shape)]) -> Result<()> {
        for views in [false, true] {
            let chosen = missing.iter().filter(|(s, _)| (s.kind == CollectionKind::View) == views);
            stream::iter(chosen.map(|(spec, shape)| self.create(&spec.ns, shape)))
                .buffer_unordered(self.opts.workers.max(1))
                .try_collect::<()>()
                .await?;
        }
        Ok(())
    }

    async fn create(&self, ns: &Namespace, shape: &Shape) -> Result<()> {
        self.meter.check(DOING)?;
        let mut command = Builder::of(&shape.create);
        put_concern(&mut command, self.opts.write_concern);
        self.server.run_raw(&ns.db, command.finish()).await.map(drop).map_err(|e| {
            Box::new(
                Error::failed("creating", format_args!("{:?}", ns.to_string()), e)
                    .hint("the target stays marked as unfinished."),
            )
        })
    }

    async fn build_all(&self, specs: &[CollectionSpec], shapes: &[Shape]) -> Result<()> {
        stream::iter(specs.iter().zip(shapes).map(|(spec, shape)| self.build(spec, shape)))
            .buffer_unordered(self.opts.workers.max(1))
            .try_collect::<()>()
            .await
    }

    /// All secondary indexes of one collection, in one command.
    async fn build(&self, spec: &CollectionSpec, shape: &Shape) -> Result<()> {
        self.meter.check(DOING)?;
        let place = format!("{:?}", spec.ns.to_string());
        let failed = |e: String| {
            Error::failed("building the indexes of", &place, e).hint("the target stays marked as unfinished.")
        };
        if spec.kind == CollectionKind::Timeseries {
            self.drop_uninvited(&spec.ns, &shape.indexes).await.map_err(failed)?;
        }
        if shape.build.is_empty() {
            return Ok(());
        }
        let mut command = Builder::new();
        command.string("createIndexes", &spec.ns.coll);
        command.open(b"indexes", kind::ARRAY);
        for (at, index) in shape.build.iter().enumerate() {
            command.document(at.to_string().as_bytes(), kind::DOCUMENT, index);
        }
        command.close();
        put_concern(&mut command, self.opts.write_concern);
        self.server.run_raw(&spec.ns.db, command.finish()).await.map_err(failed)?;
        self.meter.add(shape.build.len() as u64, 0);
        Ok(())
    }

    /// Newer servers (6.3) give every time series an index that the state may not have.
    async fn drop_uninvited(&self, ns: &Namespace, wanted: &[Document]) -> std::result::Result<(), String> {
        for index in self.server.indexes(ns).await? {
            let name = index_name(&index);
            if !wanted.iter().any(|w| index_name(w) == name) {
                self.server.run(&ns.db, doc! { "dropIndexes": &ns.coll, "index": name }).await?;
            }
        }
        Ok(())
    }
}

/// A running server takes users and roles by its own commands only, not as documents.
fn refuse_users(specs: &[CollectionSpec]) -> Result<()> {
    let Some(spec) = specs.iter().find(|s| s.ns.treatment() == Treatment::Auth) else { return Ok(()) };
    Error::refused(
        DOING,
        format_args!("with {:?}", spec.ns.to_string()),
        "users and roles cannot be written to a server",
    )
    .hint("leave them out, or restore to a dump directory, which keeps them.")
    .err()
}

fn refuse_expiry(specs: &[CollectionSpec]) -> Result<()> {
    let Some(spec) = specs.iter().find(|s| expires(s)) else { return Ok(()) };
    Error::refused(
        DOING,
        format_args!("with {:?}", spec.ns.to_string()),
        "its documents expire, and this server would delete restored ones while you look",
    )
    .hint("use --ttl defer to leave such indexes out, or an isolated server, which deletes nothing.")
    .err()
}
