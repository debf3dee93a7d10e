//! An incident made of nothing: a day of ops in a shop, a gap, a bulk delete, and answers to
//! every question, worked out the slow and obvious way.

use std::cell::RefCell;
use std::collections::BTreeMap;

use pitstop::app::data::*;
use pitstop::app::document::{Change, DocumentRef, VersionLine, Versions};
use pitstop::app::effect::{Direction, RestoreRequest};
use pitstop::app::list::{Listed, Page, View};
use pitstop::app::screens::states::Question;
use pitstop::app::{Answer, Work, values};
use pitstop::domain::after::{After, Counts, NamespaceAfter};
use pitstop::domain::burst::Burst;
use pitstop::domain::coverage::{Gap, Segment};
use pitstop::domain::diff::{CollectionDiff, DocumentDiff, Fate, FieldDiff, NamespaceDiff};
use pitstop::domain::marks::Mark;
use pitstop::domain::op::{Op, OpKind};
use pitstop::domain::plan::{Cost, Plan, choose_base};
use pitstop::domain::progress::{Phase, Reading};
use pitstop::domain::query::{self, RowView};
use pitstop::domain::snapshot::{CollectionInfo, SnapshotInfo};
use pitstop::domain::states::{Moment, NamespaceState, StateAt};
use pitstop::domain::stop::{Stop, other_tools};
use pitstop::domain::{Error, Namespace, OpTime, Position, Result};
use serde_json::{Value, json};

use super::folded::List;

/// 2026-10-14T00:00:00Z
pub const DAY: u32 = 1_791_936_000;
/// When the bulk delete happens: 14:41:07Z.
pub const DELETE: u32 = DAY + 14 * 3600 + 41 * 60 + 7;

pub struct Fake {
    pub ops: Vec<Op>,
    /// Those behind them, as long as they have not been read yet.
    pub unread: Vec<Op>,
    pub opened: Opened,
    /// Which questions fail.
    pub fails: Vec<&'static str>,
    /// Whether nothing differs.
    pub same: bool,
    /// The marks set so far.
    pub marks: RefCell<Vec<Mark>>,
    pub bursts: Vec<Burst>,
}

fn op(secs: u32, inc: u32, kind: OpKind, ns: &str, id: u32) -> Op {
    let pos = Position::new(secs, inc);
    Op {
        pos,
        time: pos.time(),
        kind,
        ns: ns.into(),
        id: Some(json!({ "$oid": format!("6523a1b0c4d5e6f708{id:06x}") })),
        command: None,
        bytes: 180 + u64::from(id % 70),
        txn: None,
    }
}

impl Fake {
    /// Oplog of a day with a gap from 05:00 to 06:00.
    pub fn incident() -> Fake {
        let mut ops = Vec::new();
        for i in 0..2880u32 {
            let secs = DAY + 14 + i * 30;
            if (DAY + 5 * 3600..DAY + 6 * 3600).contains(&secs) {
                continue;
            }
            let hour = (secs - DAY) / 3600;
            for n in 0..1 + u32::from(hour > 7) + i % 2 {
                let (kind, ns) = match (i + n) % 5 {
                    0 | 1 => (OpKind::Insert, "shop.orders"),
                    2 => (OpKind::Update, "shop.products"),
                    3 => (OpKind::Update, "shop.customers"),
                    _ => (OpKind::Replace, "shop.carts"),
                };
                ops.push(op(secs, 1 + n, kind, ns, i * 4 + n));
            }
            if i % 400 == 399 {
                ops.push(op(secs, 9, OpKind::Delete, "shop.carts", i * 4));
            }
        }
        for i in 0..1906u32 {
            ops.push(op(DELETE + i / 960, 1 + i % 960, OpKind::Delete, "shop.orders", 7000 + i));
        }
        let mut index = op(DAY + 13 * 3600, 5, OpKind::Command, "shop.orders", 0);
        (index.id, index.command) = (None, Some("createIndexes".into()));
        ops.push(index);
        // A name that somebody made up to fool a reader.
        ops.push(op(DAY + 15 * 3600, 7, OpKind::Insert, "shop.in\u{202e}xob\u{1b}[31m", 1));
        ops.sort_by_key(|op| op.pos);
        let opened = opened(&ops);
        Fake {
            ops,
            opened,
            fails: Vec::new(),
            unread: Vec::new(),
            same: false,
            marks: RefCell::default(),
            bursts: bursts(),
        }
    }

