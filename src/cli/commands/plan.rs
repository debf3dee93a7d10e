//! `pitstop plan`: what a restore would do, and why not.

use std::collections::BTreeSet;

use super::ops::line;
use crate::cli::args::PlanArgs;
use crate::cli::open;
use crate::cli::output::{self, Out};
use crate::domain::Result;
use crate::domain::plan::Plan;
use crate::domain::progress::Meter;
use crate::domain::text::{bytes, count, counted, visible};
use crate::ops::plan::PlanRequest;
use crate::ops::restore::TargetSpec;
use crate::ops::walk::WalkOptions;

/// Runs it.
pub fn run(args: &PlanArgs) -> Result<()> {
    let target: TargetSpec = args.target.parse()?;
    let workspace = open(&args.source)?;
    let planned = crate::ops::plan::plan(&workspace, &request(args, &target), &Meter::default())?;
    let mut out = Out::new();
    if args.source.json {
        out.json(&output::plan(&planned.plan))?;
    } else {
        for text in lines(&planned.plan) {
            out.line(text)?;
        }
    }
    out.flush()
}

/// The request behind the arguments.
pub fn request(args: &PlanArgs, target: &TargetSpec) -> PlanRequest {
    PlanRequest {
        stop: args.stop.request(),
        snapshot: args.snapshot.clone(),
        walk: WalkOptions {
            skip: args.skip_op.iter().copied().collect::<BTreeSet<_>>(),
            with_auth: args.with_users,
        },
        target: target.shown(),
    }
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
    ];
    out.extend(plan.notes.iter().map(|note| format!("note           {}", visible(note))));
    out
}
