//! The log of a run: one file for each, in the state folder, the last twenty kept. It is there to
//! be looked at after something went wrong; nothing reads it, and nothing is only said there.
//!
//! It is for its owner alone (0600) and holds no secrets: connection strings are written as they
//! may be shown, and what is in those in use is blotted out wherever else it turns up.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fs::{FlockOperation, flock};

use crate::case::{make_private_dir, state_home};
use crate::domain::uri::{redacted, scrub};
use crate::domain::{Error, Result};

/// How many are kept.
const KEPT: usize = 20;
const END: &str = ".log";

/// The log of this run.
pub struct Log {
    path: PathBuf,
    file: Mutex<File>,
    secret: Mutex<Vec<String>>,
}

impl Log {
    /// Begins one in the state folder, with the version and what was typed.
    pub fn begin(args: &[String]) -> Result<Arc<Log>> {
        Log::begin_in(&state_home()?.join("logs"), args)
    }

    fn begin_in(dir: &Path, args: &[String]) -> Result<Arc<Log>> {
        make_private_dir(dir)?;
        let failed = |e: io::Error| Error::failed("beginning the log of this run in", dir.display(), e);
        let stem = format!("{}-{}", chrono::Utc::now().format("%Y%m%dT%H%M%S.%6fZ"), std::process::id());
        let open = |n: u32| {
            let more = if n == 0 { String::new() } else { format!("-{n}") };
            let path = dir.join(format!("{stem}{more}{END}"));
            let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
            file.map(|file| (path, file))
        };
        let taken = |made: &io::Result<_>| matches!(made, Err(e) if e.kind() == io::ErrorKind::AlreadyExists);
        let made = (0..100).map(open).find(|made| !taken(made));
        let made = made.unwrap_or_else(|| Err(io::ErrorKind::AlreadyExists.into()));
        let (path, file) = made.map_err(failed)?;
        // As long as this run lasts nobody tidies it away.
        flock(&file, FlockOperation::NonBlockingLockShared).map_err(|e| failed(e.into()))?;
        let log = Arc::new(Log { path, file: Mutex::new(file), secret: Mutex::default() });
        log.note(&format!("pitstop {} {}", env!("CARGO_PKG_VERSION"), args.join(" ")));
        tidy(dir).map_err(failed)?;
        Ok(log)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// From now on nothing of this connection string's secrets is written.
    pub fn hide(&self, uri: &str) {
        self.secret.lock().unwrap_or_else(PoisonError::into_inner).push(uri.to_owned());
    }

    /// Writes a line, with the time. A log that cannot be written (the disk is full) is no reason
    /// to stop a recovery.
    pub fn note(&self, text: &str) {
        let secret = self.secret.lock().unwrap_or_else(PoisonError::into_inner);
        let shown = secret.iter().fold(redacted(text), |text, uri| scrub(&text, uri));
        drop(secret);
        let time = chrono::Utc::now().format("%Y-%m-%dT%H:%M:%S%.3fZ");
        let line = format!("{time} {}\n", crate::domain::text::visible(&shown));
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = file.write_all(line.as_bytes());
    }

    /// A panic is written down, and then reported as usual, with the path of this log.
    pub fn watch_panics(self: &Arc<Log>) {
        let log = Arc::clone(self);
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            log.note(&format!("panic: {info}"));
            for line in std::backtrace::Backtrace::force_capture().to_string().lines() {
                log.note(line);
            }
            before(info);
            eprintln!("pitstop: the log of this run is {}", log.path.display());
        }));
    }
}

impl std::fmt::Debug for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Log({:?})", self.path)
    }
}

/// Removes all but the newest, and none of a run that goes on.
fn tidy(dir: &Path) -> io::Result<()> {
    let mut logs: Vec<PathBuf> =
        fs::read_dir(dir)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
    logs.retain(|path| path.to_string_lossy().ends_with(END));
    // Their names begin with the time.
    logs.sort();
    let old = logs.len().saturating_sub(KEPT);
    for path in logs.iter().take(old) {
        // Another run may be tidying too: what it has removed is gone.
        let Ok(file) = File::open(path) else { continue };
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok() {
            let _ = fs::remove_file(path);
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn logs(dir: &Path) -> Vec<PathBuf> {
        let mut all: Vec<PathBuf> = fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).collect();
        all.sort();
        all
    }

    #[test]
    fn the_last_twenty_are_kept_and_those_in_use() {
        let dir = tempfile::tempdir().unwrap();
        let first = Log::begin_in(dir.path(), &["the first".into()]).unwrap();
        for n in 0..30 {
            Log::begin_in(dir.path(), &[format!("run {n}")]).unwrap();
        }
        let all = logs(dir.path());
        assert_eq!(all.len(), KEPT + 1);
        assert!(all.contains(&first.path().to_owned()));
        let newest = fs::read_to_string(all.last().unwrap()).unwrap();
        assert!(newest.contains("run 29"), "{newest}");
    }

    #[test]
    fn no_secret_is_written_and_nothing_can_forge_a_line() {
        let dir = tempfile::tempdir().unwrap();
        let uri = "mongodb://u:s3cret@h/?replicaSet=rs";
        let log = Log::begin_in(dir.path(), &[uri.into(), format!("--target={uri}")]).unwrap();
        log.hide(uri);
        log.note("the driver says: s3cret is wrong\n2026-01-01T00:00:00Z forged");
        let text = fs::read_to_string(log.path()).unwrap();
        assert!(!text.contains("s3cret"), "{text}");
        assert!(text.contains("mongodb://h/") && text.contains("*** is wrong\\n2026"), "{text}");
        assert_eq!(text.lines().count(), 2);
    }
}
