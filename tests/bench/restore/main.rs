//! The restore against its rivals, in one run: `cargo bench --bench restore`.
//!
//! `PITSTOP_BENCH_RUNS` = how often pitstop runs for each target (5), `PITSTOP_BENCH_RIVALS` =
//! how often each rival runs in full (1; 0 = not at all). Medians are printed. Every result must
//! have the dbHash that the recorded server gave.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../../common/mod.rs"]
mod common;
mod data;
mod node;
mod rivals;

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use data::Data;
use node::Node;
use rivals::Run;
use serde_json::Value;

fn main() {
    let data = data::data();
    let number = |name: &str, default| {
        std::env::var(name).map_or(default, |text| text.parse().expect("a number of runs"))
    };
    let (runs, rounds) = (number("PITSTOP_BENCH_RUNS", 5), number("PITSTOP_BENCH_RIVALS", 1));
    let work = tempfile::Builder::new().prefix("bench-").tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let work = work.path();
    println!("{} entries over 200,000 orders; {} processors", data.entries, cores());

    type Kind = fn(&Data, &Path) -> Took;
    let kinds: [(&str, Kind); 3] =
        [("into a running empty server", server), ("isolated", isolated), ("dump:DIR", dump)];
    let mut ours = Vec::new();
    for (name, kind) in kinds {
        let mut took: Vec<Took> = (0..runs).map(|_| kind(&data, work)).collect();
        took.iter().for_each(|t| assert_eq!(t.hash, data.hash, "{name}"));
        took.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
        let (first, last) = (took[0].seconds, took[took.len() - 1].seconds);
        let median = took.swap_remove(took.len() / 2);
        println!("pitstop, {name}: {:.2} s ({first:.2} to {last:.2}), verified", median.seconds);
        println!("    {}; {:.2} s of processor time, without mongod", median.phases, median.processor);
        ours.push(median.seconds);
    }
    let mut took: Vec<f64> = (0..runs.max(1)).map(|_| preview(&data, work)).collect();
    took.sort_by(f64::total_cmp);
    println!("pitstop diff, the snapshot against everything after it: {:.2} s", took[took.len() / 2]);
    type Rival = fn(&Data, &Path) -> Run;
    let rivals: [Rival; 3] = [
        |d, w| rivals::replay("dump loaded, one operation per applyOps", d, w, 1),
        |d, w| rivals::replay("dump loaded, 1000 operations per applyOps", d, w, 1000),
        rivals::recovery,
    ];
    for rival in rivals {
        let mut took: Vec<Run> = (0..rounds).map(|_| rival(&data, work)).collect();
        took.iter().for_each(|t| assert_eq!(t.hash, data.hash, "{}", t.name));
        took.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
        let Some(median) = took.get(rounds / 2) else { continue };
        println!(
            "{}: {:.1} s = {:.1} times pitstop into a server, {:.1} times dump:DIR ({})",
            median.name,
            median.seconds,
            median.seconds / ours[0],
            median.seconds / ours[2],
            median.detail
        );
    }
    println!("the dbHash of all: {}", data.hash);
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Processor time of all children that have ended, in seconds: `/proc/self/stat` counts it in
/// hundredths. Other than the wall clock it does not depend on who else is at work here.
fn processor_time() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat[stat.rfind(')').unwrap() + 2..].split(' ').collect();
    [13, 14].map(|at| fields[at].parse::<f64>().unwrap()).iter().sum::<f64>() / 100.0
}

/// One run of pitstop.
struct Took {
    seconds: f64,
    processor: f64,
    phases: String,
    hash: String,
}

