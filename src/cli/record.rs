//! `vmaplens record`: records on this machine.

pub mod told;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::record::files::{Files, System};
use crate::record::mounts::{Tracefs, mount_privately};
use crate::record::probes::OF_PURGES;
use crate::record::session::End;
use crate::record::signals::Stop;
use crate::record::{Facts, Limits, Plan, RecordError, Session, Settings, bundle::Spool, check, finish, leftovers};

use super::error::CliError;
use super::json::document;
use super::output;

/// Options of `record`.
#[derive(Debug, Clone, Args)]
pub struct RecordArgs {
    /// Where the recording goes, a name that is not there yet: a folder, or by its ending .zip, .tar, .tar.gz or .tar.zst.
    #[arg(short, long, value_name = "BUNDLE", required_unless_present_any = ["check", "dry_run"])]
    pub output: Option<PathBuf>,
    /// Stop after this time: `10s`, `2m`, `1h`, `500ms`; a number alone is seconds. Without any limit Ctrl-C stops.
    #[arg(short, long, value_name = "TIME", value_parser = crate::log::duration::parse_duration)]
    pub duration: Option<Duration>,
    /// Stop at so many bytes of records: `64M`.
    #[arg(long, value_name = "SIZE", value_parser = crate::log::size::parse_bytes)]
    pub size: Option<u64>,
    /// Stop at the first allocation that fails. If another limit comes first, the exit code is 1.
    #[arg(long, value_name = "WHAT", value_enum)]
    pub until: Option<Until>,
    /// A kernel stack with each allocation: who asked. Costs about 92 bytes and a microsecond or two each.
    #[arg(long)]
    pub stacks: bool,
    /// Record only allocations for which this is true, as the kernel writes it: `size > 65536`. Such a recording shows
    /// who asks for what, but cannot be replayed: frees do not say what they free.
    #[arg(long, value_name = "EXPRESSION")]
    pub filter: Option<String>,
    /// Probes on the parts of a purge besides (6.9 and later): they decide what the order of the records leaves open.
    /// With names only these, as `verify` tells them for a record; `purge_vmap_node` brings the other one with it.
    #[arg(long, value_name = "NAME,…", num_args = 0..=1, value_delimiter = ',', value_parser = OF_PURGES)]
    pub probes: Option<Vec<String>>,
    /// Trace clock: `mono`, `global`, `boot`, `local`, `counter`, or another that the kernel has.
    #[arg(long, value_name = "CLOCK", default_value = crate::record::settings::CLOCK)]
    pub clock: String,
    /// Buffer of each CPU: `8M`. Without it 8 MiB, or less where memory is short.
    #[arg(long, value_name = "SIZE", value_parser = crate::log::size::parse_bytes)]
    pub buffer_size: Option<u64>,
    /// Have the kernel drop its slab caches before the first snapshot (`vm.drop_caches` = 2), which empties the
    /// allocator's pools (6.9 and later): they are in no snapshot, and what they held decides addresses.
    #[arg(long)]
    pub empty_pools: bool,
    /// Let `kernel.kptr_restrict` be 1 while `/proc/vmallocinfo` is read, if its addresses are hidden otherwise; it is set
    /// back after each read.
    #[arg(long)]
    pub allow_kptr: bool,
    /// Replace names of tasks and modules, so that the recording can be shown to others.
    #[arg(long)]
    pub anonymise: bool,
    /// Where tracefs is, if it is not where it usually is.
    #[arg(long, value_name = "DIR")]
    pub tracefs: Option<PathBuf>,
    /// Say what is possible on this machine, and change nothing: exit code 0 if a recording can be made, 1 if not.
    #[arg(long, conflicts_with = "dry_run")]
    pub check: bool,
    /// Print every change that a recording would make, and what takes it back, and change nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
    /// Say nothing on standard error but errors.
    #[arg(long)]
    pub quiet: bool,
    /// Run this meanwhile, by no shell; the recording ends with it.
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<OsString>,
}

/// `--until`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Until {
    /// An allocation fails.
    Failed,
}

impl RecordArgs {
    fn settings(&self) -> Settings {
        Settings {
            clock: self.clock.clone(),
            buffer_kib: self.buffer_size.map(|bytes| bytes.div_ceil(1024)),
            filter: self.filter.clone(),
            stacks: self.stacks,
            probes: self.probes.is_some(),
            probed: self.probes.clone().unwrap_or_default(),
            empty_pools: self.empty_pools,
            allow_kptr: self.allow_kptr,
            anonymise: self.anonymise,
            limits: Limits { duration: self.duration, bytes: self.size, until_failed: self.until.is_some() },
            command: self.command.clone(),
            tracefs: self.tracefs.clone(),
        }
    }

