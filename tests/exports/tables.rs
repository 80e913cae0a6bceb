//! The tables in their three forms say the same, and as much as the input.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;
use std::process::Command;
use std::sync::Arc;

use parquet::basic::Type;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::{Field, RowAccessor};
use serde_json::Value;
use vmaplens::event::{Addr, Event, EventKind, Nanos, TaskId, WindowId};
use vmaplens::export::parquet::{GROUP_ROWS, Parquet};
use vmaplens::export::rows::{EventRow, Events, TABLES as DESCRIBED};
use vmaplens::export::tables::{Format, TABLES};
use vmaplens::export::{About, Form, Rows, Walk};
use vmaplens::log::{Log, Window};
use vmaplens::replay::{Replay, Settings};

use super::{capture, captures, name_of, replay_of, table, text};

fn json_lines(bytes: &[u8]) -> Vec<Value> {
    text(bytes).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// Rows of a CSV by column; an empty cell is not there.
fn csv_rows(bytes: &[u8]) -> Vec<HashMap<String, String>> {
    let mut reader = csv::Reader::from_reader(bytes);
    let names = reader.headers().expect("a header").clone();
    let row = |record: csv::StringRecord| {
        let cells = names.iter().zip(record.iter()).filter(|(_, cell)| !cell.is_empty());
        cells.map(|(name, cell)| (name.to_owned(), cell.to_owned())).collect()
    };
    reader.records().map(|record| row(record.expect("a row"))).collect()
}

fn parquet_rows(bytes: Vec<u8>) -> (SerializedFileReader<bytes::Bytes>, Vec<parquet::record::Row>) {
    let reader = SerializedFileReader::new(bytes::Bytes::from(bytes)).expect("Parquet");
    let rows = reader.get_row_iter(None).expect("rows").map(|row| row.expect("a row")).collect();
    (reader, rows)
}

/// A cell of Parquet as CSV writes it.
fn cell(field: &Field, form: Form, digits: usize) -> Option<String> {
    Some(match (field, form) {
        (Field::Null, _) => return None,
        (Field::ULong(value), Form::Addr) => format!("0x{value:0digits$x}"),
        (Field::Str(value), _) if value.is_empty() => return None,
        (Field::Str(value), _) if value.starts_with(['=', '+', '-', '@']) => format!("'{value}"),
        (Field::Str(value), _) => value.clone(),
        (Field::Bool(value), _) => value.to_string(),
        (Field::UByte(value), _) => value.to_string(),
        (Field::UShort(value), _) => value.to_string(),
        (Field::UInt(value), _) => value.to_string(),
        (Field::ULong(value), _) => value.to_string(),
        (Field::Int(value), _) => value.to_string(),
        (Field::Long(value), _) => value.to_string(),
        (Field::Double(value), _) => value.to_string(),
        other => unreachable!("{other:?}"),
    })
}

#[test]
fn csv_and_parquet_hold_the_same_cells() {
    for name in ["amd64-612-exhaust-range", "i386-65-exhaust-smp1", "amd64-612-snaptrace-smp1", "amd64-72-boot-smp2"] {
        let replay = capture(name);
        let digits = About::of(&replay).digits;
        for (table_name, schema, columns) in &DESCRIBED[..3] {
            let rows = csv_rows(&table(&replay, Format::Csv, table_name));
            let (reader, wide) = parquet_rows(table(&replay, Format::Parquet, table_name));
            assert_eq!(rows.len(), wide.len(), "{name}: {table_name}");
            for (n, (row, wide)) in rows.iter().zip(&wide).enumerate() {
                for (column, (key, field)) in columns.iter().zip(wide.get_column_iter()) {
                    assert_eq!(column.name, key);
                    let wanted = cell(field, column.form, digits);
                    assert_eq!(row.get(key), wanted.as_ref(), "{name}: {table_name} {n} {key}");
                }
            }
            let metadata = reader.metadata().file_metadata();
            let pairs: BTreeMap<&str, Option<&str>> = metadata
                .key_value_metadata()
                .expect("metadata")
                .iter()
                .map(|pair| (pair.key.as_str(), pair.value.as_deref()))
                .collect();
            assert_eq!(pairs["vmaplens.schema"], Some(*schema));
            for key in ["kernel_release", "page_size", "clock", "lost", "tool", "vmaplens.provenance"] {
                assert!(pairs[key].is_some(), "{key}");
            }
        }
    }
}

#[test]
fn addresses_above_two_to_the_63_stay_what_they_are() {
    let replay = capture("amd64-612-first-steps");
    let (reader, rows) = parquet_rows(table(&replay, Format::Parquet, "events"));
    let schema = reader.metadata().file_metadata().schema_descr();
    let addr = (0..schema.num_columns()).find(|&at| schema.column(at).name() == "addr").expect("a column");
    assert_eq!(schema.column(addr).physical_type(), Type::INT64);
    let lines = json_lines(&table(&replay, Format::Jsonl, "events"));
    let first = lines.iter().find(|line| line["kind"] == "alloc").expect("an allocation");
    let row = &rows[first["i"].as_u64().expect("a number") as usize];
    let wide = row.get_ulong(addr).expect("an address");
    assert!(1 << 63 < wide);
    assert_eq!(first["addr"], format!("0x{wide:016x}"));
}

#[test]
fn as_many_records_of_each_kind_as_parse_counts() {
    for path in captures() {
        let what = name_of(&path);
        let output = Command::new(env!("CARGO_BIN_EXE_vmaplens"))
            .args(["parse", "--count", "--json", "--quiet"])
            .arg(&path)
            .output()
            .expect("runs");
        let counted: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let parsed = |kinds: &[&str]| kinds.iter().filter_map(|kind| counted["kinds"][*kind].as_u64()).sum::<u64>();
        let replay = replay_of(&path);
        let lines = json_lines(&table(&replay, Format::Jsonl, "events"));
        let found = |kind: &str| lines.iter().filter(|line| line["kind"] == kind).count() as u64;
        // Of a call seen by probes at both its ends, one record is kept.
        for (kind, kinds) in [
            ("alloc", &["alloc", "alloc_return"][..]),
            ("free", &["free", "free_entry"]),
            ("purge", &["purge", "purge_return"]),
            ("marker", &["marker"]),
            ("lost", &["lost"]),
        ] {
            assert_eq!(found(kind), parsed(kinds), "{what}: {kind}");
        }
        let seqs: Vec<u64> = lines.iter().filter_map(|line| line["i"].as_u64()).collect();
        assert!(seqs.iter().copied().eq(0..replay.len() as u64), "{what}");
    }
}

#[test]
fn stacks_stand_before_their_first_use_and_are_the_same_in_every_form() {
    let mut text = String::from("# tracer: nop\n");
    let event = "            init-1       [001] .....     5.46";
    for n in 0..6_u64 {
        let addr = 0xffff_c900_0000_0000_u64 + n * 0x5000;
        let _ = write!(
            text,
            "{event}{:04}: alloc_vmap_area: va_start: {addr} size=20480 align=1 vstart=0xffffc90000000000 \
             vend=0xffffe8ffffffffff failed=0\n{event}{:04}: <stack trace>\n => alloc_vmap_area\n => caller_{}\n",
            n * 2,
            n * 2 + 1,
            n % 2,
        );
    }
    let replay = from_text("stacks.txt", text.as_bytes());
    let mut known = Vec::new();
    let lines = json_lines(&table(&replay, Format::Jsonl, "events"));
    for line in &lines[1..] {
        match line["kind"].as_str() {
            Some("stack") => known.push(line["id"].clone()),
            _ => assert!(known.contains(&line["stack"]), "{line}"),
        }
    }
    assert_eq!(known.len(), 2);
    let (_, rows) = parquet_rows(table(&replay, Format::Parquet, "stacks"));
    let frames: Vec<String> =
        rows.iter().map(|row| row.get_list(1).expect("a list").elements().len().to_string()).collect();
    assert_eq!(frames, ["2", "2"]);
    let cells = csv_rows(&table(&replay, Format::Csv, "stacks"));
    assert_eq!(cells.len(), 4);
    assert_eq!((&*cells[3]["id"], &*cells[3]["depth"], &*cells[3]["symbol"]), ("1", "1", "caller_1"));
}

/// A text as input, resolved.
pub(crate) fn from_text(name: &str, text: &[u8]) -> Replay {
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, text).expect("written");
    replay_of(&path)
}