    /// Sources with nothing in them.
    pub fn nothing() -> Fake {
        let opened = Opened { targets: targets(), case: "/cases/shop".into(), ..Opened::default() };
        Fake {
            ops: Vec::new(),
            opened,
            fails: Vec::new(),
            unread: Vec::new(),
            same: true,
            marks: RefCell::default(),
            bursts: Vec::new(),
        }
    }

    /// One suspect more, the least: a collection goes that held nothing.
    pub fn drop_of_nothing(&mut self) {
        let first = self.bursts[0].first;
        let at = self.ops.iter().find(|op| op.pos.secs > first.secs + 3600).unwrap().pos;
        self.bursts.push(Burst {
            kind: OpKind::Command,
            what: "collection dropped".into(),
            ns: Namespace::parse("shop.drafts"),
            first: at,
            last: at,
            time: at.time(),
            documents: 0,
            share: 1.0,
            stop: at,
            seconds: 0,
            ..self.bursts[0].clone()
        });
    }

    fn list(&self, filter: Option<&str>) -> Result<Vec<&Op>> {
        let Some(text) = filter else { return Ok(self.ops.iter().collect()) };
        let first = self.opened.first.unwrap_or(Position::MIN);
        let last = self.opened.last.unwrap_or(Position::MAX);
        let filter = query::parse(text)?.resolve(first, last)?;
        Ok(self
            .ops
            .iter()
            .filter(|op| {
                filter.matches_columns(&RowView {
                    pos: op.pos,
                    kind: op.kind,
                    ns: &op.ns,
                    size: op.bytes,
                    txn: None,
                })
            })
            .collect())
    }

    /// Takes all ops but the first so many away, as if they had not been read yet.
    pub fn reads(&mut self, ops: usize) -> Indexed {
        let mut all = std::mem::take(&mut self.ops);
        all.append(&mut self.unread);
        self.unread = all.split_off(ops.min(all.len()));
        self.ops = all;
        self.indexed()
    }

    fn indexed(&self) -> Indexed {
        Indexed { ops: self.ops.len() as u64, counted: self.counted() }
    }

    fn counted(&self) -> Counted {
        if self.unread.is_empty() { Counted::All } else { Counted::SoFar }
    }

    /// Whether the answer may lie in what has not been read yet.
    pub fn waits_for_more(&self, work: &Work) -> bool {
        let Work::Search { query, view, from, direction } = work else { return false };
        if self.unread.is_empty() {
            return false;
        }
        let (shown, hits) = (self.shown(view).unwrap(), self.list(Some(query)).unwrap());
        let from = shown.op_of(*from);
        let hit = |at: usize| hits.iter().any(|op| std::ptr::eq(*op, shown.ops[at]));
        match direction {
            Direction::Forward => !ahead(from, shown.ops.len()).any(hit),
            Direction::Backward => !(0..from).any(hit),
        }
    }

