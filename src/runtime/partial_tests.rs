//! An oplog that is known in part: what the screens tell of it, over a real index, from the first
//! half to the whole.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::cell::RefCell;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::ScopedJoinHandle;
use std::time::Duration;

use bson::{Document, doc};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::desk::Desk;
use super::work::answer;
use crate::app::data::Counted;
use crate::app::effect::Direction;
use crate::app::list::View;
use crate::app::{self, Answer, Effect, JobEvent, JobId, Model, Msg, Slot, Start, Work};
use crate::domain::progress::Meter;
use crate::domain::source::Source;
use crate::domain::{Class, Position, Result};
use crate::keys::Key;
use crate::ops::memory::Memory;
use crate::ops::{OpenOptions, Workspace};
use crate::ui::{self, Charset, Palette, Theme};

const SECOND: u32 = 1_791_936_000; // 2026-10-14T00:00:00Z
const ALL: usize = 1000;
const HALF: usize = 500;
/// The two ops that hold the word.
const EARLY: usize = 10;
const LATE: usize = 900;

fn pos(n: usize) -> Position {
    Position::new(SECOND + 10 * u32::try_from(n).unwrap(), 1)
}

/// Every third op is an update, the others are inserts.
fn entry(n: usize) -> Document {
    let word = if n == EARLY || n == LATE { "amber" } else { "sand" };
    let ts = bson::Timestamp { time: pos(n).secs, increment: 1 };
    let id = i32::try_from(n).unwrap();
    match n % 3 {
        0 => doc! { "op": "u", "ns": "shop.orders", "o": { "$v": 2, "diff": { "u": { "text": word } } },
        "o2": { "_id": id }, "ts": ts, "t": 1i64, "v": 2i64 },
        _ => {
            doc! { "op": "i", "ns": "shop.orders", "o": { "_id": id, "text": word }, "ts": ts, "t": 1i64, "v": 2i64 }
        }
    }
}

fn is_insert(n: &usize) -> bool {
    !n.is_multiple_of(3)
}

/// An oplog whose first half was indexed when there was no more of it.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Place {
        let place = Place(tempfile::tempdir().unwrap());
        place.write(HALF);
        Workspace::open(&place.options(), &Meter::default()).unwrap().index(&Meter::default()).unwrap();
        place.write(ALL);
        place
    }

    fn log(&self) -> PathBuf {
        self.0.path().join("oplog.bson")
    }

    fn write(&self, ops: usize) {
        let bytes: Vec<u8> = (0..ops).flat_map(|n| bson::serialize_to_vec(&entry(n)).unwrap()).collect();
        std::fs::write(self.log(), bytes).unwrap();
    }

    fn options(&self) -> OpenOptions {
        let source = |path: &Path| path.display().to_string().parse::<Source>().unwrap();
        OpenOptions {
            sources: vec![source(&self.log())],
            case: Some(self.0.path().join("case")),
            accept_unproven: Vec::new(),
        }
    }

    fn desk(&self) -> Desk {
        Desk::new(self.options(), None, Memory::default(), None)
    }
}

/// The program without a terminal: questions are answered at once, but for those held back.
struct Front {
    desk: Arc<Desk>,
    model: Model,
    holds: Vec<Slot>,
    asked: VecDeque<(JobId, Work)>,
}

impl Front {
    fn open(desk: Arc<Desk>) -> Front {
        let model = Model::new(Start { source: "oplog.bson".into(), ..Start::default() });
        let holds = vec![Slot::Index, Slot::Search];
        let mut front = Front { desk, model, holds, asked: VecDeque::new() };
        let begun = app::begin(&mut front.model);
        front.take(begun);
        front.press("Enter");
        front
    }

    fn send(&mut self, msg: Msg) {
        let effects = app::update(&mut self.model, msg);
        self.take(effects);
    }

    fn take(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            let Effect::Start { job, work } = effect else { continue };
            if self.holds.contains(&job.slot) {
                self.asked.push_back((job, work));
                continue;
            }
            let answered = answer(&self.desk, &work, &Meter::default(), &|_| ());
            self.send(Msg::Job(job, JobEvent::Ended(answered)));
        }
    }

    /// What was asked for and is still to be answered.
    fn asked(&mut self, slot: Slot) -> (JobId, Work) {
        let at = self.asked.iter().position(|(job, _)| job.slot == slot).expect("it is asked for");
        self.asked.remove(at).unwrap()
    }

    /// Names of keys, separated by blanks; `'text'` is typed.
    fn press(&mut self, script: &str) {
        for (at, part) in script.split('\'').enumerate() {
            match at % 2 {
                1 => part.chars().for_each(|c| self.send(Msg::Key(Key::char(c)))),
                _ => part.split_whitespace().for_each(|name| self.send(Msg::Key(name.parse().unwrap()))),
            }
        }
    }

    fn text(&self) -> String {
        let (w, h) = self.model.size;
        let mut buffer = Buffer::empty(Rect::new(0, 0, w, h));
        ui::draw(&self.model, &Theme { palette: Palette::Mono }, Charset::Utf8, &mut buffer);
        let row = |y: u16| (0..w).map(|x| buffer[(x, y)].symbol()).collect::<String>() + "\n";
        (0..h).map(row).collect()
    }

    /// What is counted in the lane of a kind.
    fn lane(&self, kind: &str) -> String {
        let text = self.text();
        let lane = text.lines().find(|line| line.contains(kind)).unwrap();
        lane.split_whitespace().last().unwrap().to_owned()
    }
}

