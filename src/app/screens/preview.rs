//! The preview: what going back to the stop would change, namespace by namespace, document by
//! document.

use std::collections::BTreeMap;

use crate::app::data::{Diff, Documents};
use crate::app::effect::{Effect, Work};
use crate::app::model::{Model, Screen};
use crate::app::overlay::{Detail, Overlay};
use crate::app::values;
use crate::app::window::Window;
use crate::app::{Loadable, actions, jobs::Slot, update, view};
use crate::domain::diff::{DocumentDiff, NamespaceDiff};
use crate::domain::{Position, Result};
use crate::keys::Action;

/// Its state.
#[derive(Debug, Clone, Default)]
pub struct Preview {
    /// What it was made for: the bound and the base named.
    pub made_for: Option<(Position, Option<String>)>,
    /// The numbers.
    pub diff: Loadable<Diff>,
    /// The list of namespaces.
    pub list: Window,
    /// The documents of the namespaces looked at.
    pub documents: BTreeMap<String, Loadable<Documents>>,
    /// The list of documents.
    pub side: Window,
    /// Whether the documents are moved through.
    pub on_side: bool,
}

impl Preview {
    /// The namespaces that differ.
    pub fn namespaces(&self) -> &[NamespaceDiff] {
        self.diff.value().map_or(&[], |diff| diff.namespaces.as_slice())
    }

    /// The highlighted namespace.
    pub fn selected(&self) -> Option<&NamespaceDiff> {
        self.namespaces().get(usize::try_from(self.list.cursor).ok()?)
    }

    /// The documents of the highlighted namespace.
    pub fn shown(&self) -> Option<&Loadable<Documents>> {
        self.documents.get(&self.selected()?.ns.to_string())
    }

    /// The highlighted document.
    pub fn document(&self) -> Option<&DocumentDiff> {
        self.shown()?.value()?.documents.get(usize::try_from(self.side.cursor).ok()?)
    }
}

/// Shows the preview of the stop that is chosen.
pub fn show(model: &mut Model, out: &mut Vec<Effect>) {
    model.overlays.clear();
    model.show(Screen::Preview);
    let Some(bound) = model.choice.stop else { return };
    let key = (bound, model.choice.snapshot.clone());
    if model.preview.made_for.as_ref() != Some(&key) {
        compare(model, out);
    }
}

/// Compares anew.
pub fn compare(model: &mut Model, out: &mut Vec<Effect>) {
    let Some(bound) = model.choice.stop else { return };
    let snapshot = model.choice.snapshot.clone();
    model.preview = Preview { made_for: Some((bound, snapshot.clone())), ..Preview::default() };
    model.preview.diff.ask(model.now);
    update::ask(model, Slot::Diff, Work::Diff { bound, snapshot }, out);
}

/// Asks for the documents of the highlighted namespace, if they are not there.
pub fn demand(model: &mut Model, out: &mut Vec<Effect>) {
    if model.screen() != Screen::Preview || model.preview.diff.ready().is_none() {
        return;
    }
    let (list, side) = view::preview(model.size);
    let len = model.preview.namespaces().len() as u64;
    model.preview.list.settle(len, u64::from(list.h));
    let documents = shown_len(model);
    model.preview.side.settle(documents, u64::from(side.h));
    let Some((bound, snapshot)) = model.preview.made_for.clone() else { return };
    let Some(ns) = model.preview.selected().map(|found| found.ns.to_string()) else { return };
    let known = model.preview.documents.get(&ns);
    if known.is_some_and(|documents| !documents.is_idle()) {
        return;
    }
    // One at a time: what is asked for somewhere else is of no interest any more.
    for other in model.preview.documents.values_mut().filter(|d| d.is_loading()) {
        *other = Loadable::Idle;
    }
    model.preview.documents.entry(ns.clone()).or_default().ask(model.now);
    update::ask(model, Slot::Documents, Work::Documents { bound, snapshot, ns }, out);
}

/// The documents of a namespace have come.
pub fn documents(model: &mut Model, answer: Result<Documents>) {
    if let Some(waiting) = model.preview.documents.values_mut().find(|d| d.is_loading()) {
        waiting.fill(answer);
    }
}

fn shown_len(model: &Model) -> u64 {
    model.preview.shown().and_then(Loadable::value).map_or(0, |d| d.documents.len() as u64)
}

/// Carries an action out; `false` = it is none of this screen.
pub fn perform(model: &mut Model, action: Action, _out: &mut Vec<Effect>) -> bool {
    let (list, side) = view::preview(model.size);
    if let Some(motion) = actions::motion(action) {
        if model.preview.on_side {
            let len = shown_len(model);
            model.preview.side.go(motion, len, u64::from(side.h));
        } else {
            let (before, len) = (model.preview.list.cursor, model.preview.namespaces().len() as u64);
            model.preview.list.go(motion, len, u64::from(list.h));
            if model.preview.list.cursor != before {
                model.preview.side = Window::default();
            }
        }
        return true;
    }
    match action {
        Action::OtherPane => model.preview.on_side = !model.preview.on_side,
        Action::Open if !model.preview.on_side => model.preview.on_side = true,
        Action::Open => {
            if let Some(document) = model.preview.document() {
                let title = format!("{} in {}", values::short(&document.id), document.ns);
                let text = values::difference(document);
                let copy = values::copy_of(document);
                let detail = Detail { title, text: Loadable::Ready(text), copy, list: Window::default() };
                model.overlays.push(Overlay::Detail(detail));
            }
        }
        Action::Back if model.preview.on_side => model.preview.on_side = false,
        _ => return false,
    }
    true
}
