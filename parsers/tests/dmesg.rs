//! Kernel logs: excerpts of real ones and our own of other times, cut into windows, and damaged.

use parsers::dmesg::{Dump, Facts, Log, Wording};
use parsers::record::{Body, Record, Stamp};
use parsers::stream::{self, Form};
use parsers::{Problem, ProblemKind, sniff};
use proptest::prelude::*;

const ARMHF: &[u8] = include_bytes!("data/dmesg/armhf.txt");
const I386: &[u8] = include_bytes!("data/dmesg/i386.txt");
const ARM_5_4: &[u8] = include_bytes!("data/dmesg/arm-5.4.txt");
const CALLERS: &[u8] = include_bytes!("data/dmesg/callers.txt");
const OLD: &[u8] = include_bytes!("data/dmesg/old.txt");
const AMD64: &[u8] = include_bytes!("data/dmesg/amd64.txt");
const ALL: [&[u8]; 6] = [ARMHF, I386, ARM_5_4, CALLERS, OLD, AMD64];

/// A record in one line: `@12 3.500000s cpu 2 pid 7 comm: what`.
fn told(record: &Record<'_>) -> String {
    let prefix = record.prefix.as_ref().expect("every record has one");
    let stamp = match prefix.stamp {
        Stamp::Nanos(nanos) => format!("{:.6}s", nanos as f64 / 1e9),
        _ => "-".into(),
    };
    let cpu = prefix.cpu.map_or("-".into(), |cpu| cpu.to_string());
    let comm = String::from_utf8_lossy(prefix.comm);
    let what = match &record.body {
        Body::Failure(failure) => {
            let wording = Wording::of(failure.text).expect("a known wording");
            assert_eq!(failure.includes_guard, wording.includes_guard());
            format!("{wording:?} {:?} {:x?} {:?}", failure.size, failure.window, failure.allocated)
        }
        Body::Stack(frames) => {
            let mut text = b"stack".to_vec();
            for frame in frames {
                text.push(b' ');
                frame.write_to(&mut text);
            }
            String::from_utf8_lossy(&text).into_owned()
        }
        body => format!("{body:?}"),
    };
    format!("@{} {stamp} cpu {cpu} pid {} {comm}: {what}", record.line, prefix.pid)
}

fn whole(text: &[u8]) -> (Vec<String>, Vec<Problem>, Facts) {
    read(text, usize::MAX)
}

fn read(text: &[u8], size: usize) -> (Vec<String>, Vec<Problem>, Facts) {
    let mut log = Log::default();
    let mut records = Vec::new();
    let mut take = |record: &Record<'_>| {
        let before = &text[..usize::try_from(record.offset).expect("in memory")];
        assert_eq!(before.split(|b| *b == b'\n').count(), record.line as usize, "line and offset are one place");
        records.push(told(record));
    };
    if size == usize::MAX {
        log.window(stream::Window::whole(text), &mut take);
    } else {
        let each = |window: stream::Window<'_>| log.window(window, &mut take);
        stream::windows_of(size, text, Log::starts_item, each).expect("memory can be read");
    }
    let facts = log.facts().clone();
    (records, log.finish().1, facts)
}

#[test]
fn a_32_bit_kernel_runs_out_of_addresses() {
    let (records, problems, facts) = whole(ARMHF);
    let window = "Some((f0800000, ff800000)) None";
    assert_eq!(records.len(), 6);
    assert_eq!(records[0], format!("@5 5.524255s cpu - pid -1 : NoHoleInWindow Some(22061056) {window}"));
    assert_eq!(problems, []);
    assert!(facts.release.is_some_and(|release| release.starts_with("6.12.")));
    assert_eq!((facts.vmalloc_option, facts.suppressed), (Some(48 << 20), 856));
}

