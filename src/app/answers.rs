//! What jobs answer, put where it belongs.

use super::effect::Effect;
use super::jobs::Slot;
use super::live;
use super::model::Model;
use super::msg::Answer;
use super::screens::{preview, restore, snapshots, timeline};
use crate::domain::{Class, Error, Result};

/// A job has ended. What went wrong is noted, and shown where the answer would be.
pub fn ended(model: &mut Model, slot: Slot, answer: Result<Answer>, out: &mut Vec<Effect>) {
    match answer {
        Ok(answer) => arrived(model, answer, out),
        Err(error) => {
            if error.class == Class::Interrupted {
                model.say(format!("stopped: {}", slot.doing()));
            } else {
                model.fail(&error);
            }
            lost(model, slot, error, out);
        }
    }
}

fn arrived(model: &mut Model, answer: Answer, out: &mut Vec<Effect>) {
    match answer {
        Answer::Opened(opened) => snapshots::opened(model, Ok(*opened), out),
        Answer::Grown(opened, indexed) => live::grown(model, *opened, indexed, out),
        Answer::Indexed(indexed) => timeline::indexed(model, Ok(indexed), out),
        Answer::Suspects(found) => model.suspects.found.fill(Ok(found)),
        Answer::Filtered(left) => timeline::filtered(model, Ok(left), out),
        Answer::Found(row) => timeline::found(model, row),
        Answer::Located(row) => timeline::located(model, row),
        Answer::Rows(page) => model.timeline.page = Some(page),
        Answer::Bars(bars) => model.timeline.bars.fill(Ok(bars)),
        Answer::Detail(text) => timeline::detailed(model, Ok(text)),
        Answer::Stop(facts) => model.choice.facts.fill(Ok(*facts)),
        Answer::Diff(diff) => model.preview.diff.fill(Ok(*diff)),
        Answer::Documents(documents) => preview::documents(model, Ok(documents)),
        Answer::Plan(plan) => model.plan.plan.fill(Ok(*plan)),
        Answer::Restored(outcome) => restore::ended(model, Ok(*outcome)),
    }
}

fn lost(model: &mut Model, slot: Slot, error: Box<Error>, out: &mut Vec<Effect>) {
    match slot {
        Slot::Open => snapshots::opened(model, Err(error), out),
        Slot::Index => timeline::indexed(model, Err(error), out),
        Slot::Suspects => model.suspects.found.fill(Err(error)),
        Slot::Filter => timeline::filtered(model, Err(error), out),
        // The cursor stays where it is, and the rows that are there stay visible.
        Slot::Search | Slot::Locate | Slot::Rows | Slot::Grow => {}
        Slot::Bars => model.timeline.bars.fill(Err(error)),
        Slot::Detail => timeline::detailed(model, Err(error)),
        Slot::Stop => model.choice.facts.fill(Err(error)),
        Slot::Diff => model.preview.diff.fill(Err(error)),
        Slot::Documents => preview::documents(model, Err(error)),
        Slot::Plan => model.plan.plan.fill(Err(error)),
        Slot::Restore => restore::ended(model, Err(error)),
    }
}
