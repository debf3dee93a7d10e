//! The isolated server: that it is isolated, and what is remembered of it.
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use crate::common::server::{block_on, command_on};
use crate::{Home, Running, options, start, walk};
use bson::doc;
use pitstop::domain::Class;
use pitstop::domain::progress::Meter;
use pitstop::target::registry::RunState;
use pitstop::target::{Isolated, IsolatedOptions, Registry, find_mongod};

#[test]
fn the_isolated_server_is_isolated() {
    let home = Home::make();
    let running = start(&home);
    let isolated = &running.0;
    let password = fs::read_to_string(&isolated.password_file).unwrap();
    assert!(password.len() >= 32);
    // Nobody gets in without the password, on no interface but the loopback.
    let client = crate::common::server::connect(&format!(
        "mongodb://127.0.0.1:{}/?directConnection=true",
        isolated.port
    ));
    let tried = block_on(client.database("admin").run_command(doc! { "listDatabases": 1 }).into_future());
    assert!(tried.unwrap_err().to_string().contains("requires authentication"));
    // Nor can anybody make a first user any more.
    let create = doc! { "createUser": "x", "pwd": "x", "roles": ["root"] };
    assert!(block_on(client.database("admin").run_command(create).into_future()).is_err());
    let listening = listening(isolated.pid);
    assert_eq!(listening, [format!("0100007F:{:04X}", isolated.port)]);
    // The password is in its file and nowhere else.
    let line = fs::read(format!("/proc/{}/cmdline", isolated.pid)).unwrap();
    let environment = fs::read(format!("/proc/{}/environ", isolated.pid)).unwrap();
    let contains = |text: &[u8]| text.windows(password.len()).any(|w| w == password.as_bytes());
    assert!(!contains(&line) && !contains(&environment));
    assert!(!contains(isolated.uri().as_bytes()) && !contains(format!("{isolated:?}").as_bytes()));
    for path in walk(&isolated.dir) {
        // A running server also renames and removes files.
        let Ok(meta) = fs::symlink_metadata(&path) else { continue };
        let mode = meta.permissions().mode();
        let servers =
            path.starts_with(&isolated.dbpath) || path.extension().is_some_and(|e| e == "log" || e == "pid");
        assert!(mode & 0o077 == 0 || servers, "{}: {mode:o}", path.display());
        if meta.is_file() && path != isolated.password_file {
            assert!(!contains(&fs::read(&path).unwrap_or_default()), "{}", path.display());
        }
    }
    assert_eq!(fs::metadata(&isolated.dir).unwrap().permissions().mode() & 0o777, 0o700);
    // TTL monitor off, no replica set, its own session.
    let uri = isolated.uri_with_password().unwrap();
    let admin = crate::common::server::connect(&uri);
    let ttl = command_on(&admin, "admin", doc! { "getParameter": 1, "ttlMonitorEnabled": 1 });
    assert!(!ttl.get_bool("ttlMonitorEnabled").unwrap());
    assert!(!command_on(&admin, "admin", doc! { "hello": 1 }).contains_key("setName"));
    // From /proc, where a session that began outside this process namespace is 0.
    let session = |pid: u32| -> i32 {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        let after_name = &stat[stat.rfind(')').unwrap() + 1..];
        after_name.split_whitespace().nth(3).unwrap().parse().unwrap()
    };
    assert_ne!(session(isolated.pid), session(std::process::id()));
}

