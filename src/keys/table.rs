//! THE table of actions: one row for each action in each context. Everything that shows, explains
//! or dispatches a key reads these rows.

/// Where keys mean something. Several are active at once; the innermost is asked first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Context {
    /// The list of snapshots.
    Snapshots,
    /// The timeline of operations.
    Timeline,
    /// The list of suspects.
    Suspects,
    /// The panel that shows the chosen stop.
    Stop,
    /// An op or a version with its document.
    Change,
    /// The versions of a document.
    History,
    /// What going back would change.
    Preview,
    /// Named places in the oplog.
    Marks,
    /// The states at several times.
    States,
    /// The plan of a restore.
    Plan,
    /// A restore that runs.
    Restore,
    /// A restore that has ended.
    Result,
    /// A question with No and Yes.
    Confirm,
    /// A line to type into.
    Prompt,
    /// The list of all actions.
    Palette,
    /// A choice of a few things.
    Menu,
    /// A text to read.
    Detail,
    /// Everything that can be moved through.
    List,
    /// Everywhere.
    Global,
}

impl Context {
    /// All of them, in the order of the README.
    pub const ALL: [Context; 19] = [
        Context::Snapshots,
        Context::Timeline,
        Context::Suspects,
        Context::Stop,
        Context::Change,
        Context::History,
        Context::Preview,
        Context::Marks,
        Context::States,
        Context::Plan,
        Context::Restore,
        Context::Result,
        Context::Confirm,
        Context::Prompt,
        Context::Palette,
        Context::Menu,
        Context::Detail,
        Context::List,
        Context::Global,
    ];

    /// Its heading.
    pub fn title(self) -> &'static str {
        match self {
            Context::Snapshots => "Snapshots",
            Context::Timeline => "Timeline",
            Context::Suspects => "Suspects",
            Context::Stop => "The stop",
            Context::Change => "An op and its document",
            Context::History => "History of a document",
            Context::Preview => "Preview",
            Context::Marks => "Marks",
            Context::States => "States",
            Context::Plan => "Plan",
            Context::Restore => "A running restore",
            Context::Result => "The result",
            Context::Confirm => "A question",
            Context::Prompt => "Typing",
            Context::Palette => "All actions",
            Context::Menu => "A choice",
            Context::Detail => "Reading",
            Context::List => "Moving",
            Context::Global => "Everywhere",
        }
    }
}

/// What can be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)] // Each is documented by its rows, for users and readers alike.
pub enum Action {
    Open,
    Search,
    SearchNext,
    SearchPrevious,
    Filter,
    ClearFilter,
    NextSuspect,
    PreviousSuspect,
    NextEdge,
    PreviousEdge,
    GoTo,
    ZoomIn,
    ZoomOut,
    ZoomFit,
    BarLeft,
    BarRight,
    Fold,
    FoldAll,
    History,
    LocalTime,
    StopBefore,
    StopAfter,
    StopEarlier,
    StopLater,
    BurstEarlier,
    BurstLater,
    StopAt,
    NearestStop,
    ShowStop,
    Preview,
    Plan,
    OtherPane,
    Against,
    Export,
    Mark,
    EditMark,
    RemoveMark,
    Choose,
    ShowThere,
    Where,
    OneDocument,
    Namespaces,
    Earlier,
    Later,
    Case,
    Note,
    Report,
    NextTarget,
    NameTarget,
    Ask,
    CancelRestore,
    Retry,
    Switch,
    SwitchBack,
    PickNo,
    PickYes,
    Accept,
    Up,
    Down,
    PageUp,
    PageDown,
    Top,
    Bottom,
    ScreenSnapshots,
    ScreenTimeline,
    ScreenSuspects,
    ScreenPreview,
    ScreenRestore,
    ScreenMarks,
    ScreenStates,
    Copy,
    Errors,
    Help,
    Palette,
    Back,
    Quit,
    Interrupt,
    Suspend,
    Redraw,
}

/// Whether an action can change anything outside this program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Danger {
    /// It only looks.
    None,
    /// It writes or ends something; a question with No preselected stands before it.
    Asks,
}

