//! One message in, effects out: routing only. What an action means is said by the screen or the
//! overlay it belongs to.

use super::actions::{self, contexts, enabled};
use super::answers;
use super::effect::{Copy, Effect, Work};
use super::jobs::{JobId, Slot};
use super::leaving;
use super::list::Line;
use super::live;
use super::loadable::Loadable;
use super::model::{Model, Screen};
use super::msg::{Hit, JobEvent, Msg};
use super::overlay::{self, Help, Menu, Overlay, Palette};
use super::screens::{
    case, history, marks, plan, preview, restore, snapshots, states, stop, suspects, timeline,
};
use super::values;
use super::waiting;
use super::window::Window;
use crate::keys::{Action, Code, Key, Resolution};

/// Takes one message.
pub fn update(model: &mut Model, msg: Msg) -> Vec<Effect> {
    let mut out = Vec::new();
    match msg {
        Msg::Key(pressed) => waiting::arrive(model, pressed, &mut out),
        Msg::Paste(text) => {
            if let Some(field) = model.overlays.last_mut().and_then(Overlay::field) {
                field.paste(&text);
            }
        }
        Msg::Click(hit) => {
            waiting::stop_search(model, &mut out);
            click(model, hit, &mut out);
        }
        Msg::Wheel(rows) => {
            waiting::stop_search(model, &mut out);
            wheel(model, rows, &mut out);
        }
        Msg::Resize(columns, rows) => model.size = (columns, rows),
        Msg::Now { ms, utc } => {
            model.now = ms;
            model.utc = utc;
        }
        Msg::Job(id, JobEvent::Progress(reading)) => {
            if model.jobs.progress(id, reading) && id.slot == Slot::Restore {
                restore::progress(model, reading);
            }
        }
        Msg::Job(id, JobEvent::Part(answer)) => {
            if model.jobs.is_current(id) {
                answers::part(model, answer, &mut out);
            }
        }
        Msg::Job(id, JobEvent::Ended(answer)) => {
            if model.jobs.end(id) {
                answers::ended(model, id.slot, answer, &mut out);
            }
        }
        Msg::Live(news) => live::told(model, news),
        Msg::Copied(Ok(text)) => model.say(text),
        Msg::Copied(Err(error)) => model.fail(&error),
    }
    demand(model, &mut out);
    while !model.held.is_empty() && !waiting::is_on_its_way(model) {
        let pressed = model.held.remove(0);
        key(model, pressed, &mut out);
        demand(model, &mut out);
    }
    out
}

fn demand(model: &mut Model, out: &mut Vec<Effect>) {
    timeline::demand(model, out);
    history::demand(model, out);
    preview::demand(model, out);
    stop::demand(model, out);
    live::demand(model, out);
}

/// The first thing to do.
pub fn begin(model: &mut Model) -> Vec<Effect> {
    let mut out = Vec::new();
    snapshots::open(model, &mut out);
    out
}

/// Starts a job: the one before it in its slot is of no interest any more.
pub fn ask(model: &mut Model, slot: Slot, work: Work, out: &mut Vec<Effect>) {
    let job: JobId = model.jobs.start(slot, model.now);
    out.push(Effect::Start { job, work });
}

/// Carries out what a key means.
pub(super) fn key(model: &mut Model, pressed: Key, out: &mut Vec<Effect>) {
    model.status = None;
    let types = matches!(pressed.code, Code::Char(_)) && !pressed.ctrl;
    if types && let Some(field) = model.overlays.last_mut().and_then(Overlay::field) {
        field.key(pressed);
        return;
    }
    model.pressed.push(pressed);
    match model.keymap.resolve(&contexts(model), &model.pressed) {
        Resolution::Action(action) => {
            model.pressed.clear();
            perform(model, action, out);
        }
        Resolution::Begun => {}
        Resolution::Nothing => {
            // A sequence that leads nowhere: the last key may mean something by itself.
            let again = model.pressed.len() > 1;
            model.pressed.clear();
            if again {
                key(model, pressed, out);
            } else if let Some(field) = model.overlays.last_mut().and_then(Overlay::field) {
                field.key(pressed);
            }
        }
    }
}

