//! What a dump says about a collection beside its documents: `X.metadata.json` (reference 3.4).

use serde_json::{Map, Value};

use crate::domain::{Error, Result};
use crate::engine::bson::EMPTY;
use crate::engine::build::Builder;
use crate::engine::extjson;
use crate::engine::input::CollectionKind;

/// A metadata file, understood.
#[derive(Debug, Clone)]
pub struct Metadata {
    /// View, time series or collection; old dumps do not say it, their options do.
    pub kind: CollectionKind,
    /// `options` as BSON.
    pub options: Vec<u8>,
    /// Index specs as BSON, without `ns`.
    pub indexes: Vec<Vec<u8>>,
    /// The collection's identity; absent for views and time series.
    pub uuid: Option<[u8; 16]>,
    /// The collection's name as it is, where the dump is young enough to say it.
    pub collection_name: Option<String>,
}

impl Default for Metadata {
    /// What is known of a collection without a metadata file: nothing.
    fn default() -> Self {
        Metadata {
            kind: CollectionKind::Collection,
            options: EMPTY.bytes().to_vec(),
            indexes: Vec::new(),
            uuid: None,
            collection_name: None,
        }
    }
}

impl Metadata {
    /// Parses the text of a metadata file; `place` names it in errors.
    pub fn parse(text: &[u8], place: &str) -> Result<Self> {
        let wrong = |cause: String| {
            Error::failed("reading the collection's metadata", place, cause)
                .hint("the dump is damaged or written by an unknown tool: use another copy of it.")
        };
        let object: Map<String, Value> =
            serde_json::from_slice(text).map_err(|e| wrong(format!("this is no JSON object: {e}")))?;
        let mut out = Metadata::default();
        if let Some(options) = object.get("options").filter(|v| !v.is_null()) {
            let options = options.as_object().ok_or_else(|| wrong("`options` is no object".into()))?;
            out.options = extjson::document(options).map_err(|e| wrong(format!("in `options` {e}")))?;
            if options.contains_key("viewOn") {
                out.kind = CollectionKind::View;
            } else if options.contains_key("timeseries") {
                out.kind = CollectionKind::Timeseries;
            }
        }
        if let Some(indexes) = object.get("indexes").filter(|v| !v.is_null()) {
            let indexes = indexes.as_array().ok_or_else(|| wrong("`indexes` is no array".into()))?;
            for index in indexes {
                out.indexes.push(index_spec(index).map_err(|e| wrong(format!("in `indexes` {e}")))?);
            }
        }
        match object.get("type").and_then(Value::as_str) {
            None | Some("" | "collection" | "view" | "timeseries") => {}
            Some(other) => return wrong(format!("{other:?} is no known type of collection")).err(),
        }
        if let Some(uuid) = object.get("uuid").and_then(Value::as_str).filter(|u| !u.is_empty()) {
            let bytes = extjson::hex(&uuid.replace('-', "")).and_then(|b| b.try_into().ok());
            out.uuid = Some(bytes.ok_or_else(|| wrong(format!("{uuid:?} is no uuid")))?);
        }
        out.collection_name = object.get("collectionName").and_then(Value::as_str).map(str::to_owned);
        Ok(out)
    }
}

/// The spec as listIndexes shows it since 4.4: without `ns`.
fn index_spec(index: &Value) -> Result<Vec<u8>, String> {
    let spec = index.as_object().ok_or_else(|| format!("{index} is no object"))?;
    let mut out = Builder::new();
    for (name, value) in spec.iter().filter(|(name, _)| *name != "ns") {
        extjson::put(&mut out, name, value)?;
    }
    Ok(out.finish())
}

/// The versions in a `prelude.json`, or the header of an archive.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Versions {
    /// Of the server, e.g. "6.0.5"; `None` also where the tool did not know.
    pub server: Option<String>,
    /// Of the tool.
    pub tool: Option<String>,
}

impl Versions {
    /// Makes one; "unknown" and "" are what tools write for not knowing.
    pub fn new(server: Option<&str>, tool: Option<&str>) -> Self {
        let known = |text: Option<&str>| text.filter(|t| !t.is_empty() && *t != "unknown").map(str::to_owned);
        Versions { server: known(server), tool: known(tool) }
    }

    /// Parses a `prelude.json`; a broken one is as good as none.
    pub fn parse_prelude(text: &[u8]) -> Option<Self> {
        let object: Map<String, Value> = serde_json::from_slice(text).ok()?;
        let text = |key| object.get(key).and_then(Value::as_str);
        Some(Self::new(text("ServerVersion"), text("ToolVersion")))
    }

    /// Major and minor number of the server.
    pub fn server_number(&self) -> Option<(u32, u32)> {
        let mut parts = self.server.as_deref()?.split('.');
        Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
    }
}
