//! What stands before an event's name: task, pid, CPU, flags and time.
//!
//! A task's name may hold blanks, brackets, digits, even a whole imitation of what follows it. The kernel
//! pads it to a fixed width, so the place to split is found by counting bytes, not by looking for a match:
//!
//! ```text
//!            init-1       [001] .....     5.463743: alloc_vmap_area: …      default, at 16
//!            plain-223     (    223) [000] .....     7.380516: …             record-tgid, at 16
//!     init-1         1..... 5463743us*: …                                    latency format, at 8
//!      kworker/0:1      11   0 0 00000000 0000000b [005458d5] 5527.765ms (+20.065ms): …
//! ```

use nom::Parser;
use nom::combinator::{opt, recognize};
use nom::sequence::{delimited, preceded, terminated};

use crate::lex::{Res, after, blanks, decimal, hex, lit, signed, stop, trim_start, upto, word};
use crate::record::{Prefix, Stamp};

/// Columns of the task's name.
pub(crate) const TASK: usize = 16;

/// Columns of the task's name in the latency format.
pub(crate) const SHORT_TASK: usize = 8;

/// Where a prefix can begin at most in text whose columns were changed; markers further right imitate it.
const SEARCHED: usize = 40;

/// Splits a line whose task name takes exactly `columns` bytes.
#[inline]
pub(crate) fn split_at(line: &[u8], columns: usize) -> Option<(Prefix<'_>, &[u8])> {
    let comm = upto(line, columns);
    let (body, prefix) = match line.get(columns)? {
        b'-' if columns < TASK => latency(after(line, columns)).ok()?,
        b'-' => inner(after(line, columns)).ok()?,
        b' ' if columns == TASK => verbose(after(line, columns)).ok()?,
        _ => return None,
    };
    Some((Prefix { comm: trim_blanks(comm), ..prefix }, body))
}

/// Splits a line of the default layout whose columns were changed. The flag says that there was a choice.
pub(crate) fn search(line: &[u8]) -> Option<(Prefix<'_>, &[u8], bool)> {
    let mut found: Option<(usize, Prefix<'_>, &[u8])> = None;
    let mut ambiguous = false;
    for at in memchr::memchr_iter(b'-', upto(line, SEARCHED + 1)) {
        if let Ok((body, prefix)) = inner(after(line, at)) {
            // A name that ends in a dash makes two matches side by side; that is no real choice.
            ambiguous |= found.as_ref().is_some_and(|(before, ..)| before + 1 < at);
            found = Some((at, prefix, body));
        }
    }
    let (at, prefix, body) = found?;
    Some((Prefix { comm: trim_start(upto(line, at)), ..prefix }, body, ambiguous))
}

/// From the dash of the pid to the blank after the time, in the default layout.
#[inline]
pub(crate) fn inner(input: &[u8]) -> Res<'_, Prefix<'_>> {
    let (rest, (pid, tgid, cpu, flags, stamp)) = (
        delimited(lit(b"-"), pid, blanks),
        opt(tgid),
        delimited(lit(b"["), cpu, (lit(b"]"), blanks)),
        opt(terminated(flags, blanks)),
        terminated(stamp, colon),
    )
        .parse(input)?;
    Ok((rest, Prefix { comm: b"", pid, tgid: tgid.flatten(), cpu: Some(cpu), flags: flags.unwrap_or_default(), stamp }))
}

/// The same in the latency format, where CPU and flags are glued.
fn latency(input: &[u8]) -> Res<'_, Prefix<'_>> {
    let (rest, (pid, cpu, flags, stamp)) = (
        delimited(lit(b"-"), pid, (lit(b" "), blanks)),
        short_cpu,
        terminated(opt(flags), (lit(b" "), blanks)),
        terminated(latency_stamp, colon),
    )
        .parse(input)?;
    // Without flags only the unit tells this layout from other text.
    if flags.is_none() && matches!(stamp, Stamp::Ticks(_)) {
        return stop(input);
    }
    Ok((rest, Prefix { comm: b"", pid, tgid: None, cpu: Some(cpu), flags: flags.unwrap_or_default(), stamp }))
}

/// The same in the verbose latency format: pid, CPU, flags, preempt count, event number, stamp.
fn verbose(input: &[u8]) -> Res<'_, Prefix<'_>> {
    let (rest, (pid, cpu, flags, ticks)) = (
        delimited((lit(b" "), blanks), pid, (lit(b" "), blanks)),
        terminated(short_cpu, lit(b" ")),
        terminated(recognize(decimal), (lit(b" "), hex, lit(b" "), hex)),
        delimited(lit(b" ["), hex, lit(b"] ")),
    )
        .parse(input)?;
    let (rest, unit) = verbose_stamp(rest)?;
    let (rest, ()) = colon(rest)?;
    let stamp = match ticks.checked_mul(1000) {
        Some(nanos) if unit => Stamp::Nanos(nanos),
        _ => Stamp::Ticks(ticks),
    };
    Ok((rest, Prefix { comm: b"", pid, tgid: None, cpu: Some(cpu), flags, stamp }))
}

/// `1`, `4194304`, and `-1` for a broken task.
#[inline]
pub(crate) fn pid(input: &[u8]) -> Res<'_, i32> {
    let (rest, value) = signed(input)?;
    i32::try_from(value).map_or_else(|_| stop(input), |pid| Ok((rest, pid)))
}

