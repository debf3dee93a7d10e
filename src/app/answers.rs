//! What jobs answer, put where it belongs.

use super::effect::Effect;
use super::jobs::Slot;
use super::live;
use super::model::Model;
use super::msg::Answer;
use super::screens::{case, change, history, marks, preview, restore, snapshots, timeline};
use super::waiting;
use crate::domain::text::counted;
use crate::domain::{Class, Error, Result};

/// A job has ended. What went wrong is noted, and shown where the answer would be.
pub fn ended(model: &mut Model, slot: Slot, answer: Result<Answer>, out: &mut Vec<Effect>) {
    match answer {
        Ok(answer) => arrived(model, answer, out),
        Err(error) => {
            match (slot, error.class) {
                (_, Class::Interrupted) => model.say(format!("stopped: {}", slot.doing())),
                // Nothing went wrong: what an op did to a document cannot be told exactly, as it can
                // not inside a snapshot's own window. That is said where it was asked for.
                (Slot::Change | Slot::History, Class::Inexact) => {}
                _ => model.fail(&error),
            }
            lost(model, slot, error, out);
        }
    }
}

/// Some of an answer has come.
pub fn part(model: &mut Model, answer: Answer, out: &mut Vec<Effect>) {
    match answer {
        Answer::Documents(documents) => preview::part(model, documents),
        Answer::Indexed(indexed) => timeline::indexed(model, Ok(indexed), out),
        Answer::Listed(listed) => timeline::listed_so_far(model, listed, out),
        _ => {}
    }
}

fn arrived(model: &mut Model, answer: Answer, out: &mut Vec<Effect>) {
    match answer {
        Answer::Opened(opened) => snapshots::opened(model, Ok(*opened), out),
        Answer::Grown(opened, indexed) => live::grown(model, *opened, indexed, out),
        Answer::Indexed(indexed) => timeline::indexed(model, Ok(indexed), out),
        Answer::Suspects(found) => {
            model.suspects.found.fill(Ok(found));
            timeline::fold(model, out);
        }
        Answer::Listed(listed) => timeline::listed(model, listed, out),
        Answer::Found(spot, view) => timeline::found(model, spot, &view, out),
        Answer::Located(spot, among) => timeline::located(model, spot, among, out),
        Answer::Rows(page) => timeline::paged(model, page),
        Answer::Bars(bars) => model.timeline.bars.fill(Ok(bars)),
        Answer::Detail(text) => timeline::detailed(model, Ok(text)),
        Answer::Change(change) => change::arrived(model, &Ok(*change), change::Of::Op),
        Answer::History(versions) => history::found(model, Ok(*versions)),
        Answer::Version(change) => history::version(model, Ok(*change)),
        Answer::After(after) => model.choice.after.fill(Ok(*after)),
        Answer::Decided => {}
        Answer::Stop(facts) => model.choice.facts.fill(Ok(*facts)),
        Answer::Diff(diff) => preview::compared(model, Ok(*diff)),
        Answer::Documents(documents) => preview::documents(model, Ok(documents)),
        Answer::Marks(list) => marks::arrived(model, list),
        Answer::Noted => model.say("noted"),
        Answer::Journal(text) => case::arrived(model, Ok(text)),
        Answer::States(found) => model.states.found.fill(Ok(found)),
        Answer::Exported { path, lines } => {
            model.say(format!("{} written to {path}", counted(lines, "line")));
        }
        Answer::Plan(plan) => model.plan.plan.fill(Ok(*plan)),
        Answer::Restored(outcome) => restore::ended(model, Ok(*outcome)),
    }
}

fn lost(model: &mut Model, slot: Slot, error: Box<Error>, out: &mut Vec<Effect>) {
    match slot {
        Slot::Open => snapshots::opened(model, Err(error), out),
        Slot::Index => {
            // Nothing more comes that it could wait for.
            waiting::stop_search(model, out);
            timeline::indexed(model, Err(error), out);
        }
        Slot::Suspects => model.suspects.found.fill(Err(error)),
        // The list and the cursor stay as they are, and the rows that are there stay visible.
        Slot::Filter => timeline::resume(model, out),
        Slot::Fold => model.timeline.aside = None,
        Slot::Search | Slot::Locate | Slot::Rows | Slot::Grow => {}
        Slot::Change => change::arrived(model, &Err(error), change::Of::Op),
        Slot::History => history::found(model, Err(error)),
        Slot::Version => history::version(model, Err(error)),
        Slot::After => model.choice.after.fill(Err(error)),
        // It is tried again with the next stop; that it was not noted has been said.
        Slot::Decide => {}
        Slot::Bars => model.timeline.bars.fill(Err(error)),
        Slot::Detail => timeline::detailed(model, Err(error)),
        Slot::Stop => model.choice.facts.fill(Err(error)),
        Slot::Diff => preview::compared(model, Err(error)),
        Slot::Documents => preview::documents(model, Err(error)),
        // What went wrong is said, and nothing else waits for it.
        Slot::Marks | Slot::Note | Slot::Export => {}
        Slot::Journal => case::arrived(model, Err(error)),
        Slot::States => model.states.found.fill(Err(error)),
        Slot::Plan => model.plan.plan.fill(Err(error)),
        Slot::Restore => restore::ended(model, Err(error)),
    }
}
