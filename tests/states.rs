//! States at several times against the server's own answers: the same conditions, asked of a
//! find at the time and of the fold afterwards.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use bson::{Bson, Document, doc};
use common::cli::Machine;
use common::record::{Dump, last_entry, slice};
use common::server::{Server, cursor_on};
use pitstop::domain::Position;
use serde_json::{Value, json};

/// Values that tell types, arrays and missing fields apart.
fn values() -> Vec<Bson> {
    let decimal: bson::Decimal128 = "2.0".parse().unwrap();
    vec![
        1.into(),
        2i64.into(),
        2.5.into(),
        decimal.into(),
        f64::NAN.into(),
        f64::INFINITY.into(),
        "a".into(),
        "b".into(),
        "".into(),
        Bson::Null,
        true.into(),
        false.into(),
        bson::DateTime::from_millis(1000).into(),
        bson::oid::ObjectId::from_bytes([7; 12]).into(),
        bson::Timestamp { time: 5, increment: 6 }.into(),
        bson::bson!([]),
        bson::bson!([1, "b"]),
        bson::bson!([[1, 2], 3]),
        bson::bson!([{ "x": 1 }, { "x": [5, 6] }, { "y": 2 }]),
        doc! { "x": 1 }.into(),
        doc! { "x": { "y": 3 } }.into(),
        doc! { "x": 1.0 }.into(),
        doc! { "0": 1 }.into(),
        doc! {}.into(),
    ]
}

fn conditions() -> Vec<Document> {
    let mut out = vec![doc! {}];
    for value in values() {
        let hard = matches!(&value, Bson::Array(_) | Bson::Document(_));
        out.push(doc! { "v": value.clone() });
        out.push(doc! { "v.x": value.clone() });
        out.push(doc! { "v": { "$in": [value.clone(), "zz"] } });
        if !hard {
            for range in ["$gt", "$gte", "$lt", "$lte"] {
                out.push(doc! { "v": { range: value.clone() } });
                out.push(doc! { "v.x": { range: value.clone() } });
            }
        }
    }
    for path in ["v", "v.x", "v.x.y", "v.0", "v.0.x", "v.1.x.0", "w", "v.2.x"] {
        for exists in [true, false] {
            out.push(doc! { path: { "$exists": exists } });
        }
        out.push(doc! { path: 1 });
        out.push(doc! { path: { "$gte": 1, "$lt": 6 } });
    }
    out.push(doc! { "v": { "$gt": 1 }, "_id": { "$lt": 4 } });
    out
}

fn text(condition: &Document) -> String {
    Bson::Document(condition.clone()).into_canonical_extjson().to_string()
}

