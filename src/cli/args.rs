//! The clap types of every command.

use std::path::PathBuf;

use clap::builder::PossibleValue;
use clap::{Args, Parser, Subcommand, ValueEnum};
use parsers::sniff::Format;

use super::compare::CompareArgs;
use super::decisions;
use crate::log::Window;
use crate::policy;
use crate::replay::{Follow, Settings};
use crate::source::formats::{FORMATS, Row};
use crate::source::{Expect, Input, Reading};
use crate::ui::{ColorChoice, ThemeChoice};

/// Replay, inspect and understand the Linux kernel's vmalloc allocator.
///
/// Without a command the terminal UI opens on INPUT; without INPUT on a real capture that is built in.
#[derive(Debug, Parser)]
#[command(name = "vmaplens", version, args_conflicts_with_subcommands = true)]
pub struct Cli {
    /// What to do; nothing: the terminal UI.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Options of the terminal UI.
    #[command(flatten)]
    pub ui: UiArgs,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Replay, and say for every allocation whether the model chose the recorded address.
    Verify(VerifyArgs),
    /// Headless replay: what happened, how the address space ended, cost per event.
    Replay(ReplayArgs),
    /// The same requests under several policies: what each makes of them, and what if the machine were another.
    Compare(CompareArgs),
    /// A snapshot in numbers: totals by caller, module, kind and NUMA node; holes; what is freed but not purged.
    Inspect(super::inspect::InspectArgs),
    /// The terminal UI on this machine's `/proc/vmallocinfo`, read again and again: who holds the space, and how it grows.
    Live(super::live::LiveArgs),
    /// Why a request found no place and what would make it fit; with --at, why an area lies there and not lower.
    Explain(Box<super::explain::ExplainArgs>),
    /// What cannot be right: overlaps, double frees, impossible sizes, lost records, thresholds; exit code 1 if there is any.
    /// What grew and shrank between two snapshots or more, by caller, module or kind, and whether it looks like a leak.
    Diff(super::diff::DiffArgs),
    /// What cannot be: overlaps, double frees, wrong sizes, areas where none may be, lost records; and thresholds.
    Check(super::check::CheckArgs),
    /// The records of an input as JSON Lines, or only how many there are.
    Parse(ParseArgs),
    /// Record on this machine, in a tracefs instance of its own, as root: a bundle that every other command reads.
    Record(Box<super::record::RecordArgs>),
    /// What is known of an input, in the format of another program: tables, time lines, flame graphs, pictures.
    Export(Box<super::export::ExportArgs>),
    /// Many captures on all cores: one row for each capture and policy, to Parquet.
    Survey(super::survey::SurveyArgs),
    /// A guided scenario in the terminal UI; without NAME the list of them.
    Lesson(LessonArgs),
    /// Files for the shell and the manual.
    Generate(GenerateArgs),
}

/// What every command that takes an INPUT takes.
#[derive(Debug, Clone, Args)]
pub struct InputArgs {
    /// A capture (folder, bundle, .zip, .tar), a recording (ftrace, trace-cmd, perf script, bpftrace), a kernel log, a
    /// list of areas (/proc/vmallocinfo, debuggers) or an op script, also packed by gzip, zstd or xz; `-` is standard
    /// input. Files of one recording can be named together, in any order.
    #[arg(value_name = "INPUT")]
    pub input: Vec<PathBuf>,
    /// `/proc/vmallocinfo` before the trace.
    #[arg(long, value_name = "FILE")]
    pub snapshot: Option<PathBuf>,
    /// `/proc/vmallocinfo` after the trace.
    #[arg(long, value_name = "FILE")]
    pub after: Option<PathBuf>,
    /// What the input is, where its content does not tell.
    #[arg(long, value_name = "KIND", value_enum, default_value_t = Kind::AUTO)]
    pub format: Kind,
    /// Allocator rules: `auto` (the kernel's own), an era (`linux-2.4`, `linux-2.6`, `linux-2.6.28`, `linux-2.6.39`,
    /// `linux-5.2`, `linux-6.9`), a release such as `linux-6.12`, or a placement rule of the literature (`first-fit`,
    /// `best-fit`, `worst-fit`, `next-fit`, `buddy`, `buddy-outside`, `buddy-trim`, `tlsf`, `vmem`, `random`; options
    /// behind `+`, as in `buddy+immediate` or `random+seed=7`). A trace keeps the addresses its kernel chose, so other
    /// rules are asked each time where they would have placed an area, and the recorded one is taken; an op script is
    /// placed by them. `compare` runs the requests of a trace under several policies. `recorded` chooses nothing.
    #[arg(long, value_name = "ID", default_value = "auto")]
    pub policy: String,
    /// Kernel release, where the input does not say.
    #[arg(long, value_name = "RELEASE")]
    pub kernel: Option<String>,
    /// CPUs, possible and online, where the input does not say.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=65536))]
    pub cpus: Option<u32>,
    /// `VMALLOC_START`-`VMALLOC_END` in hex, where the input does not say.
    #[arg(long, value_name = "START-END", value_parser = crate::log::size::parse_range)]
    pub range: Option<Window>,
    /// Bytes in a page, where the input does not say.
    #[arg(long, value_name = "N", value_parser = crate::log::size::parse_page_size)]
    pub page_size: Option<u64>,

