//! The whole state of the application, and nothing that draws or does anything.

use super::data::{Opened, StopFacts, Target};
use super::jobs::{Jobs, Slot};
use super::live;
use super::loadable::Loadable;
use super::overlay::Overlay;
use super::screens::{history, marks, plan, preview, restore, snapshots, states, suspects, timeline};
use super::window::Window;
use super::zone::Zone;
use crate::domain::after::After;
use crate::domain::{Error, Position};
use crate::keys::{Key, Keymap};

/// What the runtime knows before anything is opened.
#[derive(Debug, Clone, Default)]
pub struct Start {
    /// The sources as given, for humans, without secrets.
    pub source: String,
    /// Whether this is the built-in incident.
    pub demo: bool,
    /// A word that says how much depends on the data, `PRODUCTION`; empty = nobody said.
    pub marked: &'static str,
    /// Where the log of this run is; empty = there is none.
    pub log: String,
    /// The version of this program.
    pub version: String,
    /// The time zone of this machine.
    pub zone: Zone,
}

/// The screens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Screen {
    /// The snapshots, and what the oplog covers.
    Snapshots,
    /// Activity over time, and the ops.
    Timeline,
    /// Bursts that look like damage.
    Suspects,
    /// The versions of one document.
    History,
    /// What going back would change.
    Preview,
    /// Named places in the oplog.
    Marks,
    /// The states at several times.
    States,
    /// What a restore would do.
    Plan,
    /// A restore, running or ended.
    Restore,
}

/// What has been chosen so far: base, stop, target.
#[derive(Debug, Clone, Default)]
pub struct Choice {
    /// The base, where one was named; else the newest before the stop.
    pub snapshot: Option<String>,
    /// The exclusive bound.
    pub stop: Option<Position>,
    /// The stop, looked at.
    pub facts: Loadable<StopFacts>,
    /// What follows it.
    pub after: Loadable<After>,
    /// The stop and the base that the case knows of.
    pub noted: Option<(Position, Option<String>)>,
    /// Which of the targets.
    pub target: usize,
    /// A target that somebody named: the last one in the list.
    pub named: Option<Target>,
}

/// One line about what just happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// The line.
    pub text: String,
    /// Whether it is bad news.
    pub bad: bool,
}

/// Something that went wrong.
#[derive(Debug, Clone, PartialEq)]
pub struct Mishap {
    /// When, in seconds since 1970.
    pub utc: i64,
    /// What.
    pub error: Error,
}

/// Everything.
#[derive(Debug, Clone)]
pub struct Model {
    /// What was known at the start.
    pub start: Start,
    /// Columns and rows of the terminal.
    pub size: (u16, u16),
    /// Milliseconds of the runtime's clock.
    pub now: u64,
    /// Seconds since 1970.
    pub utc: i64,
    /// Which keys do what.
    pub keymap: Keymap,
    /// Keys of a sequence that has begun.
    pub pressed: Vec<Key>,
    /// Keys that wait: the cursor is on its way, and they are meant for where it arrives.
    pub held: Vec<Key>,
    /// The screens, the visible one last; never empty.
    pub stack: Vec<Screen>,
    /// What lies over the screen, the uppermost last.
    pub overlays: Vec<Overlay>,
    /// What runs.
    pub jobs: Jobs,
    /// The last thing to say.
    pub status: Option<Status>,
    /// What went wrong so far, the newest last.
    pub mishaps: Vec<Mishap>,
    /// The sources.
    pub opened: Loadable<Opened>,
    /// The live ones among them, once there is news of them.
    pub live: Option<live::Live>,
    /// What has been chosen.
    pub choice: Choice,
    /// The list of snapshots.
    pub snapshots: Window,
    /// The timeline.
    pub timeline: timeline::Timeline,
    /// The suspects.
    pub suspects: suspects::Suspects,
    /// The versions of one document.
    pub history: history::History,
    /// The preview.
    pub preview: preview::Preview,
    /// The marks.
    pub marks: marks::Marks,
    /// The states at several times.
    pub states: states::States,
    /// The plan.
    pub plan: plan::Planning,
    /// The restore.
    pub restore: Option<restore::Restore>,
    /// When Ctrl-c was pressed last.
    pub interrupted: Option<u64>,
    /// Whether local time is shown beside UTC.
    pub local: bool,
}

