//! The oplog is looked at while it is being read: there are more rows at the end every now and
//! then, and counts are of what is there so far until all of it is. Cursor and stop stay where they
//! are.

use super::{demand, folds};
use crate::app::data::{Counted, Indexed};
use crate::app::effect::{Effect, Work};
use crate::app::model::Model;
use crate::app::{jobs::Slot, update};

/// All that is read is in the list.
pub fn show(model: &mut Model, indexed: Indexed) {
    let timeline = &mut model.timeline;
    (timeline.rows, timeline.ops, timeline.counted) = (indexed.ops, indexed.ops, indexed.counted);
}

/// More is read, or all of it.
pub fn read_on(model: &mut Model, indexed: Indexed, out: &mut Vec<Effect>) {
    let is_all = indexed.counted == Counted::All;
    if model.timeline.view == Default::default() {
        show(model, indexed);
        // What is being counted now is worth waiting for: there will be a next time.
        if is_all || model.jobs.get(Slot::Bars).is_none() {
            demand::recount(model);
        }
    } else if is_all || [Slot::Filter, Slot::Fold].iter().all(|slot| model.jobs.get(*slot).is_none()) {
        folds::further(model, out);
    }
    if let Some(pos) = model.timeline.goal {
        let work = Work::Locate { view: model.timeline.view.clone(), pos };
        update::ask(model, Slot::Locate, work, out);
    }
}

/// What is said of a count behind the noun.
pub fn so_far(counted: Counted) -> &'static str {
    match counted {
        Counted::All => "",
        Counted::SoFar => " so far",
    }
}