/// A log of many records, none of which needs another.
fn long_log(n: u32) -> Log {
    let mut log = Log::default();
    let window = log.names.add_window(Window { vstart: 0xffff_c900_0000_0000, vend: 0xffff_e8ff_ffff_ffff });
    assert_eq!((log.names.add_task(b"task", 1), window), (TaskId(0), WindowId(0)));
    for seq in 0..n {
        let addr = Addr(0xffff_c900_0000_0000);
        let kind = if seq % 2 == 0 {
            EventKind::Alloc { addr, size: 8192, align: 1, window, failed: false }
        } else {
            EventKind::Free { addr, nr_lazy: 2, nr_lazy_max: 8192 }
        };
        log.events.push(Event { at: Nanos(u64::from(seq) * 1000), line: 0, task: TaskId(0), cpu: 0, kind });
    }
    log
}

#[test]
fn no_more_than_a_row_group_is_held() {
    let n = GROUP_ROWS as u32 * 2 + 10;
    let replay = Replay::open(Arc::new(long_log(n)), &Settings::default()).expect("replays");
    let about = About::of(&replay);
    let mut out = Vec::new();
    let mut file = Parquet::new::<EventRow<'_>>(&mut out, &about).expect("begins");
    let (mut walk, mut maker, mut most) = (Walk::new(&replay), Events::default(), 0);
    let mut areas = 0;
    while let Some((seq, event)) = walk.step() {
        file.row(&maker.row(&walk, seq, &event)).expect("written");
        most = most.max(file.rows_in_flight());
        areas = areas.max(walk.busy().count());
    }
    file.end().expect("written");
    drop(file);
    assert!(most < GROUP_ROWS, "{most}");
    assert!(areas <= 2, "a walk keeps what is in use: {areas}");
    let reader = SerializedFileReader::new(bytes::Bytes::from(out)).expect("Parquet");
    let groups: Vec<i64> =
        reader.metadata().row_groups().iter().map(parquet::file::metadata::RowGroupMetaData::num_rows).collect();
    let whole = i64::try_from(GROUP_ROWS).expect("a number of rows");
    assert_eq!(groups, [whole, whole, 10]);
}