#[test]
fn conditions_find_what_the_server_finds_at_each_time() {
    let server = Server::replica_set();
    let client = server.client();
    let place = tempfile::tempdir().unwrap();
    let path = |name: &str| place.path().join(name).display().to_string();
    let documents: Vec<Document> =
        (0..).zip(values()).map(|(id, v)| doc! { "_id": id, "v": v }).chain([doc! { "_id": 99 }]).collect();
    server.run("shop", doc! { "insert": "a", "documents": documents });
    server.run("shop", doc! { "insert": "b", "documents": [{ "_id": 1 }] });
    let dump = Dump::begin(&server);
    dump.read(&place.path().join("dump"));
    dump.end(&place.path().join("dump"));

    let conditions = conditions();
    let mut times: Vec<(Position, Vec<usize>)> = Vec::new();
    let mut note = || {
        let count = |condition: &Document| {
            cursor_on(&client, "shop", doc! { "find": "a", "filter": condition.clone() }).len()
        };
        times.push((last_entry(&client).next(), conditions.iter().map(count).collect()));
    };
    let update = doc! { "q": { "_id": { "$gt": 3 } }, "u": [{ "$set": { "w": "$v" } }], "multi": true };
    server.run("shop", doc! { "update": "a", "updates": [update] });
    note();
    let update =
        doc! { "q": { "_id": { "$gt": 10 } }, "u": [{ "$set": { "v": { "x": "$v" } } }], "multi": true };
    server.run("shop", doc! { "update": "a", "updates": [update] });
    note();
    server.run("shop", doc! { "delete": "a", "deletes": [{ "q": { "_id": { "$lt": 3 } }, "limit": 0 }] });
    note();
    slice(&client, Position::new(1, 0), &place.path().join("oplog/all.bson"));

    let machine = Machine::new();
    let (dump, oplog) = (path("dump"), path("oplog"));
    let options = pitstop::ops::OpenOptions {
        sources: vec![std::path::PathBuf::from(&dump).into(), std::path::PathBuf::from(&oplog).into()],
        case: Some(path("case").into()),
        ..Default::default()
    };
    let meter = pitstop::domain::progress::Meter::default();
    let workspace = pitstop::ops::Workspace::open(&options, &meter).unwrap();
    let moment = |bound| pitstop::domain::states::Moment { name: None, note: None, bound };
    let mut wrong = Vec::new();
    for (number, condition) in conditions.iter().enumerate() {
        let request = pitstop::ops::states::StatesRequest {
            moments: times.iter().map(|(bound, _)| moment(*bound)).collect(),
            snapshot: None,
            ns: vec![pitstop::domain::namespace::Glob::new("shop.a")],
            matcher: Some(pitstop::engine::matcher::Matcher::parse(&text(condition)).unwrap()),
            id: None,
            limit: 0,
            memory: pitstop::ops::memory::Memory::default(),
        };
        let found = pitstop::ops::states::states(&workspace, &request, &meter).unwrap();
        for (state, (bound, want)) in found.iter().zip(&times) {
            let got = state.namespaces[0].matching.unwrap() as usize;
            if got != want[number] {
                wrong.push(format!("{condition} at {bound}: {got}, the server says {}", want[number]));
            }
        }
    }
    assert!(wrong.is_empty(), "{} conditions:\n{}", conditions.len(), wrong.join("\n"));

    // By command, with marks.
    for (name, (pos, _)) in ["first", "second", "third"].iter().zip(&times) {
        let pos = pos.to_string();
        let set = ["mark", &dump, &oplog, "--before", &pos, "--name", name, "--note", "a|b", "--json"];
        assert_eq!(machine.json(&set)[0]["pos"], pos);
    }
    let ran = machine.run(&["mark", &dump, &oplog, "--name", "second", "--remove"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let wrong = machine.run(&["mark", &dump, &oplog, "--name", "1795236280:1", "--before", "end"]);
    assert_eq!(wrong.code, 2, "a position is no name");
    let marks = machine.json(&["mark", &dump, &oplog, "--json"]);
    assert_eq!(marks.iter().map(|m| m["name"].clone()).collect::<Vec<_>>(), [json!("first"), json!("third")]);
    let ask =
        ["states", &dump, &oplog, "--ns", "shop.*", "--where", "{\"w\":{\"$exists\":true}}", "--id", "1"];
    let lines = machine.json(&[&ask[..], &["--json"]].concat());
    let of = |kind: &str| lines.iter().filter(|l| l["kind"] == kind).collect::<Vec<&Value>>();
    assert_eq!(of("moment").len(), 2);
    let number = conditions.iter().position(|c| *c == doc! { "w": { "$exists": true } }).unwrap();
    let a: Vec<&Value> = of("state").into_iter().filter(|l| l["ns"] == "shop.a").collect();
    assert_eq!(a[0]["matching"], times[0].1[number]);
    assert_eq!(a[1]["matching"], times[2].1[number]);
    assert_eq!((&a[0]["documents"], &a[1]["documents"]), (&json!(times[0].1[0]), &json!(times[2].1[0])));
    assert_eq!(a[0]["found"].as_array().unwrap().len(), 1, "the document was there");
    assert!(a[1]["found"].is_null(), "and is not any more");

    // Markdown, and the command in it gives the same again.
    let page = machine.run(&[&ask[..], &["--markdown"]].concat()).out;
    assert!(page.contains("a\\|b") && page.contains("| shop.a |"), "{page}");
    let again = page.lines().find_map(|l| l.trim().strip_prefix("pitstop ")).unwrap();
    let words: Vec<String> = again.split(' ').map(|w| w.trim_matches('\'').to_owned()).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).chain(["--json"]).collect();
    let same = machine.json(&words);
    let counts = |lines: &[Value]| -> Vec<Value> {
        lines
            .iter()
            .filter(|l| l["kind"] == "state")
            .map(|l| json!([l["ns"], l["documents"], l["matching"]]))
            .collect()
    };
    assert_eq!(counts(&same), counts(&lines));
    let wrong =
        machine.run(&["states", &dump, &oplog, "--at", "end", "--where", "{\"a\":{\"$regex\":\"x\"}}"]);
    assert_eq!(wrong.code, 2, "{}", wrong.err);
}
