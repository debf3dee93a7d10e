//! The preview against the server's own answers: the difference of two random moments is the
//! difference of what a find returned at each, and what follows a stop is counted in the log.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;
#[allow(dead_code)]
mod demo;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use bson::{Bson, Document, doc};
use common::cli::Machine;
use common::record::{Dump, documents, last_entry, slice};
use common::server::{Server, block_on};
use demo::Dice;
use mongodb::Client;
use pitstop::domain::diff::Fate;
use pitstop::domain::diff_filter::DocumentFilter;
use pitstop::domain::position::Place;
use pitstop::domain::stop::{Side, StopRequest};
use pitstop::domain::{Namespace, Position, progress::Meter};
use pitstop::ops::after::after;
use pitstop::ops::diff::{Diff, DiffRequest, diff};
use pitstop::ops::memory::Memory;
use pitstop::ops::walk::WalkOptions;
use pitstop::ops::{OpenOptions, Workspace};
use serde_json::Value;

/// Documents by collection and `_id`.
type State = BTreeMap<(String, i32), Vec<u8>>;

fn state(client: &Client) -> State {
    let mut state = State::new();
    for coll in ["a", "b"] {
        for document in documents(client, "shop", coll) {
            let id = document.get_i32("_id").unwrap();
            state.insert((coll.to_owned(), id), document.as_bytes().to_vec());
        }
    }
    state
}

fn open(root: &Path) -> Workspace {
    let options = OpenOptions {
        sources: vec![root.join("dump").into(), root.join("oplog").into()],
        case: Some(root.join("case")),
        ..OpenOptions::default()
    };
    Workspace::open(&options, &Meter::default()).unwrap()
}

fn at(pos: Position) -> StopRequest {
    StopRequest { side: Side::Before, place: Place::At(pos) }
}

/// The difference, and how many entries were read for the state at the stop.
fn compare(workspace: &Workspace, stop: Position, against: Position) -> (Diff, u64) {
    let request = DiffRequest {
        stop: at(stop),
        against: Some(at(against)),
        snapshot: None,
        ns: Vec::new(),
        limit: 10_000,
        walk: WalkOptions::default(),
    };
    let meter = Meter::default();
    let found = diff(workspace, &request, &DocumentFilter::default(), &meter).unwrap();
    (found, meter.read().done)
}

fn seed() -> u64 {
    let clock = || std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64;
    let seed = std::env::var("PITSTOP_SEED").map_or_else(|_| clock(), |s| s.parse().unwrap());
    println!("PITSTOP_SEED={seed}");
    seed
}

/// One write, of one document or of many.
fn write(server: &Server, dice: &mut Dice) {
    let coll = if dice.below(2) == 0 { "a" } else { "b" };
    let id = dice.below(30) as i32;
    let values: [Bson; 4] = [1.into(), 1.0.into(), "x".into(), doc! { "y": [1, 2] }.into()];
    let value = dice.pick(&values).clone();
    let field = *dice.pick(&["p", "q", "r.s"]);
    let command = match dice.below(9) {
        0 | 1 => doc! { "insert": coll, "documents": [{ "_id": id, "p": value }] },
        2 => doc! { "delete": coll, "deletes": [{ "q": { "_id": id }, "limit": 1 }] },
        3 if dice.below(4) == 0 => {
            doc! { "delete": coll, "deletes": [{ "q": { "_id": { "$gt": id } }, "limit": 0 }] }
        }
        4 => {
            doc! { "update": coll, "updates": [{ "q": { "_id": { "$lt": id } }, "u": { "$set": { field: value } }, "multi": true }] }
        }
        5 => {
            doc! { "update": coll, "updates": [{ "q": { "_id": id }, "u": { "z": value }, "upsert": true }] }
        }
        6 => doc! { "update": coll, "updates": [{ "q": { "_id": id }, "u": { "$unset": { field: 1 } } }] },
        _ => doc! { "update": coll, "updates": [{ "q": { "_id": id }, "u": { "$set": { field: value } } }] },
    };
    let database = server.client().database("shop");
    let _ = block_on(database.run_command(command).into_future()).unwrap();
}

