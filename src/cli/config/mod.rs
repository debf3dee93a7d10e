//! The configuration: which file, what else can be said (`PITSTOP_*`, flags), and what wins:
//! default, then the file, then the profile named as a source, then the environment, then flags.
//!
//! The file is `$XDG_CONFIG_HOME/pitstop/config.toml`, else `~/.config/pitstop/config.toml` on every
//! system, or the one of `--config` or `PITSTOP_CONFIG`. Never one of the current directory.

mod file;
mod sample;
mod settings;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use file::{File, Problem};
pub use sample::sample;
pub use settings::{Origin, SETTINGS, Setting, memory};

use crate::domain::source::Source;
use crate::domain::text::{counted, visible};
use crate::domain::{Error, Result};
use crate::keys::Keymap;
use crate::ops::memory::Memory;

const READING: &str = "reading the configuration";

/// Settings by name, as text; each was checked when it came in.
type Texts = BTreeMap<&'static str, String>;

/// What is configured.
#[derive(Debug, Default)]
pub struct Config {
    /// The file, if there is one.
    path: Option<PathBuf>,
    file: File,
    environment: Texts,
    flags: Texts,
    /// The profiles that were named as sources, in that order: the first that says something
    /// wins.
    named: Vec<String>,
}

impl Config {
    /// Reads file and environment; no file is an empty one, unless it was named. Everything that
    /// is wrong is said at once.
    pub fn load(named: Option<&Path>) -> Result<Config> {
        let path = match named {
            Some(path) => Some(path.to_owned()),
            None => from_environment()?,
        };
        let path = match path {
            Some(path) if !path.is_file() => {
                return Error::usage(READING, format!("{path:?}"), "there is no such file")
                    .hint("name another with --config or PITSTOP_CONFIG, or none; `pitstop generate config` prints one to begin with.")
                    .err();
            }
            Some(path) => Some(path),
            None => usual_place().filter(|path| path.exists()),
        };
        let mut problems = Vec::new();
        let file = match &path {
            Some(path) => File::read(path, &mut problems)?,
            None => File::default(),
        };
        let mut environment = Texts::new();
        for setting in SETTINGS {
            let Some(value) = std::env::var_os(setting.variable).filter(|v| !v.is_empty()) else { continue };
            let text = value.to_string_lossy().into_owned();
            match (setting.check)(&text) {
                Ok(()) => drop(environment.insert(setting.name, text)),
                Err(said) => problems.push(Problem::new(setting.variable, said)),
            }
        }
        let config = Config { path, file, environment, ..Config::default() };
        match problems.is_empty() {
            true => Ok(config),
            false => Err(config.wrong(&problems)),
        }
    }

    fn wrong(&self, problems: &[Problem]) -> Box<Error> {
        let place = self.path.as_ref().map_or_else(String::new, |path| format!("{path:?}"));
        let lines: Vec<String> =
            problems.iter().map(|p| format!("\n  {}", visible(&p.to_string()))).collect();
        let cause = format!("{}{}", counted(problems.len() as u64, "problem"), lines.concat());
        let hint = "mend all of them; `pitstop generate config` prints everything that can be said.";
        let error = match problems.iter().any(|p| p.is_unsafe) {
            true => Error::refused(READING, place, cause),
            false => Error::usage(READING, place, cause),
        };
        Box::new(error.hint(hint))
    }

    /// Notes what a flag says. clap has checked it.
    pub fn flag(&mut self, name: &'static str, text: Option<impl ToString>) {
        if let Some(text) = text {
            self.flags.insert(name, text.to_string());
        }
    }

    /// Puts what a profile stands for where it is named; its settings count from now on. A
    /// profile comes before a file of that name, which is `./NAME`.
    pub fn expand(&mut self, sources: &mut Vec<Source>) -> Result<()> {
        let mut all = Vec::new();
        for source in std::mem::take(sources) {
            let name = source.path().and_then(|path| path.to_str()).unwrap_or_default();
            match self.file.profiles.get(name) {
                Some(profile) => {
                    all.extend(profile.sources());
                    self.named.push(name.to_owned());
                }
                None if self.is_no_profile(name) => return Err(self.unknown(name)),
                None => all.push(source),
            }
        }
        *sources = all;
        Ok(())
    }

    fn is_no_profile(&self, name: &str) -> bool {
        let plain = !name.is_empty() && !name.contains('/') && !name.contains('.');
        plain && !self.file.profiles.is_empty() && !Path::new(name).exists()
    }

