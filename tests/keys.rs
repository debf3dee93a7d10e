//! The table of actions, walked: every row can be typed, is documented, does something where it
//! says it does, and shadows nothing by accident.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod tui;

use pitstop::app::overlay::Overlay;
use pitstop::app::{Effect, JobEvent, Msg, actions};
use pitstop::domain::Error;
use pitstop::keys::{ACTIONS, Action, Chord, Code, Context, Danger, Row, key_table};
use tui::Driver;
use tui::fake::outcome;

const SIZE: (u16, u16) = (80, 24);

#[test]
fn every_row_is_documented_and_can_be_typed_anywhere() {
    for row in ACTIONS {
        assert!(!row.keys.is_empty() && !row.title.is_empty(), "{row:?}");
        assert!(row.doc.ends_with('.') && row.doc.len() < 100, "{row:?}");
        for (at, text) in row.keys.iter().enumerate() {
            let chord: Chord = text.parse().unwrap_or_else(|e| panic!("{row:?}: {e}"));
            // A second way may be one that some multiplexers swallow.
            for key in chord.keys() {
                let reserved = key.ctrl && matches!(key.code, Code::Char(c) if "abqshjklim[".contains(c));
                assert!(
                    at > 0 || !reserved,
                    "{text}: multiplexers and terminals keep this key for themselves"
                );
            }
        }
    }
}

#[test]
fn no_key_means_two_things_in_a_context_and_no_action_stands_there_twice() {
    for context in Context::ALL {
        let rows: Vec<&Row> = ACTIONS.iter().filter(|r| r.context == context).collect();
        assert!(!rows.is_empty(), "{context:?}");
        let keys: Vec<(&str, Action)> =
            rows.iter().flat_map(|r| r.keys.iter().map(|k| (*k, r.action))).collect();
        for (at, (key, action)) in keys.iter().enumerate() {
            for (other, another) in &keys[at + 1..] {
                assert_ne!(key, other, "{context:?}: {action:?} and {another:?}");
                let begins = |a: &str, b: &str| b.starts_with(&format!("{a} "));
                assert!(!begins(key, other) && !begins(other, key), "{context:?}: {key} hides {other}");
            }
        }
        for (at, row) in rows.iter().enumerate() {
            assert!(rows[at + 1..].iter().all(|r| r.action != row.action), "{context:?}: {row:?}");
        }
    }
}

/// A state in which nearly everything of a context can be done.
fn state(context: Context) -> Driver {
    let mut d = Driver::ready(SIZE);
    d.press("Enter / 'op:delete' Enter ] f 'ns:shop.*' Enter j +");
    d.model.fail(&Error::failed("reading", "there", "it is broken"));
    match context {
        Context::Snapshots => d.press("1"),
        Context::Timeline => d.press("s Esc"),
        Context::Suspects => d.press("3"),
        Context::Stop => d.press("s"),
        Context::Change => d.press("Enter"),
        Context::History => d.press("v k"),
        Context::Preview => d.press("s d"),
        Context::Marks => d.press("m 'good' Enter 'as it should be' Enter 6"),
        Context::States => d.press("m 'good' Enter Enter g g m 'early' Enter Enter 7 Right"),
        Context::Plan => d.press("s r"),
        Context::Restore => d.press("s r Enter y Enter"),
        Context::Result => {
            d.press("s r Enter y Enter");
            let job = d.done.iter().find_map(|e| match e {
                Effect::Restore { job, .. } => Some(*job),
                _ => None,
            });
            let answer = pitstop::app::Answer::Restored(Box::new(outcome(true)));
            d.send(Msg::Job(job.unwrap(), JobEvent::Ended(Ok(answer))));
            &mut d
        }
        Context::Confirm => d.press("s r Enter"),
        Context::Prompt => d.press("/"),
        Context::Palette => d.press(":"),
        Context::Menu => d.press("y"),
        Context::Detail => d.press("s d Tab Enter"),
        Context::List | Context::Global => {
            // Something that has failed, so that it can be tried again; in the middle of a list.
            d.press("s d Esc Ctrl-d Ctrl-d Ctrl-d");
            d.send(Msg::Now { ms: 90_000, utc: 1_791_989_520 });
            let (w, h) = d.model.size;
            d.send(Msg::Resize(w, h));
            &mut d
        }
    };
    d.done.clear();
    d
}

