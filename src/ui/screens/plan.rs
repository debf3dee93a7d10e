//! The plan: what a restore would do, before anything is touched.

use super::below;
use crate::app::view::Area;
use crate::app::{Model, Slot, actions, values};
use crate::domain::op::Op;
use crate::domain::plan::Plan;
use crate::domain::text::{bytes, count, counted};
use crate::keys::Action;
use crate::ui::canvas::Canvas;
use crate::ui::chart::look;
use crate::ui::states;
use crate::ui::theme::Role;

/// Draws it.
pub fn draw(c: &mut Canvas, model: &Model, body: Area) {
    c.heading(body, body.y, "Plan", "nothing is written before you say Yes");
    let area = below(body, 1);
    if states::absent(c, model, area, Slot::Plan, &model.plan.plan) {
        return;
    }
    let Some(plan) = model.plan.plan.value() else { return };
    let mut lines: Vec<(&str, Vec<(String, Role)>)> = steps(plan);
    lines.push(("5 write", vec![(plan.target.clone(), Role::Title)]));
    if let Some(target) = model.target() {
        lines.push(("", vec![(target.what.clone(), Role::Text)]));
    }
    lines.push((
        "6 verify",
        vec![("read everything back and compare; only then it is called done".into(), Role::Text)],
    ));
    for note in &plan.notes {
        lines.push(("note", vec![(note.clone(), Role::Mark)]));
    }
    let mut y = area.y;
    for (name, pieces) in &lines {
        let text: String = pieces.iter().map(|(t, _)| t.as_str()).collect();
        let room = area.w.saturating_sub(13);
        c.text(1, y, 10, name, Role::Dim);
        if crate::ui::canvas::width(&text) <= room || pieces.len() > 2 {
            let pieces: Vec<(&str, Role)> = pieces.iter().map(|(t, r)| (t.as_str(), *r)).collect();
            c.pieces(12, y, room, &pieces);
            y += 1;
        } else {
            let role = pieces.last().map_or(Role::Text, |(_, r)| *r);
            for line in states::wrap(&text, room) {
                c.text(12, y, room, &line, role);
                y += 1;
            }
        }
        if y >= area.y + area.h {
            return;
        }
    }
    if y + 1 < area.y + area.h {
        let keys = [Action::Ask, Action::NextTarget, Action::Back].map(|a| actions::key_of(model, a));
        let [ask, target, back] = &keys;
        let pieces = [
            (ask.as_str(), Role::Key),
            (" asks, and then restores   ", Role::Text),
            (target.as_str(), Role::Key),
            (" another target   ", Role::Text),
            (back.as_str(), Role::Key),
            (" goes back", Role::Text),
        ];
        c.pieces(12, y + 1, area.w.saturating_sub(12), &pieces);
    }
}

fn steps(plan: &Plan) -> Vec<(&'static str, Vec<(String, Role)>)> {
    let cost = &plan.cost;
    let plain = |text: String| vec![(text, Role::Text)];
    let entries = if cost.oplog_entries == 1 { "entry" } else { "entries" };
    vec![
        (
            "1 base",
            vec![
                (format!("{}  ", plan.snapshot.id), Role::Title),
                (
                    format!(
                        "{}, {}",
                        counted(cost.snapshot_documents, "document"),
                        bytes(cost.snapshot_bytes)
                    ),
                    Role::Text,
                ),
            ],
        ),
        (
            "2 oplog",
            plain(format!(
                "{} {entries} from {} on, {}",
                count(cost.oplog_entries),
                plan.from.time(),
                bytes(cost.oplog_bytes)
            )),
        ),
        (
            "3 stop",
            vec![(format!("before {}  ", plan.stop.bound), Role::Mark), (plan.stop.time.clone(), Role::Text)],
        ),
        ("  applied", op_line(plan.stop.last_applied.as_ref(), "nothing")),
        ("  left out", op_line(plan.stop.first_left_out.as_ref(), "nothing: it is the end of the oplog")),
        (
            "4 state",
            plain(format!(
                "about {}, {}, {}",
                counted(cost.documents, "document"),
                counted(cost.collections, "collection"),
                counted(cost.indexes, "secondary index").replace("indexs", "indexes")
            )),
        ),
    ]
}

/// An op on one line, as a neighbour of the stop.
pub fn op_line(op: Option<&Op>, none: &str) -> Vec<(String, Role)> {
    let Some(op) = op else { return vec![(none.to_owned(), Role::Dim)] };
    let (sign, role) = look(op.kind);
    let name = op.command.as_deref().unwrap_or(op.kind.name());
    let id = op.id.as_ref().map(values::id).unwrap_or_default();
    vec![
        (format!("{}  {}  ", op.pos, op.time.get(11..19).unwrap_or("?")), Role::Text),
        (format!("{sign} {name} "), role),
        (format!("{}  {id}", op.ns), Role::Text),
    ]
}
