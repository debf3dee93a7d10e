//! The states at several times, side by side and without a restore: documents counted by
//! namespace, by a condition, and one document as it was at each of them.

use crate::app::data::Text;
use crate::app::effect::{Effect, Export, Work};
use crate::app::model::{Model, Screen};
use crate::app::overlay::{Detail, Overlay};
use crate::app::prompts::{self, Purpose};
use crate::app::screens::{case, marks, plan, stop};
use crate::app::values;
use crate::app::window::Window;
use crate::app::{Loadable, actions, jobs::Slot, update, view};
use crate::domain::Namespace;
use crate::domain::query::IdPattern;
use crate::domain::states::{Moment, NamespaceState, StateAt, namespaces};
use crate::keys::Action;
use serde_json::Value;

/// What is asked of the states.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Question {
    /// At which times.
    pub moments: Vec<Moment>,
    /// In which namespaces; none = all.
    pub ns: Vec<String>,
    /// Of which documents: an object in Extended JSON.
    pub condition: Option<String>,
    /// Of which one document.
    pub id: Option<String>,
}

/// The screen's state.
#[derive(Debug, Clone, Default)]
pub struct States {
    /// What was asked.
    pub question: Question,
    /// The answer.
    pub found: Loadable<Vec<StateAt>>,
    /// Which namespace is highlighted.
    pub list: Window,
    /// Which time is.
    pub column: usize,
}

impl States {
    /// The states known so far.
    pub fn all(&self) -> &[StateAt] {
        self.found.value().map_or(&[], Vec::as_slice)
    }

    /// The highlighted namespace.
    pub fn namespace(&self) -> Option<&Namespace> {
        namespaces(self.all()).into_iter().nth(usize::try_from(self.list.cursor).ok()?)
    }

    /// The highlighted state.
    pub fn state(&self) -> Option<&StateAt> {
        self.all().get(self.column)
    }
}

/// The documents that a state shows of a namespace: the one asked for, else those that fulfil the
/// condition.
pub fn documents(found: &NamespaceState) -> impl Iterator<Item = &Value> {
    found.found.iter().chain(&found.samples)
}

/// Shows the states at the marks that are chosen.
pub fn show(model: &mut Model, out: &mut Vec<Effect>) {
    model.overlays.clear();
    model.show(Screen::States);
    let moments = marks::moments(model);
    if moments != model.states.question.moments || model.states.found.error().is_some() {
        model.states.question.moments = moments;
        model.states.column = 0;
        look(model, out);
    }
}

/// Looks at them anew.
pub fn look(model: &mut Model, out: &mut Vec<Effect>) {
    model.states.found.ask(model.now);
    let question = model.states.question.clone();
    update::ask(model, Slot::States, Work::States(question), out);
}

/// Something was typed and accepted; the error is a sentence for the prompt.
pub fn typed(model: &mut Model, purpose: Purpose, text: &str, out: &mut Vec<Effect>) -> Result<(), String> {
    let given = (!text.is_empty()).then(|| text.to_owned());
    match purpose {
        Purpose::ExportStates => {
            let path = prompts::file(text)?;
            let question = model.states.question.clone();
            case::export(model, Export::States(question), path, out);
            return Ok(());
        }
        Purpose::Where => {
            if let Some(text) = &given {
                let object = serde_json::from_str::<serde_json::Map<String, Value>>(text);
                object.map_err(|e| format!("this is no JSON object: {e}"))?;
            }
            model.states.question.condition = given;
        }
        Purpose::Id => {
            if let Some(text) = &given {
                IdPattern::parse(text).map_err(|e| e.cause)?;
            }
            model.states.question.id = given;
        }
        _ => model.states.question.ns = text.split_whitespace().map(str::to_owned).collect(),
    }
    look(model, out);
    Ok(())
}

/// Carries an action out; `false` = it is none of this screen.
pub fn perform(model: &mut Model, action: Action, out: &mut Vec<Effect>) -> bool {
    if let Some(motion) = actions::motion(action) {
        let len = namespaces(model.states.all()).len() as u64;
        model.states.list.go(motion, len, view::list_rows(Screen::States, model.size));
        return true;
    }
    let question = &model.states.question;
    match action {
        Action::Where => {
            let before = question.condition.clone().unwrap_or_default();
            prompts::ask(model, Purpose::Where, &before);
        }
        Action::OneDocument => {
            let before = question.id.clone().unwrap_or_default();
            prompts::ask(model, Purpose::Id, &before);
        }
        Action::Namespaces => {
            let before = question.ns.join(" ");
            prompts::ask(model, Purpose::Namespaces, &before);
        }
        Action::Earlier => model.states.column = model.states.column.saturating_sub(1),
        Action::Later => {
            model.states.column = (model.states.column + 1).min(model.states.all().len().saturating_sub(1));
        }
        Action::Export => prompts::ask(model, Purpose::ExportStates, "pitstop-states.md"),
        Action::Open => open(model),
        Action::StopBefore | Action::Plan => {
            let Some(bound) = model.states.state().map(|state| state.stop.bound) else { return true };
            stop::choose(model, bound, out);
            if action == Action::Plan {
                plan::show(model, out);
            }
        }
        _ => return false,
    }
    true
}

/// Shows the documents of the highlighted state and namespace in full.
fn open(model: &mut Model) {
    let (Some(state), Some(ns)) = (model.states.state(), model.states.namespace()) else { return };
    let title = format!("{ns} at {}, {}", state.moment.title(), state.stop.time);
    let mut lines =
        vec![format!("before {} ({}), from snapshot {}", state.stop.bound, state.stop.time, state.snapshot)];
    lines.extend(state.moment.note.iter().map(|note| format!("note: {note}")));
    let mut copy = Vec::new();
    match state.namespace(ns) {
        None => lines.push("the collection is not there at this time".into()),
        Some(found) => {
            lines.push(format!("{} documents", found.numbers()));
            for document in documents(found) {
                lines.push(String::new());
                lines.extend(values::lines(document));
                copy.push(document.to_string());
            }
        }
    }
    let copy = if copy.is_empty() { lines.join("\n") } else { copy.join("\n") };
    model.overlays.push(Overlay::Detail(Detail::new(title, Text { lines }, copy)));
}