#[test]
fn every_action_does_something_where_it_says() {
    for row in ACTIONS {
        for key in row.keys {
            let mut d = state(row.context);
            prepare(&mut d, row);
            assert!(actions::contexts(&d.model).contains(&row.context), "{row:?}");
            if let Err(reason) = actions::enabled(&d.model, row.action) {
                panic!("{row:?} cannot be reached: {reason}");
            }
            let before = format!("{:?}", d.model);
            d.press(key);
            let changed = format!("{:?}", d.model) != before || !d.done.is_empty();
            assert!(changed, "{key} does nothing: {row:?}");
            assert!(
                !d.done.iter().any(Effect::writes)
                    || row.danger == Danger::Asks
                    || row.context == Context::Confirm
            );
        }
    }
}

/// What a row needs beyond the state of its context.
fn prepare(d: &mut Driver, row: &Row) {
    match (row.context, row.action) {
        (Context::Timeline, Action::Fold) => {
            d.press("k");
        }
        (Context::Stop, Action::NearestStop) => {
            d.press("t '06:30' Enter");
        }
        (Context::Preview, Action::History) => {
            d.press("Tab");
        }
        (Context::Palette, Action::Up) => {
            d.press("Down Down");
        }
        (Context::Confirm, Action::PickNo) => {
            d.press("y");
        }
        (Context::Preview, Action::ClearFilter) => {
            d.press("f 'is:comes-back' Enter");
        }
        (Context::Preview, Action::SearchNext | Action::SearchPrevious) => {
            d.press("Tab G / 'customer' Enter");
        }
        (Context::Detail, Action::SearchNext | Action::SearchPrevious) => {
            d.press("/ 'a' Enter");
        }
        (Context::Marks, Action::Up | Action::EditMark | Action::RemoveMark) => {
            d.press("g g");
        }
        (Context::States, Action::Later) => {
            d.press("Left");
        }
        (Context::Global, Action::ScreenRestore) => {
            d.press("s r Enter y Enter 2");
            d.done.clear();
        }
        (Context::Global, Action::Retry) => {
            d.fake.fails = vec!["Diff"];
            d.press("> s > d");
        }
        (Context::Global, Action::ScreenTimeline | Action::Back) => {
            d.press("3");
        }
        _ => {}
    }
}

#[test]
fn what_cannot_be_used_says_why_and_does_nothing() {
    let d = Driver::waiting(SIZE);
    for row in ACTIONS {
        let Err(reason) = actions::enabled(&d.model, row.action) else { continue };
        assert!(reason.len() > 10, "{row:?}: {reason}");
        let mut d = Driver::waiting(SIZE);
        let asked = d.waiting.len();
        let mut out = Vec::new();
        pitstop::app::update::perform(&mut d.model, row.action, &mut out);
        assert!(out.is_empty() && d.waiting.len() == asked, "{row:?}");
        assert_eq!(d.model.status.as_ref().unwrap().text, reason);
    }
}

#[test]
fn help_and_palette_show_every_action_of_the_screen() {
    for (keys, context) in [
        ("", Context::Timeline),
        ("3", Context::Suspects),
        ("s d", Context::Preview),
        ("6", Context::Marks),
        ("7", Context::States),
    ] {
        let mut d = Driver::ready((140, 200));
        d.press("Enter ]").press(keys).press("?");
        let text = d.text();
        for row in ACTIONS.iter().filter(|r| [context, Context::List, Context::Global].contains(&r.context)) {
            assert!(text.contains(row.title), "{:?} is not in the help of {context:?}", row.title);
            assert!(text.contains(row.keys[0]), "{:?} is not in the help of {context:?}", row.keys[0]);
        }
        d.press("Esc :");
        let Some(Overlay::Palette(_)) = d.model.overlays.last() else { panic!("no palette") };
        let shown = actions::palette(&d.model, "");
        for row in ACTIONS.iter().filter(|r| r.context == context) {
            assert!(shown.iter().any(|o| o.row.action == row.action), "{row:?}");
        }
    }
}

#[test]
fn the_key_table_holds_every_row() {
    let table = key_table();
    for row in ACTIONS {
        assert!(table.contains(row.doc), "{row:?}");
    }
    assert_eq!(table.matches("\n| `").count(), ACTIONS.len());
}

/// The README's key table is the table; `UPDATE=1` writes it anew.
#[test]
fn the_readme_has_the_key_table() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    let readme = std::fs::read_to_string(path).unwrap();
    let (begin, end) = ("<!-- keys -->\n", "<!-- end of keys -->");
    let (before, rest) = readme.split_once(begin).expect("the README has a place for keys");
    let (shown, after) = rest.split_once(end).expect("and that place has an end");
    let want = format!("\n{}", key_table());
    if tui::golden::updating() {
        std::fs::write(path, format!("{before}{begin}{want}{end}{after}")).unwrap();
    } else {
        assert_eq!(shown, want, "UPDATE=1 cargo test --test keys writes it anew");
    }
}
