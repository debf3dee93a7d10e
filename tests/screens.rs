//! Every screen in every state at several sizes and palettes, held against files, text and look.
//! `UPDATE=1 cargo test --test screens` writes them anew, and the pictures in `screenshots/` too.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod tui;

use std::collections::BTreeSet;
use std::fmt::Write;

use pitstop::app::live::LiveNews;
use pitstop::app::{Answer, Effect, JobEvent, Msg, Work};
use pitstop::domain::{Error, Position};
use pitstop::ui::{Charset, GLYPHS, Palette, at_least};
use tui::fake::{DAY, Fake, outcome, readings};
use tui::{Driver, golden, svg};

const SIZES: [(u16, u16); 3] = [(60, 16), (80, 24), (140, 45)];

/// A state of a screen: its name, and how to get there.
struct Scene {
    name: &'static str,
    make: fn((u16, u16)) -> Driver,
}

fn keys(size: (u16, u16), script: &str) -> Driver {
    let mut d = Driver::ready(size);
    d.press(script);
    d
}

/// Everything answered but what the last keys ask for.
fn loading(size: (u16, u16), script: &str, last: &str) -> Driver {
    let mut d = keys(size, script);
    d.answers = false;
    d.press(last).wait(1400);
    d
}

fn failing(size: (u16, u16), fails: &'static str, script: &str) -> Driver {
    let mut d = Driver::waiting(size);
    d.fake.fails = vec![fails];
    d.answer_all();
    d.press(script);
    d
}

fn nothing(size: (u16, u16), script: &str) -> Driver {
    let mut d = Driver::waiting(size);
    d.fake = Fake::nothing();
    d.answer_all();
    d.press(script);
    d
}

fn restore(size: (u16, u16), end: Option<bool>) -> Driver {
    let mut d = keys(size, "Enter ] s Enter r Enter y Enter");
    let job = d.done.iter().find_map(|e| match e {
        Effect::Restore { job, .. } => Some(*job),
        _ => None,
    });
    let job = job.unwrap();
    for reading in readings() {
        d.wait(700);
        d.send(Msg::Job(job, JobEvent::Progress(reading)));
    }
    if let Some(good) = end {
        d.send(Msg::Job(job, JobEvent::Ended(Ok(Answer::Restored(Box::new(outcome(good)))))));
    }
    d
}

fn broken_restore(size: (u16, u16)) -> Driver {
    let mut d = restore(size, None);
    let running = d.model.jobs.long().next().map(|(slot, r)| (slot, r.generation)).unwrap();
    let job = pitstop::app::JobId { slot: running.0, generation: running.1 };
    let error = Error::failed("starting mongod", "/usr/bin/mongod", "no space left on the device")
        .hint("free 2.1 GB in /cases, or restore to another place.");
    d.send(Msg::Job(job, JobEvent::Ended(error.err())));
    d
}

/// How far a live source is secured by now.
const NEW: Position = Position { secs: DAY + 86_400, inc: 3 };

/// What is told of a live source, over the timeline.
fn live(size: (u16, u16), told: &[LiveNews]) -> Driver {
    let mut d = keys(size, "Enter");
    d.model.start.source = "mongodb://db1.example.net,db2.example.net/".into();
    told.iter().for_each(|news| d.send(Msg::Live(news.clone())));
    d
}

const DELETE: &str = "Enter ]";
/// A stop, and two marks, one of them with a note.
const MARKS: &str = "Enter ] s Esc t '12:30' Enter m 'lunch' Enter Enter t '16:00' Enter m 'bad deploy' Enter 'prices are 0 from here on' Enter";

