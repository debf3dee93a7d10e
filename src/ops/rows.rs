//! Operations, decoded for output.

use crate::domain::op::Op;
use crate::engine::bson::{Doc, Elem};
pub use crate::index::rows::{Row, kind_of, rows, session};

impl Row<'_> {
    /// Decodes it for output.
    pub fn to_op(&self) -> Op {
        Op {
            pos: self.entry.at.pos,
            time: self.entry.at.pos.time(),
            kind: self.kind,
            ns: self.ns.clone().into_owned(),
            id: self.entry.id().map(|id| json(&id)),
            command: self.entry.command().map(|c| c.name_lossy().into_owned()),
            bytes: self.entry.raw.bytes().len() as u64,
            txn: self.txn.clone(),
        }
    }
}

/// A value as canonical Extended JSON. What the library cannot decode (text that is not UTF-8)
/// becomes a string that shows the bytes.
pub fn json(elem: &Elem<'_>) -> serde_json::Value {
    let mut wrapped = crate::engine::build::Builder::new();
    wrapped.put(b"v", elem.kind, elem.value);
    let bytes = wrapped.finish();
    match bson::deserialize_from_slice::<bson::Document>(&bytes) {
        Ok(mut doc) => doc.remove("v").map_or(serde_json::Value::Null, bson::Bson::into_canonical_extjson),
        Err(_) => format!("undecodable: {}", elem.value.escape_ascii()).into(),
    }
}

/// A whole document as canonical Extended JSON.
pub fn document_json(doc: Doc<'_>) -> serde_json::Value {
    match bson::deserialize_from_slice::<bson::Document>(doc.bytes()) {
        Ok(doc) => bson::Bson::Document(doc).into_canonical_extjson(),
        Err(_) => format!("undecodable: {}", doc.bytes().escape_ascii()).into(),
    }
}
