//! The journal: one JSON line per decision or action, appended and flushed before anything
//! follows from it.

use std::fs;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use chrono::{SecondsFormat, Utc};
use serde_json::{Map, Value};

use crate::domain::{Error, Result};

/// The journal of one case.
#[derive(Debug, Clone)]
pub struct Journal {
    path: PathBuf,
}

impl Journal {
    pub(super) fn new(path: PathBuf) -> Self {
        Journal { path }
    }

    /// All events, in order. A last line that a crash has cut off is passed over.
    pub fn events(&self) -> Result<Vec<Value>> {
        match fs::read_to_string(&self.path) {
            Ok(text) => Ok(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(e) => Error::failed("reading the journal", self.path.display(), e).err(),
        }
    }

    /// Appends one event: `{"time": …, "event": name, …fields}`. The fields hold no secrets.
    pub fn record(&self, event: &str, fields: Value) -> Result<()> {
        let mut line = Map::new();
        line.insert("time".into(), Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true).into());
        line.insert("event".into(), event.into());
        if let Value::Object(fields) = fields {
            line.extend(fields);
        }
        let failed =
            |e: std::io::Error| Box::new(Error::failed("writing the journal", self.path.display(), e));
        let mut file = fs::OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(0o600)
            .open(&self.path)
            .map_err(failed)?;
        // A line that a crash has cut off ends here, so that it does not swallow this one.
        let mut last = [b'\n'];
        if file.seek(SeekFrom::End(-1)).is_ok() {
            file.read_exact(&mut last).map_err(failed)?;
        }
        let torn = if last == [b'\n'] { "" } else { "\n" };
        file.write_all(format!("{torn}{}\n", Value::Object(line)).as_bytes())
            .and_then(|()| file.sync_data())
            .map_err(failed)
    }
}
