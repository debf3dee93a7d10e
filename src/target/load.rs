//! Writes a state to a server: collections, then documents in parallel batches, then indexes.
//! The mark stands before the first of these; only a verification takes it away.

use bson::{Document, doc};
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::JoinHandle;

use super::batch::{Batch, Way, check_reply};
use super::pull::{Drain, Seen, pull};
use super::server::Server;
use super::shape::{Shape, expires, index_name, shape};
use super::verify::Verification;
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
#[derive(Debug, Clone)]
pub struct LoadOptions {
    /// Threads that pull documents, and commands under way at a time.
    pub workers: usize,
    /// What becomes of expiry.
    pub ttl: Ttl,
    /// Names this restore in the mark on the target.
    pub restore_id: String,
}

/// What was written.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// Per collection of the state, in its order: what was sent.
    pub digests: Vec<Digest>,
    /// What was left out or translated.
    pub notes: Vec<String>,
    /// Expiries that were not built.
    pub deferred_ttl: Vec<String>,
    /// As `digests`, with the order of documents where that is part of the state.
    pub(super) seen: Vec<Seen>,
    pub(super) ttl: Ttl,
}

const DOING: &str = "loading the target";

impl Server {
    /// Creates all collections, writes all documents, builds all indexes. The target must be
    /// empty. Needs a multi-threaded tokio runtime. On an error the target stays marked.
    pub async fn load(&self, state: &dyn State, opts: &LoadOptions, meter: &Meter) -> Result<Loaded> {
        let (loaded, shapes) = self.load_documents(state, opts, meter).await?;
        meter.enter(Phase::Index, shapes.iter().map(|s| s.build.len() as u64).sum());
        self.build_all(state.collections(), &shapes, opts.workers, meter).await?;
        Ok(loaded)
    }

    /// [`Server::load`] and [`Server::verify`] in one: the documents are read back while the
    /// indexes are built, which does not change them. The phase of indexes counts both.
    pub async fn load_and_verify(
        &self,
        state: &dyn State,
        opts: &LoadOptions,
        meter: &Meter,
    ) -> Result<(Loaded, Verification)> {
        let specs = state.collections();
        let (loaded, shapes) = self.load_documents(state, opts, meter).await?;
        let documents: u64 = loaded.digests.iter().map(|d| d.count).sum();
        meter.enter(Phase::Index, documents + shapes.iter().map(|s| s.build.len() as u64).sum::<u64>());
        let built = self.build_all(specs, &shapes, opts.workers, meter);
        let ((), found) = tokio::try_join!(built, self.read_all(specs, meter))?;
        meter.enter(Phase::Verify, 0);
        let verification = self.compare(specs, &loaded, &found, meter).await?;
        Ok((loaded, verification))
    }

    async fn load_documents(
        &self,
        state: &dyn State,
        opts: &LoadOptions,
        meter: &Meter,
    ) -> Result<(Loaded, Vec<Shape>)> {
        let runtime = Handle::current();
        if runtime.runtime_flavor() == RuntimeFlavor::CurrentThread {
            return Error::failed(DOING, self.address(), "this needs a runtime with several threads").err();
        }
        let specs = state.collections();
        refuse_users(specs)?;
        let version = self.version().await?;
        if opts.ttl == Ttl::Refuse {
            refuse_expiry(specs)?;
        }
        let shapes = specs.iter().map(|s| shape(s, version, opts.ttl)).collect::<Result<Vec<_>>>()?;
        // Once more, right before the first write: somebody may have come between.
        meter.check(DOING)?;
        self.begin(&opts.restore_id).await?;

        meter.enter(Phase::Load, specs.iter().map(|s| s.documents).sum());
        self.create_all(specs, &shapes, opts.workers, meter).await?;
        self.note_made(&opts.restore_id).await?;
        let open = |collection: usize, _chunk: usize| {
            let spec = specs.get(collection).ok_or_else(|| {
                Box::new(Error::failed(DOING, self.address(), "a chunk belongs to no collection"))
            })?;
            Ok(Writer::new(self, &runtime, spec))
        };
        let seen = tokio::task::block_in_place(|| pull(state, opts.workers, DOING, meter, open))?;

        let notes = shapes.iter().flat_map(|s| s.notes.iter().cloned()).collect();
        let deferred_ttl = shapes.iter().flat_map(|s| s.deferred.iter().cloned()).collect();
        let digests = seen.iter().map(|s| s.digest).collect();
        Ok((Loaded { digests, notes, deferred_ttl, seen, ttl: opts.ttl }, shapes))
    }

