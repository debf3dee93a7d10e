//! Plays a history, takes dumps while it goes on, and holds every state against the truth.

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use bson::RawDocument;
use pitstop::domain::Position;
use pitstop::domain::progress::Meter;
use pitstop::ops::walk::{WalkOptions, walk};
use pitstop::ops::{OpenOptions, Workspace};

use crate::common::server::Server;
use crate::common::truth::Checkpoint;
use crate::dump::{Dump, Dumper, oplog, slices};
use crate::live::{newest, observe, observe_state};
use crate::random::Random;
use crate::steps::Player;

#[derive(Default)]
pub struct Outcome {
    pub commands: u32,
    pub entries: usize,
    pub checkpoints: usize,
    pub dumps: usize,
    pub exact: usize,
    pub refused: usize,
    pub wrong: Vec<String>,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} commands, {} oplog entries, {} truths, {} dumps: {} states exact, {} refused for renames, {} wrong",
            self.commands,
            self.entries,
            self.checkpoints,
            self.dumps,
            self.exact,
            self.refused,
            self.wrong.len()
        )
    }
}

/// Plays a random history from an empty server on.
pub fn history(server: &Server, random: Random, steps: usize) -> Outcome {
    server.wipe();
    let client = server.client();
    let home = tempfile::tempdir().unwrap();
    let begin = newest(&client);
    let mut player = Player { client: &client, random, world: observe(&client, "empty".into()), done: 0 };
    let mut truths: Vec<Checkpoint> = Vec::new();
    let (mut dumps, mut dumper) = (Vec::new(), None);
    for number in 0..steps {
        let before = player.world.clone();
        let from = newest(&client);
        player.step();
        let now = observe(&client, format!("after step {number}"));
        truths.extend(undecided(&client, from, &before, &now));
        truths.push(now.clone());
        player.world = now;
        // The first dump is taken at once and is a base for everything; others take their time.
        let pieces = if dumps.is_empty() { usize::MAX } else { player.random.below(4) };
        for _ in 0..pieces {
            let open: &mut Dumper = dumper
                .get_or_insert_with(|| Dumper::start(&client, home.path().join(format!("dump{number}"))));
            if open.step(&client, &mut player.random).is_none() {
                dumps.extend(dumper.take().and_then(|d: Dumper| d.finish(&client, "6.0.5")));
                break;
            }
        }
    }
    let entries = oplog(&client, begin, newest(&client));
    let mut outcome = Outcome { commands: player.done, entries: entries.len(), ..Outcome::default() };
    (outcome.checkpoints, outcome.dumps) = (truths.len(), dumps.len());
    for dump in &dumps {
        let folder = home.path().join(format!("slices-{}", dump.from));
        slices(&folder, &entries, &mut player.random);
        check(dump, &folder, &entries, &truths, &mut outcome);
    }
    outcome
}

/// Truths inside the last step, where it was a prepared transaction: up to its decision the
/// server held what it held before, and the noise beside it.
fn undecided(
    client: &mongodb::Client,
    from: Position,
    before: &Checkpoint,
    now: &Checkpoint,
) -> Vec<Checkpoint> {
    let entries = &oplog(client, from, now.ts)[1..];
    let prepared =
        |e: &[u8]| entry(e).get_document("o").is_ok_and(|o| matches!(o.get("prepare"), Ok(Some(_))));
    let Some(at) = entries.iter().position(|e| prepared(e)) else {
        // Every part of a chain but the last changes nothing.
        let partial = |e: &&Vec<u8>| {
            entry(e).get_document("o").is_ok_and(|o| matches!(o.get("partialTxn"), Ok(Some(_))))
        };
        let parts = entries.iter().take_while(partial);
        return parts
            .map(|e| Checkpoint { ts: position(e), label: "inside a chain".into(), ..before.clone() })
            .collect();
    };
    let decision = |e: &[u8]| {
        entry(e).get_document("o").is_ok_and(|o| {
            matches!(o.get("commitTransaction"), Ok(Some(_)))
                || matches!(o.get("abortTransaction"), Ok(Some(_)))
        })
    };
    let Some(end) = entries.iter().position(|e| decision(e)) else { return vec![] };
    let mut state = before.clone();
    let mut truths = Vec::new();
    for entry in &entries[at..end] {
        if position(entry) > position(&entries[at])
            && let Some(noise) = now.dbs.get("noise")
        {
            state.dbs.insert("noise".into(), noise.clone());
        }
        truths.push(Checkpoint { ts: position(entry), label: "undecided".into(), ..state.clone() });
    }
    // Where the noise began, its collection may have been made in an entry of its own.
    truths.drain(1..truths.len().saturating_sub(1).max(1));
    truths
}

fn entry(bytes: &[u8]) -> &RawDocument {
    RawDocument::from_bytes(bytes).unwrap()
}

pub fn position(bytes: &[u8]) -> Position {
    let ts = entry(bytes).get_timestamp("ts").unwrap();
    Position::new(ts.time, ts.increment)
}

/// Collections that were renamed inside a dump's window and are older than it.
fn renamed(dump: &Dump, entries: &[Vec<u8>]) -> bool {
    let mut made = HashSet::new();
    entries.iter().filter(|e| position(e) >= dump.from && position(e) <= dump.edge).any(|e| {
        let (Ok(o), Ok(ui)) = (entry(e).get_document("o"), entry(e).get_binary("ui")) else { return false };
        if matches!(o.get("create"), Ok(Some(_))) {
            made.insert(ui.bytes.to_vec());
        }
        matches!(o.get("renameCollection"), Ok(Some(_))) && !made.contains(ui.bytes)
    })
}

/// Rolls one dump to every truth behind its edge.
pub fn check(
    dump: &Dump,
    folder: &std::path::Path,
    entries: &[Vec<u8>],
    truths: &[Checkpoint],
    outcome: &mut Outcome,
) {
    let case = tempfile::tempdir().unwrap();
    let options = OpenOptions {
        sources: vec![dump.dir.clone().into(), folder.to_owned().into()],
        case: Some(case.path().to_owned()),
        accept_unproven: vec![],
    };
    let name = format!("dump of {} to {}", dump.from, dump.edge);
    let workspace = Workspace::open(&options, &Meter::default()).unwrap_or_else(|e| panic!("{name}: {e}"));
    let snapshot = &workspace.snapshots[0];
    assert_eq!(snapshot.edge(), Some(dump.edge), "{name}");
    let suspect = renamed(dump, entries);
    let mut seen: BTreeMap<Position, ()> = BTreeMap::new();
    for want in truths.iter().filter(|t| t.ts >= dump.edge) {
        if seen.insert(want.ts, ()).is_some() {
            continue;
        }
        let walked = walk(&workspace, snapshot, want.ts.next(), &WalkOptions::default(), &Meter::default());
        match walked.and_then(|walk| observe_state(&walk.state)) {
            Ok(got) => {
                let differences = want.differences(&got);
                outcome.exact += usize::from(differences.is_empty());
                // The same difference again, at the next stops, would say nothing new.
                for difference in differences {
                    if !outcome.wrong.iter().any(|known| known.ends_with(&difference)) {
                        outcome.wrong.push(format!("{name}, {} at {}: {difference}", want.label, want.ts));
                    }
                }
            }
            Err(e) if suspect && e.to_string().contains("renamed while the snapshot was taken") => {
                outcome.refused += 1
            }
            Err(e) if outcome.wrong.iter().any(|known| known.ends_with(&e.to_string())) => {}
            Err(e) => outcome.wrong.push(format!("{name}, {} at {}: {e}", want.label, want.ts)),
        }
    }
}
