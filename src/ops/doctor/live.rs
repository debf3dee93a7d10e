//! What is looked at of a live source: how far its oplog reaches back, what its user may know, its
//! clock.

use super::{Check, Criticality, Verdict};
use crate::domain::window::duration;
use crate::source::live::look::Look;

/// Seconds that a source's clock may differ from ours: times typed here are looked for there.
const SKEW: u64 = 5;
/// A ring filled to this many percent counts as full: entries are overwritten in large steps.
const FULL: u64 = 90;
/// Seconds of oplog that tell nothing of a churn: as a rule what is seen is the first loading.
const YOUNG: u64 = 6 * 3600;

pub(super) fn window(seen: &Look, criticality: Criticality) -> Check {
    let Some(window) = seen.window else {
        return Check::wrong("oplog window", "the oplog is empty", "check that the set was initiated.");
    };
    let (least, better) = criticality.hours();
    let mut found = format!("{:?}: {}", seen.set.name, window.describe());
    let enlarge = |hours: u64| {
        format!(
            "make it reach back {hours} h: `replSetResizeOplog` with a larger size or minRetentionHours, or keep it with `pitstop archive`."
        )
    };
    let reached = window.seconds() / 3600;
    // A ring that is not full yet reaches back to its beginning, and will reach farther: it is
    // judged by what will fit at its churn, once there is enough of it to tell.
    let will = match window.ring {
        Some(ring) if ring.bytes < ring.limit / 100 * FULL => {
            found.push_str(&format!(
                "; it has been filled to {} % so far",
                ring.bytes * 100 / ring.limit.max(1)
            ));
            Some(window.newest_disappears_in().unwrap_or(u64::MAX) / 3600)
        }
        _ => None,
    };
    let hours = will.unwrap_or(0).max(reached);
    match hours {
        h if h >= better => Check::fine("oplog window", found),
        h if h >= least => Check::new("oplog window", Verdict::Note, found, enlarge(better)),
        _ if will.is_some() && window.seconds() < YOUNG => Check::new(
            "oplog window",
            Verdict::Note,
            found,
            format!(
                "the set is too young to tell by its churn; look again when its oplog is older than {}.",
                duration(YOUNG)
            ),
        ),
        _ => Check::wrong("oplog window", found, enlarge(least)),
    }
}

/// What the user may not know, and what that costs.
pub(super) fn role(seen: &Look) -> Check {
    let mut missing = Vec::new();
    if seen.window.is_some_and(|window| window.ring.is_none()) {
        missing.push("`collStats` on local.oplog.rs: how long the oldest operation stays is not known");
    }
    if seen.set.id.is_none() {
        missing.push(
            "`replSetGetConfig` on the cluster: the set is told by its name and address instead of its id",
        );
    }
    match missing.is_empty() {
        true => Check::fine("role", "the user may read the oplog, its size, and the id of the set"),
        false => Check::new(
            "role",
            Verdict::Note,
            "the user may read the oplog",
            format!("without {}.", missing.join("; without ")),
        ),
    }
}

pub(super) fn skew(seen: &Look) -> Check {
    match seen.skew_seconds {
        None => Check::new("clock", Verdict::Note, "the source does not tell its time", ""),
        Some(skew) if skew.unsigned_abs() <= SKEW => {
            Check::fine("clock", format!("{:?} differs by {skew} s from here", seen.set.name))
        }
        Some(skew) => Check::wrong(
            "clock",
            format!("{:?} differs by {skew} s from here", seen.set.name),
            "set the clocks (NTP): times that people remember would point at the wrong operations.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Position;
    use crate::domain::window::{Ring, Window};
    use crate::source::live::SetIdentity;

    const GIB: u64 = 1 << 30;

    /// An oplog of 100 GiB that reaches back so many hours and holds so many GiB.
    fn seen(hours: u32, gib: u64) -> Look {
        let newest = Position::new(1_700_000_000, 1);
        let oldest = Position::new(newest.secs - hours * 3600, 1);
        let ring = Some(Ring { bytes: gib * GIB, limit: 100 * GIB });
        let churn = Some((gib * GIB) as f64 / f64::from(hours.max(1) * 3600));
        let set = SetIdentity { name: "rs".into(), id: None, member: "m".into(), clock: None };
        Look { set, window: Some(Window { oldest, newest, ring, churn }), skew_seconds: None }
    }

    #[test]
    fn a_full_ring_is_judged_by_its_window_and_a_young_one_by_what_will_fit() {
        use Criticality::{Development, MissionCritical, Production};
        for (hours, gib, criticality, verdict) in [
            // Full: what it reaches back to is what there is.
            (200, 99, MissionCritical, Verdict::Fine),
            (100, 99, MissionCritical, Verdict::Wrong),
            (80, 99, Production, Verdict::Fine),
            (50, 99, Production, Verdict::Note),
            (47, 99, Production, Verdict::Wrong),
            (24, 99, Development, Verdict::Fine),
            (23, 99, Development, Verdict::Wrong),
            // Half full after 40 h: 80 h will fit.
            (40, 50, Production, Verdict::Fine),
            (40, 50, MissionCritical, Verdict::Wrong),
            // Filled by half in an hour: too young to tell; after ten hours it can be told.
            (1, 50, Production, Verdict::Note),
            (10, 50, Production, Verdict::Wrong),
            // And a full one of an hour is an alarm.
            (1, 99, Production, Verdict::Wrong),
        ] {
            let check = window(&seen(hours, gib), criticality);
            assert_eq!(check.verdict, verdict, "{hours} h, {gib} GiB, {criticality:?}: {check:?}");
            assert_eq!(check.hint.is_empty(), verdict == Verdict::Fine, "{check:?}");
        }
        assert!(window(&seen(1, 50), Production).found.contains("filled to 50 %"));
        let mut idle = seen(3, 1);
        if let Some(window) = &mut idle.window {
            window.churn = None;
        }
        assert_eq!(window(&idle, MissionCritical).verdict, Verdict::Fine, "an idle set keeps its oplog");
    }

    #[test]
    fn clocks_that_differ_are_wrong() {
        for (skew, verdict) in
            [(0, Verdict::Fine), (-5, Verdict::Fine), (6, Verdict::Wrong), (-3600, Verdict::Wrong)]
        {
            let check = skew_of(Some(skew));
            assert_eq!(check.verdict, verdict, "{check:?}");
        }
        assert_eq!(skew_of(None).verdict, Verdict::Note);
    }

    fn skew_of(skew_seconds: Option<i64>) -> Check {
        skew(&Look { skew_seconds, ..seen(1, 1) })
    }
}
