//! The one way to put something on the screen. Foreign text is made visible here, cut to its
//! room with a sign that it goes on, and nothing is ever drawn outside the buffer.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Span;

use super::glyphs::{Charset, Glyph};
use super::theme::{Role, Theme};
use crate::app::Hit;
use crate::app::view::Area;
use crate::domain::text::visible;

/// What can be clicked, where. What was drawn last lies on top.
#[derive(Debug, Clone, Default)]
pub struct HitMap(Vec<(Area, Hit)>);

impl HitMap {
    /// What is at this cell.
    pub fn at(&self, x: u16, y: u16) -> Option<Hit> {
        let inside = |a: &Area| x >= a.x && x - a.x < a.w && y >= a.y && y - a.y < a.h;
        self.0.iter().rev().find(|(area, _)| inside(area)).map(|(_, hit)| *hit)
    }
}

/// A buffer being drawn on.
pub struct Canvas<'b> {
    buffer: &'b mut Buffer,
    theme: &'b Theme,
    /// Which characters can be shown.
    pub charset: Charset,
    /// What can be clicked so far.
    pub hits: HitMap,
}

/// How a cell of a table is placed in its room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// At the left.
    Left,
    /// At the right.
    Right,
}

/// How many columns a text takes once it is visible.
pub fn width(text: &str) -> u16 {
    u16::try_from(Span::raw(visible(text)).width()).unwrap_or(u16::MAX)
}

impl<'b> Canvas<'b> {
    /// A canvas over a buffer.
    pub fn new(buffer: &'b mut Buffer, theme: &'b Theme, charset: Charset) -> Self {
        Canvas { buffer, theme, charset, hits: HitMap::default() }
    }

    /// The whole canvas.
    pub fn area(&self) -> Area {
        let a = self.buffer.area;
        Area { x: a.x, y: a.y, w: a.width, h: a.height }
    }

