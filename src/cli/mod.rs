//! The command line: parses, opens, calls one function of `ops`, prints. Every command is a few
//! lines; what they print as JSON is made in [`output`] alone.

mod args;
mod commands;
mod config;
mod crash;
mod output;
mod shrunk;

use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command};

use crate::domain::{Class, Error, Result};

/// Runs the program and gives its exit code.
pub fn run() -> ExitCode {
    crash::report_panics();
    let cli = Cli::parse();
    shrunk::report_shrunk_sources();
    let Some(command) = cli.command else { return ended(commands::screens::run(&cli.screens)) };
    ended(match command {
        Command::Snapshots(args) => commands::snapshots::run(&args),
        Command::Ops(args) => commands::ops::run(&args),
        Command::Suspects(args) => commands::suspects::run(&args),
        Command::Plan(args) => commands::plan::run(&args),
        Command::Diff(args) => commands::diff::run(&args),
        Command::History(args) => commands::history::run(&args),
        Command::Mark(args) => commands::mark::run(&args),
        Command::Note(args) => commands::note::run(&args),
        Command::States(args) => commands::states::run(&args),
        Command::Report(args) => commands::report::run(&args),
        Command::Restore(args) => commands::restore::run(&args),
        Command::Targets(args) => commands::targets::run(&args),
        Command::Demo(args) => commands::demo::run(&args),
        Command::Archive(args) => commands::archive::run(&args),
        Command::Doctor(args) => commands::doctor::run(&args),
        Command::RestoreWorker { dir } => return ExitCode::from(crate::ops::restore::run_worker(&dir)),
    })
}

/// The exit code; an error is printed.
fn ended(done: Result<()>) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("pitstop: {}", crate::domain::text::visible_lines(&error.to_string()));
            ExitCode::from(error.class.exit_code())
        }
    }
}

/// A reader that has seen enough (`| head`) is no failure.
fn is_closed_pipe(error: &Error) -> bool {
    error.class == Class::Failed && error.doing == output::PRINTING && error.cause.contains("Broken pipe")
}

/// Opens what the arguments name.
fn open(args: &args::SourceArgs) -> Result<crate::ops::Workspace> {
    let options = crate::ops::OpenOptions {
        sources: args.sources.clone(),
        case: args.case.clone(),
        accept_unproven: args.accept_unproven.clone(),
    };
    let workspace = crate::ops::Workspace::open(&options, &crate::domain::progress::Meter::default())?;
    for note in &workspace.notes {
        eprintln!("note: {}", crate::domain::text::visible_lines(note));
    }
    Ok(workspace)
}