#[test]
fn a_request_told_in_two_messages_has_one_report() {
    let (records, problems, facts) = whole(I386);
    let want = [
        "@4 10.468196s cpu 0 pid 148 vmwork: NoHole Some(8392704) None None",
        "@5 10.468379s cpu 0 pid 148 vmwork: Error Some(8388608) None None",
        "@8 10.468379s cpu 0 pid 148 vmwork: stack dump_stack_lvl+0x39/0x48 dump_stack+0xd/0x10 warn_alloc+0xe6/0x158 \
         __vmalloc_node_range+0x9b/0x4ec vzalloc+0x4f/0x54 packet_set_ring+0x222/0x778 packet_setsockopt+0x10c/0x1130 \
         __sys_setsockopt+0xb3/0x19c __ia32_sys_socketcall+0x27a/0x324 __do_fast_syscall_32+0x68/0xb0 \
         do_fast_syscall_32+0x29/0x60 do_SYSENTER_32+0x15/0x18 entry_SYSENTER_32+0x98/0xf1",
    ];
    assert_eq!(records, want);
    assert_eq!((problems.len(), facts.vmalloc_option), (0, Some(32 << 20)));
}

#[test]
fn a_window_whose_last_byte_is_told() {
    let (records, problems, _) = whole(AMD64);
    let window = "Some(8192) Some((ffffd12c40000000, fffff12c40000000)) None";
    let want = [
        format!("@1 13.966725s cpu 0 pid 185 vmalloc_test/0: NoHoleInWindow {window}"),
        "@2 13.969432s cpu 0 pid 185 vmalloc_test/0: Error Some(4096) None None".to_owned(),
        "@6 13.969432s cpu 0 pid 185 vmalloc_test/0: stack dump_stack_lvl+0x64/0x80 warn_alloc+0x164/0x1e0 \
         __vmalloc_node_range_noprof+0x29f/0x850 __vmalloc_node_noprof+0x4e/0x70 \
         align_shift_alloc_test+0x46/0x70 [test_vmalloc] test_func+0x104/0x210 [test_vmalloc] kthread+0xd2/0x100 \
         ret_from_fork+0x34/0x50 ret_from_fork_asm+0x1a/0x30"
            .to_owned(),
        format!("@30 14.126430s cpu - pid -1 : NoHoleInWindow {window}"),
    ];
    assert_eq!((records, problems), (want.to_vec(), vec![]));
}

#[test]
fn an_arm_log_with_a_cut_message() {
    let (records, problems, facts) = whole(ARM_5_4);
    let want = [
        "@7 8579.982070s cpu - pid -1 : NoHole Some(69632) None None",
        "@8 8583.292302s cpu 2 pid 2362 load it: NoHole Some(69632) None None",
        "@10 8583.300997s cpu 2 pid 2362 load it: NoArea Some(65536) None None",
        "@13 8583.300997s cpu 2 pid 2362 load it: stack show_stack+0x10/0x14 dump_stack+0xa4/0xc4 foo_load+0xb4/0x13c [foo]",
    ];
    assert_eq!(records, want);
    assert_eq!(
        problems.iter().map(|p| (p.line, p.kind.clone())).collect::<Vec<_>>(),
        [(18, ProblemKind::BrokenFailure)]
    );
    let want = Facts {
        release: Some("5.4.99".into()),
        vmalloc: Some((0xf080_0000, 0xff80_0000)),
        vmalloc_option: Some(256 << 20),
        available: Some(888_888 << 10),
        suppressed: 7,
    };
    assert_eq!(facts, want);
}

#[test]
fn lines_of_other_callers_are_no_part_of_a_report() {
    let want = [
        "@1 178.468999s cpu 0 pid 2001 foo: Error Some(12288) None None",
        "@6 178.468999s cpu 0 pid 2001 foo: stack dump_stack_lvl+0xcd/0x134 __vmalloc_node_range+0x883/0xab0 \
         bar_ioctl+0x62/0x380 [bar]",
    ];
    assert_eq!(whole(CALLERS).0, want);
}

#[test]
fn messages_of_old_kernels() {
    let want = [
        "@1 - cpu - pid -1 : OutOfSpace None None None",
        "@2 207.149216s cpu - pid 3030 insmod: NoArea Some(378136) None None",
        "@5 207.149216s cpu - pid 3030 insmod: stack warn_alloc_failed+0xf6/0x150 alloc_table+0x8a/0xe0 [foo]",
        "@10 - cpu - pid -1 : NoPages Some(20480) None Some(8192)",
        "@11 - cpu - pid -1 : PerCpu None None None",
    ];
    assert_eq!(whole(OLD).0, want);
}

