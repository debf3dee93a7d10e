//! Archives: any interleaving gives the same documents, anything broken is named.

use pitstop::domain::{Class, Position};
use pitstop::source::{Format, Oplog};
use proptest::collection::vec;
use proptest::prelude::*;

use super::kit::{ArchiveWriter, Folder, bytes, documents, entry, gzip, metadata};

/// Documents of different sizes, down to the empty one.
fn document(seed: usize) -> Vec<u8> {
    if seed.is_multiple_of(11) {
        return bytes(&bson::Document::new());
    }
    bytes(&bson::doc! { "_id": seed as i64, "s": "x".repeat(seed * 7 % 50) })
}

const NAMES: [(&str, &str); 4] = [("a", "x"), ("a", "y.z"), ("b", "x"), ("", "oplog")];

/// Writes the namespaces' documents in blocks; `turns` says whose block of which size is next.
fn interleave(contents: &[Vec<Vec<u8>>; 4], turns: &[(usize, usize)]) -> Vec<u8> {
    let list: Vec<_> = NAMES
        .iter()
        .enumerate()
        .map(|(i, (db, c))| (*db, *c, if db.is_empty() { String::new() } else { metadata(c, i as u8) }))
        .collect();
    let mut out = ArchiveWriter::new(&list);
    let mut done = [0; 4];
    let mut ended = [false; 4];
    let rest = (0..4).map(|who| (who, usize::MAX));
    for (who, size) in turns.iter().copied().chain(rest) {
        if ended[who] {
            continue;
        }
        let (db, collection) = NAMES[who];
        let all = &contents[who];
        let end = done[who] + size.min(all.len() - done[who]);
        out.block(db, collection, &all[done[who]..end]);
        done[who] = end;
        if end == all.len() {
            out.end(db, collection, all);
            ended[who] = true;
        }
    }
    out.bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_interleaving_gives_the_same_documents(
        sizes in prop::array::uniform4(0usize..30),
        turns in vec((0usize..4, 0usize..6), 0..60),
        compressed: bool,
    ) {
        let contents = [0, 1, 2, 3].map(|who| match who {
            3 => (0..sizes[3]).map(|n| entry(n as u32 + 1, n as i64)).collect::<Vec<_>>(),
            _ => (0..sizes[who]).map(|n| document(n + who * 100)).collect(),
        });
        let archive = interleave(&contents, &turns);
        let folder = Folder::new();
        folder.write("dump", if compressed { gzip(&archive) } else { archive });
        let opened = folder.open(&["dump"]).unwrap();
        let snapshot = &opened.snapshots[0];
        prop_assert_eq!((snapshot.format, snapshot.compressed), (Format::Archive, compressed));
        for (who, (db, collection)) in NAMES.iter().enumerate().take(3) {
            prop_assert_eq!(&documents(&opened, 0, &format!("{db}.{collection}")), &contents[who]);
        }
        let oplog = Oplog::join(snapshot.oplog.clone().into_iter().collect(), &[]).unwrap();
        let entries: Vec<_> =
            oplog.entries(Position::MIN, Position::MAX).map(|e| e.unwrap().raw.bytes().to_vec()).collect();
        prop_assert_eq!(&entries, &contents[3]);
        prop_assert_eq!(snapshot.edge().is_some(), !contents[3].is_empty());
    }
}

fn small() -> Vec<u8> {
    let contents =
        [vec![document(1), document(2)], vec![], vec![document(11)], vec![entry(1, 1), entry(2, 2)]];
    interleave(&contents, &[(0, 1), (2, 1), (3, 1)])
}

#[test]
fn cut_off_anywhere_it_is_an_error_that_says_where() {
    let whole = small();
    let folder = Folder::new();
    folder.write("whole", &whole);
    folder.open(&["whole"]).unwrap();
    for end in 1..whole.len() {
        folder.write("cut", &whole[..end]);
        let error = folder.open(&["cut"]).unwrap_err();
        if end >= 4 {
            assert_eq!(error.class, Class::Failed, "cut at {end}: {error}");
            assert!(error.place.contains("at byte"), "cut at {end}: {error}");
            assert!(!error.hint.is_empty());
        }
    }
}

