//! Acts made by hand, with what a reader of such a log would say of them; and random ones, held
//! against a grouping that keeps everything.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::LazyLock;

use proptest::prelude::*;

use super::normal::Rate;
use super::overflow::tests::Held;
use super::*;
use crate::domain::names::Names;

static NAMES: LazyLock<(Names, HashMap<&str, NsId>)> = LazyLock::new(|| {
    let mut names = Names::default();
    let colls = ["a", "b", "orders", "other", "sessions", "queue", "users", "counters"];
    let mut ids: HashMap<&str, NsId> =
        colls.iter().map(|coll| (*coll, names.id(&format!("shop.{coll}")))).collect();
    ids.insert("", names.id("shop"));
    (names, ids)
});

/// A grouping in so much memory.
struct Log(Grouper);

impl Log {
    fn new(bytes: usize) -> Log {
        Log(Grouper::new(bytes, Held::new(usize::MAX)))
    }

    fn add(&mut self, act: Act) {
        self.0.add(&act, &NAMES.0).unwrap();
    }

    fn skip(&mut self) {
        self.0.skip();
    }

    fn bursts(self) -> Vec<Burst> {
        self.0.bursts(&NAMES.0).unwrap()
    }
}

impl Default for Log {
    fn default() -> Log {
        Log::new(usize::MAX)
    }
}

fn act(at: (u32, u32), coll: &str, shape: Shape) -> Act {
    Act {
        pos: Position::new(at.0, at.1),
        kind: OpKind::Delete,
        ns: NAMES.1[coll],
        shape,
        session: None,
        transaction: None,
        author: Author::Client,
        key: u64::from(at.0) << 32 | u64::from(at.1),
        marked: false,
        documents_before: 100,
    }
}

fn suspects(grouper: Log) -> Vec<Burst> {
    grouper.bursts().into_iter().filter(|b| b.ordinary.is_none()).collect()
}

fn reasons(grouper: Log) -> Vec<String> {
    let bursts = grouper.bursts();
    assert!(bursts.iter().all(|b| b.ordinary.is_some()), "{bursts:?}");
    bursts.into_iter().filter_map(|b| b.ordinary).collect()
}

#[test]
fn a_mass_delete_is_one_suspect_in_spite_of_traffic_between() {
    let mut grouper = Log::default();
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
    let mut grouper = Log::default();
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
    let mut grouper = Log::default();
    for i in 0..60 {
        grouper.add(act((100 + 10 * i, 1), "orders", Shape::Delete));
    }
    assert!(grouper.bursts().is_empty());
}

#[test]
fn a_dropped_database_is_one_act_from_its_first_collection_on() {
    let mut grouper = Log::default();
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
    let mut grouper = Log::default();
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
    let mut grouper = Log::default();
    for i in 0..60 {
        grouper.add(Act { marked: i < 40, ..act((50, 2 * i), "sessions", Shape::Expire) });
        grouper.add(act((50, 2 * i + 1), "sessions", Shape::Delete));
    }
    let bursts = grouper.bursts();
    assert_eq!(bursts.len(), 2, "{bursts:?}");
    assert_eq!((bursts[0].documents, &bursts[0].ordinary), (60, &None));
    assert!(bursts[1].ordinary.as_ref().unwrap().contains("proven for 40 of 60"), "{bursts:?}");

    let mut unproven = Log::default();
    for i in 0..60 {
        unproven.add(Act { marked: i < 20, ..act((50, i), "sessions", Shape::Expire) });
    }
    assert_eq!(suspects(unproven).len(), 1, "proven for a third only");
}

#[test]
fn a_queue_turns_over() {
    let mut grouper = Log::default();
    for i in 0..500 {
        grouper.add(act((50 + i / 10, 2 * i), "queue", Shape::Insert));
        grouper.add(Act { marked: true, ..act((50 + i / 10, 2 * i + 1), "queue", Shape::Delete) });
    }
    assert!(reasons(grouper)[0].contains("turnover"));
}

#[test]
fn what_happens_all_day_is_normal_and_a_storm_is_not() {
    let all_day = |grouper: &mut Log| {
        for minute in 0..100 {
            for i in 0..20 {
                grouper.add(act((60 * minute, i), "users", Shape::Replace));
            }
        }
    };
    let mut grouper = Log::default();
    all_day(&mut grouper);
    assert!(reasons(grouper).iter().all(|r| r.contains("as usual")));
    let mut grouper = Log::default();
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
    let mut grouper = Log::default();
    for i in 0..5000 {
        grouper.add(Act { key: 7, ..act((50, i), "counters", Shape::Set(1)) });
    }
    assert!(grouper.bursts().is_empty());
}

