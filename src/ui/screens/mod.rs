//! The screens, one file each, between header and footer.

mod change;
mod history;
mod marks;
mod plan;
mod preview;
mod restore;
mod snapshots;
mod states;
mod stop;
mod suspects;
mod timeline;

pub use change::draw as change;
pub use stop::draw as stop;

use super::canvas::Canvas;
use crate::app::view::{self, Area};
use crate::app::{Model, Screen};

/// Draws the visible screen.
pub fn draw(c: &mut Canvas, model: &Model) {
    let size = c.area();
    let body = view::body((size.w, size.h));
    match model.screen() {
        Screen::Snapshots => snapshots::draw(c, model, body),
        Screen::Timeline => timeline::draw(c, model, body),
        Screen::Suspects => suspects::draw(c, model, body),
        Screen::History => history::draw(c, model, body),
        Screen::Preview => preview::draw(c, model, body),
        Screen::Marks => marks::draw(c, model, body),
        Screen::States => states::draw(c, model, body),
        Screen::Plan => plan::draw(c, model, body),
        Screen::Restore => restore::draw(c, model, body),
    }
}

/// The rows of `area` below its first `n`.
fn below(area: Area, n: u16) -> Area {
    Area { y: area.y + n.min(area.h), h: area.h.saturating_sub(n), ..area }
}
