//! What follows a stop and is left out by it, in numbers: the incident, and the good writes that
//! would be lost with it.

use super::burst::Burst;
use super::namespace::Namespace;
use super::position::Position;

/// What follows a stop.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct After {
    /// The act that begins at the stop, or has begun before it and goes on.
    pub incident: Option<Burst>,
    /// By namespace: what follows the stop up to [`After::until`].
    pub namespaces: Vec<NamespaceAfter>,
    /// All of them together.
    pub total: Counts,
    /// The end of what was counted: just past the last operation that joins on without a gap.
    pub until: Position,
}

/// What follows a stop in one namespace.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct NamespaceAfter {
    /// Which.
    pub ns: Namespace,
    /// How much.
    #[serde(flatten)]
    pub counts: Counts,
}

/// Operations and the different documents they are about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    /// All operations.
    pub operations: u64,
    /// All documents.
    pub documents: u64,
    /// Operations of the incident: those of its kind on its namespace between its first and last.
    pub incident_operations: u64,
    /// Their documents.
    pub incident_documents: u64,
    /// Operations that are not of the incident: good writes, lost by going back.
    pub good_operations: u64,
    /// Their documents.
    pub good_documents: u64,
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, more: Counts) {
        self.operations += more.operations;
        self.documents += more.documents;
        self.incident_operations += more.incident_operations;
        self.incident_documents += more.incident_documents;
        self.good_operations += more.good_operations;
        self.good_documents += more.good_documents;
    }
}
