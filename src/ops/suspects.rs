//! Suspects: one walk over the oplog, grouped into acts, held against what is normal, and ranked
//! by damage. The columns of the index would not do: a judgement needs the whole key of every
//! document that comes and goes, the dates in it, and the shape of every update.

use super::Workspace;
use super::acts::Acts;
use super::ahead::ahead;
use super::deeds::{Placed, placed, session_hash};
use super::known::Dates;
use super::memory::Memory;
use super::rows::{rows, session};
use crate::domain::burst::Burst;
use crate::domain::{Position, Result, progress::Meter, progress::Phase};

/// The bursts that look like damage, the worst first.
pub fn suspects(workspace: &Workspace, meter: &Meter) -> Result<Vec<Burst>> {
    let mut bursts = bursts(workspace, Memory::default(), meter)?;
    bursts.retain(|burst| burst.ordinary.is_none());
    Ok(bursts)
}

/// All bursts: those that look like damage first, the worst first; then the ordinary ones, each
/// with its reason, in order. The dates of documents that expire are held beside that memory.
pub fn bursts(workspace: &Workspace, memory: Memory, meter: &Meter) -> Result<Vec<Burst>> {
    meter.enter(Phase::Fold, workspace.oplog.len());
    let mut unreported = 0;
    let mut acts = Acts::new(workspace, Dates::Followed, memory);
    ahead(workspace, Position::MIN..Position::MAX, meter, placed, |Placed { pos, deeds, .. }| {
        acts.advance(pos)?;
        deeds.iter().try_for_each(|deed| acts.take(deed).map(|_| ()))?;
        unreported += 1;
        if unreported == 1024 {
            meter.add(unreported, 0);
            meter.check("looking for damage")?;
            unreported = 0;
        }
        Ok(())
    })?;
    meter.add(unreported, 0);
    let mut bursts = acts.bursts()?;
    for burst in &mut bursts {
        burst.session = session_of(workspace, burst)?;
    }
    Ok(bursts)
}

/// The session that wrote an act, in hex. Only a hash of it was kept; its last operation has it.
fn session_of(workspace: &Workspace, burst: &Burst) -> Result<Option<String>> {
    let Some(by) = burst.by else { return Ok(None) };
    let Some(entry) = workspace.oplog.find(burst.last)? else { return Ok(None) };
    let rows = rows(&entry);
    let lsid = rows.iter().filter_map(|row| row.entry.lsid).find(|lsid| session_hash(lsid) == by);
    Ok(lsid.and_then(session).filter(|session| !session.is_empty()))
}
