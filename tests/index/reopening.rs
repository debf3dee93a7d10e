//! An index is used again for the same bytes, as far as they are the same, and for no others.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use bson::{Document, doc};
use pitstop::domain::Class;
use pitstop::domain::progress::Meter;
use pitstop::index::OpIndex;
use pitstop::source::Oplog;

use crate::made::{SECOND, bytes, open};

/// What is done to the bytes of a file.
type Damage = fn(&mut Vec<u8>);

/// Enough for several parts in a file.
const MANY: usize = 40_000;

struct Place {
    root: tempfile::TempDir,
}

impl Place {
    fn new() -> Place {
        Place { root: tempfile::tempdir().unwrap() }
    }

    fn index_dir(&self) -> PathBuf {
        self.root.path().join("index")
    }

    fn file(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// Writes a file as if an hour ago: its time is a proof then.
    fn write(&self, name: &str, entries: &[Document]) -> PathBuf {
        let file = self.file(name);
        fs::write(&file, bytes(entries)).unwrap();
        age(&file, 3600);
        file
    }

    fn oplog(&self, names: &[&str]) -> Oplog {
        let files: Vec<PathBuf> = names.iter().map(|name| self.file(name)).collect();
        open(&files, &self.root.path().join("unpacked"))
    }

    fn found(&self, oplog: &Oplog) -> OpIndex {
        OpIndex::open(&self.index_dir(), oplog, &Meter::default()).unwrap()
    }

    fn built(&self, oplog: &Oplog) -> OpIndex {
        OpIndex::open_or_build(&self.index_dir(), oplog, &Meter::default()).unwrap()
    }
}

fn age(file: &Path, secs: u64) {
    let time = SystemTime::now() - Duration::from_secs(secs);
    fs::File::options().write(true).open(file).unwrap().set_modified(time).unwrap();
}

fn entries(count: usize, name: &str) -> Vec<Document> {
    let text = "x".repeat(200);
    (0..count as u32)
        .map(|n| {
            doc! {
                "op": "i", "ns": format!("shop.{name}"), "o": { "_id": n as i32, "text": &text },
                "ts": bson::Timestamp { time: SECOND + n / 50, increment: n % 50 + 1 }, "t": 1i64, "v": 2i64,
            }
        })
        .collect()
}

/// Whatever was reused, the index has to be that of the oplog.
fn is_that_of(index: &OpIndex, oplog: &Oplog) {
    let mut row = 0;
    for entry in oplog.entries(pitstop::domain::Position::MIN, pitstop::domain::Position::MAX) {
        let entry = entry.unwrap();
        let got = index.row(row).unwrap();
        assert_eq!((got.pos, &*got.ns), (entry.at.pos, entry.ns), "row {row}");
        assert_eq!(index.entry(row).unwrap().raw, entry.raw, "row {row}");
        row += 1;
    }
    assert_eq!(index.len(), row);
    assert!(index.is_complete());
}

#[test]
fn the_same_files_need_no_second_pass() {
    let place = Place::new();
    place.write("a.bson", &entries(MANY, "orders"));
    let oplog = place.oplog(&["a.bson"]);
    is_that_of(&place.built(&oplog), &oplog);
    for seconds in [3600, 0] {
        // Just written, the time proves nothing: the bytes are compared.
        age(&place.file("a.bson"), seconds);
        let oplog = place.oplog(&["a.bson"]);
        let again = place.found(&oplog);
        assert!(again.is_complete(), "changed {seconds} s ago");
        is_that_of(&again, &oplog);
    }
    // Private, all of it.
    use std::os::unix::fs::PermissionsExt;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&place.index_dir()), 0o700);
    for file in fs::read_dir(place.index_dir()).unwrap() {
        assert_eq!(mode(&file.unwrap().path()), 0o600);
    }
}

#[test]
fn a_file_that_has_grown_is_read_from_there_on() {
    let place = Place::new();
    let all = entries(MANY, "orders");
    place.write("a.bson", &all[..MANY / 2]);
    place.built(&place.oplog(&["a.bson"]));
    place.write("a.bson", &all);
    let oplog = place.oplog(&["a.bson"]);
    let grown = place.found(&oplog);
    assert_eq!((grown.len(), grown.is_complete()), (MANY as u64 / 2, false));
    let meter = Meter::default();
    grown.complete(&meter).unwrap();
    assert_eq!(meter.read().done, MANY as u64 / 2, "only what is new is read");
    is_that_of(&grown, &oplog);
    drop(grown);
    is_that_of(&place.found(&oplog), &oplog);
}

#[test]
fn a_new_slice_is_read_alone() {
    let place = Place::new();
    let all = entries(MANY, "orders");
    place.write("a.bson", &all[..MANY / 2]);
    place.built(&place.oplog(&["a.bson"]));
    // They share an entry: that is what joins them.
    place.write("b.bson", &all[MANY / 2 - 1..]);
    let oplog = place.oplog(&["a.bson", "b.bson"]);
    let more = place.found(&oplog);
    assert_eq!((more.len(), more.is_complete()), (MANY as u64 / 2, false));
    more.complete(&Meter::default()).unwrap();
    is_that_of(&more, &oplog);
}

