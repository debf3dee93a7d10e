//! What a collection asks of the server that is to hold it: the releases that features came with.

use crate::engine::bson::{Doc, Elem};
use crate::engine::input::CollectionKind;
use crate::engine::output::CollectionSpec;

/// A release series: major and minor number.
pub type Series = (u32, u32);

/// A feature by its name, and the first release series that has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feature {
    /// As a human would say it.
    pub name: String,
    /// The first release series.
    pub since: Series,
}

/// The features a collection uses that came after 4.2, the oldest server that is written to.
/// `source` is the release of the server it comes from, where that is known.
pub fn features(spec: &CollectionSpec, source: Option<Series>) -> Vec<Feature> {
    let mut found = Vec::new();
    let mut add = |since: Series, name: &str| found.push(Feature { name: name.to_owned(), since });
    let options = fields(&spec.options);
    if let Some(series) = options.get("timeseries").and_then(|e| e.as_doc()) {
        add((5, 0), "time series");
        // The form of the stored buckets follows the release that wrote them.
        match source {
            Some(source) if source >= (8, 0) => add((8, 0), "buckets in the form of MongoDB 8.0"),
            Some(source) if source >= (5, 2) => add((5, 2), "compressed buckets"),
            _ => {}
        }
        if series.get("bucketRoundingSeconds").is_some() {
            add((6, 3), "bucketRoundingSeconds");
        }
    } else if options.get("clusteredIndex").is_some() {
        add((5, 3), "clusteredIndex");
    }
    if options.get("changeStreamPreAndPostImages").is_some() {
        add((6, 0), "changeStreamPreAndPostImages");
    }
    if options.get("encryptedFields").is_some() {
        add((6, 0), "encryptedFields");
    }
    if options.get("validationAction").and_then(|e| e.as_str()) == Some("errorAndLog") {
        add((8, 1), "validationAction errorAndLog");
    }
    for raw in &spec.indexes {
        let index = fields(raw);
        let name = index.get("name").and_then(|e| e.as_str()).unwrap_or("");
        for (since, what) in index_features(index, &options, spec.kind) {
            add(since, &format!("{what} (index {name:?})"));
        }
    }
    found
}

fn index_features(index: Doc<'_>, options: &Doc<'_>, kind: CollectionKind) -> Vec<(Series, &'static str)> {
    let mut found = Vec::new();
    let on = |name: &str| index.get(name).is_some_and(|e| e.is_truthy());
    let keys: Vec<Elem<'_>> = key(index).iter().map_while(Result::ok).collect();
    let of_kind = |kind: &str| keys.iter().any(|e| e.as_str() == Some(kind));
    if on("hidden") {
        found.push(((4, 4), "hidden"));
    }
    if on("prepareUnique") {
        found.push(((6, 0), "prepareUnique"));
    }
    if of_kind("hashed") && keys.len() > 1 {
        found.push(((4, 4), "compound hashed index"));
    }
    if of_kind("columnstore") {
        found.push(((6, 3), "columnstore index"));
    }
    if keys.iter().any(|e| e.name == b"$**" || e.name.ends_with(b".$**")) && keys.len() > 1 {
        found.push(((7, 0), "compound wildcard index"));
    }
    let filter = index.get("partialFilterExpression").and_then(|e| e.as_doc());
    if filter.is_some_and(|f| mentions(f, &["$or", "$in", "$geoWithin"])) {
        found.push(((6, 0), "partialFilterExpression with $or, $in or $geoWithin"));
    }
    if kind == CollectionKind::Timeseries {
        if filter.is_some() {
            found.push(((5, 2), "partial index on a time series"));
        }
        if index.get("expireAfterSeconds").is_some() {
            found.push(((7, 0), "TTL index on a time series"));
        }
        let series = options.get("timeseries").and_then(|e| e.as_doc());
        let named = |field: &str| series.and_then(|s| s.get(field)).and_then(|e| e.as_str());
        let (time, meta) = (named("timeField"), named("metaField"));
        let measured = |e: &Elem<'_>| {
            let name = e.name_lossy();
            let top = name.split('.').next();
            Some(&*name) != time && (meta.is_none() || top != meta)
        };
        if keys.iter().any(measured) {
            found.push(((6, 0), "index on measurements of a time series"));
        }
    }
    found
}

