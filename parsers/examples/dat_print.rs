//! Prints a trace.dat as text, or times the reading of it.
//!
//! `cargo run --release -p vmaplens-parsers --example dat_print -- FILE [--count]`

#![expect(clippy::print_stdout, reason = "an example prints")]

use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt as _;

use parsers::record::{Body, Record, Stamp};
use parsers::trace_dat::{ReadAt, TraceDat};

#[path = "../tests/support/unpack.rs"]
mod unpack;

struct Input(File, u64);

impl ReadAt for Input {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read_at(buf, offset)
    }

    fn len(&self) -> u64 {
        self.1
    }
}

fn main() -> io::Result<()> {
    let mut args = std::env::args().skip(1);
    let file = File::open(args.next().unwrap_or_default())?;
    let input = Input(file.try_clone()?, file.metadata()?.len());
    let unpacker = unpack::Unpacker::default();
    let mut dat = match TraceDat::open(&input, &unpacker) {
        Ok(dat) => dat,
        Err(refusal) => return Err(io::Error::other(refusal)),
    };
    if args.next().is_some() {
        let (mut n, mut sum) = (0_u64, 0_u64);
        dat.records(|record, _| {
            n += 1;
            sum = sum.wrapping_add(record.offset);
            if let (Some(prefix), Body::Alloc(alloc)) = (&record.prefix, &record.body) {
                sum = sum.wrapping_add(alloc.va_start ^ prefix.comm.len() as u64);
            }
        });
        println!("{n} records, {} problems, {sum}", dat.problems().len());
        return Ok(());
    }
    let names: Vec<_> = dat.facts().instances.iter().map(|i| i.name.clone()).collect();
    println!("# {:?}", dat.facts());
    let mut out = io::BufWriter::new(io::stdout().lock());
    let mut result = Ok(());
    dat.records(|record, instance| {
        if result.is_ok() {
            result = print(&mut out, record, &names[instance]);
        }
    });
    for problem in dat.problems() {
        writeln!(out, "# at {}: {}", problem.offset, problem.kind)?;
    }
    result
}

fn print(out: &mut impl io::Write, record: &Record<'_>, instance: &[u8]) -> io::Result<()> {
    if !instance.is_empty() {
        out.write_all(instance)?;
        out.write_all(b": ")?;
    }
    if let Some(prefix) = &record.prefix {
        out.write_all(prefix.comm)?;
        write!(out, "-{} [{:03}] ", prefix.pid, prefix.cpu.unwrap_or_default())?;
        out.write_all(prefix.flags)?;
        match prefix.stamp {
            Stamp::Nanos(ns) => write!(out, " {}.{:09}: ", ns / 1_000_000_000, ns % 1_000_000_000)?,
            other => write!(out, " {other:?}: ")?,
        }
    }
    match &record.body {
        Body::Stack(frames) | Body::UserStack(frames) => {
            writeln!(out, "<stack trace>")?;
            for frame in frames {
                let mut text = b" => ".to_vec();
                frame.write_to(&mut text);
                write!(text, " <{:x}>", frame.address.unwrap_or_default())?;
                out.write_all(&text)?;
                writeln!(out)?;
            }
            Ok(())
        }
        Body::Marker(text) => writeln!(out, "tracing_mark_write: {}", String::from_utf8_lossy(text)),
        Body::Probe { name, at, args } => {
            let [name, at, args] = [name, at, args].map(|text| String::from_utf8_lossy(text));
            writeln!(out, "{name}: ({at}) {args}")
        }
        Body::Other { name, args } => {
            writeln!(out, "{}: {}", String::from_utf8_lossy(name), String::from_utf8_lossy(args))
        }
        other => writeln!(out, "{other:?}"),
    }
}
