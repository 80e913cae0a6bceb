//! Whole reports.

use super::*;
use crate::stream::read_slice;

fn told(text: &str) -> (Vec<String>, Vec<(u32, ProblemKind)>) {
    let mut records = Vec::new();
    let (_, problems) = read_slice(text.as_bytes(), Report::default(), &mut |record| {
        let word = match &record.body {
            Body::Alloc(_) => "alloc".to_owned(),
            Body::Free(_) => "free".to_owned(),
            Body::Purge(_) => "purge".to_owned(),
            Body::Stack(frames) => format!("stack {}", frames.len()),
            Body::UserStack(frames) => format!("user stack {}", frames.len()),
            Body::Marker(text) => format!("marker {}", String::from_utf8_lossy(text)),
            Body::Lost { cpu, count } => format!("lost {cpu:?} {count:?}"),
            Body::Probe { name, at, .. } => {
                format!("probe {} {}", String::from_utf8_lossy(name), String::from_utf8_lossy(at))
            }
            Body::Other { name, .. } => format!("other {}", String::from_utf8_lossy(name)),
            other => format!("{other:?}"),
        };
        records.push(format!("{}: {word}", record.line));
    });
    (records, problems.into_iter().map(|problem| (problem.line, problem.kind)).collect())
}

const HEAD: &str = "           <...>-1048  [001]    40.704426: ";
const FREE: &str = "     kworker/1:1-46    [001]    35.264449: free_vmap_area_noflush: va_start=0xff6e2d624131c000 nr_lazy=75 nr_lazy_max=16384\n";

#[test]
fn stacks_markers_and_probes_in_the_spelling_of_trace_cmd() {
    let text = format!(
        "cpus=2\n{HEAD}kernel_stack:         <stack trace >\n=> trace_event_raw_event_alloc_vmap_area (ffffffff981a176c)\n=> 7fffffff\n\
         {HEAD}user_stack:           <user stack trace >\n=> <0000000000461819>\n\
         {HEAD}print:                tracing_mark_write: two\nlines\n\
         {HEAD}vm_x:                 (ffffffff816dd280) size=0x4000\n\
         {HEAD}kfree:                (free_vmap_area_noflush+0x5) call_site=x+0x5 ptr=(nil)\n\
         {HEAD}funcgraph_entry:                   |  alloc_vmap_area() {{\n{FREE}"
    );
    let want = [
        "2: stack 2",
        "5: user stack 1",
        "7: marker two\nlines",
        "9: probe vm_x ffffffff816dd280",
        "10: other kfree",
        "11: other funcgraph_entry",
        "12: free",
    ];
    assert_eq!(told(&text), (want.map(str::to_owned).to_vec(), vec![]));
}

#[test]
fn what_stands_before_is_passed_over_and_what_comes_later_is_damage() {
    let listing = "trace-cmd: No such file\nversion = 7\n\nvmalloc:\n\talloc_vmap_area\nprose\n";
    assert_eq!(told(&format!("{listing}{FREE}")), (vec!["7: free".to_owned()], vec![]));
    assert_eq!(told(listing), (vec![], vec![(4, ProblemKind::NotAnEvent)]));
    let after = told(&format!("{FREE}prose\n  [alloc_vmap_area:12] bad op\n{FREE}"));
    assert_eq!(after, (vec!["1: free".to_owned(), "4: free".to_owned()], vec![(2, ProblemKind::NotAnEvent)]));
    let cut = told(&format!("{FREE}{}", &FREE[..FREE.len() - 20]));
    assert_eq!(cut, (vec!["1: free".to_owned()], vec![(2, ProblemKind::CutOff)]));
}

#[test]
fn losses_and_fields_of_events_that_failed_to_parse() {
    let text = format!(
        "inst1: CPU:1 [210 EVENTS DROPPED]\nCPU:0 [EVENTS DROPPED]\nCPU:1 [SUBBUFFER START]\n{HEAD}alloc_vmap_area:      [FAILED TO PARSE] \
         addr=0x1000 size=8192 align=1 vstart=0x0 vend=0x9000 failed=0\n{HEAD}[UNKNOWN EVENT]\n"
    );
    let want = ["1: lost Some(1) Some(210)", "2: lost Some(0) None", "4: alloc", "5: other [UNKNOWN"];
    assert_eq!(told(&text), (want.map(str::to_owned).to_vec(), vec![]));
}

#[test]
fn a_line_end_in_a_task_name_joins_two_lines() {
    let text = "inst1:        nl\nevil-7-188   [000]     5.590669: free_vmap_area_noflush: va_start=0x5000 nr_lazy=1 nr_lazy_max=2\n";
    assert_eq!(told(text), (vec!["1: free".to_owned()], vec![]));
    assert_eq!(told(text.strip_prefix("inst1: ").expect("a prefix")), (vec!["1: free".to_owned()], vec![]));
}
