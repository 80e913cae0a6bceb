//! Options of `explain`.

use std::path::PathBuf;

use clap::Args;

use crate::cli::args::{InputArgs, OutputArgs};
use crate::log::size::parse_bytes;

/// Options of `explain`.
#[derive(Debug, Clone, Args)]
pub struct ExplainArgs {
    /// The input: a list of areas with the kernel's log of the failure, or a recording; without one this machine's
    /// /proc/vmallocinfo.
    #[command(flatten)]
    pub input: InputArgs,
    /// Where results go.
    #[command(flatten)]
    pub output: OutputArgs,
    /// The kernel's log with the failure: the same as naming it as one more INPUT
    #[arg(long, value_name = "FILE")]
    pub dmesg: Option<PathBuf>,
    /// Ask for an area of so many bytes (820K, 8M), guard page included, as traces and most messages have it; a number
    /// that is not in whole pages is taken for what a caller asks for. --range is the window
    #[arg(long, value_name = "N", value_parser = parse_bytes, conflicts_with_all = ["data", "at", "all"])]
    pub size: Option<u64>,
    /// Ask for so many bytes as a caller of `vmalloc()` does: whole pages and a guard page are made of them
    #[arg(long, value_name = "N", value_parser = parse_bytes, conflicts_with_all = ["at", "all"])]
    pub data: Option<u64>,
    /// Alignment of the request, a power of two, where nothing tells it
    #[arg(long, value_name = "N", value_parser = parse_align)]
    pub align: Option<u64>,
    /// Say instead why the area at this address lies there and not lower
    #[arg(long, value_name = "ADDR", value_parser = parse_addr, conflicts_with = "all")]
    pub at: Option<u64>,
    /// The failure of this event, counted from 1 as the screen counts; with --size or --at the moment before it. Without
    /// it the first failed request of a recording, the last of a kernel's log
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), conflicts_with = "all")]
    pub event: Option<u32>,
    /// Every failure in turn, one line each, and how often each reason was the one
    #[arg(long)]
    pub all: bool,
}

fn parse_align(text: &str) -> Result<u64, String> {
    let align = parse_bytes(text)?;
    if align.is_power_of_two() { Ok(align) } else { Err("an alignment is a power of two".to_owned()) }
}

fn parse_addr(text: &str) -> Result<u64, String> {
    let digits = text.trim().trim_start_matches("0x");
    u64::from_str_radix(digits, 16).map_err(|_| "an address is a hex number".to_owned())
}