    pub fn answer(&self, work: &Work) -> Result<Answer> {
        let name = format!("{work:?}");
        if let Some(fails) = self.fails.iter().find(|f| name.starts_with(**f)) {
            return Error::failed(
                "reading the slice",
                "/backups/shop/oplog/14.bson at byte 4711",
                format!("the document is cut off ({fails})"),
            )
            .hint("copy the file again, or leave it out.")
            .err();
        }
        Ok(match work {
            Work::Open => Answer::Opened(Box::new(self.opened.clone())),
            Work::Grow => Answer::Grown(Box::new(self.opened.clone()), self.indexed()),
            Work::Index => Answer::Indexed(self.indexed()),
            Work::Suspects => Answer::Suspects(self.bursts.clone()),
            Work::List { view, at } => {
                let list = self.shown(view)?;
                let (len, ops, row) = (list.len(), list.ops.len() as u64, list.anchor(*at));
                Answer::Listed(Listed { view: view.clone(), len, ops, counted: self.counted(), row })
            }
            Work::Search { query, view, from, direction } => {
                let shown = self.shown(view)?;
                let list = &shown.ops;
                let hits = self.list(Some(query))?;
                let from = shown.op_of(*from);
                // The fake opens whatever hides a match, and never skips a burst.
                let hit = |at: &usize| hits.iter().any(|op| std::ptr::eq(*op, list[*at]));
                let found = match direction {
                    Direction::Forward => {
                        ahead(from, list.len()).chain(0..=from.min(list.len() - 1)).find(hit)
                    }
                    Direction::Backward => (0..from).rev().chain((from..list.len()).rev()).find(hit),
                };
                Answer::Found(found.map(|at| shown.spot(at)), view.clone())
            }
            Work::Locate { view, pos } => Answer::Located(self.shown(view)?.locate(*pos), self.counted()),
            Work::Rows { view, start, count } => {
                Answer::Rows(Page { start: *start, lines: self.shown(view)?.lines(*start, *count) })
            }
            Work::Bars { filter, axis } => {
                let mut counts = vec![[0u32; 6]; usize::from(axis.bars)];
                for op in self.list(filter.as_deref())? {
                    if let Some(bar) = axis.bar_of(op.pos) {
                        let kind = OpKind::ALL.iter().position(|k| *k == op.kind).unwrap();
                        counts[usize::from(bar)][kind] += 1;
                    }
                }
                let until = self.unread.first().map_or(Position::MAX, |op| op.pos);
                Answer::Bars(Bars { axis: *axis, counts, until })
            }
            Work::Detail { view, row } => {
                let list = self.shown(view)?;
                let op = list.ops[list.op_of(*row)];
                let value = json!({
                    "op": op.kind.name(), "ns": op.ns, "o": { "_id": op.id },
                    "total": { "$numberDouble": "49.9" }, "items": [{ "sku": "A-17", "n": { "$numberInt": "2" } }],
                });
                Answer::Detail(Text { lines: values::lines(&value) })
            }
            Work::Change { view, row } => {
                let list = self.shown(view)?;
                let op = list.ops[list.op_of(*row)];
                Answer::Change(Box::new(change(version(op.pos, op.kind, &op.ns), op.id.as_ref().unwrap())))
            }
            Work::History { of } => Answer::History(Box::new(self.versions(of))),
            Work::Version { of, number } => {
                let version = self.versions(of).list[usize::try_from(*number).unwrap()].clone();
                Answer::Version(Box::new(change(version, &of.id)))
            }
            Work::After { bound, .. } => Answer::After(Box::new(self.after(*bound))),
            Work::Decide { .. } => Answer::Decided,
            Work::Stop { bound } => Answer::Stop(Box::new(self.stop(*bound))),
            Work::Diff { of } => Answer::Diff(Box::new(Diff {
                stop: of.bound,
                against: self.stop(of.against.unwrap_or(self.opened.last.unwrap().next())).stop,
                namespaces: if self.same { Vec::new() } else { namespaces() },
                incident: self.bursts.iter().find(|burst| burst.first == of.bound).cloned(),
                first: if self.same { Default::default() } else { first() },
            })),
            Work::Documents { ns, filter, skip, .. } => {
                let all = documents(ns, 70);
                // All documents hold this word, none any other.
                let known = filter.as_deref().is_none_or(|filter| filter != "nothing");
                let rest = all.documents.into_iter().skip(usize::try_from(*skip).unwrap());
                let documents = if known { rest.collect() } else { Vec::new() };
                Answer::Documents(Documents { documents, limited: false })
            }
            Work::SetMark { name, pos, note } => {
                let mut marks = self.marks.borrow_mut();
                marks.retain(|mark| mark.name != *name);
                marks.push(Mark::new(name, *pos, note.clone()));
                marks.sort_by_key(|mark| mark.pos);
                Answer::Marks(marks.clone())
            }
            Work::RemoveMark { name } => {
                let mut marks = self.marks.borrow_mut();
                marks.retain(|mark| mark.name != *name);
                Answer::Marks(marks.clone())
            }
            Work::Note { .. } => Answer::Noted,
            Work::Journal => Answer::Journal(Text {
                lines: vec![
                    "kept in /cases/shop".into(),
                    String::new(),
                    "Journal, the newest line first".into(),
                    "  2026-10-14T14:51:40Z  planned the stop before 1791988867:1".into(),
                    "  2026-10-14T14:50:02Z  noted: the on-call of shop was told\u{202e}".into(),
                    "  2026-10-14T14:48:11Z  looked for damage: 2 suspects".into(),
                    "  2026-10-14T14:47:59Z  opened /backups/shop".into(),
                ],
            }),
            Work::States(question) => {
                Answer::States(question.moments.iter().map(|moment| self.state(question, moment)).collect())
            }
            Work::Plan(request) => Answer::Plan(Box::new(self.plan(request)?)),
        })
    }

