//! `pitstop note`: notes something in the journal of the case; without a text lists the notes.

use serde_json::json;

use crate::cli::args::NoteArgs;
use crate::cli::open;
use crate::cli::output::Out;
use crate::domain::Result;
use crate::domain::text::visible;
use crate::ops::marks;

/// Runs it.
pub fn run(args: &NoteArgs) -> Result<()> {
    let workspace = open(&args.source)?;
    if let Some(text) = &args.text {
        marks::note(&workspace.case, text)?;
    }
    let mut notes = marks::notes(&workspace.case)?;
    if args.text.is_some() {
        notes = notes.pop().into_iter().collect();
    }
    let mut out = Out::new();
    for note in &notes {
        if args.source.json {
            out.json(&json!({ "kind": "note", "time": note.time, "text": note.text }))?;
        } else {
            out.line(format_args!("{}  {}", visible(&note.time), visible(&note.text)))?;
        }
    }
    if notes.is_empty() && !args.source.json {
        out.line("no notes; `pitstop note SOURCE… --text TEXT` makes one")?;
    }
    out.flush()
}
