//! The preview: what going back to the stop would change, namespace by namespace, document by
//! document, against the end or another time. Numbers come first; documents as they are found.

use std::collections::BTreeMap;

use crate::app::data::{Diff, Documents, Text};
use crate::app::effect::{Effect, Export, Work};
use crate::app::finding::{self, Way};
use crate::app::model::{Model, Screen};
use crate::app::overlay::{Detail, Overlay};
use crate::app::prompts::{self, Purpose};
use crate::app::screens::{case, goto};
use crate::app::values;
use crate::app::window::Window;
use crate::app::{Loadable, actions, jobs::Slot, update, view};
use crate::domain::diff::{CollectionDiff, DocumentDiff, NamespaceDiff};
use crate::domain::diff_filter::DocumentFilter;
use crate::domain::{Position, Result};
use crate::keys::Action;

/// Its state.
#[derive(Debug, Clone, Default)]
pub struct Preview {
    /// What it was made for.
    pub made_for: Option<Comparison>,
    /// The other side; `None` = the end.
    pub against: Option<(Position, String)>,
    /// The numbers.
    pub diff: Loadable<Diff>,
    /// The list of namespaces.
    pub list: Window,
    /// The documents of the namespaces looked at, by their names.
    pub documents: BTreeMap<String, Loadable<Documents>>,
    /// The query that narrows them.
    pub filter: Option<String>,
    /// What was looked for in them.
    pub find: Option<String>,
    /// The list of documents.
    pub side: Window,
    /// Whether the documents are moved through.
    pub on_side: bool,
    /// The highlighted row in full, where there is room for it; and which row that is.
    pub beside: Option<((u64, u64), Text)>,
}

/// Which two states are compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// The exclusive bound to go back to.
    pub bound: Position,
    /// The base, if one was named.
    pub snapshot: Option<String>,
    /// The exclusive bound of the other side; `None` = the end.
    pub against: Option<Position>,
}

/// A row beside the namespaces.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Row<'p> {
    /// Something about the collection itself.
    Collection(&'p CollectionDiff),
    /// A document.
    Document(&'p DocumentDiff),
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

    /// How many rows stand beside the namespaces.
    pub fn rows(&self) -> u64 {
        let documents = self.shown().and_then(Loadable::value).map_or(0, |d| d.documents.len());
        (self.collection().len() + documents) as u64
    }

    /// A row beside the namespaces.
    pub fn row(&self, row: u64) -> Option<Row<'_>> {
        let row = usize::try_from(row).ok()?;
        let collection = self.collection();
        match collection.get(row) {
            Some(change) => Some(Row::Collection(change)),
            None => {
                let documents = &self.shown()?.value()?.documents;
                documents.get(row - collection.len()).map(Row::Document)
            }
        }
    }

    /// The highlighted document.
    pub fn document(&self) -> Option<&DocumentDiff> {
        match self.row(self.side.cursor)? {
            Row::Document(document) => Some(document),
            Row::Collection(_) => None,
        }
    }

    /// What differs of the highlighted collection itself; a filter is about documents only.
    fn collection(&self) -> &[CollectionDiff] {
        match (&self.filter, self.selected()) {
            (None, Some(found)) => &found.collection,
            _ => &[],
        }
    }
}

/// Shows the preview of the stop that is chosen.
pub fn show(model: &mut Model, out: &mut Vec<Effect>) {
    model.overlays.clear();
    model.show(Screen::Preview);
    if wanted(model).is_some_and(|wanted| model.preview.made_for.as_ref() != Some(&wanted)) {
        compare(model, out);
    }
}

/// What is to be compared, as chosen.
fn wanted(model: &Model) -> Option<Comparison> {
    Some(Comparison {
        bound: model.choice.stop?,
        snapshot: model.choice.snapshot.clone(),
        against: model.preview.against.as_ref().map(|(bound, _)| *bound),
    })
}

/// Compares anew.
pub fn compare(model: &mut Model, out: &mut Vec<Effect>) {
    let Some(wanted) = wanted(model) else { return };
    let against = model.preview.against.take();
    model.preview = Preview { made_for: Some(wanted.clone()), against, ..Preview::default() };
    model.preview.diff.ask(model.now);
    update::ask(model, Slot::Diff, Work::Diff { of: wanted }, out);
}

