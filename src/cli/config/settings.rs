//! THE table of settings: names, defaults, what can be said. The file, the environment, the flags,
//! the sample and `doctor` all read these rows.

use crate::ops::doctor::Criticality;
use crate::ops::memory::LEAST;
use crate::runtime::{Mouse, ThemeChoice};

/// One thing that can be set.
#[derive(Debug)]
pub struct Setting {
    /// Its name in the file.
    pub name: &'static str,
    /// Its variable in the environment.
    pub variable: &'static str,
    /// What holds when nobody says anything.
    pub default: &'static str,
    /// The flag that sets it.
    pub flag: &'static str,
    /// How its value is written in the file.
    pub shape: Shape,
    /// What it does and what can be said, a line each.
    pub doc: &'static [&'static str],
    /// Why a text is no value of it.
    pub check: fn(&str) -> Result<(), String>,
}

/// How a value is written in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// `"text"`
    Text,
    /// `true` or `false`
    Switch,
    /// A text that names a file from the root or the home directory on.
    Path,
}

/// Who said so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin<'c> {
    /// Nobody.
    Default,
    /// The file.
    File,
    /// A profile in the file.
    Profile(&'c str),
    /// A variable of the environment.
    Environment(&'static str),
    /// A flag.
    Flag(&'static str),
}

/// The table.
pub const SETTINGS: &[Setting] = &[
    Setting {
        name: "theme",
        variable: "PITSTOP_THEME",
        default: "auto",
        flag: "--theme",
        shape: Shape::Text,
        doc: &["The palette; `pitstop --help` lists them under --theme."],
        check: |text| text.parse::<ThemeChoice>().map(|_| ()),
    },
    Setting {
        name: "ascii",
        variable: "PITSTOP_ASCII",
        default: "false",
        flag: "--ascii",
        shape: Shape::Switch,
        doc: &["Whether to use ASCII characters only."],
        check: |text| {
            text.parse::<bool>().map(|_| ()).map_err(|_| format!("{text:?} is neither true nor false"))
        },
    },
    Setting {
        name: "mouse",
        variable: "PITSTOP_MOUSE",
        default: "auto",
        flag: "--no-mouse",
        shape: Shape::Text,
        doc: &[
            "auto: the mouse is listened to, but not over ssh; on: there too; off: it is left to the terminal.",
        ],
        check: |text| text.parse::<Mouse>().map(|_| ()),
    },
    Setting {
        name: "criticality",
        variable: "PITSTOP_CRITICALITY",
        default: "production",
        flag: "--criticality",
        shape: Shape::Text,
        doc: &[
            "How much depends on the data: development, production, mission-critical.",
            "`pitstop doctor` judges by it; stated, the screens show it.",
        ],
        check: |text| text.parse::<Criticality>().map(|_| ()),
    },
    Setting {
        name: "mongod",
        variable: "PITSTOP_MONGOD",
        default: "",
        flag: "--mongod",
        shape: Shape::Path,
        doc: &["The mongod that isolated restores start; empty: the first on PATH."],
        // Whether it runs is seen when it is needed.
        check: |_| Ok(()),
    },
    Setting {
        name: "memory",
        variable: "PITSTOP_MEMORY",
        default: "",
        flag: "--memory",
        shape: Shape::Text,
        doc: &["How much memory to take, such as \"512M\"; empty: a quarter of the machine."],
        check: |text| if text.is_empty() { Ok(()) } else { memory(text).map(|_| ()) },
    },
];

/// Bytes of memory, as in `512M`.
pub fn memory(text: &str) -> Result<u64, String> {
    let bytes = crate::cli::commands::archive::size(text)?;
    match bytes < LEAST {
        true => Err(format!("{text:?} is too little: the program itself needs {}M", LEAST >> 20)),
        false => Ok(bytes),
    }
}

impl Setting {
    /// A value as the file has it.
    pub fn written(&self, text: &str) -> String {
        match self.shape {
            Shape::Switch => text.to_owned(),
            Shape::Text | Shape::Path => toml::Value::String(text.to_owned()).to_string(),
        }
    }
}

impl std::fmt::Display for Origin<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Origin::Default => f.write_str("the default"),
            Origin::File => f.write_str("the file"),
            Origin::Profile(name) => write!(f, "the profile {name}"),
            Origin::Environment(name) | Origin::Flag(name) => f.write_str(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::memory;

    #[test]
    fn memory_is_a_size_that_is_enough() {
        assert_eq!(memory("2G"), Ok(2 << 30));
        assert!(memory("63M").is_err_and(|said| said.contains("64M")));
        assert!(memory("much").is_err());
    }
}
