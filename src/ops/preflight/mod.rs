//! Whether the place a state is to go to can hold it: the release of its server, how far that is
//! kept back (feature compatibility), and the space on its disk. Asked before anything is touched;
//! `plan` shows the answer, `restore` goes by it.

mod features;

use std::path::{Path, PathBuf};

use crate::case::servers_dir;
use crate::domain::text::bytes;
use crate::domain::{Error, Result};
use crate::engine::output::State;
use crate::ops::plan::Planned;
use crate::ops::restore::TargetSpec;
use crate::ops::select::{Selected, Selection};
use crate::source::Snapshot;
use crate::target::{FREE_FLOOR, Mongod, Server, find_mongod, free_space};

use features::{Series, features};

/// The oldest server that is written to: older ones lack updates by pipelines.
const OLDEST: Series = (4, 2);

/// What a fresh server writes beside documents, whatever it holds: its journal and its own tables.
const SERVER_ITSELF: u64 = 350 << 20;

/// The place a state is to go to, as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// For messages: `mongod 6.0.5`, a server's address, a folder.
    pub name: String,
    /// The release of its server; a dump directory has none and holds anything.
    pub release: Option<(u32, u32, u32)>,
    /// What its server is kept back to.
    pub compatibility: Option<Series>,
    /// The folder that takes the documents, where it is on this machine.
    pub folder: Option<PathBuf>,
    /// What is written there beside the documents.
    pub overhead: u64,
}

impl Place {
    /// A server of this binary, in this folder.
    pub fn isolated(mongod: &Mongod, folder: &Path) -> Place {
        let (a, b, c) = mongod.version;
        Place {
            name: format!("mongod {a}.{b}.{c}"),
            release: Some(mongod.version),
            compatibility: None,
            folder: Some(folder.to_owned()),
            overhead: SERVER_ITSELF,
        }
    }

    /// A dump directory, or an archive.
    pub fn dump(dir: &Path) -> Place {
        let name = format!("{:?}", dir.display().to_string());
        Place { name, release: None, compatibility: None, folder: Some(dir.to_owned()), overhead: 0 }
    }

    /// A server that runs already; its disk is not ours to look at.
    pub async fn server(server: &Server) -> Result<Place> {
        Ok(Place {
            name: server.address().to_owned(),
            release: Some(server.version().await?),
            compatibility: server.compatibility().await,
            folder: None,
            overhead: 0,
        })
    }

    /// The place behind a target. Asks the server, or looks for the binary.
    pub fn of(target: &TargetSpec, mongod: Option<&Path>) -> Result<Place> {
        match target {
            TargetSpec::Isolated => Ok(Place::isolated(&find_mongod(mongod, None)?, &servers_dir()?)),
            TargetSpec::Dump(place) | TargetSpec::Archive(place) => Ok(Place::dump(place)),
            TargetSpec::Server(uri) => {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .map_err(|e| Error::failed("starting the runtime", "", e))?;
                runtime.block_on(async { Place::server(&Server::connect(uri).await?).await })
            }
        }
    }
}

/// Looks at the target of a plan: adds what should be known of it to the plan's notes, and gives
/// the reason why a restore would be refused there, if there is one. A target that cannot be
/// looked at now is a note: a restore may find it.
pub fn look(
    planned: &mut Planned<'_>,
    selection: &Selection,
    target: &TargetSpec,
    mongod: Option<&Path>,
) -> Result<Option<Box<Error>>> {
    let place = match Place::of(target, mongod) {
        Ok(place) => Place { folder: planned.plan.how.dbpath.clone().or(place.folder.clone()), ..place },
        Err(error) => {
            planned.plan.notes.push(format!("the target cannot be looked at now: {}", error.cause));
            return Ok(None);
        }
    };
    let state = Selected::new(&planned.walk.state, selection)?;
    match preflight(&state, planned.snapshot, &place) {
        Ok(notes) => planned.plan.notes.extend(notes),
        Err(refusal) => return Ok(Some(refusal)),
    }
    Ok(None)
}

/// Refuses a place that cannot hold the state, by name; else gives what should be known of it.
pub fn preflight(state: &dyn State, snapshot: &Snapshot, place: &Place) -> Result<Vec<String>> {
    let mut notes = Vec::new();
    if let Some(release) = place.release {
        notes.extend(able(state, snapshot.base.server, place, release)?);
    }
    if let Some(folder) = &place.folder {
        notes.push(roomy(state, folder, place.overhead)?);
    }
    Ok(notes)
}

