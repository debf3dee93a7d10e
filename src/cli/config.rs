//! The configuration: `$XDG_CONFIG_HOME/pitstop/config.toml`, else `~/.config/pitstop/config.toml`.
//! Never read from the current directory. Unknown keys are errors.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::domain::{Error, Result};
use crate::ops::memory::{LEAST, Memory};

/// What can be configured.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The mongod to start for isolated restores.
    pub mongod: Option<PathBuf>,
    /// How much memory to take, like `512M`.
    pub memory: Option<String>,
}

impl Config {
    /// Reads the file; no file is an empty configuration.
    pub fn load() -> Result<Config> {
        let home = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from).filter(|d| d.is_absolute());
        let home = home.or_else(|| directories::BaseDirs::new().map(|dirs| dirs.home_dir().join(".config")));
        match home {
            Some(home) => Self::read(&home.join("pitstop/config.toml")),
            None => Ok(Config::default()),
        }
    }

    fn read(path: &Path) -> Result<Config> {
        let doing = "reading the configuration";
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Config::default()),
            Err(e) => {
                return Error::usage(doing, path.display(), e)
                    .hint("make the file readable, or remove it.")
                    .err();
            }
        };
        toml::from_str(&text).map_err(|e| {
            Box::new(
                Error::usage(doing, path.display(), e.to_string().trim_end())
                    .hint("mend the file, or remove it."),
            )
        })
    }
}

/// The mongod a job names: the one given, else (where the environment names none) the configured.
pub fn mongod(given: Option<&Path>) -> Result<Option<PathBuf>> {
    match given {
        Some(path) => Ok(Some(path.to_owned())),
        None if std::env::var_os("PITSTOP_MONGOD").is_some() => Ok(None),
        None => Ok(Config::load()?.mongod),
    }
}

/// How much memory to take: what is given, else what is configured, else a quarter of the machine.
pub fn memory_or_default(given: Option<u64>) -> Result<Memory> {
    let configured = || {
        let text = Config::load()?.memory;
        text.map(|text| {
            memory(&text).map_err(|cause| {
                Box::new(
                    Error::usage("reading the configuration", "memory", cause)
                        .hint("mend the file, or remove the line."),
                )
            })
        })
        .transpose()
    };
    Ok(Memory::or_default(match given {
        Some(bytes) => Some(bytes),
        None => configured()?,
    }))
}

/// Bytes of memory, as in `512M`.
pub fn memory(text: &str) -> std::result::Result<u64, String> {
    let bytes = super::commands::archive::size(text)?;
    if bytes < LEAST {
        return Err(format!("{text:?} is too little: the program itself needs {}M", LEAST >> 20));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_a_missing_file_and_a_wrong_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.toml");
        assert_eq!(Config::read(&path).unwrap(), Config::default());
        std::fs::write(&path, "mongod = \"/opt/mongod\"\n").unwrap();
        assert_eq!(Config::read(&path).unwrap().mongod, Some(PathBuf::from("/opt/mongod")));
        std::fs::write(&path, "memory = \"2G\"\n").unwrap();
        assert_eq!(Config::read(&path).unwrap().memory.as_deref().map(memory), Some(Ok(2 << 30)));
        assert!(memory("63M").unwrap_err().contains("64M") && memory("much").is_err());
        std::fs::write(&path, "mongd = \"/opt/mongod\"\n").unwrap();
        let error = Config::read(&path).unwrap_err();
        assert!(error.cause.contains("mongd"), "{error}");
    }
}
