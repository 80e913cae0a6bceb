//! Names of tasks are other people's bytes: no format lets them be more than a name.

use std::io::{self, Write};

use vmaplens::export::tables::{Format, Outputs, TABLES};
use vmaplens::export::{ExportError, tables as export_tables};
use vmaplens::replay::Replay;

use super::{everything, table, text};

/// A formula, a terminal's escape, a quote, markup, a separator of stacks, a line's end in XML, and no UTF-8.
const COMMS: [&[u8]; 8] = [
    b"=cmd|' /C calc'!A0",
    b"@SUM(1)",
    b"\x1b[2J\x1b]0;x\x07",
    b"a\"b\\c,d",
    b"</text><script>",
    b"a;b",
    b"bad\xff\xc3(",
    b"rtl\xe2\x80\xaegpj",
];

fn hostile() -> Replay {
    let mut trace = b"# tracer: nop\n".to_vec();
    for (n, comm) in COMMS.iter().enumerate() {
        let addr = 0xffff_c900_0000_0000_u64 + n as u64 * 0x5000;
        trace.extend_from_slice(b"            ");
        trace.extend_from_slice(comm);
        trace.extend_from_slice(
            format!(
                "-{}       [001] .....     5.4637{n:02}: alloc_vmap_area: va_start: {addr} size=20480 align=1 \
                 vstart=0xffffc90000000000 vend=0xffffe8ffffffffff failed=0\n",
                n + 1
            )
            .as_bytes(),
        );
        trace.extend_from_slice(b"            ");
        trace.extend_from_slice(comm);
        trace.extend_from_slice(
            format!("-{}       [001] .....     5.4637{n:02}: tracing_mark_write: ", n + 1).as_bytes(),
        );
        trace.extend_from_slice(comm);
        trace.push(b'\n');
    }
    super::tables::from_text("hostile.txt", &trace)
}

#[test]
fn all_names_get_here() {
    let replay = hostile();
    let comms: Vec<&[u8]> = replay.log().names.tasks().iter().map(|task| &task.comm[..]).collect();
    for comm in COMMS {
        assert!(comms.contains(&comm), "{}", String::from_utf8_lossy(comm));
    }
}

#[test]
fn no_text_format_has_controls_in_it() {
    for (what, bytes) in everything(&hostile()) {
        if what.starts_with("Parquet") || what == "perfetto" {
            continue;
        }
        let text = text(&bytes);
        let bad = text.chars().find(|&c| c != '\n' && vmaplens::log::escape::is_hostile(c));
        assert_eq!(bad, None, "{what}");
        if what == "svg" {
            assert!(!text.contains("<script"), "{what}");
        }
    }
}

#[test]
fn a_cell_is_never_a_formula_and_always_one_cell() {
    let bytes = table(&hostile(), Format::Csv, "events");
    let mut reader = csv::Reader::from_reader(&bytes[..]);
    let comm = reader.headers().expect("a header").iter().position(|name| name == "comm").expect("comm");
    let cells: Vec<String> = reader.records().map(|row| row.expect("a row")[comm].to_owned()).collect();
    assert!(cells.iter().all(|cell| !cell.starts_with(['=', '+', '-', '@'])), "{cells:?}");
    assert!(cells.contains(&"'=cmd|' /C calc'!A0".to_owned()) && cells.contains(&"a\"b\\c,d".to_owned()), "{cells:?}");
    assert!(cells.contains(&"bad\u{fffd}\u{fffd}(".to_owned()), "{cells:?}");
}

#[test]
fn bytes_that_are_lost_are_kept_beside() {
    let bytes = table(&hostile(), Format::Jsonl, "events");
    let lossy: Vec<serde_json::Value> = text(&bytes)
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"))
        .filter(|line| !line["comm_hex"].is_null())
        .collect();
    assert_eq!(lossy.len(), 2);
    assert_eq!(lossy[0]["comm"], "bad\u{fffd}\u{fffd}(");
    assert_eq!(lossy[0]["comm_hex"], "626164ffc328");
}

#[test]
fn the_picture_is_well_formed() {
    for (what, bytes) in everything(&hostile()).into_iter().filter(|(what, _)| what == "svg") {
        let mut open = Vec::new();
        for tag in text(&bytes).split('<').skip(1) {
            let tag = tag.split_once('>').expect("a tag ends").0;
            let name = tag.trim_start_matches('/').split(' ').next().expect("a name").trim_end_matches('/');
            if tag.starts_with('/') {
                assert_eq!(open.pop(), Some(name.to_owned()), "{what}");
            } else if !tag.ends_with('/') {
                open.push(name.to_owned());
            }
        }
        assert!(open.is_empty(), "{open:?}");
    }
}

/// Somebody who reads no more after some bytes.
#[derive(Debug)]
struct Full(usize);

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.checked_sub(bytes.len()).ok_or(io::ErrorKind::BrokenPipe)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn whoever_stops_reading_is_told_apart() {
    let replay = super::capture("amd64-612-boot-smp1");
    for format in [Format::Jsonl, Format::Csv, Format::Parquet] {
        let mut outputs: Outputs<Full> = [const { None }; TABLES.len()];
        outputs[0] = Some(Full(1000));
        match export_tables::write(&replay, format, outputs, 1) {
            Err(ExportError::Write(reason)) => assert_eq!(reason.kind(), io::ErrorKind::BrokenPipe, "{format:?}"),
            other => panic!("{format:?}: {other:?}"),
        }
    }
}
