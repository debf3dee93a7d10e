//! The key table of the README.

use std::fmt::Write;

use super::table::{ACTIONS, Context};

/// The table of actions as Markdown, a heading and a table for each context.
pub fn key_table() -> String {
    let mut out = String::new();
    for context in Context::ALL {
        let rows: Vec<_> = ACTIONS.iter().filter(|row| row.context == context).collect();
        if rows.is_empty() {
            continue;
        }
        let _ = writeln!(out, "**{}**\n\n| keys | action | |\n|---|---|---|", context.title());
        for row in rows {
            let keys: Vec<String> =
                row.keys.iter().map(|key| format!("`{}`", key.replace('|', "\\|"))).collect();
            let _ = writeln!(out, "| {} | {} | {} |", keys.join(" "), row.title, row.doc);
        }
        out.push('\n');
    }
    out
}
