//! Buffers as pictures.

use std::fmt::Write;

use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};

const CELL: (f64, f64) = (8.4, 18.0);
const MARGIN: f64 = 14.0;
const GROUND: &str = "#1b2027";
const INK: &str = "#d6dde4";

/// An SVG of what a terminal with a dark background shows.
pub fn render(buffer: &Buffer, title: &str) -> String {
    let area = buffer.area;
    let (w, h) =
        (f64::from(area.width) * CELL.0 + 2.0 * MARGIN, f64::from(area.height) * CELL.1 + 2.0 * MARGIN);
    let mut out = String::new();
    let _ = writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{w:.0}\" height=\"{h:.0}\" viewBox=\"0 0 {w:.0} {h:.0}\" role=\"img\">\n<title>{}</title>\n<rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{GROUND}\"/>\n<g font-family=\"'DejaVu Sans Mono','Menlo','Consolas',monospace\" font-size=\"14\" xml:space=\"preserve\">",
        escape(title)
    );
    for y in area.top()..area.bottom() {
        row(buffer, y, &mut out);
    }
    out.push_str("</g>\n</svg>\n");
    out
}

fn row(buffer: &Buffer, y: u16, out: &mut String) {
    let area = buffer.area;
    let mut x = area.left();
    while x < area.right() {
        let cell = &buffer[(x, y)];
        let mut end = x + 1;
        // A run of one look; what is not plain text gets a run of its own, so that no font can
        // push the rest of the line aside.
        let plain = |cell: &Cell| cell.symbol().is_ascii();
        while end < area.right()
            && look(&buffer[(end, y)]) == look(cell)
            && plain(cell)
            && plain(&buffer[(end, y)])
        {
            end += 1;
        }
        let text: String = (x..end).map(|x| buffer[(x, y)].symbol()).collect();
        run(x, y, &text, cell, f64::from(end - x), out);
        x = end;
    }
}

fn look(cell: &Cell) -> (Color, Color, Modifier) {
    (cell.fg, cell.bg, cell.modifier)
}

fn run(x: u16, y: u16, text: &str, cell: &Cell, cells: f64, out: &mut String) {
    let (left, top) = (MARGIN + f64::from(x) * CELL.0, MARGIN + f64::from(y) * CELL.1);
    let wide = cells * CELL.0;
    let (mut ink, mut ground) = (colour(cell.fg, INK), colour(cell.bg, ""));
    if cell.modifier.contains(Modifier::REVERSED) {
        (ink, ground) = (if ground.is_empty() { GROUND.into() } else { ground }, ink);
    }
    if !ground.is_empty() {
        let _ = writeln!(
            out,
            "<rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"{wide:.1}\" height=\"{:.1}\" fill=\"{ground}\"/>",
            CELL.1
        );
    }
    if text.trim().is_empty() {
        return;
    }
    let mut more = String::new();
    if cell.modifier.contains(Modifier::BOLD) {
        more.push_str(" font-weight=\"bold\"");
    }
    if cell.modifier.contains(Modifier::DIM) {
        more.push_str(" opacity=\"0.6\"");
    }
    if cell.modifier.contains(Modifier::UNDERLINED) {
        more.push_str(" text-decoration=\"underline\"");
    }
    let kept = text.trim_end();
    let length = kept.chars().count() as f64 * CELL.0;
    let _ = writeln!(
        out,
        "<text x=\"{left:.1}\" y=\"{:.1}\" textLength=\"{length:.1}\" lengthAdjust=\"spacingAndGlyphs\" fill=\"{ink}\"{more}>{}</text>",
        top + 13.5,
        escape(kept)
    );
}

fn colour(c: Color, or: &str) -> String {
    match c {
        Color::Rgb(r, g, b) => format!("#{r:02x}{g:02x}{b:02x}"),
        _ => or.to_owned(),
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
