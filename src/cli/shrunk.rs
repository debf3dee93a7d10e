//! A source that is cut off while it is read. Sources are mapped, and where a mapped file ends
//! before its map does (or its disk fails) the system sends SIGBUS to whoever reads there: the
//! process cannot go on, but it can say so.

use std::io::Read;
use std::os::fd::IntoRawFd;
use std::sync::atomic::{AtomicI32, Ordering};

use crate::domain::{Class, Error};

/// Where the handler tells that it was called.
static TOLD: AtomicI32 = AtomicI32::new(-1);

/// Ends the process with an error that says what happened, instead of by the signal.
pub(super) fn report_shrunk_sources() {
    // Where any of this fails, the process ends by the signal: no wrong result either.
    let Ok((mut told, tell)) = std::io::pipe() else { return };
    TOLD.store(tell.into_raw_fd(), Ordering::SeqCst);
    let watch = move || {
        if told.read_exact(&mut [0]).is_ok() {
            crate::runtime::terminal::leave();
            eprintln!("pitstop: {}", error());
            std::process::exit(Class::Failed.exit_code().into());
        }
    };
    if std::thread::Builder::new().name("shrunk".into()).spawn(watch).is_ok() {
        handle();
    }
}

#[allow(unsafe_code)]
fn handle() {
    // SAFETY: all of the structure is initialised (zeros are no flags and no blocked signals),
    // and the handler calls nothing that a handler must not call.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = on_bus as extern "C" fn(libc::c_int) as libc::sighandler_t;
        libc::sigaction(libc::SIGBUS, &action, std::ptr::null_mut());
    }
}

/// Tells, and holds the thread that came to the missing bytes: it has nothing to go on with.
#[allow(unsafe_code)]
extern "C" fn on_bus(_: libc::c_int) {
    // SAFETY: write and pause may be called in a handler; the byte outlives the call.
    unsafe {
        libc::write(TOLD.load(Ordering::SeqCst), [1u8].as_ptr().cast(), 1);
        loop {
            libc::pause();
        }
    }
}

fn error() -> Error {
    Error::failed("reading a source", "", "a file was cut off while it was open, or its disk cannot be read")
        .hint(
            "nothing was changed, and what was not finished stays marked so; run this again when the file is whole, or on a copy of it.",
        )
}
