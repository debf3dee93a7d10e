//! Suspects: one walk over the oplog, grouped into acts, held against what is normal, and ranked
//! by damage. The columns of the index would not do: a judgement needs the whole key of every
//! document that comes and goes, the dates in it, and the shape of every update.

use super::Workspace;
use super::ahead::ahead;
use super::known::Known;
use super::rows::{Row, rows};
use crate::domain::burst::{Burst, Grouper};
use crate::domain::{Position, Result, progress::Meter, progress::Phase};
use crate::engine::entry::Entry;

/// The bursts that look like damage, the worst first.
pub fn suspects(workspace: &Workspace, meter: &Meter) -> Result<Vec<Burst>> {
    let mut bursts = bursts(workspace, meter)?;
    bursts.retain(|burst| burst.ordinary.is_none());
    Ok(bursts)
}

fn placed_rows(entry: Entry<'_>) -> (Position, Vec<Row<'_>>) {
    (entry.at.pos, rows(&entry))
}

/// All bursts: those that look like damage first, the worst first; then the ordinary ones, each
/// with its reason, in order.
pub fn bursts(workspace: &Workspace, meter: &Meter) -> Result<Vec<Burst>> {
    meter.enter(Phase::Fold, workspace.oplog.len());
    let mut grouper = Grouper::default();
    let mut known = Known::new(workspace)?;
    ahead(workspace, Position::MIN..Position::MAX, meter, placed_rows, |(pos, rows)| {
        known.advance(pos)?;
        for row in rows {
            match known.act(&row)? {
                Some(act) => grouper.add(act),
                None => grouper.skip(),
            }
        }
        meter.add(1, 0);
        meter.check("looking for damage")
    })?;
    let mut bursts = grouper.bursts();
    for burst in &mut bursts {
        burst.session = burst.by.and_then(|session| known.session(session)).filter(|s| !s.is_empty());
    }
    Ok(bursts)
}
