//! Opening: sources become snapshots and one joined oplog, inside a case.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use super::sets::{self, Known};
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
use crate::source::Slice;
use crate::source::live::folder::{Folder, files, growing, seal};
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
    pub members: Vec<String>,
    /// The live sources, in the order they were given: those that can be followed.
    pub live: Vec<Live>,
    slices: Vec<Slice>,
    accepted: Vec<Position>,
    index: Mutex<Option<Arc<OpIndex>>>,
}

/// A live source whose oplog has been secured.
#[derive(Clone)]
pub struct Live {
    /// How to connect; it may hold a password.
    pub uri: String,
    /// The folder of its slices.
    pub folder: PathBuf,
    /// The bytes of its last entry.
    pub last: Vec<u8>,
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
        let (identities, known) = sets::ask(&options.sources)?;
        let case = Case::open(options.case.as_deref(), &identities)?;
        let given: Vec<PathBuf> = options.sources.iter().map(Source::identity).collect();
        super::findings::opened(&case, &given)?;
        // The live ones first: their oldest entries are overwritten while the others are read.
        let secured = secure(&known, &case, meter)?;
        let mut paths: Vec<PathBuf> = options.sources.iter().filter_map(Source::path).cloned().collect();
        let mut opened = source::open(&paths, &case.unpack_dir(), meter)?;
        let (mut windows, mut live, mut members) = (Vec::new(), Vec::new(), Vec::new());
        for (known, secured) in known.into_iter().zip(secured) {
            members.extend(secured.set.as_ref().map(|set| format!("{} {}", set.name, set.member)));
            if let Some(last) = newest(&secured.slices)? {
                live.push(Live { uri: known.uri, folder: secured.folder.clone(), last });
            }
            opened.slices.extend(secured.slices);
            opened.notes.extend(secured.notes);
            paths.push(secured.folder);
            windows.extend(secured.window);
        }
        opened.snapshots.sort_by_key(|s| s.edge());
        let own = opened.snapshots.iter().filter_map(|s| s.oplog.clone());
        let slices: Vec<Slice> = opened.slices.into_iter().chain(own).collect();
        let oplog = Oplog::join(slices.clone(), &options.accept_unproven)?;
        let infos = opened.snapshots.iter().map(info).collect();
        if !oplog.unproven().is_empty() {
            let joints = serde_json::to_value(oplog.unproven()).unwrap_or_default();
            case.journal().record("accepted-unproven", serde_json::json!({ "joints": joints }))?;
        }
        let index = Mutex::new(None);
        let Opened { snapshots, notes, .. } = opened;
        let accepted = options.accept_unproven.clone();
        Ok(Workspace {
            case,
            snapshots,
            infos,
            oplog,
            notes,
            paths,
            windows,
            members,
            live,
            slices,
            accepted,
            index,
        })
    }

    /// The same with what has come since from the sources that are followed. Jobs that still hold
    /// the old one may go on reading; its index, finished, is handed over to be added to.
    pub fn grown(&self, meter: &Meter) -> Result<Workspace> {
        let mut slices = self.slices.clone();
        for live in &self.live {
            let known = |path: &PathBuf| self.slices.iter().any(|s| s.name == path.display().to_string());
            let new: Vec<PathBuf> = files(&live.folder)?.into_iter().filter(|path| !known(path)).collect();
            slices.extend(Folder::read(&new, meter)?);
            if let Some(part) = growing(&live.folder, meter)? {
                slices.retain(|slice| slice.name != part.name);
                slices.push(part);
            }
        }
        let oplog = Oplog::join(slices.clone(), &self.accepted)?;
        self.index(meter)?.hand_over()?;
        Ok(Workspace {
            case: self.case.clone(),
            snapshots: self.snapshots.clone(),
            infos: self.infos.clone(),
            oplog,
            notes: self.notes.clone(),
            paths: self.paths.clone(),
            windows: self.windows.clone(),
            members: self.members.clone(),
            live: self.live.clone(),
            slices,
            accepted: self.accepted.clone(),
            index: Mutex::new(None),
        })
    }

    /// Gives what is being written by a follower a name that other processes find.
    pub fn seal(&self) -> Result<()> {
        self.live.iter().try_for_each(|live| seal(&live.folder).map(|_| ()))
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

/// Secures the live sources in the case.
fn secure(sources: &[Known], case: &Case, meter: &Meter) -> Result<Vec<Secured>> {
    let root = case.root().join("live");
    let one = |known: &Known| match &known.unreachable {
        None => live::secure(&known.uri, &root, meter),
        Some(error) => live::from_before(&known.uri, known.set.as_ref(), &root, error.clone(), meter),
    };
    sources.iter().map(one).collect()
}

/// The last entry of some slices.
fn newest(slices: &[Slice]) -> Result<Option<Vec<u8>>> {
    let Some(slice) = slices.iter().max_by_key(|slice| slice.last.pos) else { return Ok(None) };
    let oplog = Oplog::join(vec![slice.clone()], &[])?;
    Ok(oplog.find(slice.last.pos)?.map(|entry| entry.raw.bytes().to_vec()))
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
