//! From keys to actions: the first active context that binds the sequence wins.

use super::chord::{Chord, Key};
use super::table::{ACTIONS, Action, Context};

/// What a key came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resolution {
    /// This.
    Action(Action),
    /// The beginning of a longer sequence.
    Begun,
    /// Nothing.
    Nothing,
}

/// Which keys do what: the table with its keys parsed.
#[derive(Debug, Clone)]
pub struct Keymap {
    bindings: Vec<(Context, Chord, Action)>,
}

impl Default for Keymap {
    /// The keys of the table. A spelling that does not parse is left out here and fails the test
    /// that walks the table.
    fn default() -> Self {
        let bindings = ACTIONS
            .iter()
            .flat_map(|row| row.keys.iter().map(move |text| (row, text)))
            .filter_map(|(row, text)| Some((row.context, text.parse().ok()?, row.action)))
            .collect();
        Keymap { bindings }
    }
}

impl Keymap {
    /// These bindings; within a context in the order of the table.
    pub(super) fn of(bindings: Vec<(Context, Chord, Action)>) -> Keymap {
        Keymap { bindings }
    }

    /// What the keys pressed so far mean in these contexts, the innermost first.
    pub fn resolve(&self, contexts: &[Context], pressed: &[Key]) -> Resolution {
        for context in contexts {
            let here = self.bindings.iter().filter(|(c, ..)| c == context);
            let mut begun = false;
            for (_, chord, action) in here {
                if chord.keys() == pressed {
                    return Resolution::Action(*action);
                }
                begun |= chord.keys().starts_with(pressed);
            }
            if begun {
                return Resolution::Begun;
            }
        }
        Resolution::Nothing
    }

    /// The keys of an action in a context, in the order of the table.
    pub fn keys(&self, context: Context, action: Action) -> impl Iterator<Item = &Chord> {
        self.bindings.iter().filter(move |(c, _, a)| *c == context && *a == action).map(|(_, chord, _)| chord)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_context_wins_and_sequences_wait() {
        let keymap = Keymap::default();
        let contexts = [Context::Timeline, Context::List, Context::Global];
        let resolve = |keys: &[Key]| keymap.resolve(&contexts, keys);
        assert_eq!(resolve(&[Key::char('s')]), Resolution::Action(Action::StopBefore));
        assert_eq!(resolve(&[Key::char('g')]), Resolution::Begun);
        assert_eq!(resolve(&[Key::char('g'), Key::char('g')]), Resolution::Action(Action::Top));
        assert_eq!(resolve(&[Key::char('g'), Key::char('x')]), Resolution::Nothing);
        assert_eq!(resolve(&[Key::char('J')]), Resolution::Nothing);
        assert_eq!(keymap.resolve(&[Context::Global], &[Key::char('s')]), Resolution::Nothing);
    }
}
