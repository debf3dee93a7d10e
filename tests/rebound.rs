//! Sentences that name a key name the one that holds: with other keys for the same actions, what
//! is said on the screens, in questions and in reasons follows.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod tui;

use pitstop::app::actions;
use pitstop::app::{Effect, JobEvent, Msg};
use pitstop::domain::Error;
use pitstop::keys::{Action, Context, Keymap, Rebind};
use tui::Driver;
use tui::fake::{Fake, outcome};

/// Another key for everything that a sentence names.
const OTHERS: &[(Action, &str)] = &[
    (Action::Quit, "Q"),
    (Action::StopBefore, "Z"),
    (Action::ScreenTimeline, "8"),
    (Action::ScreenRestore, "9"),
    (Action::ScreenSnapshots, ";"),
    (Action::Retry, "E"),
    (Action::Errors, "Y"),
    (Action::FoldAll, "O"),
    (Action::Mark, "M"),
    (Action::Search, "A"),
    (Action::LocalTime, "U"),
    (Action::Copy, "K"),
    (Action::History, "V"),
    (Action::Filter, "B"),
    (Action::ClearFilter, "D"),
    (Action::Against, "H"),
    (Action::Open, "X"),
    (Action::Accept, "Ctrl-t"),
    (Action::Back, "Ctrl-g"),
    (Action::PickNo, "J"),
    (Action::PickYes, "P"),
    (Action::Switch, "Ctrl-n"),
    (Action::SwitchBack, "Ctrl-e"),
    (Action::StopEarlier, "("),
    (Action::StopLater, ")"),
    (Action::BurstEarlier, ","),
    (Action::BurstLater, "."),
    (Action::StopAt, "@"),
    (Action::NearestStop, "*"),
    (Action::Preview, "%"),
    (Action::Plan, "&"),
    (Action::Ask, "I"),
    (Action::NextTarget, "L"),
    (Action::Where, "~"),
    (Action::OneDocument, "^"),
    (Action::Down, "$"),
    (Action::Up, "'"),
];

fn rebound() -> Keymap {
    let all: Vec<Rebind> = OTHERS
        .iter()
        .map(|(action, key)| Rebind {
            context: matches!(action, Action::Up | Action::Down).then_some(Context::List),
            action: *action,
            keys: vec![key.parse().unwrap()],
        })
        .collect();
    Keymap::rebound(&all).unwrap()
}

