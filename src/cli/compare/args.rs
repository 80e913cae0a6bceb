//! The clap types of `compare`.

use clap::Args;

use crate::cli::args::{InputArgs, OutputArgs};

/// Options of `compare`.
#[derive(Debug, Clone, Args)]
#[command(mut_arg("policy", |arg| arg
    .value_name("A,B,…")
    .help("Policies to compare, see `vmaplens compare --help`")
    .long_help(COMPARE_POLICY)))]
pub struct CompareArgs {
    /// The input.
    #[command(flatten)]
    pub input: InputArgs,
    /// Where results go.
    #[command(flatten)]
    pub output: OutputArgs,
    /// Print CSV: one line for each policy, every metric a column.
    #[arg(long, conflicts_with = "json")]
    pub csv: bool,
    /// A threshold, for use in CI: `largest_hole >= 2M` has to hold after every event, `search_steps_mean <= 10` at the
    /// end. One line for each that does not hold, and exit code 1. Can be given several times.
    #[arg(long, value_name = "THRESHOLD")]
    pub check: Vec<String>,
    /// Measure `ns_per_op` too: the one figure in which two runs can differ.
    #[arg(long)]
    pub time: bool,
    /// What if there were N allocator nodes (6.9 and later; 1 has no pools)
    #[arg(long, value_name = "N")]
    pub nodes: Option<String>,
    /// What if so much could be freed and not purged, in bytes or as 64M
    #[arg(long, value_name = "SIZE")]
    pub lazy_max: Option<String>,
    /// What if page tables had N levels
    #[arg(long, value_name = "N")]
    pub levels: Option<String>,
    /// What if guard pages were `inside` each area, or `none`
    #[arg(long, value_name = "RULE")]
    pub guard: Option<String>,
    /// What randomised placement begins with
    #[arg(long, value_name = "N")]
    pub seed: Option<String>,
}

/// `--policy` of a comparison.
const COMPARE_POLICY: &str = "\
Policies to compare: eras (`linux-5.2`), releases (`linux-4.19`), `recorded` (places where the trace says), `auto` (the \
trace's own), each with changes behind a colon: `linux-6.9:cpus=16,lazy-max=64M`, `auto:range=64M`. Without it the trace's \
own era, the one before, first-fit and best-fit. `--cpus`, `--range` and `--page-size` change every policy where the input \
says what is so, and say it where the input does not";
