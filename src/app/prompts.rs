//! A line to type: what it is for, and who takes it.

use super::effect::Effect;
use super::finding;
use super::model::Model;
use super::overlay::Overlay;
use super::screens::{case, marks, plan, preview, states, timeline};
use super::text_field::TextField;

/// What is being typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    /// What for.
    pub purpose: Purpose,
    /// The line.
    pub field: TextField,
    /// Why it was not taken.
    pub problem: Option<String>,
}

/// What a line is typed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To jump to an op.
    Search,
    /// To narrow the list.
    Filter,
    /// To jump to a time.
    GoTo,
    /// To stop at a time.
    StopAt,
    /// To jump to a line of what is shown.
    Find,
    /// To narrow the documents of the preview.
    Documents,
    /// To choose the other side of the preview.
    Against,
    /// To name the file for the documents of the preview.
    ExportDiff,
    /// To name a mark.
    MarkName,
    /// To say something about it.
    MarkNote,
    /// To count documents in the states.
    Where,
    /// To see one document in them.
    Id,
    /// To narrow their namespaces.
    Namespaces,
    /// To name the file for them.
    ExportStates,
    /// To note something.
    Note,
    /// To name the file for the post-mortem.
    ExportReport,
    /// To name the folder a restore goes to.
    Target,
}

impl Purpose {
    /// Its name, and what it does.
    pub fn title(self) -> (&'static str, &'static str) {
        match self {
            Purpose::Search => ("Search", "jumps to the next op that matches"),
            Purpose::Filter => ("Filter", "shows only the ops that match; nothing shows all"),
            Purpose::GoTo => ("Go to", "14:30   -2h   +10m   2026-10-14T14:30:00Z   1791988867:1   end"),
            Purpose::StopAt => {
                ("Stop before", "14:30   after 14:30   -10m   1791988867:1   after 1791988867:1")
            }
            Purpose::Find => ("Find", "jumps to the next line that holds it, upper or lower case"),
            Purpose::Documents => ("Filter", "shows only the documents that match; nothing shows all"),
            Purpose::Against => ("Compare with", "a mark, 14:30, 2026-10-14T14:30:00Z, 1791988867:1, end"),
            Purpose::ExportDiff => ("Export", "every document that differs, as NDJSON, into a new file"),
            Purpose::MarkName => ("Mark", "a name for the state before this op"),
            Purpose::MarkNote => ("Mark", "what to remember about it; may be nothing"),
            Purpose::Where => ("Count", "documents like this; nothing counts all"),
            Purpose::Id => ("Show", "the document with this _id; nothing shows none"),
            Purpose::Namespaces => {
                ("Namespaces", "like these, blanks between; * is anything; nothing is all")
            }
            Purpose::ExportStates => ("Export", "this table, as Markdown, into a new file"),
            Purpose::Note => ("Note", "goes into the journal of the case, and into the post-mortem"),
            Purpose::Target => {
                ("Target", "a folder of your own for the dump directory; made if it is not there")
            }
            Purpose::ExportReport => ("Post-mortem", "of this case, as Markdown, into a new file"),
        }
    }

    /// What it looks like, or what else there is to know.
    pub fn example(self) -> &'static str {
        match self {
            Purpose::Search | Purpose::Filter => {
                "op:delete ns:shop.* id:42 after:14:00 before:15:00 size:>1k word /regex/ -not"
            }
            Purpose::GoTo => "every time is UTC",
            Purpose::StopAt => "a time means its whole second; every time is UTC",
            Purpose::Documents => {
                "is:comes-back is:changes-back is:goes-away is:conflict field:price id:42 word /regex/ -not"
            }
            Purpose::Against => "a time is the state before it; every time is UTC",
            Purpose::Where => {
                "{\"status\": \"paid\", \"total\": {\"$gte\": 10}}   $gt $gte $lt $lte $in $exists"
            }
            Purpose::Id => "42   \"text\"   65f0a1b2c3d4e5f6a7b8c9d0   {\"$numberLong\": \"42\"}",
            Purpose::Namespaces => "shop.*   shop.orders",
            Purpose::ExportDiff | Purpose::ExportStates | Purpose::ExportReport => {
                "it is for you alone (0600); nothing is ever written over"
            }
            Purpose::MarkName => "a mark of that name is moved",
            Purpose::Target => "/backups/recovered   the restore asks for its name before it begins",
            Purpose::Find | Purpose::MarkNote | Purpose::Note => "",
        }
    }

    /// Whether accepting it writes a file, which the line names.
    pub fn names_a_file(self) -> bool {
        matches!(self, Purpose::ExportDiff | Purpose::ExportStates | Purpose::ExportReport)
    }
}

/// Asks for a line, with something in it already.
pub fn ask(model: &mut Model, purpose: Purpose, before: &str) {
    let field = TextField::new(before);
    model.overlays.push(Overlay::Prompt(Prompt { purpose, field, problem: None }));
}

/// Something was typed and accepted; the error is a sentence for the prompt.
pub fn typed(model: &mut Model, purpose: Purpose, text: &str, out: &mut Vec<Effect>) -> Result<(), String> {
    match purpose {
        Purpose::Search | Purpose::Filter | Purpose::GoTo | Purpose::StopAt => {
            timeline::typed(model, purpose, text, out)
        }
        Purpose::Find => finding::typed(model, text),
        Purpose::Documents | Purpose::Against | Purpose::ExportDiff => {
            preview::typed(model, purpose, text, out)
        }
        Purpose::MarkName | Purpose::MarkNote => marks::typed(model, purpose, text, out),
        Purpose::Where | Purpose::Id | Purpose::Namespaces | Purpose::ExportStates => {
            states::typed(model, purpose, text, out)
        }
        Purpose::Target => plan::typed(model, text, out),
        Purpose::Note | Purpose::ExportReport => case::typed(model, purpose, text, out),
    }
}

/// The file that was named.
pub fn file(text: &str) -> Result<String, String> {
    match text {
        "" => Err("a file needs a name".into()),
        _ if text.ends_with('/') => Err("this is a folder: name a file in it".into()),
        _ => Ok(text.to_owned()),
    }
}
