//! The oplogs of real servers, searched through the whole path that commands take.

use std::collections::HashSet;

use bson::Document;
use pitstop::domain::op::OpKind;
use pitstop::domain::progress::Meter;
use pitstop::domain::query::parse;
use pitstop::domain::{Position, op::Op};
use pitstop::engine::key::DocKey;
use pitstop::index::About;
use pitstop::ops::rows::rows;
use pitstop::ops::search::{Found, search};
use pitstop::ops::{OpenOptions, Workspace};

use crate::common::fixtures::{ALL, fixture};
use crate::naive;

const QUERIES: [&str; 15] = [
    "",
    "op:delete",
    "op:command",
    "-op:noop ns:*.*",
    "ns:shop.*",
    "txn:*",
    "-txn:* op:update",
    "id:1",
    "size:>1k",
    "a",
    "/^[a-f]+$/",
    "periodic",
    "42",
    "-7",
    "0.5",
];

#[test]
fn searching_real_oplogs_finds_what_decoding_everything_finds() {
    for name in ALL {
        let case = tempfile::tempdir().unwrap();
        let options = OpenOptions {
            sources: vec![fixture(name).join("oplog").into()],
            case: Some(case.path().to_owned()),
            accept_unproven: vec![],
        };
        let workspace = Workspace::open(&options, &Meter::default()).unwrap();
        let entries: Vec<_> =
            workspace.oplog.entries(Position::MIN, Position::MAX).map(|e| e.unwrap()).collect();
        let decoded: Vec<Document> =
            entries.iter().map(|e| bson::deserialize_from_slice(e.raw.bytes()).unwrap()).collect();
        let known = naive::operations(&decoded);
        let ops: Vec<Op> =
            entries.iter().flat_map(|e| rows(e).iter().map(|r| r.to_op()).collect::<Vec<_>>()).collect();
        assert!(ops.len() > 1000, "{name} has {} operations", ops.len());
        let mut matched = 0;
        for query in QUERIES {
            let query = parse(query).unwrap();
            let (first, last) = (workspace.oplog.first().unwrap(), workspace.oplog.last().unwrap());
            let want = naive::search(&known, &query.resolve(first.pos, last.pos).unwrap());
            let mut got = Vec::new();
            let mut sink = |op| {
                got.push(op);
                Ok(())
            };
            let found = search(&workspace, &query, None, &Meter::default(), &mut sink).unwrap();
            assert_eq!(found, Found { matched: want.len() as u64, limited: false }, "{name}: {query}");
            let want: Vec<Op> = want.iter().map(|&row| ops[row as usize].clone()).collect();
            assert!(got == want, "{name}: {query}");
            matched += found.matched;

            let mut some = 0;
            let mut count = |_| {
                some += 1;
                Ok(())
            };
            let limited = search(&workspace, &query, Some(3), &Meter::default(), &mut count).unwrap();
            assert_eq!(
                (limited.matched, limited.limited, some),
                (found.matched.min(3), found.matched > 3, found.matched.min(3))
            );
        }
        assert!(matched > ops.len() as u64, "{name}: queries find too little to prove anything");
    }
}

/// For every document an entry is needed that writes to it, every command, and of a transaction
/// with either all entries; of everything else as good as nothing.
#[test]
fn the_entries_about_a_document_are_all_that_matter_and_little_else() {
    for name in ALL {
        let case = tempfile::tempdir().unwrap();
        let options = OpenOptions {
            sources: vec![fixture(name).join("oplog").into()],
            case: Some(case.path().to_owned()),
            accept_unproven: vec![],
        };
        let workspace = Workspace::open(&options, &Meter::default()).unwrap();
        let index = workspace.index(&Meter::default()).unwrap();
        let entries: Vec<_> =
            workspace.oplog.entries(Position::MIN, Position::MAX).map(|e| e.unwrap()).collect();
        let keys: Vec<DocKey> = entries
            .iter()
            .step_by(entries.len() / 40)
            .flat_map(|e| rows(e).iter().filter_map(|row| row.entry.id().map(DocKey::of)).collect::<Vec<_>>())
            .take(60)
            .collect();
        assert!(keys.len() >= 30, "{name}");
        let (mut read, mut of_transactions) = (0, 0);
        for key in keys {
            let is_about = |row: &pitstop::ops::rows::Row<'_>| row.entry.id().map(DocKey::of) == Some(key);
            let commands = |row: &pitstop::ops::rows::Row<'_>| row.kind == OpKind::Command;
            let txn = |e: &pitstop::engine::entry::Entry<'_>| rows(e).first().and_then(|row| row.txn.clone());
            let open: HashSet<String> = entries
                .iter()
                .filter(|e| {
                    rows(e).iter().any(|row| is_about(row) || commands(row) && row.entry.raw != e.raw)
                })
                .filter_map(txn)
                .collect();
            let about = About { keys: HashSet::from([key]), ..About::default() };
            let found =
                index.entries_about(Position::MIN..Position::MAX, &about, usize::MAX, &Meter::default());
            let found: Vec<Position> = found
                .unwrap()
                .unwrap()
                .into_iter()
                .map(|(piece, at)| workspace.oplog.entry_at(piece, at).unwrap().0.at.pos)
                .collect();
            assert!(found.is_sorted_by(|a, b| a < b), "{name}: each once, in order");
            let want = entries.iter().filter(|e| match txn(e) {
                Some(txn) => open.contains(&txn),
                None => rows(e).iter().any(|row| is_about(row) || commands(row)),
            });
            let want: Vec<Position> = want.map(|e| e.at.pos).collect();
            let missing: Vec<_> = want.iter().filter(|pos| found.binary_search(pos).is_err()).collect();
            assert!(missing.is_empty(), "{name}: {missing:?}");
            read += found.len() - want.len();
            of_transactions += open.len();
        }
        assert!(read < 60, "{name}: {read} entries are read in vain");
        assert!(of_transactions > 0 || !entries.iter().any(|e| e.lsid.is_some() && e.command().is_some()));
    }
}