#[test]
fn what_is_known_is_there_at_once_as_partial_and_exact_in_the_end() {
    let place = Place::new();
    let desk = Arc::new(place.desk());
    let front = RefCell::new(Front::open(Arc::clone(&desk)));
    let (index, work) = front.borrow_mut().asked(Slot::Index);
    let inserts = |ops: usize| (0..ops).filter(is_insert).count();
    std::thread::scope(|scope| {
        let search: RefCell<Option<(JobId, ScopedJoinHandle<'_, Result<Answer>>)>> = RefCell::new(None);
        let told = |part: Answer| {
            let mut f = front.borrow_mut();
            let first = f.model.timeline.index.ready().is_none();
            f.send(Msg::Job(index, JobEvent::Part(part)));
            if !first {
                return;
            }
            // Nothing has been added to the first half yet, and all of it can be looked at.
            let text = f.text();
            assert!(text.contains(&format!("op 1 of \u{2a7e} {HALF}")), "{text}");
            assert!(text.contains(&pos(0).to_string()) && text.contains("not read yet"), "{text}");
            assert_eq!(f.lane("+ insert"), format!("\u{2a7e}{}", inserts(HALF)));
            assert_eq!(f.lane("~ update"), format!("\u{2a7e}{}", HALF - inserts(HALF)));
            f.press("G");
            assert_eq!(f.model.timeline.selected().unwrap().pos, pos(HALF - 1));
            // In view is only what has been read: that is all there is of it.
            f.press("g g + + +");
            let text = f.text();
            assert!(!text.contains("not read yet") && text.contains("of \u{2a7e}"), "{text}");
            assert!(f.lane("+ insert").parse::<u64>().is_ok(), "{text}");
            f.press("0 f 'op:insert' Enter");
            let text = f.text();
            assert!(text.contains(&format!("of \u{2a7e} {}  filter", inserts(HALF))), "{text}");
            assert_eq!(f.lane("+ insert"), format!("\u{2a7e}{}", inserts(HALF)));
            f.press("f Ctrl-u 'op:delete' Enter");
            let text = f.text();
            assert!(text.contains("no op so far matches the filter op:delete"), "{text}");
            f.press("F g g s");
            let text = f.text();
            assert!(text.contains(&format!("at least {HALF} ops behind the stop")), "{text}");
            f.press("Esc");
            // Behind the cursor there is a match; what lies ahead is not read yet.
            f.press("g g");
            (0..20).for_each(|_| f.press("j"));
            f.press("/ 'amber' Enter");
            let (job, work) = f.asked(Slot::Search);
            let desk = &desk;
            let run = move || answer(desk, &work, &Meter::default(), &|_| ());
            *search.borrow_mut() = Some((job, scope.spawn(run)));
        };
        let ended = answer(&desk, &work, &Meter::default(), &told);
        let mut f = front.borrow_mut();
        f.send(Msg::Job(index, JobEvent::Ended(ended)));
        let text = f.text();
        assert!(text.contains("op 21 of 1,000"), "{text}");
        assert!(!text.contains('\u{2a7e}') && !text.contains("not read yet"), "{text}");
        assert_eq!(f.lane("+ insert"), inserts(ALL).to_string());
        let (job, search) = search.take().expect("what was known was told before the rest was read");
        f.send(Msg::Job(job, JobEvent::Ended(search.join().unwrap())));
        assert_eq!(
            f.model.timeline.selected().unwrap().pos,
            pos(LATE),
            "the next one, not one gone round to"
        );
        f.press("F f 'op:insert' Enter");
        assert!(f.text().contains(&format!("of {}  filter", inserts(ALL))), "{}", f.text());
        assert_eq!(f.model.timeline.counted, Counted::All);
        f.press("F g g s");
        assert!(f.text().contains("left out       1,000 ops behind the stop"), "{}", f.text());
    });
}

/// A filter that takes long is told in parts, in order; what is shown of them is what they are.
#[test]
fn what_a_filter_has_found_is_there_before_it_has_found_all() {
    let place = Place::new();
    let mut desk = place.desk();
    desk.pace = Duration::ZERO;
    let desk = Arc::new(desk);
    let mut front = Front::open(Arc::clone(&desk));
    let (index, work) = front.asked(Slot::Index);
    let ended = answer(&desk, &work, &Meter::default(), &|_| ());
    front.send(Msg::Job(index, JobEvent::Ended(ended)));
    assert!(front.model.timeline.view.folded && front.model.timeline.counted == Counted::All);

    front.holds.push(Slot::Filter);
    front.press("f 'op:insert' Enter");
    let (job, work) = front.asked(Slot::Filter);
    let inserts: Vec<usize> = (0..ALL).filter(is_insert).collect();
    let front = RefCell::new(front);
    let parts = RefCell::new(0);
    let tell = |part: Answer| {
        let Answer::Listed(listed) = &part else { panic!("{part:?}") };
        let mut f = front.borrow_mut();
        let mut parts = parts.borrow_mut();
        *parts += 1;
        assert_eq!((listed.ops, listed.counted, listed.view.folded), (*parts, Counted::SoFar, false));
        f.send(Msg::Job(job, JobEvent::Part(part)));
        if *parts == 300 {
            let text = f.text();
            assert!(text.contains("op 1 of \u{2a7e} 300  filter op:insert"), "{text}");
            assert_eq!(f.lane("+ insert"), "\u{2a7e}300");
            assert!(text.contains("not read yet"), "{text}");
            f.press("G");
            assert_eq!(f.model.timeline.selected().unwrap().pos, pos(inserts[299]));
        }
        if *parts == 400 {
            assert_eq!(f.model.timeline.selected().unwrap().pos, pos(inserts[299]), "the cursor stays");
        }
    };
    let ended = answer(&desk, &work, &Meter::default(), &tell);
    assert_eq!(*parts.borrow(), inserts.len() as u64);
    let mut front = front.into_inner();
    front.send(Msg::Job(job, JobEvent::Ended(ended)));
    let text = front.text();
    assert!(text.contains(&format!("op 300 of {}  filter op:insert", inserts.len())), "{text}");
    assert!(!text.contains('\u{2a7e}') && !text.contains("not read yet"), "{text}");
    assert!(front.model.timeline.view.folded, "bursts are folded in the whole");
    assert_eq!(front.model.timeline.selected().unwrap().pos, pos(inserts[299]));

    // Stopped half way, it stays at least as many.
    front.press("f Ctrl-u 'op:update' Enter");
    let (job, work) = front.asked(Slot::Filter);
    let meter = Meter::default();
    let front = RefCell::new(front);
    let ended = answer(&desk, &work, &meter, &|part| {
        let enough = matches!(&part, Answer::Listed(listed) if listed.ops == 10);
        front.borrow_mut().send(Msg::Job(job, JobEvent::Part(part)));
        if enough {
            meter.cancel();
        }
    });
    let mut front = front.into_inner();
    assert_eq!(ended.as_ref().expect_err("it was stopped").class, Class::Interrupted);
    front.send(Msg::Job(job, JobEvent::Ended(ended)));
    let text = front.text();
    assert!(
        text.contains("of \u{2a7e} 10  filter op:update") && text.contains("stopped: filtering"),
        "{text}"
    );
}

/// A search that waits for what is not read yet ends when nobody wants to know any more.
#[test]
fn a_search_that_waits_can_be_stopped() {
    let place = Place::new();
    let desk = place.desk();
    let meter = Meter::default();
    answer(&desk, &Work::Open, &meter, &|_| ()).unwrap();
    for (direction, from) in [(Direction::Forward, 20), (Direction::Backward, 5)] {
        let work = Work::Search { query: "amber".into(), view: View::default(), from, direction };
        let stop = Meter::default();
        std::thread::scope(|scope| {
            let search = scope.spawn(|| answer(&desk, &work, &stop, &|_| ()));
            stop.cancel();
            let error = search.join().unwrap().expect_err("half of the oplog was never read");
            assert_eq!(error.class, Class::Interrupted);
        });
    }
    // What is known needs no waiting, in either direction.
    for (direction, from) in [(Direction::Forward, 5), (Direction::Backward, 20)] {
        let work = Work::Search { query: "amber".into(), view: View::default(), from, direction };
        let Ok(Answer::Found(Some(spot), _)) = answer(&desk, &work, &meter, &|_| ()) else {
            panic!("{direction:?}")
        };
        assert_eq!(spot.row, EARLY as u64);
    }
}
