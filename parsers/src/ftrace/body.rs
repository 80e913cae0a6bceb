//! What follows the prefix: the event's name and its arguments.

use nom::Parser;
use nom::combinator::{all_consuming, recognize};
use nom::sequence::{delimited, preceded};

use crate::lex::{Res, after, decimal, hex, hex0x, lit, number, signed, stop, trim_end, trim_start, upto, word};
use crate::record::{Alloc, Body, Free, Purge};

/// What a body turns out to be; stacks and markers go on over the lines that follow.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Shape<'a> {
    Whole(Body<'a>),
    Marker(&'a [u8]),
    Stack,
    UserStack,
}

/// A vmalloc event that cannot be read: its name and the rest from the place of the damage.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Broken<'a> {
    pub(crate) event: &'static str,
    pub(crate) rest: &'a [u8],
}

/// Classifies a body. Only the three vmalloc events can be broken, others are kept as they are.
#[inline]
pub(super) fn shape(text: &[u8]) -> Result<Shape<'_>, Broken<'_>> {
    if let Some(args) = text.strip_prefix(b"alloc_vmap_area: ") {
        return read("alloc_vmap_area", args, alloc, alloc_named).map(|event| Shape::Whole(Body::Alloc(event)));
    }
    if let Some(args) = text.strip_prefix(b"free_vmap_area_noflush: ") {
        return read("free_vmap_area_noflush", args, free, free_named).map(|event| Shape::Whole(Body::Free(event)));
    }
    if let Some(args) = text.strip_prefix(b"purge_vmap_area_lazy: ") {
        return read("purge_vmap_area_lazy", args, purge, purge_named).map(|event| Shape::Whole(Body::Purge(event)));
    }
    match EVENTS.into_iter().find(|event| is_cut(text, event)) {
        Some(event) => Err(Broken { event, rest: text }),
        None => Ok(other(text)),
    }
}

/// Classifies an event of a form that splits the name off itself.
#[inline]
pub(crate) fn of_event<'a>(name: &'a [u8], args: &'a [u8]) -> Result<Body<'a>, Broken<'a>> {
    match name {
        b"alloc_vmap_area" => read("alloc_vmap_area", args, alloc, alloc_named).map(Body::Alloc),
        b"free_vmap_area_noflush" => read("free_vmap_area_noflush", args, free, free_named).map(Body::Free),
        b"purge_vmap_area_lazy" => read("purge_vmap_area_lazy", args, purge, purge_named).map(Body::Purge),
        _ => Ok(foreign(name, args)),
    }
}

/// An event that is none of the allocator's, whatever it is called.
pub(crate) fn foreign<'a>(name: &'a [u8], args: &'a [u8]) -> Body<'a> {
    probe(name, args).unwrap_or(Body::Other { name, args })
}

/// What an entry of the function `trace_printk` and of `trace_marker` says, which forms other than ftrace's call `print`:
/// the function's name and the text. Old versions print the function's address; then it is taken for a marker.
pub(crate) fn printed(text: &[u8]) -> Body<'_> {
    let end = memchr::memchr(b':', text).unwrap_or(text.len());
    let function = upto(text, end);
    let rest = after(text, end + 1);
    let rest = rest.strip_prefix(b" ").unwrap_or(rest);
    let digits = function.strip_prefix(b"0x").unwrap_or(function);
    let is_address = 8 <= digits.len() && digits.iter().all(u8::is_ascii_hexdigit);
    match symbol(function) {
        Ok(([], b"tracing_mark_write")) => Body::Marker(rest),
        _ if is_address => Body::Marker(rest),
        Ok(([], name)) if end < text.len() => Body::Other { name, args: rest },
        _ => Body::Marker(text),
    }
}

/// Whether a text without a colon is the beginning of a vmalloc event's name.
pub(crate) fn begins_event(text: &[u8]) -> bool {
    EVENTS.into_iter().any(|event| is_cut(text, event))
}

/// The vmalloc events.
pub(crate) const EVENTS: [&str; 3] = ["alloc_vmap_area", "free_vmap_area_noflush", "purge_vmap_area_lazy"];
/// Fewer bytes of a name could be anybody's.
const MIN_CUT: usize = 8;

/// Whether a body stops inside an event's name, or right behind its colon. The whole name alone is what the function
/// tracer prints.
fn is_cut(text: &[u8], event: &str) -> bool {
    match text.strip_suffix(b":") {
        Some(name) => name == event.as_bytes(),
        None => (MIN_CUT..event.len()).contains(&text.len()) && event.as_bytes().starts_with(text),
    }
}

