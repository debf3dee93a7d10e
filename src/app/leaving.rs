//! Leaving the program, and what it asks first: only where something would be lost, or go on unseen.

use super::effect::Effect;
use super::jobs::Slot;
use super::model::Model;
use super::overlay::{Choice, Confirm, Overlay, Then};

/// Two Ctrl-c within this many milliseconds leave the program.
const TWICE: u64 = 2000;

/// Leaves; asks where something would be lost or goes on unseen.
pub fn quit(model: &mut Model, out: &mut Vec<Effect>) {
    let confirm = if model.is_restoring() {
        while_restoring(model)
    } else if model.jobs.get(Slot::Export).is_some() {
        let facts = ["It is then not written: a file is whole or not there.", "The sources are not touched."];
        let question = "Leave while a file is being written?".to_owned();
        let facts = facts.map(str::to_owned).to_vec();
        Confirm::no_or_yes(question, facts, "No, stay", ("Yes, leave", Then::Quit))
    } else {
        out.push(Effect::Quit);
        return;
    };
    model.overlays.push(Overlay::Confirm(confirm));
}

/// To leave is preselected: it is what was asked for, and the one answer after which nothing is
/// lost and nobody has to stay. Where it may not have begun yet, that is not so, and to wait is.
/// To cancel is the farthest away, and asks once more.
fn while_restoring(model: &Model) -> Confirm {
    let restore = model.restore.as_ref();
    let begun = restore.is_some_and(|restore| !restore.phases.is_empty());
    let cancelling = restore.is_some_and(|restore| restore.cancelling);
    let mut answers = vec![
        Choice::new("No, wait", Some(Then::Watch)),
        Choice::new("Yes, leave it running", Some(Then::Quit)),
    ];
    let mut facts = vec![match begun {
        true => "It is a process of its own: left running, it goes on to its end.".to_owned(),
        false => "It is just being started: left now, it may never begin.".to_owned(),
    }];
    facts.extend(restore.map(|restore| match restore.request.target.as_str() {
        "isolated" => "`pitstop targets` lists the server that it fills.".to_owned(),
        target => format!("It goes to {target}."),
    }));
    if cancelling {
        facts.push("It was asked to stop already, and does so by itself.".to_owned());
    } else {
        answers.push(Choice::new("Cancel it", Some(Then::AskToCancel)));
        facts.push("To cancel it asks once more and says what is left of it.".to_owned());
    }
    let question = "Leave while the restore runs?".to_owned();
    Confirm { question, facts, answers, chosen: usize::from(begun), typed: None }
}

/// Stops what is awaited; the second time in a row leaves.
pub fn interrupt(model: &mut Model, out: &mut Vec<Effect>) {
    let twice = model.interrupted.is_some_and(|at| model.now.saturating_sub(at) <= TWICE);
    if twice {
        out.push(Effect::Quit);
        return;
    }
    model.interrupted = Some(model.now);
    if model.overlays.pop().is_some() {
        return;
    }
    let waiting: Vec<Slot> =
        model.jobs.long().map(|(slot, _)| slot).filter(|s| *s != Slot::Restore).collect();
    out.extend(waiting.iter().map(|slot| Effect::Cancel(*slot)));
    model.say(match (waiting.first(), model.is_restoring()) {
        (Some(slot), _) => format!("stopping: {}", slot.doing()),
        (None, true) => "Ctrl-c again leaves; the restore goes on by itself".into(),
        (None, false) => "Ctrl-c again leaves".into(),
    });
}