    /// What checkpoints of the state may hold, in bytes or as 64M: more makes long jumps shorter
    #[arg(long, value_name = "SIZE", value_parser = crate::log::size::parse_bytes)]
    pub checkpoints: Option<u64>,
    /// Write what was inferred of a trace of several CPUs to INPUT.vmaplens.decisions beside it. Where such a file fits it is
    /// used, with this option or without: opening is as quick as with one CPU.
    #[arg(long)]
    pub cache: bool,
    /// A damaged record is an error instead of a reported problem.
    #[arg(long)]
    pub strict: bool,
    /// Say nothing on standard error but errors.
    #[arg(long)]
    pub quiet: bool,
    /// Colours: what the terminal and `NO_COLOR` say, always, or never.
    #[arg(long, value_name = "WHEN", value_enum, default_value_t = When::Auto)]
    pub color: When,
}

/// `--format`: a row of [`FORMATS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind(Option<&'static Row>);

impl Kind {
    /// What the content says.
    pub const AUTO: Self = Self(None);
    const ALL: [Self; FORMATS.len() + 1] = {
        let mut all = [Self::AUTO; FORMATS.len() + 1];
        let mut n = 0;
        while n < FORMATS.len() {
            all[n + 1] = Self(Some(&FORMATS[n]));
            n += 1;
        }
        all
    };
}

impl ValueEnum for Kind {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(match self.0 {
            None => PossibleValue::new("auto").help("What the content says"),
            Some(row) => PossibleValue::new(row.kind).help(row.help),
        })
    }
}

impl From<Kind> for Option<Format> {
    fn from(kind: Kind) -> Self {
        kind.0.map(|row| row.format)
    }
}

/// `--color`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum When {
    /// What the terminal and the environment say.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl From<When> for ColorChoice {
    fn from(when: When) -> Self {
        match when {
            When::Auto => Self::Auto,
            When::Always => Self::Always,
            When::Never => Self::Never,
        }
    }
}

/// `--theme`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Background {
    /// What the terminal says, else dark.
    Auto,
    /// Light text on dark.
    Dark,
    /// Dark text on light.
    Light,
}

impl From<Background> for ThemeChoice {
    fn from(background: Background) -> Self {
        match background {
            Background::Auto => Self::Auto,
            Background::Dark => Self::Dark,
            Background::Light => Self::Light,
        }
    }
}

impl InputArgs {
    /// What a user overrules.
    pub fn settings(&self) -> Settings {
        Settings {
            policy: Some(self.policy.clone()),
            kernel: self.kernel.clone(),
            cpus: self.cpus,
            range: self.range,
            page_size: self.page_size,
            memory: Follow::Memory,
            checkpoint_bytes: self.checkpoints,
            prepared: None,
            decisions: decisions::store_for(&Input::from_args(&self.input, Input::Embedded), self.cache),
        }
    }

    /// `--policy`, if that is no kernel's.
    pub fn policy_beyond_eras(&self) -> Option<&str> {
        policy::by_id(&self.policy).filter(|chosen| chosen.layers().is_some()).map(|_| self.policy.as_str())
    }

    /// How the input is to be read.
    pub fn reading(&self) -> Reading {
        let expect = Expect::default();
        Reading {
            format: self.format.into(),
            before: self.snapshot.clone(),
            after: self.after.clone(),
            expect,
            watched: None,
        }
    }
}

