//! `pitstop demo --unpack DIR`: the built-in incident as files.

use std::path::Path;

use crate::cli::output::Out;
use crate::domain::Result;
use crate::domain::text::visible;

/// Runs it.
pub fn run(dir: &Path) -> Result<()> {
    crate::ops::demo::unpack(dir)?;
    let mut out = Out::new();
    let shown = dir.to_string_lossy();
    out.line(format_args!("a day of a made-up shop is in {}; try: pitstop suspects {0}", visible(&shown)))?;
    out.flush()
}
