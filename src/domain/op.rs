//! One operation as people look at it: where, when, what, on which document.

use std::fmt;

use super::position::Position;

/// What an operation does, in the words of queries and output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OpKind {
    /// A new document.
    Insert,
    /// Some fields of a document change.
    Update,
    /// A document gets a whole new body.
    Replace,
    /// A document goes.
    Delete,
    /// Something that is not about one document: DDL, the end of a transaction.
    Command,
    /// Nothing happens.
    Noop,
}

impl OpKind {
    /// All kinds, in the order they are counted and drawn.
    pub const ALL: [OpKind; 6] =
        [OpKind::Insert, OpKind::Update, OpKind::Replace, OpKind::Delete, OpKind::Command, OpKind::Noop];

    /// Its name, as in queries and JSON.
    pub fn name(self) -> &'static str {
        match self {
            OpKind::Insert => "insert",
            OpKind::Update => "update",
            OpKind::Replace => "replace",
            OpKind::Delete => "delete",
            OpKind::Command => "command",
            OpKind::Noop => "noop",
        }
    }

    /// The kind of that name.
    pub fn named(name: &str) -> Option<OpKind> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl fmt::Display for OpKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// One operation, ready to be shown. An operation inside a transaction or another `applyOps`
/// stands for itself, at the position of its entry.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Op {
    /// Where.
    pub pos: Position,
    /// The second, RFC 3339 in UTC.
    pub time: String,
    /// What.
    pub kind: OpKind,
    /// On which namespace (for a command, the collection it names where it names one).
    pub ns: String,
    /// The document's `_id`, canonical Extended JSON.
    #[serde(rename = "_id", skip_serializing_if = "Option::is_none")]
    pub id: Option<serde_json::Value>,
    /// For a command its name: `drop`, `renameCollection`, …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// Size of the entry, or of the operation inside it, in bytes.
    pub bytes: u64,
    /// The transaction it is part of: session and number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub txn: Option<String>,
}
