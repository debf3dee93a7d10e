//! What an op or a version made of its document: before, after, and what differs, in a text that
//! lies over the screen.

use crate::app::compare::{self, Piece};
use crate::app::data::Text;
use crate::app::document::{Change, DocumentRef};
use crate::app::effect::{Copy, Effect, Work};
use crate::app::model::Model;
use crate::app::overlay::{Menu, Overlay};
use crate::app::screens::{history, stop, timeline};
use crate::app::window::Window;
use crate::app::{Loadable, jobs::Slot, update, values, view};
use crate::domain::{Position, Result};
use crate::keys::Action;

/// Awaiting is not shown before this many milliseconds: most answers are faster.
const PATIENCE: u64 = 150;

/// What is read.
#[derive(Debug, Clone)]
pub struct Reading {
    /// What it is.
    pub title: String,
    /// Where.
    pub pos: Position,
    /// The document; `None` = it is about none.
    pub of: Option<DocumentRef>,
    /// The op itself; nothing where a version is read.
    pub op: Loadable<Text>,
    /// What became of the document.
    pub change: Loadable<Change>,
    /// Whose answer is awaited.
    pub whose: Of,
    /// How far it is scrolled.
    pub list: Window,
}

/// Of what a change is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// Of an op on the timeline.
    Op,
    /// Of a version in a history.
    Version,
}

/// Shows the highlighted op, and asks for its document before and after.
pub fn of_op(model: &mut Model, out: &mut Vec<Effect>) {
    let Some(op) = model.timeline.selected().cloned() else { return };
    let row = model.timeline.list.cursor;
    let (known, text) = &model.timeline.detail;
    let mut text = text.clone();
    if *known != row || text.ready().is_none() {
        timeline::detail(model, out);
        text = Loadable::Loading { since: model.now, before: None };
    }
    let of = history::of_op(&op);
    let mut change = Loadable::Idle;
    if of.is_some() {
        change.ask(model.now);
        update::ask(model, Slot::Change, Work::Change { view: model.timeline.view.clone(), row }, out);
    }
    let name = op.command.as_deref().unwrap_or(op.kind.name());
    let title = format!("{name} {} at {}, {}", op.ns, op.pos, op.time);
    let list = Window::default();
    let reading = Reading { title, pos: op.pos, of, op: text, change, whose: Of::Op, list };
    model.overlays.push(Overlay::Change(Box::new(reading)));
}

/// Shows the highlighted version of a history.
pub fn of_version(model: &mut Model) {
    let Some(version) = model.history.selected() else { return };
    let reading = Reading {
        title: format!("{} {} at {}, {}", version.what, version.ns, version.pos, version.pos.time()),
        pos: version.pos,
        of: model.history.of.clone(),
        op: Loadable::Idle,
        change: model.history.version.1.clone(),
        whose: Of::Version,
        list: Window::default(),
    };
    model.overlays.push(Overlay::Change(Box::new(reading)));
}

/// A change has come: for the text that waits for it.
pub fn arrived(model: &mut Model, answer: &Result<Change>, whose: Of) {
    let waiting = model.overlays.iter_mut().find_map(|overlay| match overlay {
        Overlay::Change(reading) if reading.whose == whose && reading.change.is_loading() => Some(reading),
        _ => None,
    });
    if let Some(reading) = waiting {
        reading.change.fill(answer.clone());
    }
}

/// Carries an action out on the text; `false` = it is not for it.
pub fn perform(model: &mut Model, action: Action, out: &mut Vec<Effect>) -> bool {
    let Some(Overlay::Change(reading)) = model.overlays.last() else { return false };
    match action {
        Action::StopBefore => {
            let pos = reading.pos;
            model.overlays.pop();
            stop::choose(model, pos, out);
        }
        Action::Copy => {
            let menu = menu(reading);
            model.overlays.push(Overlay::Menu(menu));
        }
        _ => return false,
    }
    true
}

/// What can be copied of it.
fn menu(reading: &Reading) -> Menu {
    let mut items = Vec::new();
    let mut add =
        |name: &str, shown: String, text: String| items.push((name.to_owned(), shown, Copy::Text(text)));
    add("the position", reading.pos.to_string(), reading.pos.to_string());
    if let Some(of) = &reading.of {
        add("the _id", values::short(&of.id), of.id.to_string());
    }
    if let Some(change) = reading.change.ready() {
        for (name, document) in
            [("the document before", &change.before), ("the document after", &change.after)]
        {
            if let Some(document) = document {
                let text = serde_json::to_string_pretty(document).unwrap_or_default();
                add(name, values::short(document), text);
            }
        }
        if !change.fields.is_empty() {
            let text = serde_json::to_string_pretty(&change.fields).unwrap_or_default();
            add("what it changed", compare::fields_line(&change.fields), text);
        }
    }
    if let Some(op) = reading.op.ready() {
        add("the op", op.lines.first().cloned().unwrap_or_default(), op.lines.join("\n"));
    }
    Menu { title: "Copy".into(), items, list: Window::default() }
}

/// The text, in lines of at most so many columns, where that can be.
pub fn lines(model: &Model, reading: &Reading) -> Vec<Vec<Piece>> {
    let room = usize::from(view::reader(model.size).w.saturating_sub(4));
    let mut out = Vec::new();
    match (&reading.change, &reading.of) {
        (Loadable::Ready(change), _) => out.extend(compare::change(change, room)),
        (Loadable::Loading { since, .. }, _) => {
            let waited = model.now.saturating_sub(*since);
            if waited >= PATIENCE {
                let secs = waited as f64 / 1000.0;
                let text =
                    format!("rebuilding the document before and after ... {secs:.1} s, Ctrl-c stops it");
                out.push(vec![Piece::dim(text)]);
                out.push(Vec::new());
            }
        }
        (Loadable::Failed(error), _) => {
            out.push(vec![Piece::bad(format!("The document before and after: {}", error.cause))]);
            if !error.hint.is_empty() {
                out.push(vec![Piece::plain(format!("hint: {}", error.hint))]);
            }
            out.push(Vec::new());
        }
        (Loadable::Idle, Some(_)) => {}
        (Loadable::Idle, None) => {
            out.push(vec![Piece::dim(
                "It is about no single document: there is nothing before and after it.",
            )]);
            out.push(Vec::new());
        }
    }
    if let Some(op) = reading.op.value() {
        out.push(vec![Piece::title("The op")]);
        out.extend(op.lines.iter().map(|line| vec![Piece::plain(line)]));
    }
    out
}