/// Whether a line without prefix can be a body: `name: …`, a stack block, a raw marker.
pub(super) fn looks_bare(line: &[u8]) -> bool {
    is_stack(line).is_some()
        || symbol(line).is_ok_and(|(rest, _)| rest.starts_with(b": ") || rest == b":" || rest.starts_with(b" <-"))
}

/// Whether a body is one that only a trace with vmalloc events or probes has.
pub(super) fn is_vmalloc(text: &[u8]) -> bool {
    matches!(shape(text), Ok(Shape::Whole(Body::Alloc(_) | Body::Free(_) | Body::Purge(_) | Body::Probe { .. })))
}

/// Whether a line speaks of a vmalloc event, by its name or its fields; if it cannot be read, that has to be told.
pub(crate) fn mentions_vmalloc(line: &[u8]) -> bool {
    let named = [&b"alloc_vmap_area: "[..], b"free_vmap_area_noflush: ", b"purge_vmap_area_lazy: "];
    let fields = [&b" vend=0x"[..], b" nr_lazy=", b" num_purged=", b" npurged="];
    named.into_iter().chain(fields).any(|part| memchr::memmem::find(line, part).is_some())
}

/// Tries the layout that every kernel so far prints, then the fields by their names.
#[inline]
fn read<'a, T>(
    event: &'static str,
    args: &'a [u8],
    printed: fn(&'a [u8]) -> Res<'a, T>,
    named: fn(&'a [u8]) -> Result<T, &'a [u8]>,
) -> Result<T, Broken<'a>> {
    match printed(args) {
        // Kernels grow fields at the end.
        Ok(([] | [b' ', ..], value)) => Ok(value),
        _ => named(args).map_err(|rest| Broken { event, rest }),
    }
}

/// `va_start: 18405698627118596096 size=20480 align=16384 vstart=0xff… vend=0xff… failed=0`
#[inline]
fn alloc(input: &[u8]) -> Res<'_, Alloc> {
    let (rest, (va_start, size, align, vstart, vend, failed)) = (
        preceded(lit(b"va_start: "), decimal),
        preceded(lit(b" size="), decimal),
        preceded(lit(b" align="), decimal),
        preceded(lit(b" vstart=0x"), hex),
        preceded(lit(b" vend=0x"), hex),
        preceded(lit(b" failed="), decimal),
    )
        .parse(input)?;
    Ok((rest, Alloc { va_start, size, align, vstart, vend, failed: failed != 0 }))
}

/// `va_start=0xff6e2d62404d8000 nr_lazy=95 nr_lazy_max=16384`
#[inline]
fn free(input: &[u8]) -> Res<'_, Free> {
    let (rest, (va_start, nr_lazy, nr_lazy_max)) = (
        preceded(lit(b"va_start=0x"), hex),
        preceded(lit(b" nr_lazy="), decimal),
        preceded(lit(b" nr_lazy_max="), decimal),
    )
        .parse(input)?;
    Ok((rest, Free { va_start, nr_lazy, nr_lazy_max }))
}

/// `start=0xff6e2d6240408000 end=0xff6e2d6240565000 num_purged=36`
#[inline]
fn purge(input: &[u8]) -> Res<'_, Purge> {
    let (rest, (start, end, num_purged)) =
        (preceded(lit(b"start=0x"), hex), preceded(lit(b" end=0x"), hex), preceded(lit(b" num_purged="), decimal))
            .parse(input)?;
    Ok((rest, Purge { start, end, num_purged }))
}

fn alloc_named(args: &[u8]) -> Result<Alloc, &[u8]> {
    let names: [&[&[u8]]; 6] =
        [&[b"va_start", b"addr"], &[b"size"], &[b"align"], &[b"vstart"], &[b"vend"], &[b"failed"]];
    let [va_start, size, align, vstart, vend, failed] = named(args, names)?;
    Ok(Alloc { va_start, size, align, vstart, vend, failed: failed != 0 })
}

fn free_named(args: &[u8]) -> Result<Free, &[u8]> {
    let [va_start, nr_lazy, nr_lazy_max] = named(args, [&[b"va_start"], &[b"nr_lazy"], &[b"nr_lazy_max"]])?;
    Ok(Free { va_start, nr_lazy, nr_lazy_max })
}

fn purge_named(args: &[u8]) -> Result<Purge, &[u8]> {
    let [start, end, num_purged] = named(args, [&[b"start"], &[b"end"], &[b"num_purged", b"npurged"]])?;
    Ok(Purge { start, end, num_purged })
}

