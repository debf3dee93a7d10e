//! The post-mortem of a case: its journal, and what became of its restores.

use serde_json::{Map, Value};

use crate::case::Case;
use crate::domain::Result;
use crate::domain::report::{Report, report as made_of};

/// Makes it.
pub fn report(case: &Case) -> Result<Report> {
    let events = case.journal().events()?;
    let mut results = Map::new();
    for event in &events {
        if let Some(id) = event.get("restore").and_then(Value::as_str)
            && let Some(result) = case.result(id)?
        {
            results.insert(id.to_owned(), result);
        }
    }
    Ok(made_of(&case.name(), &events, &results))
}
