//! `pitstop targets`: the servers that restores left running.

use crate::case::{registry_dir, servers_dir};
use crate::cli::args::{TargetsAction, TargetsArgs};
use crate::cli::output::{Out, with_kind};
use crate::domain::text::visible;
use crate::domain::{Error, Result};
use crate::target::Registry;
use crate::target::isolated::GRACE;
use crate::target::registry::{Record, RunState};

/// Runs it.
pub fn run(args: &TargetsArgs) -> Result<()> {
    let registry = Registry::open(&registry_dir()?)?;
    registry.adopt(&servers_dir()?)?;
    match &args.action {
        None => list(&registry, args.json),
        Some(TargetsAction::Stop { ids, all, delete, json }) => stop(&registry, ids, *all, *delete, *json),
    }
}

fn list(registry: &Registry, json: bool) -> Result<()> {
    let listing = registry.list()?;
    let mut out = Out::new();
    for record in &listing.records {
        if json {
            out.json(&with_kind(record, "target"))?;
        } else {
            out.line(line(record))?;
        }
    }
    if listing.records.is_empty() && !json {
        out.line("no servers of pitstop are left")?;
    }
    out.flush()?;
    match listing.unreadable.into_iter().next() {
        Some(error) => Err(error),
        None => Ok(()),
    }
}

fn line(record: &Record) -> String {
    let state = match record.state {
        RunState::Running => "running",
        RunState::Stopped => "stopped",
        RunState::Gone => "gone",
    };
    let dir = record.dir.to_string_lossy();
    let state = if record.incomplete { format!("{state}, INCOMPLETE") } else { state.to_owned() };
    format!("{}  {state:<8} {}  {}  {}", record.id, record.uri(), record.created, visible(&dir))
}

fn stop(registry: &Registry, ids: &[String], all: bool, delete: bool, json: bool) -> Result<()> {
    let ids: Vec<String> =
        if all { registry.list()?.records.into_iter().map(|r| r.id).collect() } else { ids.to_vec() };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Error::failed("starting the runtime", "", e))?;
    let mut out = Out::new();
    for id in &ids {
        let record = runtime.block_on(registry.stop(id, GRACE))?;
        if delete || record.state == RunState::Gone {
            registry.delete(id)?;
        }
        if json {
            let mut value = with_kind(&record, "target");
            value["deleted"] = delete.into();
            out.json(&value)?;
        } else {
            out.line(format_args!(
                "{id}  stopped{}",
                if delete { ", its data deleted" } else { ", its data kept" }
            ))?;
        }
    }
    out.flush()
}
