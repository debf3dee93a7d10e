//! Who may connect, how, and what a message shows of it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use bson::{Bson, Document, doc};
use pitstop::domain::Class;

use super::kit::*;
use crate::common::server::{Kind, Server, block_on, command_on, connect};

/// The role of the README.
fn documented_role() -> Document {
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let block = readme.split("```json").find(|b| b.contains("createRole")).unwrap();
    let json: serde_json::Value = serde_json::from_str(block.split("```").next().unwrap()).unwrap();
    let Bson::Document(role) = Bson::try_from(json).unwrap() else { panic!("no document") };
    role
}

/// The least that a user needs: the README's without what can be left out.
fn least_role() -> Bson {
    let role = documented_role();
    Bson::Array(role.get_array("privileges").unwrap()[..1].to_vec())
}

#[test]
fn the_least_role_is_enough_and_a_wrong_password_is_not_shown() {
    let home = Home::new();
    let key = home.path("key");
    fs::write(&key, "c2VjcmV0IGtleSBvZiBhIHRlc3Q=").unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let server = Server::start(Kind::ReplicaSet, &["--keyFile", key.to_str().unwrap()]);
    let host = format!("127.0.0.1:{}", server.port());
    server.run("admin", doc! { "createUser": "root", "pwd": "root", "roles": ["root"] });
    let root = connect(&format!("mongodb://root:root@{host}/?replicaSet=pit0"));
    let role = doc! { "createRole": "pitstop", "privileges": least_role(), "roles": [] };
    command_on(&root, "admin", role);
    command_on(&root, "admin", doc! { "createUser": "reader", "pwd": "s3cret/word", "roles": ["pitstop"] });
    command_on(&root, "admin", doc! { "createUser": "nobody", "pwd": "s3cret", "roles": [] });
    insert(&root, 0, 100, 10);

    let workspace =
        open(&home, &[&format!("mongodb://reader:s3cret%2Fword@{host}/?replicaSet=pit0")]).unwrap();
    assert!(entries_of(&workspace).len() > 100);
    assert!(workspace.windows[0].ring.is_some(), "the size of the oplog is known");
    drop(workspace);
    // The doctor says what this role does not tell, and is content.
    let uri = format!("mongodb://reader:s3cret%2Fword@{host}/?replicaSet=pit0");
    let machine = crate::common::cli::Machine::new();
    let ran = machine.run(&["doctor", &uri, "--criticality", "development"]);
    let role = ran.out.lines().skip_while(|l| !l.contains("role ")).take(2).collect::<String>();
    assert!(role.starts_with("note ") && role.contains("replSetGetConfig"), "{}", ran.out);
    assert!(!role.contains("collStats") && !ran.out.contains("s3cret"), "{}", ran.out);
    // With all of the README's role there is nothing left to say.
    let mut whole = documented_role();
    whole.insert("createRole", "whole");
    command_on(&root, "admin", whole);
    command_on(&root, "admin", doc! { "createUser": "full", "pwd": "s3cret", "roles": ["whole"] });
    let uri = format!("mongodb://full:s3cret@{host}/?replicaSet=pit0");
    let ran = machine.run(&["doctor", &uri, "--criticality", "development"]);
    assert!(ran.out.contains("fine   role") && !ran.out.contains("s3cret"), "{}", ran.out);
    // It could not write if it wanted to.
    let reader = connect(&format!("mongodb://reader:s3cret%2Fword@{host}/?replicaSet=pit0"));
    let database = reader.database("shop");
    let write = database.run_command(doc! { "insert": "orders", "documents": [{ "x": 1 }] });
    assert!(block_on(write.into_future()).is_err());

    // Nothing that is kept holds the password.
    let mut files = Vec::new();
    all_files(&home.path("case"), &mut files);
    assert!(files.len() > 2, "{files:?}");
    for file in files {
        let bytes = fs::read(&file).unwrap();
        assert!(!bytes.windows(6).any(|w| w == b"s3cret"), "{file:?}");
    }

    let home = Home::new();
    for uri in [
        format!("mongodb://reader:s3cretWrong@{host}/?replicaSet=pit0"),
        format!("mongodb://nobody:s3cret@{host}/?replicaSet=pit0"),
        format!("mongodb://{host}/?replicaSet=pit0"),
    ] {
        let error = open(&home, &[&uri]).err().unwrap();
        assert_eq!(error.class, Class::Failed, "{error}");
        let text = format!("{error} {error:?}");
        assert!(text.contains("uthentication") || text.contains("uthorized"), "{text}");
        assert!(error.hint.contains("find") && text.contains(&host), "{text}");
        assert!(!text.contains("s3cret"), "{text}");
    }
}

fn all_files(dir: &Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { all_files(&path, found) } else { found.push(path) }
    }
}

