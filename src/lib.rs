//! pitstop: point-in-time recovery of MongoDB, stopping one operation before the damage.
//!
//! ```text
//! domain   the words of the trade, pure: positions, stops, plans, queries, differences
//! engine   the fold: raw BSON, updates, catalog by UUID, transactions, net effects, states
//! source   where backups and oplogs come from: dump directories, archives, slices
//! index    the operations as columns on disk: search, histogram, and reading the oplog
//! target   where states go: an isolated mongod, another server, a dump directory
//! case     the folder of one incident
//! ops      what pitstop does, as functions: open, search, suspects, plan, diff, restore
//! keys     the table of actions, and how keys become actions
//! app      the terminal program, pure: a model, messages, effects as data
//! ui       draws that model
//! runtime  runs it: the only place of the terminal program that does anything
//! cli      the command line over ops
//! ```
//!
//! domain uses nobody; engine uses domain; source, index, target and case use both (index also
//! source); ops uses all of these; app uses domain and keys, ui also app; runtime and cli use
//! everything. A test holds every import against that.

pub mod app;
pub mod case;
pub mod cli;
pub mod domain;
pub mod engine;
pub mod index;
pub mod keys;
pub mod ops;
pub mod runtime;
pub mod source;
pub mod target;
pub mod ui;
