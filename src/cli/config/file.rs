//! The file: TOML into settings, keys and profiles. Nothing is passed over; everything that is
//! wrong is collected, with its line.

use std::collections::BTreeMap;
use std::fmt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use clap::CommandFactory;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::settings::{SETTINGS, Shape};
use super::{READING, Texts};
use crate::cli::args::Cli;
use crate::domain::source::{Source, is_uri};
use crate::domain::uri::{holds_secret, redacted};
use crate::domain::{Error, Result};
use crate::keys::{Action, Chord, Context, Keymap, Rebind};

/// What the file says.
#[derive(Debug, Default)]
pub struct File {
    /// The settings it has.
    pub texts: Texts,
    /// Other keys.
    pub keys: Vec<Rebind>,
    /// The profiles by name.
    pub profiles: BTreeMap<String, Profile>,
}

/// A name for a live source and its backups, with settings of its own.
#[derive(Default)]
pub struct Profile {
    /// The connection string; it may hold a password.
    pub source: Option<String>,
    /// Dumps, archives, folders of slices.
    pub backups: Vec<PathBuf>,
    /// Settings for when it is used.
    pub texts: Texts,
    /// Keys for when it is used.
    pub keys: Vec<Rebind>,
}

/// Something that is wrong.
#[derive(Debug, PartialEq, Eq)]
pub struct Problem {
    place: String,
    what: String,
    /// Whether it is one of safety.
    pub is_unsafe: bool,
}

impl Problem {
    /// A mistake at this place.
    pub fn new(place: impl fmt::Display, what: impl fmt::Display) -> Problem {
        Problem { place: place.to_string(), what: what.to_string(), is_unsafe: false }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

impl Profile {
    /// What it stands for: the live source first.
    pub fn sources(&self) -> impl Iterator<Item = Source> {
        let live = self.source.iter().cloned().map(Source::Live);
        live.chain(self.backups.iter().cloned().map(Source::Path))
    }
}

impl fmt::Debug for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.sources()).finish()
    }
}

impl File {
    /// Reads the file; what is wrong in it goes into `problems`.
    pub fn read(path: &Path, problems: &mut Vec<Problem>) -> Result<File> {
        let failed = |e: std::io::Error| {
            Error::failed(READING, format!("{path:?}"), e).hint("check that you may read it.")
        };
        let text = std::fs::read_to_string(path).map_err(failed)?;
        let meta = std::fs::metadata(path).map_err(failed)?;
        let mut reader = Reader { text: &text, problems, mode: meta.mode() };
        let own = rustix::process::geteuid().as_raw();
        if meta.mode() & 0o002 != 0 || ![own, 0].contains(&meta.uid()) {
            reader.unsafe_at(
                0,
                "somebody else may write it, and it names programs to start: make it yours, chmod 600",
            );
        }
        Ok(reader.file())
    }
}

struct Reader<'t> {
    text: &'t str,
    problems: &'t mut Vec<Problem>,
    mode: u32,
}

type Key<'i> = Spanned<std::borrow::Cow<'i, str>>;
type Value<'i> = Spanned<DeValue<'i>>;

