//! Slices and how they are joined, against a model that knows nothing but numbers.

use pitstop::domain::coverage::{Gap, Segment, Unproven};
use pitstop::domain::{Class, OpTime, Position};
use pitstop::source::{Oplog, Slice};
use proptest::collection::vec;
use proptest::prelude::*;

use super::kit::{Folder, entry, pos};

/// Entries with growing increments that jump, as in life.
fn history(steps: &[u32]) -> Vec<(u32, Vec<u8>)> {
    let mut inc = 0;
    steps
        .iter()
        .map(|step| {
            inc += step;
            (inc, entry(inc, "y".repeat((inc % 13) as usize)))
        })
        .collect()
}

/// Writes these runs of entries as files and opens them.
fn slices<'a>(folder: &Folder, runs: impl IntoIterator<Item = &'a [(u32, Vec<u8>)]>) -> Vec<Slice> {
    let mut all = Vec::new();
    for (number, run) in runs.into_iter().enumerate() {
        let name = format!("slice{number}");
        folder.write(&name, run.iter().flat_map(|(_, bytes)| bytes.clone()).collect::<Vec<_>>());
        all.extend(folder.open(&[&name]).unwrap().slices);
    }
    all
}

fn optime(inc: u32) -> OpTime {
    OpTime { pos: pos(inc), term: 1 }
}

/// What a set of runs `[first, last]` (indexes into the history) covers.
fn model(history: &[(u32, Vec<u8>)], mut runs: Vec<(usize, usize)>) -> (Vec<Segment>, Vec<Gap>, Vec<usize>) {
    runs.sort();
    let mut merged: Vec<(usize, usize)> = Vec::new();
    for (first, last) in runs {
        match merged.last_mut() {
            Some(run) if first <= run.1 => run.1 = run.1.max(last),
            _ => merged.push((first, last)),
        }
    }
    let segment = |&(first, last): &(usize, usize)| Segment {
        first: optime(history[first].0),
        last: optime(history[last].0),
        entries: (last - first + 1) as u64,
    };
    let gaps =
        merged.windows(2).map(|w| Gap { after: pos(history[w[0].1].0), before: pos(history[w[1].0].0) });
    let known = merged.iter().flat_map(|&(first, last)| first..=last).collect();
    (merged.iter().map(segment).collect(), gaps.collect(), known)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever the slices: what is joined, what is missing and what is found is what the
    /// numbers say.
    #[test]
    fn any_set_of_slices(
        steps in vec(1u32..4, 1..400),
        cuts in vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 1..8),
        probes in vec((0u32..1300, 0u32..1300), 20),
    ) {
        let history = history(&steps);
        let runs: Vec<_> = cuts
            .iter()
            .map(|(a, b)| (a.index(history.len()), b.index(history.len())))
            .map(|(a, b)| (a.min(b), a.max(b)))
            .collect();
        let folder = Folder::new();
        let oplog = Oplog::join(slices(&folder, runs.iter().map(|&(a, b)| &history[a..=b])), &[]).unwrap();
        let (segments, gaps, known) = model(&history, runs);
        prop_assert_eq!(oplog.segments(), segments.as_slice());
        prop_assert_eq!(oplog.gaps(), gaps.as_slice());
        prop_assert_eq!(oplog.len(), known.len() as u64);
        let known: Vec<_> = known.into_iter().map(|i| &history[i]).collect();
        let pieces: Vec<u8> = oplog.pieces().flat_map(|p| p.bytes().to_vec()).collect();
        prop_assert_eq!(pieces, known.iter().flat_map(|(_, bytes)| bytes.clone()).collect::<Vec<_>>());
        for (from, to) in probes {
            let got: Vec<_> = oplog.entries(pos(from), pos(to)).map(|e| e.unwrap().at).collect();
            let want: Vec<_> = known.iter().filter(|e| from <= e.0 && e.0 < to).map(|e| optime(e.0)).collect();
            prop_assert_eq!(got, want);
            let at = |e: Option<pitstop::engine::entry::Entry<'_>>| e.map(|e| e.at.pos);
            let exact = known.iter().find(|e| e.0 == from).map(|e| pos(e.0));
            prop_assert_eq!(at(oplog.find(pos(from)).unwrap()), exact);
            let before = known.iter().rev().find(|e| e.0 < from).map(|e| pos(e.0));
            prop_assert_eq!(at(oplog.last_before(pos(from)).unwrap()), before);
            let next = known.iter().find(|e| e.0 >= from).map(|e| pos(e.0));
            prop_assert_eq!(at(oplog.first_at_or_after(pos(from)).unwrap()), next);
            let inside = from >= to
                || segments.iter().any(|s| s.first.pos <= pos(from) && pos(to) <= s.last.pos.next());
            prop_assert_eq!(oplog.covers(pos(from), pos(to)).is_ok(), inside);
        }
    }

    /// In the overlap of two slices one entry is another one, or missing: refused, by name.
    #[test]
    fn other_histories_are_refused(
        steps in vec(2u32..4, 3..300),
        shape in prop::array::uniform3(any::<prop::sample::Index>()),
        missing: bool,
        in_first: bool,
    ) {
        let history = history(&steps);
        let n = history.len();
        // The second slice begins at `begin`, the first one ends at `end`; in between they differ.
        let begin = shape[0].index(n - 2);
        let end = begin + 2 + shape[1].index(n - begin - 2);
        let differs = begin + 1 + shape[2].index(end - begin - 1);
        let (mut first, mut second) = (history[..=end].to_vec(), history[begin..].to_vec());
        let (run, at) = if in_first { (&mut first, differs) } else { (&mut second, differs - begin) };
        let inc = history[differs].0;
        if missing {
            run.remove(at);
        } else {
            run[at] = (inc, entry(inc, "another"));
        }
        let folder = Folder::new();
        let error = Oplog::join(slices(&folder, [&first[..], &second[..]]), &[]).unwrap_err();
        prop_assert_eq!(error.class, Class::Inexact);
        for part in ["slice0", "slice1"] {
            prop_assert!(error.place.contains(part), "{}", error);
        }
        prop_assert!(error.cause.contains(&pos(inc).to_string()), "{}", error);
        let only = if in_first { "slice1" } else { "slice0" };
        prop_assert!(!missing || error.cause.ends_with(&format!("{only}\"")), "{}", error);
    }
}

