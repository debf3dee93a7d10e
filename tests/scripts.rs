//! The application, driven by keys: scripts of what an engineer presses, and what must follow.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod tui;

use pitstop::app::overlay::Overlay;
use pitstop::app::{Copy, Effect, JobEvent, JobId, Msg, Screen, Slot};
use pitstop::domain::Position;
use pitstop::domain::op::OpKind;
use pitstop::keys::Key;
use proptest::prelude::*;
use tui::fake::{DELETE, Fake, outcome, readings};
use tui::{Driver, all_keys};

const SIZE: (u16, u16) = (80, 24);
const BEFORE_DELETE: Position = Position { secs: DELETE, inc: 1 };

fn restoring() -> (Driver, JobId) {
    let mut d = Driver::ready(SIZE);
    d.press("Enter ] s Enter r Enter Right Enter");
    let job = d
        .done
        .iter()
        .find_map(|e| match e {
            Effect::Restore { job, .. } => Some(*job),
            _ => None,
        })
        .expect("a restore was asked for");
    (d, job)
}

#[test]
fn the_main_job_by_keys() {
    let mut d = Driver::ready(SIZE);
    assert_eq!(d.model.screen(), Screen::Snapshots);
    d.press("Enter");
    assert_eq!(d.model.screen(), Screen::Timeline);
    d.press("/ 'op:delete ns:shop.orders' Enter");
    let op = d.model.timeline.selected().unwrap();
    assert_eq!((op.kind, op.pos), (OpKind::Delete, BEFORE_DELETE));
    d.press("s");
    let facts = d.model.choice.facts.ready().unwrap();
    assert_eq!(facts.stop.first_left_out.as_ref().unwrap().pos, BEFORE_DELETE);
    assert!(facts.stop.last_applied.as_ref().unwrap().pos < BEFORE_DELETE);
    assert_eq!(d.model.base().unwrap().unwrap().id, "2026-10-14T12-00-00Z");
    d.press("Enter");
    assert_eq!(d.model.screen(), Screen::Preview);
    assert_eq!(d.model.preview.namespaces().len(), 4);
    d.press("r");
    assert_eq!(d.model.screen(), Screen::Plan);
    d.press("Enter");
    assert!(matches!(d.model.overlays.last(), Some(Overlay::Confirm(c)) if !c.on_yes));
    assert!(d.done.is_empty(), "nothing is written before the Yes");
    d.press("y Enter");
    let [Effect::Restore { job, request }] = d.done.as_slice() else { panic!("{:?}", d.done) };
    assert_eq!((request.bound, request.target.as_str()), (BEFORE_DELETE, "isolated"));
    let job = *job;
    for reading in readings() {
        d.wait(700);
        d.send(Msg::Job(job, JobEvent::Progress(reading)));
    }
    assert!(d.text().contains("1,200 of 3,126"), "{}", d.text());
    assert!(d.text().contains("left"), "{}", d.text());
    d.send(Msg::Job(job, JobEvent::Ended(Ok(pitstop::app::Answer::Restored(Box::new(outcome(true)))))));
    assert!(d.text().contains("Verified and complete"), "{}", d.text());
    d.done.clear();
    d.press("y Enter");
    assert_eq!(d.done, [Effect::Copy(Copy::Connection)]);
}

#[test]
fn enter_alone_never_confirms() {
    let mut d = Driver::ready(SIZE);
    d.press("Enter ] s Enter r Enter Enter Enter Enter");
    assert!(d.done.is_empty(), "{:?}", d.done);
}

#[test]
fn a_restore_is_cancelled_behind_a_question_only() {
    let (mut d, job) = restoring();
    d.done.clear();
    d.press("x Enter");
    assert!(d.done.is_empty(), "No is preselected");
    d.press("x y Enter");
    assert_eq!(d.done, [Effect::CancelRestore]);
    d.press("x");
    assert!(d.model.overlays.is_empty(), "it is asked once");
    let stopped = pitstop::domain::Error::interrupted("restoring").err();
    d.send(Msg::Job(job, JobEvent::Ended(stopped)));
    assert!(!d.model.is_restoring());
}

