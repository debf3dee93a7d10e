//! The walk: takes oplog entries in order and keeps the catalog, the open transactions and the
//! net effect on every document. What cannot be replayed exactly is an error that names it.

mod ddl;

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::namespace::Treatment;
use crate::domain::{Error, Namespace, Position, Result};
use crate::engine::bson::{Doc, Fault};
use crate::engine::catalog::{Catalog, CollId, Flaw, Known};
use crate::engine::effects::{Effects, Way};
use crate::engine::entry::{Entry, EntryKind};
use crate::engine::input::{Base, BaseCollection};
use crate::engine::key::DocKey;
use crate::engine::spill::{Bound, Spill};
use crate::engine::state::{Folded, Origin};
use crate::engine::together::{self, Together};
use crate::engine::transactions::{Broken, History, Step, Transactions, Unfinished};
use crate::engine::update::{Update, classify};
use crate::engine::views;

/// Servers from this one on carry out every operation of somebody's `applyOps` for itself.
const NO_ATOMIC_APPLY_OPS: (u32, u32) = (6, 2);

/// How deep `applyOps` may nest.
const MAX_NESTING: usize = 8;

/// What the fold starts from and what it leaves out.
#[derive(Debug, Clone, Default)]
pub struct FoldOptions {
    /// The last entry of the snapshot's own oplog: up to here documents and catalog may be newer
    /// than the operation replayed over them.
    pub edge: Position,
    /// Entries passed over on request.
    pub skip: BTreeSet<Position>,
    /// Whether users and roles are part of the state.
    pub with_auth: bool,
}

/// What a walk has seen.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Walked {
    /// Entries of the oplog.
    pub entries: u64,
    /// Operations on documents that count.
    pub operations: u64,
    /// The newest entry.
    pub last: Option<Position>,
    /// Entries passed over on request.
    pub skipped: Vec<Position>,
    /// Things a reader of the report should know.
    pub notes: Vec<String>,
    /// Transactions left out because the stop lies before their commit.
    pub unfinished: Vec<Unfinished>,
    /// Namespaces that transactions wrote to together, where there was more than one.
    pub together: Vec<Together>,
}

/// The fold itself. Borrows the snapshot and the oplog; copies neither.
pub struct Fold<'a> {
    catalog: Catalog<'a>,
    transactions: Transactions<'a>,
    options: FoldOptions,
    server: Option<(u32, u32)>,
    walked: Walked,
    ignored: BTreeSet<String>,
    spill: Option<Spill<'a>>,
    /// The first document that members of the set hold in two forms, and how many there are.
    two_forms: Option<(Position, u64)>,
    /// Index builds under way, by their UUIDs.
    building: BTreeMap<&'a [u8], String>,
}

impl<'a> Fold<'a> {
    /// Begins with a snapshot. `auth` are its users and roles, used with `with_auth` only.
    pub fn new(base: &'a Base, auth: &'a [BaseCollection], options: FoldOptions) -> Self {
        let extra = if options.with_auth { auth } else { &[] };
        Fold {
            catalog: Catalog::new(base, extra),
            transactions: Transactions::default(),
            options,
            server: base.server,
            walked: Walked::default(),
            ignored: BTreeSet::new(),
            spill: None,
            two_forms: None,
            building: BTreeMap::new(),
        }
    }

    /// The same with a bound on the memory for effects; what exceeds it is spilled.
    pub fn bounded(mut self, bound: Bound<'a>) -> Self {
        let base: Vec<_> = self.catalog.regions().collect();
        self.spill = Some(Spill::new(bound, base.into_iter()));
        self
    }

    /// Takes the next entry.
    pub fn apply(&mut self, entry: &Entry<'a>, history: &dyn History<'a>) -> Result<()> {
        self.walked.entries += 1;
        self.walked.last = Some(entry.at.pos);
        if self.options.skip.contains(&entry.at.pos) {
            may_be_skipped(entry)?;
            self.walked.skipped.push(entry.at.pos);
            return Ok(());
        }
        if entry.tenant {
            return unreplayable(entry, "it belongs to a multi-tenant server")
                .hint("pitstop reads the oplog of a replica set of the public server only.")
                .err();
        }
        if entry.kind == EntryKind::Command {
            match self
                .transactions
                .step(entry, history)
                .map_err(|broken| broken_transaction(entry, broken))?
            {
                Step::Plain => {}
                Step::Nothing => return Ok(()),
                Step::Commit(ops) => {
                    together::note(&mut self.walked.together, entry.at.pos, ops.iter());
                    for op in ops.iter() {
                        self.apply_inner(entry, op, 1, Way::Plain)?;
                    }
                    return Ok(());
                }
            }
        }
        self.apply_one(entry, 0, Way::Plain)
    }

