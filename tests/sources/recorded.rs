//! The recorded backups, read by the product and by nothing but `bson` and `serde_json`.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::Path;

use bson::{Bson, Document};
use pitstop::domain::progress::Meter;
use pitstop::domain::{OpTime, Position};
use pitstop::source::{self, Format, Oplog};

use super::common::fixtures::{ALL, fixture};
use super::common::truth::{Truth, json};
use super::kit::{Folder, split};

fn unpacked(path: &Path) -> Vec<u8> {
    let bytes = fs::read(path).unwrap();
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return bytes;
    }
    let mut plain = Vec::new();
    flate2::read::MultiGzDecoder::new(bytes.as_slice()).read_to_end(&mut plain).unwrap();
    plain
}

fn optime(entry: &[u8]) -> OpTime {
    let entry: Document = bson::deserialize_from_slice(entry).unwrap();
    let ts = entry.get_timestamp("ts").unwrap();
    OpTime { pos: Position::new(ts.time, ts.increment), term: entry.get_i64("t").unwrap() }
}

#[test]
fn a_fixture_is_found_whole() {
    for name in ALL {
        let folder = Folder::new();
        let root = fixture(name);
        let opened =
            source::open(std::slice::from_ref(&root), &folder.unpacked(), &Meter::default()).unwrap();
        let found: Vec<_> =
            opened.snapshots.iter().map(|s| (s.id.as_str(), s.format, s.compressed)).collect();
        let want = [
            ("dump-dir", Format::Directory, false),
            ("dump-gz", Format::Directory, true),
            ("dump.archive", Format::Archive, false),
            ("dump.archive.gz", Format::Archive, true),
        ];
        assert_eq!(found, want, "{name}");

        let truth = Truth::read(&root);
        let (ours, others): (Vec<_>, Vec<_>) =
            opened.slices.iter().partition(|s| Path::new(&s.name).starts_with(root.join("oplog")));
        let slices: Vec<_> = ours.iter().map(|s| (s.first.pos, s.last.pos)).collect();
        let want: Vec<_> = truth.slices.iter().map(|s| (s.from, s.through)).collect();
        assert_eq!(slices, want, "{name}");
        // The three slices of the backup tool that compresses with zstd here, and with s2 there.
        assert_eq!(others.len(), if name == "pbm50" { 3 } else { 0 }, "{name}");
        let with_others = Oplog::join(opened.slices.clone(), &[]).unwrap();
        assert_eq!((with_others.segments().len(), with_others.gaps().len()), (1, 0), "{name}");

        // The slices contain what the dumps have of the oplog, and all of it fits together.
        let mut all: Vec<_> = ours.into_iter().cloned().collect();
        all.extend(opened.snapshots.iter().map(|s| s.oplog.clone().unwrap()));
        let oplog = Oplog::join(all, &[]).unwrap();
        assert_eq!((oplog.segments().len(), oplog.gaps().len()), (1, 0), "{name}");
        let mut entries = BTreeMap::new();
        for number in 1..=5 {
            let local = root.join(format!("oplog/000{number}/local"));
            let file = ["oplog.rs.bson", "oplog.rs.bson.gz"].map(|f| local.join(f));
            let file = file.iter().find(|f| f.exists()).unwrap();
            entries.extend(split(&unpacked(file)).into_iter().map(|e| (optime(&e).pos, e)));
        }
        let got: Vec<_> = oplog.entries(Position::MIN, Position::MAX).map(|e| e.unwrap()).collect();
        assert_eq!(got.len() as u64, oplog.len());
        assert!(got.iter().map(|e| e.raw.bytes()).eq(entries.values().map(Vec::as_slice)), "{name}");
        for snapshot in &opened.snapshots {
            assert_eq!(snapshot.server_version.as_ref(), Some(&truth.server), "{name}");
            let number = snapshot.base.server.unwrap();
            assert!(truth.server.starts_with(&format!("{}.{}.", number.0, number.1)), "{name}");
        }
    }
}

#[test]
fn a_dump_directory_is_what_its_files_say() {
    for name in ALL {
        let folder = Folder::new();
        for kind in ["dump-dir", "dump-gz"] {
            let root = fixture(name).join(kind);
            let opened =
                source::open(std::slice::from_ref(&root), &folder.unpacked(), &Meter::default()).unwrap();
            let snapshot = &opened.snapshots[0];
            let own = split(&unpacked(&root.join("oplog.bson")));
            assert_eq!(
                snapshot.window(),
                Some((optime(own.first().unwrap()), optime(own.last().unwrap()))),
                "{name} {kind}"
            );
            assert_eq!(snapshot.oplog.as_ref().unwrap().entries, own.len() as u64);

            let mut want = BTreeMap::new();
            for db in fs::read_dir(&root).unwrap().map(|e| e.unwrap().path()).filter(|p| p.is_dir()) {
                for file in fs::read_dir(&db).unwrap().map(|e| e.unwrap().path()) {
                    let text = file.to_string_lossy().into_owned();
                    let Some(stem) = text.trim_end_matches(".gz").strip_suffix(".metadata.json") else {
                        continue;
                    };
                    let meta = json(&String::from_utf8(unpacked(&file)).unwrap());
                    let stem = match meta.get_str("type") {
                        Ok("timeseries") => {
                            let (db, collection) = stem.rsplit_once('/').unwrap();
                            format!("{db}/system.buckets.{collection}")
                        }
                        _ => stem.to_owned(),
                    };
                    let data = [format!("{stem}.bson"), format!("{stem}.bson.gz")];
                    let data = data.iter().find(|d| Path::new(d).exists());
                    let data = data.map(|d| unpacked(Path::new(d))).unwrap_or_default();
                    let db = db.file_name().unwrap().to_string_lossy().into_owned();
                    want.insert(format!("{db}.{}", meta.get_str("collectionName").unwrap()), (meta, data));
                }
            }
            let aside: Vec<_> = snapshot.set_aside.iter().map(|ns| ns.to_string()).collect();
            assert_eq!(aside, ["admin.system.version"]);
            want.remove("admin.system.version").unwrap();
            let names: Vec<_> = snapshot.base.collections.iter().map(|c| c.ns.to_string()).collect();
            assert!(names.iter().eq(want.keys()), "{name} {kind}: {names:?}");
            for (collection, count) in snapshot.base.collections.iter().zip(&snapshot.counts) {
                let (meta, data) = &want[&collection.ns.to_string()];
                let got: Vec<u8> = collection.data.iter().flat_map(|r| r.bytes().to_vec()).collect();
                assert!(&got == data, "{name} {kind} {}", collection.ns);
                let documents = split(data).len() as u64;
                assert_eq!(count, &(collection.ns.clone(), documents, data.len() as u64));
                let options: Document = bson::deserialize_from_slice(&collection.options).unwrap();
                assert_eq!(options, meta.get_document("options").cloned().unwrap_or_default());
                let indexes: Vec<Bson> = collection
                    .indexes
                    .iter()
                    .map(|i| Bson::Document(bson::deserialize_from_slice(i).unwrap()))
                    .collect();
                let mut want = meta.get_array("indexes").unwrap().clone();
                want.iter_mut().for_each(|i| drop(i.as_document_mut().unwrap().remove("ns")));
                assert_eq!(indexes, want, "{name} {kind} {}", collection.ns);
                let uuid: Option<String> = collection.uuid.map(|u| super::common::dump::hex(&u));
                assert_eq!(uuid.as_deref(), meta.get_str("uuid").ok());
                assert_eq!(format!("{:?}", collection.kind).to_lowercase(), meta.get_str("type").unwrap());
            }
        }
    }
}
