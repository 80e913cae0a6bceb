//! `vmaplens replay`: headless replay of a capture or an op script.

use super::args::ReplayArgs;
use super::error::CliError;

/// Runs the command.
///
/// # Errors
/// The input cannot be opened or replayed.
pub fn run(_args: &ReplayArgs) -> Result<u8, CliError> {
    Ok(0)
}