/// A transaction, or what moves or removes a collection with all its documents.
fn disturb(server: &Server, dice: &mut Dice) {
    let client = server.client();
    let coll = if dice.below(2) == 0 { "a" } else { "b" };
    let run = |db: &str, command: Document| {
        // Collections come and go: what is not there cannot be dropped or renamed.
        let _ = block_on(client.database(db).run_command(command).into_future());
    };
    match dice.below(8) {
        0 => run("shop", doc! { "drop": coll }),
        1 => run("shop", doc! { "dropDatabase": 1 }),
        2 => run("admin", doc! { "renameCollection": "shop.a", "to": "shop.b", "dropTarget": true }),
        3 => run("shop", doc! { "collMod": coll, "validationLevel": "moderate" }),
        _ => {
            let first = dice.below(30) as i32;
            block_on(async {
                let mut session = client.start_session().await.unwrap();
                session.start_transaction().await.unwrap();
                for (coll, id) in [("a", first), ("b", first), ("a", (first + 1) % 30)] {
                    let coll = client.database("shop").collection::<Document>(coll);
                    let set = doc! { "$set": { "t": first } };
                    coll.update_one(doc! { "_id": id }, set)
                        .upsert(true)
                        .session(&mut session)
                        .await
                        .unwrap();
                }
                session.commit_transaction().await.unwrap();
            });
        }
    }
}

#[test]
fn the_difference_of_two_moments_is_what_the_server_said() {
    let server = Server::replica_set();
    let client = server.client();
    let mut dice = Dice(seed());
    let place = tempfile::tempdir().unwrap();
    server.run("shop", doc! { "create": "a" });
    server.run("shop", doc! { "create": "b" });
    (0..30).for_each(|_| write(&server, &mut dice));
    let dump = Dump::begin(&server);
    dump.read(&place.path().join("dump"));
    dump.end(&place.path().join("dump"));
    let mut truth: Vec<(Position, State)> = vec![(last_entry(&client), state(&client))];
    for _ in 0..80 {
        if dice.below(12) == 0 {
            disturb(&server, &mut dice);
        } else {
            write(&server, &mut dice);
        }
        truth.push((last_entry(&client), state(&client)));
    }
    truth.dedup_by_key(|(pos, _)| *pos);
    slice(&client, Position::new(1, 0), &place.path().join("oplog/all.bson"));
    let workspace = open(place.path());
    let (mut differing, mut selective) = (0, 0);
    let window = workspace.snapshots[0].window().unwrap().0.pos;
    let entries = |to: Position| workspace.oplog.entries(window, to).count() as u64;
    for number in 0..65 {
        // Most of them near each other: then only what matters is read.
        let x = dice.below(truth.len() as u64) as usize;
        let far = if number < 25 { dice.below(truth.len() as u64) } else { x as u64 + 1 + dice.below(3) };
        let y = (far as usize).min(truth.len() - 1);
        let ((before, then), (later, now)) = (&truth[x.min(y)], &truth[x.max(y)]);
        let (found, read) = compare(&workspace, before.next(), later.next());
        selective += u64::from(read < entries(before.next()));
        let mut want: BTreeMap<(String, i32), Fate> = BTreeMap::new();
        for key in then.keys().chain(now.keys()) {
            let fate = match (then.get(key), now.get(key)) {
                (Some(_), None) => Fate::ComesBack,
                (None, Some(_)) => Fate::GoesAway,
                (a, b) if a != b => Fate::ChangesBack,
                _ => continue,
            };
            want.insert(key.clone(), fate);
        }
        let number = |id: &Value| id["$numberInt"].as_str().unwrap().parse::<i32>().unwrap();
        let got: BTreeMap<(String, i32), Fate> =
            found.documents.iter().map(|d| ((d.ns.coll.clone(), number(&d.id)), d.fate)).collect();
        assert_eq!(got.len(), found.documents.len(), "no document twice");
        assert_eq!(got, want, "{before} to {later}");
        differing += got.len();
        for document in &found.documents {
            let key = (document.ns.coll.clone(), number(&document.id));
            let json = |state: &State| {
                let bytes = state.get(&key)?;
                let document: Document = bson::deserialize_from_slice(bytes).unwrap();
                Some(Bson::Document(document).into_canonical_extjson())
            };
            assert_eq!(document.at_stop, json(then));
            assert_eq!(document.against, json(now));
            assert!(document.fate != Fate::ChangesBack || !document.fields.is_empty());
        }
        let count = |fate: Fate| want.values().filter(|f| **f == fate).count() as u64;
        let sum = |of: fn(&pitstop::domain::diff::NamespaceDiff) -> u64| {
            found.namespaces.iter().map(of).sum::<u64>()
        };
        assert_eq!(sum(|ns| ns.comes_back), count(Fate::ComesBack));
        assert_eq!(sum(|ns| ns.changes_back), count(Fate::ChangesBack));
        assert_eq!(sum(|ns| ns.goes_away), count(Fate::GoesAway));
    }
    assert!(differing > 100, "only {differing} differences were tried");
    assert!(selective > 15, "only {selective} were found by reading what matters");
}