#[test]
fn a_file_that_was_cut_off_keeps_whole_parts() {
    let place = Place::new();
    let all = entries(MANY, "orders");
    place.write("a.bson", &all);
    place.built(&place.oplog(&["a.bson"]));
    place.write("a.bson", &all[..MANY * 9 / 10]);
    let oplog = place.oplog(&["a.bson"]);
    let cut = place.found(&oplog);
    assert!(!cut.is_complete() && cut.len() < MANY as u64 * 9 / 10);
    cut.complete(&Meter::default()).unwrap();
    is_that_of(&cut, &oplog);
}

#[test]
fn a_swapped_file_is_indexed_anew() {
    let place = Place::new();
    place.write("a.bson", &entries(MANY, "orders"));
    place.built(&place.oplog(&["a.bson"]));
    // The same length, the same beginning and end, another text in the middle.
    let mut other = entries(MANY, "orders");
    other[MANY / 2].insert("ns", "shop.ORDERS");
    let file = place.write("a.bson", &other);
    for seconds in [3600, 0] {
        age(&file, seconds);
        let oplog = place.oplog(&["a.bson"]);
        let index = place.built(&oplog);
        assert_eq!(&*index.row(MANY as u64 / 2).unwrap().ns, "shop.ORDERS");
        is_that_of(&index, &oplog);
    }
    // Another oplog altogether, under the same name.
    place.write("a.bson", &entries(500, "customers"));
    let oplog = place.oplog(&["a.bson"]);
    assert_eq!(place.found(&oplog).len(), 0);
    is_that_of(&place.built(&oplog), &oplog);
}

#[test]
fn pieces_that_have_changed_places_are_indexed_anew() {
    let place = Place::new();
    let all = entries(3000, "orders");
    place.write("b.bson", &all[1000..]);
    place.built(&place.oplog(&["b.bson"]));
    place.write("a.bson", &all[..1001]);
    let oplog = place.oplog(&["a.bson", "b.bson"]);
    is_that_of(&place.built(&oplog), &oplog);
}

#[test]
fn damage_to_the_index_is_noticed() {
    let place = Place::new();
    place.write("a.bson", &entries(MANY, "orders"));
    let oplog = place.oplog(&["a.bson"]);
    let damage: [(&str, Damage); 8] = [
        ("header", |b| b.truncate(b.len() / 2)),
        ("header", |b| b.clear()),
        ("header", |b| *b = String::from_utf8(b.clone()).unwrap().replace("orders", "others").into()),
        ("what", |b| b.truncate(b.len() - 1)),
        ("pos", |b| b[0] ^= 1),
        ("key", |b| *b.last_mut().unwrap() ^= 1),
        ("ns", |b| b.fill(0xff)),
        ("place", |b| b.clear()),
    ];
    for (file, change) in damage {
        drop(place.built(&oplog));
        let path = place.index_dir().join(file);
        let mut bytes = fs::read(&path).unwrap();
        change(&mut bytes);
        fs::write(&path, bytes).unwrap();
        let found = place.found(&oplog);
        assert_eq!((found.len(), found.is_complete()), (0, false), "{file}");
        drop(found);
        is_that_of(&place.built(&oplog), &oplog);
    }
}

#[test]
fn an_index_of_another_version_is_built_anew() {
    let place = Place::new();
    place.write("a.bson", &entries(500, "orders"));
    let oplog = place.oplog(&["a.bson"]);
    drop(place.built(&oplog));
    let path = place.index_dir().join("header");
    let text = fs::read_to_string(&path).unwrap();
    let json = text.split_once('\n').unwrap().1.replace(r#""version":1"#, r#""version":0"#);
    assert!(!text.ends_with(&json));
    let checksum = xxhash_rust::xxh3::xxh3_64(json.as_bytes());
    fs::write(&path, format!("{checksum:016x}\n{json}")).unwrap();
    assert_eq!(place.found(&oplog).len(), 0);
    is_that_of(&place.built(&oplog), &oplog);
}

#[test]
fn what_was_indexed_before_an_interruption_is_kept_and_usable() {
    let place = Place::new();
    place.write("a.bson", &entries(MANY, "orders"));
    let oplog = place.oplog(&["a.bson"]);
    let index = place.found(&oplog);
    let meter = Meter::default();
    let interrupted = std::thread::scope(|scope| {
        scope.spawn(|| {
            while index.is_empty() && !index.is_complete() {
                std::thread::yield_now();
            }
            meter.cancel();
        });
        index.complete(&meter)
    });
    // It may have been too fast for us.
    if let Err(error) = interrupted {
        assert_eq!(error.class, Class::Interrupted);
        assert!(!index.is_empty() && !index.is_complete());
        for row in index.window(0..index.len()) {
            assert_eq!(&*row.ns, "shop.orders");
        }
        let kept = index.len();
        drop(index);
        let index = place.found(&oplog);
        assert_eq!((index.len(), index.is_complete()), (kept, false));
        index.complete(&Meter::default()).unwrap();
        is_that_of(&index, &oplog);
    }
}

#[test]
fn an_interruption_before_the_first_part_keeps_nothing() {
    let place = Place::new();
    place.write("a.bson", &entries(5000, "orders"));
    let oplog = place.oplog(&["a.bson"]);
    let index = place.found(&oplog);
    let meter = Meter::default();
    meter.cancel();
    assert_eq!(index.complete(&meter).unwrap_err().class, Class::Interrupted);
    assert!(index.is_empty());
    index.complete(&Meter::default()).unwrap();
    is_that_of(&index, &oplog);
}

#[test]
fn nobody_writes_where_somebody_else_does() {
    let place = Place::new();
    place.write("a.bson", &entries(5000, "orders"));
    let oplog = place.oplog(&["a.bson"]);
    let first = place.found(&oplog);
    // The first has yet to write; the second makes its own.
    let second = place.built(&oplog);
    is_that_of(&second, &oplog);
    first.complete(&Meter::default()).unwrap();
    is_that_of(&first, &oplog);
    // Both may read.
    let third = place.found(&oplog);
    is_that_of(&third, &oplog);
    // A third who has other files must not disturb them.
    place.write("b.bson", &entries(7000, "others"));
    let other = place.oplog(&["b.bson"]);
    is_that_of(&place.built(&other), &other);
    is_that_of(&first, &oplog);
    drop((first, second, third));
    let left: Vec<_> = fs::read_dir(place.index_dir()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().starts_with("own-")), "{left:?}");
}

