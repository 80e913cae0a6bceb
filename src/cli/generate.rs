//! `vmaplens generate`: files for the shell and the manual, made from the clap types.

use clap::CommandFactory;

use super::args::{Cli, GenerateArgs, Generated};
use super::error::CliError;
use super::output;

/// Runs the command.
///
/// # Errors
/// The result cannot be written.
pub fn run(args: &GenerateArgs) -> Result<u8, CliError> {
    let text = match args.what {
        Generated::Completions { shell } => completions(shell),
        Generated::Man => man()?,
    };
    output::write_stdout(text.as_bytes())?;
    Ok(0)
}

fn completions(shell: clap_complete::Shell) -> String {
    let mut bytes = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "vmaplens", &mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The manual page: the program, then every command with its options.
///
/// # Errors
/// The page cannot be made.
pub fn man() -> Result<String, CliError> {
    // No date and no version: the page changes when the program does, and only then.
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    let mut bytes = Vec::new();
    let failed = |reason| CliError::Write { name: "the manual page".to_owned(), reason };
    let page = clap_mangen::Man::new(command.clone()).date("").source("vmaplens").manual("User Commands");
    page.render(&mut bytes).map_err(failed)?;
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
        bytes.extend_from_slice(format!(".SH VMAPLENS {}\n", sub.get_name().to_uppercase()).as_bytes());
        let page = clap_mangen::Man::new(sub.clone());
        page.render_description_section(&mut bytes).map_err(failed)?;
        page.render_options_section(&mut bytes).map_err(failed)?;
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
