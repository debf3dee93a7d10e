//! A part of a state: the namespaces somebody asked for, under the names they asked for.

use std::collections::BTreeSet;

use crate::domain::namespace::{Glob, Treatment};
use crate::domain::{Error, Namespace, Result};
use crate::engine::output::{CollectionSpec, Sink, State};
use crate::engine::together::Together;

/// Which namespaces, and under which names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Those that fit one of these; none = all.
    pub only: Vec<Glob>,
    /// But not those that fit one of these.
    pub except: Vec<Glob>,
    /// New names.
    pub renames: Vec<Rename>,
}

/// `a.b=c.d`: a collection gets another name.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Rename {
    /// What it is called in the state.
    pub from: Namespace,
    /// What it is to be called.
    pub to: Namespace,
}

impl std::str::FromStr for Rename {
    type Err = Box<Error>;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = |why: &str| {
            Box::new(
                Error::usage("reading the new name", format!("{text:?}"), why)
                    .hint("write it like shop.orders=shop.orders_before."),
            )
        };
        let (from, to) = text.split_once('=').ok_or_else(|| wrong("there is no = in it"))?;
        let (from, to) = (Namespace::parse(from), Namespace::parse(to));
        if [&from, &to].iter().any(|ns| ns.db.is_empty() || ns.coll.is_empty()) {
            return Err(wrong("both sides must be DATABASE.COLLECTION"));
        }
        // These have a meaning to a server that documents under that name would take on.
        if to.treatment() != Treatment::User || to.db == "admin" || to.coll.starts_with("system.") {
            return Err(wrong("the new name belongs to the server"));
        }
        Ok(Rename { from, to })
    }
}

impl TryFrom<String> for Rename {
    type Error = String;
    fn try_from(text: String) -> std::result::Result<Self, String> {
        text.parse().map_err(|e: Box<Error>| e.to_string())
    }
}

impl From<Rename> for String {
    fn from(rename: Rename) -> String {
        format!("{}={}", rename.from, rename.to)
    }
}

impl Selection {
    /// Whether it takes a namespace in.
    pub fn takes(&self, ns: &Namespace) -> bool {
        let name = ns.to_string();
        fits(&self.only, &name) && !self.except.iter().any(|glob| glob.matches(&name))
    }

    /// Notes on transactions that wrote to namespaces on both sides of the selection: the part
    /// that is restored was never visible without the rest.
    pub fn torn(&self, together: &[Together]) -> Vec<String> {
        let mut notes = Vec::new();
        for group in together {
            let (taken, left): (Vec<_>, Vec<_>) = group.namespaces.iter().partition(|ns| self.takes(ns));
            if taken.is_empty() || left.is_empty() {
                continue;
            }
            let names =
                |all: &[&Namespace]| all.iter().map(|ns| ns.to_string()).collect::<Vec<_>>().join(", ");
            notes.push(format!(
                "{} transactions, the first committed at {}, wrote to {} and also to {}, which is not selected",
                group.transactions,
                group.first,
                names(&taken),
                names(&left)
            ));
        }
        notes
    }
}

/// The selected collections of a state.
pub struct Selected<'s> {
    inner: &'s dyn State,
    specs: Vec<CollectionSpec>,
    places: Vec<usize>,
}

impl<'s> Selected<'s> {
    /// Users and roles, or everything else.
    pub fn treated(inner: &'s dyn State, as_auth: bool) -> Self {
        Self::only(inner, |spec| (spec.ns.treatment() == Treatment::Auth) == as_auth)
    }

    fn only(inner: &'s dyn State, wanted: impl Fn(&CollectionSpec) -> bool) -> Self {
        let (places, specs) = inner
            .collections()
            .iter()
            .enumerate()
            .filter(|(_, spec)| wanted(spec))
            .map(|(at, spec)| (at, spec.clone()))
            .unzip();
        Selected { inner, specs, places }
    }

