//! A part of a state: the namespaces somebody asked for.

use crate::domain::Result;
use crate::domain::namespace::{Glob, Treatment};
use crate::engine::output::{CollectionSpec, Sink, State};

/// The collections of a state whose names fit one of some globs.
pub struct Selected<'s> {
    inner: &'s dyn State,
    specs: Vec<CollectionSpec>,
    places: Vec<usize>,
}

impl<'s> Selected<'s> {
    /// Selects; no globs select everything.
    pub fn new(inner: &'s dyn State, globs: &[Glob]) -> Self {
        Self::only(inner, |spec| fits(globs, &spec.ns.to_string()))
    }

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