/// The addresses a process listens on, as /proc/net/tcp and tcp6 write them.
fn listening(pid: u32) -> Vec<String> {
    let sockets: Vec<String> = fs::read_dir(format!("/proc/{pid}/fd"))
        .unwrap()
        .filter_map(|e| fs::read_link(e.unwrap().path()).ok())
        .filter_map(|l| Some(l.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .collect();
    let mut found = Vec::new();
    for table in ["tcp", "tcp6"] {
        for line in fs::read_to_string(format!("/proc/net/{table}")).unwrap_or_default().lines().skip(1) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            if fields[3] == "0A" && sockets.iter().any(|s| s == fields[9]) {
                found.push(fields[1].to_owned());
            }
        }
    }
    found
}

#[test]
fn an_isolated_server_starts_where_sockets_cannot_go() {
    let home = Home::make();
    // Too long for a socket's path, and with a comma, which separates addresses.
    let dir = home.path(&format!("{},x", "long".repeat(40)));
    let begun = Instant::now();
    let running = Running(block_on(Isolated::start(options(dir.clone()), &Meter::default())).unwrap());
    println!("started in {:?}", begun.elapsed());
    assert!(block_on(running.0.connect()).is_ok());
    assert!(running.0.obituary().is_none());
    block_on(running.0.stop()).unwrap();
    assert!(!running.0.process().is_alive());
    assert!(running.0.obituary().is_some());
}

#[test]
fn what_keeps_a_server_from_starting_is_said() {
    let home = Home::make();
    let start = |o: IsolatedOptions| block_on(Isolated::start(o, &Meter::default())).unwrap_err();
    // A taken port.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let error = start(IsolatedOptions { port: Some(port), ..options(home.path("a")) });
    assert!(error.place.contains(&port.to_string()) && error.hint.contains("port"), "{error}");
    // A directory that is not ours.
    fs::create_dir(home.path("full")).unwrap();
    fs::write(home.path("full/file"), "x").unwrap();
    fs::create_dir(home.path("empty")).unwrap();
    std::os::unix::fs::symlink(home.path("empty"), home.path("link")).unwrap();
    for name in ["full", "link", "full/file"] {
        assert_eq!(start(options(home.path(name))).class, Class::Refused, "{name}");
    }
    assert_eq!(fs::read_to_string(home.path("full/file")).unwrap(), "x");
    // A server that gives up: what it logged last is in the message.
    let fake = home.path("mongod");
    let script = "#!/bin/sh\nif [ \"$1\" = --version ]; then echo 'db version v6.0.5'; exit; fi\n\
        while [ \"$1\" != --logpath ]; do shift; done\n\
        echo '{\"s\":\"I\",\"msg\":\"hello\"}' >>\"$2\"; echo '{\"s\":\"E\",\"msg\":\"no more discs\"}' >>\"$2\"; exit 48\n";
    fs::write(&fake, script).unwrap();
    fs::set_permissions(&fake, fs::Permissions::from_mode(0o755)).unwrap();
    let mongod = find_mongod(Some(&fake), None).unwrap();
    let error = start(IsolatedOptions::new(home.path("b"), mongod));
    assert!(error.cause.contains("no more discs") && !error.cause.contains("hello"), "{error}");
}

#[test]
fn the_registry_stops_and_removes_its_own_and_nothing_else() {
    let home = Home::make();
    let running = start(&home);
    let registry = Registry::open(&home.path("registry")).unwrap();
    let record = registry.add(&running.0, Some("case")).unwrap();
    let file = home.path("registry").join(format!("{}.json", record.id));
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let password = fs::read_to_string(&running.0.password_file).unwrap();
    let text = fs::read_to_string(&file).unwrap();
    assert!(!text.contains(&password));
    let grace = Duration::from_secs(30);
    // It runs: it is listed, and cannot be removed.
    let listing = registry.list().unwrap();
    assert_eq!(listing.records, std::slice::from_ref(&record));
    assert_eq!(listing.records[0].state, RunState::Running);
    assert_eq!(registry.delete(&record.id).unwrap_err().class, Class::Refused);
    // As after a reboot, when the id means another process: a stranger is neither listed as
    // ours nor stopped, and data that any server runs on are not removed.
    let mut stranger = std::process::Command::new("sleep").arg("60").spawn().unwrap();
    // (Of a restore that was finished; an unfinished one is looked for by its data.)
    fs::remove_file(running.0.dir.join(pitstop::target::MARK)).unwrap();
    let foreign = text.replace(&record.pid.to_string(), &stranger.id().to_string());
    assert_ne!(foreign, text);
    fs::write(&file, &foreign).unwrap();
    assert_eq!(registry.list().unwrap().records[0].state, RunState::Stopped);
    block_on(registry.stop(&record.id, grace)).unwrap();
    let error = registry.delete(&record.id).unwrap_err();
    assert!(error.class == Class::Refused && error.cause.contains("another server"), "{error}");
    assert!(stranger.try_wait().unwrap().is_none() && running.0.process().is_alive());
    stranger.kill().unwrap();
    stranger.wait().unwrap();
    // The truth again: stopped, then removed.
    fs::write(&file, &text).unwrap();
    assert_eq!(block_on(registry.stop(&record.id, grace)).unwrap().state, RunState::Stopped);
    assert!(!running.0.process().is_alive());
    // Not without our marker.
    let marker = running.0.dir.join("pitstop-target.json");
    let kept = fs::read(&marker).unwrap();
    for wrong in [&b"{\"id\":\"00000000\"}"[..], b"", b"[]"] {
        fs::write(&marker, wrong).unwrap();
        assert_eq!(registry.delete(&record.id).unwrap_err().class, Class::Refused);
    }
    fs::write(&marker, kept).unwrap();
    assert!(running.0.dir.join("data").exists());
    registry.delete(&record.id).unwrap();
    assert!(!running.0.dir.exists() && registry.list().unwrap().records.is_empty());
    // Broken records are told, and do not hide the others; ids are never paths.
    fs::write(home.path("registry/worse.json"), "{").unwrap();
    assert_eq!(registry.list().unwrap().unreadable.len(), 1);
    for id in ["", "../x", "zz", "worse"] {
        assert_eq!(registry.get(id).unwrap_err().class, Class::Usage, "{id}");
    }
}
