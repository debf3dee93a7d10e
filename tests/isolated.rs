//! The isolated server by the real binary: on another disk, as the beginning of a replica set, and
//! never mistaken for somebody else's.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use bson::doc;
use common::cli::{Machine, Ran};
use common::fixtures::fixture;
use common::mongod::mongod;
use common::server::{block_on, command_on, cursor_on};
use common::truth::{Truth, compare_server};
use serde_json::Value;

fn restore(machine: &Machine, truth: &Truth, more: &[&str]) -> Ran {
    let root = fixture("v60");
    let path = |part: &str| root.join(part).display().to_string();
    let (dump, slices, stop) =
        (path("dump-dir"), path("oplog"), truth.incidents["bulk delete"].first.to_string());
    let args = ["restore", &dump, &slices, "--before", &stop, "--yes", "--json"];
    machine.run(&[&args[..], more].concat())
}

fn json(ran: &Ran) -> Value {
    assert_eq!(ran.code, 0, "{}", ran.err);
    serde_json::from_str(&ran.out).unwrap()
}

fn names(dir: &Path) -> Vec<String> {
    let all = fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    let mut all: Vec<String> = all.collect();
    all.sort();
    all
}

#[test]
fn data_go_to_another_disk_and_are_removed_only_with_their_marker() {
    let truth = Truth::read(&fixture("v60"));
    let machine = Machine::new();
    let place = tempfile::tempdir().unwrap();
    let at = |name: &str| place.path().join(name);
    fs::create_dir(at("full")).unwrap();
    fs::write(at("full/file"), "precious").unwrap();
    fs::create_dir(at("empty")).unwrap();
    std::os::unix::fs::symlink(at("empty"), at("link")).unwrap();
    for wrong in ["full", "link", "full/file"] {
        let ran = restore(&machine, &truth, &["--dbpath", at(wrong).to_str().unwrap()]);
        assert_eq!(ran.code, 5, "{wrong}: {} {}", ran.err, ran.out);
        assert_eq!(names(place.path()), ["empty", "full", "link"], "{wrong}");
        assert_eq!((names(&at("full")), names(&at("empty"))), (vec!["file".to_owned()], vec![]), "{wrong}");
    }

    let dbpath = at("deep/er");
    let outcome = json(&restore(&machine, &truth, &["--dbpath", dbpath.to_str().unwrap()]));
    let uri = machine.uri_of(&outcome["restored"]);
    assert_eq!(compare_server(&uri, truth.checkpoint("crud 2")), Vec::<String>::new());
    assert_eq!(outcome["restored"]["dbpath"], dbpath.to_str().unwrap());
    assert!(dbpath.join("WiredTiger").is_file());
    assert_eq!(fs::metadata(&dbpath).unwrap().permissions().mode() & 0o777, 0o700);
    let password = fs::read_to_string(outcome["restored"]["password_file"].as_str().unwrap()).unwrap();
    assert!(
        fs::read(dbpath.join("pitstop-target.json"))
            .is_ok_and(|t| !String::from_utf8(t).unwrap().contains(&password))
    );
    let listed = machine.json(&["targets", "--json"]);
    assert_eq!(
        (&listed[0]["dbpath"], &listed[0]["state"]),
        (&dbpath.to_str().unwrap().into(), &"running".into())
    );
    let id = listed[0]["id"].as_str().unwrap().to_owned();

    // The record is lost, as when the restore was killed before it wrote one: it is found again.
    fs::remove_file(machine.state().join("pitstop/targets").join(format!("{id}.json"))).unwrap();
    let listed = machine.json(&["targets", "--json"]);
    assert_eq!(
        (&listed[0]["id"], &listed[0]["dbpath"]),
        (&id.as_str().into(), &dbpath.to_str().unwrap().into())
    );

    // Somebody has put another disk there: not ours to empty. (It is not known to run any more:
    // whoever finished is only told by its process.)
    let pid = outcome["restored"]["pid"].as_i64().unwrap();
    end(pid as i32);
    let marker = dbpath.join("pitstop-target.json");
    let text = fs::read(&marker).unwrap();
    fs::write(&marker, "{\"id\":\"00000000\"}").unwrap();
    let ran = machine.run(&["targets", "stop", &id, "--delete"]);
    assert_eq!(ran.code, 5, "{}", ran.err);
    assert!(dbpath.join("WiredTiger").is_file());
    fs::write(&marker, text).unwrap();
    assert_eq!(machine.run(&["targets", "stop", &id, "--delete"]).code, 0);
    assert!(!dbpath.exists() && at("deep").exists());
    assert_eq!(machine.json(&["targets", "--json"]), Vec::<Value>::new());
}

