//! Operations that may be one act, while more of them may come; and the acts they turn out to be.
//! Whatever their number, they are gone through in order and never all held.

use std::collections::BTreeMap;
use std::ops::Range;

use super::distinct::Distinct;
use super::overflow::{Chunk, Raw, Records, WORDS, Written, missing, words};
use super::{Act, Author, Shape};
use crate::domain::Result;
use crate::domain::names::NsId;
use crate::domain::op::OpKind;
use crate::domain::position::Position;

/// Operations further apart than this many seconds are different acts.
pub(super) const PAUSE_SECS: u32 = 2;

/// Traffic between two operations that is this many times the usual separates acts,
const UNUSUAL: u64 = 8;

/// but never less than this many operations.
const MIN_GAP: u64 = 8;

/// What belongs together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub ns: NsId,
    pub shape: Shape,
    pub transaction: Option<u64>,
    /// Whether they have sessions: single writes have, a deleteMany or updateMany has none.
    pub single: bool,
    pub author: Author,
}

/// An operation of an [`Open`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Member {
    /// Its number in the whole log.
    number: u64,
    pos: Position,
    key: u64,
    /// Of those that have one.
    session: u64,
    /// Inserts into the namespace until here; the highest bit says whether it was marked.
    came: u64,
}

const MARK: u64 = 1 << 63;

impl Member {
    /// Operation `number`, before which there were so many inserts into its namespace.
    pub fn new(act: &Act, number: u64, inserts: u64) -> Self {
        let mark = if act.marked { MARK } else { 0 };
        let came = inserts & !MARK | mark;
        Member { number, pos: act.pos, key: act.key, session: act.session.unwrap_or(0), came }
    }

    fn inserts(self) -> u64 {
        self.came & !MARK
    }

    fn record(self) -> [u64; WORDS] {
        [self.number, self.pos.to_u64(), self.key, self.session, self.came]
    }

    fn read([number, pos, key, session, came]: [u64; WORDS]) -> Self {
        Member { number, pos: Position::from_u64(pos), key, session, came }
    }
}

/// Operations of one key that came without a long pause. Inside it may be several acts:
/// [`Open::split`] tells them apart by their density.
#[derive(Debug)]
pub(super) struct Open {
    kind: OpKind,
    /// Documents before the first operation.
    before: u64,
    first: Member,
    last_secs: u32,
    /// All operations.
    count: u64,
    /// The newest chunk of those that were written down; the record before it names the chunk
    /// before.
    written: Chunk,
    /// Those behind.
    held: Vec<Member>,
}

/// One act.
#[derive(Debug)]
pub(super) struct Closed {
    pub kind: OpKind,
    pub shape: Shape,
    pub author: Author,
    /// The session of all its operations.
    pub session: Option<u64>,
    /// How many different sessions it has.
    pub sessions: u64,
    /// Documents of the namespace before it.
    pub before: u64,
    /// The number of its first operation in the log.
    pub number: u64,
    pub first: Position,
    pub last: Position,
    /// Its operations.
    pub count: u64,
    /// The documents they are about.
    pub documents: u64,
    /// Those of its operations that were marked.
    pub marked: u64,
    /// Documents that came into the namespace meanwhile.
    pub inserts: u64,
}

impl Open {
    /// Begins with an operation.
    pub fn new(act: &Act, first: Member) -> Self {
        Open {
            kind: act.kind,
            before: act.documents_before,
            first,
            last_secs: act.pos.secs,
            count: 1,
            written: Chunk::default(),
            held: Vec::new(),
        }
    }

    /// Whether nothing can join it any more at that second.
    pub fn is_over(&self, second: u32) -> bool {
        second > self.last_secs.saturating_add(PAUSE_SECS)
    }

    /// Takes the next operation.
    pub fn push(&mut self, member: Member) {
        self.last_secs = member.pos.secs;
        self.count += 1;
        self.held.push(member);
    }

    /// How many operations it has.
    pub fn len(&self) -> u64 {
        self.count
    }

    /// How many of them take memory of their own.
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// Writes down what it holds.
    pub fn spill(&mut self, records: &mut Records) -> Result<()> {
        if self.held.is_empty() {
            return Ok(());
        }
        records.push([self.written.at, self.written.count, 0, 0, 0])?;
        self.written = Chunk { at: records.len(), count: self.held.len() as u64 };
        std::mem::take(&mut self.held).into_iter().try_for_each(|member| records.push(member.record()))
    }

    /// Its operations, in order.
    fn members<'m>(&'m self, records: &'m mut Records) -> Result<Members<'m>> {
        let mut parts = Vec::new();
        if self.written != Chunk::default() {
            let written = records.read()?;
            let mut chunk = self.written;
            while chunk != Chunk::default() {
                parts.push(Part::Written(written.chunk(chunk)?));
                chunk = before(written, chunk)?;
            }
            parts.reverse();
        }
        parts.insert(0, Part::Held(std::slice::from_ref(&self.first)));
        parts.push(Part::Held(&self.held));
        let starts = parts.iter().scan(0, |sum, part| Some(std::mem::replace(sum, *sum + part.len())));
        Ok(Members { starts: starts.collect(), parts })
    }

