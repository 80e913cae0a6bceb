//! Every other form of trace text, and kernel logs: any cutting into windows gives what the whole gives.
#![no_main]

use libfuzzer_sys::fuzz_target;
use parsers::stream::{self, Form, Window};
use parsers::{bpftrace, dmesg, ftrace, perf, report};

fuzz_target!(|input: &[u8]| {
    let [size, which, text @ ..] = input else { return };
    let size = usize::from(*size) * 8 + 1;
    match which % 6 {
        0 => same(report::Report::default, text, size),
        1 => same(perf::Script::default, text, size),
        2 => same(perf::Trace::default, text, size),
        3 => same(dmesg::Log::default, text, size),
        4 => same(ftrace::Trace::default, text, size),
        // Records are put in order as far as a window reaches, so another cutting may give another order.
        _ => drop(whole(bpftrace::Bpftrace::default(), text)),
    }
});

fn whole<F: Form>(mut form: F, text: &[u8]) -> (Vec<String>, Vec<parsers::Problem>) {
    let mut records = Vec::new();
    form.window(Window::whole(text), &mut |record| records.push(format!("{record:?}")));
    (records, form.finish().1)
}

fn same<F: Form>(form: fn() -> F, text: &[u8], size: usize) {
    let want = whole(form(), text);
    let mut records = Vec::new();
    let mut state = form();
    stream::windows_of(size, text, F::starts_item, |window| {
        state.window(window, &mut |record| records.push(format!("{record:?}")))
    })
    .expect("memory can be read");
    assert_eq!((records, state.finish().1), want);
}
