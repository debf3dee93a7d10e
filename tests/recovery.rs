//! The first recovery, by command, with the real binary on real backups: find the bulk delete,
//! stop one operation before it, restore, and hold the result against the recorded truth.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::path::Path;

use common::cli::Machine;
use common::fixtures::fixture;
use common::server::Server;
use common::truth::{Truth, compare_dump, compare_server};
use serde_json::Value;

struct Incident {
    dump: String,
    slices: String,
    truth: Truth,
}

impl Incident {
    fn of(name: &str) -> Incident {
        let root = fixture(name);
        let text = |part: &str| root.join(part).display().to_string();
        Incident { dump: text("dump-dir"), slices: text("oplog"), truth: Truth::read(&root) }
    }

    fn first(&self) -> String {
        self.truth.incidents["bulk delete"].first.to_string()
    }

    fn args<'a>(&'a self, command: &'a str, more: &[&'a str]) -> Vec<&'a str> {
        [&[command, &self.dump, &self.slices], more].concat()
    }
}

fn recover_isolated(name: &str) {
    let incident = Incident::of(name);
    let machine = Machine::new();
    let first = incident.first();
    let want = incident.truth.checkpoint("crud 2");

    let args = incident.args("restore", &["--before", &first, "--yes", "--json"]);
    let done = machine.json(&args);
    let [outcome] = done.as_slice() else { panic!("one object, not {done:?}") };
    let restored = &outcome["restored"];
    assert_eq!(restored["kind"], "isolated");
    let uri = machine.uri_of(restored);
    assert_eq!(compare_server(&uri, want), Vec::<String>::new(), "{name}");

    // No mark is left, and nobody gets in without the password.
    let client = common::server::connect(&uri);
    let names = common::server::block_on(client.list_database_names().into_future()).unwrap();
    assert!(!names.contains(&"pitstop_incomplete".to_owned()), "{names:?}");
    let open = common::server::connect(restored["uri"].as_str().unwrap().replace("pitstop@", "").as_str());
    assert!(common::server::block_on(open.list_database_names().into_future()).is_err());

    let listed = machine.json(&["targets", "--json"]);
    assert_eq!(listed.len(), 1);
    assert_eq!((&listed[0]["id"], &listed[0]["state"]), (&restored["id"], &Value::from("running")));
    let id = restored["id"].as_str().unwrap();
    assert_eq!(machine.run(&["targets", "stop", id, "--delete"]).code, 0);
    assert!(machine.json(&["targets", "--json"]).is_empty());
    let pid = restored["pid"].as_u64().unwrap();
    // A process that has ended and waits to be collected has no command line any more.
    let running = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    assert!(running.is_empty(), "mongod {pid} still runs");
    assert!(!Path::new(restored["password_file"].as_str().unwrap()).exists());
}

#[test]
fn v60_into_an_isolated_server() {
    recover_isolated("v60");
}

#[test]
fn v50_into_an_isolated_server() {
    recover_isolated("v50");
}

#[test]
fn into_a_running_server_and_into_a_dump_directory() {
    let incident = Incident::of("v60");
    let machine = Machine::new();
    let first = incident.first();
    let want = incident.truth.checkpoint("crud 2");

    let server = Server::standalone();
    let args = incident.args("restore", &["--before", &first, "--yes", "--target", server.uri()]);
    let ran = machine.run(&args);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(compare_server(server.uri(), want), Vec::<String>::new());

    // Never over data that is there.
    let again = machine.run(&args);
    assert_eq!(again.code, 5, "{}", again.err);
    assert_eq!(compare_server(server.uri(), want), Vec::<String>::new());

    let place = tempfile::tempdir().unwrap();
    let dir = place.path().join("state");
    let target = format!("dump:{}", dir.display());
    let args = incident.args("restore", &["--before", &first, "--yes", "--target", &target]);
    let ran = machine.run(&args);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(compare_dump(&dir, want), Vec::<String>::new());
    certified(&ran.out, &incident);
    let ran = machine.run(&args);
    assert_eq!(ran.code, 5, "over an existing directory: {}", ran.err);
    assert_eq!(compare_dump(&dir, want), Vec::<String>::new());
    let left: Vec<_> = std::fs::read_dir(place.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["state"], "nothing else is left");
}

