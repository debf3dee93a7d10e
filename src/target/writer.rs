//! Sends the documents of one chunk to a server: one command under way while the next fills.

use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::batch::{BATCH_BYTES, Batch, Manner, Way, check_reply};
use super::limit::Limiter;
use super::load::LoadOptions;
use super::pull::Drain;
use super::server::Server;
use crate::domain::progress::Meter;
use crate::domain::{Error, Namespace, Result};
use crate::engine::output::CollectionSpec;

const DOING: &str = "writing documents of";

/// Where a rate is asked for, a command holds a quarter of a second of it: no bursts. Not less
/// than this, lest the commands themselves weigh more than what they carry.
const LEAST: usize = 64 << 10;

const WAYS: [Way; 3] = [Way::Insert, Way::Literal, Way::Operation];

pub(super) struct Writer<'a> {
    server: &'a Server,
    runtime: &'a Handle,
    meter: &'a Meter,
    limiter: Option<Arc<Limiter>>,
    ns: Namespace,
    ordered: bool,
    insert: Batch,
    literal: Batch,
    operation: Batch,
    under_way: Option<JoinHandle<Result<()>>>,
}

/// How large a command may become.
fn command_bytes(options: &LoadOptions) -> usize {
    options.rate.map_or(BATCH_BYTES, |rate| {
        usize::try_from(rate.get() / 4).unwrap_or(BATCH_BYTES).clamp(LEAST, BATCH_BYTES)
    })
}

impl<'a> Writer<'a> {
    pub fn new(
        server: &'a Server,
        runtime: &'a Handle,
        meter: &'a Meter,
        spec: &CollectionSpec,
        options: &LoadOptions,
        limiter: Option<Arc<Limiter>>,
    ) -> Self {
        let (ns, ordered) = (spec.data_ns(), spec.ordered);
        let manner = Manner { ordered, concern: options.write_concern, bytes: command_bytes(options) };
        let [insert, literal, operation] = WAYS.map(|way| Batch::new(way, &ns, manner));
        Writer { server, runtime, meter, limiter, ns, ordered, insert, literal, operation, under_way: None }
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
        if let Some(limiter) = &self.limiter {
            limiter.block(command.len() as u64, DOING, self.meter)?;
        }
        let (server, ns) = (self.server.clone(), self.ns.clone());
        self.under_way = Some(self.runtime.spawn(async move {
            let reply = server.run_raw(way.db(&ns), command.clone()).await.map_err(|e| {
                Error::failed(DOING, format_args!("{:?}", ns.to_string()), e)
                    .hint("the target stays marked as unfinished.")
            })?;
            check_reply(&ns, &command, &reply)
        }));
        Ok(())
    }

    fn arrive(&mut self) -> Result<()> {
        let Some(task) = self.under_way.take() else { return Ok(()) };
        self.runtime.block_on(task).unwrap_or_else(|e| Error::failed(DOING, &self.ns, e).err())
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
