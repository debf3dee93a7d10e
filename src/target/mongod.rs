//! Which MongoDB binary serves an isolated instance, and whether it is recent enough.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::files::shown;
use crate::domain::{Error, Result};

/// A MongoDB server binary that ran and told its version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mongod {
    /// Where it is.
    pub path: PathBuf,
    /// Major, minor, patch.
    pub version: (u32, u32, u32),
}

const DOING: &str = "looking for a mongod";

/// Finds the binary: the one named on the command line, else `PITSTOP_MONGOD`, else the
/// configured one, else the first on `PATH`. One that was named but does not run is an error,
/// never passed over in favour of another.
pub fn find_mongod(explicit: Option<&Path>, configured: Option<&Path>) -> Result<Mongod> {
    let from_env = env::var_os("PITSTOP_MONGOD").filter(|v| !v.is_empty()).map(PathBuf::from);
    let named = explicit.map(Path::to_owned).or(from_env).or_else(|| configured.map(Path::to_owned));
    let path = match named {
        Some(path) => path,
        None => on_path(env::var_os("PATH").as_deref())?,
    };
    let version = version_of(&path)?;
    Ok(Mongod { path, version })
}

const INSTALL: &str = "install the package mongodb-org-server (or percona-server-mongodb-server), \
    name a binary with --mongod or PITSTOP_MONGOD, or restore without a server: --target dump:DIR.";

fn on_path(path: Option<&OsStr>) -> Result<PathBuf> {
    let runs = |p: &PathBuf| rustix::fs::access(p, rustix::fs::Access::EXEC_OK).is_ok() && p.is_file();
    env::split_paths(path.unwrap_or_default())
        .map(|dir| dir.join("mongod"))
        .find(runs)
        .map_or_else(|| Error::failed(DOING, "", "there is none on PATH").hint(INSTALL).err(), Ok)
}

fn version_of(path: &Path) -> Result<(u32, u32, u32)> {
    let wrong = |cause: &str| Error::failed(DOING, shown(path), cause).hint(INSTALL);
    let output = Command::new(path)
        .arg("--version")
        .stdin(Stdio::null())
        .output()
        .map_err(|e| wrong(&format!("it does not start: {e}")))?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        return Err(Box::new(wrong(&format!("`--version` failed: {}", output.status))));
    }
    parse_version(&text).ok_or_else(|| Box::new(wrong("it does not say `db version vX.Y.Z`: no mongod")))
}

fn parse_version(text: &str) -> Option<(u32, u32, u32)> {
    three(text.lines().find_map(|line| line.strip_prefix("db version v"))?)
}

/// Reads `6.0.5`, `6.0.5-4`, `8.0.0-rc1` and the like.
pub(super) fn three(text: &str) -> Option<(u32, u32, u32)> {
    let mut parts = text.trim().split(['.', '-']).map(|p| p.parse().ok());
    Some((parts.next()??, parts.next()??, parts.next().flatten().unwrap_or(0)))
}

/// Whether a server of this version may hold a state of that snapshot. An older release series
/// is refused; for a newer one the result is the statement to show.
pub fn check_version(server: (u32, u32, u32), snapshot: Option<(u32, u32)>) -> Result<Option<String>> {
    let Some((major, minor)) = snapshot else {
        return Ok(Some("the version of the snapshot's server is unknown".to_owned()));
    };
    let (a, b, c) = server;
    if (a, b) < (major, minor) {
        return Error::inexact(
            "choosing the server for the restored state",
            format!("mongod {a}.{b}.{c}"),
            format_args!(
                "the snapshot comes from MongoDB {major}.{minor}; an older server may not know all it holds"
            ),
        )
        .hint(format_args!("name a mongod {major}.{minor} or newer with --mongod, or use --target dump:DIR."))
        .err();
    }
    let newer = (a, b) > (major, minor);
    Ok(newer.then(|| format!("the snapshot comes from MongoDB {major}.{minor}, the target is {a}.{b}.{c}")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use crate::domain::Class;

    #[test]
    fn versions() {
        assert_eq!(parse_version("db version v6.0.5\nBuild Info: {"), Some((6, 0, 5)));
        assert_eq!(parse_version("db version v4.4.29-28\n"), Some((4, 4, 29)));
        assert_eq!(parse_version("db version v8.0.0-rc1"), Some((8, 0, 0)));
        assert_eq!(parse_version("mongod 6.0.5"), None);
    }

    #[test]
    fn older_is_refused_newer_is_stated() {
        assert_eq!(check_version((6, 0, 5), Some((6, 0))).unwrap(), None);
        assert!(check_version((6, 0, 5), Some((4, 4))).unwrap().unwrap().contains("4.4"));
        assert!(check_version((6, 0, 5), None).unwrap().is_some());
        for snapshot in [(7, 0), (6, 1)] {
            assert_eq!(check_version((6, 0, 5), Some(snapshot)).unwrap_err().class, Class::Inexact);
        }
        assert_eq!(check_version((4, 2, 6), Some((4, 4))).unwrap_err().class, Class::Inexact);
    }

    #[test]
    fn nothing_on_the_path_says_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let error = on_path(Some(dir.path().as_os_str())).unwrap_err();
        assert!(error.hint.contains("--target dump:DIR") && error.hint.contains("install"));
        assert!(on_path(None).is_err());
    }

    #[test]
    fn a_named_binary_that_is_none_is_an_error() {
        let missing = find_mongod(Some(Path::new("/nonexistent/mongod")), None).unwrap_err();
        assert!(missing.place.contains("/nonexistent/mongod"));
        let other = find_mongod(Some(Path::new("/bin/true")), None).unwrap_err();
        assert!(other.cause.contains("db version"), "{other}");
    }
}