    fn stop(&self, bound: Position) -> StopFacts {
        let at = self.ops.partition_point(|op| op.pos < bound);
        let last = at.checked_sub(1).map(|at| self.ops[at].clone());
        StopFacts {
            tools: other_tools(bound, last.as_ref().map(|op| op.pos)),
            stop: Stop {
                bound,
                time: bound.time(),
                last_applied: last,
                first_left_out: self.ops.get(at).cloned(),
            },
            left_out: (self.ops.len() - at) as u64,
            counted: self.counted(),
        }
    }

    /// Documents of the shop: the delete takes most orders away.
    fn state(&self, question: &Question, moment: &Moment) -> StateAt {
        let stop = self.stop(moment.bound).stop;
        let gone = moment.bound.secs > DELETE;
        let since = u64::from(moment.bound.secs.saturating_sub(DAY)) / 60;
        let of = |ns: &str, documents: u64| {
            let matching = question.condition.as_ref().map(|_| documents / 3);
            let document = json!({
                "_id": { "$numberInt": "42" }, "customer": { "$numberInt": "7" },
                "status": if gone { "cancelled" } else { "paid" }, "total": { "$numberDouble": "49.9" },
            });
            NamespaceState {
                ns: Namespace::parse(ns),
                documents,
                matching,
                samples: matching.map(|_| vec![document.clone(); 2]).unwrap_or_default(),
                found: question
                    .id
                    .as_ref()
                    .filter(|_| ns == "shop.orders")
                    .map(|_| document)
                    .into_iter()
                    .collect(),
            }
        };
        let mut namespaces = vec![
            of("shop.carts", 31 + since % 7),
            of("shop.customers", 620 + since / 9),
            of("shop.orders", if gone { 2050 - 1906 } else { 1200 + since }),
        ];
        if !gone {
            namespaces.push(of("shop.sessions", 88));
        }
        let snapshot = "2026-10-14T12-00-00Z".into();
        StateAt { moment: moment.clone(), stop, snapshot, namespaces }
    }

