//! `pitstop suspects`: the bursts that look like damage, the worst first.

use crate::cli::args::SourceArgs;
use crate::cli::open;
use crate::cli::output::Out;
use crate::domain::Result;
use crate::domain::progress::Meter;
use crate::domain::text::{counted, visible};

/// Runs it.
pub fn run(args: &SourceArgs) -> Result<()> {
    let workspace = open(args)?;
    let suspects = crate::ops::suspects::suspects(&workspace, &Meter::default())?;
    let mut out = Out::new();
    for suspect in &suspects {
        if args.json {
            out.json(suspect)?;
            continue;
        }
        let documents = if suspect.documents > 0 {
            format!(
                ", {} ({:.0} % of the collection)",
                counted(suspect.documents, "document"),
                100.0 * suspect.share
            )
        } else {
            String::new()
        };
        out.line(format_args!(
            "{}  {}: {}{documents}",
            suspect.time,
            visible(&suspect.ns.to_string()),
            suspect.what
        ))?;
        out.line(format_args!("    from {} to {}", suspect.first, suspect.last))?;
        out.line(format_args!("    to stop before it: --before {}", suspect.stop))?;
    }
    if suspects.is_empty() && !args.json {
        out.line("nothing looks like damage; `pitstop ops` searches all operations")?;
    }
    out.flush()
}