#[test]
fn an_unrelated_report_is_not_taken_for_ours() {
    let log = b"[    1.000000] vmap allocation for size 8192 failed: use vmalloc=<size> to increase size\n\
        [    2.000000] ------------[ cut here ]------------\n\
        [    2.000001] CPU: 0 PID: 9 Comm: x Not tainted 6.1 #1\n\
        [    2.000002] Call Trace:\n\
        [    2.000003]  foo+0x1/0x2\n";
    assert_eq!(whole(log).0, ["@1 1.000000s cpu - pid -1 : NoHole Some(8192) None None"]);
}

#[test]
fn a_dump_of_the_trace_is_left_alone() {
    let log = b"[    1.000000] Dumping ftrace buffer:\n\
        [    1.000001] ---------------------------------\n\
        [    1.000002]     init-1  0..... 5463743us : tracing_mark_write: vmap allocation for size 8192 failed: use\n\
        [    1.000003] ---------------------------------\n";
    assert_eq!(whole(log).0, [""; 0]);
    let mut dump = Dump::default();
    assert!(log.split_inclusive(|b| *b == b'\n').all(|line| dump.takes(line.trim_ascii_end())));
}

#[test]
fn logs_are_recognised() {
    for log in ALL {
        assert_eq!(sniff::sniff(log), sniff::Format::KernelLog, "{}", String::from_utf8_lossy(log));
    }
}

#[test]
fn windows_of_every_size_give_the_same() {
    for log in ALL {
        let want = whole(log);
        for size in [1, 7, 64, 100, 200, 333, 1000, 4096] {
            assert_eq!(read(log, size), want, "{size}");
        }
    }
}

/// A message of some time and what it says.
fn message() -> impl Strategy<Value = (String, Option<u64>)> {
    (0..6_u8, 1..0x1000_0000_u64).prop_map(|(wording, size)| {
        let text = match wording {
            0 => format!("vmap allocation for size {size} failed: use vmalloc=<size> to increase size"),
            1 => format!(
                "vmalloc_node_range for size {size} failed: Address range restricted to 0xf0800000 - 0xff800000"
            ),
            2 => format!("vmalloc: allocation failure: {size} bytes"),
            3 => format!("a b: vmalloc: allocation failure: {size} bytes, mode:0xcc0(GFP_KERNEL), nodemask=(null)"),
            4 => format!("insmod: vmalloc error: size {size}, vm_struct allocation failed, mode:0xdc0"),
            _ => return ("percpu: allocation failed, size=64 align=8 atomic=0, x".to_owned(), None),
        };
        (text, Some(size))
    })
}

proptest! {
    #[test]
    fn what_is_printed_is_read(messages in prop::collection::vec((message(), 0..4_u8, 0..1_000_000_u64), 0..20), size in 1..400_usize) {
        let mut log = String::new();
        for ((text, _), prefix, micros) in &messages {
            let stamp = format!("[{:5}.{:06}]", micros / 1000, micros);
            let before = match prefix {
                0 => stamp,
                1 => format!("<4>{stamp}[   T12]"),
                2 => format!("Nov 20 10:00:00 host kernel: {stamp}"),
                _ => "Nov 20 10:00:00 host kernel:".to_owned(),
            };
            log.extend([&before, " ", text, "\n"]);
            // Something else, so that each message stands alone.
            log += "[    1.000000] usb 1-1: new device\n";
        }
        let mut sizes = Vec::new();
        let mut state = Log::default();
        state.window(stream::Window::whole(log.as_bytes()), &mut |record| {
            if let Body::Failure(failure) = record.body {
                sizes.push(failure.size);
            }
        });
        prop_assert_eq!(sizes, messages.iter().map(|((_, size), ..)| *size).collect::<Vec<_>>());
        prop_assert_eq!(read(log.as_bytes(), size), whole(log.as_bytes()));
    }

    #[test]
    fn damaged_logs_read_the_same_in_windows(
        n in 0..ALL.len(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), prop::sample::select(b"0[]<>: \n.?+/(Tx\xff".to_vec()), 0..3_u8), 0..60),
        size in 1..600_usize,
    ) {
        let mut text = ALL[n].to_vec();
        for (at, byte, how) in edits {
            let at = at.index(text.len().max(1));
            match how {
                0 if at < text.len() => text[at] = byte,
                1 if at < text.len() => { text.remove(at); }
                _ => text.insert(at.min(text.len()), byte),
            }
        }
        let _ = sniff::sniff(&text);
        let want = whole(&text);
        prop_assert_eq!(read(&text, size), want);
    }
}
