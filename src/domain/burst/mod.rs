//! Bursts: operations that are one act.
//!
//! An act is recognised by what its operations share: transaction, or namespace, kind and shape
//! of the change; and by coming without a pause. The oplog knows no user: a session is all there
//! is. Whether an act is damage is judged in [`judge`].
//!
//! However many operations there are, no more of them are held than there is room for.

mod distinct;
mod group;
mod judge;
mod normal;
mod open;
mod overflow;

use super::names::NsId;
use super::namespace::Namespace;
use super::op::OpKind;
use super::position::Position;

pub use group::Grouper;
use open::Closed;
pub use overflow::Overflow;

/// Acts on fewer documents than this are not looked at, unless a collection goes with them.
pub const FEW: u64 = 5;

/// What the change does, coarsely; operations of one act have the same shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shape {
    /// A document comes.
    Insert,
    /// A document goes.
    Delete,
    /// A document goes from a collection with a TTL index, and nothing says it had not expired.
    Expire,
    /// A document goes from a capped collection to make room.
    Evict,
    /// Fields are set; the number is a hash of names and values, equal for the same change.
    Set(u64),
    /// Fields are removed, whatever else happens; the number is a hash of their names.
    Unset(u64),
    /// Arrays are cut off; the number is a hash of their names.
    Shrink(u64),
    /// A whole new body.
    Replace,
    /// A collection or a database goes.
    Drop,
    /// A collection is renamed over another.
    Overwrite,
}

impl Shape {
    /// It as a kind and a number.
    fn code(self) -> (u8, u64) {
        match self {
            Shape::Insert => (0, 0),
            Shape::Delete => (1, 0),
            Shape::Expire => (2, 0),
            Shape::Evict => (3, 0),
            Shape::Set(hash) => (4, hash),
            Shape::Unset(hash) => (5, hash),
            Shape::Shrink(hash) => (6, hash),
            Shape::Replace => (7, 0),
            Shape::Drop => (8, 0),
            Shape::Overwrite => (9, 0),
        }
    }
}

/// Who writes like this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Author {
    /// Somebody.
    Client,
    /// A chunk migration.
    Migration,
    /// The server's work with a temporary collection: `$out`, a conversion, a rename between
    /// databases.
    Temporary,
}

/// One operation as the grouping sees it.
#[derive(Debug, Clone, Copy)]
pub struct Act {
    /// Where.
    pub pos: Position,
    /// What.
    pub kind: OpKind,
    /// On what, as [`Names`](super::names::Names) count it.
    pub ns: NsId,
    /// How.
    pub shape: Shape,
    /// The session, as a hash; `None` where the oplog has none. One act may come through several:
    /// drivers take them from a pool.
    pub session: Option<u64>,
    /// The transaction, as a hash: its operations are acts of their own.
    pub transaction: Option<u64>,
    /// By whom.
    pub author: Author,
    /// The document, as a hash.
    pub key: u64,
    /// Whether something special is known of the document: that it had expired, for
    /// [`Shape::Expire`]; that it was inserted not long before, for [`Shape::Delete`].
    pub marked: bool,
    /// Documents the namespace held before this operation, as far as known.
    pub documents_before: u64,
}

/// Operations that are one act.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Burst {
    /// What its operations do.
    pub kind: OpKind,
    /// On what.
    pub ns: Namespace,
    /// What happened, in words.
    pub what: String,
    /// Its first operation.
    pub first: Position,
    /// Its last operation.
    pub last: Position,
    /// Its first second, RFC 3339 in UTC.
    pub time: String,
    /// Seconds from its first to its last operation.
    pub seconds: u32,
    /// Documents it touched.
    pub documents: u64,
    /// Share of the collection it touched, 0 to 1, as far as known.
    pub share: f64,
    /// The stop that leaves it out: before its first operation.
    pub stop: Position,
    /// The session that wrote it, in hex, where the oplog has one. It never has a user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// Why it is no damage but the everyday work of the server or of the application.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ordinary: Option<String>,
    /// The session as [`Act::session`] has it.
    #[serde(skip)]
    pub by: Option<u64>,
}

#[cfg(test)]
mod tests;
