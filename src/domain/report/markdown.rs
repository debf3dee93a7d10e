//! A report as Markdown. Foreign text is made visible and kept from being markup.

use serde_json::Value;

use super::Report;
use crate::domain::text::{count, counted, visible};

/// Writes it down.
pub fn markdown(report: &Report) -> String {
    let mut out = vec![format!("# Post-mortem of {}", safe(&report.case)), String::new()];
    incident(report, &mut out);
    numbers(report, &mut out);
    restores(report, &mut out);
    if !report.marks.is_empty() {
        head("Marks", &mut out);
        for mark in &report.marks {
            let note = mark.note.as_deref().unwrap_or_default();
            out.push(format!("- {} ({}) **{}** {}", mark.pos, mark.time, safe(&mark.name), safe(note)));
        }
    }
    head("The response", &mut out);
    out.extend(report.timeline.iter().map(|step| format!("- {}  {}", step.time, safe(&step.text))));
    if !report.sources.is_empty() {
        head("Sources", &mut out);
        out.extend(report.sources.iter().map(|source| format!("- {}", safe(source))));
    }
    out.push(String::new());
    out.join("\n")
}

fn head(title: &str, out: &mut Vec<String>) {
    out.extend([String::new(), format!("## {title}"), String::new()]);
}

/// Foreign text: nothing a terminal acts on, nothing Markdown reads as markup.
fn safe(text: &str) -> String {
    let mut out = String::new();
    for c in visible(text).chars() {
        if matches!(c, '\\' | '`' | '*' | '_' | '<' | '>' | '[' | ']' | '|' | '#' | '!') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

fn incident(report: &Report, out: &mut Vec<String>) {
    out.push("## The incident".to_owned());
    out.push(String::new());
    let Some(incident) = &report.incident else {
        out.push("No burst of operations is known to begin at the stop.".to_owned());
        return;
    };
    let word = |name: &str| safe(incident.get(name).and_then(Value::as_str).unwrap_or_default());
    let documents = incident.get("documents").and_then(Value::as_u64).unwrap_or(0);
    out.push(format!(
        "- {}: {} on {}, {}",
        word("time"),
        word("what"),
        word("ns"),
        counted(documents, "document")
    ));
    out.push(format!("- from {} to {}", word("first"), word("last")));
    match incident.get("session").and_then(Value::as_str) {
        Some(session) => out.push(format!("- session {} (the oplog names no user)", safe(session))),
        None => out.push("- the oplog names neither session nor user".to_owned()),
    }
}

fn numbers(report: &Report, out: &mut Vec<String>) {
    if let Some(stop) = &report.stop {
        head("The stop", out);
        out.push(format!("- before {}", safe(stop)));
        if let Some(tools) = &report.other_tools {
            let word = |name: &str| safe(tools.get(name).and_then(Value::as_str).unwrap_or_default());
            out.push(format!("- mongorestore --oplogReplay {}", word("mongorestore")));
            out.push(format!("- pbm restore {}", word("pbm")));
            out.push(format!("- Atlas {}", word("atlas")));
        }
        if let Some(left) = &report.left_out {
            let number = |name: &str| left.get(name).and_then(Value::as_u64).unwrap_or(0);
            out.push(format!(
                "- it leaves out {} on {}; {} on {} of them are not of the incident",
                counted(number("operations"), "operation"),
                counted(number("documents"), "document"),
                counted(number("good_operations"), "good write"),
                counted(number("good_documents"), "document")
            ));
        }
    }
    head("Times", out);
    let seconds = |value: Option<f64>| value.map_or("not known".to_owned(), |s| format!("{s:.1} s"));
    out.push(format!("- first look: {}", safe(report.began.as_deref().unwrap_or("not known"))));
    out.push(format!("- time to find: {}", seconds(report.seconds_to_find)));
    out.push(format!("- time to restore: {}", seconds(report.seconds_to_restore)));
    out.push(format!("- from the first look to the verified restore: {}", seconds(report.seconds_in_all)));
}

fn restores(report: &Report, out: &mut Vec<String>) {
    head("Restores", out);
    if report.restores.is_empty() {
        out.push("None.".to_owned());
    }
    for restore in &report.restores {
        out.push(format!(
            "- {}: before {} into {}",
            safe(&restore.id),
            safe(&restore.pos),
            safe(&restore.target)
        ));
        out.push(match (restore.exit, &restore.error) {
            (Some(0), _) => format!(
                "  - verified: {} documents in {} read back and equal",
                count(restore.documents),
                counted(restore.collections, "collection")
            ),
            (Some(exit), error) => {
                format!("  - failed with exit code {exit}: {}", safe(error.as_deref().unwrap_or_default()))
            }
            (None, _) => "  - not finished: nothing says that it ended".to_owned(),
        });
        if !restore.differing.is_empty() {
            out.push(format!("  - differences in {}", safe(&restore.differing.join(", "))));
        }
        if let Some(snapshot) = &restore.snapshot {
            out.push(format!("  - from snapshot {}", safe(snapshot)));
        }
        out.extend(restore.notes.iter().map(|note| format!("  - note: {}", safe(note))));
    }
}
