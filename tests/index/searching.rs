//! Rows, search and histogram against decoding everything.

use std::ops::ControlFlow;

use bson::{Document, doc};
use pitstop::domain::op::OpKind;
use pitstop::domain::progress::Meter;
use pitstop::domain::query::{Filter, parse};
use pitstop::domain::{Class, Position};
use pitstop::index::{BYTES_PER_OP, OpIndex};
use pitstop::source::Oplog;
use proptest::prelude::*;

use crate::made::{SECOND, bytes, open, operation, timed, write};
use crate::naive::{self, Known};

fn found(index: &OpIndex, filter: &Filter, from: u64) -> Vec<u64> {
    let mut rows = Vec::new();
    let searched = index.search(filter, from, &Meter::default(), &mut |row| {
        rows.push(row);
        Ok(ControlFlow::Continue(()))
    });
    assert!(searched.unwrap().finished);
    rows
}

fn filter(query: &str, oplog: &Oplog) -> Filter {
    let (first, last) = (oplog.first().unwrap().pos, oplog.last().unwrap().pos);
    parse(query).and_then(|q| q.resolve(first, last)).unwrap_or_else(|e| panic!("{query}: {e}"))
}

fn same_rows(index: &OpIndex, known: &[Known]) {
    assert_eq!(index.len(), known.len() as u64);
    for (row, known) in (0..).zip(known) {
        let got = index.row(row).unwrap();
        assert_eq!(
            (got.pos, got.kind, &*got.ns, u64::from(got.bytes), got.group.is_some(), got.broken),
            (known.pos, known.kind, known.ns.as_str(), known.size, known.txn.is_some(), false),
            "row {row}"
        );
        let op = index.op(row).unwrap();
        assert_eq!(
            (op.entry.at.pos, op.kind, &*op.ns, op.txn),
            (known.pos, known.kind, known.ns.as_str(), known.txn.clone())
        );
        assert_eq!(op.entry.raw.bytes().len() as u64, known.size);
    }
    assert_eq!(index.row(index.len()), None);
    assert!(index.op(index.len()).is_err() && index.entry(u64::MAX).is_err());
}

fn term() -> impl Strategy<Value = String> {
    let plain = prop_oneof![
        prop::sample::select(&OpKind::ALL[..]).prop_map(|kind| format!("op:{kind}")),
        prop::sample::select(
            &["shop.*", "shop.orders", "*", "hr", "*.people", "hr.a.*", "nowhere.*", "admin.$cmd"][..]
        )
        .prop_map(|glob| format!("ns:{glob}")),
        prop::sample::select(
            &[
                "0",
                "1",
                "0.5",
                "1.5",
                "k1",
                "null",
                "1e300",
                "1E+300",
                "\"k2\"",
                "7",
                "x",
                "010101010101010101010101",
                "{\"$numberDecimal\":\"1.5\"}",
                "{\"$numberDouble\":\"0.5\"}",
                "{\"a\":1,\"b\":1}",
                "{\"$numberLong\":\"2\"}",
            ][..]
        )
        .prop_map(|id| format!("id:{}", quoted(id))),
        "[a-d]{1,2}".prop_map(|word| word),
        prop::sample::select(
            &[
                "Müller", "name", "deep", "true", "12", "\"a b\"", "1970", "0101", "noop", "orders",
                "\u{fffd}", "total"
            ][..]
        )
        .prop_map(str::to_owned),
        prop::sample::select(&["/^a.*b$/", "/M[üu]/", "/^[0-9]+$/", "/k[12]/", "/$^/"][..])
            .prop_map(str::to_owned),
        prop::sample::select(&["*", "10", "1111", "11111111111111111111111111111111:2", "99"][..])
            .prop_map(|name| format!("txn:{name}")),
        (80u32..220, prop::sample::select(&["<", ">", "="][..])).prop_map(|(n, c)| format!("size:{c}{n}")),
        (0u32..12, 0u32..9).prop_map(|(s, i)| format!("after:{}:{i}", SECOND + s)),
        (0u32..12, 0u32..9).prop_map(|(s, i)| format!("before:{}:{i}", SECOND + s)),
    ];
    (plain, 0u8..4).prop_map(|(term, sense)| if sense == 0 { format!("-{term}") } else { term })
}

