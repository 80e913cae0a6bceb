//! What fuzzing has found stays mended: any cutting into windows gives what the whole gives, in every form.

#[path = "support/windows.rs"]
mod windows;

use parsers::stream::Form;
use parsers::{dmesg, ftrace, perf, report};
use windows::{in_windows, whole};

const FOUND: [(&str, &[u8]); 5] = [
    ("ftrace-1", include_bytes!("data/found/ftrace-1")),
    ("ftrace-2", include_bytes!("data/found/ftrace-2")),
    ("ftrace-3", include_bytes!("data/found/ftrace-3")),
    ("perf-trace-1", include_bytes!("data/found/perf-trace-1")),
    ("perf-script-1", include_bytes!("data/found/perf-script-1")),
];

fn check<F: Form + Default>(name: &str, text: &[u8]) {
    let want = whole(F::default(), text);
    for size in [1, 61, 65, 257, 1024, 4096] {
        assert_eq!(in_windows(F::default(), text, size), want, "{name}, windows of {size}");
    }
}

/// What a reader of the whole text says of it.
fn read(text: &[u8]) -> windows::Told {
    let mut reader = ftrace::Reader::new(text);
    (reader.by_ref().map(|record| format!("{record:?}")).collect(), reader.into_parts().1)
}

#[test]
fn cutting_changes_nothing() {
    for (name, text) in FOUND {
        assert_eq!(whole(ftrace::Trace::default(), text), read(text), "{name}, one window");
        check::<ftrace::Trace>(name, text);
        check::<perf::Script>(name, text);
        check::<perf::Trace>(name, text);
        check::<report::Report>(name, text);
        check::<dmesg::Log>(name, text);
    }
}
