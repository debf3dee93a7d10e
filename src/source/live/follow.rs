//! Following: what the source writes comes into its folder as long as somebody wants it, entry by
//! entry behind the last one known. What becomes of the source is told as it is.

use std::path::Path;
use std::time::Duration;

use super::alone;
use super::connection::{Concern, Connection, Trouble};
use super::folder::{Folder, followed};
use super::recorder::{Codec, Recorder};
use super::run::{Ended, Known, run};
use super::secure::{Backoff, LIMITS, told};
use crate::domain::progress::Meter;
use crate::domain::{Class, Error, Position, Result};

/// How often there may be something new.
const LOOK: Duration = Duration::from_secs(1);
/// The label of the slice that is being written.
pub(super) const LABEL: &str = "followed";

/// What happens to a source that is followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// Everything up to here is on disk.
    Here(Position),
    /// It cannot be read now; it is tried again.
    Lost(String),
    /// It can be read again.
    Back,
    /// Something was overwritten before it could be secured.
    Missed(String),
    /// The member that answers has nothing as new as what is on disk.
    Behind,
}

/// Follows until the meter is cancelled, or until it cannot go on: the source tells another
/// history, or the disk is full. `folder` has been secured into; `last` is its last entry.
pub fn follow(
    uri: &str,
    folder: &Path,
    last: &[u8],
    meter: &Meter,
    tell: &mut (dyn FnMut(News) + Send),
) -> Result<()> {
    let last = Known::new(last.to_vec())?;
    let done = alone(|| follower(uri, folder, last, meter, tell));
    match done {
        Err(error) if error.class == Class::Interrupted => Ok(()),
        done => done,
    }
}

async fn follower(
    uri: &str,
    path: &Path,
    mut last: Known,
    meter: &Meter,
    tell: &mut (dyn FnMut(News) + Send),
) -> Result<()> {
    // Where somebody else follows into this folder, what they write is here too.
    let folder = loop {
        if let Some(folder) = Folder::try_open(path)? {
            break folder;
        }
        meter.check("following")?;
        if let Some(theirs) = followed(path)?.filter(|theirs| theirs.at.pos > last.at.pos) {
            tell(News::Here(theirs.at.pos));
            last = theirs;
        }
        tokio::time::sleep(LOOK).await;
    };
    // What they left is a slice now.
    if let Some(theirs) = folder.newest()?.filter(|theirs| theirs.at.pos > last.at.pos) {
        last = theirs;
    }
    let mut recorder = Recorder::new(folder.path(), LABEL, Codec::Raw, LIMITS, Some(last));
    let done = rounds(uri, &folder, &mut recorder, meter, tell).await;
    recorder.close()?;
    done
}

async fn rounds(
    uri: &str,
    folder: &Folder,
    recorder: &mut Recorder,
    meter: &Meter,
    tell: &mut (dyn FnMut(News) + Send),
) -> Result<()> {
    let mut backoff = Backoff::new(Duration::MAX);
    let (mut lost, mut behind) = (false, false);
    let mut connection: Option<Connection> = None;
    loop {
        meter.check("following")?;
        let before = recorder.last().map(|known| known.at);
        let trouble = match round(uri, folder, &mut connection, recorder, meter).await {
            Ok(ended) => {
                if std::mem::take(&mut lost) {
                    tell(News::Back);
                }
                backoff.reset();
                if !std::mem::replace(&mut behind, ended == Ended::Behind) && behind {
                    tell(News::Behind);
                }
                None
            }
            Err(Trouble::Own(error)) => return Err(error),
            // Of one that was there, also what looks hopeless passes: a restart, a new password.
            Err(trouble) => Some(trouble.to_string()),
        };
        recorder.flush()?;
        recorder.close_if_old()?;
        recorder.take_closed();
        for gap in recorder.take_gaps() {
            tell(News::Missed(told(&gap)));
        }
        let now = recorder.last().map(|known| known.at);
        if let Some(at) = now.filter(|_| now != before) {
            tell(News::Here(at.pos));
        }
        match trouble {
            None => tokio::time::sleep(LOOK).await,
            Some(said) => {
                if !std::mem::replace(&mut lost, true) {
                    tell(News::Lost(said));
                }
                backoff.wait().await;
            }
        }
    }
}

/// Takes what is new, by the connection there is or by a new one.
async fn round(
    uri: &str,
    folder: &Folder,
    connection: &mut Option<Connection>,
    recorder: &mut Recorder,
    meter: &Meter,
) -> Result<Ended, Trouble> {
    let there = match connection {
        Some(there) => there,
        None => {
            let (new, set) = Connection::open(uri).await.map_err(|error| match error.class {
                Class::Failed => Trouble::Lost(error.cause),
                _ => Trouble::Own(error),
            })?;
            folder.claim(new.shown(), &set)?;
            connection.insert(new)
        }
    };
    run(there, recorder, None, Concern::Local, meter).await
}

/// The error of one who cannot wait any longer for what another one follows.
pub(super) fn waited(path: &Path) -> Box<Error> {
    Box::new(
        Error::failed(
            "securing the oplog",
            format!("{path:?}"),
            "somebody else writes into it and does not come further",
        )
        .hint("look at the pitstop that follows this set, or name another case with --case."),
    )
}