    fn shown(&self, view: &View) -> Result<List<'_>> {
        Ok(List::new(self.list(view.filter.as_deref())?, &self.bursts, view))
    }

    /// Counted the slow way; no document is written twice in the fake.
    fn after(&self, bound: Position) -> After {
        let incident = self.bursts.iter().find(|b| b.first <= bound && bound <= b.last).cloned();
        let mut namespaces: Vec<NamespaceAfter> = Vec::new();
        let mut total = Counts::default();
        for op in self.ops.iter().filter(|op| op.pos >= bound) {
            let ns = Namespace::parse(&op.ns);
            let bad = incident
                .as_ref()
                .is_some_and(|b| b.ns == ns && b.kind == op.kind && b.first <= op.pos && op.pos <= b.last);
            let one = |yes: bool| u64::from(yes);
            let counts = Counts {
                operations: 1,
                documents: 1,
                incident_operations: one(bad),
                incident_documents: one(bad),
                good_operations: one(!bad),
                good_documents: one(!bad),
            };
            total += counts;
            match namespaces.iter_mut().find(|n| n.ns == ns) {
                Some(known) => known.counts += counts,
                None => namespaces.push(NamespaceAfter { ns, counts }),
            }
        }
        namespaces.sort_by(|a, b| a.ns.cmp(&b.ns));
        After { incident, namespaces, total, until: self.opened.last.unwrap().next() }
    }

    /// In a snapshot, changed every hour, deleted by the incident.
    fn versions(&self, of: &DocumentRef) -> Versions {
        let mut read = version(Position::new(DAY + 2 * 3600, 1), OpKind::Noop, &of.ns);
        (read.kind, read.what) = (None, "in snapshot 2026-10-14T02-00-00Z".into());
        read.remark = Some("unchanged while the snapshot was taken".into());
        read.session = None;
        let mut list = vec![read];
        for hour in 7..14 {
            list.push(version(Position::new(DAY + hour * 3600 + 14, 1), OpKind::Update, &of.ns));
        }
        list.push(version(Position::new(DELETE, 1), OpKind::Delete, &of.ns));
        Versions { of: of.clone(), list, gaps: self.opened.gaps.clone() }
    }

    fn plan(&self, request: &RestoreRequest) -> Result<Plan> {
        let infos: Vec<SnapshotInfo> = self.opened.bases.iter().map(|b| b.info.clone()).collect();
        let base = choose_base(
            &infos,
            request.snapshot.as_deref(),
            request.bound,
            &self.opened.segments,
            &self.opened.gaps,
        )?;
        let facts = self.stop(request.bound);
        Ok(Plan {
            snapshot: base.clone(),
            from: base.window_start.unwrap(),
            stop: facts.stop,
            other_tools: facts.tools,
            target: request.target.clone(),
            how: Default::default(),
            cost: Cost {
                snapshot_documents: base.documents,
                snapshot_bytes: base.bytes,
                oplog_entries: 1103,
                oplog_bytes: 231_400,
                documents: 3126,
                collections: 5,
                indexes: 4,
            },
            notes: vec!["users and roles are kept aside".into()],
        })
    }
}

fn ahead(from: usize, len: usize) -> std::ops::Range<usize> {
    from + 1..len.max(from + 1)
}

fn bursts() -> Vec<Burst> {
    let of = |secs: u32, last: Position, what: &str, ns: &str, kind, documents, share| Burst {
        kind,
        ns: Namespace::parse(ns),
        what: what.into(),
        first: Position::new(secs, 1),
        last,
        time: Position::new(secs, 1).time(),
        documents,
        share,
        stop: Position::new(secs, 1),
        seconds: last.secs.saturating_sub(secs),
        session: None,
        ordinary: None,
        by: None,
    };
    let end = Position::new(DELETE + 1, 946);
    vec![
        of(DELETE, end, "documents deleted", "shop.orders", OpKind::Delete, 1906, 0.83),
        of(
            DAY + 16 * 3600 + 14,
            Position::new(DAY + 16 * 3600 + 14, 240),
            "the same change to every document",
            "shop.products",
            OpKind::Update,
            240,
            1.0,
        ),
    ]
}

/// A version made by an op.
fn version(pos: Position, kind: OpKind, ns: &str) -> VersionLine {
    VersionLine {
        pos,
        what: kind.name().into(),
        kind: Some(kind),
        ns: ns.into(),
        session: Some("5f1d7c2e9b3a4d6f8e0c1a2b3c4d5e6f".into()),
        txn: None,
        exact: true,
        remark: None,
        there: kind != OpKind::Delete,
        fields: match kind {
            OpKind::Update => "total: 49 -> 49.0   state: \"packed\" -> \"sent\"".into(),
            OpKind::Delete => String::new(),
            _ => "{ total: 49, state: \"packed\" }".into(),
        },
    }
}

/// What a version changed.
fn change(version: VersionLine, id: &Value) -> Change {
    let document = |total: Value, state: &str| {
        json!({
            "_id": id, "customer": { "$numberInt": "42" }, "total": total, "state": state,
            "items": [
                { "sku": "A-17", "n": { "$numberInt": "2" }, "price": { "$numberDouble": "19.5" } },
                { "sku": "B-02", "n": { "$numberInt": "1" }, "price": { "$numberDouble": "10.0" } },
            ],
        })
    };
    let (int, double) = (json!({ "$numberInt": "49" }), json!({ "$numberDouble": "49.0" }));
    let field = |path: &str, a: &Value, b: &Value| FieldDiff {
        path: path.into(),
        at_stop: Some(a.clone()),
        against: Some(b.clone()),
        order_only: false,
    };
    let (before, after) = (document(int.clone(), "packed"), document(double.clone(), "sent"));
    let fields = vec![field("total", &int, &double), field("state", &json!("packed"), &json!("sent"))];
    let (before, after, fields) = match version.kind {
        Some(OpKind::Insert) | None => (None, Some(after), Vec::new()),
        Some(OpKind::Delete) => (Some(before), None, Vec::new()),
        _ => (Some(before), Some(after), fields),
    };
    Change { version, before, after, fields }
}

