//! Runs the real binary, with a state folder of its own and the mongod of the tests.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use super::mongod::mongod;

/// A user's machine: an empty state folder. What was left running is stopped when it goes.
pub struct Machine {
    state: tempfile::TempDir,
}

/// What a command printed, and its exit code.
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Machine {
    pub fn new() -> Machine {
        Machine { state: tempfile::tempdir().unwrap() }
    }

    pub fn state(&self) -> &Path {
        self.state.path()
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pitstop"));
        command.args(args).env("XDG_STATE_HOME", self.state.path()).env("PITSTOP_MONGOD", mongod());
        command.stdin(Stdio::null());
        command
    }

    pub fn run(&self, args: &[&str]) -> Ran {
        Ran::of(self.command(args).output().unwrap())
    }

    /// Runs a command that must succeed, and gives its lines of JSON.
    pub fn json(&self, args: &[&str]) -> Vec<Value> {
        let ran = self.run(args);
        assert_eq!(ran.code, 0, "{args:?}: {}", ran.err);
        ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The URI of an isolated restore, with the password from its file.
    pub fn uri_of(&self, restored: &Value) -> String {
        let file = PathBuf::from(restored["password_file"].as_str().unwrap());
        let password = std::fs::read_to_string(file).unwrap();
        let uri = restored["uri"].as_str().unwrap();
        assert!(!uri.contains(&password), "the password is in the URI");
        uri.replace("pitstop@", &format!("pitstop:{password}@"))
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.command(&["targets", "stop", "--all", "--delete"]).output();
    }
}

impl Ran {
    pub fn of(output: Output) -> Ran {
        Ran {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}
