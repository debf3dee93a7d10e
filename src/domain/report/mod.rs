//! The post-mortem: what a case's journal and the results of its restores amount to. Pure: takes
//! events as JSON, gives a report as data; [`markdown`] writes it down.

mod markdown;

#[cfg(test)]
mod tests;

use chrono::DateTime;
use serde_json::{Map, Value};

pub use markdown::markdown;

use super::marks::{Mark, NOTE, REMOVED, SET, marks};

/// A post-mortem.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Report {
    /// The case's name.
    pub case: String,
    /// The sources it was opened with, without secrets.
    pub sources: Vec<String>,
    /// When pitstop first looked, RFC 3339 in UTC.
    pub began: Option<String>,
    /// The stop that was restored to, else planned last.
    pub stop: Option<String>,
    /// The act that begins at that stop: namespace, what, first, last, time, documents.
    pub incident: Option<Value>,
    /// What follows the stop: operations and documents, of the incident and good ones.
    pub left_out: Option<Value>,
    /// The same stop for other tools.
    pub other_tools: Option<Value>,
    /// What was done, in order.
    pub timeline: Vec<Step>,
    /// The marks, by position.
    pub marks: Vec<Mark>,
    /// The restores, in order.
    pub restores: Vec<Restore>,
    /// Seconds from the first look to the first time the stop was on the table.
    pub seconds_to_find: Option<f64>,
    /// Seconds that the restore took, verification included.
    pub seconds_to_restore: Option<f64>,
    /// Seconds from the first look to the verified restore.
    pub seconds_in_all: Option<f64>,
}

/// One thing that was done.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Step {
    /// When, RFC 3339 in UTC.
    pub time: String,
    /// The journal's word for it.
    pub event: String,
    /// What, in words; foreign text in it is as it came.
    pub text: String,
}

/// One restore.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Restore {
    /// Its id.
    pub id: String,
    /// When it began.
    pub began: String,
    /// When it ended; `None` = nothing says that it did.
    pub ended: Option<String>,
    /// Where it stopped.
    pub pos: String,
    /// Where it went, without secrets.
    pub target: String,
    /// Its exit code; 0 = complete and verified.
    pub exit: Option<u64>,
    /// What went wrong.
    pub error: Option<String>,
    /// The snapshot it began with.
    pub snapshot: Option<String>,
    /// Collections that were read back and compared.
    pub collections: u64,
    /// Their documents.
    pub documents: u64,
    /// Names of collections in which the comparison found differences.
    pub differing: Vec<String>,
    /// Seconds from start to end.
    pub seconds: Option<f64>,
    /// Things to know: what was passed over, what was accepted without proof.
    pub notes: Vec<String>,
}

/// Makes the report of a case from the events of its journal and, by the id of each restore,
/// its result.
pub fn report(case: &str, events: &[Value], results: &Map<String, Value>) -> Report {
    let restores: Vec<Restore> =
        events.iter().filter(|e| is(e, "restore-begins")).map(|e| restore(e, events, results)).collect();
    let done = restores.iter().rev().find(|r| r.exit == Some(0)).or(restores.last());
    let planned = events.iter().rev().find(|e| is(e, "plan"));
    let stop = done.map(|r| r.pos.clone()).or_else(|| planned.and_then(|e| text(e, "pos")));
    let at_stop = |e: &&Value| stop.is_some() && text(e, "pos") == stop;
    let plan = events.iter().rev().find(|e| is(e, "plan") && at_stop(e));
    let some = |value: Option<&Value>| value.filter(|v| !v.is_null()).cloned();
    let suspect = |e: &Value| {
        let worst = e.get("worst").and_then(Value::as_array)?;
        worst.iter().find(|burst| stop.is_some() && text(burst, "stop") == stop).cloned()
    };
    let incident = some(plan.and_then(|e| e.get("incident")))
        .or_else(|| events.iter().rev().filter(|e| is(e, "suspects")).find_map(suspect));
    let began = events.first().and_then(|e| text(e, "time"));
    let found = events.iter().find(|e| match event(e) {
        "suspects" => suspect(e).is_some(),
        "plan" | "diff" | "restore-begins" => at_stop(e),
        _ => false,
    });
    let verified = done.filter(|r| r.exit == Some(0));
    Report {
        case: case.to_owned(),
        sources: events.iter().rev().find(|e| is(e, "opened")).map(sources).unwrap_or_default(),
        seconds_to_find: between(began.as_deref(), found.and_then(|e| text(e, "time")).as_deref()),
        seconds_to_restore: verified
            .and_then(|r| r.seconds.or_else(|| between(Some(&r.began), r.ended.as_deref()))),
        seconds_in_all: verified.and_then(|r| between(began.as_deref(), r.ended.as_deref())),
        began,
        incident,
        left_out: some(plan.and_then(|e| e.get("left_out"))),
        other_tools: some(plan.and_then(|e| e.get("other_tools"))),
        timeline: events.iter().filter_map(step).collect(),
        marks: marks(events),
        stop,
        restores,
    }
}

