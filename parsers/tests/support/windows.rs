//! A text in one window, and cut into many.

use parsers::Problem;
use parsers::stream::{self, Form, Window};

/// Records, as text, and problems.
pub(crate) type Told = (Vec<String>, Vec<Problem>);

/// Of a text in one piece.
pub(crate) fn whole<F: Form>(mut form: F, text: &[u8]) -> Told {
    let mut records = Vec::new();
    form.window(Window::whole(text), &mut |record| records.push(format!("{record:?}")));
    (records, form.finish().1)
}

/// Of a text in windows of about `size` bytes.
pub(crate) fn in_windows<F: Form>(mut form: F, text: &[u8], size: usize) -> Told {
    let mut records = Vec::new();
    let read = stream::windows_of(size, text, F::starts_item, |window| {
        form.window(window, &mut |record| records.push(format!("{record:?}")))
    });
    read.expect("memory can be read");
    (records, form.finish().1)
}
