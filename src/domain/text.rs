//! Text for people: foreign text made harmless and visible, numbers and sizes made readable.

use std::borrow::Cow;
use std::fmt::Write;

/// Foreign text with everything escaped that a terminal would act on or hide: control
/// characters, bidirectional marks, zero-width characters, tags. Plain text is not copied.
pub fn visible(text: &str) -> Cow<'_, str> {
    if text.chars().all(is_plain) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            _ if is_plain(c) => out.push(c),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            _ => {
                let _ = write!(out, "\\u{{{:x}}}", c as u32);
            }
        }
    }
    Cow::Owned(out)
}

/// The same for text of our own that may hold line breaks: they stay.
pub fn visible_lines(text: &str) -> String {
    text.lines().map(visible).collect::<Vec<_>>().join("\n")
}

fn is_plain(c: char) -> bool {
    !c.is_control()
        && !matches!(c as u32,
            0xad | 0x61c | 0x180e | 0x200b..=0x200f | 0x2028..=0x202e | 0x2060..=0x206f | 0xfe00..=0xfe0f
            | 0xfeff | 0xfff9..=0xfffb | 0xe0000..=0xe0fff)
}

/// `1234567` as `1,234,567`.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// The same in at most so many columns: `1234567` as `1.23 M` where there are fewer than nine. Cut,
/// not rounded: there are at least as many.
pub fn count_within(n: u64, columns: usize) -> String {
    let long = count(n);
    if long.len() <= columns || n < 1000 {
        return long;
    }
    let (mut unit, mut sign) = (1, ' ');
    for next in ['k', 'M', 'G', 'T', 'P', 'E'] {
        if n / unit < 1000 {
            break;
        }
        (unit, sign) = (unit * 1000, next);
    }
    let (whole, rest) = (n / unit, n % unit / (unit / 1000));
    match whole {
        0..=9 => format!("{whole}.{:02} {sign}", rest / 10),
        10..=99 => format!("{whole}.{} {sign}", rest / 100),
        _ => format!("{whole} {sign}"),
    }
}

/// `1234567` as `1.2 MB` (powers of 1000).
pub fn bytes(n: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if n < 1000 {
        return format!("{n} B");
    }
    let mut value = n as f64;
    let mut unit = "";
    for name in UNITS {
        value /= 1000.0;
        unit = name;
        if value < 999.95 {
            break;
        }
    }
    format!("{value:.1} {unit}")
}

/// `1 document`, `2 documents`.
pub fn counted(n: u64, noun: &str) -> String {
    format!("{} {noun}{}", count(n), if n == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_act_on_is_shown() {
        assert_eq!(visible("plain ü 日本 🙂"), "plain ü 日本 🙂");
        assert_eq!(visible("a\x1b]52;c;x\x07b"), "a\\u{1b}]52;c;x\\u{7}b");
        assert_eq!(visible("user\u{202e}txt.exe"), "user\\u{202e}txt.exe");
        assert_eq!(visible("a\u{200b}b\nc"), "a\\u{200b}b\\nc");
    }

    #[test]
    fn numbers() {
        assert_eq!(count(0), "0");
        assert_eq!(count(1234567), "1,234,567");
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(1500), "1.5 kB");
        assert_eq!(bytes(999_960), "1.0 MB");
        assert_eq!(counted(1, "op"), "1 op");
        for (n, columns, want) in [
            (999_999, 7, "999,999"),
            (1_234_567, 9, "1,234,567"),
            (1_239_999, 8, "1.23 M"),
            (12_399_999, 8, "12.3 M"),
            (999_999_999, 8, "999 M"),
            (999_999, 6, "999 k"),
            (1_005_000, 6, "1.00 M"),
            (u64::MAX, 8, "18.4 E"),
            (999, 1, "999"),
        ] {
            assert_eq!(count_within(n, columns), want);
        }
    }
}