/// `(    223) `, or `(-------) ` if unknown.
fn tgid(input: &[u8]) -> Res<'_, Option<i32>> {
    let (rest, ()) = (lit(b"("), blanks).parse(input).map(|(rest, _)| (rest, ()))?;
    let (rest, value) = if rest.starts_with(b"-----") {
        let dashes = rest.iter().take_while(|&&b| b == b'-').count();
        (after(rest, dashes), None)
    } else {
        let (rest, value) = pid(rest)?;
        (rest, Some(value))
    };
    terminated(lit(b")"), blanks).parse(rest).map(|(rest, ())| (rest, value))
}

/// `000` to `999`, `1000` and up.
#[inline]
fn cpu(input: &[u8]) -> Res<'_, u16> {
    let (rest, cpu) = short_cpu(input)?;
    if input.len() < rest.len() + 3 {
        return stop(input);
    }
    Ok((rest, cpu))
}

/// A CPU without leading zeros.
#[inline]
pub(crate) fn short_cpu(input: &[u8]) -> Res<'_, u16> {
    let (rest, value) = decimal(input)?;
    u16::try_from(value).map_or_else(|_| stop(input), |cpu| Ok((rest, cpu)))
}

/// Four to eight characters; what they mean depends on the kernel.
#[inline]
pub(crate) fn flags(input: &[u8]) -> Res<'_, &[u8]> {
    let n = upto(input, 9).iter().take_while(|&&b| b != b' ' && b != b':').count();
    if !(4..=8).contains(&n) || input.get(n) != Some(&b' ') {
        return stop(input);
    }
    Ok((after(input, n), upto(input, n)))
}

/// `5.463743` of a clock that counts time, `37169072940` of others. Nine decimals are not ftrace's, but
/// harmless.
#[inline]
pub(crate) fn stamp(input: &[u8]) -> Res<'_, Stamp> {
    let (rest, whole) = decimal(input)?;
    let Some(digits) = rest.strip_prefix(b".") else {
        return Ok((rest, Stamp::Ticks(whole)));
    };
    let (rest, fraction) = decimal(digits)?;
    let scale = match digits.len() - rest.len() {
        6 => 1000,
        9 => 1,
        _ => return stop(input),
    };
    match whole.checked_mul(1_000_000_000).and_then(|nanos| nanos.checked_add(fraction * scale)) {
        Some(nanos) => Ok((rest, Stamp::Nanos(nanos))),
        None => stop(input),
    }
}

/// `5463743us*`: microseconds and how long the gap to the next line is; other clocks a plain number.
fn latency_stamp(input: &[u8]) -> Res<'_, Stamp> {
    let (rest, value) = decimal(input)?;
    let Some(marked) = rest.strip_prefix(b"us") else {
        return Ok((rest, Stamp::Ticks(value)));
    };
    let rest = match marked {
        [b' ' | b'+' | b'!' | b'#' | b'*' | b'@' | b'$', rest @ ..] => rest,
        _ => marked,
    };
    value.checked_mul(1000).map_or_else(|| stop(input), |nanos| Ok((rest, Stamp::Relative(nanos))))
}

/// `5527.765ms (+20.065ms)`, or `1191 (+0)`; whether there is a unit.
fn verbose_stamp(input: &[u8]) -> Res<'_, bool> {
    let (rest, time) = word(input)?;
    let (rest, _) = preceded(lit(b" (+"), nom::bytes::complete::take_until(&b")"[..])).parse(rest)?;
    let (rest, ()) = lit(b")")(rest)?;
    Ok((rest, time.ends_with(b"ms")))
}

/// The colon after the time, with its blank; the blank of an empty body may have been cut.
#[inline]
pub(crate) fn colon(input: &[u8]) -> Res<'_, ()> {
    match input {
        [b':', b' ', rest @ ..] => Ok((rest, ())),
        b":" => Ok((b"", ())),
        _ => stop(input),
    }
}

