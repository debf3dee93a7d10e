//! Which actions there are right now, which of them can be used, and why the others cannot.

use fuzzy_matcher::FuzzyMatcher;
use fuzzy_matcher::skim::SkimMatcherV2;

use super::list::Line;
use super::loadable::Loadable;
use super::model::{Model, Screen};
use super::overlay::{Confirm, Overlay};
use super::screens::marks;
use super::window::Motion;
use crate::keys::{ACTIONS, Action, Context, Row, row};

/// The contexts that are active, the innermost first.
pub fn contexts(model: &Model) -> Vec<Context> {
    match model.overlays.last() {
        Some(overlay) => overlay.contexts(),
        None => screen_contexts(model),
    }
}

/// The contexts of the screen itself, whatever lies over it.
pub fn screen_contexts(model: &Model) -> Vec<Context> {
    let own = match model.screen() {
        Screen::Snapshots => Context::Snapshots,
        Screen::Timeline => Context::Timeline,
        Screen::Suspects => Context::Suspects,
        Screen::History => Context::History,
        Screen::Preview => Context::Preview,
        Screen::Marks => Context::Marks,
        Screen::States => Context::States,
        Screen::Plan => Context::Plan,
        Screen::Restore if model.is_restoring() => Context::Restore,
        Screen::Restore => Context::Result,
    };
    vec![own, Context::List, Context::Global]
}

/// The movement an action stands for.
pub fn motion(action: Action) -> Option<Motion> {
    Some(match action {
        Action::Up => Motion::Rows(-1),
        Action::Down => Motion::Rows(1),
        Action::PageUp => Motion::Pages(-1),
        Action::PageDown => Motion::Pages(1),
        Action::Top => Motion::Top,
        Action::Bottom => Motion::Bottom,
        _ => return None,
    })
}

/// Whether an action is about the op the cursor is on. Pressed while that is being searched for,
/// it is meant for what is found.
pub fn is_about_the_op(action: Action) -> bool {
    use Action::*;
    matches!(
        action,
        StopBefore | StopAfter | Open | Fold | Mark | History | Copy | SearchNext | SearchPrevious
    )
}

/// Whether an action can be used, and if not, why.
pub fn enabled(model: &Model, action: Action) -> Result<(), String> {
    use Action::*;
    let indexed = || match &model.timeline.index {
        Loadable::Ready(_) => Ok(()),
        Loadable::Failed(_) => {
            Err(format!("the oplog could not be read: {} tries again", key_of(model, Retry)))
        }
        _ => Err("the oplog is still being read".to_owned()),
    };
    // While a live source is looked at anew, what was found before is there.
    let suspects = || match (&model.suspects.found, model.suspects.found.value()) {
        (Loadable::Failed(_), _) => {
            Err(format!("looking for damage has failed: {} shows why", key_of(model, Errors)))
        }
        (Loadable::Ready(found), _) if found.is_empty() => {
            Err("nothing in the oplog looks like damage".to_owned())
        }
        (_, Some(found)) if !found.is_empty() => Ok(()),
        _ => Err("still looking for damage".to_owned()),
    };
    if let Some(answer) = of_overlay(model, action).or_else(|| of_screen(model, action)) {
        return answer;
    }
    match action {
        Search | Filter | GoTo | ZoomIn | ZoomOut | ZoomFit | BarLeft | BarRight | NextEdge
        | PreviousEdge => indexed(),
        SearchNext | SearchPrevious => {
            indexed()?;
            let first = || format!("search first: {}", key_in(model, Context::Timeline, Search));
            model.timeline.search.as_ref().map(|_| ()).ok_or_else(first)
        }
        ClearFilter => model.timeline.filter().map(|_| ()).ok_or_else(|| "there is no filter".to_owned()),
        NextSuspect | PreviousSuspect => {
            indexed()?;
            suspects()
        }
        StopBefore if matches!(model.overlays.last(), Some(Overlay::Change(_))) => Ok(()),
        StopBefore | StopAfter if model.screen() == Screen::Suspects => suspects(),
        StopBefore | Open | Fold if model.screen() == Screen::History => {
            model.history.selected().map(|_| ()).ok_or_else(|| "there is no version here".to_owned())
        }
        StopBefore | StopAfter => {
            indexed()?;
            model.timeline.selected().map(|_| ()).ok_or_else(|| "there is no op here".to_owned())
        }
        History => super::screens::history::of_here(model)
            .map(|_| ())
            .ok_or_else(|| "there is no document here".to_owned()),
        Fold => match model.timeline.here() {
            Some(Line::Burst(_) | Line::Op { of: Some(_), .. }) => Ok(()),
            _ if model.timeline.view.folded => Err("this op belongs to no burst".into()),
            _ => Err(format!(
                "bursts are not folded: {} folds them",
                key_in(model, Context::Timeline, FoldAll)
            )),
        },
        FoldAll => {
            indexed()?;
            match &model.suspects.found {
                Loadable::Ready(_) => Ok(()),
                _ => suspects(),
            }
        }
        BurstEarlier | BurstLater => suspects(),
        NearestStop => match model.base() {
            Some(Err(_)) => Ok(()),
            _ => Err("the stop is valid".into()),
        },
        StopEarlier | StopLater => {
            model.choice.facts.ready().map(|_| ()).ok_or_else(|| "still looking at the stop".to_owned())
        }
        ShowStop => has_stop(model),
        Preview | ScreenPreview => valid_stop(model),
        Plan => {
            if model.is_restoring() {
                return Err(runs_already(model));
            }
            valid_stop(model)
        }
        Ask => {
            if model.is_restoring() {
                return Err(runs_already(model));
            }
            model.plan.plan.ready().map(|_| ()).ok_or_else(|| "there is no plan yet".to_owned())
        }
        NextTarget if model.targets().count() > 1 => Ok(()),
        NextTarget => Err("there is no mongod on this machine: a dump directory is the only target".into()),
        CancelRestore => match &model.restore {
            Some(restore) if restore.cancelling => Err("it has been asked to stop already".into()),
            Some(_) if model.is_restoring() => Ok(()),
            _ => Err("no restore runs".into()),
        },
        Mark => marks::here(model).map(|_| ()).ok_or_else(|| "there is nothing to mark here".to_owned()),
        ScreenMarks | ScreenStates | Case | Note | Report => opened(model),
        ScreenRestore => {
            model.restore.as_ref().map(|_| ()).ok_or_else(|| "nothing was restored yet".to_owned())
        }
        Errors if model.mishaps.is_empty() => Err("nothing went wrong so far".into()),
        Retry => match super::update::failed(model) {
            Some(_) => Ok(()),
            None => Err("nothing has failed here".into()),
        },
        _ => Ok(()),
    }
}

