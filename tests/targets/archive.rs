//! Archives: byte for byte what the format says, read by a parser that knows nothing of ours.
use std::fs;
use std::path::Path;

use crate::common::archive::{crc64, decoded, parse, unpacked};
use crate::zoo::{Memory, zoo};
use crate::{Home, walk};
use bson::{Bson, doc};
use pitstop::domain::progress::Meter;
use pitstop::domain::{Class, Error, Namespace};
use pitstop::engine::input::{CollectionKind, Region};
use pitstop::target::{Found, Unproven, write_archive};

fn write(place: &Path, state: &Memory) -> Unproven {
    write_archive(place, state, Some("6.0.5"), "r1", &Meter::default()).unwrap()
}

#[test]
fn an_archive_is_byte_for_byte_what_the_format_says() {
    assert_eq!(crc64(b"123456789"), 0x995D_C9BB_DF19_39FA, "the check value of CRC-64/XZ");
    let home = Home::make();
    let (state, _) = zoo();
    for name in ["state.archive", "state.archive.gz"] {
        let written = write(&home.path(name), state);
        assert!(!home.path(name).exists(), "it has its name only when it is proven");
        let bytes = fs::read(written.path()).unwrap();
        assert_eq!(bytes.starts_with(&[0x1f, 0x8b]), name.ends_with(".gz"));
        let parsed = parse(&unpacked(bytes));
        assert_eq!(parsed.head.get_str("version").unwrap(), "0.1");
        assert_eq!(parsed.head.get_str("server_version").unwrap(), "6.0.5");
        assert!(parsed.head.get_i32("concurrent_collections").unwrap() > 0);
        assert!(parsed.head.get_str("tool_version").unwrap().starts_with("pitstop"));
        assert_eq!(parsed.listed.len(), state.specs.len());
        for ((spec, documents), listed) in state.specs.iter().zip(&state.documents).zip(&parsed.listed) {
            let names: Vec<&str> = listed.keys().map(String::as_str).collect();
            assert_eq!(names, ["db", "collection", "metadata", "size", "type"]);
            let text = |key: &str| listed.get_str(key).unwrap();
            assert_eq!((text("db"), text("collection")), (spec.ns.db.as_str(), spec.ns.coll.as_str()));
            let kind = match spec.kind {
                CollectionKind::Collection => "collection",
                CollectionKind::View => "view",
                CollectionKind::Timeseries => "timeseries",
            };
            assert_eq!((text("type"), listed.get_i32("size").unwrap()), (kind, 0));
            let json: serde_json::Value = serde_json::from_str(text("metadata")).unwrap();
            let Bson::Document(metadata) = Bson::try_from(json).unwrap() else { panic!() };
            assert_eq!(metadata.get_str("collectionName").unwrap(), spec.ns.coll);
            let options = metadata.get_document("options").cloned().unwrap_or_default();
            assert_eq!(options, decoded(&spec.options));
            let indexes: Vec<Bson> = spec.indexes.iter().map(|i| Bson::Document(decoded(i))).collect();
            assert_eq!(metadata.get_array("indexes").unwrap(), &indexes);
            // Documents: of a time series under the name of its buckets, in order where it counts.
            let found = &parsed.documents[&spec.data_ns()];
            let (mut found, mut want) = (found.clone(), documents.clone());
            if !spec.ordered {
                found.sort();
                want.sort();
            }
            assert!(found == want, "{}", spec.ns);
        }
        assert_eq!(parsed.documents.len(), state.specs.len());
        assert!(parsed.switches >= parsed.documents.len());
        written.discard().unwrap();
        assert_eq!(fs::read_dir(home.0.path()).unwrap().count(), 0);
    }
}

