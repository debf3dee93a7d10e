//! What lies over a screen: data, not closures, so that it can be tested and drawn by anybody.

use super::data::Text;
use super::effect::{Copy, Effect};
use super::jobs::Slot;
use super::loadable::Loadable;
use super::model::{Model, Screen};
use super::prompts::{self, Prompt};
use super::text_field::TextField;
use super::view;
use super::window::{Motion, Window};
use super::{actions, finding, screens};
use crate::keys::{Action, Context};

/// One of them.
#[derive(Debug, Clone)]
pub enum Overlay {
    /// All keys of what lies below.
    Help(Help),
    /// All actions, by name.
    Palette(Palette),
    /// A question.
    Confirm(Confirm),
    /// A line to type.
    Prompt(Prompt),
    /// A few things to choose from.
    Menu(Menu),
    /// A text.
    Detail(Detail),
    /// An op or a version with its document.
    Change(Box<screens::change::Reading>),
    /// The chosen stop and its neighbours.
    Stop,
    /// What went wrong so far.
    Errors(Window),
}

/// All keys, and where one is in them.
#[derive(Debug, Clone, Default)]
pub struct Help {
    /// How far it is scrolled.
    pub list: Window,
    /// What is looked for in it, and the line where it was found.
    pub found: Option<(String, Option<u64>)>,
}

/// All actions that fit what was typed.
#[derive(Debug, Clone, Default)]
pub struct Palette {
    /// What was typed.
    pub field: TextField,
    /// Which is highlighted.
    pub list: Window,
}

/// A question and its answers, side by side: the first one is a No and changes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confirm {
    /// The question.
    pub question: String,
    /// What, where, how much, what is not touched.
    pub facts: Vec<String>,
    /// The answers: No, Yes, and what else there is.
    pub answers: Vec<Choice>,
    /// Which of them is highlighted.
    pub chosen: usize,
    /// What has to be typed before a Yes counts, and what was: for what deletes, or writes where
    /// nothing of ours is.
    pub typed: Option<(String, TextField)>,
}

/// An answer to a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// What it is called.
    pub name: String,
    /// What it sets off; `None` = nothing.
    pub then: Option<Then>,
}

impl Confirm {
    /// A question with No and Yes; No is preselected.
    pub fn no_or_yes(question: String, facts: Vec<String>, no: &str, (yes, then): (&str, Then)) -> Confirm {
        let answers = vec![Choice::new(no, None), Choice::new(yes, Some(then))];
        Confirm { question, facts, answers, chosen: 0, typed: None }
    }

    /// What the highlighted answer sets off.
    pub fn then(&self) -> Option<Then> {
        self.answers.get(self.chosen).and_then(|answer| answer.then)
    }

    /// Whether it is about a restore that runs, and means nothing once that has ended.
    pub fn is_about_what_runs(&self) -> bool {
        let about = |then| matches!(then, Some(Then::CancelRestore | Then::AskToCancel | Then::Watch));
        self.answers.iter().any(|answer| about(answer.then))
    }

    fn step(&mut self, forward: bool) {
        let all = self.answers.len().max(1);
        self.chosen = (self.chosen + if forward { 1 } else { all - 1 }) % all;
    }
}

impl Choice {
    /// An answer.
    pub fn new(name: &str, then: Option<Then>) -> Choice {
        Choice { name: name.to_owned(), then }
    }
}

/// What an answer sets off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// The restore that was planned.
    Restore,
    /// The end of the restore that runs.
    CancelRestore,
    /// The question whether to end it.
    AskToCancel,
    /// A look at it.
    Watch,
    /// The end of this program.
    Quit,
    /// The mark that was highlighted is taken away.
    RemoveMark,
}

/// A few things to choose from.
#[derive(Debug, Clone)]
pub struct Menu {
    /// What for.
    pub title: String,
    /// The lines: a name, what is shown of it, and what is copied.
    pub items: Vec<(String, String, Copy)>,
    /// Which is highlighted.
    pub list: Window,
}

/// A text to read.
#[derive(Debug, Clone)]
pub struct Detail {
    /// What it is.
    pub title: String,
    /// The text.
    pub text: Loadable<Text>,
    /// What the copy key copies.
    pub copy: String,
    /// How far it is scrolled.
    pub list: Window,
    /// What is looked for in it, and the line where it was found.
    pub found: Option<(String, Option<u64>)>,
    /// Whose answer is awaited.
    pub slot: Slot,
}

impl Detail {
    /// A text that is there.
    pub fn new(title: String, text: Text, copy: String) -> Detail {
        let (list, slot) = (Window::default(), Slot::Detail);
        Detail { title, text: Loadable::Ready(text), copy, list, found: None, slot }
    }
}

impl Overlay {
    /// The contexts in which keys are looked up.
    pub fn contexts(&self) -> Vec<Context> {
        use Context::*;
        match self {
            Overlay::Help(_) | Overlay::Detail(_) | Overlay::Errors(_) => vec![Detail, List, Global],
            Overlay::Change(_) => vec![Change, List, Global],
            Overlay::Palette(_) => vec![Palette, Global],
            Overlay::Confirm(_) => vec![Confirm, Global],
            Overlay::Prompt(_) => vec![Prompt, Global],
            Overlay::Menu(_) => vec![Menu, List, Global],
            Overlay::Stop => vec![Stop, Global],
        }
    }

    /// Whether what lies below can be acted on through it.
    pub fn is_modal(&self) -> bool {
        matches!(self, Overlay::Palette(_) | Overlay::Confirm(_) | Overlay::Prompt(_) | Overlay::Menu(_))
    }

