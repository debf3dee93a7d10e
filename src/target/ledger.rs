//! What has arrived at a target, collection by collection, so that a restore that was cut off
//! need not send it again. A note is a claim: it is proven by reading the target before it is
//! relied on.

use crate::domain::{Namespace, Result};

use super::pull::Seen;

/// Remembers what has arrived.
pub trait Ledger: Send + Sync {
    /// What an earlier try noted of this collection; `None` = nothing.
    fn noted(&self, ns: &Namespace) -> Option<Seen>;

    /// All documents of this collection have been sent and acknowledged.
    fn note(&self, ns: &Namespace, seen: &Seen) -> Result<()>;
}

/// Remembers nothing.
#[derive(Debug, Clone, Copy)]
pub struct Forgetful;

impl Ledger for Forgetful {
    fn noted(&self, _: &Namespace) -> Option<Seen> {
        None
    }

    fn note(&self, _: &Namespace, _: &Seen) -> Result<()> {
        Ok(())
    }
}
