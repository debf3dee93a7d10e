//! The history of one document: every version of it, from the snapshot on, whether it is still
//! there or not.

use crate::app::document::{Change, DocumentRef, VersionLine, Versions};
use crate::app::effect::{Effect, Work};
use crate::app::model::{Model, Screen};
use crate::app::overlay::Overlay;
use crate::app::screens::{change, stop, timeline};
use crate::app::window::Window;
use crate::app::{Loadable, actions, jobs::Slot, update, view};
use crate::domain::Result;
use crate::domain::op::{Op, OpKind};
use crate::keys::Action;

/// Its state.
#[derive(Debug, Clone, Default)]
pub struct History {
    /// Of which document.
    pub of: Option<DocumentRef>,
    /// Its versions.
    pub found: Loadable<Versions>,
    /// Which is highlighted.
    pub list: Window,
    /// A version in full, and its number.
    pub version: (u64, Loadable<Change>),
}

impl History {
    /// The versions known so far.
    pub fn versions(&self) -> &[VersionLine] {
        self.found.value().map_or(&[], |found| found.list.as_slice())
    }

    /// The highlighted version.
    pub fn selected(&self) -> Option<&VersionLine> {
        self.versions().get(usize::try_from(self.list.cursor).ok()?)
    }
}

/// The document that an op is about; `None` = it is about none.
pub fn of_op(op: &Op) -> Option<DocumentRef> {
    let about = op.kind != OpKind::Command && op.kind != OpKind::Noop;
    op.id.as_ref().filter(|_| about).map(|id| DocumentRef { ns: op.ns.clone(), id: id.clone() })
}

/// The document one is on, wherever that is.
pub fn of_here(model: &Model) -> Option<DocumentRef> {
    if let Some(Overlay::Change(reading)) = model.overlays.last() {
        return reading.of.clone();
    }
    match model.screen() {
        Screen::Timeline => model.timeline.selected().and_then(of_op),
        Screen::History => model.history.of.clone(),
        Screen::Preview => {
            let document = model.preview.document().filter(|_| model.preview.on_side)?;
            Some(DocumentRef { ns: document.ns.to_string(), id: document.id.clone() })
        }
        _ => None,
    }
}

/// Shows the versions of a document.
pub fn show(model: &mut Model, of: DocumentRef, out: &mut Vec<Effect>) {
    model.overlays.clear();
    model.show(Screen::History);
    let known = model.history.of.as_ref() == Some(&of) && model.history.found.error().is_none();
    if !known {
        model.history = History { of: Some(of), ..History::default() };
        follow(model, out);
    }
}

/// Follows the document anew.
pub fn follow(model: &mut Model, out: &mut Vec<Effect>) {
    let Some(of) = model.history.of.clone() else { return };
    model.history.found.ask(model.now);
    update::ask(model, Slot::History, Work::History { of }, out);
}

/// The versions have come; the cursor goes to the one that one came from, else to the last.
pub fn found(model: &mut Model, answer: Result<Versions>) {
    model.history.found.fill(answer);
    let at = model.timeline.at;
    let versions = model.history.versions();
    let row = versions.iter().rposition(|v| v.pos == at).unwrap_or(versions.len().saturating_sub(1));
    let (len, rows) = (versions.len() as u64, view::list_rows(Screen::History, model.size));
    model.history.list.jump(row as u64, len, rows);
    model.history.version = (0, Loadable::Idle);
}

/// A version has come.
pub fn version(model: &mut Model, answer: Result<Change>) {
    change::arrived(model, &answer, change::Of::Version);
    model.history.version.1.fill(answer);
}

/// Asks for the highlighted version, if it is not there.
pub fn demand(model: &mut Model, out: &mut Vec<Effect>) {
    if model.screen() != Screen::History || model.history.found.ready().is_none() {
        return;
    }
    let len = model.history.versions().len() as u64;
    model.history.list.settle(len, view::list_rows(Screen::History, model.size));
    let number = model.history.list.cursor;
    let (known, version) = &model.history.version;
    let Some(of) = model.history.of.clone().filter(|_| len > 0) else { return };
    if *known == number && !version.is_idle() {
        return;
    }
    model.history.version.0 = number;
    model.history.version.1.ask(model.now);
    update::ask(model, Slot::Version, Work::Version { of, number }, out);
}

/// Carries an action out; `false` = it is none of this screen.
pub fn perform(model: &mut Model, action: Action, out: &mut Vec<Effect>) -> bool {
    if let Some(motion) = actions::motion(action) {
        let len = model.history.versions().len() as u64;
        let rows = view::list_rows(Screen::History, model.size);
        model.history.list.go(motion, len, rows);
        return true;
    }
    let Some(pos) = model.history.selected().map(|v| v.pos) else { return false };
    match action {
        Action::Open => {
            timeline::go_to(model, pos, out);
            model.show(Screen::Timeline);
        }
        Action::StopBefore => stop::choose(model, pos, out),
        Action::Fold => change::of_version(model),
        _ => return false,
    }
    true
}