fn restore(data: &Data, work: &Path, target: &str) -> (Value, (f64, f64)) {
    let case = tempfile::tempdir_in(work).unwrap();
    let (begun, before) = (Instant::now(), processor_time());
    let output = Command::new(env!("CARGO_BIN_EXE_pitstop"))
        .arg("restore")
        .args([data.dump(), data.slices()])
        .args(["--after", &data.last.to_string(), "--yes", "--json", "--target", target, "--case"])
        .arg(case.path())
        .arg("--mongod")
        .arg(common::mongod::mongod())
        .env("XDG_STATE_HOME", work.join("state"))
        .output()
        .unwrap();
    let seconds = begun.elapsed().as_secs_f64();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{target}: {said} {}", String::from_utf8_lossy(&output.stdout));
    (serde_json::from_slice(&output.stdout).unwrap(), (seconds, processor_time() - before))
}

/// What going back to the snapshot's edge would change; seconds.
fn preview(data: &Data, work: &Path) -> f64 {
    let case = tempfile::tempdir_in(work).unwrap();
    let snapshots = pitstop(&["snapshots", "--json"], data, case.path());
    let edge = snapshots.lines().find_map(|line| {
        let line: Value = serde_json::from_str(line).unwrap();
        Some(line["edge"]["pos"].as_str()?.to_owned())
    });
    let begun = Instant::now();
    let said = pitstop(&["diff", "--json", "--after", &edge.unwrap()], data, case.path());
    let seconds = begun.elapsed().as_secs_f64();
    assert!(said.contains("shop.orders"), "{said}");
    seconds
}

fn pitstop(args: &[&str], data: &Data, case: &Path) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pitstop"));
    command.args(args).args([data.dump(), data.slices()]).arg("--case").arg(case);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn took(outcome: &Value, (seconds, processor): (f64, f64), hash: String) -> Took {
    let phases = outcome["phases"].as_array().unwrap();
    let began = |at: usize| phases.get(at).map(|p| p["began"].as_f64().unwrap());
    let worker = outcome["seconds"].as_f64().unwrap();
    let spans = phases.iter().enumerate().map(|(at, phase)| {
        let span = began(at + 1).unwrap_or(worker) - began(at).unwrap();
        format!("{} {span:.2}", phase["phase"].as_str().unwrap())
    });
    let spans: Vec<String> = spans.collect();
    let phases = format!("{}, the rest {:.2}", spans.join(", "), seconds - worker);
    Took { seconds, processor, phases, hash }
}

fn server(data: &Data, work: &Path) -> Took {
    let dir = work.join("server");
    let node = Node::start(&dir, &["--setParameter", "ttlMonitorEnabled=false"]);
    let (outcome, seconds) = restore(data, work, &node.uri());
    // Asked of the server, not taken from what pitstop says.
    let hash = node.hash();
    drop(node);
    std::fs::remove_dir_all(&dir).unwrap();
    took(&outcome, seconds, hash)
}

fn isolated(data: &Data, work: &Path) -> Took {
    let (outcome, seconds) = restore(data, work, "isolated");
    let part = |name: &str| outcome["restored"][name].as_str().unwrap();
    let (id, uri) = (part("id"), part("uri"));
    let password = std::fs::read_to_string(part("password_file")).unwrap();
    let client = common::server::connect(&uri.replace("pitstop@", &format!("pitstop:{password}@")));
    let answer = common::server::command_on(&client, "shop", bson::doc! { "dbHash": 1 });
    let hash = answer.get_document("collections").unwrap().get_str("orders").unwrap().to_owned();
    let stopped = Command::new(env!("CARGO_BIN_EXE_pitstop"))
        .args(["targets", "stop", id, "--delete"])
        .env("XDG_STATE_HOME", work.join("state"))
        .output()
        .unwrap();
    assert!(stopped.status.success(), "{}", String::from_utf8_lossy(&stopped.stderr));
    took(&outcome, seconds, hash)
}

fn dump(data: &Data, work: &Path) -> Took {
    let dir = work.join("dump");
    let (outcome, seconds) = restore(data, work, &format!("dump:{}", dir.display()));
    let hash = common::dump::content(&std::fs::read(dir.join("shop/orders.bson")).unwrap()).md5;
    std::fs::remove_dir_all(&dir).unwrap();
    took(&outcome, seconds, hash)
}