#[test]
fn an_incident_its_conflicts_and_the_good_writes_behind_it() {
    let server = Server::replica_set();
    let client = server.client();
    let place = tempfile::tempdir().unwrap();
    let all: Vec<Document> = (0..50).map(|i| doc! { "_id": i, "p": i + 1 }).collect();
    server.run("shop", doc! { "insert": "a", "documents": all.clone() });
    server.run("shop", doc! { "insert": "b", "documents": all });
    let dump = Dump::begin(&server);
    dump.read(&place.path().join("dump"));
    dump.end(&place.path().join("dump"));
    let one = |coll: &str, id: i32, set: Document| {
        let coll = client.database("shop").collection::<Document>(coll);
        block_on(coll.update_one(doc! { "_id": id }, doc! { "$set": set }).into_future()).unwrap();
    };
    one("a", 1, doc! { "p": -1 });
    let before = last_entry(&client);
    // The incident, then good writes: to its documents, to others, to another collection.
    let u = doc! { "q": { "_id": { "$lt": 40 } }, "u": { "$set": { "p": 0 } }, "multi": true };
    server.run("shop", doc! { "update": "a", "updates": [u] });
    let incident_last = last_entry(&client);
    for id in [3, 4, 4, 5, 45] {
        one("a", id, doc! { "q": format!("{id} {}", rand()) });
    }
    one("b", 7, doc! { "p": "good" });
    server.run("shop", doc! { "insert": "b", "documents": [{ "_id": 100 }] });
    slice(&client, Position::new(1, 0), &place.path().join("oplog/all.bson"));

    let workspace = open(place.path());
    let left_out = workspace.oplog.first_at_or_after(before.next()).unwrap().unwrap().at.pos;
    let end = workspace.last().next();
    let found = after(&workspace, left_out, end, Memory::default(), &Meter::default()).unwrap();
    let incident = found.incident.unwrap();
    assert_eq!((incident.first, incident.last), (left_out, incident_last));
    assert_eq!(incident.documents, 40);
    let of = |coll: &str| {
        let ns = Namespace::new("shop", coll);
        found.namespaces.iter().find(|n| n.ns == ns).unwrap().counts
    };
    let (a, b) = (of("a"), of("b"));
    assert_eq!((a.operations, a.documents), (45, 41));
    assert_eq!((a.incident_operations, a.incident_documents), (40, 40));
    assert_eq!((a.good_operations, a.good_documents), (5, 4));
    assert_eq!((b.operations, b.incident_operations, b.good_operations, b.good_documents), (2, 0, 2, 2));
    assert_eq!(found.total.good_operations, 7);

    let (found, _) = compare(&workspace, left_out, end);
    assert_eq!(found.incident.as_ref().map(|i| i.first), Some(left_out));
    let conflicts: BTreeSet<String> = found
        .documents
        .iter()
        .filter(|d| d.conflict)
        .map(|d| format!("{} {}", d.ns, d.id["$numberInt"].as_str().unwrap()))
        .collect();
    assert_eq!(conflicts, ["shop.a 3", "shop.a 4", "shop.a 5"].map(str::to_owned).into());
    let a = found.namespaces.iter().find(|n| n.ns.coll == "a").unwrap();
    assert_eq!(a.conflicts, 3);

    // A stop at a good write has no incident.
    let next = workspace.oplog.first_at_or_after(incident_last.next()).unwrap().unwrap().at.pos;
    let found = after(&workspace, next, end, Memory::default(), &Meter::default()).unwrap();
    assert!(found.incident.is_none(), "{:?}", found.incident);
    assert_eq!(found.total.operations, 7);
}

fn rand() -> u64 {
    std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64
}

