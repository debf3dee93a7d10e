//! The stop: a panel with both its neighbours, the base it would use, what lies behind it and how
//! much of that is good, and the same stop for other tools.

use super::plan::op_line;
use crate::app::data::Counted;
use crate::app::view::{self, Area};
use crate::app::{Loadable, Model, Slot, actions};
use crate::domain::after::{After, Counts};
use crate::domain::op::Op;
use crate::domain::text::{count, counted, visible};
use crate::keys::{Action, Context};
use crate::ui::canvas::{Canvas, width};
use crate::ui::overlays::boxed;
use crate::ui::states;
use crate::ui::theme::Role;

/// Room for the names of lines.
const LABEL: u16 = 15;

/// The line between the two neighbours.
const STOP: &str = "stop";

/// Room for the name of a namespace.
const NAME: usize = 28;

/// How many namespaces are shown at most.
const NAMESPACES: usize = 8;

type Line = (&'static str, Vec<(String, Role)>);

/// Draws it.
pub fn draw(c: &mut Canvas, model: &Model) {
    let Some(bound) = model.choice.stop else { return };
    let size = (c.area().w, c.area().h);
    let wide = view::overlay(size, (104, 1)).w;
    // A heading, a rule, a blank line and the keys.
    let most = usize::from(view::body(size).h.saturating_sub(4));
    let lines = lines(model, wide.saturating_sub(4 + LABEL), most);
    let rows = u16::try_from(lines.len()).unwrap_or(0) + 4;
    let area = view::overlay(size, (104, rows.max(8)));
    let local = model.local_time(bound).map_or(String::new(), |t| format!("  local {}", t.replace('T', " ")));
    let inside = boxed(c, area, &format!("The stop: before {bound}, {}{local}", bound.time()));
    if states::absent(c, model, inside, Slot::Stop, &model.choice.facts) {
        return;
    }
    // The keys have the last row.
    let bottom = (inside.y + inside.h).saturating_sub(2);
    for (y, (name, pieces)) in (inside.y..bottom).zip(&lines) {
        if *name == STOP {
            c.text(inside.x, y, LABEL, "    stop    ", Role::Stop);
            c.rule(inside.x + LABEL, y, inside.w.saturating_sub(LABEL));
            continue;
        }
        c.text(inside.x, y, LABEL, name, Role::Dim);
        let pieces: Vec<(&str, Role)> = pieces.iter().map(|(t, r)| (t.as_str(), *r)).collect();
        c.pieces(inside.x + LABEL, y, inside.w.saturating_sub(LABEL), &pieces);
    }
    keys(c, model, Area { y: bottom + 1, h: 1, ..inside });
}

fn lines(model: &Model, room: u16, most: usize) -> Vec<Line> {
    let Some(facts) = model.choice.facts.value() else { return Vec::new() };
    let neighbour = |op: Option<&Op>, none: &str| {
        let mut pieces = op_line(op, none);
        let local = op.and_then(|op| model.local_time(op.pos));
        pieces.extend(local.and_then(|t| Some((format!("  local {}", t.get(11..19)?), Role::Dim))));
        pieces
    };
    let mut out: Vec<Line> = vec![
        ("last applied", neighbour(facts.stop.last_applied.as_ref(), "nothing")),
        (STOP, Vec::new()),
        ("first left out", neighbour(facts.stop.first_left_out.as_ref(), "nothing: this is the end")),
    ];
    match model.base() {
        Some(Ok(info)) => out.push(("base", vec![(info.id.clone(), Role::Title)])),
        Some(Err(error)) => {
            let cause = states::wrap(&error.cause, room).into_iter().map(|t| (t, Role::Bad));
            let hint = states::wrap(&error.hint, room).into_iter().map(|t| (t, Role::Text));
            for (at, piece) in cause.chain(hint).enumerate() {
                out.push((if at == 0 { "not possible" } else { "" }, vec![piece]));
            }
            if let Some(pos) = crate::app::screens::stop::nearest(model) {
                out.push((
                    "",
                    vec![
                        (actions::key_in(model, Context::Stop, Action::NearestStop), Role::Key),
                        (format!(" goes to {pos}, the nearest valid stop"), Role::Text),
                    ],
                ));
            }
        }
        None => {}
    }
    let tools = tools(model);
    // What follows matters more than what other tools call the stop.
    let rows = most.saturating_sub(out.len());
    match &model.choice.after {
        Loadable::Ready(after) => out.extend(after_lines(after, room, rows, tools.len() + 1)),
        other => {
            let mark = match facts.counted {
                Counted::All => "",
                Counted::SoFar => "at least ",
            };
            let left = format!("{mark}{} behind the stop", counted(facts.left_out, "op"));
            out.push(("left out", vec![(left, Role::Text)]));
            let doing = match other {
                Loadable::Loading { .. } => {
                    ("counting which of them are good writes ...".to_owned(), Role::Dim)
                }
                Loadable::Failed(error) => (format!("not counted: {}", error.cause), Role::Bad),
                _ => return out,
            };
            out.push(("", vec![doing]));
        }
    }
    if out.len() + tools.len() < most {
        out.push(("", Vec::new()));
        out.extend(tools);
    }
    out
}

/// What follows the stop in at most `rows` lines of `room` columns, of which `tools` are left free
/// where there are more namespaces than one.
fn after_lines(after: &After, room: u16, rows: usize, tools: usize) -> Vec<Line> {
    let total = &after.total;
    let mut out: Vec<Line> = Vec::new();
    let ops = |n| counted(n, "op");
    let documents = |n| counted(n, "document");
    out.push(match &after.incident {
        Some(burst) => {
            let (from, to) = (burst.first.time(), burst.last.time());
            let until = if hms(&from) == hms(&to) { String::new() } else { format!(" to {}", hms(&to)) };
            let much = format!(" {} in {}, {}{until}", count(burst.documents), burst.ns, hms(&from));
            ("incident", vec![(format!("{}:", burst.what), Role::Goes), (much, Role::Text)])
        }
        None => {
            ("incident", vec![("none: what is left out first is a write like any other".into(), Role::Text)])
        }
    });
    let left = format!("{} on {}", ops(total.operations), documents(total.documents));
    let mut pieces = vec![(left, Role::Text)];
    if after.incident.is_some() {
        pieces.push((format!(", {} of them the incident", count(total.incident_operations)), Role::Text));
    }
    out.push(("left out", pieces));
    out.push(match total.good_operations {
        0 => ("lost with it", vec![("no good write".into(), Role::Good)]),
        n => {
            let text = format!("{} on {}", counted(n, "good write"), documents(total.good_documents));
            ("lost with it", vec![(text, Role::Bad)])
        }
    });
    let mut names: Vec<_> = after.namespaces.iter().collect();
    names.sort_by_key(|ns| (std::cmp::Reverse(ns.counts.operations), ns.ns.to_string()));
    let free = rows.saturating_sub(out.len());
    let fit = if free > tools { (free - tools).max(1) } else { free }.min(NAMESPACES);
    let all = names.len();
    let cut = all > fit;
    names.truncate(if cut { fit.saturating_sub(1) } else { fit });
    let shown = names.iter().map(|found| visible(&found.ns.to_string()).into_owned());
    let shown: Vec<(String, &Counts)> = shown.zip(names.iter().map(|found| &found.counts)).collect();
    let wide = shown.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0).min(NAME);
    let incident = after.incident.is_some();
    let lines = |documents: bool| -> Vec<Line> {
        let line = |(name, counts): &(String, &Counts)| {
            ("", by_namespace(&format!("{name:<wide$}"), counts, incident, documents))
        };
        shown.iter().map(line).collect()
    };
    let fits = |(_, pieces): &Line| pieces.iter().map(|(text, _)| width(text)).sum::<u16>() <= room;
    let whole = lines(true);
    // How many documents it is in all stands above.
    out.extend(if whole.iter().all(fits) { whole } else { lines(false) });
    if cut && fit > 0 {
        let text = format!("and {} more", counted((all - shown.len()) as u64, "namespace"));
        out.push(("", vec![(text, Role::Dim)]));
    }
    out
}