/// Carries an action out, or says why it cannot be.
pub fn perform(model: &mut Model, action: Action, out: &mut Vec<Effect>) {
    if let Err(reason) = enabled(model, action) {
        model.say(reason);
        return;
    }
    let covered = !model.overlays.is_empty();
    let modal = model.overlays.last().is_some_and(Overlay::is_modal);
    if covered && overlay::perform(model, action, out) {
        return;
    }
    let passes = matches!(action, Action::Interrupt | Action::Suspend | Action::Redraw);
    if modal && !passes {
        return;
    }
    let done = !covered
        && match model.screen() {
            Screen::Snapshots => snapshots::perform(model, action, out),
            Screen::Timeline => timeline::perform(model, action, out),
            Screen::Suspects => suspects::perform(model, action, out),
            Screen::History => history::perform(model, action, out),
            Screen::Preview => preview::perform(model, action, out),
            Screen::Marks => marks::perform(model, action, out),
            Screen::States => states::perform(model, action, out),
            Screen::Plan => plan::perform(model, action, out),
            Screen::Restore => restore::perform(model, action, out),
        };
    if !done && !case::perform(model, action, out) {
        global(model, action, out);
    }
}

fn global(model: &mut Model, action: Action, out: &mut Vec<Effect>) {
    match action {
        Action::Preview | Action::ScreenPreview => preview::show(model, out),
        Action::Plan => plan::show(model, out),
        Action::ScreenSnapshots => go(model, Screen::Snapshots),
        Action::ScreenTimeline => go(model, Screen::Timeline),
        Action::ScreenSuspects => go(model, Screen::Suspects),
        Action::ScreenRestore => go(model, Screen::Restore),
        Action::ScreenMarks => go(model, Screen::Marks),
        Action::ScreenStates => states::show(model, out),
        Action::Mark => marks::name(model),
        Action::History => {
            if let Some(of) = history::of_here(model) {
                history::show(model, of, out);
            }
        }
        Action::LocalTime => local_time(model),
        Action::Help => model.overlays.push(Overlay::Help(Help::default())),
        Action::Palette => model.overlays.push(Overlay::Palette(Palette::default())),
        Action::Errors => model.overlays.push(Overlay::Errors(Window::default())),
        Action::Back => {
            if model.stack.len() > 1 {
                model.stack.pop();
            } else {
                let leaves = actions::key_of(model, Action::Quit);
                model.say(format!("this is the first screen: {leaves} leaves"));
            }
        }
        Action::Copy => model.overlays.extend(copy_menu(model).map(Overlay::Menu)),
        Action::Retry => retry(model, out),
        Action::Quit => leaving::quit(model, out),
        Action::Interrupt => leaving::interrupt(model, out),
        Action::Suspend => out.push(Effect::Suspend),
        Action::Redraw => out.push(Effect::Redraw),
        _ => {}
    }
}

fn local_time(model: &mut Model) {
    model.local = !model.local;
    let name = model.start.zone.name(model.utc);
    model.say(match model.local {
        true => format!("local time ({name} now) stands beside UTC"),
        false => "every time is UTC".to_owned(),
    });
}

fn go(model: &mut Model, screen: Screen) {
    model.overlays.clear();
    model.show(screen);
}

/// What can be copied here: the op, the stop.
fn copy_menu(model: &Model) -> Option<Menu> {
    let mut items = Vec::new();
    let mut add = |name: &str, text: String| items.push((name.to_owned(), text.clone(), Copy::Text(text)));
    if model.screen() == Screen::Timeline
        && let Some(op) = model.timeline.selected()
    {
        add("the position", op.pos.to_string());
        add("the time", op.time.clone());
        add("the namespace", op.ns.clone());
        if let Some(id) = &op.id {
            add("the _id", id.to_string());
        }
        if let Some(text) =
            model.timeline.detail.1.ready().filter(|_| model.timeline.detail.0 == model.timeline.list.cursor)
        {
            add("the op", text.lines.join("\n"));
        }
    }
    if model.screen() == Screen::Timeline
        && let Some(folded) = model.timeline.here().and_then(Line::burst)
    {
        add("the last position", folded.burst.last.to_string());
    }
    if model.screen() == Screen::History
        && let Some(version) = model.history.selected()
    {
        add("the position", version.pos.to_string());
        let document = model.history.version.1.ready().and_then(|change| change.after.as_ref());
        if let Some(document) = document {
            add("the document", serde_json::to_string_pretty(document).unwrap_or_default());
        }
    }
    if model.screen() == Screen::Preview
        && let Some(document) = model.preview.document()
    {
        add("the _id", document.id.to_string());
        add("the difference", values::copy_of(document));
    }
    if model.screen() == Screen::Suspects
        && let Some(burst) = model.suspects.selected()
    {
        add("the first position", burst.first.to_string());
        add("the last position", burst.last.to_string());
    }
    if model.screen() == Screen::Marks
        && let Some(row) = marks::selected(model)
    {
        add("the position", row.bound().to_string());
        add("as an option", format!("--before {}", row.bound()));
    }
    if let Some(stop) = stop::menu(model) {
        items.extend(stop.items);
    }
    if items.is_empty() {
        items.push((
            "the sources".into(),
            model.start.source.clone(),
            Copy::Text(model.start.source.clone()),
        ));
    }
    Some(Menu { title: "Copy".into(), items, list: Window::default() })
}

