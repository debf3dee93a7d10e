//! What an update does, coarsely: the same change everywhere, fields removed, arrays cut off.

use xxhash_rust::xxh3::xxh3_64;

use crate::domain::burst::Shape;
use crate::engine::bson::Doc;

/// How deep diffs are looked into.
const MAX_DEPTH: usize = 64;

/// The shape of the `o` of an update that is no replacement.
pub fn shape_of(o: Doc<'_>) -> Shape {
    let mut found = Found::default();
    match o.get("diff").and_then(|e| e.as_doc()) {
        Some(diff) => in_diff(diff, 0, &mut found),
        None => {
            if let Some(unset) = o.get("$unset").and_then(|e| e.as_doc()) {
                found.removed = Some(names(unset));
            }
        }
    }
    match found {
        Found { removed: Some(names), .. } => Shape::Unset(names),
        Found { cut: Some(names), .. } => Shape::Shrink(names),
        Found { .. } => Shape::Set(change_hash(o)),
    }
}

/// Hashes of the names of what an update takes away.
#[derive(Debug, Default)]
struct Found {
    removed: Option<u64>,
    cut: Option<u64>,
}

fn names(doc: Doc<'_>) -> u64 {
    doc.iter().map_while(Result::ok).fold(0, |sum, e| sum.wrapping_add(xxh3_64(e.name)))
}

fn in_diff(diff: Doc<'_>, depth: usize, found: &mut Found) {
    for section in diff.iter().map_while(Result::ok) {
        let Some(inner) = section.as_doc() else { continue };
        if section.name == b"d" {
            found.removed = Some(found.removed.unwrap_or(0).wrapping_add(names(inner)));
        } else if section.name.starts_with(b"s") && depth < MAX_DEPTH {
            let is_array = inner.get("a").is_some_and(|e| e.is_truthy());
            if is_array && inner.get("l").is_some() {
                found.cut = Some(found.cut.unwrap_or(0).wrapping_add(xxh3_64(section.name)));
            }
            if !is_array {
                in_diff(inner, depth + 1, found);
            }
        }
    }
}

/// Equal for updates that set the same fields to the same values, however the server wrote them
/// down: a field that one document had and another had not is the same change.
fn change_hash(o: Doc<'_>) -> u64 {
    let parts = |doc: Doc<'_>| {
        doc.iter().map_while(Result::ok).fold(0u64, |sum, e| sum.wrapping_add(xxh3_64(e.whole)))
    };
    let Some(diff) = o.get("diff").and_then(|e| e.as_doc()) else {
        return ["$set", "$unset"]
            .iter()
            .filter_map(|name| o.get(name)?.as_doc())
            .fold(0, |sum, d| sum.wrapping_add(parts(d)));
    };
    diff.iter().map_while(Result::ok).fold(0, |sum: u64, section| {
        sum.wrapping_add(match (section.name, section.as_doc()) {
            (b"u" | b"i" | b"d", Some(fields)) => parts(fields),
            _ => xxh3_64(section.whole),
        })
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use bson::{Document, doc};

    fn shape(o: Document) -> Shape {
        let bytes = bson::serialize_to_vec(&o).unwrap();
        shape_of(Doc::new(&bytes).unwrap())
    }

    #[test]
    fn the_same_change_is_the_same_shape_whatever_was_there() {
        let update = shape(doc! { "$v": 2, "diff": { "u": { "price": 0 } } });
        assert_eq!(update, shape(doc! { "$v": 2, "diff": { "i": { "price": 0 } } }));
        assert_ne!(update, shape(doc! { "$v": 2, "diff": { "u": { "price": 1 } } }));
        assert!(matches!(shape(doc! { "$v": 1, "$set": { "price": 0 } }), Shape::Set(_)));
    }

    #[test]
    fn what_is_removed_counts_whatever_is_set_beside_it() {
        let renamed =
            |value: i32| shape(doc! { "$v": 2, "diff": { "d": { "a": false }, "i": { "b": value } } });
        assert!(matches!(renamed(1), Shape::Unset(_)));
        assert_eq!(renamed(1), renamed(2));
        let inner = shape(doc! { "$v": 2, "diff": { "sx": { "d": { "a": false } } } });
        assert_eq!(inner, renamed(1));
        assert!(matches!(shape(doc! { "$v": 1, "$unset": { "a": true } }), Shape::Unset(_)));
    }

    #[test]
    fn an_array_that_is_cut_off() {
        let cut = |n: i32| shape(doc! { "$v": 2, "diff": { "stags": { "a": true, "l": n } } });
        assert!(matches!(cut(3), Shape::Shrink(_)));
        assert_eq!(cut(3), cut(4));
        assert!(matches!(
            shape(doc! { "$v": 2, "diff": { "stags": { "a": true, "u0": 1 } } }),
            Shape::Set(_)
        ));
    }
}
