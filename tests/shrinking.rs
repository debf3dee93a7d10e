//! A source that is cut off while it is read: the real binary says so and fails.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::fs::{self, OpenOptions};
use std::io::Read;
use std::process::Stdio;

use bson::doc;
use common::cli::Machine;

/// Far more than a pipe holds, so that most is still to be read when the first line has come.
const ENTRIES: u32 = 60_000;

#[test]
fn a_source_that_is_cut_off_while_it_is_read_is_an_error_and_not_a_crash() {
    let machine = Machine::new();
    let file = machine.state().join("oplog.bson");
    let mut bytes = Vec::new();
    for number in 0..ENTRIES {
        let ts = bson::Timestamp { time: 1_795_236_280 + number / 1000, increment: number % 1000 + 1 };
        let entry = doc! { "op": "i", "ns": "shop.orders", "o": { "_id": number as i32 }, "ts": ts, "t": 1i64, "v": 2i64 };
        bytes.extend(bson::serialize_to_vec(&entry).unwrap());
    }
    fs::write(&file, &bytes).unwrap();
    let mut child = machine
        .command(&["ops", file.to_str().unwrap()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = child.stdout.take().unwrap();
    out.read_exact(&mut [0; 100]).unwrap();
    OpenOptions::new().write(true).open(&file).unwrap().set_len(0).unwrap();
    let mut rest = Vec::new();
    out.read_to_end(&mut rest).unwrap();
    let ended = child.wait_with_output().unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(1), "{said}");
    assert!(said.contains("cut off while it was open") && said.contains("run this again"), "{said}");
    assert!(rest.iter().filter(|c| **c == b'\n').count() < ENTRIES as usize, "not all of it was printed");
}