fn end(pid: i32) {
    let process = rustix::process::Pid::from_raw(pid).unwrap();
    rustix::process::kill_process(process, rustix::process::Signal::TERM).unwrap();
    wait_for("the end of a server", || {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        (stat.is_empty() || stat.contains(") Z ")).then_some(())
    });
}

fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < Duration::from_secs(120), "{what} did not come within two minutes");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_one_node_replica_set_is_ready_to_be_grown() {
    let truth = Truth::read(&fixture("v60"));
    let machine = Machine::new();
    let check = machine.state().join("check.toml");
    fs::write(&check, "[[check]]\nname='a'\nns='shop.orders'\nfilter='{}'\nexpect={min=1}\n").unwrap();
    let more = ["--replset", "rebuilt", "--check", check.to_str().unwrap(), "--check", "dbhash"];
    let outcome = json(&restore(&machine, &truth, &more));
    let restored = &outcome["restored"];
    assert_eq!(restored["replset"], "rebuilt");
    let uri = machine.uri_of(restored);
    let want = truth.checkpoint("crud 2");
    assert_eq!(compare_server(&uri, want), Vec::<String>::new());
    assert!(outcome["verification"]["queries"][0]["ok"] == true);
    let client = common::server::connect(&uri);
    let hello = command_on(&client, "admin", doc! { "hello": 1 });
    assert_eq!(hello.get_str("setName").unwrap(), "rebuilt");
    assert!(hello.get_bool("isWritablePrimary").unwrap());
    let host = format!("127.0.0.1:{}", uri.split(':').next_back().unwrap().split('/').next().unwrap());
    assert_eq!(hello.get_array("hosts").unwrap(), &vec![bson::Bson::from(host.as_str())]);
    // Nothing of production's set; no expiry; nobody without the password; no mark.
    let config = command_on(&client, "admin", doc! { "replSetGetConfig": 1 });
    assert_eq!(config.get_document("config").unwrap().get_array("members").unwrap().len(), 1);
    let ttl = command_on(&client, "admin", doc! { "getParameter": 1, "ttlMonitorEnabled": 1 });
    assert!(!ttl.get_bool("ttlMonitorEnabled").unwrap());
    let open = common::server::connect(&restored["uri"].as_str().unwrap().replace("pitstop@", ""));
    let tried = block_on(open.database("shop").run_command(doc! { "find": "orders" }).into_future());
    assert!(tried.unwrap_err().to_string().contains("requires authentication"));
    let databases = block_on(client.list_database_names().into_future()).unwrap();
    assert!(!databases.contains(&"pitstop_incomplete".to_owned()), "{databases:?}");
    let home = PathBuf::from(restored["password_file"].as_str().unwrap()).parent().unwrap().to_owned();
    let key = home.join("keyfile");
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!home.join("pitstop_incomplete").exists());
    let listed = machine.json(&["targets", "--json"]);
    assert_eq!((&listed[0]["replset"], &listed[0]["state"]), (&"rebuilt".into(), &"running".into()));
    assert_eq!(listed[0]["pid"], restored["pid"]);

    // Growing it, as the README says: a second member with the same key takes all of it over.
    let place = tempfile::tempdir().unwrap();
    let data = place.path().join("data");
    fs::create_dir(&data).unwrap();
    let copy = place.path().join("keyfile");
    fs::copy(&key, &copy).unwrap();
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o600)).unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut second = Command::new(mongod())
        .args([
            "--replSet",
            "rebuilt",
            "--bind_ip",
            "127.0.0.1",
            "--nounixsocket",
            "--port",
            &port.to_string(),
        ])
        .args(["--wiredTigerCacheSizeGB", "0.25", "--setParameter", "ttlMonitorEnabled=false", "--dbpath"])
        .arg(&data)
        .arg("--keyFile")
        .arg(&copy)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    wait_for("the second member", || std::net::TcpStream::connect(("127.0.0.1", port)).ok());
    let mut config = config.get_document("config").unwrap().clone();
    config.insert("version", config.get_i32("version").unwrap() + 1);
    let member = doc! { "_id": 1, "host": format!("127.0.0.1:{port}"), "priority": 0, "votes": 0 };
    config.get_array_mut("members").unwrap().push(member.into());
    config.remove("term");
    command_on(&client, "admin", doc! { "replSetReconfig": config });
    let own = host.split(':').next_back().unwrap();
    let other = uri.replace(&format!(":{own}/"), &format!(":{port}/"));
    let state = || {
        let status = command_on(&client, "admin", doc! { "replSetGetStatus": 1 });
        let member = status.get_array("members").unwrap()[1].as_document().unwrap().clone();
        (member.get_str("stateStr").unwrap() == "SECONDARY").then_some(())
    };
    wait_for("the second member as a secondary", state);
    let there = common::server::connect(&format!("{other}&readPreference=secondary"));
    let count = |client: &mongodb::Client| {
        cursor_on(
            client,
            "shop",
            doc! { "aggregate": "orders", "pipeline": [{ "$count": "n" }], "cursor": {} },
        )
    };
    assert_eq!(count(&there), count(&client));
    second.kill().unwrap();
    second.wait().unwrap();
}

