//! Which namespaces transactions wrote to together: whoever restores only some of them should
//! know. Knows nothing of what was written.

use std::collections::BTreeSet;

use super::bson::Doc;
use crate::domain::{Namespace, Position};

/// How many different sets are remembered; more kinds are not worth a warning each.
const MAX: usize = 256;

/// Transactions that wrote to the same namespaces.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Together {
    /// Which ones, as they were called then; two at least.
    pub namespaces: BTreeSet<Namespace>,
    /// How many did.
    pub transactions: u64,
    /// Where the first was committed.
    pub first: Position,
}

/// Takes in a transaction that was committed at `pos`.
pub(super) fn note<'a>(known: &mut Vec<Together>, pos: Position, ops: impl Iterator<Item = Doc<'a>>) {
    let distinct: BTreeSet<&str> = ops.filter_map(|op| op.get("ns").and_then(|e| e.as_str())).collect();
    if distinct.len() < 2 {
        return;
    }
    let namespaces: BTreeSet<Namespace> = distinct.into_iter().map(Namespace::parse).collect();
    if let Some(same) = known.iter_mut().find(|t| t.namespaces == namespaces) {
        same.transactions += 1;
    } else if known.len() < MAX {
        known.push(Together { namespaces, transactions: 1, first: pos });
    }
}
