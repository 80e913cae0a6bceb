//! The help: keys of the focused pane, keys everywhere, the mouse, and a legend of every sign and word on the screen.

use super::super::action::{ACTIONS, Place, SECTIONS, Spec};
use super::super::app::App;
use super::super::paint::{explained, words};
use crate::view::line::wrap;
use crate::view::{Glyphs, Role, Row, Span, page_table};

/// Columns for the keys.
const KEYS: usize = 16;
/// Columns for words that are explained.
const WORDS: usize = 16;

/// What the mouse does.
const MOUSE: &[(&str, &str)] = &[
    ("click", "focus the pane, and go to what is under the pointer"),
    (
        "wheel",
        "scroll what is under the pointer; over the map, the timeline or a chart closer or wider, around the pointer",
    ),
    ("click", "on a key in the lower border of a lesson: go on, or back"),
    ("drag", "on the timeline or a chart: seek"),
    ("click", "on a row of the list of charts: show or hide it"),
    ("Shift", "held while dragging, most terminals select text as usual; --no-mouse gives the mouse back"),
];

/// Words of the field and of the kernel, as the panes use them.
const GLOSSARY: &[(&str, &str)] = &[
    ("area", "an allocated or freed range, guard page included (the kernel's vmap_area)"),
    ("hole", "a free range: one node of the free tree"),
    ("busy", "in use"),
    ("lazy", "freed, but not reusable before the next purge flushes the TLBs"),
    ("pooled", "parked in a node's pool for the next request of that size (6.9 and later)"),
    ("unseen", "taken by what no record shows: the kernel's search passed it by (late traces without a snapshot)"),
    ("guard", "the unmapped page that ends an area"),
    ("run of purges", "purges close behind each other: the way from event to event worth seeing stops at the first"),
    ("purge", "turns lazy areas into holes or pooled areas, after one TLB flush"),
    (
        "fragmentation",
        "external: 1 - largest hole / free bytes, both inside the vmalloc window; 0 if one hole is all there is, near 100 % if what is free is scattered",
    ),
    ("in sight", "of a chart: over the stretch of the trace that is shown"),
    ("lazy limit", "lazy_max_pages: with more lazy pages than this a purge is due"),
    ("node", "a vmap_node, one for each CPU up to 128 (6.9 and later); a tree's is a tree node"),
    ("vmlist", "to 2.6.27: the list of all areas, walked from its head; there is no tree and nothing is lazy"),
    ("free_vmap_cache", "2.6.39 to 5.1: the area placed last; the next search begins behind it"),
    ("cached_hole_size", "2.6.39 to 5.1: the longest hole passed over; a smaller request starts over"),
    ("cached_vstart", "2.6.39 to 5.1: window start of the last request; a lower one starts over"),
    ("cached_align", "2.6.39 to 5.1: alignment of the last request; a smaller one starts over"),
    ("candidate", "to 5.1: the address that is tried next on the walk from area to area"),
    ("subtree max", "the largest hole below a tree node: how the search knows where not to look"),
    ("lowest match", "the kernel's search: the lowest hole that fits after alignment"),
    ("length", "what the search asks for: the size, plus alignment - 1 above page alignment"),
    ("window", "the addresses a request may use, [vstart, vend)"),
    ("full fit", "FL: the area takes the whole hole"),
    ("left edge", "LE: the area takes the lower part of the hole"),
    ("right edge", "RE: the area takes the upper part of the hole"),
    ("no edge", "NE: the area cuts the hole in two"),
    ("merge", "joining a hole with its neighbours"),
    ("policy", "the placement rule the model replays: a kernel era, or the recorded addresses"),
    ("lane", "of a comparison: one policy on one machine, with an allocator of its own; their numbers are their signs"),
    ("parted", "the first request that two lanes answered differently"),
    ("as recorded", "the lane has the area where the trace has it; elsewhere: it has not"),
    ("what if", "the same requests on a changed machine: another range, other CPUs, another lazy limit"),
    ("exact", "the model chose the recorded address by itself"),
    ("inferred", "it did under one of the timings the trace leaves open; the step pane names it"),
    ("adopted", "it did not: the recorded address was forced into the state"),
    ("differs", "of a script: the model's answer to an op is not the expected one; the model goes on with its own"),
    ("divergence", "an allocation that was not exact, an op that differs"),
    ("expected", "of a script: the answers of FILE.out beside FILE.ops, or of --expect"),
    ("lost", "the kernel dropped records before this one"),
    ("problem", "a damaged place of the input"),
    (
        "following",
        "of a trace that is taken while it is shown (vmaplens live): the cursor goes to what comes; paused: it stays",
    ),
    ("op N", "the Nth op of a script, counted from 1"),
    ("event N", "the Nth event of the trace, counted from 1; before the first one it is event 0"),
    ("lesson", "an op script with notes; the program has some: vmaplens lesson, or :lesson NAME"),
    ("stop", "of a lesson: an op at which a note is told; the panes show what the note is about"),
    ("pinned", "selected by hand: the panes stay with that address while the trace moves on"),
    ("PGD P4D PUD", "page-table levels from the top; a level that is folded costs nothing"),
    ("PMD PTE", "the lower levels; a PTE maps one page"),
    ("index, slots", "the entry of a table that the walk of the address passes; all entries of that table, folded"),
    (
        "mask",
        "pgtbl_mod_mask (5.8 and later): at which levels a walk changed an entry; PGD 1, P4D 2, PUD 4, PMD 8, PTE 16",
    ),
    (
        "sync",
        "arch_sync_kernel_mappings: copies new upper entries into the tables of processes, if the mask asks for it",
    ),
    ("TLB", "translation cache of a CPU; a cleared entry may stay in it until a flush"),
    ("contiguous", "arm64: entries marked as one block, which takes one TLB entry"),
    ("own, shared", "page tables only this area maps something in; tables it shares, each paid for in equal parts"),
    ("left by", "freed areas: unmapping keeps tables, which wait for the next area there"),
    ("descriptors", "vm_struct, vmap_area and vmap_block: the kernel's objects for an area, from slabs"),
    ("page array", "pointers to an area's pages; beyond a page of them it is an area of its own"),
    ("slab", "pages cut into objects of one size"),
    (
        "bulk, singles",
        "alloc_pages_bulk hands out up to 100 pages at once; what it does not find is asked for one by one",
    ),
    (
        "blocks cut",
        "the buddy allocator halves a larger block until it has the size; joined: freed halves are one again",
    ),
    ("order n", "a block of 2 to the power of n pages; zone rows count the free ones from order 0 up"),
    ("zone", "DMA, DMA32, Normal, HighMem: parts of memory by who can reach them"),
    ("GFP", "flags of a page request: which zones, and may it sleep"),
    ("observed", "the input says so; derived: it follows from the input; modelled: the model's own answer"),
    ("deferred", "vfree in an interrupt: the address waits in a list of its CPU for a work item, the newest first"),
    ("vmap block", "what vm_map_ram serves small requests from; taken, dirty (given back, not reused), never taken"),
    ("huge", "one entry of an upper level that maps a large page without a table below it"),
    ("KiB MiB GiB", "1024 bytes, 1024 KiB, 1024 MiB; TiB is 1024 GiB"),
    ("K M G T", "the same, where there is little room"),
];

