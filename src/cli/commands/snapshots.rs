//! `pitstop snapshots`: bases, their ranges of valid stops, coverage and gaps.

use crate::cli::args::SourceArgs;
use crate::cli::open;
use crate::cli::output::{self, Out};
use crate::domain::Result;
use crate::domain::text::{bytes, count, counted, visible};

/// Runs it.
pub fn run(args: &SourceArgs) -> Result<()> {
    let workspace = open(args)?;
    let mut out = Out::new();
    if args.json {
        for info in &workspace.infos {
            out.json(&output::snapshot(info, workspace.valid_stops(info)))?;
        }
        for segment in workspace.segments() {
            out.json(&output::segment(segment.first.pos, segment.last.pos, segment.entries))?;
        }
        for gap in workspace.gaps() {
            out.json(&output::gap(gap))?;
        }
        return out.flush();
    }
    for info in &workspace.infos {
        let format =
            if info.compressed { format!("{}, compressed", info.format) } else { info.format.clone() };
        let server = info.server_version.as_deref().unwrap_or("unknown");
        out.line(format_args!("snapshot {}  ({format}; MongoDB {})", visible(&info.id), visible(server)))?;
        out.line(format_args!("  path         {}", visible(&info.path)))?;
        out.line(format_args!(
            "  holds        {} in {}, {}",
            counted(info.documents, "document"),
            counted(info.collections.len() as u64, "collection"),
            bytes(info.bytes)
        ))?;
        match workspace.valid_stops(info) {
            Some(valid) => out.line(format_args!(
                "  valid stops  {} ({}) to {} ({})",
                valid.first,
                valid.first.time(),
                valid.last,
                valid.last.time()
            ))?,
            None => out.line("  valid stops  none: no oplog of its own, or it is broken by a gap")?,
        }
        let mut db = "";
        for coll in &info.collections {
            if coll.ns.db != db {
                db = &coll.ns.db;
                out.line(format_args!("  {}", visible(db)))?;
            }
            let kind = if coll.kind == "collection" { String::new() } else { format!("  ({})", coll.kind) };
            out.line(format_args!(
                "    {:<40} {:>12} {:>10}{kind}",
                visible(&coll.ns.coll),
                count(coll.documents),
                bytes(coll.bytes)
            ))?;
        }
        out.line("")?;
    }
    if workspace.infos.is_empty() {
        out.line("no snapshot: name a dump made with --oplog to be able to restore")?;
    }
    for segment in workspace.segments() {
        out.line(format_args!(
            "oplog    {} ({}) to {} ({}), {} entries",
            segment.first.pos,
            segment.first.pos.time(),
            segment.last.pos,
            segment.last.pos.time(),
            count(segment.entries)
        ))?;
    }
    for gap in workspace.gaps() {
        out.line(format_args!(
            "GAP      nothing is known between {} ({}) and {} ({})",
            gap.after,
            gap.after.time(),
            gap.before,
            gap.before.time()
        ))?;
    }
    if !workspace.segments().is_empty() && workspace.gaps().is_empty() {
        out.line("no gaps")?;
    }
    out.flush()
}