fn scenes() -> Vec<Scene> {
    let scene = |name, make| Scene { name, make };
    vec![
        scene("snapshots.loading", |s| {
            let mut d = Driver::waiting(s);
            d.wait(1400);
            d
        }),
        scene("snapshots.empty", |s| nothing(s, "")),
        scene("snapshots.full", |s| keys(s, "j")),
        scene("snapshots.failed", |s| failing(s, "Open", "")),
        scene("timeline.loading", |s| {
            let mut d = Driver::waiting(s);
            let (job, work) = d.waiting.pop_front().unwrap();
            let answer = d.fake.answer(&work);
            d.send(Msg::Job(job, JobEvent::Ended(answer)));
            d.press("Enter").wait(1400);
            d
        }),
        scene("timeline.reading.full", |s| {
            let mut d = Driver::reading(s);
            d.reads(1200);
            d.press("Enter j j s Esc");
            d
        }),
        scene("timeline.reading-filtered", |s| {
            let mut d = Driver::reading(s);
            d.reads(1200);
            d.press("Enter f 'op:delete' Enter t '14:30' Enter");
            d
        }),
        scene("timeline.empty", |s| nothing(s, "Enter")),
        scene("timeline.full", |s| keys(s, "Enter ] s Esc k k k k")),
        scene("timeline.failed", |s| failing(s, "Index", "Enter")),
        scene("timeline.filtered", |s| keys(s, "Enter ] f 'op:delete' Enter + + +")),
        scene("timeline.no-match", |s| keys(s, "Enter f 'ns:nobody.*' Enter")),
        scene("timeline.foreign", |s| keys(s, "Enter t '15:00' Enter")),
        scene("suspects.loading", |s| {
            let mut d = Driver::waiting(s);
            for _ in 0..2 {
                let (job, work) = d.waiting.pop_front().unwrap();
                let answer = d.fake.answer(&work);
                d.send(Msg::Job(job, JobEvent::Ended(answer)));
            }
            d.press("3").wait(1400);
            d
        }),
        scene("suspects.empty", |s| {
            let mut d = keys(s, "3");
            d.model.suspects.found.fill(Ok(Vec::new()));
            d
        }),
        scene("suspects.full", |s| keys(s, "3 j")),
        scene("suspects.empty-dropped", |s| {
            let mut d = Driver::waiting(s);
            d.fake.drop_of_nothing();
            d.answer_all();
            d.press("3 Enter");
            if s.0 < 100 {
                d.press("3 G");
            } else {
                d.press("] ]");
            }
            d
        }),
        scene("suspects.failed", |s| failing(s, "Suspects", "3")),
        scene("stop.loading", |s| loading(s, DELETE, "s")),
        scene("stop.full", |s| keys(s, "Enter ] s")),
        scene("stop.refused", |s| keys(s, "Enter t '06:30' Enter s")),
        scene("timeline.open", |s| keys(s, "Enter ] Enter j j j")),
        scene("timeline.unfolded", |s| keys(s, "Enter ] o")),
        scene("timeline.local", |s| keys(s, "Enter ] u")),
        scene("timeline.increments", |s| {
            keys(s, "Enter ] Enter + + + + + + + + + + + + + + + + + + + + + +")
        }),
        scene("change.full", |s| keys(s, "Enter ] k k Enter")),
        scene("change.deleted", |s| keys(s, "Enter ] Enter j Enter")),
        scene("change.command", |s| keys(s, "Enter / 'op:command' Enter Enter")),
        scene("change.loading", |s| loading(s, "Enter ] k k", "Enter")),
        scene("change.failed", |s| failing(s, "Change", "Enter ] k k Enter")),
        scene("change.copy", |s| keys(s, "Enter ] k k Enter y")),
        scene("history.loading", |s| loading(s, "Enter ] k k", "v")),
        scene("history.full", |s| keys(s, "Enter ] s Esc k k v k k")),
        scene("history.failed", |s| failing(s, "History", "Enter ] k k v")),
        scene("history.empty", |s| {
            let mut d = keys(s, "Enter ] k k v");
            if let pitstop::app::Loadable::Ready(found) = &mut d.model.history.found {
                found.list.clear();
            }
            d
        }),
        scene("history.read", |s| keys(s, "Enter ] k k v k k Space")),
        scene("stop.counting", |s| {
            let mut d = loading(s, DELETE, "s");
            let at = d.waiting.iter().position(|(_, work)| matches!(work, Work::Stop { .. })).unwrap();
            let (job, work) = d.waiting.remove(at).unwrap();
            let answer = d.fake.answer(&work);
            d.send(Msg::Job(job, JobEvent::Ended(answer)));
            d
        }),
        scene("stop.harmless", |s| keys(s, "Enter t '13:30' Enter s")),
        scene("stop.typing", |s| keys(s, "Enter ] s t 'after 14:41'")),
        scene("stop.failed", |s| failing(s, "Stop", "Enter ] s")),
        scene("preview.loading", |s| loading(s, "Enter ] s", "d")),
        scene("preview.empty", |s| {
            let mut d = keys(s, DELETE);
            d.fake.same = true;
            d.press("s d");
            d
        }),
        scene("preview.full", |s| keys(s, "Enter ] s d j j Tab j")),
        scene("preview.failed", |s| failing(s, "Diff", "Enter ] s d")),
        scene("preview.document", |s| keys(s, "Enter ] s d j j j Tab j Enter")),
        scene("preview.conflict", |s| keys(s, "Enter ] s d j j Tab j j Enter")),
        scene("preview.index", |s| keys(s, "Enter ] s d j j j Tab Enter")),
        scene("preview.filter", |s| keys(s, "Enter ] s d f 'is:comes-back -id:42' Enter Tab")),
        scene("preview.no-match", |s| keys(s, "Enter ] s d j f 'nothing' Enter")),
        scene("preview.find", |s| keys(s, "Enter ] s d j Tab Enter / 'SKU' Enter")),
        scene("preview.against", |s| keys(s, "Enter ] m 'good' Enter Enter s d a Ctrl-u 'goo'")),
        scene("preview.arriving", |s| {
            let mut d = loading(s, "Enter ] s d j f 'A-17'", "Enter");
            let (job, work) = d.waiting.pop_front().unwrap();
            let Ok(Answer::Documents(mut documents)) = d.fake.answer(&work) else { panic!("{work:?}") };
            documents.documents.truncate(5);
            d.send(Msg::Job(job, JobEvent::Part(Answer::Documents(documents))));
            d
        }),
        scene("marks.empty", |s| nothing(s, "6")),
        scene("marks.loading", |s| {
            let mut d = Driver::waiting(s);
            d.model.show(pitstop::app::Screen::Marks);
            d.wait(1400);
            d
        }),
        scene("marks.full", |s| keys(s, &format!("{MARKS} 6 Space j j Space"))),
        scene("marks.remove", |s| keys(s, &format!("{MARKS} 6 j x"))),
        scene("marks.name", |s| keys(s, "Enter ] m 'before'")),
        scene("states.loading", |s| loading(s, MARKS, "7")),
        scene("states.empty", |s| nothing(s, "7")),
        scene("states.full", |s| keys(s, &format!("{MARKS} 7 Right Right j j"))),
        scene("states.failed", |s| failing(s, "States", &format!("{MARKS} 7"))),
        scene("states.document", |s| keys(s, &format!("{MARKS} 7 i '42' Enter j j Right Right"))),
        scene("states.count", |s| keys(s, &format!("{MARKS} 7 f '{{\"status\": \"paid\"}}' Enter j Enter"))),
        scene("over.case", |s| keys(s, "Enter C")),
        scene("over.note", |s| keys(s, "Enter # 'the on-call was told'")),
        scene("over.export", |s| keys(s, "Enter ] s d e")),
        scene("over.production", |s| {
            let mut d = keys(s, "Enter");
            d.model.start.marked = "PRODUCTION";
            d.model.start.source = "mongodb://db1.example.net,db2.example.net/".into();
            if let Some(opened) = d.model.opened.ready().cloned() {
                let live = vec!["shop0 db2.example.net:27017".into()];
                d.model.opened.fill(Ok(pitstop::app::data::Opened { live, ..opened }));
            }
            d
        }),
        scene("live.following", |s| live(s, &[LiveNews::Here(NEW)])),
        scene("live.lost", |s| live(s, &[LiveNews::Here(NEW), LiveNews::Lost("connection refused".into())])),
        scene("live.back", |s| {
            live(s, &[LiveNews::Here(NEW), LiveNews::Lost("connection refused".into()), LiveNews::Back])
        }),
        scene("live.ended", |s| {
            let error = Error::refused("following the source", "shop0", "it is another set now");
            live(s, &[LiveNews::Here(NEW), LiveNews::Ended(Box::new(error))])
        }),
        scene("live.behind", |s| live(s, &[LiveNews::Here(NEW), LiveNews::Behind])),
        scene("plan.loading", |s| loading(s, "Enter ] s d", "r")),
        scene("plan.full", |s| keys(s, "Enter ] s r")),
        scene("plan.failed", |s| failing(s, "Plan", "Enter ] s r")),
        scene("plan.confirm", |s| keys(s, "Enter ] s r Enter")),
        scene("plan.named", |s| keys(s, "Enter ] s r T '/mnt/recovered' Enter Enter Right 'recov'")),
        scene("restore.running", |s| restore(s, None)),
        scene("restore.cancel", |s| {
            let mut d = restore(s, None);
            d.press("x Right");
            d
        }),
        scene("restore.verified", |s| restore(s, Some(true))),
        scene("restore.differs", |s| restore(s, Some(false))),
        scene("restore.failed", broken_restore),
        scene("restore.copy", |s| {
            let mut d = restore(s, Some(true));
            d.press("y");
            d
        }),
        scene("over.help", |s| keys(s, "Enter ?")),
        scene("over.palette", |s| keys(s, "Enter : 'stop'")),
        scene("over.search", |s| keys(s, "Enter / 'op:delete ns:shop.*'")),
        scene("over.problem", |s| keys(s, "Enter f 'size:many' Enter")),
        scene("over.goto", |s| keys(s, "Enter t '14:4'")),
        scene("over.copy", |s| keys(s, "Enter ] s y")),
        scene("over.errors", |s| failing(s, "Suspects", "!")),
        scene("over.quit", |s| {
            let mut d = restore(s, None);
            d.press("q");
            d
        }),
    ]
}