/// The parts of the help, as its first row names them.
const PARTS: [&str; 4] = ["this pane", "moving", "signs", "words"];

/// Every row of the help for the focused pane, `width` columns wide.
pub(crate) fn rows(app: &App, width: u16) -> Vec<Row> {
    whole(app, width).0
}

/// Where part `digit`, counted from 1, starts.
pub(crate) fn part(app: &App, width: u16, digit: u32) -> Option<usize> {
    whole(app, width).1.get((digit as usize).checked_sub(1)?).copied()
}

/// The row that says which digit leads where.
fn index(glyphs: &Glyphs) -> Row {
    let mut spans = Vec::new();
    for (name, digit) in PARTS.iter().zip(1..) {
        if 1 < digit {
            spans.push(Span::new(format!(" {} ", glyphs.dot), Role::Muted));
        }
        spans.push(Span::new(digit.to_string(), Role::Key));
        spans.push(Span::new(format!(" {name}"), Role::Text));
    }
    Row { spans, ..Row::default() }
}

/// The rows, and where each part starts.
fn whole(app: &App, width: u16) -> (Vec<Row>, [usize; 4]) {
    let mut rows = vec![index(app.glyphs), Row::default()];
    let mut parts = [0; 4];
    rows.extend(this_pane(app, width));
    parts[1] = rows.len();
    rows.extend(moving(app, width));
    parts[2] = rows.len();
    rows.push(Row::of("Signs", Role::Title));
    rows.extend(signs(app.glyphs));
    rows.push(Row::default());
    parts[3] = rows.len();
    rows.push(Row::of("Words", Role::Title));
    rows.extend(GLOSSARY.iter().flat_map(|(word, means)| explained(word, WORDS, means, Role::Number, width)));
    (rows, parts)
}

/// The question of the focused pane, and its own keys.
fn this_pane(app: &App, width: u16) -> Vec<Row> {
    let mut rows = wrap(app.focus.question(), Role::Text, usize::from(width), 2, app.glyphs);
    rows.push(Row::default());
    let own: Vec<&Spec> = ACTIONS.iter().filter(|spec| spec.place == Place::Pane(app.focus)).collect();
    if !own.is_empty() {
        rows.push(Row::of(format!("Only in {}", app.focus.name()), Role::Title));
        rows.extend(own.into_iter().flat_map(|spec| entry(app, spec, width)));
        rows.push(Row::default());
    }
    rows
}