/// Where results go.
#[derive(Debug, Clone, Args)]
pub struct OutputArgs {
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
    /// Write to FILE instead of standard output; the file appears whole or not at all.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// Options of the terminal UI.
#[derive(Debug, Clone, Args)]
pub struct UiArgs {
    /// The input.
    #[command(flatten)]
    pub input: InputArgs,
    /// Expected results of an op script; without it FILE.out beside FILE.ops, if there is one.
    #[arg(long, value_name = "FILE.out")]
    pub expect: Option<PathBuf>,
    /// How it looks.
    #[command(flatten)]
    pub screen: ScreenArgs,
}

/// What the terminal UI looks like.
#[derive(Debug, Clone, Args)]
pub struct ScreenArgs {
    /// Draw with plain characters, whatever the locale says.
    #[arg(long)]
    pub ascii: bool,
    /// Colours for a dark or a light background.
    #[arg(long, value_name = "BACKGROUND", value_enum, default_value_t = Background::Auto)]
    pub theme: Background,
    /// Leave the mouse to the terminal, so that its own selection works.
    #[arg(long)]
    pub no_mouse: bool,
}

/// Options of `verify`.
#[derive(Debug, Clone, Args)]
pub struct VerifyArgs {
    /// The input.
    #[command(flatten)]
    pub input: InputArgs,
    /// Where results go.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Options of `replay`.
#[derive(Debug, Clone, Args)]
pub struct ReplayArgs {
    /// The input.
    #[command(flatten)]
    pub input: InputArgs,
    /// Where results go.
    #[command(flatten)]
    pub output: OutputArgs,
    /// Expected results of an op script: compared byte for byte.
    #[arg(long, value_name = "FILE.out")]
    pub expect: Option<PathBuf>,
    /// Say where this becomes true first, and only that: `failed`, `largest_hole < 2M and lazy > 100M`; see CONDITIONS.
    /// The exit code is 1 if it never does.
    #[arg(long, value_name = "CONDITION", conflicts_with_all = ["seeks", "expect"])]
    pub until: Option<String>,
    /// Time N random seeks in a replay as the UI holds it.
    #[arg(long, value_name = "N")]
    pub seeks: Option<u32>,
}

/// Options of `parse`.
#[derive(Debug, Clone, Args)]
pub struct ParseArgs {
    /// A capture (folder, bundle, .zip, .tar), a recording (ftrace, trace-cmd, perf script, bpftrace), a kernel log, a
    /// list of areas (/proc/vmallocinfo, debuggers) or an op script, also packed by gzip, zstd or xz; `-` is standard
    /// input. Several are read one after the other.
    #[arg(value_name = "INPUT", required = true)]
    pub input: Vec<PathBuf>,
    /// What the input is, where its content does not tell.
    #[arg(long, value_name = "KIND", value_enum, default_value_t = Kind::AUTO)]
    pub format: Kind,
    /// Where results go.
    #[command(flatten)]
    pub output: OutputArgs,
    /// Parse everything, but print only how many records of each kind there are, the sum of their sizes, and how many
    /// places are damaged.
    #[arg(long)]
    pub count: bool,
    /// Name every damaged place on standard error, not only the first 20 of a file, which is what a terminal gets.
    #[arg(long)]
    pub problems: bool,
    /// A damaged record is an error instead of a reported problem.
    #[arg(long)]
    pub strict: bool,
    /// Say nothing on standard error but errors.
    #[arg(long)]
    pub quiet: bool,
}

/// Options of `lesson`.
#[derive(Debug, Clone, Args)]
pub struct LessonArgs {
    /// The lesson; without one all of them are listed. With --json its texts are printed.
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    /// Where results go.
    #[command(flatten)]
    pub output: OutputArgs,
    /// How it looks.
    #[command(flatten)]
    pub screen: ScreenArgs,
    /// Colours: what the terminal and `NO_COLOR` say, always, or never.
    #[arg(long, value_name = "WHEN", value_enum, default_value_t = When::Auto)]
    pub color: When,
}

/// Options of `generate`.
#[derive(Debug, Clone, Args)]
pub struct GenerateArgs {
    /// What to make.
    #[command(subcommand)]
    pub what: Generated,
}

/// What `generate` makes.
#[derive(Debug, Clone, Subcommand)]
pub enum Generated {
    /// Completions for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// The manual page.
    Man,
    /// The op script of a synthetic workload; without NAME the list of them.
    Ops {
        /// The workload.
        name: Option<String>,
        /// Ops behind `mark`, at most.
        #[arg(long, value_name = "N", default_value_t = u64::MAX, hide_default_value = true)]
        max_ops: u64,
    },
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::policy::POLICIES;

    #[test]
    fn the_help_names_every_era() {
        let help = Cli::command().render_long_help().to_string();
        for entry in POLICIES {
            assert!(help.contains(&format!("`{}`", entry.id)), "{}: {help}", entry.id);
        }
    }
}