impl Reader<'_> {
    fn at(&mut self, byte: usize, what: impl fmt::Display) {
        let before = self.text.as_bytes().get(..byte).unwrap_or_default();
        let line = before.iter().filter(|b| **b == b'\n').count() + 1;
        // What is quoted from the file may be a connection string.
        let what = redacted(&what.to_string());
        self.problems.push(Problem::new(format!("line {line}"), what));
    }

    fn unsafe_at(&mut self, byte: usize, what: impl fmt::Display) {
        self.at(byte, what);
        if let Some(problem) = self.problems.last_mut() {
            problem.is_unsafe = true;
        }
    }

    fn file(&mut self) -> File {
        let text = self.text;
        let (table, errors) = DeTable::parse_recoverable(text);
        for error in errors {
            self.at(error.span().map_or(0, |span| span.start), error.message());
        }
        let mut file = File::default();
        for (key, value) in table.get_ref() {
            match key.get_ref().as_ref() {
                "keys" => file.keys = self.keys(value),
                "profiles" => self.profiles(value, &mut file),
                _ => self.setting(key, value, &mut file.texts, &["keys", "profiles"]),
            }
        }
        self.try_keys("keys", &file.keys, &[]);
        let keys = file.keys.clone();
        for (name, profile) in &file.profiles {
            if !profile.keys.is_empty() {
                self.try_keys(&format!("profiles.{name}.keys"), &keys, &profile.keys);
            }
        }
        file
    }

    fn try_keys(&mut self, place: &str, keys: &[Rebind], more: &[Rebind]) {
        for said in Keymap::rebound(&[keys, more].concat()).err().unwrap_or_default() {
            // What the file's own keys do wrong is said once.
            let problem = Problem::new(place, said);
            if !self.problems.iter().any(|known| known.what == problem.what) {
                self.problems.push(problem);
            }
        }
    }

    /// One of the settings; `others` are keys that stand beside them.
    fn setting(&mut self, key: &Key<'_>, value: &Value<'_>, texts: &mut Texts, others: &[&str]) {
        let name = key.get_ref().as_ref();
        let Some(setting) = SETTINGS.iter().find(|setting| setting.name == name) else {
            let known = SETTINGS.iter().map(|s| s.name).chain(others.iter().copied());
            let known: Vec<&str> = known.collect();
            return self
                .at(key.span().start, format!("`{name}` is no setting; there are {}", known.join(", ")));
        };
        let byte = value.span().start;
        let text = match (setting.shape, value.get_ref()) {
            (Shape::Switch, DeValue::Boolean(on)) => on.to_string(),
            (Shape::Switch, _) => return self.at(byte, format!("{name}: write true or false")),
            (Shape::Text, DeValue::String(text)) => text.to_string(),
            (Shape::Path, DeValue::String(text)) if text.is_empty() => String::new(),
            (Shape::Path, DeValue::String(text)) => match whole_path(text) {
                Ok(path) => path.to_string_lossy().into_owned(),
                Err(said) => return self.at(byte, format!("{name}: {said}")),
            },
            _ => return self.at(byte, format!("{name}: write a text, in quotes")),
        };
        match (setting.check)(&text) {
            Ok(()) => drop(texts.insert(setting.name, text)),
            Err(said) => self.at(byte, format!("{name}: {text:?}: {said}")),
        }
    }

    fn table<'v, 'i>(&mut self, name: &str, value: &'v Value<'i>) -> Option<&'v DeTable<'i>> {
        let table = value.get_ref().as_table();
        if table.is_none() {
            self.at(value.span().start, format!("`{name}` is a table: write [{name}]"));
        }
        table
    }

    fn profiles(&mut self, value: &Value<'_>, file: &mut File) {
        let Some(table) = self.table("profiles", value) else { return };
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
            if name.is_empty() || name.starts_with('-') || !name.chars().all(plain) {
                self.at(key.span().start, format!("{name:?}: a profile's name has letters, digits, - and _"));
                continue;
            }
            if Cli::command().find_subcommand(name).is_some() || name == "help" {
                self.at(key.span().start, format!("`{name}` is a command, and cannot name a profile"));
                continue;
            }
            let place = format!("profiles.{name}");
            let Some(inner) = self.table(&place, value) else { continue };
            let mut profile = Profile::default();
            for (key, value) in inner {
                match key.get_ref().as_ref() {
                    "source" => profile.source = self.source(value),
                    "backups" => profile.backups = self.backups(value),
                    "keys" => profile.keys = self.keys(value),
                    _ => self.setting(key, value, &mut profile.texts, &["source", "backups", "keys"]),
                }
            }
            if !inner.iter().any(|(key, _)| ["source", "backups"].contains(&key.get_ref().as_ref())) {
                self.at(key.span().start, format!("{place} names neither a source nor backups"));
            }
            file.profiles.insert(name.to_owned(), profile);
        }
    }

    fn source(&mut self, value: &Value<'_>) -> Option<String> {
        let byte = value.span().start;
        let Some(uri) = value.get_ref().as_str().filter(|text| is_uri(text)) else {
            self.at(byte, "source: write the connection string of a replica set, \"mongodb://…\"; files belong to `backups`");
            return None;
        };
        if holds_secret(uri) && self.mode & 0o077 != 0 {
            self.unsafe_at(
                byte,
                format!(
                    "source: it holds a password, and others may read the file (mode {:o}): chmod 600",
                    self.mode & 0o777
                ),
            );
        }
        Some(uri.to_owned())
    }

    fn backups(&mut self, value: &Value<'_>) -> Vec<PathBuf> {
        let texts = self.texts("backups", value);
        let mut paths = Vec::new();
        for (byte, text) in texts {
            match whole_path(&text) {
                Ok(path) => paths.push(path),
                Err(said) => self.at(byte, format!("backups: {said}")),
            }
        }
        paths
    }

    /// One text, or a list of them.
    fn texts(&mut self, name: &str, value: &Value<'_>) -> Vec<(usize, String)> {
        let mut out = Vec::new();
        let items = match value.get_ref() {
            DeValue::Array(items) => items.iter().collect(),
            _ => vec![value],
        };
        for item in items {
            match item.get_ref().as_str() {
                Some(text) => out.push((item.span().start, text.to_owned())),
                None => {
                    self.at(item.span().start, format!("{name}: write a text in quotes, or a list of them"))
                }
            }
        }
        out
    }

    fn keys(&mut self, value: &Value<'_>) -> Vec<Rebind> {
        let Some(table) = self.table("keys", value) else { return Vec::new() };
        // What is said of one context counts more than what is said of all.
        let (mut all, mut of_one) = (Vec::new(), Vec::new());
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            let Some(inner) = value.get_ref().as_table() else {
                all.extend(self.rebind(None, key, value));
                continue;
            };
            match Context::named(name) {
                Some(context) => {
                    for (key, value) in inner {
                        of_one.extend(self.rebind(Some(context), key, value));
                    }
                }
                None => {
                    let known: Vec<String> = Context::ALL.iter().map(|c| c.name()).collect();
                    let known = known.join(", ");
                    self.at(key.span().start, format!("keys: `{name}` is no context; there are {known}"));
                }
            }
        }
        all.extend(of_one);
        all
    }

    fn rebind(&mut self, context: Option<Context>, key: &Key<'_>, value: &Value<'_>) -> Option<Rebind> {
        let name = key.get_ref().as_ref();
        let action = Action::named(name);
        if action.is_none() {
            let what = format!("keys: `{name}` is no action; `pitstop generate config` lists them");
            self.at(key.span().start, what);
        }
        let mut keys: Vec<Chord> = Vec::new();
        for (byte, text) in self.texts(name, value) {
            match text.parse() {
                Ok(chord) => keys.push(chord),
                Err(said) => self.at(byte, format!("{name}: {said}")),
            }
        }
        let wanted = value.get_ref().as_array().map_or(1, |items| items.len());
        // A key that is wrong has been said already.
        action.filter(|_| keys.len() == wanted).map(|action| Rebind { context, action, keys })
    }
}

/// A path from the root on, or from the home directory: what is written in the file must not
/// depend on where pitstop is started.
fn whole_path(text: &str) -> std::result::Result<PathBuf, String> {
    if let Some(rest) = text.strip_prefix("~/") {
        let dirs =
            directories::BaseDirs::new().ok_or_else(|| format!("{text:?}: there is no home directory"))?;
        return Ok(dirs.home_dir().join(rest));
    }
    match Path::new(text).is_absolute() {
        true => Ok(PathBuf::from(text)),
        false => Err(format!("{text:?} is no whole path: begin it with / or ~/")),
    }
}
