//! Judging acts: damage, or the everyday work of the server or the application, with the reason.
//! An act is held against what is normal for its own namespace.

use std::collections::HashMap;

use super::burst::{Author, Burst, Closed, Shape};
use super::namespace::Namespace;
use super::text::count;

/// An act on documents fewer than this, and on less than [`SMALL_SHARE`], is not damage.
const SMALL_COUNT: u64 = 1000;

/// The share of a collection that makes a small act one to look at.
const SMALL_SHARE: f64 = 0.1;

/// So much denser than the same kind of traffic at other times an act must be,
const DENSER: f64 = 4.0;

/// where that traffic is known from at least this many other seconds.
const KNOWN_SECONDS: u64 = 60;

/// How often a namespace sees changes of a kind: for each, its operations and the different
/// seconds in which there were any.
#[derive(Debug, Default)]
pub(super) struct Normal(HashMap<Namespace, HashMap<Shape, Seen>>);

#[derive(Debug, Default)]
struct Seen {
    operations: u64,
    seconds: u64,
    last: u32,
}

/// Operations a second, in an act and beside it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rate {
    inside: f64,
    /// `None` = too little is known.
    beside: Option<f64>,
}

impl Normal {
    /// Counts one operation.
    pub fn count(&mut self, ns: &Namespace, shape: Shape, second: u32) {
        if !self.0.contains_key(ns) {
            self.0.insert(ns.clone(), HashMap::new());
        }
        let Some(seen) = self.0.get_mut(ns).map(|shapes| shapes.entry(shape).or_default()) else { return };
        seen.operations += 1;
        if seen.last != second {
            seen.last = second;
            seen.seconds += 1;
        }
    }

    /// How dense an act is, and how dense the same traffic is at other times.
    pub fn beside(&self, ns: &Namespace, act: &Closed) -> Rate {
        let took = u64::from(act.last.secs - act.first.secs) + 1;
        let inside = act.count as f64 / took as f64;
        let beside = self.0.get(ns).and_then(|shapes| shapes.get(&act.shape)).and_then(|seen| {
            let seconds = seen.seconds.saturating_sub(took);
            let operations = seen.operations.saturating_sub(act.count);
            (seconds >= KNOWN_SECONDS).then(|| operations as f64 / seconds as f64)
        });
        Rate { inside, beside }
    }
}

/// What an act is; `None` = nothing to speak of.
pub(super) fn judge(ns: &Namespace, act: &Closed, rate: Rate) -> Option<Burst> {
    let goes = matches!(act.shape, Shape::Drop | Shape::Overwrite);
    let documents = if goes { act.before } else { act.documents };
    let share =
        if goes { 1.0 } else { (documents as f64 / act.before.max(documents).max(1) as f64).min(1.0) };
    let again = act.shape == Shape::Delete && act.marked * 10 >= act.count * 9;
    let what = match act.shape {
        Shape::Insert => return None,
        Shape::Delete if again => "documents deleted that were inserted not long before",
        Shape::Delete => "documents deleted",
        Shape::Expire => "documents deleted, perhaps expired",
        Shape::Evict => "documents evicted",
        Shape::Set(_) => "the same change to every document",
        Shape::Unset(_) => "fields removed from every document",
        Shape::Shrink(_) => "arrays cut off in every document",
        Shape::Replace => "documents replaced",
        Shape::Drop if ns.coll.is_empty() => "database dropped",
        Shape::Drop => "collection dropped",
        Shape::Overwrite => "collection overwritten by a rename",
    };
    let ordinary = ordinary(act, rate);
    let large = documents >= SMALL_COUNT || share >= SMALL_SHARE;
    // The work of the server is worth a line even when it is small; small traffic is not.
    let by_server = act.author != Author::Client || matches!(act.shape, Shape::Expire | Shape::Evict);
    (goes || large || (by_server && ordinary.is_some())).then(|| Burst {
        kind: act.kind,
        ns: ns.clone(),
        what: what.to_owned(),
        first: act.first,
        last: act.last,
        time: act.first.time(),
        seconds: act.last.secs - act.first.secs,
        documents,
        share,
        stop: act.first,
        session: None,
        ordinary,
        by: act.session,
    })
}

/// Why an act is no damage.
fn ordinary(act: &Closed, rate: Rate) -> Option<String> {
    match act.author {
        Author::Migration => return Some("a chunk migration moved them (fromMigrate)".into()),
        Author::Temporary => {
            return Some("the server's own temporary collection ($out, a conversion, a rename)".into());
        }
        Author::Client => {}
    }
    match act.shape {
        Shape::Evict => Some("a capped collection made room".into()),
        // Those not proven are not disproven either: they were inserted before anything known.
        Shape::Expire if act.marked * 2 >= act.count => Some(format!(
            "they had expired (TTL index): proven for {} of {}",
            count(act.marked),
            count(act.count)
        )),
        // A queue: about as many come as go, and those that go have not been there for long.
        Shape::Delete if act.inserts * 5 >= act.count * 4 && act.marked * 2 >= act.count => {
            Some("turnover, as of a queue: documents came while others went".into())
        }
        Shape::Drop | Shape::Overwrite => None,
        // Somebody's loop has one session, or the few of a driver's pool.
        _ if act.sessions * 2 > act.count => {
            Some(format!("single writes from {} sessions", count(act.sessions)))
        }
        _ => rate
            .beside
            .filter(|beside| rate.inside < DENSER * beside)
            .map(|beside| format!("as usual here: {:.1} a second, at other times {beside:.1}", rate.inside)),
    }
}
