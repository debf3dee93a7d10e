//! The application, driven by keys: scripts of what an engineer presses, and what must follow.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod leaving;
mod reading;
#[path = "../tui/mod.rs"]
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
