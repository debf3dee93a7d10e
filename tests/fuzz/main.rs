//! Every reader against mutated input: no panic, no hang, no memory that the input does not
//! justify. The mutations know BSON: they cut, swap, repeat and nest documents and put hostile
//! values where lengths and types stand, beside plain damage of bytes.
//!
//! `PITSTOP_FUZZ_SECONDS` is the time for each reader (1), `PITSTOP_SEED` where to begin; each
//! iteration has the next seed, so a failure is repeated by its seed with a time of 0.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../common/mod.rs"]
mod common;
#[allow(dead_code)]
#[path = "../sources/kit.rs"]
mod kit;
#[path = "../random/mod.rs"]
mod random;

mod memory;
mod mutate;
mod readers;

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use random::Random;
use readers::Reader;

/// More processor time than any honest input of this size takes.
const HANG: Duration = Duration::from_secs(30);
/// A machine may have other things to do, but not for so long.
const STUCK: Duration = Duration::from_secs(1800);
/// What a reader may hold beside a multiple of its input.
const FLOOR: u64 = 32 << 20;
const TIMES: u64 = 64;

/// One reader at a time: memory is counted over the process.
static ALONE: Mutex<()> = Mutex::new(());

/// The processor time this process has used.
fn used() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    // Behind the name in parentheses: fields 14 and 15, in hundredths of a second.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: u64 = fields[11..13].iter().map(|n| n.parse::<u64>().unwrap()).sum();
    Duration::from_millis(ticks * 10)
}

fn fuzz(name: &str, reader: &mut dyn Reader) {
    let _alone = ALONE.lock().unwrap_or_else(|e| e.into_inner());
    let seconds: u64 = std::env::var("PITSTOP_FUZZ_SECONDS").map_or(1, |s| s.parse().unwrap());
    let first = Random::seeded().seed();
    println!("{name}: PITSTOP_SEED={first} PITSTOP_FUZZ_SECONDS={seconds}");
    let (begun, mut done, mut accepted, mut bytes, mut most) = (Instant::now(), 0u64, 0u64, 0u64, 0u64);
    let watched = AtomicU64::new(0);
    let kept = File::create(common::target_dir().join(format!("fuzz-{name}.seed"))).unwrap();
    std::thread::scope(|scope| {
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        scope.spawn({
            let watched = &watched;
            move || {
                let mut seen = (u64::MAX, Instant::now(), used());
                while stopped
                    .recv_timeout(Duration::from_millis(500))
                    .is_err_and(|e| e == std::sync::mpsc::RecvTimeoutError::Timeout)
                {
                    let now = watched.load(Ordering::Relaxed);
                    if now != seen.0 {
                        seen = (now, Instant::now(), used());
                    } else if used().saturating_sub(seen.2) > HANG || seen.1.elapsed() > STUCK {
                        eprintln!("{name}: seed {} hangs", first.wrapping_add(now));
                        std::process::abort();
                    }
                }
            }
        });
        while done == 0 || begun.elapsed() < Duration::from_secs(seconds) {
            let seed = first.wrapping_add(done);
            let mut random = Random::from(seed);
            let input = reader.input(&mut random);
            // A stack that overflows takes the process with it; the seed is still there.
            kept.write_all_at(format!("{seed:020}").as_bytes(), 0).unwrap();
            let before = memory::begin();
            let ran = catch_unwind(AssertUnwindSafe(|| reader.read(&input)));
            let peak = memory::peak().saturating_sub(before);
            let Ok(ok) = ran else { panic!("{name}: seed {seed} panics") };
            let limit = FLOOR + TIMES * input.len() as u64;
            assert!(peak < limit, "{name}: seed {seed}: {peak} bytes of memory for {} of input", input.len());
            done += 1;
            accepted += u64::from(ok);
            bytes += input.len() as u64;
            most = most.max(peak);
            watched.store(done, Ordering::Relaxed);
        }
        drop(stop);
    });
    println!("{name}: {done} inputs, {bytes} bytes, {accepted} accepted, at most {most} bytes of memory");
}

macro_rules! readers {
    ($($name:ident => $reader:ty),* $(,)?) => {$(
        #[test]
        fn $name() {
            fuzz(stringify!($name), &mut <$reader>::new());
        }
    )*};
}

readers! {
    documents => readers::Documents,
    oplog => readers::Entries,
    dump => readers::Dump,
    metadata => readers::Metadata,
    archive => readers::Archive,
    gzip => readers::Gzip,
}
