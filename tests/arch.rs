//! The architecture, checked: which folder of `src` may use which, how long a file may be, and
//! that each opens by saying what it owns.
//!
//! Paths are read from the tokens of the source, so `crate::…` and chains of `super::…` count in
//! imports, groups and expressions alike, and neither in comments nor in strings.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};

/// Who may use whom. `None` = everything.
const ARROWS: [(&str, Option<&[&str]>); 12] = [
    ("domain", Some(&[])),
    ("engine", Some(&["domain"])),
    ("keys", Some(&["domain"])),
    ("source", Some(&["domain", "engine"])),
    ("index", Some(&["domain", "engine", "source"])),
    ("target", Some(&["domain", "engine"])),
    ("case", Some(&["domain", "engine"])),
    ("ops", Some(&["domain", "engine", "keys", "source", "index", "target", "case"])),
    ("app", Some(&["domain", "keys"])),
    ("ui", Some(&["domain", "keys", "app"])),
    ("runtime", None),
    ("cli", None),
];

/// The crate's roots tie everything together.
const ROOTS: [&str; 2] = ["lib.rs", "main.rs"];
const LONG: usize = 400;
const TOO_LONG: usize = 500;

#[test]
fn every_arrow_is_allowed() {
    let found: Vec<String> = sources().iter().flat_map(|(path, text)| wrong_arrows(path, text)).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn every_file_is_short_and_says_what_it_owns() {
    let mut found = Vec::new();
    for (path, text) in sources() {
        let (path, lines) = (path.display(), text.lines().count());
        if lines > TOO_LONG {
            found.push(format!("{path}: {lines} lines, {TOO_LONG} at most"));
        } else if lines > LONG {
            println!("{path}: {lines} lines: does it hold two ideas?");
        }
        if !has_header(&text) {
            found.push(format!("{path}: does not open with a `//!` line"));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// Whether a `//!` line comes before everything but attributes of the file.
fn has_header(text: &str) -> bool {
    let first = text.lines().find(|line| !line.trim().is_empty() && !line.starts_with("#!["));
    first.is_some_and(|line| line.starts_with("//! "))
}

/// Path below `src`, and text.
fn sources() -> Vec<(PathBuf, String)> {
    fn walk(dir: &Path, root: &Path, found: &mut Vec<(PathBuf, String)>) {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, root, found);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                found.push((path.strip_prefix(root).unwrap().to_owned(), text));
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    walk(&root, &root, &mut found);
    assert!(found.len() > 2, "no sources below {}", root.display());
    found.sort();
    found
}

/// What this file uses and must not, a line each.
fn wrong_arrows(path: &Path, text: &str) -> Vec<String> {
    if ROOTS.iter().any(|root| path == Path::new(root)) {
        return Vec::new();
    }
    let module = module_of(path);
    let Some((own, allowed)) = ARROWS.iter().find(|(name, _)| module[0] == *name) else {
        return vec![format!("{}: `{}` is no part of the architecture", path.display(), module[0])];
    };
    let mut found = Vec::new();
    for (line, used) in used_paths(text, &module) {
        let Some(top) = used.first() else { continue };
        let known = ARROWS.iter().any(|(name, _)| name == top);
        let fine = top == own || known && allowed.is_none_or(|list| list.contains(&top.as_str()));
        if !fine {
            found.push(format!("{}:{line}: {own} must not use crate::{}", path.display(), used.join("::")));
        }
    }
    found
}

/// `engine/update/diff.rs` is the module `engine::update::diff`.
fn module_of(path: &Path) -> Vec<String> {
    let mut module: Vec<String> = path.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    let file = module.pop().unwrap();
    let stem = file.strip_suffix(".rs").unwrap();
    if stem != "mod" {
        module.push(stem.to_owned());
    }
    module
}

/// Every path in the source that begins at the crate's root, resolved, with its line.
fn used_paths(text: &str, module: &[String]) -> Vec<(usize, Vec<String>)> {
    let tokens = tokens(text);
    let is = |at: usize, word: &str| tokens.get(at).is_some_and(|(_, t)| t == word);
    let mut found = Vec::new();
    let mut within = module.to_vec();
    // For each open brace, whether it is that of an inline module.
    let mut braces = Vec::new();
    let mut at = 0;
    while let Some((line, token)) = tokens.get(at) {
        match token.as_str() {
            "{" => {
                let named = at >= 2 && is(at - 2, "mod");
                if named {
                    within.push(tokens[at - 1].1.clone());
                }
                braces.push(named);
            }
            "}" if braces.pop() == Some(true) => {
                within.pop();
            }
            // `pub(crate)` is no path, and in `a::super` the chain has begun earlier.
            "crate" | "super" if !is(at + 1, ")") => {
                let mut paths = Vec::new();
                at = tree(&tokens, at, &within, &mut paths);
                found.extend(paths.into_iter().map(|path| (*line, path)));
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    found
}

/// Reads one path, or a group of them, that continues `base`; gives the index after it.
fn tree(tokens: &[(usize, String)], mut at: usize, base: &[String], found: &mut Vec<Vec<String>>) -> usize {
    let mut path = base.to_vec();
    loop {
        match tokens.get(at).map(|(_, t)| t.as_str()) {
            Some("crate") => path.clear(),
            Some("super") => drop(path.pop()),
            Some("self") => {}
            Some("{") => {
                at += 1;
                while tokens.get(at).is_some_and(|(_, t)| t != "}") {
                    at = tree(tokens, at, &path, found);
                    // A rename, then the comma.
                    while tokens.get(at).is_some_and(|(_, t)| t != "," && t != "}") {
                        at += 1;
                    }
                    at += usize::from(tokens.get(at).is_some_and(|(_, t)| t == ","));
                }
                return at + 1;
            }
            Some(name) => path.push(name.to_owned()),
            None => break,
        }
        at += 1;
        if tokens.get(at).is_none_or(|(_, t)| t != "::") {
            break;
        }
        at += 1;
    }
    // The root itself, under another name or as a glob, would hide what is used.
    found.push(if path.is_empty() { vec!["(the root)".to_owned()] } else { path });
    at
}

/// Words, `::` and single other characters with their lines; no comments, strings, characters.
fn tokens(text: &str) -> Vec<(usize, String)> {
    let chars: Vec<char> = text.chars().collect();
    let get = |at: usize| chars.get(at).copied().unwrap_or('\0');
    let word = |c: char| c.is_alphanumeric() || c == '_';
    let (mut found, mut at) = (Vec::new(), 0);
    let mut line = 1;
    while at < chars.len() {
        let begin = at;
        match (get(at), get(at + 1)) {
            ('/', '/') => at += until(&chars[at..], "\n", false),
            ('/', '*') => at += until(&chars[at..], "*/", true),
            ('r', '"' | '#') | ('b', 'r') if raw_string(&chars[at..]).is_some() => {
                at += raw_string(&chars[at..]).unwrap();
            }
            ('"', _) => {
                at += 1;
                while at < chars.len() && get(at) != '"' {
                    at += if get(at) == '\\' { 2 } else { 1 };
                }
                at += 1;
            }
            ('\'', '\\') => {
                at += 3;
                while at < chars.len() && get(at) != '\'' {
                    at += 1;
                }
                at += 1;
            }
            ('\'', _) if get(at + 2) == '\'' => at += 3,
            (':', ':') => {
                found.push((line, "::".to_owned()));
                at += 2;
            }
            (c, _) if word(c) => {
                while word(get(at)) {
                    at += 1;
                }
                found.push((line, chars[begin..at].iter().collect()));
            }
            (c, _) => {
                if !c.is_whitespace() {
                    found.push((line, c.to_string()));
                }
                at += 1;
            }
        }
        line += chars[begin..at.min(chars.len())].iter().filter(|c| **c == '\n').count();
    }
    found
}

/// How many characters up to and with `end`; with `nested`, block comments inside count.
fn until(chars: &[char], end: &str, nested: bool) -> usize {
    let end: Vec<char> = end.chars().collect();
    let (mut at, mut depth) = (0, usize::from(!nested));
    while at < chars.len() {
        if nested && chars[at..].starts_with(&['/', '*']) {
            depth += 1;
            at += 2;
        } else if chars[at..].starts_with(&end) {
            depth -= 1;
            at += end.len();
            if depth == 0 {
                break;
            }
        } else {
            at += 1;
        }
    }
    at
}

/// The length of a raw string at the start, if there is one.
fn raw_string(chars: &[char]) -> Option<usize> {
    let begin = if chars[0] == 'b' { 2 } else { 1 };
    let hashes = chars.get(begin..)?.iter().take_while(|c| **c == '#').count();
    if chars.get(begin + hashes) != Some(&'"') {
        return None;
    }
    let body = begin + hashes + 1;
    let end: String = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
    Some(body + until(&chars[body..], &end, false))
}

#[test]
fn a_header_is_the_first_thing_said() {
    assert!(has_header("//! Owns X.\n\nuse a;") && has_header("#![allow(x)]\n//! Owns X.\n"));
    for none in ["", "use a;\n//! Owns X.", "// Owns X.", "/// Owns X.\nfn f() {}", "//!\n"] {
        assert!(!has_header(none), "{none:?}");
    }
}

#[test]
fn the_checker_finds_what_it_should() {
    let allowed = [
        ("engine/fold.rs", "use crate::domain::{Error, Position}; use super::bson::Doc;"),
        ("engine/fold.rs", "mod tests { use super::*; use super::super::bson; }"),
        ("engine/fold.rs", "pub(crate) fn f() { self::g(); } // crate::ui is not meant"),
        (
            "engine/fold.rs",
            r##"const A: &str = r#"use crate::ui; " crate::cli"#; const B: &str = "\"crate::ui::x";"##,
        ),
        (
            "engine/fold.rs",
            "/* /* crate::ui */ crate::ui */ const C: char = '\"'; fn f<'a>(x: &'a crate::domain::X) {}",
        ),
        ("domain/mod.rs", "pub use error::Error; fn f() -> crate::domain::X { crate::domain::f() }"),
        ("index/mod.rs", "use crate::source::Source;"),
        ("cli/mod.rs", "use crate::{runtime, ui::draw, ops::{restore, search}};"),
        ("lib.rs", "pub mod ui; use crate::anything;"),
    ];
    for (path, text) in allowed {
        assert_eq!(wrong_arrows(Path::new(path), text), [""; 0], "{path}: {text}");
    }
    let wrong = [
        (
            "domain/query.rs",
            "use crate::engine::bson::Doc;",
            "domain/query.rs:1: domain must not use crate::engine::bson::Doc",
        ),
        (
            "domain/query.rs",
            "\n\nfn f() { crate::engine::f() }",
            "domain/query.rs:3: domain must not use crate::engine::f",
        ),
        (
            "domain/query.rs",
            "use super::super::engine::x;",
            "domain/query.rs:1: domain must not use crate::engine::x",
        ),
        ("domain/mod.rs", "use super::engine;", "domain/mod.rs:1: domain must not use crate::engine"),
        (
            "domain/query.rs",
            "mod a { mod b { use super::super::super::super::ui; } }",
            "domain/query.rs:1: domain must not use crate::ui",
        ),
        (
            "engine/fold.rs",
            "use crate::{domain::{Error as E, X}, source::S};",
            "engine/fold.rs:1: engine must not use crate::source::S",
        ),
        (
            "engine/fold.rs",
            "use super::{bson, super::target::T};",
            "engine/fold.rs:1: engine must not use crate::target::T",
        ),
        (
            "source/mod.rs",
            "use crate::index::Index;",
            "source/mod.rs:1: source must not use crate::index::Index",
        ),
        ("ui/mod.rs", "fn f(x: Vec<crate::ops::X>) {}", "ui/mod.rs:1: ui must not use crate::ops::X"),
        ("cli/mod.rs", "use crate::helpers;", "cli/mod.rs:1: cli must not use crate::helpers"),
        ("app/mod.rs", "use crate as pitstop;", "app/mod.rs:1: app must not use crate::(the root)"),
        ("app/mod.rs", "use super::*;", "app/mod.rs:1: app must not use crate::*"),
        ("utils/mod.rs", "", "utils/mod.rs: `utils` is no part of the architecture"),
    ];
    for (path, text, expected) in wrong {
        assert_eq!(wrong_arrows(Path::new(path), text), [expected], "{path}: {text}");
    }
}