/// One action in one context.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// What is done.
    pub action: Action,
    /// Where.
    pub context: Context,
    /// The keys that do it, the one shown first in front.
    pub keys: &'static [&'static str],
    /// A word or two for the footer; empty = help only.
    pub short: &'static str,
    /// Its name, in help and palette.
    pub title: &'static str,
    /// What it does, a line.
    pub doc: &'static str,
    /// What it can do to the world.
    pub danger: Danger,
}

/// The row of an action in the first of these contexts that has it.
pub fn row(contexts: &[Context], action: Action) -> Option<&'static Row> {
    contexts.iter().find_map(|c| ACTIONS.iter().find(|r| r.context == *c && r.action == action))
}

const fn looks(
    context: Context,
    action: Action,
    keys: &'static [&'static str],
    short: &'static str,
    title: &'static str,
    doc: &'static str,
) -> Row {
    Row { action, context, keys, short, title, doc, danger: Danger::None }
}

const fn asks(
    context: Context,
    action: Action,
    keys: &'static [&'static str],
    short: &'static str,
    title: &'static str,
    doc: &'static str,
) -> Row {
    Row { action, context, keys, short, title, doc, danger: Danger::Asks }
}

use Action as A;
use Context as C;

/// The table. Within a context the order is that of the footer.
#[rustfmt::skip]
pub const ACTIONS: &[Row] = &[
    looks(C::Snapshots, A::Open, &["Enter"], "timeline", "Look at its oplog", "Take this snapshot as base and show what happened after it."),
    looks(C::Timeline, A::Search, &["/"], "search", "Search", "Jump to the next op that a query matches: op:delete ns:shop.* id:42 words /regex/."),
    looks(C::Timeline, A::NextSuspect, &["]"], "next suspect", "Next suspect", "Jump to the next burst that looks like damage."),
    looks(C::Timeline, A::StopBefore, &["s"], "stop before", "Stop before this op", "Choose the stop so that this op or burst is the first one left out."),
    looks(C::Timeline, A::Preview, &["d"], "preview", "Preview", "Show what going back to the stop would change, without a restore."),
    asks(C::Timeline, A::Plan, &["r"], "restore", "Restore", "Plan a restore to the stop; asks before anything is written."),
    looks(C::Timeline, A::Open, &["Enter"], "open", "Open", "Open a burst; show what an op changed, its document before and after."),
    looks(C::Timeline, A::History, &["v"], "history", "History", "Show every version of the document that this op is about."),
    looks(C::Timeline, A::Fold, &["Space"], "", "Open or close the burst", "Show the ops of a burst, or fold them into one row again."),
    looks(C::Timeline, A::FoldAll, &["o"], "", "Bursts or single ops", "Fold all bursts, or show every op by itself."),
    looks(C::Timeline, A::Filter, &["f"], "filter", "Filter", "Show only the ops that a query matches."),
    looks(C::Timeline, A::ZoomIn, &["+", "="], "zoom", "Zoom in", "Show less time in more detail."),
    looks(C::Timeline, A::ZoomOut, &["-"], "", "Zoom out", "Show more time."),
    looks(C::Timeline, A::ZoomFit, &["0"], "", "Show all", "Fit all of the oplog into the axis."),
    looks(C::Timeline, A::BarLeft, &["h", "Left"], "", "Bar to the left", "Jump to the ops of the bar to the left."),
    looks(C::Timeline, A::BarRight, &["l", "Right"], "", "Bar to the right", "Jump to the ops of the bar to the right."),
    looks(C::Timeline, A::GoTo, &["t"], "go to", "Go to a time", "Jump to a time or a position: 14:30, -2h, +10m, 2026-10-14T14:30:00Z, 1791988867:1, end."),
    looks(C::Timeline, A::SearchNext, &["n"], "", "Next match", "Jump to the next op that the search matches."),
    looks(C::Timeline, A::SearchPrevious, &["N"], "", "Previous match", "Jump to the previous op that the search matches."),
    looks(C::Timeline, A::ClearFilter, &["F"], "", "Clear the filter", "Show all ops again."),
    looks(C::Timeline, A::PreviousSuspect, &["["], "", "Previous suspect", "Jump to the previous burst that looks like damage."),
    looks(C::Timeline, A::NextEdge, &["}"], "", "Next gap or snapshot", "Jump to the next gap or snapshot."),
    looks(C::Timeline, A::PreviousEdge, &["{"], "", "Previous gap or snapshot", "Jump to the previous gap or snapshot."),
    looks(C::Timeline, A::StopAfter, &["S"], "", "Stop after this op", "Choose the stop so that this op or burst is the last one applied."),
    looks(C::Timeline, A::ShowStop, &["x"], "", "Show the stop", "Show the chosen stop with both its neighbours."),
    looks(C::Timeline, A::Mark, &["m"], "mark", "Mark", "Give the state before this op a name, and a note."),
    looks(C::Suspects, A::Open, &["Enter"], "show on timeline", "Show on the timeline", "Jump to its first op on the timeline."),
    looks(C::Suspects, A::StopBefore, &["s"], "stop before", "Stop before it", "Choose the stop so that its first op is the first one left out."),
    looks(C::Suspects, A::Mark, &["m"], "mark", "Mark", "Give the state before its first op a name, and a note."),
    looks(C::Stop, A::Preview, &["Enter", "d"], "preview", "Preview", "Show what going back to the stop would change, without a restore."),
    asks(C::Stop, A::Plan, &["r"], "restore", "Restore", "Plan a restore to the stop; asks before anything is written."),
    looks(C::Stop, A::StopEarlier, &["<", "Left", "h"], "one op earlier", "One op earlier", "Move the stop before the op that is the last applied."),
    looks(C::Stop, A::StopLater, &[">", "Right", "l"], "one op later", "One op later", "Move the stop behind the op that is the first left out."),
    looks(C::Stop, A::Mark, &["m"], "mark", "Mark", "Give the state at the stop a name, and a note."),
    asks(C::Preview, A::Plan, &["r"], "restore", "Restore", "Plan a restore to the stop; asks before anything is written."),
    looks(C::Stop, A::BurstEarlier, &["["], "one burst earlier", "One burst earlier", "Move the stop to where the burst before it begins or ends."),
    looks(C::Stop, A::BurstLater, &["]"], "one burst later", "One burst later", "Move the stop to where the burst behind it begins or ends."),
    looks(C::Stop, A::StopAt, &["t"], "to a time", "Stop at a time", "Type the time or position to stop before, or after."),
    looks(C::Stop, A::NearestStop, &["n"], "", "Nearest valid stop", "Move a stop that is not possible to the nearest one that is."),
    looks(C::Change, A::History, &["v"], "history", "History", "Show every version of this document."),
    looks(C::Change, A::StopBefore, &["s"], "stop before", "Stop before it", "Choose the stop so that this op is the first one left out."),
    looks(C::Change, A::Copy, &["y"], "copy", "Copy", "Copy the document before or after, the difference, or the op."),
    looks(C::Change, A::Back, &["Esc", "q"], "close", "Close", "Go back to what lies below."),
    looks(C::History, A::Open, &["Enter"], "show on timeline", "Show on the timeline", "Jump to the op that made this version."),
    looks(C::History, A::StopBefore, &["s"], "stop before", "Stop before this version", "Choose the stop so that this version is the first one left out."),
    looks(C::History, A::Fold, &["Space"], "read", "Read", "Show the whole document before and after."),
    looks(C::Preview, A::History, &["v"], "history", "History", "Show every version of the highlighted document."),
    looks(C::Preview, A::Open, &["Enter"], "open", "Open", "Go from the namespaces to the documents, and from there into one."),
    looks(C::Preview, A::OtherPane, &["Tab", "Shift-Tab", "Left", "Right"], "other pane", "Other pane", "Go between namespaces and documents."),
    looks(C::Preview, A::Filter, &["f"], "filter", "Filter", "Show only the documents that match: is:conflict field:price id:42 words /regex/."),
    looks(C::Preview, A::ClearFilter, &["F"], "", "Clear the filter", "Show all documents again."),
    looks(C::Preview, A::Search, &["/"], "find", "Find", "Jump to the next document here that holds some words."),
    looks(C::Preview, A::SearchNext, &["n"], "", "Next match", "Jump to the next document that holds them."),
    looks(C::Preview, A::SearchPrevious, &["N"], "", "Previous match", "Jump to the previous document that holds them."),
    looks(C::Preview, A::Against, &["a"], "compare with", "Compare with", "Choose the other side: the end, a mark, a time or a position."),
    asks(C::Preview, A::Export, &["e"], "export", "Export", "Write every document that differs to a new file, as NDJSON."),
    looks(C::Marks, A::Open, &["Enter"], "states", "States side by side", "Show what the chosen states hold; all of them where none is chosen."),
    looks(C::Marks, A::Choose, &["Space"], "choose", "Choose", "Take this one in, or leave it out again."),
    looks(C::Marks, A::StopBefore, &["s"], "stop here", "Stop here", "Choose this state as the stop."),
    asks(C::Marks, A::Plan, &["r"], "restore", "Restore", "Plan a restore of this state; asks before anything is written."),
    looks(C::Marks, A::ShowThere, &["t"], "show on timeline", "Show on the timeline", "Jump to the first op behind it."),
    looks(C::Marks, A::EditMark, &["e"], "", "Change the note", "Change what is noted about the highlighted mark."),
    looks(C::Marks, A::RemoveMark, &["x"], "", "Take away", "Ask, and then take the highlighted mark away."),
    looks(C::States, A::Where, &["f"], "count", "Count documents", "Count those that fulfil a condition: equality, ranges, $in, $exists."),
    looks(C::States, A::OneDocument, &["i"], "one document", "One document", "Show the document with an _id, as it was at each time."),
    looks(C::States, A::Namespaces, &["n"], "namespaces", "Namespaces", "Choose which namespaces to look at."),
    looks(C::States, A::Earlier, &["Left", "h"], "", "Earlier state", "Go to the state to the left."),
    looks(C::States, A::Later, &["Right", "l"], "", "Later state", "Go to the state to the right."),
    looks(C::States, A::Open, &["Enter"], "open", "Open", "Show the documents of the highlighted state in full."),
    looks(C::States, A::StopBefore, &["s"], "stop here", "Stop here", "Choose the highlighted state as the stop."),
    asks(C::States, A::Plan, &["r"], "restore", "Restore", "Plan a restore of the highlighted state; asks before anything is written."),
    asks(C::States, A::Export, &["e"], "export", "Export", "Write this table to a new file, as Markdown."),
    asks(C::Plan, A::Ask, &["Enter", "r"], "restore", "Restore", "Ask, and then restore by this plan."),
    looks(C::Plan, A::NextTarget, &["t"], "other target", "Other target", "Choose where the state goes: an isolated mongod, or a dump directory."),
    looks(C::Plan, A::NameTarget, &["T"], "", "A target of your own", "Name a folder for the dump directory; its name is asked for again before the restore."),
    looks(C::Restore, A::Back, &["Esc"], "leave it running", "Leave it running", "Go back; the restore is a process of its own and goes on."),
    asks(C::Restore, A::CancelRestore, &["x"], "cancel", "Cancel the restore", "Ask, and then stop the restore; what it has begun stays marked as incomplete."),
    looks(C::Result, A::Copy, &["y"], "copy", "Copy", "Copy how to connect, the folder, or the error."),
    looks(C::Confirm, A::Switch, &["Right", "Tab", "l"], "switch", "Next answer", "Go to the next answer, round and round."),
    looks(C::Confirm, A::SwitchBack, &["Left", "Shift-Tab", "h"], "", "Answer before", "Go to the answer before, round and round."),
    looks(C::Confirm, A::PickYes, &["y"], "to Yes", "To Yes", "Put the choice on Yes; Enter then confirms."),
    looks(C::Confirm, A::PickNo, &["n"], "to No", "To No", "Put the choice on No."),
    looks(C::Confirm, A::Accept, &["Enter"], "do what is chosen", "Do what is chosen", "Carry out the answer that is highlighted."),
    looks(C::Prompt, A::Accept, &["Enter"], "accept", "Accept", "Take what was typed."),
    looks(C::Palette, A::Accept, &["Enter"], "do it", "Do it", "Carry out the highlighted action."),
    looks(C::Palette, A::Up, &["Up"], "", "Up", "One action up."),
    looks(C::Palette, A::Down, &["Down"], "", "Down", "One action down."),
    looks(C::Menu, A::Accept, &["Enter"], "take it", "Take it", "Take the highlighted line."),
    looks(C::Detail, A::Back, &["Esc", "q"], "close", "Close", "Go back to what lies below."),
    looks(C::Detail, A::Copy, &["y"], "copy", "Copy", "Copy the whole text."),
    looks(C::Detail, A::Search, &["/"], "find", "Find", "Jump to the next line that holds some words."),
    looks(C::Detail, A::SearchNext, &["n"], "", "Next match", "Jump to the next line that holds them."),
    looks(C::Detail, A::SearchPrevious, &["N"], "", "Previous match", "Jump to the previous line that holds them."),
    looks(C::List, A::Up, &["k", "Up"], "", "Up", "One line up."),
    looks(C::List, A::Down, &["j", "Down"], "", "Down", "One line down."),
    looks(C::List, A::PageUp, &["Ctrl-u", "PageUp"], "", "Page up", "One page up."),
    looks(C::List, A::PageDown, &["Ctrl-d", "PageDown"], "", "Page down", "One page down."),
    looks(C::List, A::Top, &["g g", "Home"], "", "To the beginning", "To the first line."),
    looks(C::List, A::Bottom, &["G", "End"], "", "To the end", "To the last line."),
    looks(C::Global, A::Retry, &["R"], "try again", "Try again", "Do again what has failed on this screen."),
    looks(C::Global, A::Back, &["Esc"], "back", "Back", "One step back; never leaves the program."),
    looks(C::Global, A::Help, &["?"], "help", "Help", "Show all keys of this screen."),
    looks(C::Global, A::Palette, &[":", "Ctrl-p"], "", "All actions", "Find an action by its name."),
    looks(C::Global, A::Copy, &["y"], "", "Copy", "Copy the position, the stop for this and other tools, or what is shown."),
    looks(C::Global, A::LocalTime, &["u"], "", "Local time", "Show local time beside UTC, or only UTC."),
    looks(C::Global, A::ScreenSnapshots, &["1"], "", "Snapshots", "Show the snapshots."),
    looks(C::Global, A::ScreenTimeline, &["2"], "", "Timeline", "Show the timeline."),
    looks(C::Global, A::ScreenSuspects, &["3"], "", "Suspects", "Show the bursts that look like damage."),
    looks(C::Global, A::ScreenPreview, &["4"], "", "Preview", "Show what going back to the stop would change."),
    looks(C::Global, A::ScreenRestore, &["5"], "", "Restore", "Show the restore that runs or has ended."),
    looks(C::Global, A::ScreenMarks, &["6"], "", "Marks", "Show the marks: named places in the oplog."),
    looks(C::Global, A::ScreenStates, &["7"], "", "States", "Show the states at the marks side by side."),
    looks(C::Global, A::Case, &["C"], "", "The case so far", "Show what was found, decided and done in this case."),
    looks(C::Global, A::Note, &["#"], "", "Note", "Note something in the journal of the case."),
    asks(C::Global, A::Report, &["W"], "", "Write the post-mortem", "Write the post-mortem of this case to a new file, as Markdown."),
    looks(C::Global, A::Errors, &["!"], "", "Errors", "Show what went wrong so far."),
    looks(C::Global, A::Quit, &["q"], "quit", "Quit", "Leave; while a restore runs, asks whether to wait, leave it running, or cancel it."),
    looks(C::Global, A::Interrupt, &["Ctrl-c"], "", "Interrupt", "Stop what is awaited; twice leaves the program."),
    looks(C::Global, A::Suspend, &["Ctrl-z"], "", "Suspend", "Go back to the shell; fg returns."),
    looks(C::Global, A::Redraw, &["Ctrl-r", "Ctrl-l"], "", "Draw again", "Draw everything anew."),
];
