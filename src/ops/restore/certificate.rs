//! The certificate of a restore: what went in, with checksums; what was done; what was found when
//! it was read back. As JSON for programs and as Markdown for people, beside the result.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use xxhash_rust::xxh3::Xxh3;

use super::job::{Job, Outcome, write};
use crate::case::write_private;
use crate::domain::text::{bytes, count, visible};
use crate::domain::{Error, Result};
use crate::engine::input::Region;
use crate::ops::Workspace;
use crate::source::Snapshot;

/// A file that was read.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Input {
    /// Which one; a compressed one counts as unpacked.
    pub file: PathBuf,
    /// Bytes of it that were used: a dump's archive and overlapping slices are used in parts.
    pub bytes: u64,
    /// XXH3 with 128 bits over these bytes, 32 hexadecimal digits (`xxh128sum` says the same of a
    /// file that was used whole).
    pub xxh3_128: String,
}

/// The files behind a restore from this snapshot. Reads them all once.
pub(super) fn inputs(workspace: &Workspace, snapshot: &Snapshot) -> Vec<Input> {
    let regions = snapshot.base.collections.iter().flat_map(|c| &c.data).chain(workspace.oplog.pieces());
    let mut files: Vec<(&Path, Vec<&Region>)> = Vec::new();
    for region in regions {
        match files.iter_mut().find(|(file, _)| *file == region.origin()) {
            Some((_, parts)) => parts.push(region),
            None => files.push((region.origin(), vec![region])),
        }
    }
    let input = |(file, mut parts): (&Path, Vec<&Region>)| {
        parts.sort_by_key(|part| part.offset());
        let mut hash = Xxh3::new();
        parts.iter().for_each(|part| hash.update(part.bytes()));
        Input {
            file: file.to_owned(),
            bytes: parts.iter().map(|part| part.len() as u64).sum(),
            xxh3_128: format!("{:032x}", hash.digest128()),
        }
    };
    files.into_iter().map(input).collect()
}

/// Writes both forms into the restore's folder and gives the path of the one for people. To be
/// called once the outcome is complete.
pub(super) fn issue(dir: &Path, job: &Job, outcome: &Outcome) -> Result<PathBuf> {
    let certificate = json!({
        "kind": "certificate",
        "verified": outcome.exit == 0,
        "restore": job.id,
        "issued": chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
        "pitstop": env!("CARGO_PKG_VERSION"),
        "inputs": outcome.inputs,
        "plan": outcome.plan,
        "how": job.how,
        "selection": { "only": job.ns, "except": job.ns_exclude, "renames": job.ns_rename },
        "restored": outcome.restored,
        "phases": outcome.phases,
        "seconds": outcome.seconds,
        "verification": outcome.verification,
        "error": outcome.error,
        "notes": outcome.notes,
    });
    write(&dir.join("certificate.json"), &certificate)?;
    let path = dir.join("certificate.md");
    let text = markdown(&certificate, job, outcome)
        .map_err(|e| Error::failed("writing the certificate", path.display(), e))?;
    write_private(&path, text.as_bytes())?;
    Ok(path)
}