#[test]
fn inserts_that_vanish_again_are_called_so() {
    let mut grouper = Log::default();
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

/// Several operations of one kind.
#[derive(Debug, Clone)]
struct Spurt {
    act: Act,
    /// How many, how many seconds and how many operations of others between two of them, and of
    /// how many documents and sessions.
    count: u32,
    seconds: u32,
    others: u64,
    documents: u64,
    sessions: u64,
    marked: u64,
}

fn spurt() -> impl Strategy<Value = Spurt> {
    let shape = prop_oneof![
        3 => Just(Shape::Delete),
        3 => (0u64..3).prop_map(Shape::Set),
        1 => Just(Shape::Replace),
        1 => Just(Shape::Expire),
        1 => Just(Shape::Evict),
        2 => Just(Shape::Insert),
        1 => Just(Shape::Drop),
        1 => Just(Shape::Overwrite),
    ];
    let author = prop_oneof![9 => Just(Author::Client), 1 => Just(Author::Migration)];
    let coll = prop_oneof![4 => Just("a"), 2 => Just("b"), 1 => Just("")];
    let transaction = prop_oneof![4 => Just(None), 1 => (0u64..2).prop_map(Some)];
    let act = (shape, author, coll, transaction).prop_map(|(shape, author, coll, transaction)| Act {
        author,
        transaction,
        documents_before: 30,
        ..act((0, 0), coll, shape)
    });
    let seconds = prop_oneof![6 => Just(0u32), 2 => Just(1), 1 => 0u32..5];
    let others = prop_oneof![6 => Just(0u64), 2 => 1u64..4, 1 => 10u64..40];
    (act, 1u32..70, seconds, others, 1u64..60, 0u64..4, 1u64..4).prop_map(
        |(act, count, seconds, others, documents, sessions, marked)| Spurt {
            act,
            count,
            seconds,
            others,
            documents,
            sessions,
            marked,
        },
    )
}

/// The operations of all of them, some at the same time; `None` = one that is part of no act.
fn operations(spurts: &[(Spurt, bool)]) -> Vec<Option<Act>> {
    let mut all = Vec::new();
    for (spurt, beside) in spurts {
        let begin = if *beside { all.last().map_or(0, |(secs, ..): &(u32, _, _)| *secs) / 2 } else { 0 };
        let from = if *beside { begin } else { all.iter().map(|(secs, ..)| *secs).max().unwrap_or(100) };
        for n in 0..spurt.count {
            let act = Act {
                key: u64::from(n) * 7 % spurt.documents,
                session: (spurt.sessions > 0).then(|| u64::from(n) % spurt.sessions),
                marked: u64::from(n) % spurt.marked == 0,
                ..spurt.act
            };
            let secs = from.max(100) + n * spurt.seconds;
            all.push((secs, n, Some(act)));
            (0..spurt.others).for_each(|_| all.push((secs, n, None)));
        }
    }
    all.sort_by_key(|(secs, n, _)| (*secs, *n));
    let placed = |(inc, (secs, _, act)): (u32, (u32, u32, Option<Act>))| {
        act.map(|act| Act { pos: Position::new(secs, inc), ..act })
    };
    (1..).zip(all).map(placed).collect()
}

/// What may be one act, as its definition has it, without a thought of memory.
fn naive(operations: &[Option<Act>]) -> Vec<Burst> {
    type Key = (NsId, Shape, Option<u64>, bool, Author);
    type Members = Vec<(u64, Act, u64)>;
    let mut groups: Vec<(Key, Members)> = Vec::new();
    let mut inserts: HashMap<NsId, u64> = HashMap::new();
    let mut seconds: HashMap<(NsId, Shape), Vec<u32>> = HashMap::new();
    for (number, act) in (1u64..).zip(operations).filter_map(|(number, act)| Some((number, (*act)?))) {
        match act.shape {
            Shape::Insert => *inserts.entry(act.ns).or_default() += 1,
            Shape::Drop => {}
            _ => {
                seconds.entry((act.ns, act.shape)).or_default().push(act.pos.secs);
                let came = inserts.get(&act.ns).copied().unwrap_or(0);
                let key = (act.ns, act.shape, act.transaction, act.session.is_some(), act.author);
                let open = groups.iter_mut().rev().find(|(other, _)| *other == key);
                let member = (number, act, came);
                match open.map(|(_, members)| members) {
                    Some(members) if act.pos.secs <= members.last().unwrap().1.pos.secs + 2 => {
                        members.push(member);
                    }
                    _ => groups.push((key, vec![member])),
                }
            }
        }
    }
    let mut acts = Vec::new();
    for ((ns, shape, _, _, author), members) in &groups {
        let mut gaps: Vec<u64> = members.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
        gaps.sort();
        let limit = (gaps.get(gaps.len() / 2).unwrap_or(&1) * 8).max(8);
        let mut done = 0;
        let mut before_run = members[0].2;
        for run in members.chunk_by(|a, b| b.0 - a.0 <= limit) {
            let sessions: HashSet<_> = run.iter().filter_map(|m| m.1.session).collect();
            let goes = matches!(shape, Shape::Delete | Shape::Expire | Shape::Evict);
            let (first, last) = (run[0], run[run.len() - 1]);
            let act = Closed {
                kind: first.1.kind,
                shape: *shape,
                author: *author,
                session: first.1.session.filter(|_| sessions.len() == 1),
                sessions: sessions.len() as u64,
                before: if goes {
                    members[0].1.documents_before.saturating_sub(done)
                } else {
                    members[0].1.documents_before
                },
                number: first.0,
                first: first.1.pos,
                last: last.1.pos,
                count: run.len() as u64,
                documents: run.iter().map(|m| m.1.key).collect::<HashSet<_>>().len() as u64,
                marked: run.iter().filter(|m| m.1.marked).count() as u64,
                inserts: last.2 - before_run,
            };
            done += act.count;
            before_run = last.2;
            let took = u64::from(act.last.secs - act.first.secs) + 1;
            let all = &seconds[&(*ns, *shape)];
            let others = all.iter().collect::<BTreeSet<_>>().len() as u64
                - took.min(all.iter().collect::<BTreeSet<_>>().len() as u64);
            let rate = Rate {
                inside: act.count as f64 / took as f64,
                beside: (others >= 60).then(|| (all.len() as u64 - act.count) as f64 / others as f64),
            };
            if *shape == Shape::Overwrite || act.documents >= 5 {
                acts.extend(judge::judge(NAMES.0.get(*ns).unwrap(), &act, rate));
            }
        }
    }
    acts
}

/// In an order that does not depend on how it was found.
fn listed(mut bursts: Vec<Burst>) -> Vec<String> {
    bursts.retain(|burst| !burst.what.ends_with("dropped"));
    let mut listed: Vec<String> = bursts.iter().map(|burst| format!("{burst:?}")).collect();
    listed.sort();
    listed
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever memory there is, the acts are the same, and those of a grouping that keeps all.
    #[test]
    fn acts_are_the_same_in_any_memory(
        spurts in prop::collection::vec((spurt(), any::<bool>()), 1..12), bytes in 0usize..6000
    ) {
        let operations = operations(&spurts);
        let grouped = |bytes| {
            let mut log = Log::new(bytes);
            for act in &operations {
                match act {
                    Some(act) => log.add(*act),
                    None => log.skip(),
                }
            }
            log
        };
        let little = grouped(bytes);
        let (held, open, _) = little.0.load();
        prop_assert!(held <= (bytes / 2).max(2 * 512 * open) + 512 + 80, "{held} of {bytes}, {open} open");
        let much = grouped(usize::MAX);
        prop_assert_eq!(much.0.load().2, 0);
        let much = much.bursts();
        prop_assert_eq!(&little.bursts(), &much);
        prop_assert_eq!(listed(much), listed(naive(&operations)));
    }
}

#[test]
fn a_place_that_is_full_is_an_error() {
    let mut grouper = Grouper::new(1 << 20, Held::new(1 << 20));
    let full = (0..100_000).find_map(|i| grouper.add(&act((50, i), "orders", Shape::Delete), &NAMES.0).err());
    assert_eq!(full.unwrap().cause, "full");
}

#[test]
fn a_dropped_database_is_one_act_whatever_ends_between_its_drops() {
    let mut log = Log::new(0);
    for i in 0..90 {
        log.add(act((47, i), "orders", Shape::Delete));
    }
    assert!(log.0.load().2 > 80, "nearly all of them have been written");
    log.add(act((50, 1), "a", Shape::Drop));
    log.add(act((50, 2), "other", Shape::Replace));
    log.add(act((50, 3), "b", Shape::Drop));
    log.add(Act { documents_before: 0, ..act((50, 4), "", Shape::Drop) });
    let bursts = log.bursts();
    let dropped: Vec<_> = bursts.iter().filter(|burst| burst.what == "database dropped").collect();
    assert_eq!((dropped.len(), bursts.len()), (1, 2), "{bursts:?}");
    assert_eq!((dropped[0].first, dropped[0].documents), (Position::new(50, 1), 200));
}