#[test]
fn metrics_are_those_of_the_states_and_can_be_thinned_out() {
    let mut replay = capture("amd64-612-exhaust-range");
    let rows = csv_rows(&table(&replay, Format::Csv, "metrics"));
    assert_eq!(rows.len(), replay.len());
    for at in [1, replay.len() / 3, replay.len()] {
        replay.seek(at, usize::MAX);
        let metrics = replay.space().allocator().metrics();
        let row = &rows[at - 1];
        for (key, value) in [
            ("busy_areas", metrics.busy_areas),
            ("busy_bytes", metrics.busy_bytes),
            ("lazy_areas", metrics.lazy_areas),
            ("lazy_pages", metrics.lazy_pages),
            ("free_bytes", metrics.free_bytes),
            ("largest_free", metrics.largest_hole),
            ("holes", metrics.holes),
            ("span_bytes", metrics.span_bytes),
            ("pooled_bytes", metrics.pooled_bytes),
        ] {
            assert_eq!(row[key], value.to_string(), "{key} after {at}");
        }
    }
    assert_eq!(rows[rows.len() - 1]["fails"], replay.log().counts().failed.to_string());
    let mut thin = Vec::new();
    vmaplens::export::tables::write(&replay, Format::Csv, [None, Some(&mut thin), None, None], 1000).expect("written");
    let thin = csv_rows(&thin);
    assert_eq!(thin.len(), replay.len().div_ceil(1000));
    assert_eq!(thin[thin.len() - 1], rows[rows.len() - 1]);
}

#[test]
fn every_allocation_is_one_area() {
    for name in ["amd64-612-first-steps", "amd64-612-boot-smp1", "i386-65-exhaust-smp1"] {
        let replay = capture(name);
        let rows = csv_rows(&table(&replay, Format::Csv, "areas"));
        let counts = replay.log().counts();
        let born = rows.iter().filter(|row| row.contains_key("alloc_seq")).count() as u64;
        assert_eq!(born, counts.alloc - counts.failed, "{name}");
        let freed = rows.iter().filter(|row| row.contains_key("free_seq")).count() as u64;
        assert_eq!(freed, counts.free, "{name}");
        for row in rows {
            let at = |key: &str| row.get(key).map(|value| value.parse::<i64>().expect("a number"));
            let ascends = |from: Option<i64>, to: Option<i64>| from.zip(to).is_none_or(|(from, to)| from <= to);
            assert!(ascends(at("from_ns"), at("lazy_ns")) && ascends(at("lazy_ns"), at("to_ns")), "{name}: {row:?}");
        }
    }
}

/// `VMAPLENS_UPDATE=1 cargo test --test exports columns` writes them anew.
#[test]
fn the_columns_are_those_of_the_docs() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/exports.md");
    let docs = std::fs::read_to_string(&path).expect("docs/exports.md");
    assert_eq!(DESCRIBED.map(|(table, ..)| table), TABLES);
    let mut wanted = docs.clone();
    for (table, schema, columns) in DESCRIBED {
        let (begin, end) = (format!("<!-- {table} -->\n"), format!("<!-- /{table} -->"));
        let (before, rest) = wanted.split_once(&begin).expect(table);
        let (_, after) = rest.split_once(&end).expect(table);
        let mut rows =
            format!("`{schema}`\n\n| column | type | unknown | provenance | what |\n| --- | --- | --- | --- | --- |\n");
        for column in columns {
            let null = if column.may_be_null { "yes" } else { "" };
            let form = format!("{:?}", column.form).to_lowercase();
            let (name, from, what) = (column.name, column.from.word(), column.what);
            let _ = writeln!(rows, "| `{name}` | {form} | {null} | {from} | {what} |");
        }
        wanted = format!("{before}{begin}{rows}{end}{after}");
    }
    if std::env::var_os("VMAPLENS_UPDATE").is_some() {
        std::fs::write(&path, &wanted).expect("written");
    }
    assert_eq!(docs, wanted, "VMAPLENS_UPDATE=1 cargo test --test exports columns");
}