#[test]
fn every_screen_is_as_it_was() {
    let mut wrong = Vec::new();
    for scene in scenes() {
        let mut out = String::new();
        for size in SIZES {
            let d = (scene.make)(size);
            let _ = writeln!(out, "=== {} at {}x{}", scene.name, size.0, size.1);
            out.push_str(&golden::styled(&d.draw(Palette::Dark, Charset::Utf8)));
        }
        wrong.extend(golden::hold(&format!("tests/golden/{}.txt", scene.name), &out));
    }
    assert!(wrong.is_empty(), "{}\nUPDATE=1 writes the files anew", wrong.join("\n"));
}

#[test]
fn every_palette_is_as_it_was() {
    let mut wrong = Vec::new();
    for scene in scenes()
        .iter()
        .filter(|s| s.name.ends_with(".full") || ["plan.confirm", "over.production"].contains(&s.name))
    {
        let mut out = String::new();
        let d = (scene.make)((80, 24));
        for (palette, charset) in [
            (Palette::Light, Charset::Utf8),
            (Palette::Ansi, Charset::Utf8),
            (Palette::AnsiLight, Charset::Utf8),
            (Palette::Mono, Charset::Ascii),
        ] {
            let _ = writeln!(out, "=== {} in {palette:?}, {charset:?}", scene.name);
            out.push_str(&golden::styled(&d.draw(palette, charset)));
        }
        let name = scene.name.replace('.', "-");
        wrong.extend(golden::hold(&format!("tests/golden/palettes.{name}.txt"), &out));
    }
    assert!(wrong.is_empty(), "{}\nUPDATE=1 writes the files anew", wrong.join("\n"));
}