fn targets() -> Vec<Target> {
    vec![
        Target {
            spec: "isolated".into(),
            what: "a mongod 6.0.5 of its own on 127.0.0.1, with a password".into(),
            theirs: None,
        },
        Target {
            spec: "dump:/cases/shop/dumps/1".into(),
            what: "a mongodump directory, made new".into(),
            theirs: None,
        },
    ]
}

fn opened(ops: &[Op]) -> Opened {
    let gap = Gap {
        after: ops.iter().rfind(|op| op.pos.secs < DAY + 5 * 3600).unwrap().pos,
        before: ops.iter().find(|op| op.pos.secs >= DAY + 6 * 3600).unwrap().pos,
    };
    let at = |pos| OpTime { pos, term: 3 };
    let (first, last) = (ops[0].pos, ops[ops.len() - 1].pos);
    let count = |from, to| ops.iter().filter(|op| op.pos >= from && op.pos <= to).count() as u64;
    let segments = vec![
        Segment { first: at(first), last: at(gap.after), entries: count(first, gap.after) },
        Segment { first: at(gap.before), last: at(last), entries: count(gap.before, last) },
    ];
    let bases = [("2026-10-14T02-00-00Z", 2), ("2026-10-14T12-00-00Z", 12)].map(|(id, hour)| {
        let info = snapshot(id, DAY + hour * 3600);
        Base { valid: pitstop::domain::plan::valid_stops(&info, &segments), info }
    });
    Opened {
        case: "/cases/shop".into(),
        bases: bases.to_vec(),
        gaps: vec![gap],
        notes: Vec::new(),
        entries: ops.len() as u64,
        first: Some(first),
        last: Some(last),
        segments,
        targets: targets(),
        marks: Vec::new(),
        live: Vec::new(),
        chosen: None,
    }
}

fn snapshot(id: &str, secs: u32) -> SnapshotInfo {
    let coll = |ns: &str, documents: u64| CollectionInfo {
        ns: Namespace::parse(ns),
        kind: "collection".into(),
        documents,
        bytes: documents * 212,
    };
    let collections = vec![
        coll("shop.carts", 31),
        coll("shop.customers", 620),
        coll("shop.orders", 1999),
        coll("shop.products", 240),
        coll("shop.sessions", 88),
    ];
    SnapshotInfo {
        id: id.into(),
        path: format!("/backups/shop/{id}"),
        format: "directory".into(),
        compressed: true,
        server_version: Some("6.0.5".into()),
        window_start: Some(Position::new(secs - 16, 1)),
        edge: Some(Position::new(secs + 44, 1)),
        documents: collections.iter().map(|c| c.documents).sum(),
        bytes: collections.iter().map(|c| c.bytes).sum(),
        collections,
    }
}

fn namespaces() -> Vec<NamespaceDiff> {
    let of = |ns: &str, comes_back, changes_back, goes_away, collection: &[&str]| NamespaceDiff {
        ns: Namespace::parse(ns),
        comes_back,
        changes_back,
        goes_away,
        conflicts: if ns == "shop.orders" { 14 } else { 0 },
        collection: collection
            .iter()
            .map(|what| CollectionDiff {
                against: Some(json!({ "v": 2, "key": { "price": 1 }, "name": "price_1" })),
                ..CollectionDiff::of(*what)
            })
            .collect(),
    };
    vec![
        of("shop.carts", 0, 12, 3, &[]),
        of("shop.customers", 0, 17, 4, &[]),
        of("shop.orders", 1906, 0, 105, &[]),
        of("shop.products", 0, 240, 0, &["the index price_1 goes away"]),
    ]
}

