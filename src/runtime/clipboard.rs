//! The clipboard: by a tool of this desktop where there is one, else by the terminal's own way
//! (OSC 52), which works over ssh and inside tmux, and of which nobody can tell whether the
//! terminal listens.

use std::env;
use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::terminal;
use crate::domain::text::bytes;
use crate::domain::{Error, Result};

/// Terminals drop what is longer.
const MOST: usize = 74_000;

/// GNU screen takes no longer string at once.
const PIECE: usize = 700;

/// A tool that takes longer has nobody to talk to.
const PATIENCE: Duration = Duration::from_secs(2);

/// Puts a text into the clipboard; gives the sentence that says so. May take a while.
pub fn copy(text: &str) -> Result<String> {
    if let Some(tool) = tool().filter(|tool| ask(tool, text)) {
        return Ok(format!("copied with {}: {}", tool.0, bytes(text.len() as u64)));
    }
    by_terminal(text)
}

type Tool = (&'static str, &'static [&'static str]);

/// The tool of this desktop, if it is here and this is not somebody else's machine.
fn tool() -> Option<Tool> {
    let is_set = |name: &str| env::var_os(name).is_some_and(|v| !v.is_empty());
    if is_set("SSH_TTY") || is_set("SSH_CONNECTION") {
        return None;
    }
    let known: [(bool, Tool); 4] = [
        (cfg!(target_os = "macos"), ("pbcopy", &[])),
        (is_set("WAYLAND_DISPLAY"), ("wl-copy", &[])),
        (is_set("DISPLAY"), ("xclip", &["-selection", "clipboard"])),
        (is_set("DISPLAY"), ("xsel", &["--clipboard", "--input"])),
    ];
    let path = env::var_os("PATH").unwrap_or_default();
    let is_here = |name: &str| env::split_paths(&path).any(|dir| is_program(&dir.join(name)));
    known.into_iter().find(|(fits, (name, _))| *fits && is_here(name)).map(|(_, tool)| tool)
}

fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
}

/// Hands the text to a tool; `false` = it did not take it. The text goes through a pipe: what
/// stands in a command line can be read by everybody.
fn ask((name, args): &Tool, text: &str) -> bool {
    let started = Command::new(name)
        .args(*args)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut child) = started else { return false };
    let text = text.to_owned();
    let pipe = child.stdin.take();
    // A tool that reads nothing must not keep anybody waiting.
    let fed = std::thread::Builder::new()
        .name("clipboard".into())
        .spawn(move || pipe.is_some_and(|mut pipe| pipe.write_all(text.as_bytes()).is_ok()));
    let Ok(fed) = fed else { return false };
    let begin = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return status.success() && fed.join().unwrap_or(false),
            Ok(None) if begin.elapsed() < PATIENCE => std::thread::sleep(Duration::from_millis(5)),
            _ => {
                // It is our own child: nobody else can have its number.
                let _ = child.kill();
                let _ = child.wait();
                return false;
            }
        }
    }
}

fn by_terminal(text: &str) -> Result<String> {
    if text.len() > MOST {
        return Error::refused("copying", "", format!("it is {} long", bytes(text.len() as u64)))
            .hint("terminals take 74 kB at most; use the commands with --json for more.")
            .err();
    }
    let is_set = |name: &str| env::var_os(name).is_some_and(|v| !v.is_empty());
    let within = match (is_set("TMUX"), is_set("STY")) {
        (true, _) => Within::Tmux,
        (false, true) => Within::Screen,
        (false, false) => Within::Nothing,
    };
    let sequence = sequence(text, within);
    let _whole = terminal::writing();
    let mut out = io::stdout();
    out.write_all(sequence.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|e| Error::failed("copying", "", e))?;
    Ok(format!("sent to the terminal's clipboard: {}", bytes(text.len() as u64)))
}

/// What stands between this program and the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Within {
    Nothing,
    Tmux,
    Screen,
}

fn sequence(text: &str, within: Within) -> String {
    let plain = format!("\x1b]52;c;{}\x07", base64(text.as_bytes()));
    match within {
        Within::Nothing => plain,
        // As it is for tmux itself, and wrapped for the terminal behind it: either may be allowed.
        Within::Tmux => format!("{plain}\x1bPtmux;{}\x1b\\", plain.replace('\x1b', "\x1b\x1b")),
        Within::Screen => {
            let pieces = plain.as_bytes().chunks(PIECE).map(String::from_utf8_lossy);
            pieces.map(|piece| format!("\x1bP{piece}\x1b\\")).collect()
        }
    }
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
        let plain = "\x1b]52;c;Zg==\x07";
        assert_eq!(sequence("f", Within::Nothing), plain);
        assert_eq!(sequence("f", Within::Tmux), format!("{plain}\x1bPtmux;\x1b\x1b]52;c;Zg==\x07\x1b\\"));
        assert_eq!(sequence("f", Within::Screen), format!("\x1bP{plain}\x1b\\"));
        let long = sequence(&"x".repeat(5000), Within::Screen);
        let pieces: Vec<&str> = long.split_inclusive("\x1b\\").collect();
        assert!(pieces.iter().all(|p| p.starts_with("\x1bP") && p.len() <= PIECE + 4), "{}", pieces.len());
        let joined: String = pieces.iter().map(|p| &p[2..p.len() - 2]).collect();
        assert_eq!(joined, sequence(&"x".repeat(5000), Within::Nothing));
    }

    /// A program that takes the text, one that fails, one that never reads, none at all.
    #[test]
    fn a_tool_is_asked_and_not_believed() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("out");
        let program = |name: &str, text: &str| {
            use std::os::unix::fs::PermissionsExt;
            let path = dir.path().join(name);
            std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
            let tool: Tool = (Box::leak(path.display().to_string().into_boxed_str()), &[]);
            tool
        };
        assert!(ask(&program("takes", &format!("cat > {}", out.display())), "a\nb"));
        assert_eq!(std::fs::read_to_string(&out).unwrap(), "a\nb");
        assert!(!ask(&program("fails", "cat > /dev/null; exit 1"), "a"));
        assert!(!ask(&program("sleeps", "exec sleep 60"), &"x".repeat(1 << 20)));
        assert!(!ask(&("/nowhere/at/all", &[]), "a"));
    }
}