#[test]
fn an_archive_gets_its_name_only_where_there_is_nothing() {
    let home = Home::make();
    let state = Memory::one("shop.a", &[doc! { "_id": 1 }]);
    let place = home.path("a.archive");
    fs::write(&place, "precious").unwrap();
    let refused = |place: &Path| {
        write_archive(place, &state, None, "r1", &Meter::default()).map(drop).unwrap_err().class
    };
    assert_eq!(refused(&place), Class::Refused);
    std::os::unix::fs::symlink(home.path("nowhere"), home.path("link")).unwrap();
    assert_eq!(refused(&home.path("link")), Class::Refused);
    assert_eq!(refused(&home.0.path().join("a.archive/deeper")), Class::Failed);
    // What comes while it is written is not written over either.
    let written = write(&home.path("b.archive"), &state);
    fs::write(home.path("b.archive"), "came between").unwrap();
    let error = written.publish().unwrap_err();
    assert!(error.class == Class::Refused && error.hint.contains("b.archive.partial-r1"), "{error}");
    assert_eq!(fs::read_to_string(home.path("b.archive")).unwrap(), "came between");
    assert_eq!(fs::read_to_string(&place).unwrap(), "precious");
    // What fails on the way, or is stopped, leaves nothing.
    let before = walk(home.0.path());
    let mut failing = Memory::one("shop.a", &(0..100).map(|n| doc! { "_id": n }).collect::<Vec<_>>());
    failing.hook =
        Some(Box::new(
            |n| if n == 50 { Error::failed("emitting", "", "for the test").err() } else { Ok(()) },
        ));
    let failed = write_archive(&home.path("c.archive.gz"), &failing, None, "r1", &Meter::default());
    assert_eq!(failed.unwrap_err().cause, "for the test");
    let meter = Meter::default();
    meter.cancel();
    let stopped = write_archive(&home.path("d.archive"), &state, None, "r1", &meter);
    assert_eq!(stopped.unwrap_err().class, Class::Interrupted);
    assert_eq!(walk(home.0.path()), before);
    let written = write(&home.path("e.archive"), &state);
    assert_eq!(written.publish().unwrap(), home.path("e.archive"));
    assert!(
        parse(&fs::read(home.path("e.archive")).unwrap()).documents[&Namespace::parse("shop.a")].len() == 1
    );
}

#[test]
fn what_a_reader_finds_is_held_against_what_was_written() {
    let home = Home::make();
    let documents = [doc! { "_id": 1, "a": "x" }, doc! { "_id": 2, "a": "y" }];
    let state = Memory::one("shop.a", &documents);
    let written = write(&home.path("a.archive"), &state);
    let parsed = parse(&fs::read(written.path()).unwrap());
    let ns = Namespace::parse("shop.a");
    let metadata = parsed.listed[0].get_str("metadata").unwrap();
    let region = |documents: &[Vec<u8>]| {
        Region::new(std::sync::Arc::new(documents.concat()), std::sync::Arc::from(Path::new("found")))
    };
    let whole = parsed.documents[&ns].clone();
    let verdict = |ns: &Namespace, metadata: &str, documents: &[Vec<u8>]| {
        let data = [region(documents)];
        let found = [Found { ns, metadata, data: &data }];
        let compared = written.compare(&state, &found, &Meter::default()).unwrap();
        (compared.ok(), compared.collections.iter().flat_map(|c| c.differences.clone()).collect::<Vec<_>>())
    };
    assert_eq!(verdict(&ns, metadata, &whole), (true, vec![]));
    let mut other = whole.clone();
    other[1] = bson::serialize_to_vec(&doc! { "_id": 2, "a": "z" }).unwrap();
    assert!(verdict(&ns, metadata, &other).1[0].contains("not with the same content"));
    assert!(verdict(&ns, metadata, &whole[1..]).1[0].contains("1 documents were read back, 2 were sent"));
    let (ok, said) = verdict(&ns, &metadata.replace("\"_id_\"", "\"other\""), &whole);
    assert!(!ok && said.iter().any(|d| d.contains("index")), "{said:?}");
    let (ok, said) = verdict(&Namespace::parse("shop.b"), metadata, &whole);
    assert!(!ok && said.iter().any(|d| d.contains("missing")) && said.len() == 2, "{said:?}");
}
