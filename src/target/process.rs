//! A process as what it is: its id, when it started, and the data directory on its command line.
//! All three must agree before a signal is sent. Linux: reads `/proc`.

use std::ffi::OsStr;
use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::{Pid, PidfdFlags, Signal};

use crate::domain::{Error, Result};

/// `PF_EXITING` of the kernel.
const EXITING: u64 = 4;

/// One process, told apart from a later one with the same id by its start time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Process {
    /// The process id.
    pub pid: u32,
    /// Clock ticks between boot and its start (field 22 of `/proc/PID/stat`).
    pub start_time: u64,
}

impl Process {
    /// The process that has this id now; `None` when there is none, or only its corpse.
    pub fn of(pid: u32) -> Option<Process> {
        Self::with_flags(pid).map(|(process, _)| process)
    }

    /// The same with what the kernel says of it: its `PF_` flags (field 9 of `/proc/PID/stat`).
    fn with_flags(pid: u32) -> Option<(Process, u64)> {
        let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
        // The name in parentheses may hold anything, closing parentheses included.
        let after = stat.iter().rposition(|&c| c == b')')?;
        let text = std::str::from_utf8(stat.get(after + 1..)?).ok()?;
        let mut fields = text.split_ascii_whitespace();
        // The first of them is field 3.
        let state = fields.next()?;
        let flags = fields.nth(5)?.parse().ok()?;
        let start_time = fields.nth(12)?.parse().ok()?;
        (!matches!(state, "Z" | "X")).then_some((Process { pid, start_time }, flags))
    }

    /// The server of this data directory that carries this variable in its environment: started
    /// here, and not by somebody else on the same data. `None` when there is none.
    pub fn serving(dbpath: &Path, (name, value): (&str, &str)) -> Option<Process> {
        let names = fs::read_dir("/proc").ok()?.flatten().map(|entry| entry.file_name());
        let variable = format!("{name}={value}");
        names
            .filter_map(|name| Process::of(name.to_str()?.parse().ok()?))
            // Looked at again at the end: what was read must have been of this very process.
            .find(|p| p.serves(dbpath) && has_variable(p.pid, &variable) && p.is_alive())
    }

    /// What follows an argument on its command line.
    pub fn argument(&self, name: &str) -> Option<String> {
        String::from_utf8(argument_of(self.pid, name)?).ok()
    }

    /// Whether it still runs.
    pub fn is_alive(&self) -> bool {
        Process::of(self.pid) == Some(*self)
    }

    /// Whether it has ended, or is about to: then its connections are broken already, and it is
    /// there a moment longer.
    pub fn is_ending(&self) -> bool {
        Process::with_flags(self.pid).is_none_or(|(now, flags)| now != *self || flags & EXITING != 0)
    }

    /// Whether it still runs and is a server of this data directory.
    pub fn serves(&self, dbpath: &Path) -> bool {
        self.is_alive() && dbpath_of(self.pid).is_some_and(|p| p == dbpath.as_os_str().as_bytes())
    }

