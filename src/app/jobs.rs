//! What runs. A slot holds one job at a time: a newer one replaces it, and answers of the older
//! one are dropped at the door by their generation.

use std::collections::BTreeMap;

use crate::domain::progress::Reading;

/// A kind of question; the latest one asked wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Slot {
    /// Opening the sources.
    Open,
    /// Taking in what has come from a live source.
    Grow,
    /// Reading the oplog into columns.
    Index,
    /// Looking for damage.
    Suspects,
    /// Finding all ops that a filter matches.
    Filter,
    /// Opening and closing bursts.
    Fold,
    /// Finding the next op that a search matches.
    Search,
    /// Finding the op at a position.
    Locate,
    /// Decoding the visible ops.
    Rows,
    /// Counting the visible bars.
    Bars,
    /// Decoding one op.
    Detail,
    /// The document before an op and after it.
    Change,
    /// The versions of a document.
    History,
    /// One of them.
    Version,
    /// The neighbours of the stop.
    Stop,
    /// What follows the stop.
    After,
    /// Noting what was chosen.
    Decide,
    /// What going back changes, in numbers.
    Diff,
    /// What going back changes, document by document.
    Documents,
    /// Setting a mark or taking one away.
    Marks,
    /// Noting something.
    Note,
    /// Reading the journal of the case.
    Journal,
    /// States at several times.
    States,
    /// Writing a file.
    Export,
    /// The plan.
    Plan,
    /// The restore.
    Restore,
}

impl Slot {
    /// What it does, as in "… is awaited".
    pub fn doing(self) -> &'static str {
        match self {
            Slot::Open => "opening the sources",
            Slot::Grow => "taking in what is new",
            Slot::Index => "reading the oplog",
            Slot::Suspects => "looking for damage",
            Slot::Filter => "filtering",
            Slot::Fold => "folding bursts",
            Slot::Search => "searching",
            Slot::Locate => "going there",
            Slot::Rows => "reading ops",
            Slot::Bars => "counting",
            Slot::Detail => "reading the op",
            Slot::Change => "rebuilding the document",
            Slot::History => "following the document",
            Slot::Version => "reading the version",
            Slot::Stop => "looking at the stop",
            Slot::After => "counting what follows the stop",
            Slot::Decide => "noting the stop",
            Slot::Diff => "comparing",
            Slot::Documents => "comparing documents",
            Slot::Marks => "noting the mark",
            Slot::Note => "noting",
            Slot::Journal => "reading the journal",
            Slot::States => "looking at the states",
            Slot::Export => "writing the file",
            Slot::Plan => "planning",
            Slot::Restore => "restoring",
        }
    }

    /// Whether a person waits for it long enough to be told. The others answer within a frame
    /// or two.
    pub fn is_long(self) -> bool {
        !matches!(
            self,
            Slot::Grow
                | Slot::Rows
                | Slot::Bars
                | Slot::Detail
                | Slot::Locate
                | Slot::Stop
                | Slot::Version
                | Slot::Decide
                | Slot::Marks
                | Slot::Note
        )
    }
}

/// One job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct JobId {
    /// What it is about.
    pub slot: Slot,
    /// Which of them.
    pub generation: u64,
}

/// A job that runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Running {
    /// Which of its slot.
    pub generation: u64,
    /// Since when, in milliseconds of the runtime's clock.
    pub since: u64,
    /// How far it is.
    pub reading: Option<Reading>,
}

/// All jobs that run.
#[derive(Debug, Clone, Default)]
pub struct Jobs {
    generation: u64,
    running: BTreeMap<Slot, Running>,
}

impl Jobs {
    /// Starts one; the one before it in this slot is forgotten.
    pub fn start(&mut self, slot: Slot, now: u64) -> JobId {
        self.generation += 1;
        let generation = self.generation;
        self.running.insert(slot, Running { generation, since: now, reading: None });
        JobId { slot, generation }
    }

    /// Notes how far a job is; `false` = it is an old one.
    pub fn progress(&mut self, id: JobId, reading: Reading) -> bool {
        match self.running.get_mut(&id.slot) {
            Some(running) if running.generation == id.generation => {
                running.reading = Some(reading);
                true
            }
            _ => false,
        }
    }

    /// Whether a job is the latest of its slot.
    pub fn is_current(&self, id: JobId) -> bool {
        self.running.get(&id.slot).is_some_and(|r| r.generation == id.generation)
    }

    /// A job has ended; `false` = it is an old one and its answer of no use.
    pub fn end(&mut self, id: JobId) -> bool {
        let current = self.is_current(id);
        if current {
            self.running.remove(&id.slot);
        }
        current
    }

    /// Nobody waits for the job of a slot any more; `false` = there is none.
    pub fn forget(&mut self, slot: Slot) -> bool {
        self.running.remove(&slot).is_some()
    }

    /// The job in a slot.
    pub fn get(&self, slot: Slot) -> Option<&Running> {
        self.running.get(&slot)
    }

    /// Whether anything runs.
    pub fn any(&self) -> bool {
        !self.running.is_empty()
    }

    /// The long jobs that run, the oldest kind first.
    pub fn long(&self) -> impl Iterator<Item = (Slot, &Running)> {
        self.running.iter().filter(|(slot, _)| slot.is_long()).map(|(slot, running)| (*slot, running))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_wins() {
        let mut jobs = Jobs::default();
        let old = jobs.start(Slot::Diff, 0);
        let new = jobs.start(Slot::Diff, 5);
        let other = jobs.start(Slot::Stop, 6);
        assert!(!jobs.end(old));
        assert!(jobs.end(new));
        assert!(!jobs.end(new), "a job ends once");
        assert!(jobs.any());
        assert_eq!(jobs.long().count(), 0);
        assert!(jobs.end(other) && !jobs.any());
    }
}
