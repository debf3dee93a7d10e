//! What holds for all updates: diffs lead from one document to the next, replaying a suffix of
//! them over the last document changes nothing, and no bytes whatever make a panic.
//! The differ here is written from the property alone, not from the code under test.

use bson::Bson;
use proptest::prelude::*;

use super::*;
use crate::engine::key::DocKey;

/// The `$v: 2` diff from one document to another; `None` when they are the same.
fn document_diff(old: &Document, new: &Document) -> Option<Document> {
    let (mut updates, mut inserts, mut deletes, mut inner) = (doc! {}, doc! {}, doc! {}, doc! {});
    // Old fields that keep their order relative to each other and lead the new document stay.
    let mut rest = new.iter().peekable();
    let mut gone = Vec::new();
    for (name, value) in old {
        match rest.next_if(|(next, _)| *next == name) {
            None => gone.push(name),
            Some((_, next)) => match nested_diff(value, next) {
                Some(diff) => drop(inner.insert(format!("s{name}"), diff)),
                None if value != next => drop(updates.insert(name, next)),
                None => {}
            },
        }
    }
    rest.for_each(|(name, value)| drop(inserts.insert(name, value)));
    for name in gone {
        if !inserts.contains_key(name) {
            deletes.insert(name, false);
        }
    }
    let mut diff = doc! {};
    for (section, fields) in [("d", deletes), ("u", updates), ("i", inserts)] {
        if !fields.is_empty() {
            diff.insert(section, fields);
        }
    }
    diff.extend(inner);
    (!diff.is_empty()).then_some(diff)
}

fn array_diff(old: &[Bson], new: &[Bson]) -> Option<Document> {
    let mut diff = doc! { "a": true };
    if new.len() < old.len() {
        diff.insert("l", new.len() as i32);
    }
    for (index, value) in new.iter().enumerate() {
        match old.get(index).map(|old| (old, nested_diff(old, value))) {
            Some((_, Some(nested))) => drop(diff.insert(format!("s{index}"), nested)),
            Some((old, None)) if old == value => {}
            _ => drop(diff.insert(format!("u{index}"), value)),
        }
    }
    (diff.len() > 1).then_some(diff)
}

fn nested_diff(old: &Bson, new: &Bson) -> Option<Document> {
    match (old, new) {
        (Bson::Document(old), Bson::Document(new)) => document_diff(old, new),
        (Bson::Array(old), Bson::Array(new)) => array_diff(old, new),
        _ => None,
    }
}

fn value() -> impl Strategy<Value = Bson> {
    let leaf = prop_oneof![
        Just(Bson::Null),
        (0..3i32).prop_map(Bson::Int32),
        (0..2i64).prop_map(Bson::Int64),
        (0..2i32).prop_map(|n| Bson::Double(n.into())),
        "[xy]{0,2}".prop_map(Bson::String),
    ];
    leaf.prop_recursive(3, 24, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Bson::Array),
            fields(inner).prop_map(Bson::Document),
        ]
    })
}

fn fields(value: impl Strategy<Value = Bson>) -> impl Strategy<Value = Document> {
    let name = prop::sample::select(vec!["a", "b", "c", "d", "", "a.b", "$x", "0"]);
    prop::collection::vec((name, value), 0..7)
        .prop_map(|fields| fields.into_iter().map(|(n, v)| (n.to_owned(), v)).collect())
}

fn with_id(fields: Document) -> Document {
    let mut document = doc! { "_id": 1 };
    document.extend(fields);
    document
}

/// Documents in time: each has some fields of the one before, in its order or another.
fn history() -> impl Strategy<Value = Vec<Document>> {
    let step = (fields(value()), any::<u8>(), any::<bool>());
    prop::collection::vec(step, 2..6).prop_map(|steps| {
        let mut now = doc! {};
        let mut history = Vec::new();
        for (new, kept, front) in steps {
            let old = now.iter().enumerate().filter(|(i, _)| kept >> (i % 8) & 1 == 1);
            let old: Document = old.map(|(_, (name, value))| (name.clone(), value.clone())).collect();
            now = if front {
                old.into_iter().chain(new).collect()
            } else {
                new.into_iter().chain(old).collect()
            };
            history.push(with_id(now.clone()));
        }
        history
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn diffs_lead_on_and_any_suffix_of_them_keeps_the_end(history in history()) {
        let mut diffs = Vec::new();
        for pair in history.windows(2) {
            if let Some(diff) = document_diff(&pair[0], &pair[1]) {
                let o = doc! { "$v": 2, "diff": diff };
                prop_assert_eq!(raw(&run(&pair[0], &o).unwrap()), raw(&pair[1]));
                diffs.push(o);
            }
        }
        let end = history.last().unwrap();
        for first in 0..diffs.len() {
            let mut document = end.clone();
            for o in &diffs[first..] {
                document = run(&document, o).unwrap();
            }
            prop_assert_eq!(raw(&document), raw(end), "replayed from diff {}", first);
        }
    }

    /// Paths are disjoint, so a second application finds everything as it wants it.
    #[test]
    fn modifiers_applied_twice_are_applied_once(
        old in fields(value()),
        sets in prop::collection::btree_map("[abc0](\\.[abc012]){0,2}", value(), 0..5),
        unsets in prop::collection::btree_set("[abc0](\\.[abc012]){0,2}", 0..4),
    ) {
        let set: Document = sets.into_iter().collect();
        let unset: Document = unsets.into_iter().map(|path| (path, Bson::Boolean(true))).collect();
        let o = doc! { "$v": 1, "$set": set, "$unset": unset };
        if let Ok(once) = run(&with_id(old), &o) {
            prop_assert_eq!(raw(&run(&once, &o).unwrap()), raw(&once));
        }
    }

    #[test]
    fn no_bytes_make_a_panic(
        old in fields(value()),
        diff in fields(value()),
        section in prop::sample::select(vec!["d", "u", "i", "b", "s", "sa", "$set", "$unset", "x"]),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
    ) {
        for o in [
            doc! { "$v": 2, "diff": { section: &diff } },
            doc! { "$v": 2, "diff": { section: { "a": true, "l": 3, "s0": &diff } } },
            doc! { "$v": 1, section: &diff },
            diff.clone(),
        ] {
            let (mut old, mut o) = (raw(&with_id(old.clone())), raw(&o));
            for (at, byte) in &flips {
                let at = at.index(old.len() + o.len());
                match at.checked_sub(old.len()) {
                    None => old[at] = *byte,
                    Some(at) => o[at] = *byte,
                }
            }
            let (Ok(old), Ok(o)) = (Doc::new(&old), Doc::new(&o)) else { continue };
            for elem in old.iter().flatten() {
                DocKey::of(elem);
            }
            // Also what `classify` refuses must be survived.
            for update in [Update::Replace(o), Update::Diff(o), Update::Modifiers(o)] {
                let checked = classify(o);
                let applied = apply(old, checked.as_ref().unwrap_or(&update), NewFieldOrder::Numeric, vec![]);
                if let Ok(new) = applied {
                    prop_assert!(Doc::new(&new).is_ok());
                }
                if let Ok(new) = apply(old, &update, NewFieldOrder::AsListed, vec![]) {
                    prop_assert!(Doc::new(&new).is_ok());
                }
            }
        }
    }
}
