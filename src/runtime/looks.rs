//! How the screen looks, from what the user asked for and what the terminal says of itself.

use std::env;

use super::ground::Ground;
use crate::ui::{Charset, Palette, Theme};

/// A palette by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ThemeChoice {
    /// By the terminal.
    #[default]
    Auto,
    /// This one.
    Of(Palette),
}

/// Whether the mouse is listened to: while it is, the terminal's own selection needs Shift.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mouse {
    /// Unless the terminal is far away.
    #[default]
    Auto,
    /// Also where the terminal is far away.
    On,
    /// Never.
    Off,
}

impl std::str::FromStr for ThemeChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(match text {
            "auto" => ThemeChoice::Auto,
            "dark" => ThemeChoice::Of(Palette::Dark),
            "light" => ThemeChoice::Of(Palette::Light),
            "ansi" => ThemeChoice::Of(Palette::Ansi),
            "ansi-light" => ThemeChoice::Of(Palette::AnsiLight),
            "mono" => ThemeChoice::Of(Palette::Mono),
            _ => return Err("it is none of auto, dark, light, ansi, ansi-light, mono".into()),
        })
    }
}

impl std::str::FromStr for Mouse {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Mouse::Auto),
            "on" => Ok(Mouse::On),
            "off" => Ok(Mouse::Off),
            _ => Err("it is none of auto, on, off".into()),
        }
    }
}

fn is_set(name: &str) -> bool {
    env::var_os(name).is_some_and(|v| !v.is_empty())
}

/// Whether the terminal's background decides how things look. A console without colours of its
/// own choice need not be asked.
pub fn depends_on_ground(choice: ThemeChoice) -> bool {
    let dumb = env::var("TERM").is_ok_and(|term| term == "linux" || term == "dumb");
    choice == ThemeChoice::Auto && !is_set("NO_COLOR") && !dumb
}

/// The palette. `NO_COLOR` wins over everything; many colours are used only where the terminal
/// says that it has them and what its background is: when asked, or in its environment.
pub fn theme(choice: ThemeChoice, ground: Option<Ground>) -> Theme {
    let palette = match choice {
        _ if is_set("NO_COLOR") => Palette::Mono,
        ThemeChoice::Of(palette) => palette,
        ThemeChoice::Auto => {
            let many = env::var("COLORTERM").is_ok_and(|v| v == "truecolor" || v == "24bit");
            match (many, ground.or_else(said)) {
                (true, Some(Ground::Light)) => Palette::Light,
                (true, Some(Ground::Dark)) => Palette::Dark,
                (false, Some(Ground::Light)) => Palette::AnsiLight,
                (_, None) | (false, Some(Ground::Dark)) => Palette::Ansi,
            }
        }
    };
    Theme { palette }
}

/// What the environment says of the background: ink and ground as numbers of the 16 colours.
fn said() -> Option<Ground> {
    let colours = env::var("COLORFGBG").ok()?;
    match colours.rsplit(';').next()?.parse::<u8>().ok()? {
        7 | 15 => Some(Ground::Light),
        _ => Some(Ground::Dark),
    }
}

/// Which characters can be shown: UTF-8 if the locale says so, and nobody wants ASCII.
pub fn charset(ascii: bool) -> Charset {
    let locale =
        ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|n| env::var(n).ok().filter(|v| !v.is_empty()));
    let utf8 = locale.is_some_and(|v| {
        let v = v.to_ascii_lowercase();
        v.contains("utf-8") || v.contains("utf8")
    });
    if utf8 && !ascii { Charset::Utf8 } else { Charset::Ascii }
}

/// Whether to listen to the mouse.
pub fn mouse(choice: Mouse) -> bool {
    match choice {
        Mouse::Auto => !is_set("SSH_TTY") && !is_set("SSH_CONNECTION"),
        Mouse::On => true,
        Mouse::Off => false,
    }
}
