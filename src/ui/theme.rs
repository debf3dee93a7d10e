//! Colours as meanings. No widget names a colour; a palette says what a meaning looks like.
//!
//! Blue and orange tell apart what comes and what goes, never green and red, and a sign always
//! stands beside the colour. The main background is the user's own. The mono palette holds no
//! colour at all: under `NO_COLOR` the terminal library breaks a reversed cell that has one.

use ratatui::style::{Color, Modifier, Style};

/// What a piece of text means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Ordinary text.
    Text,
    /// Text of less importance.
    Dim,
    /// A heading.
    Title,
    /// The name of this program.
    Brand,
    /// A word that must not be overlooked.
    Badge,
    /// A word of warning that must not be overlooked.
    Alarm,
    /// A key.
    Key,
    /// The highlighted row.
    Selected,
    /// The highlighted row of a list that is not moved through.
    Resting,
    /// Comes: inserts, what comes back.
    Comes,
    /// Changes: updates, what changes back.
    Changes,
    /// Goes: deletes, what goes away.
    Goes,
    /// Commands.
    Command,
    /// Something is right.
    Good,
    /// Something is wrong.
    Bad,
    /// A mark on the timeline.
    Mark,
    /// The chosen stop.
    Stop,
    /// The heading of what lies over a screen.
    Over,
    /// The body of what lies over a screen.
    OverBody,
}

impl Role {
    /// All of them.
    pub const ALL: [Role; 19] = [
        Role::Text,
        Role::Dim,
        Role::Title,
        Role::Brand,
        Role::Badge,
        Role::Alarm,
        Role::Key,
        Role::Selected,
        Role::Resting,
        Role::Comes,
        Role::Changes,
        Role::Goes,
        Role::Command,
        Role::Good,
        Role::Bad,
        Role::Mark,
        Role::Stop,
        Role::Over,
        Role::OverBody,
    ];
}

/// How meanings look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Palette {
    /// Many colours on a dark background.
    Dark,
    /// Many colours on a light background.
    Light,
    /// The sixteen colours of the user's own scheme.
    Ansi,
    /// Those of them that can be read on a light background.
    AnsiLight,
    /// No colour.
    Mono,
}

/// A palette in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Theme {
    /// Which.
    pub palette: Palette,
}

impl Theme {
    /// The look of a meaning.
    pub fn style(&self, role: Role) -> Style {
        match self.palette {
            Palette::Dark => many(role, &DARK),
            Palette::Light => many(role, &LIGHT),
            Palette::Ansi => ansi(role, [Color::Cyan, Color::Yellow]),
            Palette::AnsiLight => ansi(role, [Color::Blue, Color::Red]),
            Palette::Mono => mono(role),
        }
    }
}

/// The colours of a palette of many colours.
struct Colours {
    text: Color,
    dim: Color,
    comes: Color,
    changes: Color,
    goes: Color,
    command: Color,
    bad: Color,
    mark: Color,
    brand: (Color, Color),
    badge: (Color, Color),
    alarm: (Color, Color),
    selected: Color,
    resting: Color,
    over: (Color, Color),
    stop: (Color, Color),
}

const fn rgb(hex: u32) -> Color {
    Color::Rgb((hex >> 16) as u8, (hex >> 8) as u8, hex as u8)
}

const DARK: Colours = Colours {
    text: Color::Reset,
    dim: rgb(0x9aa5b1),
    comes: rgb(0x6cb8f6),
    changes: rgb(0xb9a5f5),
    goes: rgb(0xf0a030),
    command: rgb(0xe58fc1),
    bad: rgb(0xff8a65),
    mark: rgb(0xe8d44d),
    brand: (rgb(0x10202c), rgb(0x6cb8f6)),
    badge: (rgb(0x241700), rgb(0xf0a030)),
    alarm: (rgb(0x2b0a00), rgb(0xff8a65)),
    selected: rgb(0x2f435a),
    resting: rgb(0x2a2f36),
    over: (rgb(0x10202c), rgb(0x9cc9ee)),
    stop: (rgb(0x1d1900), rgb(0xe8d44d)),
};

const LIGHT: Colours = Colours {
    text: Color::Reset,
    dim: rgb(0x5a6570),
    comes: rgb(0x0b5cab),
    changes: rgb(0x6740b4),
    goes: rgb(0xa84300),
    command: rgb(0x9c2c77),
    bad: rgb(0xb3261e),
    mark: rgb(0x7a5c00),
    brand: (rgb(0xffffff), rgb(0x0b5cab)),
    badge: (rgb(0xffffff), rgb(0xa84300)),
    alarm: (rgb(0xffffff), rgb(0xb3261e)),
    selected: rgb(0xcfe3f7),
    resting: rgb(0xe6eaee),
    over: (rgb(0xffffff), rgb(0x35506b)),
    stop: (rgb(0xffffff), rgb(0x7a5c00)),
};

