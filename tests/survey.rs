//! `vmaplens survey`: a row for each capture and policy, whatever the captures are and however many work on them.

use std::collections::HashMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use vmaplens::compare::metrics::METRICS;
use vmaplens::compare::{Lane, LaneSpec, demands_of};
use vmaplens::export::Row;
use vmaplens::export::survey::SurveyRow;
use vmaplens::policy::POLICIES;
use vmaplens::replay::{Replay, Settings};
use vmaplens::source::{Input, Reading, open};

fn survey(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vmaplens"));
    command.arg("survey").args(args).current_dir(env!("CARGO_MANIFEST_DIR")).env_clear();
    command.output().expect("runs")
}

fn csv(args: &[&str]) -> Vec<HashMap<String, String>> {
    let output = survey(&[args, &["--to", "csv", "--quiet"]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let mut reader = csv::Reader::from_reader(&output.stdout[..]);
    let names = reader.headers().expect("a header").clone();
    let row =
        |record: csv::StringRecord| names.iter().map(str::to_owned).zip(record.iter().map(str::to_owned)).collect();
    reader.records().map(|record| row(record.expect("a row"))).collect()
}

/// A folder of its own.
fn folder(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).expect("made");
    path
}

#[test]
fn a_row_says_what_the_library_says() {
    let rows =
        csv(&["traces/amd64-612-first-steps", "traces/i386-65-exhaust-smp1", "--policy", "auto,linux-4.19:cpus=4"]);
    assert_eq!(rows.len(), 4);
    for row in &rows {
        assert_eq!(row["error"], "");
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("traces").join(&row["input"]);
        let log = open(&Input::Path(path), &Reading::default()).expect("opens");
        let replay = Replay::open(log.into(), &Settings::default()).expect("replays");
        let demands = demands_of(&replay);
        let spec = LaneSpec::parse(&row["policy"]).expect("a policy");
        let mut lane = Lane::new(&replay, &demands, spec, 0).expect("a lane");
        lane.run(usize::MAX);
        for metric in METRICS {
            let value = (metric.value)(&lane).map_or(String::new(), |value| value.as_f64().to_string());
            assert_eq!(row[metric.key], value, "{} {}", row["input"], metric.key);
        }
        assert_eq!(row["is_own"], (row["policy"] == "auto").to_string());
        assert_eq!(row["records"], replay.len().to_string());
        assert_eq!(row["digest"], format!("{:016x}", lane.end().expect("through").digest));
    }
}

#[test]
fn a_damaged_capture_is_a_row_and_does_not_stop_the_others() {
    let root = folder("survey-damaged");
    let good = Path::new(env!("CARGO_MANIFEST_DIR")).join("traces/amd64-612-first-steps");
    for (name, keeps) in [("a-good", usize::MAX), ("b-cut", 40)] {
        let to = root.join(name);
        fs::create_dir(&to).expect("made");
        for entry in fs::read_dir(&good).expect("traces").map(|entry| entry.expect("entry").path()) {
            let bytes = fs::read(&entry).expect("read");
            let is_trace = entry.to_string_lossy().contains("trace.txt");
            let n = if is_trace { keeps.min(bytes.len()) } else { bytes.len() };
            fs::write(to.join(entry.file_name().expect("a name")), &bytes[..n]).expect("written");
        }
    }
    fs::write(root.join("notes.pdf"), b"%PDF-1.7\n\x00\x01\x02").expect("written");
    fs::create_dir(root.join("deeper")).expect("made");
    fs::write(root.join("deeper/c.ops"), "era 6.12\na 0 8192\nf 0\n").expect("written");
    let named = root.to_string_lossy().into_owned();
    let missing = root.join("missing.dat").to_string_lossy().into_owned();
    let rows = csv(&[&named, &missing]);
    let told: Vec<(&str, bool)> = rows.iter().map(|row| (&*row["input"], row["error"].is_empty())).collect();
    assert_eq!(told, [("a-good", true), ("b-cut", false), ("deeper/c.ops", true), ("missing.dat", false)]);
    let output = survey(&[&named, "--to", "csv", "--strict"]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("3 rows in 3 captures, 1 other file passed over, 1 with an error"), "{said}");
}

#[test]
fn the_number_of_jobs_changes_no_byte() {
    let out = |jobs: &str, to: &str| {
        let args = [
            "traces/lessons",
            "traces/amd64-612-first-steps",
            "traces/amd64-612-parts-smp2",
            "--policy",
            "auto,recorded",
        ];
        survey(&[&args[..], &["--jobs", jobs, "--to", to, "--quiet"]].concat()).stdout
    };
    for to in ["csv", "jsonl", "parquet"] {
        let one = out("1", to);
        assert!(!one.is_empty() && one == out("3", to), "{to}");
    }
}

#[test]
fn all_is_every_policy() {
    let rows = csv(&["traces/amd64-612-first-steps", "--policy", "all"]);
    // Each once, `recorded` too.
    let asked: Vec<&str> = rows.iter().map(|row| row["policy"].as_str()).collect();
    assert_eq!(asked, POLICIES.iter().map(|entry| entry.id).collect::<Vec<_>>());
    assert!(rows.iter().all(|row| row["error"].is_empty()), "{rows:?}");
}

#[test]
fn mistakes_are_told_in_a_line_and_a_hint() {
    let empty = folder("survey-empty").to_string_lossy().into_owned();
    for (args, what) in [
        (["traces", "--policy=linux-9"], "linux-9"),
        (["traces", "--policy=,"], "no policy"),
        ([&*empty, "--to=csv"], "no files"),
    ] {
        let output = survey(&args);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(what) && said.contains("\n hint: "), "{said}");
    }
}

