//! `pitstop mark`: names a place in the oplog, with a note; without a name lists the marks.

use crate::cli::args::MarkArgs;
use crate::cli::open;
use crate::cli::output::{Out, with_kind};
use crate::domain::text::visible;
use crate::domain::{Error, Result};
use crate::ops::marks;

/// Runs it.
pub fn run(args: &MarkArgs) -> Result<()> {
    let workspace = open(&args.source)?;
    let mut shown = marks::all(&workspace.case)?;
    if let Some(name) = &args.name {
        match args.stop() {
            Some(stop) => {
                let pos = stop.bound(workspace.last());
                shown = vec![marks::set(&workspace.case, name, pos, args.note.as_deref())?];
            }
            None if args.remove => {
                marks::remove(&workspace.case, name)?;
                shown.retain(|mark| mark.name != *name);
            }
            None => {
                return Error::usage("marking", format!("{name:?}"), "it is not said where")
                    .hint("give --before POS or --after POS.")
                    .err();
            }
        }
    }
    let mut out = Out::new();
    for mark in &shown {
        if args.source.json {
            out.json(&with_kind(mark, "mark"))?;
        } else {
            let note = mark.note.as_deref().unwrap_or_default();
            out.line(format_args!(
                "{:<21} {}  {}  {}",
                mark.pos.to_string(),
                mark.time,
                visible(&mark.name),
                visible(note)
            ))?;
        }
    }
    if shown.is_empty() && !args.source.json {
        out.line("no marks; `pitstop mark SOURCE… --before POS --name NAME` sets one")?;
    }
    out.flush()
}
