//! `pitstop plan`: what a restore would do, and why not.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::ops::line;
use crate::cli::args::PlanArgs;
use crate::cli::config::Config;
use crate::cli::open;
use crate::cli::output::{self, Out};
use crate::domain::after::After;
use crate::domain::how::{Checks, How};
use crate::domain::namespace::Glob;
use crate::domain::plan::Plan;
use crate::domain::progress::Meter;
use crate::domain::text::{bytes, count, counted, visible};
use crate::domain::{Error, Result};
use crate::ops::after::after;
use crate::ops::memory::Memory;
use crate::ops::plan::PlanRequest;
use crate::ops::preflight::look;
use crate::ops::restore::TargetSpec;
use crate::ops::restore::checks::read;
use crate::ops::select::Selection;
use crate::ops::walk::WalkOptions;

/// Runs it.
pub fn run(args: &PlanArgs, mut config: Config) -> Result<()> {
    config.flag("mongod", args.mongod.as_ref().map(|path| path.to_string_lossy()));
    let target: TargetSpec = args.target.parse()?;
    let how = how(args, &target)?;
    let workspace = open(&args.source)?;
    config.flag("memory", args.memory.memory);
    let request = request(args, &target, how, config.memory());
    let mut planned = crate::ops::plan::plan(&workspace, &request, &Meter::default())?;
    let refusal = look(&mut planned, &request.selection, &target, config.mongod().as_deref())?;
    let plan = &planned.plan;
    let until = workspace.valid_stops(&plan.snapshot).map_or(workspace.last().next(), |valid| valid.last);
    let after = after(&workspace, plan.stop.bound, until, config.memory(), &Meter::default())?;
    crate::ops::findings::plan(&workspace, plan, &after)?;
    let mut out = Out::new();
    if args.source.json {
        out.json(&output::plan(plan, Some(&after), refusal.as_deref()))?;
    } else {
        for text in lines(plan).into_iter().chain(after_lines(&after)) {
            out.line(text)?;
        }
    }
    out.flush()?;
    refusal.map_or(Ok(()), Err)
}

/// What follows the stop, for a terminal.
fn after_lines(after: &After) -> Vec<String> {
    let ops = |n: u64| counted(n, "operation");
    let docs = |n: u64| counted(n, "document");
    let total = &after.total;
    let mut out = vec![match &after.incident {
        Some(burst) => format!("incident       {}", super::suspects::short(burst)),
        None => "incident       none: what is left out first is a write like any other".to_owned(),
    }];
    out.push(format!(
        "left out       {} on {}; {} on {} would be lost with the incident",
        ops(total.operations),
        docs(total.documents),
        counted(total.good_operations, "good write"),
        docs(total.good_documents)
    ));
    for ns in &after.namespaces {
        out.push(format!(
            "  {:<36} {} on {}: incident {}, good {} on {}",
            visible(&ns.ns.to_string()),
            ops(ns.counts.operations),
            docs(ns.counts.documents),
            count(ns.counts.incident_operations),
            count(ns.counts.good_operations),
            docs(ns.counts.good_documents)
        ));
    }
    out
}

/// The request behind the arguments.
pub fn request(args: &PlanArgs, target: &TargetSpec, how: How, memory: Memory) -> PlanRequest {
    PlanRequest {
        stop: args.stop.request(),
        snapshot: args.snapshot.clone(),
        walk: WalkOptions {
            skip: args.skip_op.iter().copied().collect::<BTreeSet<_>>(),
            with_auth: args.with_users,
            memory,
        },
        target: target.shown(),
        how,
        selection: Selection {
            only: args.ns.iter().map(Glob::new).collect(),
            except: args.ns_exclude.iter().map(Glob::new).collect(),
            renames: args.ns_rename.clone(),
        },
    }
}

/// What was asked for beyond the stop and the target, checked against the target and with its
/// files read.
pub fn how(args: &PlanArgs, target: &TargetSpec) -> Result<How> {
    let mut checks = Checks::default();
    for what in &args.check {
        match what.as_str() {
            "dbhash" => checks.db_hash = true,
            "validate" => checks.validate = true,
            file => checks.queries.extend(read(Path::new(file))?),
        }
    }
    let absolute = |path: &PathBuf| {
        std::path::absolute(path).map_err(|e| Box::new(Error::failed("resolving", path.display(), e)))
    };
    let how = How {
        dbpath: args.dbpath.as_ref().map(absolute).transpose()?,
        replset: args.replset.clone(),
        write_concern: args.write_concern,
        parallel: args.parallel,
        rate: args.rate,
        checks,
    };
    target.require_fit(&how)?;
    Ok(how)
}

/// A plan for a terminal.
pub fn lines(plan: &Plan) -> Vec<String> {
    let neighbour =
        |op: &Option<crate::domain::op::Op>, none: &str| op.as_ref().map_or(none.to_owned(), line);
    let edge = plan.snapshot.edge.map(|e| e.to_string()).unwrap_or_default();
    let mut out = vec![
        format!("base           {} (its own oplog ends at {edge})", visible(&plan.snapshot.id)),
        format!(
            "oplog          from {} ({}): {} entries, {}",
            plan.from,
            plan.from.time(),
            count(plan.cost.oplog_entries),
            bytes(plan.cost.oplog_bytes)
        ),
        format!("stop           before {} ({})", plan.stop.bound, plan.stop.time),
        format!("  last applied   {}", neighbour(&plan.stop.last_applied, "nothing")),
        format!(
            "  first left out {}",
            neighbour(&plan.stop.first_left_out, "nothing: this is the end of what is known")
        ),
        format!("target         {}", visible(&plan.target)),
    ];
    out.extend(plan.how.lines().iter().map(|line| format!("  {line}")));
    out.extend([
        format!(
            "cost           reads {} ({}), writes about {} in {}, builds {}",
            counted(plan.cost.snapshot_documents, "document"),
            bytes(plan.cost.snapshot_bytes),
            counted(plan.cost.documents, "document"),
            counted(plan.cost.collections, "collection"),
            if plan.cost.indexes == 1 {
                "1 index".into()
            } else {
                format!("{} indexes", count(plan.cost.indexes))
            }
        ),
        "the same stop for other tools".to_owned(),
        format!("  mongorestore   --oplogReplay {}", plan.other_tools.mongorestore),
        format!("  pbm restore    {}", plan.other_tools.pbm),
        format!("  Atlas API      {}", plan.other_tools.atlas),
    ]);
    out.extend(plan.notes.iter().map(|note| format!("note           {}", visible(note))));
    out
}