/// As a term's value has to be written when it has blanks or quotes in it.
fn quoted(text: &str) -> String {
    if text.starts_with(['{', '"']) { serde_json::Value::from(text).to_string() } else { text.to_owned() }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_query_finds_what_decoding_everything_finds(
        operations in prop::collection::vec(operation(), 1..80),
        queries in prop::collection::vec(prop::collection::vec(term(), 0..3), 1..25),
        from in 0u64..90,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let entries = timed(&operations);
        let oplog = write(&dir.path().join("oplog.bson"), bytes(&entries));
        let index = OpIndex::open_or_build(&dir.path().join("index"), &oplog, &Meter::default()).unwrap();
        let known = naive::operations(&entries);
        same_rows(&index, &known);
        for query in queries {
            let query = query.join(" ");
            let filter = filter(&query, &oplog);
            let want = naive::search(&known, &filter);
            prop_assert_eq!(&found(&index, &filter, 0), &want, "{}", query);
            let rest: Vec<u64> = want.into_iter().filter(|row| *row >= from).collect();
            prop_assert_eq!(found(&index, &filter, from), rest, "{} from {}", query, from);
        }
    }

    #[test]
    fn a_histogram_counts_what_is_there(
        operations in prop::collection::vec(operation(), 1..80),
        ranges in prop::collection::vec(((0u32..14, 0u32..9), (0u32..14, 0u32..9), 0usize..30), 1..10),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let entries = timed(&operations);
        let oplog = write(&dir.path().join("oplog.bson"), bytes(&entries));
        let index = OpIndex::open_or_build(&dir.path().join("index"), &oplog, &Meter::default()).unwrap();
        let known = naive::operations(&entries);
        for (from, to, buckets) in ranges {
            let at = |(s, i): (u32, u32)| Position::new(SECOND + s, i);
            let (from, to) = (at(from), at(to));
            // A position belongs to the bucket that its share of the range falls into.
            let mut want = vec![[0u64; 6]; buckets];
            let length = u128::from(to.to_u64().saturating_sub(from.to_u64()));
            for op in known.iter().filter(|op| from <= op.pos && op.pos < to) {
                let past = u128::from(op.pos.to_u64() - from.to_u64());
                // The last bucket whose begin, rounded down, is not behind it.
                let bucket = (0..buckets).rev().find(|&b| length * b as u128 / buckets as u128 <= past);
                if let Some(bucket) = bucket {
                    want[bucket][OpKind::ALL.iter().position(|kind| *kind == op.kind).unwrap()] += 1;
                }
            }
            prop_assert_eq!(index.histogram(from..to, buckets), want, "{}..{} in {}", from, to, buckets);
            let rows = index.lower_bound(from)..index.lower_bound(to).max(index.lower_bound(from));
            let inside = || known.iter().filter(|op| from <= op.pos && op.pos < to);
            let places: Vec<_> = inside().map(|op| (op.pos, op.kind)).collect();
            prop_assert_eq!(index.places(rows.clone()).collect::<Vec<_>>(), places);
            let mut by_name = std::collections::BTreeMap::<&str, u64>::new();
            inside().for_each(|op| *by_name.entry(&op.ns).or_default() += 1);
            let counted = index.count_namespaces(rows);
            prop_assert!(counted.is_sorted_by(|a, b| (b.1, &a.0) < (a.1, &b.0)));
            let counted: std::collections::BTreeMap<&str, u64> = counted.iter().map(|(ns, n)| (&**ns, *n)).collect();
            prop_assert_eq!(counted, by_name);
            let below = known.iter().filter(|op| op.pos < from).count() as u64;
            prop_assert_eq!(index.lower_bound(from), below);
        }
    }
}

/// More than one part and many blocks.
fn large() -> Vec<Document> {
    let text = "lorem ipsum ".repeat(20);
    let entry = |n: u32| {
        let body = doc! { "_id": (n % 1000) as i32, "text": &text, "serial": format!("s{n}") };
        let ns = if n.is_multiple_of(3) { "shop.orders" } else { "shop.customers" };
        doc! {
            "op": if n.is_multiple_of(10) { "d" } else { "i" }, "ns": ns, "o": body,
            "ts": bson::Timestamp { time: SECOND + n / 100, increment: n % 100 + 1 }, "t": 1i64, "v": 2i64,
        }
    };
    (0..40_000).map(entry).collect()
}

#[test]
fn several_parts_and_blocks_are_one_index() {
    let dir = tempfile::tempdir().unwrap();
    let entries = large();
    let oplog = write(&dir.path().join("oplog.bson"), bytes(&entries));
    let meter = Meter::default();
    let index = OpIndex::open_or_build(&dir.path().join("index"), &oplog, &meter).unwrap();
    assert_eq!((meter.read().done, meter.read().total), (40_000, 40_000));
    let known = naive::operations(&entries);
    same_rows(&index, &known);
    for query in
        ["", "op:delete", "id:7", "s39999", "ns:shop.orders s12 -op:delete", "/s1234[05]$/", "nothing"]
    {
        let filter = filter(query, &oplog);
        assert_eq!(found(&index, &filter, 0), naive::search(&known, &filter), "{query}");
    }
    const { assert!(BYTES_PER_OP <= 40) };
    let disk: u64 = std::fs::read_dir(dir.path().join("index"))
        .unwrap()
        .map(|f| f.unwrap().metadata().unwrap().len())
        .sum();
    assert!(disk <= 40 * 40_000, "{disk} bytes for 40000 operations");
}