/// Takes the padding off a task name; its own bytes stay, whatever they are.
#[inline]
fn trim_blanks(comm: &[u8]) -> &[u8] {
    let pad = comm.iter().take_while(|&&b| b == b' ').count();
    after(comm, pad)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(line: &str, columns: usize) -> Option<String> {
        let (p, body) = split_at(line.as_bytes(), columns)?;
        let text = String::from_utf8_lossy;
        Some(format!(
            "{}|{}|{}|{}|{:?}|{}",
            text(p.comm),
            p.pid,
            p.cpu.unwrap_or(u16::MAX),
            text(p.flags),
            p.stamp,
            text(body)
        ))
    }

    fn wanted(comm: &str, pid: i32, cpu: u16, flags: &str, stamp: Stamp) -> Option<String> {
        Some(format!("{comm}|{pid}|{cpu}|{flags}|{stamp:?}|x: y")).filter(|text| !text.is_empty())
    }

    #[test]
    fn default_layout_and_its_options() {
        let nanos = Stamp::Nanos(5_463_743_000);
        for (line, comm, pid, cpu, flags, stamp) in [
            ("            init-1       [001] .....     5.463743: x: y", "init", 1, 1, ".....", nanos),
            ("            init-1       [001]      5.463743: x: y", "init", 1, 1, "", nanos),
            ("     kworker/0:1-14      [000] ....     5.463743: x: y", "kworker/0:1", 14, 0, "....", nanos),
            ("            bash-1234  [002] d...1..     5.463743: x: y", "bash", 1234, 2, "d...1..", nanos),
            ("          <idle>-0     [1000] ..s1.     5.463743: x: y", "<idle>", 0, 1000, "..s1.", nanos),
            ("           <XXX>--1      [000] .....     5.463743: x: y", "<XXX>", -1, 0, ".....", nanos),
            ("             big-4194304 [000] .....     5.463743: x: y", "big", 4_194_304, 0, ".....", nanos),
            ("            init-1       [000] .....            3: x: y", "init", 1, 0, ".....", Stamp::Ticks(3)),
            ("            init-1       [000]         1191: x: y", "init", 1, 0, "", Stamp::Ticks(1191)),
            (
                "            init-1       [000] ..... 1795292937.698776: x: y",
                "init",
                1,
                0,
                ".....",
                Stamp::Nanos(1_795_292_937_698_776_000),
            ),
        ] {
            assert_eq!(seen(line, TASK), wanted(comm, pid, cpu, flags, stamp), "{line}");
        }
    }

    #[test]
    fn thread_group_known_and_unknown() {
        let line = b"           plain-223     (    223) [000] .....     7.380516: x";
        assert_eq!(split_at(line, TASK).and_then(|(p, _)| p.tgid), Some(223));
        let line = b"           plain-167     (-------) [000] .....     5.485189: x";
        assert_eq!(split_at(line, TASK).map(|(p, _)| p.tgid), Some(None));
        let line = b"           plain-167   (-----) [000] .....     5.485189: x";
        assert_eq!(split_at(line, TASK).map(|(p, _)| p.tgid), Some(None));
    }

    #[test]
    fn latency_layouts() {
        for (line, comm, pid, cpu, flags, micros) in [
            ("    init-1         1..... 5463743us*: x: y", "init", 1, 1, ".....", 5_463_743),
            ("kworker/-9        12d..2.   49us : x: y", "kworker/", 9, 12, "d..2.", 49),
            ("a b-c [x-174       0..... 5523109us!: x: y", "a b-c [x", 174, 0, ".....", 5_523_109),
        ] {
            let stamp = Stamp::Relative(micros * 1000);
            assert_eq!(seen(line, SHORT_TASK), wanted(comm, pid, cpu, flags, stamp), "{line}");
        }
        let line = "    init-1         1..... 37169072940: x: y";
        assert_eq!(seen(line, SHORT_TASK), wanted("init", 1, 1, ".....", Stamp::Ticks(37_169_072_940)));
        let line = "     kworker/0:1      11   0 0 00000000 0000000b [005458d5] 5527.765ms (+20.065ms): x: y";
        assert_eq!(seen(line, TASK), wanted("kworker/0:1", 11, 0, "0", Stamp::Nanos(5_527_765_000)));
        let line = "            init       1   0 0 00000000 00000000 [00000000000004a7] 12 (+0): x: y";
        assert_eq!(seen(line, TASK), wanted("init", 1, 0, "0", Stamp::Ticks(0x4a7)));
    }

    #[test]
    fn a_task_name_that_imitates_a_prefix_is_split_by_counting() {
        let line = b"    <x>-12 [003]-195     [000] .....     5.600001: x: y";
        let (p, _) = split_at(line, TASK).expect("a prefix");
        assert_eq!((p.comm, p.pid), (&b"<x>-12 [003]"[..], 195));
    }

    #[test]
    fn changed_columns_are_searched_and_the_last_match_wins() {
        let (p, body, ambiguous) = search(b"init-1 [001] ..... 5.463743: x: y").expect("a prefix");
        assert_eq!((p.comm, p.pid, body, ambiguous), (&b"init"[..], 1, &b"x: y"[..], false));
        let (p, body, ambiguous) = search(b"a-1 [001] 5: -2 [002] .... 7: x").expect("a prefix");
        assert_eq!((p.comm, p.pid, body, ambiguous), (&b"a-1 [001] 5: "[..], 2, &b"x"[..], true));
        assert!(search(b"prose - with [001] brackets: and colons").is_none());
    }

    #[test]
    fn damaged_prefixes_are_refused() {
        for line in [
            "            init-1       [01] .....     5.463743: x",
            "            init-1       [001] ...     5.463743: x",
            "            init-1       [001] .....     5.4637: x",
            "            init-1       [001] .....     5.463743 x",
            "            init-9999999999 [001] .....     5.463743: x",
            "            init",
        ] {
            assert_eq!(seen(line, TASK), None, "{line}");
        }
    }
}