#[test]
fn slices_that_only_touch_are_not_joined() {
    let history = history(&[1; 20]);
    let folder = Folder::new();
    let parts = || slices(&folder, [&history[..10], &history[10..]]);
    let oplog = Oplog::join(parts(), &[]).unwrap();
    assert_eq!(oplog.gaps(), [Gap { after: pos(10), before: pos(11) }]);
    assert!(oplog.covers(pos(10), pos(12)).is_err());
    for accepted in [pos(10), pos(11)] {
        let oplog = Oplog::join(parts(), &[accepted]).unwrap();
        assert_eq!(oplog.gaps(), []);
        assert_eq!(oplog.unproven(), [Unproven { after: pos(10), before: pos(11) }]);
        assert_eq!(oplog.segments(), [Segment { first: optime(1), last: optime(20), entries: 20 }]);
        assert_eq!(oplog.entries(Position::MIN, Position::MAX).count(), 20);
    }
    assert_eq!(Oplog::join(parts(), &[pos(9), pos(12)]).unwrap().gaps().len(), 1);
    // A joint that a third slice proves needs no acceptance, and does not count as unproven.
    let proven = slices(&folder, [&history[..10], &history[10..], &history[8..12]]);
    assert_eq!(Oplog::join(proven, &[pos(10)]).unwrap().unproven(), []);
}

#[test]
fn cut_off_anywhere_a_slice_is_an_error_or_ends_at_an_entry() {
    let entries: Vec<_> = (1..=5).map(|i| entry(i, "abc")).collect();
    let whole = entries.concat();
    let ends: Vec<usize> = (1..=5).map(|n| entries[..n].concat().len()).collect();
    let folder = Folder::new();
    for end in 1..=whole.len() {
        folder.write("cut", &whole[..end]);
        let result = folder.open(&["cut"]);
        match ends.iter().position(|e| *e == end) {
            Some(n) => assert_eq!(result.unwrap().slices[0].entries, n as u64 + 1),
            None => {
                let error = result.unwrap_err();
                let start = ends.iter().rev().find(|e| **e < end).copied().unwrap_or(0);
                if end > 5 {
                    assert_eq!(error.class, Class::Failed, "{error}");
                    assert!(error.place.ends_with(&format!("at byte {start}")), "cut at {end}: {error}");
                    assert!(error.cause.contains("cut off"), "{error}");
                }
            }
        }
    }
    folder.write("more", [&whole[..], &[0, 0, 0, 0, 0]].concat());
    let error = folder.open(&["more"]).unwrap_err();
    assert!(error.place.ends_with(&format!("at byte {}", whole.len())), "{error}");
}

#[test]
fn entries_out_of_order_are_an_error() {
    let folder = Folder::new();
    for (second, third) in [(5, 4), (5, 5)] {
        let run = [entry(1, 1), entry(second, 1), entry(third, 1)];
        folder.write("slice", run.concat());
        let error = folder.open(&["slice"]).unwrap_err();
        assert!(error.place.ends_with(&format!("at byte {}", run[0].len() + run[1].len())), "{error}");
    }
}

#[test]
fn a_slice_without_entries_is_no_error() {
    let folder = Folder::new();
    folder.write("all/0001/local/oplog.rs.bson", entry(1, 1));
    folder.write("all/0002/local/oplog.rs.bson", "");
    folder.write("only/local/oplog.rs.bson", "");
    let opened = folder.open(&["all", "only", "all/0002/local/oplog.rs.bson"]).unwrap();
    assert_eq!(opened.slices.len(), 1);
    assert_eq!(opened.notes.iter().filter(|n| n.contains("is empty")).count(), 2, "{:?}", opened.notes);
    let nothing = Oplog::join(Vec::new(), &[]).unwrap();
    assert!(nothing.is_empty() && nothing.first().is_none());
    assert!(nothing.covers(pos(1), pos(2)).is_err());
    assert!(nothing.first_at_or_after(pos(1)).unwrap().is_none());
}