/// Foreign text in a table or a sentence: nothing in it can end a cell or begin a markup.
fn cell(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Null => "-".to_owned(),
        other => other.to_string(),
    };
    let mut out = String::new();
    for c in visible(&text).chars() {
        if matches!(c, '|' | '`' | '*' | '_' | '<' | '>' | '[' | ']' | '\\' | '#') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

fn markdown(
    certificate: &Value,
    job: &Job,
    outcome: &Outcome,
) -> std::result::Result<String, std::fmt::Error> {
    let at = |path: &str| certificate.pointer(path).unwrap_or(&Value::Null);
    let number = |value: &Value, path: &str| value.pointer(path).and_then(Value::as_u64).unwrap_or(0);
    let mut out = String::new();
    writeln!(out, "# Restore {}\n", cell(at("/restore")))?;
    match &outcome.error {
        None => writeln!(
            out,
            "**Verified**: what was read back is what the sources say, document by document.\n"
        )?,
        Some(problem) => writeln!(out, "**NOT VERIFIED**: {}\n", cell(&problem.cause.clone().into()))?,
    }
    writeln!(out, "Issued {} by pitstop {}.\n", cell(at("/issued")), cell(at("/pitstop")))?;

    writeln!(out, "## The stop\n")?;
    writeln!(out, "Before {} ({}).\n", cell(at("/plan/stop/pos")), cell(at("/plan/stop/time")))?;
    writeln!(out, "| | position | what | namespace | \\_id |\n|---|---|---|---|---|")?;
    for (label, path) in [("last applied", "last_applied"), ("first left out", "first_left_out")] {
        let op = at("/plan/stop").get(path).unwrap_or(&Value::Null);
        let part = |name: &str| cell(op.get(name).unwrap_or(&Value::Null));
        writeln!(out, "| {label} | {} | {} | {} | {} |", part("pos"), part("kind"), part("ns"), part("_id"))?;
    }

    writeln!(out, "\n## The plan\n")?;
    writeln!(
        out,
        "Snapshot {} (MongoDB {}, its own log ends at {}); {} entries of the log from {}; target {}.",
        cell(at("/plan/snapshot/id")),
        cell(at("/plan/snapshot/server_version")),
        cell(at("/plan/snapshot/edge")),
        count(number(certificate, "/plan/cost/oplog_entries")),
        cell(at("/plan/from")),
        cell(at("/plan/target")),
    )?;
    for (what, path) in
        [("only", "/selection/only"), ("except", "/selection/except"), ("renamed", "/selection/renames")]
    {
        if at(path).as_array().is_some_and(|list| !list.is_empty()) {
            writeln!(out, "\n{what}: {}", cell(at(path)))?;
        }
    }

    for line in job.how.lines() {
        writeln!(out, "\nAsked for: {}", cell(&line.into()))?;
    }

    writeln!(out, "\n## What went in\n\n| file | bytes | XXH3-128 |\n|---|---:|---|")?;
    for input in &outcome.inputs {
        let file = cell(&input.file.to_string_lossy().into_owned().into());
        writeln!(out, "| {file} | {} | {} |", count(input.bytes), input.xxh3_128)?;
    }

    writeln!(
        out,
        "\n## What was read back\n\n| namespace | documents | bytes | sum of hashes | dbHash | |\n|---|---:|---:|---|---|---|"
    )?;
    for check in at("/verification/collections").as_array().into_iter().flatten() {
        let part = |name: &str| cell(check.get(name).unwrap_or(&Value::Null));
        let differences = check.get("differences").and_then(Value::as_array);
        let result = match differences.filter(|all| !all.is_empty()) {
            Some(all) => all.iter().map(cell).collect::<Vec<_>>().join("; "),
            None => "equal, with indexes and options".to_owned(),
        };
        writeln!(
            out,
            "| {} | {} | {} | {} | {} | {result} |",
            part("ns"),
            count(number(check, "/found/count")),
            count(number(check, "/found/bytes")),
            cell(check.pointer("/found/sum").unwrap_or(&Value::Null)),
            part("db_hash")
        )?;
    }

    let queries = at("/verification/queries").as_array().filter(|all| !all.is_empty());
    if let Some(queries) = queries {
        writeln!(
            out,
            "\n## What was checked\n\n| check | namespace | must find | found | |\n|---|---|---|---:|---|"
        )?;
        for query in queries {
            let part = |name: &str| cell(query.get(name).unwrap_or(&Value::Null));
            let result =
                if query.get("ok") == Some(&Value::Bool(true)) { "as it must be" } else { "**FAILED**" };
            let (name, ns, expect) = (part("name"), part("ns"), part("expect"));
            writeln!(out, "| {name} | {ns} | {expect} | {} | {result} |", count(number(query, "/found")))?;
        }
    }

    writeln!(
        out,
        "\n## Phases\n\n| phase | seconds | items | bytes | per second |\n|---|---:|---:|---:|---:|"
    )?;
    let ends = outcome.phases.iter().skip(1).map(|p| p.began).chain([outcome.seconds]);
    for (phase, end) in outcome.phases.iter().zip(ends) {
        let seconds = (end - phase.began).max(0.0);
        let rate =
            if seconds > 0.001 { bytes((phase.bytes as f64 / seconds) as u64) } else { "-".to_owned() };
        let name = serde_json::to_value(phase.phase).unwrap_or_default();
        writeln!(
            out,
            "| {} | {seconds:.2} | {} | {} | {rate} |",
            cell(&name),
            count(phase.done),
            bytes(phase.bytes)
        )?;
    }
    if !outcome.notes.is_empty() {
        writeln!(out, "\n## Notes\n")?;
        outcome.notes.iter().try_for_each(|note| writeln!(out, "- {}", cell(&note.clone().into())))?;
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_cannot_leave_its_cell() {
        let said = cell(&"a|b\n# c `x` \u{1b}[2J".into());
        assert!(!said.contains('\n') && !said.contains('\u{1b}') && said.starts_with("a\\|b"), "{said}");
    }
}
