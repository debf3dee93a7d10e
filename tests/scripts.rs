//! The application, driven by keys: scripts of what an engineer presses, and what must follow.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod tui;

use pitstop::app::data::Counted;
use pitstop::app::overlay::Overlay;
use pitstop::app::{Copy, Effect, Export, JobEvent, JobId, Loadable, Msg, Screen, Slot, Work};
use pitstop::domain::Position;
use pitstop::domain::op::OpKind;
use pitstop::keys::Key;
use pitstop::ui::{Charset, Palette};
use proptest::prelude::*;
use tui::fake::{DAY, DELETE, Fake, outcome, readings};
use tui::{Driver, all_keys, golden};

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
    assert!(matches!(d.model.overlays.last(), Some(Overlay::Confirm(c)) if c.then().is_none()));
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
fn a_place_that_is_not_ours_is_written_to_when_its_name_is_typed() {
    let mut d = Driver::ready(SIZE);
    d.press("Enter ] s r T 'recovered' Enter");
    assert!(matches!(d.model.overlays.last(), Some(Overlay::Prompt(p)) if p.problem.is_some()));
    d.press("Ctrl-u '/mnt/recovered/' Enter Enter");
    assert!(d.text().contains("type recovered to allow it"), "{}", d.text());
    d.press("Right Enter");
    assert!(d.done.is_empty() && !d.model.overlays.is_empty(), "a Yes alone is not enough");
    d.press("'yes' Enter");
    assert!(d.done.is_empty());
    d.press("Ctrl-u 'recovered' Left Enter");
    assert!(d.done.is_empty() && d.model.overlays.is_empty(), "a No is a No");
    d.press("Enter 'recovered' Right Enter");
    let [Effect::Restore { request, .. }] = d.done.as_slice() else { panic!("{:?}", d.done) };
    assert_eq!(request.target, "dump:/mnt/recovered");
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
}

/// The three answers, each by its keys; nothing is ended or left without its own.
#[test]
fn leaving_while_a_restore_runs_has_three_answers() {
    let asked = || {
        let (mut d, job) = restoring();
        d.send(Msg::Job(job, JobEvent::Progress(readings()[0])));
        d.press("2");
        d.done.clear();
        d.press("q");
        assert!(d.done.is_empty() && d.text().contains("[ Yes, leave it running ]"), "{}", d.text());
        (d, job)
    };
    // To leave it running is what q asks for: it is preselected, and y says the same.
    for keys in ["Enter", "y Enter", "n y Enter", "Left Right Enter", "Tab Tab Tab Enter", "h h h Enter"] {
        let (mut d, _) = asked();
        d.press(keys);
        assert_eq!(d.done, [Effect::Quit], "{keys}");
    }
    // To wait goes on looking at it.
    for keys in ["n Enter", "Left Enter", "Shift-Tab Enter", "Right Right Enter"] {
        let (mut d, job) = asked();
        d.press(keys);
        assert!(d.done.is_empty() && d.model.overlays.is_empty(), "{keys}");
        assert_eq!(d.model.screen(), Screen::Restore, "{keys}");
        d.send(Msg::Job(job, JobEvent::Ended(Ok(pitstop::app::Answer::Restored(Box::new(outcome(true)))))));
        assert!(d.text().contains("Verified and complete"), "{}", d.text());
    }
    // Esc takes the question back, and nothing else.
    let (mut d, _) = asked();
    d.press("Right Esc");
    assert!(d.done.is_empty() && d.model.overlays.is_empty() && d.model.screen() == Screen::Timeline);
    // To cancel asks once more, says what is left, and has its No preselected.
    for keys in ["Right Enter", "l Enter", "n Left Enter"] {
        let (mut d, _) = asked();
        d.press(keys);
        assert!(d.done.is_empty(), "{keys}");
        assert!(d.text().contains("What it has written so far is removed."), "{}", d.text());
        d.press("Enter");
        assert!(d.done.is_empty() && d.model.overlays.is_empty() && d.model.is_restoring(), "{keys}");
        d.press("q").press(keys).press("y Enter");
        assert_eq!(d.done, [Effect::CancelRestore], "{keys}");
        // It is asked to stop once: then there are two answers.
        d.press("q");
        assert!(
            !d.text().contains("Cancel it") && d.text().contains("asked to stop already"),
            "{}",
            d.text()
        );
        d.press("Left Enter");
        assert_eq!(d.done, [Effect::CancelRestore], "{keys}");
        d.press("q Enter");
        assert_eq!(d.done, [Effect::CancelRestore, Effect::Quit], "{keys}");
    }
}

