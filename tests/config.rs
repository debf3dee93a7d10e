//! The configuration as a user meets it: the real binary, real files, real permissions.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;
#[path = "tui/term.rs"]
#[allow(dead_code)]
mod term;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use common::cli::{Machine, Ran};
use serde_json::Value;
use term::{Term, pitstop};

/// A machine with a configuration at the usual place.
struct Home {
    machine: Machine,
    dir: tempfile::TempDir,
}

impl Home {
    fn new(config: &str) -> Home {
        let home = Home { machine: Machine::new(), dir: tempfile::tempdir().unwrap() };
        fs::create_dir_all(home.path("config/pitstop")).unwrap();
        home.write(config, 0o600);
        home
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn file(&self) -> PathBuf {
        self.path("config/pitstop/config.toml")
    }

    fn write(&self, config: &str, mode: u32) {
        fs::write(self.file(), config).unwrap();
        fs::set_permissions(self.file(), fs::Permissions::from_mode(mode)).unwrap();
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.machine.command(args);
        command.env("XDG_CONFIG_HOME", self.path("config")).current_dir(self.dir.path());
        for name in ["PITSTOP_MONGOD", "PITSTOP_THEME", "PITSTOP_CONFIG"] {
            command.env_remove(name);
        }
        command
    }

    fn run(&self, args: &[&str]) -> Ran {
        Ran::of(self.command(args).output().unwrap())
    }

    /// The built-in incident in a folder.
    fn unpack(&self, name: &str) -> PathBuf {
        let ran = self.run(&["demo", "--unpack", self.path(name).to_str().unwrap()]);
        assert_eq!(ran.code, 0, "{}", ran.err);
        self.path(name)
    }
}

/// `name = value, by origin` of the doctor.
fn settings(ran: &Ran) -> Vec<String> {
    let lines = ran.out.lines().map(|l| serde_json::from_str::<Value>(l).unwrap());
    lines.filter(|l| l["check"] == "setting").map(|l| l["found"].as_str().unwrap().to_owned()).collect()
}

fn bytes_below(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut out = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => out.extend(bytes_below(&path)),
            false => out.push((path.clone(), fs::read(&path).unwrap())),
        }
    }
    out
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let home = Home::new(
        "them = \"dark\"\ntheme = \"purple\"\nascii = 1\n[profiles.ops]\nbackups = \"/x\"\n[profiles.a]\nbackups = [\"x\"]\nsource = \"/dump\"\n[profiles.b]\n[keys]\nfly = \"f\"\nquit = \"s\"\nfilter = \"Alt-x\"\n[keys.moon]\nup = \"k\"\n",
    );
    let incident = home.unpack_without_config("incident");
    let ran = home.run(&["snapshots", incident.to_str().unwrap()]);
    assert_eq!(ran.code, 2, "{}", ran.err);
    for said in [
        "line 1: `them` is no setting; there are theme, ascii",
        "line 2: theme: \"purple\"",
        "line 3: ascii: write true or false",
        "line 4: `ops` is a command",
        "line 7: backups: \"x\" is no whole path",
        "line 8: source: write the connection string",
        "line 9: profiles.b names neither a source nor backups",
        "line 11: keys: `fly` is no action",
        "line 13: filter: \"Alt-x\" is no key",
        "line 14: keys: `moon` is no context",
        "keys: quit: in `",
    ] {
        assert!(ran.err.contains(said), "{said:?} is not in {}", ran.err);
    }
    assert!(ran.out.is_empty() && ran.err.contains(home.file().to_str().unwrap()), "{}", ran.err);

    // The environment is read with it, and a file that is no TOML says so for every fault.
    home.write("a = = 1\n[b\n", 0o600);
    let output = home.command(&["snapshots", "x"]).env("PITSTOP_CRITICALITY", "huge").output().unwrap();
    let ran = Ran::of(output);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("line 1:") && ran.err.contains("line 2:"), "{}", ran.err);
    assert!(ran.err.contains("PITSTOP_CRITICALITY: it is none of"), "{}", ran.err);

    // For the doctor it is a finding; what needs no configuration does not stumble over it.
    let ran = home.run(&["doctor", "--json"]);
    assert_eq!(ran.code, 1);
    let first: Value = serde_json::from_str(ran.out.lines().next().unwrap()).unwrap();
    assert_eq!((first["check"].as_str(), first["verdict"].as_str()), (Some("configuration"), Some("wrong")));
    for fine in [&["targets"][..], &["generate", "config"]] {
        assert_eq!(home.run(fine).code, 0, "{fine:?}");
    }
}

