//! What all jobs share: the opened sources, the columns of the oplog, the filter last used.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::table::{OpTable, Selection};
use crate::domain::query;
use crate::domain::{Error, Position, Result, progress::Meter};
use crate::ops::{OpenOptions, Workspace};

/// The shared things, each there once its job has ended.
#[derive(Default)]
pub struct Desk {
    /// What to open.
    pub open: OpenOptions,
    /// The mongod to start.
    pub mongod: Option<PathBuf>,
    workspace: Mutex<Option<Arc<Workspace>>>,
    table: Mutex<Option<Arc<OpTable>>>,
    filtered: Mutex<Option<(String, Arc<Vec<u32>>)>>,
}

/// A panic of a job leaves no half-made thing behind: each is put in place whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Desk {
    /// For these sources.
    pub fn new(open: OpenOptions, mongod: Option<PathBuf>) -> Desk {
        Desk { open, mongod, ..Desk::default() }
    }

    /// The sources.
    pub fn workspace(&self) -> Result<Arc<Workspace>> {
        lock(&self.workspace).clone().ok_or_else(|| early("the sources are not open yet"))
    }

    /// Puts the opened sources in place.
    pub fn put_workspace(&self, workspace: Workspace) -> Arc<Workspace> {
        let workspace = Arc::new(workspace);
        *lock(&self.workspace) = Some(Arc::clone(&workspace));
        *lock(&self.table) = None;
        *lock(&self.filtered) = None;
        workspace
    }

    /// The columns.
    pub fn table(&self) -> Result<Arc<OpTable>> {
        lock(&self.table).clone().ok_or_else(|| early("the oplog has not been read yet"))
    }

    /// Puts the columns in place.
    pub fn put_table(&self, table: OpTable) -> Arc<OpTable> {
        let table = Arc::new(table);
        *lock(&self.table) = Some(Arc::clone(&table));
        table
    }

    /// The rows that a filter leaves: those of the last time, or worked out anew.
    pub fn selection(&self, text: Option<&str>, meter: &Meter) -> Result<Selection> {
        let Some(text) = text else { return Ok(None) };
        if let Some((known, rows)) = lock(&self.filtered).as_ref()
            && known == text
        {
            return Ok(Some(Arc::clone(rows)));
        }
        let (workspace, table) = (self.workspace()?, self.table()?);
        let rows = Arc::new(table.select(&workspace, &filter(&workspace, text)?, meter)?);
        *lock(&self.filtered) = Some((text.to_owned(), Arc::clone(&rows)));
        Ok(Some(rows))
    }
}

/// What was typed, as a filter over this oplog.
pub fn filter(workspace: &Workspace, text: &str) -> Result<query::Filter> {
    let first = workspace.oplog.first().map_or(Position::MIN, |at| at.pos);
    query::parse(text)?.resolve(first, workspace.last())
}

fn early(cause: &str) -> Box<Error> {
    Box::new(Error::failed("answering", "", cause).hint("wait for it, and try again."))
}
