//! Views: documents of `system.views`, kept as a list by name. They are few, so operations on
//! them are applied at once. The view of a time series lives here too. Reference 1.4, 1.8.

use std::collections::BTreeMap;

use super::bson::{Doc, Fault};
use super::build::Builder;
use super::entry::{Entry, EntryKind};
use super::update::{NewFieldOrder, apply as apply_update, classify};
use crate::domain::Namespace;

/// Applies an operation on a document of `system.views`.
pub fn apply(views: &mut BTreeMap<Namespace, Vec<u8>>, entry: &Entry<'_>) -> Result<(), Fault> {
    let name = entry
        .id()
        .and_then(|id| id.as_str())
        .map(Namespace::parse)
        .ok_or_else(|| Fault::new(0, "a view without a name"))?;
    match entry.kind {
        EntryKind::Insert => {
            views.insert(name, without_id(entry.o));
        }
        EntryKind::Delete => {
            views.remove(&name);
        }
        _ => {
            let update = classify(entry.o)?;
            let empty = super::bson::EMPTY.bytes().to_vec();
            let old = views.get(&name).unwrap_or(&empty);
            let new = apply_update(Doc::new(old)?, &update, NewFieldOrder::AsListed, Vec::new())?;
            views.insert(name, without_id(Doc::new(&new)?));
        }
    }
    Ok(())
}

fn without_id(doc: Doc<'_>) -> Vec<u8> {
    let mut out = Builder::new();
    for elem in doc.iter().map_while(Result::ok) {
        if elem.name != b"_id" {
            out.copy(&elem);
        }
    }
    out.finish()
}
