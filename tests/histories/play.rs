//! Plays a history, takes dumps while it goes on, and holds every state against the truth.

use std::collections::HashSet;
use std::fmt;

use bson::RawDocument;
use pitstop::domain::Position;
use pitstop::domain::progress::Meter;
use pitstop::ops::memory::Memory;
use pitstop::ops::walk::{Walk, WalkOptions, walk};
use pitstop::ops::{OpenOptions, Workspace};

use crate::common::server::Server;
use crate::common::truth::Checkpoint;
use crate::dump::{Dump, Dumper, oplog, slices};
use crate::live::{newest, observe, observe_state};
use crate::oracle::{Oracle, Recovered};
use crate::past::{self, Past};
use crate::random::Random;
use crate::steps::Player;

#[derive(Default)]
pub struct Outcome {
    pub commands: u32,
    pub entries: usize,
    pub checkpoints: usize,
    pub dumps: usize,
    pub exact: usize,
    /// Of those, agreed with the server's hash of a moment that was over.
    pub past: usize,
    /// Of those, agreed with the server's own recovery.
    pub recovered: usize,
    pub refused: usize,
    pub wrong: Vec<String>,
}

/// A history that was played.
struct Played {
    home: tempfile::TempDir,
    entries: Vec<Vec<u8>>,
    truths: Vec<Checkpoint>,
    pasts: Vec<Past>,
    dumps: Vec<Dump>,
    commands: u32,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} commands, {} oplog entries, {} truths, {} dumps: {} states exact ({} by a hash of the past, {} by \
             the server's recovery), {} refused, {} wrong",
            self.commands,
            self.entries,
            self.checkpoints,
            self.dumps,
            self.exact,
            self.past,
            self.recovered,
            self.refused,
            self.wrong.len()
        )
    }
}

/// Plays a random history from an empty server on, and holds every state against the truths, some
/// against hashes of the past, and at so many random stops against the server's own recovery.
pub fn history(server: &Server, random: Random, steps: usize, stops: usize) -> Outcome {
    server.wipe();
    let oracle = Oracle::of(server);
    let (played, mut random) = play(server, random, steps);
    let mut outcome =
        Outcome { commands: played.commands, entries: played.entries.len(), ..Outcome::default() };
    (outcome.checkpoints, outcome.dumps) = (played.truths.len(), played.dumps.len());
    let folders: Vec<_> = played
        .dumps
        .iter()
        .map(|dump| {
            let folder = played.home.path().join(format!("slices-{}", dump.from));
            slices(&folder, &played.entries, &mut random);
            folder
        })
        .collect();
    for (dump, folder) in played.dumps.iter().zip(&folders) {
        check(dump, folder, &played.entries, &played.truths, &mut outcome);
    }
    let Some(base) = played.dumps.first() else { return outcome };
    let base = Rolled::new(base, &folders[0], &played.entries);
    for past in played.pasts.iter().filter(|past| past.ts >= base.edge) {
        let differences = base.either(past.ts.next()).and_then(|walk| past::differences(past, &walk.state));
        outcome.past += outcome.judge(&base, past.ts, differences);
    }
    let behind: Vec<_> = played.entries.iter().map(|e| position(e)).filter(|p| *p >= base.edge).collect();
    for _ in 0..stops {
        let last = random.pick(&behind);
        let want = match oracle.state(&played.entries, last.next()) {
            Recovered::State(state) => Some(state),
            Recovered::HalfSeries => None,
            Recovered::GaveUp(said) => {
                println!("no answer at {last}: {said}");
                continue;
            }
        };
        for (dump, folder) in played.dumps.iter().zip(&folders).filter(|(dump, _)| dump.edge <= last) {
            let rolled = Rolled::new(dump, folder, &played.entries);
            let got = rolled.either(last.next()).and_then(|walk| observe_state(&walk.state));
            let differences = match (&want, got) {
                (None, Err(e)) if e.to_string().contains("inside the making or dropping") => {
                    outcome.recovered += 1;
                    continue;
                }
                (None, got) => got.map(|_| vec!["is given, with half a time series".to_owned()]),
                (Some(want), got) => got.map(|mut got| {
                    leave_out_what_is_unknown(&mut got, want);
                    want.differences(&got)
                }),
            };
            outcome.recovered += outcome.judge(&rolled, last, differences);
        }
    }
    outcome
}

