//! Dump directories: names, kinds, and what is missing or does not belong there.

use std::os::unix::fs::symlink;

use bson::{Document, doc};
use pitstop::domain::Class;
use pitstop::engine::input::CollectionKind;
use pitstop::source::{Opened, Snapshot};

use super::kit::{Folder, bytes, documents, entry, gzip, metadata, pos};

fn collection<'a>(snapshot: &'a Snapshot, ns: &str) -> &'a pitstop::engine::input::BaseCollection {
    let found = snapshot.base.collections.iter().find(|c| c.ns.to_string() == ns);
    found.unwrap_or_else(|| panic!("{ns} is not in {:?}", snapshot.counts))
}

fn names(opened: &Opened) -> Vec<String> {
    opened.snapshots[0].counts.iter().map(|(ns, ..)| ns.to_string()).collect()
}

#[test]
fn every_kind_of_namespace() {
    let folder = Folder::new();
    let one = bytes(&doc! { "_id": 1 });
    folder.write("dump/prelude.json", r#"{"ServerVersion":"7.0.11","ToolVersion":"unknown"}"#);
    folder.write("dump/oplog.bson", gzip(&[entry(3, 1), entry(4, 1)].concat()));
    folder.write("dump/shop/orders.bson", &one);
    folder.write("dump/shop/orders.metadata.json", metadata("orders", 1));
    folder.write("dump/shop/empty.bson", "");
    folder.write("dump/shop/empty.metadata.json", metadata("empty", 2));
    folder.write("dump/shop/lost.metadata.json", metadata("lost", 3));
    folder.write("dump/shop/bare.bson", &one);
    folder.write(
        "dump/shop/active.metadata.json",
        r#"{"options":{"viewOn":"orders","pipeline":[]},"indexes":[]}"#,
    );
    folder.write(
        "dump/shop/temps.metadata.json",
        r#"{"options":{"timeseries":{"timeField":"t"}},"indexes":[],"collectionName":"temps","type":"timeseries"}"#,
    );
    folder.write("dump/shop/system.buckets.temps.bson", &one);
    folder.write("dump/shop/system.buckets.gone.bson", &one);
    folder.write("dump/shop/system.buckets.never.bson", "");
    folder.write("dump/shop/system.profile.bson", &one);
    folder.write("dump/shop/system.js.bson", &one);
    folder.write("dump/shop/$admin.system.users.bson", &one);
    folder.write("dump/shop/$admin.system.version.bson", &one);
    folder.write("dump/admin/system.users.bson", &one);
    folder.write("dump/admin/system.version.bson", &one);
    folder.write("dump/config/settings.bson", &one);
    folder.write("dump/local/oplog.rs.bson", [entry(4, 1), entry(5, 1)].concat());
    folder.write("dump/shop/README", "hello");
    let opened = folder.open(&["dump"]).unwrap();
    let snapshot = &opened.snapshots[0];
    assert_eq!(
        names(&opened),
        [
            "shop.active",
            "shop.bare",
            "shop.empty",
            "shop.lost",
            "shop.orders",
            "shop.system.js",
            "shop.temps"
        ]
    );
    let auth: Vec<_> = snapshot.auth.iter().map(|c| c.ns.to_string()).collect();
    assert_eq!(auth, ["admin.system.users", "shop.$admin.system.users"]);
    let aside: Vec<_> = snapshot.set_aside.iter().map(|ns| ns.to_string()).collect();
    assert_eq!(
        aside,
        [
            "admin.system.version",
            "config.settings",
            "shop.$admin.system.version",
            "shop.system.buckets.gone",
            "shop.system.profile"
        ]
    );
    assert_eq!(
        (snapshot.server_version.as_deref(), snapshot.tool_version.as_deref()),
        (Some("7.0.11"), None)
    );
    assert_eq!(snapshot.base.server, Some((7, 0)));
    assert_eq!(snapshot.edge(), Some(pos(4)));
    assert!(snapshot.compressed);
    assert_eq!(collection(snapshot, "shop.active").kind, CollectionKind::View);
    let temps = collection(snapshot, "shop.temps");
    assert_eq!((temps.kind, temps.uuid), (CollectionKind::Timeseries, None));
    assert_eq!(documents(&opened, 0, "shop.temps").len(), 1);
    assert_eq!(collection(snapshot, "shop.orders").uuid, Some([1; 16]));
    assert!(collection(snapshot, "shop.bare").indexes.is_empty());
    assert_eq!(opened.slices.len(), 1, "the dumped local.oplog.rs");
    for part in ["bare", "lost", "README", "system.buckets.gone"] {
        assert_eq!(opened.notes.iter().filter(|n| n.contains(part)).count(), 1, "{part}: {:?}", opened.notes);
    }
}

#[test]
fn names_are_what_they_stand_for() {
    let folder = Folder::new();
    let raw = format!("a+b%41{}", "/".repeat(120));
    let long =
        format!("{}%24{}", format!("a%2Bb%2541{}", "%2F".repeat(120)).get(..208).unwrap(), "h".repeat(27));
    folder.write("dump/../dump/x y/we.ird+name%2F100%25+%C3%BC.bson", "");
    folder.write("dump/x y/%2E%2E%2F%2E%2E%2Fetc%2Fpasswd.bson", "");
    folder.write("dump/x y/%00.bson", "");
    folder.write("dump/x y/plain.metadata.json", metadata("plain", 1));
    folder.write(&format!("dump/x y/{long}.bson"), bytes(&doc! { "_id": 1 }));
    folder.write(&format!("dump/x y/{long}.metadata.json"), metadata(&raw, 2));
    let opened = folder.open(&["dump"]).unwrap();
    let mut want = vec![
        "x y.\0".to_owned(),
        "x y.../../etc/passwd".to_owned(),
        format!("x y.{raw}"),
        "x y.plain".to_owned(),
        "x y.we.ird name/100% ü".to_owned(),
    ];
    want.sort();
    assert_eq!(names(&opened), want);
    assert_eq!(documents(&opened, 0, &format!("x y.{raw}")).len(), 1);
    std::fs::remove_file(folder.at(&format!("dump/x y/{long}.metadata.json"))).unwrap();
    assert!(folder.open(&["dump"]).unwrap_err().cause.contains("shortened"));
}

#[test]
fn options_and_indexes_come_back_as_they_were() {
    let folder = Folder::new();
    let text = r#"{"options":{"validator":{"$jsonSchema":{"properties":{"a":{"bsonType":"long"}}},
        "e":{"$regex":"^x","$options":"i"},"r":{"$regularExpression":{"pattern":"p","options":"m"}},
        "d":{"$gt":{"$date":{"$numberLong":"0"}}},"n":{"$in":[{"$numberLong":"1"},{"$numberDouble":"1.0"},1]}}},
        "indexes":[{"v":{"$numberInt":"2"},"key":{"b":{"$numberInt":"1"},"a":{"$numberDouble":"-1.0"}},"name":"i","ns":"shop.orders",
        "partialFilterExpression":{"s":{"$regex":"^a","$options":""},"ns":1}}],"uuid":"","collectionName":"orders"}"#;
    folder.write("dump/shop/orders.metadata.json", text);
    folder.write("dump/shop/orders.bson", "");
    let opened = folder.open(&["dump"]).unwrap();
    let orders = collection(&opened.snapshots[0], "shop.orders");
    let read = |bytes: &[u8]| -> Document { bson::deserialize_from_slice(bytes).unwrap() };
    let regex = bson::Regex { pattern: "p".try_into().unwrap(), options: "m".try_into().unwrap() };
    assert_eq!(
        read(&orders.options),
        doc! { "validator": {
            "$jsonSchema": { "properties": { "a": { "bsonType": "long" } } },
            "e": { "$regex": "^x", "$options": "i" }, "r": regex,
            "d": { "$gt": bson::DateTime::from_millis(0) }, "n": { "$in": [1i64, 1.0, 1] },
        } }
    );
    assert_eq!(
        read(&orders.indexes[0]),
        doc! { "v": 2, "key": { "b": 1, "a": -1.0 }, "name": "i",
        "partialFilterExpression": { "s": { "$regex": "^a", "$options": "" }, "ns": 1 } }
    );
}

