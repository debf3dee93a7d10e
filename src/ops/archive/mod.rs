//! The archive: a replica set's oplog kept on disk continuously, as compressed slices that join,
//! so that there is always a stop to go back to. What is reported as written is on disk for good;
//! what was missed is recorded with both its edges.

mod manifest;

use std::path::PathBuf;
use std::time::Duration;

pub use manifest::{Line, Manifest, SliceRecord};

use crate::domain::coverage::Gap;
use crate::domain::progress::Meter;
use crate::domain::{Class, Error, Position, Result};
use crate::ops::signals::cancel_on_signals;
use crate::source::live::connection::{Concern, Trouble};
use crate::source::live::folder::{Folder, last_entry};
use crate::source::live::recorder::{Codec, Limits, Recorder};
use crate::source::live::run::run;
use crate::source::live::secure::{Backoff, PATIENCE, ended};
use crate::source::live::{Connection, SetIdentity};

/// How often the source is asked for more when there was no more.
const LOOK: Duration = Duration::from_millis(500);

/// When it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// When everything that is there now is on disk.
    CaughtUp,
    /// When it is told to.
    Stopped,
}

/// How much is kept; nothing given = everything.
#[derive(Debug, Clone, Copy, Default)]
pub struct Keep {
    /// Slices that end longer ago than this are removed.
    pub age: Option<Duration>,
    /// The oldest slices beyond this many bytes on disk are removed.
    pub bytes: Option<u64>,
}

/// What to keep, and how.
#[derive(Clone)]
pub struct ArchiveOptions {
    /// The set. It may hold a password: it is never written or printed.
    pub uri: String,
    /// The folder of the archive.
    pub dir: PathBuf,
    /// When to end.
    pub until: Until,
    /// When a slice is closed.
    pub limits: Limits,
    /// What is kept.
    pub keep: Keep,
}

/// What happens, for those who watch.
#[derive(Debug)]
pub enum Event<'e> {
    /// It begins: behind this position, or from the oldest entry there is.
    Begins(&'e SetIdentity, Option<Position>),
    /// A slice is on disk for good.
    Written(&'e SliceRecord),
    /// Something was missed.
    Missed(&'e Gap),
    /// A slice was removed because of its age or the size of all.
    Removed(&'e str),
    /// The source cannot be read now; it is tried again.
    Lost(&'e str),
    /// It can be read again.
    Back,
}

/// What was done.
#[derive(Debug, Default)]
pub struct Archived {
    /// Slices written.
    pub slices: u64,
    /// Entries in them.
    pub entries: u64,
    /// What was missed.
    pub gaps: Vec<Gap>,
    /// The last entry on disk.
    pub last: Option<Position>,
}

/// Keeps the oplog until it is caught up, or until a signal (TERM, INT) or the meter ends it:
/// then the slice is closed and it is done.
pub fn archive(
    options: &ArchiveOptions,
    meter: &Meter,
    report: &mut dyn FnMut(Event<'_>) -> Result<()>,
) -> Result<Archived> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|e| Error::failed("starting the runtime", "", e))?;
    runtime.block_on(async {
        cancel_on_signals(meter)?;
        let (connection, set) = Connection::open(&options.uri).await?;
        let folder = Folder::open(&options.dir)?;
        folder.claim(connection.shown(), &set)?;
        let manifest = Manifest::open(folder.path())?;
        let known = match manifest.last() {
            Some(record) => Some(last_entry(&folder.path().join(&record.file))?),
            None => None,
        };
        report(Event::Begins(&set, known.as_ref().map(|k| k.at.pos)))?;
        let last = known.as_ref().map(|k| k.at.pos);
        let recorder = Recorder::new(folder.path(), "archive", Codec::Zstd, options.limits, known);
        let done = Archived { last, ..Archived::default() };
        Keeper { connection, manifest, recorder, options, report, done }.keep(meter).await
    })
}

struct Keeper<'a> {
    connection: Connection,
    manifest: Manifest,
    recorder: Recorder,
    options: &'a ArchiveOptions,
    report: &'a mut dyn FnMut(Event<'_>) -> Result<()>,
    done: Archived,
}

impl Keeper<'_> {
    async fn keep(mut self, meter: &Meter) -> Result<Archived> {
        let result = self.follow(meter).await;
        // However it ended: what came is closed, and said to be there.
        self.recorder.close()?;
        self.write_down()?;
        match result {
            Err(error) if error.class != Class::Interrupted => Err(error),
            _ => Ok(self.done),
        }
    }

    async fn follow(&mut self, meter: &Meter) -> Result<()> {
        let patience = match self.options.until {
            Until::CaughtUp => PATIENCE,
            Until::Stopped => Duration::MAX,
        };
        let (mut backoff, mut lost) = (Backoff::new(patience), false);
        loop {
            meter.check("archiving")?;
            match run(&self.connection, &mut self.recorder, None, Concern::Majority, meter).await {
                Ok(_) => {
                    if std::mem::take(&mut lost) {
                        (self.report)(Event::Back)?;
                    }
                    backoff.reset();
                    if self.options.until == Until::CaughtUp {
                        return Ok(());
                    }
                }
                Err(trouble @ (Trouble::Lost(_) | Trouble::Overtaken)) => {
                    if !std::mem::replace(&mut lost, true) {
                        (self.report)(Event::Lost(&trouble.to_string()))?;
                    }
                    self.recorder.close_if_old()?;
                    self.write_down()?;
                    if !backoff.wait().await {
                        return Err(ended(&self.connection, trouble));
                    }
                    continue;
                }
                Err(trouble) => return Err(ended(&self.connection, trouble)),
            }
            self.recorder.close_if_old()?;
            self.write_down()?;
            tokio::time::sleep(LOOK).await;
        }
    }

    /// What has been closed goes into the manifest, and is then reported.
    fn write_down(&mut self) -> Result<()> {
        for closed in self.recorder.take_closed() {
            let record = self.manifest.add(&closed)?;
            self.done.slices += 1;
            self.done.entries += record.entries;
            self.done.last = Some(record.last.pos);
            (self.report)(Event::Written(&record))?;
        }
        for gap in self.recorder.take_gaps() {
            self.manifest.add_gap(gap)?;
            (self.report)(Event::Missed(&gap))?;
            self.done.gaps.push(gap);
        }
        for file in self.manifest.shorten(self.options.keep)? {
            (self.report)(Event::Removed(&file))?;
        }
        Ok(())
    }
}
