//! `pitstop SOURCE…`: the terminal program.

use std::sync::Arc;

use crate::cli::args::{LookArgs, ScreensArgs};
use crate::cli::config::Config;
use crate::domain::Result;
use crate::domain::source::Source;
use crate::ops::OpenOptions;
use crate::ops::doctor::Criticality;
use crate::runtime::{self, Log, Options};

/// Runs it. The sources have been expanded.
pub fn run(args: &ScreensArgs, config: Config, log: Option<Arc<Log>>) -> Result<()> {
    let open = OpenOptions {
        sources: args.sources.clone(),
        case: args.case.clone(),
        accept_unproven: args.accept_unproven.clone(),
    };
    let mut source = args.sources.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    if !config.profiles().is_empty() {
        source = format!("{} ({source})", config.profiles().join(" "));
    }
    show(open, source, &args.look, config, log, false)
}

/// Opens the screens on these sources.
pub fn show(
    open: OpenOptions,
    source: String,
    look: &LookArgs,
    mut config: Config,
    log: Option<Arc<Log>>,
    demo: bool,
) -> Result<()> {
    config.flag("theme", look.theme.as_ref());
    config.flag("ascii", look.ascii.then_some("true"));
    config.flag("mouse", look.no_mouse.then_some("off").or(look.mouse.then_some("on")));
    let is_live = open.sources.iter().any(|source| matches!(source, Source::Live(_)));
    config.flag("mongod", look.mongod.as_ref().map(|path| path.to_string_lossy()));
    let marked = match config.stated_criticality() {
        Some(Criticality::Production) => "PRODUCTION",
        Some(Criticality::MissionCritical) => "MISSION-CRITICAL",
        // Where nobody says otherwise, a set that runs is taken for one that people work on.
        None if is_live => "PRODUCTION",
        Some(Criticality::Development) | None => "",
    };
    runtime::run(Options {
        open,
        source,
        demo,
        marked: if demo { "" } else { marked },
        keymap: config.keymap(),
        log,
        mongod: config.mongod(),
        memory: config.memory(),
        theme: config.theme(),
        ascii: config.ascii(),
        mouse: config.mouse(),
    })
}
