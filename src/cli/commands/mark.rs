//! `pitstop mark`: names a place in the oplog, with a note; without a name lists the marks.

use serde_json::json;

use crate::cli::args::MarkArgs;
use crate::cli::open;
use crate::cli::output::{Out, with_kind};
use crate::domain::marks::{Mark, REMOVED, SET, marks};
use crate::domain::position::Place;
use crate::domain::text::visible;
use crate::domain::{Error, Result};

/// Runs it.
pub fn run(args: &MarkArgs) -> Result<()> {
    let workspace = open(&args.source)?;
    let journal = workspace.case.journal();
    let mut shown = marks(&journal.events()?);
    if let Some(name) = &args.name {
        // A name that reads as a position would make `--at` ambiguous.
        if name.is_empty() || name.parse::<Place>().is_ok() {
            return Error::usage("marking", format!("{name:?}"), "this is a position or time, no name").err();
        }
        let there = shown.iter().any(|mark| mark.name == *name);
        match args.stop() {
            Some(stop) => {
                let mark = Mark::new(name, stop.bound(workspace.last()), args.note.clone());
                journal.record(SET, json!({ "name": mark.name, "pos": mark.pos, "note": mark.note }))?;
                shown = vec![mark];
            }
            None if args.remove && there => {
                journal.record(REMOVED, json!({ "name": name }))?;
                shown.retain(|mark| mark.name != *name);
            }
            None => {
                let (cause, hint) = if args.remove {
                    ("there is no such mark", "`pitstop mark SOURCE…` lists the marks.")
                } else {
                    ("it is not said where", "give --before POS or --after POS.")
                };
                return Error::usage("marking", format!("{name:?}"), cause).hint(hint).err();
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
