//! `pitstop doctor`: whether a restore would work tonight; exit code 1 when something is wrong.

use crate::cli::args::DoctorArgs;
use crate::cli::config::Config;
use crate::cli::output::{Out, with_kind};
use crate::domain::progress::Meter;
use crate::domain::text::{counted, visible};
use crate::domain::{Error, Result};
use crate::ops::doctor::{Check, Criticality, DoctorOptions, Verdict, doctor};

/// Runs it.
pub fn run(args: &DoctorArgs) -> Result<()> {
    let (config, mut checks) = match Config::load() {
        Ok(config) => (config, Vec::new()),
        Err(error) => (Config::default(), vec![wrong_configuration(&error)]),
    };
    let criticality = match args.criticality.as_str() {
        "development" => Criticality::Development,
        "mission-critical" => Criticality::MissionCritical,
        _ => Criticality::Production,
    };
    let options = DoctorOptions {
        sources: args.sources.clone(),
        case: args.case.clone(),
        criticality,
        mongod: config.mongod,
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

fn wrong_configuration(error: &Error) -> Check {
    Check {
        check: "configuration",
        verdict: Verdict::Wrong,
        found: format!("{}: {}", error.place, error.cause),
        hint: error.hint.clone(),
    }
}