    fn talk(&self, line: &str) {
        if !self.quiet {
            output::talk(line);
        }
    }
}

/// Runs the command.
///
/// # Errors
/// It cannot be done; whatever was changed has been changed back.
pub fn run(args: &RecordArgs) -> Result<u8, CliError> {
    let files = System;
    let settings = args.settings();
    let mut facts = Facts::gather(&files, &settings);
    if args.check {
        let needs = check::needs(&facts, &settings);
        let is_possible = check::is_possible(&needs);
        let left = leftovers::find(&files, &facts);
        let told = if args.json {
            document(&told::Checked::new(&facts, &needs, &left))
        } else {
            told::check(&facts, &needs, &left)
        };
        output::write_to(None, &told)?;
        return Ok(if is_possible { 0 } else { super::EXIT_NO });
    }
    if args.dry_run {
        let plan = Plan::new(&facts, &settings)?;
        let told = if args.json { document(&told::Planned::new(&plan)) } else { told::plan(&facts, &settings, &plan) };
        output::write_to(None, &told)?;
        return Ok(0);
    }
    record(args, files, &mut facts, &settings)
}

fn record(args: &RecordArgs, files: System, facts: &mut Facts, settings: &Settings) -> Result<u8, CliError> {
    let files = &files;
    let Some(target) = &args.output else { return Ok(0) };
    // Signals from here on end a recording in good order, whatever it is doing.
    let stop = Stop::on_signals().map_err(|error| {
        RecordError::new(format!("signals cannot be caught: {error}"), "without that nothing is changed")
    })?;
    if facts.tracefs == Tracefs::Unmounted && settings.command.is_empty() && mount_privately().is_ok() {
        *facts = Facts::gather(files, settings);
        args.talk("note: tracefs was not mounted; it is now, for this program alone");
    }
    if let Some(need) = check::needs(facts, settings).into_iter().find(|need| need.must && !need.met) {
        return Err(RecordError::new(need.because, need.remedy.unwrap_or_default()).into());
    }
    for leftover in leftovers::find(files, facts) {
        match leftovers::remove(files, &leftover) {
            Ok(said) => args.talk(&format!("note: {said}")),
            Err(error) => args.talk(&format!("note: {}: {error}", told::leftover(&leftover))),
        }
    }
    let plan = Plan::new(facts, settings)?;
    for why in &plan.left_out {
        args.talk(&format!("note: {why}; it is recorded without"));
    }
    let mut spool = Spool::new(target)?;
    args.talk(&told::begins(facts, settings, &plan));
    let session = Session { files, facts, settings, plan: &plan, stop: &stop };
    let taken = match session.run(&mut spool, &|line| args.talk(line)) {
        Ok(taken) => taken,
        Err(error) => {
            let RecordError { what, hint } = error;
            let part = spool.dir.join("events.pages");
            let hint = if files.exists(&part) && spool.is_kept() {
                format!("{hint}; what was recorded until then is in {}", spool.dir.display())
            } else {
                hint
            };
            return Err(RecordError::new(what, hint).into());
        }
    };
    for kept in &taken.kept {
        args.talk(&format!("warning: could not be changed back: {} ({})", kept.what, kept.reason));
    }
    let bundle = finish::bundle(files, facts, settings, spool, &taken)?;
    let summary = told::Summary::new(target, facts, settings, &taken, &bundle);
    if args.json {
        output::write_to(None, &document(&summary))?;
    } else if !args.quiet {
        output::write_to(None, &summary.to_string())?;
    }
    let is_command_bad = taken.status.is_some_and(|status| !status.success());
    let is_no = is_command_bad || (settings.limits.until_failed && taken.end != End::Failed);
    let had_other_end = settings.limits.duration.is_some() || !settings.command.is_empty();
    Ok(match taken.end {
        End::Signal if had_other_end => EXIT_INTERRUPTED,
        _ if is_no => super::EXIT_NO,
        _ => 0,
    })
}

/// Stopped by a signal before what was asked for was over; the recording is written all the same.
const EXIT_INTERRUPTED: u8 = 130;
