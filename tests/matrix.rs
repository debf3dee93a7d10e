//! Every fixture from every dump format to every checkpoint, all the way to a target: written as a
//! dump directory, a part of them as an archive, loaded into a server that is used again and again, and once a fixture into an
//! isolated server by the real binary. What arrived is held against what the recorded server said.
//!
//! All checkpoints of all formats go to dump directories. To the server goes every checkpoint from
//! one of the formats, the next one each time; `PITSTOP_MATRIX=all` takes all formats there too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::path::Path;

use common::archive::take_apart;
use common::cli::Machine;
use common::fixtures::fixture;
use common::server::{Server as Peer, block_on};
use common::truth::{Checkpoint, Truth, compare_dump, compare_server};
use pitstop::domain::progress::Meter;
use pitstop::ops::walk::{Walk, WalkOptions, walk};
use pitstop::ops::{OpenOptions, Workspace};
use pitstop::source::read_archive;
use pitstop::target::{DumpOptions, Found, LoadOptions, Server, Ttl, write_archive, write_dump};

const FORMATS: [&str; 4] = ["dump-dir", "dump-gz", "dump.archive", "dump.archive.gz"];

/// One fixture opened from one of its dumps.
struct Opened {
    format: &'static str,
    workspace: Workspace,
    _case: tempfile::TempDir,
}

impl Opened {
    fn new(fixture: &Path, format: &'static str) -> Opened {
        let case = tempfile::tempdir().unwrap();
        let options = OpenOptions {
            sources: vec![fixture.join(format).into(), fixture.join("oplog").into()],
            case: Some(case.path().to_owned()),
            accept_unproven: vec![],
        };
        let workspace =
            Workspace::open(&options, &Meter::default()).unwrap_or_else(|e| panic!("{format}: {e}"));
        Opened { format, workspace, _case: case }
    }

    fn reaches(&self, want: &Checkpoint) -> bool {
        want.ts >= self.workspace.snapshots[0].edge().unwrap()
    }

    fn state(&self, want: &Checkpoint) -> Walk<'_> {
        let options = WalkOptions::default();
        let walked =
            walk(&self.workspace, &self.workspace.snapshots[0], want.ts.next(), &options, &Meter::default());
        walked.unwrap_or_else(|e| panic!("{} {}: {e}", self.format, want.label))
    }
}

fn to_dump_directories(name: &str) {
    let fixture = fixture(name);
    let truth = Truth::read(&fixture);
    let (mut wrong, mut reached) = (Vec::new(), 0);
    for format in FORMATS {
        let opened = Opened::new(&fixture, format);
        for want in truth.checkpoints.iter().filter(|c| opened.reaches(c)) {
            let place = tempfile::tempdir().unwrap();
            let dir = place.path().join("state");
            let written = {
                let options = DumpOptions::new("matrix", Some(&truth.server));
                write_dump(&dir, &opened.state(want).state, &options, &Meter::default())
            };
            let written = written.unwrap_or_else(|e| panic!("{format} {}: {e}", want.label));
            assert!(written.verification.ok(), "{format} {}", want.label);
            reached += 1;
            let place = format!("{format}, {}", want.label);
            wrong.extend(compare_dump(&dir, want).into_iter().map(|d| format!("{place}: {d}")));
        }
    }
    assert!(wrong.is_empty(), "{name}:\n{}", wrong.join("\n"));
    assert!(reached >= 80, "{name}: only {reached} checkpoints lie behind the edges");
    println!("{name}: {reached} checkpoints exact in dump directories");
}