/// The first documents of each namespace.
fn first() -> BTreeMap<String, Documents> {
    let of = |found: NamespaceDiff| {
        let all = found.comes_back + found.changes_back + found.goes_away;
        let ns = found.ns.to_string();
        let mut documents = documents(&ns, u32::try_from(all.min(40)).unwrap());
        documents.limited = all > 40;
        (ns, documents)
    };
    namespaces().into_iter().map(of).collect()
}

fn documents(ns: &str, len: u32) -> Documents {
    let id = |n: u32| json!({ "$oid": format!("6523a1b0c4d5e6f708{n:06x}") });
    let order = |n: u32| {
        json!({
            "_id": id(n), "customer": { "$numberInt": (n % 97).to_string() },
            "total": { "$numberDouble": "49.9" },
            "at": { "$date": { "$numberLong": "1791979267000" } },
            "items": [{ "sku": "A-17", "n": { "$numberInt": "2" } }],
        })
    };
    let documents = (0..len)
        .map(|n| match ns {
            "shop.products" => DocumentDiff {
                ns: Namespace::parse(ns),
                id: json!({ "$numberInt": n.to_string() }),
                fate: Fate::ChangesBack,
                conflict: false,
                fields: vec![FieldDiff {
                    path: "price".into(),
                    at_stop: Some(json!({ "$numberDouble": format!("{n}9.5") })),
                    against: Some(json!({ "$numberInt": "0" })),
                    order_only: false,
                }],
                at_stop: Some(json!({ "_id": n, "price": { "$numberDouble": format!("{n}9.5") } })),
                against: Some(json!({ "_id": n, "price": { "$numberInt": "0" } })),
            },
            _ => DocumentDiff {
                ns: Namespace::parse(ns),
                id: id(7000 + n),
                conflict: ns == "shop.orders" && n % 5 == 2,
                fate: if n % 9 == 8 { Fate::GoesAway } else { Fate::ComesBack },
                fields: Vec::new(),
                at_stop: (n % 9 != 8).then(|| order(7000 + n)),
                against: (n % 9 == 8).then(|| order(7000 + n)),
            },
        })
        .collect();
    Documents { documents, limited: true }
}

/// What a restore reports while it loads.
pub fn readings() -> Vec<Reading> {
    let of = |phase, done, total, bytes| Reading { phase, done, total, bytes };
    vec![
        of(Phase::Open, 9, 0, 3_400_000),
        of(Phase::Fold, 1103, 0, 231_400),
        of(Phase::Load, 0, 3126, 0),
        of(Phase::Load, 1200, 3126, 254_400),
    ]
}

/// What became of it.
pub fn outcome(good: bool) -> Outcome {
    let check = |ns: &str, expected: u64| Check {
        ns: ns.into(),
        expected,
        found: expected,
        documents_ok: true,
        indexes_ok: true,
        options_ok: true,
        differences: Vec::new(),
    };
    let mut checks = vec![
        check("shop.carts", 34),
        check("shop.customers", 641),
        check("shop.orders", 2123),
        check("shop.products", 240),
        check("shop.sessions", 88),
    ];
    let mut error = None;
    if !good {
        checks[2].found = 2122;
        checks[2].documents_ok = false;
        checks[2].differences.push("one document less than was sent".into());
        error = Some(
            Error::differs("verifying", "shop.orders", "2,123 documents were sent, 2,122 are there")
                .hint("the target stays marked as incomplete; look at its log, and restore again."),
        );
    }
    Outcome {
        error,
        restored: Some(Restored {
            kind: "isolated mongod".into(),
            place: "mongodb://pitstop@127.0.0.1:40321/?authSource=admin".into(),
            next: "It runs until `pitstop targets stop` ends it; the password goes along when copied.".into(),
        }),
        checks,
        notes: vec!["users and roles are kept aside".into()],
        phases: vec![(Phase::Open, 0.02), (Phase::Fold, 0.01), (Phase::Load, 0.4)],
        seconds: 1.9,
        folder: "/cases/shop/restores/1".into(),
    }
}
