//! A base backup as everyone else sees it, whatever format it came in. Readers of formats give
//! [`Part`]s; this decides what each of them is.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::frames;
use super::metadata::{Metadata, Versions};
use super::slice::Slice;
use crate::domain::namespace::Treatment;
use crate::domain::progress::Meter;
use crate::domain::{Error, Namespace, OpTime, Position, Result};
use crate::engine::input::{Base, BaseCollection, CollectionKind, Region};

/// How a snapshot is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// A folder with a file for each collection.
    Directory,
    /// One file.
    Archive,
}

/// A base backup.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// A short name, unique among those opened together: the end of its path.
    pub id: String,
    /// Where it is, as given.
    pub path: PathBuf,
    /// How it is stored.
    pub format: Format,
    /// Whether any of it is compressed.
    pub compressed: bool,
    /// The version of the server it was taken from, if it says so.
    pub server_version: Option<String>,
    /// The version of the tool that took it, if it says so.
    pub tool_version: Option<String>,
    /// The collections, views and time series of users.
    pub base: Base,
    /// Users and roles, kept aside.
    pub auth: Vec<BaseCollection>,
    /// Namespaces that are in it and are not restored, sorted.
    pub set_aside: Vec<Namespace>,
    /// For each of the base's collections, in that order: its name, how many documents it has
    /// and their bytes. (Of the buckets, for a time series.)
    pub counts: Vec<(Namespace, u64, u64)>,
    /// The entries written while it was taken; without them it has no valid stop.
    pub oplog: Option<Slice>,
}

impl Snapshot {
    /// First and last entry of its own oplog: its documents may show any moment between them.
    pub fn window(&self) -> Option<(OpTime, OpTime)> {
        self.oplog.as_ref().map(|slice| (slice.first, slice.last))
    }

    /// The last entry of its own oplog: every stop behind it is valid, none before.
    pub fn edge(&self) -> Option<Position> {
        self.window().map(|(_, last)| last.pos)
    }
}

/// What a format's reader found under one name.
#[derive(Debug, Clone, Default)]
pub struct Part {
    /// Text of the metadata, and what to call it in errors.
    pub metadata: Option<(Vec<u8>, String)>,
    /// The documents, if there is a place for them at all.
    pub data: Option<Data>,
}

/// The documents of a part.
#[derive(Debug, Clone, Default)]
pub struct Data {
    /// Where they are, in order.
    pub regions: Vec<Region>,
    /// How many there are, where the format's reader has walked them already.
    pub documents: Option<u64>,
}

impl Data {
    /// Counts the documents, and checks every one's frame on the way.
    fn count(&self, meter: &Meter) -> Result<u64> {
        match self.documents {
            Some(documents) => Ok(documents),
            None => self
                .regions
                .iter()
                .map(|region| frames::walk("reading the snapshot", region, meter, |_, _| Ok(())))
                .sum(),
        }
    }
}

/// Parts by the namespace they carry in the backup.
pub type Parts = BTreeMap<Namespace, Part>;

/// The collections of a backup, sorted into what is done with them.
#[derive(Debug, Clone, Default)]
pub struct Sorted {
    /// See [`Snapshot::base`].
    pub base: Base,
    /// See [`Snapshot::auth`].
    pub auth: Vec<BaseCollection>,
    /// See [`Snapshot::set_aside`].
    pub set_aside: Vec<Namespace>,
    /// See [`Snapshot::counts`].
    pub counts: Vec<(Namespace, u64, u64)>,
    /// What a human should know.
    pub notes: Vec<String>,
}

/// Decides what each part is. Every document's frame is checked. `name` is that of the backup,
/// for notes.
pub fn sort(name: &str, mut parts: Parts, versions: &Versions, meter: &Meter) -> Result<Sorted> {
    let mut out = Sorted::default();
    out.base.server = versions.server_number();
    let mut metadata = BTreeMap::new();
    for (ns, part) in &parts {
        if let Some((text, place)) = part.metadata.as_ref().filter(|(text, _)| !text.is_empty()) {
            metadata.insert(ns.clone(), Metadata::parse(text, place)?);
        }
    }
    // The documents of a time series are in its buckets.
    for (ns, _) in metadata.iter().filter(|(_, m)| m.kind == CollectionKind::Timeseries) {
        let buckets = parts.remove(&ns.buckets()).and_then(|part| part.data);
        if let Some(part) = parts.get_mut(ns) {
            let own = part.data.take().map_or(Ok(0), |data| data.count(meter))?;
            nothing_of_its_own(name, ns, "time series", own)?;
            part.data = buckets;
        }
    }
    for (ns, part) in parts {
        let missing = part.data.is_none();
        let data = part.data.unwrap_or_default();
        let documents = data.count(meter)?;
        let bytes = data.regions.iter().map(|region| region.len() as u64).sum();
        let known = metadata.remove(&ns);
        let role = role(&ns);
        if role == Treatment::Internal {
            out.set_aside.push(ns);
            continue;
        }
        if ns.timeseries_of_buckets().is_some() && known.is_none() {
            if documents > 0 {
                out.notes.push(format!(
                    "{name:?}: the {documents} buckets of {:?} are set aside: nothing says how their time series was made.",
                    ns.to_string()
                ));
                out.set_aside.push(ns);
            }
            continue;
        }
        if known.is_none() && role == Treatment::User {
            out.notes.push(format!(
                "{name:?}: {:?} has no metadata: its options and indexes are unknown.",
                ns.to_string()
            ));
        }
        let known = known.unwrap_or_default();
        match known.kind {
            CollectionKind::View => nothing_of_its_own(name, &ns, "view", documents)?,
            CollectionKind::Collection if missing => out.notes.push(format!(
                "{name:?}: {:?} has metadata but no file with documents: it is taken as empty.",
                ns.to_string()
            )),
            _ => {}
        }
        let collection = BaseCollection {
            ns: ns.clone(),
            kind: known.kind,
            uuid: known.uuid,
            options: known.options,
            indexes: known.indexes,
            data: data.regions.into_iter().filter(|region| !region.is_empty()).collect(),
        };
        if role == Treatment::Auth {
            out.auth.push(collection);
        } else {
            out.counts.push((ns, documents, bytes));
            out.base.collections.push(collection);
        }
    }
    Ok(out)
}

/// An error when something that cannot have documents has some.
fn nothing_of_its_own(name: &str, ns: &Namespace, what: &str, documents: u64) -> Result<()> {
    if documents == 0 {
        return Ok(());
    }
    let cause = format!("it is a {what}, and yet there are {documents} documents under its name");
    Error::failed("reading the snapshot", format!("{name:?}, {:?}", ns.to_string()), cause)
        .hint("files of two dumps were mixed: fetch the dump again.")
        .err()
}

/// What a restore does with a namespace as backups have it: beside those of a server there are
/// the copies of a database's users (`$admin.system.users`), and lists of views, which the views
/// themselves repeat.
fn role(ns: &Namespace) -> Treatment {
    match ns.coll.as_str() {
        "$admin.system.users" | "$admin.system.roles" => Treatment::Auth,
        coll if coll.starts_with('$') || ns.is_views() => Treatment::Internal,
        _ => ns.treatment(),
    }
}
