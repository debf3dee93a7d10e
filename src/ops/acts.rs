//! The operations of the oplog as acts: each is held against what is known, and grouped, in a
//! given amount of memory; what exceeds it goes to the scratch of the case.

use super::Workspace;
use super::deeds::Deed;
use super::known::{Dates, Known};
use super::memory::Memory;
use crate::case::ScratchFile;
use crate::domain::burst::{Act, Burst, Grouper, Overflow};
use crate::domain::names::Names;
use crate::domain::{Position, Result};
use crate::engine::input::Region;
use crate::engine::spill::Scratch;

/// Acts, as far as the oplog has been walked.
pub struct Acts<'w> {
    known: Known<'w>,
    grouper: Grouper,
}

impl<'w> Acts<'w> {
    /// None yet.
    pub fn new(workspace: &'w Workspace, dates: Dates, memory: Memory) -> Acts<'w> {
        let bytes = memory.for_documents();
        let overflow = Scratched { scratch: workspace.case.scratch(), mapped: None };
        Acts {
            known: Known::new(workspace, dates, bytes / 4),
            grouper: Grouper::new(bytes / 4 * 3, Box::new(overflow)),
        }
    }

    /// Takes in the snapshots that lie before this position.
    pub fn advance(&mut self, pos: Position) -> Result<()> {
        self.known.advance(pos)
    }

    /// Takes the next operation. Gives what it is, if it is part of an act.
    pub fn take(&mut self, deed: &Deed<'_>) -> Result<Option<Act>> {
        let act = self.known.act(deed)?;
        match &act {
            Some(act) => self.grouper.add(act, self.known.names())?,
            None => self.grouper.skip(),
        }
        Ok(act)
    }

    /// The names that acts are on.
    pub fn names(&self) -> &Names {
        self.known.names()
    }

    /// All acts worth a look.
    pub fn bursts(self) -> Result<Vec<Burst>> {
        self.grouper.bursts(self.known.names())
    }
}

/// The scratch of the case as room for what grouping has to keep.
#[derive(Debug)]
struct Scratched {
    scratch: ScratchFile,
    /// What was written when it was last read; `None` = more has come since.
    mapped: Option<Region>,
}

impl Overflow for Scratched {
    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.mapped = None;
        self.scratch.append(bytes)
    }

    fn read(&mut self) -> Result<&[u8]> {
        let region = match self.mapped.take() {
            Some(region) => region,
            None => self.scratch.read()?,
        };
        Ok(self.mapped.insert(region).bytes())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_appended_is_read_also_behind_an_earlier_look() {
        let dir = tempfile::tempdir().unwrap();
        let mut overflow = Scratched { scratch: ScratchFile::new(dir.path()), mapped: None };
        assert_eq!(overflow.read().unwrap(), b"");
        overflow.append(b"one").unwrap();
        assert_eq!(overflow.read().unwrap(), b"one");
        assert_eq!(overflow.read().unwrap(), b"one");
        overflow.append(b"two").unwrap();
        assert_eq!(overflow.read().unwrap(), b"onetwo");
    }
}
