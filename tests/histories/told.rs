//! A history that is told step by step behind a dump, with the truth after each step.

use bson::{Document, doc};
use mongodb::Client;
use pitstop::domain::Position;

use crate::common::server::command_on;
use crate::common::truth::Checkpoint;
use crate::dump::{Dump, Dumper, oplog, slices};
use crate::live::{newest, observe};
use crate::play::{Outcome, check, position};
use crate::random::Random;

/// A history that goes on behind a dump.
pub struct Told<'s> {
    client: &'s Client,
    home: tempfile::TempDir,
    begin: Position,
    pub dump: Dump,
    pub truths: Vec<Checkpoint>,
}

impl<'s> Told<'s> {
    pub fn behind_a_dump(client: &'s Client) -> Told<'s> {
        let home = tempfile::tempdir().unwrap();
        let begin = newest(client);
        let mut dumper = Dumper::start(client, home.path().join("dump"));
        while dumper.step(client, &mut Random::from(1)).is_some() {}
        let dump = dumper.finish(client, "6.0.5").unwrap();
        Told { client, home, begin, dump, truths: vec![] }
    }

    /// Does something, and writes down what came of it. Gives the position of its first entry.
    pub fn doing(&mut self, label: String, act: impl FnOnce(&Client)) -> Position {
        let before = newest(self.client);
        act(self.client);
        let entries = oplog(self.client, before, newest(self.client));
        let first = entries.get(1).unwrap_or_else(|| panic!("nothing is logged of {label}"));
        self.truths.push(observe(self.client, label));
        position(first)
    }

    /// Sends operations.
    pub fn send(&mut self, atomic: bool, operations: &[Document]) -> Position {
        let command = doc! { "applyOps": operations, "allowAtomic": atomic };
        self.doing(format!("{operations:?}"), |client| drop(command_on(client, "admin", command)))
    }

    /// The folder of all that was logged.
    pub fn log(&self) -> (std::path::PathBuf, Vec<Vec<u8>>) {
        let entries = oplog(self.client, self.begin, newest(self.client));
        let folder = self.home.path().join("slices");
        slices(&folder, &entries, &mut Random::from(2));
        (folder, entries)
    }

    /// Holds every state against what was written down; gives the log.
    pub fn check(&self) -> Vec<Vec<u8>> {
        let (folder, entries) = self.log();
        let mut outcome = Outcome::default();
        check(&self.dump, &folder, &entries, &self.truths, &mut outcome);
        assert!(outcome.wrong.is_empty(), "{}", outcome.wrong.join("\n"));
        assert_eq!(outcome.exact, self.truths.len());
        entries
    }
}
