//! Every checkpoint and point of every fixture, from every dump format, against what the
//! recorded server itself said. The state is taken from the fold, without a target.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::path::Path;

use common::dump::content;
use common::fixtures::fixture;
use common::state::{documents, observe};
use common::truth::Truth;
use pitstop::domain::plan::{choose_base, valid_stops};
use pitstop::domain::{Namespace, Position, progress::Meter};
use pitstop::ops::walk::{WalkOptions, walk};
use pitstop::ops::{OpenOptions, Workspace};

const FORMATS: [&str; 4] = ["dump-dir", "dump-gz", "dump.archive", "dump.archive.gz"];

fn open(fixture: &Path, format: &str) -> (tempfile::TempDir, Workspace) {
    let case = tempfile::tempdir().unwrap();
    let options = OpenOptions {
        sources: vec![fixture.join(format).into(), fixture.join("oplog").into()],
        case: Some(case.path().to_owned()),
        accept_unproven: vec![],
    };
    let workspace = Workspace::open(&options, &Meter::default()).unwrap_or_else(|e| panic!("{format}: {e}"));
    (case, workspace)
}

fn check(name: &str) {
    let fixture = fixture(name);
    let truth = Truth::read(&fixture);
    let mut wrong = Vec::new();
    let mut exact = 0;
    for format in FORMATS {
        let (_case, workspace) = open(&fixture, format);
        let snapshot = &workspace.snapshots[0];
        let state_at = |bound: Position| {
            let base = choose_base(&workspace.infos, None, bound, workspace.segments(), workspace.gaps());
            assert_eq!(base.unwrap_or_else(|e| panic!("{name} {format}: {e}")).id, snapshot.id);
            let walked = walk(&workspace, snapshot, bound, &WalkOptions::default(), &Meter::default());
            walked.unwrap_or_else(|e| panic!("{name} {format} {bound}: {e}")).state
        };
        let mut reached = 0;
        for want in truth.from(snapshot.edge().unwrap()) {
            let state = state_at(want.ts.next());
            let differences = want.differences(&observe(&state, want));
            reached += 1;
            exact += usize::from(differences.is_empty());
            wrong.extend(differences.into_iter().map(|d| format!("{format}, {}: {d}", want.label)));
        }
        // The last dump of a fixture still has most of the truth ahead of it.
        assert!(reached >= 20, "{name} {format}: only {reached} checkpoints lie behind the edge");
        println!("{name} {format}: {reached} checkpoints, {} points", truth.points.len());
        for point in &truth.points {
            let state = state_at(point.ts.next());
            let at = state.position(&Namespace::new(&*point.db, &*point.collection)).unwrap();
            let md5 = content(&documents(&state, at)).md5;
            exact += usize::from(md5 == point.md5);
            if md5 != point.md5 {
                wrong.push(format!("{format}, point {}: {md5} for {}", point.ts, point.md5));
            }
        }
    }
    assert!(wrong.is_empty(), "{name}: {exact} exact, these are not:\n{}", wrong.join("\n"));
    println!("{name}: {exact} exact");
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

#[test]
fn the_range_of_valid_stops_begins_just_past_the_edge() {
    let fixture = fixture("v60");
    let (_case, workspace) = open(&fixture, "dump-dir");
    let info = &workspace.infos[0];
    let valid = valid_stops(info, workspace.segments()).unwrap();
    let edge = info.edge.unwrap();
    assert_eq!(valid.first, edge.next());
    let truth = Truth::read(&fixture);
    assert_eq!(valid.last, truth.slices.last().unwrap().through.next());
    assert!(workspace.gaps().is_empty());
}

/// The states of the built-in incident, computed by its generator's simulation of the shop.
#[test]
fn the_demo_incident() {
    let place = tempfile::tempdir().unwrap();
    let sources = pitstop::ops::demo::unpack(&place.path().join("demo")).unwrap();
    let sources = sources.into_iter().map(Into::into).collect();
    let options = OpenOptions { sources, case: Some(place.path().join("case")), accept_unproven: vec![] };
    let workspace = Workspace::open(&options, &Meter::default()).unwrap();
    assert_eq!(workspace.gaps().len(), 1);
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/demo.json");
    let truth: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let states = truth["states"].as_array().unwrap();
    assert!(states.len() >= 4);
    for want in states {
        let through: Position = want["through"].as_str().unwrap().parse().unwrap();
        let base =
            choose_base(&workspace.infos, None, through.next(), workspace.segments(), workspace.gaps())
                .unwrap();
        let snapshot = workspace.snapshot(&base.id).unwrap();
        let walked = walk(&workspace, snapshot, through.next(), &WalkOptions::default(), &Meter::default());
        let state = walked.unwrap().state;
        for (name, collection) in want["shop"].as_object().unwrap() {
            let at = state.position(&Namespace::new("shop", name)).unwrap();
            let got = content(&documents(&state, at));
            assert_eq!(got.count, collection["count"].as_u64().unwrap(), "{}: {name}", want["label"]);
            assert_eq!(got.md5, collection["md5"].as_str().unwrap(), "{}: {name}", want["label"]);
        }
    }
}
