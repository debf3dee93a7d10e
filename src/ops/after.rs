//! What follows a stop: the incident that begins there, the good writes that would be lost with
//! it, and the documents of the incident that somebody wrote again afterwards.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Workspace;
use super::acts::Acts;
use super::ahead::ahead;
use super::deeds::{Deed, Placed, placed};
use super::known::Dates;
use super::memory::Memory;
use super::rows::{Row, rows};
use crate::domain::after::{After, Counts, NamespaceAfter};
use crate::domain::burst::{Act, Burst};
use crate::domain::names::{Names, NsId};
use crate::domain::namespace::Treatment;
use crate::domain::op::OpKind;
use crate::domain::{Namespace, Position, Result, progress::Meter, progress::Phase};
use crate::engine::key::DocKey;
use crate::engine::spill::KeySet;

/// An act has ended when nothing like it came for so many seconds.
const QUIET_SECS: u32 = 3;

/// An act that goes on at a stop is looked for from so many seconds before it.
const BACK_SECS: u32 = 120;

/// The log is read in stretches, in seconds: this one first, then twice as much each time.
const FIRST_SECS: u32 = 2 * BACK_SECS;

/// The act that begins at this bound, or began before it and goes on: what the first operation
/// left out is part of. `None` when that is a write like any other.
pub fn incident_at(
    workspace: &Workspace,
    bound: Position,
    memory: Memory,
    meter: &Meter,
) -> Result<Option<Burst>> {
    let mut left_out: Option<(Position, Namespace, OpKind)> = None;
    for entry in workspace.oplog.entries(bound, Position::MAX) {
        let entry = entry?;
        left_out = rows(&entry).iter().find_map(|row| Some((entry.at.pos, user_namespace(row)?, row.kind)));
        if left_out.is_some() {
            break;
        }
    }
    let Some((pos, ns, kind)) = left_out else { return Ok(None) };
    let from = Position::new(pos.secs.saturating_sub(BACK_SECS), 0);
    let mut acts = Acts::new(workspace, Dates::Ignored, memory);
    acts.advance(from)?;
    let (mut last, mut quiet) = (pos.secs, false);
    let mut range = from..later(from, FIRST_SECS);
    while !quiet && range.start <= workspace.last() {
        ahead(workspace, range.clone(), meter, placed, |Placed { pos: now, deeds, .. }| {
            quiet |= now.secs > last.saturating_add(QUIET_SECS);
            if quiet {
                return Ok(());
            }
            meter.check("looking for the incident")?;
            for deed in deeds.iter() {
                let Some(act) = acts.take(deed)? else { continue };
                if now >= pos && is_like(&act, acts.names(), &ns, kind) {
                    last = last.max(now.secs);
                }
            }
            Ok(())
        })?;
        let twice = (range.end.secs - range.start.secs).saturating_mul(2);
        range = range.end..later(range.end, twice);
    }
    let holds =
        |burst: &Burst| burst.first <= pos && pos <= burst.last && burst.kind == kind && covers(burst, &ns);
    let mut bursts = acts.bursts()?;
    bursts.retain(|burst| burst.ordinary.is_none() && holds(burst));
    // Of several the one that begins here, else the largest.
    bursts.sort_by_key(|burst| (burst.first != pos, u64::MAX - burst.documents));
    Ok(bursts.into_iter().next())
}

/// So many seconds later, or the end of time.
fn later(pos: Position, secs: u32) -> Position {
    pos.secs.checked_add(secs).map_or(Position::MAX, |secs| Position::new(secs, 0))
}

fn is_like(act: &Act, names: &Names, ns: &Namespace, kind: OpKind) -> bool {
    act.kind == kind
        && names.get(act.ns).is_some_and(|on| on == ns || kind == OpKind::Command && on.db == ns.db)
}

/// Whether an operation on this namespace may be part of the burst: a dropDatabase covers all.
fn covers(burst: &Burst, ns: &Namespace) -> bool {
    burst.ns == *ns
        || burst.ns.coll.is_empty() && burst.ns.db == ns.db
        || burst.kind == OpKind::Command && burst.ns.db == ns.db
}

fn is_of(burst: &Burst, deed: &Deed<'_>, ns: Option<&Namespace>) -> bool {
    let during = burst.first <= deed.pos && deed.pos <= burst.last;
    during && burst.kind == deed.kind && ns.is_some_and(|ns| covers(burst, ns))
}

/// The namespace of an operation that counts as a write of somebody.
fn user_namespace(row: &Row<'_>) -> Option<Namespace> {
    let ns = Namespace::parse(&row.ns);
    (row.kind != OpKind::Noop && ns.treatment() == Treatment::User).then_some(ns)
}

