//! However the same oplog is cut into overlapping slices, the state is the same.

use std::fs;

use pitstop::domain::progress::Meter;
use pitstop::engine::output::{Digest, State};
use pitstop::ops::walk::{WalkOptions, walk};
use pitstop::ops::{OpenOptions, Workspace};
use proptest::prelude::*;

use crate::common::fixtures::fixture;
use crate::kit::split;

/// All entries of a recorded oplog, once each.
fn entries() -> Vec<Vec<u8>> {
    let root = fixture("v60").join("oplog");
    let mut all: Vec<Vec<u8>> = Vec::new();
    for name in ["0001", "0002", "0003", "0004", "0005"] {
        let dir = root.join(name).join("local");
        let plain = dir.join("oplog.rs.bson");
        let bytes = if plain.exists() {
            fs::read(plain).unwrap()
        } else {
            let packed = fs::File::open(dir.join("oplog.rs.bson.gz")).unwrap();
            let mut bytes = Vec::new();
            std::io::Read::read_to_end(&mut flate2::read::MultiGzDecoder::new(packed), &mut bytes).unwrap();
            bytes
        };
        let slice = split(&bytes);
        // Neighbours share an entry.
        let skip = usize::from(all.last().is_some_and(|last| last == &slice[0]));
        all.extend(slice.into_iter().skip(skip));
    }
    all
}

fn state(slices: &[Vec<u8>]) -> Vec<(String, Digest)> {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("slices");
    fs::create_dir(&folder).unwrap();
    for (number, slice) in slices.iter().enumerate() {
        fs::write(folder.join(format!("part-{number}.bson")), slice).unwrap();
    }
    let options = OpenOptions {
        sources: vec![fixture("v60").join("dump-dir").into(), folder.into()],
        case: Some(home.path().join("case")),
        accept_unproven: vec![],
    };
    let workspace = Workspace::open(&options, &Meter::default()).unwrap();
    assert!(workspace.gaps().is_empty(), "{:?}", workspace.gaps());
    let bound = workspace.last().next();
    let walk = walk(&workspace, &workspace.snapshots[0], bound, &WalkOptions::default(), &Meter::default());
    let state = walk.unwrap().state;
    let specs = state.collections().iter().enumerate();
    specs
        .map(|(at, spec)| {
            let mut digest = Digest::default();
            for chunk in 0..state.chunks(at) {
                let mut sink = |d: &[u8]| {
                    digest.add(d);
                    Ok(())
                };
                state.emit(at, chunk, &mut sink).unwrap();
            }
            (spec.ns.to_string(), digest)
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(12) })]

    #[test]
    fn any_cutting_gives_the_same_state(
        cuts in prop::collection::vec((any::<prop::sample::Index>(), 0usize..40), 0..7),
        rotation in 0usize..8,
    ) {
        let all = entries();
        let mut cuts: Vec<(usize, usize)> = cuts.into_iter().map(|(at, more)| (at.index(all.len()), more)).collect();
        cuts.extend([(0, 0), (all.len() - 1, 0)]);
        cuts.sort_unstable();
        let mut slices: Vec<Vec<u8>> = cuts
            .windows(2)
            .map(|pair| all[pair[0].0..(pair[1].0 + 1 + pair[0].1).min(all.len())].concat())
            .collect();
        let by = rotation % slices.len();
        slices.rotate_left(by);
        let uncut = state(&[all.concat()]);
        prop_assert!(uncut.iter().map(|(_, digest)| digest.count).sum::<u64>() > 100);
        prop_assert_eq!(state(&slices), uncut);
    }
}