fn opened(model: &Model) -> Result<(), String> {
    match model.opened.value() {
        Some(_) => Ok(()),
        None => Err("the sources are still being opened".into()),
    }
}

/// What can be done in a text that lies over the screen.
fn of_overlay(model: &Model, action: Action) -> Option<Result<(), String>> {
    let found = match model.overlays.last() {
        Some(Overlay::Detail(detail)) => &detail.found,
        Some(Overlay::Help(help)) => &help.found,
        Some(Overlay::Errors(_))
            if matches!(action, Action::Search | Action::SearchNext | Action::SearchPrevious) =>
        {
            let copy = key_in(model, Context::Detail, Action::Copy);
            return Some(Err(format!("each error is a few lines long: {copy} copies one")));
        }
        Some(Overlay::Confirm(Confirm { typed: Some(_), .. }))
            if matches!(action, Action::PickYes | Action::PickNo) =>
        {
            let key = |action| key_in(model, Context::Confirm, action);
            let (left, right) = (key(Action::SwitchBack), key(Action::Switch));
            return Some(Err(format!("letters are typed here: {left} and {right} choose")));
        }
        _ => return None,
    };
    let first = || format!("find something first: {}", key_in(model, Context::Detail, Action::Search));
    let again = || found.as_ref().map(|_| ()).ok_or_else(first);
    match action {
        Action::Search => Some(Ok(())),
        Action::SearchNext | Action::SearchPrevious => Some(again()),
        _ => None,
    }
}

/// What can be done on the screens that are not about ops.
fn of_screen(model: &Model, action: Action) -> Option<Result<(), String>> {
    use Action::*;
    let given = |there: bool, reason: &str| Some(if there { Ok(()) } else { Err(reason.to_owned()) });
    let compared = model.preview.diff.value().is_some();
    let looked = model.states.found.value().is_some();
    match (model.screen(), action) {
        (Screen::Preview, Filter | Search | Export) => given(compared, "nothing is compared yet"),
        (Screen::Preview, ClearFilter) => given(model.preview.filter.is_some(), "there is no filter"),
        (Screen::Preview, SearchNext | SearchPrevious) => {
            given(model.preview.find.is_some(), &format!("find something first: {}", key_of(model, Search)))
        }
        (Screen::Preview, Against) => Some(valid_stop(model)),
        (Screen::Marks, EditMark | RemoveMark) => {
            let is_mark = matches!(marks::selected(model), Some(marks::Row::Mark(_)));
            given(is_mark, "this is no mark: the stop and the end are always there")
        }
        (Screen::Marks, Open | Choose | StopBefore | Plan | ShowThere) => {
            match (action, model.is_restoring()) {
                (Plan, true) => given(false, &runs_already(model)),
                _ => given(
                    marks::selected(model).is_some(),
                    &format!(
                        "there is no mark yet: {} on the timeline sets one",
                        key_in(model, Context::Timeline, Mark)
                    ),
                ),
            }
        }
        (Screen::States, Plan) if model.is_restoring() => given(false, &runs_already(model)),
        (Screen::States, Where | OneDocument | Namespaces) => {
            given(!model.states.question.moments.is_empty(), "there is no state to look at")
        }
        (Screen::States, Export | Open | StopBefore | Plan) => given(looked, "no state was looked at yet"),
        (Screen::States, Earlier) => given(model.states.column > 0, "this is the earliest one"),
        (Screen::States, Later) => {
            given(model.states.column + 1 < model.states.all().len(), "this is the latest one")
        }
        _ => None,
    }
}

