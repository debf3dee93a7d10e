//! The post-mortem after a whole recovery by command: its numbers against the recording, and no
//! secret in it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::time::Instant;

use common::cli::Machine;
use common::fixtures::fixture;
use common::truth::Truth;
use serde_json::Value;

#[test]
fn a_recovery_is_told_as_it_was() {
    let root = fixture("v60");
    let truth = Truth::read(&root);
    let bulk = &truth.incidents["bulk delete"];
    let (dump, oplog) =
        (root.join("dump-dir").display().to_string(), root.join("oplog").display().to_string());
    let machine = Machine::new();
    let run = |args: &[&str]| {
        let mut all = vec![args[0], &dump, &oplog];
        all.extend(&args[1..]);
        let ran = machine.run(&all);
        assert_eq!(ran.code, 0, "{args:?}: {}", ran.err);
    };
    assert_eq!(machine.run(&["report"]).code, 2, "there is no case yet");
    let begun = Instant::now();
    let first = bulk.first.to_string();
    run(&["suspects"]);
    run(&["ops", "-q", "ns:shop.orders op:delete", "--limit", "3"]);
    run(&["plan", "--before", &first]);
    run(&["diff", "--before", &first]);
    run(&["mark", "--before", &first, "--name", "the delete", "--note", "ask the *shop* team"]);
    // A restore that is refused, then one that is not.
    let early = machine.run(&["restore", &dump, &oplog, "--before", "1500000000:1", "--yes"]);
    assert_eq!(early.code, 4, "{}", early.err);
    let restored = machine.json(&["restore", &dump, &oplog, "--before", &first, "--yes", "--json"]);
    let took = begun.elapsed().as_secs_f64();

    let report = &machine.json(&["report", "--json"])[0];
    assert_eq!(report["stop"], first);
    assert_eq!(report["incident"]["first"], first);
    assert_eq!(report["incident"]["last"], bulk.last.to_string());
    assert_eq!(report["incident"]["documents"], bulk.entries);
    assert_eq!(report["left_out"]["incident_operations"], bulk.entries);
    assert_eq!(report["sources"], serde_json::json!([dump, oplog]));
    assert_eq!(report["marks"][0]["name"], "the delete");
    let restores = report["restores"].as_array().unwrap();
    let exits: Vec<&Value> = restores.iter().map(|r| &r["exit"]).collect();
    assert_eq!(exits, [&Value::from(4), &Value::from(0)], "{restores:#?}");
    let want = truth.checkpoint("crud 2");
    let documents: u64 = want
        .dbs
        .values()
        .flat_map(|db| db.iter())
        .filter(|(name, _)| name.as_str() != "system.views")
        .filter_map(|(_, coll)| coll.content.as_ref())
        .map(|content| content.count)
        .sum();
    assert_eq!(restores[1]["documents"].as_u64(), Some(documents));
    let seconds = |name: &str| report[name].as_f64().unwrap();
    assert!(seconds("seconds_to_find") < seconds("seconds_in_all"));
    assert!(seconds("seconds_to_restore") <= seconds("seconds_in_all") && seconds("seconds_in_all") <= took);
    let steps: Vec<&str> =
        report["timeline"].as_array().unwrap().iter().map(|s| s["event"].as_str().unwrap()).collect();
    let want = [
        "opened",
        "suspects",
        "search",
        "plan",
        "diff",
        "mark",
        "restore-begins",
        "restore-ends",
        "restore-begins",
        "restore-ends",
    ];
    assert_eq!(steps, want);

    // By name and by folder; as Markdown; without the password that is in a file beside it.
    let name = report["case"].as_str().unwrap();
    let page = machine.run(&["report", name]).out;
    assert!(page.contains(&first) && page.contains("ask the \\*shop\\* team"), "{page}");
    let folder = machine.state().join("pitstop/cases").join(name);
    assert_eq!(machine.run(&["report", &folder.display().to_string()]).out, page);
    let password = restored[0]["restored"]["password_file"].as_str().unwrap();
    let password = std::fs::read_to_string(password).unwrap();
    assert!(password.trim().len() > 8 && !page.contains(password.trim()));
    assert!(!report.to_string().contains(password.trim()));
    let journal = std::fs::read_to_string(folder.join("journal.ndjson")).unwrap();
    assert!(!journal.contains(password.trim()));
    let nobody = machine.run(&["report", "nobody"]);
    assert_eq!(nobody.code, 2);
    assert!(nobody.err.contains(name), "{}", nobody.err);

    // A crash in the middle of a line loses that line and nothing else.
    use std::io::Write;
    let mut file = std::fs::OpenOptions::new().append(true).open(folder.join("journal.ndjson")).unwrap();
    file.write_all(b"{\"time\":\"2026-11-21T0").unwrap();
    assert_eq!(machine.run(&["report", name]).out, page);
    run(&["mark", "--before", "end", "--name", "after the crash"]);
    let marks = machine.json(&["mark", &dump, &oplog, "--json"]);
    assert_eq!(marks.len(), 2, "the line after the torn one is whole: {marks:?}");
}
