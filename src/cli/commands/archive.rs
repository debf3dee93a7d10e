//! `pitstop archive`: keep a set's oplog, quietly; one status line on a terminal, or JSON.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use crate::cli::args::ArchiveArgs;
use crate::cli::config::Config;
use crate::cli::output::{Out, with_kind};
use crate::domain::progress::Meter;
use crate::domain::source::Source;
use crate::domain::text::{count, visible};
use crate::domain::{Error, Result};
use crate::ops::archive::{ArchiveOptions, Archived, Event, Keep, Until, archive};
use crate::source::live::recorder::Limits;
use crate::source::live::secure::told;

/// Runs it. Exit code 4 when something was missed.
pub fn run(args: &ArchiveArgs, mut config: Config) -> Result<()> {
    let mut named = vec![args.uri.clone()];
    config.expand(&mut named)?;
    let Some(Source::Live(uri)) = named.into_iter().find(|source| source.path().is_none()) else {
        return Error::usage("archiving", &args.uri, "this is no connection string")
            .hint("name the replica set: mongodb://HOST:PORT/?replicaSet=NAME.")
            .err();
    };
    let options = ArchiveOptions {
        uri,
        dir: args.dir.clone(),
        until: if args.once { Until::CaughtUp } else { Until::Stopped },
        limits: Limits { bytes: args.slice_bytes, age: Duration::from_secs(args.slice_seconds) },
        keep: Keep {
            age: args.keep_days.map(|days| Duration::from_secs(days.saturating_mul(86_400))),
            bytes: args.keep_bytes,
        },
    };
    let mut out = Out::new();
    let status = !args.json && std::io::stderr().is_terminal();
    let (mut slices, mut entries) = (0u64, 0u64);
    let archived = archive(&options, &Meter::default(), &mut |event| {
        if args.json {
            out.json(&json(&event))?;
            return out.flush();
        }
        if let Event::Written(record) = &event {
            (slices, entries) = (slices + 1, entries + record.entries);
            if status {
                eprint!(
                    "\r\x1b[K{} slices, {} entries, through {} ({})",
                    count(slices),
                    count(entries),
                    record.last.pos,
                    record.last.pos.time()
                );
                let _ = std::io::stderr().flush();
            }
        } else if let Some(line) = line(&event) {
            eprintln!("{}{line}", if status { "\r\x1b[K" } else { "" });
        }
        Ok(())
    })?;
    if status && slices > 0 {
        eprintln!();
    }
    conclude(&archived, args, &mut out)
}

fn conclude(archived: &Archived, args: &ArchiveArgs, out: &mut Out) -> Result<()> {
    let Archived { slices, entries, gaps, last } = archived;
    if args.json {
        let last = last.map(|pos| serde_json::json!({ "pos": pos, "time": pos.time() }));
        out.json(&serde_json::json!({
            "kind": "archived", "slices": slices, "entries": entries, "gaps": gaps.len(), "last": last,
        }))?;
    } else if args.once {
        let through = last.map(|pos| format!(", through {pos} ({})", pos.time())).unwrap_or_default();
        out.line(format_args!("archived {} entries in {} slices{through}", count(*entries), count(*slices)))?;
    }
    out.flush()?;
    match gaps.first() {
        None => Ok(()),
        Some(gap) => Error::inexact("archiving", args.dir.display(), told(gap))
            .hint("stops across this gap cannot be reached: take a new snapshot now, and archive more often or give the source a larger oplog.")
            .err(),
    }
}

/// What is said of an event on a terminal or in a log; slices are counted instead.
fn line(event: &Event<'_>) -> Option<String> {
    Some(match event {
        Event::Begins(set, None) => {
            format!("archiving {} from its oldest entry on", visible(&set.name))
        }
        Event::Begins(set, Some(pos)) => {
            format!("archiving {} behind {pos} ({})", visible(&set.name), pos.time())
        }
        Event::Missed(gap) => told(gap),
        Event::Lost(said) => format!("the source cannot be read ({}); trying again", visible(said)),
        Event::Back => "the source is back".to_owned(),
        Event::Removed(_) | Event::Written(_) => return None,
    })
}

fn json(event: &Event<'_>) -> serde_json::Value {
    let place = |pos: crate::domain::Position| serde_json::json!({ "pos": pos, "time": pos.time() });
    match event {
        Event::Begins(set, last) => serde_json::json!({
            "kind": "begins", "set": set.name, "id": set.id, "member": set.member, "behind": last.map(place),
        }),
        Event::Written(record) => with_kind(record, "slice"),
        Event::Missed(gap) => serde_json::json!({
            "kind": "gap", "after": place(gap.after), "before": place(gap.before),
        }),
        Event::Removed(file) => serde_json::json!({ "kind": "removed", "file": file }),
        Event::Lost(said) => serde_json::json!({ "kind": "lost", "cause": said }),
        Event::Back => serde_json::json!({ "kind": "back" }),
    }
}

/// The bytes in `500M`, `2G`, `1T`, `4096` (powers of 1024).
pub fn size(text: &str) -> std::result::Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor: u64 = match text.get(digits.len()..).unwrap_or_default().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kb" | "kib" => 1 << 10,
        "m" | "mb" | "mib" => 1 << 20,
        "g" | "gb" | "gib" => 1 << 30,
        "t" | "tb" | "tib" => 1 << 40,
        unit => return Err(format!("{unit:?} is no unit: write 500M, 2G or 1T")),
    };
    let number: u64 = digits.parse().map_err(|_| format!("{text:?} is no size: write 500M, 2G or 1T"))?;
    number.checked_mul(factor).filter(|&n| n > 0).ok_or_else(|| format!("{text:?} is out of range"))
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn sizes() {
        assert_eq!(size("4096"), Ok(4096));
        assert_eq!(size("2G"), Ok(2 << 30));
        assert_eq!(size("500m"), Ok(500 << 20));
        for wrong in ["", "G", "2X", "-1", "1.5G", "0", "99999999999T"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }
}
