//! Keys: THE table of actions, and how a key becomes one of them. Dispatch, footer, help, palette
//! and the key table of the README all read the same rows, so none of them can lie.
//!
//! Knows nothing of screens, terminals or models: whoever resolves a key says which contexts are
//! active, innermost first.

mod chord;
mod markdown;
mod rebind;
mod resolve;
mod table;

pub use chord::{Chord, Code, Key};
pub use markdown::key_table;
pub use rebind::Rebind;
pub use resolve::{Keymap, Resolution};
pub use table::{ACTIONS, Action, Context, Danger, Row, row};
