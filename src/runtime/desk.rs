//! What all jobs share: the opened sources, and the filter last used.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::folds::folds;
use super::list::{List, select};
use super::shown::Shown;
use crate::app::document::DocumentRef;
use crate::app::folding::{Fold, Folding};
use crate::app::list::View;
use crate::domain::burst::Burst;
use crate::domain::query;
use crate::domain::{Error, Position, Result, progress::Meter};
use crate::ops::history::History;
use crate::ops::{OpenOptions, Workspace};

/// The shared things, each there once its job has ended.
#[derive(Default)]
pub struct Desk {
    /// What to open.
    pub open: OpenOptions,
    /// The mongod to start.
    pub mongod: Option<PathBuf>,
    workspace: Mutex<Option<Arc<Workspace>>>,
    filtered: Mutex<Option<(String, Arc<Vec<u64>>)>>,
    bursts: Mutex<Arc<Vec<Burst>>>,
    folds: Mutex<Option<(Option<String>, Arc<Vec<Fold>>)>>,
    folding: Mutex<Option<(View, Arc<Folding>)>>,
    history: Mutex<Option<(DocumentRef, Arc<History>)>>,
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
        *lock(&self.history) = None;
        self.forget_folds();
        workspace
    }

    /// Whether this is the filter of the last time.
    pub fn is_filtered(&self, text: &str) -> bool {
        lock(&self.filtered).as_ref().is_some_and(|(known, _)| known == text)
    }

    /// Puts the bursts in place that lists are folded by.
    ///
    /// Their numbers are in the order of time: what comes later changes none of them.
    pub fn put_bursts(&self, mut bursts: Vec<Burst>) {
        bursts.sort_by_key(|burst| (burst.first, burst.last));
        *lock(&self.bursts) = Arc::new(bursts);
        self.forget_folds();
    }

    fn forget_folds(&self) {
        *lock(&self.folds) = None;
        *lock(&self.folding) = None;
    }

    /// A list as it is shown.
    pub fn shown(&self, view: &View, meter: &Meter) -> Result<Shown> {
        let list = self.list(view.filter.as_deref(), meter)?;
        let bursts = Arc::clone(&lock(&self.bursts));
        let open = view.open.clone();
        if !view.folded {
            return Ok(Shown { list, folding: None, bursts, open });
        }
        let known = lock(&self.folding).clone().filter(|(known, _)| known == view);
        if let Some((_, folding)) = known {
            return Ok(Shown { list, folding: Some(folding), bursts, open });
        }
        let known = lock(&self.folds).clone().filter(|(known, _)| *known == view.filter);
        let folds = match known {
            Some((_, folds)) => folds,
            None => {
                let folds = Arc::new(folds(&list, &bursts, meter)?);
                *lock(&self.folds) = Some((view.filter.clone(), Arc::clone(&folds)));
                folds
            }
        };
        let folding = Arc::new(Folding::new(folds.to_vec(), &view.open, list.len()));
        *lock(&self.folding) = Some((view.clone(), Arc::clone(&folding)));
        Ok(Shown { list, folding: Some(folding), bursts, open })
    }

    /// The history of a document: as the last time, or followed anew.
    pub fn history(
        &self,
        of: &DocumentRef,
        follow: impl FnOnce() -> Result<History>,
    ) -> Result<Arc<History>> {
        let known = lock(&self.history).clone().filter(|(known, _)| known == of);
        if let Some((_, history)) = known {
            return Ok(history);
        }
        let history = Arc::new(follow()?);
        *lock(&self.history) = Some((of.clone(), Arc::clone(&history)));
        Ok(history)
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
