//! What stays the layout of a trace, whatever a marker's or a task's name says in between.
//!
//! The lines are of our own recordings (Linux 7.2, 6.12 for arm64 and 5.10, November 2026): a marker of two lines of which
//! the second looks like an event, and tasks with line ends and arrows in their names.

use parsers::ftrace::Trace;
use parsers::perf;
use parsers::record::{Body, Record, Stamp};
use parsers::stream::{self, Form};

/// A marker was written whose second line is this. In text nothing tells that it is none.
const LOOKS_REAL: &str = "            init-1       [000] .....     5.463743: free_vmap_area_noflush: va_start=0x1000 nr_lazy=1 nr_lazy_max=2";

fn read(form: impl Form, text: &str) -> (Vec<String>, usize) {
    let mut seen = Vec::new();
    let shown = |record: &Record<'_>| match &record.body {
        Body::Alloc(alloc) => format!("alloc {:x}", alloc.va_start),
        Body::Free(free) => format!("free {:x}", free.va_start),
        Body::Marker(text) => format!("mark {}", String::from_utf8_lossy(text)),
        Body::Other { name, .. } => format!("other {}", String::from_utf8_lossy(name)),
        Body::Stack(frames) => format!("stack {}", frames.len()),
        other => format!("{other:?}"),
    };
    let problems = stream::read_slice(text.as_bytes(), form, &mut |record| seen.push(shown(record))).1;
    (seen, problems.len())
}

#[test]
fn without_context() {
    let text = format!(
        "# tracer: nop\n#\nalloc_vmap_area: va_start: 8192 size=4096 align=1 vstart=0x1000 vend=0xffff failed=0\n\
         alloc_vmap_area <-__get_vm_area_node\ntracing_mark_write: x\n{LOOKS_REAL}\ntracing_mark_write: one\ntwo\n\
         free_vmap_area_noflush: va_start=0x2000 nr_lazy=65 nr_lazy_max=16384\n<stack trace>\n => a\n"
    );
    let want = ["alloc 2000", "other function", "mark x", "free 1000", "mark one\ntwo", "free 2000", "stack 1"];
    assert_eq!(read(Trace::default(), &text), (want.map(str::to_owned).to_vec(), 0));
}

#[test]
fn graph() {
    let text = format!(
        "# tracer: function_graph\n#\n# CPU  DURATION                  FUNCTION CALLS\n# |     |   |                     |   |   |   |\n \
         0)               |  /* one\ntwo */\n 0)               |  /* m\n =>  frame\n#hash */\n 0)               |  /* x\n\
         {LOOKS_REAL} */\n ------------------------------------------\n 0)     \n:-1812     =>   kworker-9   \n \
         ------------------------------------------\n\n 0)               |  vfree() {{\n 0)               \
         |        /* free_vmap_area_noflush: va_start=0x2000 nr_lazy=234 nr_lazy_max=16384 */\n 0) + 21.584 us   |  }}\n"
    );
    let want = ["mark one\ntwo", "mark m\n =>  frame\n#hash", "mark x", "free 1000", "free 2000"];
    assert_eq!(read(Trace::default(), &text), (want.map(str::to_owned).to_vec(), 0));
    let mut pids = Vec::new();
    stream::read_slice(text.as_bytes(), Trace::default(), &mut |record| {
        pids.extend(record.prefix.as_ref().map(|prefix| (prefix.pid, prefix.stamp == Stamp::Unknown)));
    });
    assert_eq!(pids.last(), Some(&(9, true)), "the switch has a name with a line end");
}

#[test]
fn raw() {
    let text = format!(
        "# tracer: function\n#\n#           TASK-PID     CPU#  |||||  TIMESTAMP  FUNCTION\n\
         1 0 130226406569 ffffffff993346d4 ffffffff9933469c\n1 0 130226633337 type: 684\n1 0 130226633399 # ffffffff9802d5cf x\n\
         {LOOKS_REAL}\n1 0 130226633437 type: 684\n"
    );
    let (seen, problems) = read(Trace::default(), &text);
    assert_eq!(seen, ["other function", "other type", "other raw_data", "free 1000", "other type"]);
    assert_eq!(problems, 1, "that the option is on, and nothing else");
}

#[test]
fn a_cut_name_like_a_frame() {
    let line = |comm: &str| {
        format!("{comm}-333       0.....    1234us : free_vmap_area_noflush: va_start=0x2000 nr_lazy=1 nr_lazy_max=2\n")
    };
    let stack = "    init-1         0.....    1000us : <stack trace>\n => free_vmap_area_noflush\n => vfree\n";
    let text = [stack, &line(" => allo"), stack, &line("    => x")].concat();
    let want = ["stack 2", "free 2000", "stack 2", "free 2000"];
    assert_eq!(read(Trace::default(), &text), (want.map(str::to_owned).to_vec(), 0));
}

#[test]
fn names_that_perf_tells() {
    let text = "              sh  1488 [000]   150.441434: PERF_RECORD_FORK(1492:1492):(1488:1488)\n       nl\nevil-7  1492 [001]   150.459104: \
                PERF_RECORD_COMM: nl\nevil-7:1492/1492\n               \n  1494 [001]   150.600473: PERF_RECORD_COMM: \n:1494/1494\n           \
                a\n\n b  1496 [001]   150.743984: PERF_RECORD_COMM: a\n\n b:1496/1496\n              sh  1488 [000]   150.752434:   \
                vmalloc:free_vmap_area_noflush: va_start=0x2000 nr_lazy=1 nr_lazy_max=2\n";
    assert_eq!(read(perf::Script::default(), text), (vec!["free 2000".to_owned()], 0));
}