    /// Views last: what they read is there by then.
    async fn create_all(
        &self,
        specs: &[CollectionSpec],
        shapes: &[Shape],
        workers: usize,
        meter: &Meter,
    ) -> Result<()> {
        for views in [false, true] {
            let chosen = specs.iter().zip(shapes).filter(|(s, _)| (s.kind == CollectionKind::View) == views);
            stream::iter(chosen.map(|(spec, shape)| self.create(&spec.ns, shape, meter)))
                .buffer_unordered(workers.max(1))
                .try_collect::<()>()
                .await?;
        }
        Ok(())
    }

    async fn create(&self, ns: &Namespace, shape: &Shape, meter: &Meter) -> Result<()> {
        meter.check(DOING)?;
        self.run_raw(&ns.db, shape.create.clone()).await.map(drop).map_err(|e| {
            Box::new(
                Error::failed("creating", format_args!("{:?}", ns.to_string()), e)
                    .hint("the target stays marked as unfinished."),
            )
        })
    }

    async fn build_all(
        &self,
        specs: &[CollectionSpec],
        shapes: &[Shape],
        workers: usize,
        meter: &Meter,
    ) -> Result<()> {
        stream::iter(specs.iter().zip(shapes).map(|(spec, shape)| self.build(spec, shape, meter)))
            .buffer_unordered(workers.max(1))
            .try_collect::<()>()
            .await
    }

    /// All secondary indexes of one collection, in one command.
    async fn build(&self, spec: &CollectionSpec, shape: &Shape, meter: &Meter) -> Result<()> {
        meter.check(DOING)?;
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
        self.run_raw(&spec.ns.db, command.finish()).await.map_err(failed)?;
        meter.add(shape.build.len() as u64, 0);
        Ok(())
    }

    /// Newer servers (6.3) give every time series an index that the state may not have.
    async fn drop_uninvited(&self, ns: &Namespace, wanted: &[Document]) -> std::result::Result<(), String> {
        for index in self.indexes(ns).await? {
            let name = index_name(&index);
            if !wanted.iter().any(|w| index_name(w) == name) {
                self.run(&ns.db, doc! { "dropIndexes": &ns.coll, "index": name }).await?;
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

const WAYS: [Way; 3] = [Way::Insert, Way::Literal, Way::Operation];

/// Sends the documents of one chunk: one command under way while the next fills.
struct Writer<'a> {
    server: &'a Server,
    runtime: &'a Handle,
    ns: Namespace,
    ordered: bool,
    insert: Batch,
    literal: Batch,
    operation: Batch,
    under_way: Option<JoinHandle<Result<()>>>,
}

impl<'a> Writer<'a> {
    fn new(server: &'a Server, runtime: &'a Handle, spec: &CollectionSpec) -> Self {
        let ns = spec.data_ns();
        let [insert, literal, operation] = WAYS.map(|way| Batch::new(way, &ns, spec.ordered));
        Writer { server, runtime, ns, ordered: spec.ordered, insert, literal, operation, under_way: None }
    }

    fn batch(&mut self, way: Way) -> &mut Batch {
        match way {
            Way::Insert => &mut self.insert,
            Way::Literal => &mut self.literal,
            Way::Operation => &mut self.operation,
        }
    }

    /// Sends what has gathered, after what is under way has arrived.
    fn send(&mut self, way: Way) -> Result<()> {
        self.arrive()?;
        if self.batch(way).is_empty() {
            return Ok(());
        }
        let command = self.batch(way).take();
        let (server, ns) = (self.server.clone(), self.ns.clone());
        self.under_way = Some(self.runtime.spawn(async move {
            let reply = server.run_raw(way.db(&ns), command.clone()).await.map_err(|e| {
                Error::failed("writing documents of", format_args!("{:?}", ns.to_string()), e)
                    .hint("the target stays marked as unfinished.")
            })?;
            check_reply(&ns, &command, &reply)
        }));
        Ok(())
    }

    fn arrive(&mut self) -> Result<()> {
        let Some(task) = self.under_way.take() else { return Ok(()) };
        self.runtime
            .block_on(task)
            .unwrap_or_else(|e| Error::failed("writing documents of", &self.ns, e).err())
    }
}

impl Drain for Writer<'_> {
    fn take(&mut self, document: &[u8]) -> Result<()> {
        let way = Way::of(document);
        if self.ordered {
            for other in WAYS {
                if other != way && !self.batch(other).is_empty() {
                    self.send(other)?;
                }
            }
        }
        if self.batch(way).is_full_for(document.len()) {
            self.send(way)?;
        }
        self.batch(way).push(document);
        Ok(())
    }

    fn finish(mut self) -> Result<()> {
        WAYS.into_iter().try_for_each(|way| self.send(way))?;
        self.arrive()
    }
}
