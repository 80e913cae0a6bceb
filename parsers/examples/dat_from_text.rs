//! Writes ftrace text as a trace.dat, to measure with.
//!
//! `cargo run --release -p vmaplens-parsers --example dat_from_text -- TEXT OUT [none|zstd|zlib|6]`

use std::collections::BTreeMap;
use std::fs::File as Output;
use std::io::{self, BufWriter, Write as _};

use parsers::record::{Body, Record, Stamp};
use parsers::trace_dat::Method;

#[path = "../tests/support/container.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod container;
#[path = "../tests/support/ring.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod ring;
#[path = "../tests/support/write.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod write;

use container::File;
use ring::{Ring, Time};
use write::{Event, Said, Shape};

fn main() -> io::Result<()> {
    let mut args = std::env::args().skip(1);
    let (text, out) = (args.next().unwrap_or_default(), args.next().unwrap_or_default());
    let kind = args.next().unwrap_or_default();
    let method = match kind.as_str() {
        "zstd" => Some(Method::Zstd),
        "zlib" => Some(Method::Zlib),
        _ => None,
    };
    let version = if kind == "6" { 6 } else { 7 };
    let shape = Shape {
        version,
        is_big: false,
        long: 8,
        stride: 4096,
        method,
        n_chunk_pages: 10,
        is_real_time: false,
        first_id: 300,
    };
    let input = Output::open(text)?;
    let mut rings: Vec<Ring> = Vec::new();
    let mut comms: BTreeMap<i32, Vec<u8>> = BTreeMap::new();
    let mut payload = Vec::new();
    let mut form = parsers::ftrace::Trace::default();
    parsers::stream::read(input, &mut form, &mut |record: &Record<'_>| {
        let Some(prefix) = &record.prefix else { return };
        let said = match &record.body {
            Body::Alloc(alloc) => Said::Alloc(*alloc),
            Body::Free(free) => Said::Free(*free),
            Body::Purge(purge) => Said::Purge(*purge),
            _ => return,
        };
        let (Stamp::Nanos(stamp), Some(cpu)) = (prefix.stamp, prefix.cpu) else { return };
        rings.resize_with(rings.len().max(usize::from(cpu) + 1), Ring::default);
        comms.entry(prefix.pid).or_insert_with(|| prefix.comm.to_vec());
        let event = Event { stamp, pid: prefix.pid, flags: 0, preempt: 0, said };
        shape.payload(&event, &mut payload);
        rings[usize::from(cpu)].push(&shape, stamp, &payload, Time::Delta, false);
    })?;
    for ring in &mut rings {
        ring.finish(&shape);
    }
    let mut saved_cmdlines = Vec::new();
    for (pid, comm) in comms {
        saved_cmdlines.extend_from_slice(format!("{pid} ").as_bytes());
        saved_cmdlines.extend_from_slice(&comm);
        saved_cmdlines.push(b'\n');
    }
    let mut out = BufWriter::new(Output::create(out)?);
    File { shape, instances: vec![("", rings)], saved_cmdlines: &saved_cmdlines }.write(&mut out)?;
    out.flush()
}
