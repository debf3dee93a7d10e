//! Other keys for the same actions: what a configuration asks for, and why it cannot be had.
//!
//! An action is named as in the table, `stop-before`; a context as its heading is spelled here,
//! `timeline`. A new key must not mean two things where both would be heard, must be one that
//! terminals pass on, and must not take away the ways out.

use super::chord::{Chord, Code, Key};
use super::resolve::Keymap;
use super::table::{ACTIONS, Action, Context};

/// Keys for an action: everywhere it stands, or in one context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rebind {
    /// Where; `None` = in every context that has the action.
    pub context: Option<Context>,
    /// What.
    pub action: Action,
    /// The keys, the one shown first in front.
    pub keys: Vec<Chord>,
}

/// One key that does something.
struct Bound {
    context: Context,
    chord: Chord,
    action: Action,
    is_new: bool,
}

impl Action {
    /// Its name in a configuration: `stop-before`.
    pub fn name(self) -> String {
        kebab(&format!("{self:?}"))
    }

    /// Whether it may have other keys: Ctrl-c always interrupts.
    pub fn is_rebindable(self) -> bool {
        self != Action::Interrupt
    }

    /// The action of that name.
    pub fn named(name: &str) -> Option<Action> {
        ACTIONS.iter().map(|row| row.action).find(|action| action.name() == name)
    }
}

impl Context {
    /// Its name in a configuration: `timeline`.
    pub fn name(self) -> String {
        kebab(&format!("{self:?}"))
    }

    /// The context of that name.
    pub fn named(name: &str) -> Option<Context> {
        Context::ALL.into_iter().find(|context| context.name() == name)
    }
}