/// The numbers of the plan, against the entries of the built-in log, counted here.
#[test]
fn the_plan_counts_what_follows_the_stop() {
    let place = tempfile::tempdir().unwrap();
    let packed = fs::File::open(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/demo.tar.gz")).unwrap();
    tar::Archive::new(flate2::read::GzDecoder::new(packed)).unpack(place.path()).unwrap();
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/demo.json")).unwrap();
    let truth: Value = serde_json::from_str(&text).unwrap();
    let first: Position = truth["bursts"]["bulk delete"]["first"].as_str().unwrap().parse().unwrap();

    let mut entries: BTreeMap<Position, Document> = BTreeMap::new();
    for dir in fs::read_dir(place.path().join("oplog")).unwrap() {
        let bytes = fs::read(dir.unwrap().path().join("local/oplog.rs.bson")).unwrap();
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let length = i32::from_le_bytes(rest[..4].try_into().unwrap()) as usize;
            let entry: Document = bson::deserialize_from_slice(&rest[..length]).unwrap();
            let ts = entry.get_timestamp("ts").unwrap();
            entries.insert(Position::new(ts.time, ts.increment), entry);
            rest = &rest[length..];
        }
    }
    fn count(entry: &Document) -> u64 {
        match entry.get_str("op").unwrap() {
            "i" | "u" | "d" => 1,
            "c" => {
                let ops = entry.get_document("o").unwrap().get_array("applyOps");
                ops.map_or(1, |ops| ops.iter().map(|op| count(op.as_document().unwrap())).sum())
            }
            _ => 0,
        }
    }
    let follows: u64 = entries.range(first..).map(|(_, entry)| count(entry)).sum();

    let machine = Machine::new();
    let source = place.path().display().to_string();
    let plan = &machine.json(&["plan", &source, "--before", &first.to_string(), "--json"])[0];
    let total = &plan["after"]["total"];
    let incident = truth["bursts"]["bulk delete"]["entries"].as_u64().unwrap();
    assert_eq!(total["operations"].as_u64(), Some(follows));
    assert_eq!(total["incident_operations"].as_u64(), Some(incident));
    assert_eq!(total["good_operations"].as_u64(), Some(follows - incident));
    assert_eq!(plan["after"]["incident"]["last"], truth["bursts"]["bulk delete"]["last"]);
}

/// The built-in incident, unpacked; its machine; where its bulk delete begins.
fn incident() -> (tempfile::TempDir, Machine, String) {
    let place = tempfile::tempdir().unwrap();
    let packed = fs::File::open(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/demo.tar.gz")).unwrap();
    tar::Archive::new(flate2::read::GzDecoder::new(packed)).unpack(place.path()).unwrap();
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/demo.json")).unwrap();
    let truth: Value = serde_json::from_str(&text).unwrap();
    let first = truth["bursts"]["bulk delete"]["first"].as_str().unwrap().to_owned();
    (place, Machine::new(), first)
}

fn of_kind<'l>(lines: &'l [Value], kind: &str) -> Vec<&'l Value> {
    lines.iter().filter(|line| line["kind"] == kind).collect()
}

/// A filter shows what the whole list holds of that sort, nothing more and nothing less; an
/// export is the whole list, private, and never over something that is there.
#[test]
fn a_filter_and_an_export_agree_with_the_whole_list() {
    use std::os::unix::fs::PermissionsExt;
    let (place, machine, first) = incident();
    let source = place.path().display().to_string();
    let diff = |more: &[&str]| {
        let mut args = vec!["diff", &source, "--before", &first, "--json", "--limit", "100000"];
        args.extend(more);
        machine.json(&args)
    };
    let all = diff(&[]);
    let documents = of_kind(&all, "document");
    assert!(documents.len() > 1906, "{}", documents.len());
    for fate in ["comes-back", "changes-back", "goes-away"] {
        let wanted: Vec<&Value> = documents.iter().copied().filter(|d| d["fate"] == fate).collect();
        let filter = format!("is:{fate}");
        assert!(!wanted.is_empty(), "{fate}");
        assert_eq!(of_kind(&diff(&["-q", &filter]), "document"), wanted);
    }
    let conflicts: Vec<&Value> = documents.iter().copied().filter(|d| d["conflict"] == true).collect();
    assert_eq!(of_kind(&diff(&["-q", "is:conflict"]), "document"), conflicts);
    let priced = diff(&["-q", "field:price is:changes-back"]);
    let wanted: Vec<&Value> = documents
        .iter()
        .copied()
        .filter(|d| {
            let fields = d["fields"].as_array().unwrap();
            fields.iter().any(|f| f["path"] == "price" || f["path"].as_str().unwrap().starts_with("price."))
        })
        .collect();
    assert_eq!(of_kind(&priced, "document"), wanted);

    let file = place.path().join("out.ndjson");
    let export = ["diff", &source, "--before", &first, "--export", file.to_str().unwrap()];
    assert_eq!(machine.run(&export).code, 0);
    let text = fs::read_to_string(&file).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines, all, "sides, namespaces, documents");
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let again = machine.run(&export);
    assert_eq!(again.code, 5, "{}", again.err);
    assert_eq!(fs::read_to_string(&file).unwrap(), text);
    let nowhere = machine.run(&["diff", &source, "--before", &first, "--export", "/nowhere/at/all"]);
    assert_eq!(nowhere.code, 1, "{}", nowhere.err);
    assert_eq!(machine.run(&["diff", &source, "--before", &first, "-q", "is:odd"]).code, 2);
}
