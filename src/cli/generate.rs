//! `vmaplens generate`: files for the shell and the manual, made from the clap types; synthetic workloads.

use clap::{Command, CommandFactory};
use clap_mangen::Man;
use parsers::condition::WORDS;

use crate::log::escape;
use crate::workload::{self, WORKLOADS, Workload};

use super::args::{Cli, GenerateArgs, Generated};
use super::error::CliError;
use super::output;

/// Runs the command.
///
/// # Errors
/// The result cannot be written.
pub fn run(args: &GenerateArgs) -> Result<u8, CliError> {
    let text = match &args.what {
        Generated::Completions { shell } => completions(*shell),
        Generated::Man => man()?,
        Generated::Ops { name: Some(name), max_ops } => ops(name, *max_ops)?,
        Generated::Ops { name: None, .. } => workloads(),
    };
    output::write_to(None, &text)?;
    Ok(0)
}

fn completions(shell: clap_complete::Shell) -> String {
    let mut bytes = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "vmaplens", &mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// An op script, as text.
fn ops(name: &str, max_ops: u64) -> Result<String, CliError> {
    let workload = workload::by_name(name).ok_or_else(|| CliError::Other {
        what: format!("no workload is called {:?}", escape(name.as_bytes())),
        hint: "vmaplens generate ops lists them".to_owned(),
    })?;
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = workload.write(max_ops, &mut text);
    Ok(text)
}

fn workloads() -> String {
    let line = |workload: &Workload| format!("{:<16} {}\n", workload.name, workload.title);
    WORKLOADS.iter().map(line).collect()
}

/// The manual page: the program, then every command with its options.
///
/// # Errors
/// The page cannot be made.
pub fn man() -> Result<String, CliError> {
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    // No date and no version: the page changes when the program does, and only then.
    let page = Man::new(command.clone()).date("").source("vmaplens").manual("User Commands");
    let mut text = rendered(|out| {
        page.render_title(out)?;
        page.render_name_section(out)?;
        page.render_synopsis_section(out)?;
        page.render_description_section(out)?;
        page.render_options_section(out)
    })?;
    text.push_str(".SH COMMANDS\n");
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
        push_command(&mut text, "vmaplens", sub)?;
    }
    push_conditions(&mut text);
    text.push_str(EXIT_STATUS);
    Ok(text)
}

const EXIT_STATUS: &str = "\
.SH EXIT STATUS
.TP
\\fB0\\fR
Done, and the answer is good. A reader that closes the pipe early is no failure.
.TP
\\fB1\\fR
Done, and the answer is no: an address was not the recorded one, a result not the expected one, a condition never true.
.TP
\\fB2\\fR
The command line or the input cannot be used; standard error says why and what to do.
";

/// The language of `--until`.
fn push_conditions(text: &mut String) {
    text.push_str(CONDITIONS);
    for word in WORDS {
        let about = if word.of_state { "state" } else { "record" };
        // A minus sign is a hyphen to the formatter.
        let means = word.means.replace('-', "\\-");
        text.extend([".TP\n\\fB", word.example, "\\fR (", about, ")\n", &means, "\n"]);
    }
}

const CONDITIONS: &str = "\
.SH CONDITIONS
Tests joined by \\fBand\\fR, \\fBor\\fR, \\fBnot\\fR and parentheses. What is asked of a record is true at that record alone;
what is asked of a state as long as the state is so. Comparisons: < <= > >= = !=. Units: B K M G T pages, %, ns us ms s min.
";

/// One command as a subsection; commands below it follow. Their depth is that of the clap types.
fn push_command(text: &mut String, above: &str, command: &Command) -> Result<(), CliError> {
    let name = format!("{above} {}", command.get_name());
    let page = Man::new(command.clone());
    let sections = rendered(|out| {
        page.render_description_section(out)?;
        page.render_options_section(out)
    })?;
    // The page of a single command has headings of its own.
    let body: Vec<_> = sections.lines().filter(|line| !line.starts_with(".SH ") && !line.starts_with(".ie ")).collect();
    let body = body.join("\n");
    text.extend([".SS ", &name, "\n", &body, "\n"]);
    for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
        push_command(text, &name, sub)?;
    }
    Ok(())
}

fn rendered(render: impl FnOnce(&mut Vec<u8>) -> std::io::Result<()>) -> Result<String, CliError> {
    let mut bytes = Vec::new();
    match render(&mut bytes) {
        Ok(()) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(reason) => Err(CliError::Write { name: "the manual page".to_owned(), reason }),
    }
}
