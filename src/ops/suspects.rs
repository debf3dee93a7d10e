//! Suspects: one walk over the oplog, grouped into acts, held against what is normal, and ranked
//! by damage.

use super::Workspace;
use super::known::Known;
use super::rows::rows;
use crate::domain::burst::{Burst, Grouper};
use crate::domain::{Position, Result, progress::Meter, progress::Phase};

/// The bursts that look like damage, the worst first.
pub fn suspects(workspace: &Workspace, meter: &Meter) -> Result<Vec<Burst>> {
    let mut bursts = bursts(workspace, meter)?;
    bursts.retain(|burst| burst.ordinary.is_none());
    Ok(bursts)
}

/// All bursts: those that look like damage first, the worst first; then the ordinary ones, each
/// with its reason, in order.
pub fn bursts(workspace: &Workspace, meter: &Meter) -> Result<Vec<Burst>> {
    meter.enter(Phase::Fold, workspace.oplog.len());
    let mut grouper = Grouper::default();
    let mut known = Known::new(workspace)?;
    for entry in workspace.oplog.entries(Position::MIN, Position::MAX) {
        let entry = entry?;
        known.advance(entry.at.pos)?;
        for row in rows(&entry) {
            match known.act(&row)? {
                Some(act) => grouper.add(act),
                None => grouper.skip(),
            }
        }
        meter.add(1, 0);
        meter.check("looking for damage")?;
    }
    let mut bursts = grouper.bursts();
    for burst in &mut bursts {
        burst.session = burst.by.and_then(|session| known.session(session)).filter(|s| !s.is_empty());
    }
    Ok(bursts)
}
