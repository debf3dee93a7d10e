//! A live source while the screens are open: it grows, is lost, comes back. What has come is shown
//! when it is worth the work: the more there is to read again, the less often.

use super::data::{Indexed, Opened};
use super::effect::{Effect, Work};
use super::jobs::Slot;
use super::model::Model;
use super::screens::{stop, suspects, timeline};
use super::update;
use crate::domain::{Error, Position};

/// The shortest time between two looks at what has come, in milliseconds.
const CALM: u64 = 2_000;
/// At most this part of the time goes into looking.
const SHARE: u64 = 10;

/// What happens to a live source.
#[derive(Debug, Clone, PartialEq)]
pub enum LiveNews {
    /// Everything up to here is secured.
    Here(Position),
    /// It cannot be read now.
    Lost(String),
    /// It can be read again.
    Back,
    /// Something was overwritten before it was secured.
    Missed(String),
    /// The member that answers has nothing as new as what is secured.
    Behind,
    /// It is not followed any more.
    Ended(Box<Error>),
}

/// How a live source is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It is followed.
    Following,
    /// It cannot be read now, and is tried again.
    Lost,
    /// It is not followed any more.
    Ended,
}

/// What is known of the live sources.
#[derive(Debug, Clone, PartialEq)]
pub struct Live {
    /// How they are; the worst of them.
    pub state: State,
    /// How far they are secured.
    pub newest: Position,
    /// When it was looked at last what has come, and how long that took, in milliseconds of the
    /// runtime's clock.
    looked: (u64, u64),
    looking: bool,
}

/// Takes news.
pub fn told(model: &mut Model, news: LiveNews) {
    let known = model.opened.value().and_then(|opened| opened.last).unwrap_or(Position::MIN);
    let now = model.now;
    let fresh = || Live { state: State::Following, newest: known, looked: (now, 0), looking: false };
    let live = model.live.get_or_insert_with(fresh);
    match news {
        LiveNews::Here(pos) => live.newest = live.newest.max(pos),
        LiveNews::Back => {
            live.state = State::Following;
            model.say("the source is back: it is followed again");
        }
        LiveNews::Lost(said) => {
            live.state = State::Lost;
            model
                .fail(&Error::failed("following the source", "", said).hint(
                    "what was secured is kept, and can be restored from; it is tried again and again.",
                ));
        }
        LiveNews::Missed(said) => model.fail(
            &Error::inexact("following the source", "", said)
                .hint("stops across this gap cannot be reached."),
        ),
        LiveNews::Behind => {
            model.say("the member that answers is behind what is secured: a lag, or a rollback");
        }
        LiveNews::Ended(error) => {
            live.state = State::Ended;
            model.fail(&error);
        }
    }
}

/// Whether there is something to look at, and when: milliseconds from now.
fn due(model: &Model) -> Option<u64> {
    let live = model.live.as_ref()?;
    let last = model.opened.ready()?.last.unwrap_or(Position::MIN);
    let (at, took) = live.looked;
    (live.newest > last && !live.looking).then(|| (at + CALM.max(took * SHARE)).saturating_sub(model.now))
}

/// After how many milliseconds there is something to do.
pub fn next(model: &Model) -> Option<u64> {
    due(model).map(|wait| wait.max(50))
}

/// Looks at what has come, when it is time and nothing else is being worked out.
pub fn demand(model: &mut Model, out: &mut Vec<Effect>) {
    let busy = [Slot::Open, Slot::Grow, Slot::Index, Slot::Suspects]
        .iter()
        .any(|slot| model.jobs.get(*slot).is_some());
    let now = model.now;
    if let Some(live) = model.live.as_mut().filter(|live| live.looking && !busy) {
        live.looking = false;
        live.looked = (now, now.saturating_sub(live.looked.0));
    }
    let quiet = !busy && !model.is_restoring() && model.overlays.is_empty();
    if !quiet || model.timeline.index.ready().is_none() || due(model) != Some(0) {
        return;
    }
    if let Some(live) = &mut model.live {
        live.looking = true;
        live.looked.0 = now;
    }
    update::ask(model, Slot::Grow, Work::Grow, out);
}

/// What has come is there to be looked at. Cursor and stop stay where they are.
pub fn grown(model: &mut Model, opened: Opened, indexed: Indexed, out: &mut Vec<Effect>) {
    let whole = model.opened.value().is_some_and(|before| timeline::shows_all(model, before));
    model.opened.fill(Ok(opened));
    model.timeline.index.fill(Ok(indexed));
    timeline::grown(model, whole, out);
    // What follows the stop is more now.
    stop::look(model, out);
    suspects::look(model, out);
}
