//! The configuration: `$XDG_CONFIG_HOME/pitstop/config.toml`, else `~/.config/pitstop/config.toml`.
//! Never read from the current directory. Unknown keys are errors.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::domain::{Error, Result};

/// What can be configured.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The mongod to start for isolated restores.
    pub mongod: Option<PathBuf>,
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
        std::fs::write(&path, "mongd = \"/opt/mongod\"\n").unwrap();
        let error = Config::read(&path).unwrap_err();
        assert!(error.cause.contains("mongd"), "{error}");
    }
}
