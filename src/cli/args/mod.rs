//! What can be typed: clap types, and nothing else.

mod between;
mod keep;
mod plan;
mod sources;

pub use between::{ArchiveArgs, DoctorArgs, GenerateArgs, Generated};
pub use keep::{MarkArgs, NoteArgs, ReportArgs, StatesArgs};
pub use plan::{PlanArgs, RestoreArgs, StopArgs};

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Parser, Subcommand};

use crate::domain::Position;
use crate::domain::position::Place;
use crate::domain::source::Source;
use crate::runtime::ThemeChoice;

/// Point-in-time recovery of MongoDB, one operation before the damage.
#[derive(Debug, Parser)]
#[command(name = "pitstop", version, arg_required_else_help = true, after_help = EXIT_CODES)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Cli {
    /// The configuration to read (else PITSTOP_CONFIG, ~/.config/pitstop/config.toml)
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
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
    /// Dump directories, archives, oplog files, folders of slices, mongodb://… of a replica set,
    /// profiles: opens the screens on them
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
    /// auto, dark, light, ansi (the 16 colours of your own scheme), ansi-light, mono
    #[arg(long, value_name = "NAME", value_parser = named::<ThemeChoice>)]
    pub theme: Option<String>,
    /// Use ASCII characters only
    #[arg(long)]
    pub ascii: bool,
    /// Listen to the mouse over ssh too
    #[arg(long, conflicts_with = "no_mouse")]
    pub mouse: bool,
    /// Leave the mouse to the terminal
    #[arg(long)]
    pub no_mouse: bool,
    /// The mongod to start (else PITSTOP_MONGOD, the configuration, PATH)
    #[arg(long, value_name = "FILE")]
    pub mongod: Option<PathBuf>,
}

/// A text that names one of these.
fn named<T: FromStr<Err = String>>(text: &str) -> Result<String, String> {
    text.parse::<T>().map(|_| text.to_owned())
}

const EXIT_CODES: &str = "\
Exit codes: 0 done; 1 failed; 2 usage; 3 verification found a difference;
4 gap, stop outside the valid range, an operation that cannot be replayed,
  or a target that cannot hold the state;
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
    /// Name a place in the oplog, with a note; without --name list the marks
    Mark(MarkArgs),
    /// Note something in the journal of the case; without --text list the notes
    Note(NoteArgs),
    /// Show the states at several times side by side, without a restore
    States(StatesArgs),
    /// Restore the state at a stop: into an isolated MongoDB, a server, a dump directory, an archive
    Restore(RestoreArgs),
    /// Open the screens on the built-in incident; needs no server
    Demo(DemoArgs),
    /// Keep the oplog of a replica set in a folder, without gaps
    Archive(ArchiveArgs),
    /// Check that a restore would work: oplog window, backups, gaps, mongod, disk, clocks
    Doctor(DoctorArgs),
    /// Write the post-mortem of a case: the incident, the response, the restores, the times
    Report(ReportArgs),
    /// List or stop the servers that restores left running
    Targets(TargetsArgs),
    /// Print completions for a shell, the manual page, or a configuration to begin with
    Generate(GenerateArgs),
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
    /// Dump directories, archives, oplog files, folders of slices, mongodb://… of a replica set,
    /// profiles: any number, any order
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
    /// How much memory to take.
    #[command(flatten)]
    pub memory: MemoryArgs,
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

/// How much memory to take.
#[derive(Debug, Args)]
pub struct MemoryArgs {
    /// Take at most this much memory, like 512M; what exceeds it goes to the case folder [default: a
    /// quarter of the machine]
    #[arg(long, value_name = "SIZE", value_parser = crate::cli::config::memory)]
    pub memory: Option<u64>,
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
    /// Show at most this many documents field by field [default: 20 with --ns or -q, else 0]
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    /// Only documents like this: is:comes-back is:changes-back is:goes-away is:conflict field:price
    /// id:42 words /regex/ -not
    #[arg(short, long, value_name = "FILTER", allow_hyphen_values = true)]
    pub query: Option<String>,
    /// Write every document that differs to this new file, as NDJSON
    #[arg(long, value_name = "FILE")]
    pub export: Option<PathBuf>,
    /// How much memory to take.
    #[command(flatten)]
    pub memory: MemoryArgs,
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
