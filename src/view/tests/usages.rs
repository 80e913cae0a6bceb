//! What areas are used for, and stacks: each fact with its source, other people's bytes escaped.

use parsers::record::Frame;

use super::*;
use crate::event::Seq;

#[test]
fn use_caller_and_stack_are_told() {
    let mut script = Script::new();
    script.alloc(0, V, 0x5000, 0x4000);
    script.free(V, 5);
    script.alloc(0, V + 0x8000, 0x5000, 1);
    let frame = |symbol, module| Frame { symbol, offset: None, length: None, module, address: None };
    let asked = [frame(b"vmap", None), frame(b"work\x1b[2J", Some(&b"vm\xffstress"[..])), frame(b"kthread", None)];
    script.log.stacks.note(Seq(0), &asked);
    script.log.stacks.note(Seq(1), &[frame(b"vunmap", None)]);
    let mut replay = script.replay();
    let told = |replay: &Replay| lines(&detail::rows(&scene(replay, &UNICODE), 100, 40, 0));
    replay.seek(1, usize::MAX);
    let busy = told(&replay);
    assert!(busy.contains("use      vmap (observed), 4 pages (derived)\n"), "{busy}");
    assert!(busy.contains("caller   work\\x1b[2J [vm\\xffstress] (observed)\n"), "{busy}");
    assert!(busy.contains("stack    vmap\n         work\\x1b[2J [vm\\xffstress]\n         kthread\n"), "{busy}");
    assert!(!busy.contains("vunmap"), "the free is still to come: {busy}");
    replay.seek(2, usize::MAX);
    let lazy = told(&replay);
    assert!(lazy.contains("use      was vmap (observed)"), "{lazy}");
    assert!(lazy.contains("freed by vunmap\n"), "{lazy}");
    replay.seek(3, usize::MAX);
    let unknown = told(&replay);
    assert!(unknown.contains("use      vmalloc (modelled), 4 pages (derived)\n"), "{unknown}");
    assert!(!unknown.contains("caller") && !unknown.contains("stack "), "{unknown}");
}
