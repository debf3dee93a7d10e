//! A document that differs, made into something to look at.

use super::super::rows::{document_json, json};
use crate::domain::Namespace;
use crate::domain::diff::{DocumentDiff, FieldDiff, fields};
use crate::domain::diff_filter::Differing;
use crate::engine::bson::Doc;

/// One document to look at, field by field where it is there on both sides.
pub fn show(ns: &Namespace, document: &Differing<'_>) -> DocumentDiff {
    let Differing { fate, conflict, at_stop: then, against: now } = *document;
    let raw_json = |bytes: Option<&[u8]>| bytes.and_then(|b| Doc::new(b).ok()).map(document_json);
    let id = then
        .or(now)
        .and_then(|b| Doc::new(b).ok())
        .and_then(|d| d.get("_id"))
        .map_or(serde_json::Value::Null, |e| json(&e));
    DocumentDiff {
        ns: ns.clone(),
        id,
        fate,
        conflict,
        fields: changed_fields(then, now),
        at_stop: raw_json(then),
        against: raw_json(now),
    }
}

/// The fields in which two versions differ; none where one of them is missing.
pub fn changed_fields(then: Option<&[u8]>, now: Option<&[u8]>) -> Vec<FieldDiff> {
    let (Some(then), Some(now)) = (then, now) else { return Vec::new() };
    let doc = |bytes: &[u8]| bson::deserialize_from_slice::<bson::Document>(bytes).ok();
    if let (Some(a), Some(b)) = (doc(then), doc(now)) {
        return fields(&a, &b);
    }
    if then == now {
        return Vec::new();
    }
    // Not decodable (text that is not UTF-8): shown whole.
    let raw_json = |bytes: &[u8]| Doc::new(bytes).ok().map(document_json);
    vec![FieldDiff {
        path: String::new(),
        at_stop: raw_json(then),
        against: raw_json(now),
        order_only: false,
    }]
}