#[test]
fn a_flipped_bit_in_a_document_is_found() {
    let whole = small();
    let folder = Folder::new();
    let text = document(2);
    let at = whole.windows(text.len()).position(|w| w == text).unwrap();
    // The value of `_id`: nothing but the checksum can tell.
    let mut broken = whole.clone();
    broken[at + 9] ^= 1;
    folder.write("broken", &broken);
    let error = folder.open(&["broken"]).unwrap_err();
    assert!(error.cause.contains("the checksum of \"a.x\""), "{error}");
    // Whatever byte is broken, the result is an error or an archive, and no panic.
    for at in 0..whole.len() {
        let mut broken = whole.clone();
        broken[at] ^= 0x11;
        folder.write("broken", &broken);
        let _ = folder.open(&["broken"]);
    }
}

#[test]
fn what_breaks_the_rules_of_the_format_is_refused() {
    let list = [("a", "x", String::new()), ("a", "y", String::new())];
    let docs = [document(1)];
    let mut cases: Vec<(&str, ArchiveWriter)> = Vec::new();
    let mut case = |what, fill: &dyn Fn(&mut ArchiveWriter)| {
        let mut writer = ArchiveWriter::new(&list);
        fill(&mut writer);
        cases.push((what, writer));
    };
    case("goes on behind its end", &|w| {
        w.end("a", "x", &[]);
        w.block("a", "x", &docs);
    });
    case("ends before the end of \"a.y\"", &|w| w.end("a", "x", &[]));
    case("is not in the archive's list", &|w| w.block("a", "z", &docs));
    case("the checksum of", &|w| w.end("a", "x", &docs));
    case("the head of a block is missing", &|w| w.bytes.extend([0xff; 4]));
    case("has no namespace", &|w| w.bytes.extend(&docs[0]));
    case("documents follow the end", &|w| {
        w.end("a", "x", &[]);
        let terminator = w.bytes.len() - 4;
        w.bytes.truncate(terminator);
        w.bytes.extend(&docs[0]);
        w.bytes.extend([0xff; 4]);
    });
    case("is no length of a document", &|w| {
        w.end("a", "x", &[]);
        w.end("a", "y", &[]);
        w.bytes.extend([0, 0, 0, 0]);
    });
    let folder = Folder::new();
    for (what, writer) in cases {
        folder.write("broken", &writer.bytes);
        let error = folder.open(&["broken"]).unwrap_err();
        assert!(error.cause.contains(what), "{what}: {error}");
    }
}

#[test]
fn the_buckets_of_a_time_series_belong_to_it() {
    let text = r#"{"options":{"timeseries":{"timeField":"t"}},"indexes":[],"collectionName":"temps","type":"timeseries"}"#;
    let mut writer = ArchiveWriter::new(&[("zoo", "temps", text.to_owned())]);
    writer.block("zoo", "system.buckets.temps", &[document(1)]);
    let cut = writer.bytes.clone();
    writer.end("zoo", "system.buckets.temps", &[document(1)]);
    let folder = Folder::new();
    folder.write("dump", &writer.bytes);
    let opened = folder.open(&["dump"]).unwrap();
    assert_eq!(documents(&opened, 0, "zoo.temps"), [document(1)]);
    folder.write("cut", &cut);
    assert!(folder.open(&["cut"]).unwrap_err().cause.contains("ends before the end"));
}

#[test]
fn an_archive_of_the_oplog_collection_is_a_slice() {
    let entries = [entry(1, 1), entry(2, 2)];
    let mut writer = ArchiveWriter::new(&[("local", "oplog.rs", metadata("oplog.rs", 7))]);
    writer.block("local", "oplog.rs", &entries);
    writer.end("local", "oplog.rs", &entries);
    let folder = Folder::new();
    folder.write("slice", &writer.bytes);
    let opened = folder.open(&["slice"]).unwrap();
    assert_eq!((opened.snapshots.len(), opened.slices.len()), (0, 1));
    assert_eq!(opened.slices[0].entries, 2);
}
