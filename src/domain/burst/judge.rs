//! Judging acts: damage, or the everyday work of the server or the application, with the reason.
//! An act is held against what is normal for its own namespace.

use super::normal::Rate;
use super::{Author, Burst, Closed, Shape};
use crate::domain::Namespace;
use crate::domain::text::count;

/// An act on documents fewer than this, and on less than [`SMALL_SHARE`], is not damage.
const SMALL_COUNT: u64 = 1000;

/// The share of a collection that makes a small act one to look at.
const SMALL_SHARE: f64 = 0.1;

/// So much denser than the same kind of traffic at other times an act must be,
const DENSER: f64 = 4.0;

/// Documents an act is about, and the share of its collection that they are.
fn extent(act: &Closed) -> (u64, f64) {
    if goes(act) {
        // All of nothing is nothing.
        return (act.before, if act.before > 0 { 1.0 } else { 0.0 });
    }
    let share = act.documents as f64 / act.before.max(act.documents).max(1) as f64;
    (act.documents, share.min(1.0))
}

/// Whether a whole collection goes.
fn goes(act: &Closed) -> bool {
    matches!(act.shape, Shape::Drop | Shape::Overwrite)
}

fn is_large(act: &Closed) -> bool {
    let (documents, share) = extent(act);
    goes(act) || documents >= SMALL_COUNT || share >= SMALL_SHARE
}

/// The work of the server is worth a line even when it is small; small traffic is not.
fn is_by_server(act: &Closed) -> bool {
    act.author != Author::Client || matches!(act.shape, Shape::Expire | Shape::Evict)
}

/// Whether an act may be something to speak of, whatever is normal.
pub(super) fn may_count(act: &Closed) -> bool {
    is_large(act) || is_by_server(act)
}

/// What an act is; `None` = nothing to speak of.
pub(super) fn judge(ns: &Namespace, act: &Closed, rate: Rate) -> Option<Burst> {
    let (documents, share) = extent(act);
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
    (is_large(act) || (is_by_server(act) && ordinary.is_some())).then(|| Burst {
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
