//! `pitstop ops`: search operations.

use crate::cli::args::OpsArgs;
use crate::cli::open;
use crate::cli::output::Out;
use crate::domain::op::Op;
use crate::domain::progress::Meter;
use crate::domain::text::{count, visible};
use crate::domain::{Result, query};
use crate::ops::search::search;

/// Runs it.
pub fn run(args: &OpsArgs) -> Result<()> {
    let query = query::parse(&args.query)?;
    let workspace = open(&args.source)?;
    let mut out = Out::new();
    let found = search(&workspace, &query, args.limit, &Meter::default(), &mut |op| {
        if args.source.json { out.json(&op) } else { out.line(line(&op)) }
    })?;
    out.flush()?;
    crate::ops::findings::search(&workspace, &args.query, found.matched)?;
    let more = if found.limited { ", more match (--limit)" } else { "" };
    eprintln!("{} operations{more}", count(found.matched));
    Ok(())
}

/// One operation on one line: position, time, kind, namespace, `_id` or command.
pub fn line(op: &Op) -> String {
    let what = match (&op.id, &op.command) {
        (Some(id), _) => short_id(id),
        (None, Some(command)) => command.clone(),
        (None, None) => String::new(),
    };
    let txn = if op.txn.is_some() { "  (transaction)" } else { "" };
    format!(
        "{:<21} {}  {:<8} {:<30} {}{txn}",
        op.pos.to_string(),
        op.time,
        op.kind.name(),
        visible(&op.ns),
        visible(&what)
    )
}

/// An `_id` as people type it: an ObjectId's digits, a number; anything else as Extended JSON.
pub fn short_id(id: &serde_json::Value) -> String {
    for wrapper in ["$oid", "$numberInt", "$numberLong", "$numberDouble", "$numberDecimal"] {
        if let Some(text) = id.get(wrapper).and_then(|v| v.as_str()) {
            return text.to_owned();
        }
    }
    id.to_string()
}
