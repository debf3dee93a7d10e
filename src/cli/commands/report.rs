//! `pitstop report`: the post-mortem of a case.

use crate::case::Case;
use crate::cli::args::ReportArgs;
use crate::cli::output::{Out, with_kind};
use crate::domain::report::markdown;
use crate::domain::text::visible;
use crate::domain::{Error, Result};
use crate::ops::report::report;

/// Runs it.
pub fn run(args: &ReportArgs) -> Result<()> {
    let case = match &args.case {
        Some(named) => Case::existing(named)?,
        None => newest()?,
    };
    let report = report(&case)?;
    let mut out = Out::new();
    if args.json {
        out.json(&with_kind(&report, "report"))?;
    } else {
        out.line(markdown(&report).trim_end())?;
    }
    out.flush()
}

/// The case that was worked on last.
fn newest() -> Result<Case> {
    let mut cases = Case::all()?;
    let Some((case, _)) = cases.pop() else {
        return Error::usage("looking for the case", "", "there is none yet")
            .hint("any command with sources makes one; --case DIR names another place.")
            .err();
    };
    if !cases.is_empty() {
        let name = case.name();
        eprintln!("note: the newest of {} cases: {}", cases.len() + 1, visible(&name));
    }
    Ok(case)
}