    /// A glyph as text.
    pub fn glyph(&self, glyph: Glyph) -> &'static str {
        glyph.text(self.charset)
    }

    /// Puts a text into at most `room` columns, cut with a sign where it is longer; gives the
    /// column behind it.
    pub fn text(&mut self, x: u16, y: u16, room: u16, text: &str, role: Role) -> u16 {
        let style = self.theme.style(role);
        let text = visible(text);
        let wide = width(&text);
        let right = self.buffer.area.right();
        let room = room.min(right.saturating_sub(x));
        if y < self.buffer.area.y || y >= self.buffer.area.bottom() || room == 0 {
            return x;
        }
        if wide <= room {
            return self.buffer.set_stringn(x, y, &text, usize::from(room), style).0;
        }
        let (end, _) = self.buffer.set_stringn(x, y, &text, usize::from(room - 1), style);
        self.buffer.set_stringn(end, y, self.glyph(Glyph::More), 1, style).0
    }

    /// Puts a text into at most `room` columns, cut at its beginning: names made by machines
    /// differ at their ends.
    pub fn end_of(&mut self, x: u16, y: u16, room: u16, text: &str, role: Role) -> u16 {
        let text = visible(text);
        if width(&text) <= room {
            return self.text(x, y, room, &text, role);
        }
        let mut rest: &str = &text;
        while width(rest) + 1 > room && !rest.is_empty() {
            rest = rest.split_at(rest.chars().next().map_or(0, char::len_utf8)).1;
        }
        let more = self.glyph(Glyph::More);
        self.pieces(x, y, room, &[(more, role), (rest, role)])
    }

    /// Puts pieces one behind the other; gives the column behind them.
    pub fn pieces(&mut self, x: u16, y: u16, room: u16, pieces: &[(&str, Role)]) -> u16 {
        let end = x.saturating_add(room);
        pieces.iter().fold(x, |x, (text, role)| self.text(x, y, end.saturating_sub(x), text, *role))
    }

    /// Puts a text into a column of a table, cut to it; gives the column behind the room.
    pub fn cell(&mut self, x: u16, y: u16, room: u16, text: &str, role: Role, align: Align) -> u16 {
        let start = match align {
            Align::Left => x,
            Align::Right => x + room.saturating_sub(width(text)),
        };
        self.text(start, y, room, text, role);
        x.saturating_add(room)
    }

    /// A heading with a rule behind it; gives the column behind the heading.
    pub fn heading(&mut self, area: Area, y: u16, title: &str, more: &str) {
        let end = area.x + area.w;
        let x = self.text(area.x, y, area.w, title, Role::Title);
        let x = match more {
            "" => x,
            more => self.text(x + 2, y, end.saturating_sub(x + 2), more, Role::Dim),
        };
        self.rule(x + 1, y, end.saturating_sub(x + 1));
    }

    /// A horizontal rule.
    pub fn rule(&mut self, x: u16, y: u16, room: u16) {
        let text = self.glyph(Glyph::Rule).repeat(usize::from(room));
        self.text(x, y, room, &text, Role::Dim);
    }

    /// Lays a role over what is there already.
    pub fn paint(&mut self, area: Area, role: Role) {
        let style = self.theme.style(role);
        let rect = self.rect(area);
        self.buffer.set_style(rect, style);
    }

    /// Makes an area blank.
    pub fn clear(&mut self, area: Area) {
        let rect = self.rect(area);
        let blank = " ".repeat(usize::from(rect.width));
        for y in rect.top()..rect.bottom() {
            // Also what was only styled must go.
            self.buffer.set_style(Rect { y, height: 1, ..rect }, Style::reset());
            self.buffer.set_stringn(rect.x, y, &blank, usize::from(rect.width), Style::reset());
        }
    }

    /// Makes an area clickable.
    pub fn hit(&mut self, area: Area, hit: Hit) {
        self.hits.0.push((area, hit));
    }

    fn rect(&self, area: Area) -> Rect {
        Rect { x: area.x, y: area.y, width: area.w, height: area.h }.intersection(self.buffer.area)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::Palette;

    const THEME: Theme = Theme { palette: Palette::Mono };

    fn row(buffer: &Buffer, y: u16) -> String {
        (0..buffer.area.width).map(|x| buffer[(x, y)].symbol().to_owned()).collect()
    }

    #[test]
    fn what_is_too_long_says_so_and_foreign_text_is_shown() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 10, 2));
        let mut canvas = Canvas::new(&mut buffer, &THEME, Charset::Ascii);
        assert_eq!(canvas.text(0, 0, 10, "exactly 10", Role::Text), 10);
        canvas.text(0, 1, 10, "a\u{202e}b", Role::Text);
        assert_eq!(row(&buffer, 0), "exactly 10");
        let mut canvas = Canvas::new(&mut buffer, &THEME, Charset::Ascii);
        canvas.end_of(0, 0, 5, "65f0a1b2", Role::Text);
        assert_eq!(&row(&buffer, 0)[..5], "~a1b2");
        assert_eq!(row(&buffer, 1), "a\\u{202e}b");
        let mut canvas = Canvas::new(&mut buffer, &THEME, Charset::Ascii);
        canvas.text(0, 0, 5, "exactly", Role::Text);
        canvas.text(0, 1, 10, "a\\u{      ", Role::Text);
        canvas.text(4, 1, 99, "日本日本日本", Role::Text);
        assert_eq!(&row(&buffer, 0)[..5], "exac~");
        assert_eq!(row(&buffer, 1).trim_end(), "a\\u{日 本 ~");
    }

    #[test]
    fn outside_is_nothing() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 3, 1));
        let mut canvas = Canvas::new(&mut buffer, &THEME, Charset::Utf8);
        canvas.text(5, 0, 10, "x", Role::Text);
        canvas.text(0, 7, 10, "x", Role::Text);
        canvas.paint(Area { x: 2, y: 0, w: 50, h: 50 }, Role::Selected);
        canvas.clear(Area { x: 9, y: 9, w: 5, h: 5 });
        canvas.heading(Area { x: 0, y: 0, w: 3, h: 1 }, 0, "long heading", "more");
        assert_eq!(row(&buffer, 0), "lo\u{22ef}");
    }

    #[test]
    fn the_uppermost_is_hit() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 10, 4));
        let mut canvas = Canvas::new(&mut buffer, &THEME, Charset::Utf8);
        canvas.hit(Area { x: 0, y: 0, w: 10, h: 4 }, Hit::Row(1));
        canvas.hit(Area { x: 2, y: 1, w: 3, h: 1 }, Hit::Row(2));
        assert_eq!(canvas.hits.at(2, 1), Some(Hit::Row(2)));
        assert_eq!(canvas.hits.at(5, 1), Some(Hit::Row(1)));
        assert_eq!(canvas.hits.at(10, 1), None);
    }
}