    /// Ends the walk and checks that what came out can be the state of a server.
    pub fn finish(mut self) -> Result<(Folded<'a>, Walked)> {
        self.catalog.check().map_err(|flaw| match flaw {
            Flaw::Phantom { ns, since } => Error::inexact(
                "joining snapshot and oplog at",
                format!("{since} {ns}"),
                "the collection is written to but neither the snapshot nor the oplog creates it",
            )
            .hint("the snapshot is incomplete or not of this server; choose another with --snapshot."),
            Flaw::Renamed { ns, at } => Error::inexact(
                "joining snapshot and oplog at",
                format!("{at} {ns}"),
                "the collection was renamed while the snapshot was taken, so its documents there may be missing or another's",
            )
            .hint("choose another snapshot with --snapshot; an older one knows nothing of the rename."),
            Flaw::TwoOwners { ns } => Error::inexact(
                "joining snapshot and oplog at",
                &ns,
                "two collections claim this name, so snapshot and oplog do not belong together",
            )
            .hint("check that both come from the same replica set, or choose another base with --snapshot."),
        })?;
        self.walked.unfinished = self.transactions.unfinished();
        self.walked.notes.extend(
            self.ignored.iter().map(|c| format!("commands without effect on data were passed over: {c}")),
        );
        self.walked.notes.extend(self.building.into_values());
        self.walked.notes.extend(self.two_forms.map(|(first, count)| {
            format!(
                "an applyOps that somebody sent (the first at {first}, {count} in all) wrote a document whose _id is not \
                 its first field: the primary put it in front, as is given here; other members did not"
            )
        }));
        let memory = self.spill.as_ref().map_or(usize::MAX, Spill::bytes);
        let written = match self.spill {
            Some(spill) => spill.finish(self.catalog.effects_mut())?,
            None => None,
        };
        let origin = Origin { server: self.server, edge: self.options.edge };
        let folded = Folded::new(self.catalog, origin, written, memory, &mut self.walked.notes)?;
        Ok((folded, self.walked))
    }

    fn apply_inner(&mut self, outer: &Entry<'a>, op: Doc<'a>, depth: usize, way: Way) -> Result<()> {
        if depth > MAX_NESTING {
            return unreplayable(outer, &format!("applyOps nests deeper than {MAX_NESTING}")).err();
        }
        let inner = outer.parse_inner(op).map_err(|fault| malformed(outer, &fault))?;
        self.apply_one(&inner, depth, way)
    }

    fn apply_one(&mut self, entry: &Entry<'a>, depth: usize, way: Way) -> Result<()> {
        match entry.kind {
            EntryKind::Noop => Ok(()),
            EntryKind::Insert | EntryKind::Update | EntryKind::Delete => self.document(entry, way),
            EntryKind::Command => self.command(entry, depth, way),
            EntryKind::Other => {
                let kind = entry.raw.get("op").and_then(|e| e.as_str()).unwrap_or("");
                unreplayable(entry, &format!("operations of kind {kind:?} are not known"))
                    .hint(
                        "if it cannot have changed documents, pass over it with --skip-op and its position.",
                    )
                    .err()
            }
        }
    }

    fn counts(&self, ns: &Namespace) -> bool {
        match ns.treatment() {
            Treatment::User => true,
            Treatment::Auth => self.options.with_auth,
            Treatment::Internal => false,
        }
    }

    fn fuzzy(&self, entry: &Entry<'_>) -> bool {
        entry.at.pos <= self.options.edge
    }

    fn document(&mut self, entry: &Entry<'a>, way: Way) -> Result<()> {
        let ns = Namespace::parse(entry.ns);
        if !self.counts(&ns) {
            self.note_version(entry);
            return Ok(());
        }
        self.walked.operations += 1;
        if ns.is_views() {
            return views::apply(self.catalog.views_mut(), entry)
                .map_err(|fault| Box::new(malformed(entry, &fault)));
        }
        let Some(id) = self.collection(entry, &ns)? else { return Ok(()) };
        let Some(doc_id) = entry.id() else {
            return malformed(entry, &Fault::new(0, "it has no _id")).err();
        };
        let key = DocKey::of(doc_id);
        if way == Way::Sent && entry.kind == EntryKind::Insert && !entry.o.starts_with_id() {
            self.two_forms.get_or_insert((entry.at.pos, 0)).1 += 1;
        }
        let effects = &mut self.catalog.get_mut(id).effects;
        let before = effects.cost();
        match entry.kind {
            EntryKind::Insert => effects.insert(key, entry.o, way, entry.at.pos),
            EntryKind::Delete => effects.delete(key),
            _ => match classify(entry.o).map_err(|fault| malformed(entry, &fault))? {
                Update::Replace(body) => effects.replace(key, body, way, entry.at.pos),
                Update::Diff(_) | Update::Modifiers(_) => {
                    effects.update(key, entry.o, entry.at.pos).map_err(|_| update_of_gone(place(entry)))?;
                }
            },
        }
        if let Some(spill) = &mut self.spill
            && spill.grow(effects.cost() - before)
        {
            spill.relieve(self.catalog.effects_mut())?;
        }
        Ok(())
    }