#[test]
fn a_search_stops_when_told_and_goes_on_from_there() {
    let dir = tempfile::tempdir().unwrap();
    let oplog = write(&dir.path().join("oplog.bson"), bytes(&large()));
    let index = OpIndex::open_or_build(&dir.path().join("index"), &oplog, &Meter::default()).unwrap();
    let filter = filter("op:delete", &oplog);
    let all = found(&index, &filter, 0);
    let (mut rows, mut next) = (Vec::new(), 0);
    loop {
        let mut some = 0;
        let searched = index
            .search(&filter, next, &Meter::default(), &mut |row| {
                rows.push(row);
                some += 1;
                Ok(if some == 1500 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
            })
            .unwrap();
        assert!(searched.next > next);
        next = searched.next;
        if searched.finished {
            break;
        }
    }
    assert_eq!((rows, next), (all, index.len()));

    let meter = Meter::default();
    let error = index.search(&filter, 0, &meter, &mut |_| {
        meter.cancel();
        Ok(ControlFlow::Continue(()))
    });
    assert_eq!(error.unwrap_err().class, Class::Interrupted);
}

/// A part of the oplog is indexed, and the rest while somebody searches on and on.
#[test]
fn what_is_found_while_the_index_is_built_is_a_beginning_of_what_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let entries = large();
    let (early, late) = entries.split_at(6_000);
    let files = [dir.path().join("a.bson"), dir.path().join("b.bson")];
    let indexed = dir.path().join("index");
    let first = write(&files[0], bytes(early));
    drop(OpIndex::open_or_build(&indexed, &first, &Meter::default()).unwrap());
    // Slices join where they share an entry.
    let late: Vec<Document> = early.last().into_iter().chain(late).cloned().collect();
    std::fs::write(&files[1], bytes(&late)).unwrap();
    let oplog = open(&files, &dir.path().join("unpacked"));
    let known = naive::operations(&entries);
    let queries = ["", "op:delete", "id:7", "ns:shop.orders s12 -op:delete", "/s1234[05]$/"];
    for (number, query) in queries.into_iter().enumerate() {
        let filter = filter(query, &oplog);
        let all = naive::search(&known, &filter);
        let of = dir.path().join(format!("index-{number}"));
        std::fs::create_dir(&of).unwrap();
        for file in std::fs::read_dir(&indexed).unwrap() {
            let file = file.unwrap();
            std::fs::copy(file.path(), of.join(file.file_name())).unwrap();
        }
        let index = OpIndex::open(&of, &oplog, &Meter::default()).unwrap();
        assert!(!index.is_complete() && index.len() == 6_000, "{} rows", index.len());
        let (mut rows, mut next) = (Vec::new(), 0);
        let mut more = |rows: &mut Vec<u64>| {
            let searched = index.search(&filter, next, &Meter::default(), &mut |row| {
                rows.push(row);
                Ok(ControlFlow::Continue(()))
            });
            let searched = searched.unwrap();
            next = searched.next;
            assert!(all.starts_with(rows), "{query}: no more than there is, and in order");
            // What lies below has been looked at, all of it.
            assert_eq!(rows.len(), all.iter().filter(|row| **row < next).count(), "{query}");
            searched.finished
        };
        assert!(!more(&mut rows), "{query}: the rest is not even begun");
        assert!(query == "/s1234[05]$/" || !rows.is_empty(), "{query}");
        std::thread::scope(|scope| {
            scope.spawn(|| index.complete(&Meter::default()).unwrap());
            while !more(&mut rows) {
                index.wait_beyond(index.len(), std::time::Duration::from_millis(1));
            }
        });
        assert_eq!(rows, all, "{query}");
    }
}

/// An entry whose envelope is broken: frames and positions are what opening checks.
#[test]
fn an_entry_that_cannot_be_read_is_an_error_when_it_is_come_to() {
    let dir = tempfile::tempdir().unwrap();
    let mut entries = timed(&vec![doc! { "op": "i", "ns": "a.b", "o": { "_id": 1 } }; 20]);
    entries[9].insert("o", 5);
    let oplog = write(&dir.path().join("oplog.bson"), bytes(&entries));
    let index = OpIndex::open_or_build(&dir.path().join("index"), &oplog, &Meter::default()).unwrap();
    assert_eq!(index.len(), 20);
    assert!(index.row(9).unwrap().broken && index.op(9).is_err());
    assert_eq!(found(&index, &filter("op:insert", &oplog), 0), (0..20).collect::<Vec<u64>>());
    let before = format!("before:{}:3", SECOND + 1);
    assert_eq!(found(&index, &filter(&format!("op:delete {before}"), &oplog), 0), [0u64; 0]);
    let text = index.op(9).unwrap_err().to_string();
    assert!(text.contains("oplog.bson") && text.contains("at byte"), "{text}");
}

/// What a scan may pass over without: the expected texts follow from the meaning of expressions.
#[test]
fn every_match_of_an_expression_holds_its_literal() {
    let literals = [
        ("qu.tz.lcoatl", Some("lcoatl")),
        ("^order-(4711)+$", Some("order-")),
        ("(shipped)+x?", Some("shipped")),
        ("(ab){2,}cd*", Some("ab")),
        ("(?i)order", None),
        ("order|bill", None),
        ("(order)?", None),
        ("[a-z]+", None),
        (".*", None),
    ];
    for (source, literal) in literals {
        let pattern = pitstop::domain::query::Pattern::new(source).unwrap();
        assert_eq!(pattern.literal(), literal, "{source}");
    }
}
