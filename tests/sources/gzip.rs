//! Compressed sources: unpacked once, privately, and never taken for whole when they are not.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use pitstop::domain::Class;
use pitstop::domain::progress::Meter;
use pitstop::source;

use super::kit::{Folder, entry, gzip};

fn entries(n: u32) -> Vec<u8> {
    (1..=n)
        .flat_map(|i| entry(i, format!("{:x}", u64::from(i).wrapping_mul(0x9E37_79B9_7F4A_7C15))))
        .collect()
}

#[test]
fn cut_off_anywhere_it_is_an_error_that_says_where() {
    let folder = Folder::new();
    let whole = gzip(&entries(20));
    for end in 2..whole.len() {
        folder.write("cut", &whole[..end]);
        let error = folder.open(&["cut"]).unwrap_err();
        assert_eq!(error.class, Class::Failed, "cut at {end}");
        assert!(error.cause.contains("cut off"), "cut at {end}: {error}");
        assert!(error.place.contains("at compressed byte"), "cut at {end}: {error}");
    }
}

#[test]
fn what_follows_the_last_member_is_an_error() {
    let folder = Folder::new();
    for garbage in [&b"\0"[..], b"garbage", &[0x1f], &[0x1f, 0x8b], &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]] {
        folder.write("more", [&gzip(&entries(20))[..], garbage].concat());
        let error = folder.open(&["more"]).unwrap_err();
        assert_eq!(error.class, Class::Failed, "{garbage:?}");
        folder.write("much.more", [&gzip(&entries(20_000))[..], garbage].concat());
        let error = folder.open(&["much.more"]).unwrap_err();
        assert_eq!(error.class, Class::Failed, "{garbage:?}");
    }
}

#[test]
fn a_wrong_checksum_is_an_error() {
    let folder = Folder::new();
    for size in [20, 20_000] {
        let mut broken = gzip(&entries(size));
        let at = broken.len() - 8;
        broken[at] ^= 1;
        folder.write("broken", &broken);
        assert_eq!(folder.open(&["broken"]).unwrap_err().class, Class::Failed, "{size}");
        assert_eq!(fs::read_dir(folder.unpacked()).map_or(0, Iterator::count), 0, "a partial file stays");
    }
}

#[test]
fn several_members_are_one_file() {
    let folder = Folder::new();
    let parts = [entries(10), (11..=20).flat_map(|i| entry(i, 0)).collect()];
    folder.write("members", parts.map(|p| gzip(&p)).concat());
    assert_eq!(folder.open(&["members"]).unwrap().slices[0].entries, 20);
}

#[test]
fn a_large_file_is_unpacked_once_and_privately() {
    let folder = Folder::new();
    let path = folder.write("slice.gz", gzip(&entries(20_000)));
    let inspect = || {
        let opened = folder.open(&["slice.gz"]).unwrap();
        assert_eq!(opened.slices[0].entries, 20_000);
        let files: Vec<_> = fs::read_dir(folder.unpacked()).unwrap().map(|e| e.unwrap().path()).collect();
        assert_eq!(files.len(), 1, "{files:?}");
        let meta = fs::metadata(&files[0]).unwrap();
        assert_eq!(meta.permissions().mode() & 0o777, 0o600);
        meta.ino()
    };
    let first = inspect();
    assert_eq!(fs::metadata(folder.unpacked()).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(inspect(), first, "it was unpacked again");
    // Another file under the same name is unpacked anew.
    fs::remove_file(&path).unwrap();
    folder.write("slice.gz", gzip(&entries(20_001)));
    assert_eq!(folder.open(&["slice.gz"]).unwrap().slices[0].entries, 20_001);
}

#[test]
fn an_entry_longer_than_the_first_look_is_an_entry() {
    let folder = Folder::new();
    let long = [entry(1, "x".repeat(300_000)), entry(2, 2)].concat();
    folder.write("plain", &long);
    folder.write("packed", gzip(&long));
    assert_eq!(folder.open(&["plain", "packed"]).unwrap().slices.len(), 2);
    folder.write("cut", &long[..200_000]);
    let error = folder.open(&["cut"]).unwrap_err();
    assert!(error.cause.contains("cut off: 200000 of"), "{error}");
}

#[test]
fn work_stops_when_asked_to() {
    let folder = Folder::new();
    let path = folder.write("slice.gz", gzip(&entries(20_000)));
    let meter = Meter::default();
    meter.cancel();
    let error = source::open(&[path], &folder.unpacked(), &meter).unwrap_err();
    assert_eq!(error.class, Class::Interrupted);
    assert_eq!(fs::read_dir(folder.unpacked()).map_or(0, Iterator::count), 0);
}