/// The certificate holds what the recording says, and checksums of the very files.
fn certified(said: &str, incident: &Incident) {
    let line = said.lines().find_map(|l| l.strip_prefix("certificate: ")).unwrap();
    let text = std::fs::read_to_string(line).unwrap();
    let json = std::fs::read(Path::new(line).with_extension("json")).unwrap();
    let json: Value = serde_json::from_slice(&json).unwrap();
    let bulk = &incident.truth.incidents["bulk delete"];
    assert_eq!(json["verified"], true);
    assert_eq!(json["plan"]["stop"]["last_applied"]["pos"], bulk.before.to_string());
    assert_eq!(json["plan"]["stop"]["first_left_out"]["pos"], bulk.first.to_string());
    assert_eq!(json["plan"]["snapshot"]["server_version"], incident.truth.server.as_str());
    let orders = Path::new(&incident.dump).join("shop/orders.bson");
    let content = std::fs::read(&orders).unwrap();
    let hash = format!("{:032x}", xxhash_rust::xxh3::xxh3_128(&content));
    let inputs = json["inputs"].as_array().unwrap();
    let input = inputs.iter().find(|i| Path::new(i["file"].as_str().unwrap()).ends_with("shop/orders.bson"));
    let input = input.unwrap_or_else(|| panic!("{inputs:?}"));
    assert_eq!((&input["xxh3_128"], &input["bytes"]), (&hash.as_str().into(), &content.len().into()));
    for part in ["**Verified**", &bulk.before.to_string(), &bulk.first.to_string(), &hash, "shop.orders"] {
        assert!(text.contains(part), "no {part} in: {text}");
    }
    let orders = &incident.truth.checkpoint("crud 2").dbs["shop"]["orders"];
    let collections = json["verification"]["collections"].as_array().unwrap();
    let check = collections.iter().find(|c| c["ns"] == "shop.orders").unwrap();
    assert_eq!(check["found"]["count"], orders.content.as_ref().unwrap().count);
}

#[test]
fn snapshots_ops_and_plan_say_what_the_recording_says() {
    let incident = Incident::of("v60");
    let machine = Machine::new();
    let bulk = &incident.truth.incidents["bulk delete"];

    let lines = machine.json(&incident.args("snapshots", &["--json"]));
    let snapshot = lines.iter().find(|l| l["kind"] == "snapshot").unwrap();
    assert_eq!(snapshot["server_version"], incident.truth.server.as_str());
    let last = incident.truth.slices.last().unwrap().through;
    assert_eq!(snapshot["valid_stops"]["last"]["pos"], last.next().to_string());
    assert!(lines.iter().all(|l| l["kind"] != "gap"));

    let query = format!("op:delete ns:shop.orders after:{} before:{}", bulk.before, bulk.last.next());
    let ops = machine.json(&incident.args("ops", &["--json", "-q", &query]));
    assert_eq!(ops.len() as u64, bulk.entries);
    assert_eq!(ops[0]["pos"], bulk.first.to_string());
    assert_eq!(ops.last().unwrap()["pos"], bulk.last.to_string());
    assert!(ops.iter().all(|op| op["kind"] == "delete" && op["ns"] == "shop.orders" && !op["_id"].is_null()));
    assert_eq!(machine.json(&incident.args("ops", &["--json", "-q", &query, "--limit", "7"])).len(), 7);

    let first = incident.first();
    let plan = &machine.json(&incident.args("plan", &["--json", "--before", &first]))[0];
    assert_eq!(plan["stop"]["pos"], first);
    assert_eq!(plan["stop"]["last_applied"]["pos"], bulk.before.to_string());
    assert_eq!(plan["stop"]["first_left_out"]["pos"], first);
    assert_eq!(plan["other_tools"]["mongorestore"], format!("--oplogLimit {first}"));
    let inclusive = format!("--time {},{}", bulk.before.secs, bulk.before.inc);
    assert_eq!(plan["other_tools"]["pbm"], inclusive);
}

/// The numbers of the preview, against the recorded states on both sides.
#[test]
fn diff_counts_what_the_truth_counts() {
    let incident = Incident::of("v60");
    let machine = Machine::new();
    let bulk = &incident.truth.incidents["bulk delete"];
    let count =
        |label: &str| incident.truth.checkpoint(label).dbs["shop"]["orders"].content.as_ref().unwrap().count;
    let (first, after) = (bulk.first.to_string(), bulk.last.next().to_string());
    let args = incident.args("diff", &["--json", "--before", &first, "--against", &after]);
    let lines = machine.json(&args);
    let found: Vec<_> = lines.iter().filter(|l| l["kind"] == "namespace").collect();
    // Between those two only the bulk delete happened: nothing else may differ.
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0]["ns"], "shop.orders");
    assert_eq!(found[0]["comes_back"], count("crud 2") - count("after bulk delete"));
    assert_eq!((&found[0]["changes_back"], &found[0]["goes_away"]), (&Value::from(0), &Value::from(0)));

    // The bad deploy: every price goes back from 0.
    let deploy = &incident.truth.incidents["bad deploy"];
    let (first, after) = (deploy.first.to_string(), deploy.last.next().to_string());
    let ns = ["--before", &first, "--against", &after, "--json", "--ns", "shop.products", "--limit", "1000"];
    let lines = machine.json(&incident.args("diff", &ns));
    let documents: Vec<_> = lines.iter().filter(|l| l["kind"] == "document").collect();
    assert_eq!(documents.len() as u64, deploy.entries);
    for document in documents {
        assert_eq!(document["fate"], "changes-back");
        let price = document["fields"].as_array().unwrap().iter().find(|f| f["path"] == "price").unwrap();
        assert!(price["against"].to_string().contains("\"0\""), "{price}");
        assert_ne!(price["at_stop"], price["against"]);
    }
}