fn by_namespace(ns: &str, counts: &Counts, incident: bool, documents: bool) -> Vec<(String, Role)> {
    let bad = match (counts.incident_operations, incident) {
        (_, false) => String::new(),
        (0, true) => " ".repeat(18),
        (n, true) => format!("{:>9} incident", count(n)),
    };
    let good = match counts.good_operations {
        0 => String::new(),
        n if documents => format!("{:>9} good on {}", count(n), counted(counts.good_documents, "document")),
        n => format!("{:>9} good", count(n)),
    };
    vec![(format!("{ns} "), Role::Dim), (bad, Role::Goes), (good, Role::Text)]
}

fn hms(time: &str) -> &str {
    time.get(11..19).unwrap_or("?")
}

/// The same stop for other tools.
fn tools(model: &Model) -> Vec<Line> {
    let Some(facts) = model.choice.facts.value() else { return Vec::new() };
    let of = |name, text: &String| (name, vec![(text.clone(), Role::Text)]);
    vec![
        of("mongorestore", &facts.tools.mongorestore),
        of("pbm restore", &facts.tools.pbm),
        of("Atlas", &facts.tools.atlas),
    ]
}

fn keys(c: &mut Canvas, model: &Model, area: Area) {
    let possible = !matches!(model.base(), Some(Err(_)));
    let key = |action| actions::key_in(model, Context::Stop, action);
    let both = |one, other| format!("{} {}", key(one), key(other));
    let mut named = Vec::new();
    if possible {
        named.extend([(key(Action::Preview), " preview  "), (key(Action::Plan), " restore  ")]);
    }
    named.extend([
        (both(Action::StopEarlier, Action::StopLater), " op  "),
        (both(Action::BurstEarlier, Action::BurstLater), " burst  "),
        (key(Action::StopAt), " time  "),
        (key(Action::Copy), " copy  "),
        (key(Action::Back), " close"),
    ]);
    let pieces: Vec<(&str, Role)> =
        named.iter().flat_map(|(key, name)| [(key.as_str(), Role::Key), (*name, Role::Text)]).collect();
    c.pieces(area.x, area.y, area.w, &pieces);
}
