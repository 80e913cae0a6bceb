//! The reader on short texts: what joins lines, what resets it, and what damage costs.

use parsers::ProblemKind;
use parsers::ftrace::Reader;
use parsers::record::{Body, Stamp};

const FREE: &str = "     kworker/0:1-14      [000] .....     5.507958: free_vmap_area_noflush: va_start=0x5000 nr_lazy=95 nr_lazy_max=16384";

/// One short word per record, and the problems with their lines.
fn told(text: impl AsRef<[u8]>) -> (Vec<String>, Vec<(u32, ProblemKind)>) {
    let mut reader = Reader::new(text.as_ref());
    let mut words = Vec::new();
    for record in reader.by_ref() {
        let comm = record.prefix.as_ref().map_or("-".into(), |prefix| String::from_utf8_lossy(prefix.comm));
        let body = match record.body {
            Body::Alloc(_) => "alloc".into(),
            Body::Free(_) => "free".into(),
            Body::Purge(_) => "purge".into(),
            Body::Marker(text) => format!("marker {}", String::from_utf8_lossy(text)),
            Body::Stack(frames) => format!("stack {}", frames.len()),
            Body::UserStack(frames) => format!("user stack {}", frames.len()),
            Body::Probe { at, .. } => format!("probe {}", String::from_utf8_lossy(at)),
            Body::Failure(failure) => format!("failure {}", String::from_utf8_lossy(failure.text)),
            Body::Other { name, .. } => format!("other {}", String::from_utf8_lossy(name)),
            Body::Lost { cpu, count } => format!("lost {cpu:?} {count:?}"),
            Body::BufferStarted { cpu } => format!("started {cpu}"),
        };
        words.push(format!("{}: {comm}: {body}", record.line));
    }
    (words, reader.into_parts().1.into_iter().map(|p| (p.line, p.kind)).collect())
}

fn fine(text: impl AsRef<[u8]>) -> Vec<String> {
    let (words, problems) = told(text);
    assert_eq!(problems, []);
    words
}

#[test]
fn a_line_end_in_a_task_name_joins_two_lines() {
    let text = "       nl\nevil-7-188     [000] .....     5.590669: free_vmap_area_noflush: va_start=0x5000 nr_lazy=1 nr_lazy_max=2\n";
    assert_eq!(fine(text), ["1: nl\nevil-7: free"]);
    assert_eq!(fine(text.replace('\n', "\r\n")), ["1: nl\r\nevil-7: free"]);
    let short =
        "nl\nevil--188       0..... 5590669us!: free_vmap_area_noflush: va_start=0x5000 nr_lazy=1 nr_lazy_max=2\n";
    assert_eq!(fine(short), ["1: nl\nevil-: free"]);
    let twice = "         a\nb\nc\nd-188     [000] .....     5.590669: <stack trace>\n => a\n => b\n";
    assert_eq!(fine(twice), ["1: a\nb\nc\nd: stack 2"]);
}

#[test]
fn bytes_that_are_no_text_stay_in_a_task_name() {
    let mut text = b"         bad\xff\xc3(u-7       [000] .....     5.590669: purge_vmap_area_lazy: start=0x1 end=0x2 num_purged=3".to_vec();
    assert_eq!(fine(&text), ["1: bad\u{fffd}\u{fffd}(u: purge"]);
    text.extend(b"\n");
    assert_eq!(Reader::new(&text).next().and_then(|r| r.prefix).map(|p| p.comm), Some(&b"bad\xff\xc3(u"[..]));
}

