//! An op or a version with its document before and after: a text that lies over the screen.

use crate::app::Model;
use crate::app::compare::{Piece, Tone};
use crate::app::screens::change::{Reading, lines};
use crate::app::view::{self, Area};
use crate::domain::text::count;
use crate::ui::canvas::{Canvas, width};
use crate::ui::overlays::{boxed, pieces_of};
use crate::ui::theme::Role;

/// Draws it.
pub fn draw(c: &mut Canvas, model: &Model, reading: &Reading) {
    let size = (c.area().w, c.area().h);
    let area = view::reader(size);
    let inside = boxed(c, area, &reading.title);
    let lines = lines(model, reading);
    let first = usize::try_from(reading.list.top).unwrap_or(usize::MAX);
    text(c, &lines, first, inside);
    let last = (reading.list.top + u64::from(inside.h)).min(lines.len() as u64);
    let place = format!(" {} of {} lines ", count(last), count(lines.len() as u64));
    let x = (area.x + area.w).saturating_sub(width(&place) + 1);
    c.text(x, area.y + area.h - 1, width(&place), &place, Role::Dim);
}

/// Lines from `first` on. What is longer than its room goes on below, so that nothing is out of
/// reach.
pub fn text(c: &mut Canvas, lines: &[Vec<Piece>], first: usize, area: Area) {
    let mut y = area.y;
    let bottom = area.y + area.h;
    for line in lines.iter().skip(first) {
        let [only] = line.as_slice() else {
            if y < bottom {
                let pieces: Vec<(&str, Role)> =
                    line.iter().map(|p| (p.text.as_str(), role(p.tone))).collect();
                c.pieces(area.x, y, area.w, &pieces);
            }
            y += 1;
            continue;
        };
        for part in pieces_of(&only.text, area.w) {
            if y < bottom {
                c.text(area.x, y, area.w, &part, role(only.tone));
            }
            y += 1;
        }
        if y >= bottom {
            return;
        }
    }
}

fn role(tone: Tone) -> Role {
    match tone {
        Tone::Plain => Role::Text,
        Tone::Title => Role::Title,
        Tone::Dim => Role::Dim,
        Tone::Before => Role::Goes,
        Tone::After => Role::Comes,
        Tone::Bad => Role::Bad,
    }
}
