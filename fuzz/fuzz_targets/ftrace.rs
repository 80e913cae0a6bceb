//! ftrace text: the whole, any cutting into windows and the general grammar alone give the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use parsers::ftrace::{Reader, Trace};
use parsers::stream::{self, Form, Window};

fuzz_target!(|input: &[u8]| {
    let Some((size, text)) = input.split_first() else { return };
    let mut whole = Vec::new();
    let mut reader = Reader::new(text);
    whole.extend(reader.by_ref().map(|record| format!("{record:?}")));
    let problems = reader.into_parts().1;
    let mut cut = Vec::new();
    let mut state = Trace::default();
    stream::windows_of(usize::from(*size) * 4 + 1, text, Trace::starts_item, |window| {
        state.window(window, &mut |record| cut.push(format!("{record:?}")))
    })
    .expect("memory can be read");
    assert_eq!((&cut, state.finish().1), (&whole, problems));
    let mut slow = Vec::new();
    Trace::without_fast_path().window(Window::whole(text), &mut |record| slow.push(format!("{record:?}")));
    assert_eq!(slow, whole);
    parsers::sniff::sniff(text);
});
