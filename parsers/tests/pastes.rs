//! Damage that no capture of ours has: texts written by hand in the layouts that people post, each with its rows.

use parsers::sniff::{Format, sniff};
use parsers::vmallocinfo::{self, Confidence};

/// Name, text, the rows that it holds, and a problem that must be told as `line:column text`.
type Paste = (&'static str, &'static str, &'static [&'static str], Option<&'static str>);

const HPET: &str =
    "0xffffb7c340000000-0xffffb7c340005000   20480 hpet_enable+0x36/0x4a0 phys=0x00000000fed00000 ioremap";
const TASK: &str = "0xffffb7c340008000-0xffffb7c34000d000   20480 dup_task_struct+0x5b/0x1b0 pages=4 vmalloc N1=4";
const LAZY: &str = "0xffffffffc0b02000-0xffffffffc0b0b000   36864 unpurged vm_area";
const HIDDEN: &str = "0x(____ptrval____)-0x(____ptrval____)   20480 dup_task_struct+0x5b/0x1b0 pages=4 vmalloc N1=4";
const HIDDEN_32: &str = "0x(ptrval)-0x(ptrval)   20480 load_module+0x6a8/0x1f90 pages=4 vmalloc";

const PASTES: &[Paste] = &[
    (
        "redacted",
        "0xffffb7c3########-0xffffb7c3########   20480 dup_task_struct+0x5b/0x1b0 pages=4 vmalloc N1=4\n",
        &[HIDDEN],
        Some("1:1 repaired: a part of this row was made unreadable, the rest was kept"),
    ),
    (
        "null",
        "0x          (null)-0x          (null)   20480 dup_task_struct+0x5b/0x1b0 pages=4 vmalloc N1=4\n",
        &[HIDDEN],
        None,
    ),
    (
        "placeholders with blanks, quoted and wrapped",
        "> 0x (____ptrval____) - 0x (____ptrval____)\n> 20480 dup_task_struct+0x5b/0x1b0 pages=4\n> vmalloc N1=4\n",
        &[HIDDEN],
        None,
    ),
    (
        "placeholders torn by a terminal",
        "0x(____ptrval____)-0x(____ptr\nval____)   20480 dup_task_str\nuct+0x5b/0x1b0 pages=4 vmallo\nc N1=4\n",
        &[HIDDEN],
        None,
    ),
    (
        "32-bit placeholders",
        "0x(ptrval)-0x(ptrval)   20480 load_module+0x6a8/0x1f90\npages=4 vmalloc\n",
        &[HIDDEN_32],
        None,
    ),
    (
        "vendor flag",
        "0xffffb7c340008000-0xffffb7c34000d000   20480 dup_task_struct+0x5b/0x1b0 pages=4 vmalloc lowmem N1=4\n",
        &["0xffffb7c340008000-0xffffb7c34000d000   20480 dup_task_struct+0x5b/0x1b0 pages=4 vmalloc lowmem N1=4"],
        Some("1:90 repaired: no kernel known here prints the word \"lowmem\""),
    ),
    (
        "translated",
        "0xffffb7c340008000-0xffffb7c34000d000   20480 dup_task_struct+0x5b/0x1b0 Seiten=4 vmalloc N1=4\n\
         0xffffb7c340000000-0xffffb7c340005000   20480 hpet_enable+0x36/0x4a0 Adresse=0x00000000fed00000 ioremap\n",
        &[TASK, HPET],
        None,
    ),
    ("earlier word for lazy areas", "0xffffffffc0b02000-0xffffffffc0b0b000   36864 freeing vm_area\n", &[LAZY], None),
    (
        "5-level, soft breaks inside both addresses",
        "0xff1ac4000=\n0004000-0xff1ac400=\n00009000   20480 dup_task_struct+0x55/0x1d0 pages=3D4 vmalloc N3=3D4\n",
        &["0xff1ac40000004000-0xff1ac40000009000   20480 dup_task_struct+0x55/0x1d0 pages=4 vmalloc N3=4"],
        None,
    ),
    (
        "soft break before a blank, behind a number",
        "  7\t0xffffb7c340008000-0xffffb7c34000d000   20480 dup_task_struct+0x5b/0x1b0=\n pages=3D4 vmalloc N1=3D4\n",
        &[TASK],
        None,
    ),
    (
        "HTML table",
        "<tr><td>0xffffb7c340008000-0xffffb7c34000d000</td><td>20480</td><td>dup_task_struct+0x5b/0x1b0</td>\
         <td>pages=4 vmalloc</td><td>N1=4</td></tr>\n",
        &[TASK],
        None,
    ),
    (
        "paragraphs of a mailer",
        "<p class=\"MsoNormal\"><span style=\"font-size:10.0pt\">0xffffb7c340000000-0xffffb7c340005000&nbsp;&nbsp; 20480 \
         hpet_enable+0x36/0x4a0 phys=0x00000000fed00000 ioremap</span></p>\n",
        &[HPET],
        None,
    ),
    (
        "table of a document",
        "| range | size | caller | |\n|---|---|---|---|\n\
         | 0xffffb7c340000000-0xffffb7c340005000 | 20480 | hpet_enable+0x36/0x4a0 | phys=0x00000000fed00000 ioremap |\n\
         | 0xffffffffc0b02000-0xffffffffc0b0b000 | 36864 | unpurged | vm_area |\n",
        &[HPET, LAZY],
        None,
    ),
    (
        "colours without their escape byte",
        "[01;31m[K0xffff[m[Kb7c340008000-0xffffb7c34000d000   20480 dup_task_struct+0x5b/0x1b0 pages=4 vmalloc N1=4\n",
        &[TASK],
        None,
    ),
    (
        "journal as JSON",
        "{\"PRIORITY\":\"6\",\"_PID\":\"4012\",\"MESSAGE\":\"0xffffb7c340000000-0xffffb7c340005000   20480 \
         hpet_enable+0x36/0x4a0 phys=0x00000000fed00000 ioremap\"}\n",
        &[HPET],
        None,
    ),
    (
        "strings of a program",
        "\"0xffffb7c340000000-0xffffb7c340005000   20480 hpet_enable+0x36/0x4a0 phys=0x00000000fed00000 ioremap\\n\"\n\
         \"0xffffffffc0b02000-0xffffffffc0b0b000   36864 unpurged vm_area\\n\"\n",
        &[HPET, LAZY],
        None,
    ),
    (
        "changed rows alone",
        "-0xffffb7c340000000-0xffffb7c340005000   20480 hpet_enable+0x36/0x4a0 phys=0x00000000fed00000 ioremap\n\
         +0xffffffffc0b02000-0xffffffffc0b0b000   36864 unpurged vm_area\n",
        &[HPET, LAZY],
        Some("2:2 this is the output of diff, rows of two files"),
    ),
    (
        "cut inside a size",
        "0xffffb7c340008000-0xffffb7c34000d000   204",
        &["0xffffb7c340008000-0xffffb7c34000d000   20480"],
        Some("1:41 repaired: the size was cut and was computed from the addresses"),
    ),
    (
        "cut inside a caller",
        "0xffffb7c340008000-0xffffb7c34000d000   20480 dup_ta",
        &["0xffffb7c340008000-0xffffb7c34000d000   20480"],
        Some("1:47 repaired: the row was cut here, what is left of it was kept"),
    ),
    (
        "cut inside a physical address",
        "0xffffb7c340000000-0xffffb7c340005000   20480 hpet_enable+0x36/0x4a0 phys=0x000000",
        &["0xffffb7c340000000-0xffffb7c340005000   20480 hpet_enable+0x36/0x4a0"],
        Some("1:70 repaired: the row was cut here, what is left of it was kept"),
    ),
    ("cut inside a state", "0xffffffffc0b02000-0xffffffffc0b0b000   36864 unpurge", &[LAZY], None),
    (
        "columns without addresses",
        "20480 dup_task_struct+0x5b/0x1b0\n  8 20480 move_module+0x2c/0x190 [kvm]\n",
        &[],
        None,
    ),
    (
        "other ranges in prose",
        "The fault is at 0xffffb7c340008000-0xffffb7c34000d000 which is in the gap.\n[mem 0x00000000-0x0009ffff] usable\n\
         00001000-0009ffff : System RAM\n7f1b2c000000-7f1b2c021000 rw-p 00000000 00:00 0\n",
        &[],
        None,
    ),
];

#[test]
fn every_row_is_recovered_and_no_other() {
    let mut wrong = Vec::new();
    for (name, text, rows, told) in PASTES {
        let snapshot = vmallocinfo::parse(text.as_bytes());
        let found: Vec<String> = snapshot.areas.iter().map(ToString::to_string).collect();
        let problems: Vec<String> =
            snapshot.problems.iter().map(|p| format!("{}:{} {}", p.line, p.column, p.kind)).collect();
        let is_told = told.is_none_or(|told| problems.iter().any(|problem| problem.starts_with(told)));
        // Earlier kernels called lazy areas otherwise.
        let printed = text.replace("freeing", "unpurged");
        // A text that was changed in any way is never said to be as printed.
        let is_marked = snapshot
            .areas
            .iter()
            .all(|area| area.confidence == Confidence::Repaired || printed.contains(&area.to_string()));
        let is_known = sniff(text.as_bytes()) == Format::Vmallocinfo;
        if found != *rows || !is_told || !is_marked || is_known == rows.is_empty() {
            wrong.push(format!("{name}: known {is_known}, marked {is_marked}\n  {found:#?}\n  {problems:#?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
