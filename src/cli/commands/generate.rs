//! `pitstop generate`: completions, the manual page, a configuration to begin with.

use clap::CommandFactory;

use crate::cli::args::Cli;
use crate::cli::args::{GenerateArgs, Generated};
use crate::cli::config::sample;
use crate::cli::output::{Out, PRINTING};
use crate::domain::{Error, Result};

/// Runs it.
pub fn run(args: &GenerateArgs) -> Result<()> {
    let mut text = Vec::new();
    match &args.what {
        Generated::Completions { shell } => {
            clap_complete::generate(*shell, &mut Cli::command(), "pitstop", &mut text);
        }
        Generated::Man => man(&mut text)?,
        Generated::Config => text.extend_from_slice(sample().as_bytes()),
    }
    let mut out = Out::new();
    out.line(String::from_utf8_lossy(&text).trim_end())?;
    out.flush()
}

/// One page: the program, then each command with its options.
fn man(into: &mut Vec<u8>) -> Result<()> {
    let failed = |e: std::io::Error| Error::failed(PRINTING, "", e);
    let mut cli = Cli::command();
    cli.build();
    clap_mangen::Man::new(cli.clone()).render(into).map_err(failed)?;
    for command in cli.get_subcommands().filter(|c| !c.is_hide_set() && c.get_name() != "help") {
        let name = format!("pitstop-{}", command.get_name());
        let page = clap_mangen::Man::new(command.clone());
        into.extend_from_slice(format!(".SH {}\n", name.to_uppercase()).as_bytes());
        page.render_synopsis_section(into).map_err(failed)?;
        page.render_description_section(into).map_err(failed)?;
        page.render_options_section(into).map_err(failed)?;
    }
    Ok(())
}