/// Before its first word a restore may not be a process of its own yet.
#[test]
fn a_restore_that_may_not_have_begun_is_not_left_by_enter_alone() {
    let (mut d, _) = restoring();
    d.done.clear();
    d.press("q");
    assert!(d.text().contains("may never begin") && d.text().contains("[ No, wait ]"), "{}", d.text());
    d.press("Enter");
    assert!(d.done.is_empty() && d.model.overlays.is_empty());
    d.press("q y Enter");
    assert_eq!(d.done, [Effect::Quit]);
}

#[test]
fn the_answers_to_leaving_can_be_clicked_at() {
    for (label, done) in [("No, wait", vec![]), ("Yes, leave it running", vec![Effect::Quit])] {
        let (mut d, _) = restoring();
        d.done.clear();
        d.press("q");
        click(&mut d, label);
        assert!(d.done.is_empty() && d.text().contains(&format!("[ {label} ]")), "{}", d.text());
        d.press("Enter");
        assert_eq!(d.done, done, "{label}");
    }
    let (mut d, _) = restoring();
    d.done.clear();
    d.press("q");
    click(&mut d, "Cancel it");
    d.press("Enter");
    click(&mut d, "Yes, cancel it");
    assert!(d.done.is_empty(), "{:?}", d.done);
    d.press("Enter");
    assert_eq!(d.done, [Effect::CancelRestore]);
}

/// A question about a restore that runs goes when the restore has ended: it would say what is no
/// longer so.
#[test]
fn a_question_about_a_restore_ends_with_it() {
    for keys in ["q", "q Right Enter", "5 x"] {
        let (mut d, job) = restoring();
        d.send(Msg::Job(job, JobEvent::Progress(readings()[0])));
        d.done.clear();
        d.press("2").press(keys);
        assert_eq!(d.model.overlays.len(), 1, "{keys}");
        d.send(Msg::Job(job, JobEvent::Ended(Ok(pitstop::app::Answer::Restored(Box::new(outcome(true)))))));
        assert!(d.model.overlays.is_empty() && d.done.is_empty(), "{keys}");
        d.press("q");
        assert_eq!(d.done, [Effect::Quit], "{keys}");
    }
}

