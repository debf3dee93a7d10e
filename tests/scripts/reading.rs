//! The oplog while it is read, searched, filtered and folded: what is shown of it, and which keys wait.

use super::*;

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
