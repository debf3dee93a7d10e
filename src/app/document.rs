//! One document over time: what an operation made of it, and all its versions.

use serde_json::Value;

use crate::domain::Position;
use crate::domain::coverage::Gap;
use crate::domain::diff::FieldDiff;
use crate::domain::op::OpKind;

/// Which document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentRef {
    /// A name its collection had at some time.
    pub ns: String,
    /// Its `_id`, canonical Extended JSON.
    pub id: Value,
}

/// What one version differs in from the one before it.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// What made it.
    pub version: VersionLine,
    /// The document before; `None` = it was not there.
    pub before: Option<Value>,
    /// The document after; `None` = it is not there.
    pub after: Option<Value>,
    /// What differs: `at_stop` is before, `against` is after. Empty where it comes or goes.
    pub fields: Vec<FieldDiff>,
}

/// All versions of a document.
#[derive(Debug, Clone, PartialEq)]
pub struct Versions {
    /// Of which.
    pub of: DocumentRef,
    /// In order.
    pub list: Vec<VersionLine>,
    /// Gaps of the oplog that lie in it: nothing is known inside them.
    pub gaps: Vec<Gap>,
}

/// A version in a list.
#[derive(Debug, Clone, PartialEq)]
pub struct VersionLine {
    /// From here on it was like this.
    pub pos: Position,
    /// What made it, in words.
    pub what: String,
    /// The operation that made it; `None` = none on the document itself.
    pub kind: Option<OpKind>,
    /// The name of its collection from here on.
    pub ns: String,
    /// The session that wrote it, in hex, where the oplog has one.
    pub session: Option<String>,
    /// Its transaction: the number within the session.
    pub txn: Option<i64>,
    /// Whether this is exactly what the server held then.
    pub exact: bool,
    /// What to know about it.
    pub remark: Option<String>,
    /// Whether the document is there.
    pub there: bool,
    /// What changed, on one line, cut where it is long.
    pub fields: String,
}
