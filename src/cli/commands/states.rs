//! `pitstop states`: several states side by side, for a terminal, as JSON, or as Markdown.

use crate::cli::args::StatesArgs;
use crate::cli::config::Config;
use crate::cli::open;
use crate::cli::output::{self, Out};
use crate::domain::marks::Mark;
use crate::domain::namespace::Glob;
use crate::domain::position::Place;
use crate::domain::progress::Meter;
use crate::domain::query::IdPattern;
use crate::domain::states::{Asked, Form, Moment, lines};
use crate::domain::stop::{Side, StopRequest};
use crate::domain::{Error, Position, Result};
use crate::engine::matcher::Matcher;
use crate::ops::findings;
use crate::ops::marks;
use crate::ops::states::{StatesRequest, states};

/// Runs it.
pub fn run(args: &StatesArgs, mut config: Config) -> Result<()> {
    config.flag("memory", args.memory.memory);
    let matcher = args.condition.as_deref().map(Matcher::parse).transpose()?;
    let id = args.id.as_deref().map(IdPattern::parse).transpose()?;
    let workspace = open(&args.source)?;
    let marks = marks::all(&workspace.case)?;
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
    findings::states(&workspace, &found, &asked(args))?;
    let mut out = Out::new();
    if args.source.json {
        for state in &found {
            for line in output::state(state) {
                out.json(&line)?;
            }
        }
    } else {
        let form = if args.markdown { Form::Markdown } else { Form::Text };
        for line in lines(&found, &asked(args), form) {
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

fn asked(args: &StatesArgs) -> Asked {
    Asked {
        sources: args.source.sources.iter().map(ToString::to_string).collect(),
        ns: args.ns.clone(),
        condition: args.condition.clone(),
        id: args.id.clone(),
        snapshot: args.snapshot.clone(),
        limit: args.limit,
    }
}
