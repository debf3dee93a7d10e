//! `pitstop history`: every version of one document.

use serde_json::Value;

use super::ops::short_id;
use crate::cli::args::HistoryArgs;
use crate::cli::open;
use crate::cli::output::{self, Out};
use crate::domain::progress::Meter;
use crate::domain::query::IdPattern;
use crate::domain::text::{count, visible};
use crate::domain::{Namespace, Result};
use crate::ops::history::{Change, HistoryRequest, Version, history};
use crate::ops::rows::document_json;

/// Runs it.
pub fn run(args: &HistoryArgs) -> Result<()> {
    let request = HistoryRequest {
        ns: Namespace::parse(&args.ns),
        id: IdPattern::parse(&args.id)?,
        snapshot: args.snapshot.clone(),
    };
    let workspace = open(&args.source)?;
    let found = history(&workspace, &request, &Meter::default())?;
    crate::ops::findings::history(&workspace, &args.ns, &args.id, found.versions.len())?;
    let mut out = Out::new();
    for version in &found.versions {
        if args.source.json {
            out.json(&output::version(version))?;
        } else {
            show(version, &mut out)?;
        }
    }
    out.flush()?;
    for gap in &found.gaps {
        eprintln!("gap: nothing is known between {} and {}", gap.after, gap.before);
    }
    match found.versions.len() {
        0 => eprintln!("no version: the document is neither in the snapshots nor in the oplog behind them"),
        n => eprintln!("{} versions", count(n as u64)),
    }
    Ok(())
}

fn show(version: &Version, out: &mut Out) -> Result<()> {
    let what = match &version.change {
        Change::Read { snapshot } => format!("in snapshot {}", visible(snapshot)),
        Change::Op(kind) => kind.name().to_owned(),
        Change::Renamed { from } => format!("collection renamed, was {}", visible(&from.to_string())),
        Change::Dropped => "collection dropped".to_owned(),
        Change::Overwritten { by } => {
            format!("collection overwritten by {}", visible(&by.to_string()))
        }
        Change::Emptied => "collection emptied".to_owned(),
    };
    let session = version.session.as_ref().map_or(String::new(), |s| format!("  session {s}"));
    let txn = version.txn.map_or(String::new(), |n| format!(" number {n}"));
    out.line(format_args!(
        "{:<21} {}  {what}  {} {}{session}{txn}",
        version.pos.to_string(),
        version.pos.time(),
        visible(&version.ns.to_string()),
        visible(&short_id(&version.id))
    ))?;
    if let Some(remark) = &version.remark {
        out.line(format_args!("    note: {}", visible(remark)))?;
    }
    let value =
        |v: &Option<Value>| v.as_ref().map_or("(not there)".into(), |v| visible(&v.to_string()).into_owned());
    for field in &version.fields {
        let path = if field.path.is_empty() { "(the document)" } else { &field.path };
        let order = if field.order_only { "  (order of fields)" } else { "" };
        out.line(format_args!(
            "    {}: {} -> {}{order}",
            visible(path),
            value(&field.at_stop),
            value(&field.against)
        ))?;
    }
    let whole = version.document.as_deref().and_then(|b| crate::engine::bson::Doc::new(b).ok());
    match whole {
        Some(doc) if version.fields.is_empty() => {
            out.line(format_args!("    {}", visible(&document_json(doc).to_string())))
        }
        Some(_) => Ok(()),
        None => out.line("    (not there)"),
    }
}