fn runs_already(model: &Model) -> String {
    format!("a restore runs already: {} shows it", key_of(model, Action::ScreenRestore))
}

fn has_stop(model: &Model) -> Result<(), String> {
    let stop = || key_in(model, Context::Timeline, Action::StopBefore);
    let first = || format!("choose a stop first: {} on the first op to leave out", stop());
    model.choice.stop.map(|_| ()).ok_or_else(first)
}

fn valid_stop(model: &Model) -> Result<(), String> {
    has_stop(model)?;
    match model.base() {
        Some(Err(error)) => Err(format!("not at this stop: {}", error.cause)),
        Some(Ok(_)) => Ok(()),
        None => Err("the sources are still being opened".into()),
    }
}

/// An action as it is offered: its row, and why it cannot be used.
#[derive(Debug, Clone)]
pub struct Offer {
    /// What it is.
    pub row: &'static Row,
    /// The context it was found in.
    pub keys: String,
    /// Why it cannot be used now.
    pub disabled: Option<String>,
}

fn offer(model: &Model, row: &'static Row) -> Offer {
    let keys: Vec<String> = model.keymap.keys(row.context, row.action).map(|c| c.to_string()).collect();
    Offer { row, keys: keys.join("  "), disabled: enabled(model, row.action).err() }
}

/// The hints of the footer, the most useful first.
pub fn hints(model: &Model) -> Vec<Offer> {
    let contexts = contexts(model);
    let modal = model.overlays.last().is_some_and(|o| o.is_modal());
    let mut seen = Vec::new();
    let mut out = Vec::new();
    for context in &contexts {
        for row in ACTIONS.iter().filter(|r| r.context == *context) {
            if seen.contains(&row.action) {
                continue;
            }
            seen.push(row.action);
            let unusable = modal && row.context == Context::Global && row.action != Action::Back;
            if row.short.is_empty() || unusable {
                continue;
            }
            let offer = offer(model, row);
            // What can be done here is shown even when it cannot be done now; what could be done
            // anywhere is not.
            if offer.disabled.is_none() || row.context != Context::Global {
                out.push(offer);
            }
        }
    }
    out
}

/// A line of the help.
#[derive(Debug, Clone)]
pub enum HelpLine {
    /// A heading.
    Heading(&'static str),
    /// An action.
    Action(Offer),
    /// A sentence.
    Text(String),
    /// Nothing.
    Blank,
}

/// The help of what lies under the help: its own keys first.
pub fn help(model: &Model) -> Vec<HelpLine> {
    let mut out = Vec::new();
    for context in screen_contexts(model) {
        out.push(HelpLine::Heading(context.title()));
        out.extend(
            ACTIONS.iter().filter(|r| r.context == context).map(|r| HelpLine::Action(offer(model, r))),
        );
        out.push(HelpLine::Blank);
    }
    out.push(HelpLine::Heading("About"));
    if let Some(opened) = model.opened.value() {
        out.push(HelpLine::Text(format!("The case is kept in {}", opened.case)));
    }
    if !model.start.log.is_empty() {
        out.push(HelpLine::Text(format!("The log of this run is {}", model.start.log)));
    }
    out.push(HelpLine::Text(format!(
        "Sources are only ever read. Every time is UTC; {} shows local time beside it.",
        key_of(model, Action::LocalTime)
    )));
    out.push(HelpLine::Text(format!("pitstop {}", model.start.version)));
    out
}

/// The actions that fit what was typed into the palette, the best first.
pub fn palette(model: &Model, typed: &str) -> Vec<Offer> {
    let matcher = SkimMatcherV2::default();
    let mut found: Vec<(i64, Offer)> = Vec::new();
    for context in screen_contexts(model) {
        for row in ACTIONS.iter().filter(|r| r.context == context && r.action != Action::Palette) {
            if found.iter().any(|(_, other)| other.row.action == row.action) {
                continue;
            }
            let score = match typed.trim() {
                "" => Some(0),
                text => matcher
                    .fuzzy_match(row.title, text)
                    .map(|s| s * 2)
                    .into_iter()
                    .chain(matcher.fuzzy_match(row.doc, text))
                    .max(),
            };
            found.extend(score.map(|score| (score, offer(model, row))));
        }
    }
    found.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
    found.into_iter().map(|(_, offer)| offer).collect()
}

/// The key that does this here, as shown in sentences.
pub fn key_of(model: &Model, action: Action) -> String {
    key_among(model, &screen_contexts(model), action)
}

/// The key that does this there, for sentences about another place, or about what lies over a
/// screen.
pub fn key_in(model: &Model, context: Context, action: Action) -> String {
    key_among(model, &[context, Context::Global], action)
}

fn key_among(model: &Model, contexts: &[Context], action: Action) -> String {
    row(contexts, action)
        .and_then(|r| model.keymap.keys(r.context, action).next())
        .map(|chord| chord.to_string())
        .unwrap_or_default()
}
