//! Bodies in every spelling, whole and damaged.

use super::*;

const ALLOC: Alloc = Alloc {
    va_start: 18_405_698_627_118_596_096,
    size: 20480,
    align: 16384,
    vstart: 0xff6e_2d62_4000_0000,
    vend: 0xffa0_2d62_3fff_ffff,
    failed: false,
};

fn whole(text: &str) -> Body<'_> {
    match shape(text.as_bytes()) {
        Ok(Shape::Whole(body)) => body,
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn an_allocation_in_every_spelling() {
    for text in [
        "alloc_vmap_area: va_start: 18405698627118596096 size=20480 align=16384 vstart=0xff6e2d6240000000 vend=0xffa02d623fffffff failed=0",
        "alloc_vmap_area: va_start=0xff6e2d62404c8000 size=20480 align=16384 vstart=0xff6e2d6240000000 vend=0xffa02d623fffffff failed=0 node=1",
        "alloc_vmap_area: addr=0xff6e2d62404c8000 (-41045446590955520) size=0x5000 (20480) align=0x4000 (16384) vstart=0xff6e2d6240000000 (-41045446595969024) vend=0xffa02d623fffffff (-26970696857092097) failed=0x0 (0)",
        "alloc_vmap_area:      failed=0 vend=0xffa02d623fffffff vstart=0xff6e2d6240000000 align=16384 size=20480 va_start: 18405698627118596096",
    ] {
        assert_eq!(whole(text), Body::Alloc(ALLOC), "{text}");
    }
}

#[test]
fn failures_old_and_new() {
    let old = "alloc_vmap_area: va_start: 18446701192757116928 size=8192 align=1 vstart=0xffffd90000000000 vend=0xffffd90000100000 failed=1";
    assert!(matches!(whole(old), Body::Alloc(a) if a.failed && a.va_start == a.vend));
    let new = "alloc_vmap_area: va_start: 18446744073709551600 size=8192 align=1 vstart=0xffffd90000000000 vend=0xffffd90000100000 failed=1";
    assert!(matches!(whole(new), Body::Alloc(a) if a.failed && a.va_start == -16_i64 as u64));
}

#[test]
fn frees_and_purges() {
    let want = Body::Free(Free { va_start: 0xff6e_2d62_404d_8000, nr_lazy: 95, nr_lazy_max: 16384 });
    assert_eq!(whole("free_vmap_area_noflush: va_start=0xff6e2d62404d8000 nr_lazy=95 nr_lazy_max=16384"), want);
    let fields = "free_vmap_area_noflush: va_start=0xff6e2d62404d8000 (-41045446590889984) nr_lazy=0x5f (95) nr_lazy_max=0x4000 (16384)";
    assert_eq!(whole(fields), want);
    let empty = "purge_vmap_area_lazy: start=0xffffffffffffffff end=0x0 num_purged=0";
    assert_eq!(whole(empty), Body::Purge(Purge { start: u64::MAX, end: 0, num_purged: 0 }));
    let fields = "purge_vmap_area_lazy: start=0x1000 (4096) end=0x3000 (12288) npurged=0x42 (66)";
    assert_eq!(whole(fields), Body::Purge(Purge { start: 0x1000, end: 0x3000, num_purged: 66 }));
}

#[test]
fn probes() {
    let text = "vm_alloc_ret: (__get_vm_area_node+0xb1/0x150 <- alloc_vmap_area) ret=0xff2d va_start=(fault)";
    let want = Body::Probe {
        name: b"vm_alloc_ret",
        at: b"__get_vm_area_node+0xb1/0x150 <- alloc_vmap_area",
        args: b"ret=0xff2d va_start=(fault)",
    };
    assert_eq!(whole(text), want);
    let bare = Body::Probe { name: b"vm_x", at: b"0xffffffff816dd280", args: b"" };
    assert_eq!(whole("vm_x: (0xffffffff816dd280)"), bare);
}

#[test]
fn markers_with_any_symbol_style() {
    for name in ["tracing_mark_write", "tracing_mark_write+0xdf/0x280", "tracing_mark_write <ffffffffb2a2d5cf>"] {
        let text = format!("{name}: hello: marker");
        assert_eq!(shape(text.as_bytes()), Ok(Shape::Marker(b"hello: marker")));
    }
    assert_eq!(printed(b"tracing_mark_write: mark"), Body::Marker(b"mark"));
    assert_eq!(printed(b"ffffffff9802d5cf: mark"), Body::Marker(b"mark"));
    assert_eq!(printed(b"my_init: mark"), Body::Other { name: b"my_init", args: b"mark" });
    let raw = Body::Other { name: b"raw_data", args: b"1776172 buf: 02 03" };
    assert_eq!(whole("# 1776172 buf: 02 03"), raw);
}

#[test]
fn the_function_tracer_does_not_look_like_an_event() {
    for text in ["alloc_vmap_area <-__get_vm_area_node", "alloc_vmap_area", "insert_vmap_area_augment.constprop.0 <-x"]
    {
        assert_eq!(whole(text), Body::Other { name: b"function", args: text.as_bytes() });
    }
    assert_eq!(whole("UNKNOWN TYPE 4"), Body::Other { name: b"UNKNOWN", args: b"TYPE 4" });
    let args = b"page=ffd5 pfn=0x5bc58 order=1";
    assert_eq!(whole("mm_page_alloc: page=ffd5 pfn=0x5bc58 order=1"), Body::Other { name: b"mm_page_alloc", args });
}

#[test]
fn broken_events_point_at_the_damage() {
    for (text, rest) in [
        (
            "free_vmap_area_noflush: va_start=0xff6e2d62404d8000 nr_lazy=9x nr_lazy_max=16384",
            "nr_lazy=9x nr_lazy_max=16384",
        ),
        ("free_vmap_area_noflush: va_start=0xff6e2d62404d8000 nr_la", ""),
        ("purge_vmap_area_lazy: start=0x1 end=0x2 num_purged=3x", "num_purged=3x"),
        ("alloc_vmap_area: va_start:", ""),
    ] {
        let got = shape(text.as_bytes()).expect_err(text);
        assert_eq!(String::from_utf8_lossy(got.rest), rest, "{text}");
    }
}

#[test]
fn a_name_that_was_cut_is_damage_and_a_name_alone_is_not() {
    for text in ["alloc_vmap_ar", "free_vmap_area", "purge_vmap_area_laz", "alloc_vmap_area:"] {
        assert!(shape(text.as_bytes()).is_err(), "{text}");
    }
    for text in ["alloc", "alloc_vmap_area", "alloc_pages", "free_"] {
        assert!(shape(text.as_bytes()).is_ok(), "{text}");
    }
}