    /// The line that is being typed.
    pub fn field(&mut self) -> Option<&mut TextField> {
        match self {
            Overlay::Prompt(prompt) => {
                prompt.problem = None;
                Some(&mut prompt.field)
            }
            Overlay::Palette(palette) => {
                palette.list = Window::default();
                Some(&mut palette.field)
            }
            Overlay::Confirm(confirm) => confirm.typed.as_mut().map(|(_, field)| field),
            _ => None,
        }
    }
}

/// Carries an action out on the uppermost overlay; `false` = it is not for it.
pub fn perform(model: &mut Model, action: Action, out: &mut Vec<Effect>) -> bool {
    if let Some(motion) = actions::motion(action) {
        return go(model, motion);
    }
    match (model.overlays.last_mut(), action) {
        (Some(_), Action::Back) => {
            model.overlays.pop();
        }
        (Some(Overlay::Confirm(confirm)), Action::Switch) => confirm.step(true),
        (Some(Overlay::Confirm(confirm)), Action::SwitchBack) => confirm.step(false),
        (Some(Overlay::Confirm(confirm)), Action::PickNo) => confirm.chosen = 0,
        (Some(Overlay::Confirm(confirm)), Action::PickYes) => confirm.chosen = 1,
        (Some(Overlay::Confirm(confirm)), Action::Accept) => {
            let then = confirm.then();
            match &confirm.typed {
                Some((wanted, field)) if then.is_some() && wanted != field.text() => {
                    let text = format!("type {wanted} first");
                    model.say(text);
                }
                _ => {
                    model.overlays.pop();
                    answered(model, then, out);
                }
            }
        }
        (Some(Overlay::Prompt(prompt)), Action::Accept) => {
            let (mut prompt, text) = (prompt.clone(), prompt.field.text().trim().to_owned());
            model.overlays.pop();
            if let Err(problem) = prompts::typed(model, prompt.purpose, &text, out) {
                prompt.problem = Some(problem);
                model.overlays.push(Overlay::Prompt(prompt));
            }
        }
        (Some(Overlay::Palette(palette)), Action::Accept) => {
            let (text, at) = (palette.field.text().to_owned(), palette.list.cursor);
            model.overlays.pop();
            let found = actions::palette(model, &text);
            if let Some(entry) = usize::try_from(at).ok().and_then(|at| found.get(at)) {
                super::update::perform(model, entry.row.action, out);
            }
        }
        (Some(Overlay::Menu(menu)), Action::Accept) => {
            let item = usize::try_from(menu.list.cursor).ok().and_then(|at| menu.items.get(at));
            out.extend(item.map(|(_, _, copy)| Effect::Copy(copy.clone())));
            model.overlays.pop();
        }
        (
            Some(Overlay::Detail(_) | Overlay::Help(_)),
            Action::Search | Action::SearchNext | Action::SearchPrevious,
        ) => finding::perform(model, action),
        (Some(Overlay::Detail(detail)), Action::Copy) => {
            out.push(Effect::Copy(Copy::Text(detail.copy.clone())));
        }
        (Some(Overlay::Errors(list)), Action::Copy) => {
            let at = usize::try_from(list.cursor).unwrap_or(usize::MAX);
            let mishap = model.mishaps.iter().rev().nth(at);
            out.extend(mishap.map(|m| Effect::Copy(Copy::Text(m.error.to_string()))));
        }
        (Some(Overlay::Help(_)), Action::Copy) => {
            out.push(Effect::Copy(Copy::Text(crate::keys::key_table())));
        }
        (Some(Overlay::Change(_)), _) => return screens::change::perform(model, action, out),
        (Some(Overlay::Stop), _) => return screens::stop::perform(model, action, out),
        _ => return false,
    }
    true
}

/// Moves in the uppermost overlay; `false` = it has nothing to move in.
fn go(model: &mut Model, motion: Motion) -> bool {
    let rows = view::reader_rows(model.size);
    let (mishaps, help) = (model.mishaps.len() as u64, actions::help(model).len() as u64);
    let found = match model.overlays.last() {
        Some(Overlay::Palette(palette)) => actions::palette(model, palette.field.text()).len() as u64,
        _ => 0,
    };
    let read = match model.overlays.last() {
        Some(Overlay::Change(reading)) => screens::change::lines(model, reading).len() as u64,
        _ => 0,
    };
    match model.overlays.last_mut() {
        Some(Overlay::Change(reading)) => scroll(&mut reading.list, motion, read, rows),
        Some(Overlay::Help(text)) => scroll(&mut text.list, motion, help, rows),
        Some(Overlay::Detail(detail)) => {
            let len = detail.text.value().map_or(0, |text| text.lines.len() as u64);
            scroll(&mut detail.list, motion, len, rows);
        }
        Some(Overlay::Errors(list)) => list.go(motion, mishaps, rows),
        Some(Overlay::Menu(menu)) => menu.list.go(motion, menu.items.len() as u64, rows),
        Some(Overlay::Palette(palette)) => palette.list.go(motion, found, rows.saturating_sub(2)),
        _ => return false,
    }
    true
}

/// Scrolls a text: there is no cursor in it, so the first row moves.
pub fn scroll(list: &mut Window, motion: Motion, len: u64, rows: u64) {
    list.cursor = list.top;
    list.go(motion, len.saturating_sub(rows) + 1, 1);
}

fn answered(model: &mut Model, then: Option<Then>, out: &mut Vec<Effect>) {
    match then {
        None => {}
        Some(Then::Restore) => screens::plan::confirmed(model, out),
        Some(Then::CancelRestore) => screens::restore::cancel(model, out),
        Some(Then::AskToCancel) => screens::restore::ask_to_cancel(model),
        Some(Then::Watch) => model.show(Screen::Restore),
        Some(Then::Quit) => out.push(Effect::Quit),
        Some(Then::RemoveMark) => screens::marks::remove(model, out),
    }
}