/// What has failed on this screen.
pub fn failed(model: &Model) -> Option<Slot> {
    if model.opened.error().is_some() {
        return Some(Slot::Open);
    }
    match model.screen() {
        Screen::Timeline if model.timeline.index.error().is_some() => Some(Slot::Index),
        Screen::Suspects if model.timeline.index.error().is_some() => Some(Slot::Index),
        Screen::Suspects if model.suspects.found.error().is_some() => Some(Slot::Suspects),
        Screen::History if model.history.found.error().is_some() => Some(Slot::History),
        Screen::Preview if model.preview.diff.error().is_some() => Some(Slot::Diff),
        Screen::Preview => model.preview.shown().and_then(Loadable::error).map(|_| Slot::Documents),
        Screen::States if model.states.found.error().is_some() => Some(Slot::States),
        Screen::Plan if model.plan.plan.error().is_some() => Some(Slot::Plan),
        _ => None,
    }
}

fn retry(model: &mut Model, out: &mut Vec<Effect>) {
    match failed(model) {
        Some(Slot::Open) => snapshots::open(model, out),
        Some(Slot::Index) => timeline::index(model, out),
        Some(Slot::Suspects) => suspects::look(model, out),
        Some(Slot::History) => history::follow(model, out),
        Some(Slot::Diff) => preview::compare(model, out),
        Some(Slot::Documents) => model.preview.documents.retain(|_, d| d.error().is_none()),
        Some(Slot::States) => states::look(model, out),
        Some(Slot::Plan) => plan::make(model, out),
        _ => {}
    }
}

fn wheel(model: &mut Model, rows: i64, out: &mut Vec<Effect>) {
    let action = if rows < 0 { Action::Up } else { Action::Down };
    for _ in 0..rows.unsigned_abs().min(20) {
        perform(model, action, out);
    }
}

fn click(model: &mut Model, hit: Hit, out: &mut Vec<Effect>) {
    match hit {
        // What writes is answered by Enter: a click can slip.
        Hit::Hint(Action::Accept) if asks_before_writing(model) => {}
        Hit::Hint(action) => perform(model, action, out),
        Hit::Answer(answer) => {
            if let Some(Overlay::Confirm(confirm)) = model.overlays.last_mut() {
                confirm.chosen = answer;
            }
        }
        Hit::OverlayRow(row) => match model.overlays.last_mut() {
            Some(Overlay::Palette(palette)) => palette.list.cursor = row,
            Some(Overlay::Menu(menu)) => menu.list.cursor = row,
            _ => {}
        },
        _ if !model.overlays.is_empty() => {}
        Hit::Bar(bar) => {
            if let Some(pos) = model.timeline.axis.map(|axis| axis.edge(bar)) {
                timeline::go_to(model, pos, out);
            }
        }
        Hit::Row(row) => to_row(model, row),
        Hit::SideRow(row) => {
            model.preview.on_side = true;
            model.preview.side.cursor = row;
        }
    }
}

fn asks_before_writing(model: &Model) -> bool {
    match model.overlays.last() {
        Some(Overlay::Confirm(_)) => true,
        Some(Overlay::Prompt(prompt)) => prompt.purpose.names_a_file(),
        _ => false,
    }
}

fn to_row(model: &mut Model, row: u64) {
    match model.screen() {
        Screen::Snapshots => model.snapshots.cursor = row,
        Screen::Timeline => {
            model.timeline.list.cursor = row;
            model.timeline.goal = None;
        }
        Screen::Suspects => model.suspects.list.cursor = row,
        Screen::History => model.history.list.cursor = row,
        Screen::Preview => {
            model.preview.on_side = false;
            model.preview.list.cursor = row;
            model.preview.side = Window::default();
        }
        Screen::Marks => model.marks.window.cursor = row,
        Screen::States => model.states.list.cursor = row,
        Screen::Plan | Screen::Restore => {}
    }
}
