//! What all jobs share: the opened sources, and the filter last used.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;

use super::folds::folds;
use super::list::{Filtered, List};
use super::log::Log;
use super::shown::Shown;
use crate::app::Msg;
use crate::app::data::Counted;
use crate::app::document::DocumentRef;
use crate::app::folding::{Fold, Folding};
use crate::app::list::View;
use crate::app::live::LiveNews;
use crate::domain::burst::Burst;
use crate::domain::query;
use crate::domain::{Error, Position, Result, progress::Meter};
use crate::ops::history::History;
use crate::ops::memory::Memory;
use crate::ops::{OpenOptions, Workspace};
use crate::source::live::follow::{News, follow};

/// How often it is told what a filter has found so far: most have found everything before.
const PACE: Duration = Duration::from_millis(100);

/// The folds of the list that a filter leaves.
type FoldsOf = (Option<String>, Arc<Vec<Fold>>);

/// The shared things, each there once its job has ended.
#[derive(Default)]
pub struct Desk {
    /// What to open.
    pub open: OpenOptions,
    /// The mongod to start.
    pub mongod: Option<PathBuf>,
    /// How much memory folds may take.
    pub memory: Memory,
    /// How often it is told what a filter has found so far.
    pub pace: Duration,
    /// The log of this run.
    log: Option<Arc<Log>>,
    workspace: Mutex<Option<Arc<Workspace>>>,
    filtered: Mutex<Option<Filtered>>,
    noted_filter: Mutex<Option<String>>,
    noted_suspects: Mutex<Option<Vec<Burst>>>,
    bursts: Mutex<Arc<Vec<Burst>>>,
    folds: Mutex<Option<FoldsOf>>,
    folding: Mutex<Option<(View, Arc<Folding>)>>,
    history: Mutex<Option<(DocumentRef, Arc<History>)>>,
    /// Those who follow the live sources; there are none before these are open.
    following: Mutex<Vec<Meter>>,
}

/// A panic of a job leaves no half-made thing behind: each is put in place whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Desk {
    /// For these sources.
    pub fn new(open: OpenOptions, mongod: Option<PathBuf>, memory: Memory, log: Option<Arc<Log>>) -> Desk {
        Desk { open, mongod, memory, log, pace: PACE, ..Desk::default() }
    }

    /// Writes a line into the log of this run.
    pub fn note(&self, text: &str) {
        if let Some(log) = &self.log {
            log.note(text);
        }
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

    /// Whether a filter is another one than the last that was noted in the case. A live source
    /// grows under it all the time.
    pub fn is_new_filter(&self, text: &str) -> bool {
        lock(&self.noted_filter).replace(text.to_owned()).as_deref() != Some(text)
    }

    /// Whether suspects are others than the last that were noted in the case.
    pub fn are_new_suspects(&self, bursts: &[Burst]) -> bool {
        let found: Vec<Burst> = bursts.iter().filter(|burst| burst.ordinary.is_none()).cloned().collect();
        let mut noted = lock(&self.noted_suspects);
        let new = noted.as_ref() != Some(&found);
        *noted = Some(found);
        new
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

    /// A list as it is shown, as far as it is known.
    pub fn shown(&self, view: &View, meter: &Meter) -> Result<Shown> {
        let list = self.list(view.filter.as_deref(), meter)?;
        self.folded(list, view, meter)
    }

    /// The same with all that has been read by now.
    pub fn shown_further(&self, view: &View, meter: &Meter) -> Result<Shown> {
        let list = self.further(view.filter.as_deref(), meter, &mut |_| ())?;
        self.folded(list, view, meter)
    }

    fn folded(&self, list: List, view: &View, meter: &Meter) -> Result<Shown> {
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

    /// Follows the live sources from now on, and no others; what happens is told.
    pub fn follow(&self, tell: &UnboundedSender<Msg>) -> Result<()> {
        let workspace = self.workspace()?;
        let mut following = lock(&self.following);
        for old in following.drain(..) {
            old.cancel();
        }
        for live in workspace.live.clone() {
            let meter = Meter::default();
            following.push(meter.clone());
            let (tell, log) = (tell.clone(), self.log.clone());
            let thread = std::thread::Builder::new().name("follower".into());
            let followed = move || {
                let say = |news: LiveNews| {
                    if let Some(log) = log.as_ref().filter(|_| !matches!(news, LiveNews::Here(_))) {
                        log.note(&format!("live: {news:?}"));
                    }
                    // Nobody listens any more only when the program is being left.
                    let _ = tell.send(Msg::Live(news));
                };
                let ended = follow(&live.uri, &live.folder, &live.last, &meter, &mut |news| say(told(news)));
                if let Err(error) = ended {
                    say(LiveNews::Ended(error));
                }
            };
            thread.spawn(followed).map_err(|e| Error::failed("following the source", "", e))?;
        }
        Ok(())
    }

    /// All ops, or those that a filter leaves, as far as these are known: somebody may be filtering
    /// just now. Where nobody has begun to, it is done.
    pub fn list(&self, text: Option<&str>, meter: &Meter) -> Result<List> {
        match text.and_then(|text| self.known(text)) {
            Some(known) => Ok(known.list(self.workspace()?.index_so_far(meter)?)),
            None => self.further(text, meter, &mut |_| ()),
        }
    }

    fn known(&self, text: &str) -> Option<Filtered> {
        lock(&self.filtered).clone().filter(|known| known.text == text)
    }

    /// The same with all that has been read by now; what is found before it all is goes to `tell`.
    pub fn further(&self, text: Option<&str>, meter: &Meter, tell: &mut dyn FnMut(List)) -> Result<List> {
        let workspace = self.workspace()?;
        let index = workspace.index_so_far(meter)?;
        let Some(text) = text else {
            // In this order: when it was complete before, its length is that of all.
            let counted = if index.is_complete() { Counted::All } else { Counted::SoFar };
            let looked = index.len();
            return Ok(List { index, rows: None, looked, counted });
        };
        let mut filtered = self.known(text).unwrap_or_else(|| Filtered::new(text));
        filtered.go_on(&index, &filter(&workspace, text)?, meter, self.pace, &mut |found| {
            if !meter.is_cancelled() {
                self.learn(found);
                tell(found.list(Arc::clone(&index)));
            }
        })?;
        self.learn(&filtered);
        Ok(filtered.list(index))
    }

    /// Keeps what a filter leaves, where nobody has found more of it meanwhile.
    fn learn(&self, found: &Filtered) {
        let mut known = lock(&self.filtered);
        if known.as_ref().is_none_or(|known| known.text != found.text || found.knows_as_much_as(known)) {
            *known = Some(found.clone());
        }
    }
}

/// News of a source in the words of the screens.
fn told(news: News) -> LiveNews {
    match news {
        News::Here(pos) => LiveNews::Here(pos),
        News::Lost(said) => LiveNews::Lost(said),
        News::Back => LiveNews::Back,
        News::Missed(said) => LiveNews::Missed(said),
        News::Behind => LiveNews::Behind,
    }
}

/// What was typed, as a filter over this oplog.
pub fn filter(workspace: &Workspace, text: &str) -> Result<query::Filter> {
    let first = workspace.oplog.first().map_or(Position::MIN, |at| at.pos);
    query::parse(text)?.resolve(first, workspace.last())
}