#[test]
fn broken_documents_are_named_with_file_and_byte() {
    let folder = Folder::new();
    let whole = [bytes(&doc! { "_id": 1 }), bytes(&doc! { "_id": 2, "s": "abc" })].concat();
    let first = bytes(&doc! { "_id": 1 }).len();
    folder.write("dump/shop/orders.metadata.json", metadata("orders", 1));
    for end in (first + 1)..whole.len() {
        folder.write("dump/shop/orders.bson", &whole[..end]);
        let error = folder.open(&["dump"]).unwrap_err();
        assert_eq!(error.class, Class::Failed);
        assert!(error.place.ends_with(&format!("orders.bson\" at byte {first}")), "{error}");
        assert!(error.cause.contains("cut off"), "{error}");
    }
    folder.write("dump/shop/orders.bson", [&whole[..], b"garbage"].concat());
    assert!(folder.open(&["dump"]).is_err());
    // Set aside is not unchecked.
    folder.write("dump/shop/orders.bson", &whole);
    folder.write("dump/admin/system.version.bson", &whole[..first + 1]);
    assert!(folder.open(&["dump"]).is_err());
}

#[test]
fn broken_metadata_is_an_error() {
    let folder = Folder::new();
    folder.write("dump/shop/orders.bson", bytes(&doc! { "_id": 1 }));
    for text in [
        "{",
        "[]",
        r#"{"options":[]}"#,
        r#"{"indexes":{}}"#,
        r#"{"indexes":[1]}"#,
        r#"{"uuid":"12"}"#,
        r#"{"type":"unheard of"}"#,
        r#"{"options":{"size":{"$numberInt":"x"}}}"#,
    ] {
        folder.write("dump/shop/orders.metadata.json", text);
        let error = folder.open(&["dump"]).unwrap_err();
        assert!(error.place.contains("orders.metadata.json"), "{text}: {error}");
    }
}

