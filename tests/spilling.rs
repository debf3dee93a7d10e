//! States folded with so little memory that everything is spilled: every checkpoint of every
//! fixture is what the recorded server said, and is what memory alone comes to, document by
//! document and, where it counts, in order.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::collections::BTreeMap;
use std::path::Path;

use common::fixtures::fixture;
use common::state::{documents, observe};
use common::truth::Truth;
use pitstop::domain::diff::{DocumentDiff, NamespaceDiff};
use pitstop::domain::position::Place;
use pitstop::domain::stop::{Side, StopRequest};
use pitstop::domain::{Position, progress::Meter};
use pitstop::engine::output::{Digest, State};
use pitstop::ops::diff::{DiffRequest, diff};
use pitstop::ops::memory::Memory;
use pitstop::ops::walk::{Walk, WalkOptions, walk};
use pitstop::ops::{OpenOptions, Workspace};

/// Room for about fifty documents.
const LITTLE: u64 = 16 << 10;

fn open(fixture: &Path, format: &str) -> (tempfile::TempDir, Workspace) {
    let case = tempfile::tempdir().unwrap();
    let options = OpenOptions {
        sources: vec![fixture.join(format).into(), fixture.join("oplog").into()],
        case: Some(case.path().to_owned()),
        accept_unproven: vec![],
    };
    (case, Workspace::open(&options, &Meter::default()).unwrap())
}

fn fold(workspace: &Workspace, bound: Position, memory: Memory) -> Walk<'_> {
    let options = WalkOptions { memory, ..WalkOptions::default() };
    walk(workspace, &workspace.snapshots[0], bound, &options, &Meter::default()).unwrap()
}

/// Per collection: its digest, and its bytes where their order is part of the state.
fn digests(state: &dyn State) -> Vec<(String, Digest, Option<Vec<u8>>, u64)> {
    let digest = |bytes: &[u8]| {
        let mut digest = Digest::default();
        let mut rest = bytes;
        while !rest.is_empty() {
            let (one, more) = rest.split_at(i32::from_le_bytes(rest[..4].try_into().unwrap()) as usize);
            digest.add(one);
            rest = more;
        }
        digest
    };
    let one = |(at, spec): (usize, &pitstop::engine::output::CollectionSpec)| {
        let bytes = documents(state, at);
        (spec.ns.to_string(), digest(&bytes), spec.ordered.then_some(bytes), spec.documents)
    };
    state.collections().iter().enumerate().map(one).collect()
}

fn check(name: &str) {
    let fixture = fixture(name);
    let truth = Truth::read(&fixture);
    let (_case, workspace) = open(&fixture, "dump-dir");
    let mut reached = 0;
    for (number, want) in truth.from(workspace.snapshots[0].edge().unwrap()).enumerate() {
        let bound = want.ts.next();
        // Some budgets cut the log in other places; one is so large that only the end is spilled.
        let little = LITTLE << (number % 4);
        let memory =
            if number % 7 == 6 { Memory::default().spilling() } else { Memory::new(little).spilling() };
        let spilled = fold(&workspace, bound, memory);
        assert!(spilled.state.is_spilled());
        let place = format!("{name}, {} with {little} bytes", want.label);
        assert_eq!(want.differences(&observe(&spilled.state, want)), Vec::<String>::new(), "{place}");
        let held = fold(&workspace, bound, Memory::default());
        assert!(!held.state.is_spilled());
        for (got, want) in digests(&spilled.state).iter().zip(digests(&held.state)) {
            assert_eq!(*got, want, "{place}");
        }
        assert_eq!(spilled.walked, held.walked, "{place}");
        // Bytes are estimated: of what was spilled, with what was overwritten since.
        let specs = |state: &dyn State| -> Vec<_> {
            let specs = state.collections().iter().cloned();
            specs.map(|spec| pitstop::engine::output::CollectionSpec { bytes: 0, ..spec }).collect()
        };
        assert_eq!(specs(&spilled.state), specs(&held.state), "{place}");
        reached += 1;
    }
    assert!(reached >= 20, "{name}: only {reached} checkpoints lie behind the edge");
    compare(name, &truth, &workspace);
    let left: Vec<_> =
        std::fs::read_dir(workspace.case.root()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(
        left.iter().all(|name| ["journal.ndjson", "unpacked", "index"].iter().any(|n| name == n)),
        "{left:?}"
    );
}

/// Differences between checkpoints, from memory and from what was spilled.
fn compare(name: &str, truth: &Truth, workspace: &Workspace) {
    let edge = workspace.snapshots[0].edge().unwrap();
    let stops: Vec<Position> = truth.from(edge).map(|c| c.ts.next()).collect();
    let mut differing = 0;
    for (number, pair) in stops.windows(6).step_by(2).enumerate() {
        let (stop, against) = if number % 5 == 4 { (pair[5], pair[0]) } else { (pair[0], pair[5]) };
        let found = |memory| {
            let at = |pos| StopRequest { side: Side::Before, place: Place::At(pos) };
            let request = DiffRequest {
                stop: at(stop),
                against: Some(at(against)),
                snapshot: None,
                ns: Vec::new(),
                limit: usize::MAX,
                walk: WalkOptions { memory, ..WalkOptions::default() },
            };
            diff(
                workspace,
                &request,
                &pitstop::domain::diff_filter::DocumentFilter::default(),
                &Meter::default(),
            )
            .unwrap()
        };
        let by_id = |documents: Vec<DocumentDiff>| -> BTreeMap<String, DocumentDiff> {
            documents.into_iter().map(|d| (format!("{} {}", d.ns, d.id), d)).collect()
        };
        let (held, spilled) = (found(Memory::default()), found(Memory::new(LITTLE)));
        assert!(!held.limited && !spilled.limited);
        assert_eq!(spilled.namespaces, held.namespaces, "{name} {stop} {against}");
        differing += held.namespaces.iter().map(changes).sum::<u64>();
        let (held, spilled) = (by_id(held.documents), by_id(spilled.documents));
        assert_eq!(spilled, held, "{name} {stop} {against}");
    }
    assert!(differing > 100, "{name}: only {differing} documents differ");
}

fn changes(ns: &NamespaceDiff) -> u64 {
    ns.comes_back + ns.changes_back + ns.goes_away
}

macro_rules! fixtures {
    ($($name:ident),*) => {$(
        #[test]
        fn $name() {
            check(stringify!($name));
        }
    )*};
}
fixtures!(v42, v44, v50, v60, pbm50, pbm60);
