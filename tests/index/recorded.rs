//! The oplogs of real servers, searched through the whole path that commands take.

use bson::Document;
use pitstop::domain::progress::Meter;
use pitstop::domain::query::parse;
use pitstop::domain::{Position, op::Op};
use pitstop::ops::rows::rows;
use pitstop::ops::search::{Found, search};
use pitstop::ops::{OpenOptions, Workspace};

use crate::common::fixtures::{ALL, fixture};
use crate::naive;

const QUERIES: [&str; 12] = [
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
