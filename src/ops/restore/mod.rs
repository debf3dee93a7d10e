//! Restoring, as a process of its own: a front writes a job into the case and starts a worker;
//! the worker carries it out and writes progress and result beside the job; any number of fronts
//! watch. A front that goes away leaves the worker running.

mod archive;
mod certificate;
mod checkpoint;
pub mod checks;
mod destinations;
mod isolated;
mod job;
mod unfinished;
mod watch;
mod worker;

pub use certificate::Input;
pub(super) use checks::require_namespaces;
pub use job::{Job, Outcome, PhaseTime, Restored, TargetSpec, new_id};
pub use watch::{Watch, start};
pub use worker::run as run_worker;
