//! The metadata of a collection as mongodump writes them (reference 3.4): one JSON object, in a
//! file of its own or in an archive's list of namespaces; and whether one says what it should.

use bson::{Bson, Document};

use super::shape::{compare_indexes, compare_options, document};
use super::verify::kind_name;
use crate::domain::{Error, Result};
use crate::engine::output::CollectionSpec;

/// The text for one collection.
pub(super) fn metadata_json(spec: &CollectionSpec) -> Result<String> {
    let decode = |bytes: &[u8], what: &str| {
        document(bytes).map(|d| Bson::Document(d).into_canonical_extjson()).map_err(|why| {
            Error::failed(
                "writing the metadata of",
                format_args!("{:?}", spec.ns.to_string()),
                format_args!("its {what} cannot be written as JSON: {why}"),
            )
        })
    };
    let indexes =
        spec.indexes.iter().map(|i| decode(i, "index")).collect::<std::result::Result<Vec<_>, _>>()?;
    let mut metadata = serde_json::Map::new();
    let options = decode(&spec.options, "options")?;
    if options.as_object().is_some_and(|o| !o.is_empty()) {
        metadata.insert("options".to_owned(), options);
    }
    metadata.insert("indexes".to_owned(), indexes.into());
    metadata.insert("collectionName".to_owned(), spec.ns.coll.clone().into());
    metadata.insert("type".to_owned(), kind_name(spec.kind).into());
    Ok(serde_json::Value::Object(metadata).to_string())
}

/// Reads a text as a restoring tool would and gives how its options and its indexes differ from
/// the state; `Err` = it cannot be read.
pub(super) fn compare_metadata(
    spec: &CollectionSpec,
    text: &str,
) -> std::result::Result<(Vec<String>, Vec<String>), String> {
    let json: serde_json::Value = serde_json::from_str(text).map_err(|e| e.to_string())?;
    let found = match Bson::try_from(json).map_err(|e| e.to_string())? {
        Bson::Document(found) => found,
        _ => return Err("it is no object".to_owned()),
    };
    let empty = Document::new();
    let want = document(&spec.options)?;
    let mut options = compare_options(&want, found.get_document("options").unwrap_or(&empty));
    let says = |key: &str| found.get_str(key).unwrap_or_default();
    if says("collectionName") != spec.ns.coll || says("type") != kind_name(spec.kind) {
        options.push("the metadata name another collection or type".to_owned());
    }
    let want = spec.indexes.iter().map(|i| document(i)).collect::<std::result::Result<Vec<_>, _>>()?;
    let listed = found.get_array("indexes").map(Vec::as_slice).unwrap_or_default();
    let listed: Vec<Document> = listed.iter().filter_map(Bson::as_document).cloned().collect();
    Ok((options, compare_indexes(&want, &listed)))
}