/// Finds fields by name, in any order: `addr=0xff… (-4104…)` of the option `fields`, or `va_start: 12`.
///
/// The names of a field are the one it is printed with and the one in the kernel's format file. The error is the rest
/// from the value that cannot be read, or the end if a field is missing.
fn named<'a, const N: usize>(args: &'a [u8], names: [&[&[u8]]; N]) -> Result<[u64; N], &'a [u8]> {
    let mut values = [None; N];
    let mut rest = trim_start(trim_end(args));
    while let Ok((tail, key_value)) = word(rest) {
        let mut here = rest;
        rest = trim_start(tail);
        let (key, value) = match (memchr::memchr(b'=', key_value), key_value.strip_suffix(b":")) {
            (Some(at), _) => (upto(key_value, at), after(key_value, at + 1)),
            (None, Some(key)) => {
                here = rest;
                let (tail, value) = word(rest).map_err(|_| rest)?;
                rest = trim_start(tail);
                (key, value)
            }
            // The value once more, in decimal and in parentheses.
            (None, None) => continue,
        };
        for (slot, names) in values.iter_mut().zip(names) {
            if names.contains(&key) {
                *slot = Some(field(value).ok_or(here)?);
            }
        }
    }
    let mut all = [0; N];
    for (out, value) in all.iter_mut().zip(values) {
        *out = value.ok_or(rest)?;
    }
    Ok(all)
}

/// The value of a field: decimal, hexadecimal or a negative number as the kernel's 64 bits.
fn field(value: &[u8]) -> Option<u64> {
    if let Ok((_, value)) = all_consuming(number).parse(value) {
        return Some(value);
    }
    all_consuming(signed).parse(value).ok().map(|(_, value)| value.cast_unsigned())
}

/// Any body but the three vmalloc events.
fn other(text: &[u8]) -> Shape<'_> {
    if let Some(stack) = is_stack(text) {
        return stack;
    }
    if let Some(raw) = text.strip_prefix(b"# ") {
        return Shape::Whole(Body::Other { name: b"raw_data", args: raw });
    }
    let named = symbol(text).ok().and_then(|(rest, name)| Some((name, rest.strip_prefix(b":")?)));
    let Some((name, args)) = named else {
        return Shape::Whole(unnamed(text));
    };
    let args = args.strip_prefix(b" ").unwrap_or(args);
    if name == b"tracing_mark_write" {
        return Shape::Marker(args);
    }
    Shape::Whole(probe(name, args).unwrap_or(Body::Other { name, args }))
}

/// `<stack trace>`
fn is_stack(text: &[u8]) -> Option<Shape<'static>> {
    match trim_start(trim_end(text)) {
        b"<stack trace>" => Some(Shape::Stack),
        b"<user stack trace>" => Some(Shape::UserStack),
        _ => None,
    }
}

/// A name with the decoration of `sym-offset` and `sym-addr`: `tracing_mark_write+0xdf/0x280`,
/// `tracing_mark_write <ffffffffb2a2d5cf>`.
fn symbol(input: &[u8]) -> Res<'_, &[u8]> {
    let (rest, name) = name(input)?;
    let offset = recognize((lit(b"+"), hex0x, lit(b"/"), hex0x));
    let address = recognize(delimited(lit(b" <"), hex, lit(b">")));
    let rest = match nom::branch::alt((offset, address)).parse(rest) {
        Ok((rest, _)) => rest,
        Err(_) => rest,
    };
    Ok((rest, name))
}

/// Name of an event or function.
fn name(input: &[u8]) -> Res<'_, &[u8]> {
    let n = input.iter().take_while(|&&b| b.is_ascii_alphanumeric() || b == b'_' || b == b'.').count();
    if n == 0 {
        return stop(input);
    }
    Ok((after(input, n), upto(input, n)))
}

/// `vm_free: (free_vmap_area_noflush+0x0/0x160) va_start=0x…`
fn probe<'a>(name: &'a [u8], args: &'a [u8]) -> Option<Body<'a>> {
    let inside = args.strip_prefix(b"(")?;
    let end = memchr::memchr(b')', inside)?;
    let rest = after(inside, end + 1);
    matches!(rest, [] | [b' ', ..]).then(|| Body::Probe {
        name,
        at: upto(inside, end),
        args: rest.strip_prefix(b" ").unwrap_or(rest),
    })
}

/// A body without `name:`: a line of the function tracer (`insert_vmap_area <-alloc_vmap_area`, or one
/// symbol), else something like `UNKNOWN TYPE 4`.
fn unnamed(text: &[u8]) -> Body<'_> {
    let first = memchr::memchr(b' ', text).unwrap_or(text.len());
    let (name, args) = (upto(text, first), after(text, first + 1));
    // Newer kernels print arguments, with blanks, between the two functions.
    if args.is_empty() || memchr::memmem::find(text, b" <-").is_some() {
        return Body::Other { name: b"function", args: text };
    }
    Body::Other { name, args }
}

#[cfg(test)]
mod tests;
