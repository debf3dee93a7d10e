//! Which sources a command names: a profile among them is put in place of its name here, once for all.

use super::Command;
use crate::domain::source::Source;

impl Command {
    /// The sources it names, where it names any.
    pub fn sources(&mut self) -> Option<&mut Vec<Source>> {
        Some(match self {
            Command::Snapshots(args) => &mut args.sources,
            Command::Ops(args) => &mut args.source.sources,
            Command::Suspects(args) => &mut args.source.sources,
            Command::Plan(args) => &mut args.source.sources,
            Command::Diff(args) => &mut args.source.sources,
            Command::History(args) => &mut args.source.sources,
            Command::Mark(args) => &mut args.source.sources,
            Command::Note(args) => &mut args.source.sources,
            Command::States(args) => &mut args.source.sources,
            Command::Restore(args) => &mut args.plan.source.sources,
            Command::Doctor(args) => &mut args.sources,
            Command::Archive(_)
            | Command::Demo(_)
            | Command::Generate(_)
            | Command::Report(_)
            | Command::Targets(_) => return None,
        })
    }
}