impl Home {
    fn unpack_without_config(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        let mut command = self.machine.command(&["demo", "--unpack", path.to_str().unwrap()]);
        command.env("XDG_CONFIG_HOME", self.path("nothing"));
        assert!(command.output().unwrap().status.success());
        path
    }
}

#[test]
fn nothing_is_shown_before_a_configuration_that_is_wrong() {
    let state = tempfile::tempdir().unwrap();
    let file = state.path().join("config.toml");
    fs::write(&file, "theme = \"purple\"\n").unwrap();
    let mut command = pitstop(state.path(), &["demo"]);
    command.env("PITSTOP_CONFIG", &file);
    let mut term = Term::spawn(command, 80, 24);
    assert_eq!(term.ended(Duration::from_secs(30)), 2);
    let text = term.until("purple");
    assert!(text.contains("line 1: theme"), "{text}");
    let raw = term.raw();
    assert!(!raw.windows(8).any(|w| w == b"\x1b[?1049h"), "the screen was taken");
}

#[test]
fn file_profile_environment_and_flags_win_in_this_order_and_the_doctor_says_so() {
    let home = Home::new("");
    let incident = home.unpack("incident");
    let dump = incident.to_str().unwrap();
    home.write(
        &format!(
            "theme = \"light\"\nascii = true\n[profiles.prod]\nbackups = {dump:?}\ntheme = \"dark\"\ncriticality = \"mission-critical\"\n[keys]\nquit = \"Q\"\n"
        ),
        0o644,
    );
    let doctor = |args: &[&str], env: &[(&str, &str)]| {
        let mut command = home.command(&["doctor", "--json"]);
        command.args(args).envs(env.iter().copied());
        let ran = Ran::of(command.output().unwrap());
        assert!(ran.out.contains(home.file().to_str().unwrap()), "{} {}", ran.out, ran.err);
        assert!(ran.out.contains("1 action bound otherwise"), "{}", ran.out);
        settings(&ran)
    };
    let plain = doctor(&[dump], &[]);
    assert_eq!(
        plain,
        [
            "theme = \"light\", by the file",
            "ascii = true, by the file",
            "mouse = \"auto\", by the default",
            "criticality = \"production\", by the default",
            "mongod = \"\", by the default",
            "memory = \"\", by the default",
        ]
    );
    let of_profile = doctor(&["prod"], &[]);
    assert_eq!(of_profile[0], "theme = \"dark\", by the profile prod");
    assert_eq!(of_profile[3], "criticality = \"mission-critical\", by the profile prod");
    let env = [("PITSTOP_THEME", "mono"), ("PITSTOP_ASCII", "false"), ("PITSTOP_CRITICALITY", "development")];
    let by_env = doctor(&["prod"], &env);
    assert_eq!(by_env[0], "theme = \"mono\", by PITSTOP_THEME");
    assert_eq!(by_env[1], "ascii = false, by PITSTOP_ASCII");
    assert_eq!(by_env[3], "criticality = \"development\", by PITSTOP_CRITICALITY");
    let by_flag = doctor(&["prod", "--criticality", "production"], &env);
    assert_eq!(by_flag[3], "criticality = \"production\", by --criticality");
}