/// The keys that work everywhere, and the mouse.
fn moving(app: &App, width: u16) -> Vec<Row> {
    let mut rows = Vec::new();
    for &(section, title) in SECTIONS {
        rows.push(Row::of(title, Role::Title));
        let here = ACTIONS.iter().filter(|spec| spec.section == section && spec.place != Place::Pane(app.focus));
        rows.extend(here.flat_map(|spec| entry(app, spec, width)));
        rows.push(Row::default());
    }
    let key = app.key(super::super::action::Action::Bottom);
    rows.push(Row::of("Numbers", Role::Title));
    rows.extend(explained(
        &format!("digits {key}"),
        KEYS,
        "go to that event, as 1234 and then the key",
        Role::Key,
        width,
    ));
    rows.extend(explained("digits and a key", KEYS, "as often as the number says", Role::Key, width));
    rows.push(Row::default());
    rows.push(Row::of("Mouse", Role::Title));
    rows.extend(MOUSE.iter().flat_map(|(what, does)| explained(what, KEYS, does, Role::Key, width)));
    rows.push(Row::default());
    rows
}

fn entry(app: &App, spec: &Spec, width: u16) -> Vec<Row> {
    let mut keys = app.keymap.labels(spec.action).join("  ");
    if !spec.arguments.is_empty() {
        let colon = format!(":{}", spec.name);
        keys = if keys.is_empty() { colon } else { format!("{keys}  {colon}") };
    }
    if keys.is_empty() {
        keys = format!(":{}", spec.name);
    }
    let mut title =
        if spec.arguments.is_empty() { spec.title.to_owned() } else { format!("{}: {}", spec.title, spec.arguments) };
    if let Place::Pane(pane) = spec.place
        && pane != app.focus
    {
        // The same key does something else, or nothing, in the others.
        title = format!("{title} (while {} has the focus)", pane.name());
    }
    explained(&keys, KEYS, &title, Role::Key, width)
}

/// Every sign of the panes.
fn signs(glyphs: &Glyphs) -> Vec<Row> {
    let sign = |glyph: char, role: Role, means: &str| {
        words(&[("  ", Role::Text), (&glyph.to_string(), role), ("  ", Role::Text), (means, Role::Text)])
    };
    let bars: String = glyphs.bars.iter().collect();
    let mut rows = vec![
        sign(glyphs.busy, Role::Busy, "map: wholly in use"),
        sign(glyphs.busy_part, Role::Busy, "map: partly in use"),
        sign(glyphs.lazy, Role::Lazy, "map: lazily freed"),
        sign(glyphs.pooled, Role::Pooled, "map: pooled"),
        sign(glyphs.free, Role::Free, "map: free"),
        sign(glyphs.per_cpu, Role::PerCpu, "map: a per-CPU chunk"),
        sign(glyphs.unseen, Role::Busy, "map: unseen, of a late trace that starts empty"),
        words(&[
            ("  ", Role::Text),
            (if glyphs.ascii { "~42 %" } else { "≈42 %" }, Role::Muted),
            ("  map: a row with more in it than can be looked at for a frame: its cells are estimates", Role::Text),
        ]),
        sign(glyphs.guard, Role::Guard, "a guard page"),
        sign(glyphs.up, Role::Changed, "map: here this event changed something (underlined as well)"),
        sign(glyphs.cursor, Role::Key, "the current event or step"),
        sign('/', Role::Key, "events: what was searched for is found here"),
        sign(glyphs.node_black, Role::NodeBlack, "a black tree node"),
        sign(glyphs.node_red, Role::NodeRed, "a red tree node"),
        sign(glyphs.path, Role::Path, "tree: on the way of the search"),
        sign(glyphs.max, Role::Number, "tree: the subtree max behind it"),
        sign(glyphs.exact, Role::Good, "exact"),
        sign(glyphs.inferred, Role::Warn, "inferred"),
        sign(glyphs.adopted, Role::Bad, "adopted; of a script: differs"),
        sign(glyphs.unlike, Role::Bad, "not exact: the model's own place (of a record not believed, the record's)"),
        sign(glyphs.failure, Role::Bad, "the request failed"),
        sign(glyphs.purge, Role::Text, "a purge"),
        sign(glyphs.lost, Role::Warn, "lost records"),
        sign(glyphs.mark, Role::Text, "a marker in the trace"),
        sign(glyphs.playing, Role::Text, "playing"),
        sign(glyphs.paused, Role::Text, "paused"),
        sign(glyphs.ellipsis, Role::Muted, "something was left out here"),
        words(&[
            ("  ", Role::Text),
            (if glyphs.ascii { "^ 2 v 5 more" } else { "▲ 2 ▼ 5 more" }, Role::Muted),
            ("  lower border: rows above and below those in sight", Role::Text),
        ]),
        words(&[("  ", Role::Text), (&bars, Role::Busy), ("  how full or how high, lowest first", Role::Text)]),
    ];
    rows.extend(page_table::signs(glyphs).map(|(glyph, role, means)| sign(glyph, role, means)));
    rows
}
