//! One document: a body, and the updates that lie on it.

use crate::domain::{Error, Result};
use crate::engine::bson::{Doc, EMPTY, Fault};
use crate::engine::catalog::Collection;
use crate::engine::effects::Origin;
use crate::engine::spill::Touched;
use crate::engine::update::{NewFieldOrder, Update, apply, classify};

/// Applies what happened to a body. One from the oplog gets its `_id` first where the server does
/// that.
pub(super) fn build(coll: &Collection<'_>, touched: &Touched<'_, '_>, body: Doc<'_>) -> Result<Vec<u8>> {
    let wrong = |pos: String, fault: Fault| {
        Error::inexact("applying the update at", format!("{pos} {}", coll.ns), fault)
            .hint("the oplog is damaged here; get it again from the source, or stop before this entry.")
    };
    let put = matches!(touched.origin, Origin::Put(_));
    let mut doc = if put && !touched.as_logged && !body.starts_with_id() {
        apply(EMPTY, &Update::Replace(body), NewFieldOrder::AsListed, Vec::new())
            .map_err(|fault| wrong("an insert".into(), fault))?
    } else {
        body.bytes().to_vec()
    };
    let mut spare = Vec::new();
    touched.updates(&mut |patch| {
        let applied = classify(patch.o)
            .and_then(|update| {
                apply(Doc::new(&doc)?, &update, NewFieldOrder::AsListed, std::mem::take(&mut spare))
            })
            .map_err(|fault| wrong(patch.pos.to_string(), fault))?;
        spare = std::mem::replace(&mut doc, applied);
        Ok(())
    })?;
    Ok(doc)
}