    fn unknown(&self, name: &str) -> Box<Error> {
        let known: Vec<&str> = self.file.profiles.keys().map(String::as_str).collect();
        let cause = "there is neither a profile nor a file of that name";
        Box::new(
            Error::usage("opening the sources", format!("{name:?}"), cause)
                .hint(format!("the profiles are: {}.", known.join(", "))),
        )
    }

    /// The profiles named as sources.
    pub fn profiles(&self) -> &[String] {
        &self.named
    }

    /// The file that was read.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// A setting as text, and who said so.
    pub fn get(&self, setting: &Setting) -> (&str, Origin<'_>) {
        let name = setting.name;
        let profiles = self.named.iter().filter_map(|n| Some((n, self.file.profiles.get(n)?)));
        let of_profile =
            profiles.filter_map(|(n, profile)| Some((profile.texts.get(name)?, Origin::Profile(n)))).next();
        let found = self.flags.get(name).map(|text| (text, Origin::Flag(setting.flag)));
        let found =
            found.or_else(|| Some((self.environment.get(name)?, Origin::Environment(setting.variable))));
        let found = found.or(of_profile).or_else(|| Some((self.file.texts.get(name)?, Origin::File)));
        found.map_or((setting.default, Origin::Default), |(text, origin)| (text.as_str(), origin))
    }

    /// The value of a setting.
    fn value<T: std::str::FromStr + Default>(&self, name: &str) -> T {
        let setting = SETTINGS.iter().find(|setting| setting.name == name);
        // Checked when it came in.
        setting.and_then(|setting| self.get(setting).0.parse().ok()).unwrap_or_default()
    }

    /// The palette.
    pub fn theme(&self) -> crate::runtime::ThemeChoice {
        self.value("theme")
    }

    /// Whether only ASCII is shown.
    pub fn ascii(&self) -> bool {
        self.value("ascii")
    }

    /// Whether the mouse is listened to.
    pub fn mouse(&self) -> crate::runtime::Mouse {
        self.value("mouse")
    }

    /// How much depends on the data.
    pub fn criticality(&self) -> crate::ops::doctor::Criticality {
        self.value("criticality")
    }

    /// Whether somebody said how much depends on the data, and what.
    pub fn stated_criticality(&self) -> Option<crate::ops::doctor::Criticality> {
        let setting = SETTINGS.iter().find(|setting| setting.name == "criticality")?;
        (self.get(setting).1 != Origin::Default).then(|| self.criticality())
    }

    /// The mongod to start; `None` = the first on `PATH`.
    pub fn mongod(&self) -> Option<PathBuf> {
        let text: String = self.value("mongod");
        (!text.is_empty()).then(|| PathBuf::from(text))
    }

    /// How much memory may be taken.
    pub fn memory(&self) -> Memory {
        let text: String = self.value("memory");
        Memory::or_default(memory(&text).ok())
    }

    /// Which keys do what.
    pub fn keymap(&self) -> Keymap {
        let mut keys = self.file.keys.clone();
        for profile in self.named.iter().rev().filter_map(|n| self.file.profiles.get(n)) {
            keys.extend(profile.keys.iter().cloned());
        }
        // Each profile's keys were tried with those of the file; those of several profiles may
        // still contradict each other, and then those of the first one stand.
        let first = || {
            let profile = self.named.first().and_then(|n| self.file.profiles.get(n));
            let own = profile.map(|p| p.keys.clone()).unwrap_or_default();
            Keymap::rebound(&[self.file.keys.clone(), own].concat()).unwrap_or_default()
        };
        Keymap::rebound(&keys).unwrap_or_else(|_| first())
    }

    /// How many actions have other keys.
    pub fn rebound(&self) -> usize {
        let named = self.named.iter().filter_map(|n| self.file.profiles.get(n));
        self.file.keys.len() + named.map(|p| p.keys.len()).sum::<usize>()
    }
}

fn from_environment() -> Result<Option<PathBuf>> {
    match std::env::var_os("PITSTOP_CONFIG").filter(|v| !v.is_empty()).map(PathBuf::from) {
        Some(path) if !path.is_absolute() => {
            Error::usage(READING, format!("{path:?}"), "PITSTOP_CONFIG is no whole path")
                .hint("write it from the root on: nothing is read from the current directory by accident.")
                .err()
        }
        other => Ok(other),
    }
}

fn usual_place() -> Option<PathBuf> {
    let home = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from).filter(|d| d.is_absolute());
    let home = home.or_else(|| directories::BaseDirs::new().map(|dirs| dirs.home_dir().join(".config")));
    home.map(|home| home.join("pitstop/config.toml"))
}