/// Every fifth checkpoint, from one of the formats, the next one each time; every other archive
/// compressed. Read back by the product's reader, and taken apart by the tests' own.
fn to_archives(name: &str) {
    let fixture = fixture(name);
    let truth = Truth::read(&fixture);
    let (mut wrong, mut reached) = (Vec::new(), 0);
    for (at, format) in FORMATS.iter().enumerate() {
        let opened = Opened::new(&fixture, format);
        let chosen = truth.checkpoints.iter().enumerate().filter(|(n, c)| n % 5 == at && opened.reaches(c));
        for (number, want) in chosen {
            let place = tempfile::tempdir().unwrap();
            let file = place.path().join(if number % 2 == 0 { "state.archive" } else { "state.archive.gz" });
            let (walk, meter) = (opened.state(want), Meter::default());
            let written = write_archive(&file, &walk.state, Some(&truth.server), "matrix", &meter).unwrap();
            let read = read_archive(written.path(), &place.path().join("unpacked"), &meter).unwrap();
            let members = read.members.iter();
            let found: Vec<Found<'_>> =
                members.map(|m| Found { ns: &m.ns, metadata: &m.metadata, data: &m.data }).collect();
            let verified = written.compare(&walk.state, &found, &meter).unwrap();
            assert!(verified.ok(), "{format} {}: {verified:?}", want.label);
            let dir = place.path().join("apart");
            take_apart(&written.publish().unwrap(), &dir);
            let place = format!("{format}, {}", want.label);
            wrong.extend(compare_dump(&dir, want).into_iter().map(|d| format!("{place}: {d}")));
            reached += 1;
        }
    }
    assert!(wrong.is_empty(), "{name}:\n{}", wrong.join("\n"));
    assert!(reached >= 10, "{name}: only {reached} checkpoints");
    println!("{name}: {reached} checkpoints exact in archives");
}

fn to_a_server(name: &str) {
    let fixture = fixture(name);
    let truth = Truth::read(&fixture);
    let all = std::env::var("PITSTOP_MATRIX").is_ok_and(|v| v == "all");
    let opened: Vec<Opened> = FORMATS.iter().map(|format| Opened::new(&fixture, format)).collect();
    let peer = Peer::start(common::server::Kind::Standalone, &["--setParameter", "ttlMonitorEnabled=false"]);
    let server = block_on(Server::connect(peer.uri())).unwrap();
    let (mut wrong, mut reached) = (Vec::new(), 0);
    for (number, want) in truth.checkpoints.iter().enumerate() {
        for (format, opened) in opened.iter().enumerate() {
            if !opened.reaches(want) || !(all || format == number % FORMATS.len()) {
                continue;
            }
            let walk = opened.state(want);
            let options = LoadOptions::new(format!("{name}-{number}"), Ttl::Keep);
            let verified = block_on(async {
                let loaded = server.load(&walk.state, &options, &Meter::default()).await?;
                server.verify(&walk.state, &loaded, &Meter::default()).await
            });
            let place = format!("{}, {}", opened.format, want.label);
            let verified = verified.unwrap_or_else(|e| panic!("{place}: {e}"));
            assert!(verified.ok(), "{place}: {verified:?}");
            wrong.extend(compare_server(peer.uri(), want).into_iter().map(|d| format!("{place}: {d}")));
            reached += 1;
            peer.wipe();
        }
    }
    assert!(wrong.is_empty(), "{name}:\n{}", wrong.join("\n"));
    assert!(reached >= 15, "{name}: only {reached} checkpoints");
    println!("{name}: {reached} checkpoints exact on a server");
}

fn to_an_isolated_server(name: &str) {
    let fixture = fixture(name);
    let truth = Truth::read(&fixture);
    let want = truth.checkpoints.last().unwrap();
    let machine = Machine::new();
    let text = |part: &str| fixture.join(part).display().to_string();
    let (dump, slices, stop) = (text("dump.archive.gz"), text("oplog"), want.ts.to_string());
    let done = machine.json(&["restore", &dump, &slices, "--after", &stop, "--yes", "--json"]);
    let uri = machine.uri_of(&done[0]["restored"]);
    assert_eq!(compare_server(&uri, want), Vec::<String>::new(), "{name}");
}

macro_rules! fixtures {
    ($($name:ident),*) => {$(
        mod $name {
            #[test]
            fn to_dump_directories() {
                super::to_dump_directories(stringify!($name));
            }

            #[test]
            fn to_archives() {
                super::to_archives(stringify!($name));
            }

            #[test]
            fn to_a_server() {
                super::to_a_server(stringify!($name));
            }

            #[test]
            fn to_an_isolated_server() {
                super::to_an_isolated_server(stringify!($name));
            }
        }
    )*};
}
fixtures!(v42, v44, v50, v60, pbm50, pbm60);