fn able(
    state: &dyn State,
    source: Option<Series>,
    place: &Place,
    (a, b, c): (u32, u32, u32),
) -> Result<Option<String>> {
    let doing = "choosing the server for the restored state";
    let kept_back = place.compatibility.filter(|kept| *kept < (a, b));
    let able = kept_back.unwrap_or((a, b));
    let hint = "name a newer mongod with --mongod, leave the collection out with --ns-exclude, or use --target dump:DIR.";
    if able < OLDEST {
        return Error::inexact(doing, &place.name, "pitstop writes to servers from 4.2 on")
            .hint("name a newer mongod with --mongod, or use --target dump:DIR.")
            .err();
    }
    for spec in state.collections() {
        for feature in features(spec, source) {
            if feature.since > able {
                let (x, y) = feature.since;
                let says = match kept_back {
                    Some((k, l)) => format!("its feature compatibility version is {k}.{l}"),
                    None => format!("it is {a}.{b}.{c}"),
                };
                return Error::inexact(
                    doing,
                    &place.name,
                    format!(
                        "{:?} needs MongoDB {x}.{y} or newer for: {}; {says}",
                        spec.ns.to_string(),
                        feature.name
                    ),
                )
                .hint(hint)
                .err();
            }
        }
    }
    Ok(match source {
        None => Some("the version of the snapshot's server is unknown".to_owned()),
        Some(source) if source == (a, b) && kept_back.is_none() => None,
        Some((x, y)) if (a, b) < (x, y) => Some(format!(
            "the snapshot comes from MongoDB {x}.{y}, the target is the older {a}.{b}.{c}: it has the features that \
             collections and indexes use, but may refuse a view or a field name that it does not know"
        )),
        Some((x, y)) => Some(format!("the snapshot comes from MongoDB {x}.{y}, the target is {a}.{b}.{c}")),
    })
}

fn roomy(state: &dyn State, folder: &Path, overhead: u64) -> Result<String> {
    let needed = state.collections().iter().fold(overhead, |sum, spec| sum.saturating_add(spec.bytes));
    let free = free_space(folder)?;
    if needed.saturating_add(FREE_FLOOR) <= free {
        // Read before a restore and behind it.
        return Ok(format!("up to {} to write, {} free before it", bytes(needed), bytes(free)));
    }
    Error::inexact(
        "checking the free space for",
        format!("{:?}", folder.display().to_string()),
        format!(
            "up to {} are to be written where {} are free, of which {} are to stay free",
            bytes(needed),
            bytes(free),
            bytes(FREE_FLOOR)
        ),
    )
    .hint("free some space, name a folder on another disk, or restore less with --ns.")
    .err()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use crate::domain::{Class, Namespace};
    use crate::engine::input::CollectionKind;
    use crate::engine::output::{CollectionSpec, Sink};
    use bson::{Document, doc};

    struct Specs(Vec<CollectionSpec>);

    impl State for Specs {
        fn collections(&self) -> &[CollectionSpec] {
            &self.0
        }
        fn chunks(&self, _: usize) -> usize {
            0
        }
        fn emit(&self, _: usize, _: usize, _: &mut Sink<'_>) -> Result<()> {
            Ok(())
        }
        fn finish(&self, _: usize) -> Result<()> {
            Ok(())
        }
    }

    fn with(options: Document, bytes: u64) -> Specs {
        Specs(vec![CollectionSpec {
            ns: Namespace::parse("shop.orders"),
            kind: CollectionKind::Collection,
            options: bson::serialize_to_vec(&options).unwrap(),
            indexes: vec![],
            ordered: false,
            documents: 1,
            bytes,
        }])
    }

    fn server(release: (u32, u32, u32), compatibility: Option<Series>) -> Place {
        Place { name: "there".into(), release: Some(release), compatibility, folder: None, overhead: 0 }
    }

    #[test]
    fn an_older_server_is_refused_for_what_it_lacks_and_for_nothing_else() {
        let clustered = with(doc! { "clusteredIndex": { "key": { "_id": 1 } } }, 0);
        let check = |state: &Specs, place: &Place| {
            able(state, Some((6, 0)), place, place.release.unwrap()).map_err(|e| {
                assert_eq!(e.class, Class::Inexact);
                e.to_string()
            })
        };
        assert_eq!(check(&clustered, &server((6, 0, 5), None)).unwrap(), None);
        let refused = check(&clustered, &server((5, 0, 9), None)).unwrap_err();
        for word in ["shop.orders", "clusteredIndex", "5.3", "5.0.9", "--ns-exclude"] {
            assert!(refused.contains(word), "{refused}");
        }
        let kept = check(&clustered, &server((6, 0, 5), Some((5, 0)))).unwrap_err();
        assert!(kept.contains("compatibility version is 5.0"), "{kept}");
        let plain = with(doc! {}, 0);
        assert!(check(&plain, &server((4, 4, 2), None)).unwrap().unwrap().contains("older 4.4.2"));
        assert!(check(&plain, &server((7, 0, 1), None)).unwrap().unwrap().contains("7.0.1"));
        assert!(check(&plain, &server((4, 0, 9), None)).unwrap_err().contains("4.2"));
        assert!(check(&plain, &server((6, 0, 5), Some((6, 0)))).unwrap().is_none());
    }

    #[test]
    fn a_disk_that_is_too_small_is_refused_with_both_numbers() {
        let dir = tempfile::tempdir().unwrap();
        assert!(roomy(&with(doc! {}, 1000), dir.path(), 0).unwrap().contains("1.0 kB"));
        let free = free_space(dir.path()).unwrap();
        for much in [free, u64::MAX / 2] {
            let error = roomy(&with(doc! {}, much), &dir.path().join("not/yet"), 0).unwrap_err();
            assert_eq!(error.class, Class::Inexact);
            assert!(error.cause.contains("to stay free") && error.place.contains("not/yet"), "{error}");
        }
    }
}