/// What a killed process leaves is a folder with a lock that nobody holds.
#[test]
fn what_a_killed_user_has_left_is_removed_and_what_is_in_use_is_not() {
    let place = Place::new();
    place.write("a.bson", &entries(5000, "orders"));
    let oplog = place.oplog(&["a.bson"]);
    let holder = place.found(&oplog);
    let own = || {
        let all = fs::read_dir(place.index_dir()).unwrap().map(|e| e.unwrap().path());
        let mut own: Vec<PathBuf> = all.filter(|p| p.to_string_lossy().contains("/own-")).collect();
        own.sort();
        own
    };
    let private = place.built(&oplog);
    let in_use = own();
    assert_eq!(in_use.len(), 1);
    let left = place.index_dir().join("own-left");
    fs::create_dir(&left).unwrap();
    fs::write(left.join("lock"), "").unwrap();
    fs::write(left.join("pos"), "much").unwrap();
    assert_eq!(place.built(&oplog).len(), 5000);
    assert!(left.exists(), "the folder is not held alone");
    drop(holder);
    drop(place.built(&oplog));
    assert_eq!(own(), in_use);
    is_that_of(&private, &oplog);
    drop(private);
    assert_eq!(own(), Vec::<PathBuf>::new());
}

#[test]
fn no_oplog_is_an_empty_index() {
    let place = Place::new();
    let index = place.built(&Oplog::default());
    assert!(index.is_empty() && index.is_complete());
    assert_eq!(index.row(0), None);
}

/// What opening the source has found out is kept as well: each entry's frame and position.
#[test]
fn a_large_file_that_is_the_same_is_not_walked_again() {
    let place = Place::new();
    let all = entries(MANY, "orders");
    let file = place.write("a.bson", &all);
    let oplog = place.oplog(&["a.bson"]);
    let middle = bytes(&all[..MANY / 2]).len();
    // Something nobody sees who does not walk: the time and the length stay.
    let mut damaged = fs::read(&file).unwrap();
    damaged[middle] ^= 1;
    let time = fs::metadata(&file).unwrap().modified().unwrap();
    fs::write(&file, &damaged).unwrap();
    fs::File::options().write(true).open(&file).unwrap().set_modified(time).unwrap();
    let again = place.oplog(&["a.bson"]);
    assert_eq!((again.len(), again.first(), again.last()), (oplog.len(), oplog.first(), oplog.last()));
    let pos = |entry: Option<pitstop::engine::entry::Entry<'_>>| entry.unwrap().at.pos;
    for n in [0, 1, 127, 128, 129, 5000, 15_000] {
        let ts = all[n].get_timestamp("ts").unwrap();
        let at = pitstop::domain::Position::new(ts.time, ts.increment);
        assert_eq!(pos(again.find(at).unwrap()), at);
    }

    let walk = || {
        let unpacked = place.root.path().join("unpacked");
        pitstop::source::open(std::slice::from_ref(&file), &unpacked, &Meter::default()).map(|_| ())
    };
    age(&file, 1800);
    assert!(walk().unwrap_err().to_string().contains("at byte"), "another time: everything is checked");
    fs::File::options().write(true).open(&file).unwrap().set_modified(time).unwrap();
    walk().unwrap();
    let marks: Vec<PathBuf> =
        fs::read_dir(place.root.path().join("unpacked")).unwrap().map(|f| f.unwrap().path()).collect();
    let [marks] = marks.as_slice() else { panic!("{marks:?}") };
    let mut bytes = fs::read(marks).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(marks, bytes).unwrap();
    assert!(walk().is_err(), "what was kept is damaged: everything is checked");
}
