//! Signals that end a long piece of work at its next check.

use tokio::signal::unix::{SignalKind, signal};

use crate::domain::progress::Meter;
use crate::domain::{Error, Result};

/// From now on TERM and INT cancel this meter. To be called inside a runtime.
pub(super) fn cancel_on_signals(meter: &Meter) -> Result<()> {
    for kind in [SignalKind::terminate(), SignalKind::interrupt()] {
        let mut stream = signal(kind).map_err(|e| Error::failed("listening for signals", "", e))?;
        let meter = meter.clone();
        tokio::spawn(async move {
            while stream.recv().await.is_some() {
                meter.cancel();
            }
        });
    }
    Ok(())
}
