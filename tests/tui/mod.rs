//! What the tests of the terminal program share: an incident made of nothing, a driver that
//! carries effects out at once, and buffers as text.
#![allow(dead_code, missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod fake;
pub mod folded;
pub mod golden;
pub mod svg;

use std::collections::VecDeque;

use pitstop::app::data::Counted;
use pitstop::app::zone::Zone;
use pitstop::app::{self, Answer, Effect, JobEvent, JobId, Model, Msg, Slot, Start, Work};
use pitstop::keys::{Code, Key};
use pitstop::ui::{self, Charset, Palette, Theme};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use fake::Fake;

/// The application with a fake behind it that answers at once, or when told to.
pub struct Driver {
    pub model: Model,
    pub fake: Fake,
    /// What was asked for and not yet answered.
    pub waiting: VecDeque<(JobId, Work)>,
    /// Effects that are no questions, in order.
    pub done: Vec<Effect>,
    /// Whether questions are answered at once.
    pub answers: bool,
    /// Which never are.
    pub holds: Vec<Slot>,
    /// Who reads the oplog, little by little.
    pub index: Option<JobId>,
}

impl Driver {
    /// Started, with nothing answered yet.
    pub fn waiting(size: (u16, u16)) -> Driver {
        let start = Start {
            source: "/backups/shop".into(),
            version: "0.0.0".into(),
            zone: Zone { offsets: vec![(0, 7200)] },
            ..Start::default()
        };
        let mut model = Model::new(start);
        // 2026-10-14T14:52:00Z
        app::update(&mut model, Msg::Now { ms: 0, utc: 1_791_989_520 });
        app::update(&mut model, Msg::Resize(size.0, size.1));
        let mut driver = Driver {
            model,
            fake: Fake::incident(),
            waiting: VecDeque::new(),
            done: Vec::new(),
            answers: false,
            holds: Vec::new(),
            index: None,
        };
        let effects = app::begin(&mut driver.model);
        driver.take(effects);
        driver
    }

    /// Started, everything answered.
    pub fn ready(size: (u16, u16)) -> Driver {
        let mut driver = Self::waiting(size);
        driver.answer_all();
        driver
    }

    pub fn send(&mut self, msg: Msg) {
        let effects = app::update(&mut self.model, msg);
        self.take(effects);
        if self.answers {
            self.answer_all();
        }
    }

    fn take(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Start { job, work } => {
                    self.waiting.retain(|(other, _)| other.slot != job.slot);
                    self.waiting.push_back((job, work));
                }
                other => {
                    if let Effect::Cancel(slot) = other {
                        self.waiting.retain(|(job, _)| job.slot != slot);
                    }
                    self.done.push(other);
                }
            }
        }
    }

    /// Opened, with nothing of the oplog read yet: it is while [`Driver::reads`] says so.
    pub fn reading(size: (u16, u16)) -> Driver {
        let mut driver = Self::waiting(size);
        let (job, work) = driver.waiting.pop_front().unwrap();
        let answer = driver.fake.answer(&work);
        driver.send(Msg::Job(job, JobEvent::Ended(answer)));
        let at = driver.waiting.iter().position(|(_, work)| *work == Work::Index).unwrap();
        driver.index = driver.waiting.remove(at).map(|(job, _)| job);
        driver.answer_all();
        driver
    }

    /// So many ops have been read by now; at the end of them, reading has ended.
    pub fn reads(&mut self, ops: usize) {
        let indexed = self.fake.reads(ops);
        let answer = Answer::Indexed(indexed);
        let event = match indexed.counted {
            Counted::SoFar => JobEvent::Part(answer),
            Counted::All => JobEvent::Ended(Ok(answer)),
        };
        self.send(Msg::Job(self.index.unwrap(), event));
    }

    /// Answers everything that is waited for, from now on at once.
    pub fn answer_all(&mut self) {
        self.answers = true;
        let can = |d: &Self| {
            let can =
                |(job, work): &(JobId, Work)| !d.holds.contains(&job.slot) && !d.fake.waits_for_more(work);
            d.waiting.iter().position(can)
        };
        while let Some((job, work)) = can(self).and_then(|at| self.waiting.remove(at)) {
            let answer = self.fake.answer(&work);
            let effects = app::update(&mut self.model, Msg::Job(job, JobEvent::Ended(answer)));
            self.take(effects);
        }
    }

    /// Presses keys: names separated by blanks, as in the key table; `'text'` is typed.
    pub fn press(&mut self, script: &str) -> &mut Self {
        for (at, part) in script.split('\'').enumerate() {
            if at % 2 == 1 {
                part.chars().for_each(|c| self.send(Msg::Key(Key::char(c))));
            } else {
                for name in part.split_whitespace() {
                    self.send(Msg::Key(name.parse().unwrap()));
                }
            }
        }
        self
    }

    /// Lets time pass.
    pub fn wait(&mut self, ms: u64) -> &mut Self {
        let (now, utc) = (self.model.now + ms, self.model.utc);
        self.send(Msg::Now { ms: now, utc });
        self
    }

    pub fn draw(&self, palette: Palette, charset: Charset) -> Buffer {
        let (w, h) = self.model.size;
        let mut buffer = Buffer::empty(Rect::new(0, 0, w, h));
        ui::draw(&self.model, &Theme { palette }, charset, &mut buffer);
        buffer
    }

    /// What is on the screen.
    pub fn text(&self) -> String {
        golden::text(&self.draw(Palette::Mono, Charset::Utf8))
    }
}

/// All keys there are.
pub fn all_keys() -> Vec<Key> {
    let mut keys: Vec<Key> = (' '..='~').map(Key::char).collect();
    keys.extend("abcdefghijklmnopqrstuvwxyz".chars().map(Key::ctrl));
    keys.extend(
        [
            Code::Enter,
            Code::Esc,
            Code::Tab,
            Code::BackTab,
            Code::Backspace,
            Code::Delete,
            Code::Up,
            Code::Down,
            Code::Left,
            Code::Right,
            Code::Home,
            Code::End,
            Code::PageUp,
            Code::PageDown,
        ]
        .map(Key::plain),
    );
    keys
}