/// Namespaces of operations that count as writes of somebody, read once each.
#[derive(Debug, Default)]
struct Users {
    names: Names,
    /// By number.
    count: Vec<bool>,
}

impl Users {
    /// The one of an operation, if it counts.
    fn of(&mut self, deed: &Deed<'_>) -> Option<NsId> {
        if deed.kind == OpKind::Noop {
            return None;
        }
        let id = self.names.id(&deed.ns);
        let new = self.names.all().get(self.count.len()..).unwrap_or_default();
        self.count.extend(new.iter().map(|ns| ns.treatment() == Treatment::User));
        self.count.get(id.index()).copied().unwrap_or(false).then_some(id)
    }

    fn name(&self, id: NsId) -> Option<&Namespace> {
        self.names.get(id)
    }
}

/// Counts what follows a bound up to `until` (exclusive).
pub fn after(
    workspace: &Workspace,
    bound: Position,
    until: Position,
    memory: Memory,
    meter: &Meter,
) -> Result<After> {
    let incident = incident_at(workspace, bound, memory, meter)?.filter(|burst| burst.first < until);
    meter.enter(Phase::Fold, 0);
    let mut users = Users::default();
    let mut all: BTreeMap<NsId, Counts> = BTreeMap::new();
    let memory = memory.part(3);
    let (mut any, mut of_incident) = (keys(workspace, memory), keys(workspace, memory));
    let mut good = keys(workspace, memory);
    ahead(workspace, bound..until, meter, placed, |Placed { bytes, deeds, .. }| {
        meter.add(1, bytes);
        meter.check("counting what follows the stop")?;
        for deed in deeds.iter() {
            let Some(id) = users.of(deed) else { continue };
            let in_incident = incident.as_ref().is_some_and(|burst| is_of(burst, deed, users.name(id)));
            let counts = all.entry(id).or_default();
            counts.operations += 1;
            let (operations, keys) = if in_incident {
                (&mut counts.incident_operations, &mut of_incident)
            } else {
                (&mut counts.good_operations, &mut good)
            };
            *operations += 1;
            if let Some(key) = deed.key {
                keys.insert(id.number(), key)?;
                any.insert(id.number(), key)?;
            }
        }
        Ok(())
    })?;
    let (any, of_incident, good) = (any.counts()?, of_incident.counts()?, good.counts()?);
    let documents = |counts: &BTreeMap<u32, u64>, id: NsId| counts.get(&id.number()).copied().unwrap_or(0);
    let mut total = Counts::default();
    let mut namespaces = Vec::new();
    for (id, mut counts) in all {
        let Some(ns) = users.name(id).cloned() else { continue };
        counts.documents = documents(&any, id);
        counts.incident_documents = documents(&of_incident, id);
        counts.good_documents = documents(&good, id);
        total += counts;
        namespaces.push(NamespaceAfter { ns, counts });
    }
    namespaces.sort_by(|a, b| a.ns.cmp(&b.ns));
    Ok(After { incident, namespaces, total, until })
}

fn keys(workspace: &Workspace, memory: Memory) -> KeySet {
    KeySet::new(memory.for_documents(), Arc::new(workspace.case.scratch()))
}

/// Documents by namespace.
#[derive(Debug)]
pub struct Documents {
    users: Users,
    keys: KeySet,
}

impl Documents {
    /// Whether this is one of them.
    pub fn contains(&self, ns: &Namespace, key: DocKey) -> Result<bool> {
        self.users.names.find(ns).map_or(Ok(false), |id| self.keys.contains(id.number(), key))
    }
}

/// The documents of an incident that were written again afterwards, before `until`: going back
/// takes those writes along.
pub fn written_again(
    workspace: &Workspace,
    incident: &Burst,
    until: Position,
    memory: Memory,
    meter: &Meter,
) -> Result<Documents> {
    let mut users = Users::default();
    let (mut touched, mut again) = (keys(workspace, memory.part(2)), keys(workspace, memory.part(2)));
    ahead(workspace, incident.first..until, meter, placed, |Placed { deeds, .. }| {
        meter.check("looking for conflicts")?;
        for deed in deeds.iter() {
            let (Some(key), Some(id)) = (deed.key, users.of(deed)) else { continue };
            let (group, ns) = (id.number(), users.name(id));
            if is_of(incident, deed, ns) {
                touched.insert(group, key)?;
            } else if ns.is_some_and(|ns| covers(incident, ns)) && touched.contains(group, key)? {
                again.insert(group, key)?;
            }
        }
        Ok(())
    })?;
    Ok(Documents { users, keys: again })
}