#[test]
fn leaving_asks_only_while_something_runs() {
    let mut d = Driver::ready(SIZE);
    d.press("q");
    assert_eq!(d.done, [Effect::Quit]);
    let (mut d, _) = restoring();
    d.done.clear();
    d.press("q");
    assert!(d.done.is_empty());
    d.press("y Enter");
    assert_eq!(d.done, [Effect::Quit]);
}

#[test]
fn esc_goes_back_one_level_and_never_leaves() {
    let mut d = Driver::ready(SIZE);
    d.press("Enter ] s d");
    assert_eq!(d.model.screen(), Screen::Preview);
    d.press("Esc");
    assert_eq!(d.model.screen(), Screen::Timeline);
    d.press("? Esc");
    assert_eq!(d.model.screen(), Screen::Timeline);
    d.press("Esc Esc Esc Esc");
    assert_eq!(d.model.screen(), Screen::Snapshots);
    assert!(d.done.is_empty());
}

#[test]
fn ctrl_c_stops_what_is_awaited_and_twice_leaves() {
    let mut d = Driver::ready(SIZE);
    d.press("Enter ] s");
    d.answers = false;
    d.press("d Ctrl-c");
    assert_eq!(d.done, [Effect::Cancel(Slot::Diff)]);
    d.press("Ctrl-c");
    assert_eq!(d.done.last(), Some(&Effect::Quit));
    let mut d = Driver::ready(SIZE);
    d.press("Ctrl-c").wait(5000).press("Ctrl-c");
    assert!(d.done.is_empty());
}

/// Keys pressed while the cursor is on its way are meant for where it arrives.
#[test]
fn keys_pressed_ahead_wait_for_the_cursor() {
    let mut d = Driver::ready(SIZE);
    d.press("Enter");
    d.answers = false;
    d.press("] s");
    assert_eq!(d.model.choice.stop, None, "not the op that the cursor is still on");
    d.press("> <");
    d.answer_all();
    assert_eq!(d.model.choice.stop, Some(BEFORE_DELETE));
    assert!(d.model.held.is_empty());
    d.answers = false;
    d.press("Esc / 'op:command' Enter s j Esc");
    assert_eq!(d.done.last(), Some(&Effect::Cancel(Slot::Search)));
    d.answer_all();
    assert_eq!(d.model.choice.stop, Some(BEFORE_DELETE), "Esc has ended the waiting");
    assert!(d.model.held.is_empty());
}

#[test]
fn the_stop_moves_by_one_op_and_names_its_neighbours() {
    let mut d = Driver::ready(SIZE);
    d.press("Enter ] s");
    let stop = |d: &Driver| d.model.choice.stop.unwrap();
    assert_eq!(stop(&d), BEFORE_DELETE);
    d.press(">");
    assert_eq!(stop(&d), Position::new(DELETE, 2));
    d.press("< <");
    assert!(stop(&d) < BEFORE_DELETE);
    let facts = d.model.choice.facts.ready().unwrap();
    assert_eq!(facts.stop.first_left_out.as_ref().unwrap().pos, stop(&d));
}

#[test]
fn a_stop_nobody_can_restore_is_refused_with_its_reason() {
    let mut d = Driver::ready(SIZE);
    // 06:00, behind the gap and before the second snapshot.
    d.press("Enter t '06:30' Enter s");
    assert!(d.text().contains("gap before it"), "{}", d.text());
    d.press("Enter");
    assert_eq!(d.model.screen(), Screen::Timeline, "no preview of a state that cannot be given");
    d.press("r");
    assert!(d.model.status.as_ref().unwrap().text.contains("gap"), "{:?}", d.model.status);
    assert!(d.waiting.is_empty() && d.done.is_empty());
}