#[test]
fn no_file_belongs_to_a_screen_that_is_gone() {
    let mut known: BTreeSet<String> = BTreeSet::new();
    for scene in scenes() {
        known.insert(format!("{}.txt", scene.name));
        known.insert(format!("palettes.{}.txt", scene.name.replace('.', "-")));
    }
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden");
    for entry in std::fs::read_dir(dir).unwrap() {
        let name = entry.unwrap().file_name().to_string_lossy().into_owned();
        assert!(known.contains(&name), "tests/golden/{name} belongs to nothing");
    }
}

/// Colours have no meaning of their own: what the mono palette shows is all there is.
#[test]
fn every_screen_says_the_same_without_colour() {
    for scene in scenes() {
        let d = (scene.make)((80, 24));
        let coloured = golden::text(&d.draw(Palette::Dark, Charset::Utf8));
        let buffer = d.draw(Palette::Mono, Charset::Utf8);
        assert_eq!(golden::text(&buffer), coloured, "{}", scene.name);
        for cell in &buffer.content {
            let plain = matches!(cell.fg, ratatui::style::Color::Reset)
                && matches!(cell.bg, ratatui::style::Color::Reset);
            assert!(plain, "{}: a colour in the mono palette", scene.name);
        }
    }
}

#[test]
fn ascii_means_ascii_and_no_glyph_is_of_doubtful_width() {
    for scene in scenes() {
        let d = (scene.make)((80, 24));
        let text = golden::text(&d.draw(Palette::Mono, Charset::Ascii));
        assert!(text.is_ascii(), "{}: {:?}", scene.name, text.chars().find(|c| !c.is_ascii()));
    }
    // UAX #11: these ranges hold the ambiguous ones among the blocks that glyphs are taken from.
    let ambiguous = [
        0x2500..=0x254b,
        0x2550..=0x2573,
        0x2580..=0x258f,
        0x2592..=0x2595,
        0x25a0..=0x25a1,
        0x25a3..=0x25a9,
        0x25b2..=0x25b3,
        0x25b6..=0x25b7,
        0x25bc..=0x25bd,
        0x25c0..=0x25c1,
        0x25c6..=0x25c8,
        0x2010..=0x2027,
        0x2190..=0x2199,
        0x2260..=0x2267,
        0x2776..=0x277f,
    ];
    let (utf8, ascii) = (at_least(Charset::Utf8), at_least(Charset::Ascii));
    let c = utf8.chars().next().unwrap();
    assert_eq!((utf8.chars().count(), ratatui::text::Span::raw(utf8).width()), (1, 1));
    assert!(ascii == ">=" && !ambiguous.iter().any(|r| r.contains(&(c as u32))));
    for glyph in GLYPHS {
        let (utf8, ascii) = (glyph.text(Charset::Utf8), glyph.text(Charset::Ascii));
        assert_eq!(ascii.len(), 1, "{glyph:?}");
        let c = utf8.chars().next().unwrap();
        assert_eq!((utf8.chars().count(), ratatui::text::Span::raw(utf8).width()), (1, 1), "{glyph:?}");
        assert!(!ambiguous.iter().any(|r| r.contains(&(c as u32))), "{glyph:?}");
        assert!((c as u32) < 0x80 || (c as u32) > 0xff, "{glyph:?}: Latin-1 is full of doubtful ones");
    }
}

