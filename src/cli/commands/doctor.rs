//! `pitstop doctor`: whether a restore would work tonight; exit code 1 when something is wrong.

use crate::cli::args::DoctorArgs;
use crate::cli::config::{Config, SETTINGS};
use crate::cli::output::{Out, with_kind};
use crate::domain::progress::Meter;
use crate::domain::text::{counted, visible};
use crate::domain::{Error, Result};
use crate::ops::doctor::{Check, DoctorOptions, Verdict, doctor};

/// Runs it. A configuration that is wrong is a finding like any other.
pub fn run(args: &DoctorArgs, config: Result<Config>) -> Result<()> {
    let (mut config, mut checks) = match config {
        Ok(config) => (config, Vec::new()),
        Err(error) => (Config::default(), vec![wrong_configuration(&error)]),
    };
    let mut sources = args.sources.clone();
    config.expand(&mut sources)?;
    config.flag("criticality", args.criticality.as_ref());
    if checks.is_empty() {
        checks.extend(configured(&config));
    }
    let options = DoctorOptions {
        sources,
        case: args.case.clone(),
        criticality: config.criticality(),
        mongod: config.mongod(),
    };
    checks.extend(doctor(&options, &Meter::default())?);
    let mut out = Out::new();
    for check in &checks {
        if args.json {
            out.json(&with_kind(check, "check"))?;
            continue;
        }
        let verdict = match check.verdict {
            Verdict::Fine => "fine ",
            Verdict::Note => "note ",
            Verdict::Wrong => "WRONG",
        };
        out.line(format_args!("{verdict}  {:<13} {}", check.check, visible(&check.found)))?;
        if !check.hint.is_empty() {
            out.line(format_args!("       {:<13} {}", "", visible(&check.hint)))?;
        }
    }
    out.flush()?;
    match checks.iter().filter(|c| c.verdict == Verdict::Wrong).count() as u64 {
        0 => Ok(()),
        n => Error::failed(
            "checking",
            "",
            counted(n, "thing") + if n == 1 { " is wrong" } else { " are wrong" },
        )
        .hint("each line marked WRONG says what to do.")
        .err(),
    }
}

/// What holds, and who said so.
fn configured(config: &Config) -> Vec<Check> {
    let fine = |check, found| Check { check, verdict: Verdict::Fine, found, hint: String::new() };
    let file = match config.path() {
        Some(path) => format!("{path:?}"),
        None => "no file: all by default, unless said otherwise".to_owned(),
    };
    let mut out = vec![fine("configuration", file)];
    for setting in SETTINGS {
        let (text, origin) = config.get(setting);
        out.push(fine("setting", format!("{} = {}, by {origin}", setting.name, setting.written(text))));
    }
    if config.rebound() > 0 {
        out.push(fine(
            "keys",
            format!("{} bound otherwise than by default", counted(config.rebound() as u64, "action")),
        ));
    }
    out
}

fn wrong_configuration(error: &Error) -> Check {
    Check {
        check: "configuration",
        verdict: Verdict::Wrong,
        found: format!("{}: {}", error.place, error.cause),
        hint: error.hint.clone(),
    }
}