#[test]
fn filter_narrows_and_keeps_the_place() {
    let mut d = Driver::ready(SIZE);
    d.press("Enter ] f 'op:delete' Enter");
    let all = d.fake.ops.iter().filter(|op| op.kind == OpKind::Delete).count() as u64;
    assert_eq!(d.model.timeline.len(), all);
    assert_eq!(d.model.timeline.selected().unwrap().pos, BEFORE_DELETE);
    d.press("F");
    assert_eq!(d.model.timeline.len(), d.fake.ops.len() as u64);
    assert_eq!(d.model.timeline.selected().unwrap().pos, BEFORE_DELETE);
    d.press("f 'op:nonsense' Enter");
    assert!(matches!(d.model.overlays.last(), Some(Overlay::Prompt(p)) if p.problem.is_some()));
}

#[test]
fn a_filter_without_ops_says_so() {
    let mut d = Driver::ready(SIZE);
    d.press("Enter f 'ns:nobody.*' Enter");
    assert!(d.text().contains("no op matches the filter ns:nobody.*"), "{}", d.text());
    d.press("j k G s Enter d");
    assert_eq!(d.model.choice.stop, None);
}

#[test]
fn search_goes_both_ways_and_round() {
    let mut d = Driver::ready(SIZE);
    d.press("Enter / 'op:command' Enter");
    assert_eq!(d.model.timeline.selected().unwrap().kind, OpKind::Command);
    let at = d.model.timeline.at;
    d.press("n N");
    assert_eq!(d.model.timeline.at, at, "there is one only");
    d.press("/ Ctrl-u 'ns:nobody.*' Enter");
    assert!(d.text().contains("no op matches"), "{}", d.text());
}

#[test]
fn an_old_answer_is_dropped() {
    let mut d = Driver::waiting(SIZE);
    let (old, work) = d.waiting.pop_front().unwrap();
    d.send(Msg::Job(old, JobEvent::Ended(pitstop::domain::Error::failed("opening", "x", "y").err())));
    d.press("R");
    assert!(d.model.opened.is_loading());
    let answer = d.fake.answer(&work);
    d.send(Msg::Job(old, JobEvent::Ended(answer)));
    assert!(d.model.opened.is_loading(), "it was an answer to the first question");
    d.answer_all();
    assert!(d.model.opened.ready().is_some());
}

#[test]
fn what_fails_is_kept_and_can_be_tried_again() {
    let mut d = Driver::waiting(SIZE);
    d.fake.fails = vec!["Suspects", "Diff"];
    d.answer_all();
    d.press("3");
    assert!(d.text().contains("did not work"), "{}", d.text());
    assert_eq!(d.model.mishaps.len(), 1);
    d.fake.fails.clear();
    d.press("R");
    assert!(d.text().contains("1,906"), "{}", d.text());
    d.press("!");
    assert!(d.text().contains("hint: copy the file again"), "{}", d.text());
    d.press("y");
    assert!(matches!(d.done.last(), Some(Effect::Copy(Copy::Text(text))) if text.contains("4711")));
}

#[test]
fn without_oplog_nothing_can_be_chosen_and_it_says_why() {
    let mut d = Driver::waiting(SIZE);
    d.fake = Fake::nothing();
    d.answer_all();
    d.press("Enter s d r n ] } + - h l G");
    assert!(d.text().contains("no oplog"), "{}", d.text());
    assert!(d.done.is_empty());
}

#[test]
fn jumps_to_times_and_edges() {
    let mut d = Driver::ready(SIZE);
    d.press("Enter t '14:41:07' Enter");
    assert_eq!(d.model.timeline.at, BEFORE_DELETE);
    d.press("t '-2h' Enter");
    assert!(d.model.timeline.at.time().contains("T12:41:"));
    d.press("t 'end' Enter");
    assert_eq!(Some(d.model.timeline.at), d.fake.opened.last);
    d.press("g g }");
    assert_eq!(d.model.timeline.at.time().get(11..13), Some("02"), "the first snapshot");
    d.press("}");
    assert_eq!(d.model.timeline.at, d.fake.opened.gaps[0].after);
    d.press("}");
    assert_eq!(d.model.timeline.at, d.fake.opened.gaps[0].before);
}

