//! What is said when pitstop itself is at fault. Errors of the world are [`crate::domain::Error`];
//! what comes here is a panic, and whoever reads it must know what still holds.

use std::io::IsTerminal;

use color_eyre::config::{HookBuilder, Theme};

const WHAT_HOLDS: &str = "this is a fault of pitstop, not of your data: the source is only read, and a target \
that is not finished stays marked as incomplete. A restore under way is a process of its own and goes on; \
`pitstop targets` lists it. The same command resumes the case.";

/// Makes every panic of this process say where it was and what still holds.
pub(super) fn report_panics() {
    let coloured = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let theme = if coloured { Theme::dark() } else { Theme::new() };
    let (panics, _) =
        HookBuilder::default().theme(theme).display_env_section(false).panic_section(WHAT_HOLDS).into_hooks();
    panics.install();
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    /// Run by the test below, in a process of its own.
    #[test]
    #[ignore = "it panics, on purpose"]
    fn helper_that_panics() {
        super::report_panics();
        panic!("a bad day");
    }

    #[test]
    fn a_panic_says_where_it_was_and_what_still_holds() {
        let ran = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "cli::crash::tests::helper_that_panics", "--nocapture"])
            .env("RUST_BACKTRACE", "0")
            .output()
            .unwrap();
        let told = String::from_utf8(ran.stderr).unwrap();
        assert!(!ran.status.success());
        for part in ["a bad day", "crash.rs", "not of your data", "pitstop targets"] {
            assert!(told.contains(part), "{part}: {told}");
        }
        assert!(!told.contains('\u{1b}'), "no colours without a terminal: {told:?}");
    }
}