#[test]
fn mixed_up_dumps_are_refused() {
    let folder = Folder::new();
    let one = bytes(&doc! { "_id": 1 });
    for (name, files) in [
        ("twice", vec![("orders.bson", one.clone()), ("orders.bson.gz", gzip(&one))]),
        ("two names", vec![("a b.bson", one.clone()), ("a+b.bson", one.clone())]),
        ("bad name", vec![("a%2.bson", one.clone())]),
        (
            "view",
            vec![("v.bson", one.clone()), ("v.metadata.json", br#"{"options":{"viewOn":"x"}}"#.to_vec())],
        ),
        (
            "series",
            vec![("v.bson", one.clone()), ("v.metadata.json", br#"{"options":{"timeseries":{}}}"#.to_vec())],
        ),
    ] {
        for (file, content) in files {
            folder.write(&format!("{name}/shop/{file}"), content);
        }
        folder.write(&format!("{name}/shop/good.metadata.json"), metadata("good", 1));
        let error = folder.open(&[name]).unwrap_err();
        assert_eq!(error.class, Class::Failed, "{name}");
        assert!(!error.hint.is_empty() && !error.place.is_empty(), "{error}");
    }
}

#[test]
fn links_are_followed_inside_a_dump_only() {
    let folder = Folder::new();
    let one = bytes(&doc! { "_id": 1 });
    folder.write("elsewhere", &one);
    folder.write("dump/shop/orders.metadata.json", metadata("orders", 1));
    folder.write("dump/data/orders", &one);
    symlink(folder.at("dump/data/orders"), folder.at("dump/shop/orders.bson")).unwrap();
    assert_eq!(documents(&folder.open(&["dump"]).unwrap(), 0, "shop.orders").len(), 1);
    for target in ["elsewhere", "nothing"] {
        std::fs::remove_file(folder.at("dump/shop/orders.bson")).unwrap();
        symlink(folder.at(target), folder.at("dump/shop/orders.bson")).unwrap();
        let error = folder.open(&["dump"]).unwrap_err();
        assert!(error.cause.contains("symbolic link"), "{error}");
    }
}

#[test]
fn the_prelude_of_one_database() {
    let folder = Folder::new();
    folder.write("dump/shop/prelude.json", r#"{"ServerVersion":"6.0.5","ToolVersion":"100.13.0"}"#);
    folder.write("dump/shop/orders.metadata.json.gz", gzip(metadata("orders", 1).as_bytes()));
    folder.write("dump/shop/orders.bson.gz", gzip(&bytes(&doc! { "_id": 1 })));
    let opened = folder.open(&["dump"]).unwrap();
    let snapshot = &opened.snapshots[0];
    assert_eq!(snapshot.tool_version.as_deref(), Some("100.13.0"));
    assert_eq!((snapshot.edge(), snapshot.compressed), (None, true));
}
