//! Acts made by hand, with what a reader of such a log would say of them.
#![allow(clippy::unwrap_used)]

use super::*;

fn act(at: (u32, u32), coll: &str, shape: Shape) -> Act {
    Act {
        pos: Position::new(at.0, at.1),
        kind: OpKind::Delete,
        ns: Namespace::new("shop", coll),
        shape,
        session: None,
        transaction: None,
        author: Author::Client,
        key: u64::from(at.0) << 32 | u64::from(at.1),
        marked: false,
        documents_before: 100,
    }
}

fn suspects(grouper: Grouper) -> Vec<Burst> {
    grouper.bursts().into_iter().filter(|b| b.ordinary.is_none()).collect()
}

fn reasons(grouper: Grouper) -> Vec<String> {
    let bursts = grouper.bursts();
    assert!(bursts.iter().all(|b| b.ordinary.is_some()), "{bursts:?}");
    bursts.into_iter().filter_map(|b| b.ordinary).collect()
}

#[test]
fn a_mass_delete_is_one_suspect_in_spite_of_traffic_between() {
    let mut grouper = Grouper::default();
    for i in 1..=60 {
        grouper.add(act((50, 2 * i), "orders", Shape::Delete));
        grouper.add(act((50, 2 * i + 1), "other", Shape::Insert));
    }
    let suspects = suspects(grouper);
    assert_eq!(suspects.len(), 1);
    assert_eq!((suspects[0].first, suspects[0].last), (Position::new(50, 2), Position::new(50, 120)));
    assert_eq!((suspects[0].documents, suspects[0].seconds), (60, 0));
    assert_eq!(suspects[0].stop, suspects[0].first);
}

#[test]
fn everyday_deletes_before_a_mass_delete_are_not_part_of_it() {
    let mut grouper = Grouper::default();
    for i in 0..10 {
        grouper.add(act((50, 20 * i), "orders", Shape::Delete));
        (1..20).for_each(|_| grouper.skip());
    }
    for i in 0..200 {
        grouper.add(act((50, 1000 + i), "orders", Shape::Delete));
    }
    let suspects = suspects(grouper);
    assert_eq!(suspects.len(), 1, "{suspects:?}");
    assert_eq!((suspects[0].first, suspects[0].last), (Position::new(50, 1000), Position::new(50, 1199)));
}

#[test]
fn scattered_deletes_are_none_and_a_pause_separates() {
    let mut grouper = Grouper::default();
    for i in 0..60 {
        grouper.add(act((100 + 10 * i, 1), "orders", Shape::Delete));
    }
    assert!(grouper.bursts().is_empty());
}

#[test]
fn a_dropped_database_is_one_act_from_its_first_collection_on() {
    let mut grouper = Grouper::default();
    grouper.add(act((50, 1), "a", Shape::Drop));
    grouper.add(act((50, 2), "b", Shape::Drop));
    grouper.add(Act { documents_before: 0, ..act((50, 3), "", Shape::Drop) });
    let suspects = suspects(grouper);
    assert_eq!(suspects.len(), 1);
    assert_eq!((suspects[0].first, suspects[0].last), (Position::new(50, 1), Position::new(50, 3)));
    assert_eq!((suspects[0].documents, suspects[0].what.as_str()), (200, "database dropped"));
}

#[test]
fn a_drop_is_always_one_and_a_migration_never() {
    let mut grouper = Grouper::default();
    grouper.add(act((50, 1), "orders", Shape::Drop));
    for i in 0..90 {
        grouper.add(Act { author: Author::Migration, ..act((60, i), "orders", Shape::Delete) });
    }
    let bursts = grouper.bursts();
    assert_eq!(bursts.len(), 2);
    assert_eq!((bursts[0].what.as_str(), bursts[0].documents), ("collection dropped", 100));
    assert!(bursts[1].ordinary.as_ref().unwrap().contains("fromMigrate"), "{:?}", bursts[1]);
    assert_eq!(bursts[1].documents, 90);
}

#[test]
fn expiry_says_for_how_many_it_is_proven_and_does_not_hide_other_deletes() {
    let mut grouper = Grouper::default();
    for i in 0..60 {
        grouper.add(Act { marked: i < 40, ..act((50, 2 * i), "sessions", Shape::Expire) });
        grouper.add(act((50, 2 * i + 1), "sessions", Shape::Delete));
    }
    let bursts = grouper.bursts();
    assert_eq!(bursts.len(), 2, "{bursts:?}");
    assert_eq!((bursts[0].documents, &bursts[0].ordinary), (60, &None));
    assert!(bursts[1].ordinary.as_ref().unwrap().contains("proven for 40 of 60"), "{bursts:?}");

    let mut unproven = Grouper::default();
    for i in 0..60 {
        unproven.add(Act { marked: i < 20, ..act((50, i), "sessions", Shape::Expire) });
    }
    assert_eq!(suspects(unproven).len(), 1, "proven for a third only");
}

#[test]
fn a_queue_turns_over() {
    let mut grouper = Grouper::default();
    for i in 0..500 {
        grouper.add(act((50 + i / 10, 2 * i), "queue", Shape::Insert));
        grouper.add(Act { marked: true, ..act((50 + i / 10, 2 * i + 1), "queue", Shape::Delete) });
    }
    assert!(reasons(grouper)[0].contains("turnover"));
}

#[test]
fn what_happens_all_day_is_normal_and_a_storm_is_not() {
    let all_day = |grouper: &mut Grouper| {
        for minute in 0..100 {
            for i in 0..20 {
                grouper.add(act((60 * minute, i), "users", Shape::Replace));
            }
        }
    };
    let mut grouper = Grouper::default();
    all_day(&mut grouper);
    assert!(reasons(grouper).iter().all(|r| r.contains("as usual")));
    let mut grouper = Grouper::default();
    all_day(&mut grouper);
    for i in 0..95 {
        grouper.add(act((9000, i), "users", Shape::Replace));
    }
    let found = suspects(grouper);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0].documents, found[0].what.as_str()), (95, "documents replaced"));
}

#[test]
fn one_document_written_again_and_again_is_one_document() {
    let mut grouper = Grouper::default();
    for i in 0..5000 {
        grouper.add(Act { key: 7, ..act((50, i), "counters", Shape::Set(1)) });
    }
    assert!(grouper.bursts().is_empty());
}

#[test]
fn inserts_that_vanish_again_are_called_so() {
    let mut grouper = Grouper::default();
    for i in 0..50 {
        grouper.add(act((40, i), "orders", Shape::Insert));
    }
    for i in 0..50 {
        grouper.add(Act { marked: true, ..act((60, i), "orders", Shape::Delete) });
    }
    let found = suspects(grouper);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].what.contains("inserted not long before"));
}
