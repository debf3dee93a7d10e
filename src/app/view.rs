//! Where things are on a screen of a given size. Drawing and moving both need to know how many
//! rows a list has, so it is said here once.

use super::model::Screen;

/// A rectangle of cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Area {
    /// Column of the left edge.
    pub x: u16,
    /// Row of the upper edge.
    pub y: u16,
    /// Columns.
    pub w: u16,
    /// Rows.
    pub h: u16,
}

/// The smallest terminal that can be worked on; below it a calm line says so.
pub const SMALLEST: (u16, u16) = (60, 16);

/// Columns left of the bars (names of kinds) and right of them (counts).
pub const GUTTER: (u16, u16) = (11, 9);

/// Whether a terminal of this size can be worked on.
pub fn is_workable(size: (u16, u16)) -> bool {
    size.0 >= SMALLEST.0 && size.1 >= SMALLEST.1
}

/// What lies between header and footer.
pub fn body(size: (u16, u16)) -> Area {
    Area { x: 0, y: 2, w: size.0, h: size.1.saturating_sub(4) }
}

/// The parts of the timeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimelineView {
    /// The lanes, marks and axis.
    pub chart: Area,
    /// Rows of one lane.
    pub lane: u16,
    /// The list of ops, without its heading.
    pub list: Area,
    /// The selected op, where there is room.
    pub detail: Option<Area>,
}

/// How many lanes there are.
pub const LANES: u16 = 4;

/// Lays the timeline out.
pub fn timeline(size: (u16, u16)) -> TimelineView {
    let body = body(size);
    let lane = match size.1 {
        0..=27 => 1,
        28..=39 => 2,
        _ => 3,
    };
    let chart_rows = (LANES * lane + 2).min(body.h);
    let chart = Area { h: chart_rows, ..body };
    let below = Area { y: body.y + chart_rows, h: body.h - chart_rows, ..body };
    // A heading stands above the list, and above the detail.
    let under = |a: Area| Area { y: a.y + 1, h: a.h.saturating_sub(1), ..a };
    if size.0 >= 120 {
        let left = size.0 * 3 / 5;
        let list = Area { w: left, ..below };
        let right = Area { x: left + 2, w: size.0.saturating_sub(left + 2), ..below };
        return TimelineView { chart, lane, list: under(list), detail: Some(under(right)) };
    }
    if size.1 >= 34 {
        let rows = below.h / 3;
        let list = Area { h: below.h - rows, ..below };
        let detail = Area { y: list.y + list.h, h: rows, ..below };
        return TimelineView { chart, lane, list: under(list), detail: Some(under(detail)) };
    }
    TimelineView { chart, lane, list: under(below), detail: None }
}

/// How many bars the timeline has.
pub fn bars(size: (u16, u16)) -> u16 {
    size.0.saturating_sub(GUTTER.0 + GUTTER.1).max(1)
}

/// The parts of the preview, without their headings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PreviewView {
    /// The namespaces.
    pub list: Area,
    /// The documents of one.
    pub side: Area,
    /// One document in full, where there is room.
    pub beside: Option<Area>,
}

/// Lays the preview out: namespaces above, documents below; beside each other where there is
/// room, and in a high terminal the highlighted document below them.
pub fn preview(size: (u16, u16)) -> PreviewView {
    let body = body(size);
    let under = |a: Area| Area { y: a.y + 1, h: a.h.saturating_sub(1), ..a };
    let split = |a: Area, rows: u16| {
        let rows = rows.min(a.h);
        (Area { h: rows, ..a }, Area { y: a.y + rows, h: a.h - rows, ..a })
    };
    let lists = Area { y: body.y + 2, h: body.h.saturating_sub(2), ..body };
    let (list, side) = if size.0 >= 120 {
        let left = size.0 * 9 / 20;
        (Area { w: left, ..lists }, Area { x: left + 2, w: size.0.saturating_sub(left + 2), ..lists })
    } else {
        split(lists, lists.h * 2 / 5)
    };
    if size.1 < 34 {
        return PreviewView { list: under(list), side: under(side), beside: None };
    }
    let (side, beside) = split(side, side.h * 11 / 20);
    PreviewView { list: under(list), side: under(side), beside: Some(under(beside)) }
}

/// The table of the states, and the documents below it; without their headings.
pub fn states(size: (u16, u16)) -> (Area, Area) {
    let body = body(size);
    // Names and times of the columns, two lines, stand above the table.
    let rows = (body.h / 2).max(4);
    let table = Area { y: body.y + 3, h: rows.saturating_sub(3), ..body };
    let below = Area { y: body.y + rows + 1, h: body.h.saturating_sub(rows + 1), ..body };
    (table, below)
}

/// The two parts of a history: the versions, and the highlighted one. Without their headings.
pub fn history(size: (u16, u16)) -> (Area, Area) {
    let body = body(size);
    let under = |a: Area| Area { y: a.y + 1, h: a.h.saturating_sub(1), ..a };
    if size.0 >= 120 {
        let left = size.0 * 11 / 20;
        let right = Area { x: left + 2, w: size.0.saturating_sub(left + 2), ..body };
        return (under(Area { w: left, ..body }), under(right));
    }
    let rows = body.h / 2;
    let lower = Area { y: body.y + rows, h: body.h - rows, ..body };
    (under(Area { h: rows, ..body }), under(lower))
}

/// How many rows the main list of a screen shows.
pub fn list_rows(screen: Screen, size: (u16, u16)) -> u64 {
    let body = u64::from(body(size).h);
    match screen {
        Screen::Snapshots => body.saturating_sub(1) / 2,
        Screen::Timeline => u64::from(timeline(size).list.h),
        Screen::Suspects => body.saturating_sub(2),
        Screen::History => u64::from(history(size).0.h),
        Screen::Preview => u64::from(preview(size).list.h),
        Screen::Marks => body.saturating_sub(if size.0 >= 100 { 2 } else { 3 }),
        Screen::States => u64::from(states(size).0.h),
        Screen::Plan | Screen::Restore => body.saturating_sub(RESULT_HEAD),
    }
}

/// Rows above the table of a result.
pub const RESULT_HEAD: u64 = 7;

/// The box of an overlay: in the middle of the body; as wide as the screen where a margin would
/// only show scraps of what lies below.
pub fn overlay(size: (u16, u16), wanted: (u16, u16)) -> Area {
    let body = body(size);
    let w = if wanted.0.saturating_add(12) > body.w { body.w } else { wanted.0 };
    let h = wanted.1.min(body.h);
    Area { x: (body.w - w) / 2, y: body.y + (body.h - h) / 2, w, h }
}

/// The box of a text to read: nearly all there is. Its text is inside, with a margin of one.
pub fn reader(size: (u16, u16)) -> Area {
    overlay(size, (size.0.saturating_sub(4).min(120), size.1))
}

/// How many rows of text a reader shows.
pub fn reader_rows(size: (u16, u16)) -> u64 {
    u64::from(reader(size).h.saturating_sub(2))
}
