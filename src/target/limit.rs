//! A limit on bytes a second, for a server that has other work to do.

use std::num::NonZeroU64;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::domain::Result;
use crate::domain::progress::Meter;

/// How long a wait goes on before somebody looks whether it is still wanted.
const LOOK: Duration = Duration::from_millis(50);

/// The arithmetic: what goes now takes its share of time, and what comes next waits for its end.
#[derive(Debug)]
struct Pace {
    rate: NonZeroU64,
    /// When the next may go.
    free: Duration,
}

impl Pace {
    /// How long somebody who comes at `now` with so many bytes has to wait.
    fn wait(&mut self, now: Duration, bytes: u64) -> Duration {
        let begin = self.free.max(now);
        self.free = begin + Duration::from_secs_f64(bytes as f64 / self.rate.get() as f64);
        begin - now
    }
}

/// The limit; shared by all who move bytes.
#[derive(Debug)]
pub struct Limiter {
    pace: Mutex<Pace>,
    begun: Instant,
}

impl Limiter {
    /// At most so many bytes a second.
    pub fn new(rate: NonZeroU64) -> Limiter {
        Limiter { pace: Mutex::new(Pace { rate, free: Duration::ZERO }), begun: Instant::now() }
    }

    fn turn(&self, bytes: u64) -> Duration {
        let mut pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
        pace.wait(self.begun.elapsed(), bytes)
    }

    /// Waits, on a thread, until so many bytes may go.
    pub(super) fn block(&self, bytes: u64, doing: &str, meter: &Meter) -> Result<()> {
        let mut left = self.turn(bytes);
        while !left.is_zero() {
            meter.check(doing)?;
            let part = left.min(LOOK);
            std::thread::sleep(part);
            left -= part;
        }
        Ok(())
    }

    /// The same in a task.
    pub(super) async fn pass(&self, bytes: u64, doing: &str, meter: &Meter) -> Result<()> {
        let mut left = self.turn(bytes);
        while !left.is_zero() {
            meter.check(doing)?;
            let part = left.min(LOOK);
            tokio::time::sleep(part).await;
            left -= part;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pace(rate: u64) -> Pace {
        Pace { rate: NonZeroU64::new(rate).unwrap(), free: Duration::ZERO }
    }

    #[test]
    fn each_waits_for_the_one_before() {
        let mut pace = pace(100);
        let (second, ms) = (Duration::from_secs, Duration::from_millis);
        assert_eq!(pace.wait(second(5), 200), Duration::ZERO);
        assert_eq!(pace.wait(second(5), 50), second(2));
        assert_eq!(pace.wait(second(6), 50), ms(1500));
        // Time in which nobody came is not saved up.
        assert_eq!(pace.wait(second(60), 100), Duration::ZERO);
        assert_eq!(pace.wait(second(60), 100), second(1));
    }

    proptest! {
        /// Over any stretch that begins when one goes, no more goes than the rate allows, plus one.
        #[test]
        fn the_rate_is_never_exceeded(
            rate in 1u64..10_000_000,
            comings in proptest::collection::vec((0u64..2_000, 1u64..8_000_000), 1..40),
        ) {
            let mut pace = pace(rate);
            let mut now = Duration::ZERO;
            let mut gone: Vec<(f64, f64)> = Vec::new();
            for (later, bytes) in comings {
                now += Duration::from_millis(later);
                let goes = now + pace.wait(now, bytes);
                gone.push((goes.as_secs_f64(), bytes as f64));
            }
            for first in 0..gone.len() {
                let mut sum = 0.0;
                for last in first..gone.len() {
                    let span = gone[last].0 - gone[first].0;
                    prop_assert!(sum <= span * rate as f64 * 1.000_001 + 1.0, "{sum} in {span} s at {rate}");
                    sum += gone[last].1;
                }
            }
        }
    }
}