#[test]
fn a_profile_is_a_source_and_a_file_of_its_name_is_not() {
    let home = Home::new("");
    let incident = home.unpack("incident");
    home.write(&format!("[profiles.prod]\nbackups = [{:?}]\n", incident.to_str().unwrap()), 0o600);
    let ids = |ran: &Ran| -> Vec<Value> {
        assert_eq!(ran.code, 0, "{}", ran.err);
        let lines: Vec<Value> = ran.out.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        lines.iter().filter(|l| l["kind"] == "snapshot").map(|l| l["path"].clone()).collect()
    };
    let by_path = ids(&home.run(&["snapshots", "--json", incident.to_str().unwrap()]));
    assert!(!by_path.is_empty());
    assert_eq!(ids(&home.run(&["snapshots", "--json", "prod"])), by_path);
    assert_eq!(home.run(&["suspects", "prod", "--json"]).code, 0);

    // A folder of that name in the current directory is another thing.
    fs::create_dir(home.path("prod")).unwrap();
    assert_eq!(ids(&home.run(&["snapshots", "--json", "prod"])), by_path);
    assert_ne!(
        home.run(&["snapshots", "--json", "./prod"]).out,
        home.run(&["snapshots", "--json", "prod"]).out
    );

    let ran = home.run(&["snapshots", "prood"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("the profiles are: prod"), "{}", ran.err);

    // What archives wants a set.
    let ran = home.run(&["archive", "prod", home.path("kept").to_str().unwrap(), "--once"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("no connection string"), "{}", ran.err);
}

#[test]
fn a_password_is_taken_only_from_a_file_that_nobody_else_reads_and_is_written_nowhere() {
    let uri = "mongodb://reader:s3cretword@127.0.0.1:1/?serverSelectionTimeoutMS=200";
    let home = Home::new("");
    let config = format!("[profiles.prod]\nsource = {uri:?}\n");
    for mode in [0o644, 0o640, 0o604] {
        home.write(&config, mode);
        let ran = home.run(&["snapshots", "prod"]);
        assert_eq!(ran.code, 5, "{mode:o}: {}", ran.err);
        assert!(
            ran.err.contains("line 2: source: it holds a password") && ran.err.contains("chmod 600"),
            "{}",
            ran.err
        );
        assert!(!ran.err.contains("s3cret"), "{}", ran.err);
    }
    home.write(&config, 0o600);
    for args in
        [&["snapshots", "prod"][..], &["doctor", "prod"], &["snapshots", uri], &["ops", "prod", "--json"]]
    {
        let ran = home.run(args);
        assert_eq!(ran.code, 1, "{args:?}: {}", ran.err);
        assert!((ran.out + &ran.err).contains("127.0.0.1:1"));
    }
    let kept = bytes_below(home.machine.state());
    let mut logs: Vec<_> =
        kept.iter().filter(|(path, _)| path.extension().is_some_and(|e| e == "log")).collect();
    logs.sort();
    assert!(logs.len() >= 4, "{kept:?}");
    for (path, bytes) in &kept {
        assert!(!bytes.windows(6).any(|w| w == b"s3cret"), "{path:?}");
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o077, 0, "{path:?}");
    }
    let text = String::from_utf8(logs.last().unwrap().1.clone()).unwrap();
    assert!(text.contains("ended with 1: ") && text.contains("mongodb://127.0.0.1:1/"), "{text}");

    // Without a password it may be read; but nobody else may write it.
    home.write(
        "[profiles.prod]\nsource = \"mongodb://reader@127.0.0.1:1/?serverSelectionTimeoutMS=200\"\n",
        0o644,
    );
    assert_eq!(home.run(&["snapshots", "prod"]).code, 1);
    home.write("theme = \"dark\"\n", 0o666);
    let ran = home.run(&["snapshots", "x"]);
    assert_eq!(ran.code, 5);
    assert!(ran.err.contains("somebody else may write it"), "{}", ran.err);
}

#[test]
fn a_file_can_be_named_and_none_is_taken_from_the_current_directory() {
    let home = Home::new("");
    let incident = home.unpack("incident");
    let dump = incident.to_str().unwrap();
    fs::remove_file(home.file()).unwrap();
    for name in
        ["config.toml", "pitstop.toml", ".pitstop.toml", "pitstop/config.toml", ".config/pitstop/config.toml"]
    {
        let path = home.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "theme = \"purple\"\n").unwrap();
    }
    assert_eq!(home.run(&["snapshots", dump]).code, 0);
    let named = home.path("config.toml");
    let named = named.to_str().unwrap();
    for args in [
        vec!["snapshots", dump, "--config", named],
        vec!["--config", named, "snapshots", dump],
        vec![&*format!("--config={named}"), "snapshots", dump],
        vec!["--config", named, dump],
    ] {
        let ran = home.run(&args);
        assert_eq!(ran.code, 2, "{args:?}: {}", ran.err);
        assert!(ran.err.contains("purple"), "{args:?}: {}", ran.err);
    }
    let ran = Ran::of(home.command(&["snapshots", dump]).env("PITSTOP_CONFIG", named).output().unwrap());
    assert!(ran.err.contains("purple"), "{}", ran.err);
    let ran =
        Ran::of(home.command(&["snapshots", dump]).env("PITSTOP_CONFIG", "config.toml").output().unwrap());
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("no whole path"), "{}", ran.err);
    // One that was named and is not there is no empty one.
    let ran = home.run(&["snapshots", dump, "--config", "/nowhere/config.toml"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("no such file"), "{}", ran.err);
}

