//! Something that may not be there yet, and why.

use crate::domain::{Error, Result};

/// A value on its way. What was there before stays visible while its successor is awaited.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Loadable<T> {
    /// Nobody has asked for it.
    #[default]
    Idle,
    /// Asked for; `since` in milliseconds of the runtime's clock.
    Loading {
        /// When.
        since: u64,
        /// What is shown meanwhile.
        before: Option<T>,
    },
    /// There.
    Ready(T),
    /// It cannot be had.
    Failed(Box<Error>),
}

impl<T> Loadable<T> {
    /// It has been asked for now; what is there stays visible.
    pub fn ask(&mut self, now: u64) {
        let before = match std::mem::take(self) {
            Loadable::Ready(value) => Some(value),
            Loadable::Loading { before, .. } => before,
            _ => None,
        };
        *self = Loadable::Loading { since: now, before };
    }

    /// The answer has come.
    pub fn fill(&mut self, answer: Result<T>) {
        *self = match answer {
            Ok(value) => Loadable::Ready(value),
            Err(error) => Loadable::Failed(error),
        };
    }

    /// The value, be it the current or the previous one.
    pub fn value(&self) -> Option<&T> {
        match self {
            Loadable::Ready(value) => Some(value),
            Loadable::Loading { before, .. } => before.as_ref(),
            _ => None,
        }
    }

    /// The value if it is the current one.
    pub fn ready(&self) -> Option<&T> {
        match self {
            Loadable::Ready(value) => Some(value),
            _ => None,
        }
    }

    /// Whether somebody waits for it.
    pub fn is_loading(&self) -> bool {
        matches!(self, Loadable::Loading { .. })
    }

    /// Whether nobody has asked for it.
    pub fn is_idle(&self) -> bool {
        matches!(self, Loadable::Idle)
    }

    /// Why it cannot be had.
    pub fn error(&self) -> Option<&Error> {
        match self {
            Loadable::Failed(error) => Some(error),
            _ => None,
        }
    }
}
