//! A restore, watched while it runs, and what became of it. It is a process of its own: leaving
//! this screen, or this program, does not end it.

use crate::app::data::Outcome;
use crate::app::effect::{Copy, Effect, RestoreRequest};
use crate::app::model::{Model, Screen};
use crate::app::overlay::{Confirm, Menu, Overlay, Then};
use crate::app::window::Window;
use crate::app::{Loadable, actions, jobs::Slot, view};
use crate::domain::Result;
use crate::domain::progress::{Phase, Reading};
use crate::keys::Action;

/// Its state.
#[derive(Debug, Clone)]
pub struct Restore {
    /// What was asked for.
    pub request: RestoreRequest,
    /// When it began, in milliseconds of the runtime's clock.
    pub since: u64,
    /// The phases so far: which, when it was first seen, and the last reading.
    pub phases: Vec<Seen>,
    /// Whether it was asked to stop.
    pub cancelling: bool,
    /// What became of it.
    pub outcome: Loadable<Outcome>,
    /// The table of what was compared.
    pub list: Window,
}

/// A phase as it was seen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Seen {
    /// Which.
    pub phase: Phase,
    /// When it was first seen, in milliseconds of the runtime's clock.
    pub since: u64,
    /// The last reading, and when.
    pub reading: Reading,
    /// When that was.
    pub at: u64,
}

impl Seen {
    /// Items a second, once there is something to divide.
    pub fn rate(&self) -> Option<f64> {
        let secs = self.at.saturating_sub(self.since) as f64 / 1000.0;
        (secs >= 0.2 && self.reading.done > 0).then(|| self.reading.done as f64 / secs)
    }

    /// Seconds still to go in this phase, where the total is known.
    pub fn remaining(&self) -> Option<f64> {
        let left = self.reading.total.checked_sub(self.reading.done)?;
        (self.reading.total > 0).then_some(left as f64 / self.rate()?)
    }

    /// How far it is, 0 to 1, where the total is known; never 1 while it runs.
    pub fn share(&self) -> Option<f64> {
        let Reading { done, total, .. } = self.reading;
        (total > 0).then(|| (done as f64 / total as f64).min(0.999))
    }
}

/// Begins one. Only ever called behind a Yes.
pub fn begin(model: &mut Model, request: RestoreRequest, out: &mut Vec<Effect>) {
    let job = model.jobs.start(Slot::Restore, model.now);
    let mut outcome = Loadable::Idle;
    outcome.ask(model.now);
    model.restore = Some(Restore {
        request: request.clone(),
        since: model.now,
        phases: Vec::new(),
        cancelling: false,
        outcome,
        list: Window::default(),
    });
    out.push(Effect::Restore { job, request });
    model.overlays.clear();
    model.show(Screen::Restore);
}

/// Takes what the restore says of itself.
pub fn progress(model: &mut Model, reading: Reading) {
    let now = model.now;
    let Some(restore) = &mut model.restore else { return };
    match restore.phases.last_mut() {
        Some(seen) if seen.phase == reading.phase => {
            seen.reading = reading;
            seen.at = now;
        }
        _ => restore.phases.push(Seen { phase: reading.phase, since: now, reading, at: now }),
    }
}

/// It has ended.
pub fn ended(model: &mut Model, answer: Result<Outcome>) {
    let good = matches!(&answer, Ok(outcome) if outcome.error.is_none());
    if let Ok(Outcome { error: Some(error), .. }) = &answer {
        let error = error.clone();
        model.fail(&error);
    }
    if let Some(restore) = &mut model.restore {
        restore.outcome.fill(answer);
    }
    model.overlays.retain(|o| !matches!(o, Overlay::Confirm(confirm) if confirm.is_about_what_runs()));
    if good {
        let shows = || actions::key_of(model, Action::ScreenRestore);
        let text = match model.screen() {
            Screen::Restore => "verified: what was restored is what was to be restored".to_owned(),
            _ => format!("the restore is done and verified: {} shows it", shows()),
        };
        model.say(text);
    }
}

/// Asks it to stop. Only ever called behind a Yes.
pub fn cancel(model: &mut Model, out: &mut Vec<Effect>) {
    if let Some(restore) = model.restore.as_mut().filter(|r| r.outcome.is_loading()) {
        restore.cancelling = true;
        out.push(Effect::CancelRestore);
        model.say("the restore was asked to stop");
    }
}

/// Puts the question before a cancel, and with it what is left behind.
pub fn ask_to_cancel(model: &mut Model) {
    let Some(restore) = model.restore.as_ref().filter(|r| r.outcome.is_loading()) else { return };
    let facts = vec![
        format!("It goes to {}.", restore.request.target),
        left_behind(&restore.request.target).into(),
        "The sources are not touched.".into(),
    ];
    let yes = ("Yes, cancel it", Then::CancelRestore);
    let confirm = Confirm::no_or_yes("Cancel the restore?".into(), facts, "No, let it go on", yes);
    model.show(Screen::Restore);
    model.overlays.push(Overlay::Confirm(confirm));
}

/// Carries an action out; `false` = it is none of this screen.
pub fn perform(model: &mut Model, action: Action, out: &mut Vec<Effect>) -> bool {
    let rows = view::list_rows(Screen::Restore, model.size);
    let Some(restore) = &mut model.restore else { return false };
    if let Some(motion) = actions::motion(action) {
        let len = restore.outcome.value().map_or(0, |o| o.checks.len() as u64);
        restore.list.go(motion, len, rows);
        return true;
    }
    match action {
        Action::CancelRestore => ask_to_cancel(model),
        Action::Copy => match menu(restore) {
            Some(menu) => model.overlays.push(Overlay::Menu(menu)),
            None => out.push(Effect::Copy(Copy::Text(restore.request.target.clone()))),
        },
        _ => return false,
    }
    true
}

/// What a cancelled restore leaves, by its target.
fn left_behind(target: &str) -> &'static str {
    if target == "isolated" || target.starts_with("archive:") {
        return "What it has written so far is removed.";
    }
    "What it has written so far stays there, marked as incomplete; the same restore goes on from it."
}

/// What can be copied of a result.
fn menu(restore: &Restore) -> Option<Menu> {
    let mut items = Vec::new();
    match &restore.outcome {
        Loadable::Ready(outcome) => {
            if let Some(restored) = &outcome.restored {
                items.push(("how to connect".to_owned(), restored.place.clone(), Copy::Connection));
            }
            if let Some(error) = &outcome.error {
                items.push(("the error".to_owned(), error.cause.clone(), Copy::Text(error.to_string())));
            }
            items.push(("its folder".to_owned(), outcome.folder.clone(), Copy::Text(outcome.folder.clone())));
        }
        Loadable::Failed(error) => {
            items.push(("the error".to_owned(), error.cause.clone(), Copy::Text(error.to_string())));
        }
        _ => return None,
    }
    Some(Menu { title: "Copy".into(), items, list: Window::default() })
}
