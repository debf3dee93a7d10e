//! The plan: what a restore would do, before anything is touched; and the question before it.

use crate::app::data::Target;
use crate::app::effect::{Effect, RestoreRequest, Work};
use crate::app::model::{Model, Screen};
use crate::app::overlay::{Confirm, Overlay, Then};
use crate::app::prompts::{self, Purpose};
use crate::app::screens::restore;
use crate::app::text_field::TextField;
use crate::app::{Loadable, jobs::Slot, update};
use crate::domain::plan::Plan;
use crate::domain::text::{bytes, count, counted};
use crate::keys::Action;

/// Its state.
#[derive(Debug, Clone, Default)]
pub struct Planning {
    /// What it was made for.
    pub made_for: Option<RestoreRequest>,
    /// It.
    pub plan: Loadable<Plan>,
}

/// Shows the plan for what is chosen.
pub fn show(model: &mut Model, out: &mut Vec<Effect>) {
    model.overlays.clear();
    model.show(Screen::Plan);
    let wanted = request(model);
    if model.plan.made_for != wanted || model.plan.plan.error().is_some() {
        make(model, out);
    }
}

/// What would be restored, as chosen.
fn request(model: &Model) -> Option<RestoreRequest> {
    Some(RestoreRequest {
        bound: model.choice.stop?,
        snapshot: model.choice.snapshot.clone(),
        target: model.target()?.spec.clone(),
    })
}

/// Plans anew.
pub fn make(model: &mut Model, out: &mut Vec<Effect>) {
    let Some(request) = request(model) else { return };
    model.plan = Planning { made_for: Some(request.clone()), plan: Loadable::Idle };
    model.plan.plan.ask(model.now);
    update::ask(model, Slot::Plan, Work::Plan(request), out);
}

/// Carries an action out; `false` = it is none of this screen.
pub fn perform(model: &mut Model, action: Action, out: &mut Vec<Effect>) -> bool {
    match action {
        Action::NextTarget => {
            let targets = model.targets().count().max(1);
            model.choice.target = (model.choice.target + 1) % targets;
            make(model, out);
        }
        Action::NameTarget => prompts::ask(model, Purpose::Target, ""),
        Action::Ask => ask(model),
        _ => return false,
    }
    true
}

/// A folder of somebody's own was typed as target.
pub fn typed(model: &mut Model, text: &str, out: &mut Vec<Effect>) -> Result<(), String> {
    let folder = text.strip_prefix("dump:").unwrap_or(text).trim_end_matches('/');
    if folder.contains("://") {
        return Err("a server is named on the command line: pitstop restore --target mongodb://…".into());
    }
    if !folder.starts_with('/') {
        return Err("write the whole path of a folder, from / on".into());
    }
    let name = folder.rsplit('/').next().unwrap_or_default().to_owned();
    if name.is_empty() {
        return Err("a folder needs a name".into());
    }
    model.choice.named = Some(Target {
        spec: format!("dump:{folder}"),
        what: format!("a mongodump directory of its own in {folder}, made new"),
        theirs: Some(name),
    });
    model.choice.target = model.targets().count().saturating_sub(1);
    make(model, out);
    Ok(())
}

/// Puts the question.
fn ask(model: &mut Model) {
    let Some(plan) = model.plan.plan.ready() else { return };
    let Some(target) = model.target() else { return };
    // Where there is little room the first ones are shown.
    let facts = vec![
        format!("{} to {}", counted(plan.cost.collections, "collection"), plan.target),
        "The sources are not touched. What is restored is verified before it is called done.".into(),
        target.what.clone(),
        format!(
            "from {} in the snapshot ({}) and {} of oplog",
            counted(plan.cost.snapshot_documents, "document"),
            bytes(plan.cost.snapshot_bytes),
            counted(plan.cost.oplog_entries, "entry").replace("entrys", "entries"),
        ),
    ];
    let question = format!(
        "Restore about {} documents as of the stop before {} ({})?",
        count(plan.cost.documents),
        plan.stop.bound,
        plan.stop.time
    );
    let typed = target.theirs.clone().map(|name| (name, TextField::default()));
    let confirm = Confirm::no_or_yes(question, facts, "No", ("Yes, restore", Then::Restore));
    let confirm = Confirm { typed, ..confirm };
    model.overlays.push(Overlay::Confirm(confirm));
}

/// The question was answered with Yes.
pub fn confirmed(model: &mut Model, out: &mut Vec<Effect>) {
    let (Some(request), Some(plan)) = (model.plan.made_for.clone(), model.plan.plan.ready()) else { return };
    // The plan may have named the place more exactly than what was asked for.
    let request = RestoreRequest { target: plan.target.clone(), ..request };
    restore::begin(model, request, out);
}
