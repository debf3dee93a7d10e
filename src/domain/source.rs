//! What somebody names as a source: a path, or the address of a replica set.

use std::convert::Infallible;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use super::uri::without_secrets;

/// A source as it was given. It shows itself without secrets, in `Debug` too.
#[derive(Clone, PartialEq, Eq)]
pub enum Source {
    /// A file or a folder.
    Path(PathBuf),
    /// The connection string of a replica set. It may hold a password: it is used to connect,
    /// and never written or printed.
    Live(String),
}

impl Source {
    /// The path, if it is one.
    pub fn path(&self) -> Option<&PathBuf> {
        match self {
            Source::Path(path) => Some(path),
            Source::Live(_) => None,
        }
    }

    /// What names the source in a case: the path, or the address without secrets.
    pub fn identity(&self) -> PathBuf {
        match self {
            Source::Path(path) => path.clone(),
            Source::Live(uri) => PathBuf::from(without_secrets(uri)),
        }
    }
}

/// Whether a text is meant as a connection string of MongoDB.
pub fn is_uri(text: &str) -> bool {
    text.starts_with("mongodb://") || text.starts_with("mongodb+srv://")
}

impl FromStr for Source {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(if is_uri(text) { Source::Live(text.to_owned()) } else { Source::Path(PathBuf::from(text)) })
    }
}

impl From<PathBuf> for Source {
    fn from(path: PathBuf) -> Self {
        Source::Path(path)
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.identity().display())
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.identity())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_is_told_from_a_path_and_never_shows_its_password() {
        let uri: Source = "mongodb://u:s3cret@h:1/?replicaSet=rs".parse().unwrap();
        assert_eq!(format!("{uri} {uri:?}"), "mongodb://h:1/ \"mongodb://h:1/\"");
        assert!(matches!(uri, Source::Live(_)));
        let path: Source = "dump/mongodb:".parse().unwrap();
        assert_eq!(path, Source::Path("dump/mongodb:".into()));
    }
}