#[test]
fn a_marker_takes_the_lines_that_are_nothing_else() {
    let marker = "            init-1       [000] .....     6.910037: tracing_mark_write: two\nlines\n\nand three\n\n";
    assert_eq!(fine(format!("{marker}{FREE}\n")), ["1: init: marker two\nlines\n\nand three", "6: kworker/0:1: free"]);
    let raw = "            init-1       [000] .....     6.910280: # 1776172 buf: 02 03 78\n";
    assert_eq!(fine(format!("{marker}{raw}")), ["1: init: marker two\nlines\n\nand three", "6: init: other raw_data"]);
    let comm = "       nl\nevil-7-188     [000] .....     5.590669: <stack trace>\n";
    assert_eq!(fine(format!("{marker}{comm}")), ["1: init: marker two\nlines\n\nand three", "6: nl\nevil-7: stack 0"]);
    // An event that cannot be read is not a marker's text.
    let (words, problems) = told(format!("{marker}free_vmap_area_noflush: va_start=0x50\n{FREE}\n"));
    assert_eq!((words.len(), problems), (2, vec![(6, ProblemKind::NotAnEvent)]));
}

#[test]
fn a_marker_without_context_goes_on_as_well() {
    let text = "# tracer: nop\n#\ntracing_mark_write: two\nlines\nmm_page_free: page=1 pfn=0x2 order=0\n<stack trace>\n => a\n";
    assert_eq!(fine(text), ["3: -: marker two\nlines", "5: -: other mm_page_free", "6: -: stack 1"]);
}

#[test]
fn stacks_end_at_the_first_other_line() {
    let text = format!(
        "            ustk-418     [000] .....    17.258220: <user stack trace>\n =>  <0000000000461819>\n{FREE}\n => stray\n => stray\n"
    );
    let (words, problems) = told(text);
    assert_eq!(words, ["1: ustk: user stack 1", "3: kworker/0:1: free"]);
    assert_eq!(problems, [(4, ProblemKind::StrayFrames)]);
}

#[test]
fn frames_of_a_damaged_line_belong_to_its_damage() {
    let text =
        format!("{FREE}\n            ustk-418     [000 .....    17.258220: <stack trace>\n => a\n => b\n{FREE}\n");
    let (words, problems) = told(text);
    assert_eq!((words.len(), problems), (2, vec![(2, ProblemKind::NotAnEvent)]));
}

#[test]
fn losses_and_buffer_starts_are_records() {
    let text = format!("CPU:0 [LOST 2718 EVENTS]\n##### CPU 1 buffer started ####\nCPU:12 [LOST EVENTS]\n{FREE}\n");
    assert_eq!(
        fine(text),
        ["1: -: lost Some(0) Some(2718)", "2: -: started 1", "3: -: lost Some(12) None", "4: kworker/0:1: free"]
    );
}

#[test]
fn comments_between_events_are_header_lines() {
    let text = format!("# tracer: nop\n# entries-in-buffer/entries-written: 1/2   #P:4\n{FREE}\n# note\n{FREE}\n");
    assert_eq!(fine(text).len(), 2);
    let help = "# tracer: nop\n#\n#\n# * Snapshot is freed *\n#\n# Snapshot commands:\n";
    assert_eq!(fine(help).len(), 0);
}

#[test]
fn a_header_starts_over() {
    let text =
        format!("# tracer: function_graph\n 1)   4.963 us    |  x();\n# tracer: nop\n#           TASK-PID\n{FREE}\n");
    assert_eq!(told(text), (vec!["5: kworker/0:1: free".into()], vec![]));
}

#[test]
fn a_dump_in_a_kernel_log() {
    let text = "\
[   99.000000] BUG: unable to handle page fault - or so
[   99.123456] Dumping ftrace buffer:
[   99.123470] ---------------------------------
[   99.123490]     init-1         1..... 5463743us : free_vmap_area_noflush: va_start=0x5000 nr_lazy=1 nr_lazy_max=2
[   99.123491][T1]     init-1         1..... 5463744us : free_vmap_area_noflush: va_start=0x6000 nr_lazy=2 nr_lazy_max=2
Nov 21 22:40:01 host kernel: [   99.123492]     init-1         1..... 5463745us : purge_vmap_area_lazy: start=0x5000 end=0x7000 num_purged=2
[   99.130000] ---------------------------------
[   99.130001] Kernel panic
";
    assert_eq!(fine(text), ["4: init: free", "5: init: free", "6: init: purge"]);
    let stamp = Reader::new(text.as_bytes()).next().and_then(|r| r.prefix).map(|p| p.stamp);
    assert_eq!(stamp, Some(Stamp::Relative(5_463_743_000)));
}