/// An unfinished target whose data somebody else serves: listed as not running, and left alone.
#[test]
fn a_stranger_on_our_data_is_not_taken_for_ours() {
    let machine = Machine::new();
    let servers = machine.state().join("pitstop/servers");
    let home = servers.join("20260101T000000000-1");
    let data = home.join("data");
    fs::create_dir_all(&data).unwrap();
    let marker = serde_json::json!({ "id": "0123abcd", "dbpath": data });
    fs::write(home.join("pitstop-target.json"), marker.to_string()).unwrap();
    fs::write(home.join("pitstop_incomplete"), "").unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let start = |ours: bool| {
        let mut command = Command::new(mongod());
        command.args(["--bind_ip", "127.0.0.1", "--nounixsocket", "--port", &port.to_string(), "--dbpath"]);
        command.arg(&data).args(["--wiredTigerCacheSizeGB", "0.25"]).stdout(Stdio::null());
        if ours {
            command.env("PITSTOP_TARGET", "0123abcd");
        }
        let child = command.spawn().unwrap();
        wait_for("the server", || std::net::TcpStream::connect(("127.0.0.1", port)).ok());
        child
    };
    let mut stranger = start(false);
    let listed = machine.json(&["targets", "--json"]);
    assert_eq!((&listed[0]["id"], &listed[0]["state"]), (&"0123abcd".into(), &"stopped".into()));
    let ran = machine.run(&["targets", "stop", "0123abcd", "--delete"]);
    assert_eq!(ran.code, 5, "{} {}", ran.out, ran.err);
    assert!(stranger.try_wait().unwrap().is_none() && data.join("WiredTiger").exists());
    stranger.kill().unwrap();
    stranger.wait().unwrap();

    // The same server, started by a restore that was killed before it could say so.
    let mut ours = start(true);
    let listed = machine.json(&["targets", "--json"]);
    assert_eq!((&listed[0]["state"], &listed[0]["pid"]), (&"running".into(), &ours.id().into()));
    assert_eq!(machine.run(&["targets", "stop", "0123abcd", "--delete"]).code, 0);
    assert!(!home.exists());
    ours.wait().unwrap();
}