    /// Hands over its acts. It cuts where much more of other traffic lies between two operations
    /// than usually does: the single deletes of every day before a `deleteMany` are not part of it.
    pub fn split(
        &self,
        key: &Key,
        records: &mut Records,
        room: usize,
        each: &mut dyn FnMut(Closed),
    ) -> Result<()> {
        let members = self.members(records)?;
        let limit = (members.usual_gap().unwrap_or(1) * UNUSUAL).max(MIN_GAP);
        let mut cut = Cut {
            open: self,
            key,
            members: &members,
            keys: Distinct::new(room),
            sessions: Distinct::new(room),
            done: 0,
            inserts: self.first.inserts(),
        };
        let mut run = Run::new(self.first, 0);
        for member in members.range(0..self.count) {
            if member.number - run.last.number > limit {
                each(cut.close(&run));
                run = Run::new(member, run.begin + run.count);
            }
            run.count += 1;
            run.marked += member.came >> 63;
            run.last = member;
            cut.keys.take(member.key);
            if key.single {
                cut.sessions.take(member.session);
            }
        }
        each(cut.close(&run));
        Ok(())
    }
}

/// The chunk before one.
fn before(written: Written<'_>, chunk: Chunk) -> Result<Chunk> {
    let head = written.chunk(Chunk { at: chunk.at.wrapping_sub(1), count: 1 })?;
    let [at, count, ..] = head.first().map_or([0; WORDS], words);
    if at > 0 && at >= chunk.at {
        return Err(missing(chunk));
    }
    Ok(Chunk { at, count })
}

/// Some operations of an [`Open`] that follow each other closely.
struct Run {
    /// Which of them all is its first.
    begin: u64,
    count: u64,
    marked: u64,
    first: Member,
    last: Member,
}

impl Run {
    fn new(first: Member, begin: u64) -> Self {
        Run { begin, count: 0, marked: 0, first, last: first }
    }
}

/// An [`Open`] that is cut into runs.
struct Cut<'o> {
    open: &'o Open,
    key: &'o Key,
    members: &'o Members<'o>,
    /// Documents and sessions of the run.
    keys: Distinct,
    sessions: Distinct,
    /// Operations of the runs before.
    done: u64,
    /// Inserts until the run before.
    inserts: u64,
}

impl Cut<'_> {
    fn close(&mut self, run: &Run) -> Closed {
        let goes = matches!(self.key.shape, Shape::Delete | Shape::Expire | Shape::Evict);
        let before = if goes { self.open.before.saturating_sub(self.done) } else { self.open.before };
        self.done += run.count;
        let until = run.last.inserts();
        let came = until - std::mem::replace(&mut self.inserts, until);
        let members = || self.members.range(run.begin..run.begin + run.count);
        let documents = self.keys.end();
        let documents = documents.unwrap_or_else(|| self.keys.count(|| members().map(|m| m.key)));
        let sessions = self.sessions.end();
        let sessions = sessions.unwrap_or_else(|| self.sessions.count(|| members().map(|m| m.session)));
        Closed {
            kind: self.open.kind,
            shape: self.key.shape,
            author: self.key.author,
            session: (sessions == 1).then_some(run.first.session),
            sessions,
            before,
            number: run.first.number,
            first: run.first.pos,
            last: run.last.pos,
            count: run.count,
            documents,
            marked: run.marked,
            inserts: came,
        }
    }
}

/// Operations, some of them in memory.
struct Members<'m> {
    parts: Vec<Part<'m>>,
    /// How many there are before each part.
    starts: Vec<u64>,
}

#[derive(Clone, Copy)]
enum Part<'m> {
    Held(&'m [Member]),
    Written(&'m [Raw]),
}

impl<'m> Part<'m> {
    fn len(self) -> u64 {
        match self {
            Part::Held(members) => members.len() as u64,
            Part::Written(records) => records.len() as u64,
        }
    }

    fn iter(self, from: usize) -> impl Iterator<Item = Member> {
        let (held, written): (&'m [Member], &'m [Raw]) = match self {
            Part::Held(members) => (members, &[]),
            Part::Written(records) => (&[], records),
        };
        let written = written.get(from..).unwrap_or_default().iter().map(|raw| Member::read(words(raw)));
        held.get(from..).unwrap_or_default().iter().copied().chain(written)
    }
}

impl Members<'_> {
    /// Some of them, in order.
    fn range(&self, range: Range<u64>) -> impl Iterator<Item = Member> {
        let at = self.starts.partition_point(|start| *start <= range.start).saturating_sub(1);
        let start = self.starts.get(at).copied().unwrap_or(0);
        let mut from = usize::try_from(range.start - start).unwrap_or(usize::MAX);
        let parts = self.parts.get(at..).unwrap_or_default().iter();
        let count = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
        parts.flat_map(move |part| part.iter(std::mem::take(&mut from))).take(count)
    }

    /// The median of the numbers of operations from one of them to the next. They sum up to no
    /// more than the log has, so only few of them are different.
    fn usual_gap(&self) -> Option<u64> {
        let mut gaps: BTreeMap<u64, u64> = BTreeMap::new();
        let all = || self.range(0..u64::MAX).map(|member| member.number);
        for (a, b) in all().zip(all().skip(1)) {
            *gaps.entry(b - a).or_default() += 1;
        }
        let middle = gaps.values().sum::<u64>() / 2;
        let mut below = 0;
        gaps.into_iter().find_map(|(gap, count)| {
            below += count;
            (below > middle).then_some(gap)
        })
    }
}
