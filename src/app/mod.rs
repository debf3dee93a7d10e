//! The application, pure: a [`Model`], messages that change it, and effects it asks for. No
//! clock, no file, no terminal, no thread: `update` is a function from one state to the next,
//! and whoever runs it carries the effects out and feeds what they answer back in.
//!
//! One file for each screen below `screens`; overlays (questions, prompts, texts) are data on a
//! stack. What is loaded, and what is not yet, is a type: [`Loadable`].

pub mod actions;
mod answers;
pub mod axis;
pub mod compare;
pub mod data;
pub mod document;
pub mod effect;
pub mod finding;
pub mod folding;
pub mod jobs;
mod leaving;
pub mod list;
pub mod live;
pub mod loadable;
pub mod model;
pub mod msg;
pub mod overlay;
pub mod prompts;
pub mod screens;
pub mod text_field;
pub mod update;
pub mod values;
pub mod view;
mod waiting;
pub mod window;
pub mod zone;

pub use effect::{Copy, Effect, Export, Work};
pub use jobs::{JobId, Slot};
pub use loadable::Loadable;
pub use model::{Model, Screen, Start};
pub use msg::{Answer, Hit, JobEvent, Msg};
pub use update::{begin, update};
