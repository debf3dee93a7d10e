//! The real binary in a pseudo-terminal, and what its screen shows.

use std::io::{Read, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

const PATIENCE: Duration = Duration::from_secs(60);
/// The end of a synchronized update: a frame is complete.
const FRAME_END: &[u8] = b"\x1b[?2026l";

pub struct Term {
    pub master: Option<Box<dyn MasterPty + Send>>,
    pub child: Box<dyn Child + Send + Sync>,
    writer: Option<Box<dyn Write + Send>>,
    screen: Arc<Mutex<vt100::Parser>>,
    /// Everything the program has written.
    raw: Arc<Mutex<Vec<u8>>>,
    /// How much it had written at the end of each frame, and when that was read.
    frames: Arc<Mutex<Vec<(usize, Instant)>>>,
    /// Tells the reader to let go of the terminal.
    let_go: Arc<AtomicBool>,
    reader: Option<std::thread::JoinHandle<()>>,
    before: String,
}

fn size(columns: u16, rows: u16) -> PtySize {
    PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 }
}

/// `pitstop` with these arguments, its state in `state`.
pub fn pitstop(state: &Path, args: &[&str]) -> CommandBuilder {
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_pitstop"));
    command.args(args);
    command.env("XDG_STATE_HOME", state);
    command.env("XDG_CONFIG_HOME", state.join("no-config"));
    for (name, value) in [("TERM", "xterm-256color"), ("LANG", "C.UTF-8"), ("LC_ALL", "C.UTF-8")] {
        command.env(name, value);
    }
    for name in [
        "NO_COLOR",
        "COLORTERM",
        "TMUX",
        "SSH_TTY",
        "SSH_CONNECTION",
        "PITSTOP_THEME",
        "COLORFGBG",
        "WAYLAND_DISPLAY",
        "DISPLAY",
        "STY",
    ] {
        command.env_remove(name);
    }
    command
}

impl Term {
    pub fn spawn(command: CommandBuilder, columns: u16, rows: u16) -> Term {
        let pair = native_pty_system().openpty(size(columns, rows)).unwrap();
        let before = format!("{:?}", pair.master.get_termios().unwrap());
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let mut reader = pair.master.try_clone_reader().unwrap();
        let writer = pair.master.take_writer().unwrap();
        let screen = Arc::new(Mutex::new(vt100::Parser::new(rows, columns, 0)));
        let raw = Arc::new(Mutex::new(Vec::new()));
        let frames = Arc::new(Mutex::new(Vec::new()));
        let (to_screen, to_raw, to_frames) = (Arc::clone(&screen), Arc::clone(&raw), Arc::clone(&frames));
        let let_go = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&let_go);
        let reader = std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(n @ 1..) = reader.read(&mut bytes) {
                let now = Instant::now();
                to_screen.lock().unwrap().process(&bytes[..n]);
                let mut raw = to_raw.lock().unwrap();
                // What ends a frame may come in two pieces.
                let begin = raw.len().saturating_sub(FRAME_END.len() - 1);
                raw.extend_from_slice(&bytes[..n]);
                let ends = raw[begin..].windows(FRAME_END.len()).enumerate();
                let ends = ends.filter(|(_, bytes)| *bytes == FRAME_END);
                to_frames.lock().unwrap().extend(ends.map(|(at, _)| (begin + at + FRAME_END.len(), now)));
                drop(raw);
                if stop.load(Ordering::Relaxed) {
                    return;
                }
            }
        });
        let (master, writer, reader) = (Some(pair.master), Some(writer), Some(reader));
        Term { master, child, writer, screen, raw, frames, let_go, reader, before }
    }

    /// What is on the screen.
    pub fn text(&self) -> String {
        self.screen.lock().unwrap().screen().contents()
    }

    pub fn raw(&self) -> Vec<u8> {
        self.raw.lock().unwrap().clone()
    }

    /// How much the program had written at the end of each frame, and when that was read.
    pub fn frames(&self) -> Vec<(usize, Instant)> {
        self.frames.lock().unwrap().clone()
    }

    pub fn with<T>(&self, look: impl FnOnce(&vt100::Screen) -> T) -> T {
        look(self.screen.lock().unwrap().screen())
    }

    pub fn send(&mut self, keys: &str) {
        let writer = self.writer.as_mut().unwrap();
        writer.write_all(keys.as_bytes()).unwrap();
        writer.flush().unwrap();
    }

    pub fn resize(&self, columns: u16, rows: u16) {
        self.screen.lock().unwrap().screen_mut().set_size(rows, columns);
        self.master.as_ref().unwrap().resize(size(columns, rows)).unwrap();
    }

    /// Waits until the screen shows this.
    pub fn until(&self, wanted: &str) -> String {
        self.until_that(&format!("{wanted:?}"), |text| text.contains(wanted))
    }

    /// Waits until the program has written these bytes.
    pub fn until_raw(&self, wanted: &str) {
        let begin = Instant::now();
        while !String::from_utf8_lossy(&self.raw()).contains(wanted) {
            assert!(begin.elapsed() < PATIENCE, "{wanted:?} was never written; the screen:\n{}", self.text());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub fn until_that(&self, what: &str, holds: impl Fn(&str) -> bool) -> String {
        let begin = Instant::now();
        loop {
            let text = self.text();
            if holds(&text) {
                return text;
            }
            assert!(begin.elapsed() < PATIENCE, "the screen never showed {what}; it shows:\n{text}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits for the end of the program, and gives its exit code.
    pub fn ended(&mut self, within: Duration) -> u32 {
        let begin = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.exit_code();
            }
            assert!(begin.elapsed() < within, "it still runs; the screen shows:\n{}", self.text());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Whether the terminal is as it was: its modes, and what the program had switched on.
    pub fn is_as_before(&self) -> bool {
        let begin = Instant::now();
        // What was written last may still be on its way.
        while begin.elapsed() < Duration::from_secs(5) {
            let now = format!("{:?}", self.master.as_ref().unwrap().get_termios().unwrap());
            let screen = self.with(|s| {
                !s.alternate_screen()
                    && !s.hide_cursor()
                    && !s.bracketed_paste()
                    && s.mouse_protocol_mode() == vt100::MouseProtocolMode::None
            });
            if now == self.before && screen {
                return true;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        false
    }

    pub fn pid(&self) -> u32 {
        self.child.process_id().unwrap()
    }

    /// Closes the terminal under the program.
    pub fn hang_up(&mut self) {
        self.let_go.store(true, Ordering::Relaxed);
        // Something to draw, so that the reader wakes up.
        self.send("?");
        self.reader.take().unwrap().join().unwrap();
        self.writer = None;
        self.master = None;
    }
}

impl Drop for Term {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