/// The numbers have come, and with them the first documents of each namespace.
pub fn compared(model: &mut Model, answer: Result<Diff>) {
    model.preview.diff.fill(answer.map(|mut diff| {
        model.preview.documents =
            std::mem::take(&mut diff.first).into_iter().map(|(ns, d)| (ns, Loadable::Ready(d))).collect();
        diff
    }));
}

/// Asks for the documents of the highlighted namespace where there are more than are here.
pub fn demand(model: &mut Model, out: &mut Vec<Effect>) {
    if model.screen() != Screen::Preview || model.preview.diff.ready().is_none() {
        return;
    }
    let view = view::preview(model.size);
    let len = model.preview.namespaces().len() as u64;
    model.preview.list.settle(len, u64::from(view.list.h));
    let (rows, height) = (model.preview.rows(), u64::from(view.side.h));
    model.preview.side.settle(rows, height);
    more(model, height, out);
    beside(model, view.beside.map_or(0, |area| usize::from(area.h)));
}

fn more(model: &mut Model, height: u64, out: &mut Vec<Effect>) {
    let preview = &model.preview;
    let (Some(of), Some(found)) = (preview.made_for.clone(), preview.selected()) else { return };
    let ns = found.ns.to_string();
    let near_the_end = preview.side.cursor + 2 * height >= preview.rows();
    let skip = match preview.documents.get(&ns) {
        None | Some(Loadable::Idle) => 0,
        Some(Loadable::Ready(documents)) if documents.limited && preview.on_side && near_the_end => {
            documents.documents.len() as u64
        }
        Some(_) => return,
    };
    // One at a time: what is asked for somewhere else is of no interest any more.
    for other in model.preview.documents.values_mut().filter(|d| d.is_loading()) {
        *other = Loadable::Idle;
    }
    model.preview.documents.entry(ns.clone()).or_default().ask(model.now);
    let work = Work::Documents { of, ns, filter: model.preview.filter.clone(), skip };
    update::ask(model, Slot::Documents, work, out);
}

/// Makes the text of the highlighted row once, not once a frame.
fn beside(model: &mut Model, room: usize) {
    let preview = &mut model.preview;
    let at = (preview.list.cursor, preview.side.cursor);
    let text = match preview.row(preview.side.cursor) {
        Some(_) if room == 0 => None,
        Some(_) if preview.beside.as_ref().is_some_and(|(known, _)| *known == at) => return,
        Some(Row::Document(document)) => Some((at, values::difference_up_to(document, room))),
        Some(row) => Some((at, text(row))),
        None => None,
    };
    preview.beside = text;
}

fn text(row: Row<'_>) -> Text {
    match row {
        Row::Collection(change) => values::collection(change),
        Row::Document(document) => values::difference(document),
    }
}

/// Some of the documents asked for have come.
pub fn part(model: &mut Model, part: Documents) {
    let waiting = model.preview.documents.values_mut().find(|d| d.is_loading());
    if let Some(Loadable::Loading { before, .. }) = waiting {
        let shown = before.get_or_insert_default();
        shown.documents.extend(part.documents);
        shown.limited = part.limited;
    }
}

/// All of the documents asked for have come: the last of them is in the answer.
pub fn documents(model: &mut Model, answer: Result<Documents>) {
    let answer = answer.map(|last| part(model, last));
    let waiting = model.preview.documents.values_mut().find(|d| d.is_loading());
    if let Some(waiting) = waiting {
        let known = waiting.value().cloned().unwrap_or_default();
        waiting.fill(answer.map(|()| known));
    }
}

/// Something was typed and accepted; the error is a sentence for the prompt.
pub fn typed(
    model: &mut Model,
    purpose: Purpose,
    text: &str,
    out: &mut Vec<Effect>,
) -> std::result::Result<(), String> {
    match purpose {
        Purpose::Against => against(model, text, out)?,
        Purpose::ExportDiff => {
            let Some(of) = model.preview.made_for.clone() else { return Ok(()) };
            let path = prompts::file(text)?;
            case::export(model, Export::Diff { of, filter: model.preview.filter.clone() }, path, out);
        }
        _ => {
            DocumentFilter::parse(text).map_err(|e| format!("{} {}", e.place, e.cause))?;
            narrow(model, (!text.is_empty()).then(|| text.to_owned()));
        }
    }
    Ok(())
}

