//! The plan: what a restore would do, before anything is touched; and the question before it.

use crate::app::effect::{Effect, RestoreRequest, Work};
use crate::app::model::{Model, Screen};
use crate::app::overlay::{Confirm, Overlay, Then};
use crate::app::screens::restore;
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
            let targets = model.opened.value().map_or(1, |o| o.targets.len().max(1));
            model.choice.target = (model.choice.target + 1) % targets;
            make(model, out);
        }
        Action::Ask => ask(model),
        _ => return false,
    }
    true
}

/// Puts the question.
fn ask(model: &mut Model) {
    let Some(plan) = model.plan.plan.ready() else { return };
    let Some(target) = model.target() else { return };
    let facts = vec![
        format!("{} to {}", counted(plan.cost.collections, "collection"), plan.target),
        target.what.clone(),
        format!(
            "from {} in the snapshot ({}) and {} of oplog",
            counted(plan.cost.snapshot_documents, "document"),
            bytes(plan.cost.snapshot_bytes),
            counted(plan.cost.oplog_entries, "entry").replace("entrys", "entries"),
        ),
        "The sources are not touched. What is restored is verified before it is called done.".into(),
    ];
    let confirm = Confirm {
        question: format!(
            "Restore about {} documents as of the stop before {} ({})?",
            count(plan.cost.documents),
            plan.stop.bound,
            plan.stop.time
        ),
        facts,
        yes: "Yes, restore".into(),
        no: "No".into(),
        on_yes: false,
        then: Then::Restore,
    };
    model.overlays.push(Overlay::Confirm(confirm));
}

/// The question was answered with Yes.
pub fn confirmed(model: &mut Model, out: &mut Vec<Effect>) {
    let (Some(request), Some(plan)) = (model.plan.made_for.clone(), model.plan.plan.ready()) else { return };
    // The plan may have named the place more exactly than what was asked for.
    let request = RestoreRequest { target: plan.target.clone(), ..request };
    restore::begin(model, request, out);
}
