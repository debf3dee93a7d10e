//! The command line: parses, opens, calls one function of `ops`, prints. Every command is a few
//! lines; what they print as JSON is made in [`output`] alone.

mod args;
mod commands;
mod config;
mod crash;
mod output;
mod shrunk;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;

use args::{Cli, Command};
use config::Config;

use crate::domain::source::{Source, is_uri};
use crate::domain::{Class, Error, Result};
use crate::runtime::Log;

/// Runs the program and gives its exit code.
pub fn run() -> ExitCode {
    crash::report_panics();
    shrunk::report_shrunk_sources();
    let args: Vec<OsString> = std::env::args_os().collect();
    // How a prepared restore is carried out, by a process that `restore` starts: no command for
    // anybody else, and in no list of commands.
    if let [_, worker, dir] = args.as_slice()
        && worker == "restore-worker"
    {
        return ExitCode::from(crate::ops::restore::run_worker(Path::new(dir)));
    }
    let args = config_last(args);
    let typed: Vec<String> = args.iter().skip(1).map(|arg| arg.to_string_lossy().into_owned()).collect();
    let cli = Cli::parse_from(args);
    match cli.command {
        Some(Command::Generate(args)) => ended(commands::generate::run(&args), None),
        Some(command) => {
            let log = begin_log(&typed);
            ended(carry_out(command, cli.config.as_deref(), log.clone()), log.as_deref())
        }
        None => {
            let log = begin_log(&typed);
            ended(show(cli.screens, cli.config.as_deref(), log.clone()), log.as_deref())
        }
    }
}

/// The log of this run. Where there can be none (a state folder that cannot be written), whoever
/// needs that folder will say so.
fn begin_log(typed: &[String]) -> Option<Arc<Log>> {
    let log = Log::begin(typed).ok()?;
    typed.iter().filter(|arg| is_uri(arg)).for_each(|uri| log.hide(uri));
    log.watch_panics();
    Some(log)
}

/// `--config FILE` may stand before the command too, where clap would take it for the beginning
/// of the sources of the screens.
fn config_last(mut args: Vec<OsString>) -> Vec<OsString> {
    let first = args.get(1).and_then(|arg| arg.to_str()).unwrap_or_default();
    let parts = if first == "--config" { 2 } else { usize::from(first.starts_with("--config=")) };
    if args.len() > 1 + parts {
        args[1..].rotate_left(parts);
    }
    args
}

fn show(mut args: args::ScreensArgs, named: Option<&Path>, log: Option<Arc<Log>>) -> Result<()> {
    let mut config = Config::load(named)?;
    config.expand(&mut args.sources)?;
    hide(&args.sources, log.as_deref());
    commands::screens::run(&args, config, log)
}

/// The connection strings of profiles hold secrets too.
fn hide(sources: &[Source], log: Option<&Log>) {
    for source in sources {
        if let (Source::Live(uri), Some(log)) = (source, log) {
            log.hide(uri);
        }
    }
}

fn carry_out(mut command: Command, named: Option<&Path>, log: Option<Arc<Log>>) -> Result<()> {
    // These need no configuration, and one that is wrong does not stand in their way.
    match &command {
        Command::Targets(args) => return commands::targets::run(args),
        Command::Report(args) => return commands::report::run(args),
        Command::Doctor(args) => return commands::doctor::run(args, Config::load(named)),
        _ => {}
    }
    let mut config = Config::load(named)?;
    if let Some(sources) = command.sources() {
        config.expand(sources)?;
        hide(sources, log.as_deref());
    }
    match command {
        Command::Snapshots(args) => commands::snapshots::run(&args),
        Command::Ops(args) => commands::ops::run(&args),
        Command::Suspects(args) => commands::suspects::run(&args, config),
        Command::Plan(args) => commands::plan::run(&args, config),
        Command::Diff(args) => commands::diff::run(&args, config),
        Command::History(args) => commands::history::run(&args),
        Command::Mark(args) => commands::mark::run(&args),
        Command::Note(args) => commands::note::run(&args),
        Command::States(args) => commands::states::run(&args, config),
        Command::Restore(args) => commands::restore::run(&args, config),
        Command::Demo(args) => commands::demo::run(&args, config, log),
        Command::Archive(args) => commands::archive::run(&args, config),
        Command::Generate(_) | Command::Targets(_) | Command::Report(_) | Command::Doctor(_) => Ok(()),
    }
}

/// The exit code; an error is printed, and both are written down.
fn ended(done: Result<()>, log: Option<&Log>) -> ExitCode {
    let note = |text: &str| log.iter().for_each(|log| log.note(text));
    match &done {
        Ok(()) => note("done"),
        Err(error) => note(&format!("ended with {}: {error}", error.class.exit_code())),
    }
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
