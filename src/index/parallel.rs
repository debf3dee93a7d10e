//! Work on blocks of rows by all cores, its results taken in order.

use std::ops::{ControlFlow, Range};
use std::sync::mpsc::sync_channel;

use crate::domain::Result;
use crate::domain::progress::Meter;

/// How work is cut.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cut {
    /// How many rows one core works on before it hands over what came of them.
    pub block: u64,
    /// How many such blocks a core may be ahead of whoever takes them.
    pub ahead: usize,
}

/// How much less of a core than others a thread gets that works through a whole log.
const BEHIND: i32 = 5;

/// Lets other threads go first: who draws a screen or takes what was read needs little, but soon.
pub(super) fn give_way() {
    // A system that does not allow it runs all threads alike, which is only a little slower.
    let _ = rustix::process::nice(BEHIND);
}

/// Cuts rows into blocks, gives them to `work` on all cores and its results to `take` in order,
/// until that breaks. `work` gives `None` only when the meter says stop. The meter counts nothing.
pub(super) fn in_order<T: Send>(
    rows: Range<u64>,
    cut: Cut,
    meter: &Meter,
    doing: &str,
    work: impl Fn(Range<u64>) -> Option<T> + Sync,
    mut take: impl FnMut(T) -> Result<ControlFlow<()>>,
) -> Result<ControlFlow<()>> {
    let blocks = rows.end.saturating_sub(rows.start).div_ceil(cut.block);
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get() as u64).min(blocks);
    let block = |number: u64| {
        let start = rows.start + number * cut.block;
        start..(start + cut.block).min(rows.end)
    };
    std::thread::scope(|scope| {
        let (senders, receivers): (Vec<_>, Vec<_>) = (0..threads).map(|_| sync_channel(cut.ahead)).unzip();
        for (first, send) in (0..threads).zip(senders) {
            let (work, block) = (&work, &block);
            scope.spawn(move || {
                give_way();
                for number in (first..blocks).step_by(threads as usize) {
                    // Nobody is there to take it when `take` has broken.
                    let Some(done) = work(block(number)) else { return };
                    if send.send(done).is_err() {
                        return;
                    }
                }
            });
        }
        for (_, receive) in (0..blocks).zip(receivers.iter().cycle()) {
            // A core that ends without handing over has seen that somebody asked to stop.
            let done = receive.recv();
            meter.check(doing)?;
            if let Ok(done) = done
                && take(done)?.is_break()
            {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    })
}
