//! Drawing: a function from the model to a buffer, and to a map of what can be clicked. It reads
//! and never changes anything, and knows neither a terminal nor a clock.
//!
//! ```text
//! pitstop  source                                READ-ONLY  14:52 UTC
//! base 2026-10-14T12-00-00Z > ops … > stop … > target isolated
//! the screen
//! what was said last, and what runs
//! keys that are of use here
//! ```
//!
//! All text goes through [`canvas::Canvas`], which makes foreign text visible; colours are roles
//! of a [`Theme`]; every glyph has an ASCII twin.

mod canvas;
mod chart;
mod frame;
mod glyphs;
mod overlays;
mod screens;
mod states;
mod theme;

pub use canvas::HitMap;
pub use glyphs::{ALL as GLYPHS, Charset, Glyph, at_least};
pub use theme::{Palette, Role, Theme};

use ratatui::buffer::Buffer;

use crate::app::{Model, view};
use canvas::Canvas;

/// Draws everything into the buffer, whose size the model knows.
pub fn draw(model: &Model, theme: &Theme, charset: Charset, buffer: &mut Buffer) -> HitMap {
    let size = (buffer.area.width, buffer.area.height);
    let mut canvas = Canvas::new(buffer, theme, charset);
    if !view::is_workable(size) {
        frame::too_small(&mut canvas, size);
        return canvas.hits;
    }
    frame::header(&mut canvas, model);
    frame::chosen(&mut canvas, model);
    screens::draw(&mut canvas, model);
    frame::status(&mut canvas, model);
    frame::footer(&mut canvas, model);
    overlays::draw(&mut canvas, model);
    canvas.hits
}
