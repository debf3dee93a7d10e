//! Random histories on a real replica set, against the server's own word for what it held.
//!
//! One client plays a step after the other. After each step the server is asked what it holds and
//! where its oplog ends: that is the truth at that position. Between the steps dumps are taken,
//! one collection or one batch of documents at a time, so that they are as fuzzy as in life. Then
//! every dump is rolled to every truth behind its edge.
//!
//! That is the truth as it was written down on the way. Two more come from the server afterwards,
//! at stops anywhere in the log: its hash of a moment that is over ([`past`]), and what its own
//! recovery makes of its data files and the log up to there ([`oracle`]).
//!
//! `PITSTOP_HISTORIES` sets how many histories are played (2), `PITSTOP_STEPS` how long they are
//! (150), `PITSTOP_STOPS` how many random stops of each are recovered by the server (3),
//! `PITSTOP_SEED` repeats one; all are printed. `PITSTOP_KEEP` names a directory that
//! is to hold every content that was compared, by its MD5, for whoever looks for a difference.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../common/mod.rs"]
mod common;
#[path = "../random/mod.rs"]
mod random;

mod dump;
mod every;
mod live;
mod oracle;
mod past;
mod play;
mod scripted;
mod sent;
mod steps;
mod told;
mod updates;

use common::server::{Kind, Server};
use random::Random;

/// A replica set for histories: no expiry, and transactions of more than a few operations become
/// chains of entries.
fn server() -> Server {
    let parameters = ["ttlMonitorEnabled=false", "maxNumberOfTransactionOperationsInSingleOplogEntry=3"];
    let arguments: Vec<&str> = parameters.iter().flat_map(|p| ["--setParameter", p]).collect();
    Server::start(Kind::ReplicaSet, &arguments)
}

fn from_environment(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

#[test]
fn random_histories_agree_with_the_server() {
    let (histories, steps) =
        (from_environment("PITSTOP_HISTORIES", 2), from_environment("PITSTOP_STEPS", 150));
    let stops = from_environment("PITSTOP_STOPS", 3);
    let server = server();
    let mut random = Random::seeded();
    let (mut wrong, mut compared, mut past, mut recovered) = (Vec::new(), 0, 0, 0);
    for _ in 0..histories {
        let seed = random.next();
        let seed = if std::env::var("PITSTOP_SEED").is_ok() && histories == 1 { random.seed() } else { seed };
        println!("history of {steps} steps, PITSTOP_HISTORIES=1 PITSTOP_STEPS={steps} PITSTOP_SEED={seed}");
        let outcome = play::history(&server, Random::from(seed), steps, stops);
        println!("{outcome}");
        outcome.wrong.iter().for_each(|w| println!("  {w}"));
        compared += outcome.exact;
        past += outcome.past;
        recovered += outcome.recovered;
        wrong.extend(outcome.wrong.into_iter().map(|w| format!("seed {seed}, {w}")));
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(compared > histories * steps, "only {compared} states were compared");
    assert!(past > histories * steps / 3, "only {past} moments were asked for");
    assert!(recovered >= histories * stops, "only {recovered} stops were recovered");
}