fn click(d: &mut Driver, text: &str) {
    let all = d.text();
    let (y, x) = all
        .lines()
        .enumerate()
        .find_map(|(y, line)| line.find(text).map(|at| (y, line[..at].chars().count())))
        .unwrap_or_else(|| panic!("{text} is not on the screen:\n{all}"));
    let (w, h) = d.model.size;
    let mut buffer = ratatui::buffer::Buffer::empty(ratatui::layout::Rect::new(0, 0, w, h));
    let theme = pitstop::ui::Theme { palette: pitstop::ui::Palette::Dark };
    let hits = pitstop::ui::draw(&d.model, &theme, pitstop::ui::Charset::Utf8, &mut buffer);
    let hit = hits.at(x as u16, y as u16).expect("it can be clicked");
    d.send(Msg::Click(hit));
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

/// A search may take long: it gives way to every key that is not about what it finds.
#[test]
fn a_search_gives_way_to_the_next_key() {
    let mut d = Driver::ready(SIZE);
    d.press("Enter");
    let first = d.model.timeline.list.cursor;
    d.answers = false;
    let searches = |d: &Driver| d.model.jobs.get(Slot::Search).is_some();

    // The cursor moves at once, and what is found afterwards does not move it.
    d.press("/ 'op:command' Enter");
    let (job, work) = d.waiting.iter().find(|(job, _)| job.slot == Slot::Search).cloned().unwrap();
    d.press("j");
    assert_eq!(d.model.timeline.list.cursor, first + 1);
    assert!(!searches(&d) && d.done == [Effect::Cancel(Slot::Search)], "{:?}", d.done);
    assert!(d.text().contains("the search was stopped"), "{}", d.text());
    let late = d.fake.answer(&work);
    d.send(Msg::Job(job, JobEvent::Ended(late)));
    assert_eq!(d.model.timeline.list.cursor, first + 1);

    // A key of two parts moves with its second; one that means nothing stops nothing.
    d.press("n Ctrl-t g");
    assert!(searches(&d));
    d.press("g");
    assert!(!searches(&d) && d.model.timeline.list.cursor == 0);

    // A new query takes the place of the old one.
    d.press("n / Ctrl-u 'op:delete' Enter");
    assert!(searches(&d) && d.model.timeline.search.as_deref() == Some("op:delete"));
    let asked = d.waiting.iter().filter(|(job, _)| job.slot == Slot::Search).count();
    assert_eq!(asked, 1);
    d.answer_all();
    assert_eq!(d.model.timeline.selected().unwrap().kind, OpKind::Delete);
    let found = d.model.timeline.list.cursor;

    // Esc stops it, and nothing else.
    d.answers = false;
    d.press("n Esc");
    assert!(!searches(&d) && d.model.screen() == Screen::Timeline);
    d.press("k");
    assert_eq!(d.model.timeline.list.cursor, found - 1);

    // So do a click and the wheel.
    d.press("n");
    d.send(Msg::Wheel(1));
    assert!(!searches(&d) && d.model.timeline.list.cursor == found);

    // What is about the op waits for the one that is found, and what comes behind it too.
    d.press("/ Ctrl-u 'op:command' Enter s d");
    assert!(searches(&d) && d.model.choice.stop.is_none() && d.model.screen() == Screen::Timeline);
    d.answer_all();
    let stop = d.model.choice.stop.unwrap();
    let at = d.fake.ops.iter().find(|op| op.pos == stop).unwrap();
    assert_eq!((at.kind, d.model.screen()), (OpKind::Command, Screen::Preview));
}

/// Bursts are folded when damage has been looked for. Nobody waits for that: one goes on, and is
/// where one was when it is done.
#[test]
fn bursts_that_fold_by_themselves_make_no_key_wait() {
    let at = |d: &Driver| d.model.timeline.selected().unwrap().pos;
    for keys in ["j j j", "G", "G k k", "/ 'op:command' Enter", "j s Esc k"] {
        let mut d = Driver::waiting(SIZE);
        d.holds = vec![Slot::Fold];
        d.answer_all();
        d.press("Enter").press(keys);
        let there = at(&d);
        assert!(there > d.fake.ops[0].pos || keys.ends_with('k'), "{keys} moved at once");
        assert!(d.model.held.is_empty() && !d.model.timeline.view.folded, "{keys}");
        d.holds.clear();
        d.answer_all();
        assert!(d.model.timeline.view.folded && !d.model.jobs.any(), "{keys}");
        assert_eq!(at(&d), there, "{keys}");
    }
    // A filter takes its place, and is folded itself.
    let mut d = Driver::waiting(SIZE);
    d.holds = vec![Slot::Fold];
    d.answer_all();
    d.press("Enter f 'op:delete' Enter");
    assert!(d.done.contains(&Effect::Cancel(Slot::Fold)));
    assert_eq!((d.model.timeline.filter(), d.model.timeline.view.folded), (Some("op:delete"), false));
    d.holds.clear();
    d.answer_all();
    assert_eq!((d.model.timeline.filter(), d.model.timeline.view.folded), (Some("op:delete"), true));
    // What somebody asked for is waited for.
    d.holds = vec![Slot::Fold];
    d.press("o j");
    assert_eq!(d.model.held.len(), 1);
}

/// There is nothing to wait for any more when reading has failed.
#[test]
fn a_search_ends_with_the_reading_it_waits_for() {
    let mut d = Driver::reading((100, 30));
    d.reads(2000);
    d.press("Enter / 'ns:nobody.*' Enter");
    assert!(d.model.jobs.get(Slot::Search).is_some());
    let error = pitstop::domain::Error::failed("reading", "the oplog", "it is gone").err();
    d.send(Msg::Job(d.index.unwrap(), JobEvent::Ended(error)));
    assert!(d.model.jobs.get(Slot::Search).is_none());
    assert!(d.done.contains(&Effect::Cancel(Slot::Search)));
}

/// That something cannot be told exactly is an answer, and no error.
#[test]
fn what_cannot_be_told_exactly_did_not_go_wrong() {
    use pitstop::domain::Error;
    let inexact = Error::inexact("rebuilding the document", "1791943247:1", "the snapshot was being taken");
    let failed = Error::failed("rebuilding the document", "1791943247:1", "the disk is gone");
    for (error, wrong) in [(inexact, 0), (failed, 1)] {
        let mut d = Driver::ready(SIZE);
        d.press("Enter ] k k");
        d.answers = false;
        d.press("Enter");
        let (job, _) = d.waiting.iter().find(|(job, _)| job.slot == Slot::Change).cloned().unwrap();
        let cause = error.cause.clone();
        d.send(Msg::Job(job, JobEvent::Ended(error.err())));
        assert!(d.text().contains(&cause), "it is said where it was asked for: {}", d.text());
        assert_eq!(d.model.mishaps.len(), wrong, "{cause}");
        assert_eq!(d.model.status.is_some(), wrong > 0);
    }
}

/// All of nothing is no hundred percent.
#[test]
fn a_collection_that_went_without_a_document_is_said_to_have_had_none() {
    let mut d = Driver::waiting(SIZE);
    d.fake.drop_of_nothing();
    d.answer_all();
    d.press("Enter ] ]");
    let text = d.text();
    assert!(text.contains("collection dropped in shop.drafts, no document known of"), "{text}");
    d.press("3");
    let text = d.text();
    let line = text.lines().find(|line| line.contains("shop.drafts")).unwrap();
    assert!(!line.contains('%'), "{line}");
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
    assert_eq!(d.model.timeline.ops, all);
    assert_eq!(d.model.timeline.selected().unwrap().pos, BEFORE_DELETE);
    d.press("F");
    assert_eq!(d.model.timeline.ops, d.fake.ops.len() as u64);
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
fn bursts_are_one_row_until_they_are_opened() {
    let mut d = Driver::ready(SIZE);
    let deletes =
        d.fake.ops.iter().filter(|op| op.pos >= BEFORE_DELETE && op.pos.secs <= DELETE + 1).count() as u64;
    let folded = d.model.timeline.rows;
    assert!(folded < d.fake.ops.len() as u64 - deletes + 10, "{folded}");
    d.press("Enter ]");
    assert!(d.text().contains("1,906 deletes  shop.orders"), "{}", d.text());
    d.press("Enter");
    assert_eq!(d.model.timeline.rows, folded + deletes);
    d.press("j j");
    assert_eq!(d.model.timeline.selected().unwrap().pos, Position::new(DELETE, 2));
    // From inside it is folded again, and the cursor is on its heading.
    d.press("Space");
    assert_eq!(d.model.timeline.rows, folded);
    assert!(d.model.timeline.here().unwrap().burst().is_some());
    d.press("o");
    assert_eq!((d.model.timeline.rows, d.model.timeline.at), (d.fake.ops.len() as u64, BEFORE_DELETE));
    d.press("o Space");
    assert_eq!(d.model.timeline.rows, folded + deletes);
}

#[test]
fn a_place_inside_a_burst_opens_it_and_its_first_op_does_not() {
    let mut d = Driver::ready(SIZE);
    d.press("Enter t '1791988867:1' Enter");
    assert!(d.model.timeline.here().unwrap().burst().is_some_and(|folded| !folded.open));
    d.press("t '1791988867:500' Enter");
    assert_eq!(d.model.timeline.selected().unwrap().pos, Position::new(DELETE, 500));
    assert!(d.model.timeline.here().unwrap().burst().is_none());
}

#[test]
fn the_stop_stands_before_or_after_a_whole_burst() {
    let mut d = Driver::ready(SIZE);
    let last = d.fake.bursts[0].last;
    d.press("Enter ] S");
    assert_eq!(d.model.choice.stop, Some(last.next()));
    d.press("[");
    assert_eq!(d.model.choice.stop, Some(BEFORE_DELETE));
    d.press("]");
    assert_eq!(d.model.choice.stop, Some(last.next()));
    d.press("] ");
    assert_eq!(d.model.choice.stop, Some(d.fake.bursts[1].first));
    d.press("t 'after 14:41:07' Enter");
    assert_eq!(d.model.choice.stop, Some(Position::new(DELETE + 1, 0)), "a time is its whole second");
    d.press("t '14:41:07' Enter");
    assert_eq!(d.model.choice.stop, Some(Position::new(DELETE, 0)));
    d.press("t 'soon' Enter");
    assert!(matches!(d.model.overlays.last(), Some(Overlay::Prompt(p)) if p.problem.is_some()));
}

#[test]
fn what_follows_the_stop_is_told_apart() {
    let mut d = Driver::ready((100, 40));
    d.press("Enter ] s");
    let behind = d.fake.ops.iter().filter(|op| op.pos >= BEFORE_DELETE).count();
    let good = behind - 1906;
    let text = d.text().replace(',', "");
    assert!(text.contains(&format!("{behind} ops")) && text.contains("1906 of them the incident"), "{text}");
    assert!(text.contains(&format!("{good} good writes")), "{text}");
    assert!(text.contains("--oplogLimit 1791988867:1"), "{text}");
}

#[test]
fn a_stop_that_is_not_possible_has_a_nearest_one() {
    let mut d = Driver::ready(SIZE);
    d.press("Enter t '11:59:00' Enter s");
    d.press("Esc 1 G Enter t '11:00:00' Enter s");
    assert!(d.text().contains("the nearest valid stop"), "{}", d.text());
    d.press("n");
    let valid = d.fake.opened.bases[1].valid.unwrap();
    assert_eq!(d.model.choice.stop, Some(valid.first));
    assert!(matches!(d.model.base(), Some(Ok(_))));
}

#[test]
fn a_stop_is_noted_once_it_is_left_alone_and_taken_up_again() {
    let mut d = Driver::ready(SIZE);
    d.press("Enter ] s");
    d.answers = false;
    d.press("Esc");
    let noted = |d: &Driver| d.waiting.iter().filter(|(_, w)| matches!(w, Work::Decide { .. })).count();
    assert_eq!(noted(&d), 1);
    d.answer_all();
    d.answers = false;
    d.press("j k");
    assert_eq!(noted(&d), 0, "it is noted once");
    let mut d = Driver::waiting(SIZE);
    d.fake.opened.chosen = Some((BEFORE_DELETE, None));
    d.answer_all();
    assert_eq!(d.model.choice.stop, Some(BEFORE_DELETE));
    assert!(d.model.choice.facts.ready().is_some(), "it is looked at again");
    assert!(d.model.overlays.is_empty() && noted(&d) == 0);
}

#[test]
fn an_op_shows_its_document_before_and_after() {
    let mut d = Driver::ready((80, 60));
    d.press("Enter ] k k Enter");
    let text = d.text();
    assert!(text.contains("-   49\n") || text.contains("-   49 "), "{text}");
    assert!(text.contains("+   49.0"), "the type of a number shows: {text}");
    d.press("y Down Down Enter");
    assert!(matches!(d.done.last(), Some(Effect::Copy(Copy::Text(t))) if t.contains("packed")));
    d.press("v");
    assert_eq!(d.model.screen(), Screen::History);
    assert!(d.model.overlays.is_empty());
    d.press("G");
    let version = d.model.history.selected().unwrap().clone();
    assert!(!version.there, "the document is gone");
    d.press("s");
    assert_eq!(d.model.choice.stop, Some(version.pos));
    d.press("Esc k Enter");
    assert_eq!(d.model.screen(), Screen::Timeline);
    assert_eq!(d.model.timeline.at.secs, tui::fake::DAY + 13 * 3600 + 14);
}

#[test]
fn local_time_stands_beside_utc() {
    let mut d = Driver::ready((100, 30));
    d.press("Enter ]");
    assert!(!d.text().contains("16:41:07"));
    d.press("u");
    let text = d.text();
    assert!(text.contains("14:41:07 16:41:07") && text.contains("14:52 UTC  16:52 +02:00"), "{text}");
    d.press("u");
    assert!(!d.text().contains("16:41:07"));
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
    assert!(page.lines.len() < 200, "{}", page.lines.len());
    assert_eq!(d.model.timeline.selected().unwrap().pos, d.fake.ops.last().unwrap().pos);
}

#[test]
fn a_document_is_read_and_copied() {
    let mut d = Driver::ready(SIZE);
    d.press("Enter ] s d j j j Tab j Enter");
    assert!(d.text().contains("price"), "{}", d.text());
    d.press("y");
    assert!(matches!(d.done.last(), Some(Effect::Copy(Copy::Text(t))) if t.contains("changes-back")));
    d.press("q");
    assert!(d.model.overlays.is_empty() && !d.done.contains(&Effect::Quit), "q closes what is read");
}

#[test]
fn marks_are_set_looked_at_and_restored_from() {
    let mut d = Driver::ready(SIZE);
    d.press("Enter ] m 'before the delete' Enter 'all orders are here' Enter");
    d.press("t '16:30' Enter m 'late' Enter Enter 6");
    let names: Vec<&str> = d.model.marks.list.iter().map(|m| m.name.as_str()).collect();
    assert_eq!(names, ["before the delete", "late"]);
    assert_eq!(d.model.marks.list[0].pos, BEFORE_DELETE);
    assert!(d.text().contains("all orders are here"), "{}", d.text());
    // Nothing is chosen: all marks and the end are shown.
    d.press("Enter");
    let bounds: Vec<Position> = d.model.states.all().iter().map(|s| s.stop.bound).collect();
    assert_eq!(bounds.len(), 3);
    assert_eq!((bounds[0], bounds[2]), (BEFORE_DELETE, d.fake.opened.last.unwrap().next()));
    d.press("i '42' Enter j j");
    assert!(d.text().contains("paid"), "{}", d.text());
    d.press("Right");
    assert!(d.text().contains("cancelled"), "{}", d.text());
    d.press("Left r");
    assert_eq!((d.model.screen(), d.model.choice.stop), (Screen::Plan, Some(BEFORE_DELETE)));
    assert!(d.done.is_empty());
    // Two are chosen: only they.
    d.press("6 g g j j Space j Space Enter");
    let bounds: Vec<Position> = d.model.states.all().iter().map(|s| s.stop.bound).collect();
    assert_eq!(bounds.len(), 2, "{bounds:?}");
    // A mark goes only behind a Yes.
    d.press("6 g g j x Enter");
    assert_eq!(d.model.marks.list.len(), 2);
    d.press("x y Enter");
    assert_eq!(d.model.marks.list.len(), 1);
}

#[test]
fn a_name_that_is_a_time_or_nothing_is_no_name() {
    let mut d = Driver::ready(SIZE);
    d.press("Enter");
    for name in ["", "end", "1791988867:1", "2026-10-14T14:41:07Z"] {
        d.press("m").press(&format!("'{name}' Enter"));
        let Some(Overlay::Prompt(prompt)) = d.model.overlays.last() else { panic!("{name:?} was taken") };
        assert!(prompt.problem.is_some());
        d.press("Esc");
    }
    assert!(d.fake.marks.borrow().is_empty());
}

#[test]
fn the_preview_narrows_finds_and_compares_with_a_mark() {
    let mut d = Driver::ready(SIZE);
    d.press("Enter ] t '16:30' Enter m 'late' Enter Enter ] ] s d");
    let rows = d.model.preview.rows();
    d.press("f 'is:comes-back' Enter");
    let documents = d.fake.answer(&pitstop::app::Work::Documents {
        of: d.model.preview.made_for.clone().unwrap(),
        ns: d.model.preview.selected().unwrap().ns.to_string(),
        filter: None,
        skip: 0,
    });
    let Ok(pitstop::app::Answer::Documents(documents)) = documents else { panic!() };
    assert_eq!(d.model.preview.rows(), documents.documents.len() as u64);
    d.press("f Ctrl-u 'is:nonsense' Enter");
    assert!(matches!(d.model.overlays.last(), Some(Overlay::Prompt(p)) if p.problem.is_some()));
    d.press("Esc F");
    assert!(d.model.preview.rows() >= rows);
    d.press("j Tab / '007005' Enter");
    assert!(d.model.preview.document().unwrap().id.to_string().contains("7005") || d.model.preview.on_side);
    d.press("a Ctrl-u 'late' Enter");
    let late = d.model.marks.list[0].pos;
    assert_eq!(d.model.preview.made_for.as_ref().unwrap().against, Some(late));
    assert!(d.text().contains("compared with late"), "{}", d.text());
    d.press("a Ctrl-u 'end' Enter");
    assert_eq!(d.model.preview.made_for.as_ref().unwrap().against, None);
}

/// Documents that arrive in parts are all there in the end, in order, and more come on demand.
#[test]
fn documents_arrive_in_parts_and_more_of_them_when_they_are_wanted() {
    let mut d = Driver::ready(SIZE);
    d.press("Enter ] s d j j j");
    let first = d.model.preview.shown().and_then(Loadable::value).unwrap().documents.len();
    assert_eq!(first, 40);
    d.answers = false;
    d.press("Tab G");
    let (job, work) = d.waiting.pop_front().expect("more are asked for");
    let Ok(pitstop::app::Answer::Documents(mut all)) = d.fake.answer(&work) else { panic!("{work:?}") };
    let rest = all.documents.split_off(10);
    assert_eq!(all.documents.len() + rest.len(), 30);
    let part = |documents| {
        pitstop::app::Answer::Documents(pitstop::app::data::Documents { documents, limited: false })
    };
    d.send(Msg::Job(job, JobEvent::Part(part(all.documents))));
    let shown = |d: &Driver| d.model.preview.shown().and_then(Loadable::value).unwrap().documents.len();
    assert_eq!((shown(&d), d.model.preview.shown().unwrap().is_loading()), (50, true));
    d.send(Msg::Job(job, JobEvent::Ended(Ok(part(rest)))));
    assert_eq!((shown(&d), d.model.preview.shown().unwrap().is_loading()), (70, false));
    let ids: Vec<String> = d
        .model
        .preview
        .shown()
        .and_then(Loadable::value)
        .unwrap()
        .documents
        .iter()
        .map(|d| d.id.to_string())
        .collect();
    let mut once = ids.clone();
    once.dedup();
    assert_eq!(ids, once);
    // What comes of an old question is dropped, though a new one waits for the same documents.
    d.press("f 'A-17' Enter");
    assert!(d.model.preview.shown().unwrap().is_loading());
    let Ok(pitstop::app::Answer::Documents(old)) = d.fake.answer(&work) else { panic!("{work:?}") };
    d.send(Msg::Job(job, JobEvent::Part(part(old.documents))));
    assert_eq!(d.model.preview.rows(), 0);
    d.answer_all();
    assert_eq!(shown(&d), 70);
}

#[test]
fn a_file_is_written_when_its_name_is_typed_and_only_then() {
    let mut d = Driver::ready(SIZE);
    d.press("Enter ] s d e Ctrl-u Enter");
    assert!(d.done.is_empty(), "no name, no file");
    d.press("Esc e Ctrl-u '/tmp/' Enter");
    assert!(d.done.is_empty(), "a folder is no file");
    d.press("Esc e Ctrl-u '~/diff.ndjson' Enter");
    let [Effect::Export { what: Export::Diff { of, filter: None }, path, job }] = d.done.as_slice() else {
        panic!("{:?}", d.done)
    };
    assert_eq!((of.bound, path.as_str()), (BEFORE_DELETE, "~/diff.ndjson"));
    let job = *job;
    d.done.clear();
    d.press("q");
    assert!(d.done.is_empty() && d.text().contains("being written"), "{}", d.text());
    d.press("Esc");
    let written = pitstop::app::Answer::Exported { path: "/home/me/diff.ndjson".into(), lines: 1931 };
    d.send(Msg::Job(job, JobEvent::Ended(Ok(written))));
    assert!(d.text().contains("1,931 lines written to /home/me/diff.ndjson"), "{}", d.text());
    d.press("q");
    assert_eq!(d.done, [Effect::Quit]);
}

#[test]
fn a_long_text_is_searched_round_and_round() {
    let mut d = Driver::ready((60, 16));
    d.press("Enter C / 'SHOP' Enter");
    let at = |d: &Driver| match d.model.overlays.last() {
        Some(Overlay::Detail(detail)) => detail.found.as_ref().unwrap().1.unwrap(),
        _ => panic!("no text"),
    };
    assert_eq!(at(&d), 0);
    d.press("n");
    assert_eq!(at(&d), 4);
    d.press("N N");
    assert_eq!(at(&d), 6);
    d.press("n");
    assert_eq!(at(&d), 0);
    d.press("/ Ctrl-u 'nobody' Enter");
    assert!(d.text().contains("nothing here holds nobody"), "{}", d.text());
    d.press("Esc ? / 'post-mortem' Enter");
    assert!(d.text().contains("Write the post-mortem"), "{}", d.text());
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

/// Where a storm breaks out: on every screen, and in the middle of what writes.
const BEGINNINGS: &[&str] = &[
    "",
    "Enter ] s",
    "3",
    "Enter ] s d Tab",
    "Enter ] s d Tab Enter",
    "Enter ] s d e",
    "Enter ] s r",
    "Enter ] s r Enter",
    "Enter ] s r T '/mnt/x' Enter Enter",
    "Enter ] s r Enter y Enter",
    "Enter ] m 'good' Enter Enter 6",
    "Enter ] m 'good' Enter Enter 7 i '42' Enter",
    "C",
];

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
    fn a_storm_of_keys_writes_nothing_unasked(begin in proptest::sample::select(BEGINNINGS), steps in steps()) {
        let mut d = Driver::ready((80, 24));
        d.press(begin);
        d.done.clear();
        for step in steps {
            let on_yes = matches!(d.model.overlays.last(), Some(Overlay::Confirm(c)) if c.then().is_some());
            let before = d.done.len();
            let named = matches!(d.model.overlays.last(), Some(Overlay::Prompt(p)) if p.purpose.names_a_file());
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
            prop_assert!(!wrote || accepts && (on_yes || named));
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
    let before = d.model.timeline.ops;
    assert!(!d.text().contains("LIVE"));

    d.send(Msg::Live(LiveNews::Here(newer)));
    assert!(d.text().contains(&format!("LIVE {}", &newer.time()[11..19])), "{}", d.text());
    assert_eq!(d.model.timeline.ops, before, "not more often than every two seconds");
    let later = |d: &mut Driver, ms: u64| {
        let now = d.model.now + ms;
        let utc = d.model.utc;
        d.send(Msg::Now { ms: now, utc });
    };
    assert!(d.model.next_change().unwrap() <= 2_000);
    later(&mut d, 2_001);
    d.answer_all();
    assert_eq!(d.model.timeline.ops, before + 1);
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

/// How many ops all bars hold.
fn in_bars(d: &Driver) -> (u64, Counted) {
    let bars = d.model.timeline.bars.ready().unwrap();
    (bars.counts.iter().flatten().map(|n| u64::from(*n)).sum(), bars.counted())
}

#[test]
fn what_is_read_is_shown_as_partial_while_the_rest_is_being_read() {
    let mut d = Driver::reading((100, 30));
    let all = d.fake.ops.len();
    let goal = Position { secs: DAY + 2 * 3600 + 1800, inc: 0 };
    assert!(d.fake.ops[100].pos < goal && goal < d.fake.ops[900].pos);
    d.press("Enter");
    assert_eq!(d.model.timeline.ops, 0);

    // To what is not there yet.
    d.reads(100);
    d.press("t '02:30' Enter");
    let text = d.text();
    assert!(text.contains("op 1 of \u{2a7e} 100  goes to"), "{text}");
    d.reads(1000);
    let text = d.text();
    assert!(text.contains("of \u{2a7e} 1,000") && !text.contains("goes to"), "{text}");
    let first = d.fake.ops.iter().find(|op| op.pos >= goal).unwrap().pos;
    assert_eq!(d.model.timeline.selected().unwrap().pos, first);
    assert_eq!(in_bars(&d), (1000, Counted::SoFar));
    assert!(golden::text(&d.draw(Palette::Mono, Charset::Ascii)).contains("of >= 1,000"));

    // One can walk there, choose a stop, and neither moves when there is more.
    d.press("G s");
    assert!(d.text().contains("nothing") || d.text().contains("behind the stop"), "{}", d.text());
    d.press("Esc");
    let (cursor, stop) = (d.model.timeline.list.cursor, d.model.choice.stop);
    assert_eq!((cursor, stop), (999, Some(d.fake.ops[999].pos)));
    d.reads(2500);
    assert_eq!((d.model.timeline.list.cursor, d.model.choice.stop), (cursor, stop));
    assert_eq!((d.model.timeline.ops, d.model.timeline.rows), (2500, 2500));
    assert_eq!(in_bars(&d), (2500, Counted::SoFar));
    assert_eq!(d.model.timeline.at, d.fake.ops[999].pos);
    d.press("j");
    assert_eq!(d.model.timeline.selected().unwrap().pos, d.fake.ops[1000].pos, "it goes on behind it");
    assert!(d.model.suspects.found.is_idle(), "damage is looked for in all of it");

    // All of it: counts are exact, and what is folded now is folded around the cursor.
    d.reads(usize::MAX);
    let text = d.text();
    assert_eq!((d.model.timeline.ops, d.model.timeline.counted), (all as u64, Counted::All));
    assert!(!text.contains('\u{2a7e}') && !text.contains("so far"), "{text}");
    assert_eq!(in_bars(&d), (all as u64, Counted::All));
    assert_eq!(d.model.timeline.selected().unwrap().pos, d.fake.ops[1000].pos);
    assert_eq!(d.model.choice.stop, stop);
    let facts = d.model.choice.facts.ready().unwrap();
    assert_eq!((facts.left_out, facts.counted), (all as u64 - 999, Counted::All));
    assert!(d.model.suspects.found.ready().is_some() && !d.model.jobs.any());
}

#[test]
fn a_filter_and_a_search_say_that_there_may_be_more_until_all_is_read() {
    let mut d = Driver::reading((100, 30));
    let deletes = |d: &Driver| d.fake.ops.iter().filter(|op| op.kind == OpKind::Delete).count() as u64;
    d.reads(2000);
    d.press("Enter f 'op:delete' Enter");
    let some = deletes(&d);
    assert_eq!((d.model.timeline.ops, d.model.timeline.counted), (some, Counted::SoFar));
    assert!(some > 0 && d.text().contains(&format!("of \u{2a7e} {some}  filter op:delete")), "{}", d.text());
    let at = d.model.timeline.selected().unwrap().pos;
    // Behind the cursor there is a match, ahead only in what is not read yet: nothing is gone round to.
    d.press("G / 'op:delete' Enter");
    assert!(d.model.jobs.get(Slot::Search).is_some() && d.model.timeline.list.cursor == some - 1);
    d.press("Esc g g");

    d.reads(7000);
    assert!(deletes(&d) > some);
    assert_eq!((d.model.timeline.ops, d.model.timeline.counted), (deletes(&d), Counted::SoFar));
    assert_eq!((d.model.timeline.filter(), d.model.timeline.at), (Some("op:delete"), at));
    assert_eq!(in_bars(&d), (deletes(&d), Counted::SoFar));

    // A filter that was asked for before all was read answers for what there was.
    d.press("F");
    d.answers = false;
    d.press("f 'op:command' Enter");
    let at = d.waiting.iter().position(|(job, _)| job.slot == Slot::Filter).unwrap();
    let (job, work) = d.waiting.remove(at).unwrap();
    let before = d.fake.answer(&work);
    d.send(Msg::Job(job, JobEvent::Ended(before)));
    assert_eq!(d.model.timeline.counted, Counted::SoFar);
    d.reads(usize::MAX);
    d.answer_all();
    let commands = d.fake.ops.iter().filter(|op| op.kind == OpKind::Command).count() as u64;
    assert_eq!((d.model.timeline.ops, d.model.timeline.counted), (commands, Counted::All));
    assert!(!d.text().contains('\u{2a7e}'), "{}", d.text());
    d.press("/ Ctrl-u 'ns:nobody.*' Enter");
    assert!(d.text().contains("no op matches ns:nobody.* within the filter"), "{}", d.text());

    // Taking the filter away while it is still being worked out leaves none.
    d.press("F");
    assert_eq!(d.model.timeline.ops, d.fake.ops.len() as u64);
}

/// An answer that was worked out before all was read arrives behind it.
#[test]
fn a_late_partial_list_is_asked_for_again() {
    let mut d = Driver::reading((100, 30));
    d.reads(2000);
    d.press("Enter f 'op:delete' Enter");
    d.answers = false;
    d.press("F");
    let at = d.waiting.iter().position(|(job, _)| job.slot == Slot::Filter).unwrap();
    let (job, work) = d.waiting.remove(at).unwrap();
    let partial = d.fake.answer(&work);
    d.send(Msg::Job(job, JobEvent::Ended(partial)));
    d.reads(usize::MAX);
    d.answer_all();
    assert_eq!((d.model.timeline.filter(), d.model.timeline.counted), (None, Counted::All));
    assert_eq!(d.model.timeline.ops, d.fake.ops.len() as u64);
}