    /// Asks the server of `dbpath` to end, waits at most `grace`, then kills it. `Ok` also when
    /// it did not run any more; an error when another process stands in its place.
    pub fn stop(&self, dbpath: &Path, grace: Duration) -> Result<()> {
        let doing = "stopping the server";
        let place = format!("of process {}", self.pid);
        let stranger = || {
            Error::refused(doing, &place, "the process of that id is not the one that was started here")
                .hint("nothing was stopped; look at it with `ps`.")
        };
        // The handle is taken first: from then on it can only mean what is checked below.
        let handle = match Pid::from_raw(self.pid as i32)
            .map(|p| rustix::process::pidfd_open(p, PidfdFlags::empty()))
        {
            Some(Ok(handle)) => handle,
            Some(Err(rustix::io::Errno::SRCH)) => return Ok(()),
            Some(Err(e)) => return Error::failed(doing, place, e).err(),
            None => return Err(Box::new(stranger())),
        };
        if Process::of(self.pid).is_none() {
            return Ok(());
        }
        if !self.serves(dbpath) {
            return Err(Box::new(stranger()));
        }
        let send = |handle: &OwnedFd, signal| match rustix::process::pidfd_send_signal(handle, signal) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
            Err(e) => Error::failed(doing, &place, e).err(),
        };
        send(&handle, Signal::TERM)?;
        if self.wait(grace) {
            return Ok(());
        }
        send(&handle, Signal::KILL)?;
        if self.wait(Duration::from_secs(10)) {
            return Ok(());
        }
        Error::failed(doing, &place, "it did not end, not even when killed")
            .hint("look at it with `ps`.")
            .err()
    }

    /// Waits for its end; `false` when the time is up.
    fn wait(&self, limit: Duration) -> bool {
        let start = Instant::now();
        while self.is_alive() {
            if start.elapsed() > limit {
                return false;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        true
    }
}

fn has_variable(pid: u32, variable: &str) -> bool {
    let all = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    all.split(|&c| c == 0).any(|one| one == variable.as_bytes())
}

fn dbpath_of(pid: u32) -> Option<Vec<u8>> {
    argument_of(pid, "--dbpath")
}

/// What follows `name` on the command line of a process.
fn argument_of(pid: u32, name: &str) -> Option<Vec<u8>> {
    let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let mut args = line.split(|&c| c == 0);
    args.find(|a| *a == name.as_bytes())?;
    args.next().map(|a| OsStr::from_bytes(a).as_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use std::process::Command;

    /// A process with a command line of our choice that is no server: the shell ignores its
    /// further arguments.
    fn pretend(dbpath: &str) -> std::process::Child {
        let child = Command::new("sh")
            .args(["-c", "read x", "--dbpath", dbpath])
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        // Between fork and exec the command line is still that of the test.
        while dbpath_of(child.id()).as_deref() != Some(dbpath.as_bytes()) {
            std::thread::sleep(Duration::from_millis(1));
        }
        child
    }

    #[test]
    fn strangers_are_left_alone() {
        let mut child = pretend("/somewhere");
        let process = Process::of(child.id()).unwrap();
        let grace = Duration::from_millis(200);
        // Another start time, as after the id was given to somebody else; another directory.
        let reused = Process { start_time: process.start_time + 1, ..process };
        for error in [
            reused.stop(Path::new("/somewhere"), grace).unwrap_err(),
            process.stop(Path::new("/elsewhere"), grace).unwrap_err(),
            process.stop(Path::new("/some"), grace).unwrap_err(),
        ] {
            assert_eq!(error.class, crate::domain::Class::Refused);
        }
        assert!(child.try_wait().unwrap().is_none() && process.is_alive());
        // A corpse counts as ended: nobody has waited for the child yet.
        process.stop(Path::new("/somewhere"), grace).unwrap();
        assert!(!process.is_alive());
        child.wait().unwrap();
        process.stop(Path::new("/somewhere"), grace).unwrap();
    }

    #[test]
    fn our_own_process_is_found() {
        let me = Process::of(std::process::id()).unwrap();
        assert!(me.is_alive() && !me.is_ending() && !me.serves(Path::new("/x")));
        assert_eq!(Process::of(u32::MAX), None);
    }

    /// Who reads from a process that is killed comes to the end before the process is gone.
    #[test]
    fn a_process_whose_connections_broke_because_it_ends_is_ending() {
        for _ in 0..50 {
            let pipe = std::process::Stdio::piped;
            let mut child =
                Command::new("sh").args(["-c", "read x"]).stdin(pipe()).stdout(pipe()).spawn().unwrap();
            let process = Process::of(child.id()).unwrap();
            assert!(!process.is_ending());
            child.kill().unwrap();
            std::io::copy(&mut child.stdout.take().unwrap(), &mut std::io::sink()).unwrap();
            assert!(process.is_ending());
            child.wait().unwrap();
            assert!(process.is_ending());
        }
    }
}
