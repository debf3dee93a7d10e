//! How many there are, as the commands say it: a number that is not all is never said as if it were.

use std::fs;
use std::path::{Path, PathBuf};

use bson::{Document, doc};

use crate::common::cli::Machine;

const SECOND: u32 = 1_791_936_000;

fn entry(n: i32) -> Document {
    doc! {
        "op": if n % 3 == 0 { "d" } else { "i" }, "ns": "shop.orders", "o": { "_id": n },
        "ts": bson::Timestamp { time: SECOND + n as u32, increment: 1 }, "t": 1i64, "v": 2i64,
    }
}

fn write(dir: &Path, entries: &[Document]) -> PathBuf {
    let file = dir.join("oplog.bson");
    let bytes: Vec<u8> = entries.iter().flat_map(|e| bson::serialize_to_vec(e).unwrap()).collect();
    fs::write(&file, bytes).unwrap();
    file
}

#[test]
fn a_search_that_ends_at_its_limit_says_at_least() {
    let machine = Machine::new();
    let file = write(machine.state(), &(1..=30).map(entry).collect::<Vec<_>>()).display().to_string();
    // With a fresh index, with the finished one, and as JSON.
    for more in [&[][..], &[], &["--json"]] {
        let run = |limit: &str| {
            let args = [&["ops", &file, "-q", "op:delete", "--limit", limit], more].concat();
            let ran = machine.run(&args);
            assert_eq!(ran.code, 0, "{}", ran.err);
            (ran.out.lines().count(), ran.err.trim().to_owned())
        };
        let least = "at least 5 operations match, of which 4 are printed (--limit)";
        assert_eq!(run("4"), (4, least.to_owned()));
        assert_eq!(run("1").1, "at least 2 operations match, of which 1 is printed (--limit)");
        // Ten there are: that is known when ten are asked for.
        assert_eq!(run("10"), (10, "10 operations".to_owned()));
        assert_eq!(run("9").1, "at least 10 operations match, of which 9 are printed (--limit)");
    }
    // The journal of the case does not forget it either.
    let report = machine.run(&["report"]);
    assert!(report.out.contains("at least 4 operations"), "{}{}", report.out, report.err);
    assert!(report.out.contains(": 10 operations"), "{}", report.out);
}

#[test]
fn a_search_that_breaks_off_says_at_least() {
    let machine = Machine::new();
    let mut entries: Vec<Document> = (1..=30).map(entry).collect();
    // Its frame and its position are fine; what it is cannot be read.
    entries[20].insert("op", 7);
    let file = write(machine.state(), &entries).display().to_string();
    let ran = machine.run(&["ops", &file, "-q", "op:delete"]);
    assert_eq!(ran.out.lines().count(), 6, "{}", ran.out);
    assert!(ran.err.contains("at least 6 operations: the search did not come to its end"), "{}", ran.err);
    assert_ne!(ran.code, 0);
}
