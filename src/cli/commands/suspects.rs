//! `pitstop suspects`: the bursts that look like damage, the worst first.

use crate::cli::args::SuspectsArgs;
use crate::cli::config::Config;
use crate::cli::open;
use crate::cli::output::Out;
use crate::domain::Result;
use crate::domain::burst::Burst;
use crate::domain::progress::Meter;
use crate::domain::text::{counted, visible};

/// Runs it.
pub fn run(args: &SuspectsArgs, mut config: Config) -> Result<()> {
    config.flag("memory", args.memory.memory);
    let workspace = open(&args.source)?;
    let bursts = crate::ops::suspects::bursts(&workspace, config.memory(), &Meter::default())?;
    crate::ops::findings::suspects(&workspace, &bursts)?;
    let (shown, hidden): (Vec<&Burst>, Vec<&Burst>) =
        bursts.iter().partition(|burst| args.all || burst.ordinary.is_none());
    let mut out = Out::new();
    for burst in &shown {
        if args.source.json {
            out.json(burst)?;
        } else {
            lines(burst).into_iter().try_for_each(|line| out.line(line))?;
        }
    }
    if !args.source.json && shown.iter().all(|burst| burst.ordinary.is_some()) {
        out.line("nothing looks like damage; `pitstop ops` searches all operations")?;
    }
    out.flush()?;
    if !hidden.is_empty() {
        let bursts = counted(hidden.len() as u64, "burst");
        eprintln!("{bursts} of everyday work not shown; --all shows them with the reasons");
    }
    Ok(())
}

/// A burst on one line.
pub fn short(burst: &Burst) -> String {
    let ns = burst.ns.to_string();
    format!("{}  {}: {}, {}", burst.time, visible(&ns), burst.what, counted(burst.documents, "document"))
}

fn lines(burst: &Burst) -> Vec<String> {
    let documents = match burst.documents {
        0 => String::new(),
        n => format!(", {} ({:.0} % of the collection)", counted(n, "document"), 100.0 * burst.share),
    };
    let sign = if burst.ordinary.is_some() { "ordinary  " } else { "" };
    let within = match burst.seconds {
        0 => "within one second".to_owned(),
        n => format!("in {}", counted(u64::from(n), "second")),
    };
    let session = burst.session.as_ref().map_or(String::new(), |s| format!(", session {s}"));
    let mut out = vec![
        format!("{sign}{}  {}: {}{documents}", burst.time, visible(&burst.ns.to_string()), burst.what),
        format!("    from {} to {}, {within}{session}", burst.first, burst.last),
    ];
    out.push(match &burst.ordinary {
        Some(reason) => format!("    {reason}"),
        None => format!("    to stop before it: --before {}", burst.stop),
    });
    out
}
