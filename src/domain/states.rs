//! States at several times as data, and as a table: namespaces down, times across. The same lines
//! for a terminal and as Markdown, where foreign text is kept from being markup.

use serde_json::Value;

use super::namespace::Namespace;
use super::position::Position;
use super::stop::Stop;
use super::text::{count, visible};

/// A time somebody wants to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// Its name, if it is a mark.
    pub name: Option<String>,
    /// What somebody noted about it.
    pub note: Option<String>,
    /// Operations below this count.
    pub bound: Position,
}

impl Moment {
    /// What it is called: its name, else its position.
    pub fn title(&self) -> String {
        self.name.clone().unwrap_or_else(|| self.bound.to_string())
    }
}

/// One state.
#[derive(Debug, Clone, PartialEq)]
pub struct StateAt {
    /// Which time.
    pub moment: Moment,
    /// The same, between its neighbours.
    pub stop: Stop,
    /// The snapshot it was folded from.
    pub snapshot: String,
    /// What it holds, by name.
    pub namespaces: Vec<NamespaceState>,
}

impl StateAt {
    /// A namespace of it.
    pub fn namespace(&self, ns: &Namespace) -> Option<&NamespaceState> {
        self.namespaces.iter().find(|found| found.ns == *ns)
    }
}

/// A namespace of a state.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct NamespaceState {
    /// Its name.
    pub ns: Namespace,
    /// Its documents (of a time series: its buckets).
    pub documents: u64,
    /// Documents that fulfil the condition.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub matching: Option<u64>,
    /// The first of them, canonical Extended JSON.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub samples: Vec<Value>,
    /// The documents with the `_id` asked for, canonical Extended JSON.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub found: Vec<Value>,
}

impl NamespaceState {
    /// In numbers: all documents, or those that fulfil the condition of all.
    pub fn numbers(&self) -> String {
        match self.matching {
            Some(matching) => format!("{} of {}", count(matching), count(self.documents)),
            None => count(self.documents),
        }
    }
}

/// What was asked of the states, as it was typed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    /// The sources, without secrets.
    pub sources: Vec<String>,
    /// The namespaces; none = all.
    pub ns: Vec<String>,
    /// The condition on documents.
    pub condition: Option<String>,
    /// The `_id` of one document.
    pub id: Option<String>,
    /// The base, if not the newest possible.
    pub snapshot: Option<String>,
    /// How many documents that fulfil the condition are shown.
    pub limit: Option<usize>,
}

/// What the lines are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A terminal.
    Text,
    /// A file; with the command that gives the same again.
    Markdown,
}

/// All namespaces of some states, by name.
pub fn namespaces(states: &[StateAt]) -> Vec<&Namespace> {
    let mut names: Vec<&Namespace> = states.iter().flat_map(|s| s.namespaces.iter().map(|n| &n.ns)).collect();
    names.sort();
    names.dedup();
    names
}

