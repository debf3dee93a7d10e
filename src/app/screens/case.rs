//! The case: its journal to read, notes, and findings written to files.

use crate::app::data::Text;
use crate::app::effect::{Effect, Export, Work};
use crate::app::model::Model;
use crate::app::overlay::{Detail, Overlay};
use crate::app::prompts::{self, Purpose};
use crate::app::{Loadable, jobs::Slot, update};
use crate::domain::Result;
use crate::keys::Action;

/// Shows the journal.
pub fn show(model: &mut Model, out: &mut Vec<Effect>) {
    let title = "The case so far".to_owned();
    let text = Loadable::Loading { since: model.now, before: None };
    let detail = Detail::new(title, Text::default(), String::new());
    model.overlays.push(Overlay::Detail(Detail { text, slot: Slot::Journal, ..detail }));
    update::ask(model, Slot::Journal, Work::Journal, out);
}

/// The journal has come.
pub fn arrived(model: &mut Model, answer: Result<Text>) {
    if let Some(Overlay::Detail(detail)) = model.overlays.last_mut()
        && detail.slot == Slot::Journal
    {
        detail.copy = answer.as_ref().map(|text| text.lines.join("\n")).unwrap_or_default();
        detail.text.fill(answer);
        // The newest is what one looks for.
        detail.list.top = 0;
    }
}

/// Something was typed and accepted; the error is a sentence for the prompt.
pub fn typed(
    model: &mut Model,
    purpose: Purpose,
    text: &str,
    out: &mut Vec<Effect>,
) -> std::result::Result<(), String> {
    if purpose == Purpose::ExportReport {
        let path = prompts::file(text)?;
        export(model, Export::Report, path, out);
        return Ok(());
    }
    if text.is_empty() {
        return Err("there is nothing to note".into());
    }
    update::ask(model, Slot::Note, Work::Note { text: text.to_owned() }, out);
    Ok(())
}

/// Writes something to a file. Only ever called with the file's name typed.
pub fn export(model: &mut Model, what: Export, path: String, out: &mut Vec<Effect>) {
    let job = model.jobs.start(Slot::Export, model.now);
    out.push(Effect::Export { job, what, path });
}

/// Carries out what can be done everywhere; `false` = it is none of the case.
pub fn perform(model: &mut Model, action: Action, out: &mut Vec<Effect>) -> bool {
    match action {
        Action::Case => show(model, out),
        Action::Note => prompts::ask(model, Purpose::Note, ""),
        Action::Report => prompts::ask(model, Purpose::ExportReport, "pitstop-report.md"),
        _ => return false,
    }
    true
}