/// What the screen says, every run of blanks as one.
fn said(d: &Driver) -> String {
    d.text().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// With the keys of the table the first is said, and with the others the second.
fn follows(d: &mut Driver, usual: &str, other: &str) {
    d.model.keymap = Keymap::default();
    let text = said(d);
    assert!(text.contains(usual), "{usual} is not in {text}");
    d.model.keymap = rebound();
    let text = said(d);
    assert!(text.contains(other) && !text.contains(usual), "{other} is not in {text}");
}

fn at(keys: &str) -> Driver {
    let mut d = Driver::ready((140, 45));
    d.press(keys);
    d
}

#[test]
fn sentences_on_the_screens_name_the_keys_that_hold() {
    for (keys, usual, other) in [
        ("4", "choose a stop first: s on the", "choose a stop first: Z on the"),
        ("Esc", "this is the first screen: q leaves", "this is the first screen: Q leaves"),
        ("6", "none yet: m on the timeline", "none yet: M on the timeline"),
        ("7", "f counts documents that fulfil", "~ counts documents that fulfil"),
        ("7", "i shows one document", "^ shows one document"),
        ("Enter ]", "The burst Enter opens it", "The burst X opens it"),
        ("Enter ] Enter", "The burst Enter folds it", "The burst X folds it"),
        (
            "Enter f 'ns:nobody.*' Enter",
            "f changes the filter, F clears it",
            "B changes the filter, D clears it",
        ),
        (
            "Enter ] s r",
            "Enter asks, and then restores t another target",
            "I asks, and then restores L another",
        ),
        (
            "Enter ] s",
            "Enter preview r restore < > op [ ] burst t time y copy",
            "% preview & restore ( ) op , . burst @ time K copy",
        ),
        ("Enter t '06:30' Enter s", "n goes to", "* goes to"),
        ("Enter ?", "Help j k scroll / finds Esc closes", "Help $ ' scroll A finds Ctrl-g closes"),
        ("Enter ? G", "u shows local time", "U shows local time"),
        ("Enter :", "Enter does it Esc closes", "Ctrl-t does it Ctrl-g closes"),
        ("Enter ] y", "Enter takes it Esc closes", "Ctrl-t takes it Ctrl-g closes"),
        (
            "Enter ] s r Enter",
            "Left Right or n y choose, Enter does",
            "Ctrl-e Ctrl-n or J P choose, Ctrl-t does",
        ),
    ] {
        let mut d = at(keys);
        // What was said stays as it was said: it is said anew with the other keys.
        if ["4", "Esc"].contains(&keys) {
            assert!(said(&d).contains(usual), "{usual}: {}", said(&d));
            let action = if keys == "4" { Action::ScreenPreview } else { Action::Back };
            d.model.keymap = rebound();
            pitstop::app::update::perform(&mut d.model, action, &mut Vec::new());
            assert!(said(&d).contains(other), "{other}: {}", said(&d));
        } else {
            follows(&mut d, usual, other);
        }
    }
}

#[test]
fn what_is_absent_names_the_keys_that_hold() {
    let mut d = at("");
    d.model.show(pitstop::app::Screen::Preview);
    follows(&mut d, "2 shows the timeline, s there", "8 shows the timeline, Z there");
    d.model.show(pitstop::app::Screen::Restore);
    follows(&mut d, "2 shows the timeline, s there", "8 shows the timeline, Z there");
    d.model.show(pitstop::app::Screen::History);
    follows(&mut d, "2 shows the timeline, v there", "8 shows the timeline, V there");
    let mut d = Driver::waiting((140, 45));
    d.fake = Fake::nothing();
    d.answer_all();
    d.press("3");
    follows(&mut d, "1 shows what was found", "; shows what was found");
    let mut d = at("");
    d.model.fail(&Error::failed("reading", "there", "it is broken"));
    d.press("!");
    follows(&mut d, "y copies Esc closes", "K copies Ctrl-g closes");
}

#[test]
fn reasons_name_the_keys_that_hold() {
    let reason = |d: &Driver, action| actions::enabled(&d.model, action).unwrap_err();
    let both = |d: &mut Driver, action, usual: &str, other: &str| {
        d.model.keymap = Keymap::default();
        assert_eq!(reason(d, action), usual);
        d.model.keymap = rebound();
        assert_eq!(reason(d, action), other);
        d.model.keymap = Keymap::default();
    };
    let mut d = at("Enter");
    both(&mut d, Action::SearchNext, "search first: /", "search first: A");
    d.press("o");
    d.press("g g");
    both(&mut d, Action::Fold, "bursts are not folded: o folds them", "bursts are not folded: O folds them");
    d.press("?");
    both(&mut d, Action::SearchNext, "find something first: /", "find something first: A");
    let mut d = at("Enter ] s r T '/mnt/recovered' Enter Enter");
    let (usual, other) =
        ("letters are typed here: Left and Right choose", "letters are typed here: Ctrl-e and Ctrl-n choose");
    both(&mut d, Action::PickYes, usual, other);
    let mut d = at("Enter ] s Enter r Enter y Enter 2");
    let runs = ("a restore runs already: 5 shows it", "a restore runs already: 9 shows it");
    both(&mut d, Action::Plan, runs.0, runs.1);
    both(&mut d, Action::Ask, runs.0, runs.1);
    d.press("7");
    both(&mut d, Action::Plan, runs.0, runs.1);
    d.model.keymap = rebound();
    let job = d.done.iter().find_map(|e| match e {
        Effect::Restore { job, .. } => Some(*job),
        _ => None,
    });
    let done = pitstop::app::Answer::Restored(Box::new(outcome(true)));
    d.send(Msg::Job(job.unwrap(), JobEvent::Ended(Ok(done))));
    assert!(said(&d).contains("done and verified: 9 shows it"), "{}", said(&d));
    let mut d = Driver::waiting((140, 45));
    d.fake.fails = vec!["Suspects"];
    d.answer_all();
    d.press("3");
    let failed = "looking for damage has failed";
    both(&mut d, Action::BurstLater, &format!("{failed}: ! shows why"), &format!("{failed}: Y shows why"));
}
