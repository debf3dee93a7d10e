//! `pitstop diff`: what going back to a stop would change.

use serde_json::Value;

use super::ops::{line, short_id};
use crate::cli::args::DiffArgs;
use crate::cli::config::Config;
use crate::cli::open;
use crate::cli::output::{self, Out};
use crate::domain::Result;
use crate::domain::diff::{DocumentDiff, Fate};
use crate::domain::diff_filter::DocumentFilter;
use crate::domain::namespace::Glob;
use crate::domain::position::Place;
use crate::domain::progress::Meter;
use crate::domain::stop::{Side, StopRequest};
use crate::domain::text::{count, counted, visible};
use crate::ops::diff::{Diff, DiffRequest, diff};
use crate::ops::export;
use crate::ops::walk::WalkOptions;

/// How many documents are shown when namespaces are named and no limit is.
const SHOWN: usize = 20;

/// Runs it.
pub fn run(args: &DiffArgs, mut config: Config) -> Result<()> {
    config.flag("memory", args.memory.memory);
    let workspace = open(&args.source)?;
    let against = match args.against {
        Place::End => None,
        place => Some(StopRequest { side: Side::Before, place }),
    };
    let request = DiffRequest {
        stop: args.stop.request(),
        against,
        snapshot: args.snapshot.clone(),
        ns: args.ns.iter().map(Glob::new).collect(),
        limit: args.limit.unwrap_or(if args.ns.is_empty() && args.query.is_none() { 0 } else { SHOWN }),
        walk: WalkOptions { memory: config.memory(), ..WalkOptions::default() },
    };
    let filter = DocumentFilter::parse(args.query.as_deref().unwrap_or_default())?;
    let (found, written) = match &args.export {
        Some(path) => {
            let (found, lines) = export::diff(&workspace, &request, &filter, path, &Meter::default())?;
            (found, Some((path, lines)))
        }
        None => (diff(&workspace, &request, &filter, &Meter::default())?, None),
    };
    crate::ops::findings::diff(&workspace, &found)?;
    let mut out = Out::new();
    if args.source.json {
        out.json(&output::diff_sides(&found))?;
        for ns in &found.namespaces {
            out.json(&output::diff_namespace(ns))?;
        }
        for document in &found.documents {
            out.json(&output::diff_document(document))?;
        }
        if let Some(more) = more(&found, request.limit) {
            eprintln!("{more}");
        }
    } else {
        print(&found, if written.is_some() { 0 } else { request.limit }, &mut out)?;
        if let Some((path, lines)) = written {
            let path = path.to_string_lossy();
            out.line(format_args!("\n{} written to {}", counted(lines, "line"), visible(&path)))?;
        }
    }
    out.flush()
}

fn print(found: &Diff, limit: usize, out: &mut Out) -> Result<()> {
    out.line(format_args!("going back to   before {} ({})", found.stop.bound, found.stop.time))?;
    if let Some(op) = &found.stop.last_applied {
        out.line(format_args!("  last applied    {}", line(op)))?;
    }
    if let Some(op) = &found.stop.first_left_out {
        out.line(format_args!("  first left out  {}", line(op)))?;
    }
    out.line(format_args!("compared with   before {} ({})", found.against.bound, found.against.time))?;
    out.line("")?;
    if let Some(incident) = &found.incident {
        out.line(format_args!("incident        {}", super::suspects::short(incident)))?;
        out.line("")?;
    }
    if found.namespaces.is_empty() {
        return out.line("nothing differs");
    }
    out.line(format_args!(
        "{:<40} {:>12} {:>12} {:>12}",
        "namespace", "comes back", "changes back", "goes away"
    ))?;
    for ns in &found.namespaces {
        out.line(format_args!(
            "{:<40} {:>12} {:>12} {:>12}",
            visible(&ns.ns.to_string()),
            count(ns.comes_back),
            count(ns.changes_back),
            count(ns.goes_away)
        ))?;
        if ns.conflicts > 0 {
            let documents = counted(ns.conflicts, "document");
            out.line(format_args!("    conflicts: {documents} of the incident written again afterwards"))?;
        }
        for change in &ns.collection {
            out.line(format_args!("    {}", visible(&change.what)))?;
            let side = |v: &Option<Value>| v.as_ref().map(|v| visible(&v.to_string()).into_owned());
            for (sign, value) in [('-', side(&change.against)), ('+', side(&change.at_stop))] {
                if let Some(value) = value {
                    out.line(format_args!("      {sign} {value}"))?;
                }
            }
        }
    }
    for document in &found.documents {
        out.line("")?;
        show(document, out)?;
    }
    match more(found, limit) {
        Some(more) => out.line(format_args!("\n{more}")),
        None => Ok(()),
    }
}

/// That the documents shown are not all there are.
fn more(found: &Diff, limit: usize) -> Option<String> {
    (found.limited && limit > 0)
        .then(|| format!("more documents differ; --limit N shows more than {}", count(limit as u64)))
}

fn show(document: &DocumentDiff, out: &mut Out) -> Result<()> {
    let (sign, fate) = match document.fate {
        Fate::ComesBack => ('+', "comes back"),
        Fate::ChangesBack => ('~', "changes back"),
        Fate::GoesAway => ('-', "goes away"),
    };
    let (ns, id) = (document.ns.to_string(), short_id(&document.id));
    let conflict = if document.conflict { "  CONFLICT: written again after the incident" } else { "" };
    out.line(format_args!("{sign} {} {}  {fate}{conflict}", visible(&ns), visible(&id)))?;
    let value = |v: &Option<Value>| {
        v.as_ref().map_or("(not there)".to_owned(), |v| visible(&v.to_string()).into_owned())
    };
    for field in &document.fields {
        let path = if field.path.is_empty() { "(the document)" } else { &field.path };
        let order = if field.order_only { "  (order of fields)" } else { "" };
        out.line(format_args!(
            "    {}: {} -> {}{order}",
            visible(path),
            value(&field.against),
            value(&field.at_stop)
        ))?;
    }
    if document.fields.is_empty() {
        let whole = document.at_stop.as_ref().or(document.against.as_ref());
        out.line(format_args!("    {}", value(&whole.cloned())))?;
    }
    Ok(())
}
