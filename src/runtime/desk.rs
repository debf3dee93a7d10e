//! What all jobs share: the opened sources, and the filter last used.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::list::{List, select};
use crate::domain::query;
use crate::domain::{Error, Position, Result, progress::Meter};
use crate::ops::memory::Memory;
use crate::ops::{OpenOptions, Workspace};

/// The shared things, each there once its job has ended.
#[derive(Default)]
pub struct Desk {
    /// What to open.
    pub open: OpenOptions,
    /// The mongod to start.
    pub mongod: Option<PathBuf>,
    /// How much memory folds may take.
    pub memory: Memory,
    workspace: Mutex<Option<Arc<Workspace>>>,
    filtered: Mutex<Option<(String, Arc<Vec<u64>>)>>,
}

/// A panic of a job leaves no half-made thing behind: each is put in place whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Desk {
    /// For these sources.
    pub fn new(open: OpenOptions, mongod: Option<PathBuf>, memory: Memory) -> Desk {
        Desk { open, mongod, memory, ..Desk::default() }
    }

    /// The sources.
    pub fn workspace(&self) -> Result<Arc<Workspace>> {
        lock(&self.workspace).clone().ok_or_else(|| {
            let cause = "the sources are not open yet";
            Box::new(Error::failed("answering", "", cause).hint("wait for them, and try again."))
        })
    }

    /// Puts the opened sources in place.
    pub fn put_workspace(&self, workspace: Workspace) -> Arc<Workspace> {
        let workspace = Arc::new(workspace);
        *lock(&self.workspace) = Some(Arc::clone(&workspace));
        *lock(&self.filtered) = None;
        workspace
    }

    /// All ops, or those that a filter leaves: as the last time, or worked out anew.
    pub fn list(&self, text: Option<&str>, meter: &Meter) -> Result<List> {
        let workspace = self.workspace()?;
        let index = workspace.index_so_far(meter)?;
        let Some(text) = text else { return Ok(List { index, rows: None }) };
        let known = lock(&self.filtered).clone().filter(|(known, _)| known == text);
        if let Some((_, rows)) = known {
            return Ok(List { index, rows: Some(rows) });
        }
        let rows = Arc::new(select(&index, &filter(&workspace, text)?, meter)?);
        *lock(&self.filtered) = Some((text.to_owned(), Arc::clone(&rows)));
        Ok(List { index, rows: Some(rows) })
    }
}

/// What was typed, as a filter over this oplog.
pub fn filter(workspace: &Workspace, text: &str) -> Result<query::Filter> {
    let first = workspace.oplog.first().map_or(Position::MIN, |at| at.pos);
    query::parse(text)?.resolve(first, workspace.last())
}
