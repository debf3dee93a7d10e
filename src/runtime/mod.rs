//! The only place of the terminal program that does anything: one loop over signals, keys,
//! answers and the clock; effects carried out as jobs over `ops`; the terminal taken and given
//! back. It decides nothing: what follows from what is said by `app`.

mod clipboard;
mod desk;
mod events;
mod exec;
mod folds;
mod ground;
mod input;
mod keeping;
mod list;
pub mod log;
mod looks;
#[cfg(test)]
mod partial_tests;
mod past;
mod preview;
mod restoring;
mod screen;
mod shown;
pub mod terminal;
mod work;
mod zone;

use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::Arc;

pub use log::Log;
pub use looks::{Mouse, ThemeChoice};

use crate::app::{Model, Start};
use crate::domain::{Error, Result};
use crate::keys::Keymap;
use crate::ops::OpenOptions;
use crate::ops::memory::Memory;

/// How the program is to run.
#[derive(Debug, Clone)]
pub struct Options {
    /// What to open.
    pub open: OpenOptions,
    /// What is shown of the sources: no secrets.
    pub source: String,
    /// Whether this is the built-in incident.
    pub demo: bool,
    /// A word that says how much depends on the data; empty = nobody said.
    pub marked: &'static str,
    /// Which keys do what.
    pub keymap: Keymap,
    /// The log of this run, if there is one.
    pub log: Option<Arc<Log>>,
    /// The mongod to start for isolated restores.
    pub mongod: Option<PathBuf>,
    /// How much memory it may take.
    pub memory: Memory,
    /// How it looks.
    pub theme: ThemeChoice,
    /// ASCII only.
    pub ascii: bool,
    /// Whether the mouse is listened to.
    pub mouse: Mouse,
}

/// Runs the terminal program until it is left.
pub fn run(options: Options) -> Result<()> {
    if !std::io::stdin().is_terminal() || !std::io::stdout().is_terminal() {
        return Error::usage("opening the screens", "", "standard input and output are no terminal")
            .hint("use a command instead: pitstop snapshots, ops, suspects, plan, diff, restore; all know --json.")
            .err();
    }
    let start = Start {
        source: options.source.clone(),
        demo: options.demo,
        marked: options.marked,
        log: options.log.as_ref().map_or_else(String::new, |log| log.path().display().to_string()),
        version: env!("CARGO_PKG_VERSION").into(),
        zone: zone::of_this_machine(),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|e| Error::failed("starting the runtime", "", e))?;
    let model = Model { keymap: options.keymap.clone(), ..Model::new(start) };
    let ended = runtime.block_on(events::run(model, options));
    // Jobs that still run only read: nobody waits for them.
    runtime.shutdown_background();
    ended
}