fn play(server: &Server, random: Random, steps: usize) -> (Played, Random) {
    let client = server.client();
    let home = tempfile::tempdir().unwrap();
    let begin = newest(&client);
    let mut player = Player { client: &client, random, world: observe(&client, "empty".into()), done: 0 };
    let (mut truths, mut pasts): (Vec<Checkpoint>, Vec<Past>) = (Vec::new(), Vec::new());
    let (mut dumps, mut dumper) = (Vec::new(), None);
    for number in 0..steps {
        let before = player.world.clone();
        let from = newest(&client);
        player.step();
        let now = observe(&client, format!("after step {number}"));
        let entries = oplog(&client, from, now.ts);
        truths.extend(undecided(&entries[1..], &before, &now));
        truths.push(now.clone());
        player.world = now;
        pasts.extend(past::ask(&client, &entries, &mut player.random));
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
    (Played { home, entries, truths, pasts, dumps, commands: player.done }, player.random)
}

/// Truths inside the last step, where it was a prepared transaction: up to its decision the
/// server held what it held before, and the noise beside it.
pub fn undecided(entries: &[Vec<u8>], before: &Checkpoint, now: &Checkpoint) -> Vec<Checkpoint> {
    let Some(at) = entries.iter().position(|e| command(e, "prepare")) else {
        // Every part of a chain but the last changes nothing.
        let parts = entries.iter().take_while(|e| command(e, "partialTxn"));
        return parts
            .map(|e| Checkpoint { ts: position(e), label: "inside a chain".into(), ..before.clone() })
            .collect();
    };
    let decision = |e: &[u8]| command(e, "commitTransaction") || command(e, "abortTransaction");
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

pub fn entry(bytes: &[u8]) -> &RawDocument {
    RawDocument::from_bytes(bytes).unwrap()
}

/// Whether the operation of an entry has that field.
pub fn command(bytes: &[u8], field: &str) -> bool {
    entry(bytes).get_document("o").is_ok_and(|o| matches!(o.get(field), Ok(Some(_))))
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

/// Takes the contents out that the truth has none of.
fn leave_out_what_is_unknown(got: &mut Checkpoint, want: &Checkpoint) {
    for (db, all) in &want.dbs {
        for (name, _) in all.iter().filter(|(_, is)| is.content.is_none()) {
            if let Some(own) = got.dbs.get_mut(db).and_then(|all| all.get_mut(name)) {
                own.content = None;
            }
        }
    }
}

/// A dump and the oplog since, opened.
pub struct Rolled {
    name: String,
    edge: Position,
    workspace: Workspace,
    /// Whether it may be refused for a rename.
    suspect: bool,
    _case: tempfile::TempDir,
}

impl Rolled {
    pub fn new(dump: &Dump, folder: &std::path::Path, entries: &[Vec<u8>]) -> Rolled {
        let case = tempfile::tempdir().unwrap();
        let options = OpenOptions {
            sources: vec![dump.dir.clone().into(), folder.to_owned().into()],
            case: Some(case.path().to_owned()),
            accept_unproven: vec![],
        };
        let name = format!("dump of {} to {}", dump.from, dump.edge);
        let workspace =
            Workspace::open(&options, &Meter::default()).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(workspace.snapshots[0].edge(), Some(dump.edge), "{name}");
        Rolled { name, edge: dump.edge, workspace, suspect: renamed(dump, entries), _case: case }
    }

    pub fn state(&self, bound: Position) -> pitstop::domain::Result<Walk<'_>> {
        self.fold(bound, Memory::default())
    }

    /// The same; every other one with so little memory that all is spilled.
    fn either(&self, bound: Position) -> pitstop::domain::Result<Walk<'_>> {
        let little = Memory::new(16 << 10).spilling();
        self.fold(bound, if bound.inc.is_multiple_of(2) { Memory::default() } else { little })
    }

    fn fold(&self, bound: Position, memory: Memory) -> pitstop::domain::Result<Walk<'_>> {
        let (snapshot, options) =
            (&self.workspace.snapshots[0], WalkOptions { memory, ..WalkOptions::default() });
        walk(&self.workspace, snapshot, bound, &options, &Meter::default())
    }
}

impl Outcome {
    /// Counts a state: 1 when it was exact.
    fn judge(
        &mut self,
        rolled: &Rolled,
        ts: Position,
        differences: pitstop::domain::Result<Vec<String>>,
    ) -> usize {
        let found = match differences {
            Ok(found) if found.is_empty() => {
                self.exact += 1;
                return 1;
            }
            Ok(found) => found,
            Err(e) if rolled.suspect && e.to_string().contains("renamed while the snapshot was taken") => {
                self.refused += 1;
                return 0;
            }
            Err(e) => vec![e.to_string()],
        };
        // The same difference again, at the next stops, would say nothing new.
        for difference in found {
            if !self.wrong.iter().any(|known| known.ends_with(&difference)) {
                self.wrong.push(format!("{}, at {ts}: {difference}", rolled.name));
            }
        }
        0
    }
}

/// Rolls one dump to every truth behind its edge.
pub fn check(
    dump: &Dump,
    folder: &std::path::Path,
    entries: &[Vec<u8>],
    truths: &[Checkpoint],
    outcome: &mut Outcome,
) {
    let rolled = Rolled::new(dump, folder, entries);
    let mut seen = HashSet::new();
    for want in truths.iter().filter(|t| t.ts >= dump.edge) {
        if seen.insert(want.ts) {
            let got = rolled.either(want.ts.next()).and_then(|walk| observe_state(&walk.state));
            outcome.judge(&rolled, want.ts, got.map(|got| want.differences(&got)));
        }
    }
}