impl Model {
    /// The state before anything has happened.
    pub fn new(start: Start) -> Self {
        Model {
            start,
            size: (80, 24),
            now: 0,
            utc: 0,
            keymap: Keymap::default(),
            pressed: Vec::new(),
            held: Vec::new(),
            stack: vec![Screen::Snapshots],
            overlays: Vec::new(),
            jobs: Jobs::default(),
            status: None,
            mishaps: Vec::new(),
            opened: Loadable::Idle,
            live: None,
            choice: Choice::default(),
            snapshots: Window::default(),
            timeline: timeline::Timeline::default(),
            suspects: suspects::Suspects::default(),
            history: history::History::default(),
            preview: preview::Preview::default(),
            marks: marks::Marks::default(),
            states: states::States::default(),
            plan: plan::Planning::default(),
            restore: None,
            interrupted: None,
            local: false,
        }
    }

    /// Date and local time of a position, while it is to be shown.
    pub fn local_time(&self, pos: Position) -> Option<String> {
        self.local.then(|| self.start.zone.local(pos.secs))
    }

    /// The visible screen.
    pub fn screen(&self) -> Screen {
        self.stack.last().copied().unwrap_or(Screen::Snapshots)
    }

    /// Shows a screen; one that lies below on the stack is gone back to.
    pub fn show(&mut self, screen: Screen) {
        match self.stack.iter().position(|s| *s == screen) {
            Some(at) => self.stack.truncate(at + 1),
            None => self.stack.push(screen),
        }
    }

    /// The target chosen.
    pub fn target(&self) -> Option<&Target> {
        self.targets().nth(self.choice.target)
    }

    /// Where a restore can go.
    pub fn targets(&self) -> impl Iterator<Item = &Target> {
        let known = self.opened.value().map_or(&[][..], |opened| opened.targets.as_slice());
        known.iter().chain(&self.choice.named)
    }

    /// The snapshot that the stop would use: the one named, else the newest before it.
    pub fn base(&self) -> Option<crate::domain::Result<&crate::domain::snapshot::SnapshotInfo>> {
        let opened = self.opened.value()?;
        let bound = self.choice.stop?;
        Some(snapshots::base(opened, self.choice.snapshot.as_deref(), bound))
    }

    /// Says something in the status line.
    pub fn say(&mut self, text: impl Into<String>) {
        self.status = Some(Status { text: text.into(), bad: false });
    }

    /// Notes that something went wrong, and says so.
    pub fn fail(&mut self, error: &Error) {
        let text = match error.place.as_str() {
            "" => format!("{}: {}", error.doing, error.cause),
            place => format!("{} {place}: {}", error.doing, error.cause),
        };
        self.status = Some(Status { text, bad: true });
        if self.mishaps.len() == MISHAPS {
            self.mishaps.remove(0);
        }
        self.mishaps.push(Mishap { utc: self.utc, error: error.clone() });
    }

    /// Whether a restore runs.
    pub fn is_restoring(&self) -> bool {
        self.jobs.get(Slot::Restore).is_some()
    }

    /// After how many milliseconds the screen will look different without any message; `None` =
    /// never. Something that runs is shown with its time.
    pub fn next_change(&self) -> Option<u64> {
        if self.jobs.any() {
            return Some(100);
        }
        // The clock in the header shows minutes.
        let second = u64::try_from(self.utc.rem_euclid(60)).unwrap_or(0);
        let minute = (60 - second) * 1000;
        Some(live::next(self).map_or(minute, |wait| wait.min(minute)))
    }
}

/// How many errors are kept.
const MISHAPS: usize = 100;
