//! Opening: sources become snapshots and one joined oplog, inside a case.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use crate::case::Case;
use crate::domain::coverage::{Gap, Segment};
use crate::domain::plan::valid_stops;
use crate::domain::snapshot::{CollectionInfo, SnapshotInfo};
use crate::domain::source::Source;
use crate::domain::stop::ValidStops;
use crate::domain::window::Window;
use crate::domain::{Error, Namespace, Position, Result, progress::Meter, progress::Phase};
use crate::engine::input::CollectionKind;
use crate::index::OpIndex;
use crate::source::live::{self, Secured};
use crate::source::oplog::Oplog;
use crate::source::{self, Format, Opened, Snapshot};

/// What to open, and how.
#[derive(Debug, Clone, Default)]
pub struct OpenOptions {
    /// The sources, as given.
    pub sources: Vec<Source>,
    /// The case folder, if not the one derived from the sources.
    pub case: Option<PathBuf>,
    /// Joints without a shared entry that are accepted on request.
    pub accept_unproven: Vec<Position>,
}

/// Everything one incident is about, opened.
pub struct Workspace {
    /// Where findings are kept.
    pub case: Case,
    /// The snapshots, newest edge last; those without an edge first.
    pub snapshots: Vec<Snapshot>,
    /// The same, for humans.
    pub infos: Vec<SnapshotInfo>,
    /// All oplog there is, joined.
    pub oplog: Oplog,
    /// Things passed over, one sentence each.
    pub notes: Vec<String>,
    /// Where everything is on disk: the sources that are paths, and the folders that live ones
    /// were secured into. Opening these gives the same again, without any server.
    pub paths: Vec<PathBuf>,
    /// How far the oplogs of the live sources reach, in the order they were given; none for one
    /// that could not be reached.
    pub windows: Vec<Window>,
    /// Who answered for the live sources: the name of the set, and the member.
    pub live: Vec<String>,
    index: Mutex<Option<Arc<OpIndex>>>,
}

impl Workspace {
    /// Opens everything.
    pub fn open(options: &OpenOptions, meter: &Meter) -> Result<Workspace> {
        if options.sources.is_empty() {
            return Error::usage("opening", "", "no source was named")
                .hint("name a dump directory, an archive, an oplog file, a folder of oplog slices, or mongodb://….")
                .err();
        }
        meter.enter(Phase::Open, 0);
        let identities: Vec<PathBuf> = options.sources.iter().map(Source::identity).collect();
        let case = Case::open(options.case.as_deref(), &identities)?;
        super::findings::opened(&case, &identities)?;
        // The live ones first: their oldest entries are overwritten while the others are read.
        let live = secure(&options.sources, &case, meter)?;
        let mut paths: Vec<PathBuf> = options.sources.iter().filter_map(Source::path).cloned().collect();
        let mut opened = source::open(&paths, &case.unpack_dir(), meter)?;
        let (mut windows, mut members) = (Vec::new(), Vec::new());
        for secured in live {
            members.extend(secured.set.map(|set| format!("{} {}", set.name, set.member)));
            opened.slices.extend(secured.slices);
            opened.notes.extend(secured.notes);
            paths.push(secured.folder);
            windows.extend(secured.window);
        }
        opened.snapshots.sort_by_key(|s| s.edge());
        let own = opened.snapshots.iter().filter_map(|s| s.oplog.clone());
        let slices = opened.slices.into_iter().chain(own).collect();
        let oplog = Oplog::join(slices, &options.accept_unproven)?;
        let infos = opened.snapshots.iter().map(info).collect();
        if !oplog.unproven().is_empty() {
            let joints = serde_json::to_value(oplog.unproven()).unwrap_or_default();
            case.journal().record("accepted-unproven", serde_json::json!({ "joints": joints }))?;
        }
        let index = Mutex::new(None);
        let Opened { snapshots, notes, .. } = opened;
        Ok(Workspace { case, snapshots, infos, oplog, notes, paths, windows, live: members, index })
    }

    /// The op index, finished: built when it is asked for first, and kept in the case.
    pub fn index(&self, meter: &Meter) -> Result<Arc<OpIndex>> {
        let index = self.index_so_far(meter)?;
        index.complete(meter)?;
        Ok(index)
    }

    /// The op index as far as it is known, be it empty; [`OpIndex::complete`] adds the rest, from
    /// whatever thread.
    pub fn index_so_far(&self, meter: &Meter) -> Result<Arc<OpIndex>> {
        let mut slot = self.index.lock().unwrap_or_else(|e| e.into_inner());
        if let Some(index) = &*slot {
            return Ok(Arc::clone(index));
        }
        let index = Arc::new(OpIndex::open(&self.case.index_dir(), &self.oplog, meter)?);
        *slot = Some(Arc::clone(&index));
        Ok(index)
    }

    /// The stretches of oplog without gap.
    pub fn segments(&self) -> &[Segment] {
        self.oplog.segments()
    }

    /// The gaps between them.
    pub fn gaps(&self) -> &[Gap] {
        self.oplog.gaps()
    }

    /// The valid stops over one snapshot.
    pub fn valid_stops(&self, info: &SnapshotInfo) -> Option<ValidStops> {
        valid_stops(info, self.segments())
    }

    /// The snapshot behind an info.
    pub fn snapshot(&self, id: &str) -> Result<&Snapshot> {
        self.snapshots.iter().find(|s| s.id == id).ok_or_else(|| {
            Box::new(
                Error::usage("looking for the snapshot", format!("{id:?}"), "there is none of that name")
                    .hint("`pitstop snapshots SOURCE…` lists them."),
            )
        })
    }

    /// The last position known, [`Position::MIN`] without oplog.
    pub fn last(&self) -> Position {
        self.oplog.last().map(|at| at.pos).unwrap_or(Position::MIN)
    }
}

/// Secures the live ones among the sources in the case.
fn secure(sources: &[Source], case: &Case, meter: &Meter) -> Result<Vec<Secured>> {
    let root = case.root().join("live");
    let uris = sources.iter().filter_map(|source| match source {
        Source::Live(uri) => Some(uri),
        Source::Path(_) => None,
    });
    uris.map(|uri| live::secure(uri, &root, meter)).collect()
}

fn info(snapshot: &Snapshot) -> SnapshotInfo {
    let count = |ns: &Namespace| {
        snapshot
            .counts
            .iter()
            .find(|(name, ..)| name == ns)
            .map_or((0, 0), |(_, docs, bytes)| (*docs, *bytes))
    };
    let mut collections: Vec<CollectionInfo> = snapshot
        .base
        .collections
        .iter()
        .map(|coll| {
            let (documents, bytes) = count(&coll.ns);
            let kind = match coll.kind {
                CollectionKind::Collection => "collection",
                CollectionKind::View => "view",
                CollectionKind::Timeseries => "timeseries",
            };
            CollectionInfo { ns: coll.ns.clone(), kind: kind.into(), documents, bytes }
        })
        .collect();
    collections.sort_by(|a, b| a.ns.cmp(&b.ns));
    SnapshotInfo {
        id: snapshot.id.clone(),
        path: snapshot.path.display().to_string(),
        format: match snapshot.format {
            Format::Directory => "directory".into(),
            Format::Archive => "archive".into(),
        },
        compressed: snapshot.compressed,
        server_version: snapshot.server_version.clone(),
        window_start: snapshot.window().map(|(first, _)| first.pos),
        edge: snapshot.edge(),
        documents: collections.iter().map(|c| c.documents).sum(),
        bytes: collections.iter().map(|c| c.bytes).sum(),
        collections,
    }
}
