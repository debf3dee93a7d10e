//! `pitstop demo`: the screens on the built-in incident; with `--unpack DIR` the incident as files.

use std::sync::Arc;

use super::screens;
use crate::case::state_home;
use crate::cli::args::DemoArgs;
use crate::cli::config::Config;
use crate::cli::output::Out;
use crate::domain::Result;
use crate::domain::text::visible;
use crate::ops::OpenOptions;
use crate::ops::demo::unpack;
use crate::runtime::Log;

/// Runs it.
pub fn run(args: &DemoArgs, config: Config, log: Option<Arc<Log>>) -> Result<()> {
    let Some(dir) = &args.unpack else {
        let dir = state_home()?.join("demo").join(env!("CARGO_PKG_VERSION"));
        let sources = unpack(&dir)?.into_iter().map(Into::into).collect();
        let open = OpenOptions { sources, ..OpenOptions::default() };
        return screens::show(open, "a day of a made-up shop".into(), &args.look, config, log, true);
    };
    unpack(dir)?;
    let mut out = Out::new();
    let shown = dir.to_string_lossy();
    out.line(format_args!("a day of a made-up shop is in {}; try: pitstop suspects {0}", visible(&shown)))?;
    out.flush()
}
