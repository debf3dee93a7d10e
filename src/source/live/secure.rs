//! Securing: everything the source's oplog holds comes into the case, before anybody thinks. Two
//! readers at once, because a ring loses at its old end while it grows at its new one; where
//! they meet they share an entry. What is on disk from before is gone on from, and is enough
//! when the source cannot be reached any more.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::alone;
use super::connection::{Concern, Connection, End, SetIdentity, Trouble};
use super::folder::{Folder, Owner, files, name_for, owner, seal};
use super::follow::waited;
use super::recorder::{Closed, Codec, Limits, Recorder};
use super::run::{Ended, Known, oldest, run};
use crate::domain::coverage::Gap;
use crate::domain::progress::{Meter, Phase};
use crate::domain::text::{bytes, count};
use crate::domain::uri::without_secrets;
use crate::domain::window::Window;
use crate::domain::{Class, Error, Position, Result};
use crate::source::oplog::Oplog;
use crate::source::slice::Slice;

/// How long a source that was there is waited for when it goes away.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// A slice is closed, and so safe from a crash of the machine, at this size.
pub(super) const LIMITS: Limits = Limits { bytes: 256 << 20, age: Duration::from_secs(3600) };
/// How often the new end is looked at while the old one is being read.
const LOOK: Duration = Duration::from_millis(200);
/// Seconds of oplog that the churn is measured over.
const LATELY: u32 = 600;

/// What there is of a set's oplog.
#[derive(Debug)]
pub struct Secured {
    /// The folder of its slices: a source like any other.
    pub folder: PathBuf,
    /// The slices, read.
    pub slices: Vec<Slice>,
    /// The set; `None` when it could not be reached and the slices are from before.
    pub set: Option<SetIdentity>,
    /// How far its oplog reaches back, and for how long.
    pub window: Option<Window>,
    /// What a human should know.
    pub notes: Vec<String>,
}

/// Waits longer and longer, up to an end.
pub struct Backoff {
    next: Duration,
    since: Option<Instant>,
    patience: Duration,
}

/// Entries still to be fetched: those behind the one known, or from the oldest there is.
struct Hole {
    behind: Option<Known>,
    through: Position,
}

/// Secures a set's oplog in `root`, a folder for each set. Where somebody follows the set into that
/// folder already, what they have is taken as soon as it reaches to now.
pub fn secure(uri: &str, root: &Path, meter: &Meter) -> Result<Secured> {
    alone(|| at_once(uri, root, meter))
}

async fn at_once(uri: &str, root: &Path, meter: &Meter) -> Result<Secured> {
    meter.enter(Phase::Open, 0);
    let (connection, set) = Connection::open(uri).await?;
    let path = root.join(name_for(&set.name));
    let folder = match Folder::try_open(&path)? {
        Some(folder) => folder,
        None => match beside(&connection, &path, meter).await? {
            Beside::Free(folder) => folder,
            Beside::Read(slices) => {
                let note = format!(
                    "the oplog of {:?} is being followed in {}, by another pitstop",
                    set.name,
                    path.display()
                );
                let window = window(&connection, &slices).await?;
                return Ok(Secured { folder: path, slices, set: Some(set), window, notes: vec![note] });
            }
        },
    };
    folder.claim(connection.shown(), &set)?;
    let mut slices = Folder::read(&folder.files()?, meter)?;
    let (closed, mut notes) = fetch(&connection, &folder, &slices, meter).await?;
    let (entries, size) = closed.iter().fold((0, 0), |(n, b), c| (n + c.entries, b + c.bytes));
    let paths: Vec<PathBuf> = closed.into_iter().map(|c| c.path).collect();
    slices.extend(Folder::read(&paths, meter)?);
    let window = window(&connection, &slices).await?;
    // It stays on the screens while the set goes on: so it is said when that was.
    let reach =
        window.as_ref().map_or_else(String::new, |w| format!("; at {}, {}", w.newest.time(), w.describe()));
    let place = folder.path().display();
    let taken = if entries == 0 {
        format!("the oplog of {:?} is secured in {place}, nothing new", set.name)
    } else {
        format!(
            "the oplog of {:?} is secured in {place}: {} entries more, {}",
            set.name,
            count(entries),
            bytes(size)
        )
    };
    notes.insert(0, format!("{taken}{reach}"));
    Ok(Secured { folder: folder.path().to_owned(), slices, set: Some(set), window, notes })
}

/// What comes of a folder that somebody else writes into.
enum Beside {
    /// They have ended.
    Free(Folder),
    /// They have everything that there was when we asked.
    Read(Vec<Slice>),
}