    /// Selects and renames. An error when nothing is left, when a rename names nothing, or when
    /// two collections would have one name.
    pub fn new(inner: &'s dyn State, selection: &Selection) -> Result<Self> {
        let doing = "selecting namespaces";
        let chosen = inner.collections().iter().enumerate().filter(|(_, spec)| selection.takes(&spec.ns));
        let mut chosen: Vec<(CollectionSpec, usize)> = chosen.map(|(at, spec)| (spec.clone(), at)).collect();
        if chosen.is_empty() && !inner.collections().is_empty() {
            return Error::usage(doing, "", "none of the state's collections fits")
                .hint("`pitstop snapshots` lists namespaces; * stands for anything.")
                .err();
        }
        // All at once, so that two may swap their names.
        for rename in &selection.renames {
            if !chosen.iter().any(|(_, at)| inner.collections().get(*at).is_some_and(|s| s.ns == rename.from))
            {
                return Error::usage(
                    doing,
                    format!("{:?}", String::from(rename.clone())),
                    "at the stop there is no such collection among those selected",
                )
                .hint("`pitstop diff` lists the namespaces of a stop.")
                .err();
            }
        }
        for (spec, _) in &mut chosen {
            if let Some(rename) = selection.renames.iter().find(|r| r.from == spec.ns) {
                spec.ns = rename.to.clone();
            }
        }
        chosen.sort_by(|a, b| a.0.ns.cmp(&b.0.ns));
        let mut names = BTreeSet::new();
        if let Some((twice, _)) = chosen.iter().find(|(spec, _)| !names.insert(&spec.ns)) {
            return Error::usage(
                doing,
                format!("{:?}", twice.ns.to_string()),
                "two collections would have this name",
            )
            .hint("give each a name of its own with --ns-rename.")
            .err();
        }
        let (specs, places) = chosen.into_iter().unzip();
        Ok(Selected { inner, specs, places })
    }
}

/// Whether a namespace fits one of the globs; no globs fit everything.
pub fn fits(globs: &[Glob], ns: &str) -> bool {
    globs.is_empty() || globs.iter().any(|glob| glob.matches(ns))
}

impl State for Selected<'_> {
    fn collections(&self) -> &[CollectionSpec] {
        &self.specs
    }

    fn chunks(&self, collection: usize) -> usize {
        self.places.get(collection).map_or(0, |&at| self.inner.chunks(at))
    }

    fn emit(&self, collection: usize, chunk: usize, sink: &mut Sink<'_>) -> Result<()> {
        match self.places.get(collection) {
            Some(&at) => self.inner.emit(at, chunk, sink),
            None => Ok(()),
        }
    }

    fn finish(&self, collection: usize) -> Result<()> {
        self.places.get(collection).map_or(Ok(()), |&at| self.inner.finish(at))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use crate::domain::Position;

    #[test]
    fn names_that_cannot_be_are_refused() {
        let rename: Rename = "a.b.c=d.e=f".parse().unwrap();
        assert_eq!((rename.from, rename.to), (Namespace::new("a", "b.c"), Namespace::new("d", "e=f")));
        for wrong in
            ["", "a.b", "a.b=", "=a.b", "a=b", "a.b=c.", "a.b=admin.x", "a.b=local.x", "a.b=c.system.views"]
        {
            assert!(wrong.parse::<Rename>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_transactions_on_both_sides_are_noted() {
        let group = |names: &[&str]| Together {
            namespaces: names.iter().map(|n| Namespace::parse(n)).collect(),
            transactions: 2,
            first: Position::new(7, 1),
        };
        let all = [group(&["a.x", "a.y"]), group(&["a.x", "b.z"]), group(&["b.z", "c.z"])];
        let only = Selection { only: vec![Glob::new("a.*")], ..Selection::default() };
        let notes = only.torn(&all);
        assert_eq!(notes.len(), 1);
        assert!(
            notes[0].contains("a.x") && notes[0].contains("b.z") && notes[0].contains("7:1"),
            "{notes:?}"
        );
        let except = Selection { except: vec![Glob::new("*.z")], ..Selection::default() };
        assert_eq!(except.torn(&all).len(), 1);
        assert!(Selection::default().torn(&all).is_empty());
    }
}