#[test]
fn bars_are_walked_and_zoomed_down_to_single_ops() {
    let mut d = Driver::ready(SIZE);
    d.press("Enter ]");
    for _ in 0..30 {
        d.press("+");
    }
    let axis = d.model.timeline.axis.unwrap();
    assert_eq!(axis.step_text(), "1 op");
    d.press("l");
    assert_eq!(d.model.timeline.at, Position::new(DELETE, 2));
    d.press("h");
    assert_eq!(d.model.timeline.at, BEFORE_DELETE);
    d.press("0");
    assert_ne!(d.model.timeline.axis.unwrap(), axis);
}

#[test]
fn the_palette_finds_and_does() {
    let mut d = Driver::ready(SIZE);
    d.press(": 'suspects' Enter");
    assert_eq!(d.model.screen(), Screen::Suspects);
    d.press("Ctrl-p 'zzzzqq' Enter");
    assert_eq!(d.model.screen(), Screen::Suspects);
    d.press("Enter");
    assert_eq!((d.model.screen(), d.model.timeline.at), (Screen::Timeline, BEFORE_DELETE));
}

#[test]
fn the_list_holds_a_window_only() {
    let mut d = Driver::ready(SIZE);
    d.press("Enter G");
    let page = d.model.timeline.page.as_ref().unwrap();
    assert!(page.ops.len() < 200, "{}", page.ops.len());
    assert_eq!(d.model.timeline.selected().unwrap().pos, d.fake.ops.last().unwrap().pos);
}

#[test]
fn a_document_is_read_and_copied() {
    let mut d = Driver::ready(SIZE);
    d.press("Enter ] s d j j j Tab Enter");
    assert!(d.text().contains("price"), "{}", d.text());
    d.press("y");
    assert!(matches!(d.done.last(), Some(Effect::Copy(Copy::Text(t))) if t.contains("changes-back")));
    d.press("q");
    assert!(d.model.overlays.is_empty() && !d.done.contains(&Effect::Quit), "q closes what is read");
}

#[derive(Debug, Clone)]
enum Step {
    Key(Key),
    Answer,
    Resize(u16, u16),
    Wait(u64),
    Paste(String),
    Click(u16, u16),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let one = prop_oneof![
        12 => proptest::sample::select(all_keys()).prop_map(Step::Key),
        4 => Just(Step::Answer),
        1 => (0u16..400, 0u16..120).prop_map(|(w, h)| Step::Resize(w, h)),
        1 => (0u64..3000).prop_map(Step::Wait),
        1 => ".{0,12}".prop_map(Step::Paste),
        2 => (0u16..160, 0u16..50).prop_map(|(x, y)| Step::Click(x, y)),
    ];
    proptest::collection::vec(one, 1..120)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    /// Whatever is pressed: no panic at any size, and nothing is written that was not asked for
    /// and answered with a highlighted Yes.
    #[test]
    fn a_storm_of_keys_writes_nothing_unasked(steps in steps()) {
        let mut d = Driver::ready((80, 24));
        for step in steps {
            let on_yes = matches!(d.model.overlays.last(), Some(Overlay::Confirm(c)) if c.on_yes);
            let before = d.done.len();
            let accepts = matches!(&step, Step::Key(key) if key.to_string() == "Enter");
            match step {
                Step::Key(key) => d.send(Msg::Key(key)),
                Step::Answer => d.answer_all(),
                Step::Resize(w, h) => d.send(Msg::Resize(w, h)),
                Step::Wait(ms) => { d.wait(ms); }
                Step::Paste(text) => d.send(Msg::Paste(text)),
                Step::Click(x, y) => {
                    let (w, h) = d.model.size;
                    let mut buffer = ratatui::buffer::Buffer::empty(ratatui::layout::Rect::new(0, 0, w, h));
                    let theme = pitstop::ui::Theme { palette: pitstop::ui::Palette::Dark };
                    let hits = pitstop::ui::draw(&d.model, &theme, pitstop::ui::Charset::Utf8, &mut buffer);
                    if let Some(hit) = hits.at(x, y) {
                        d.send(Msg::Click(hit));
                    }
                }
            }
            let wrote = d.done.iter().skip(before).any(Effect::writes);
            prop_assert!(!wrote || (on_yes && accepts));
            d.draw(pitstop::ui::Palette::Ansi, pitstop::ui::Charset::Utf8);
        }
    }
}

