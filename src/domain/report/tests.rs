//! A journal made by hand, with the times worked out by hand.
#![allow(clippy::unwrap_used)]

use serde_json::{Map, Value, json};

use super::*;

fn journal() -> Vec<Value> {
    let at = |time: &str, event: &str, more: Value| {
        let mut line = json!({ "time": format!("2026-11-21T03:{time}Z"), "event": event });
        line.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        line
    };
    let burst = json!({ "ns": "shop.orders", "what": "documents deleted", "stop": "1795236280:9",
        "first": "1795236280:9", "last": "1795236281:4", "time": "2026-11-21T02:00:00Z", "documents": 700 });
    vec![
        at("10:00.000", "opened", json!({ "sources": ["/backup/a|b"] })),
        at("10:05.500", "suspects", json!({ "found": 1, "worst": [burst] })),
        at("10:30.000", "plan", json!({ "pos": "1795236280:1", "incident": null })),
        at(
            "11:00.000",
            "plan",
            json!({ "pos": "1795236280:9", "incident": burst,
            "left_out": { "operations": 900, "documents": 800, "good_operations": 200, "good_documents": 150 } }),
        ),
        at(
            "11:10.000",
            "mark",
            json!({ "name": "here", "pos": "1795236280:9", "note": "*looks* <b>bad\u{1b}[2J" }),
        ),
        at(
            "11:30.000",
            "restore-begins",
            json!({ "restore": "one", "pos": "1795236280:8", "target": "isolated" }),
        ),
        at("11:31.000", "restore-ends", json!({ "restore": "one", "exit": 4, "error": "a gap" })),
        at(
            "12:00.000",
            "restore-begins",
            json!({ "restore": "two", "pos": "1795236280:9", "target": "isolated" }),
        ),
        at("12:02.250", "restore-ends", json!({ "restore": "two", "exit": 0 })),
        at(
            "13:00.000",
            "restore-begins",
            json!({ "restore": "three", "pos": "1795236280:7", "target": "isolated" }),
        ),
    ]
}

fn results() -> Map<String, Value> {
    let checks = json!([
        { "ns": "shop.orders", "found": { "count": 700 }, "differences": [] },
        { "ns": "shop.carts", "found": { "count": 30 }, "differences": [] },
    ]);
    let two = json!({ "exit": 0, "verification": { "collections": checks }, "notes": ["x"],
        "plan": { "snapshot": { "id": "dump" }, "notes": ["x", "y"] } });
    Map::from_iter([("two".to_owned(), two)])
}

#[test]
fn the_times_of_a_response() {
    let report = report("case", &journal(), &results());
    assert_eq!(report.stop.as_deref(), Some("1795236280:9"), "that of the verified restore");
    assert_eq!(report.incident.as_ref().unwrap()["documents"], 700);
    assert_eq!(report.seconds_to_find, Some(5.5));
    assert_eq!(report.seconds_to_restore, Some(2.25));
    assert_eq!(report.seconds_in_all, Some(122.25));
    let restores: Vec<_> = report.restores.iter().map(|r| (r.id.as_str(), r.exit, r.documents)).collect();
    assert_eq!(restores, [("one", Some(4), 0), ("two", Some(0), 730), ("three", None, 0)]);
    assert_eq!(report.restores[1].notes, ["y", "x"].map(str::to_owned).into_iter().rev().collect::<Vec<_>>());
    assert_eq!(report.timeline.len(), 10);
    assert_eq!(report.marks.len(), 1);
}

#[test]
fn foreign_text_is_no_markup_and_reaches_no_terminal() {
    let text = markdown(&report("case", &journal(), &results()));
    assert!(text.contains("\\*looks\\* \\<b\\>bad"), "{text}");
    assert!(!text.contains('\u{1b}'));
    assert!(text.contains("/backup/a\\|b"));
    assert!(text.contains("verified: 730 documents in 2 collections"));
    assert!(text.contains("not finished"));
    assert!(text.contains("200 good writes on 150 documents"));
}

#[test]
fn an_empty_journal_is_no_disaster() {
    let report = report("case", &[], &Map::new());
    assert_eq!((report.stop.clone(), report.incident.clone()), (None, None));
    assert!(markdown(&report).contains("None."));
    let odd = [json!({}), json!(7), json!({ "event": 5, "time": [] }), json!({ "event": "restore-begins" })];
    assert!(!markdown(&super::report("case", &odd, &Map::new())).is_empty());
}
