//! Lines of `trace-cmd report -t`, read as strictly as they are printed.

/// One record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) instance: String,
    pub(crate) comm: String,
    pub(crate) pid: i32,
    pub(crate) cpu: u16,
    pub(crate) stamp: String,
    pub(crate) name: String,
    pub(crate) args: String,
    pub(crate) frames: Vec<(String, u64)>,
}

/// Whether the arguments of an event are compared, besides its name.
pub(crate) fn is_compared(name: &str) -> bool {
    matches!(name, "alloc_vmap_area" | "free_vmap_area_noflush" | "purge_vmap_area_lazy" | "print" | "lost")
}

/// Reads a whole report.
pub(crate) fn parse(report: &[u8]) -> Vec<Line> {
    let report = String::from_utf8_lossy(report);
    let mut lines: Vec<Line> = Vec::new();
    for text in report.lines() {
        if let Some(frame) = text.strip_prefix("=> ") {
            let (symbol, address) = frame.rsplit_once(" (").expect(text);
            let address = u64::from_str_radix(address.trim_end_matches(')'), 16).expect(text);
            lines.last_mut().expect(text).frames.push((symbol.to_owned(), address));
        } else if !text.starts_with("cpus=") && !text.is_empty() {
            let mut line = line(text);
            // The instance of an event behind a loss mark is told before the mark alone.
            if let Some(lost) = lines.last().filter(|last| last.name == "lost") {
                line.instance.clone_from(&lost.instance);
            }
            lines.push(line);
        }
    }
    lines
}

fn line(text: &str) -> Line {
    let (instance, text) = instance(text);
    let mut line = Line { instance: instance.to_owned(), ..Line::default() };
    // `CPU:1 [210 EVENTS DROPPED]`, or without a number.
    let mark = text.trim_start().strip_prefix("CPU:").and_then(|rest| rest.strip_suffix("EVENTS DROPPED]"));
    if let Some((cpu, count)) = mark.and_then(|mark| mark.split_once(" [")) {
        line.cpu = cpu.parse().expect(text);
        (line.name, line.args) = ("lost".to_owned(), count.trim().to_owned());
        return line;
    }
    // A task's name may look like anything: the last bracket before a stamp is the CPU's.
    let open = text.match_indices(" [").map(|(at, _)| at).find(|at| is_cpu(&text[*at..])).expect(text);
    let (comm, pid) = text[..open].trim_end().rsplit_once('-').expect(text);
    line.comm = String::from(comm.trim_start());
    line.pid = pid.parse().expect(text);
    let (cpu, rest) = text[open + 2..].split_once(']').expect(text);
    line.cpu = cpu.parse().expect(text);
    let (stamp, rest) = rest.trim_start().split_once(": ").expect(text);
    line.stamp = String::from(stamp);
    let (name, args) = rest.split_once(':').expect(text);
    line.name = String::from(name);
    line.args = String::from(args.trim_start());
    if line.name == "kernel_stack" {
        line.args.clear();
    }
    line
}

/// ` [003]   12.345: `
fn is_cpu(text: &str) -> bool {
    let Some((cpu, rest)) = text[2..].split_once(']') else { return false };
    let stamp = rest.trim_start();
    let digits = stamp.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    cpu.len() == 3
        && cpu.bytes().all(|byte| byte.is_ascii_digit())
        && digits.len() < stamp.len()
        && digits.starts_with(':')
}

/// `inst1:            <...>-1075 …`
fn instance(text: &str) -> (&str, &str) {
    match text.split_once(": ") {
        Some((name, rest)) if !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') => {
            (name, rest)
        }
        _ => ("", text),
    }
}
