//! `pitstop states`: several states side by side, for a terminal, as JSON, or as Markdown.

use serde_json::{Value, json};

use crate::cli::args::StatesArgs;
use crate::cli::config::Config;
use crate::cli::open;
use crate::cli::output::{self, Out};
use crate::domain::marks::{Mark, marks};
use crate::domain::namespace::Glob;
use crate::domain::position::Place;
use crate::domain::progress::Meter;
use crate::domain::query::IdPattern;
use crate::domain::stop::{Side, StopRequest};
use crate::domain::text::{count, visible};
use crate::domain::{Error, Namespace, Position, Result};
use crate::engine::matcher::Matcher;
use crate::ops::states::{Moment, StateAt, StatesRequest, states};
use crate::target::uri::without_secrets;

/// Runs it.
pub fn run(args: &StatesArgs, mut config: Config) -> Result<()> {
    config.flag("memory", args.memory.memory);
    let matcher = args.condition.as_deref().map(Matcher::parse).transpose()?;
    let id = args.id.as_deref().map(IdPattern::parse).transpose()?;
    let workspace = open(&args.source)?;
    let journal = workspace.case.journal();
    let marks = marks(&journal.events()?);
    let request = StatesRequest {
        moments: moments(&args.at, &marks, workspace.last())?,
        snapshot: args.snapshot.clone(),
        ns: args.ns.iter().map(Glob::new).collect(),
        matcher,
        id,
        limit: args.limit.unwrap_or(0),
        memory: config.memory(),
    };
    let found = states(&workspace, &request, &Meter::default())?;
    let at: Vec<Value> =
        found.iter().map(|s| json!({ "pos": s.stop.bound, "name": s.moment.name })).collect();
    journal.record("states", json!({ "at": at, "ns": args.ns, "where": args.condition, "id": args.id }))?;
    let mut out = Out::new();
    if args.source.json {
        for state in &found {
            for line in output::state(state) {
                out.json(&line)?;
            }
        }
    } else {
        for line in table(&found, args) {
            out.line(line)?;
        }
    }
    out.flush()
}

/// What was asked for; all marks where nothing was.
fn moments(at: &[String], marks: &[Mark], last: Position) -> Result<Vec<Moment>> {
    let of = |mark: &Mark| Moment { name: Some(mark.name.clone()), note: mark.note.clone(), bound: mark.pos };
    if at.is_empty() {
        if marks.is_empty() {
            return Error::usage("choosing the states", "", "no time was named and there is no mark")
                .hint("give --at POS (as often as you like), or set marks with `pitstop mark`.")
                .err();
        }
        return Ok(marks.iter().map(of).collect());
    }
    at.iter()
        .map(|text| {
            if let Some(mark) = marks.iter().find(|mark| mark.name == *text) {
                return Ok(of(mark));
            }
            let place: Place = text.parse().map_err(|_| {
                Error::usage("choosing the states", format!("{text:?}"), "it is no mark, position or time")
                    .hint("`pitstop mark SOURCE…` lists the marks; a position is T:I.")
            })?;
            // The end means everything; any other place the state before it.
            let side = if place == Place::End { Side::After } else { Side::Before };
            Ok(Moment { name: None, note: None, bound: StopRequest { side, place }.bound(last) })
        })
        .collect()
}

/// A table: namespaces down, times across; then the documents. The same for a terminal and as
/// Markdown, where foreign text is kept from being markup.
fn table(states: &[StateAt], args: &StatesArgs) -> Vec<String> {
    let text = |text: &str| {
        let plain = visible(text).into_owned();
        if args.markdown {
            plain.replace('\\', "\\\\").replace('|', "\\|").replace('`', "\\`").replace('<', "\\<")
        } else {
            plain
        }
    };
    let title = |state: &StateAt| text(state.moment.name.as_deref().unwrap_or(&state.stop.bound.to_string()));
    let mut out = Vec::new();
    if args.markdown {
        out.push("# States".to_owned());
        out.push(String::new());
    }
    for state in states {
        let note = state.moment.note.as_deref().map_or(String::new(), |note| format!(": {}", text(note)));
        let dash = if args.markdown { "- " } else { "" };
        out.push(format!(
            "{dash}{}  before {} ({}), from snapshot {}{note}",
            title(state),
            state.stop.bound,
            state.stop.time,
            text(&state.snapshot)
        ));
    }
    out.push(String::new());
    let mut names: Vec<&Namespace> = states.iter().flat_map(|s| s.namespaces.iter().map(|n| &n.ns)).collect();
    names.sort();
    names.dedup();
    let cell = |state: &StateAt, ns: &Namespace| match state.namespaces.iter().find(|n| n.ns == *ns) {
        None => "-".to_owned(),
        Some(found) => match found.matching {
            Some(matching) => format!("{} of {}", count(matching), count(found.documents)),
            None => count(found.documents),
        },
    };
    let row = |first: &str, cells: Vec<String>| {
        if args.markdown {
            format!("| {first} | {} |", cells.join(" | "))
        } else {
            let cells: Vec<String> = cells.iter().map(|c| format!("{c:>22}")).collect();
            format!("{first:<36}{}", cells.join(""))
        }
    };
    out.push(row("namespace", states.iter().map(title).collect()));
    if args.markdown {
        out.push(row("---", states.iter().map(|_| "---:".to_owned()).collect()));
    }
    for ns in names {
        out.push(row(&text(&ns.to_string()), states.iter().map(|s| cell(s, ns)).collect()));
    }
    for state in states {
        for ns in &state.namespaces {
            for document in ns.samples.iter().chain(&ns.found) {
                out.push(String::new());
                out.push(format!("{}  {}", title(state), text(&ns.ns.to_string())));
                let document = visible(&document.to_string()).into_owned();
                out.push(if args.markdown { format!("\n    {document}") } else { format!("    {document}") });
            }
        }
        if args.id.is_some() && state.namespaces.iter().all(|ns| ns.found.is_empty()) {
            out.push(String::new());
            out.push(format!("{}  no document of that _id", title(state)));
        }
    }
    if args.markdown {
        out.push(String::new());
        out.push("To see this again:".to_owned());
        out.push(String::new());
        out.push(format!("    {}", visible(&again(args, states))));
    }
    out
}

/// The command that gives the same states again, whatever becomes of the marks.
fn again(args: &StatesArgs, states: &[StateAt]) -> String {
    let quoted = |text: &str| format!("'{}'", text.replace('\'', "'\\''"));
    let mut words = vec!["pitstop states".to_owned()];
    words.extend(args.source.sources.iter().map(|source| {
        let text = source.to_string();
        quoted(&if text.contains("://") { without_secrets(&text) } else { text })
    }));
    words.extend(states.iter().map(|s| format!("--at {}", s.stop.bound)));
    words.extend(args.ns.iter().map(|ns| format!("--ns {}", quoted(ns))));
    words.extend(args.condition.iter().map(|c| format!("--where {}", quoted(c))));
    words.extend(args.id.iter().map(|id| format!("--id {}", quoted(id))));
    words.extend(args.snapshot.iter().map(|id| format!("--snapshot {}", quoted(id))));
    words.extend(args.limit.iter().map(|n| format!("--limit {n}")));
    words.join(" ")
}