fn against(model: &mut Model, text: &str, out: &mut Vec<Effect>) -> std::result::Result<(), String> {
    let last = model.opened.value().and_then(|o| o.last).unwrap_or(Position::MIN);
    let at = model.choice.stop.unwrap_or(last);
    model.preview.against = match model.marks.list.iter().find(|mark| mark.name == text) {
        Some(mark) => Some((mark.pos, mark.name.clone())),
        None if text.is_empty() || text == "end" => None,
        None => {
            let bound = goto::parse(text, at, last)?;
            Some((bound, bound.to_string()))
        }
    };
    compare(model, out);
    Ok(())
}

/// Shows only the documents that a query matches.
fn narrow(model: &mut Model, filter: Option<String>) {
    model.preview.filter = filter;
    model.preview.documents.clear();
    model.preview.side = Window::default();
    model.preview.beside = None;
}

/// Goes to the next document that holds some words; `false` = none of those here does.
pub fn find(model: &mut Model, words: &str, way: Way) -> bool {
    let lower = words.to_lowercase();
    let preview = &model.preview;
    let holds = |row: usize| match preview.row(row as u64) {
        Some(row) => text(row).lines.iter().any(|line| line.to_lowercase().contains(&lower)),
        None => false,
    };
    let (len, at) = (preview.rows(), usize::try_from(preview.side.cursor).unwrap_or(0));
    let len_here = usize::try_from(len).unwrap_or(0);
    let begin = preview.on_side.then_some(at);
    let found = finding::around(len_here, begin, at, way).find(|row| holds(*row));
    if let Some(row) = found {
        let height = u64::from(view::preview(model.size).side.h);
        model.preview.on_side = true;
        model.preview.side.jump(row as u64, len, height);
    }
    found.is_some()
}

/// Carries an action out; `false` = it is none of this screen.
pub fn perform(model: &mut Model, action: Action, _out: &mut Vec<Effect>) -> bool {
    if let Some(motion) = actions::motion(action) {
        let view = view::preview(model.size);
        if model.preview.on_side {
            let rows = model.preview.rows();
            model.preview.side.go(motion, rows, u64::from(view.side.h));
        } else {
            let (before, len) = (model.preview.list.cursor, model.preview.namespaces().len() as u64);
            model.preview.list.go(motion, len, u64::from(view.list.h));
            if model.preview.list.cursor != before {
                model.preview.side = Window::default();
            }
        }
        return true;
    }
    match action {
        Action::OtherPane => model.preview.on_side = !model.preview.on_side,
        Action::Open if !model.preview.on_side => model.preview.on_side = true,
        Action::Open => open(model),
        Action::Filter => {
            let before = model.preview.filter.clone().unwrap_or_default();
            prompts::ask(model, Purpose::Documents, &before);
        }
        Action::ClearFilter => narrow(model, None),
        Action::Search | Action::SearchNext | Action::SearchPrevious => finding::perform(model, action),
        Action::Against => {
            let before = model.preview.against.as_ref().map_or("end", |(_, name)| name).to_owned();
            prompts::ask(model, Purpose::Against, &before);
        }
        Action::Export => {
            let Some(of) = &model.preview.made_for else { return true };
            let name = format!("pitstop-diff-{}-{}.ndjson", of.bound.secs, of.bound.inc);
            prompts::ask(model, Purpose::ExportDiff, &name);
        }
        Action::Back if model.preview.on_side => model.preview.on_side = false,
        _ => return false,
    }
    true
}

/// Shows the highlighted row in full.
fn open(model: &mut Model) {
    let preview = &model.preview;
    let Some(row) = preview.row(preview.side.cursor) else { return };
    let detail = match row {
        Row::Document(document) => {
            let title = format!("{} in {}", values::short_up_to(&document.id, 100).0, document.ns);
            Detail::new(title, text(row), values::copy_of(document))
        }
        Row::Collection(change) => {
            let text = text(row);
            let copy = text.lines.join("\n");
            let ns = preview.selected().map(|found| found.ns.to_string()).unwrap_or_default();
            Detail::new(format!("{} of {ns}", change.what), text, copy)
        }
    };
    let found = model.preview.find.clone().map(|words| (words, None));
    model.overlays.push(Overlay::Detail(Detail { found, ..detail }));
}
