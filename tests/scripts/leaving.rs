//! A restore that runs: cancelled, left, waited for.

use super::*;

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