async fn beside(connection: &Connection, path: &Path, meter: &Meter) -> Result<Beside> {
    let newest = connection.end(End::Newest, Concern::Local).await.map_err(|t| ended(connection, t))?;
    let newest = newest.map(Known::new).transpose()?.map_or(Position::MIN, |known| known.at.pos);
    let begun = Instant::now();
    loop {
        if let Some(folder) = Folder::try_open(path)? {
            return Ok(Beside::Free(folder));
        }
        if seal(path)?.is_some_and(|last| last >= newest) {
            return Ok(Beside::Read(Folder::read(&files(path)?, meter)?));
        }
        meter.check("securing the oplog")?;
        if begun.elapsed() > PATIENCE {
            return Err(waited(path));
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// What is on disk of a source that cannot be reached: of the set that it was known to be, or of
/// the address.
pub fn from_before(
    uri: &str,
    set: Option<&Owner>,
    root: &Path,
    error: Box<Error>,
    meter: &Meter,
) -> Result<Secured> {
    let address = without_secrets(uri);
    let is_it = |there: &Owner| {
        there.address == address || set.is_some_and(|set| (&set.name, &set.id) == (&there.name, &there.id))
    };
    let listed = std::fs::read_dir(root).into_iter().flatten().flatten();
    let mine = listed.map(|e| e.path()).find(|path| owner(path).is_some_and(|there| is_it(&there)));
    let Some(path) = mine else { return Err(error) };
    // Where another pitstop follows it, what it has so far is used.
    let found = match Folder::try_open(&path)? {
        Some(folder) => folder.files()?,
        None => {
            seal(&path)?;
            files(&path)?
        }
    };
    let slices = Folder::read(&found, meter)?;
    if slices.is_empty() {
        return Err(error);
    }
    let last = slices.iter().map(|s| s.last.pos).max().unwrap_or(Position::MIN);
    let note = format!(
        "{address} cannot be reached ({}); what was secured of it before is used, up to {last} ({})",
        error.cause,
        last.time()
    );
    Ok(Secured { folder: path, slices, set: None, window: None, notes: vec![note] })
}

/// Fetches what is missing on disk. What came is kept, whatever happens on the way.
async fn fetch(
    connection: &Connection,
    folder: &Folder,
    slices: &[Slice],
    meter: &Meter,
) -> Result<(Vec<Closed>, Vec<String>)> {
    let lost = |t: Trouble| ended(connection, t);
    let Some(newest) = connection.end(End::Newest, Concern::Local).await.map_err(lost)? else {
        return Ok((Vec::new(), vec!["the oplog of the source is empty".into()]));
    };
    let newest = Known::new(newest)?;
    let from = oldest(connection).await.map_err(lost)?.unwrap_or(newest.at.pos);
    let disk = Oplog::join(slices.to_vec(), &[])?;
    let (holes, tip) = missing(&disk, from, newest)?;

    let (mut closed, mut gaps) = (Vec::new(), Vec::new());
    let all_there = Cell::new(false);
    let mut tail = Recorder::new(folder.path(), "newest", Codec::Raw, LIMITS, Some(tip));
    let at_the_new_end = async {
        loop {
            let once_more = !all_there.get();
            let ended = patiently(connection, &mut tail, None, meter).await?;
            if !once_more {
                return Ok(ended);
            }
            if !all_there.get() {
                tokio::time::sleep(LOOK).await;
            }
        }
    };
    let (mut fetched, mut overwritten) = (Vec::new(), Vec::new());
    let at_the_old_end = async {
        for hole in holes {
            let mut forward = Recorder::new(folder.path(), "oldest", Codec::Raw, LIMITS, hole.behind);
            let done = patiently(connection, &mut forward, Some(hole.through), meter).await;
            forward.close()?;
            fetched.extend(forward.take_closed());
            overwritten.extend(forward.take_gaps());
            done?;
        }
        Ok(())
    };
    let at_the_old_end = async {
        let done: Result<()> = at_the_old_end.await;
        all_there.set(true);
        done
    };
    let (new_end, old_end): (Result<Ended>, Result<()>) = tokio::join!(at_the_new_end, at_the_old_end);
    tail.close()?;
    closed.extend(fetched);
    closed.extend(tail.take_closed());
    gaps.extend(overwritten);
    gaps.extend(tail.take_gaps());

    let mut notes: Vec<String> = gaps.iter().map(told).collect();
    if let Ok(Ended::Behind) = new_end {
        notes.push(format!(
            "the member of {} that answers has nothing as new as what is on disk: it lags, or an election took the newest back",
            connection.shown()
        ));
    }
    for error in [old_end.err(), new_end.err()].into_iter().flatten() {
        if error.class != Class::Failed {
            return Err(error);
        }
        notes.push(format!("{error} (what was secured before that is kept)"));
    }
    Ok((closed, notes))
}

/// A gap for humans.
pub fn told(gap: &Gap) -> String {
    format!(
        "the oplog rolled over: what was written between {} ({}) and {} ({}) was overwritten before it could be secured",
        gap.after,
        gap.after.time(),
        gap.before,
        gap.before.time()
    )
}

/// What to fetch, oldest first, and the entry behind which new ones come.
fn missing(disk: &Oplog, oldest: Position, newest: Known) -> Result<(Vec<Hole>, Known)> {
    let known = |pos: Position| -> Result<Option<Known>> {
        disk.find(pos)?.map(|entry| Known::new(entry.raw.bytes().to_vec())).transpose()
    };
    let segments = disk.segments();
    let mut holes = Vec::new();
    if let Some(first) = segments.first().filter(|s| oldest < s.first.pos) {
        holes.push(Hole { behind: None, through: first.first.pos });
    }
    for (a, b) in segments.iter().zip(segments.iter().skip(1)) {
        if b.first.pos > oldest {
            holes.push(Hole { behind: known(a.last.pos)?, through: b.first.pos });
        }
    }
    match segments.last() {
        None => holes.push(Hole { behind: None, through: newest.at.pos }),
        Some(last) if last.last.pos < newest.at.pos => {
            holes.push(Hole { behind: known(last.last.pos)?, through: newest.at.pos });
        }
        Some(last) => return Ok((holes, known(last.last.pos)?.unwrap_or(newest))),
    }
    Ok((holes, newest))
}

/// Runs until it is through; a source that is lost is waited for.
async fn patiently(
    connection: &Connection,
    recorder: &mut Recorder,
    through: Option<Position>,
    meter: &Meter,
) -> Result<Ended> {
    let mut backoff = Backoff::new(PATIENCE);
    loop {
        meter.check("securing the oplog")?;
        let before = recorder.last().map(|known| known.at);
        let trouble = match run(connection, recorder, through, Concern::Local, meter).await {
            Ok(ended) => return Ok(ended),
            Err(trouble @ (Trouble::Lost(_) | Trouble::Overtaken)) => trouble,
            Err(trouble) => return Err(ended(connection, trouble)),
        };
        if recorder.last().map(|known| known.at) != before {
            backoff.reset();
        }
        if !backoff.wait().await {
            return Err(ended(connection, trouble));
        }
    }
}

/// The error that a trouble without end becomes.
pub fn ended(connection: &Connection, trouble: Trouble) -> Box<Error> {
    match trouble {
        Trouble::Own(error) => error,
        other => Box::new(
            Error::failed("reading the oplog of", connection.shown(), other)
                .hint("check that the member runs, and that the user may `find` on local.oplog.rs."),
        ),
    }
}

impl Backoff {
    /// Waits at most this long in all.
    pub fn new(patience: Duration) -> Backoff {
        Backoff { next: Duration::from_millis(250), since: None, patience }
    }

    /// All is well again.
    pub fn reset(&mut self) {
        *self = Backoff::new(self.patience);
    }

    /// Waits; `false` when the patience is at its end.
    pub async fn wait(&mut self) -> bool {
        let since = *self.since.get_or_insert_with(Instant::now);
        if since.elapsed() >= self.patience {
            return false;
        }
        tokio::time::sleep(self.next).await;
        self.next = (self.next * 2).min(Duration::from_secs(5));
        true
    }
}

/// How far the source's oplog reaches now, and how fast it was written lately.
async fn window(connection: &Connection, slices: &[Slice]) -> Result<Option<Window>> {
    let Some(newest) = slices.iter().map(|s| s.last.pos).max() else { return Ok(None) };
    let Ok(Some(oldest)) = oldest(connection).await else { return Ok(None) };
    let since = Position::new(newest.secs.saturating_sub(LATELY), 0).max(oldest);
    let mut written = 0u64;
    for entry in Oplog::join(slices.to_vec(), &[])?.entries(since, Position::MAX) {
        written += entry?.raw.bytes().len() as u64;
    }
    let span = f64::from(newest.secs.saturating_sub(since.secs).max(1));
    let churn = (written > 0).then_some(written as f64 / span);
    Ok(Some(Window { oldest, newest, ring: connection.ring().await, churn }))
}
