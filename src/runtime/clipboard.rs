//! The clipboard, by the terminal's own way (OSC 52): it works over ssh and inside tmux, and
//! nobody can tell whether the terminal listens.

use std::io::{self, Write};

use crate::domain::text::bytes;
use crate::domain::{Error, Result};

/// Terminals drop what is longer.
const MOST: usize = 74_000;

/// Sends a text to the clipboard; gives the sentence that says so.
pub fn copy(text: &str) -> Result<String> {
    if text.len() > MOST {
        return Error::refused("copying", "", format!("it is {} long", bytes(text.len() as u64)))
            .hint("terminals take 74 kB at most; use the commands with --json for more.")
            .err();
    }
    let sequence = sequence(text, std::env::var_os("TMUX").is_some_and(|v| !v.is_empty()));
    let mut out = io::stdout();
    out.write_all(sequence.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|e| Error::failed("copying", "", e))?;
    Ok(format!("sent to the terminal's clipboard: {}", bytes(text.len() as u64)))
}

fn sequence(text: &str, tmux: bool) -> String {
    let plain = format!("\x1b]52;c;{}\x07", base64(text.as_bytes()));
    if tmux { format!("\x1bPtmux;{}\x1b\\", plain.replace('\x1b', "\x1b\x1b")) } else { plain }
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let group = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..4 {
            let sextet = (group >> (18 - 6 * at)) as usize & 63;
            let letter = LETTERS.get(sextet).copied().unwrap_or(b'=');
            out.push(if at <= chunk.len() { char::from(letter) } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vectors of RFC 4648, section 10.
    #[test]
    fn base64_is_that_of_the_rfc() {
        for (text, want) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(text.as_bytes()), want);
        }
        assert_eq!(sequence("f", false), "\x1b]52;c;Zg==\x07");
        assert_eq!(sequence("f", true), "\x1bPtmux;\x1b\x1b]52;c;Zg==\x07\x1b\\");
    }
}