#[test]
fn nul_bytes_and_missing_line_ends_do_no_harm() {
    assert_eq!(fine(format!("\0\0\0\n\0\0{FREE}\n\0\0")), ["2: kworker/0:1: free"]);
    assert_eq!(fine(format!("{FREE}\0\0")), ["1: kworker/0:1: free"]);
    assert_eq!(fine(FREE), ["1: kworker/0:1: free"]);
    assert_eq!(fine("").len(), 0);
}

#[test]
fn a_cut_last_line_is_noted_wherever_it_is_cut() {
    // Behind the last field's first digit a cut cannot be seen.
    for n in 1..FREE.len() - 5 {
        let text = format!("{FREE}\n{}", &FREE[..n]);
        let (words, problems) = told(&text);
        let blank = FREE[..n].trim().is_empty();
        assert_eq!(words.len(), 1, "{n}");
        assert_eq!(problems.len(), usize::from(!blank), "{n}: {problems:?}");
        assert!(problems.iter().all(|p| *p == (2, ProblemKind::CutOff)), "{n}: {problems:?}");
    }
}

#[test]
fn a_damaged_line_costs_one_problem_and_nothing_else() {
    for damage in [
        FREE.replace("[000]", "[0"),
        FREE.replace("5.507958", "5.50"),
        FREE.replace("nr_lazy=95", "nr_lazy=9x5"),
        FREE.replace("va_start=0x", "va_start="),
        FREE.replace(" nr_lazy_max=16384", ""),
        FREE.replace("va_start", "va_\x01start"),
        "[LINE TOO BIG]".into(),
        "prose between the lines".into(),
        "\u{1}\u{2}\u{3}".into(),
    ] {
        let (words, problems) = told(format!("{FREE}\n{damage}\n{FREE}\n"));
        if damage.contains("va_start=5000") {
            // Decimal there is no damage: a later kernel may print it.
            assert_eq!((words.len(), problems.len()), (3, 0));
            continue;
        }
        assert_eq!((words.len(), problems.len()), (2, 1), "{damage}: {problems:?}");
        assert_eq!(problems.first().map(|p| p.0), Some(2), "{damage}");
    }
}

#[test]
fn pasted_lines_without_their_padding_are_found() {
    assert_eq!(fine(FREE.trim_start()), ["1: kworker/0:1: free"]);
    assert_eq!(fine(format!("      {FREE}")), ["1: kworker/0:1: free"]);
    let imitation = FREE.trim_start().replace("kworker/0:1", "a-1 [001] 5: b");
    assert_eq!(told(imitation), (vec!["1: a-1 [001] 5: b: free".into()], vec![(1, ProblemKind::AmbiguousPrefix)]));
}

#[test]
fn a_line_of_a_megabyte() {
    let long = format!("            init-1       [000] .....     6.910037: foo: {}\n{FREE}\n", "x ".repeat(500_000));
    assert_eq!(fine(long), ["1: init: other foo", "2: kworker/0:1: free"]);
}

#[test]
fn a_task_that_is_called_like_a_frame_is_a_task() {
    let stack = "            init-1       [000] .....     5.590669: <stack trace>\n => vfree+0x1/0x2\n";
    let event = " => aaaaaaaa-bbb-188     [000] .....     5.590670: free_vmap_area_noflush: va_start=0x5000 nr_lazy=1 nr_lazy_max=2\n";
    assert_eq!(fine(format!("{stack}{event}")), ["1: init: stack 1", "3: => aaaaaaaa-bbb: free"]);
}

#[test]
fn a_task_that_is_called_like_a_comment_is_a_task() {
    let event = "# aaaaaaaaaaaaaa-188     [000] .....     5.590670: free_vmap_area_noflush: va_start=0x5000 nr_lazy=1 nr_lazy_max=2\n";
    assert_eq!(fine(event), ["1: # aaaaaaaaaaaaaa: free"]);
    assert_eq!(fine(format!("# tracer: nop\n#\n{event}")), ["3: # aaaaaaaaaaaaaa: free"]);
}
