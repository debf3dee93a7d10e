//! `pitstop SOURCE…`: the terminal program.

use crate::cli::args::{LookArgs, ScreensArgs};
use crate::cli::config;
use crate::domain::Result;
use crate::domain::source::Source;
use crate::ops::OpenOptions;
use crate::runtime::{self, Mouse, Options};

/// Runs it.
pub fn run(args: &ScreensArgs) -> Result<()> {
    let open = OpenOptions {
        sources: args.sources.clone(),
        case: args.case.clone(),
        accept_unproven: args.accept_unproven.clone(),
    };
    let source = args.sources.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    show(open, source, &args.look, false)
}

/// Opens the screens on these sources.
pub fn show(open: OpenOptions, source: String, look: &LookArgs, demo: bool) -> Result<()> {
    // Where nobody says otherwise, a set that runs is taken for one that people work on.
    let production = open.sources.iter().any(|source| matches!(source, Source::Live(_)));
    runtime::run(Options {
        open,
        source,
        demo,
        production,
        mongod: config::mongod(look.mongod.as_deref())?,
        memory: config::memory_or_default(None)?,
        theme: look.theme,
        ascii: look.ascii,
        mouse: match (look.mouse, look.no_mouse) {
            (true, _) => Mouse::On,
            (_, true) => Mouse::Off,
            _ => Mouse::Auto,
        },
    })
}
