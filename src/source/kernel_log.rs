//! Kernel logs: the failures they tell become records among those of the recording.

use parsers::dmesg;
use parsers::stream::Form;

use crate::event::Nanos;
use crate::log::{Clock, Log, Window};

use super::stream::Stream;
use super::{SourceError, trace};

/// Reads kernel logs into a log that has its recording already.
///
/// # Errors
/// One cannot be read, is of another kernel than the recording, or has nothing about vmalloc and stands alone.
pub fn read_all(streams: Vec<Stream>, log: &mut Log) -> Result<(), SourceError> {
    for mut stream in streams {
        read(&mut stream, log)?;
    }
    Ok(())
}

fn read(stream: &mut Stream, log: &mut Log) -> Result<(), SourceError> {
    let name = stream.name.clone();
    let first = log.events.len();
    let clock = log.origin.clock;
    let n_windows = log.names.windows().len();
    log.origin.form = log.origin.form.or(Some(stream.format));
    let mut form = dmesg::Log::default();
    trace::read_records(&name, &mut *stream, &mut form, log)
        .map_err(|reason| SourceError::Unreadable { name: name.clone(), reason })?;
    log.problems.extend(stream.finish()?);
    let facts = form.facts().clone();
    let (_, problems) = form.finish();
    check_same_kernel(&name, &facts, n_windows, log)?;
    let has_more = 0 < first || log.before.is_some();
    if log.events.len() == first && !has_more {
        return Err(SourceError::NoFailures { name });
    }
    if log.events.len() == first {
        log.notes.push(format!("{name} tells of no failed vmalloc request"));
    }
    if 0 < facts.suppressed {
        log.notes.push(format!("{name}: the kernel left out {} more messages like these", facts.suppressed));
    }
    if 0 < first && clock == Clock::Nanos {
        log.merge_from(first);
    } else if 0 < first {
        // Seconds since boot say nothing about the stamps of another clock.
        let last = log.events.range(..first).map(|event| event.at).max().unwrap_or(Nanos(0));
        (first..log.events.len()).for_each(|index| log.events.update(index, |event| event.at = last));
        log.origin.clock = clock;
        if first < log.events.len() {
            log.notes.push(format!("the failures of {name} stand at the end: the stamps of the recording are no time"));
        }
    }
    trace::damaged(&name, problems, log);
    let layout = facts.vmalloc.map(|(vstart, vend)| Window { vstart, vend });
    let origin = &mut log.origin;
    origin.vmalloc = origin.vmalloc.or(layout);
    origin.kernel = origin.kernel.take().or(facts.release);
    Ok(())
}

/// A log of another boot would explain nothing.
fn check_same_kernel(name: &str, facts: &dmesg::Facts, n_windows: usize, log: &Log) -> Result<(), SourceError> {
    let apart = |why: String| {
        let hint = "name the log of the boot in which the recording was made, or leave it out";
        Err(SourceError::Apart { why, hint })
    };
    if let (Some(told), Some(known)) = (&facts.release, &log.origin.kernel)
        && told != known
    {
        return apart(format!("{name} is the log of kernel {told}, the recording is of {known}"));
    }
    let Some((start, end)) = facts.vmalloc else { return Ok(()) };
    // Those that were known before this log.
    let windows = log.names.windows().get(..n_windows).unwrap_or_default();
    let is_inside = |window: &Window| window.vstart < end && start < window.vend;
    if !windows.is_empty() && !windows.iter().any(is_inside) {
        return apart(format!("{name} has vmalloc at 0x{start:x}-0x{end:x}, where the recording allocates nothing"));
    }
    Ok(())
}