fn kebab(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !out.is_empty() {
            out.push('-');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

impl Keymap {
    /// The table with other keys; a later rebind of the same wins. Or everything that speaks
    /// against it, a sentence each.
    pub fn rebound(rebinds: &[Rebind]) -> Result<Keymap, Vec<String>> {
        let mut problems: Vec<String> = rebinds.iter().flat_map(unusable).collect();
        let mut bound = Vec::new();
        for row in ACTIONS {
            let fits = |r: &&Rebind| r.action == row.action && r.context.is_none_or(|c| c == row.context);
            let keys: Vec<Chord> = match rebinds.iter().rev().find(fits) {
                Some(rebind) => rebind.keys.clone(),
                None => row.keys.iter().filter_map(|text| text.parse().ok()).collect(),
            };
            let of = |chord: Chord| {
                let is_new = !row.keys.contains(&chord.to_string().as_str());
                Bound { context: row.context, chord, action: row.action, is_new }
            };
            bound.extend(keys.into_iter().map(of));
        }
        for (at, one) in bound.iter().enumerate() {
            for other in bound.iter().skip(at + 1) {
                problems.extend(conflict(one, other));
            }
        }
        problems.extend(no_way_out(&bound));
        problems.dedup();
        match problems.is_empty() {
            true => Ok(Keymap::of(bound.into_iter().map(|b| (b.context, b.chord, b.action)).collect())),
            false => Err(problems),
        }
    }
}

/// What is wrong with a rebind by itself.
fn unusable(rebind: &Rebind) -> Vec<String> {
    let name = rebind.action.name();
    let mut out = Vec::new();
    if !rebind.action.is_rebindable() {
        out.push(format!("{name}: Ctrl-c always interrupts, and cannot be bound otherwise"));
    }
    if let Some(context) = rebind.context
        && !ACTIONS.iter().any(|row| row.action == rebind.action && row.context == context)
    {
        out.push(format!("{name}: there is no such action in `{}`", context.name()));
    }
    if rebind.keys.is_empty() {
        out.push(format!("{name}: name at least one key"));
    }
    for chord in &rebind.keys {
        for key in chord.keys() {
            match key {
                Key { code: Code::Char('c'), ctrl: true } if rebind.action.is_rebindable() => {
                    out.push(format!("{name}: Ctrl-c always interrupts"));
                }
                Key { code: Code::Char(c), ctrl: true } => {
                    let sent = match c {
                        'i' => "Tab",
                        'm' | 'j' => "Enter",
                        '[' => "Esc",
                        'h' => "Backspace",
                        _ if c.is_ascii_lowercase() => continue,
                        _ => {
                            out.push(format!(
                                "{name}: terminals do not pass on {key}: use Ctrl with a small letter"
                            ));
                            continue;
                        }
                    };
                    out.push(format!("{name}: terminals send {sent} for {key}: bind {sent} instead"));
                }
                _ => {}
            }
        }
    }
    out
}

/// Why two keys cannot stand beside each other. What the table itself does is meant.
fn conflict(one: &Bound, other: &Bound) -> Option<String> {
    if one.action == other.action && one.context != other.context || !(one.is_new || other.is_new) {
        return None;
    }
    let (a, b) = (one.chord.keys(), other.chord.keys());
    if !a.starts_with(b) && !b.starts_with(a) {
        return None;
    }
    if one.context == other.context {
        let (short, long) = if a.len() <= b.len() { (one, other) } else { (other, one) };
        let does = if a == b { "would also do" } else { "would hide the longer keys of" };
        return Some(format!(
            "{}: in `{}` {} does {} and {does} {}",
            short.action.name(),
            one.context.name(),
            short.chord,
            short.action.name(),
            long.action.name()
        ));
    }
    let (inner, outer) = match (layer(one.context), layer(other.context)) {
        (a, b) if a < b => (one, other),
        (a, b) if a > b => (other, one),
        _ => return None,
    };
    if !heard_together(inner.context, outer) {
        return None;
    }
    let named = if inner.is_new { inner } else { outer };
    Some(format!(
        "{}: in `{}` {} does {} and would hide {} of `{}`",
        named.action.name(),
        inner.context.name(),
        inner.chord,
        inner.action.name(),
        outer.action.name(),
        outer.context.name()
    ))
}

/// The innermost context is asked first: screens and overlays, then lists, then everywhere.
fn layer(context: Context) -> u8 {
    match context {
        Context::Global => 2,
        Context::List => 1,
        _ => 0,
    }
}

/// Whether the outer action could be meant while the inner context is active.
fn heard_together(inner: Context, outer: &Bound) -> bool {
    use Context::{Confirm, Menu, Palette, Prompt, Stop};
    match outer.context {
        Context::List => !matches!(inner, Confirm | Prompt | Palette | Stop),
        // Through a question or a choice only these pass.
        _ if matches!(inner, Confirm | Prompt | Palette | Menu) => {
            matches!(outer.action, Action::Back | Action::Interrupt | Action::Suspend | Action::Redraw)
        }
        _ => true,
    }
}

/// Where something is typed, characters are text: what ends the typing needs another key.
fn no_way_out(bound: &[Bound]) -> Vec<String> {
    let is_text = |chord: &Chord| {
        chord.keys().first().is_some_and(|key| matches!(key.code, Code::Char(_)) && !key.ctrl)
    };
    let mut out = Vec::new();
    for row in ACTIONS {
        let typed = matches!(row.context, Context::Prompt | Context::Palette);
        let back = row.context == Context::Global && row.action == Action::Back;
        let mut keys = bound.iter().filter(|b| (b.context, b.action) == (row.context, row.action));
        let is_new = keys.clone().any(|b| b.is_new);
        if (typed || back) && is_new && keys.all(|b| is_text(&b.chord)) {
            out.push(format!(
                "{}: where something is typed a character is text: add a key such as Esc, Enter or Ctrl-x",
                row.action.name()
            ));
        }
    }
    out
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::keys::Resolution;

    fn rebind(context: Option<Context>, action: Action, keys: &[&str]) -> Rebind {
        Rebind { context, action, keys: keys.iter().map(|k| k.parse().unwrap()).collect() }
    }

    fn problems(rebinds: &[Rebind]) -> String {
        Keymap::rebound(rebinds).err().map(|p| p.join("\n")).unwrap_or_default()
    }

    #[test]
    fn every_action_and_context_has_a_name_of_its_own() {
        for row in ACTIONS {
            assert_eq!(Action::named(&row.action.name()), Some(row.action));
        }
        for context in Context::ALL {
            assert_eq!(Context::named(&context.name()), Some(context));
        }
        assert_eq!(Action::StopBefore.name(), "stop-before");
        assert_eq!(Action::named("Stop-Before"), None);
    }

    #[test]
    fn another_key_replaces_those_of_the_table() {
        let timeline = [Context::Timeline, Context::List, Context::Global];
        let keymap = Keymap::rebound(&[
            rebind(None, Action::StopBefore, &["B", "Ctrl-g"]),
            rebind(Some(Context::Timeline), Action::Open, &["O"]),
        ])
        .unwrap();
        let at = |keys: &[Key]| keymap.resolve(&timeline, keys);
        assert_eq!(at(&[Key::char('B')]), Resolution::Action(Action::StopBefore));
        assert_eq!(at(&[Key::ctrl('g')]), Resolution::Action(Action::StopBefore));
        assert_eq!(at(&[Key::char('s')]), Resolution::Nothing);
        assert_eq!(at(&[Key::char('O')]), Resolution::Action(Action::Open));
        assert_eq!(keymap.keys(Context::Suspects, Action::StopBefore).next().unwrap().to_string(), "B");
        // Only where it was said.
        assert_eq!(keymap.keys(Context::Suspects, Action::Open).next().unwrap().to_string(), "Enter");
    }

    #[test]
    fn the_later_one_wins() {
        let keymap =
            Keymap::rebound(&[rebind(None, Action::Quit, &["Q"]), rebind(None, Action::Quit, &["Ctrl-x"])])
                .unwrap();
        let shown: Vec<String> = keymap.keys(Context::Global, Action::Quit).map(|c| c.to_string()).collect();
        assert_eq!(shown, ["Ctrl-x"]);
    }

    #[test]
    fn what_would_mean_two_things_is_refused() {
        for (rebind, said) in [
            (rebind(None, Action::Filter, &["s"]), "in `timeline` s does"),
            (rebind(None, Action::Filter, &["q"]), "hide quit of `global`"),
            (rebind(None, Action::Quit, &["s"]), "hide quit of `global`"),
            (rebind(None, Action::Filter, &["g"]), "hide top of `list`"),
            (rebind(Some(Context::List), Action::Top, &["j"]), "in `list` j does"),
            (rebind(None, Action::Filter, &["Ctrl-c"]), "Ctrl-c always interrupts"),
            (rebind(None, Action::Interrupt, &["X"]), "Ctrl-c always interrupts"),
            (rebind(None, Action::Filter, &["Ctrl-i"]), "send Tab"),
            (rebind(None, Action::Filter, &["Ctrl-D"]), "small letter"),
            (rebind(None, Action::Filter, &[]), "at least one key"),
            (rebind(Some(Context::Stop), Action::Filter, &["X"]), "no such action in `stop`"),
            (rebind(None, Action::Back, &["B"]), "is text"),
            (rebind(Some(Context::Prompt), Action::Accept, &["X"]), "is text"),
        ] {
            assert!(
                problems(std::slice::from_ref(&rebind)).contains(said),
                "{rebind:?}: {}",
                problems(std::slice::from_ref(&rebind))
            );
        }
        // All of them at once.
        let all = problems(&[rebind(None, Action::Filter, &["q"]), rebind(None, Action::Back, &["B"])]);
        assert!(all.contains("hide quit") && all.contains("is text"), "{all}");
    }

    #[test]
    fn what_cannot_be_meant_together_is_no_conflict() {
        // `n` is No in a question, where quitting is not heard; x cancels only a running restore.
        for fine in [
            rebind(None, Action::SearchNext, &["X"]),
            rebind(Some(Context::Confirm), Action::PickYes, &["q"]),
            rebind(Some(Context::Suspects), Action::Open, &["x"]),
            rebind(None, Action::Back, &["B", "Esc"]),
        ] {
            assert_eq!(problems(std::slice::from_ref(&fine)), "", "{fine:?}");
        }
        // A swap of two.
        let swapped = [rebind(None, Action::Filter, &["/"]), rebind(None, Action::Search, &["f"])];
        assert_eq!(problems(&swapped), "");
    }
}
