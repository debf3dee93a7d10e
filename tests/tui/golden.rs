//! Buffers as text and style runs, held against files. `UPDATE=1` writes the files anew.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;

use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier, Style};

/// The characters, a line a row, without blanks at the end.
pub fn text(buffer: &Buffer) -> String {
    let area = buffer.area;
    let mut out = String::new();
    for y in area.top()..area.bottom() {
        let mut line = String::new();
        let mut skip = 0;
        for x in area.left()..area.right() {
            if skip > 0 {
                skip -= 1;
                continue;
            }
            let symbol = buffer[(x, y)].symbol();
            skip = ratatui::text::Span::raw(symbol).width().saturating_sub(1);
            line.push_str(symbol);
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// The characters, and below them a letter a cell that says how it looks, with a legend.
pub fn styled(buffer: &Buffer) -> String {
    let area = buffer.area;
    let mut legend: BTreeMap<String, char> = BTreeMap::new();
    let mut grid = String::new();
    for y in area.top()..area.bottom() {
        let mut line = String::new();
        for x in area.left()..area.right() {
            let cell = &buffer[(x, y)];
            let name = describe(cell.style());
            let next = letter(legend.len());
            line.push(if name.is_empty() { ' ' } else { *legend.entry(name).or_insert(next) });
        }
        grid.push_str(line.trim_end());
        grid.push('\n');
    }
    let mut out = text(buffer);
    out.push_str("~~~ looks\n");
    out.push_str(&grid);
    out.push_str("~~~ legend\n");
    let mut rows: Vec<(char, String)> = legend.into_iter().map(|(name, c)| (c, name)).collect();
    rows.sort();
    for (c, name) in rows {
        let _ = writeln!(out, "{c} {name}");
    }
    out
}

fn letter(n: usize) -> char {
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789".chars().nth(n).unwrap()
}

fn describe(style: Style) -> String {
    let mut parts = Vec::new();
    let colour = |c: Color| match c {
        Color::Rgb(r, g, b) => format!("#{r:02x}{g:02x}{b:02x}"),
        other => format!("{other:?}").to_lowercase(),
    };
    if let Some(fg) = style.fg.filter(|c| *c != Color::Reset) {
        parts.push(format!("ink {}", colour(fg)));
    }
    if let Some(bg) = style.bg.filter(|c| *c != Color::Reset) {
        parts.push(format!("ground {}", colour(bg)));
    }
    for (modifier, name) in [
        (Modifier::BOLD, "bold"),
        (Modifier::DIM, "dim"),
        (Modifier::UNDERLINED, "underlined"),
        (Modifier::REVERSED, "reversed"),
    ] {
        if style.add_modifier.contains(modifier) {
            parts.push(name.into());
        }
    }
    parts.join(" ")
}

/// Whether files are to be written instead of compared.
pub fn updating() -> bool {
    std::env::var_os("UPDATE").is_some_and(|v| !v.is_empty())
}

/// Holds `got` against a file below the repository; what differs is given back.
pub fn hold(path: &str, got: &str) -> Option<String> {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path);
    if updating() {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, got).unwrap();
        return None;
    }
    let want = std::fs::read_to_string(&file).unwrap_or_default();
    if want == got {
        return None;
    }
    let at = want.lines().zip(got.lines()).position(|(a, b)| a != b);
    let line = at.unwrap_or_else(|| want.lines().count().min(got.lines().count()));
    let of = |text: &str| text.lines().nth(line).unwrap_or("(the end)").to_owned();
    Some(format!("{path}, line {}:\n  want {}\n  got  {}", line + 1, of(&want), of(got)))
}
