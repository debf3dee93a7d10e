//! The built-in incident: a day of a made-up shop, two snapshots, an hour of oplog missing, a
//! bulk delete at 14:41:07 and a bad deploy at 16:20. It lies in the binary and is unpacked like
//! any other backup.

use std::fs;
use std::path::{Path, PathBuf};

use crate::case::make_private_dir;
use crate::domain::{Error, Result};

const PACKED: &[u8] = include_bytes!("../../assets/demo.tar.gz");

/// Unpacks the incident into `dir`, which is made, and gives the sources in it. What is there
/// already is kept: a second time nothing is written.
pub fn unpack(dir: &Path) -> Result<Vec<PathBuf>> {
    let sources = vec![dir.join("snapshots"), dir.join("oplog")];
    if sources.iter().all(|source| source.is_dir()) {
        return Ok(sources);
    }
    let failed =
        |e: std::io::Error| Box::new(Error::failed("unpacking the built-in incident into", dir.display(), e));
    make_private_dir(dir)?;
    if fs::read_dir(dir).map_err(failed)?.next().is_some() {
        return Error::refused(
            "unpacking the built-in incident into",
            dir.display(),
            "the folder is not empty",
        )
        .hint("name a folder that does not exist yet.")
        .err();
    }
    // Beside its place first: nobody ever sees half of it.
    let beside = tempfile::tempdir_in(dir).map_err(failed)?;
    tar::Archive::new(flate2::read::GzDecoder::new(PACKED)).unpack(beside.path()).map_err(failed)?;
    for source in &sources {
        let name = source.file_name().unwrap_or_default();
        fs::rename(beside.path().join(name), source).map_err(failed)?;
    }
    Ok(sources)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_unpacks_once_and_never_over_something_else() {
        let place = tempfile::tempdir().unwrap();
        let dir = place.path().join("demo");
        let sources = unpack(&dir).unwrap();
        assert!(sources.iter().all(|s| s.is_dir()));
        assert_eq!(unpack(&dir).unwrap(), sources);
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 2);
        let error = unpack(place.path()).unwrap_err();
        assert_eq!(error.class, crate::domain::Class::Refused);
    }
}
