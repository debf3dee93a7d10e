//! What happens to the application.

use super::data::{Bars, Counted, Diff, Documents, Indexed, Opened, Outcome, StopFacts, Text};
use super::document::{Change, Versions};
use super::jobs::JobId;
use super::list::{Listed, Page, Spot, View};
use super::live::LiveNews;
use crate::domain::Result;
use crate::domain::after::After;
use crate::domain::burst::Burst;
use crate::domain::marks::Mark;
use crate::domain::plan::Plan;
use crate::domain::progress::Reading;
use crate::domain::states::StateAt;
use crate::keys::{Action, Key};

/// One thing that happened.
#[derive(Debug, Clone)]
pub enum Msg {
    /// A key was pressed.
    Key(Key),
    /// Text was pasted.
    Paste(String),
    /// The mouse was clicked on something.
    Click(Hit),
    /// The wheel was turned: so many rows down.
    Wheel(i64),
    /// The terminal has this many columns and rows.
    Resize(u16, u16),
    /// It is now: milliseconds of the runtime's clock, and seconds since 1970.
    Now {
        /// Never goes back.
        ms: u64,
        /// UTC.
        utc: i64,
    },
    /// Something about a job.
    Job(JobId, JobEvent),
    /// Something about the sources that are followed.
    Live(LiveNews),
    /// Copying has worked, said in words, or not.
    Copied(Result<String>),
}

/// What can happen to a job.
#[derive(Debug, Clone)]
pub enum JobEvent {
    /// It is this far.
    Progress(Reading),
    /// Some of its answer is there already.
    Part(Answer),
    /// It has ended, in whatever way; this comes exactly once.
    Ended(Result<Answer>),
}

/// What a job answers, one for each [`super::Work`].
#[derive(Debug, Clone)]
#[allow(missing_docs)] // Named after the question each of them answers.
pub enum Answer {
    Opened(Box<Opened>),
    Grown(Box<Opened>, Indexed),
    Indexed(Indexed),
    Suspects(Vec<Burst>),
    Listed(Listed),
    /// In this list; `None` = no op of it matches.
    Found(Option<Spot>, View),
    /// `None` = there is none.
    Located(Option<Spot>, Counted),
    Rows(Page),
    Bars(Bars),
    Detail(Text),
    Change(Box<Change>),
    History(Box<Versions>),
    Version(Box<Change>),
    Stop(Box<StopFacts>),
    After(Box<After>),
    Decided,
    Diff(Box<Diff>),
    Documents(Documents),
    Marks(Vec<Mark>),
    Noted,
    Journal(Text),
    States(Vec<StateAt>),
    Exported {
        path: String,
        lines: u64,
    },
    Plan(Box<Plan>),
    Restored(Box<Outcome>),
}

/// Something on the screen that can be clicked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hit {
    /// A row of the main list.
    Row(u64),
    /// A row of the list beside it.
    SideRow(u64),
    /// A bar of the timeline.
    Bar(u16),
    /// A hint of the footer.
    Hint(Action),
    /// A line of the overlay.
    OverlayRow(u64),
    /// An answer to a question, by its place.
    Answer(usize),
}