/// `VMAPLENS_UPDATE=1 cargo test --test survey columns` writes them anew.
#[test]
fn the_columns_are_those_of_the_docs() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/survey.md");
    let docs = fs::read_to_string(&path).expect("docs/survey.md");
    let (before, rest) = docs.split_once("<!-- survey -->\n").expect("the table begins");
    let (_, after) = rest.split_once("<!-- /survey -->").expect("the table ends");
    let mut rows =
        format!("`{}`\n\n| column | type | provenance | what |\n| --- | --- | --- | --- |\n", SurveyRow::SCHEMA);
    for column in SurveyRow::COLUMNS {
        let form = format!("{:?}", column.form).to_lowercase();
        let (name, from, what) = (column.name, column.from.word(), column.what);
        writeln!(rows, "| `{name}` | {form} | {from} | {what} |").expect("memory can be written");
    }
    let wanted = format!("{before}<!-- survey -->\n{rows}<!-- /survey -->{after}");
    if std::env::var_os("VMAPLENS_UPDATE").is_some() {
        fs::write(&path, &wanted).expect("written");
    }
    assert!(docs == wanted, "VMAPLENS_UPDATE=1 cargo test --test survey columns");
}

/// Words of the queries that are no columns.
const SQL: &[&str] = &[
    "create",
    "or",
    "replace",
    "temporary",
    "view",
    "using",
    "options",
    "path",
    "select",
    "from",
    "where",
    "group",
    "by",
    "order",
    "join",
    "on",
    "and",
    "as",
    "is",
    "not",
    "null",
    "desc",
    "having",
    "case",
    "when",
    "then",
    "end",
    "count",
    "sum",
    "avg",
    "max",
    "survey",
    "parquet",
    "a",
    "o",
    "own",
    "captures",
    "worst_fragmentation",
    "page_tables",
    "steps_p99",
    "lost_share",
    "lazy_peak_bytes",
    "recorded",
    "surveys",
];

#[test]
fn queries_of_the_docs_name_columns_that_exist() {
    let docs = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/survey.md")).expect("docs");
    let mut n_columns = 0;
    for query in docs.split("```sql\n").skip(1).map(|rest| rest.split("```").next().expect("an end")) {
        for word in query.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty()) {
            let is_column = SurveyRow::COLUMNS.iter().any(|column| column.name == word);
            let is_number = word.chars().all(|c| c.is_ascii_digit());
            n_columns += usize::from(is_column);
            assert!(is_column || is_number || SQL.contains(&&*word.to_lowercase()), "{word} in\n{query}");
        }
    }
    assert!(20 < n_columns);
}