/// A live source grows by one op while somebody looks at the timeline.
#[test]
fn a_live_source_grows_under_a_cursor_that_stays_and_its_loss_is_said() {
    use pitstop::app::live::LiveNews;
    let mut d = Driver::ready((100, 30));
    d.press("Enter Ctrl-d s Esc");
    let (cursor, stop) = (d.model.timeline.at, d.model.choice.stop);
    let last = d.model.opened.value().unwrap().last.unwrap();
    let newer = pitstop::domain::Position::new(last.secs + 600, 1);
    let mut op = d.fake.ops[0].clone();
    (op.pos, op.time) = (newer, newer.time());
    d.fake.ops.push(op);
    d.fake.opened.last = Some(newer);
    d.fake.opened.entries += 1;
    let before = d.model.timeline.len();
    assert!(!d.text().contains("LIVE"));

    d.send(Msg::Live(LiveNews::Here(newer)));
    assert!(d.text().contains(&format!("LIVE {}", &newer.time()[11..19])), "{}", d.text());
    assert_eq!(d.model.timeline.len(), before, "not more often than every two seconds");
    let later = |d: &mut Driver, ms: u64| {
        let now = d.model.now + ms;
        let utc = d.model.utc;
        d.send(Msg::Now { ms: now, utc });
    };
    assert!(d.model.next_change().unwrap() <= 2_000);
    later(&mut d, 2_001);
    d.answer_all();
    assert_eq!(d.model.timeline.len(), before + 1);
    assert_eq!((d.model.timeline.at, d.model.choice.stop), (cursor, stop), "nothing has moved");
    assert!(d.model.timeline.axis.unwrap().bar_of(newer).is_some(), "the axis shows the new end");
    d.press("G");
    assert_eq!(d.model.timeline.selected().unwrap().pos, newer);
    // Nothing is asked for while nothing comes.
    later(&mut d, 60_000);
    assert!(d.waiting.is_empty() && !d.model.jobs.any());

    d.send(Msg::Live(LiveNews::Lost("connection refused".into())));
    let text = d.text();
    assert!(text.contains("SOURCE LOST") && text.contains("connection refused"), "{text}");
    d.send(Msg::Live(LiveNews::Back));
    assert!(d.text().contains("LIVE") && !d.text().contains("LOST"), "{}", d.text());
    let error = pitstop::domain::Error::inexact("following the oplog of", "h", "it has another entry");
    d.send(Msg::Live(LiveNews::Ended(Box::new(error))));
    assert!(d.text().contains("NOT FOLLOWED") && d.text().contains("another entry"), "{}", d.text());
}

/// What has come waits while somebody answers a question, and a growth that fails leaves what is there.
#[test]
fn growth_waits_for_a_question_and_its_failure_takes_nothing_away() {
    use pitstop::app::live::LiveNews;
    let mut d = Driver::ready((100, 30));
    d.press("Enter s r Enter");
    let newer = pitstop::domain::Position::new(d.model.opened.value().unwrap().last.unwrap().secs + 600, 1);
    d.fake.fails = vec!["Grow"];
    d.send(Msg::Live(LiveNews::Here(newer)));
    let (ms, utc) = (d.model.now + 10_000, d.model.utc);
    d.send(Msg::Now { ms, utc });
    assert!(d.waiting.is_empty() && !d.model.jobs.any(), "a question is open");
    d.press("Esc");
    d.answer_all();
    assert!(d.text().contains("cut off (Grow)"), "{}", d.text());
    assert!(d.model.opened.ready().is_some() && d.model.timeline.index.ready().is_some());
}