fn fields(bytes: &[u8]) -> Doc<'_> {
    Doc::new(bytes).unwrap_or(crate::engine::bson::EMPTY)
}

fn key(index: Doc<'_>) -> Doc<'_> {
    index.get("key").and_then(|e| e.as_doc()).unwrap_or(crate::engine::bson::EMPTY)
}

/// Whether one of these operators stands anywhere in a filter. Filters come from a server, which
/// bounds how deep they nest.
fn mentions(filter: Doc<'_>, operators: &[&str]) -> bool {
    filter.iter().map_while(Result::ok).any(|e| {
        operators.iter().any(|o| o.as_bytes() == e.name)
            || e.as_doc().is_some_and(|inner| mentions(inner, operators))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use crate::domain::Namespace;
    use bson::{Document, doc};

    fn needs(kind: CollectionKind, options: Document, index: Document, source: Series) -> Vec<Series> {
        let bytes = |d: &Document| bson::serialize_to_vec(d).unwrap();
        let spec = CollectionSpec {
            ns: Namespace::parse("a.b"),
            kind,
            options: bytes(&options),
            indexes: vec![bytes(&index)],
            ordered: false,
            documents: 0,
            bytes: 0,
        };
        features(&spec, Some(source)).into_iter().map(|f| f.since).collect()
    }

    /// What the release notes say.
    #[test]
    fn options_and_indexes_by_release() {
        use CollectionKind::{Collection, Timeseries, View};
        let id = || doc! { "v": 2, "key": { "_id": 1 }, "name": "_id_" };
        let collection = |options, index| needs(Collection, options, index, (6, 0));
        assert_eq!(collection(doc! { "capped": true, "validator": { "a": 1 } }, id()), []);
        assert_eq!(needs(View, doc! { "viewOn": "c", "pipeline": [] }, id(), (6, 0)), []);
        let clustered = doc! { "clusteredIndex": { "key": { "_id": 1 }, "unique": true } };
        assert_eq!(collection(clustered, id()), [(5, 3)]);
        assert_eq!(collection(doc! { "changeStreamPreAndPostImages": { "enabled": true } }, id()), [(6, 0)]);
        for (index, since) in [
            (doc! { "key": { "a": 1 }, "unique": true, "expireAfterSeconds": 5 }, None),
            (doc! { "key": { "a": 1 }, "hidden": false }, None),
            (doc! { "key": { "a": 1 }, "hidden": true }, Some((4, 4))),
            (doc! { "key": { "a": 1 }, "prepareUnique": true }, Some((6, 0))),
            (doc! { "key": { "a": "hashed" } }, None),
            (doc! { "key": { "a": "hashed", "b": 1 } }, Some((4, 4))),
            (doc! { "key": { "$**": 1 } }, None),
            (doc! { "key": { "a.$**": 1, "b": 1 } }, Some((7, 0))),
            (doc! { "key": { "a": 1 }, "partialFilterExpression": { "b": { "$gt": 1 } } }, None),
            (
                doc! { "key": { "a": 1 }, "partialFilterExpression": { "$and": [{ "b": { "$in": [1] } }] } },
                Some((6, 0)),
            ),
        ] {
            assert_eq!(collection(doc! {}, index.clone()), Vec::from_iter(since), "{index}");
        }
        let series = || doc! { "timeseries": { "timeField": "t", "metaField": "m" } };
        for (index, source, want) in [
            (doc! { "key": { "m": 1, "t": 1 } }, (5, 0), vec![(5, 0)]),
            (doc! { "key": { "m.x": 1, "t": 1 } }, (6, 0), vec![(5, 0), (5, 2)]),
            (doc! { "key": { "v": 1 } }, (6, 0), vec![(5, 0), (5, 2), (6, 0)]),
            (doc! { "key": { "m": 1 }, "expireAfterSeconds": 1 }, (8, 0), vec![(5, 0), (8, 0), (7, 0)]),
        ] {
            assert_eq!(needs(Timeseries, series(), index.clone(), source), want, "{index}");
        }
    }
}
