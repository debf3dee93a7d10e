//! Leaving while a restore runs, in a pseudo-terminal: to wait, to leave it running, to cancel it. The
//! restore is held back by its server, which does not start before it is let go.

use std::path::PathBuf;
use std::time::Instant;

use super::common::cli::Machine;
use super::common::mongod::mongod;
use super::term::{Term, pitstop};
use super::{ENTER, SOON, begin_restore, find, search};

const LEFT: &str = "\x1b[D";
const RIGHT: &str = "\x1b[C";

struct Held {
    machine: Machine,
    term: Term,
    hold: PathBuf,
}

impl Held {
    /// A restore of the demo into a server of its own, begun, and asked about by `q`.
    fn asked() -> Held {
        let machine = Machine::new();
        let (hold, server) = (machine.state().join("hold"), machine.state().join("mongod"));
        std::fs::write(&hold, "").unwrap();
        let script = format!(
            "#!/bin/sh\ncase \"$*\" in *--version*) ;; *) while [ -e '{}' ]; do sleep 0.05; done ;; esac\n\
             exec '{}' \"$@\"\n",
            hold.display(),
            mongod().display()
        );
        std::fs::write(&server, script).unwrap();
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(&server, std::fs::Permissions::from_mode(0o755)).unwrap();
        let mut command = pitstop(machine.state(), &["demo"]);
        command.env("PITSTOP_MONGOD", &server);
        let mut term = Term::spawn(command, 80, 24);
        begin_restore(&machine, &mut term);
        term.send("q");
        term.until("Leave while the restore runs?");
        Held { machine, term, hold }
    }

    fn let_go(&self) {
        std::fs::remove_file(&self.hold).unwrap();
    }

    /// How the restore has ended, when it has.
    fn result(&self) -> serde_json::Value {
        let job = find(self.machine.state(), "job.json");
        let begin = Instant::now();
        loop {
            if let Ok(bytes) = std::fs::read(job.with_file_name("result.json")) {
                return serde_json::from_slice(&bytes).unwrap();
            }
            assert!(begin.elapsed() < SOON * 12, "the restore never ended");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }

    fn has_ended(&self) -> bool {
        search(self.machine.state(), "result.json").is_some()
    }
}

#[test]
fn to_wait_is_to_see_it_verified() {
    let mut held = Held::asked();
    held.term.send("n");
    held.term.until("[ No, wait ]");
    held.term.send(ENTER);
    held.term.until_that("the restore again", |text| !text.contains("Leave while"));
    assert!(!held.has_ended());
    held.let_go();
    held.term.until("Verified and complete");
    held.term.send("q");
    assert_eq!(held.term.ended(SOON), 0);
    assert_eq!(held.result()["exit"], 0);
}

#[test]
fn left_running_it_goes_on_to_its_end() {
    let mut held = Held::asked();
    held.term.send("y");
    held.term.until("[ Yes, leave it running ]");
    held.term.send(ENTER);
    assert_eq!(held.term.ended(SOON), 0);
    assert!(held.term.is_as_before());
    assert!(!held.has_ended(), "it was left in the middle");
    held.let_go();
    let result = held.result();
    assert_eq!(result["exit"], 0, "{result}");
    let listed = held.machine.run(&["targets"]);
    assert!(listed.out.contains("running"), "{}", listed.out);
}

#[test]
fn cancelled_it_leaves_nothing() {
    let mut held = Held::asked();
    held.term.send("n");
    held.term.until("[ No, wait ]");
    held.term.send(LEFT);
    held.term.until("[ Cancel it ]");
    held.term.send(ENTER);
    held.term.until("Cancel the restore?");
    // No is preselected here: one Enter too many cancels nothing.
    held.term.until("[ No, let it go on ]");
    held.term.send(RIGHT);
    held.term.until("[ Yes, cancel it ]");
    held.term.send(ENTER);
    held.term.until_that("the restore again", |text| !text.contains("Cancel the restore?"));
    held.let_go();
    let result = held.result();
    assert_eq!(result["exit"], 130, "{result}");
    held.term.until("stopped");
    held.term.send("q");
    assert_eq!(held.term.ended(SOON), 0);
    let listed = held.machine.run(&["targets", "--json"]);
    assert_eq!((listed.code, listed.out.trim()), (0, ""), "{}", listed.err);
    assert!(search(held.machine.state(), "mongod.lock").is_none(), "no server's data is left");
}