/// The stop and what is read-only are never cut away, at any size that can be worked on.
#[test]
fn what_matters_is_always_there() {
    for size in SIZES {
        for scene in scenes() {
            let text = (scene.make)(size).text();
            let mut lines = text.lines();
            let (header, chosen) = (lines.next().unwrap(), lines.next().unwrap());
            assert!(header.contains("READ-ONLY") && header.contains("UTC"), "{}: {header}", scene.name);
            assert!(chosen.contains("stop"), "{}: {chosen}", scene.name);
            let rows = text.lines().count();
            assert_eq!(rows, usize::from(size.1), "{}", scene.name);
        }
    }
}

#[test]
fn every_size_can_be_drawn_and_too_small_ones_say_so() {
    for scene in scenes() {
        for size in [(0, 0), (1, 1), (3, 200), (200, 3), (20, 5), (59, 16), (60, 15)] {
            let mut d = (scene.make)((80, 24));
            d.send(Msg::Resize(size.0, size.1));
            let text = d.text();
            if size.0 >= 40 && size.1 > 0 && (size.0 < 60 || size.1 < 16) {
                assert!(text.contains("is too small"), "{} at {size:?}: {text}", scene.name);
            }
        }
    }
}

const PICTURES: [(&str, &str); 13] = [
    ("snapshots.full", "The snapshots and what the oplog covers"),
    ("timeline.full", "The timeline: activity by kind, and every op"),
    ("suspects.full", "Bursts that look like damage"),
    ("stop.full", "The stop, with both its neighbours"),
    ("change.full", "What an op changed: its document before and after"),
    ("history.full", "Every version of one document"),
    ("preview.full", "What going back would change"),
    ("preview.document", "One document, field by field"),
    ("marks.full", "Named places in the oplog"),
    ("states.document", "States at several times, and one document at each of them"),
    ("plan.confirm", "The question before a restore"),
    ("restore.running", "A restore that runs"),
    ("restore.verified", "A restore that is verified"),
];

#[test]
fn the_pictures_are_current() {
    let mut wrong = Vec::new();
    for (name, title) in PICTURES {
        let scene = scenes().into_iter().find(|s| s.name == name).unwrap();
        let buffer = (scene.make)((110, 32)).draw(Palette::Dark, Charset::Utf8);
        let file = format!("screenshots/{}.svg", name.replace('.', "-").replace("-full", ""));
        wrong.extend(golden::hold(&file, &svg::render(&buffer, title)));
    }
    assert!(wrong.is_empty(), "{}\nUPDATE=1 writes the pictures anew", wrong.join("\n"));
}