fn many(role: Role, c: &Colours) -> Style {
    let on = |(fg, bg): (Color, Color)| Style::new().fg(fg).bg(bg).add_modifier(Modifier::BOLD);
    match role {
        Role::Text | Role::OverBody => Style::new().fg(c.text),
        Role::Dim => Style::new().fg(c.dim),
        Role::Title => Style::new().fg(c.text).add_modifier(Modifier::BOLD),
        Role::Brand => on(c.brand),
        Role::Badge => on(c.badge),
        Role::Alarm => on(c.alarm),
        Role::Key => Style::new().fg(c.comes).add_modifier(Modifier::BOLD),
        Role::Selected => Style::new().bg(c.selected).add_modifier(Modifier::BOLD),
        Role::Resting => Style::new().bg(c.resting),
        Role::Comes | Role::Good => Style::new().fg(c.comes),
        Role::Changes => Style::new().fg(c.changes),
        Role::Goes => Style::new().fg(c.goes),
        Role::Command => Style::new().fg(c.command),
        Role::Bad => Style::new().fg(c.bad).add_modifier(Modifier::BOLD),
        Role::Mark => Style::new().fg(c.mark).add_modifier(Modifier::BOLD),
        Role::Stop => on(c.stop),
        Role::Over => on(c.over),
    }
}

/// What comes and what goes have the colours that differ by background: yellow and cyan cannot
/// be read on white, blue not on black.
fn ansi(role: Role, [comes, goes]: [Color; 2]) -> Style {
    let plain = Style::new();
    match role {
        Role::Text | Role::OverBody => plain,
        Role::Dim => plain.add_modifier(Modifier::DIM),
        Role::Title => plain.add_modifier(Modifier::BOLD),
        Role::Brand | Role::Badge | Role::Over => {
            plain.add_modifier(Modifier::BOLD).add_modifier(Modifier::REVERSED)
        }
        Role::Alarm => plain.fg(Color::Red).add_modifier(Modifier::BOLD).add_modifier(Modifier::REVERSED),
        Role::Key => plain.fg(comes).add_modifier(Modifier::BOLD),
        Role::Selected => plain.add_modifier(Modifier::REVERSED),
        Role::Resting => plain.add_modifier(Modifier::UNDERLINED),
        Role::Comes | Role::Good => plain.fg(comes),
        Role::Changes => plain.fg(Color::Magenta),
        Role::Goes => plain.fg(goes),
        Role::Command => plain.fg(Color::Magenta).add_modifier(Modifier::BOLD),
        Role::Bad => plain.fg(Color::Red).add_modifier(Modifier::BOLD),
        Role::Mark => plain.add_modifier(Modifier::BOLD),
        Role::Stop => plain.add_modifier(Modifier::REVERSED),
    }
}

fn mono(role: Role) -> Style {
    let plain = Style::new();
    match role {
        Role::Text | Role::OverBody | Role::Comes | Role::Changes | Role::Good => plain,
        Role::Dim => plain.add_modifier(Modifier::DIM),
        Role::Title | Role::Key | Role::Mark | Role::Goes | Role::Command | Role::Bad => {
            plain.add_modifier(Modifier::BOLD)
        }
        Role::Brand | Role::Badge | Role::Alarm | Role::Over | Role::Selected | Role::Stop => {
            plain.add_modifier(Modifier::REVERSED)
        }
        Role::Resting => plain.add_modifier(Modifier::UNDERLINED),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative luminance, as WCAG 2 defines it.
    fn luminance(colour: Color) -> f64 {
        let Color::Rgb(r, g, b) = colour else { panic!("{colour:?} has no luminance of its own") };
        let part = |c: u8| {
            let c = f64::from(c) / 255.0;
            if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b)
    }

    fn contrast(a: Color, b: Color) -> f64 {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn text_can_be_read_on_usual_backgrounds_and_on_the_highlight() {
        for (palette, ground, ink) in
            [(Palette::Dark, rgb(0x1e1e1e), rgb(0xd4d4d4)), (Palette::Light, rgb(0xffffff), rgb(0x1f2328))]
        {
            let theme = Theme { palette };
            let highlight = theme.style(Role::Selected).bg.unwrap();
            for role in Role::ALL {
                let style = theme.style(role);
                let real = |c: Option<Color>, or: Color| c.filter(|c| *c != Color::Reset).unwrap_or(or);
                let (fg, bg) = (real(style.fg, ink), real(style.bg, ground));
                assert!(contrast(fg, bg) >= 4.5, "{palette:?} {role:?}: {:.2}", contrast(fg, bg));
                if style.bg.is_none() {
                    let on = contrast(fg, highlight);
                    assert!(on >= 3.5, "{palette:?} {role:?} highlighted: {on:.2}");
                }
            }
        }
    }

    #[test]
    fn mono_has_no_colour_and_still_tells_what_matters_apart() {
        let theme = Theme { palette: Palette::Mono };
        for role in Role::ALL {
            let style = theme.style(role);
            assert!(style.fg.is_none() && style.bg.is_none(), "{role:?}");
        }
        for role in [Role::Selected, Role::Dim, Role::Title, Role::Bad, Role::Resting] {
            assert_ne!(theme.style(role), theme.style(Role::Text), "{role:?}");
        }
    }
}
