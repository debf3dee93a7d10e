//! How much memory a command may take. What exceeds it is spilled to the case folder.
//!
//! Counted is memory of our own. Files that are mapped are the system's to keep or to drop.

use std::fs;

/// What everything but the effects of operations takes: batches on their way, the driver, the
/// program itself. Of little memory it is half.
const RESERVE: u64 = 96 << 20;

/// The share of the machine that is taken by default.
const SHARE: u64 = 4;

/// What is taken where the machine does not say how much it has.
const UNKNOWN: u64 = 1 << 30;

/// The least that makes sense: the program itself needs about this much.
pub const LEAST: u64 = 64 << 20;

/// A budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    bytes: u64,
    when: When,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    Full,
    Always,
}

impl Memory {
    /// So many bytes.
    pub fn new(bytes: u64) -> Memory {
        Memory { bytes, when: When::Full }
    }

    /// The budget asked for, else a quarter of the machine.
    pub fn or_default(bytes: Option<u64>) -> Memory {
        bytes.map_or_else(Memory::default, Memory::new)
    }

    /// All of it, in bytes.
    pub fn bytes(self) -> u64 {
        self.bytes
    }

    /// One of several equal parts, for work that goes on beside others.
    pub fn part(self, of: u64) -> Memory {
        Memory { bytes: self.bytes / of.max(1), ..self }
    }

    /// The same, but everything is spilled in the end even if there was room.
    pub fn spilling(self) -> Memory {
        Memory { when: When::Always, ..self }
    }

    /// Whether everything is spilled in the end.
    pub fn always_spills(self) -> bool {
        self.when == When::Always
    }

    /// Bytes for what grows with the number of documents.
    pub fn for_documents(self) -> usize {
        let bytes = self.bytes - RESERVE.min(self.bytes / 2);
        usize::try_from(bytes).unwrap_or(usize::MAX)
    }
}

impl Default for Memory {
    /// A quarter of the machine, or of the container that this runs in.
    fn default() -> Self {
        let limits = [machine(), container()];
        Memory::new(limits.into_iter().flatten().min().map_or(UNKNOWN, |all| all / SHARE).max(LEAST))
    }
}

fn machine() -> Option<u64> {
    total(&fs::read_to_string("/proc/meminfo").ok()?)
}

/// `MemTotal:  24576 kB`
fn total(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// The limit of the control group: version 2, then 1. Without one the file says `max`, or a
/// number that no machine has.
fn container() -> Option<u64> {
    let files = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];
    files.iter().find_map(|file| fs::read_to_string(file).ok()?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_for_documents() {
        let mib = |bytes: usize| bytes >> 20;
        assert_eq!(mib(Memory::new(64 << 20).for_documents()), 32);
        assert_eq!(mib(Memory::new(512 << 20).for_documents()), 416);
        assert_eq!(mib(Memory::new(512 << 20).part(2).for_documents()), 160);
        assert_eq!(Memory::new(1).for_documents(), 1);
        assert!(Memory::default().bytes >= LEAST);
    }

    #[test]
    fn the_machine_says_how_much_it_has() {
        assert_eq!(total("MemTotal:       24576 kB\nMemFree: 1 kB\n"), Some(24 << 20));
        assert_eq!(total("MemFree: 1 kB\n"), None);
    }
}
