//! Which rows of a list belong to which burst: those of its kind on its namespace between its
//! first and last op, as they are counted behind a stop.

use std::collections::HashMap;

use super::list::List;
use crate::app::folding::Fold;
use crate::domain::burst::Burst;
use crate::domain::op::OpKind;
use crate::domain::progress::{Meter, Phase};
use crate::domain::{Position, Result};

/// Bursts that lie in more pieces than this in all are not folded: where two acts took turns all
/// the time, folding one of them would need memory for every op.
const PIECES: usize = 1 << 20;

/// How many rows are looked at between two looks at the meter.
const STEP: u64 = 1 << 16;

/// The folds of a list. A burst is known by its place in `bursts`, which are in the order of time.
pub fn folds(list: &List, bursts: &[Burst], meter: &Meter) -> Result<Vec<Fold>> {
    meter.enter(Phase::Fold, bursts.len() as u64);
    // What one burst has taken is not for the next one of its like.
    let mut taken: HashMap<(OpKind, String), Position> = HashMap::new();
    let mut out = Vec::new();
    let mut pieces = 0;
    for (number, burst) in (0..).zip(bursts) {
        let whole = burst.kind == OpKind::Command;
        let ns = if whole { burst.ns.db.clone() } else { burst.ns.to_string() };
        let until = taken.entry((burst.kind, ns)).or_insert(Position::MIN);
        let from = burst.first.max(*until);
        *until = (*until).max(burst.last.next());
        let fold = members(list, burst, from, number, meter)?;
        pieces += fold.runs.len();
        if fold.rows() > 1 && pieces <= PIECES {
            out.push(fold);
        }
        meter.add(1, 0);
    }
    Ok(out)
}

fn members(list: &List, burst: &Burst, from: Position, number: u32, meter: &Meter) -> Result<Fold> {
    let mut fold = Fold { number, runs: Vec::new() };
    let ns = burst.ns.to_string();
    let covers = |name: &str| {
        name == ns
            || burst.kind == OpKind::Command
                && name
                    .strip_prefix(burst.ns.db.as_str())
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    let (begin, end) = (list.at_or_behind(from), list.at_or_behind(burst.last.next()));
    for row in begin..end {
        if row % STEP == 0 {
            meter.check("folding bursts")?;
        }
        let Some(op) = list.global(row).and_then(|row| list.index.row(row)) else { break };
        if op.kind != burst.kind || !covers(&op.ns) {
            continue;
        }
        match fold.runs.last_mut().filter(|run| run.end == row) {
            Some(run) => run.end += 1,
            None => fold.runs.push(row..row + 1),
        }
        if fold.runs.len() > PIECES {
            break;
        }
    }
    Ok(fold)
}
