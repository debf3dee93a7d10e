//! A source that is cut off while it is read. Sources are mapped, and where a mapped file ends
//! before its map does (or its disk fails) the system sends SIGBUS to whoever reads there: it
//! cannot go on, but it can say so.

use rustix::process::Signal;
use tokio::signal::unix::{SignalKind, signal};

use crate::domain::{Class, Error};

/// Ends the process with an error that says what happened, instead of by the signal. The thread
/// that came to the missing bytes waits meanwhile: it is sent the same signal again and again.
pub(super) fn report_shrunk_sources() {
    // Without the thread, or without the signal, the process ends by it: no wrong result either.
    let _ = std::thread::Builder::new().name("shrunk".into()).spawn(|| {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_io().build() else { return };
        runtime.block_on(async {
            let Ok(mut bus) = signal(SignalKind::from_raw(Signal::BUS.as_raw())) else { return };
            if bus.recv().await.is_some() {
                crate::runtime::terminal::leave();
                eprintln!("pitstop: {}", error());
                std::process::exit(Class::Failed.exit_code().into());
            }
        });
    });
}

fn error() -> Error {
    Error::failed("reading a source", "", "a file was cut off while it was open, or its disk cannot be read")
        .hint(
            "nothing was changed, and what was not finished stays marked so; run this again when the file is whole, or on a copy of it.",
        )
}