/// The table, and the documents below it.
pub fn lines(states: &[StateAt], asked: &Asked, form: Form) -> Vec<String> {
    let markdown = form == Form::Markdown;
    let text = |text: &str| {
        let plain = visible(text).into_owned();
        if markdown {
            plain.replace('\\', "\\\\").replace('|', "\\|").replace('`', "\\`").replace('<', "\\<")
        } else {
            plain
        }
    };
    let title = |state: &StateAt| text(&state.moment.title());
    let mut out = Vec::new();
    if markdown {
        out.push("# States".to_owned());
        out.push(String::new());
    }
    for state in states {
        let note = state.moment.note.as_deref().map_or(String::new(), |note| format!(": {}", text(note)));
        let dash = if markdown { "- " } else { "" };
        out.push(format!(
            "{dash}{}  before {} ({}), from snapshot {}{note}",
            title(state),
            state.stop.bound,
            state.stop.time,
            text(&state.snapshot)
        ));
    }
    out.push(String::new());
    let row = |first: &str, cells: Vec<String>| {
        if markdown {
            format!("| {first} | {} |", cells.join(" | "))
        } else {
            let cells: Vec<String> = cells.iter().map(|c| format!("{c:>22}")).collect();
            format!("{first:<36}{}", cells.join(""))
        }
    };
    out.push(row("namespace", states.iter().map(title).collect()));
    if markdown {
        out.push(row("---", states.iter().map(|_| "---:".to_owned()).collect()));
    }
    for ns in namespaces(states) {
        let cell =
            |state: &StateAt| state.namespace(ns).map_or_else(|| "-".to_owned(), NamespaceState::numbers);
        out.push(row(&text(&ns.to_string()), states.iter().map(cell).collect()));
    }
    for state in states {
        for ns in &state.namespaces {
            for document in ns.samples.iter().chain(&ns.found) {
                out.push(String::new());
                out.push(format!("{}  {}", title(state), text(&ns.ns.to_string())));
                let document = visible(&document.to_string()).into_owned();
                out.push(if markdown { format!("\n    {document}") } else { format!("    {document}") });
            }
        }
        if asked.id.is_some() && state.namespaces.iter().all(|ns| ns.found.is_empty()) {
            out.push(String::new());
            out.push(format!("{}  no document of that _id", title(state)));
        }
    }
    if markdown {
        out.push(String::new());
        out.push("To see this again:".to_owned());
        out.push(String::new());
        out.push(format!("    {}", visible(&again(asked, states))));
    }
    out
}

/// The command that gives the same states again, whatever becomes of the marks.
fn again(asked: &Asked, states: &[StateAt]) -> String {
    let quoted = |text: &str| format!("'{}'", text.replace('\'', "'\\''"));
    let mut words = vec!["pitstop states".to_owned()];
    words.extend(asked.sources.iter().map(|source| quoted(source)));
    words.extend(states.iter().map(|s| format!("--at {}", s.stop.bound)));
    words.extend(asked.ns.iter().map(|ns| format!("--ns {}", quoted(ns))));
    words.extend(asked.condition.iter().map(|c| format!("--where {}", quoted(c))));
    words.extend(asked.id.iter().map(|id| format!("--id {}", quoted(id))));
    words.extend(asked.snapshot.iter().map(|id| format!("--snapshot {}", quoted(id))));
    words.extend(asked.limit.iter().map(|n| format!("--limit {n}")));
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(name: Option<&str>, inc: u32, documents: u64) -> StateAt {
        let bound = Position::new(1_791_988_867, inc);
        let namespace = NamespaceState {
            ns: Namespace::new("shop", "a|b"),
            documents,
            matching: None,
            samples: Vec::new(),
            found: Vec::new(),
        };
        StateAt {
            moment: Moment { name: name.map(str::to_owned), note: None, bound },
            stop: Stop { bound, time: bound.time(), last_applied: None, first_left_out: None },
            snapshot: "s".into(),
            namespaces: if documents == 0 { Vec::new() } else { vec![namespace] },
        }
    }

    #[test]
    fn a_table_with_what_is_not_there_and_the_command_to_see_it_again() {
        let states = [state(Some("good"), 1, 1999), state(None, 7, 0)];
        let asked = Asked { sources: vec!["it's".into()], ..Asked::default() };
        let markdown = lines(&states, &asked, Form::Markdown).join("\n");
        assert!(
            markdown.contains("| namespace | good | 1791988867:7 |\n| --- | ---: | ---: |"),
            "{markdown}"
        );
        assert!(markdown.contains("| shop.a\\|b | 1,999 | - |"), "{markdown}");
        assert!(
            markdown.contains("pitstop states 'it'\\''s' --at 1791988867:1 --at 1791988867:7"),
            "{markdown}"
        );
        let plain = lines(&states, &asked, Form::Text).join("\n");
        assert!(!plain.contains("pitstop") && plain.contains("shop.a|b"), "{plain}");
    }
}
