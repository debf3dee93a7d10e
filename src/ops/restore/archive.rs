//! A restore into an archive: written by the one, read back by the other, whose code has nothing in
//! common; only then it has its name.

use std::path::Path;

use super::destinations::{Work, judge};
use super::job::{Outcome, Restored};
use crate::domain::progress::Phase;
use crate::domain::{Error, Result};
use crate::engine::output::State;
use crate::ops::plan::Planned;
use crate::ops::preflight::{Place, preflight};
use crate::source::archive::Archive;
use crate::target::{Found, require_space, write_archive};

impl Work<'_> {
    pub(super) fn to_archive(
        &self,
        file: &Path,
        planned: &Planned<'_>,
        state: &dyn State,
        outcome: &mut Outcome,
    ) -> Result<()> {
        let packed = file.extension().is_some_and(|e| e == "gz");
        outcome.notes.extend(preflight(state, planned.snapshot, &Place::dump(file))?);
        if packed {
            // It is unpacked into the case to be read back.
            require_space(self.dir, state.collections().iter().map(|spec| spec.bytes).sum())?;
        }
        self.earlier.cleared(&self.job.id)?;
        let version = planned.snapshot.server_version.as_deref();
        let written = write_archive(file, state, version, &self.job.id, self.meter)?;
        let proven = self.read_archive_back(written.path()).and_then(|archive| {
            let found: Vec<Found<'_>> = archive
                .members
                .iter()
                .map(|m| Found { ns: &m.ns, metadata: &m.metadata, data: &m.data })
                .collect();
            written.compare(state, &found, self.meter)
        });
        let found = match proven {
            Ok(found) => found,
            Err(error) => {
                written.discard()?;
                return Err(error);
            }
        };
        if !found.ok() {
            outcome.restored = Some(Restored::Archive { file: written.path().to_owned() });
            return judge(&found, outcome);
        }
        outcome.restored = Some(Restored::Archive { file: written.publish()? });
        judge(&found, outcome)?;
        outcome.done(self.meter);
        Ok(())
    }

    fn read_archive_back(&self, file: &Path) -> Result<Archive> {
        self.meter.enter(Phase::Verify, 0);
        // Maps outlive the folder that they were unpacked into.
        let failed = |e: std::io::Error| Error::failed("reading the archive back", self.dir.display(), e);
        let unpacked = tempfile::Builder::new().prefix("unpacked-").tempdir_in(self.dir).map_err(failed)?;
        crate::source::read_archive(file, unpacked.path(), self.meter)
    }
}