fn openssl(dir: &Path, arguments: &str) {
    let ran = Command::new("openssl").args(arguments.split(' ')).current_dir(dir).output();
    let output = ran.unwrap_or_else(|e| panic!("this test needs openssl: {e}"));
    assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_private_authority_is_trusted_when_it_is_named_and_only_then() {
    let home = Home::new();
    let dir = home.path("tls");
    fs::create_dir(&dir).unwrap();
    openssl(&dir, "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=private");
    openssl(&dir, "req -newkey rsa:2048 -nodes -keyout server.key -out server.csr -subj /CN=localhost");
    fs::write(dir.join("names"), "subjectAltName=DNS:localhost,IP:127.0.0.1\n").unwrap();
    openssl(
        &dir,
        "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out server.crt -days 2 -extfile names",
    );
    let both =
        [fs::read(dir.join("server.key")).unwrap(), fs::read(dir.join("server.crt")).unwrap()].concat();
    fs::write(dir.join("server.pem"), both).unwrap();
    let file = |name: &str| dir.join(name).display().to_string();
    let (server, _client) = shop(&[
        "--tlsMode",
        "preferTLS",
        "--tlsCertificateKeyFile",
        &file("server.pem"),
        "--tlsCAFile",
        &file("ca.pem"),
        "--tlsAllowConnectionsWithoutCertificates",
        "--setParameter",
        "authenticationMechanisms=SCRAM-SHA-1,SCRAM-SHA-256,MONGODB-X509",
    ]);
    let host = format!("127.0.0.1:{}", server.port());
    let trusted = format!("mongodb://{host}/?replicaSet=pit0&tls=true&tlsCAFile={}", file("ca.pem"));
    assert!(entries_of(&open(&home, &[&trusted]).unwrap()).len() > 100);
    x509(&server, &dir, &home);
    let unknown = format!("mongodb://{host}/?replicaSet=pit0&tls=true&serverSelectionTimeoutMS=2000");
    let error = open(&Home::new(), &[&unknown]).err().unwrap();
    assert_eq!(error.class, Class::Failed);
    assert!(error.hint.contains("TLS"), "{error}");
}

/// Who one is, is said by a certificate: the user is its subject, with the least role.
fn x509(server: &Server, dir: &Path, home: &Home) {
    let file = |name: &str| dir.join(name).display().to_string();
    openssl(
        dir,
        "req -newkey rsa:2048 -nodes -keyout client.key -out client.csr -subj /O=readers/CN=pitstop",
    );
    fs::write(dir.join("use"), "extendedKeyUsage=clientAuth\n").unwrap();
    openssl(
        dir,
        "x509 -req -in client.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out client.crt -days 2 -extfile use",
    );
    let both =
        [fs::read(dir.join("client.key")).unwrap(), fs::read(dir.join("client.crt")).unwrap()].concat();
    fs::write(dir.join("client.pem"), both).unwrap();
    let host = format!("127.0.0.1:{}", server.port());
    let by_certificate = |pem: &str| {
        format!(
            "mongodb://{host}/?replicaSet=pit0&tls=true&tlsCAFile={}&tlsCertificateKeyFile={}&authMechanism=MONGODB-X509&authSource=$external&serverSelectionTimeoutMS=3000",
            file("ca.pem"),
            file(pem)
        )
    };
    // Nobody of that name yet.
    let error = open(&Home::new(), &[&by_certificate("client.pem")]).err().unwrap();
    assert!(error.to_string().contains("uthenticat"), "{error}");
    server.run("admin", doc! { "createRole": "pitstop", "privileges": least_role(), "roles": [] });
    server.run(
        "$external",
        doc! { "createUser": "CN=pitstop,O=readers", "roles": [{ "role": "pitstop", "db": "admin" }] },
    );
    let home = home.path("x509");
    fs::create_dir(&home).unwrap();
    let options = pitstop::ops::OpenOptions {
        sources: vec![by_certificate("client.pem").parse().unwrap()],
        case: Some(home),
        accept_unproven: vec![],
    };
    let opened =
        pitstop::ops::Workspace::open(&options, &pitstop::domain::progress::Meter::default()).unwrap();
    assert!(entries_of(&opened).len() > 100);
    // The certificate of somebody else's authority is no certificate.
    openssl(
        dir,
        "req -x509 -newkey rsa:2048 -nodes -keyout other.key -out other.crt -days 2 -subj /O=readers/CN=pitstop",
    );
    let both = [fs::read(dir.join("other.key")).unwrap(), fs::read(dir.join("other.crt")).unwrap()].concat();
    fs::write(dir.join("other.pem"), both).unwrap();
    assert!(open(&Home::new(), &[&by_certificate("other.pem")]).is_err());
}
