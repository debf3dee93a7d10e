//! `pitstop ops`: search operations.

use crate::cli::args::OpsArgs;
use crate::cli::open;
use crate::cli::output::Out;
use crate::domain::op::Op;
use crate::domain::progress::Meter;
use crate::domain::text::{count, counted, visible};
use crate::domain::{Result, query};
use crate::ops::search::{Found, search};

/// Runs it.
pub fn run(args: &OpsArgs) -> Result<()> {
    let query = query::parse(&args.query)?;
    let workspace = open(&args.source)?;
    let mut out = Out::new();
    let mut printed = 0;
    let searched = search(&workspace, &query, args.limit, &Meter::default(), &mut |op| {
        if args.source.json {
            out.json(&op)?
        } else {
            out.line(line(&op))?
        }
        printed += 1;
        Ok(())
    });
    let found = match searched {
        Ok(found) => found,
        Err(error) => {
            // What was found until then is the beginning of the answer, and said to be no more.
            if out.flush().is_ok() && printed > 0 {
                eprintln!("at least {}: the search did not come to its end", counted(printed, "operation"));
            }
            return Err(error);
        }
    };
    out.flush()?;
    crate::ops::findings::search(&workspace, &args.query, found.matched, found.limited)?;
    eprintln!("{}", said(&found));
    Ok(())
}

/// How many there are; of a search that ended at its limit, that there are more.
fn said(found: &Found) -> String {
    let known = found.matched + u64::from(found.limited);
    match found.limited {
        false => counted(found.matched, "operation"),
        true => format!(
            "at least {} match, of which {} printed (--limit)",
            counted(known, "operation"),
            match found.matched {
                1 => "1 is".to_owned(),
                n => format!("{} are", count(n)),
            }
        ),
    }
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
