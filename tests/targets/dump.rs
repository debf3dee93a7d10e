//! Dump directories.
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::common::truth::compare_dump;
use crate::zoo::{Memory, zoo};
use crate::{Home, walk};
use bson::doc;
use pitstop::domain::progress::Meter;
use pitstop::domain::{Class, Error};
use pitstop::engine::input::CollectionKind;
use pitstop::target::{DumpOptions, MARK, write_dump};

#[test]
fn a_zoo_arrives_exactly_in_a_dump_directory() {
    let home = Home::make();
    let (state, truth) = zoo();
    let dir = home.path("dump");
    let written = write_dump(&dir, state, &DumpOptions::new("r1", Some("6.0.5")), &Meter::default()).unwrap();
    let wrong: Vec<_> = written.verification.collections.iter().filter(|c| !c.ok()).collect();
    assert!(written.verification.ok(), "{wrong:?}");
    assert_eq!(written.dir, dir);
    assert_eq!(compare_dump(&dir, truth), Vec::<String>::new());
    let prelude = fs::read_to_string(dir.join("prelude.json")).unwrap();
    assert!(prelude.starts_with(r#"{"ServerVersion":"6.0.5""#), "{prelude}");
    let names: Vec<_> = fs::read_dir(home.0.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names, ["dump"], "nothing is left beside it");
    let mut files = 0;
    for entry in walk(&dir) {
        let meta = fs::symlink_metadata(&entry).unwrap();
        let mode = meta.permissions().mode() & 0o777;
        assert_eq!(mode, if meta.is_dir() { 0o700 } else { 0o600 }, "{}", entry.display());
        files += usize::from(meta.is_file());
    }
    let views = state.specs.iter().filter(|s| s.kind == CollectionKind::View).count();
    assert_eq!(files, 2 * state.specs.len() - views + 1);
    // Names as the format has them.
    assert!(
        dir.join("zoo/slash%2F..%2F...bson").exists() && dir.join("zoo/with+space.metadata.json").exists()
    );
    assert!(
        dir.join("zoo/system.buckets.weather.bson").exists()
            && dir.join("zoo/weather.metadata.json").exists()
    );
}

#[test]
fn a_dump_is_never_written_over_anything() {
    let home = Home::make();
    let state = Memory::one("shop.a", &[doc! { "_id": 1 }]);
    let options = DumpOptions::new("r1", None);
    let write = |dir: &Path, state: &Memory| write_dump(dir, state, &options, &Meter::default());
    fs::create_dir(home.path("full")).unwrap();
    fs::write(home.path("full/file"), "x").unwrap();
    fs::create_dir(home.path("empty")).unwrap();
    std::os::unix::fs::symlink(home.path("empty"), home.path("link")).unwrap();
    for name in ["full", "link", "full/file"] {
        assert_eq!(write(&home.path(name), &state).unwrap_err().class, Class::Refused, "{name}");
    }
    let before: Vec<PathBuf> = walk(home.0.path());
    // A database that would be a path.
    for db in ["..", "a/b", "/tmp"] {
        let mut hostile = Memory::one("shop.a", &[doc! { "_id": 1 }]);
        hostile.specs[0].ns.db = db.to_owned();
        let error = write(&home.path("new"), &hostile).unwrap_err();
        assert!(error.class == Class::Refused && error.place.contains(&format!("{db:?}")), "{error}");
    }
    assert_eq!(walk(home.0.path()), before, "nothing was created");
    assert!(write(&home.path("empty"), &state).unwrap().verification.ok());
    assert!(home.path("empty/shop/a.bson").exists() && !home.path("empty").join(MARK).exists());
    // What fails half way stays visibly unfinished.
    let mut failing = Memory::one("shop.a", &(0..100).map(|n| doc! { "_id": n }).collect::<Vec<_>>());
    failing.hook =
        Some(Box::new(
            |n| if n == 50 { Error::failed("emitting", "", "for the test").err() } else { Ok(()) },
        ));
    let error = write(&home.path("half"), &failing).unwrap_err();
    assert!(error.cause == "for the test" && error.hint.contains("half.partial-"), "{error}");
    assert!(!home.path("half").exists());
    let left = fs::read_dir(home.0.path()).unwrap().map(|e| e.unwrap().path());
    let left: Vec<PathBuf> = left.filter(|p| p.to_string_lossy().contains("half.partial-")).collect();
    assert_eq!(left.len(), 1);
    assert!(left[0].join(MARK).exists());
}
