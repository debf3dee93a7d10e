//! What can be typed: clap types, and nothing else.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::domain::Position;
use crate::domain::position::Place;
use crate::domain::source::Source;
use crate::domain::stop::{Side, StopRequest};
use crate::ops::select::Rename;
use crate::runtime::ThemeChoice;

/// Point-in-time recovery of MongoDB, one operation before the damage.
#[derive(Debug, Parser)]
#[command(name = "pitstop", version, arg_required_else_help = true, after_help = EXIT_CODES)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Without a command: the screens, on these sources.
    #[command(flatten)]
    pub screens: ScreensArgs,
}

/// The screens, on sources.
#[derive(Debug, Args)]
pub struct ScreensArgs {
    /// Dump directories, archives, oplog files, folders of slices: opens the screens on them
    #[arg(value_name = "SOURCE")]
    pub sources: Vec<Source>,
    /// Keep the case in this folder
    #[arg(long, value_name = "DIR")]
    pub case: Option<PathBuf>,
    /// Accept the joint at POS although no shared entry proves it; journalled and reported
    #[arg(long, value_name = "POS")]
    pub accept_unproven: Vec<Position>,
    /// How they look.
    #[command(flatten)]
    pub look: LookArgs,
}

/// How the screens look.
#[derive(Debug, Args)]
pub struct LookArgs {
    /// auto, dark, light, ansi (the 16 colours of your own scheme), mono
    #[arg(long, value_name = "NAME", env = "PITSTOP_THEME", default_value = "auto")]
    pub theme: ThemeChoice,
    /// Use ASCII characters only
    #[arg(long)]
    pub ascii: bool,
    /// Leave the mouse to the terminal
    #[arg(long)]
    pub no_mouse: bool,
    /// The mongod to start (else PITSTOP_MONGOD, the configuration, PATH)
    #[arg(long, value_name = "FILE")]
    pub mongod: Option<PathBuf>,
}

const EXIT_CODES: &str = "\
Exit codes: 0 done; 1 failed; 2 usage; 3 verification found a difference;
4 gap, stop outside the valid range, or an operation that cannot be replayed;
5 refused by a safety rule, or not confirmed; 130 interrupted.";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List snapshots with their ranges of valid stops, the oplog coverage and its gaps
    Snapshots(SourceArgs),
    /// Search operations
    Ops(OpsArgs),
    /// Rank the bursts of operations that look like damage
    Suspects(SuspectsArgs),
    /// Show what a restore would do, and why not
    Plan(PlanArgs),
    /// Show what going back to a stop would change, without a restore
    Diff(DiffArgs),
    /// Show every version of one document, also of one that is gone
    History(HistoryArgs),
    /// Restore the state at a stop into an isolated MongoDB, a server, or a dump directory
    Restore(RestoreArgs),
    /// Open the screens on the built-in incident; needs no server
    Demo(DemoArgs),
    /// List or stop the servers that restores left running
    Targets(TargetsArgs),
    /// Carry out a prepared restore (started by `restore`)
    #[command(hide = true)]
    RestoreWorker {
        /// The folder of the prepared restore.
        dir: PathBuf,
    },
}

/// Arguments of `demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Write the incident to this folder instead, to try the commands on; made if it is not there
    #[arg(long, value_name = "DIR")]
    pub unpack: Option<PathBuf>,
    /// How the screens look.
    #[command(flatten)]
    pub look: LookArgs,
}

/// Where backups and oplogs are.
#[derive(Debug, Args)]
pub struct SourceArgs {
    /// Dump directories, archives, oplog files, folders of slices, mongodb://… of a replica set:
    /// any number, any order
    #[arg(value_name = "SOURCE", required = true)]
    pub sources: Vec<Source>,
    /// Print JSON: one object, or one per line for lists
    #[arg(long)]
    pub json: bool,
    /// Keep the case in this folder
    #[arg(long, value_name = "DIR")]
    pub case: Option<PathBuf>,
    /// Accept the joint at POS although no shared entry proves it; journalled and reported
    #[arg(long, value_name = "POS")]
    pub accept_unproven: Vec<Position>,
}

/// Arguments of `suspects`.
#[derive(Debug, Args)]
pub struct SuspectsArgs {
    /// Where to look.
    #[command(flatten)]
    pub source: SourceArgs,
    /// Show everyday work too (TTL, migrations, $out, eviction, queues), with the reason for each
    #[arg(long)]
    pub all: bool,
}

/// Arguments of `ops`.
#[derive(Debug, Args)]
pub struct OpsArgs {
    /// Where to look.
    #[command(flatten)]
    pub source: SourceArgs,
    /// Terms: op:delete ns:shop.* id:42 after:… before:… txn:… size:>1k words /regex/ -not
    #[arg(short, long, value_name = "QUERY", default_value = "")]
    pub query: String,
    /// Print at most this many
    #[arg(long, value_name = "N")]
    pub limit: Option<u64>,
}

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
    /// Where the state goes: isolated, dump:DIR, or mongodb://…
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

/// Arguments of `diff`.
#[derive(Debug, Args)]
pub struct DiffArgs {
    /// Where to look.
    #[command(flatten)]
    pub source: SourceArgs,
    /// Where to stop.
    #[command(flatten)]
    pub stop: StopArgs,
    /// Compare with the state before this position; `end` is all that is known
    #[arg(long, value_name = "POS", default_value = "end")]
    pub against: Place,
    /// Use this snapshot instead of the newest possible
    #[arg(long, value_name = "ID")]
    pub snapshot: Option<String>,
    /// Only namespaces like this, with their documents; * stands for anything; may be repeated
    #[arg(long, value_name = "GLOB")]
    pub ns: Vec<String>,
    /// Show at most this many documents field by field [default: 20 with --ns, else 0]
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
}

/// Arguments of `history`.
#[derive(Debug, Args)]
pub struct HistoryArgs {
    /// Where to look.
    #[command(flatten)]
    pub source: SourceArgs,
    /// The collection, by any name it had; it is followed through renames and drops
    #[arg(long, value_name = "NS")]
    pub ns: String,
    /// The _id: Extended JSON; a bare number is any numeric type, 24 hex digits an ObjectId or text
    #[arg(long, value_name = "ID", allow_hyphen_values = true)]
    pub id: String,
    /// Begin with this snapshot only, instead of the oldest of each stretch of oplog
    #[arg(long, value_name = "SNAPSHOT")]
    pub snapshot: Option<String>,
}

/// Arguments of `targets`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct TargetsArgs {
    /// What to do with them; nothing = list.
    #[command(subcommand)]
    pub action: Option<TargetsAction>,
    /// Print JSON, one object per line
    #[arg(long)]
    pub json: bool,
}

/// What can be done with targets.
#[derive(Debug, Subcommand)]
pub enum TargetsAction {
    /// Stop servers, and delete their data with --delete
    Stop {
        /// Which ones
        #[arg(value_name = "ID", required_unless_present = "all")]
        ids: Vec<String>,
        /// All of them
        #[arg(long, conflicts_with = "ids")]
        all: bool,
        /// Delete their data too
        #[arg(long)]
        delete: bool,
        /// Print JSON, one object per line
        #[arg(long)]
        json: bool,
    },
}
