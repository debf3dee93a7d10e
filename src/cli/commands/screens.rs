//! `pitstop SOURCE…`: the terminal program.

use crate::cli::args::{LookArgs, ScreensArgs};
use crate::cli::config;
use crate::domain::Result;
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
    runtime::run(Options {
        open,
        source,
        demo,
        mongod: config::mongod(look.mongod.as_deref())?,
        memory: config::memory_or_default(None)?,
        theme: look.theme,
        ascii: look.ascii,
        mouse: if look.no_mouse { Mouse::Off } else { Mouse::Auto },
    })
}
