//! Every command of the README is run, in order, as a reader would run it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::cli::{Machine, Ran};

fn blocks(readme: &str) -> Vec<Vec<&str>> {
    let mut blocks = Vec::new();
    let mut lines = readme.lines();
    while let Some(line) = lines.next() {
        if line.trim() == "```sh" {
            blocks.push(lines.by_ref().take_while(|l| l.trim() != "```").collect());
        }
    }
    blocks
}

/// Splits like a shell, as far as the README needs it: blanks, and single quotes.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for c in line.chars() {
        match c {
            '\'' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            _ => words.last_mut().unwrap().push(c),
        }
    }
    words.retain(|w| !w.is_empty());
    words
}

#[test]
fn every_command_of_the_readme_works() {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let machine = Machine::new();
    let place = tempfile::tempdir().unwrap();
    let mut ran = 0;
    for line in blocks(&readme).into_iter().flatten() {
        let words = words(line);
        let args: Vec<&str> = words.iter().skip(1).map(String::as_str).collect();
        match words.first().map(String::as_str) {
            // This very run, and the screens, which have their own test in a pseudo-terminal.
            Some("cargo") => assert!(["cargo test", "cargo run --release -- demo"].contains(&line), "{line}"),
            Some("pitstop") => {
                let done = Ran::of(machine.command(&args).current_dir(place.path()).output().unwrap());
                assert_eq!(done.code, 0, "{line}: {}", done.err);
                assert!(!done.out.is_empty(), "{line} printed nothing");
                ran += 1;
            }
            _ => panic!("the README has a command that no test runs: {line:?}"),
        }
    }
    assert!(ran >= 10, "only {ran} commands were found");
    assert!(place.path().join("recovered/shop/orders.bson").is_file());
}

#[test]
fn pictures_of_the_readme_are_there() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    let pictures: Vec<&str> = readme
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
        .filter(|p| p.starts_with("screenshots/"))
        .collect();
    assert!(!pictures.is_empty());
    for picture in pictures {
        assert!(root.join(picture).is_file(), "{picture} is missing");
    }
}
