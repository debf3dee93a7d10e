//! The screens on a live set, in a pseudo-terminal: growth, loss, and a restore of what came
//! meanwhile.

use std::time::Duration;

use super::kit::*;
use crate::term::{Term, pitstop};

#[test]
fn the_timeline_grows_the_loss_is_said_and_what_came_is_restored() {
    let (server, client) = shop(&[]);
    let home = Home::new();
    dump(&client, &home.path("dump"));
    insert(&client, 100, 110, 10);
    let dumped = home.path("dump").display().to_string();
    let uri = format!("{}&serverSelectionTimeoutMS=500", server.uri());
    let mut command = pitstop(&home.path("state"), &[&dumped, &uri]);
    command.env("PITSTOP_MONGOD", "/nowhere/mongod");
    let mut term = Term::spawn(command, 120, 40);
    term.until("newest before the stop");
    term.send("\r");
    term.until("insert");
    // Five orders more, and they are on the screen without a key.
    insert(&client, 777_000, 777_005, 10);
    term.until("LIVE");
    let good = orders(&client);
    term.send("G");
    let begun = std::time::Instant::now();
    while !term.text().contains("777004") {
        assert!(begun.elapsed() < Duration::from_secs(60), "{}\n{}", term.text(), log(&home));
        std::thread::sleep(Duration::from_millis(300));
        term.send("G");
    }
    // The stop behind the last of them; the source is gone before the restore.
    term.send("/");
    term.send("id:777004\r");
    term.send("S");
    term.until("one op earlier");
    super::securing::kill(server.pid());
    term.send("\x1b");
    term.until("SOURCE LOST");
    term.send("r");
    term.until("read everything back");
    term.send("\r");
    term.until("No");
    term.send("y\r");
    let text = term.until("Verified and complete");
    assert!(text.contains("115"), "{text}");
    term.send("q");
    assert_eq!(term.ended(Duration::from_secs(30)), 0);
    let mut dumps = Vec::new();
    find(&home.path("state"), "orders.bson", &mut dumps);
    let restored = dumps.iter().find(|p| p.to_string_lossy().contains("/dumps/")).unwrap();
    let mut restored: Vec<Vec<u8>> = split(&std::fs::read(restored).unwrap());
    restored
        .sort_by_key(|d| bson::deserialize_from_slice::<bson::Document>(d).unwrap().get_i32("_id").unwrap());
    assert_eq!(restored, good);
}

fn find(dir: &std::path::Path, name: &str, into: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            find(&path, name, into);
        } else if path.file_name().is_some_and(|n| n == name) {
            into.push(path);
        }
    }
}

/// What the run has written down.
fn log(home: &Home) -> String {
    let logs = std::fs::read_dir(home.path("state/pitstop/logs")).unwrap();
    logs.map(|e| std::fs::read_to_string(e.unwrap().path()).unwrap()).collect()
}
