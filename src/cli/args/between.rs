//! What can be typed of the commands for the time between incidents: archive, doctor, generate.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::domain::source::Source;

/// Arguments of `archive`.
#[derive(Debug, Args)]
pub struct ArchiveArgs {
    /// The replica set: mongodb://…, or a profile that names one
    #[arg(value_name = "URI")]
    pub uri: Source,
    /// The folder of the archive; made if it is not there
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// End when everything that is there now is on disk; exit code 4 if something was missed
    #[arg(long)]
    pub once: bool,
    /// Remove slices that end more than this many days ago
    #[arg(long, value_name = "N")]
    pub keep_days: Option<u64>,
    /// Remove the oldest slices beyond this size on disk: 500M, 20G
    #[arg(long, value_name = "SIZE", value_parser = crate::cli::commands::archive::size)]
    pub keep_bytes: Option<u64>,
    /// Close a slice after this many seconds: as much as a crash of this machine can lose
    #[arg(long, value_name = "N", default_value_t = 60)]
    pub slice_seconds: u64,
    /// Close a slice at this size, before compression
    #[arg(long, value_name = "SIZE", default_value = "64M", value_parser = crate::cli::commands::archive::size)]
    pub slice_bytes: u64,
    /// Print JSON: one line for each slice, gap and loss of the source
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Dump directories, archives, slices, mongodb://… of a replica set; none = this machine only
    #[arg(value_name = "SOURCE")]
    pub sources: Vec<Source>,
    /// How much depends on the data: an oplog of 24 h, 48 h or 168 h
    /// [default: as configured, else production]
    #[arg(long, value_name = "HOW", value_parser = ["development", "production", "mission-critical"])]
    pub criticality: Option<String>,
    /// The case folder to look at
    #[arg(long, value_name = "DIR")]
    pub case: Option<PathBuf>,
    /// Print JSON: one line for each check
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `generate`.
#[derive(Debug, Args)]
pub struct GenerateArgs {
    /// What to print.
    #[command(subcommand)]
    pub what: Generated,
}

/// What can be printed.
#[derive(Debug, Subcommand)]
pub enum Generated {
    /// Completions for a shell
    Completions {
        /// Which one
        shell: clap_complete::Shell,
    },
    /// The manual page, as troff
    Man,
    /// Everything that can be configured, with the defaults
    Config,
}