#[test]
fn all_incidents_are_among_the_first_eight_suspects() {
    for name in common::fixtures::ALL {
        let incident = Incident::of(name);
        let machine = Machine::new();
        let suspects = machine.json(&incident.args("suspects", &["--json"]));
        for (label, want) in &incident.truth.incidents {
            let found = suspects.iter().take(8).find(|s| s["first"] == want.first.to_string());
            let found = found
                .unwrap_or_else(|| panic!("{name}: {label} is not among the first eight: {suspects:#?}"));
            assert_eq!(found["last"], want.last.to_string(), "{name}: {label}");
            assert_eq!(found["stop"], want.first.to_string(), "{name}: {label}");
        }
    }
}

/// A lost terminal, a closed laptop: the restore goes on without the command that started it.
#[test]
fn a_restore_outlives_the_command_that_watches_it() {
    let incident = Incident::of("v60");
    let machine = Machine::new();
    let place = tempfile::tempdir().unwrap();
    let case = place.path().join("case");
    let dir = place.path().join("state");
    let first = incident.first();
    let target = format!("dump:{}", dir.display());
    let args = incident.args(
        "restore",
        &["--before", &first, "--yes", "--target", &target, "--case", case.to_str().unwrap()],
    );
    let mut front = machine.command(&args).spawn().unwrap();
    let restores = case.join("restores");
    let job = || {
        let entry = std::fs::read_dir(&restores).ok()?.next()?.ok()?.path();
        entry.join("worker.log").exists().then_some(entry)
    };
    let folder = wait_for(job);
    front.kill().unwrap();
    front.wait().unwrap();
    let result = wait_for(|| std::fs::read(folder.join("result.json")).ok());
    let outcome: Value = serde_json::from_slice(&result).unwrap();
    assert_eq!(outcome["exit"], 0, "{outcome}");
    assert_eq!(compare_dump(&dir, incident.truth.checkpoint("crud 2")), Vec::<String>::new());
}

fn wait_for<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let begun = std::time::Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed().as_secs() < 60, "nothing came of it within a minute");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

/// Parts of a state, under other names: what is taken is as recorded, what is not is not there.
#[test]
fn a_part_of_a_state_under_other_names() {
    let incident = Incident::of("v60");
    let machine = Machine::new();
    let first = incident.first();
    let want = incident.truth.checkpoint("crud 2");
    let place = tempfile::tempdir().unwrap();
    let dir = place.path().join("state");
    let target = format!("dump:{}", dir.display());
    let restore = |more: &[&str]| {
        let base = ["--before", &first, "--yes", "--json", "--target", &target, "--ns", "shop.*"];
        machine.run(&incident.args("restore", &[&base[..], more].concat()))
    };
    let taken = ["--ns-exclude", "*.products", "--ns-rename", "shop.orders=before.orders.saved"];
    let ran = restore(&taken);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let found = common::dump::observe(&dir);
    assert_eq!(found.dbs["before"].keys().collect::<Vec<_>>(), ["orders.saved"]);
    let (got, orders) = (&found.dbs["before"]["orders.saved"], &want.dbs["shop"]["orders"]);
    assert_eq!(got.content, orders.content);
    assert_eq!(got.indexes.len(), orders.indexes.len());
    let mut names: Vec<_> = want.dbs["shop"].keys().filter(|n| !n.starts_with("system.")).collect();
    assert!(names.iter().any(|n| *n == "products"));
    names.retain(|n| *n != "products" && *n != "orders");
    let others: Vec<_> = found.dbs["shop"].keys().filter(|n| !n.starts_with("system.")).collect();
    assert_eq!(others, names);

    std::fs::remove_dir_all(&dir).unwrap();
    for (wrong, says) in [
        (["--ns-rename", "shop.nothing=shop.x"], "no such collection"),
        (["--ns-rename", "shop.orders=shop.products"], "two collections"),
        (["--ns-exclude", "*"], "none of the state's collections fits"),
        (["--ns-rename", "shop.orders=local.x"], "belongs to the server"),
    ] {
        let ran = restore(&wrong);
        assert_eq!(ran.code, 2, "{wrong:?}: {} {}", ran.out, ran.err);
        assert!(format!("{}{}", ran.err, ran.out).contains(says), "{wrong:?}: {}", ran.err);
        assert!(std::fs::read_dir(place.path()).unwrap().next().is_none(), "{wrong:?} left something");
    }
}