fn event(e: &Value) -> &str {
    e.get("event").and_then(Value::as_str).unwrap_or_default()
}

fn is(e: &Value, name: &str) -> bool {
    event(e) == name
}

fn text(e: &Value, name: &str) -> Option<String> {
    e.get(name).and_then(Value::as_str).map(str::to_owned)
}

fn sources(e: &Value) -> Vec<String> {
    let list = e.get("sources").and_then(Value::as_array).into_iter().flatten();
    list.filter_map(|source| source.as_str().map(str::to_owned)).collect()
}

/// Seconds between two times.
fn between(from: Option<&str>, to: Option<&str>) -> Option<f64> {
    let time = |text: &str| DateTime::parse_from_rfc3339(text).ok();
    let took = time(to?)?.signed_duration_since(time(from?)?);
    Some(took.num_milliseconds() as f64 / 1000.0)
}

fn restore(begins: &Value, events: &[Value], results: &Map<String, Value>) -> Restore {
    let id = text(begins, "restore").unwrap_or_default();
    let ends = events.iter().find(|e| is(e, "restore-ends") && text(e, "restore").as_deref() == Some(&id));
    let result = results.get(&id);
    let at = |path: &str| result.and_then(|r| r.pointer(path));
    let checks: Vec<&Value> =
        at("/verification/collections").and_then(Value::as_array).into_iter().flatten().collect();
    let differs = |check: &&&Value| {
        check.get("differences").and_then(Value::as_array).is_some_and(|list| !list.is_empty())
    };
    let listed = |path: &str| at(path).and_then(Value::as_array).into_iter().flatten();
    let mut notes: Vec<String> = Vec::new();
    for note in listed("/plan/notes").chain(listed("/notes")).filter_map(Value::as_str) {
        if !notes.iter().any(|known| known == note) {
            notes.push(note.to_owned());
        }
    }
    Restore {
        began: text(begins, "time").unwrap_or_default(),
        ended: ends.and_then(|e| text(e, "time")),
        pos: text(begins, "pos").unwrap_or_default(),
        target: text(begins, "target").unwrap_or_default(),
        exit: ends.and_then(|e| e.get("exit")).and_then(Value::as_u64),
        error: ends.and_then(|e| text(e, "error")),
        snapshot: at("/plan/snapshot/id").and_then(Value::as_str).map(str::to_owned),
        collections: checks.len() as u64,
        documents: checks.iter().filter_map(|c| c.pointer("/found/count").and_then(Value::as_u64)).sum(),
        differing: checks.iter().filter(differs).filter_map(|c| text(c, "ns")).collect(),
        seconds: at("/seconds").and_then(Value::as_f64),
        notes,
        id,
    }
}

/// An event in words.
fn step(e: &Value) -> Option<Step> {
    let word = |name: &str| text(e, name).unwrap_or_default();
    let number = |name: &str| e.get(name).and_then(Value::as_u64).unwrap_or(0);
    let said = match event(e) {
        "opened" => format!("opened {}", sources(e).join(", ")),
        "accepted-unproven" => format!(
            "accepted joints without proof: {}",
            e.get("joints").map(Value::to_string).unwrap_or_default()
        ),
        "suspects" => format!("looked for damage: {} suspects", number("found")),
        "search" => {
            let more = e.get("limited").and_then(Value::as_bool) == Some(true);
            let least = if more { "at least " } else { "" };
            format!("searched for {:?}: {least}{} operations", word("query"), number("matched"))
        }
        "history" => format!("followed {} in {}: {} versions", word("id"), word("ns"), number("versions")),
        "stop" => format!("chose the stop before {}", word("pos")),
        "plan" => format!("planned the stop before {}", word("pos")),
        "diff" => format!(
            "compared the stop before {} with {}: {} documents come back, {} change back, {} go away, {} conflicts",
            word("pos"),
            word("against"),
            number("comes_back"),
            number("changes_back"),
            number("goes_away"),
            number("conflicts")
        ),
        "states" => format!("looked at {} states", e.get("at").and_then(Value::as_array).map_or(0, Vec::len)),
        NOTE => format!("noted: {}", word("text")),
        "export" => format!("wrote {} to {}", word("what"), word("file")),
        SET => format!("marked {} as {:?}: {}", word("pos"), word("name"), word("note")),
        REMOVED => format!("took the mark {:?} away", word("name")),
        "restore-begins" => {
            format!(
                "restore {} to the stop before {} into {} began",
                word("restore"),
                word("pos"),
                word("target")
            )
        }
        "restore-ends" => match e.get("exit").and_then(Value::as_u64) {
            Some(0) => format!("restore {} is complete and verified", word("restore")),
            _ => format!("restore {} failed: {}", word("restore"), word("error")),
        },
        other => other.to_owned(),
    };
    Some(Step { time: text(e, "time")?, event: event(e).to_owned(), text: said })
}