    /// Drops a collection with all its documents.
    fn drop(&mut self, id: CollId) {
        let effects = self.catalog.drop(id);
        self.retire(effects);
    }

    /// Effects that came to nothing.
    fn retire(&mut self, effects: Effects<'a>) {
        if let Some(spill) = &mut self.spill {
            spill.retire(effects);
        }
    }

    /// A server that was upgraded inside the range: the reader should know which one to start.
    fn note_version(&mut self, entry: &Entry<'a>) {
        let is_version = entry.ns == "admin.system.version"
            && entry.id().and_then(|id| id.as_str()) == Some("featureCompatibilityVersion");
        let changed = is_version && entry.kind != EntryKind::Delete;
        if changed {
            self.walked.notes.push(format!(
                "the server's feature compatibility version was written at {}; it is not part of the state",
                entry.at.pos
            ));
        }
    }

    /// The collection an operation on documents is about. Inside the window an unknown one is
    /// made up (its drop follows), a dropped one is passed over; after it both are errors.
    fn collection(&mut self, entry: &Entry<'a>, ns: &Namespace) -> Result<Option<CollId>> {
        if let Some(id) = self.catalog.find(entry.ui, ns) {
            return Ok(Some(id));
        }
        if self.fuzzy(entry) && !self.catalog.was_dropped(entry.ui) {
            let known = Known::Phantom { since: entry.at.pos };
            let empty = crate::engine::bson::EMPTY.bytes().to_vec();
            return Ok(Some(self.catalog.create(ns.clone(), entry.ui, empty, known)));
        }
        let cause = if self.catalog.was_dropped(entry.ui) {
            "it writes to a collection that was dropped before"
        } else {
            "it writes to a collection that neither the snapshot nor the oplog creates"
        };
        Error::inexact("replaying", place(entry), cause)
            .hint("snapshot and oplog do not belong together, or one is incomplete; choose another base with --snapshot.")
            .err()
    }
}

/// Only what changes no documents can be passed over on request: commands on options and indexes,
/// and commands and kinds that are not known, on the word of who asks.
fn may_be_skipped(entry: &Entry<'_>) -> Result<()> {
    let changes = match entry.kind {
        EntryKind::Noop | EntryKind::Other => false,
        EntryKind::Insert | EntryKind::Update | EntryKind::Delete => true,
        EntryKind::Command => entry.command().is_none_or(|first| {
            matches!(
                first.name,
                b"applyOps"
                    | b"commitTransaction"
                    | b"abortTransaction"
                    | b"create"
                    | b"drop"
                    | b"dropDatabase"
                    | b"renameCollection"
                    | b"convertToCapped"
                    | b"emptycapped"
                    | b"importCollection"
            )
        }),
    };
    if !changes {
        return Ok(());
    }
    Error::inexact(
        "passing over",
        place(entry),
        "it changes documents or collections, so the state would not be exact",
    )
    .hint("leave it in, or stop before it.")
    .err()
}

/// `T:I db.collection`, escaped, for errors.
fn place(entry: &Entry<'_>) -> String {
    let command = entry.command().map(|e| format!(" {}", e.name_lossy().escape_debug())).unwrap_or_default();
    format!("{} {}{command}", entry.at.pos, entry.ns.escape_debug())
}

/// An update of a document that is not there any more.
pub(super) fn update_of_gone(place: String) -> Error {
    Error::inexact(
        "replaying",
        place,
        "it updates a document that an earlier operation deleted: entries are missing between them",
    )
    .hint("this oplog is incomplete although its entries look joined; get it again from the source.")
}

fn unreplayable(entry: &Entry<'_>, cause: &str) -> Error {
    Error::inexact("replaying", place(entry), cause)
}

fn malformed(entry: &Entry<'_>, fault: &Fault) -> Error {
    Error::inexact("replaying", place(entry), fault)
        .hint("the oplog is damaged here; get it again from the source, or stop before this entry.")
}

/// Why a transaction cannot be applied exactly, as an error at the entry that commits it.
pub fn broken_transaction(entry: &Entry<'_>, broken: Broken) -> Box<Error> {
    let error = |cause: String| Error::inexact("replaying the transaction committed at", place(entry), cause);
    Box::new(match broken {
        Broken::HeadMissing(head) => error(format!("its earlier part at {head} is in none of the sources"))
            .hint("add the oplog slice that holds that position, or stop before this transaction."),
        Broken::Count { said, found } => {
            error(format!("it says {said} operations but its parts hold {found}"))
                .hint("the oplog is damaged; get it again from the source, or stop before this transaction.")
        }
        Broken::Malformed => error("its operations cannot be read".into())
            .hint("the oplog is damaged; get it again from the source, or stop before this transaction."),
    })
}
