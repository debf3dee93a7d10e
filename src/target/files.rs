//! Files and directories that only their owner may read.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::domain::{Error, Result};

/// A path in an error message: quoted, with everything odd escaped.
pub(super) fn shown(path: &Path) -> String {
    format!("{:?}", path.display().to_string())
}

/// Creates one directory with mode 0700; its parents must exist.
pub(super) fn create_dir(path: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o700).create(path)
}

/// Creates a file that does not exist yet, with mode 0600.
pub(super) fn create_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// Creates a file with mode 0600, or empties it.
pub(super) fn replace_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}

/// Creates a file that does not exist yet, with mode 0600 and this content, and syncs it.
pub(super) fn write_new(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = create_file(path)?;
    file.write_all(content)?;
    file.sync_all()
}

/// Makes renames and new names in a directory last.
pub(super) fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Makes sure `dir` is a directory of our own: new, or there and empty, and no symbolic link.
pub(super) fn own_empty_dir(dir: &Path, doing: &str, hint: &str) -> Result<()> {
    let failed = |e: io::Error| Error::failed(doing, shown(dir), e);
    let refuse = |why: &str| Error::refused(doing, shown(dir), why).hint(hint).err();
    match fs::symlink_metadata(dir) {
        Ok(meta) if meta.is_symlink() => refuse("it is a symbolic link"),
        Ok(meta) if !meta.is_dir() => refuse("it is there already and no directory"),
        Ok(_) => {
            if fs::read_dir(dir).map_err(failed)?.next().is_some() {
                return refuse("the directory is not empty");
            }
            fs::set_permissions(dir, fs::Permissions::from_mode(0o700)).map_err(|e| Box::new(failed(e)))
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            if let Some(parent) = dir.parent().filter(|p| !p.as_os_str().is_empty()) {
                DirBuilder::new().mode(0o700).recursive(true).create(parent).map_err(failed)?;
            }
            create_dir(dir).map_err(|e| Box::new(failed(e)))
        }
        Err(e) => Err(Box::new(failed(e))),
    }
}

/// Where something is written before it is complete: beside its place, under a name that says so
/// and names the restore.
pub(super) fn partial_of(place: &Path, restore_id: &str, doing: &str) -> Result<PathBuf> {
    let Some(name) = place.file_name() else {
        return Error::usage(doing, shown(place), "this names nothing new").hint("name a new one.").err();
    };
    let mut name = name.to_owned();
    name.push(format!(".partial-{restore_id}"));
    Ok(place.with_file_name(name))
}

/// Which of these restores has left something beside this place.
pub fn any_partial(place: &Path, restores: &[String]) -> Option<String> {
    let left = |id: &&String| {
        partial_of(place, id, "looking").is_ok_and(|partial| fs::symlink_metadata(partial).is_ok())
    };
    restores.iter().rev().find(left).cloned()
}

/// Removes what an unfinished restore of that id left beside its place, a dump directory or an
/// archive; says whether there was anything. Only what bears the name made of both is ours.
pub fn remove_partial(place: &Path, restore_id: &str) -> Result<bool> {
    let doing = "removing what an unfinished restore left";
    let partial = partial_of(place, restore_id, doing)?;
    let removed = match fs::symlink_metadata(&partial) {
        Ok(meta) if meta.is_dir() => fs::remove_dir_all(&partial),
        Ok(meta) if meta.is_file() => fs::remove_file(&partial),
        _ => return Ok(false),
    };
    removed.map(|()| true).map_err(|e| Box::new(Error::failed(doing, shown(&partial), e)))
}
