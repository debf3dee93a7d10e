//! The walk: takes oplog entries in order and keeps the catalog, the open transactions and the
//! net effect on every document. What cannot be replayed exactly is an error that names it.

use std::collections::BTreeSet;

use super::bson::{Doc, Fault};
use super::catalog::{Catalog, CollId, Flaw, Known, modified_options, options_of};
use super::entry::{Entry, EntryKind};
use super::input::{Base, BaseCollection};
use super::key::DocKey;
use super::state::Folded;
use super::together::{self, Together};
use super::transactions::{Broken, History, Step, Transactions, Unfinished};
use super::update::{Update, classify};
use super::views;
use crate::domain::namespace::Treatment;
use crate::domain::{Error, Namespace, Position, Result};

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
        }
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
                    together::note(&mut self.walked.together, entry.at.pos, &ops);
                    for op in ops {
                        self.apply_inner(entry, op, 1)?;
                    }
                    return Ok(());
                }
            }
        }
        self.apply_one(entry, 0)
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
        let folded = Folded::new(self.catalog, self.server, &mut self.walked.notes)?;
        Ok((folded, self.walked))
    }

    fn apply_inner(&mut self, outer: &Entry<'a>, op: Doc<'a>, depth: usize) -> Result<()> {
        if depth > MAX_NESTING {
            return unreplayable(outer, &format!("applyOps nests deeper than {MAX_NESTING}")).err();
        }
        let inner = outer.parse_inner(op).map_err(|fault| malformed(outer, &fault))?;
        self.apply_one(&inner, depth)
    }

    fn apply_one(&mut self, entry: &Entry<'a>, depth: usize) -> Result<()> {
        match entry.kind {
            EntryKind::Noop => Ok(()),
            EntryKind::Insert | EntryKind::Update | EntryKind::Delete => self.document(entry, depth),
            EntryKind::Command => self.command(entry, depth),
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

    fn document(&mut self, entry: &Entry<'a>, depth: usize) -> Result<()> {
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
        let effects = &mut self.catalog.get_mut(id).effects;
        match entry.kind {
            EntryKind::Insert => effects.insert(key, entry.o, depth == 0),
            EntryKind::Delete => effects.delete(key),
            _ => match classify(entry.o).map_err(|fault| malformed(entry, &fault))? {
                Update::Replace(body) => effects.replace(key, body),
                Update::Diff(_) | Update::Modifiers(_) => {
                    effects.update(key, entry.o, entry.at.pos).map_err(|_| {
                        Error::inexact(
                            "replaying",
                            place(entry),
                            "it updates a document that an earlier operation deleted: entries are missing between them",
                        )
                        .hint("this oplog is incomplete although its entries look joined; get it again from the source.")
                    })?;
                }
            },
        }
        Ok(())
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
            let empty = super::bson::EMPTY.bytes().to_vec();
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

    fn command(&mut self, entry: &Entry<'a>, depth: usize) -> Result<()> {
        let Some(first) = entry.command() else {
            return malformed(entry, &Fault::new(0, "the command is empty")).err();
        };
        let name = first.name_lossy();
        if name == "applyOps" {
            let list =
                first.as_doc().ok_or_else(|| malformed(entry, &Fault::new(0, "applyOps is no list")))?;
            for op in list.iter() {
                let op = op.map_err(|fault| malformed(entry, &fault))?;
                let op = op
                    .as_doc()
                    .ok_or_else(|| malformed(entry, &Fault::new(0, "an operation is no document")))?;
                self.apply_inner(entry, op, depth + 1)?;
            }
            return Ok(());
        }
        let ns = Namespace::new(entry.db(), first.as_str().unwrap_or(""));
        if !self.counts(&ns) {
            return Ok(());
        }
        match &*name {
            "create" => self.create(entry, ns),
            "drop" => {
                if ns.is_views() {
                    self.catalog.views_mut().retain(|view, _| view.db != ns.db);
                }
                match self.catalog.find(entry.ui, &ns) {
                    Some(id) => self.catalog.drop(id),
                    None => self.unknown_is_fine(entry, &ns)?,
                }
                Ok(())
            }
            "dropDatabase" => {
                self.catalog.drop_database(entry.db());
                Ok(())
            }
            "renameCollection" => self.rename(entry),
            "createIndexes" => {
                self.on(entry, &ns, |coll| match entry.o.get("indexes").and_then(|e| e.as_doc()) {
                    Some(specs) => specs
                        .iter()
                        .map_while(Result::ok)
                        .filter_map(|s| s.as_doc())
                        .for_each(|s| coll.add_index(s)),
                    None => coll.add_index(entry.o),
                })
            }
            "commitIndexBuild" => self.on(entry, &ns, |coll| {
                let specs = entry.o.get("indexes").and_then(|e| e.as_doc());
                for spec in
                    specs.iter().flat_map(|s| s.iter().map_while(Result::ok)).filter_map(|s| s.as_doc())
                {
                    coll.add_index(spec);
                }
            }),
            "startIndexBuild" | "abortIndexBuild" => Ok(()),
            "dropIndexes" | "deleteIndexes" | "deleteIndex" | "dropIndex" => self.on(entry, &ns, |coll| {
                if let Some(index) = entry.o.get("index") {
                    coll.indexes.remove(&index);
                }
            }),
            "collMod" => {
                if let Some(view) = self.catalog.views_mut().get_mut(&ns) {
                    *view = modified_options(view, entry.o);
                    return Ok(());
                }
                self.on(entry, &ns, |coll| {
                    coll.options = modified_options(&coll.options, entry.o);
                    if let Some(index) = entry.o.get("index").and_then(|e| e.as_doc()) {
                        coll.indexes.modify(index);
                    }
                })
            }
            "convertToCapped" => self.on(entry, &ns, |coll| {
                let mut options = super::build::Builder::new();
                options.bool("capped", true);
                if let Some(size) = entry.o.get("size") {
                    options.copy(&size);
                }
                if let Ok(old) = Doc::new(&coll.options) {
                    for elem in old.iter().map_while(Result::ok) {
                        if !matches!(elem.name, b"capped" | b"size" | b"max") {
                            options.copy(&elem);
                        }
                    }
                }
                coll.options = options.finish();
            }),
            "emptycapped" => self.on(entry, &ns, |coll| {
                coll.base.clear();
                coll.effects = Default::default();
            }),
            // Bookkeeping of the server that changes no document, option or index of a user.
            "dbCheck"
            | "dropIdent"
            | "modifyCollectionShardingIndexCatalog"
            | "createGlobalIndex"
            | "dropGlobalIndex"
            | "createDatabaseMetadata"
            | "dropDatabaseMetadata" => {
                self.ignored.insert(name.into_owned());
                Ok(())
            }
            "importCollection" => {
                unreplayable(entry, "importCollection copied files whose documents are not in the oplog")
                    .hint("choose a snapshot taken after it, or stop before it.")
                    .err()
            }
            other => unreplayable(entry, &format!("the command {other:?} is not known"))
                .hint("if it cannot have changed documents, pass over it with --skip-op and its position.")
                .err(),
        }
    }

    fn create(&mut self, entry: &Entry<'a>, ns: Namespace) -> Result<()> {
        if entry.o.get("viewOn").is_some() {
            self.catalog.views_mut().insert(ns.clone(), options_of(entry.o, &ns));
            return Ok(());
        }
        if ns.is_views() {
            return Ok(());
        }
        let id = match self.catalog.find(entry.ui, &ns) {
            // Made inside the window: every document, option and index is in the oplog from here
            // on, while the snapshot may hold another collection's under this name.
            Some(id) if self.fuzzy(entry) && entry.ui.is_some() => {
                self.catalog.drop(id);
                self.catalog.create(ns.clone(), entry.ui, options_of(entry.o, &ns), Known::Created)
            }
            Some(_) => {
                return Error::inexact(
                    "replaying",
                    place(entry),
                    "it creates a collection that is already there",
                )
                .hint("snapshot and oplog do not belong together; choose another base with --snapshot.")
                .err();
            }
            None => {
                let options = options_of(entry.o, &ns);
                self.catalog.create(ns, entry.ui, options, Known::Created)
            }
        };
        if let Some(spec) = entry.o.get("idIndex").and_then(|e| e.as_doc()) {
            self.catalog.get_mut(id).indexes.add(spec);
        }
        let clustered = entry.o.get("clusteredIndex").is_some();
        if entry.o.get("idIndex").is_none() && !clustered {
            // Only an `applyOps` somebody sent leaves it out; servers then make the oldest kind.
            let mut spec = super::build::Builder::new();
            spec.int32("v", 1);
            spec.open(b"key", super::bson::kind::DOCUMENT);
            spec.int32("_id", 1);
            spec.close();
            spec.string("name", "_id_");
            if let Ok(spec) = Doc::new(&spec.finish()) {
                self.catalog.get_mut(id).indexes.add(spec);
            }
        }
        // A clustered collection has no `_id` index; listIndexes shows the clustering instead.
        if let Some(spec) = entry.o.get("clusteredIndex").and_then(|e| e.as_doc()) {
            let mut shown = super::build::Builder::new();
            spec.iter().map_while(Result::ok).for_each(|e| shown.copy(&e));
            shown.bool("clustered", true);
            if let Ok(spec) = Doc::new(&shown.finish()) {
                self.catalog.get_mut(id).indexes.add(spec);
            }
        }
        Ok(())
    }

    fn rename(&mut self, entry: &Entry<'a>) -> Result<()> {
        let text = |name: &str| entry.o.get(name).and_then(|e| e.as_str()).map(Namespace::parse);
        let (Some(from), Some(to)) = (text("renameCollection"), text("to")) else {
            return malformed(entry, &Fault::new(0, "a rename without from or to")).err();
        };
        let target = entry.o.get("dropTarget");
        let source = self.catalog.find(entry.ui, &from);
        let uuid = target.and_then(|e| e.as_uuid());
        let by_name = target.is_some_and(|e| e.as_bool() == Some(true));
        if (uuid.is_some() || by_name)
            && let Some(id) = self.catalog.find(uuid, &to)
            && Some(id) != source
        {
            self.catalog.drop(id);
        }
        match source {
            Some(id) => {
                let fuzzy = self.fuzzy(entry);
                let coll = self.catalog.get_mut(id);
                if fuzzy && coll.known == Known::Listed {
                    coll.renamed = Some(entry.at.pos);
                }
                coll.ns = to;
                if !entry.o.get("stayTemp").is_some_and(|e| e.is_truthy()) {
                    coll.make_permanent();
                }
            }
            None => self.unknown_is_fine(entry, &from)?,
        }
        Ok(())
    }

    /// Changes the collection a command is about.
    fn on(
        &mut self,
        entry: &Entry<'a>,
        ns: &Namespace,
        change: impl FnOnce(&mut super::catalog::Collection<'a>),
    ) -> Result<()> {
        match self.catalog.find(entry.ui, ns) {
            Some(id) => {
                change(self.catalog.get_mut(id));
                Ok(())
            }
            None => self.unknown_is_fine(entry, ns),
        }
    }

    /// Inside the window a command on an unknown collection has its effect in the snapshot already.
    fn unknown_is_fine(&self, entry: &Entry<'_>, ns: &Namespace) -> Result<()> {
        if self.fuzzy(entry) || ns.is_views() {
            return Ok(());
        }
        Error::inexact("replaying", place(entry), format!("the collection {ns} it changes is not known"))
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
