//! What can be typed about a case: marks, notes, states side by side, the post-mortem.

use std::path::PathBuf;

use clap::Args;

use super::{MemoryArgs, SourceArgs};
use crate::domain::position::Place;
use crate::domain::stop::{Side, StopRequest};

/// Arguments of `report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// The case: a folder, or a name [default: the one worked on last]
    #[arg(value_name = "CASE")]
    pub case: Option<PathBuf>,
    /// Print JSON instead of Markdown
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `mark`.
#[derive(Debug, Args)]
pub struct MarkArgs {
    /// Where to look.
    #[command(flatten)]
    pub source: SourceArgs,
    /// Before this position: T:I, T,I, Timestamp(T, I), a time, or end
    #[arg(long, value_name = "POS", conflicts_with = "after", requires = "name")]
    pub before: Option<Place>,
    /// After this position; a time is its whole second
    #[arg(long, value_name = "POS", requires = "name")]
    pub after: Option<Place>,
    /// The name; a mark of that name is moved
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// What to remember about it
    #[arg(long, value_name = "TEXT", requires = "name")]
    pub note: Option<String>,
    /// Take the mark of that name away
    #[arg(long, requires = "name", conflicts_with_all = ["before", "after", "note"])]
    pub remove: bool,
}

impl MarkArgs {
    /// Where to set the mark, if it is said.
    pub fn stop(&self) -> Option<StopRequest> {
        let (side, place) = match (self.before, self.after) {
            (Some(place), _) => (Side::Before, place),
            (None, Some(place)) => (Side::After, place),
            (None, None) => return None,
        };
        Some(StopRequest { side, place })
    }
}

/// Arguments of `note`.
#[derive(Debug, Args)]
pub struct NoteArgs {
    /// Where to look.
    #[command(flatten)]
    pub source: SourceArgs,
    /// What to remember
    #[arg(long, value_name = "TEXT")]
    pub text: Option<String>,
}

/// Arguments of `states`.
#[derive(Debug, Args)]
pub struct StatesArgs {
    /// Where to look.
    #[command(flatten)]
    pub source: SourceArgs,
    /// The state before this position or time, at `end`, or at a mark; may be repeated [default:
    /// all marks]
    #[arg(long, value_name = "POS|MARK")]
    pub at: Vec<String>,
    /// Only namespaces like this; * stands for anything; may be repeated
    #[arg(long, value_name = "GLOB")]
    pub ns: Vec<String>,
    /// Count documents like this, an object in Extended JSON: equality, $gt $gte $lt $lte $in $exists
    #[arg(long = "where", value_name = "JSON")]
    pub condition: Option<String>,
    /// Show the document with this _id, as in `history`
    #[arg(long, value_name = "ID", allow_hyphen_values = true)]
    pub id: Option<String>,
    /// Show so many of the documents that --where finds, for each state and namespace
    #[arg(long, value_name = "N", requires = "condition")]
    pub limit: Option<usize>,
    /// Use this snapshot instead of the newest possible
    #[arg(long, value_name = "SNAPSHOT")]
    pub snapshot: Option<String>,
    /// How much memory to take.
    #[command(flatten)]
    pub memory: MemoryArgs,
    /// Print Markdown, with the command that gives the same again
    #[arg(long, conflicts_with = "json")]
    pub markdown: bool,
}
