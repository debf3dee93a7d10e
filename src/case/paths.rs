//! Where things live: the XDG folders, and names of cases.

use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::xxh3_64;

use crate::domain::{Error, Result};

/// `$XDG_STATE_HOME/pitstop`, else `~/.local/state/pitstop` (on every system: an engineer looks
/// for it there).
pub fn state_home() -> Result<PathBuf> {
    if let Some(dir) = std::env::var_os("XDG_STATE_HOME").filter(|d| Path::new(d).is_absolute()) {
        return Ok(PathBuf::from(dir).join("pitstop"));
    }
    match directories::BaseDirs::new() {
        Some(dirs) => Ok(dirs.home_dir().join(".local/state/pitstop")),
        None => Error::failed("looking for the state folder", "", "there is no home directory")
            .hint("set XDG_STATE_HOME, or give --case DIR.")
            .err(),
    }
}

/// Where the servers that pitstop started are registered, across all cases.
pub fn registry_dir() -> Result<PathBuf> {
    Ok(state_home()?.join("targets"))
}

/// Where the servers that pitstop starts keep their data.
pub fn servers_dir() -> Result<PathBuf> {
    Ok(state_home()?.join("servers"))
}

/// A name for the case of these sources: readable, and different for different sources.
pub(super) fn name_for(sources: &[PathBuf]) -> String {
    let mut resolved: Vec<PathBuf> =
        sources.iter().map(|p| std::fs::canonicalize(p).unwrap_or_else(|_| p.clone())).collect();
    resolved.sort();
    let text = resolved.iter().map(|p| p.to_string_lossy()).collect::<Vec<_>>().join("\0");
    let readable: String = resolved
        .first()
        .and_then(|p| p.file_name())
        .map(|n| {
            n.to_string_lossy().chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(40).collect()
        })
        .unwrap_or_default();
    format!("{readable}-{:08x}", xxh3_64(text.as_bytes()) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_name_is_stable_safe_and_distinct() {
        let one = name_for(&[PathBuf::from("/nowhere/du\u{7}mp/../x y"), PathBuf::from("/b")]);
        let same = name_for(&[PathBuf::from("/b"), PathBuf::from("/nowhere/du\u{7}mp/../x y")]);
        let other = name_for(&[PathBuf::from("/b")]);
        assert_eq!(one, same);
        assert_ne!(one, other);
        assert!(one.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-'), "{one}");
    }
}
