//! The terminal: taken, and given back as it was, on every way out. Nothing here draws.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crossterm::cursor::{Hide, Show};
use crossterm::event::{
    DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture,
};
use crossterm::execute;
use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};

use crate::domain::{Error, Result};

/// Whether the terminal is taken right now, and whether with the mouse.
static TAKEN: AtomicBool = AtomicBool::new(false);
static MOUSE: AtomicBool = AtomicBool::new(false);

/// Held while something is written that must not be torn apart: a frame, a text for the clipboard.
pub fn writing() -> MutexGuard<'static, ()> {
    static WRITING: Mutex<()> = Mutex::new(());
    WRITING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits for something to read, at most so long, and throws it away: the answer to a question
/// must not be typed into the shell.
pub fn discard(patience: Duration) {
    let stdin = io::stdin();
    let mut fds = [rustix::event::PollFd::new(&stdin, rustix::event::PollFlags::IN)];
    let patience = rustix::event::Timespec { tv_sec: 0, tv_nsec: patience.subsec_nanos().into() };
    if rustix::event::poll(&mut fds, Some(&patience)).is_ok_and(|n| n > 0) {
        let _ = rustix::termios::tcflush(&stdin, rustix::termios::QueueSelector::IFlush);
    }
}

/// The terminal is taken as long as this lives.
#[derive(Debug)]
pub struct Guard;

impl Guard {
    /// Takes the terminal. A panic of this thread gives it back before it is reported.
    pub fn take(mouse: bool) -> Result<Guard> {
        MOUSE.store(mouse, Ordering::SeqCst);
        hook();
        // What was taken before something failed is given back when this is dropped.
        let guard = Guard;
        enter()?;
        Ok(guard)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        leave();
    }
}

/// Takes the terminal (again).
pub fn enter() -> Result<()> {
    let failed = |e: io::Error| Box::new(Error::failed("taking the terminal", "", e));
    TAKEN.store(true, Ordering::SeqCst);
    enable_raw_mode().map_err(failed)?;
    execute!(io::stdout(), EnterAlternateScreen, EnableBracketedPaste, Hide).map_err(failed)?;
    if MOUSE.load(Ordering::SeqCst) {
        execute!(io::stdout(), EnableMouseCapture).map_err(failed)?;
    }
    Ok(())
}

/// Gives the terminal back; does nothing the second time. What fails here fails because the
/// terminal is gone, and then there is nobody to tell.
pub fn leave() {
    if !TAKEN.swap(false, Ordering::SeqCst) {
        return;
    }
    if MOUSE.load(Ordering::SeqCst) {
        let _ = execute!(io::stdout(), DisableMouseCapture);
    }
    let _ = execute!(io::stdout(), DisableBracketedPaste, Show, LeaveAlternateScreen);
    let _ = disable_raw_mode();
    let _ = io::stdout().flush();
}

/// A panic in the loop gives the terminal back and is then reported as usual. One in a job is the
/// job's answer, and must not draw over the screen.
fn hook() {
    static SET: AtomicBool = AtomicBool::new(false);
    if SET.swap(true, Ordering::SeqCst) {
        return;
    }
    let own = std::thread::current().id();
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if std::thread::current().id() == own {
            leave();
            before(info);
        }
    }));
}

/// Stops this process as the shell expects of Ctrl-z, and returns when it is resumed.
pub fn suspend() -> Result<()> {
    leave();
    let failed = |e: rustix::io::Errno| Error::failed("suspending", "", e);
    rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::STOP)
        .map_err(failed)?;
    enter()
}

/// Calls `gone` once when the terminal is closed. The library that reads keys does not notice:
/// it would read the end of the file for ever.
pub fn watch(gone: impl FnOnce() + Send + 'static) -> Result<()> {
    let wait = move || {
        let stdin = io::stdin();
        let mut fds = [rustix::event::PollFd::new(&stdin, rustix::event::PollFlags::empty())];
        // Nothing is asked for, so what comes is a hang-up or an error; or a signal, and then
        // once more.
        while let Err(rustix::io::Errno::INTR) = rustix::event::poll(&mut fds, None) {}
        gone();
    };
    let thread = std::thread::Builder::new().name("terminal-gone".into()).spawn(wait);
    thread.map(|_| ()).map_err(|e| Box::new(Error::failed("watching the terminal", "", e)))
}
