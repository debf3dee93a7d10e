//! Users and roles: kept aside unless asked for; then they can log in on the target, and whoever
//! was there still can.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use bson::doc;
use common::cli::Machine;
use common::server::{Server, block_on, command_on, connect, cursor_on};

/// A replica set with users in its snapshot, and others in its oplog only.
fn recorded() -> (tempfile::TempDir, Vec<String>) {
    let source = Server::replica_set();
    let client = source.client();
    let home = tempfile::tempdir().unwrap();
    let user = |name: &str, role: &str| {
        command_on(&client, "shop", doc! { "createUser": name, "pwd": "secret", "roles": [role] });
    };
    command_on(&client, "shop", doc! { "insert": "orders", "documents": [{ "_id": 1 }] });
    let privilege = doc! { "resource": { "db": "shop", "collection": "orders" }, "actions": ["find"] };
    command_on(&client, "shop", doc! { "createRole": "looker", "privileges": [privilege], "roles": [] });
    user("early", "looker");
    user("gone", "read");
    // The name of the isolated server's own user.
    command_on(&client, "admin", doc! { "createUser": "pitstop", "pwd": "other", "roles": [] });
    let dump = home.path().join("dump");
    std::fs::create_dir_all(dump.join("admin")).unwrap();
    std::fs::create_dir_all(dump.join("shop")).unwrap();
    for name in ["system.users", "system.roles", "system.version"] {
        let all = common::record::documents(&client, "admin", name);
        let bytes: Vec<u8> = all.iter().flat_map(|d| d.as_bytes().to_vec()).collect();
        std::fs::write(dump.join(format!("admin/{name}.bson")), bytes).unwrap();
    }
    let listed = cursor_on(&client, "shop", doc! { "listCollections": 1 });
    let uuid = match listed[0].get_document("info").unwrap().get("uuid") {
        Some(bson::Bson::Binary(b)) => b.to_uuid().unwrap(),
        other => panic!("{other:?}"),
    };
    let indexes = cursor_on(&client, "shop", doc! { "listIndexes": "orders" });
    let about = common::dump::metadata("orders", "collection", &doc! {}, &indexes, Some(uuid));
    std::fs::write(dump.join("shop/orders.metadata.json"), about).unwrap();
    std::fs::write(dump.join("shop/orders.bson"), bson::serialize_to_vec(&doc! { "_id": 1 }).unwrap())
        .unwrap();
    let edge = common::record::last_entry(&client);
    std::fs::write(dump.join("oplog.bson"), common::record::oplog(&client, edge)).unwrap();
    user("late", "read");
    command_on(&client, "shop", doc! { "dropUser": "gone" });
    let slice = home.path().join("slice.bson");
    std::fs::write(&slice, common::record::oplog(&client, edge)).unwrap();
    let sources = [dump, slice].map(|p| p.display().to_string());
    (home, sources.into())
}

fn can_log_in(uri: &str, user: &str) -> bool {
    let host =
        uri.split('@').next_back().unwrap().trim_start_matches("mongodb://").split('/').next().unwrap();
    let uri = format!("mongodb://{user}:secret@{host}/?authSource=shop&directConnection=true");
    let found = connect(&uri).database("shop").collection::<bson::Document>("orders");
    block_on(found.find_one(doc! {}).into_future()).is_ok_and(|d| d.is_some())
}

fn names(uri: &str) -> Vec<String> {
    let mut all: Vec<String> = cursor_on(&connect(uri), "admin", doc! { "find": "system.users" })
        .iter()
        .map(|d| d.get_str("_id").unwrap().to_owned())
        .collect();
    all.sort();
    all
}

#[test]
fn they_come_along_when_asked_for_and_lock_nobody_out() {
    let (_home, sources) = recorded();
    let machine = Machine::new();
    let restore = |more: &[&str]| {
        let mut args = vec!["restore", &sources[0], &sources[1], "--after", "end", "--yes", "--json"];
        args.extend(more);
        machine.json(&args).remove(0)
    };

    let plain = restore(&[]);
    let uri = machine.uri_of(&plain["restored"]);
    assert_eq!(names(&uri), ["admin.pitstop"]);

    let done = restore(&["--with-users"]);
    let uri = machine.uri_of(&done["restored"]);
    assert_eq!(names(&uri), ["admin.pitstop", "shop.early", "shop.late"]);
    assert!(can_log_in(&uri, "early") && can_log_in(&uri, "late") && !can_log_in(&uri, "gone"));
    let left = cursor_on(&connect(&uri), "admin", doc! { "listCollections": 1, "nameOnly": true });
    assert!(left.iter().all(|c| c.get_str("name").unwrap().starts_with("system.")), "{left:?}");
    let notes = done["notes"].as_array().unwrap();
    assert!(notes.iter().any(|n| n.as_str().unwrap().contains("\"admin.pitstop\" is left out")), "{notes:?}");

    // Somebody else's server: nobody there is changed.
    let target = Server::standalone();
    command_on(&target.client(), "shop", doc! { "createUser": "early", "pwd": "theirs", "roles": [] });
    let args = [
        "restore",
        &sources[0],
        &sources[1],
        "--after",
        "end",
        "--yes",
        "--with-users",
        "--target",
        target.uri(),
    ];
    let refused = machine.run(&args);
    assert_eq!(refused.code, 5, "{}", refused.err);
    assert_eq!(names(target.uri()), ["shop.early"]);
    command_on(&target.client(), "shop", doc! { "dropUser": "early" });
    let ran = machine.run(&args);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(names(target.uri()), ["admin.pitstop", "shop.early", "shop.late"]);
}

#[test]
fn what_fails_among_them_leaves_the_target_marked() {
    let (_home, sources) = recorded();
    let machine = Machine::new();
    let target = Server::standalone();
    let client = target.client();
    let args = [
        "restore",
        &sources[0],
        &sources[1],
        "--after",
        "end",
        "--yes",
        "--with-users",
        "--target",
        target.uri(),
    ];
    let fail = |mode: bson::Bson| {
        let data = doc! { "failCommands": ["_mergeAuthzCollections"], "errorCode": 8000 };
        command_on(
            &client,
            "admin",
            doc! { "configureFailPoint": "failCommand", "mode": mode, "data": data },
        );
    };
    fail("alwaysOn".into());
    let ran = machine.run(&args);
    assert_eq!(ran.code, 1, "{}", ran.err);
    let names = || block_on(client.list_database_names().into_future()).unwrap();
    assert!(names().iter().any(|n| n == "pitstop_incomplete"), "{:?}", names());
    let left = cursor_on(&client, "admin", doc! { "listCollections": 1, "nameOnly": true });
    assert!(left.iter().all(|c| c.get_str("name").unwrap().starts_with("system.")), "{left:?}");

    // The same again, without the obstacle, starts over and ends well.
    fail("off".into());
    let ran = machine.run(&args);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(!names().iter().any(|n| n == "pitstop_incomplete"), "{:?}", names());
    assert_eq!(self::names(target.uri()), ["admin.pitstop", "shop.early", "shop.late"]);
}
