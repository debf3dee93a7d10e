//! What can be typed about a stop, a plan and a restore: clap types, and nothing else.

use std::num::{NonZeroU64, NonZeroUsize};
use std::path::PathBuf;

use clap::Args;

use super::{MemoryArgs, SourceArgs};
use crate::domain::Position;
use crate::domain::how::WriteConcern;
use crate::domain::position::Place;
use crate::domain::stop::{Side, StopRequest};
use crate::ops::select::Rename;

/// Where to stop.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct StopArgs {
    /// Stop before this position (it is left out): T:I, T,I, Timestamp(T, I), a time, or end
    #[arg(long, value_name = "POS")]
    pub before: Option<Place>,
    /// Stop after this position (it is taken in); a time is its whole second
    #[arg(long, value_name = "POS")]
    pub after: Option<Place>,
}

impl StopArgs {
    /// The request. clap has seen to it that one of the two is there.
    pub fn request(&self) -> StopRequest {
        match (self.before, self.after) {
            (Some(place), _) => StopRequest { side: Side::Before, place },
            (None, place) => StopRequest { side: Side::After, place: place.unwrap_or(Place::End) },
        }
    }
}

/// What a plan is made of.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// Where to look.
    #[command(flatten)]
    pub source: SourceArgs,
    /// Where to stop.
    #[command(flatten)]
    pub stop: StopArgs,
    /// Use this snapshot instead of the newest possible
    #[arg(long, value_name = "ID")]
    pub snapshot: Option<String>,
    /// Restore only namespaces like this; * stands for anything; may be repeated
    #[arg(long, value_name = "GLOB")]
    pub ns: Vec<String>,
    /// But not namespaces like this; may be repeated
    #[arg(long, value_name = "GLOB")]
    pub ns_exclude: Vec<String>,
    /// Restore a collection under another name, like shop.orders=shop.orders_before; may be repeated
    #[arg(long, value_name = "OLD=NEW")]
    pub ns_rename: Vec<Rename>,
    /// Where the state goes: isolated, dump:DIR, archive:FILE[.gz], or mongodb://…
    #[arg(long, value_name = "TARGET", default_value = "isolated")]
    pub target: String,
    /// Pass over the entry at POS: for a command that changes no documents; journalled and reported
    #[arg(long, value_name = "POS")]
    pub skip_op: Vec<Position>,
    /// Restore users and roles too (kept aside by default)
    #[arg(long)]
    pub with_users: bool,
    /// The mongod to start (else PITSTOP_MONGOD, the configuration, PATH)
    #[arg(long, value_name = "FILE")]
    pub mongod: Option<PathBuf>,
    /// The port of the isolated server (else a free one)
    #[arg(long, value_name = "PORT")]
    pub port: Option<u16>,
    /// On other servers, leave TTL indexes out instead of refusing
    #[arg(long, value_name = "WHAT", value_parser = ["defer"])]
    pub ttl: Option<String>,
    /// Keep the isolated server's data in this directory: new or empty, on any disk
    #[arg(long, value_name = "DIR")]
    pub dbpath: Option<PathBuf>,
    /// End the isolated server as a replica set of this name with one node, to be grown
    #[arg(long, value_name = "NAME")]
    pub replset: Option<String>,
    /// On a mongodb:// target: whose acknowledgement writes wait for: majority, or how many
    /// members [default: 1]
    #[arg(long, value_name = "W")]
    pub write_concern: Option<WriteConcern>,
    /// Write with so many commands at a time [default: one for each processor]
    #[arg(long, value_name = "N")]
    pub parallel: Option<NonZeroUsize>,
    /// On a mongodb:// target: write and read back at most so much a second: 500K, 20M, 20M/s
    #[arg(long, value_name = "SIZE", value_parser = rate)]
    pub rate: Option<NonZeroU64>,
    /// Check more than the documents, indexes and options: dbhash (the server reads all documents
    /// once more, in the order of _id), validate (it reads all documents and indexes, one
    /// collection at a time), or a file of queries with what each must find (TOML or JSON; each
    /// costs what the query costs); may be repeated
    #[arg(long, value_name = "dbhash|validate|FILE")]
    pub check: Vec<String>,
    /// How much memory to take.
    #[command(flatten)]
    pub memory: MemoryArgs,
}

fn rate(text: &str) -> Result<NonZeroU64, String> {
    let size = crate::cli::commands::archive::size(text.strip_suffix("/s").unwrap_or(text))?;
    NonZeroU64::new(size).ok_or_else(|| "it has to be more than nothing".to_owned())
}

/// Arguments of `restore`.
#[derive(Debug, Args)]
pub struct RestoreArgs {
    /// The plan.
    #[command(flatten)]
    pub plan: PlanArgs,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
}