#[test]
fn completions_the_manual_and_a_configuration_are_printed() {
    let home = Home::new("");
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = home.run(&["generate", "completions", shell]);
        assert_eq!(ran.code, 0, "{shell}");
        for word in ["snapshots", "accept-unproven", "generate"] {
            assert!(ran.out.contains(word), "{shell}: {word}");
        }
        assert!(!ran.out.contains("restore-worker"), "{shell} offers what is none of its");
    }
    let bash = home.run(&["generate", "completions", "bash"]).out;
    let script = home.path("completions.bash");
    fs::write(&script, bash).unwrap();
    let ask = "source \"$1\"; COMP_WORDS=(pitstop sna); COMP_CWORD=1; _pitstop pitstop sna pitstop; echo \"${COMPREPLY[@]}\"";
    let output = Command::new("bash").args(["-c", ask, "ask"]).arg(&script).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "snapshots", "{output:?}");

    let page = home.run(&["generate", "man"]);
    assert_eq!(page.code, 0);
    assert!(page.out.contains(".TH pitstop 1"), "{}", &page.out[..200]);
    for name in ["PITSTOP-SNAPSHOTS", "PITSTOP-RESTORE", "PITSTOP-ARCHIVE"] {
        assert!(page.out.contains(&format!(".SH {name}")), "{name}");
    }
    assert!(page.out.contains("\\-\\-before") && page.out.contains("\\-\\-keep\\-days"));

    let sample = home.run(&["generate", "config"]).out;
    home.write(&sample, 0o600);
    let ran = home.run(&["doctor", "--json"]);
    assert!(settings(&ran).iter().all(|s| s.ends_with("by the default")), "{}", ran.out);
}

#[test]
fn other_keys_do_what_they_say_and_the_footer_and_help_show_them() {
    let state = tempfile::tempdir().unwrap();
    let file = state.path().join("config.toml");
    fs::write(&file, "criticality = \"production\"\n[keys]\nquit = \"Q\"\nhelp = [\"H\", \"?\"]\n").unwrap();
    let mut command = pitstop(state.path(), &["demo"]);
    command.env("PITSTOP_CONFIG", &file);
    let mut term = Term::spawn(command, 100, 40);
    let text = term.until("newest before the stop");
    assert!(text.contains("Q quit") && text.contains("H help"), "{text}");
    term.send("q");
    term.send("H");
    let help = term.until("Leave; while a");
    assert!(help.lines().any(|l| l.contains("Q") && l.contains("Quit")), "{help}");
    term.send("\x1b[F");
    let end = term.until("The log of this run is");
    let logs = state.path().join("pitstop/logs");
    assert!(end.contains(logs.to_str().unwrap()), "{end}");
    term.send("\x1b");
    term.send("Q");
    assert_eq!(term.ended(Duration::from_secs(30)), 0);
    let text = fs::read_to_string(fs::read_dir(&logs).unwrap().next().unwrap().unwrap().path()).unwrap();
    assert!(text.contains("slot: Open") && text.contains("done"), "{text}");
}
