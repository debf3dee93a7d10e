//! Finding sources in folders, by what is in the files.

use std::os::unix::fs::symlink;

use bson::doc;
use pitstop::domain::Class;

use super::kit::{ArchiveWriter, Folder, bytes, documents, entry, gzip, metadata};

fn dump(folder: &Folder, path: &str) {
    folder.write(&format!("{path}/oplog.bson"), entry(1, 1));
    folder.write(&format!("{path}/shop/orders.bson"), bytes(&doc! { "_id": 1 }));
    folder.write(&format!("{path}/shop/orders.metadata.json"), metadata("orders", 1));
}

fn ids(folder: &Folder, paths: &[&str]) -> Vec<String> {
    folder.open(paths).unwrap().snapshots.iter().map(|s| s.id.clone()).collect()
}

#[test]
fn everything_in_a_folder_is_found_whatever_its_name() {
    let folder = Folder::new();
    dump(&folder, "all/monday");
    dump(&folder, "all/deep/er/tuesday");
    let mut archive = ArchiveWriter::new(&[("", "oplog", String::new())]);
    archive.end("", "oplog", &[]);
    folder.write("all/notes.txt", &archive.bytes);
    folder.write("all/picture.png", gzip(&archive.bytes));
    folder.write("all/slices/0001.dat", entry(1, 1));
    folder.write("all/slices/0002.bson", gzip(&entry(2, 1)));
    folder.write("all/slices/0002.metadata.json", metadata("oplog.rs", 3));
    folder.write("all/truth.json", "{}");
    let opened = folder.open(&["all"]).unwrap();
    let found: Vec<_> = opened.snapshots.iter().map(|s| s.id.as_str()).collect();
    assert_eq!(found, ["tuesday", "monday", "notes.txt", "picture.png"]);
    assert_eq!(opened.slices.len(), 2);
    let passed: Vec<_> = opened.notes.iter().filter(|n| n.contains("passed over")).collect();
    assert_eq!(passed.len(), 1);
    assert!(passed[0].contains("truth.json") && passed[0].contains("JSON text"), "{passed:?}");
    // Naming a part of it again adds nothing.
    let again = folder.open(&["all", "all/monday", "all/slices/0001.dat", "all"]).unwrap();
    assert_eq!((again.snapshots.len(), again.slices.len()), (4, 2));
}

#[test]
fn snapshots_of_one_name_are_told_apart() {
    let folder = Folder::new();
    dump(&folder, "all/1/dump");
    dump(&folder, "all/2/dump");
    dump(&folder, "all/3/other");
    assert_eq!(ids(&folder, &["all"]), ["1/dump", "2/dump", "other"]);
    assert_eq!(ids(&folder, &["all/2/dump"]), ["dump"]);
}

#[test]
fn a_collection_that_looks_like_an_oplog_is_data() {
    let folder = Folder::new();
    dump(&folder, "dump");
    folder.write("dump/mirror/oplog.rs.bson", entry(7, 1));
    folder.write("dump/mirror/oplog.rs.metadata.json", metadata("oplog.rs", 2));
    folder.write("dump/shop/oplog.bson", entry(8, 1));
    let opened = folder.open(&["dump"]).unwrap();
    assert_eq!(opened.slices.len(), 0);
    assert_eq!(documents(&opened, 0, "mirror.oplog.rs"), [entry(7, 1)]);
    assert_eq!(documents(&opened, 0, "shop.oplog"), [entry(8, 1)]);
    assert_eq!(opened.snapshots[0].oplog.as_ref().unwrap().entries, 1);
}

#[test]
fn a_folder_with_an_oplog_only_is_a_slice() {
    let folder = Folder::new();
    folder.write("replay/oplog.bson", entry(1, 1));
    folder.write("0001/local/oplog.rs.bson", entry(1, 1));
    folder.write("0001/local/oplog.rs.metadata.json", metadata("oplog.rs", 2));
    folder.write("0001/local/prelude.json", "{}");
    for path in ["replay", "0001", "0001/local", "0001/local/oplog.rs.bson"] {
        let opened = folder.open(&[path]).unwrap();
        assert_eq!((opened.snapshots.len(), opened.slices.len()), (0, 1), "{path}");
        assert!(opened.notes.is_empty());
    }
}

#[test]
fn links_neither_lead_out_nor_in_circles() {
    let folder = Folder::new();
    dump(&folder, "outside/dump");
    folder.write("all/slice", entry(1, 1));
    symlink(folder.at("all"), folder.at("all/circle")).unwrap();
    symlink(folder.at("outside"), folder.at("all/out")).unwrap();
    let opened = folder.open(&["all"]).unwrap();
    assert_eq!((opened.snapshots.len(), opened.slices.len()), (0, 1));
    assert!(opened.notes[0].contains("symbolic link"), "{:?}", opened.notes);
    // A link that is named itself is followed.
    symlink(folder.at("outside/dump"), folder.at("newest")).unwrap();
    assert_eq!(folder.open(&["newest"]).unwrap().snapshots.len(), 1);
}

#[test]
fn what_is_unpacked_is_not_found_again() {
    let folder = Folder::new();
    let run: Vec<u8> = (1..4000).flat_map(|i| entry(i, "some text to make it long")).collect();
    folder.write("slice.gz", gzip(&run));
    let root = folder.at("");
    let unpacked = folder.at("case/unpacked");
    for _ in 0..2 {
        let meter = pitstop::domain::progress::Meter::default();
        let opened = pitstop::source::open(std::slice::from_ref(&root), &unpacked, &meter).unwrap();
        assert_eq!(opened.slices.len(), 1);
        assert!(unpacked.read_dir().unwrap().count() == 1);
    }
}

#[test]
fn what_is_named_and_is_nothing_is_an_error_that_says_what_it_is() {
    let folder = Folder::new();
    dump(&folder, "dump");
    folder.write("a.json", "{}");
    folder.write("a.gz", gzip(b"hello"));
    folder.write("a.zst", zstd::encode_all("hello".as_bytes(), 0).unwrap());
    folder.write("nothing/a.txt", "hello");
    std::fs::create_dir_all(folder.at("empty")).unwrap();
    for (path, says) in [
        ("a.json", "JSON text"),
        ("a.gz", "compressed, with text"),
        ("a.zst", "compressed, with text"),
        ("dump/shop/orders.bson", "no oplog entries"),
        ("dump/shop", "one database of a dump"),
        ("nothing", "a.txt"),
        ("empty", "the folder is empty"),
    ] {
        let error = folder.open(&[path]).unwrap_err();
        assert_eq!(error.class, Class::Usage, "{path}: {error}");
        assert!(error.cause.contains(says), "{path}: {error}");
        assert!(!error.hint.is_empty());
    }
    assert_eq!(folder.open(&["absent"]).unwrap_err().class, Class::Failed);
}

#[test]
fn a_broken_slice_in_a_folder_is_not_passed_over() {
    let folder = Folder::new();
    folder.write("all/0001.bson", entry(1, 1));
    let whole = entry(2, "text");
    folder.write("all/0002.bson", &whole[..whole.len() - 3]);
    assert!(folder.open(&["all"]).unwrap_err().place.contains("0002.bson"));
    let packed = gzip(&whole);
    folder.write("all/0002.bson", &packed[..packed.len() - 3]);
    assert!(folder.open(&["all"]).unwrap_err().place.contains("0002.bson"));
}
